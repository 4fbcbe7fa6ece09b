"""Plot of a comparison of two networks: correlations of the edges in both groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pysces._parameters import checked
from pysces.errors import InputError
from pysces.network import NetworkComparison
from pysces.pl._labels import place_labels
from pysces.pl._style import BLUE, FAINT, PALE, PURPLE, VERMILION, axes_of, clean, label

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.axes import Axes

COLORS = {"gained": VERMILION, "lost": BLUE, "reversed": PURPLE, "shared": FAINT}


@checked()
def network_comparison(
    comparison: NetworkComparison | AnnData,
    key: str = "comparison",
    *,
    regulator: str | None = None,
    n_labels: int = 10,
    ax: Axes | None = None,
) -> Axes:
    """Draw the correlation of each edge in the group against that in the reference.

    Parameters
    ----------
    comparison
        A `NetworkComparison`, or an AnnData with the result of `pysces.compare_networks`.
    key
        Key of that result.
    regulator
        Draw the edges of this regulator only.
    n_labels
        Maximum number of edges to label, the most different ones; labels that do not fit are left
        out.
    ax
        Axes to draw on; new ones by default.

    Returns
    -------
    matplotlib.axes.Axes
        Edges on the diagonal have the same dependence in both groups. Edges without a significant
        difference are pale; of two networks without a test all are drawn in full colour.

    Raises
    ------
    InputError
        If the networks have no correlations, or there is no such regulator.

    Examples
    --------
    >>> import pandas as pd, pysces
    >>> edges = {"source": ["A", "A"], "target": ["B", "C"], "correlation": [0.5, 0.4]}
    >>> first = pysces.Network(pd.DataFrame(edges))
    >>> other = pysces.Network(pd.DataFrame({**edges, "correlation": [0.5, -0.4]}))
    >>> pysces.pl.network_comparison(first.compare(other)).get_title()
    '0 edges gained, 0 lost, 1 reversed, 1 shared'
    """
    found = (
        comparison
        if isinstance(comparison, NetworkComparison)
        else NetworkComparison.from_anndata(comparison, key)
    )
    edges = found.edges
    if "correlation_group" not in edges or "correlation_reference" not in edges:
        raise InputError(
            "The networks have no column 'correlation'. Compare networks that pysces.run_aracne "
            "inferred."
        )
    if regulator is not None:
        if regulator not in set(edges["source"]):
            raise InputError(f"Did not find the regulator {regulator!r} in either network.")
        edges = edges[edges["source"] == regulator]
    ax = axes_of(ax, 6, 5.5)
    # An edge that a network without its data lacks is drawn at 0
    x, y = (
        np.nan_to_num(edges[f"correlation_{side}"].to_numpy(dtype=float))
        for side in ("reference", "group")
    )
    change = edges["change"].astype(str).to_numpy()
    tested = "significant" in edges
    differs = edges["significant"].to_numpy(dtype=bool) if tested else np.ones(len(edges), bool)
    ax.plot([-1, 1], [-1, 1], color=PALE, linewidth=0.8, zorder=0)
    for value in (ax.axhline, ax.axvline):
        value(0.0, color=PALE, linewidth=0.8, zorder=0)
    sized: dict[str, Any] = {"s": 22 if len(edges) < 500 else 9, "linewidths": 0}
    for name, color in COLORS.items():
        for strong in (False, True):
            chosen = (change == name) & (differs == strong)
            ax.scatter(
                x[chosen],
                y[chosen],
                color=color,
                alpha=0.85 if strong else 0.2,
                label=name if strong and chosen.any() else None,
                zorder=2 if strong else 1,
                **sized,
            )
    limit = 1.05 * max(0.2, np.abs(np.concatenate([x, y])).max(initial=0.0))
    ax.set_xlim(-limit, limit)
    ax.set_ylim(-limit, limit)
    ax.set_xlabel(f"correlation in {label(found.reference, 30)}")
    ax.set_ylabel(f"correlation in {label(found.group, 30)}")
    if differs.any():
        title = "significant" if tested else None
        ax.legend(frameon=False, fontsize=8, title=title, title_fontsize=8)
    ax.set_title(_title(change, differs, tested), fontsize=11)
    clean(ax)
    order = np.lexsort((-np.abs(x - y), ~differs))
    shown = order[: min(n_labels, int(differs.sum()))]
    names = edges[["source", "target"]].astype(str).to_numpy()
    place_labels(
        ax,
        np.stack([x, y], axis=1)[np.concatenate([shown, np.setdiff1d(order, shown)])],
        [f"{label(source, 12)} → {label(target, 12)}" for source, target in names[shown]],
        colors=[COLORS[change[place]] for place in shown],
        radius=2.6,
        fontsize=8,
    )
    return ax


def _title(change: np.ndarray[Any, Any], differs: np.ndarray[Any, Any], tested: bool) -> str:
    if tested:
        return f"{int(differs.sum())} of {len(change)} edges differ"
    gained, *others = (f"{int((change == name).sum())} {name}" for name in COLORS)
    return f"{gained.replace(' ', ' edges ', 1)}, {', '.join(others)}"
