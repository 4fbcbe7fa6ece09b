"""Decide whether values are counts, and find the depth and batch of the samples."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pysces._checks import check_one_of
from pysces._messages import outside
from pysces.data._count_data import CountData, Counts
from pysces.data._counts import Recovered, looks_like_counts, recover_counts
from pysces.data._expression import Expression
from pysces.data._sources import Rows
from pysces.errors import InputError, PyscesWarning

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import ArrayLike, NDArray

    from pysces.data._sources import Positions

log = logging.getLogger("pysces")

COUNTS = ("auto", True, False)
# The sum over fewer genes reflects biology as much as depth.
FEWEST_GENES = 1000
_SPARSE = 0.5
TOTAL = "total_counts"  # the column of .obs that sc.pp.calculate_qc_metrics writes


@dataclass(frozen=True, eq=False)
class Known:
    """Depth, batch and donor of the samples, as far as the caller gives them.

    Attributes
    ----------
    depth
        Depth of each sample, float64 [samples], or None.
    source
        Description of the source of the depth.
    batch
        Batch of each sample, int64 [samples], or None; samples of different donors are in different
        batches.
    base
        Base of the logarithm, or None if it is unknown.
    donor
        Donor of each sample, int64 [samples], or None.
    """

    depth: NDArray[np.float64] | None = None
    source: str = ""
    batch: NDArray[np.int64] | None = None
    base: float | None = None
    donor: NDArray[np.int64] | None = None

    def take(self, samples: NDArray[np.intp]) -> Known:
        """The same of some of the samples."""
        depth = None if self.depth is None else self.depth[samples]
        batch, donor = (
            None if labels is None else np.unique(labels[samples], return_inverse=True)[1]
            for labels in (self.batch, self.donor)
        )
        return Known(depth, self.source, batch, self.base, donor)

    def within(self, groups: NDArray[np.int64]) -> Known:
        """The same, with samples of different groups in different batches."""
        return replace(self, batch=crossed(self.batch, groups))


def crossed(
    first: NDArray[np.int64] | None, second: NDArray[np.int64] | None
) -> NDArray[np.int64] | None:
    """Combinations of two labels of samples, numbered from 0; None stands for a single label.

    >>> crossed(np.array([0, 0, 1]), np.array([0, 2, 2])).tolist()
    [0, 1, 2]
    """
    if first is None or second is None:
        return first if second is None else second
    both = first * (second.max(initial=0) + 1) + second
    return np.unique(both, return_inverse=True)[1].astype(np.int64)


def known_of(
    adata: AnnData,
    size_factors: Any,
    batch_key: Any,
    layer: str | None = None,
    donor_key: Any = None,
) -> Known:
    """Depth, batch and donor of the samples of an AnnData.

    Depth is `size_factors` (a column of ``obs`` or numbers), else ``obs["total_counts"]``, else
    the sums of ``raw`` if it has more genes and holds counts.
    """
    depth, source = None, ""
    if size_factors is not None:
        if isinstance(size_factors, str):
            depth, source = _column(adata, size_factors, "size_factors="), size_factors
        else:
            size_factors = _by_name(size_factors, adata.obs_names, "size_factors=")
            depth, source = _numbers(size_factors, adata.n_obs, "size_factors="), "size_factors"
    elif (total := total_counts(adata)) is not None:
        depth, source = total, TOTAL
    elif adata.raw is not None and adata.raw.n_vars > adata.n_vars:
        total = _raw_totals(adata)
        if total is not None:
            depth, source = total, "raw"
    base = _base(adata) if layer is None else None
    donor = batches_of(adata, donor_key, "donor_key=")
    return Known(depth, source, crossed(batches_of(adata, batch_key), donor), base, donor)


def _base(adata: AnnData) -> float | None:
    """Base of the logarithm as recorded by Scanpy; None if there is no valid one."""
    log1p = adata.uns.get("log1p")
    base = log1p.get("base") if isinstance(log1p, dict) else None
    if not isinstance(base, int | float | np.number) or isinstance(base, bool):
        return None
    return float(base) if np.isfinite(base) and base > 0 and base != 1 else None


def _by_name(values: Any, names: pd.Index | None, what: str) -> Any:
    """A Series in the order of the samples, by its index where that names them."""
    if not isinstance(values, pd.Series) or names is None or values.index.equals(names):
        return values
    index = values.index.astype(str)
    if index.is_unique and len(index) == len(names) and index.isin(names).all():
        return values.set_axis(index).loc[names]
    if isinstance(values.index, pd.RangeIndex):
        return values.to_numpy()
    raise InputError(
        f"The index of the Series given as {what} does not name the samples. Pass one that does, "
        "or an array in the order of the samples."
    )


def batches_of(
    adata: AnnData, batch_key: Any, argument: str = "batch_key="
) -> NDArray[np.int64] | None:
    """Batch (or donor) of each sample, numbered in the order of the names of batches."""
    if batch_key is None:
        return None
    if isinstance(batch_key, str):
        if batch_key not in adata.obs:
            raise InputError(
                f"Did not find .obs[{batch_key!r}]. Pass {argument} with the name of a column of "
                ".obs that holds the batch (donor, run) of each sample."
            )
        batch_key = adata.obs[batch_key]
    return batch_numbers(_by_name(batch_key, adata.obs_names, argument), adata.n_obs, argument)


def batch_numbers(labels: Any, n: int, argument: str = "batch_key=") -> NDArray[np.int64]:
    """Batches as integers from 0."""
    if not isinstance(labels, pd.Series):
        values = np.asarray(labels, dtype=object)
        if values.ndim != 1:
            raise InputError(f"{argument} must be one label per sample: text or numbers.")
        labels = pd.Series(values)
    if len(labels) != n:
        raise InputError(
            f"{argument} has {len(labels)} labels for {n} samples. Pass one per sample."
        )
    if labels.isna().any():
        raise InputError(
            f"{argument} has no label (missing value) for {int(labels.isna().sum())} samples. "
            "Fill in their labels or remove the samples."
        )
    return np.unique(labels.astype(str).to_numpy(), return_inverse=True)[1].astype(np.int64)


def known_of_arrays(
    n: int,
    size_factors: Any,
    batch_key: Any,
    names: pd.Index | None = None,
    donor_key: Any = None,
) -> Known:
    """Depth, batch and donor of the samples of an array."""
    size_factors = _by_name(size_factors, names, "size_factors=")
    if any(isinstance(one, str) for one in (size_factors, batch_key, donor_key)):
        raise InputError(
            "size_factors=, batch_key= and donor_key= can name columns only of an AnnData. "
            "Pass one value per sample."
        )
    depth = None if size_factors is None else _numbers(size_factors, n, "size_factors=")
    batch, donor = (
        None if labels is None else batch_numbers(_by_name(labels, names, name), n, name)
        for labels, name in ((batch_key, "batch_key="), (donor_key, "donor_key="))
    )
    source = "size_factors" if depth is not None else ""
    return Known(depth, source, crossed(batch, donor), donor=donor)


def total_counts(adata: AnnData) -> NDArray[np.float64] | None:
    """The column that sc.pp.calculate_qc_metrics writes, if its numbers are usable."""
    if TOTAL not in adata.obs or not pd.api.types.is_numeric_dtype(adata.obs[TOTAL]):
        return None
    total = np.asarray(adata.obs[TOTAL], dtype=np.float64)
    return total if np.isfinite(total).all() and (total >= 0).all() else None


def _column(adata: AnnData, name: str, argument: str) -> NDArray[np.float64]:
    if name not in adata.obs:
        raise InputError(
            f"Did not find .obs[{name!r}] of {argument}. Pass the name of a column with the total "
            "counts of each sample, or the numbers themselves."
        )
    return _numbers(adata.obs[name], adata.n_obs, f".obs[{name!r}]")


def _numbers(values: Any, n: int, what: str) -> NDArray[np.float64]:
    kind = np.asarray(values).dtype.kind
    if kind in "bcmM":
        raise InputError(f"{what} must be numbers, one per sample. Got {np.asarray(values).dtype}.")
    try:
        found = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{what} must be numbers, one per sample ({error}).") from error
    if found.shape != (n,):
        raise InputError(
            f"{what} has the shape {found.shape}. Pass one number for each of {n} samples."
        )
    if not np.isfinite(found).all() or (found < 0).any():
        raise InputError(f"{what} must be finite and not negative. Correct those samples.")
    return found


def _raw_totals(adata: AnnData) -> NDArray[np.float64] | None:
    """Sums over all genes of ``raw``, if it holds counts."""
    matrix = adata.raw.X
    values = getattr(matrix, "data", matrix) if hasattr(matrix, "indptr") else matrix
    try:
        sample = np.asarray(values[: 2**20] if getattr(values, "ndim", 2) == 1 else values[:100])
    except (TypeError, ValueError):
        return None
    if sample.dtype.kind not in "biuf" or (sample != np.floor(sample)).any() or (sample < 0).any():
        return None
    total = np.asarray(matrix.sum(axis=1), dtype=np.float64).ravel()
    return total if np.isfinite(total).all() and total.any() else None


def counts_of(
    expression: Expression, counts: Any, known: Known, *, ranked: bool = True
) -> tuple[Expression, CountData | None]:
    """The counts that values are or were made of, or None and the values that are to be ranked.

    Parameters
    ----------
    expression
        Values.
    counts
        ``True``: the values are counts, else an InputError. ``False``: they are not. ``"auto"``:
        integers are counts; counts are recovered from normalised and log-transformed values.
    known
        Depth and batch of the samples.
    ranked
        Whether values that are not counts will be ranked; counts of few genes are then divided by
        their sum.

    Warns
    -----
    PyscesWarning
        If values look normalised and sparse, but no counts can be recovered.
    """
    check_one_of("counts", counts, COUNTS)
    if counts is False:
        return expression, None
    depth = known.depth
    batch = np.zeros(expression.n_samples, np.int64) if known.batch is None else known.batch
    if looks_like_counts(expression):
        if depth is not None and known.source == TOTAL:
            depth = _plausible(expression, depth)
        if depth is not None:
            return expression, CountData(expression, depth, batch, False, known.source)
        total = _sums(expression)
        if counts is True or expression.n_genes >= FEWEST_GENES:
            source = "sum over the genes"
            return expression, CountData(expression, total, batch, False, source)
        log.warning(
            "counts of %d genes: too few to estimate the depth of a sample by their sum. %s; pass "
            "size_factors= with the total counts of each sample for scores given depth.",
            expression.n_genes,
            "Values are divided by their sum and ranked"
            if ranked
            else "Values are used as they are",
        )
        return (normalised(expression, total) if ranked else expression), None
    recovered = recover_counts(expression, known.base)
    if recovered is not None and _was_not_normalised(recovered):
        # The logarithm (or a multiple) of counts is treated like counts
        return counts_of(recovered.counts, counts, known, ranked=ranked)
    if recovered is not None and depth is not None:
        recovered = recover_counts(expression, known.base, depth)
    if recovered is not None and depth is None and counts == "auto" and _is_own_sum(recovered):
        log.warning(
            "values were normalised by the sum over %d genes alone: too few to estimate the depth "
            "of a sample. They are used as they are; pass size_factors= with the total "
            "counts of each sample for scores given depth.",
            expression.n_genes,
        )
        return expression, None
    if recovered is not None:
        words = "exactly" if recovered.exact else "to the nearest whole number"
        log.warning(
            "counts were recovered (%s) from normalised values. Pass layer= to use your own, or "
            "counts=False for the values as they are.",
            words,
        )
        source = known.source or "unit of the recovered counts"
        return expression, CountData(recovered.counts, recovered.depth, batch, True, source)
    if counts is True:
        raise InputError(
            "counts=True, but the values are not integers, and counts cannot be recovered "
            "from them. Pass the layer that holds counts (layer='counts')."
        )
    _warn_lost(expression)
    return expression, None


def count_data(
    adata: AnnData,
    *,
    layer: str | None = None,
    counts: Counts = "auto",
    size_factors: str | ArrayLike | None = None,
    batch_key: str | None = None,
    gene_symbols: str | None = None,
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
    gene_symbols
        Column of ``adata.var`` with the names of genes.

    Raises
    ------
    InputError
        If counts=True and there are none, or a column is unknown or has missing values.
    """
    if counts is False or adata.n_obs < 2:
        check_one_of("counts", counts, COUNTS)
        return None
    expression = Expression.from_anndata(
        adata, layer=layer, gene_symbols=gene_symbols, allow_missing=True
    )
    known = known_of(adata, size_factors, batch_key, layer)
    return counts_of(expression, counts, known, ranked=False)[1]


