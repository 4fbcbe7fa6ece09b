"""What the edges of a network rest on: mutual information against chance, support of decoys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pysces.aracne.null import null_of
from pysces.aracne.options import measure_of
from pysces.errors import InputError
from pysces.keys import NetworkKeys
from pysces.plots._labels import fit
from pysces.plots._style import BLUE, FAINT, INK, ORANGE, VERMILION, axes_of, clean, network_of

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    from pysces.network import Network


def mi_null(
    network: Network | pd.DataFrame | AnnData,
    mi: pd.DataFrame | None = None,
    *,
    null: ArrayLike | None = None,
    key: str = NetworkKeys.key,
    ax: Axes | None = None,
) -> Axes:
    """Draw the mutual information of the edges against that of independent genes.

    Parameters
    ----------
    network
        A network of `pysces.run_aracne`, a table of its edges, or an AnnData that has one.
    mi
        Mutual information of all pairs (`pysces.mutual_information`), to draw that too.
    null
        Mutual information of independent pairs, nats; by default what the run compared with, from
        its cache (or simulated anew).
    key
        Where the network is in ``adata.uns``.
    ax
        Axes to draw on; new ones by default.

    Returns
    -------
    matplotlib.axes.Axes
        Share of pairs with at least so much mutual information, all samples; the scale of the
        mutual information is that of its square root. With resampling a dotted line marks the
        threshold within one resample, which has fewer samples.

    Raises
    ------
    InputError
        If the network doesn't record how it was made and ``null`` isn't given.

    Examples
    --------
    >>> import numpy as np, pandas as pd, pysces
    >>> edges = {"source": ["MYC", "MYC"], "target": ["MAX", "NCL"], "mi": [0.2, 0.4]}
    >>> chance = np.random.default_rng(0).exponential(0.01, size=1000)
    >>> ax = pysces.pl.mi_null(pysces.Network(pd.DataFrame(edges)), null=chance)
    >>> ax.get_xlabel()
    'mutual information (nats)'
    """
    network = network_of(network, key)
    table, params = network.to_dataframe(), network.params
    if "mi" not in table:
        raise InputError("The network has no column 'mi'. Draw one of pysces.run_aracne.")
    found = np.sort(table["mi"].to_numpy())
    pairs = None if mi is None else np.sort(mi.to_numpy()[np.isfinite(mi.to_numpy())])
    longest = max(float(part.max(initial=0.0)) for part in (found, pairs) if part is not None)
    # Mutual information grows with the square of a correlation: chance is at the very left.
    grid = (1.04 * longest or 1.0) * np.linspace(0.0, 1.0, 400) ** 2
    ax = axes_of(ax, 6.5, 4.5)
    ax.fill_between(grid, _chance(params, null, grid), color="#cccccc", lw=0, label="independent")
    if pairs is not None:
        ax.plot(
            grid, _share(pairs, grid, len(pairs)), color=BLUE, label=f"all {len(pairs):,} pairs"
        )
    total = len(pairs) if pairs is not None else _n_pairs(params, len(found))
    name = f"{len(found):,} edges of the network"
    ax.plot(grid, _share(found, grid, total), color=VERMILION, linestyle="--", label=name)
    threshold = params.get("threshold_mi")
    if isinstance(threshold, float) and np.isfinite(threshold):
        resampled = params.get("resampling") is not None
        place = f"threshold in a resample\nof {params['samples_per_resample']} samples"
        ax.axvline(threshold, color=INK, linewidth=1, linestyle=":")
        ax.annotate(
            place if resampled else "threshold", (threshold, 1), xycoords=("data", "axes fraction"),
            xytext=(3, -2), textcoords="offset points", va="top", fontsize=8,
        )  # fmt: skip
    ax.set_yscale("log")
    ax.set_xscale("function", functions=(_root, np.square))
    ax.set(xlim=(0, grid[-1]), ylim=(0.3 / max(1, total), 1.5))
    ax.set(xlabel="mutual information (nats)", ylabel="share of pairs at or above")
    ax.legend(frameon=False, loc="upper right")
    clean(ax)
    return ax


def _root(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sqrt(np.maximum(values, 0.0))


def _share(values: NDArray[np.float64], grid: NDArray[np.float64], total: int) -> NDArray[Any]:
    """Share of `total` with at least each value of the grid; NaN where there are none."""
    above = len(values) - np.searchsorted(values, grid, side="left")
    return np.where(above > 0, above / max(1, total), np.nan)


def _n_pairs(params: dict[str, Any], fewest: int) -> int:
    regulators, genes = params.get("n_regulators", 0), params.get("n_genes", 0)
    return max(fewest, int(regulators) * (int(genes) - 1))


def _chance(
    params: dict[str, Any], null: ArrayLike | None, grid: NDArray[np.float64]
) -> NDArray[np.float64]:
    """P(mutual information of independent genes >= grid)."""
    if null is not None:
        values = np.sort(np.asarray(null, dtype=float))
        above = len(values) - np.searchsorted(values, grid)
        return np.asarray((1.0 + above) / (1.0 + len(values)))
    measure = measure_of(params)
    if measure is None or "n_null" not in params:
        raise InputError(
            "The network does not record how it was made, so the null distribution is unknown. "
            "Pass null=, mutual information of independent pairs."
        )
    fixed = np.ceil(grid * measure.per_nat).astype(np.int64)
    return null_of(measure, "permutation", int(params["n_null"])).pvalues(fixed)


def support_histogram(
    network: Network | pd.DataFrame | AnnData,
    *,
    seen: ArrayLike | None = None,
    decoys: ArrayLike | None = None,
    decoys_per_regulator: float | None = None,
    key: str = NetworkKeys.key,
    ax: Axes | None = None,
) -> Axes:
    """Draw in how many resamples edges were found, and edges of decoy regulators beside them.

    Parameters
    ----------
    network
        A network of `pysces.run_aracne` with resampling, or an AnnData that has one.
    seen, decoys
        Number of candidate edges, and of edges of decoys, with a support of 0, 1, 2, ...; by
        default those of the run record (``support_counts``, ``decoy_support_counts``), where
        it has them.
    decoys_per_regulator
        By it the counts of decoys are divided; by default that of the run record.
    key
        Where the network is in ``adata.uns``.
    ax
        Axes to draw on; new ones by default.

    Returns
    -------
    matplotlib.axes.Axes
        Numbers of edges, on a logarithmic axis where candidates or decoys are drawn. A dotted line
        marks the least support that ``min_support`` of the run record asks for.

    Raises
    ------
    InputError
        If the network has no column ``support``.
    MissingKeyError
        If the AnnData has no network under the key.

    Examples
    --------
    >>> import pandas as pd, pysces
    >>> edges = {"source": ["MYC", "MYC"], "target": ["MAX", "NCL"], "support": [3, 5]}
    >>> ax = pysces.pl.support_histogram(pysces.Network(pd.DataFrame(edges)))
    >>> ax.get_xlabel()
    'support (of 5 resamples)'
    """
    network = network_of(network, key)
    table, params = network.to_dataframe(), network.params
    if "support" not in table:
        raise InputError("The network has no column 'support'. Draw one of pysces.run_aracne.")
    seen = params.get("support_counts") if seen is None else seen
    decoys = params.get("decoy_support_counts") if decoys is None else decoys
    used, regulators = params.get("n_decoys_used", 1), params.get("n_regulators", 1)
    per = decoys_per_regulator or used / regulators or 1
    support = table["support"].to_numpy(dtype=np.int64)
    most = max(int(params.get("n_resamples_used", 1)), int(support.max(initial=1)))
    most = max([most, *(len(np.asarray(c)) - 1 for c in (seen, decoys) if c is not None)])
    width = max(1, -(-(most + 1) // 60))  # supports that share a bar
    ax = axes_of(ax, 6.5, 4.2)
    kept = np.bincount(support, minlength=most + 1).astype(float)
    if seen is not None:
        _bars(ax, np.asarray(seen, dtype=float), width, FAINT, 0.35, "candidates", fill=True)
    _bars(ax, kept, width, BLUE, 0.75, f"network ({len(table):,} edges)", fill=True)
    if decoys is not None:
        scaled = np.asarray(decoys, dtype=float) / float(per)
        _bars(ax, scaled, width, ORANGE, 1.0, "decoys, scaled to the regulators", fill=False)
    if seen is not None or decoys is not None:
        ax.set_yscale("log")
        ax.set_ylim(bottom=0.5)
    asked = float(params.get("min_support", 0.0)) if params.get("consensus") == "decoy" else 0.0
    if asked > 0:
        least = np.ceil(asked * int(params.get("n_resamples_used", most)) - 1e-9)
        ax.axvline(least - 0.5, color=INK, linewidth=1, linestyle=":")
        ax.annotate(
            f"min_support\n{asked:g}", (least - 0.5, 1), xycoords=("data", "axes fraction"),
            xytext=(-3, -2) if asked > 0.5 else (3, -2), textcoords="offset points",
            ha="right" if asked > 0.5 else "left", va="top", fontsize=8,
        )  # fmt: skip
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(xlim=(0.4, most + 0.6), xlabel=f"support (of {most} resamples)", ylabel="edges")
    ax.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=3, fontsize=8)
    clean(ax)
    fit(ax)
    return ax


def _bars(
    ax: Axes,
    counts: NDArray[np.float64],
    width: int,
    color: str,
    alpha: float,
    name: str,
    *,
    fill: bool,
) -> None:
    """Bars of `width` neighbouring supports; decoys as a step line above the others."""
    # No edge is without support, so the first bar starts at 1.
    edges = np.append(np.arange(1, len(counts), width), len(counts))
    sums = np.add.reduceat(counts, edges[:-1])
    look = {"fill": True, "lw": 0} if fill else {"fill": False, "lw": 1.8}
    ax.stairs(sums, edges - 0.5, color=color, alpha=alpha, label=name, baseline=0, **look)
