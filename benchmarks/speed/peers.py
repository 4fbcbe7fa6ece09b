"""PySCES and other programs on the same data: scores are compared first, then time and memory.

Each program runs in a process of its own with one thread.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import multiprocessing
import os
import statistics
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd

import pysces
from pysces.dispatch import engines
from pysces.dispatch.contracts import Spec
from pysces.dispatch.operations import declared
from pysces.settings import EngineName
from speed import inputs, measure
from speed.report import aligned, duration, memory, number, rate, times
from speed.workloads import workloads

ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
) | {"NUMBA_THREADING_LAYER": "workqueue"}
SLOWEST_CALL = 10.0
LONGEST_WAIT = 600.0  # seconds: a program that takes longer is ended
REPEATS = 3

# A regression of gradient boosting for every gene, after Moerman et al. 2019 (GRNBoost2).
BOOSTING = {"learning_rate": 0.01, "n_estimators": 5000, "max_features": 0.1, "subsample": 0.9}
BOOSTING_WINDOW = 25  # trees whose mean out-of-bag improvement must be positive

Expression = tuple[pd.DataFrame, list[str], pd.DataFrame]


# --- programs and tasks ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Program:
    """A program that does a task.

    Attributes
    ----------
    run
        From the data of a size (see `Task`) to scores.
    distribution, module
        Its name for pip, and what is imported; ``None`` for PySCES.
    pip
        What ``pip install`` is given for it.
    """

    name: str
    run: Callable[[Any], np.ndarray]
    distribution: str | None = None
    module: str = ""
    pip: str = ""

    def label(self, version: str) -> str:
        """Its name with a version; of a method, with the package that it is made of."""
        if self.distribution is None:
            return self.name.replace("PySCES", f"PySCES {version}")
        if self.name == self.distribution:
            return f"{self.name} {version}"
        return f"{self.name} ({self.distribution} {version})"

    def version(self) -> str | None:
        """Its version, or None where it is not installed."""
        if self.distribution is None:
            return pysces.__version__
        try:
            version = importlib.metadata.version(self.distribution)
        except importlib.metadata.PackageNotFoundError:
            return None
        return version if importlib.util.find_spec(self.module) is not None else None


@dataclass(frozen=True)
class Task:
    """What several programs do, the first being PySCES: data of a size, and the programs.

    ``tolerance`` is the largest difference of scores that are meant to be the same, or ``None``
    where methods differ.
    """

    name: str
    title: str
    unit: str
    tolerance: float | None
    data: Callable[[int], Any]
    size: Callable[[int], str]
    units: Callable[[int], int]
    programs: tuple[Program, ...]


def _engine() -> EngineName:
    """Numba if it is installed: the CPU, as the other programs use no GPU."""
    return "numba" if importlib.util.find_spec("numba") is not None else "python"


def _cells(rung: int) -> int:
    return 100 * 4**rung


def _enrichment_data(rung: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    return inputs.signature_and_network(_cells(rung), 2000, 100, 50)


def enrich(data: tuple[pd.DataFrame, pd.DataFrame]) -> np.ndarray:
    """Scores of PySCES [cells regulators]."""
    return pysces.enrich(*data, filter_genes=False, engine=_engine()).to_numpy()


def decoupler_viper(data: tuple[pd.DataFrame, pd.DataFrame]) -> np.ndarray:
    """Scores of decoupler [cells regulators]."""
    import decoupler as dc

    signature, edges = data
    found = dc.mt.viper(signature, edges, pleiotropy=False, tmin=1, verbose=False)[0]
    return found[edges["source"].unique()].to_numpy()


def pyviper_viper(data: tuple[pd.DataFrame, pd.DataFrame]) -> np.ndarray:
    """Scores of viper-in-python [cells regulators]."""
    import anndata as ad
    import pyviper as pv

    signature, edges = data
    table = edges.rename(columns={"source": "regulator", "weight": "mor"}).assign(likelihood=1.0)
    network = pv.Interactome("network", table[["regulator", "target", "mor", "likelihood"]])
    found = pv.viper(
        gex_data=ad.AnnData(signature), interactome=network, enrichment="area", njobs=1,
        eset_filter=False, min_targets=1, verbose=False, return_as_df=True,
    )  # fmt: skip
    return found[edges["source"].unique()].to_numpy()


def _genes(rung: int) -> int:
    return 40 * 2**rung


def _network_data(rung: int) -> Expression:
    return inputs.expression(200, _genes(rung), _genes(rung) // 5)


def mutual_information(data: Expression) -> np.ndarray:
    """PySCES: mutual information of all pairs [regulators genes]."""
    table, regulators, _ = data
    found = pysces.mutual_information(table, regulators, engine=_engine())
    return found.loc[regulators, table.columns].fillna(0.0).to_numpy()


def network(data: Expression) -> np.ndarray:
    """PySCES: mutual information of the edges that are found, 0 for others [regulators genes]."""
    table, regulators, _ = data
    edges = pysces.infer_network(table, regulators, n_null=100_000, engine=_engine())
    found = edges.to_dataframe().astype({"source": str, "target": str})
    scores = found.pivot(index="source", columns="target", values="mi")
    scores = scores.reindex(index=regulators, columns=table.columns)
    return scores.astype(float).fillna(0.0).to_numpy()


def boosting(data: Expression) -> np.ndarray:
    """Gradient boosting of scikit-learn: importance of regulators for genes [regulators genes]."""
    from sklearn.ensemble import GradientBoostingRegressor

    table, regulators, _ = data
    values, found = table.to_numpy(), np.zeros((len(regulators), table.shape[1]))

    def stops(trees: int, model: Any, _: Any) -> bool:
        recent = model.oob_improvement_[max(0, trees - BOOSTING_WINDOW + 1) : trees + 1]
        return len(recent) == BOOSTING_WINDOW and float(np.mean(recent)) < 0

    for gene, name in enumerate(table.columns):
        others = [k for k, regulator in enumerate(regulators) if regulator != name]
        model = GradientBoostingRegressor(**BOOSTING, random_state=0)
        model.fit(values[:, others], values[:, gene], monitor=stops)
        found[others, gene] = model.feature_importances_ * len(model.estimators_)
    return found


TASKS = (
    Task(
        name="enrichment",
        title="aREA (normalised enrichment scores) of 100 regulons of 50 targets",
        unit="cells",
        tolerance=1e-6,
        data=_enrichment_data,
        size=lambda rung: f"{_cells(rung):,} cells x 2,000 genes",
        units=_cells,
        programs=(
            Program("PySCES", enrich),
            Program("decoupler", decoupler_viper, "decoupler", "decoupler", "'decoupler>=2.0'"),
            Program(
                "viper-in-python", pyviper_viper, "viper-in-python", "pyviper",
                "torch==2.13.0 'viper-in-python>=2.1'",
            ),
        ),
    ),
    Task(
        name="network",
        title="networks of 200 samples, a fifth of the genes regulators",
        unit="pairs",
        tolerance=None,
        data=_network_data,
        size=lambda rung: f"{_genes(rung) // 5:,} regulators x {_genes(rung):,} genes",
        units=lambda rung: _genes(rung) ** 2 // 5,
        programs=(
            Program("PySCES, all pairs", mutual_information),
            Program("PySCES, network", network),
            Program(
                "GRNBoost2-style", boosting, "scikit-learn", "sklearn", "'scikit-learn>=1.5'"
            ),
        ),
    ),
)  # fmt: skip


def planted_share(data: Any, scores: np.ndarray) -> float | None:
    """Share of the planted edges among as many of the highest scores, or None for no network."""
    if len(data) != 3:
        return None
    table, regulators, planted = data
    rows = pd.Index(regulators).get_indexer(pd.Index(planted["source"]))
    columns = table.columns.get_indexer(pd.Index(planted["target"]))
    # Pairs of regulators are left out: none of them is planted.
    targets = scores[:, len(regulators) :].copy()
    truth = np.zeros(targets.shape, dtype=bool)
    truth[rows, columns - len(regulators)] = True
    best = np.argsort(-targets, axis=None, kind="stable")[: int(truth.sum())]
    return float((truth.ravel()[best] & (targets.ravel()[best] > 0)).mean())


# --- processes ------------------------------------------------------------------------------------


class Worker:
    """A process that calls what it is sent, with environment variables of its own."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,))
        with mock.patch.dict(os.environ, environment):
            self._process.start()
        theirs.close()

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What a function returns there; RuntimeError if it fails, takes too long or crashes."""
        try:
            self._pipe.send((function, arguments))
            if not self._pipe.poll(LONGEST_WAIT):
                self._process.kill()
                raise RuntimeError(f"no answer within {LONGEST_WAIT:g} s")
            done, result = self._pipe.recv()
        except (EOFError, ConnectionError):
            self._process.join()
            raise RuntimeError(f"ended with exit code {self._process.exitcode}") from None
        if not done:
            raise RuntimeError(result)
        return result

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join(5)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _serve(pipe: Connection) -> None:
    """Call what comes, in the worker, until the pipe is closed; programs print nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    warnings.simplefilter("ignore")
    pysces.settings.verbosity = "silent"
    while True:
        try:
            function, arguments = pipe.recv()
        except EOFError:
            return
        try:
            answer = True, function(*arguments)
        except Exception as error:
            answer = False, f"{type(error).__name__}: {error}"
        pipe.send(answer)


