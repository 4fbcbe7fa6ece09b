"""Check and time the GPU kernels of ARACNe on the default MLX device.

Compared with the Numba engine, or with the Python engine where there is no Numba.

Run from the top of a checkout: ``python benchmarks/gpu.py [--pairs 36e6] [--repeats 5]``.
Each line says whether the numbers are equal to the bit, and the median of several runs on fresh
random input: pairs (or triangles) a second, packing of bit planes included and apart.
"""

from __future__ import annotations

import argparse
import importlib
import os
import statistics
import sys
import time
from pathlib import Path

os.environ["MLX_ENABLE_TF32"] = "0"
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import mlx.core as mx
import numpy as np

from pysces.aracne._partition import partition
from pysces.benchmarking import inputs


def reference(file):
    """The same file of a compiled engine, or of the reference."""
    try:
        return importlib.import_module(f"pysces.kernels.numba.{file}")
    except ImportError:
        return importlib.import_module(f"pysces.kernels.python.{file}")


def timed(run):
    """Seconds until the result of run() is there."""
    mx.synchronize()
    begin = time.perf_counter()
    mx.eval(run())
    mx.synchronize()
    return time.perf_counter() - begin


def check_adaptive(rng, n, make, pairs, repeats):
    gpu, planes = (importlib.import_module(f"pysces.kernels.mlx.{m}") for m in ("_gpu", "_planes"))
    engine = importlib.import_module("pysces.kernels.mlx.mi")
    compiled = reference("mi")
    table = partition("adaptive", n)
    tables = [mx.array(v) if isinstance(v, np.ndarray) else v for v in table.tables.values()]

    x, y = make(rng, 40, n), make(rng, 500, n)
    y[:3] = x[:3]
    ours = np.array(engine.adaptive_mi(mx.array(x), mx.array(y), *tables))
    equal = np.array_equal(ours, compiled.adaptive_mi(x, y, *table.tables.values()))

    regulators = max(1, round((pairs * 0.09) ** 0.5))
    genes = max(1, round(pairs / regulators))
    levels = table.split.shape[0].bit_length() - 1
    paths = planes.path_of_ranks(table.split, n)
    whole, apart = [], []
    for _ in range(repeats):
        x, y = mx.array(make(rng, regulators, n)), mx.array(make(rng, genes, n))
        mx.eval(x, y)
        whole.append(timed(lambda x=x, y=y: engine.adaptive_mi(x, y, *tables)))
        if gpu.custom_kernels() is True:
            xp, yp = (planes.pack(side, mx.array(paths), levels) for side in (x, y))
            mx.eval(xp, yp)
            arguments = (xp, yp, paths, *tables[1:])
            apart.append(timed(lambda a=arguments: gpu.adaptive_mi(*a)))
    rates = [regulators * genes / statistics.median(t) / 1e6 for t in (whole, apart) if t]
    print(
        f"adaptive_mi n={n:5d} {make.__name__:17s} equal={equal}  {regulators} x {genes}: "
        + ", kernel alone ".join(f"{rate:,.1f} M pairs/s" for rate in rates),
        flush=True,
    )
    return equal


def check_dpi(rng, rows, genes, density, repeats):
    engine = importlib.import_module("pysces.kernels.mlx.dpi")
    compiled = reference("dpi")

    def network(rows, genes):
        return inputs.edges(rng, rows, genes, density)

    kept = round(0.85 * 2**30)
    edges, between = network(60, 700)
    ours = engine.dpi(mx.array(edges), mx.array(between), mx.array(edges), kept)
    equal = np.array_equal(np.array(ours), compiled.dpi(edges, between, edges, kept))
    times = []
    for _ in range(repeats):
        edges, between = (mx.array(a) for a in network(rows, genes))
        mx.eval(edges, between)
        times.append(timed(lambda e=edges, b=between: engine.dpi(e, b, e, kept)))
    rate = rows * rows * genes / statistics.median(times) / 1e9
    print(
        f"dpi density={density} equal={equal}  {rows} x {rows} x {genes}: "
        f"{statistics.median(times) * 1e3:.1f} ms, {rate:,.2f} G triangles/s",
        flush=True,
    )
    return equal


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=float, default=36e6, help="pairs to time adaptive_mi on")
    parser.add_argument("--regulators", type=int, default=1800, help="regulators to time dpi on")
    parser.add_argument("--genes", type=int, default=20_000, help="genes to time dpi on")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    gpu = importlib.import_module("pysces.kernels.mlx._gpu")
    begin = time.perf_counter()
    answer = gpu.custom_kernels()
    print(f"MLX on {mx.default_device()}: hand-written kernels: {answer}")
    print(f"compiled and checked in {time.perf_counter() - begin:.1f} s")
    rng = np.random.default_rng(os.getpid())
    equal = True
    for n in (100, 200, 333, 1000):
        for make in (inputs.independent_ranks, inputs.dependent_ranks):
            equal &= check_adaptive(rng, n, make, options.pairs, options.repeats)
    for density in (0.1, 1.0):
        equal &= check_dpi(rng, options.regulators, options.genes, density, options.repeats)
    print("all equal" if equal else "NOT EQUAL")
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
