"""Counts of an AnnData with the depth and the batch of every sample, if it has counts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pysces._checks import check_one_of
from pysces.data._counts import CountModel
from pysces.data._depth import COUNTS, counts_of, known_of
from pysces.data._expression import Expression
from pysces.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import ArrayLike, NDArray

    from pysces.data._sources import Order, Positions

    Floats = NDArray[np.float64]

Counts = Literal["auto"] | bool


@dataclass(frozen=True, eq=False)
class CountData:
    """Counts, and the depth and batch of every sample.

    Attributes
    ----------
    expression
        The counts, samples x genes, read by blocks.
    depth
        Depth of each sample, float64 [samples].
    batch
        Batch of each sample, int64 [samples], numbered from 0.
    facts
        For the run record: whether counts were ``recovered``, the source of the ``depth``, the
        number of ``batches``.
    """

    expression: Expression
    depth: Floats
    batch: NDArray[np.int64]
    facts: dict[str, Any] = field(default_factory=dict)

    def fit(
        self, genes: slice | NDArray[Any] = slice(None), samples: NDArray[np.intp] | None = None
    ) -> CountModel:
        """Margins of some genes for all samples, fitted to some samples (all by default)."""
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
        """First scores (h1) of the genes of a model, as an expression matrix read by blocks.

        model: margins of the genes of ``expression`` for all of its samples.
        """
        source = _ScoreSource(self.expression, model)
        scores = Expression(source, self.expression.genes, self.expression.samples)
        scores._values_checked = True
        return scores

    def take_genes(self, genes: NDArray[Any]) -> CountData:
        """The counts of some genes."""
        return replace(self, expression=self.expression.take_genes(genes))

    def take_samples(self, rows: NDArray[np.intp]) -> CountData:
        """The counts of some samples; batches without samples are removed."""
        _, batch = np.unique(self.batch[rows], return_inverse=True)
        return CountData(
            self.expression.take_samples(rows), self.depth[rows], batch.astype(np.int64), self.facts
        )


class _ScoreSource:
    """First scores of counts, read by blocks (a `Source`)."""

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
    """Counts of an AnnData, given or recovered; None if the data are not counts.

    Parameters
    ----------
    adata
        Samples x genes.
    layer
        Layer to read instead of ``adata.X``.
    counts
        ``"auto"``: non-negative integers are counts, and counts are recovered from values that
        were normalised to a common sum and transformed by log(1 + x). True: the same, but an error
        if there are no counts. False: values are not counts.
    size_factors
        Depth of each sample: a column of ``adata.obs`` or numbers [samples]. By default
        ``obs["total_counts"]``, else the unit of recovered counts, else the sum over the genes of
        ``adata.raw`` or of the data. The sum of fewer than 1,000 genes is not used as depth,
        unless counts=True.
    batch_key
        Column of ``adata.obs`` with the batches; the level of a gene is fitted in each batch.

    Raises
    ------
    InputError
        If counts=True and there are none, or a column is unknown or has missing values.
    """
    if counts is False or adata.n_obs < 2:
        check_one_of("counts", counts, COUNTS)
        return None
    expression = Expression.from_anndata(adata, layer=layer, allow_missing=True)
    known = known_of(adata, size_factors, batch_key, layer)
    found = counts_of(expression, counts, known, ranked=False)[1]
    if found is None:
        return None
    batch = np.zeros(adata.n_obs, dtype=np.int64) if known.batch is None else known.batch
    facts = {
        "recovered": found.recovered,
        "depth": found.source,
        "batches": int(batch.max()) + 1,
    }
    return CountData(found.expression, found.depth, batch, facts)
