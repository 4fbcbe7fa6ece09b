"""Margins of counts in two passes over sparse samples, for files that are stored by samples."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pysces.data._counts import CountModel
from pysces.data._margins import EXTREME, DepthBins, check_counts, n_extreme, size_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pysces.data._sources import Rows

    Floats = NDArray[np.float64]

_SORTED_VALUES = 2**18  # stored values whose largest are searched at a time
_SMALL = 64  # counts below it are counted in a table


def fit_by_samples(
    read: Callable[[], Iterable[tuple[slice, Rows]]], n_genes: int, depth: Any, batch: Any
) -> CountModel:
    """`CountModel.fit` without calibration, bit-identical.

    Blocks of genes would each read the whole of a file that is stored by samples.

    Parameters
    ----------
    read
        Starts a pass: yields all samples in order, with their positions.
    n_genes, depth, batch
        As of `CountModel.fit`.

    Raises
    ------
    InputError
        As of `CountModel.fit`.
    """
    model = CountModel.fit(lambda _: np.empty((0, 0)), 0, depth, batch, calibrate=False)
    depths, batches = model.depth, model.batch
    bins = DepthBins(depths, batches)
    usual = _usual(read(), n_genes, depths)
    in_bin, distinct = _sums_of_rows(read(), n_genes, depths, usual, bins)
    share = np.zeros((int(batches.max()) + 1, n_genes))
    for b in range(len(share)):
        total = math.fsum(depths[batches == b])
        if total > 0:
            share[b] = in_bin[:, bins.batch == b].sum(axis=1) / total
    return replace(model, share=share, size=size_of(in_bin, distinct, share, bins))


def _usual(windows: Iterable[tuple[slice, Rows]], n_genes: int, depth: Floats) -> Floats | None:
    """The largest usual count per depth of each gene; None if no count can be extreme."""
    k = n_extreme(len(depth))
    largest = np.zeros((n_genes, k + 1))
    for part, rows in windows:
        sample = rows.samples() + part.start
        check_counts(rows.values, depth[sample])
        ratio = rows.values / np.where(depth > 0, depth, 1.0)[sample]
        for start in range(0, len(ratio), _SORTED_VALUES):
            some = slice(start, start + _SORTED_VALUES)
            _keep_largest(largest, rows.genes[some], ratio[some])
    return largest.min(axis=1) if len(depth) > k else None


def _keep_largest(largest: Floats, gene: NDArray[np.int32], ratio: Floats) -> None:
    """Update the largest values of each gene [genes values]."""
    n = largest.shape[1]
    above = ratio > largest.min(axis=1)[gene]
    genes, at = np.unique(gene[above], return_inverse=True)
    values = np.concatenate([largest[genes].ravel(), ratio[above]])
    owner = np.concatenate([np.repeat(np.arange(len(genes)), n), at])
    order = np.lexsort((-values, owner))
    first = np.searchsorted(owner[order], np.arange(len(genes)))
    largest[genes] = values[order][first[:, None] + np.arange(n)]


def _sums_of_rows(
    windows: Iterable[tuple[slice, Rows]],
    n_genes: int,
    depth: Floats,
    usual: Floats | None,
    bins: DepthBins,
) -> tuple[Floats, tuple[NDArray[np.intp], Floats, NDArray[np.intp]]]:
    """Sum of the counts of each gene in each bin; number of each distinct count of a gene."""
    n_bins = len(bins.number)
    in_bin = np.zeros(n_genes * n_bins)
    small = np.zeros(n_genes * _SMALL, dtype=np.intp)
    large = np.empty((3, 0), dtype=np.int64)
    for part, rows in windows:
        sample, gene = rows.samples() + part.start, rows.genes.astype(np.intp)
        counts = rows.values
        if usual is not None:
            bound = np.floor(EXTREME * usual[gene] * depth[sample])
            counts = np.minimum(counts, np.maximum(bound, 1.0))
        in_bin += np.bincount(gene * n_bins + bins.bin_of[sample], counts, len(in_bin))
        few = counts < _SMALL
        at = gene[few] * _SMALL + counts[few].astype(np.intp)
        small += np.bincount(at, minlength=len(small))
        more = np.array([gene[~few], counts[~few], np.ones((~few).sum())], dtype=np.int64)
        large = _distinct(np.concatenate([large, more], axis=1))
    at = np.flatnonzero(small)
    at = at[at % _SMALL > 0]
    found = np.array([at // _SMALL, at % _SMALL, small[at]], dtype=np.int64)
    gene, counts, times = _distinct(np.concatenate([found, large], axis=1))
    return in_bin.reshape(n_genes, n_bins), (gene, counts.astype(np.float64), times)


def _distinct(found: NDArray[np.int64]) -> NDArray[np.int64]:
    """Genes, counts and their numbers, sorted; equal counts of a gene joined."""
    found = found[:, np.lexsort((found[1], found[0]))]
    if not found.size:
        return found
    new = np.r_[True, (np.diff(found[:2], axis=1) != 0).any(axis=0)]
    times = np.add.reduceat(found[2], np.flatnonzero(new))
    return np.concatenate([found[:2, new], times[None]])
