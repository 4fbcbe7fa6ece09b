"""The bodies of the hand-written GPU kernels, compiled by g++ and run a thread at a time."""

from __future__ import annotations

import ctypes
import shutil
import subprocess

import numpy as np
import pytest
from pysces.kernels.python import dpi as reference_dpi
from pysces.kernels.python import mi as reference_mi

from pysces.aracne._partition import partition

mx = pytest.importorskip("mlx.core", reason="the kernels' sources are in the MLX engine")

HEADER = """
#define POPC(v) __builtin_popcount(v)
#define CTZ(v) __builtin_ctz(v)
#define GX gx
#define GY gy
#define LONG long long
"""
# Threads past the grid are started, as CUDA does.
ADAPTIVE_MAIN = """
static void thread(const unsigned* xp, const unsigned* yp, const long long* log_width,
    const long long* n_log_n, const int* dims, long long* out, unsigned gx, unsigned gy) {%s}
extern "C" void run(const unsigned* xp, const unsigned* yp, const long long* log_width,
    const long long* n_log_n, const int* dims, long long* out) {
    for (int y = 0; y < dims[6] + 3; ++y) for (int x = 0; x < dims[1] + 5; ++x)
        thread(xp, yp, log_width, n_log_n, dims, out, x, y);
}
"""
MAX_MIN_MAIN = """
static void thread(const long long* between, const long long* network, const int* dims,
    long long* out, unsigned gx, unsigned gy) {%s}
extern "C" void run(const long long* between, const long long* network, const int* dims,
    long long* out) {
    for (int y = 0; y < dims[4] / 8 + 3; ++y) for (int x = 0; x < dims[2] + 5; ++x)
        thread(between, network, dims, out, x, y);
}
"""
COPULA_ARGUMENTS = """const float* first, const float* second, const float* third,
    const float* x_terms, const float* y_terms, const long long* own, const long long* starts,
    const int* dims, const float* real, long long* out"""
COPULA_MAIN = (
    "static void thread(" + COPULA_ARGUMENTS + ", unsigned gx, unsigned gy) {%s}\n"
    'extern "C" void run(' + COPULA_ARGUMENTS + ") {"
    """
    for (int y = 0; y < dims[1] / 64 + 3; ++y) for (int x = 0; x < dims[0] + 5; ++x)
        thread(first, second, third, x_terms, y_terms, own, starts, dims, real, out, x, y);
}
"""
)
PACK_ARGUMENTS = "const int* ranks, const unsigned* paths, const int* dims, unsigned* out"
PACK_MAIN = (
    "static void thread(" + PACK_ARGUMENTS + ", unsigned gx, unsigned gy) {%s}\n"
    'extern "C" void run(' + PACK_ARGUMENTS + ") {"
    """
    for (int y = 0; y < dims[2] * dims[3] + 3; ++y) for (int x = 0; x < dims[0] + 5; ++x)
        thread(ranks, paths, dims, out, x, y);
}
"""
)
LIMIT_ARGUMENTS = """const long long* mi, const long long* starts, const int* dims,
    const long long* limit, long long* out"""
LIMIT_MAIN = (
    "static void thread(" + LIMIT_ARGUMENTS + ", unsigned gx, unsigned gy) {%s}\n"
    'extern "C" void run(' + LIMIT_ARGUMENTS + ") {"
    """
    for (int y = 0; y < dims[0] + 3; ++y) for (int x = 0; x < dims[1] / 64 + 5; ++x)
        thread(mi, starts, dims, limit, out, x, y);
}
"""
)
PAIR_ARGUMENTS = """const signed char* x, const signed char* y, const int* row, const int* gene,
    const int* dims, long long* out"""
PAIR_MAIN = (
    "static void thread(" + PAIR_ARGUMENTS + ", unsigned gx, unsigned gy) {%s}\n"
    'extern "C" void run(' + PAIR_ARGUMENTS + ") {"
    """
    for (int y_ = 0; y_ < 2; ++y_) for (int x_ = 0; x_ < 32 * dims[0] + 70; ++x_)
        thread(x, y, row, gene, dims, out, x_, y_);
}
"""
)
PRUNE_ARGUMENTS = """const int* row, const int* gene, const long long* mi, const int* asked,
    const int* row_regulator, const long long* row_mi, const int* row_start,
    const int* gene_regulator, const long long* gene_mi, const int* gene_start, const int* dims,
    const long long* fraction, int* out"""
PRUNE_MAIN = (
    "static void thread(" + PRUNE_ARGUMENTS + ", unsigned gx, unsigned gy) {%s}\n"
    'extern "C" void run(' + PRUNE_ARGUMENTS + ") {"
    """
    for (int y = 0; y < 3; ++y) for (int x = 0; x < dims[0] + 5; ++x)
        thread(row, gene, mi, asked, row_regulator, row_mi, row_start, gene_regulator, gene_mi,
               gene_start, dims, fraction, out, x, y);
}
"""
)


