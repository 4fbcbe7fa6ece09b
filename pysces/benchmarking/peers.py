"""PySCES and other programs side by side: results first, then time and memory."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import pysces
from pysces.benchmarking.programs import TASKS, Program, Task, correlation
from pysces.benchmarking.words import aligned, duration, memory, number, rate, times

ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
) | {"NUMBA_THREADING_LAYER": "workqueue"}
SLOWEST_CALL = 10.0
HANGS = 600.0
REPEATS = 3


@dataclass
class PeerRow:
    """One program at one size; ``slower`` is its time over that of PySCES."""

    program: str
    label: str
    size: str
    units: int
    seconds: float
    repeats: int
    bytes: int
    correlation: float | None
    difference: float | None
    planted: float | None
    problem: str = ""
    slower: float | None = None


@dataclass
class Comparison:
    """Several programs on one task; prints as a table."""

    task: str
    title: str
    unit: str
    same_method: bool
    rows: list[PeerRow] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether scores that should be the same are."""
        return not any(row.problem for row in self.rows)

    def __str__(self) -> str:
        score = ("largest difference",) if self.same_method else ("planted edges found",)
        head = ("size", "program", "correlation", *score, "time", f"{self.unit}/s", "memory")
        lines: list[tuple[str, ...]] = [(*head, "PySCES is")]
        shown = ""
        for row in self.rows:
            size, shown = ("" if row.size == shown else row.size), row.size
            detail = _size_of(row.difference) if self.same_method else _share(row.planted)
            lines.append(
                (
                    size, row.label, _correlation(row), detail,
                    duration(row.seconds), rate(row.units / row.seconds), memory(row.bytes),
                    "-" if row.slower is None else f"{times(row.slower)} as fast",
                )
            )  # fmt: skip
        table = aligned(lines, right=(2, 3, 4, 5, 6)) if self.rows else []
        problems = [f"{row.program} at {row.size}: {row.problem}" for row in self.rows]
        notes = [line for line in problems if not line.endswith(": ")] + self.notes
        title = f"{self.title} (one thread each, each program in a process of its own)"
        return "\n".join([title, *(f"  {line}" for line in [*table, *notes]), ""])

    def words(self) -> str:
        """What was found, for a sentence."""
        largest = {row.program: row for row in self.rows if row.slower is not None}
        said = [
            f"{number(row.slower or 0)} times as fast as {name}" for name, row in largest.items()
        ]
        wrong = sorted({row.program for row in self.rows if row.problem})
        found = f"{self.task}: PySCES was {' and '.join(said)}" if said else ""
        if wrong:
            found += f"{', ' if found else ''}{self.task} of {', '.join(wrong)} DIFFERS"
        return found

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values."""
        return asdict(self) | {"ok": self.ok}


def _correlation(row: PeerRow) -> str:
    return "-" if row.correlation is None else f"{row.correlation:.4f}"


def _size_of(difference: float | None) -> str:
    return "-" if difference is None else f"{difference:.1g}"


def _share(planted: float | None) -> str:
    return "-" if planted is None else f"{planted:.0%}"


# --- processes ------------------------------------------------------------------------------------


def _environment() -> dict[str, str]:
    """One thread, and the same package as here."""
    place = str(Path(pysces.__file__).resolve().parents[1])
    paths = [place, *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | ONE_THREAD | {"PYTHONPATH": os.pathsep.join(paths)}


class Worker:
    """A program in a process of its own."""

    def __init__(self, task: Task, program: Program, folder: Path) -> None:
        self.program, self.result = program, folder / f"{task.name}-{program.name}.npy"
        self.errors = (folder / f"{task.name}-{program.name}.txt").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pysces.benchmarking.worker", task.name, program.name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True,
            env=_environment() | {"PYSCES_CACHE_DIR": str(folder)},
        )  # fmt: skip

    def ask(self, **asked: Any) -> dict[str, Any]:
        """One question, its answer; RuntimeError if the program fails or hangs."""
        assert self.process.stdin is not None  # both are pipes
        assert self.process.stdout is not None
        alarm = threading.Timer(HANGS, self.process.kill)
        alarm.start()
        try:
            self.process.stdin.write(json.dumps(asked) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            alarm.cancel()
        if not line:
            self.errors.seek(0)
            last = (self.errors.read().strip().splitlines() or ["it ended without a word"])[-1]
            raise RuntimeError(last)
        return json.loads(line)

    def prepare(self, rung: int) -> tuple[dict[str, Any], np.ndarray]:
        """Time and memory of a first call, and its scores."""
        told = self.ask(prepare=rung, result=str(self.result))
        return told, np.load(self.result)

    def close(self) -> None:
        """End the process."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.errors.close()


