"""Margins of counts in two passes over sparse samples."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pysces.data._counts import CountModel
from pysces.data._margins import EXTREME, DepthBins, check_counts, n_extreme, size_of
from pysces.data._passes import over_rows
from pysces.dispatch import operations as ops
from pysces.dispatch.contracts import REDUCE
from pysces.dispatch.operations.viper import SMALL

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pysces.data._expression import Expression
    from pysces.data._sources import Rows

    Floats = NDArray[np.float64]
    Distinct = tuple[NDArray[np.intp], Floats, NDArray[np.intp]]


def fit_by_samples(source: Expression, depth: Any, batch: Any) -> CountModel:
    """`CountModel.fit` without calibration, bit-identical, for a matrix that is stored by samples.

    Blocks of genes would each read the whole of a file, or need a copy of the matrix.

    Raises
    ------
    InputError
        As of `CountModel.fit`.
    """
    model = CountModel.fit(lambda _: np.empty((0, 0)), 0, depth, batch, calibrate=False)
    depths, batches = model.depth, model.batch
    bins = DepthBins(depths, batches)
    bound = _bound(source, depths)
    in_bin, distinct = _sums(source, depths, bound, bins)
    share = np.zeros((int(batches.max()) + 1, source.n_genes))
    for b in range(len(share)):
        total = math.fsum(depths[batches == b])
        if total > 0:
            share[b] = in_bin[:, bins.batch == b].sum(axis=1) / total
    return replace(model, share=share, size=size_of(in_bin, distinct, share, bins))


def _bound(source: Expression, depth: Floats) -> Floats:
    """The largest count per depth of each gene that is not extreme [genes]."""
    number = n_extreme(len(depth)) + 1
    if len(depth) < number:
        return np.full(source.n_genes, np.inf)

    def largest(part: slice, rows: Rows) -> Floats:
        of_rows = rows.indptr[:-1], rows.indptr[1:], rows.genes, rows.values
        return ops.largest_counts(*of_rows, depth[part], source.n_genes, number)

    found = over_rows(source, largest, REDUCE["largest"], np.zeros((source.n_genes, number)))
    return EXTREME * found[:, 0]


def _sums(
    source: Expression, depth: Floats, bound: Floats, bins: DepthBins
) -> tuple[Floats, Distinct]:
    """Sum of the counts of each gene in each bin; number of each distinct count of a gene."""
    n_bins, bin_of = len(bins.number), bins.bin_of.astype(np.int32)

    def of_part(part: slice, rows: Rows) -> tuple[Any, ...]:
        of_rows = rows.indptr[:-1], rows.indptr[1:], rows.genes, rows.values
        total, small, wrong = ops.count_sums(*of_rows, depth[part], bin_of[part], n_bins, bound)
        if wrong.any():
            stored = rows.genes >= 0
            check_counts(rows.values[stored], depth[part][rows.samples()[stored]])
        return total, small, _large(rows, depth[part], bound)

    def join(one: tuple[Any, ...], other: tuple[Any, ...]) -> tuple[Any, ...]:
        large = _distinct(np.concatenate([one[2], other[2]], axis=1))
        return one[0] + other[0], one[1] + other[1], large

    none = tuple(
        np.zeros(shape, np.int64) for shape in ((n_bins, len(bound)), (SMALL, len(bound)), (3, 0))
    )
    in_bin, small, large = over_rows(source, of_part, join, none)
    small[0] = 0
    count, gene = np.nonzero(small)
    found = np.array([gene, count, small[count, gene]])
    gene, counts, times = _distinct(np.concatenate([found, large], axis=1))
    return in_bin.T.astype(np.float64, order="C"), (gene, counts.astype(np.float64), times)


def _large(rows: Rows, depth: Floats, bound: Floats) -> NDArray[np.int64]:
    """Genes, counts and numbers of the counts that are not in the table of small ones."""
    at = np.flatnonzero(rows.values >= SMALL)
    at = at[rows.genes[at] >= 0]
    sample = np.searchsorted(rows.indptr, at, side="right") - 1
    most = np.maximum(np.floor(bound[rows.genes[at]] * depth[sample]), 1.0)
    counts = np.minimum(rows.values[at], most)
    kept = counts >= SMALL
    found = rows.genes[at][kept], counts[kept], np.ones(np.count_nonzero(kept))
    return np.array(found, dtype=np.int64)


def _distinct(found: NDArray[np.int64]) -> NDArray[np.int64]:
    """Genes, counts and their numbers, sorted; equal counts of a gene joined."""
    found = found[:, np.lexsort((found[1], found[0]))]
    if not found.size:
        return found
    new = np.r_[True, (np.diff(found[:2], axis=1) != 0).any(axis=0)]
    times = np.add.reduceat(found[2], np.flatnonzero(new))
    return np.concatenate([found[:2, new], times[None]])
