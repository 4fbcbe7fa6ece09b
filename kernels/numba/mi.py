"""Mutual information by bit planes: counts are AND and popcount over words of samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import prange

from ._binned import (
    MOST_PLANES,
    bin_sizes,
    pack_bins,
    sum_n_log_n,
    tile_by_histogram,
    tile_by_planes,
)
from ._growing import longer
from ._jit import jit, on_threads, parallel, popcount, read_only
from ._planes import WORD, pack_paths, path_of_ranks, quarter_masks, words
from .ranks import ordinal_ranks

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK_BYTES = 24 * 1024  # size of the masks of a block of genes that are reused
_MOST_LANES = 64


def adaptive_mi(
    regulators: NDArray[np.int32],
    genes: NDArray[np.int32],
    split: NDArray[np.int32],
    log_width: NDArray[np.int64],
    n_log_n: NDArray[np.int64],
    min_count: int,
) -> NDArray[np.int64]:
    """See the reference. Planes are packed once per row; pairs take about 40 instructions per word.

    The first two levels of cuts are the same for every pair: nine AND + popcounts of quarter masks
    give the sixteen counts of depth 2, because the marginal counts are known. Cells that must be
    divided further (in one of five pairs, if independent) are visited with an explicit stack.
    """
    mi = np.zeros((len(regulators), len(genes)), dtype=np.int64)
    if mi.size == 0 or regulators.shape[1] == 0:
        return mi
    x_planes, paths = _packed(read_only(regulators), read_only(split))
    genes, tables = read_only(genes), (read_only(log_width), read_only(n_log_n), min_count)

    def work(begin: int, end: int) -> None:
        _mi_of_genes(x_planes, genes, begin, end, paths, *tables, mi)

    on_threads(work, len(genes), _MOST_LANES)
    return mi


def adaptive_edges(
    rows: NDArray[np.int32],
    genes: NDArray[np.int32],
    own: NDArray[np.int64],
    chosen: NDArray[np.int32],
    row_keys: NDArray[np.uint64],
    gene_keys: NDArray[np.uint64],
    thresholds: NDArray[np.int64],
    n_regulators: int,
    descending: bool,
    split: NDArray[np.int32],
    log_width: NDArray[np.int64],
    n_log_n: NDArray[np.int64],
    min_count: int,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """See the reference. Edges are appended by thread; a tile of genes stays in the cache."""
    counts = np.zeros(len(chosen), dtype=np.int64)
    largest = np.zeros((len(chosen), len(genes)), dtype=np.int64)
    edges: list[tuple[NDArray[Any], ...]] = [
        (np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.int64))
    ]
    own, split = read_only(own), read_only(split)
    tables = read_only(log_width), read_only(n_log_n), min_count
    for r, samples in enumerate(chosen):
        if len(rows) == 0 or len(genes) == 0 or len(samples) == 0:
            continue
        x, y = (
            ordinal_ranks(values[:, samples].astype(np.float64), keys[r], descending)
            for values, keys in ((rows, row_keys), (genes, gene_keys))
        )
        packed = _packed(read_only(x), split)
        given = own, int(thresholds[r]), n_regulators, largest[r]
        edges.append(_edges_of_ranks(*packed, read_only(y), *tables, *given))
        counts[r] = len(edges[-1][0])
    row, gene, mi = (np.concatenate(part) for part in zip(*edges, strict=True))
    return counts, row, gene, mi, largest


def _edges_of_ranks(
    x_planes: NDArray[np.uint64], paths: NDArray[np.uint32], genes: NDArray[np.int32], *given: Any
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Edges of all rows and genes, ordered by row and gene."""
    found: list[tuple[NDArray[Any], ...]] = []

    def work(begin: int, end: int) -> None:
        found.append(_edges_of_genes(x_planes, genes, begin, end, paths, *given))

    on_threads(work, len(genes), _MOST_LANES)
    row, gene, mi = (np.concatenate(part) for part in zip(*found, strict=True))
    order = np.argsort(row * np.int64(len(genes)) + gene)
    return row[order].astype(np.int32), gene[order].astype(np.int32), mi[order]