def kernel_peak(name: str, engine: str, arguments: Mapping[str, Any]) -> int | None:
    """Peak memory of a kernel in a process of its own, if that comes back."""
    place = {"PYTHONPATH": _environment()["PYTHONPATH"]}
    with tempfile.TemporaryDirectory(prefix="pysces-benchmark-") as folder:
        path = str(Path(folder) / "arguments.npz")
        np.savez(path, **dict(arguments))
        done = subprocess.run(
            [sys.executable, "-m", "pysces.benchmarking.worker", "kernel", name, engine, path],
            capture_output=True, text=True, check=False, env=os.environ | place,
        )  # fmt: skip
    return int(done.stdout) if done.returncode == 0 else None


# --- comparison -----------------------------------------------------------------------------------


def compare(rungs: int, seconds: float | None = None) -> Iterator[Comparison]:
    """Every task: programs that are here, on growing data, at most ``rungs`` sizes.

    A program stops where a call would take over 10 seconds (a tenth of ``seconds``).
    """
    limit = SLOWEST_CALL if seconds is None else min(SLOWEST_CALL, seconds / 10)
    for task in TASKS:
        yield compare_task(task, rungs, limit)


def compare_task(task: Task, rungs: int, limit: float) -> Comparison:
    """One task; programs that aren't installed are named, with the command that installs them."""
    found = Comparison(task.name, task.title, task.unit, task.tolerance is not None)
    versions = {program.name: program.version() for program in task.programs}
    for program in task.programs:
        if versions[program.name] is None:
            found.notes.append(f"{program.name} isn't installed: pip install {program.pip}")
    here = [program for program in task.programs if versions[program.name] is not None]
    with tempfile.TemporaryDirectory(prefix="pysces-peers-") as name:
        workers = [Worker(task, program, Path(name)) for program in here]
        try:
            _grow(found, task, workers, versions, rungs, limit)
        finally:
            for worker in workers:
                worker.close()
    return found


def _grow(
    found: Comparison,
    task: Task,
    workers: list[Worker],
    versions: dict[str, str | None],
    rungs: int,
    limit: float,
) -> None:
    last: dict[str, float] = {}  # seconds a unit
    for rung in range(rungs):
        ready = []
        for worker in workers:
            predicted = last.get(worker.program.name, 0.0) * task.units(rung)
            if predicted <= limit:
                ready.append(worker)
            else:
                found.notes.append(
                    f"{worker.program.name} stops before {task.size(rung)} "
                    f"(about {duration(predicted)})"
                )
        workers = ready
        others = [worker for worker in workers if worker.program.distribution is not None]
        if not workers or (rung and not others):
            break
        rows = _one_size(found, task, workers, versions, rung)
        found.rows += rows
        last = {row.program: row.seconds / row.units for row in rows}
        workers = [worker for worker in workers if worker.program.name in last]


def _one_size(
    found: Comparison,
    task: Task,
    workers: list[Worker],
    versions: dict[str, str | None],
    rung: int,
) -> list[PeerRow]:
    told: dict[str, dict[str, Any]] = {}
    scores: dict[str, np.ndarray] = {}
    for worker in list(workers):
        name = worker.program.name
        try:
            told[name], scores[name] = worker.prepare(rung)
        except RuntimeError as error:
            found.notes.append(f"{name} failed at {task.size(rung)}: {error}")
    running = [worker for worker in workers if worker.program.name in told]
    seconds = {name: [answer["seconds"]] for name, answer in told.items()}
    for _ in range(REPEATS - 1):
        for worker in running:
            own = seconds[worker.program.name]
            if own[0] < 2.0:
                own.append(worker.ask(time=rung)["seconds"])
    first = task.programs[0].name
    # What others are timed against: where PySCES is there twice, its longer way.
    base = [program.name for program in task.programs if program.distribution is None][-1]
    rows = []
    for worker in running:
        name = worker.program.name
        row = PeerRow(
            program=name, label=worker.program.label(versions[name] or ""), size=task.size(rung),
            units=task.units(rung), seconds=statistics.median(seconds[name]),
            repeats=len(seconds[name]), bytes=told[name]["bytes"], correlation=None,
            difference=None, planted=told[name]["planted"],
        )  # fmt: skip
        if name != first and first in scores:
            _compare_scores(row, task, scores[first], scores[name])
            if worker.program.distribution is not None and not row.problem and base in seconds:
                row.slower = row.seconds / statistics.median(seconds[base])
        rows.append(row)
    return rows


def _compare_scores(row: PeerRow, task: Task, ours: np.ndarray, theirs: np.ndarray) -> None:
    if ours.shape != theirs.shape:
        row.problem = f"scores {theirs.shape} instead of {ours.shape}"
        return
    found = correlation(ours, theirs, ranks=task.tolerance is None)
    row.correlation = found if np.isfinite(found) else None  # of a constant there is none
    row.difference = float(np.max(np.nan_to_num(np.abs(ours - theirs), nan=np.inf)))
    if task.tolerance is not None and row.difference > task.tolerance:
        row.problem = f"scores differ by up to {row.difference:.2g}"
