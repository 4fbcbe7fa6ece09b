"""How fast each engine is on each kernel and workflow: :func:`benchmark`."""

from __future__ import annotations

import contextlib
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from pysces._checks import check_integer, check_number, check_one_of
from pysces._version import __version__
from pysces.dispatch import engines as dispatch_engines
from pysces.errors import InputError
from pysces.settings import settings
from speed import measure
from speed import peers as peer_programs
from speed.report import BenchmarkReport, Row, SeriesResult, duration
from speed.series import Job, Series, chosen_series, usable_engines, without_workload

SIZES = {"small": 3, "medium": 4, "large": 6}  # how many sizes
SECONDS = 100.0
SLOWEST_CALL = 2.0  # seconds, where sizes are given and not the time
LEAST_LIMIT = 0.05
QUICK_CALL = 0.1
WORKFLOW_WEIGHT = 3.0  # of the time of a kernel
CALLS_A_SIZE = 7  # of an engine at its largest size, all smaller sizes included


def benchmark(
    kernels: Sequence[str] | None = None,
    engines: Sequence[str] | None = None,
    *,
    workflows: Sequence[str] | None = None,
    sizes: str | None = None,
    seconds: float | None = None,
    threads: int | None = None,
    peers: bool = False,
    show: Callable[[Any], object] | None = None,
) -> BenchmarkReport:
    """Time every engine on every kernel and on whole workflows, on growing data.

    Results are compared before times are: an engine whose result differs from that of the Python
    engine gets no speed-up. Compiling is not timed. Engines take turns within one process, a time
    is the median of three to nine repeats (of one where a call takes over a second), and a larger
    size is left out where a call would take too long. Memory is the peak of resident memory during
    one call beyond what was there before (the input), the result included; of MLX on a GPU it is
    the peak on the device, copies of the input included.

    Parameters
    ----------
    kernels, workflows
        Names; all kernels and workflows if both are ``None``, else those named.
    engines
        Names; by default those that a call may choose by itself here.
    sizes
        ``"small"``, ``"medium"`` or ``"large"``: 3, 4 or 6 sizes, each about four times the work of
        the one before. An engine stops where a call would take over 2 seconds.
    seconds
        Instead of ``sizes``: about how long everything may take, compiling and other programs not
        counted; 100 by default.
    threads
        Threads of the Numba engine; all by default.
    peers
        Also time other programs on the same data, with one thread each: decoupler and
        viper-in-python (aREA), scikit-learn's gradient boosting (network inference). Those that
        aren't installed are named.
    show
        Called with each part of the result as soon as it is there, such as ``print``.

    Returns
    -------
    BenchmarkReport
        Prints as tables; ``.to_dataframe()`` has one row for each engine and size, ``.sentence``
        says what was found, its truth value whether all results agree.

    Raises
    ------
    InputError
        Unknown names, or ``sizes`` together with ``seconds``.

    Examples
    --------
    >>> report = benchmark(["rank_products"], ["python"], seconds=0.1)
    >>> report.to_dataframe()["size"][0]
    '1,000 genes x 200 samples x 256 pairs'
    >>> bool(report)
    True
    """
    limits = _Limits.of(sizes, seconds)
    if threads is not None:
        check_integer("threads", threads, 1)
    series = chosen_series(kernels, workflows)
    used, absent = usable_engines(engines)
    begin = time.perf_counter()
    with _quietly(threads):
        report = BenchmarkReport(system=_system(used), notes=[*absent, *without_workload()])
        _show(show, report.header())
        for number, one in enumerate(series):
            share = limits.share(begin + report.warm_up, series[number:])
            report.series.append(measured(one, used, limits.rungs, share))
            _show(show, report.series[-1])
        if peers:
            for comparison in peer_programs.compare(limits.rungs, limits.seconds):
                report.peers.append(comparison)
                _show(show, comparison)
    report.elapsed = time.perf_counter() - begin
    return report


