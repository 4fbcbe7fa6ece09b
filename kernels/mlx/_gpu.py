"""Hand-written GPU kernels (`_gpu_source.py`): whether they can be used, and their launches."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from . import _arrays
from . import _gpu_source as source
from ._planes import pack as pack_in_arrays
from ._planes import path_of_ranks, words

ROWS = 256  # regulators per launch: the watchdog of a display ends launches that run for seconds
_GROUP = (128, 1, 1)
_PAIRS_TOGETHER = 1 << 18


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


_TRIALS: dict[str, Callable[[np.random.Generator], bool]] = {
    "adaptive_mi": _try_adaptive,
    "adaptive_edges": _try_limit,
    "dpi": _try_max_min,
    "copula_edges": _try_screen,
    "copula_pairs": _try_pairs,
    "prune_edges": _try_prune,
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


def _padded(values: mx.array) -> mx.array:
    """A flat array of at least 8 elements: Metal treats shorter inputs as another kind."""
    flat = values.reshape(-1)
    return mx.pad(flat, (0, 8 - flat.shape[0])) if flat.shape[0] < 8 else flat
