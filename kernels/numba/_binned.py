"""Joint counts of fixed bins, by bit planes of the bins or, for many bins, by a histogram."""

from __future__ import annotations

import numpy as np

from ._jit import jit, popcount
from ._planes import pack_paths, words

MOST_PLANES = 12  # with more than 13 bins one histogram of the samples is cheaper
CHUNK = 128  # words of each plane that are counted together; they fit into the L1 cache
ABREAST = 3  # planes of a gene that are counted together; padded with empty ones


@jit
def pack_bins(bins, planes):
    """Bit planes of one row: plane b - 1 (of planes x words) has the samples of bin b.

    There is no plane for bin 0, whose counts follow from the others.
    """
    most = planes.shape[0]
    digits = 1
    while (1 << digits) <= most:
        digits += 1
    binary = np.empty((planes.shape[1], digits), dtype=np.uint64)
    pack_paths(bins, np.arange(256).astype(np.uint32), digits, binary)
    for b in range(1, most + 1):
        for w in range(planes.shape[1]):
            plane = ~np.uint64(0)
            for digit in range(digits):
                flip = np.uint64(0) if (b >> digit) & 1 else ~np.uint64(0)
                plane &= binary[w, digit] ^ flip
            planes[b - 1, w] = plane


@jit
def planes_abreast(n_bins):
    """Number of planes of a row with n bins, rounded up to a multiple of `ABREAST`."""
    return (n_bins - 1 + ABREAST - 1) // ABREAST * ABREAST


@jit
def count_planes(x_planes, y_planes, begin, end, counts):
    """Add the joint counts of the words begin..end - 1 to counts (x planes x y planes)."""
    for i in range(counts.shape[0]):
        x = x_planes[i, begin:end]
        for j in range(0, counts.shape[1], ABREAST):
            y_0, y_1, y_2 = (
                y_planes[j, begin:end],
                y_planes[j + 1, begin:end],
                y_planes[j + 2, begin:end],
            )
            count_0 = count_1 = count_2 = 0
            for w in range(end - begin):
                count_0 += popcount(x[w] & y_0[w])
                count_1 += popcount(x[w] & y_1[w])
                count_2 += popcount(x[w] & y_2[w])
            counts[i, j] += count_0
            counts[i, j + 1] += count_1
            counts[i, j + 2] += count_2


@jit
def complete(counts, x_sizes, y_sizes, joint):
    """Joint counts of all bins, from those of the bins above 0 and the sizes of all."""
    n_bins = joint.shape[0]
    joint[0, 0] = x_sizes[0]
    for b in range(1, n_bins):
        joint[b, 0] = x_sizes[b]
        joint[0, b] = y_sizes[b]
    for i in range(1, n_bins):
        for j in range(1, n_bins):
            joint[i, j] = counts[i - 1, j - 1]
            joint[i, 0] -= joint[i, j]
            joint[0, j] -= joint[i, j]
    for j in range(1, n_bins):
        joint[0, 0] -= joint[0, j]


@jit
def count_by_histogram(x, y, joint):
    """Joint counts of all bins of a pair, one sample after another."""
    joint[:, :] = 0
    for s in range(x.shape[0]):
        joint[x[s], y[s]] += 1


@jit
def bin_sizes(bins, sizes):
    """Number of samples in each bin."""
    sizes[:] = 0
    for s in range(bins.shape[0]):
        sizes[bins[s]] += 1


@jit
def sum_n_log_n(counts, n_log_n):
    """Sum of c ln c, and the number of counts that are not zero."""
    total = 0
    occupied = 0
    for c in counts:
        total += n_log_n[c]
        occupied += 1 if c > 0 else 0
    return total, occupied


@jit
def finish_pair(joint, x_term, y_term, n_log_n, samples, half_cell):
    """Formula of `binned_mi`; the terms are (sum of c ln c, occupied bins) of the marginals."""
    term, occupied = sum_n_log_n(joint.ravel(), n_log_n)
    correction = half_cell * (x_term[1] + y_term[1] - occupied - 1)
    return term - x_term[0] - y_term[0] + n_log_n[samples] + correction


@jit
def tile_by_planes(x_planes, x_sizes, x_terms, genes, n_bins, n_log_n, half_cell, out):
    """All regulators with a few genes; samples are outermost, so that planes are read once."""
    n_regulators, tile, width = x_planes.shape[0], genes.shape[0], words(genes.shape[1])
    abreast = planes_abreast(n_bins)
    y_planes = np.zeros((tile, abreast, width), dtype=np.uint64)
    for g in range(tile):
        pack_bins(genes[g], y_planes[g, : n_bins - 1])
    slab = 64
    counts = np.empty((slab, tile, n_bins - 1, abreast), dtype=np.int64)
    y_sizes = np.empty(n_bins, dtype=np.int64)
    joint = np.empty((n_bins, n_bins), dtype=np.int64)
    for first in range(0, n_regulators, slab):
        many = min(slab, n_regulators - first)
        counts[:] = 0
        for begin in range(0, width, CHUNK):
            end = min(begin + CHUNK, width)
            for r in range(many):
                for g in range(tile):
                    count_planes(x_planes[first + r], y_planes[g], begin, end, counts[r, g])
        for g in range(tile):
            bin_sizes(genes[g], y_sizes)
            y_term = sum_n_log_n(y_sizes, n_log_n)
            for r in range(many):
                complete(counts[r, g], x_sizes[first + r], y_sizes, joint)
                x_term = (x_terms[first + r, 0], x_terms[first + r, 1])
                out[first + r, g] = finish_pair(
                    joint, x_term, y_term, n_log_n, genes.shape[1], half_cell
                )


@jit
def tile_by_histogram(regulators, x_terms, genes, n_bins, n_log_n, half_cell, out):
    """All regulators with a few genes, sample by sample."""
    y_sizes = np.empty(n_bins, dtype=np.int64)
    joint = np.empty((n_bins, n_bins), dtype=np.int64)
    for g in range(genes.shape[0]):
        bin_sizes(genes[g], y_sizes)
        y_term = sum_n_log_n(y_sizes, n_log_n)
        for r in range(regulators.shape[0]):
            count_by_histogram(regulators[r], genes[g], joint)
            x_term = (x_terms[r, 0], x_terms[r, 1])
            out[r, g] = finish_pair(joint, x_term, y_term, n_log_n, genes.shape[1], half_cell)
