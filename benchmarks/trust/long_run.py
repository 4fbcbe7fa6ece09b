"""Repeat mixed work: memory, open files, threads and temporary files must stay flat.

    python benchmarks/trust/long_run.py [--minutes 30]

The first third of the rounds warms caches up. Of the rest, the largest numbers of the last half are
compared with those of the first half.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import tempfile
import threading
import time
import warnings
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import psutil

import pysces

SLACK = {"memory_mb": 16.0, "files": 0, "threads": 0, "temporary": 0}


def work(number: int, folder: Path) -> None:
    """One round: networks, activities, files, pools, errors."""
    values = np.random.default_rng(number % 7).normal(size=(120, 60))
    values[:, 6:] += values[:, np.arange(54) % 6]
    names = [f"g{i}" for i in range(60)]
    index = [f"c{i}" for i in range(120)]
    adata = anndata.AnnData(values, obs=pd.DataFrame(index=index), var=pd.DataFrame(index=names))
    adata.obs["kind"] = ["a", "b"] * 60
    estimator = ("copula", "binned", "adaptive")[number % 3]
    pysces.run_aracne(
        adata, names[:6], estimator=estimator, n_resamples=6, n_null=2000, alpha=0.5,
        min_support=0.5, checkpoint=folder / f"c{number}",
    )  # fmt: skip
    network = pysces.Network.from_anndata(adata)
    for ending in ("tsv.gz", "gmt"):
        network.write(folder / f"n.{ending}")
        pysces.read_network(folder / f"n.{ending}")
    edges = pd.DataFrame({"source": np.repeat(names[:6], 9), "target": names[6:], "mor": 1.0})
    pysces.run_viper(adata, edges, min_targets=2)
    pysces.run_msviper(adata, "kind", "a", network=edges, n_permutations=100, min_targets=2)
    pysces.pseudobulk(adata, "kind")
    with contextlib.suppress(pysces.PyscesError):
        pysces.run_aracne(adata, names[:6], alpha=7.0)
    with contextlib.suppress(pysces.PyscesError):
        pysces.read_network(folder / "n.tsv.gz", format="adj")


def measured(folder: Path) -> dict[str, float]:
    process = psutil.Process()
    names = [*folder.rglob("*"), *Path(tempfile.gettempdir()).glob("tmp*pysces*")]
    return {
        "memory_mb": round(process.memory_info().rss / 2**20, 1),
        "files": process.num_fds(),
        "threads": threading.active_count() + process.num_threads(),
        "temporary": sum(name.suffix in (".tmp", ".part") for name in names),
    }


def long_run(seconds: float) -> dict[str, object]:
    """Rounds until the time is over, what was measured, and what grew."""
    warnings.simplefilter("ignore")
    rounds: list[dict[str, float]] = []
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        while time.monotonic() - start < seconds or len(rounds) < 9:
            work(len(rounds), Path(name))
            rounds.append(measured(Path(name)))
    rest = rounds[len(rounds) // 3 :]
    early, late = rest[: len(rest) // 2], rest[len(rest) // 2 :]
    growth = {
        name: round(max(r[name] for r in late) - max(r[name] for r in early), 1) for name in SLACK
    }
    return {
        "seconds": round(time.monotonic() - start),
        "rounds": len(rounds),
        "largest": {name: max(r[name] for r in rounds) for name in SLACK},
        "growth": growth,
        "allowed": SLACK,
        "fine": all(growth[name] <= SLACK[name] for name in SLACK),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    given = parser.parse_args()
    from results import save

    found = long_run(60 * given.minutes)
    save("long_run", found)
    print(json.dumps(found))
    return int(not found["fine"])


if __name__ == "__main__":
    os.environ.setdefault("MPLBACKEND", "Agg")
    pysces.settings.verbosity = "silent"
    raise SystemExit(main())
