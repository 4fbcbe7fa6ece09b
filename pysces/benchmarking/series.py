"""One kernel or workflow on growing data: its inputs, its engines, the comparison of results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pysces._messages import listed
from pysces.benchmarking import workflows
from pysces.benchmarking.workflows import workflows as all_workflows
from pysces.benchmarking.workloads import workloads
from pysces.dispatch import engines as engine_room
from pysces.dispatch import validation
from pysces.dispatch.contracts import Kernel, Spec, declared
from pysces.errors import InputError

RUNGS = {"small": 3, "medium": 4, "large": 6}


@dataclass(frozen=True)
class Job:
    """One size of a series.

    Attributes
    ----------
    size
        What the data are, in words.
    units, unit
        How much work that is.
    run
        Computes on an engine given by name.
    compare
        What is wrong with a result (or nothing), and the largest difference from the right one.
    arguments
        Of a kernel.
    """

    size: str
    units: int
    unit: str
    run: Callable[[str], Any]
    compare: Callable[[Any, Any], tuple[str, float]]
    arguments: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Series:
    """A kernel or a workflow: ``job(rung)`` is its work at size 0, 1, 2, ..."""

    name: str
    kind: str
    agreement: str
    job: Callable[[int], Job]
    unsupported: frozenset[str] = frozenset()


def without_workload() -> list[str]:
    """A line for each declared kernel that has nothing to be timed on."""
    return [
        f"{name} isn't timed: no function of its name makes an input (benchmarking/workloads.py)"
        for name in declared()
        if name not in workloads()
    ]


def all_series() -> dict[str, Series]:
    """Every declared kernel, then every workflow, by name.

    Examples
    --------
    >>> all_series()["adaptive_mi"].job(0).size
    '4 regulators x 200 samples x 64 genes'
    """
    found = [_kernel_series(c) for name, c in declared().items() if name in workloads()]
    found += [_workflow_series(name) for name in all_workflows()]
    return {series.name: series for series in found}


def chosen_series(
    kernels: Sequence[str] | None, names_of_workflows: Sequence[str] | None
) -> list[Series]:
    """Series by name: those asked for, or all if nothing is asked for."""
    series = all_series()
    if kernels is None and names_of_workflows is None:
        return list(series.values())
    wanted = [*(kernels or ()), *(names_of_workflows or ())]
    if unknown := [name for name in wanted if name not in series]:
        raise InputError(
            f"unknown: {listed(unknown)}. Kernels: {', '.join(declared())}; "
            f"workflows: {', '.join(all_workflows())}."
        )
    return [series[name] for name in dict.fromkeys(wanted)]


def _kernel_series(contract: Kernel) -> Series:
    make = workloads()[contract.name]

    def job(rung: int) -> Job:
        load = make(rung)
        bound = contract.bind(load.arguments)

        def compare(ours: Any, theirs: Any) -> tuple[str, float]:
            faults, gap = validation.differences(contract, ours, theirs, bound)
            return "; ".join(faults), gap.difference

        return Job(
            _size(contract, bound),
            load.units,
            load.unit,
            lambda engine: engine_room.choose(engine).compute(contract, bound),
            compare,
            bound,
        )

    unable = frozenset(contract.unsupported)
    return Series(contract.name, "kernel", str(contract.agreement), job, unable)


def _size(contract: Kernel, bound: dict[str, Any]) -> str:
    """Lengths of the axes, but for those of tables."""
    lengths = {
        axis: length
        for name, spec in contract.parameters.items()
        if isinstance(spec, Spec) and not spec.table
        for axis, length in zip(spec.names, bound[name].shape, strict=True)
    }
    return " x ".join(f"{length:,} {axis}" for axis, length in lengths.items())


def _workflow_series(name: str) -> Series:
    def job(rung: int) -> Job:
        flow = all_workflows()[name](rung)

        def compare(ours: Any, theirs: Any) -> tuple[str, float]:
            return workflows.differences(flow, ours, theirs)

        return Job(flow.size, flow.units, flow.unit, flow.call, compare)

    exact = all_workflows()[name](0).exact
    close = f"rtol {workflows.RTOL:g}, atol {workflows.ATOL:g}"
    return Series(name, "workflow", "exact" if exact else close, job)


def usable_engines(engines: Sequence[str] | None) -> tuple[list[str], list[str]]:
    """Engines to time, the reference first, and why others that were asked for are absent.

    By default those that a call may choose by itself: MLX only with a GPU.
    """
    rows = {row.engine: row for row in engine_room.status().engines}
    if unknown := [name for name in engines or () if name not in rows]:
        raise InputError(f"unknown engine {listed(unknown)}. Engines: {', '.join(rows)}.")
    used, absent = [], []
    for name in reversed(list(rows)):  # python, numba, mlx
        if name not in (engines or rows):
            continue
        if not rows[name].available:
            absent.append(f"{name} isn't timed: {rows[name].reason}")
        elif engines is None and name == "mlx" and not engine_room.choose("mlx").gpu:
            absent.append("mlx isn't timed: it has no GPU here (--engines mlx times it on the CPU)")
        else:
            used.append(name)
    if not used:
        raise InputError("none of these engines can run here. " + " ".join(absent))
    return used, absent
