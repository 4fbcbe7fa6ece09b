"""Regression guard: the time and the memory of every workflow, against baselines.

    python benchmarks/guard.py              fails if a workflow has become slower or larger
    python benchmarks/guard.py --update     writes the baselines anew, to guard.json

Time: one process with one thread runs each workflow and a fixed calibration loop in turns. What is
compared is the ratio of their CPU times, each the smallest of several repeats: other programs on
the machine can only add to a time, and a faster machine shortens both. A workflow has regressed if
its ratio is more than 1.25 times that of the baseline; the ratio of unchanged code varied by less
than 15 % in runs on a busy machine with two cores. Workflows beyond the limit are measured once
more before they are reported. The ratio to the Python engine shows losses of a compiled kernel that
falls back, and has the limit 1.5, since the Python engine varies too. On another kind of CPU than
that of the baselines only losses by more than a factor of two are reported.

Memory: each workflow runs in a fresh process, whose peak during the call, beyond the input, must
stay below its budget: 1.5 times what it was when the budget was set, and at least 50 MB.

The guard tests itself: one workflow does its work 1.5 times, which must be reported.

After a change that is meant to alter the speed, run it with --update and commit guard.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Before NumPy and Numba are imported: one thread.
for _name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import anndata  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import scipy.sparse as sp  # noqa: E402
from speed.measure import peak_bytes  # noqa: E402

import pysces  # noqa: E402
from pysces import _seeds  # noqa: E402

BASELINES = Path(__file__).with_name("guard.json")
LIMIT, LIMIT_OF_PYTHON, LIMIT_ELSEWHERE = 1.25, 1.5, 2.0
PLANTED = 1.5
REPEATS = 7
FOLDER = tempfile.TemporaryDirectory()  # removed at the end
Call = Callable[[], Any]


def genes(n: int) -> list[str]:
    """Names of genes."""
    return [f"gene{i}" for i in range(n)]


def cells(n_cells: int, n_genes: int) -> anndata.AnnData:
    """Sparse counts, 10 % not zero, in two groups of cells."""
    rng = _seeds.generator(0, "guard", n_cells, n_genes)
    mean = np.exp(rng.normal(-3.0, 1.2, n_genes)) * rng.uniform(0.5, 2, n_cells)[:, None]
    adata = anndata.AnnData(sp.csr_matrix(rng.poisson(mean).astype(np.float32)))
    adata.var_names = genes(n_genes)
    adata.obs_names = [f"cell{i}" for i in range(n_cells)]
    adata.obs["group"] = pd.Categorical(np.where(np.arange(n_cells) % 2, "a", "b"))
    return adata


def edges(n_genes: int, regulators: int, targets: int = 50) -> pd.DataFrame:
    """Random regulons."""
    rng = _seeds.generator(0, "guard", "edges", regulators)
    drawn = [rng.choice(n_genes, targets, replace=False) for _ in range(regulators)]
    return pd.DataFrame(
        {
            "source": np.repeat(genes(regulators), targets),
            "target": np.array(genes(n_genes))[np.concatenate(drawn)],
            "mor": rng.uniform(-1, 1, regulators * targets),
            "likelihood": rng.uniform(0.1, 1, regulators * targets),
        }
    )


def samples(n_samples: int, n_genes: int) -> pd.DataFrame:
    """Continuous expression of genes that follow ten hidden programmes."""
    rng = _seeds.generator(0, "guard", "samples", n_samples)
    activity = rng.normal(size=(n_samples, 10))
    values = activity[:, rng.integers(0, 10, n_genes)] + rng.normal(size=(n_samples, n_genes))
    return pd.DataFrame(values, columns=genes(n_genes))


def aracne(engine: str | None, **options: Any) -> Call:
    """A network of 400 genes and 40 regulators."""
    data = samples(120, 400)
    given: dict[str, Any] = {"n_resamples": 6, "n_null": 20_000, "n_decoys": 40, **options}
    return lambda: pysces.infer_network(data, genes(40), engine=engine, **given)


def viper(engine: str | None, n_cells: int, **options: Any) -> Call:
    """Activities of 100 regulators."""
    adata, network = cells(n_cells, 3000), edges(3000, 100)
    given: dict[str, Any] = {"size_factors": np.ravel(adata.X.sum(axis=1)) + 1.0, **options}
    if options.get("counts") is False:
        del given["size_factors"]
    return lambda: pysces.run_viper(adata, network, engine=engine, **given)


def on_disk(engine: str | None) -> Call:
    """Activities of cells on disk, written to a file."""
    folder = Path(FOLDER.name)
    cells(1500, 3000).write_h5ad(folder / "cells.h5ad")
    network = edges(3000, 100)

    def call() -> None:
        adata = anndata.read_h5ad(folder / "cells.h5ad", backed="r")
        pysces.run_viper(adata, network, engine=engine, output=folder / "activities.h5ad")
        adata.file.close()

    return call


def msviper(engine: str | None) -> Call:
    """Master regulators between two groups."""
    adata, network = cells(80, 3000), edges(3000, 100)
    given: dict[str, Any] = {"counts": False, "n_permutations": 200, "engine": engine}
    return lambda: pysces.run_msviper(adata, "group", "a", network=network, **given)


def metacells(engine: str | None) -> Call:
    """Pools of cells."""
    adata = cells(1200, 3000)
    return lambda: pysces.metacells(adata, engine=engine)


def files(engine: str | None) -> Call:
    """A network of 60,000 edges, written and read."""
    network = pysces.Network.from_dataframe(edges(3000, 600, 100))
    path = Path(FOLDER.name) / "network.tsv"

    def call() -> None:
        network.write(path)
        pysces.read_network(path)

    return call


@dataclass(frozen=True)
class Workflow:
    """A workflow: its preparation by an engine, its budget of memory, and what it is compared with.

    budget: MB of resident memory beyond the input. python: whether the ratio to the Python engine
    is measured, too; it takes too long for the others, or they have no kernel.
    """

    prepare: Callable[[str | None], Call]
    budget: int
    python: bool = False


AREA: dict[str, Any] = {"counts": False, "signature": "zscore"}
WORKFLOWS = {
    "aracne copula": Workflow(lambda e: aracne(e), 50),
    "aracne adaptive": Workflow(lambda e: aracne(e, estimator="adaptive"), 50),
    "viper counts score": Workflow(lambda e: viper(e, 400), 50, python=True),
    "viper zscore area": Workflow(lambda e: viper(e, 200, **AREA), 50, python=True),
    "viper on disk": Workflow(on_disk, 130),
    "msviper": Workflow(msviper, 75),
    "metacells": Workflow(metacells, 240),
    "network file": Workflow(files, 50),
}


def calibration() -> float:
    """Fixed work of about 30 ms that no change of the package alters."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=200_000)
    total = float(np.sort(values)[0] + np.exp(values).sum())
    square = values[:62_500].reshape(250, 250)
    for _ in range(4):
        total += float((square @ square)[0, 0])
    total += float(np.bincount((values * 100).astype(np.int64) % 5000 + 5000).max())
    return total + sum(i & 7 for i in range(60_000))