def _show(show: Callable[[Any], object] | None, part: Any) -> None:
    if show is not None:
        show(part)


class _Limits:
    """How many sizes, and how long a call may take."""

    def __init__(self, rungs: int, seconds: float | None) -> None:
        self.rungs, self.seconds = rungs, seconds

    @classmethod
    def of(cls, sizes: str | None, seconds: float | None) -> _Limits:
        if sizes is not None and seconds is not None:
            raise InputError("sizes= fixes the work and seconds= the time. Pass one of them.")
        if sizes is not None:
            check_one_of("sizes", sizes, SIZES)
            return cls(SIZES[sizes], None)
        seconds = SECONDS if seconds is None else seconds
        check_number("seconds", seconds, 0, float("inf"), open_low=True)
        return cls(SIZES["large"], float(seconds))

    def share(self, begin: float, left: Sequence[Series]) -> float | None:
        """Seconds for the next series of those left, or ``None`` for no limit."""
        if self.seconds is None:
            return None
        weights = [WORKFLOW_WEIGHT if series.kind == "workflow" else 1.0 for series in left]
        remaining = max(0.0, self.seconds - (time.perf_counter() - begin))
        return remaining * weights[0] / sum(weights)


@contextlib.contextmanager
def _quietly(threads: int | None) -> Iterator[None]:
    """No progress bars, this many threads, and a folder of null distributions of its own."""
    before = settings.verbosity, settings.threads, settings._cache_dir
    with tempfile.TemporaryDirectory(prefix="pysces-benchmark-") as folder:
        settings.verbosity, settings.cache_dir = "silent", folder
        settings.threads = threads if threads is not None else settings.threads
        try:
            yield
        finally:
            settings.verbosity, settings.threads, settings._cache_dir = before


def _system(engines: Sequence[str]) -> dict[str, Any]:
    used = [dispatch_engines.choose(name) for name in engines]
    memory = "peak resident memory of one call beyond its input"
    if not measure.can_reset_peak():
        memory += ", of kernels at the largest size, in a process of its own"
    if any(engine.gpu for engine in used):
        memory += "; of the GPU: peak on the device, copies of the input included"
    return {
        "pysces": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": f"{platform.system()} {platform.machine()}",
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "engines": {engine.name: _facts(engine) for engine in used},
        "memory": memory,
        "warning": measure.load(),
    }


def _facts(engine: dispatch_engines.Engine) -> str:
    facts = dispatch_engines.record(engine)
    return f"{facts['version']}, {facts['device']}"


# --- one series -----------------------------------------------------------------------------------


def measured(
    series: Series, engines: Sequence[str], rungs: int, share: float | None = None
) -> SeriesResult:
    """One series on growing data, at most ``rungs`` sizes, in about ``share`` seconds."""
    found = SeriesResult(series.name, series.kind, series.agreement)
    able = [name for name in engines if name not in series.unsupported]
    found.notes += [f"{name} has no such kernel" for name in engines if name not in able]
    limit = SLOWEST_CALL
    if share is not None:
        limit = max(LEAST_LIMIT, share / CALLS_A_SIZE / max(1, len(able)))
    begin = time.perf_counter()
    past: dict[str, list[Row]] = {name: [] for name in able}
    for rung in range(rungs):
        # The time for making the next input, by that for all so far.
        if share is not None and rung and time.perf_counter() - begin - found.warm_up > share:
            break
        job = series.job(rung)
        ready = []
        for name in able:
            predicted = _predicted(past[name], job.units)
            if predicted <= limit:
                ready.append(name)
            else:
                found.notes.append(f"{name} stops before {job.size}: about {duration(predicted)}")
        able = ready
        if not able:
            break
        rows = _one_size(found, job, able)
        found.rows += rows
        able = [row.engine for row in rows if not row.problem]
        for row in rows:
            past[row.engine].append(row)
    if not measure.can_reset_peak():
        _memory_of_largest(found, series)
    return found


