"""aREA, weighted mean and normal scores, compiled: one thread per tile of cells."""

from __future__ import annotations

import numpy as np
from numba import prange

from .._constants import NOISE, NOWHERE
from ._jit import jit, on_threads, parallel, read_only
from ._sorting import rank_row, scratch, sort_row, tie_end
from ._sparse import presorted, rank_sparse_row, sparse_scratch

_LANES = 4  # cells that are summed together: the scores of a gene are one cache line
_TILE = 16  # cells that share working space
_TASK = 2 * _LANES  # fewest cells of a task of `area`


def depth_sums(
    start,
    stop,
    depth,
    batch,
    gene,
    count,
    direct,
    level,
    size,
    table,
    limit,
    indptr,
    regulon,
    weight,
    n_regulons,
):
    """Sums over the counts of a cell: each is scored and added to the regulons of its gene."""
    cells = tuple(map(read_only, (start, stop, depth, batch)))
    entries = tuple(map(read_only, (gene, count, direct)))
    # Without views of arrays, whose references would be counted for every entry
    tables = tuple(map(read_only, (level.reshape(-1), size, table.reshape(-1))))
    lengths = level.shape[1], table.shape[1], table.shape[2] * 16
    edges = tuple(map(read_only, (indptr, regulon, weight)))
    sums, total = np.zeros((len(start), n_regulons), np.int64), np.zeros(len(start), np.int64)

    def work(begin: int, end: int) -> None:
        _depth_sums(cells, entries, tables, lengths, limit, edges, begin, end, sums, total)

    on_threads(work, len(start), _TILE)
    return sums, total


@jit
def _depth_sums(cells, entries, tables, lengths, limit, edges, begin, end, sums, total):
    start, stop, depth, batch = cells
    gene, count, direct = entries
    levels, size, terms = tables
    genes, pieces_of_size, width = lengths
    indptr, regulon, weight = edges
    last = (pieces_of_size << 20) - 1
    longest = 0
    for cell in range(begin, end):
        longest = max(longest, stop[cell] - start[cell])
    excess = np.empty(longest, np.int64)
    for cell in range(begin, end):
        first, own, whole = start[cell], np.int64(batch[cell]) * genes, np.int64(0)
        part = np.int64(depth[cell] & 0x7FFF)
        for entry in range(first, stop[cell]):
            g, y = gene[entry], np.int64(count[entry])
            value = np.int64(0)
            if g >= 0 and y != 0 and levels[np.uint64(own + g)] != NOWHERE:
                place = np.int64(levels[np.uint64(own + g)]) + depth[cell]
                inside = min(max(place, 0), last)
                s = np.int64(size[np.uint64(g)])
                u = (s & 0xFFFFF) - 0x80000
                pieces = (s >> 20) * pieces_of_size * width
                at = pieces + (inside >> 20) * width + 16 * max(y, 0)
                if y > 0:
                    value = _polynomial(terms, at, (inside & 0xFFFFF) - 0x80000, u)
                if y < 0 or terms[np.uint64(at + 15)] & 1 == 0:
                    value = min(max(value, -limit), limit) if y > 0 else direct[-y - 1]
                    value -= _zero(terms, pieces, width, last, place, part, u, limit)
            excess[entry - first] = value
            whole += value
        total[cell] = whole
        for entry in range(first, stop[cell]):
            value = excess[entry - first]
            if value != 0:
                g = np.uint64(gene[entry])
                for edge in range(indptr[g], indptr[g + np.uint64(1)]):
                    e = np.uint64(edge)
                    sums[cell, np.uint64(regulon[e])] += weight[e] * value


@jit
def _polynomial(c, at, t, u):
    """A product of cubics in integers: the rows are those of t, all at the same u."""
    at = np.uint64(at)  # which is known not to count from the end
    value = _cubic(c, at + np.uint64(12), u)
    value = ((value * t) >> 20) + _cubic(c, at + np.uint64(8), u)
    value = ((value * t) >> 20) + _cubic(c, at + np.uint64(4), u)
    value = ((value * t) >> 20) + _cubic(c, at, u)
    return (value + 2) >> 2


@jit
def _cubic(c, at, u):
    value = ((c[at + np.uint64(3)] * u) >> 20) + c[at + np.uint64(2)]
    value = ((value * u) >> 20) + c[at + np.uint64(1)]
    return ((value * u) >> 20) + c[at]


@jit
def _zero(terms, pieces, width, last, place, part, u, limit):
    """Score of the count 0, clipped with a linear interpolation in the depth."""
    zero = _value(terms, pieces, width, last, place, u)
    if zero >= -limit + 0x80000:
        return zero
    left = _bend(_value(terms, pieces, width, last, place - part, u), limit)
    right = _bend(_value(terms, pieces, width, last, place - part + 0x8000, u), limit)
    between = (left * (0x8000 - part) + right * part) >> 15
    return max(zero, -limit) - _bend(zero, limit) + between


