"""Sets of expression data with a known network: simulated, or published ones read from a folder.

A folder of published sets has one folder for each: ``expression.tsv.gz`` (samples x genes),
``regulators.txt`` (one name per line) and ``edges.tsv`` (columns source, target). A set of whole
numbers alone is taken as counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from known_networks import SETS as SIMULATED
from known_networks import log_normalised, simulate

SIZES = (100, 200, 500, 1000)
N_REGULATORS, N_GENES = 50, 500
PUBLISHED = (
    "dream4_multifactorial_1",
    "dream4_multifactorial_2",
    "dream4_multifactorial_3",
    "dream4_perturbations_1",
    "gsd",
    "minet",
    "toy",
    "sergio_counts",
)
# Sets of thousands of cells, thinned so that forests of trees take minutes: every third cell.
STEPS = {"sergio_counts": 3}


@dataclass(frozen=True, eq=False)
class KnownSet:
    """Expression and the network behind it.

    Attributes
    ----------
    name
        Name of the set.
    seed
        Seed of a simulation, 0 for a published set.
    data
        Samples x genes, the regulators first; log-normalised where there are counts.
    truth
        Whether the regulator regulates the gene, bool [regulators, genes].
    related
        Whether both have a cause in common, bool [regulators, genes]; None where unknown.
    counts
        The counts that ``data`` are normalised from, where there are any.
    """

    name: str
    seed: int
    data: pd.DataFrame
    truth: np.ndarray
    related: np.ndarray | None
    counts: pd.DataFrame | None

    @property
    def regulators(self) -> list[str]:
        return list(self.data.columns[: len(self.truth)])

    @property
    def label(self) -> str:
        return f"{self.name}-{len(self.data)}-{self.seed}"


def simulated(
    name: str,
    n_samples: int,
    seed: int = 0,
    n_regulators: int = N_REGULATORS,
    n_genes: int = N_GENES,
) -> KnownSet:
    """A simulation of ``known_networks.py``."""
    made = simulate(name, n_samples, n_regulators, n_genes, seed)
    return KnownSet(name, seed, made.data, made.truth, made.related, made.counts)


def published(folder: Path) -> KnownSet:
    """A set read from its folder."""
    table = pd.read_csv(folder / "expression.tsv.gz", sep="\t", index_col=0)
    table = table.iloc[:: STEPS.get(folder.name, 1)]
    regulators = (folder / "regulators.txt").read_text().split()
    table = table[regulators + [gene for gene in table.columns if gene not in set(regulators)]]
    truth = np.zeros((len(regulators), table.shape[1]), dtype=bool)
    edges = pd.read_csv(folder / "edges.tsv", sep="\t", dtype=str)
    row = pd.Index(regulators).get_indexer(pd.Index(edges["source"]))
    column = table.columns.get_indexer(pd.Index(edges["target"]))
    known = (row >= 0) & (column >= 0)
    truth[row[known], column[known]] = True
    is_counts = bool((table >= 0).all(axis=None) and (table == table.round()).all(axis=None))
    counts = table if is_counts else None
    data = log_normalised(table) if is_counts else table.astype(float)
    return KnownSet(folder.name, 0, data, truth, None, counts)


def all_sets(
    names: list[str],
    sizes: list[int],
    seeds: range,
    data: Path | None,
    n_regulators: int = N_REGULATORS,
    n_genes: int = N_GENES,
) -> Iterator[KnownSet]:
    """Published sets (where a folder is given), then simulations, small ones first."""
    if data is not None:
        yield from (published(data / name) for name in PUBLISHED if name in names)
    for seed in seeds:
        for size in sizes:
            for name in SIMULATED:
                if name in names:
                    yield simulated(name, size, seed, n_regulators, n_genes)