def cpu_seconds(call: Call) -> float:
    """CPU time of one call in this process, in all its threads."""
    start = time.process_time()
    call()
    return time.process_time() - start


def measured(calls: dict[str, Call], repeats: int = REPEATS) -> dict[str, float]:
    """Smallest CPU time of each call over that of the calibration loop, taken in turns."""
    for call in calls.values():
        call()  # compiles, and fills caches
    least = dict.fromkeys(calls, np.inf)
    loop = np.inf
    for _ in range(repeats):
        for name, call in calls.items():
            loop = min(loop, cpu_seconds(calibration))
            least[name] = min(least[name], cpu_seconds(call))
    return {name: seconds / loop for name, seconds in least.items()}


def slower(found: dict[str, float], baseline: dict[str, float], limit: float) -> dict[str, float]:
    """Workflows whose ratio is beyond the limit, with ratio / baseline."""
    change = {name: value / baseline[name] for name, value in found.items() if name in baseline}
    return {name: value for name, value in change.items() if value > limit}


def planted(call: Call) -> Call:
    """The call, with its work done `PLANTED` times on average."""
    done = [0.0]

    def more() -> None:
        done[0] += PLANTED
        while done[0] >= 1:
            call()
            done[0] -= 1

    def twice() -> None:
        more()
        more()

    return twice