def _was_not_normalised(recovered: Recovered) -> bool:
    """Whether the unit is the same in every sample although their sums differ."""
    some = recovered.unit > 0
    unit, total = recovered.unit[some], _sums(recovered.counts)[some]
    if len(unit) < 2:
        return False
    return bool(unit.max() <= unit.min() * (1 + 1e-6) and total.max() > total.min() * 1.01)


def _plausible(expression: Expression, total: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """The totals, unless samples have larger sums of counts."""
    if (_sums(expression) > total * (1 + 1e-6)).any():
        log.warning(
            "Samples have more counts than obs[%r] states; the column is not used as their depth.",
            TOTAL,
        )
        return None
    return total


def _is_own_sum(recovered: Recovered) -> bool:
    """Whether the depth is only the sum over the few genes of the data."""
    if recovered.counts.n_genes >= FEWEST_GENES:
        return False
    total = _sums(recovered.counts)
    some = total > 0
    ratio = recovered.depth[some] / total[some]
    return bool(len(ratio) == 0 or ratio.max() <= ratio.min() * (1 + 1e-3))


def _sums(expression: Expression) -> NDArray[np.float64]:
    total = np.zeros(expression.n_samples)
    for samples, block in expression._stored_blocks():
        if isinstance(block, Rows):
            filled = np.flatnonzero(np.diff(block.indptr))
            sums = np.add.reduceat(block.values, block.indptr[filled]) if len(filled) else 0.0
            total[samples][filled] = sums
        else:
            total[samples] += block.sum(axis=1)
    return total


class _Divided:
    """Values divided by a number per sample, read by blocks (a `Source`)."""

    def __init__(self, expression: Expression, by: NDArray[np.float64]) -> None:
        self._expression = expression
        self._by = np.where(by > 0, by, 1.0)
        self.shape, self.dtype = expression.shape, np.dtype(np.float64)
        self.by_samples = expression._source.by_samples
        self.in_memory = expression._source.in_memory

    def read(self, samples: Positions, genes: Positions, order: Any) -> NDArray[np.float64]:
        block = self._expression._read(samples, genes, order)
        return np.array(block / self._by[samples][:, None], order=order)

    def read_rows(self, samples: Positions) -> Rows | None:
        rows = self._expression.sparse_block(samples)
        if rows is None:
            return None
        return rows._replace(values=rows.values / self._by[samples][rows.samples()])

    def read_columns(self, genes: Positions) -> Rows | None:
        columns = self._expression.sparse_genes(genes)
        if columns is None:
            return None
        return columns._replace(values=columns.values / self._by[columns.genes])

    def is_ordinary(self) -> bool:
        return True

    def sample_bytes(self) -> float:
        return self._expression._source.sample_bytes()


def normalised(expression: Expression, by: NDArray[np.float64]) -> Expression:
    """Divide each sample by its number (0 is replaced by 1)."""
    found = type(expression)(_Divided(expression, by), expression.genes, expression.samples)
    found._values_checked = True
    return found


def _warn_lost(expression: Expression) -> None:
    if expression.zero_share() > _SPARSE:
        warnings.warn(
            "The values are sparse and not counts, and counts cannot be recovered from them, "
            "so the depth of the samples may appear as regulation or activity. Pass the layer that "
            "holds counts (layer='counts'), or counts=False if they never were counts.",
            PyscesWarning,
            stacklevel=outside(),
        )
    elif _looks_scaled(expression):
        warnings.warn(
            "In most genes the lowest value is negative and frequent, as in scaled counts. "
            "Scaling hides the depth of the samples, so it may appear as regulation or activity. "
            "Pass the layer that holds counts (layer='counts'), or counts=False if they never "
            "were.",
            PyscesWarning,
            stacklevel=outside(),
        )


def _spaced(n: int, most: int) -> NDArray[np.intp]:
    """Evenly spaced positions among n, at most this many."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).astype(np.intp))


def _looks_scaled(expression: Expression) -> bool:
    """Whether most genes have a negative lowest value that a third of the samples share."""
    few = [
        _spaced(n, most) for n, most in ((expression.n_samples, 1000), (expression.n_genes, 200))
    ]
    block = expression.take_samples(few[0]).gene_block(few[1])
    lowest = block.min(axis=1, keepdims=True)
    tied = (block == lowest).mean(axis=1) > 1 / 3
    return bool((tied & (lowest[:, 0] < 0)).mean() > 0.5)
