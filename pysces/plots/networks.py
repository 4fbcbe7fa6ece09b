"""Pictures of networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from pysces.network import Network

ACTIVATES, REPRESSES, REGULATOR, TARGET = "#b2182b", "#2166ac", "#f4a582", "#d9d9d9"


def network_graph(
    network: Network,
    *,
    n_regulators: int = 8,
    n_targets: int = 12,
    seed: int = 0,
    ax: Axes | None = None,
) -> Axes:
    """Draw the strongest regulons as a graph.

    Parameters
    ----------
    network
        A network.
    n_regulators
        Regulators with the most targets to draw.
    n_targets
        Strongest targets of each.
    seed
        Of the layout.
    ax
        Axes to draw on; new ones by default.

    Returns
    -------
    matplotlib.axes.Axes
        Red edges activate, blue ones repress; wider is stronger; regulators are large.

    Examples
    --------
    >>> pysces.pl.network_graph(network)  # doctest: +SKIP
    """
    import networkx as nx
    from matplotlib import pyplot
    from matplotlib.lines import Line2D

    if ax is None:
        ax = pyplot.figure(figsize=(10, 8)).add_subplot()
    table = network.to_dataframe()
    strength = "mi" if "mi" in table else "likelihood" if "likelihood" in table else None
    sizes = (
        table.groupby("source", observed=True).size().sort_values(ascending=False, kind="stable")
    )
    shown = table[table["source"].isin(sizes.index[:n_regulators])]
    if strength is not None:
        shown = shown.sort_values(strength, ascending=False, kind="stable")
    shown = shown.groupby("source", observed=True).head(n_targets)
    weight = shown[strength].to_numpy() if strength else np.ones(len(shown))
    weight = weight / weight.max() if len(weight) else weight
    sign = np.sign(shown["mor"].to_numpy()) if "mor" in shown else np.ones(len(shown))

    graph = nx.Graph()
    for source, target, w, s in zip(shown["source"], shown["target"], weight, sign, strict=True):
        graph.add_edge(str(source), str(target), weight=float(w), sign=float(s))
    regulators = [node for node in graph if node in set(sizes.index[:n_regulators])]
    targets = [node for node in graph if node not in set(regulators)]
    place = _layout(graph, seed)
    nx.draw_networkx_edges(
        graph,
        place,
        ax=ax,
        width=[0.6 + 2.4 * w for *_, w in graph.edges(data="weight")],
        edge_color=[REPRESSES if s < 0 else ACTIVATES for *_, s in graph.edges(data="sign")],
        alpha=0.55,
    )
    nx.draw_networkx_nodes(graph, place, targets, ax=ax, node_size=120, node_color=TARGET)
    nx.draw_networkx_nodes(
        graph, place, regulators, ax=ax, node_size=700, node_color=REGULATOR, edgecolors="#555555"
    )
    nx.draw_networkx_labels(graph, place, {n: n for n in targets}, ax=ax, font_size=7)
    nx.draw_networkx_labels(
        graph, place, {n: n for n in regulators}, ax=ax, font_size=9, font_weight="bold"
    )
    ax.legend(
        handles=[
            Line2D([], [], color=ACTIVATES, label="activates"),
            Line2D([], [], color=REPRESSES, label="represses"),
        ],
        frameon=False,
        loc="lower left",
    )
    ax.set_title(f"{len(regulators)} largest regulons, up to {n_targets} strongest targets each")
    ax.margins(0.08)
    ax.set_axis_off()
    return ax


def _layout(graph: object, seed: int) -> dict[str, np.ndarray]:
    """Positions: each component by springs, components side by side (largest first)."""
    import networkx as nx

    place: dict[str, np.ndarray] = {}
    components = sorted(nx.connected_components(graph), key=lambda c: (-len(c), min(c)))
    left = 0.0
    for component in components:
        part = graph.subgraph(sorted(component))  # type: ignore[attr-defined]
        radius = float(np.sqrt(len(component)))
        spread = nx.spring_layout(part, seed=seed, k=2.2 / radius, iterations=300, scale=radius)
        for node, at in spread.items():
            place[node] = at + np.array([left + radius, 0.0])
        left += 2.3 * radius + 0.6
    return place
