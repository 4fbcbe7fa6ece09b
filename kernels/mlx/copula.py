"""Copula mutual information: exact products of integer scores in float32, and a compaction.

Products stay on the device. Only pairs that may reach the threshold are transferred, with their
sums; the function that all engines share computes their mutual information on the host.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mlx.core as mx
import numpy as np

from .._copula import Moments, information, moments, screen_terms, share_of
from . import _arrays, _gpu

if TYPE_CHECKING:
    from numpy.typing import NDArray

_EXACT = 1 << 24  # integers below this are exact in float32
_SAFE_SAMPLES = _EXACT // 127**2  # samples whose 8-bit products cannot reach it
_PAIRS = 1 << 26  # pairs of a block: three products of 256 MB on a GPU
_PAIRS_ON_CPU = 1 << 20
# The screen works in float32 and must not miss pairs: see the Numba engine.
_SLACK = 1e-4


def copula_mi(regulators: mx.array, genes: mx.array, degree: int) -> NDArray[np.int64]:
    """See the reference."""
    n = regulators.shape[2]
    mi = np.zeros((regulators.shape[0], genes.shape[0]), dtype=np.int64)
    if mi.size == 0 or n == 0:
        return mi
    x_of, y_of = _moments_of_all(regulators, degree), _moments_of_all(genes, degree)
    short = _is_short(regulators, genes, 1)
    squared = regulators.shape[1] == 2 * degree
    step = max(1, _PAIRS_ON_CPU // regulators.shape[0])
    for start in range(0, genes.shape[0], step):
        columns = slice(start, start + step)
        block = genes[columns]
        products = _products(regulators, block, degree, short)
        squares = (
            _products(regulators[:, degree:], block[:, degree:], degree, short) if squared else []
        )
        wide = Moments(*(None if part is None else part[:, None] for part in x_of))
        mi[:, columns] = information(
            [_host(part) for part in products],
            wide,
            y_of.at(columns),
            n,
            [_host(part) for part in squares],
        )
    return mi


def copula_pairs(
    rows: mx.array, genes: mx.array, row: mx.array, gene: mx.array, degree: int
) -> NDArray[np.int64]:
    """See the reference. Sums of single pairs, one block at a time."""
    n = rows.shape[2]
    mi = np.zeros(row.shape[0], dtype=np.int64)
    if n == 0 or len(mi) == 0:
        return mi
    x_of, y_of = _moments_of_all(rows, degree), _moments_of_all(genes, degree)
    i, g = np.array(row), np.array(gene)
    step = max(1, (1 << 24) // n)
    for start in range(0, len(mi), step):
        some = slice(start, start + step)
        x, y = rows[mx.array(i[some])], genes[mx.array(g[some])]
        sums = _sums_of_pairs(x, y, 0, degree)
        squares = _sums_of_pairs(x, y, degree, degree) if rows.shape[1] == 2 * degree else []
        mi[some] = information(sums, x_of.at(i[some]), y_of.at(g[some]), n, squares)
    return mi


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
    """See the reference."""
    times = np.array(weights)
    good_rows, good_genes = np.array(usable_rows), np.array(usable_genes)
    limits = np.array(thresholds)
    counts = np.zeros(len(times), dtype=np.int64)
    edges: list[tuple[NDArray[Any], ...]] = [
        (np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.int64))
    ]
    if rows.shape[0] == 0 or genes.shape[0] == 0:
        return counts, *edges[0]
    short = _is_short(rows, genes, int(times.max(initial=1)))
    for r, weight in enumerate(times):
        samples = np.repeat(np.arange(len(weight)), weight)
        n = len(samples)
        if n == 0:
            continue
        chosen = mx.array(samples.astype(np.int32))
        x, y = mx.take(rows, chosen, axis=2), mx.take(genes, chosen, axis=2)
        x_of, y_of = _moments_of_all(x, degree), _moments_of_all(y, degree)
        limit = share_of(int(limits[r])) * (1 - _SLACK)
        x_terms = screen_terms(x_of, good_rows[r], n, degree)
        y_terms = screen_terms(y_of, good_genes[r], n, degree)
        row, gene, sums, squares = _candidates(x, y, own, x_terms, y_terms, n, limit, degree, short)
        keys = row.astype(np.int64) * genes.shape[0] + gene
        if not (keys[1:] > keys[:-1]).all():
            order = np.argsort(keys)
            row, gene = row[order], gene[order]
            sums, squares = [s[order] for s in sums], [s[order] for s in squares]
        mi = information(sums, x_of.at(row), y_of.at(gene), n, squares)
        kept = mi >= limits[r]
        counts[r] = np.count_nonzero(kept)
        edges.append((row[kept].astype(np.int32), gene[kept].astype(np.int32), mi[kept]))
    row, gene, mi = (np.concatenate(part) for part in zip(*edges, strict=True))
    return counts, row, gene, mi


def _candidates(
    x: mx.array,
    y: mx.array,
    own: mx.array,
    x_terms: NDArray[np.float32],
    y_terms: NDArray[np.float32],
    n: int,
    limit: float,
    degree: int,
    short: bool,
) -> tuple[NDArray[Any], NDArray[Any], list[NDArray[np.int64]], list[NDArray[np.int64]]]:
    """Pairs that may reach the limit, with their sums; by blocks of genes."""
    on_gpu = _gpu.custom_kernels() is True
    step = max(1, (_PAIRS if on_gpu else _PAIRS_ON_CPU) // x.shape[0])
    found: list[tuple[NDArray[Any], ...]] = []
    squared = x.shape[1] == 2 * degree
    own_on_host = np.array(own)
    for start in range(0, y.shape[0], step):
        columns = slice(start, start + step)
        block = y[columns]
        # Genes x rows: neighbouring threads of a GPU are rows and read neighbouring numbers.
        products = _products(block, x, degree, short, swapped=True)
        terms = np.ascontiguousarray(y_terms[:, columns])
        if on_gpu:
            row, gene, sums = _gpu.copula_screen(
                products,
                mx.array(x_terms),
                mx.array(terms),
                mx.array(own_on_host - start),
                n,
                limit,
            )
        else:
            row, gene, sums = _arrays.copula_screen(
                products, x_terms, terms, own_on_host - start, n, limit
            )
        squares = []
        if squared and len(row):
            blocks = _products(block[:, degree:], x[:, degree:], degree, short, swapped=True)
            place = mx.array(gene.astype(np.int64) * x.shape[0] + row)
            squares = [_host(part.reshape(-1)[place]) for part in blocks]
        elif squared:
            squares = [np.empty(0, np.int64)] * len(products)
        found.append((row, gene + start, *sums, *squares))
    parts = [np.concatenate(part) for part in zip(*found, strict=True)]
    many = 1 if degree == 1 else 3
    return parts[0], parts[1], parts[2 : 2 + many], parts[2 + many :]


def _moments_of_all(scores: mx.array, degree: int) -> Moments:
    """Moments over all given samples, as integer sums on the device."""
    n = scores.shape[2]
    if scores.shape[0] == 0:
        return moments(np.array(scores), np.ones(n, np.uint8), degree)
    found: list[NDArray[np.int64] | None] = []
    for term in range(degree):
        values = scores[:, term].astype(mx.int32)
        total = _host(mx.sum(values, axis=1))
        square = np.zeros_like(total)
        for start in range(0, n, 1 << 16):  # sums of 65,536 squares of 7 bits fit 31
            part = values[:, start : start + (1 << 16)]
            square += _host(mx.sum(part * part, axis=1))
        found += [total, n * square - total * total]
    found += [None, None] * (2 - degree)
    return Moments(*found)


def _is_short(x: mx.array, y: mx.array, times: int) -> bool:
    """Whether sums over samples with these weights stay below 2^24, by Cauchy-Schwarz."""
    if times * x.shape[2] <= _SAFE_SAMPLES:
        return True
    if x.shape[2] > 1 << 16:
        return False
    largest = 0
    for scores in (x, y):
        if scores.size:
            values = scores.astype(mx.int32)
            largest = max(largest, int(mx.max(mx.sum(values * values, axis=2)).item()))
    return times * largest < _EXACT


def _products(
    x: mx.array, y: mx.array, degree: int, short: bool, *, swapped: bool = False
) -> list[mx.array]:
    """Sums over samples of (h1, h1) and, for degree 2, of (h2, h1) and (h1, h2); exact.

    x x y; the second score is that of x in the second product, or that of y if `swapped`.
    """
    n = x.shape[2]
    step = max(1, n) if short else _SAFE_SAMPLES
    terms = [(0, 0), (1, 0), (0, 1)][: 1 if degree == 1 else 3]
    if swapped:
        terms = [(j, i) for i, j in terms]
    total: list[mx.array] = []
    for start in range(0, max(1, n), step):
        part = slice(start, start + step)
        a = [x[:, i, part].astype(mx.float32) for i in range(degree)]
        b = [y[:, i, part].astype(mx.float32) for i in range(degree)]
        found = [a[i] @ b[j].T for i, j in terms]
        if not short:
            found = [product.astype(mx.int64) for product in found]
        total = found if not total else [t + p for t, p in zip(total, found, strict=True)]
        mx.eval(total)
    return total


def _sums_of_pairs(x: mx.array, y: mx.array, first: int, degree: int) -> list[NDArray[np.int64]]:
    """Sums over samples of the products of scores, pair by pair, from the term `first` on."""
    terms = [(0, 0), (1, 0), (0, 1)][: 1 if degree == 1 else 3]
    found = []
    for i, j in terms:
        product = x[:, first + i].astype(mx.int64) * y[:, first + j].astype(mx.int64)
        found.append(np.array(mx.sum(product, axis=1)).astype(np.int64))
    return found


def _host(values: mx.array) -> NDArray[np.int64]:
    return np.array(values).astype(np.int64)
