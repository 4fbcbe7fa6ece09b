"""``pysces demo``: from 700 blood cells to a network, with files and pictures to look at."""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pysces
from pysces.errors import PyscesError

if TYPE_CHECKING:
    from anndata import AnnData

    from pysces.network import Network


def load() -> AnnData:
    """The 700 blood cells (10x Genomics, 68k PBMC, reduced) that ship inside scanpy.

    765 variable genes, log-normalised; cell types in ``obs["bulk_labels"]``.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # scanpy's own, about an old file format
            import scanpy

            adata = scanpy.datasets.pbmc68k_reduced()
    except ImportError as error:
        raise PyscesError(
            f"The demo needs scanpy ({error}). Install it with: pip install 'pysces-grn[demo]'."
        ) from error
    cells = adata.raw.to_adata()
    cells.obs = adata.obs[["bulk_labels"]].copy()
    cells.obsm["X_umap"] = adata.obsm["X_umap"]
    return cells


def demo(folder: Path, engine: str | None = None, **options: Any) -> None:
    """Infer a network, write it as TSV and inside an h5ad, draw it, print a summary."""
    import matplotlib

    matplotlib.use("Agg")
    start = time.perf_counter()
    adata = load()
    folder.mkdir(parents=True, exist_ok=True)
    print(f"{adata.n_obs} blood cells x {adata.n_vars} genes (ships with scanpy)")
    pysces.run_aracne(adata, engine=engine, **options)
    elapsed = time.perf_counter() - start
    network = pysces.Network.from_anndata(adata)
    params = adata.uns["aracne"]["params"]
    _write(folder, adata, network)
    print(_summary(network, params, elapsed))
    print(f"\nwritten to {folder}/")
    for path in sorted(folder.iterdir()):
        print(f"  {path.name}")


def _write(folder: Path, adata: AnnData, network: Network) -> None:
    from matplotlib import pyplot

    from pysces.data.files import write_h5ad
    from pysces.plots import network_graph

    network.write(folder / "network.tsv")
    write_h5ad(adata, folder / "pbmc.h5ad")
    if len(network) == 0:
        return
    figure, axes = pyplot.subplots(figsize=(12, 9))
    network_graph(network, ax=axes)
    figure.savefig(folder / "network.png", dpi=150, bbox_inches="tight")
    pyplot.close(figure)


def _summary(network: Network, params: dict[str, Any], elapsed: float) -> str:
    table = network.to_dataframe()
    sizes = (
        table.groupby("source", observed=True).size().sort_values(ascending=False, kind="stable")
    )
    engine = params["engine"]
    lines = [
        f"{len(network)} edges, {len(sizes)} of {params['n_regulators']} regulators, "
        f"false discovery rate {params['alpha']:g}",
        f"{elapsed:.1f} s on engine {engine['name']} ({engine['version']}, {engine['device']}), "
        f"{params['n_resamples']} subsamples of {params['samples_per_resample']} cells",
        "",
        f"{'regulator':<12}{'targets':>8}   strongest targets (- repressed)",
    ]
    for name, size in sizes.head(10).items():
        own = table[table["source"] == name].nlargest(5, "mi")
        targets = ", ".join(
            f"{'-' if mor < 0 else ''}{target}"
            for target, mor in zip(own["target"], own["mor"], strict=True)
        )
        lines.append(f"{name:<12}{size:>8}   {targets}")
    return "\n".join(lines)