@jit
def _packed(ranks, split):
    """Bit planes (rows x words x levels) of ranks, and the paths of all ranks in the tree."""
    levels = 0
    while (1 << (levels + 1)) <= split.shape[0]:
        levels += 1
    samples = ranks.shape[1]
    paths = path_of_ranks(split, samples)
    planes = np.empty((len(ranks), words(samples), levels), dtype=np.uint64)
    for r in range(len(ranks)):
        pack_paths(ranks[r], paths, levels, planes[r])
    return planes, paths


@jit
def _mi_of_genes(x_planes, genes, begin, end, paths, log_width, n_log_n, min_count, mi):
    """Mutual information of all regulators with some genes."""
    lanes = _lanes(x_planes.shape[1], end - begin)
    tile = np.empty((len(x_planes), lanes), dtype=np.int64)
    for first in range(begin, end, lanes):
        many = min(lanes, end - first)
        _tile(x_planes, genes, first, many, paths, log_width, n_log_n, min_count, tile)
        for r in range(len(x_planes)):
            for g in range(many):
                mi[r, first + g] = tile[r, g]


@jit
def _edges_of_genes(
    x_planes, genes, begin, end, paths, log_width, n_log_n, min_count,
    own, threshold, n_regulators, largest,
):  # fmt: skip
    """Pairs of all rows with some genes that reach the threshold; the largest of each gene."""
    lanes = _lanes(x_planes.shape[1], end - begin)
    tile = np.empty((len(x_planes), lanes), dtype=np.int64)
    room, found = 1024, 0
    row = np.empty(room, dtype=np.int64)
    gene = np.empty(room, dtype=np.int64)
    strength = np.empty(room, dtype=np.int64)
    for first in range(begin, end, lanes):
        many = min(lanes, end - first)
        _tile(x_planes, genes, first, many, paths, log_width, n_log_n, min_count, tile)
        for r in range(len(tile)):
            self = own[r] - first
            if 0 <= self < many:
                tile[r, self] = 0
            if r < n_regulators:
                for g in range(many):
                    largest[first + g] = max(largest[first + g], tile[r, g])
            reach = 0
            for g in range(many):
                reach += tile[r, g] >= threshold
            if reach == 0:
                continue
            if found + reach > room:
                room = 2 * (found + reach)
                row = longer(row, found, room)
                gene = longer(gene, found, room)
                strength = longer(strength, found, room)
            for g in range(many):
                if tile[r, g] >= threshold:
                    row[found] = r
                    gene[found] = first + g
                    strength[found] = tile[r, g]
                    found += 1
    return row[:found].copy(), gene[:found].copy(), strength[:found].copy()


@jit
def _tile(x_planes, genes, first, many, paths, log_width, n_log_n, min_count, out):
    """Mutual information of all regulators with `many` genes from `first` on."""
    width, levels = x_planes.shape[1], x_planes.shape[2]
    samples = genes.shape[1]
    if levels == 0:
        for r in range(len(x_planes)):
            for g in range(many):
                out[r, g] = n_log_n[samples] + _leaf(samples, 1, 1, log_width, n_log_n)
        return
    lanes = out.shape[1]
    marginal = _quarter_sizes(paths)
    y_planes = np.empty((many, width, levels), dtype=np.uint64)
    y_quarters = np.zeros((width, 3, lanes), dtype=np.uint64)
    for g in range(many):
        pack_paths(genes[first + g], paths, levels, y_planes[g])
        for w in range(width):
            high_high, high_low, low_high = quarter_masks(y_planes[g], w)
            y_quarters[w, 0, g] = high_high
            y_quarters[w, 1, g] = high_low
            y_quarters[w, 2, g] = low_high
    counts = np.empty((9, lanes), dtype=np.int64)
    stack = np.empty((3 * levels + 8, 9), dtype=np.int64)
    position = np.empty(4 * width * (levels + 1), dtype=np.int64)
    points = np.empty(4 * width * (levels + 1), dtype=np.uint64)
    for r in range(len(x_planes)):
        _count_quarters(x_planes[r], y_quarters, counts)
        _row(
            x_planes[r], y_planes, counts, samples, marginal,
            log_width, n_log_n, min_count, stack, position, points, out[r, :many],
        )  # fmt: skip


