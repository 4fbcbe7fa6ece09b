"""Threads only where they are safe, and arithmetic of pairs of float32."""

from __future__ import annotations

import importlib
import math
import threading

import numpy as np
import pytest


def test_serial_twin_and_threads_agree(dependent):
    module = importlib.import_module("pysces.kernels.numba.dpi")
    ranks = dependent(np.random.default_rng(6), 40, 100).astype(np.int64)
    arguments = (ranks, ranks[:, :40], ranks[:40], 1 << 30)
    threaded, serial = module.dpi.threaded(*arguments), module.dpi.serial(*arguments)
    np.testing.assert_array_equal(threaded, serial)
    assert 0 < serial.sum() < serial.size
    found = []
    worker = threading.Thread(target=lambda: found.append(module.dpi(*arguments)))
    worker.start()
    worker.join()
    np.testing.assert_array_equal(found[0], serial)


def test_a_product_along_a_graph_is_the_same_in_threads():
    step = importlib.import_module("pysces.kernels.numba.graph")._step
    rng = np.random.default_rng(7)
    ends = np.arange(0, 1001, 10, dtype=np.int64)
    edges = rng.integers(0, 100, size=1000).astype(np.int32), rng.normal(size=1000)
    values = rng.normal(size=(2, 100, 3))
    arguments = (ends, *edges, *values, 0.5, 0.3, -0.2)
    np.testing.assert_array_equal(step.threaded(*arguments), step.serial(*arguments))


@pytest.mark.parametrize(
    ("threads", "total", "smallest"), [(1, 9, 2), (3, 100, 2), (4, 7, 9), (2, 0, 1)]
)
def test_parts_on_threads_cover_everything_once(monkeypatch, threads, total, smallest):
    jit = importlib.import_module("pysces.kernels.numba._jit")
    monkeypatch.setattr(jit.numba, "get_num_threads", lambda: threads)
    done = np.zeros(total, int)

    def work(begin, end):
        done[begin:end] += 1
        if end == 100:
            raise ArithmeticError("planted")

    if total == 100:
        with pytest.raises(ArithmeticError, match="planted"):
            jit.on_threads(work, total, smallest)
    else:
        jit.on_threads(work, total, smallest)
    assert (done == 1).all()


def test_ranks_do_not_depend_on_the_parts(monkeypatch):
    jit = importlib.import_module("pysces.kernels.numba._jit")
    ranks = importlib.import_module("pysces.kernels.numba.ranks")
    rng = np.random.default_rng(8)
    values = rng.poisson(1.0, (700, 90)) + 0.0
    keys = rng.integers(0, 2**63, 700).astype(np.uint64)
    found = []
    for threads in (1, 3):
        monkeypatch.setattr(jit.numba, "get_num_threads", lambda threads=threads: threads)
        found.append((ranks.ordinal_ranks(values, keys, False), ranks.average_ranks(values)))
    np.testing.assert_array_equal(found[0], found[1])


def test_threads_are_started_only_where_that_is_safe(monkeypatch):
    jit = importlib.import_module("pysces.kernels.numba._jit")
    monkeypatch.setattr(jit.numba, "get_num_threads", lambda: 2)
    assert jit.may_start_threads()

    def in_a_worker():
        found = []
        worker = threading.Thread(target=lambda: found.append(jit.may_start_threads()))
        worker.start()
        worker.join()
        return found[0]

    for layer, safe in (("tbb", True), ("omp", True), ("workqueue", False)):
        monkeypatch.setattr(jit.numba, "threading_layer", lambda layer=layer: layer)
        assert in_a_worker() is safe
    monkeypatch.setattr(jit.os, "getpid", lambda: -1)  # as in a forked child
    assert not jit.may_start_threads()


def test_double_arithmetic_keeps_its_error_bounds():
    mx = pytest.importorskip("mlx.core", reason="MLX is not installed")
    double = importlib.import_module("pysces.kernels.mlx._double")
    rng = np.random.default_rng(7)
    a, b = rng.normal(size=(2, 1000)) * 10.0 ** rng.integers(-8, 8, (2, 1000))
    x, y = double.from_numpy(a), double.from_numpy(b)
    a, b = double.to_numpy(x), double.to_numpy(y)
    u = 2.0**-24
    for ours, exact, bound in (
        (double.add(x, y), a + b, 3 * u**2 + 13 * u**3),
        (double.subtract(x, y), a - b, 3 * u**2 + 13 * u**3),
        (double.multiply(x, y), a * b, 8 * u**2),
        (double.divide(x, y), a / b, 16 * u**2),
    ):
        error = np.abs(double.to_numpy(ours) - exact)
        assert (error <= bound * np.abs(exact) + 2.0**-52 * np.abs(exact)).all()
    total = double.to_numpy(double.sum(x, axis=0))
    assert abs(total - math.fsum(a)) <= 3 * u**2 * 10 * np.abs(a).sum()
    whole = mx.array(np.array([2**45 + 1, -7, 0]))
    assert double.to_numpy(double.from_int(whole)).tolist() == [2**45 + 1, -7, 0]
