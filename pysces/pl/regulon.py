"""One regulator: its targets, and its activity in groups of cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pysces._keys import ActivityResult, read
from pysces._parameters import Range, checked
from pysces.data._labels import labels_of
from pysces.pl._activities import scores_of
from pysces.pl._labels import fit, halo, settle
from pysces.pl._style import (
    DIVERGING,
    FAINT,
    INK,
    PALE,
    UP,
    clean,
    gap_between,
    label,
    network_of_run,
    panels,
    row_font,
)
from pysces.pl.network_graph import (
    REGULATOR,
    TARGET,
    draw_edges,
    draw_nodes,
    graph_of,
    network_legend,
    strongest_edges,
)

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData
    from matplotlib.axes import Axes

    from pysces.network import Network


@checked(n_targets=Range(1))
def regulon(
    adata: AnnData,
    regulator: str,
    groupby: str,
    *,
    key: str = "viper",
    network: Network | pd.DataFrame | str | None = None,
    group: str | None = None,
    n_targets: int = 20,
    ax: Axes | None = None,
) -> Axes:
    """Draw the strongest targets of a regulator and its activity in groups of cells.

    Parameters
    ----------
    adata
        Data with activities from `pysces.run_viper`.
    regulator
        Name of the regulator.
    groupby
        Column of ``adata.obs``.
    key
        Key of the activities.
    network
        The network or its key; ``None`` for the network of the run.
    group
        Group whose network to draw, if there are several.
    n_targets
        Number of strongest targets to draw.
    ax
        Axes to draw on; new ones by default.

    Returns
    -------
    matplotlib.axes.Axes
        Axes with two panels (``ax.child_axes``). Left: red edges activate, blue dashed edges
        repress; wider edges are stronger. Right: quartiles of the activity in each group, whiskers
        to the 5th and 95th percentile, coloured by the mean; groups with the largest mean first.

    Raises
    ------
    MissingKeyError
        If there are no activities under the key, or if their network was deleted.
    InputError
        If the column does not exist, or the regulator has no activity or no targets.
    PyscesError
        If matplotlib or networkx is not installed.

    Examples
    --------
    >>> import anndata, numpy as np, pandas as pd, pysces
    >>> adata = anndata.AnnData(np.random.default_rng(0).normal(size=(20, 12)))
    >>> adata.var_names = [f"gene{number}" for number in range(12)]
    >>> adata.obs["arm"] = ["treated", "control"] * 10
    >>> edges = pd.DataFrame({"source": "gene0", "target": adata.var_names[1:], "mor": 1.0})
    >>> pysces.run_viper(adata, edges)
    >>> ax = pysces.pl.regulon(adata, "gene0", "arm", n_targets=5)  # with networkx
    >>> ax.child_axes[0].get_title()
    '5 strongest of 11 targets'
    """
    scores = scores_of(adata, key, groupby, [regulator])
    edges, sizes = strongest_edges(
        network_of_run(adata, read(ActivityResult, adata, key), network, group),
        regulator,
        1,
        n_targets,
    )
    # Activated targets above, repressed ones below, the strongest at both ends
    edges = edges.iloc[np.argsort(-edges["sign"] * edges["weight"], kind="stable")]
    labels = labels_of(scores, groupby)
    rows = max(len(edges), 6)
    height = 1.4 + 0.21 * max(rows, len(labels.categories))
    ax, (left, right) = panels(ax, 2, columns=2, size=(3.4, height), gap=(2.5, 0.0))
    ax.set_title(label(regulator, 40), fontsize=12, fontweight="bold", pad=22)
    _targets(left, regulator, edges, int(sizes.iloc[0]))
    values = np.asarray(scores.X, dtype=np.float64).ravel()
    own = {name: values[labels == name] for name in labels.categories}
    order = _activities(right, own, groupby)
    settle(ax)
    fit(ax)
    for text in left.texts[1:]:  # the first one is the regulator
        text.set_fontsize(row_font(left, rows))
    size = row_font(right, len(labels.categories))
    # The names of groups have what those of targets leave of the gap
    longest = int(np.clip(gap_between(left, right) * 72 / (0.62 * size) - 15, 6, 20))
    names = [label(name, longest) for name in order]
    right.set_yticks(range(len(names)), names, fontsize=size)
    return ax


def _targets(ax: Axes, regulator: str, edges: pd.DataFrame, total: int) -> None:
    """Draw the regulator on the left, and its targets below each other with their names."""
    graph = graph_of(edges)
    names = list(edges["target"].astype(str))
    place = {name: np.array([1.0, -float(row)]) for row, name in enumerate(names)}
    place[regulator] = np.array([0.0, -(len(names) - 1) / 2])
    draw_edges(ax, graph, place)
    size = float(np.clip(900.0 / max(1, len(names)), 12.0, 46.0))
    draw_nodes(ax, place, names, np.full(len(names), size), TARGET, INK)
    draw_nodes(ax, place, [regulator], np.array([420.0]), REGULATOR, UP)
    ax.annotate(
        label(regulator, 14), tuple(place[regulator]), ha="center", va="center", fontsize=9,
        fontweight="bold", path_effects=halo(),
    )  # fmt: skip
    for name in names:
        ax.annotate(
            label(name, 14), tuple(place[name]), xytext=(6, 0), textcoords="offset points",
            va="center", fontsize=9, annotation_clip=False,
        )  # fmt: skip
    ax.set(xlim=(-0.25, 1.05), ylim=(-len(names) + 0.3, 0.7))
    ax.set_axis_off()
    network_legend(ax, graph, nodes=False)
    ax.set_title(f"{len(names)} strongest of {total} targets", fontsize=10)


def _activities(ax: Axes, values: dict[str, np.ndarray], groupby: str) -> list[str]:
    """Draw the quartiles of each group, and return the order: the most active one at the top."""
    from matplotlib import colormaps

    means = {name: float(np.nanmean(own)) for name, own in values.items()}
    order = sorted(means, key=lambda name: -means[name])
    largest = max(map(abs, means.values()), default=0.0) or 1.0
    rows = np.arange(len(order))
    quantiles = [np.nanquantile(values[name], (0.05, 0.25, 0.5, 0.75, 0.95)) for name in order]
    low, left, middle, right, high = np.array(quantiles).reshape(-1, 5).T
    ax.hlines(rows, low, high, color=FAINT, linewidth=1.0, zorder=1)
    colors = colormaps[DIVERGING]([0.5 + 0.5 * means[name] / largest for name in order])
    ax.barh(rows, right - left, left=left, height=0.7, color=colors, edgecolor=FAINT, linewidth=0.6)
    ax.vlines(middle, rows - 0.35, rows + 0.35, color=INK, linewidth=1.4, zorder=3)
    ax.set_yticks(range(len(order)), [label(name, 20) for name in order], fontsize=9)
    ax.set_ylim(len(order) - 0.4, -0.6)
    ax.axvline(0.0, color=PALE, linewidth=0.8, zorder=0)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel("activity (NES)")
    ax.set_title(f"activity by {label(groupby, 24)}", fontsize=10)
    clean(ax)
    return order