@jit
def _lanes(width, n_genes):
    """Number of genes counted together: a multiple of 8 whose masks fit into the L1 cache."""
    most = min(max(_BLOCK_BYTES // (24 * width) // 8 * 8, 8), _MOST_LANES)
    return min(most, (n_genes + 7) // 8 * 8)


@jit
def _count_quarters(x_planes, y_quarters, counts):
    """Joint counts of three quarters of one regulator with three of each gene.

    Genes are innermost, so that the compiler vectorises over them.
    """
    counts[:, :] = 0
    for w in range(x_planes.shape[0]):
        x3, x2, x1 = quarter_masks(x_planes, w)
        for g in range(counts.shape[1]):
            y3, y2, y1 = y_quarters[w, 0, g], y_quarters[w, 1, g], y_quarters[w, 2, g]
            counts[0, g] += popcount(x3 & y3)
            counts[1, g] += popcount(x3 & y2)
            counts[2, g] += popcount(x3 & y1)
            counts[3, g] += popcount(x2 & y3)
            counts[4, g] += popcount(x2 & y2)
            counts[5, g] += popcount(x2 & y1)
            counts[6, g] += popcount(x1 & y3)
            counts[7, g] += popcount(x1 & y2)
            counts[8, g] += popcount(x1 & y1)


@jit
def _quarter_sizes(paths):
    """Number of ranks in the quarters low-low, low-high, high-low, high-high of a marginal."""
    sizes = np.zeros(4, dtype=np.int64)
    for rank in range(1, paths.shape[0]):
        path = np.int64(paths[rank])
        sizes[2 * (path & 1) + ((path >> 1) & 1)] += 1
    return sizes


@jit
def _leaf(count, x_node, y_node, log_width, n_log_n):
    """Term of a leaf: c ln c - c (ln wx + ln wy)."""
    return n_log_n[count] - count * (log_width[x_node] + log_width[y_node])


@jit
def _uneven(a, b, c, d, count):
    """Chi-square of the quarter counts exceeds 7.815 = 1563 / 200, in integers.

    The reference's ``excess > floor(1563 c / 200)`` without a division: ``200 excess > 1563 c``.
    The excess is limited to 8 c, which is above the limit, so that the product cannot overflow.
    """
    excess = 4 * (a * a + b * b + c * c + d * d) - count * count
    return 200 * min(excess, 8 * count) > 1563 * count


@jit
def _row(
    x_planes, y_planes, counts, samples, marginal,
    log_width, n_log_n, min_count, stack, position, points, out,
):  # fmt: skip
    """Mutual information of one regulator with a block of genes."""
    _width, levels = x_planes.shape
    m0, m1, m2, m3 = marginal[0], marginal[1], marginal[2], marginal[3]
    high = m2 + m3
    low = m0 + m1
    base = n_log_n[samples] - 2 * (high * log_width[3] + low * log_width[2])
    for g in range(out.shape[0]):
        n33, n32, n31 = counts[0, g], counts[1, g], counts[2, g]
        n23, n22, n21 = counts[3, g], counts[4, g], counts[5, g]
        n13, n12, n11 = counts[6, g], counts[7, g], counts[8, g]
        n30 = m3 - n33 - n32 - n31
        n20 = m2 - n23 - n22 - n21
        n10 = m1 - n13 - n12 - n11
        n03 = m3 - n33 - n23 - n13
        n02 = m2 - n32 - n22 - n12
        n01 = m1 - n31 - n21 - n11
        n00 = m0 - n30 - n20 - n10
        hh = n33 + n32 + n23 + n22
        hl = high - hh
        lh = high - hh
        ll = low - hl
        total = base + n_log_n[hh] + n_log_n[hl] + n_log_n[lh] + n_log_n[ll]
        if levels > 1:
            cut_hh = _uneven(n33, n32, n23, n22, hh) & (hh >= min_count)
            cut_hl = _uneven(n31, n30, n21, n20, hl) & (hl >= min_count)
            cut_lh = _uneven(n13, n12, n03, n02, lh) & (lh >= min_count)
            cut_ll = _uneven(n11, n10, n01, n00, ll) & (ll >= min_count)
            if cut_hh | cut_hl | cut_lh | cut_ll:
                yp = y_planes[g]
                top = 0
                free = 0
                if cut_hh:
                    total -= _leaf(hh, 3, 3, log_width, n_log_n)
                    free = _start(x_planes, yp, samples, 1, 1, free, position, points)
                    _push(stack, top, 1, 3, 3, 0, free, n33, n32, n23, n22)
                    top += 1
                if cut_hl:
                    total -= _leaf(hl, 3, 2, log_width, n_log_n)
                    begin = free
                    free = _start(x_planes, yp, samples, 1, 0, free, position, points)
                    _push(stack, top, 1, 3, 2, begin, free, n31, n30, n21, n20)
                    top += 1
                if cut_lh:
                    total -= _leaf(lh, 2, 3, log_width, n_log_n)
                    begin = free
                    free = _start(x_planes, yp, samples, 0, 1, free, position, points)
                    _push(stack, top, 1, 2, 3, begin, free, n13, n12, n03, n02)
                    top += 1
                if cut_ll:
                    total -= _leaf(ll, 2, 2, log_width, n_log_n)
                    begin = free
                    free = _start(x_planes, yp, samples, 0, 0, free, position, points)
                    _push(stack, top, 1, 2, 2, begin, free, n11, n10, n01, n00)
                    top += 1
                total += _descend(
                    x_planes, yp, levels, log_width, n_log_n, min_count,
                    stack, top, position, points,
                )  # fmt: skip
        out[g] = total


@jit
def _push(stack, top, depth, x_node, y_node, begin, end, hh, hl, lh, ll):
    """Push a cell to be divided: its nodes, the words that hold its points, its quarters."""
    cell = stack[top]
    cell[0] = depth
    cell[1] = x_node
    cell[2] = y_node
    cell[3] = begin
    cell[4] = end
    cell[5] = hh
    cell[6] = hl
    cell[7] = lh
    cell[8] = ll


@jit
def _start(x_planes, y_planes, samples, x_high, y_high, free, position, points):
    """List the words with points of a quadrant of the root; returns the end of the list."""
    flip_x = np.uint64(0) if x_high else ~np.uint64(0)
    flip_y = np.uint64(0) if y_high else ~np.uint64(0)
    width = x_planes.shape[0]
    for w in range(width):
        mask = (x_planes[w, 0] ^ flip_x) & (y_planes[w, 0] ^ flip_y)
        if w == width - 1:
            mask &= ~np.uint64(0) >> np.uint64(width * WORD - samples)
        position[free] = w
        points[free] = mask
        free += 1 if mask else 0
    return free


@jit
def _descend(
    x_planes, y_planes, levels, log_width, n_log_n, min_count, stack, top, position, points
):
    """Sum of the leaf terms below the cells on the stack.

    The points of a cell are a list of the words that contain any, so that small cells of long rows
    are fast. One pass over the words of a cell counts the quarters of all four children.
    """
    total = 0
    while top > 0:
        top -= 1
        cell = stack[top]
        depth, x_low, y_low = cell[0], 2 * cell[1], 2 * cell[2]
        begin, end = cell[3], cell[4]
        hh, hl, lh, ll = cell[5], cell[6], cell[7], cell[8]
        if depth + 1 == levels or max(max(hh, hl), max(lh, ll)) < max(min_count, 3):
            total += _four_leaves(hh, hl, lh, ll, x_low, y_low, log_width, n_log_n)
            continue
        hh_x = hh_y = hh_xy = hl_x = hl_y = hl_xy = 0
        lh_x = lh_y = lh_xy = ll_x = ll_y = ll_xy = 0
        for e in range(begin, end):
            w = position[e]
            x, x_next = x_planes[w, depth], x_planes[w, depth + 1]
            y, y_next = y_planes[w, depth], y_planes[w, depth + 1]
            x_high = points[e] & x
            x_rest = points[e] ^ x_high
            mask = x_high & y
            hh_x += popcount(mask & x_next)
            hh_y += popcount(mask & y_next)
            hh_xy += popcount(mask & x_next & y_next)
            mask = x_high ^ mask
            hl_x += popcount(mask & x_next)
            hl_y += popcount(mask & y_next)
            hl_xy += popcount(mask & x_next & y_next)
            mask = x_rest & y
            lh_x += popcount(mask & x_next)
            lh_y += popcount(mask & y_next)
            lh_xy += popcount(mask & x_next & y_next)
            mask = x_rest ^ mask
            ll_x += popcount(mask & x_next)
            ll_y += popcount(mask & y_next)
            ll_xy += popcount(mask & x_next & y_next)
        free = end
        for child in range(4):
            if child == 0:
                count, x_count, y_count, both = hh, hh_x, hh_y, hh_xy
            elif child == 1:
                count, x_count, y_count, both = hl, hl_x, hl_y, hl_xy
            elif child == 2:
                count, x_count, y_count, both = lh, lh_x, lh_y, lh_xy
            else:
                count, x_count, y_count, both = ll, ll_x, ll_y, ll_xy
            x_node = x_low + 1 - (child >> 1)
            y_node = y_low + 1 - (child & 1)
            a, b, c = both, x_count - both, y_count - both
            d = count - x_count - c
            if count < min_count or not _uneven(a, b, c, d, count):
                total += _leaf(count, x_node, y_node, log_width, n_log_n)
            elif depth + 2 == levels:
                total += _four_leaves(a, b, c, d, 2 * x_node, 2 * y_node, log_width, n_log_n)
            else:
                start = free
                flip_x = np.uint64(0) if child < 2 else ~np.uint64(0)
                flip_y = np.uint64(0) if child & 1 == 0 else ~np.uint64(0)
                for e in range(begin, end):
                    w = position[e]
                    x = x_planes[w, depth] ^ flip_x
                    y = y_planes[w, depth] ^ flip_y
                    mask = points[e] & x & y
                    position[free] = w
                    points[free] = mask
                    free += 1 if mask else 0
                _push(stack, top, depth + 1, x_node, y_node, start, free, a, b, c, d)
                top += 1
    return total


@jit
def _four_leaves(hh, hl, lh, ll, x_low, y_low, log_width, n_log_n):
    """Terms of the four children of a cell, all leaves; x_low, y_low: the nodes of low-low."""
    return (
        n_log_n[hh] + n_log_n[hl] + n_log_n[lh] + n_log_n[ll]
        - (hh + hl) * log_width[x_low + 1] - (lh + ll) * log_width[x_low]
        - (hh + lh) * log_width[y_low + 1] - (hl + ll) * log_width[y_low]
    )  # fmt: skip


@parallel
def binned_mi(
    regulators: NDArray[np.uint8],
    genes: NDArray[np.uint8],
    n_bins: int,
    n_log_n: NDArray[np.int64],
    half_cell: int,
) -> NDArray[np.int64]:
    """See the reference. With B bins, a word of 64 samples takes (B - 1)^2 ANDs and popcounts."""
    n_regulators, samples = regulators.shape
    n_genes = genes.shape[0]
    mi = np.zeros((n_regulators, n_genes), dtype=np.int64)
    if samples == 0 or n_regulators == 0 or n_genes == 0:
        return mi
    by_planes = n_bins - 1 <= MOST_PLANES
    width = words(samples) if by_planes else 0
    x_planes = np.empty((n_regulators, n_bins - 1, width), dtype=np.uint64)
    x_sizes = np.empty((n_regulators, n_bins), dtype=np.int64)
    x_terms = np.empty((n_regulators, 2), dtype=np.int64)
    for r in prange(n_regulators):
        bin_sizes(regulators[r], x_sizes[r])
        x_terms[r, 0], x_terms[r, 1] = sum_n_log_n(x_sizes[r], n_log_n)
        if by_planes:
            pack_bins(regulators[r], x_planes[r])

    tile = min(8, (n_genes + 7) // 8)
    for t in prange((n_genes + tile - 1) // tile):
        block = genes[t * tile : min(t * tile + tile, n_genes)]
        out = mi[:, t * tile : min(t * tile + tile, n_genes)]
        if by_planes:
            tile_by_planes(x_planes, x_sizes, x_terms, block, n_bins, n_log_n, half_cell, out)
        else:
            tile_by_histogram(regulators, x_terms, block, n_bins, n_log_n, half_cell, out)
    return mi
