"""The bodies of the hand-written GPU kernels, compiled by g++ and run a thread at a time."""

from __future__ import annotations

import ctypes
import shutil
import subprocess

import numpy as np
import pytest
from pysces.kernels.python import dpi as reference_dpi
from pysces.kernels.python import mi as reference_mi

from pysces.aracne.estimators import partition

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