_worker_data: dict[str, Any] = {}


@dataclass(frozen=True)
class FirstCall:
    """Of a call on new data: its time, its peak memory and its scores."""

    seconds: float
    bytes: int
    planted: float | None
    scores: np.ndarray


def first_call(
    program: Program, data: Callable[..., Any], size: tuple[int, ...], small: tuple[int, ...]
) -> FirstCall:
    """Run a program on ``data(*size)``, in a worker, compiled beforehand on ``data(*small)``."""
    if not _worker_data:
        program.run(data(*small))
    made = _worker_data["made"] = data(*size)
    kept: list[Any] = []
    peak = measure.process_peak_bytes(
        lambda: kept.append(measure.seconds_of(lambda: kept.append(program.run(made))))
    )
    scores, seconds = kept
    return FirstCall(seconds, peak, planted_share(made, scores), scores)


def next_call(program: Program) -> float:
    """Seconds of another call on the same data, in the same worker."""
    return measure.seconds_of(lambda: program.run(_worker_data["made"]))


def kernel_peak(name: str, engine: str, arguments: Mapping[str, Any]) -> int | None:
    """Peak memory of a kernel in a process of its own, or None if that fails."""
    with tempfile.TemporaryDirectory(prefix="pysces-benchmark-") as folder:
        path = str(Path(folder) / "arguments.npz")
        np.savez(path, **dict(arguments))
        worker = Worker({})
        try:
            return int(worker.call(_kernel_peak, name, engine, path))
        except RuntimeError:
            return None
        finally:
            worker.close()