def speeds() -> dict[str, dict[str, float]]:
    """Ratios of all workflows to the calibration loop, and of some to the Python engine."""
    calls = {name: one.prepare("numba") for name, one in WORKFLOWS.items()}
    loop = measured(calls)
    of_python = {}
    for name, one in WORKFLOWS.items():
        if one.python:
            pair = {"numba": calls[name], "python": one.prepare("python")}
            ratio = measured(pair, 3)
            of_python[name] = ratio["numba"] / ratio["python"]
    return {"calibration": loop, "python": of_python}


def peak_mb(name: str) -> float:
    """Peak memory of a workflow in a fresh process, beyond its input, in MB."""
    command = [sys.executable, __file__, "--peak", name]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return float(done.stdout.splitlines()[-1])


def cpu() -> str:
    """The kind of CPU."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def main() -> int:
    """Measure, compare, and print one line per workflow; 1 if any has regressed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--update", action="store_true", help="write the baselines anew")
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    given = parser.parse_args()
    pysces.settings.verbosity = "silent"
    import warnings

    warnings.simplefilter("ignore")
    if given.peak:
        call = WORKFLOWS[given.peak].prepare("numba")
        call()  # compiles, and imports what it needs
        print((peak_bytes(call) or 0) / 2**20)
        return 0
    found = speeds()
    if given.update:
        BASELINES.write_text(json.dumps({"cpu": cpu(), **found}, indent=2) + "\n")
        print(f"written to {BASELINES}")
        return 0
    before = json.loads(BASELINES.read_text())
    same = before["cpu"] == cpu()
    limits = {
        "calibration": LIMIT if same else LIMIT_ELSEWHERE,
        "python": LIMIT_OF_PYTHON if same else LIMIT_ELSEWHERE,
    }
    if not same:
        print(f"Baselines are of another CPU ({before['cpu']}): limit {LIMIT_ELSEWHERE}.")
    faults = []
    for kind, limit in limits.items():
        lost = slower(found[kind], before[kind], limit)
        if lost:  # a busy moment hits one measurement, a regression both
            again = speeds()[kind]
            found[kind] |= {name: min(found[kind][name], again[name]) for name in lost}
            lost = slower(found[kind], before[kind], limit)
        faults += [
            f"{name}: {value:.2f} times as slow as the baseline, by its ratio to {kind}"
            for name, value in lost.items()
        ]
    print(
        f"{'workflow':20} {'ratio':>8} {'baseline':>8} {'change':>7} {'peak MB':>8} {'budget':>7}"
    )
    for name, one in WORKFLOWS.items():
        ratio, usual, peak = found["calibration"][name], before["calibration"][name], peak_mb(name)
        change = ratio / usual - 1
        print(f"{name:20} {ratio:8.2f} {usual:8.2f} {change:+7.0%} {peak:8.0f} {one.budget:7}")
        if peak > one.budget:
            faults.append(f"{name}: {peak:.0f} MB, beyond its budget of {one.budget} MB")
    name = "viper zscore area"
    call = WORKFLOWS[name].prepare("numba")
    pair = measured({name: call, "planted": planted(call)})
    seen = slower({name: pair["planted"] / 2}, {name: pair[name]}, LIMIT)
    if not seen:
        faults.append(f"the guard did not see a planted loss of {PLANTED - 1:.0%}")
    print("\n".join(faults) or "no regression; the planted one was seen")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