def _compiled(folder, name, main, body):
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("g++ is not installed")
    source, library = folder / f"{name}.cpp", folder / f"{name}.so"
    source.write_text(HEADER + main % body)
    flags = ["-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-fsanitize=undefined",
             "-fsanitize-undefined-trap-on-error"]  # fmt: skip
    subprocess.run([compiler, *flags, str(source), "-o", str(library)], check=True)
    return ctypes.CDLL(str(library)).run


def _call(function, *arrays):
    function(*(array.ctypes.data_as(ctypes.c_void_p) for array in arrays))


@pytest.fixture(scope="module")
def adaptive(tmp_path_factory):
    from pysces.kernels.mlx import _gpu_source

    folder = tmp_path_factory.mktemp("adaptive")
    return _compiled(folder, "adaptive", ADAPTIVE_MAIN, _gpu_source.ADAPTIVE_BODY)


@pytest.fixture(scope="module")
def max_min(tmp_path_factory):
    from pysces.kernels.mlx import _gpu_source

    return _compiled(tmp_path_factory.mktemp("dpi"), "dpi", MAX_MIN_MAIN, _gpu_source.MAX_MIN_BODY)


@pytest.fixture(scope="module")
def copula(tmp_path_factory):
    from pysces.kernels.mlx import _gpu_source

    folder = tmp_path_factory.mktemp("copula")
    return _compiled(folder, "copula", COPULA_MAIN, _gpu_source.COPULA_BODY)


@pytest.fixture(scope="module")
def prune(tmp_path_factory):
    from pysces.kernels.mlx import _gpu_source

    return _compiled(tmp_path_factory.mktemp("prune"), "prune", PRUNE_MAIN, _gpu_source.PRUNE_BODY)