def _kernel_peak(name: str, engine_name: str, path: str) -> int:
    """The input is read from a file: to make it here would leave a peak of its own."""
    contract, engine = declared()[name], engines.choose(engine_name)
    engine.compute(contract, contract.bind(workloads()[name](0).arguments))  # compiled and loaded
    with np.load(path) as file:
        read = {key: file[key] for key in file.files}
    given = {
        key: value if isinstance(contract.parameters[key], Spec) else value.item()
        for key, value in read.items()
    }
    return measure.process_peak_bytes(lambda: engine.compute(contract, given))


# --- comparison -----------------------------------------------------------------------------------


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
        score = "largest difference" if self.same_method else "planted edges found"
        head = ("size", "program", "correlation", score, "time", f"{self.unit}/s", "memory")
        lines: list[tuple[str, ...]] = [(*head, "PySCES is")]
        shown = ""
        for row in self.rows:
            size, shown = ("" if row.size == shown else row.size), row.size
            lines.append(
                (
                    size, row.label, _or_dash(row.correlation, ".4f"),
                    _or_dash(row.difference, ".1g")
                    if self.same_method
                    else _or_dash(row.planted, ".0%"),
                    duration(row.seconds), rate(row.units / row.seconds), memory(row.bytes),
                    "-" if row.slower is None else f"{times(row.slower)} as fast",
                )
            )  # fmt: skip
        table = aligned(lines, right=(2, 3, 4, 5, 6)) if self.rows else []
        problems = [f"{r.program} at {r.size}: {r.problem}" for r in self.rows if r.problem]
        title = f"{self.title} (one thread each, each program in a process of its own)"
        return "\n".join([title, *(f"  {line}" for line in [*table, *problems, *self.notes]), ""])

    def summary(self) -> str:
        """The result as part of a sentence."""
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


