"""Draw the strongest regulons of a network as a graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from pysces._messages import listed
from pysces._parameters import checked
from pysces.errors import InputError, PyscesError
from pysces.pl._labels import box_of, place_labels, settle
from pysces.pl._layout import layout
from pysces.pl._style import (
    DOWN,
    FAINT,
    UP,
    axes_of,
    label,
    names_of,
    network_of,
)
from pysces.viper.groups.ranking import ranking as read_ranking

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anndata import AnnData
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from pysces.network import Network

By = Literal["strength", "support", "specificity"]
REGULATOR, TARGET = "#fddbc7", "#e4e4e4"
_TARGET_AREA = 46.0  # square points


@checked()
def network_graph(
    network: Network | pd.DataFrame | AnnData,
    regulators: str | Sequence[str] | None = None,
    *,
    by: By = "strength",
    n_regulators: int = 8,
    n_targets: int = 12,
    key: str = "aracne",
    group: str | None = None,
    ranking: str | pd.DataFrame = "rank_regulators",
    seed: int = 0,
    ax: Axes | None = None,
) -> Axes:
    """Draw the strongest regulons as a graph.

    Parameters
    ----------
    network
        A network, a table of its edges, or an AnnData with a network.
    regulators
        Regulators to draw; by default those chosen by ``by``.
    by
        How regulators are chosen: ``"strength"``, those whose ``n_targets`` strongest edges have
        the largest sum of strengths (mutual information, or ``|mor|`` x likelihood);
        ``"support"``, the same for the number of resamples in which an edge was found;
        ``"specificity"``, the regulators of each group with the largest
        :func:`pysces.regulon_specificity`, in turn. ``"support"`` also chooses the targets.
    n_regulators
        Number of regulators to draw, if ``regulators`` is not given.
    n_targets
        Number of targets to draw for each regulator.
    key
        Key of the network in ``adata.uns``.
    group
        Group whose network to draw, if the run had ``groupby=``.
    ranking
        For ``by="specificity"``: key of a ranking of :func:`pysces.rank_regulators` in the
        AnnData, or its table.
    seed
        Seed of the layout.
    ax
        Axes to draw on; new ones by default.

    Returns
    -------
    matplotlib.axes.Axes
        Red edges activate, blue dashed edges repress; wider edges are stronger; regulators are
        large. Names of targets that do not fit are left out.

    Raises
    ------
    InputError
        If a regulator is not in the network, or the network has no column ``support``.
    MissingKeyError
        If the AnnData has no network or no ranking under the key.
    PyscesError
        If matplotlib or networkx is not installed.

    Examples
    --------
    >>> import pandas as pd, pysces
    >>> edges = {"source": ["MYC", "MYC"], "target": ["MAX", "NCL"], "mor": [-0.4, 0.9]}
    >>> ax = pysces.pl.network_graph(pysces.Network(pd.DataFrame(edges)))  # with networkx
    >>> ax.get_title()
    '1 regulon of largest strength (of 1), up to 12 strongest targets each'
    """
    drawn = network_of(network, key, group)
    if regulators is None and by == "specificity":
        regulators = _specific(network, ranking, drawn)[:n_regulators]
        words = "most specific to a group"
    else:
        words = "" if regulators is not None else f"of largest {by}"
    shown, sizes = strongest_edges(drawn, regulators, n_regulators, n_targets, by == "support")
    graph = graph_of(shown)
    place = layout(graph, seed, 1.4 if ax is None else aspect_of(ax))
    ax = axes_of(ax, 10, _height_of(place, 10))
    hubs = [name for name in sizes.index if name in place]
    leaves = [node for node in graph if node not in set(hubs)]
    draw_edges(ax, graph, place)
    area = 240.0 + 460.0 * np.sqrt(sizes[hubs].to_numpy() / max(1, sizes.max()))
    draw_nodes(ax, place, leaves, np.full(len(leaves), _TARGET_AREA), TARGET, FAINT)
    draw_nodes(ax, place, hubs, area, REGULATOR, UP)
    _finish(ax)
    network_legend(ax, graph)
    if not len(shown):
        ax.text(0.5, 0.5, "no edges", ha="center", transform=ax.transAxes, color=FAINT)
    most = f"{n_targets} {'best supported' if by == 'support' else 'strongest'} targets each"
    count = f"{len(hubs)} regulon{'s' * (len(hubs) != 1)}"
    if words:
        count += f" {words} (of {len(drawn.regulators)})"
    ax.set_title(f"{count}, up to {most}", fontsize=11)
    _name_nodes(ax, place, hubs, leaves, area)
    return ax


def strongest_edges(
    network: Network,
    regulators: str | Sequence[str] | None,
    n_regulators: int,
    n_targets: int,
    by_support: bool = False,
) -> tuple[pd.DataFrame, pd.Series[int]]:
    """Edges to draw, with weights in (0, 1], and the number of targets of each regulator.

    by_support: choose targets and regulators by the support of edges instead of their strength.
    """
    table = network.to_dataframe()
    table["sign"] = np.sign(table["mor"]) if "mor" in table else 0.0
    _, strength = network.mode_and_likelihood()
    table["strength"] = table.get("mi", strength)
    order = ["support", "strength"] if by_support else ["strength"]
    if absent := [name for name in order if name not in table]:
        raise InputError(f"The network has no column {listed(absent)}. Pass by='strength'.")
    sizes = table.groupby("source", observed=True).size()
    shown = table.sort_values(order, ascending=False, kind="stable")
    shown = shown.groupby("source", observed=True).head(n_targets)
    if regulators is not None:
        regulators = names_of(regulators)
        absent = [name for name in regulators if name not in sizes.index]
        if absent:
            raise InputError(
                f"Did not find the regulators {listed(absent)} in the network. "
                f"Regulators: {listed(network.regulators)}."
            )
        sizes = sizes[list(dict.fromkeys(regulators))]
    else:
        totals = shown.groupby("source", observed=True)[order[0]].sum()
        totals = totals.sort_values(ascending=False, kind="stable")
        sizes = sizes[totals.index[:n_regulators]]
    shown = shown[shown["source"].isin(sizes.index)]
    return shown.assign(weight=shown["strength"] / (shown["strength"].max() or 1.0)), sizes


def _specific(source: Any, ranking: str | pd.DataFrame, network: Network) -> list[str]:
    """Regulators of a network: the most specific one of each group, then the second ones, ..."""
    if isinstance(ranking, str):
        if not hasattr(source, "uns"):
            raise InputError(
                "by='specificity' needs a ranking. Pass an AnnData that has one, or the table of "
                "pysces.ranking as ranking=."
            )
        ranking = read_ranking(source, key=ranking)
    if absent := [n for n in ("group", "regulator", "specificity") if n not in ranking]:
        raise InputError(
            f"The ranking has no column {listed(absent)}. Pass the table of pysces.ranking."
        )
    table = ranking.astype({"regulator": str}).dropna(subset="specificity")
    table = table[table["regulator"].isin(network.regulators)]
    table = table.sort_values("specificity", ascending=False, kind="stable")
    turn = table.groupby("group", observed=True).cumcount()
    return list(dict.fromkeys(table["regulator"].iloc[np.argsort(turn, kind="stable")]))


def graph_of(edges: pd.DataFrame) -> Any:
    """A networkx graph from edges with the columns source, target, weight, sign."""
    try:
        import networkx as nx
    except ImportError as error:
        raise PyscesError(
            f"Plots of networks need the package networkx ({error}). "
            "Install it with: pip install 'pysces-grn[plot]'."
        ) from error
    graph = nx.Graph()
    columns = ("source", "target", "weight", "sign")
    for source, target, weight, sign in edges[list(columns)].itertuples(index=False):
        graph.add_edge(str(source), str(target), weight=float(weight), sign=float(sign))
    return graph


def _height_of(place: dict[str, NDArray[np.float64]], width: float) -> float:
    """Height (inches) of a figure of a given width that fits a layout, title and legend."""
    if len(place) < 2:
        return 4.0
    across, up = np.ptp(list(place.values()), axis=0) + 1.0
    return float(np.clip(width * up / across + 1.0, 4.0, 0.8 * width))


def aspect_of(ax: Axes) -> float:
    """Width of the axes over their height."""
    settle(axes_of(ax, 0, 0))
    return max(0.2, ax.bbox.width / max(1.0, ax.bbox.height))


def draw_edges(ax: Axes, graph: Any, place: dict[str, NDArray[np.float64]]) -> None:
    """Draw the edges, weak ones below strong ones."""
    from matplotlib.collections import LineCollection

    styles = {1.0: (UP, "solid"), -1.0: (DOWN, (0, (4, 1.6))), 0.0: (FAINT, "solid")}
    for sign, (color, style) in styles.items():
        chosen = [
            (a, b, w) for a, b, w in graph.edges(data="weight") if graph[a][b]["sign"] == sign
        ]
        chosen.sort(key=lambda edge: edge[2])
        lines = LineCollection(
            [(place[a], place[b]) for a, b, _ in chosen],
            linewidths=[0.7 + 2.3 * w for *_, w in chosen],
            colors=color,
            linestyles=style,
            alpha=0.6,
            zorder=1,
        )
        ax.add_collection(lines)


def draw_nodes(
    ax: Axes,
    place: dict[str, NDArray[np.float64]],
    nodes: Sequence[str],
    area: NDArray[np.float64],
    face: str,
    edge: str,
) -> None:
    """Draw circles of the given areas (square points) at the positions of the nodes."""
    points = np.array([place[node] for node in nodes]).reshape(-1, 2)
    ax.scatter(
        points[:, 0], points[:, 1], s=area, c=face, edgecolors=edge, linewidths=0.8, zorder=2
    )


def _finish(ax: Axes) -> None:
    ax.set_aspect("equal", adjustable="datalim")
    ax.margins(0.06)
    ax.autoscale_view()
    ax.set_axis_off()


def network_legend(ax: Axes, graph: Any, nodes: bool = True) -> None:
    """Add a legend below the axes; signs only if edges have some."""
    signed = any(sign != 0 for *_, sign in graph.edges(data="sign"))
    lines = {"activates": (UP, "solid"), "represses": (DOWN, (0, (4, 1.6)))}
    legend_below(ax, lines if signed else {}, nodes)


def legend_below(ax: Axes, lines: Mapping[str, tuple[str, Any]], nodes: bool = True) -> None:
    """Add a legend below the axes: lines by name (colour, style), a regulator and a target."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=color, linewidth=2, linestyle=style, label=name)
        for name, (color, style) in lines.items()
    ]
    circles = (("regulator", REGULATOR, UP, 13), ("target", TARGET, FAINT, 7)) if nodes else ()
    handles += [
        Line2D([], [], marker="o", linestyle="", color=face, mec=rim, mew=0.8, ms=size, label=name)
        for name, face, rim, size in circles
    ]
    ax.legend(
        handles=handles, frameon=False, loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=4
    )


def _name_nodes(
    ax: Axes,
    place: dict[str, NDArray[np.float64]],
    hubs: Sequence[str],
    leaves: Sequence[str],
    area: NDArray[np.float64],
) -> None:
    """Label regulators on their nodes, then targets beside their nodes."""
    points = np.array([place[node] for node in [*hubs, *leaves]]).reshape(-1, 2)
    radius = np.concatenate([np.sqrt(area / np.pi), np.full(len(leaves), 3.8)])
    named = place_labels(
        ax, points, [label(n) for n in hubs], radius=radius, centred=True, fontsize=9,
        fontweight="bold",
    )  # fmt: skip
    place_labels(
        ax,
        points[len(hubs) :],
        [label(n, 14) for n in leaves],
        radius=radius[len(hubs) :],
        taken=[box_of(text) for text in named],
        rings=(0.5, 4.0),
        fontsize=7,
    )