@jit
def _value(terms, pieces, width, last, place, u):
    """The value of the count 0 at a place."""
    inside = min(max(place, 0), last)
    at = pieces + (inside >> 20) * width
    return _polynomial(terms, at, (inside & 0xFFFFF) - 0x80000, u)


@jit
def _bend(zero, limit):
    """How far a zero beyond the limit is below it after a smooth bend."""
    if zero >= -limit:
        return np.int64(0)
    x = min(((-limit - zero) << 20) // limit, np.int64(1 << 20))
    square = x * x >> 20
    return limit * (x - (x * square >> 20) + (square * square >> 21)) >> 20


@parallel
def normal_scores(ranks, table_start, quantiles):
    """Look up the normal quantile of every rank; a missing value (rank 0) scores 0."""
    scores = np.zeros(ranks.shape)
    for cell in prange(len(ranks)):
        for gene in range(ranks.shape[1]):
            if ranks[cell, gene] > 0:
                scores[cell, gene] = quantiles[table_start[cell] + ranks[cell, gene]]
    return scores


@jit
def _joined(directed, undirected):
    """Directed and undirected parts as one score; a directed part of 0 counts as positive."""
    size = abs(directed) + max(undirected, 0.0)
    return -size if directed < -NOISE else size


@jit
def _score_row(values, space, max_rank_deviation, table_start, quantiles, scores):
    """Two-tail and one-tail normal score of each value, interleaved (0 for NaN).

    In the order of the ranks, so that the table is read sequentially. Returns the number of values
    that are not NaN.
    """
    n = sort_row(values, space)
    keys, words, _, _, mask = space
    if n < len(values):
        scores[:] = 0.0
    if n == 0:
        return n
    middle = n + 1
    largest = max_rank_deviation
    if max_rank_deviation < 0:
        # The ranks farthest from the middle are those of the first and the last tie.
        last = keys[np.int64(words[n - 1] & mask)]
        start = n - 1
        while start > 0 and keys[np.int64(words[start - 1] & mask)] == last:
            start -= 1
        largest = max(start + 1 + n - middle, middle - 1 - tie_end(space, 0, n))
    start = 0
    while start < n:
        stop = tie_end(space, start, n)
        rank = start + 1 + stop
        signed = quantiles[table_start + rank]
        unsigned = quantiles[table_start + 2 * abs(rank - middle) + middle - largest]
        for i in range(start, stop):
            gene = np.int64(words[i] & mask)
            scores[gene, 0] = signed
            scores[gene, 1] = unsigned
        start = stop
    return n


def area(signature, max_rank_deviation, table_start, quantiles, indptr, targets, mode, likelihood):
    """Enrichment score and NES of every regulon in every cell; missing genes have weight 0."""
    signature = read_only(signature)
    tables = tuple(map(read_only, (max_rank_deviation, table_start, quantiles)))
    edges = tuple(map(read_only, (indptr, targets, mode, likelihood)))
    score, nes = (np.empty((len(signature), len(indptr) - 1)) for _ in range(2))

    def work(begin: int, end: int) -> None:
        _area(signature, tables, edges, begin, end, score, nes)

    on_threads(work, len(signature), _TASK)
    return score, nes


@jit
def _area(signature, tables, edges, begin, end, score, nes):
    genes = signature.shape[1]
    constants, space, tile = _constants(edges, genes), scratch(genes), _tile(genes)
    ranks, known, usual, _ = tile
    for start in range(begin, end, _LANES):
        stop = min(end, start + _LANES)
        for cell in range(start, stop):
            lane = cell - start
            known[lane] = rank_row(signature[cell], space, ranks[lane])
            usual[lane] = known[lane] == genes
        _score_tile(tile, tables, edges, constants, start, stop, score, nes)


def sparse_area(
    zero,
    start,
    stop,
    gene,
    value,
    max_rank_deviation,
    table_start,
    quantiles,
    indptr,
    targets,
    mode,
    likelihood,
):
    """See the reference; genes are known by their places in the order of `zero`."""
    order = tuple(map(read_only, presorted(read_only(zero))))
    rows = tuple(map(read_only, (start, stop, gene, value)))
    tables = tuple(map(read_only, (max_rank_deviation, table_start, quantiles)))
    edges = tuple(map(read_only, (indptr, order[0][targets], mode, likelihood)))
    score, nes = (np.empty((len(start), len(indptr) - 1)) for _ in range(2))

    def work(begin: int, end: int) -> None:
        _sparse_area(order, rows, tables, edges, begin, end, score, nes)

    on_threads(work, len(start), _TASK)
    return score, nes


@jit
def _sparse_area(order, rows, tables, edges, begin, end, score, nes):
    genes = len(order[0])
    first, last, gene, value = rows
    most = 0
    for cell in range(begin, end):
        most = max(most, last[cell] - first[cell])
    present = order[2][-1]
    constants, space, tile = _constants(edges, present), sparse_scratch(genes, most), _tile(genes)
    ranks, known, usual, _ = tile
    for start in range(begin, end, _LANES):
        stop = min(end, start + _LANES)
        for cell in range(start, stop):
            stored = slice(first[cell], last[cell])
            lane = cell - start
            known[lane], usual[lane] = rank_sparse_row(
                gene[stored], value[stored], order, space, ranks[lane]
            )
        _score_tile(tile, tables, edges, constants, start, stop, score, nes)


@jit
def _constants(edges, present):
    """Weights of both parts for each edge; sum and factor of each regulon's likelihoods.

    present: usually, genes below it have a value.
    """
    indptr, targets, mode, likelihood = edges
    regulons = len(indptr) - 1
    directed, tail = np.empty(len(mode)), np.empty(len(mode))
    for e in range(len(mode)):
        directed[e] = likelihood[e] * mode[e]
        tail[e] = likelihood[e] * (1 - abs(mode[e]))
    has_value = np.zeros(1 + max(present, np.int64(targets.max()) if len(targets) else 0), np.int32)
    has_value[:present] = 1
    total, factor = np.empty(regulons), np.empty(regulons)
    for r in range(regulons):
        total[r], factor[r] = _ranked(has_value, targets, likelihood, indptr[r], indptr[r + 1])
    return directed, tail, total, factor


@jit
def _tile(genes):
    """Working space of the cells of a tile.

    Ranks [cells genes], numbers of values, whether the usual genes have a value, and scores
    [genes 2 cells], so that one load covers a gene in all cells.
    """
    ranks, known = np.zeros((_LANES, genes), np.int32), np.zeros(_LANES, np.int64)
    return ranks, known, np.ones(_LANES, np.bool_), np.zeros((genes, 2, _LANES))


@jit
def _score_tile(tile, tables, edges, constants, start, stop, score, nes):
    """Enrichment score and NES of every regulon in the cells of a tile, from their ranks."""
    ranks, known, usual, lanes = tile
    max_rank_deviation, table_start, quantiles = tables
    indptr, targets, _, likelihood = edges
    directed, tail, total, factor = constants
    given = max_rank_deviation[start:stop], table_start[start:stop], quantiles
    _look_up(ranks, known, given, lanes)
    both = np.empty((2, _LANES))
    for r in range(len(indptr) - 1):
        _sum_lanes(lanes, targets, directed, tail, indptr[r], indptr[r + 1], both)
        for cell in range(stop - start):
            sum_l, scale = total[r], factor[r]
            if not usual[cell]:
                sum_l, scale = _ranked(ranks[cell], targets, likelihood, indptr[r], indptr[r + 1])
            es = np.nan
            if sum_l > 0:
                es = _joined(both[0, cell] / sum_l, both[1, cell] / sum_l)
            score[start + cell, r] = es
            nes[start + cell, r] = es * scale


@jit
def _look_up(ranks, known, tables, lanes):
    """Two-tail and one-tail normal score of each rank (0 for NaN)."""
    max_rank_deviation, table_start, quantiles = tables
    middle, shift = np.ones(_LANES, np.int64), np.zeros(_LANES, np.int64)
    begin = np.zeros(_LANES, np.int64)
    for cell in range(len(table_start)):
        middle[cell], begin[cell] = known[cell] + 1, table_start[cell]
        largest = np.int64(max_rank_deviation[cell])
        if largest < 0:
            for rank in ranks[cell]:
                largest = max(largest, abs(rank - middle[cell]) if rank > 0 else 0)
        shift[cell] = middle[cell] - largest
    for gene in range(ranks.shape[1]):
        for cell in range(_LANES):
            rank = np.int64(ranks[cell, gene])
            unsigned = 2 * abs(rank - middle[cell]) + shift[cell] if rank > 0 else 0
            lanes[gene, 0, cell] = quantiles[begin[cell] + rank]
            lanes[gene, 1, cell] = quantiles[begin[cell] + unsigned]


@jit
def _ranked(ranks, targets, likelihood, start, stop):
    """Sum and factor of the likelihoods of the targets that have a rank."""
    total, square, largest = 0.0, 0.0, 0.0
    for e in range(start, stop):
        if ranks[targets[e]] > 0:
            total += likelihood[e]
            square += likelihood[e] ** 2
            largest = max(largest, likelihood[e])
    return total, np.sqrt(square) / largest


@jit
def _sum_lanes(lanes, targets, directed, tail, start, stop, both):
    """Directed and undirected sum of a regulon in every cell of a tile, target by target."""
    # Separate variables: the compiler keeps them in registers, but not an array.
    d0 = d1 = d2 = d3 = 0.0
    t0 = t1 = t2 = t3 = 0.0
    for e in range(start, stop):
        at = lanes[targets[e]]
        d, t = directed[e], tail[e]
        d0 += d * at[0, 0]
        d1 += d * at[0, 1]
        d2 += d * at[0, 2]
        d3 += d * at[0, 3]
        t0 += t * at[1, 0]
        t1 += t * at[1, 1]
        t2 += t * at[1, 2]
        t3 += t * at[1, 3]
    both[0, 0], both[1, 0] = d0, t0
    both[0, 1], both[1, 1] = d1, t1
    both[0, 2], both[1, 2] = d2, t2
    both[0, 3], both[1, 3] = d3, t3


@jit
def _present(values, targets, likelihood, start, stop):
    """Sum and factor of the likelihoods of the targets that have a value."""
    total, square, largest = 0.0, 0.0, 0.0
    for e in range(start, stop):
        if values[targets[e]] == values[targets[e]]:
            total += likelihood[e]
            square += likelihood[e] ** 2
            largest = max(largest, likelihood[e])
    return total, np.sqrt(square) / largest


@parallel
def weighted_area(
    signature,
    weights,
    weighted_norm,
    max_rank_deviation,
    table_start,
    quantiles,
    indptr,
    targets,
    mode,
    likelihood,
):
    """Enrichment (aREA) with a weight for every gene of every cell."""
    cells, genes = signature.shape
    regulons = len(indptr) - 1
    score = np.full((cells, regulons), np.nan)
    nes = np.full((cells, regulons), np.nan)
    for tile in prange((cells + _TILE - 1) // _TILE):
        space = scratch(genes)
        scores = np.empty((genes, 2))
        for cell in range(tile * _TILE, min(cells, (tile + 1) * _TILE)):
            _score_row(
                signature[cell],
                space,
                max_rank_deviation[cell],
                table_start[cell],
                quantiles,
                scores,
            )
            for r in range(regulons):
                sum_d, sum_t, sum_l, square, largest = 0.0, 0.0, 0.0, 0.0, 0.0
                for e in range(indptr[r], indptr[r + 1]):
                    gene = targets[e]
                    known = signature[cell, gene] == signature[cell, gene]
                    weight = likelihood[e] * weights[cell, gene] if known else 0.0
                    sum_l += weight
                    sum_d += weight * mode[e] * scores[gene, 0]
                    sum_t += weight * (1 - abs(mode[e])) * scores[gene, 1]
                    norm = weight if weighted_norm else likelihood[e]
                    square += norm * norm
                    largest = max(largest, norm)
                if sum_l > 0:
                    score[cell, r] = _joined(sum_d / sum_l, sum_t / sum_l)
                    nes[cell, r] = score[cell, r] * np.sqrt(square) / largest
    return score, nes


@parallel
def paired_area(
    signature,
    max_rank_deviation,
    table_start,
    quantiles,
    cell,
    regulon,
    indptr,
    targets,
    mode,
    likelihood,
):
    """Enrichment score and NES of given pairs of a cell and a regulon."""
    cells, genes = signature.shape
    if len(cell) == 0:
        return np.zeros(0), np.zeros(0)
    scores = np.empty((cells, genes, 2))
    for tile in prange((cells + _TILE - 1) // _TILE):
        space = scratch(genes)
        for c in range(tile * _TILE, min(cells, (tile + 1) * _TILE)):
            _score_row(
                signature[c], space, max_rank_deviation[c], table_start[c], quantiles, scores[c]
            )
    score = np.full(len(cell), np.nan)
    nes = np.full(len(cell), np.nan)
    for task in prange(len(cell)):
        c = cell[task]
        start, stop = indptr[regulon[task]], indptr[regulon[task] + 1]
        sum_d, sum_t = 0.0, 0.0
        for e in range(start, stop):
            gene = targets[e]
            sum_d += likelihood[e] * mode[e] * scores[c, gene, 0]
            sum_t += likelihood[e] * (1 - abs(mode[e])) * scores[c, gene, 1]
        total, factor = _present(signature[c], targets, likelihood, start, stop)
        if total > 0:
            score[task] = _joined(sum_d / total, sum_t / total)
            nes[task] = score[task] * factor
    return score, nes


@parallel
def weighted_mean(signature, indptr, targets, weights):
    """Mean of the targets' values, weighted and signed; missing genes are left out."""
    cells = len(signature)
    regulons = len(indptr) - 1
    result = np.empty((cells, regulons))
    for cell in prange(cells):
        for r in range(regulons):
            value, total = 0.0, 0.0
            for e in range(indptr[r], indptr[r + 1]):
                x = signature[cell, targets[e]]
                if x == x:
                    value += weights[e] * x
                    total += abs(weights[e])
            result[cell, r] = value / total
    return result
