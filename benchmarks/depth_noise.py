"""Cells that differ in depth alone: in how many runs is any edge called? There should be none.

    python benchmarks/depth_noise.py [--runs 20] [--counts counts.npz] [-o table.tsv]

Poisson and negative binomial counts without regulation, of depths that are log-normal or those of
the file of counts; as one batch or as two of unlike depth and level (each gene's level differs by
a factor exp(0.4 z), z normal, the depth by exp(0.6)), whose column is passed as ``batch_key``.
Every case is run on the counts and on their log-normalised values alone. With ``--counts``: real
counts as well, each gene permuted among cells of like depth.

The file (.npz) has counts as csr (data, indices, indptr, shape), genes, and total_counts.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
from cells import (
    BATCH_DEPTH,
    BATCH_LEVEL,
    as_cells,
    counted,
    depths,
    expressed,
    levels,
    log_normalised,
    network_of,
    read_counts,
)

import pysces
from pysces import _seeds

N_CELLS, N_GENES, N_REGULATORS = 500, 1500, 80
STRATA = 20  # of depth, in which real counts are permuted


def noise(kind: str, seed: int, given: np.ndarray | None, *, batches: bool,
          n_cells: int = N_CELLS, n_genes: int = N_GENES) -> anndata.AnnData:  # fmt: skip
    """Counts that depend on the depth of the cell (and its batch) and on nothing else."""
    rng = _seeds.generator(seed, "depth noise", kind, batches, given is None, n_cells, n_genes)
    depth, share = depths(n_cells, rng, given), levels(n_genes, rng)
    batch = np.zeros(n_cells, dtype=int)
    mean = depth[:, None] * share
    if batches:
        batch = rng.integers(2, size=n_cells)
        other = np.exp(BATCH_LEVEL * rng.normal(size=n_genes) + BATCH_DEPTH)
        mean = np.where(batch[:, None] == 1, mean * other, mean)
    counts = counted(mean, kind, rng)
    return as_cells(counts, batch=batch if batches else None)


def permuted(cells: anndata.AnnData, seed: int) -> anndata.AnnData:
    """Each gene's counts permuted among cells of like depth; the depths stay."""
    rng = _seeds.generator(seed, "depth noise", "permuted", *cells.shape)
    depth = cells.obs["total_counts"].to_numpy()
    counts = cells.X.toarray()
    for members in np.array_split(np.argsort(depth, kind="stable"), STRATA):
        counts[members] = rng.permuted(counts[members], axis=0)
    return as_cells(counts, depth)


def cases(counts: anndata.AnnData | None, n_cells: int, n_genes: int, regulators: int
          ) -> dict[str, Callable[[int], tuple[anndata.AnnData, list[str]]]]:  # fmt: skip
    """Name -> (seed -> cells, regulators)."""

    def some(cells: anndata.AnnData, seed: int) -> list[str]:
        rng = _seeds.generator(seed, "depth noise", "regulators")
        return sorted(map(str, rng.choice(cells.var_names, regulators, replace=False)))

    def simulated(kind: str, given: np.ndarray | None, batches: bool) -> Callable:
        def make(seed: int) -> tuple[anndata.AnnData, list[str]]:
            cells = noise(kind, seed, given, batches=batches, n_cells=n_cells, n_genes=n_genes)
            return cells, some(cells, seed)

        return make

    def of_file(seed: int) -> tuple[anndata.AnnData, list[str]]:
        assert counts is not None
        cells = permuted(counts, seed)
        return cells, some(cells, seed)

    found: dict[str, Callable] = {}
    sources: dict[str, np.ndarray | None] = {"log-normal depths": None}
    if counts is not None:
        sources["depths of the file"] = counts.obs["total_counts"].to_numpy()
    for kind, (words, given), batches in product(
        ("poisson", "negative binomial"), sources.items(), (False, True)
    ):
        name = f"{kind}, {words}{', two batches' if batches else ''}"
        found[name] = simulated(kind, given, batches)
    if counts is not None:
        found["counts of the file, permuted among cells of like depth"] = of_file
    return found


def edges_of(cells: anndata.AnnData, regulators: list[str], seed: int, **options: Any) -> int:
    if "batch" in cells.obs:
        options["batch_key"] = "batch"
    return len(network_of(cells, regulators, seed=seed, **options))


def main(arguments: list[str] | None = None) -> pd.DataFrame:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=20, help="of each case")
    parser.add_argument("--cells", type=int, default=N_CELLS)
    parser.add_argument("--genes", type=int, default=N_GENES)
    parser.add_argument("--regulators", type=int, default=N_REGULATORS)
    parser.add_argument("--counts", type=Path, help="real counts (.npz)")
    parser.add_argument("--only", default="", help="cases whose name has this text")
    parser.add_argument("-o", "--output", type=Path, help="the table, tab-separated")
    given = parser.parse_args(arguments)
    pysces.settings.verbosity = "silent"
    counts = expressed(read_counts(given.counts)) if given.counts else None
    rows = []
    chosen = cases(counts, given.cells, given.genes, given.regulators)
    for name, make in chosen.items():
        if given.only not in name:
            continue
        edges: dict[str, list[int]] = {"counts": [], "log-normalised": []}
        begin = time.perf_counter()
        for seed in range(given.runs):
            cells, regulators = make(seed)
            edges["log-normalised"].append(edges_of(log_normalised(cells), regulators, seed))
            edges["counts"].append(edges_of(cells, regulators, seed))
        seconds = (time.perf_counter() - begin) / 2 / given.runs
        for values, found in edges.items():
            wrong = sum(n > 0 for n in found)
            rows.append(
                {
                    "case": name,
                    "values": values,
                    "runs": given.runs,
                    "runs_with_edges": wrong,
                    "mean_edges": float(np.mean(found)),
                    "largest": max(found),
                    "seconds": seconds,
                }
            )
            print(
                f"{name}; {values}: {wrong} of {given.runs} runs with an edge, "
                f"{np.mean(found):.1f} edges on average, {max(found)} at most, {seconds:.1f} s",
                flush=True,
            )
    table = pd.DataFrame(rows)
    if given.output:
        table.to_csv(given.output, sep="\t", index=False, float_format="%.6g")
    return table


if __name__ == "__main__":
    main(sys.argv[1:])
