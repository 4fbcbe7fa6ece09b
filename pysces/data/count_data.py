"""Counts of an AnnData with the depth and the batch of every sample, where they can be had."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from pysces.checks import check_column
from pysces.data.counts import CountModel, looks_like_counts, recover_counts
from pysces.data.expression import Expression
from pysces.data.labels import labels_of
from pysces.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import ArrayLike, NDArray

    from pysces.data._sources import Order, Positions

    Floats = NDArray[np.float64]

log = logging.getLogger("pysces")

Counts = Literal["auto"] | bool
TOTAL = "total_counts"  # the column of .obs that Scanpy's quality control writes
FEWEST_GENES = 1000  # with fewer the sum of a cell is biology as much as depth


@dataclass(frozen=True, eq=False)
class CountData:
    """Counts, and what must be known of every sample to judge them.

    Attributes
    ----------
    expression
        The counts, samples x genes, read by blocks.
    depth
        Depth of each sample, float64 [samples].
    batch
        Batch of each sample, int64 [samples], counted from 0.
    facts
        For the run record: whether counts were ``recovered``, where the ``depth`` is from, the
        number of ``batches``.
    """

    expression: Expression
    depth: Floats
    batch: NDArray[np.int64]
    facts: dict[str, Any] = field(default_factory=dict)

    def fit(
        self, genes: slice | NDArray[Any] = slice(None), samples: NDArray[np.intp] | None = None
    ) -> CountModel:
        """Margins of some genes, fitted on some samples (all by default), for all samples."""
        rows = np.arange(len(self.depth)) if samples is None else samples
        source = self.expression.take_genes(genes).take_samples(rows)
        if samples is not None and (left := set(self.batch.tolist()) - set(self.batch[rows])):
            raise InputError(
                f"{len(left)} of the batches of batch_key= have no cell in the reference, so the "
                "levels of their genes are unknown. Choose a reference with cells of every batch."
            )
        model = CountModel.fit(
            source.gene_block, source.n_genes, self.depth[rows], self.batch[rows], calibrate=False
        )
        return model.at(self.depth, self.batch)

    def scores(self, model: CountModel) -> Expression:
        """The first scores (h1) of the genes of a model, as an expression matrix by blocks.

        model: of the genes of ``expression``, for all of its samples.
        """
        source = _ScoreSource(self.expression, model)
        scores = Expression(source, self.expression.genes, self.expression.samples)
        scores._values_checked = True
        return scores

    def take_genes(self, genes: NDArray[Any]) -> CountData:
        """The same for some genes."""
        return replace(self, expression=self.expression.take_genes(genes))

    def take_samples(self, rows: NDArray[np.intp]) -> CountData:
        """The same for some samples; batches without any are gone."""
        _, batch = np.unique(self.batch[rows], return_inverse=True)
        return CountData(
            self.expression.take_samples(rows), self.depth[rows], batch.astype(np.int64), self.facts
        )


class _ScoreSource:
    """First scores of counts, block by block (a `Source`)."""

    def __init__(self, counts: Expression, model: CountModel) -> None:
        self._counts, self._model = counts, model
        self.shape, self.dtype = counts.shape, np.dtype(np.float64)
        self.by_samples = counts._source.by_samples

    def read(self, samples: Positions, genes: Positions, order: Order) -> Floats:
        block = self._counts._read(samples, genes, "F")
        model = self._model.take(genes)
        model = model.at(model.depth[samples], model.batch[samples])
        return np.array(model.scores(block.T)[0].T, order=order)

    def is_finite(self) -> bool:
        return True


def count_data(
    adata: AnnData,
    *,
    layer: str | None = None,
    counts: Counts = "auto",
    size_factors: str | ArrayLike | None = None,
    batch_key: str | None = None,
) -> CountData | None:
    """Counts of an AnnData, given or recovered; None where the data are not counts.

    Parameters
    ----------
    adata
        Samples x genes.
    layer
        Layer to read instead of ``adata.X``.
    counts
        ``"auto"``: whole non-negative numbers are counts, and counts are recovered from values as
        normalisation to a common sum and log(1 + x) leave them. True: the same, or an error.
        False: never.
    size_factors
        Depth of each sample: a column of ``adata.obs`` or numbers [samples]. By default
        ``obs["total_counts"]``, else the unit of recovered counts, else the sum over the genes of
        ``adata.raw`` or of the data. With fewer than 1,000 genes a sum is not taken for the
        depth, unless counts=True.
    batch_key
        Column of ``adata.obs``: genes have their own level in each of its groups.

    Raises
    ------
    InputError
        If counts=True and there are none, or a column is unknown or has missing values.
    """
    if (isinstance(counts, str) and counts != "auto") or not isinstance(counts, str | bool):
        raise InputError(
            f"The 'counts' parameter must be 'auto', True or False. Got {counts!r} instead."
        )
    given = None if size_factors is None else _given_depth(adata, size_factors)
    batch = _batches(adata, batch_key)
    if counts is False or adata.n_obs < 2:
        return None
    expression = Expression.from_anndata(adata, layer=layer, allow_missing=True)
    known, source = (given, _name(size_factors)) if given is not None else _totals(adata)
    facts: dict[str, Any] = {"recovered": False, "depth": source}
    if looks_like_counts(expression):
        if known is not None and source == TOTAL:
            known = _plausible(expression, known)
        if known is None:
            known, facts["depth"] = _sums(adata, expression, layer)
        if known is None and counts is True:
            known, facts["depth"] = row_sums(expression), "sum"
        if known is None:
            log.info(
                "The data are counts of %d genes, too few to tell depth from biology by their sum, "
                "so they are not judged given depth. Pass size_factors= (or counts=True).",
                expression.n_genes,
            )
            return None
    else:
        recovered = recover_counts(expression, _base(adata, layer), known)
        if recovered is None:
            if counts is True:
                raise InputError(
                    "counts=True, but the data are neither whole numbers nor values from which "
                    "counts can be recovered. Pass the layer of raw counts, layer='counts' say."
                )
            if _of_sparse_origin(expression):
                log.warning(
                    "Most values are the least of their gene, as in normalised or scaled counts, "
                    "but the counts cannot be recovered, so differences in depth are not accounted "
                    "for. Pass the layer of raw counts, layer='counts' say."
                )
            return None
        expression, facts["recovered"] = recovered.counts, True
        if known is None:
            known, facts["depth"] = recovered.depth, "unit"
        log.info(
            "The counts behind the normalised values were recovered%s; depth from %s.",
            " exactly" if recovered.exact else "",
            facts["depth"],
        )
    facts["batches"] = int(batch.max()) + 1
    return CountData(expression, known, batch, facts)


def row_sums(expression: Expression) -> Floats:
    """Sum of each sample over the genes, float64 [samples]."""
    total = np.zeros(expression.n_samples)
    for samples, _, block in expression._cheap_blocks():
        total[samples] += block.sum(axis=1)
    return total


def _name(size_factors: Any) -> str:
    return size_factors if isinstance(size_factors, str) else "size_factors"


def _given_depth(adata: AnnData, size_factors: Any) -> Floats:
    if isinstance(size_factors, str):
        check_column(adata, size_factors, "size_factors")
        size_factors = adata.obs[size_factors]
    try:
        depth = np.asarray(size_factors, dtype=np.float64)
    except (TypeError, ValueError):
        depth = np.array([np.nan])
    if depth.shape != (adata.n_obs,) or not np.isfinite(depth).all() or (depth < 0).any():
        raise InputError(
            f"size_factors must be {adata.n_obs} numbers of at least 0, one per sample, or the "
            "name of such a column of adata.obs."
        )
    return depth


def _totals(adata: AnnData) -> tuple[Floats | None, str]:
    """The column of total counts, where there is a usable one."""
    if TOTAL not in adata.obs or not pd.api.types.is_numeric_dtype(adata.obs[TOTAL]):
        return None, ""
    total = np.asarray(adata.obs[TOTAL], dtype=np.float64)
    return (total, TOTAL) if np.isfinite(total).all() and (total >= 0).all() else (None, "")


def _plausible(expression: Expression, total: Floats) -> Floats | None:
    """The totals, unless samples have more counts than that."""
    if (row_sums(expression) > total * (1 + 1e-6)).any():
        log.warning(
            "Samples have more counts than obs[%r] says; the column is not used as their depth.",
            TOTAL,
        )
        return None
    return total


def _sums(adata: AnnData, expression: Expression, layer: str | None) -> tuple[Floats | None, str]:
    """Sums over the genes of raw, where it holds more of them, or of the data."""
    raw = adata.raw
    if raw is not None and raw.shape[1] > expression.n_genes:
        whole = Expression.from_matrix(raw.X, genes=raw.var_names, samples=adata.obs_names)
        if looks_like_counts(whole):
            return row_sums(whole), "raw"
    if expression.n_genes < FEWEST_GENES:
        return None, ""
    return row_sums(expression), "sum"


def _of_sparse_origin(expression: Expression) -> bool:
    """Whether most values of some 200 genes, spread over the data, are the least of their gene."""
    some = expression.take_genes(
        np.arange(0, expression.n_genes, max(1, expression.n_genes // 200))
    )
    least, most = np.full(some.n_genes, np.inf), np.full(some.n_genes, -np.inf)
    for _, genes, block in some._cheap_blocks():
        least[genes] = np.fmin(least[genes], np.fmin.reduce(block, axis=0, initial=np.inf))
        most[genes] = np.fmax(most[genes], np.fmax.reduce(block, axis=0, initial=-np.inf))
    varying, alike = most > least, 0
    for _, genes, block in some._cheap_blocks():
        alike += int(((block == least[genes]) & varying[genes]).sum())
    return alike > 0.5 * int(np.count_nonzero(varying)) * some.n_samples


def _base(adata: AnnData, layer: str | None) -> float | None:
    """Base of the logarithm that Scanpy noted."""
    noted = adata.uns.get("log1p")
    base = noted.get("base") if isinstance(noted, dict) else None
    return float(base) if layer is None and isinstance(base, int | float | np.number) else None


def _batches(adata: AnnData, batch_key: str | None) -> NDArray[np.int64]:
    if batch_key is None:
        return np.zeros(adata.n_obs, dtype=np.int64)
    labels = labels_of(adata, batch_key, "batch_key")
    if missing := int((labels.codes < 0).sum()):
        raise InputError(
            f"{missing} samples have no label in .obs[{batch_key!r}], asked for by batch_key. "
            "Remove them, or label them."
        )
    return labels.codes.astype(np.int64)
