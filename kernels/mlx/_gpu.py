"""Hand-written GPU kernels (`_gpu_source.py`): whether they can be used, and their launches."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from . import _arrays
from . import _fixed as fx
from . import _gpu_source as source
from ._double import Double, from_numpy
from ._planes import pack as pack_in_arrays
from ._planes import path_of_ranks, words
from ._sparse import dense
from .ranks import average_ranks

ROWS = 256  # regulators per launch: the watchdog of a display ends launches that run for seconds
_GROUP = (128, 1, 1)
_PAIRS_TOGETHER = 1 << 18
_SCRATCH = 1 << 25  # genes x cells at a time
_TOTAL = 256  # genes that a thread adds up


def on_gpu() -> bool:
    """Whether arrays are on a GPU."""
    return bool(mx.default_device() == mx.Device(mx.gpu))


def usable(operation: str) -> bool:
    """Whether the hand-written kernels of an operation are used; array operations do it otherwise.

    At the first call on a device they are compiled (seconds) and compared with the array operations
    on a small input.
    """
    return on_gpu() and not _failure(operation, str(mx.default_device()))


def custom_kernels() -> str | bool:
    """True if hand-written kernels are in use, as far as they were tried; else the reason why not.

    Kernels are tried when they are first needed: compiling all of them takes a minute.
    """
    device = str(mx.default_device())
    if not on_gpu():
        return f"the MLX device is not a GPU but {device}"
    failed = [reason for (_, where), reason in _tried.items() if reason and where == device]
    return "; ".join(failed) or True


_tried: dict[tuple[str, str], str] = {}


def _failure(operation: str, device: str) -> str:
    """The reason why the kernels of an operation are not used; empty if they are."""
    key = operation, device
    if key not in _tried:
        try:
            correct = _TRIALS[operation](np.random.default_rng(0))
            _tried[key] = "" if correct else f"{operation}: a wrong result in its trial run"
        except Exception as error:  # from a compiler or driver; the array operations still work
            _tried[key] = f"{operation}: its trial run failed: {error}"
    return _tried[key]


def _try_adaptive(rng: np.random.Generator) -> bool:
    """An odd number of samples, dependent and independent."""
    samples, levels = 77, 4
    values = rng.normal(size=(40, samples))
    values[20:] = values[3] + 0.1 * values[20:]
    ranks = mx.array((values.argsort(1).argsort(1) + 1).astype(np.int32))
    edges = np.arange(2**levels + 1) * samples // 2**levels
    split = np.zeros(2**levels, dtype=np.int32)
    for depth in range(levels):
        middles = edges[2 ** (levels - depth - 1) :: 2 ** (levels - depth)]
        split[2**depth : 2 ** (depth + 1)] = middles
    log_width = mx.array(rng.integers(0, 2**40, 2 ** (levels + 1)))
    n_log_n = mx.array(rng.integers(0, 2**45, samples + 1))
    paths = path_of_ranks(split, samples)
    x, y = (pack_in_arrays(some, mx.array(paths), levels) for some in (ranks[:5], ranks))
    ours = adaptive_mi(x, y, paths, log_width, n_log_n, 3)
    right = _arrays.adaptive_mi(x, y, samples, log_width, n_log_n, 3)
    packed = pack(ranks, mx.array(paths), levels)
    return _alike([ours, packed], [right, y])


def _try_limit(rng: np.random.Generator) -> bool:
    """With room for all pairs, and without."""
    mi = rng.integers(0, 2**50, (5, 150))
    place = np.flatnonzero(mi >= 2**49)
    right = np.stack([place, mi.ravel()[place]], axis=1)
    return all(_alike([at_least(mx.array(mi), 2**49, n)()], [right]) for n in (1 << 10, 3))


def _try_max_min(rng: np.random.Generator) -> bool:
    between = mx.array(rng.integers(0, 2**50, (11, 9)))
    network = mx.array(rng.integers(0, 2**50, (9, 150)))
    return _alike([max_min(between, network)], [_arrays.max_min(between, network)])


def _try_screen(rng: np.random.Generator) -> bool:
    """Both degrees, with room for all pairs and without."""
    products = [mx.array(rng.integers(-900, 900, (130, 9)).astype(np.float32)) for _ in range(3)]
    x_terms = rng.normal(size=(4, 9)).astype(np.float32)
    y_terms = rng.normal(size=(4, 130)).astype(np.float32)
    for many, degree in ((1, 1), (3, 2)):
        given = products[:many], x_terms[: 2 * degree], y_terms[: 2 * degree], np.arange(9), 50, 1e4
        row, gene, sums = _arrays.copula_screen(*given)()
        for room in (1 << 12, 5):
            ours = copula_screen(*given, room)()
            if not _alike([*ours[:2], *ours[2]], [row, gene, *sums]):
                return False
    return True


def _try_pairs(rng: np.random.Generator) -> bool:
    x, y = (mx.array(rng.integers(-127, 128, (7, 4, 45)).astype(np.int8)) for _ in range(2))
    row, gene = np.divmod(np.arange(49), 7)
    given = x, y, row, gene, 2, 2
    return _alike(pair_sums(*given), _arrays.pair_sums(*given))


def _try_prune(rng: np.random.Generator) -> bool:
    network = rng.integers(1, 2**50, (9, 40))
    network[np.arange(9), np.arange(9)] = 0
    row, gene = (part.astype(np.int32) for part in np.nonzero(network))
    partner = np.concatenate([np.arange(9), np.full(31, -1)]).astype(np.int32)
    mi = network[row, gene]
    lists = edge_lists(row, gene, mi, partner, np.arange(len(row)), 9)
    between, targets = mx.array(network[:, :9]), mx.array(network)
    explained = np.array(_arrays.max_min(between, targets))[row, gene]
    return _alike([prune(lists, 1 << 30)], [~(mi < explained)])


def _try_depth(rng: np.random.Generator) -> bool:
    """Counts in and beyond the table, at places on and off it."""
    cells, genes, edges = 37, 300, 90
    length = rng.integers(0, genes, cells)
    stop = np.cumsum(length)
    gene = np.concatenate([rng.permutation(genes)[:some] for some in length])
    gene[::9] = -1
    place = rng.integers(-(2**20), 7 * 2**20, (2, genes))
    place[:, ::7] = -(2**31)
    narrow: list[Any] = [
        rng.integers(-(2**20), 2**20, cells), rng.integers(0, 2, cells), gene,
        rng.integers(-4, 5, len(gene)),
        rng.integers(0, 2**24, 4), place, rng.integers(0, 3 * 2**20, genes),
        rng.integers(-(2**24), 2**24, (3, 6, 5, 16)),
    ]  # fmt: skip
    given = [mx.array(part.astype(np.int32)) for part in narrow]
    given[4] = given[4].astype(mx.int64)
    ends = mx.array(np.array([0, 0, 1, 40, edges]))
    target, weight = rng.integers(0, genes, edges), rng.integers(-(2**20), 2**20, edges)
    sets = [ends, *(mx.array(part.astype(np.int32)) for part in (target, weight))]
    arguments = [mx.array(stop - length), mx.array(stop), *given, 6 << 20, *sets]
    return _alike(depth_sums(*arguments), _arrays.depth_sums(*arguments))


def _area_trial(rng: np.random.Generator, signature: mx.array, some: Any, place: mx.array) -> bool:
    """Whether the kernels that rank signatures and sum scores agree with array operations."""
    from . import enrichment  # which imports this module

    cells, genes = signature.shape
    targets = np.concatenate([rng.permutation(genes)[:k] for k in (0, 1, 40, 100)])
    sets = mx.array(np.array([0, 0, 1, 41, 141])), mx.array(targets.astype(np.int32))
    mode, likelihood = (from_numpy(rng.uniform(low, 1, 141)) for low in (-1, 0.01))
    table = from_numpy(rng.normal(size=cells * (2 * genes + 3)))
    deviation = np.where(np.arange(cells) % 5, -1, genes).astype(np.int32)
    ranked = genes, mx.array(deviation), mx.arange(cells) * (2 * genes + 3), table

    def known(rows: slice) -> mx.array:
        return average_ranks(signature[rows])

    right = enrichment._area(False, known, *ranked, *sets, mode, likelihood)
    moved = sets[0], mx.take(place, sets[1])
    ours = enrichment._area(True, some, *ranked, *moved, mode, likelihood)
    for one, two in zip(ours, right, strict=True):
        if not all(np.array_equal(np.array(a), np.array(b), equal_nan=True)
                   for a, b in zip(one, two, strict=True)):  # fmt: skip
            return False
    return True


def _try_area(rng: np.random.Generator) -> bool:
    """Ties, missing values, and cells without either."""
    keys = rng.integers(-(2**62), 2**62, (23, 150))
    keys[:9] >>= 57
    keys[4:15][rng.random((11, 150)) < 0.2] = np.iinfo(np.int64).max
    signature = mx.array(keys)
    return _area_trial(rng, signature, lambda rows: ranks(signature[rows]), mx.arange(150))


def _try_sparse_area(rng: np.random.Generator) -> bool:
    """The same of sparse cells; ties among stored and other values."""
    cells, genes = 23, 150
    missing = np.iinfo(np.int64).max
    zero = np.where(rng.random(genes) < 0.2, missing, rng.integers(-40, 40, genes))
    length = rng.integers(0, genes, cells)
    stop = np.cumsum(length)
    gene = np.concatenate([np.sort(rng.permutation(genes)[:some]) for some in length])
    value = np.where(rng.random(len(gene)) < 0.1, missing, rng.integers(-50, 50, len(gene)))
    gene[::9] = -1
    stored = [mx.array(part) for part in (stop - length, stop, gene.astype(np.int32), value)]
    presorted = Presorted(zero)
    signature = dense(mx.array(zero), *stored, slice(0, cells))

    def some(rows: slice) -> mx.array:
        return sparse_ranks(presorted, *stored, rows)

    return _area_trial(rng, signature, some, presorted.place)


_TRIALS: dict[str, Callable[[np.random.Generator], bool]] = {
    "adaptive_mi": _try_adaptive,
    "adaptive_edges": _try_limit,
    "dpi": _try_max_min,
    "copula_edges": _try_screen,
    "copula_pairs": _try_pairs,
    "prune_edges": _try_prune,
    "depth_sums": _try_depth,
    "area": _try_area,
    "sparse_area": _try_sparse_area,
}


def _alike(ours: Sequence[Any], right: Sequence[Any]) -> bool:
    return all(
        np.array_equal(np.array(one), np.array(two)) for one, two in zip(ours, right, strict=True)
    )


def edge_lists(
    row: NDArray[np.int32],
    gene: NDArray[np.int32],
    mi: NDArray[np.int64],
    partner: NDArray[np.int32],
    asked: NDArray[np.int64],
    n_regulators: int,
) -> list[NDArray[Any]]:
    """The arrays of the kernel: the regulators of each row, sorted, and of each gene.

    Edges are often ordered by row and gene already, and regulators by index: sorting is skipped.
    """
    legs = np.flatnonzero(partner[gene] >= 0)
    legs = legs[_ordering(row[legs].astype(np.int64) * n_regulators + partner[gene[legs]])]
    paths = np.flatnonzero(row < n_regulators)
    small = gene[paths].astype(np.uint16 if len(partner) <= 1 << 16 else gene.dtype)
    paths = paths[np.argsort(small, kind="stable")]
    n_rows = int(row.max(initial=-1)) + 1
    starts = [_starts(row[legs], n_rows), _starts(gene[paths], len(partner))]
    return [
        row, gene, mi, asked.astype(np.int32), partner[gene[legs]], mi[legs], starts[0],
        row[paths], mi[paths], starts[1],
    ]  # fmt: skip


def _ordering(keys: NDArray[np.int64]) -> NDArray[np.int64] | slice:
    """The order that sorts keys; a full slice if they are sorted."""
    return slice(None) if (keys[1:] >= keys[:-1]).all() else np.argsort(keys)


def _starts(labels: NDArray[Any], groups: int) -> NDArray[np.int32]:
    """Start of each group among sorted labels, and the end of the last."""
    ends = np.cumsum(np.bincount(labels, minlength=groups))
    return np.concatenate([[0], ends]).astype(np.int32)


KERNELS = {
    "pysces_adaptive_mi": (source.ADAPTIVE_INPUTS, source.ADAPTIVE_BODY),
    "pysces_pack": (source.PACK_INPUTS, source.PACK_BODY),
    "pysces_max_min": (source.MAX_MIN_INPUTS, source.MAX_MIN_BODY),
    "pysces_copula_screen": (source.COPULA_INPUTS, source.COPULA_BODY),
    "pysces_at_least": (source.LIMIT_INPUTS, source.LIMIT_BODY),
    "pysces_pair_sums": (source.PAIR_INPUTS, source.PAIR_BODY),
    "pysces_prune": (source.PRUNE_INPUTS, source.PRUNE_BODY),
    "pysces_excess": (source.EXCESS_INPUTS, source.EXCESS_BODY),
    "pysces_weighted": (source.WEIGHTED_INPUTS, source.WEIGHTED_BODY),
    "pysces_stored": (source.STORED_INPUTS, source.STORED_BODY),
    "pysces_stored_ranks": (source.STORED_RANKS_INPUTS, source.BELOW + source.STORED_RANKS_BODY),
    "pysces_ranks": (source.RANKS_INPUTS, source.BELOW + source.RANKS_BODY),
    "pysces_area": (source.AREA_INPUTS, source.AREA_BODY),
}
"""Names of the inputs and the body of each kernel."""


@functools.cache
def _kernel(name: str) -> Any:
    """The compiled kernel `name`; one object per process."""
    inputs, body = KERNELS[name]
    if mx.metal.is_available():
        return mx.fast.metal_kernel(
            name=name,
            input_names=inputs,
            output_names=["out"],
            source=source.METAL_PRELUDE + body,
            header=source.METAL_HEADER,
        )
    return mx.fast.cuda_kernel(
        name=name,
        input_names=inputs,
        output_names=["out"],
        source=body,
        header=source.CUDA_HEADER,
    )


def pack(ranks: mx.array, paths: mx.array, levels: int) -> mx.array:
    """Bit planes of ranks, levels x words x rows, as `_planes.pack`."""
    rows, samples = ranks.shape
    width = words(samples)
    if rows * levels * width == 0:
        return mx.zeros((levels, width, rows), dtype=mx.uint32)
    dims = np.array([rows, samples, levels, width, 0, 0, 0, 0], dtype=np.int32)
    (out,) = _kernel("pysces_pack")(
        inputs=[_padded(ranks), _padded(paths), mx.array(dims)],
        output_shapes=[(max(8, levels * width * rows),)],
        output_dtypes=[mx.uint32],
        grid=(rows, levels * width, 1),
        threadgroup=_GROUP,
    )
    return out[: levels * width * rows].reshape(levels, width, rows)


def adaptive_mi(
    x: mx.array,
    y: mx.array,
    paths: NDArray[np.uint32],
    log_width: mx.array,
    n_log_n: mx.array,
    min_count: int,
) -> mx.array:
    """Mutual information from bit planes (levels x words x rows); paths of ranks 0..samples."""
    _, _width, n_regulators = x.shape
    n_genes = y.shape[2]
    done = []
    for first in range(0, n_regulators, ROWS):
        many = min(ROWS, n_regulators - first)
        dims = adaptive_dims(x.shape, n_genes, paths, min_count, first, many)
        done += _kernel("pysces_adaptive_mi")(
            inputs=[_padded(x), _padded(y), _padded(log_width), _padded(n_log_n), mx.array(dims)],
            output_shapes=[(many, n_genes)],
            output_dtypes=[mx.int64],
            grid=(n_genes, many, 1),
            threadgroup=_GROUP,
        )
        mx.eval(done[-1])
    return done[0] if len(done) == 1 else mx.concatenate(done)


def adaptive_dims(
    x_shape: tuple[int, ...],
    n_genes: int,
    paths: NDArray[np.uint32],
    min_count: int,
    first: int,
    many: int,
) -> NDArray[np.int32]:
    """The integer parameters of the kernel of adaptive_mi."""
    levels, width, n_regulators = x_shape
    samples = paths.shape[0] - 1
    path = paths[1:].astype(np.int64)
    marginal = np.bincount(2 * (path & 1) + ((path >> 1) & 1), minlength=4)
    last_word = 0xFFFFFFFF >> (32 * width - samples)
    dims = np.zeros(source.ADAPTIVE_DIMS, dtype=np.int32)
    dims[:7] = n_regulators, n_genes, width, levels, min_count, first, many
    dims[7] = np.uint32(last_word).view(np.int32)
    dims[8] = samples
    dims[9:13] = marginal
    return dims


def max_min(between: mx.array, network: mx.array) -> mx.array:
    """``max_j min(between[i, j], network[j, g])``, rows x genes, at least 0."""
    rows, regulators = between.shape
    genes = network.shape[1]
    done = []
    for first in range(0, rows, ROWS):
        many = min(ROWS, rows - first)
        dims = np.zeros(source.MAX_MIN_DIMS, dtype=np.int32)
        dims[:5] = rows, regulators, genes, first, many
        done += _kernel("pysces_max_min")(
            inputs=[_padded(between), _padded(network), mx.array(dims)],
            output_shapes=[(many, genes)],
            output_dtypes=[mx.int64],
            grid=(genes, -(-many // source.MAX_MIN_ROWS), 1),
            threadgroup=_GROUP,
        )
        mx.eval(done[-1])
    return done[0] if len(done) == 1 else mx.concatenate(done)


def copula_screen(
    products: list[mx.array],
    x_terms: NDArray[np.float32],
    y_terms: NDArray[np.float32],
    own: NDArray[np.int64],
    n: int,
    limit: float,
    room: int,
) -> _arrays.Screened:
    """Start the screen; return the function that reads its pairs and their sums.

    Products are genes x rows. Every thread counts its pairs, then writes them from the place that
    the counts give, up to `room` pairs; reading writes again if there were more.
    """
    n_genes, n_rows = products[0].shape
    degree = 1 if len(products) == 1 else 2
    width = 2 + len(products)
    flat = [_padded(product) for product in products]
    second, third = flat[1:] if degree == 2 else (flat[0], flat[0])
    blocks = -(-n_genes // source.COPULA_GENES)
    real = mx.array(np.array([n, limit, 2.0**-21, 0, 0, 0, 0, 0], dtype=np.float32))
    terms = _padded(mx.array(x_terms)), _padded(mx.array(y_terms)), _padded(mx.array(own))
    # A sum of n products of 7-bit scores.
    kind = mx.int32 if n * 127**2 < 2**31 else mx.int64

    def launch(starts: mx.array, room: int, size: int) -> mx.array:
        dims = np.zeros(source.COPULA_DIMS, dtype=np.int32)
        dims[:4] = n_rows, n_genes, degree, room
        (out,) = _kernel("pysces_copula_screen")(
            inputs=[flat[0], second, third, *terms, _padded(starts), mx.array(dims), real],
            output_shapes=[(max(8, size),)],
            output_dtypes=[kind],
            grid=(n_rows, blocks, 1),
            threadgroup=_GROUP,
        )
        return out

    table = _compacted(launch, n_rows * blocks, width, room, kind)

    def read() -> tuple[NDArray[Any], NDArray[Any], list[NDArray[np.int64]]]:
        row, gene, *sums = table().T
        return row, gene, sums

    return read


def at_least(mi: mx.array, limit: int, room: int) -> Callable[[], NDArray[np.int64]]:
    """Start the search for pairs that reach the limit; return the function that reads them.

    Read: the position of each pair in the matrix, ascending, and its mutual information [pairs 2].
    """
    n_rows, n_genes = mi.shape
    blocks = -(-n_genes // source.LIMIT_GENES)
    flat, limits = _padded(mi), mx.array(np.full(8, limit, dtype=np.int64))

    def launch(starts: mx.array, room: int, size: int) -> mx.array:
        dims = np.array([n_rows, n_genes, room, 0, 0, 0, 0, 0], dtype=np.int32)
        (out,) = _kernel("pysces_at_least")(
            inputs=[flat, _padded(starts), mx.array(dims), limits],
            output_shapes=[(max(8, size),)],
            output_dtypes=[mx.int64],
            grid=(blocks, n_rows, 1),
            threadgroup=_GROUP,
        )
        return out

    return _compacted(launch, n_rows * blocks, 2, room, mx.int64)


def _compacted(
    launch: Callable[[mx.array, int, int], mx.array],
    counters: int,
    width: int,
    room: int,
    kind: mx.Dtype,
) -> Callable[[], NDArray[np.int64]]:
    """Rows that threads of a kernel write one after the other, int64 [found width].

    ``launch(starts, room, size)`` starts the kernel: without room it writes the number of rows of
    each thread, else the rows of each thread from its start, as far as there is room. Nothing waits
    for the number of rows until they are read.
    """
    counts = launch(mx.zeros((8,), dtype=kind), 0, counters)[:counters]
    ends = mx.cumsum(counts)
    number, starts = ends[-1], ends - counts
    found = launch(starts, room, width * room)
    mx.async_eval(number, starts, found)

    def read() -> NDArray[np.int64]:
        total = int(number.item())
        written = found if total <= room else launch(starts, total, width * total)
        return np.array(written[: width * total]).astype(np.int64).reshape(total, width)

    return read


def pair_sums(
    x: mx.array,
    y: mx.array,
    row: NDArray[np.integer],
    gene: NDArray[np.integer],
    first: int,
    degree: int,
) -> list[NDArray[np.int64]]:
    """Sums over samples of the products of scores, pair by pair, from the term `first` on."""
    _, terms, samples = x.shape
    many = 1 if degree == 1 else 3
    lanes = source.PAIR_LANES
    found = np.empty((many, len(row)), dtype=np.int64)
    for start in range(0, len(row), _PAIRS_TOGETHER):
        some = slice(start, start + _PAIRS_TOGETHER)
        pairs = len(row[some])
        dims = np.array([pairs, terms, samples, first, many, 0, 0, 0], dtype=np.int32)
        places = (mx.array(part[some].astype(np.int32)) for part in (row, gene))
        (out,) = _kernel("pysces_pair_sums")(
            inputs=[_padded(x), _padded(y), *map(_padded, places), mx.array(dims)],
            output_shapes=[(many, pairs, lanes)],
            output_dtypes=[mx.int64],
            grid=(pairs * lanes, 1, 1),
            threadgroup=_GROUP,
        )
        found[:, some] = np.array(mx.sum(out, axis=2))
    return list(found)


def prune(lists: list[NDArray[Any]], kept_fraction: int) -> NDArray[np.bool_]:
    """Whether the requested edges are kept; `lists` are the arrays of the kernel, in its order."""
    dims = np.zeros(source.PRUNE_DIMS, dtype=np.int32)
    dims[0] = asked = len(lists[3])
    (out,) = _kernel("pysces_prune")(
        inputs=[_padded(mx.array(part)) for part in lists]
        + [mx.array(dims), mx.array(np.full(8, kept_fraction, dtype=np.int64))],
        output_shapes=[(max(8, asked),)],
        output_dtypes=[mx.int32],
        grid=(asked, 1, 1),
        threadgroup=_GROUP,
    )
    return np.array(out)[:asked] > 0


def cells_together(genes: int) -> int:
    """Number of cells of a launch whose thread grid and arrays [genes cells] are small enough."""
    return max(1, min(fx.MOST_ROWS, _SCRATCH // max(1, genes)))


def _dims(*numbers: int) -> mx.array:
    return mx.array(np.array([*numbers, *[0] * (8 - len(numbers))], dtype=np.int32))


def depth_sums(
    start: mx.array,
    stop: mx.array,
    depth: mx.array,
    batch: mx.array,
    gene: mx.array,
    count: mx.array,
    direct: mx.array,
    level: mx.array,
    size: mx.array,
    table: mx.array,
    limit: int,
    ends: mx.array,
    target: mx.array,
    weight: mx.array,
) -> tuple[mx.array, mx.array]:
    """As `_arrays.depth_sums`: the excess of a launch of cells [genes cells], then its sums."""
    cells, genes = len(start), level.shape[1]
    sums, total = [], []
    counts = [_padded(a) for a in (start, stop, depth, batch, gene, count, direct, level, size)]
    terms = _padded(table)
    places = np.minimum(np.arange(0, genes + _TOTAL, _TOTAL), genes)  # ends of groups of genes
    every = mx.array(places), mx.arange(genes, dtype=mx.int32), mx.ones(genes, dtype=mx.int32)
    for first in range(0, cells, cells_together(genes)):
        many = min(cells_together(genes), cells - first)
        dims = _dims(many, genes, first, *table.shape[1:3], limit)
        (excess,) = _kernel("pysces_excess")(
            inputs=[*counts, terms, dims],
            output_shapes=[(max(8, genes * many),)],
            output_dtypes=[mx.int32],
            grid=(source.CELL_LANES, many, 1),
            threadgroup=_GROUP,
            init_value=0,
        )
        sums.append(_weighted(excess, many, ends, target, weight))
        total.append(mx.sum(_weighted(excess, many, *every), axis=1))
        mx.eval(sums[-1], total[-1])
    if not sums:
        return mx.zeros((0, len(ends) - 1), dtype=mx.int64), mx.zeros((0,), dtype=mx.int64)
    return mx.concatenate(sums), mx.concatenate(total)


def _weighted(
    values: mx.array, cells: int, ends: mx.array, target: mx.array, weight: mx.array
) -> mx.array:
    """Weighted sums of values [genes cells] over the targets of each set, int64 [cells sets]."""
    sets = len(ends) - 1
    if sets == 0:
        return mx.zeros((cells, 0), dtype=mx.int64)
    (out,) = _kernel("pysces_weighted")(
        inputs=[values, *map(_padded, (ends, target, weight)), _dims(cells, sets)],
        output_shapes=[(max(8, cells * sets),)],
        output_dtypes=[mx.int64],
        grid=(cells, sets, 1),
        threadgroup=_GROUP,
    )
    return out[: cells * sets].reshape(cells, sets)


class Presorted:
    """The values of genes that a cell does not store, in order: a gene is known by its place."""

    def __init__(self, zero: NDArray[np.int64]) -> None:
        order = np.argsort(zero, kind="stable")
        ordered = zero[order]
        place = np.empty(len(zero), dtype=np.int32)
        place[order] = np.arange(len(zero))
        first, last = (np.searchsorted(ordered, ordered, side) for side in ("left", "right"))
        self.present = int(np.searchsorted(ordered, np.iinfo(np.int64).max))
        self.place, self.keys = mx.array(place), _padded(mx.array(ordered))
        self.ties = [_padded(mx.array(part.astype(np.int32))) for part in (first, last)]


def ranks(keys: mx.array) -> mx.array:
    """Twice the average ranks of keys [cells genes], int32 [genes cells]."""
    cells, genes = keys.shape
    none = mx.zeros((8,), dtype=mx.int32)
    ordered = _padded(mx.sort(keys, axis=1))
    dims = _dims(cells, genes, genes, 0, 0, 0, 1)
    nothing = [none, ordered, ordered, ordered, none]
    return _stored_ranks([ordered, *nothing, _padded(keys), none, dims], genes, cells)


def sparse_ranks(
    zero: Presorted, start: mx.array, stop: mx.array, gene: mx.array, key: mx.array, rows: slice
) -> mx.array:
    """Twice the average ranks of some sparse cells, int32 [places cells]."""
    first, genes = rows.start, len(zero.place)
    sizes = np.array(stop[rows]) - np.array(start[rows])
    cells, most = len(sizes), max(1, int(sizes.max()))
    stored = [_padded(part) for part in (start, stop, gene, key, zero.place)]

    def ordered(kind: mx.Dtype, which: int) -> mx.array:
        (out,) = _kernel("pysces_stored")(
            inputs=[*stored, _dims(cells, most, first, which)],
            output_shapes=[(cells + 8, most)],
            output_dtypes=[kind],
            grid=(most, cells, 1),
            threadgroup=_GROUP,
        )
        return _padded(mx.sort(out[:cells], axis=1))

    keys, places = ordered(mx.int64, 0), ordered(mx.int32, 1)
    dims = _dims(cells, genes, most, most, first, zero.present)
    own = _stored_ranks([keys, places, zero.keys, *stored, dims], genes, cells)
    dims = _dims(cells, genes, most, zero.present)
    (out,) = _kernel("pysces_ranks")(
        inputs=[keys, places, zero.keys, *zero.ties, _padded(own), dims],
        output_shapes=[(max(8, genes * cells),)],
        output_dtypes=[mx.int32],
        grid=(cells, -(-genes // source.RANKS_PLACES), 1),
        threadgroup=_GROUP,
    )
    return out[: genes * cells].reshape(genes, cells)


def _stored_ranks(inputs: list[mx.array], genes: int, cells: int) -> mx.array:
    (out,) = _kernel("pysces_stored_ranks")(
        inputs=inputs,
        output_shapes=[(max(8, genes * cells),)],
        output_dtypes=[mx.int32],
        grid=(source.CELL_LANES, cells, 1),
        threadgroup=_GROUP,
    )
    return out[: genes * cells].reshape(genes, cells)


def area_sums(
    ranks: mx.array,
    max_rank_deviation: mx.array,
    table_start: mx.array,
    quantiles: Double,
    indptr: mx.array,
    targets: mx.array,
    real: mx.array,
    whole: mx.array,
) -> list[mx.array]:
    """Number of values of each cell, and the five sums of the kernel, int64 [cells regulons].

    ranks: [genes cells]. real: pairs of the weights of both parts [4 edges]. whole: likelihoods,
    their squares, and places by decreasing likelihood [3 edges].
    """
    cells, regulons = ranks.shape[1], len(indptr) - 1
    present = ranks > 0
    known = mx.sum(present, axis=0).astype(mx.int32)
    middle = known + 1
    lowest = mx.min(mx.where(present, ranks, 1 << 30), axis=0)
    own = mx.where(known > 0, mx.maximum(mx.max(ranks, axis=0) - middle, middle - lowest), 0)
    largest = mx.where(max_rank_deviation < 0, own, max_rank_deviation)
    places = mx.stack([middle, middle - largest]).astype(mx.int64)
    given = [
        ranks,
        mx.concatenate([places.reshape(-1), table_start]),
        mx.concatenate([quantiles.hi, quantiles.lo]),
        *(indptr, targets, real, whole),
    ]
    (out,) = _kernel("pysces_area")(
        inputs=[*map(_padded, given), _dims(cells, regulons, len(targets), len(quantiles.hi))],
        output_shapes=[(5, max(2, cells * regulons))],
        output_dtypes=[mx.int64],
        grid=(cells, regulons, 1),
        threadgroup=_GROUP,
    )
    return [known, *(part.reshape(cells, regulons) for part in out[:, : cells * regulons])]


def _padded(values: mx.array) -> mx.array:
    """A flat array of at least 8 elements: Metal treats shorter inputs as another kind."""
    flat = values.reshape(-1)
    return mx.pad(flat, (0, 8 - flat.shape[0])) if flat.shape[0] < 8 else flat