def _predicted(past: Sequence[Row], units: int) -> float:
    """Seconds of a call on so much work: on a line through the last two sizes.

    After one size alone, a call that was quick may have been all overhead.
    """
    if not past or (len(past) == 1 and past[0].seconds < QUICK_CALL):
        return 0.0
    last = past[-1]
    if len(past) == 1:
        return last.seconds * units / last.units
    slope = max(0.0, last.seconds - past[-2].seconds) / (last.units - past[-2].units)
    return last.seconds + slope * (units - last.units)


def _one_size(found: SeriesResult, job: Job, engines: Sequence[str]) -> list[Row]:
    """Compare, then time, then measure the memory."""
    first = not found.rows
    results, estimate, problems = {}, {}, {}
    for name in reversed(engines):  # a quick engine's null distribution serves a slow one
        kept: list[Any] = []
        call = partial(_keep, kept, job, name)
        try:
            estimate[name] = measure.seconds_of(call)
            if first:  # compiled now, perhaps
                found.warm_up += estimate[name]
                if estimate[name] < measure.SLOW_CALL:
                    estimate[name] = measure.seconds_of(call)
            results[name] = kept[0]
        except Exception as error:
            problems[name] = f"raised {type(error).__name__}: {error}"
    reference = next((name for name in engines if name in results), None)
    differences = {}
    for name in results:
        if name != reference:
            fault, differences[name] = job.compare(results[name], results[str(reference)])
            if fault:
                problems[name] = fault
    agree = [name for name in engines if name in results]
    results.clear()
    calls = {name: partial(job.run, name) for name in agree}
    times = measure.interleaved(calls, {n: measure.repeats_for(estimate[n]) for n in agree})
    rows = []
    for name in engines:
        peak = _peak(name, calls[name], times[name]) if name in calls else None
        seconds = times.get(name, [float("nan")])
        rows.append(
            Row(
                series=found.name, kind=found.kind, engine=name, size=job.size, units=job.units,
                unit=job.unit, seconds=statistics.median(seconds), fastest=min(seconds),
                slowest=max(seconds), repeats=len(times.get(name, ())),
                bytes=peak,
                verdict=_verdict(name, reference, problems, len(agree)),
                difference=differences.get(name, 0.0), problem=problems.get(name, ""),
            )
        )  # fmt: skip
    python = next((row for row in rows if row.engine == "python" and not row.problem), None)
    for row in rows:
        if python is not None and not row.problem:
            row.speedup = python.seconds / row.seconds
    return rows


def _keep(kept: list[Any], job: Job, engine: str) -> None:
    kept[:] = [job.run(engine)]


def _verdict(name: str, reference: str | None, problems: dict[str, str], computed: int) -> str:
    if name in problems:
        return "DIFFERS"
    if name == reference:
        return "reference" if name == "python" or computed > 1 else "alone"
    return "agrees"


def _peak(engine: str, call: Callable[[], Any], seconds: list[float]) -> int | None:
    """Peak memory of one call more, whose time counts if it's the only one."""

    def timed() -> None:
        found.append(measure.seconds_of(call))

    found: list[float] = []
    gpu = engine == "mlx" and dispatch_engines.choose("mlx").gpu
    peak = measure.gpu_peak_bytes(timed) if gpu else measure.peak_bytes(timed)
    if not seconds:
        if not found:
            timed()
        seconds += found
    return peak


def _memory_of_largest(found: SeriesResult, series: Series) -> None:
    """Where the peak of a process can't be set back: a process for each engine, of kernels."""
    if series.kind != "kernel":
        return
    for engine in dict.fromkeys(row.engine for row in found.rows):
        own = [row for row in found.rows if row.engine == engine and not row.problem]
        if own and own[-1].bytes is None:
            arguments = series.job(len(own) - 1).arguments or {}
            own[-1].bytes = peer_programs.kernel_peak(found.name, engine, arguments)
