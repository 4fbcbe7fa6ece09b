"""Histogram of the support of edges and of decoys over resamples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pysces._parameters import checked
from pysces.errors import InputError
from pysces.pl._labels import fit
from pysces.pl._style import BLUE, FAINT, INK, ORANGE, axes_of, clean, network_of, numbers_of

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    from pysces.network import Network


@checked()
def support_histogram(
    network: Network | pd.DataFrame | AnnData,
    *,
    seen: ArrayLike | None = None,
    decoys: ArrayLike | None = None,
    decoys_per_regulator: float | None = None,
    key: str = "aracne",
    group: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a histogram of the number of resamples in which edges and decoy edges were found.

    Parameters
    ----------
    network
        A network of `pysces.run_aracne` with resampling, or an AnnData with such a network.
    seen, decoys
        Numbers of candidate edges, and of edges of decoy regulators, with a support of 0, 1, 2,
        ...; by default those of the run record (``support_counts``, ``decoy_support_counts``), if
        available.
    decoys_per_regulator
        Divisor of the numbers of decoy edges; by default that of the run record.
    key
        Key of the network in ``adata.uns``.
    group
        Group whose network to draw, if the run had ``groupby=``.
    ax
        Axes to draw on; new ones by default.

    Returns
    -------
    matplotlib.axes.Axes
        Numbers of edges, on a logarithmic axis if candidates or decoys are drawn. A dotted line
        marks the smallest support that ``min_support`` of the run record permits.

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
    network = network_of(network, key, group)
    table, options, facts = network.to_dataframe(), network.record.options, network.record.facts
    if "support" not in table:
        raise InputError(
            "The network has no column 'support'. Pass a network of pysces.run_aracne."
        )
    seen = facts.get("support_counts") if seen is None else seen
    decoys = facts.get("decoy_support_counts") if decoys is None else decoys
    used, regulators = facts.get("n_decoys_used", 1), facts.get("n_regulators", 1)
    per = decoys_per_regulator or used / regulators or 1
    support = table["support"].to_numpy(dtype=np.int64)
    seen = None if seen is None else numbers_of("seen", seen)
    decoys = None if decoys is None else numbers_of("decoys", decoys)
    most = max(int(facts.get("n_resamples_used", 1)), int(support.max(initial=1)))
    seen = None if seen is None else numbers_of("seen", seen)
    decoys = None if decoys is None else numbers_of("decoys", decoys)
    most = max([most, *(len(c) - 1 for c in (seen, decoys) if c is not None)])
    width = max(1, -(-(most + 1) // 60))  # number of support values per bar
    ax = axes_of(ax, 6.5, 4.2)
    kept = np.bincount(support, minlength=most + 1).astype(float)
    if seen is not None:
        _bars(ax, seen, width, FAINT, 0.35, "candidates", fill=True)
    _bars(ax, kept, width, BLUE, 0.75, f"network ({len(table):,} edges)", fill=True)
    if decoys is not None:
        scaled = decoys / float(per)
        _bars(ax, scaled, width, ORANGE, 1.0, "decoys, scaled to the regulators", fill=False)
    if seen is not None or decoys is not None:
        ax.set_yscale("log")
        ax.set_ylim(bottom=0.5)
    asked = float(options.get("min_support", 0.0)) if options.get("consensus") == "decoy" else 0.0
    if asked > 0:
        least = np.ceil(asked * int(facts.get("n_resamples_used", most)) - 1e-9)
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
    """Draw bars of `width` neighbouring support values; decoys as a step line above the others."""
    # Every edge has a support of at least 1, so the first bar starts at 1.
    edges = np.append(np.arange(1, len(counts), width), len(counts))
    sums = np.add.reduceat(counts, edges[:-1])
    look = {"fill": True, "lw": 0} if fill else {"fill": False, "lw": 1.8}
    ax.stairs(sums, edges - 0.5, color=color, alpha=alpha, label=name, baseline=0, **look)
