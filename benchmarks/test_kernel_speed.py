"""Pairs (or rows) a second of the compiled ARACNe kernels, on one core and on all, in detail.

Sample sizes, dependence, bins and densities; every kernel on every engine is in
test_every_kernel.py.

Run with ``pytest benchmarks/test_kernel_speed.py --benchmark-enable -s``. The numbers are the
fastest of several runs: other load on the machine only ever slows a run.
"""

from __future__ import annotations

import numba
import numpy as np
import pytest
from pysces.kernels.numba import dpi, mi, ranks

from pysces.aracne._partition import c_log_c, partition
from pysces.benchmarking.inputs import dependent_ranks, edges, independent_ranks

THREADS = sorted({1, numba.config.NUMBA_NUM_THREADS})


@pytest.fixture(params=THREADS, ids=lambda n: f"{n} threads")
def threads(request):
    before = numba.get_num_threads()
    numba.set_num_threads(request.param)
    yield request.param
    numba.set_num_threads(before)


@pytest.fixture
def rate(benchmark, request):
    """Time a call and print how many units of work it does a second."""

    def run(function, units, unit):
        function()  # compiled before it is timed
        benchmark.pedantic(function, rounds=7)
        if benchmark.stats is not None:
            rate = units / benchmark.stats.stats.min / 1e6
            benchmark.extra_info[f"M {unit}/s"] = rate
            print(f"\n{request.node.name}: {rate:.3g} M {unit}/s")

    return run


@pytest.mark.parametrize("make", [independent_ranks, dependent_ranks])
@pytest.mark.parametrize("n", [100, 200, 333, 1000])
def test_adaptive_mi(rate, threads, n, make):
    rng = np.random.default_rng(n)
    x, y = make(rng, 64, n), make(rng, 5000, n)
    tables = partition("adaptive", n).tables.values()
    rate(lambda: mi.adaptive_mi(x, y, *tables), 64 * 5000, "pairs")


@pytest.mark.parametrize(("n", "n_bins"), [(1000, 10), (50_000, 5), (50_000, 10), (50_000, 20)])
def test_binned_mi(rate, threads, n, n_bins):
    rng = np.random.default_rng(n)
    x, y = (rng.integers(0, n_bins, (rows, n)).astype(np.uint8) for rows in (40, 100))
    rate(lambda: mi.binned_mi(x, y, n_bins, c_log_c(n), 0), 40 * 100, "pairs")


@pytest.mark.parametrize("kind", ["continuous", "counts"])
@pytest.mark.parametrize("n", [126, 200, 1000, 20_000])
def test_ordinal_ranks(rate, threads, n, kind):
    rng = np.random.default_rng(n)
    rows = 2_000_000 // n
    values = rng.normal(size=(rows, n))
    if kind == "counts":
        values = rng.poisson(0.3, (rows, n)).astype(float)
    keys = np.arange(rows, dtype=np.uint64)
    rate(lambda: ranks.ordinal_ranks(values, keys, True), rows, "rows")


@pytest.mark.parametrize("kind", ["continuous", "counts"])
def test_average_ranks(rate, threads, kind):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(100, 20_000))
    if kind == "counts":
        values = rng.poisson(0.2, values.shape).astype(float)
    rate(lambda: ranks.average_ranks(values), 100, "rows")


@pytest.mark.parametrize("density", [0.05, 1.0])
def test_dpi(rate, threads, density):
    rng = np.random.default_rng(0)
    regulators, genes = 600, 6000
    network, between = edges(rng, regulators, genes, density)
    units = regulators * regulators * genes
    rate(lambda: dpi.dpi(network, between, network, 1 << 30), units, "triangles")
