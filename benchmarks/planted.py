"""Do q-values mean what they say? True edges planted among cells that differ in depth.

    python benchmarks/planted.py [--runs 10] [--sizes 100 200 500 1000] [-o table.tsv]

A third of the regulators drive 20 genes each, log-linearly; all other genes depend on the depth of
the cell alone. So a pair has a cause in common only within a module, and the share of called pairs
without one should be at most ``alpha`` on average over runs, at every number of cells. Counts are
Poisson or negative binomial; each case is run on the counts and on their log-normalised values.
"""

from __future__ import annotations

import argparse
import sys
from itertools import product
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
from cells import as_cells, counted, depths, levels, log_normalised, network_of

import pysces
from pysces import _seeds

SIZES = (100, 200, 500, 1000)
N_GENES, N_REGULATORS, N_TARGETS = 1500, 60, 20
STRENGTHS = (0.3, 1.0)  # slope of a target's log mean on the regulator's normal activity


def planted(kind: str, n_cells: int, seed: int, n_genes: int = N_GENES,
            n_regulators: int = N_REGULATORS) -> tuple[anndata.AnnData, np.ndarray]:  # fmt: skip
    """Cells, and the module of each gene of theirs (-1: none). The first genes are regulators."""
    rng = _seeds.generator(seed, "planted", kind, n_cells, n_genes, n_regulators)
    share = np.sort(levels(n_genes, rng))[::-1]
    # Regulators are expressed well enough to be seen: they are of the more abundant half.
    own = rng.choice(n_genes // 2, n_regulators, replace=False)
    share = np.concatenate([share[own], np.delete(share, own)])
    module = np.full(n_genes, -1)
    n_active = n_regulators // 3
    module[:n_active] = np.arange(n_active)
    followers = n_regulators + rng.choice(n_genes - n_regulators, n_active * N_TARGETS, False)
    module[followers] = np.repeat(np.arange(n_active), N_TARGETS)
    activity = rng.normal(size=(n_cells, n_active))
    slope = rng.uniform(*STRENGTHS, size=n_genes) * rng.choice([-1, 1], size=n_genes)
    slope[:n_active] = 0.8
    effect = np.where(module >= 0, activity[:, module] * slope - slope**2 / 2, 0.0)
    mean = depths(n_cells, rng)[:, None] * share * np.exp(effect)
    cells = as_cells(counted(mean, kind, rng))
    kept = [int(name.removeprefix("gene")) for name in cells.var_names]
    return cells, module[kept]


def figures(cells: anndata.AnnData, module: np.ndarray, regulators: list[str], seed: int
            ) -> dict[str, float]:  # fmt: skip
    """Edges, share of them between modules, share of planted pairs found."""
    table = network_of(cells, regulators, seed=seed)
    of = pd.Series(module, index=cells.var_names)
    source, target = (of.loc[table[name]].to_numpy() for name in ("source", "target"))
    related = (source == target) & (source >= 0)
    active = [name for name in regulators if of[name] >= 0]
    n_planted = sum(int((module == of[name]).sum()) - 1 for name in active)
    return {
        "edges": len(table),
        "unrelated": float((~related).mean()) if len(table) else 0.0,
        "recall": float(related.sum() / n_planted),
    }


def main(arguments: list[str] | None = None) -> pd.DataFrame:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=10, help="of each case")
    parser.add_argument("--sizes", nargs="+", type=int, default=list(SIZES), help="cells")
    parser.add_argument("--genes", type=int, default=N_GENES)
    parser.add_argument("--regulators", type=int, default=N_REGULATORS)
    parser.add_argument("-o", "--output", type=Path, help="the table, tab-separated")
    given = parser.parse_args(arguments)
    pysces.settings.verbosity = "silent"
    rows = []
    for n_cells, kind in product(given.sizes, ("poisson", "negative binomial")):
        found: dict[str, list[dict[str, float]]] = {"counts": [], "log-normalised": []}
        for seed in range(given.runs):
            cells, module = planted(kind, n_cells, seed, given.genes, given.regulators)
            names = [f"gene{i}" for i in range(given.regulators)]
            regulators = [name for name in names if name in cells.var_names]
            for values, made in (("log-normalised", log_normalised(cells)), ("counts", cells)):
                found[values].append(figures(made, module, regulators, seed))
        for values, runs in found.items():
            table = pd.DataFrame(runs)
            row = {
                "cells": n_cells,
                "noise": kind,
                "values": values,
                "runs": given.runs,
                **table.mean().to_dict(),
                "standard_error": float(table["unrelated"].std() / np.sqrt(given.runs)),
            }
            rows.append(row)
            print(
                "{cells} cells, {noise}, {values}: {edges:.0f} edges, recall {recall:.2f}, "
                "unrelated {unrelated:.3f} +- {standard_error:.3f}".format(**row),
                flush=True,
            )
    table = pd.DataFrame(rows)
    if given.output:
        table.to_csv(given.output, sep="\t", index=False, float_format="%.6g")
    return table


if __name__ == "__main__":
    main(sys.argv[1:])
