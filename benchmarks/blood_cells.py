"""Blood cells: size and stability of the network, and whether known regulators come out of it.

    python benchmarks/blood_cells.py counts.npz [--values counts] [--seeds 2]

Takes counts (csr: data, indices, indptr, shape; genes; total_counts) of human blood cells; genes
in 10 % of the cells are kept. Printed: edges, their share of all pairs, time, overlap of the edges
of two seeds (intersection / union) and correlation of activities between them; the first targets
of regulators of monocytes and of T cells; and where ``rank_regulators`` and ``run_msviper`` place
the former for monocytes against the rest. Clusters: k-means of 30 principal components, named by
marker genes. ``--values log`` (the default) passes log-normalised values alone.
"""

from __future__ import annotations

import argparse
import sys
import time
from itertools import pairwise
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
from cells import expressed, log_normalised, network_of, read_counts

import pysces

MONOCYTES = {  # regulator -> genes of monocytes of which one should be a first target
    "CEBPD": ("LYZ", "CST3", "FCN1", "S100A8", "S100A9"),
    "MAFB": ("LYZ", "CST3", "FCN1", "S100A8", "S100A9"),
    "SPI1": ("LYZ", "CST3", "FCN1", "S100A8", "S100A9"),
}
T_CELLS = {"TCF7": ("IL7R",), "LEF1": ("IL7R",)}
MARKERS = ("LYZ", "CST3", "FCN1", "S100A8", "S100A9")
FIRST = 15  # targets looked at
TOP = 10  # regulators looked at
N_CLUSTERS = 8


def clusters(cells: anndata.AnnData) -> pd.Categorical:
    """``"monocytes"`` and numbers: k-means of the principal components of log-normalised values."""
    from sklearn.cluster import KMeans
    from sklearn.decomposition import PCA

    values = cells.X.toarray()
    spread = values.var(axis=0)
    best = np.argsort(-spread, kind="stable")[:2000]
    components = PCA(30, random_state=0).fit_transform(values[:, best] - values[:, best].mean(0))
    label = KMeans(N_CLUSTERS, n_init=10, random_state=0).fit_predict(components)
    markers = cells.var_names.get_indexer([name for name in MARKERS if name in cells.var_names])
    score = pd.DataFrame(values[:, markers]).groupby(label).mean().mean(axis=1)
    # All clusters whose markers are nearer to the best cluster's than to the others'
    high = score.index[score > (score.max() + score.min()) / 2]
    return pd.Categorical(np.where(np.isin(label, high), "monocytes", label.astype(str)))


def pairs(table: pd.DataFrame) -> set[tuple[str, str]]:
    """Called pairs; two regulators once."""
    return {tuple(sorted(pair)) for pair in table[["source", "target"]].to_numpy()}


def targets(table: pd.DataFrame, regulator: str) -> list[str]:
    """The first targets of a regulator, by rank."""
    own = table[table["source"] == regulator].nsmallest(FIRST, "rank")
    return own["target"].astype(str).tolist()


def places(names: list[str], regulators: list[str]) -> str:
    """Which places regulators have in a ranking, 1 the first."""
    return ", ".join(
        f"{name} {names.index(name) + 1 if name in names else '-'}" for name in regulators
    )


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("counts", type=Path, help="counts (.npz)")
    parser.add_argument("--values", choices=("log", "counts"), default="log")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--regulators", type=Path, help="names, one per line (built-in ones)")
    parser.add_argument("-o", "--output", type=Path, help="the edges of the first seed")
    given = parser.parse_args(arguments)
    pysces.settings.verbosity = "silent"
    counts = expressed(read_counts(given.counts))
    log = log_normalised(counts)
    listed = given.regulators.read_text().split() if given.regulators else None
    names = set(listed or pysces.regulators("human"))
    regulators = [name for name in counts.var_names if name in names]
    n_pairs = len(regulators) * (counts.n_vars - 1) - len(regulators) * (len(regulators) - 1) // 2
    print(f"{counts.n_obs} cells, {counts.n_vars} genes, {len(regulators)} regulators")
    tables, activities = [], []
    for seed in range(given.seeds):
        cells = (log if given.values == "log" else counts).copy()
        begin = time.perf_counter()
        table = network_of(cells, regulators, seed=seed)
        seconds = time.perf_counter() - begin
        found = pairs(table)
        print(
            f"seed {seed}: {len(found)} pairs = {len(found) / n_pairs:.2%} of all, "
            f"{table['source'].nunique()} regulators, median regulon "
            f"{table['source'].value_counts().median():.0f}, "
            f"median support {table['support'].median():.3g}, {seconds:.1f} s",
            flush=True,
        )
        tables.append(table)
        if len(table):
            pysces.run_viper(cells)
            activities.append(pysces.activity(cells).to_df())
    for one, (first, second) in enumerate(pairwise(map(pairs, tables))):
        overlap = len(first & second) / max(1, len(first | second))
        print(f"overlap of seeds {one} and {one + 1}: {overlap:.3f}")
    for one, (first, second) in enumerate(pairwise(activities)):
        both = first.columns.intersection(second.columns)
        r = first[both].corrwith(second[both])
        print(
            f"activity, seeds {one} and {one + 1}: {len(both)} regulators, correlation "
            f"{r.median():.3f} (median), {r.quantile(0.05):.3f} (5 %), {r.min():.3f} ({r.idxmin()})"
        )
    for name, wanted in {**MONOCYTES, **T_CELLS}.items():
        first = targets(tables[0], name)
        hit = [gene for gene in first if gene in wanted]
        print(f"{name}: {'found ' + ', '.join(hit) if hit else 'NOT FOUND'}; {' '.join(first)}")
    if given.output:
        tables[0].to_csv(given.output, sep="\t", index=False)
    if len(tables[0]):
        _activities(log if given.values == "log" else counts, log, tables[0])


def _activities(cells: anndata.AnnData, log: anndata.AnnData, table: pd.DataFrame) -> None:
    """Where the regulators of monocytes come by their activity."""
    cells = cells.copy()
    cells.obs["cluster"] = clusters(log)
    share = (cells.obs["cluster"] == "monocytes").mean()
    print(f"monocytes: {share:.0%} of the cells")
    for without in (False, True):
        edges = table[~table["target"].isin(MARKERS)] if without else table
        print(f"{'without' if without else 'with'} the genes of monocytes among the targets:")
        _ranked(cells, edges)


def _ranked(cells: anndata.AnnData, table: pd.DataFrame) -> None:
    pysces.run_viper(cells, table)
    pysces.rank_regulators(cells, "cluster")
    ranked = pysces.ranking(cells, "monocytes")
    known = list(MONOCYTES)
    first = ranked["regulator"].astype(str).tolist()
    print(f"rank_regulators: {places(first, known)}; first {' '.join(first[:TOP])}")
    pysces.run_msviper(cells, "cluster", "monocytes", network=table)
    results = cells.uns["msviper"]["results"]
    active = results[results["effect"] > 0]
    for by, found in (("effect", active), ("NES", active.sort_values("nes", ascending=False))):
        first = found["regulator"].astype(str).tolist()
        print(f"run_msviper by {by}: {places(first, known)}; first {' '.join(first[:TOP])}")


if __name__ == "__main__":
    main(sys.argv[1:])
