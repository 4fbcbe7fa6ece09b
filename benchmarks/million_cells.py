"""Activities of very many cells on disk: speed and memory of `run_viper` with ``output=``.

    python benchmarks/million_cells.py [--cells 10_000 100_000] [--folder FOLDER]

For each number of cells, a CSR h5ad of counts with 20,000 genes, 8 % of them not zero, is written
block by block. A fresh process scores its cells by 300 regulons and writes the activities to
another file. Printed: the time, cells per second, the time of all cores per cell, which is the same
for any number of cells, and the largest resident memory of that process.
The files are removed at the end: 13 GB and 2.4 GB for a million cells.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata.io import sparse_dataset, write_elem

import pysces
from pysces import _seeds

BLOCK = 5_000  # cells that are written at a time


def write_cells(path: Path, n_cells: int, n_genes: int, filled: float) -> None:
    """Counts of cells whose depth varies, a CSR h5ad that is never in memory as a whole."""
    rng = _seeds.generator(0, "million cells")
    level = np.exp(rng.normal(0.0, 1.5, n_genes))
    # The scale of the levels at which this share of the counts is not zero.
    low, high = 1e-6, 1e3
    for _ in range(60):
        scale = np.sqrt(low * high)
        low, high = (scale, high) if -np.expm1(-scale * level).mean() < filled else (low, scale)
    names = pd.Index([f"cell{i}" for i in range(n_cells)])
    genes = pd.DataFrame(index=[f"gene{i}" for i in range(n_genes)])
    with h5py.File(path, "w") as file:
        write_elem(file, "/", anndata.AnnData(obs=pd.DataFrame(index=names), var=genes))
        del file["raw"]
        for start in range(0, n_cells, BLOCK):
            size = min(BLOCK, n_cells - start)
            stream = _seeds.generator(0, "million cells", start)
            # The genes with a count, then counts that are not zero: a dense draw would take longer.
            rows = []
            for depth in np.exp(stream.normal(0.0, 0.4, size)):
                mean = depth * scale * level
                some = np.flatnonzero(stream.random(n_genes) < -np.expm1(-mean))
                counts = 1 + stream.poisson(mean[some])
                rows.append((some.astype(np.int32), counts.astype(np.float32)))
            indptr = np.cumsum([0, *(len(some) for some, _ in rows)])
            block = sp.csr_matrix(
                (
                    np.concatenate([counts for _, counts in rows]),
                    np.concatenate([some for some, _ in rows]),
                    indptr,
                ),
                shape=(size, n_genes),
            )
            if start == 0:
                write_elem(file, "X", block)
            else:
                sparse_dataset(file["X"]).append(block)


def network(n_regulons: int, n_genes: int, n_targets: int = 100) -> pd.DataFrame:
    """Random regulons."""
    rng = _seeds.generator(0, "million cells", "network")
    targets = [rng.choice(n_genes, n_targets, replace=False) for _ in range(n_regulons)]
    return pd.DataFrame(
        {
            "source": np.repeat([f"TF{i}" for i in range(n_regulons)], n_targets),
            "target": [f"gene{i}" for i in np.concatenate(targets)],
            "mor": rng.choice([-1.0, 1.0], n_regulons * n_targets),
            "likelihood": rng.uniform(0.2, 1.0, n_regulons * n_targets),
        }
    )


def score(path: Path, output: Path, n_regulons: int, options: dict[str, str]) -> dict[str, float]:
    """Score the cells of a file; seconds, and the largest resident memory in MB."""
    pysces.settings.verbosity = "silent"
    adata = anndata.read_h5ad(path, backed="r")
    regulons = network(n_regulons, adata.n_vars)
    few = adata[:200].to_memory()  # compiles
    pysces.run_viper(few, regulons, **options)  # type: ignore[arg-type]
    start, cpu = time.perf_counter(), time.process_time()
    pysces.run_viper(adata, regulons, output=output, **options)  # type: ignore[arg-type]
    seconds = time.perf_counter() - start
    return {
        "seconds": seconds,
        "cpu": time.process_time() - cpu,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    """Print one line per number of cells."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cells", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--genes", type=int, default=20_000)
    parser.add_argument("--filled", type=float, default=0.08)
    parser.add_argument("--regulons", type=int, default=300)
    parser.add_argument("--folder", type=Path, help="where files are written; else a temporary one")
    parser.add_argument("--option", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"))
    parser.add_argument("--score", nargs=2, type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    options = dict(given.option)
    if given.score:
        print(json.dumps(score(*given.score, given.regulons, options)))
        return
    print("    cells  seconds  cells/s  CPU us/cell  peak MB  file MB")
    for n_cells in given.cells:
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            path, output = Path(folder, "cells.h5ad"), Path(folder, "activities.h5ad")
            write_cells(path, n_cells, given.genes, given.filled)
            command = [sys.executable, __file__, "--score", str(path), str(output)]
            command += ["--regulons", str(given.regulons)]
            command += [word for pair in given.option for word in ("--option", *pair)]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                sys.exit(done.stderr)
            found = json.loads(done.stdout.splitlines()[-1])
            shape = anndata.read_h5ad(output, backed="r").shape
            assert shape == (n_cells, given.regulons), shape
            size = path.stat().st_size / 2**20
        speed, each = n_cells / found["seconds"], 1e6 * found["cpu"] / n_cells
        print(
            f"{n_cells:>9,} {found['seconds']:>8.1f} {speed:>8,.0f} {each:>12.0f} "
            f"{found['peak']:>8,.0f} {size:>8,.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