def _or_dash(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def compare(rungs: int, seconds: float | None = None) -> Iterator[Comparison]:
    """Every task: programs that are here, on growing data, at most ``rungs`` sizes.

    A program stops where a call would take over 10 seconds (a tenth of ``seconds``).
    """
    limit = SLOWEST_CALL if seconds is None else min(SLOWEST_CALL, seconds / 10)
    for task in TASKS:
        yield compare_task(task, rungs, limit)


def compare_task(task: Task, rungs: int, limit: float) -> Comparison:
    """One task; programs that are not installed are named, with the command that installs them."""
    found = Comparison(task.name, task.title, task.unit, task.tolerance is not None)
    versions = {program.name: program.version() for program in task.programs}
    for program in task.programs:
        if versions[program.name] is None:
            found.notes.append(f"{program.name} is not installed: pip install {program.pip}")
    here = [program for program in task.programs if versions[program.name] is not None]
    with tempfile.TemporaryDirectory(prefix="pysces-peers-") as cache:
        workers = {p: Worker(ONE_THREAD | {"PYSCES_CACHE_DIR": cache}) for p in here}
        try:
            _grow(found, task, workers, rungs, limit)
        finally:
            for worker in workers.values():
                worker.close()
    return found


def _grow(
    found: Comparison, task: Task, workers: Mapping[Program, Worker], rungs: int, limit: float
) -> None:
    last: dict[str, float] = {}  # seconds per unit
    ready = list(workers)
    for rung in range(rungs):
        for program in list(ready):
            predicted = last.get(program.name, 0.0) * task.units(rung)
            if predicted > limit:
                ready.remove(program)
                found.notes.append(
                    f"{program.name} stops before {task.size(rung)} (about {duration(predicted)})"
                )
        if not ready or (rung and all(program.distribution is None for program in ready)):
            break
        rows = _one_size(found, task, {program: workers[program] for program in ready}, rung)
        found.rows += rows
        last = {row.program: row.seconds / row.units for row in rows}
        ready = [program for program in ready if program.name in last]


def _one_size(
    found: Comparison, task: Task, workers: Mapping[Program, Worker], rung: int
) -> list[PeerRow]:
    first: dict[Program, FirstCall] = {}
    for program, worker in workers.items():
        try:
            first[program] = worker.call(first_call, program, task.data, (rung,), (0,))
        except RuntimeError as error:
            found.notes.append(f"{program.name} failed at {task.size(rung)}: {error}")
    seconds = {program: [call.seconds] for program, call in first.items()}
    for _ in range(REPEATS - 1):
        for program, own in seconds.items():
            if own[0] < 2.0:
                own.append(workers[program].call(next_call, program))
    reference = task.programs[0]
    # Others are timed against PySCES; where it is there twice, against its longer way.
    base = [program for program in task.programs if program.distribution is None][-1]
    rows = []
    for program, call in first.items():
        row = PeerRow(
            program=program.name, label=program.label(program.version() or ""),
            size=task.size(rung), units=task.units(rung),
            seconds=statistics.median(seconds[program]), repeats=len(seconds[program]),
            bytes=call.bytes, correlation=None, difference=None, planted=call.planted,
        )  # fmt: skip
        if program != reference and reference in first:
            compare_scores(row, task, first[reference].scores, call.scores)
            if program.distribution is not None and not row.problem and base in seconds:
                row.slower = row.seconds / statistics.median(seconds[base])
        rows.append(row)
    return rows


def compare_scores(row: PeerRow, task: Task, ours: np.ndarray, theirs: np.ndarray) -> None:
    """Fill in how far the scores of a program agree with those of PySCES."""
    if ours.shape != theirs.shape:
        row.problem = f"scores {theirs.shape} instead of {ours.shape}"
        return
    left, right = (pd.Series(scores.ravel()) for scores in (ours, theirs))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a constant has no correlation
        found = left.corr(right, method="spearman" if task.tolerance is None else "pearson")
    row.correlation = float(found) if np.isfinite(found) else None
    row.difference = float(np.max(np.nan_to_num(np.abs(ours - theirs), nan=np.inf)))
    if task.tolerance is not None and row.difference > task.tolerance:
        row.problem = f"scores differ by up to {row.difference:.2g}"
