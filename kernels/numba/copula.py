"""Copula mutual information: matrix products by tiles, thresholded while they are in the cache.

The work is divided into tiles of rows x genes. One compiled call processes a tile for all
resamples: it gathers the samples of a resample, multiplies, and selects the pairs whose share of
variance may reach the threshold. It releases the GIL, so Python threads process tiles in parallel.
Only selected pairs are computed exactly, by the function that all engines share. The products of a
complementary half are obtained by subtraction.

Processors with instructions for dot products of bytes (`_dots`) use these, unless sums may exceed
32 bits; others multiply by BLAS, one thread each. Products of integer scores are exact in float32
if no partial sum can exceed 2^24.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
from threadpoolctl import threadpool_limits

from .._copula import Moments, information, moments, screen_terms, share_of
from . import _dots
from ._dots import GENES, ROWS, add_products, by_samples, pack
from ._growing import longer
from ._jit import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TILE = 512  # rows and genes: a product of 1 MB fits into the L2 cache
_DOT_TILE = 256  # three sums of 32 bits, for all samples, take 0.8 MB
_DEPTH = 1024  # samples whose words are packed together, 0.5 MB of either side
_EXACT = 1 << 24  # integers below this are exact in float32
_LARGEST_SUM = 1 << 31
_SAFE_SAMPLES = _EXACT // 127**2  # samples whose 8-bit products cannot reach it
# The screen works in float32 and must not miss pairs; those that pass are computed exactly. Its
# relative error is below this, plus the cancellation of the product of large means.
_SLACK = 1e-4
_ROUNDING = np.float32(2.0**-21)


def copula_mi(
    regulators: NDArray[np.int8], genes: NDArray[np.int8], degree: int
) -> NDArray[np.int64]:
    """See the reference."""
    n = regulators.shape[2]
    mi = np.zeros((len(regulators), len(genes)), dtype=np.int64)
    if mi.size == 0 or n == 0:
        return mi
    everything = np.ones(n, dtype=np.uint8)
    x_of, y_of = moments(regulators, everything, degree), moments(genes, everything, degree)
    samples = np.arange(n)
    step, zero = _exact_blocks(regulators, genes, everything[None])

    def tile(rows: slice, columns: slice) -> None:
        x, y = regulators[rows], genes[columns]
        products = _products(x, y, samples, 0, degree, step, zero)
        squares = products[:0]
        if x.shape[1] == 2 * degree:
            squares = _products(x, y, samples, degree, degree, step, zero)
        wide = Moments(*(None if part is None else part[:, None] for part in x_of.at(rows)))
        mi[rows, columns] = information(
            [part.astype(np.int64) for part in products],
            wide,
            y_of.at(columns),
            n,
            [part.astype(np.int64) for part in squares],
        )

    _on_threads(tile, list(_tiles(len(regulators), len(genes))))
    return mi


def copula_pairs(
    rows: NDArray[np.int8],
    genes: NDArray[np.int8],
    row: NDArray[np.int32],
    gene: NDArray[np.int32],
    degree: int,
) -> NDArray[np.int64]:
    """See the reference."""
    n = rows.shape[2]
    if n == 0 or len(row) == 0:
        return np.zeros(len(row), dtype=np.int64)
    everything = np.ones((1, n), dtype=np.uint8)
    x, y = _all_moments(rows, everything, degree)[0], _all_moments(genes, everything, degree)[0]
    samples = np.arange(n)
    row, gene = row.astype(np.int64), gene.astype(np.int64)  # as in `_tile`: compiled once
    sums = _pair_products(rows, genes, row, gene, samples, 0, degree)
    squares = np.empty((0, len(row)), dtype=np.int64)
    if rows.shape[1] == 2 * degree:
        squares = _pair_products(rows, genes, row, gene, samples, degree, degree)
    return information(list(sums), x.at(row), y.at(gene), n, list(squares))


def copula_edges(
    rows: NDArray[np.int8],
    genes: NDArray[np.int8],
    own: NDArray[np.int64],
    weights: NDArray[np.uint8],
    usable_rows: NDArray[np.bool_],
    usable_genes: NDArray[np.bool_],
    thresholds: NDArray[np.int64],
    degree: int,
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
    """See the reference."""
    counts = np.zeros(len(weights), dtype=np.int64)
    nothing = np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int64)
    if len(rows) == 0 or len(genes) == 0 or len(weights) == 0:
        return counts, *nothing
    x_of, y_of = _all_moments(rows, weights, degree), _all_moments(genes, weights, degree)
    sizes = weights.sum(axis=1, dtype=np.int64)
    of_rows = np.stack(
        [screen_terms(*given, degree) for given in zip(x_of, usable_rows, sizes, strict=True)]
    )
    of_genes = np.stack(
        [screen_terms(*given, degree) for given in zip(y_of, usable_genes, sizes, strict=True)]
    )
    limits = np.array([share_of(int(t)) * (1 - _SLACK) for t in thresholds], dtype=np.float32)
    complements = np.zeros(len(weights), dtype=np.bool_)
    complements[1:] = np.all(weights[1:].astype(np.int64) + weights[:-1] == 1, axis=1)
    tile_of, length, more = _usual_tile, _DOT_TILE, ()
    if tile_of is not _forms["dots"] or not _stay_below(_LARGEST_SUM, rows, genes, weights):
        tile_of, length, more = _forms["blas"], _TILE, _exact_blocks(rows, genes, weights)
    # Millions of pairs are held until all tiles are done.
    small, summed = np.min_scalar_type(len(weights)), np.int64 if more else np.int32
    found: list[tuple[NDArray[Any], ...]] = []

    def tile(r_slice: slice, g_slice: slice) -> None:
        parts = tile_of(
            rows[r_slice], genes[g_slice], own[r_slice] - g_slice.start, weights, complements,
            np.ascontiguousarray(of_rows[:, :, r_slice]),
            np.ascontiguousarray(of_genes[:, :, g_slice]),
            sizes, limits, degree, *more,
        )  # fmt: skip
        for resample, row, gene, sums, squares in parts:
            places = row + r_slice.start, gene + g_slice.start
            found.append(
                (resample.astype(small), *(at.astype(np.int32) for at in places),
                 sums.astype(summed), squares.astype(summed))
            )  # fmt: skip

    _on_threads(tile, list(_tiles(len(rows), len(genes), length)))
    resample, row, gene, sums, squares = (
        np.concatenate(parts, axis=-1) for parts in zip(*found, strict=True)
    )
    found.clear()
    by_resample = np.argsort(resample, kind="stable")  # small integers are sorted by counting
    ends = np.cumsum(np.bincount(resample, minlength=len(weights)))
    edges: list[tuple[NDArray[Any], ...]] = [nothing] * len(weights)

    def exact(_: slice, which: slice) -> None:
        for r in range(which.start, which.stop):
            own_pairs = by_resample[ends[r - 1] if r else 0 : ends[r]]
            keys = row[own_pairs] * np.int64(len(genes)) + gene[own_pairs]
            order = own_pairs[np.argsort(keys)]
            x, y = x_of[r].at(row[order]), y_of[r].at(gene[order])
            products, more = (list(part[:, order].astype(np.int64)) for part in (sums, squares))
            mi = information(products, x, y, int(sizes[r]), more)
            kept = mi >= thresholds[r]
            chosen = order[kept]
            edges[r] = row[chosen], gene[chosen], mi[kept]

    _on_threads(exact, [(slice(0), slice(r, r + 1)) for r in range(len(weights))])
    counts[:] = [len(part[0]) for part in edges]
    return counts, *(np.concatenate(part) for part in zip(*edges, strict=True))


def _all_moments(
    scores: NDArray[np.int8], weights: NDArray[np.uint8], degree: int
) -> list[Moments]:
    """Moments of every resample, parallel over genes."""
    sums = np.empty((len(weights), 2 * degree, len(scores)), dtype=np.int64)

    def part(_: slice, genes: slice) -> None:
        sums[:, :, genes] = _sums(scores[genes], weights, degree)

    _on_threads(part, list(_tiles(1, len(scores))))
    size = weights.sum(axis=1, dtype=np.int64)
    found = []
    for n, (total, square, *second) in zip(size, sums, strict=True):
        two = (second[0], n * second[1] - second[0] ** 2) if second else (None, None)
        found.append(Moments(total, n * square - total * total, *two))
    return found


@jit
def _sums(scores, weights, degree):
    """Sums of the scores, and of their squares, over the samples of each resample."""
    sums = np.empty((len(weights), 2 * degree, len(scores)), dtype=np.int64)
    for r in range(weights.shape[0]):
        for g in range(scores.shape[0]):
            for t in range(degree):
                total = np.int64(0)
                square = np.int64(0)
                for i in range(weights.shape[1]):
                    value = np.int32(scores[g, t, i])
                    weighted = value * np.int32(weights[r, i])
                    total += weighted
                    square += weighted * value
                sums[r, 2 * t, g] = total
                sums[r, 2 * t + 1, g] = square
    return sums


def _tiles(n_rows: int, n_genes: int, length: int = _TILE) -> Iterator[tuple[slice, slice]]:
    for g in range(0, n_genes, length):
        for r in range(0, n_rows, length):
            yield slice(r, min(r + length, n_rows)), slice(g, min(g + length, n_genes))


def _on_threads(work: Callable[..., None], tiles: Sequence[tuple[slice, slice]]) -> None:
    threads = min(numba.get_num_threads(), len(tiles))
    with threadpool_limits(1, "blas"):
        if threads == 1:
            for tile in tiles:
                work(*tile)
            return
        with ThreadPoolExecutor(threads) as pool:
            for done in [pool.submit(work, *tile) for tile in tiles]:
                done.result()


def _exact_blocks(
    x: NDArray[np.int8], y: NDArray[np.int8], weights: NDArray[np.uint8]
) -> tuple[int, NDArray[Any]]:
    """Number of samples of a product that is exact in float32, and an array of the sums' type.

    All samples if no sum over samples with these weights can reach 2^24.
    """
    if _stay_below(_EXACT, x, y, weights):
        return max(1, int(weights.max(initial=1)) * x.shape[2]), np.zeros(1, dtype=np.float32)
    return _SAFE_SAMPLES, np.zeros(1, dtype=np.float64)


def _stay_below(
    limit: int, x: NDArray[np.int8], y: NDArray[np.int8], weights: NDArray[np.uint8]
) -> bool:
    """Whether no sum of products can reach a limit (Cauchy-Schwarz)."""
    times = int(weights.max(initial=1))
    if times * x.shape[2] * 127**2 < limit:
        return True
    return times * max(_largest_square_sum(x), _largest_square_sum(y)) < limit


def _largest_square_sum(scores: NDArray[np.int8]) -> int:
    everything = np.ones((1, scores.shape[2]), dtype=np.uint8)
    return int(_sums(scores, everything, scores.shape[1])[:, 1::2].max(initial=0))


@jit
def _products(x, y, samples, term, degree, step, zero):
    """Sums over samples of (h1, h1) and, for degree 2, of (h2, h1) and (h1, h2); exact.

    h1 is the score number `term`, h2 the next. The result has the type of `zero`.
    """
    rows, genes = len(x), len(y)
    total = np.empty((1 if degree == 1 else 3, rows, genes), dtype=zero.dtype)
    if len(samples) == 0:
        total[:] = 0
    for start in range(0, len(samples), step):
        part = samples[start : start + step]
        a = _gathered(x, part, term, degree)
        b = _gathered(y, part, term, degree)
        _add(np.dot(a.reshape(degree * rows, len(part)), b[0].T), start == 0, total, 0)
        if degree == 2:
            _add(np.dot(a[0], b[1].T), start == 0, total, 2)
    return total


@jit
def _add(product, first, total, term):
    """Add rows of a product to the terms of the total that begin with `term`, or set them."""
    rows = total.shape[1]
    for i in range(len(product)):
        out, row = total[term + i // rows, i % rows], product[i]
        if first:
            for g in range(len(out)):
                out[g] = row[g]
        else:
            for g in range(len(out)):
                out[g] += row[g]


@jit
def _gathered(scores, samples, term, degree):
    out = np.empty((degree, len(scores), len(samples)), dtype=np.float32)
    for t in range(degree):
        for g in range(len(scores)):
            for i in range(len(samples)):
                out[t, g, i] = np.float32(scores[g, term + t, samples[i]])
    return out


@jit
def _samples(weights, size):
    """Positions of the samples of a resample, repeated by their weight."""
    samples = np.empty(size, dtype=np.int64)
    k = 0
    for i in range(len(weights)):
        for _ in range(weights[i]):
            samples[k] = i
            k += 1
    return samples


@jit
def _tile_by_blas(
    x, y, own, weights, complements, x_terms, y_terms, sizes, limits, degree, step, zero
):  # fmt: skip
    """Pairs of a tile that may reach the limit of each resample, with their sums.

    Two parts, each in the order of the resamples: see `_tile_by_dots`.
    """
    found = _no_pairs(degree)
    total = np.empty((1 if degree == 1 else 3, 0, 0), dtype=zero.dtype)
    products = total
    for r in range(len(weights)):
        if complements[r]:
            if total.shape[1] == 0:
                total = _products(x, y, np.arange(weights.shape[1]), 0, degree, step, zero)
            for term in range(len(total)):
                for i in range(len(x)):
                    for g in range(len(y)):
                        products[term, i, g] = total[term, i, g] - products[term, i, g]
        else:
            products = _products(x, y, _samples(weights[r], sizes[r]), 0, degree, step, zero)
        found = _screen(
            products, 0, r, own, x_terms[r], y_terms[r], np.float32(sizes[r]), limits[r], degree,
            found,
        )  # fmt: skip
    return (
        _finished(found, x, y, weights, sizes, degree),
        _finished(_no_pairs(degree), x, y, weights, sizes, degree),
    )


@jit
def _tile_by_dots(
    x, y, own, weights, complements, x_terms, y_terms, sizes, limits, degree
):  # fmt: skip
    """The same in 32-bit integers, by strips of a few rows that stay in the nearest cache.

    A strip is screened for a resample and, as the difference from the products over all samples,
    for the complement that follows it. The latter's pairs are the second part.
    """
    x_bytes = by_samples(x, degree, ROWS, 0)
    y_bytes = by_samples(y, degree, GENES, 128)
    many = 1 if degree == 1 else 3
    strips, width = len(x_bytes), GENES * len(y_bytes)
    found, others = _no_pairs(degree), _no_pairs(degree)
    total = np.empty((0, many, ROWS, width), dtype=np.int32)
    strip = np.empty((many, ROWS, width), dtype=np.int32)
    for r in range(len(weights)):
        if complements[r]:
            continue
        paired = r + 1 < len(weights) and complements[r + 1]
        if paired and len(total) == 0:
            total = np.empty((strips, many, ROWS, width), dtype=np.int32)
            everything = np.arange(weights.shape[1])
            for begin in range(0, len(everything), _DEPTH):
                x_words, y_words = _packed(x_bytes, y_bytes, everything[begin : begin + _DEPTH])
                for s in range(strips):
                    add_products(x_words[s], y_words, degree, begin == 0, total[s])
        samples = _samples(weights[r], sizes[r])
        last = max(0, (len(samples) - 1) // _DEPTH * _DEPTH)
        before = np.empty((strips if last else 0, many, ROWS, width), dtype=np.int32)
        for begin in range(0, last, _DEPTH):
            x_words, y_words = _packed(x_bytes, y_bytes, samples[begin : begin + _DEPTH])
            for s in range(strips):
                add_products(x_words[s], y_words, degree, begin == 0, before[s])
        x_words, y_words = _packed(x_bytes, y_bytes, samples[last:])
        for s in range(strips):
            if last:
                strip = before[s]
            add_products(x_words[s], y_words, degree, last == 0, strip)
            found = _screen(
                strip, s * ROWS, r, own, x_terms[r], y_terms[r], np.float32(sizes[r]), limits[r],
                degree, found,
            )  # fmt: skip
            if paired:
                every = total[s]
                for term in range(many):
                    for i in range(ROWS):
                        out, row = strip[term, i], every[term, i]
                        for g in range(width):
                            out[g] = row[g] - out[g]
                others = _screen(
                    strip, s * ROWS, r + 1, own, x_terms[r + 1], y_terms[r + 1],
                    np.float32(sizes[r + 1]), limits[r + 1], degree, others,
                )  # fmt: skip
    return (
        _finished(found, x, y, weights, sizes, degree),
        _finished(others, x, y, weights, sizes, degree),
    )


@jit
def _packed(x_bytes, y_bytes, samples):
    """Words of both sides for some samples."""
    groups = (len(samples) + 3) // 4
    x_words = np.empty((len(x_bytes), groups, x_bytes.shape[2]), dtype=np.uint32)
    y_words = np.empty((len(y_bytes), groups, y_bytes.shape[2]), dtype=np.uint32)
    pack(x_bytes, samples, 0, x_words)
    pack(y_bytes, samples, 128, y_words)
    return x_words, y_words


@jit
def _no_pairs(degree):
    """Number of pairs found, and arrays to which they are added: resample, row, gene, sums."""
    room = 1024
    return (
        0, np.empty(room, dtype=np.int64), np.empty(room, dtype=np.int64),
        np.empty(room, dtype=np.int64), np.empty((1 if degree == 1 else 3, room), dtype=np.int64),
    )  # fmt: skip


@jit
def _finished(found, x, y, weights, sizes, degree):
    """Pairs found, in arrays of their number, with the sums of squared scores if there are any."""
    used, resample, row, gene, sums = found
    resample, row, gene = resample[:used].copy(), row[:used].copy(), gene[:used].copy()
    sums = sums[:, :used].copy()
    squares = np.empty((len(sums) if x.shape[1] == 2 * degree else 0, used), dtype=np.int64)
    begin = 0
    while len(squares) and begin < used:
        r = resample[begin]
        end = begin
        while end < used and resample[end] == r:
            end += 1
        samples = _samples(weights[r], sizes[r])
        more = _pair_products(x, y, row[begin:end], gene[begin:end], samples, degree, degree)
        for term in range(len(more)):
            for k in range(begin, end):
                squares[term, k] = more[term, k - begin]
        begin = end
    return resample, row, gene, sums, squares


@jit
def _wider(values, used, room):
    out = np.empty((values.shape[0], room), dtype=values.dtype)
    for term in range(len(values)):
        for k in range(used):
            out[term, k] = values[term, k]
    return out


@jit
def _screen(products, begin, resample, own, x_terms, y_terms, n, limit, degree, found):
    """Add the pairs of some rows, from `begin` on, that may reach the limit."""
    used, resamples, rows, genes, sums = found
    first, second, third = products[0], products[len(products) // 2], products[len(products) - 1]
    share = np.empty(y_terms.shape[1], dtype=np.float32)
    for i in range(min(first.shape[0], x_terms.shape[1] - begin)):
        one = x_terms[0, begin + i] * n
        one_scale = x_terms[1, begin + i]
        if one_scale == 0 and (degree == 1 or x_terms[3, begin + i] == 0):
            continue
        if degree == 1:
            for g in range(len(share)):
                t = one * y_terms[0, g]
                a = (abs(np.float32(first[i, g]) - t) + _ROUNDING * abs(t)) * y_terms[1, g]
                share[g] = a * a * one_scale * one_scale
        else:
            two = x_terms[2, begin + i] * n
            two_scale = x_terms[3, begin + i]
            for g in range(len(share)):
                t = one * y_terms[0, g]
                u = two * y_terms[0, g]
                v = one * y_terms[2, g]
                a = (abs(np.float32(first[i, g]) - t) + _ROUNDING * abs(t)) * y_terms[1, g]
                b = (abs(np.float32(second[i, g]) - u) + _ROUNDING * abs(u)) * y_terms[1, g]
                c = (abs(np.float32(third[i, g]) - v) + _ROUNDING * abs(v)) * y_terms[3, g]
                a *= one_scale
                b *= two_scale
                c *= one_scale
                share[g] = a * a + max(b * b, c * c)
        many = 0
        for g in range(len(share)):
            many += share[g] >= limit
        if many == 0:
            continue
        if used + many > len(rows):
            room = 2 * (used + many)
            resamples = longer(resamples, used, room)
            rows = longer(rows, used, room)
            genes = longer(genes, used, room)
            sums = _wider(sums, used, room)
        for g in range(len(share)):
            if share[g] >= limit and g != own[begin + i]:
                resamples[used] = resample
                rows[used] = begin + i
                genes[used] = g
                for term in range(len(sums)):
                    sums[term, used] = np.int64(products[term, i, g])
                used += 1
    return used, resamples, rows, genes, sums


@jit
def _pair_products(x, y, row, gene, samples, first, degree):
    """Sums over samples of the products of scores of single pairs, from the term `first` on."""
    terms = 1 if degree == 1 else 3
    sums = np.zeros((terms, len(row)), dtype=np.int64)
    for k in range(len(row)):
        for term in range(terms):
            s = x[row[k], first + (term == 1)]
            t = y[gene[k], first + (term == 2)]
            total = np.int64(0)
            for i in samples:
                total += np.int32(s[i]) * np.int32(t[i])
            sums[term, k] = total
    return sums


_forms = {"dots": _tile_by_dots, "blas": _tile_by_blas}
_usual_tile = _forms["dots" if _dots.is_available() else "blas"]