def _ranks(rng, rows, n):
    """Genes of which half depend on a common cause."""
    values = rng.normal(size=(rows, n))
    values[: rows // 2] += 3 * rng.normal(size=n)
    return (values.argsort(1).argsort(1) + 1).astype(np.int32)


@pytest.mark.parametrize("estimator", ["adaptive", "adaptive-dyadic"])
@pytest.mark.parametrize("n", [4, 5, 7, 31, 32, 33, 64, 100, 200, 333])
def test_adaptive_body_equals_the_reference(adaptive, estimator, n):
    from pysces.kernels.mlx import _gpu
    from pysces.kernels.mlx._planes import pack, path_of_ranks

    rng = np.random.default_rng(n)
    x, y = _ranks(rng, 5, n), _ranks(rng, 9, n)
    y[0], y[1] = x[0], n + 1 - x[0]
    tables = partition(estimator, n).tables
    levels = tables["split"].shape[0].bit_length() - 1
    paths = path_of_ranks(tables["split"], n)
    planes = [np.ascontiguousarray(pack(mx.array(a), mx.array(paths), levels)) for a in (x, y)]
    out = np.full((len(x), len(y)), -1, dtype=np.int64)
    for first, many in ((0, 3), (3, 2)):  # two launches, as on a device
        dims = _gpu.adaptive_dims(planes[0].shape, len(y), paths, tables["min_count"], first, many)
        part = out[first : first + many]
        _call(adaptive, *planes, tables["log_width"], tables["n_log_n"], dims, part)
    np.testing.assert_array_equal(out, reference_mi.adaptive_mi(x, y, **tables))


def test_max_min_body_equals_the_reference(max_min):
    rng = np.random.default_rng(1)
    rows, regulators, genes = 19, 7, 23
    between = rng.integers(0, 2**50, (rows, regulators))
    network = rng.integers(0, 2**50, (regulators, genes))
    out = np.empty((rows, genes), dtype=np.int64)
    for first, many in ((0, 16), (16, 3)):
        dims = np.array([rows, regulators, genes, first, many, 0, 0, 0], dtype=np.int32)
        _call(max_min, between, network, dims, out[first : first + many])
    expected = np.minimum(between[:, :, None], network).max(axis=1)
    np.testing.assert_array_equal(out, expected)
    edges = rng.integers(0, 2**50, (rows, genes))
    np.testing.assert_array_equal(
        ~(edges < out), reference_dpi.dpi(edges, between, network, 1 << 30)
    )


def _screened_by_body(copula, products, x_terms, y_terms, own, n, limit, lack=0):
    """Both launches of `_gpu.copula_screen`: count, then write as far as there is room."""
    genes, rows = products[0].shape
    degree = 1 if len(products) == 1 else 2
    first, second, third = products if degree == 2 else [products[0]] * 3
    real = np.array([n, limit, 2.0**-21, 0, 0, 0, 0, 0], dtype=np.float32)
    blocks = -(-genes // 64)
    dims = np.array([rows, genes, degree, 0, 0, 0, 0, 0], dtype=np.int32)
    counts = np.full(rows * blocks + 1, -7, dtype=np.int64)
    given = [first, second, third, x_terms, y_terms, own]
    _call(copula, *given, np.zeros(8, dtype=np.int64), dims, real, counts)
    assert counts[-1] == -7  # nothing is written past the end
    counts = counts[:-1]
    room = max(1, int(counts.sum()) - lack)
    dims[3] = room
    found = np.full((room + 1, 2 + len(products)), -7, dtype=np.int64)
    _call(copula, *given, np.cumsum(counts) - counts, dims, real, found)
    assert (found[-1] == -7).all()
    found = found[: min(room, int(counts.sum()))]
    return found[:, 0], found[:, 1], list(found[:, 2:].T)


@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize(("rows", "genes"), [(1, 1), (3, 64), (9, 65), (17, 200)])
def test_copula_body_equals_the_array_operations(copula, degree, rows, genes):
    from pysces.kernels.mlx import _arrays

    rng = np.random.default_rng(rows * genes + degree)
    many = 1 if degree == 1 else 3
    products = [rng.integers(-900, 900, (genes, rows)).astype(np.float32) for _ in range(many)]
    x_terms = rng.normal(size=(2 * degree, rows)).astype(np.float32)
    y_terms = rng.normal(size=(2 * degree, genes)).astype(np.float32)
    x_terms[1, 0] = 0  # a row without variance, or not usable
    own = rng.integers(-1, genes, rows)
    n, limit = 50, 1e4
    row, gene, sums = _screened_by_body(copula, products, x_terms, y_terms, own, n, limit)
    given = [mx.array(p) for p in products], x_terms, y_terms, own, n, limit
    right = _arrays.copula_screen(*given)()
    np.testing.assert_array_equal(row, right[0])
    np.testing.assert_array_equal(gene, right[1])
    for one, two in zip(sums, right[2], strict=True):
        np.testing.assert_array_equal(one, two)
    if len(row) > 3:
        given = products, x_terms, y_terms, own, n, limit
        fewer = _screened_by_body(copula, *given, lack=3)
        np.testing.assert_array_equal(fewer[0], row[:-3])
    assert not (own[row] == gene).any()
    if rows > 3:
        assert 0 < len(row) < rows * genes


@pytest.mark.parametrize("degree", [1, 2])
def test_the_screen_misses_no_edge_of_the_reference(copula, degree):
    """Pairs that the body lets pass hold all whose mutual information reaches the threshold."""
    from pysces.kernels._copula import moments, share_of
    from pysces.kernels.mlx import copula as engine
    from pysces.kernels.python import copula as reference

    rng = np.random.default_rng(3)
    n = 70
    z = rng.normal(size=(90, n))
    z[:45] += rng.normal(size=n)
    terms = [np.clip(np.rint(30 * h), -127, 127) for h in (z, z * z - 1)[:degree]]
    scores = np.stack(terms, axis=1).astype(np.int8)
    x = np.ascontiguousarray(scores[::9])
    mi = reference.copula_mi(x, scores, degree)
    threshold = int(np.sort(mi.ravel())[-200])
    everything = np.ones(n, dtype=np.uint8)
    good = np.ones(90, dtype=bool)
    x_terms = engine.screen_terms(moments(x, everything, degree), good[:10], n, degree)
    y_terms = engine.screen_terms(moments(scores, everything, degree), good, n, degree)
    pairs = [(0, 0), (0, 1), (1, 0)][: 1 if degree == 1 else 3]  # of gene and of row
    whole = scores.astype(np.float64)
    products = [(whole[:, i] @ whole[::9, j].T).astype(np.float32) for i, j in pairs]
    limit = share_of(threshold) * (1 - engine._SLACK)
    own = np.full(10, -1)
    row, gene, _ = _screened_by_body(copula, products, x_terms, y_terms, own, n, limit)
    passed = set(zip(row.tolist(), gene.tolist(), strict=True))
    wanted = set(zip(*(part.tolist() for part in np.nonzero(mi >= threshold)), strict=True))
    assert wanted <= passed
    assert len(passed) < len(wanted) + 10


@pytest.mark.parametrize("n", [4, 31, 32, 33, 200])
def test_pack_body_equals_the_array_operations(tmp_path, n):
    from pysces.kernels.mlx import _gpu_source
    from pysces.kernels.mlx._planes import pack, path_of_ranks, words

    run = _compiled(tmp_path, "pack", PACK_MAIN, _gpu_source.PACK_BODY)
    ranks = _ranks(np.random.default_rng(n), 7, n)
    split = partition("adaptive", n).tables["split"]
    levels, paths = split.shape[0].bit_length() - 1, path_of_ranks(split, n)
    out = np.full((levels, words(n), 7), 7, dtype=np.uint32)
    dims = np.array([7, n, levels, words(n), 0, 0, 0, 0], dtype=np.int32)
    _call(run, ranks, paths, dims, out)
    np.testing.assert_array_equal(out, pack(mx.array(ranks), mx.array(paths), levels))


@pytest.mark.parametrize(("rows", "genes"), [(1, 1), (3, 64), (9, 65), (4, 300)])
def test_limit_body_finds_the_pairs_in_order(tmp_path, rows, genes):
    from pysces.kernels.mlx import _gpu_source

    run = _compiled(tmp_path, "limit", LIMIT_MAIN, _gpu_source.LIMIT_BODY)
    mi = np.random.default_rng(genes).integers(0, 2**40, (rows, genes))
    limit = np.full(8, int(np.median(mi)), dtype=np.int64)
    blocks = -(-genes // 64)
    counts = np.full(rows * blocks + 1, -7, dtype=np.int64)
    dims = np.array([rows, genes, 0, 0, 0, 0, 0, 0], dtype=np.int32)
    _call(run, mi, np.zeros(8, dtype=np.int64), dims, limit, counts)
    assert counts[-1] == -7
    place = np.flatnonzero(mi.ravel() >= limit[0])
    assert counts[:-1].sum() == len(place)
    starts = np.cumsum(counts[:-1]) - counts[:-1]
    for room in {len(place), max(1, len(place) - 2)}:
        dims[2] = room
        found = np.full((room + 1, 2), -7, dtype=np.int64)
        _call(run, mi, starts, dims, limit, found)
        assert (found[-1] == -7).all()
        np.testing.assert_array_equal(found[:-1, 0], place[:room])
        np.testing.assert_array_equal(found[:-1, 1], mi.ravel()[place[:room]])


@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize("samples", [1, 31, 32, 33, 200])
def test_pair_body_equals_the_sums(tmp_path, degree, samples):
    from pysces.kernels.mlx import _gpu_source

    run = _compiled(tmp_path, "pairs", PAIR_MAIN, _gpu_source.PAIR_BODY)
    rng = np.random.default_rng(samples)
    x, y = (rng.integers(-127, 128, (k, 2 * degree, samples)).astype(np.int8) for k in (4, 7))
    row, gene = (part.astype(np.int32) for part in np.divmod(np.arange(28), 7))
    terms = [(0, 0), (1, 0), (0, 1)][: 1 if degree == 1 else 3]
    for first in (0, degree):
        out = np.full((len(terms), 28, 32), -7, dtype=np.int64)
        dims = np.array([28, 2 * degree, samples, first, len(terms), 0, 0, 0], dtype=np.int32)
        _call(run, x, y, row, gene, dims, out)
        for sums, (i, j) in zip(out.sum(axis=2), terms, strict=True):
            products = x[row, first + i].astype(np.int64) * y[gene, first + j]
            np.testing.assert_array_equal(sums, products.sum(axis=1))


@pytest.mark.parametrize("kept", [1.0, 0.85, 0.0])
@pytest.mark.parametrize("top", [4, 2**50, 2**61])
@pytest.mark.parametrize("density", [0.2, 1.0])
def test_prune_body_equals_the_reference(prune, density, top, kept):
    from pysces.kernels.mlx import _gpu

    rng = np.random.default_rng(7)
    regulators, rows, genes = 9, 14, 60
    network = rng.integers(1, top, (rows, genes))
    network[rng.random(network.shape) > density] = 0
    network[np.arange(regulators), np.arange(regulators)] = 0
    row, gene = (part.astype(np.int32) for part in np.nonzero(network))
    order = rng.permutation(len(row))
    row, gene = row[order], gene[order]
    partner = np.concatenate([np.arange(regulators), np.full(genes - regulators, -1)])
    asked = rng.permutation(len(row))[: len(row) // 2]
    mi, fraction = network[row, gene], round(kept * 2**30)
    lists = _gpu.edge_lists(row, gene, mi, partner.astype(np.int32), asked, regulators)
    dims = np.array([len(asked), 0, 0, 0, 0, 0, 0, 0], dtype=np.int32)
    out = np.full(len(asked) + 1, -7, dtype=np.int32)
    lists = [np.ascontiguousarray(part) for part in lists]
    _call(prune, *lists, dims, np.full(8, fraction, dtype=np.int64), out)
    assert out[-1] == -7
    wanted = reference_dpi.prune_edges(
        row, gene, mi, partner.astype(np.int32), asked, regulators, fraction
    )
    np.testing.assert_array_equal(out[:-1] > 0, wanted)
    if kept and density == 1.0:
        assert 0 < wanted.sum() < len(wanted)
