"""Copula mutual information: matrix products by tiles, thresholded while they are in the cache.

The work is cut into tiles of rows x genes. A thread of Python takes a tile through all resamples:
it gathers the samples of a resample, multiplies (BLAS, one thread each), and looks for the pairs
whose share of variance may reach the threshold. BLAS and the compiled loops release the GIL. Only
the few pairs found are computed exactly, by the function that all engines share.

Products of whole scores are exact in float32 as long as no partial sum can pass 2^24. Where a
resample is all samples that the one before it left out, its products are a subtraction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import numba
import numpy as np
from threadpoolctl import threadpool_limits

from .._copula import Moments, information, moments, share_of
from ._jit import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TILE = 512  # rows and genes: a product of 1 MB stays in the second cache
_EXACT = 1 << 24  # whole numbers below this are exact in float32
_SAFE_SAMPLES = _EXACT // 127**2  # whose products of 8 bits can never reach it
# The screen works in float32 and must miss nothing; what passes is computed exactly. Its share is
# too small by less than this, relatively; where means are large, their product cancels as well.
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
    short = _is_short(regulators, genes, everything)

    def tile(rows: slice, columns: slice) -> None:
        x, y = regulators[rows], genes[columns]
        products = _products(x, y, samples, degree, short)
        squares = []
        if x.shape[1] == 2 * degree:
            squares = _products(x[:, degree:], y[:, degree:], samples, degree, short)
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
    sums = _pair_products(rows, genes, row, gene, samples, 0, degree)
    squares = np.empty((0, len(row)), dtype=np.int64)
    if rows.shape[1] == 2 * degree:
        squares = _pair_products(rows, genes, row, gene, samples, degree, degree)
    return information(list(sums), x.at(row), y.at(gene), n, list(squares))


class _Resample(NamedTuple):
    """One resample: its samples, and what a screen needs of rows and genes."""

    samples: NDArray[np.int64]
    x: Moments
    y: Moments
    x_terms: NDArray[np.float32]
    y_terms: NDArray[np.float32]
    limit: float


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
    resamples = [
        _prepared(weight, x_of[r], y_of[r], usable_rows[r], usable_genes[r], thresholds[r], degree)
        for r, weight in enumerate(weights)
    ]
    studentised = rows.shape[1] == 2 * degree
    short = _is_short(rows, genes, weights)
    everything = np.arange(weights.shape[1])
    tiles = list(_tiles(len(rows), len(genes)))
    found: list[list[tuple[NDArray[Any], ...]]] = [[] for _ in weights]

    def tile(r_slice: slice, g_slice: slice) -> None:
        x, y = rows[r_slice], genes[g_slice]
        total: list[NDArray[Any]] | None = None
        own_here = own[r_slice] - g_slice.start
        mine = []
        products: list[NDArray[Any]] = []
        for r, resample in enumerate(resamples):
            if r and _is_complement(weights[r - 1], weights[r]):
                if total is None:
                    total = _products(x, y, everything, degree, short)
                products = [a - p for a, p in zip(total, products, strict=True)]
            else:
                products = _products(x, y, resample.samples, degree, short)
            row, gene, sums = _screen(
                products, own_here, resample.x_terms[:, r_slice], resample.y_terms[:, g_slice],
                len(resample.samples), resample.limit, degree,
            )  # fmt: skip
            squares = np.empty((0, len(row)), dtype=np.int64)
            if studentised and len(row):
                squares = _pair_products(x, y, row, gene, resample.samples, degree, degree)
            mine.append((r, row + r_slice.start, gene + g_slice.start, sums, squares))
        for r, *pairs in mine:
            found[r].append(tuple(pairs))

    _on_threads(tile, tiles)
    edges = []
    for r, (resample, parts) in enumerate(zip(resamples, found, strict=True)):
        row, gene = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
        sums, squares = (np.concatenate([part[i] for part in parts], axis=1) for i in (2, 3))
        order = np.lexsort((gene, row))
        row, gene, sums, squares = row[order], gene[order], sums[:, order], squares[:, order]
        n = len(resample.samples)
        mi = information(list(sums), resample.x.at(row), resample.y.at(gene), n, list(squares))
        kept = mi >= thresholds[r]
        counts[r] = np.count_nonzero(kept)
        edges.append((row[kept].astype(np.int32), gene[kept].astype(np.int32), mi[kept]))
    row, gene, mi = (np.concatenate(part) for part in zip(*edges, strict=True))
    return counts, row, gene, mi


def _all_moments(
    scores: NDArray[np.int8], weights: NDArray[np.uint8], degree: int
) -> list[Moments]:
    """Moments of every resample; threads over genes."""
    sums = np.empty((len(weights), 2 * degree, len(scores)), dtype=np.int64)

    def part(_: slice, genes: slice) -> None:
        _sums(scores[genes], weights, degree, sums[:, :, genes])

    _on_threads(part, list(_tiles(1, len(scores))))
    size = weights.sum(axis=1, dtype=np.int64)
    found = []
    for n, (total, square, *second) in zip(size, sums, strict=True):
        two = (second[0], n * second[1] - second[0] ** 2) if second else (None, None)
        found.append(Moments(total, n * square - total * total, *two))
    return found


@jit
def _sums(scores, weights, degree, sums):
    """Sums of the scores, and of their squares, over the samples of each resample."""
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


def _prepared(
    weight: NDArray[np.uint8],
    x: Moments,
    y: Moments,
    usable_rows: NDArray[np.bool_],
    usable_genes: NDArray[np.bool_],
    threshold: int,
    degree: int,
) -> _Resample:
    samples = np.repeat(np.arange(len(weight)), weight)
    limit = share_of(int(threshold)) * (1 - _SLACK)
    n = len(samples)
    return _Resample(
        samples, x, y, _terms(x, usable_rows, n, degree), _terms(y, usable_genes, n, degree), limit
    )


def _terms(of: Moments, usable: NDArray[np.bool_], n: int, degree: int) -> NDArray[np.float32]:
    """For each score the mean and sqrt(n / spread), 0 where there is none: 2 degree x genes."""
    terms = np.zeros((2 * degree, len(usable)), dtype=np.float64)
    for term in range(degree):
        total, spread = of[2 * term], of[2 * term + 1]
        assert total is not None
        assert spread is not None
        terms[2 * term] = total / max(n, 1)
        good = usable & (spread > 0)
        terms[2 * term + 1, good] = np.sqrt(n / spread[good].astype(np.float64))
    return terms.astype(np.float32)


def _tiles(n_rows: int, n_genes: int) -> Iterator[tuple[slice, slice]]:
    for g in range(0, n_genes, _TILE):
        for r in range(0, n_rows, _TILE):
            yield slice(r, min(r + _TILE, n_rows)), slice(g, min(g + _TILE, n_genes))


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


def _is_short(x: NDArray[np.int8], y: NDArray[np.int8], weights: NDArray[np.uint8]) -> bool:
    """Whether no sum over samples, however often drawn, passes 2^24: by Cauchy and Schwarz."""
    times = int(weights.max(initial=1))
    if times * x.shape[2] <= _SAFE_SAMPLES:
        return True
    return times * max(_largest_square_sum(x), _largest_square_sum(y)) < _EXACT


@jit
def _largest_square_sum(scores):
    largest = np.int64(0)
    for g in range(scores.shape[0]):
        for t in range(scores.shape[1]):
            total = np.int64(0)
            for i in range(scores.shape[2]):
                total += np.int64(scores[g, t, i]) * np.int64(scores[g, t, i])
            largest = max(largest, total)
    return largest


def _is_complement(before: NDArray[np.uint8], now: NDArray[np.uint8]) -> bool:
    return bool(np.all(before.astype(np.int64) + now == 1))


def _products(
    x: NDArray[np.int8], y: NDArray[np.int8], samples: NDArray[np.int64], degree: int, short: bool
) -> list[NDArray[Any]]:
    """Sums over samples of (h1, h1) and, for degree 2, of (h2, h1) and (h1, h2); exact."""
    step = max(1, len(samples)) if short else _SAFE_SAMPLES
    total: list[NDArray[Any]] = []
    for start in range(0, max(1, len(samples)), step):
        part = samples[start : start + step]
        a, b = _gathered(x, part, degree), _gathered(y, part, degree)
        if degree == 1:
            found = [a[0] @ b[0].T]
        else:
            both = a.reshape(2 * len(x), len(part)) @ b[0].T
            found = [both[: len(x)], both[len(x) :], a[0] @ b[1].T]
        if not short:
            found = [product.astype(np.float64) for product in found]
        total = found if not total else [t + p for t, p in zip(total, found, strict=True)]
    return total


def _gathered(
    scores: NDArray[np.int8], samples: NDArray[np.int64], degree: int
) -> NDArray[np.float32]:
    out = np.empty((degree, len(scores), len(samples)), dtype=np.float32)
    _gather(scores, samples, out)
    return out


@jit
def _gather(scores, samples, out):
    for t in range(out.shape[0]):
        for g in range(out.shape[1]):
            for i in range(len(samples)):
                out[t, g, i] = np.float32(scores[g, t, samples[i]])


def _screen(
    products: list[NDArray[Any]],
    own: NDArray[np.int64],
    x_terms: NDArray[np.float32],
    y_terms: NDArray[np.float32],
    n: int,
    limit: float,
    degree: int,
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
    """Pairs of a tile that may reach the limit, and their sums."""
    first, second, third = products if degree == 2 else (products[0],) * 3
    return _screened(
        first, second, third, own, x_terms, np.ascontiguousarray(y_terms), np.float32(n),
        np.float32(limit), degree,
    )  # fmt: skip


@jit
def _screened(first, second, third, own, x_terms, y_terms, n, limit, degree):
    rows, genes = first.shape
    share = np.empty(genes, dtype=np.float32)
    room = 1024
    row = np.empty(room, dtype=np.int32)
    gene = np.empty(room, dtype=np.int32)
    found = 0
    for i in range(rows):
        one = x_terms[0, i] * n
        one_scale = x_terms[1, i]
        if one_scale == 0 and (degree == 1 or x_terms[3, i] == 0):
            continue
        if degree == 1:
            for g in range(genes):
                t = one * y_terms[0, g]
                a = (abs(np.float32(first[i, g]) - t) + _ROUNDING * abs(t)) * y_terms[1, g]
                share[g] = a * a * one_scale * one_scale
        else:
            two = x_terms[2, i] * n
            two_scale = x_terms[3, i]
            for g in range(genes):
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
        for g in range(genes):
            many += share[g] >= limit
        if many == 0:
            continue
        if found + many > room:
            room = 2 * (found + many)
            longer = np.empty(room, dtype=np.int32)
            longer[:found] = row[:found]
            row = longer
            longer = np.empty(room, dtype=np.int32)
            longer[:found] = gene[:found]
            gene = longer
        for g in range(genes):
            if share[g] >= limit and g != own[i]:
                row[found] = i
                gene[found] = g
                found += 1
    sums = np.empty((1 if degree == 1 else 3, found), dtype=np.int64)
    for k in range(found):
        sums[0, k] = np.int64(first[row[k], gene[k]])
        if degree == 2:
            sums[1, k] = np.int64(second[row[k], gene[k]])
            sums[2, k] = np.int64(third[row[k], gene[k]])
    return row[:found].copy(), gene[:found].copy(), sums


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
