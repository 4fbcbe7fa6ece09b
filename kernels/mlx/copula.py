"""Copula mutual information: exact products of integer scores in float32, and a compaction.

Products stay on the device. Only pairs that may reach the threshold are transferred, with their
sums; the function that all engines share computes their mutual information on the host.
"""

from __future__ import annotations

import functools
import itertools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import mlx.core as mx
import numpy as np

from .._copula import Moments, information, screen_terms, share_of
from . import _arrays, _gpu

if TYPE_CHECKING:
    from numpy.typing import NDArray

_EXACT = 1 << 24  # integers below this are exact in float32
_SAFE_SAMPLES = _EXACT // 127**2  # samples whose 8-bit products cannot reach it
_PAIRS = 1 << 26  # pairs of a block: three products of 256 MB on a GPU
_PAIRS_ON_CPU = 1 << 20
_AHEAD = 3  # resamples that a GPU computes while the host finishes others
_ROOM = 1 << 17  # pairs of a block that a GPU writes without knowing their number
# The screen works in float32 and must not miss pairs: see the Numba engine.
_SLACK = 1e-4


def copula_mi(regulators: mx.array, genes: mx.array, degree: int) -> NDArray[np.int64]:
    """See the reference."""
    n = regulators.shape[2]
    mi = np.zeros((regulators.shape[0], genes.shape[0]), dtype=np.int64)
    if mi.size == 0 or n == 0:
        return mi
    x_of, y_of = _moments_of_all(regulators, degree), _moments_of_all(genes, degree)
    wide = Moments(*(None if part is None else part[None, :] for part in x_of))
    exact = _exact_ranges(regulators, genes, 1)
    squared = regulators.shape[1] == 2 * degree
    step = max(1, _PAIRS_ON_CPU // regulators.shape[0])
    for start in range(0, genes.shape[0], step):
        block = slice(start, start + step)
        high = y_of.at(block)
        tall = Moments(*(None if part is None else part[:, None] for part in high))
        sums = _products(genes[block], regulators, degree, exact)
        squares = (
            _products(genes[block, degree:], regulators[:, degree:], degree, exact)
            if squared
            else []
        )
        found = information(
            [_host(part) for part in sums], wide, tall, n, [_host(part) for part in squares]
        )
        mi[:, block] = found.T
    return mi


def copula_pairs(
    rows: mx.array, genes: mx.array, row: mx.array, gene: mx.array, degree: int
) -> NDArray[np.int64]:
    """See the reference."""
    n = rows.shape[2]
    mi = np.zeros(row.shape[0], dtype=np.int64)
    if n == 0 or len(mi) == 0:
        return mi
    x_of, y_of = _moments_of_all(rows, degree), _moments_of_all(genes, degree)
    i, g = np.array(row), np.array(gene)
    sums = _sums_of_pairs(rows, genes, i, g, 0, degree)
    squares = _sums_of_pairs(rows, genes, i, g, degree, degree) if rows.shape[1] > degree else []
    return information(sums, x_of.at(i), y_of.at(g), n, squares)


def _moments_of_all(scores: mx.array, degree: int) -> Moments:
    return _moments(scores, np.ones((1, scores.shape[2]), np.uint8), degree)[0]


def copula_edges(
    rows: mx.array,
    genes: mx.array,
    own: mx.array,
    weights: mx.array,
    usable_rows: mx.array,
    usable_genes: mx.array,
    thresholds: mx.array,
    degree: int,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """See the reference. A GPU screens the next resamples while the host finishes the last ones."""
    times, limits = np.array(weights), np.array(thresholds)
    counts = np.zeros(len(times), dtype=np.int64)
    if rows.shape[0] == 0 or genes.shape[0] == 0 or len(times) == 0:
        return counts, np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.int64)
    x = _Side.of(rows, times, np.array(usable_rows), degree)
    y = _Side.of(genes, times, np.array(usable_genes), degree)
    with ThreadPoolExecutor() as pool:
        finishing = [
            pool.submit(_edges, pairs, x.moments[r], y.moments[r], n, int(limits[r]))
            for r, n, pairs in _screened(x, y, np.array(own), times, limits, degree)
        ]
        edges = [part.result() for part in finishing]
    counts[:] = [len(part[0]) for part in edges]
    row, gene, mi = (np.concatenate(part) for part in zip(*edges, strict=True))
    return counts, row, gene, mi


class _Side(NamedTuple):
    """Scores of regulators or genes, and what the screen of each resample needs of them."""

    scores: mx.array
    moments: list[Moments]
    terms: list[NDArray[np.float32]]

    @classmethod
    def of(
        cls, scores: mx.array, times: NDArray[np.uint8], usable: NDArray[np.bool_], degree: int
    ) -> _Side:
        found = _moments(scores, times, degree)
        sizes = times.sum(axis=1, dtype=np.int64).tolist()
        given = zip(found, usable, sizes, strict=True)
        return cls(scores, found, [screen_terms(*one, degree) for one in given])


class _Pairs(NamedTuple):
    """Pairs that may reach the limit, ordered by row and gene, with their exact sums."""

    row: NDArray[np.int64]
    gene: NDArray[np.int64]
    sums: list[NDArray[np.int64]]
    squares: list[NDArray[np.int64]]


def _edges(
    parts: list[_Pairs], x: Moments, y: Moments, n: int, threshold: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
    """Pairs of all blocks of genes whose mutual information reaches the threshold, ordered."""
    row, gene = (np.concatenate([part[k] for part in parts]) for k in (0, 1))  # type: ignore[arg-type]
    sums, squares = (
        [np.concatenate(term) for term in zip(*[part[k] for part in parts], strict=True)]
        for k in (2, 3)
    )
    mi = information(sums, x.at(row), y.at(gene), n, squares)
    kept = mi >= threshold
    row, gene, mi = row[kept], gene[kept], mi[kept]
    if len(parts) > 1:
        order = np.lexsort((gene, row))
        row, gene, mi = row[order], gene[order], mi[order]
    return row.astype(np.int32), gene.astype(np.int32), mi


def _screened(
    x: _Side,
    y: _Side,
    own: NDArray[np.int64],
    times: NDArray[np.uint8],
    limits: NDArray[np.int64],
    degree: int,
) -> Iterator[tuple[int, int, list[_Pairs]]]:
    """Yield the number of each resample, its size, and the pairs of each block of genes."""
    on_gpu = _gpu.usable("copula_edges")
    n_rows, n_genes = x.scores.shape[0], y.scores.shape[0]
    step = max(1, (_PAIRS if on_gpu else _PAIRS_ON_CPU) // n_rows)
    blocks = [slice(start, min(start + step, n_genes)) for start in range(0, n_genes, step)]
    exact = _exact_ranges(x.scores, y.scores, int(times.max(initial=1)))
    whole: dict[int, list[mx.array]] = {}
    last: dict[int, list[mx.array]] = {}
    ahead: deque[tuple[int, int, list[Callable[[], _Pairs]]]] = deque()
    room = _ROOM

    def finished() -> tuple[int, int, list[_Pairs]]:
        nonlocal room
        r, n, blocks_of_one = ahead.popleft()
        pairs = [finish() for finish in blocks_of_one]
        room = max(room, *(2 * len(part.row) for part in pairs))
        return r, n, pairs

    for r, weight in enumerate(times):
        samples = np.repeat(np.arange(len(weight), dtype=np.int32), weight)
        chosen = mx.array(samples)
        x_of_one = mx.take(x.scores, chosen, axis=2)
        ranges = np.searchsorted(samples, exact).tolist()
        # Over many samples a product takes longer than a subtraction.
        complement = len(exact) > 2 and r > 0 and bool(np.all(times[r - 1] + weight == 1))
        blocks_of_one: list[Callable[[], _Pairs]] = []
        for block in blocks:
            y_of_one = mx.take(y.scores[block], chosen, axis=2)
            if complement:
                if block.start not in whole:
                    whole[block.start] = _products(y.scores[block], x.scores, degree, exact)
                both = zip(whole[block.start], last[block.start], strict=True)
                products = [total - other for total, other in both]
            else:
                products = _products(y_of_one, x_of_one, degree, ranges)
            if len(exact) > 2:
                last[block.start] = products
            screen = _gpu.copula_screen if on_gpu else _arrays.copula_screen
            read = screen(
                products,
                x.terms[r],
                np.ascontiguousarray(y.terms[r][:, block]),
                own - block.start,
                len(samples),
                share_of(int(limits[r])) * (1 - _SLACK),
                room,
            )
            blocks_of_one.append(
                functools.partial(_pairs, read, x_of_one, y_of_one, block.start, degree)
            )
        ahead.append((r, len(samples), blocks_of_one))
        if len(ahead) > (_AHEAD if on_gpu else 0):
            yield finished()
    while ahead:
        yield finished()


def _pairs(
    read: Callable[[], tuple[NDArray[Any], NDArray[Any], list[NDArray[np.int64]]]],
    x: mx.array,
    y: mx.array,
    first: int,
    degree: int,
) -> _Pairs:
    """The pairs of a screen, with the sums of their squared scores, if there are any."""
    row, gene, sums = read()
    squares = []
    if x.shape[1] == 2 * degree:
        squares = _sums_of_pairs(x, y, row, gene, degree, degree)
    return _Pairs(row, gene + first, sums, squares)


def _moments(scores: mx.array, times: NDArray[np.uint8], degree: int) -> list[Moments]:
    """Moments of each resample, from exact products of scores and weights on the device."""
    n_genes, _, n = scores.shape
    sums = np.zeros((2 * degree, n_genes, len(times)), dtype=np.int64)
    step = _SAFE_SAMPLES // max(1, int(times.max(initial=1)))
    weights = mx.array(times.astype(np.float32)).T
    for start in range(0, n, step):
        part = slice(start, start + step)
        values = scores[:, :degree, part].astype(mx.float32)
        for term in range(degree):
            one = values[:, term]
            sums[2 * term] += _host(one @ weights[part])
            sums[2 * term + 1] += _host((one * one) @ weights[part])
    found = []
    for r, size in enumerate(times.sum(axis=1, dtype=np.int64)):
        total, square, *second = sums[:, :, r]
        two = (second[0], size * second[1] - second[0] ** 2) if second else (None, None)
        found.append(Moments(total, size * square - total * total, *two))
    return found


def _exact_ranges(x: mx.array, y: mx.array, times: int) -> NDArray[np.int64]:
    """Bounds of ranges of samples over which products are exact in float32.

    By Cauchy-Schwarz: the sum of squares of every gene over a range, times the largest multiplicity
    of a sample, is below 2^24.
    """
    n = x.shape[2]
    step = _SAFE_SAMPLES // times
    if n <= step:
        return np.array([0, n])
    bounds, used = [0], 0
    for start in range(0, n, step):
        largest = 0
        for scores in (x, y):
            values = scores[:, :, start : start + step].astype(mx.int32)
            largest = max(largest, int(mx.max(mx.sum(values * values, axis=2)).item()))
        if used + times * largest >= _EXACT:
            bounds.append(start)
            used = 0
        used += times * largest
    return np.array([*bounds, n])


def _products(
    x: mx.array, y: mx.array, degree: int, bounds: Sequence[int] | NDArray[np.int64]
) -> list[mx.array]:
    """Sums over samples of (h1, h1) and, for degree 2, of h1 with h2 of y, and of h2 with h1.

    x x y, exact: float32 over each range of samples, int64 over several ranges.
    """
    terms = [(0, 0), (0, 1), (1, 0)][: 1 if degree == 1 else 3]
    total: list[mx.array] = []
    for start, stop in itertools.pairwise(map(int, bounds)):
        a = [x[:, i, start:stop].astype(mx.float32) for i in range(degree)]
        b = [y[:, i, start:stop].astype(mx.float32) for i in range(degree)]
        found = [a[i] @ b[j].T for i, j in terms]
        if len(bounds) > 2:
            found = [product.astype(mx.int64) for product in found]
            total = found if not total else [t + p for t, p in zip(total, found, strict=True)]
            mx.eval(total)
        else:
            total = found
    return total


def _sums_of_pairs(
    x: mx.array,
    y: mx.array,
    row: NDArray[np.integer],
    gene: NDArray[np.integer],
    first: int,
    degree: int,
) -> list[NDArray[np.int64]]:
    """Sums over samples of the products of scores, pair by pair, from the term `first` on."""
    form = _gpu if _gpu.usable("copula_pairs") else _arrays
    return form.pair_sums(x, y, row, gene, first, degree)


def _host(values: mx.array) -> NDArray[np.int64]:
    return np.array(values).astype(np.int64)
