"""Run an example analysis of 700 blood cells, with plots: ``pysces demo``.

Also :func:`simulate_cells`: counts of blood cells with a known network, for tutorials and tests.
"""

from __future__ import annotations

import time
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

import pysces
from pysces._atomic import atomic_write, storing
from pysces.errors import PyscesError
from pysces.settings import EngineName

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from anndata import AnnData

    from pysces.network import Network

CELL_TYPE = "bulk_labels"

# What the demo writes.
_FILES = {
    "network.tsv": "the edges",
    "master_regulators.tsv": "the regulators of each cell type",
    "pbmc.h5ad": "the cells with all results",
    "network.png": "the strongest regulons",
    "heatmap.png": "activity by cell type",
    "umap.png": "activity in each cell",
}

# Simulated cells: fraction of each type and its relative depth, and regulators that are active in
# one type.
_TYPES = {"T": (0.5, 1.0), "NK": (0.12, 1.0), "B": (0.15, 0.9), "monocyte": (0.23, 1.5)}
_LINEAGES = {
    "T": ("TCF7", "LEF1", "GATA3"),
    "NK": ("EOMES", "TBX21"),
    "B": ("PAX5", "EBF1", "SPIB"),
    "monocyte": ("SPI1", "CEBPD", "MAFB"),
}


