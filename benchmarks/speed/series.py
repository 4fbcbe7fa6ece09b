"""What is timed: kernels and workflows on growing data, and how their results are compared."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import anndata
import numpy as np
import pandas as pd
from scipy import sparse

import pysces
from pysces._messages import listed
from pysces.dispatch import engines as dispatch_engines
from pysces.dispatch import validation
from pysces.dispatch.contracts import Kernel, Spec
from pysces.dispatch.operations import declared
from pysces.errors import InputError
from pysces.settings import EngineName
from speed import inputs
from speed.workloads import workloads

# Activities of engines agree within this; networks and sums of counts are bit-identical.
RTOL, ATOL = 1e-5, 1e-8


@dataclass(frozen=True)
class Job:
    """One size of a series.

    Attributes
    ----------
    size
        Description of the data.
    units, unit
        Amount of work.
    run
        Computes on an engine given by name.
    compare
        From a result and the reference: what is wrong (or nothing), and the largest difference.
    arguments
        Those of a kernel.
    """

    size: str
    units: int
    unit: str
    run: Callable[[Any], Any]
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


def all_series() -> dict[str, Series]:
    """Every declared kernel, then every workflow, by name.

    Examples
    --------
    >>> all_series()["adaptive_mi"].job(0).size
    '4 regulators x 200 samples x 64 genes'
    """
    made = workloads()
    found = [
        Series(
            name, "kernel", str(contract.agreement), partial(_kernel_job, contract),
            frozenset(contract.unsupported),
        )
        for name, contract in declared().items()
        if name in made
    ]  # fmt: skip
    close = f"rtol {RTOL:g}, atol {ATOL:g}"
    found += [
        Series("infer_network", "workflow", "exact", _infer_network),
        Series("run_viper", "workflow", close, _run_viper),
        Series("run_msviper", "workflow", close, _run_msviper),
        Series("metacells", "workflow", "exact", _metacells),
    ]
    return {series.name: series for series in found}


def without_workload() -> list[str]:
    """A line for each declared kernel that has no workload."""
    return [
        f"{name} is not timed: it has no workload (benchmarks/speed/workloads.py)"
        for name in declared()
        if name not in workloads()
    ]


def chosen_series(kernels: Sequence[str] | None, workflows: Sequence[str] | None) -> list[Series]:
    """Series by name: those asked for, or all if both arguments are ``None``."""
    series = all_series()
    if kernels is None and workflows is None:
        return list(series.values())
    wanted = [*(kernels or ()), *(workflows or ())]
    if unknown := [name for name in wanted if name not in series]:
        names = [one.name for one in series.values() if one.kind == "workflow"]
        raise InputError(
            f"unknown: {listed(unknown)}. Kernels: {', '.join(declared())}; "
            f"workflows: {', '.join(names)}."
        )
    return [series[name] for name in dict.fromkeys(wanted)]


def usable_engines(engines: Sequence[str] | None) -> tuple[list[str], list[str]]:
    """Engines to time, the reference first, and why others that were asked for are absent.

    By default those that a call may choose by itself: MLX only with a GPU.
    """
    rows = {row.engine: row for row in pysces.status().engines}
    if unknown := [name for name in engines or () if name not in rows]:
        raise InputError(f"unknown engine {listed(unknown)}. Engines: {', '.join(rows)}.")
    used, absent = [], []
    for name in reversed(list(rows)):  # python, numba, mlx
        if name not in (engines or rows):
            continue
        if not rows[name].available:
            absent.append(f"{name} is not timed: {rows[name].reason}")
        elif engines is None and name == "mlx" and not dispatch_engines.choose("mlx").gpu:
            absent.append("mlx is not timed: no GPU (--engines mlx times it on the CPU)")
        else:
            used.append(name)
    if not used:
        raise InputError("none of these engines can run here. " + " ".join(absent))
    return used, absent


# --- kernels --------------------------------------------------------------------------------------


def _kernel_job(contract: Kernel, rung: int) -> Job:
    load = workloads()[contract.name](rung)
    bound = contract.bind(load.arguments)

    def compare(ours: Any, theirs: Any) -> tuple[str, float]:
        faults, gap = validation.differences(contract, ours, theirs, bound)
        return "; ".join(faults), gap.difference

    def run(engine: EngineName) -> Any:
        return dispatch_engines.choose(engine).compute(contract, bound)

    lengths = {
        axis: length
        for name, spec in contract.parameters.items()
        if isinstance(spec, Spec) and not spec.table
        for axis, length in zip(spec.names, bound[name].shape, strict=True)
    }
    size = " x ".join(f"{length:,} {axis}" for axis, length in lengths.items())
    return Job(size, load.units, load.unit, run, compare, bound)


# --- workflows: each is called as a user calls it -------------------------------------------------


def _infer_network(rung: int) -> Job:
    """10 subsamples of 200 samples, 20 decoys; a tenth of the genes are regulators.

    The null of 10,000 pairs is simulated by the first call, which is not timed.
    """
    genes = 60 * 2**rung
    table, regulators, _ = inputs.expression(200, genes, genes // 10)

    def run(engine: EngineName) -> pd.DataFrame:
        network = pysces.infer_network(
            table, regulators, engine=engine, n_resamples=10, n_decoys=20, n_null=10_000
        )
        return network.to_dataframe()[["source", "target", "mi", "support", "qvalue"]]

    size = f"200 samples x {genes:,} genes, {len(regulators):,} regulators"
    return Job(size, len(regulators) * genes, "pairs", run, partial(differences, exact=True))


def _run_viper(rung: int) -> Job:
    """z-scores and aREA of 100 regulons of 50 targets among 1,000 genes."""
    adata, network = _cells(rung)

    def run(engine: EngineName) -> pd.DataFrame:
        pysces.run_viper(adata, network, engine=engine)
        return adata.obsm["viper"]

    return _job_of_cells(adata, run, exact=False)


def _run_msviper(rung: int) -> Job:
    """One half of the cells against the other, 100 permutations of the cells."""
    adata, network = _cells(rung)
    adata.obs["half"] = pd.Categorical(np.where(np.arange(adata.n_obs) % 2, "a", "b"))

    def run(engine: EngineName) -> pd.DataFrame:
        pysces.run_msviper(adata, "half", "a", network=network, n_permutations=100, engine=engine)
        found = adata.uns["msviper"]["results"].set_index("regulator").sort_index()
        return found[["es", "nes"]]

    return _job_of_cells(adata, run, exact=False)


def _metacells(rung: int) -> Job:
    """Sparse counts of 500 genes pooled by tens, principal components included."""
    cells = 200 * 4**rung
    rng = inputs.stream("metacells", cells)
    programme = rng.gamma(0.3, 1.0, size=(8, 500))
    rates = rng.dirichlet(np.full(8, 0.2), size=cells) @ programme
    adata = anndata.AnnData(sparse.csr_matrix(rng.poisson(rates).astype(np.float32)))
    adata.obs_names = [f"C{k}" for k in range(cells)]

    def run(engine: EngineName) -> np.ndarray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about cells left over
            pooled = pysces.metacells(adata, engine=engine)
        return np.asarray(pooled.to_df())

    return _job_of_cells(adata, run, exact=True)


def _cells(rung: int) -> tuple[anndata.AnnData, pd.DataFrame]:
    signature, network = inputs.signature_and_network(64 * 4**rung, 1000, 100, 50)
    return anndata.AnnData(signature), network


def _job_of_cells(adata: anndata.AnnData, run: Callable[[Any], Any], *, exact: bool) -> Job:
    size = f"{adata.n_obs:,} cells x {adata.n_vars:,} genes"
    return Job(size, adata.n_obs, "cells", run, partial(differences, exact=exact))


def differences(ours: Any, theirs: Any, *, exact: bool) -> tuple[str, float]:
    """What is wrong with a table or an array, or nothing, and its largest difference."""
    if isinstance(ours, pd.DataFrame):
        labels = [
            (list(t.columns), list(t.index), t.select_dtypes(exclude="number").astype(str))
            for t in (ours, theirs)
        ]
        if labels[0][:2] != labels[1][:2] or not labels[0][2].equals(labels[1][2]):
            return "other rows, columns or names", float("inf")
        ours, theirs = (table.select_dtypes(include="number") for table in (ours, theirs))
    left, right = (np.asarray(values, dtype=np.float64) for values in (ours, theirs))
    if left.shape != right.shape:
        return f"shape {left.shape} instead of {right.shape}", float("inf")
    equal = (left == right) | (np.isnan(left) & np.isnan(right))
    if equal.all():
        return "", 0.0
    gap = float(np.max(np.nan_to_num(np.abs(left - right)[~equal], nan=np.inf)))
    if not exact and np.allclose(left, right, RTOL, ATOL, equal_nan=True):
        return "", gap
    return f"{np.count_nonzero(~equal)} of {left.size} values differ, by up to {gap:.3g}", gap
