"""Every declared kernel and every workflow, on every engine that is here, on growing data.

``pytest benchmarks/test_every_kernel.py --benchmark-enable --benchmark-group-by=param:name``
What is timed, and on what, is that of ``pysces benchmark`` (benchmarks/speed): nothing is
listed here. Sizes: ``PYSCES_BENCHMARK_SIZES=small`` (default), ``medium`` or ``large``. The Python
engine stops where a call would take over two seconds. Results are compared before times.
"""

from __future__ import annotations

import os
import time
from functools import partial

import pytest
from speed.run import SIZES, SLOWEST_CALL
from speed.series import all_series

import pysces

SERIES = all_series()
RUNG_NUMBERS = range(SIZES[os.environ.get("PYSCES_BENCHMARK_SIZES", "small")])
ENGINES = [row.engine for row in pysces.status().engines if row.available]


@pytest.fixture(autouse=True)
def _quiet():
    before = pysces.settings.verbosity
    pysces.settings.verbosity = "silent"
    yield
    pysces.settings.verbosity = before


def seconds(run) -> float:
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


@pytest.mark.parametrize("rung", RUNG_NUMBERS)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", SERIES)
def test_speed(benchmark, name: str, engine: str, rung: int) -> None:
    series = SERIES[name]
    if engine in series.unsupported:
        pytest.skip(f"{engine} has no {name}")
    if rung:
        before = series.job(rung - 1)
        before.run(engine)
        growth = series.job(rung).units / before.units
        if seconds(partial(before.run, engine)) * growth > SLOWEST_CALL:
            pytest.skip(f"over {SLOWEST_CALL:g} s at this size")
    job = series.job(rung)
    found = job.run(engine)
    if engine != "python" and rung == 0:
        fault, _ = job.compare(found, job.run("python"))
        assert fault == ""
    benchmark.pedantic(job.run, (engine,), rounds=5)
    benchmark.extra_info |= {"size": job.size, "units": job.units, "unit": job.unit}