def load() -> AnnData:
    """Load the 700 blood cells (10x Genomics, 68k PBMC, reduced) that scanpy contains.

    765 variable genes, log-normalised; cell types in ``obs["bulk_labels"]``.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # from scanpy, about an old file format
            import scanpy

            adata = scanpy.datasets.pbmc68k_reduced()
    except ImportError as error:
        raise PyscesError(
            f"The demo requires scanpy ({error}). Install it with: pip install 'pysces-grn[demo]'."
        ) from error
    cells = adata.raw.to_adata()
    cells.obs = adata.obs[[CELL_TYPE]].copy()
    cells.obsm["X_umap"] = adata.obsm["X_umap"]
    return cells


def simulate_cells(
    n_cells: int = 1500,
    n_genes: int = 4000,
    n_regulators: int = 150,
    *,
    n_donors: int = 2,
    seed: int = 0,
) -> AnnData:
    """Simulate counts of blood cells of several donors with a known network.

    Each regulator has an activity in each cell, standard normal within a cell type; eleven known
    regulators of blood cells are active in one type. A regulator has 10 to 59 targets, none of
    which is a regulator. The logarithm of a target's share of the molecules changes by 0.4 to 1 per
    unit of activity, and decreases for a third of the targets; that of the regulator increases by
    0.7. In addition, genes differ between donors (standard deviation of the logarithm 0.3), and a
    twentieth of the genes differ between cell types (0.7) without a regulator. Counts are negative
    binomial (size 5) with log-normal depths: the median is 2,500, the standard deviation of the
    logarithm is 0.4, the depth of monocytes is 1.5 times that of T cells, and the depth of each
    second donor is 1.5 times that of the others.

    Parameters
    ----------
    n_cells, n_genes, n_regulators
        Size of the data; at least 11 regulators.
    n_donors
        Number of donors, to which the cells are assigned at random.
    seed
        Seed of all random numbers.

    Returns
    -------
    AnnData
        Counts, cells x genes. ``obs``: ``cell_type``, ``donor``. ``var["regulator"]``: the
        regulators, with names of human transcription factors. ``uns["truth"]``: the edges, one
        row per edge (``source``, ``target``, ``effect``). ``obsm["true_activity"]``: activities,
        a DataFrame cells x regulators.

    Examples
    --------
    >>> cells = simulate_cells(100, 300, 20)
    >>> cells.shape, int(cells.var["regulator"].sum())
    ((100, 300), 20)
    """
    import anndata
    import pandas as pd
    import scipy.sparse as sp

    rng = np.random.default_rng(seed)
    known = [name for names in _LINEAGES.values() for name in names]
    others = [name for name in pysces.regulators("human") if name not in known]
    regulators = [*known, *others][:n_regulators]
    genes = np.array([*regulators, *(f"gene{i}" for i in range(n_genes - n_regulators))])
    types, first = list(_TYPES), len(regulators)
    kind = rng.choice(len(types), n_cells, p=[share for share, _ in _TYPES.values()])
    donor = rng.integers(0, n_donors, n_cells)
    depth = 2500 * rng.lognormal(0.0, 0.4, n_cells) * 1.5 ** (donor % 2)
    depth *= np.array([relative for _, relative in _TYPES.values()])[kind]

    activity = rng.normal(size=(n_cells, first))
    for number, type_ in enumerate(t for t, names in _LINEAGES.items() for _ in names):
        activity[:, number] *= 0.6
        activity[:, number] += np.where(kind == types.index(type_), 1.5, -0.5)
    effect = np.zeros((first, n_genes))
    for row in effect:
        targets = rng.choice(np.arange(first, n_genes), rng.integers(10, 60), replace=False)
        row[targets] = rng.uniform(0.4, 1.0, len(targets)) * rng.choice([1, 1, -1], len(targets))

    log_share = rng.normal(0.0, 1.5, n_genes) + activity @ effect
    log_share[:, :first] += 0.7 * activity
    log_share += rng.normal(0.0, 0.3, (n_donors, n_genes))[donor]
    marker = rng.random(n_genes) < np.where(np.arange(n_genes) < first, 0.0, 0.05)
    log_share += (marker * rng.normal(0.0, 0.7, (len(types), n_genes)))[kind]
    mean = np.exp(log_share)
    mean *= (depth / mean.sum(axis=1))[:, None]
    counts = rng.poisson(mean * rng.gamma(5.0, 0.2, mean.shape)).astype(np.float32)

    adata = anndata.AnnData(
        sp.csr_matrix(counts),
        obs=pd.DataFrame(
            {
                "cell_type": pd.Categorical([types[k] for k in kind], categories=types),
                "donor": pd.Categorical([f"donor {d + 1}" for d in donor]),
            },
            index=[f"cell{i}" for i in range(n_cells)],
        ),
        var=pd.DataFrame({"regulator": np.arange(n_genes) < first}, index=genes),
    )
    source, target = np.nonzero(effect)
    edges = {"source": genes[source], "target": genes[target], "effect": effect[source, target]}
    adata.uns["truth"] = pd.DataFrame(edges)
    adata.obsm["true_activity"] = pd.DataFrame(activity, index=adata.obs_names, columns=regulators)
    return adata


def demo(folder: Path, engine: EngineName | None = None, **options: Any) -> None:
    """Infer a network and activities, write tables and plots, and print a summary.

    Parameters
    ----------
    folder
        Folder of the results, created if it does not exist; files of an earlier demo are replaced.
    engine
        As in :func:`pysces.run_aracne`.
    **options
        More options of :func:`pysces.run_aracne`.
    """
    _say("Reading 700 blood cells, which scanpy contains")
    adata = load()
    with storing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    print(
        f"{adata.n_obs} cells x {adata.n_vars} genes, {adata.obs[CELL_TYPE].nunique()} cell types"
    )
    _say(
        "Inferring which regulator acts on which gene, in resamples of half of the cells",
        "(takes seconds; the first run also compiles the kernels)",
    )
    start = time.perf_counter()
    pysces.run_aracne(adata, engine=engine, **options)
    between = time.perf_counter()
    network = pysces.Network.from_anndata(adata)
    print(_network_summary(network, between - start))
    if len(network) == 0:
        return
    _say("Inferring the activity of each regulator in each cell, and ranking them by cell type")
    start = time.perf_counter()
    pysces.run_viper(adata, engine=engine)
    pysces.rank_regulators(adata, CELL_TYPE)
    ranked = pysces.ranking(adata)
    print(_activity_summary(adata, ranked, time.perf_counter() - start))
    _say(f"Writing tables and plots to {folder}/")
    _write(folder, adata, network, ranked)
    for name, content in _FILES.items():
        print(f"  {name:<23}{content}")
    _say(
        "Next, with your own cells:",
        "  pysces aracne cells.h5ad -o network.h5ad",
        "  pysces viper network.h5ad -o activity.h5ad",
        "  pysces rank activity.h5ad --groupby cell_type -o regulators.tsv",
        f"or look at these: pysces report {folder / 'pbmc.h5ad'} -o report.html",
    )


def _say(*lines: str) -> None:
    """Print what comes next at once."""
    print("", *lines, sep="\n", flush=True)


def _network_summary(network: Network, elapsed: float) -> str:
    table = network.to_dataframe()
    sizes = table["source"].value_counts()
    options, facts, engine = network.record.options, network.record.facts, network.record.engine
    lines = [
        f"ARACNe: {len(network)} edges, {len(sizes)} of {facts['n_regulators']} regulators, "
        f"false discovery rate {options['alpha']:g}",
        f"{elapsed:.1f} s on engine {engine['name']} ({engine['version']}, {engine['device']}), "
        f"{facts['n_resamples_used']} resamples of {facts['samples_per_resample']} cells",
    ]
    if len(network):
        lines.append(
            f"{100 * facts['share_of_pairs']:.1f} % of all pairs; an edge was found in "
            f"{facts['median_support']:g} resamples at the median; two halves of the resamples "
            f"agree on {100 * facts['stability']:.0f} % of the edges"
        )
    lines += ["", f"{'regulator':<12}{'targets':>8}   most certain targets (- repressed)"]
    for name, size in sizes.head(8).items():
        own = table[table["source"] == name].head(5)  # edges are sorted by decreasing certainty
        targets = ", ".join(
            f"{'-' if mor < 0 else ''}{target}"
            for target, mor in zip(own["target"], own["mor"], strict=True)
        )
        lines.append(f"{name:<12}{size:>8}   {targets}")
    return "\n".join(lines)


def _activity_summary(adata: AnnData, ranked: pd.DataFrame, elapsed: float) -> str:
    count = adata.obsm["viper"].shape[1]
    lines = [
        f"VIPER: activity of {count} regulators in {adata.n_obs} cells, {elapsed:.1f} s",
        "",
        f"{'cell type':<32}regulators more active than in the rest (t)",
    ]
    for group, own in ranked.groupby("group", observed=True):
        top = own[own["score"] > 0].nlargest(4, "score")
        names = ", ".join(
            f"{name} {t:.1f}" for name, t in zip(top["regulator"], top["score"], strict=True)
        )
        lines.append(f"{group!s:<32}{names}")
    return "\n".join(lines)


def _write(folder: Path, adata: AnnData, network: Network, ranked: pd.DataFrame) -> None:
    from matplotlib import pyplot

    from pysces.data.read import write_h5ad
    from pysces.pl import activity_heatmap, network_graph

    network.write(folder / "network.tsv")
    atomic_write(
        folder / "master_regulators.tsv",
        ranked.to_csv(sep="\t", index=False, float_format="%.6g").encode(),
    )
    write_h5ad(adata, folder / "pbmc.h5ad")
    with pyplot.rc_context({"figure.max_open_warning": 0}):
        for name, draw, size in (
            ("network", lambda ax: network_graph(network, ax=ax), (12, 9)),
            ("heatmap", lambda ax: activity_heatmap(adata, CELL_TYPE, ax=ax), (9, 8)),
        ):
            figure, axes = pyplot.subplots(figsize=size)
            draw(axes)
            _save(figure, folder / f"{name}.png", 150)
            pyplot.close(figure)
        figure = _umap(adata)
        _save(figure, folder / "umap.png", 130)
        pyplot.close(figure)


def _save(figure: Any, path: Path, dpi: int) -> None:
    atomic_write(
        path, lambda file: figure.savefig(file, dpi=dpi, bbox_inches="tight", format="png")
    )


def _umap(adata: AnnData) -> Any:
    """Cells coloured by their type and by the activity of the regulators that vary most."""
    from matplotlib import pyplot

    scores = adata.obsm["viper"]
    chosen = scores.var().sort_values(ascending=False, kind="stable").index[:5]
    x, y = adata.obsm["X_umap"].T
    figure, panels = pyplot.subplots(2, 3, figsize=(15, 10), layout="constrained")
    types = adata.obs[CELL_TYPE].astype("category")
    colours = pyplot.get_cmap("tab10").colors
    for number, name in enumerate(types.cat.categories):
        own = (types == name).to_numpy()
        panels[0, 0].scatter(x[own], y[own], s=9, color=colours[number % 10], label=name)
    # Below the panel, where it does not cover cells
    panels[0, 0].legend(
        fontsize=7, frameon=False, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.06)
    )
    panels[0, 0].set_title("cell type")
    limit = float(abs(scores[chosen]).quantile(0.99).max())
    for ax, name in zip(panels.ravel()[1:], chosen, strict=True):
        drawn = ax.scatter(x, y, s=9, c=scores[name], cmap="RdBu_r", vmin=-limit, vmax=limit)
        ax.set_title(f"activity of {name}")
        figure.colorbar(drawn, ax=ax, shrink=0.7, label="NES")
    for ax in panels.ravel():
        ax.set(xticks=[], yticks=[], xlabel="UMAP 1", ylabel="UMAP 2")
    return figure
