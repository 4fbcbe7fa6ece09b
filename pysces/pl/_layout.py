"""Lay out a graph: a spring layout for each component, components packed side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROOM = 0.45  # gap between components, in units of the distance between nodes
_FLATTEST = 0.5  # components are widened up to this ratio of height to width
_STRETCH = 2.0  # largest factor of widening; larger ones would make edges cross


def layout(graph: Any, seed: int, aspect: float = 1.4) -> dict[str, NDArray[np.float64]]:
    """Position of each node; the ratio of total width to height is about `aspect`."""
    import networkx as nx

    parts = sorted(nx.connected_components(graph), key=lambda part: (-len(part), min(part)))
    drawn = [_component(_subgraph(graph, sorted(part)), seed) for part in parts]
    sizes = np.array([_extent(places) + 2 * _ROOM for places in drawn]).reshape(-1, 2)
    place: dict[str, NDArray[np.float64]] = {}
    for places, corner in zip(drawn, pack(sizes, aspect), strict=True):
        low = np.min(list(places.values()), axis=0)
        place |= {node: at - low + corner + _ROOM for node, at in places.items()}
    return place


def _subgraph(graph: Any, nodes: list[str]) -> Any:
    """Subgraph with nodes in this order (the order of `Graph.subgraph` differs by process)."""
    part = graph.__class__()
    part.add_nodes_from(nodes)
    part.add_edges_from(graph.edges(nodes))
    return part


def _component(graph: Any, seed: int) -> dict[str, NDArray[np.float64]]:
    """Layout of one component, scaled so that nodes are about one unit apart."""
    import networkx as nx

    if len(graph) == 1:
        return {node: np.zeros(2) for node in graph}
    # Start from distances along the graph, which untangle it; springs then separate the leaves.
    start = nx.kamada_kawai_layout(graph, weight=None) if len(graph) <= 150 else None
    springs = {"k": 1.6 / np.sqrt(len(graph)), "iterations": 60 if start else 200}
    places = nx.spring_layout(graph, pos=start, seed=seed, weight=None, **springs)
    values = np.array(list(places.values()))
    values -= values.mean(axis=0)
    # Make the longer axis horizontal.
    _, _, axes = np.linalg.svd(values, full_matrices=False)
    if axes.shape == (2, 2):
        values = values @ axes.T
    width, height = np.maximum(np.ptp(values, axis=0), 1e-3)
    # A flat chain of regulons would leave most of the plot empty, without space for names.
    stretch = np.clip(_FLATTEST * width / height, 1.0, _STRETCH)
    values[:, 1] *= stretch
    height *= stretch
    values *= 1.15 * np.sqrt(len(graph) / max(width * height, 0.15 * width**2))
    room = np.array([1.3 if graph.degree(node) > 2 else 0.75 for node in places])
    return dict(zip(places, apart(values, room), strict=True))


def apart(places: NDArray[np.float64], room: NDArray[np.float64]) -> NDArray[np.float64]:
    """Move nodes [nodes 2] until two nodes are at least the mean of their `room` [nodes] apart."""
    places = places.copy()
    wanted = (room[:, None] + room) / 2
    for _ in range(60):
        between = places[:, None] - places[None]
        distance = np.hypot(between[..., 0], between[..., 1])
        missing = np.maximum(wanted - distance, 0.0)
        np.fill_diagonal(missing, 0.0)
        if missing.max(initial=0.0) < 0.02:
            break
        unit = between / np.maximum(distance, 1e-9)[..., None]
        places += 0.35 * (unit * missing[..., None]).sum(axis=1)
    return places


def _extent(places: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    values = np.array(list(places.values()))
    return values.max(axis=0) - values.min(axis=0)


def pack(sizes: NDArray[np.float64], aspect: float = 1.4) -> NDArray[np.float64]:
    """Lower left corners [boxes 2] of boxes that are packed in rows without overlap.

    sizes: widths and heights [boxes 2]. Rows are filled with the highest boxes first. Of several
    row widths, the one is used whose total size is small and has a ratio close to `aspect`.

    >>> pack(np.array([[2.0, 2.0], [1.0, 1.0], [1.0, 1.0]]), aspect=1.5).tolist()
    [[0.0, 0.0], [2.0, 0.0], [3.0, 0.0]]
    """
    if len(sizes) == 0:
        return np.empty((0, 2))
    widest, area = sizes[:, 0].max(), np.prod(sizes, axis=1).sum()
    widths = np.maximum(widest, np.sqrt(area * aspect) * np.linspace(0.8, 2.0, 13))
    tried = [_shelves(sizes, width) for width in widths]

    def waste(corners: NDArray[np.float64]) -> float:
        width, height = (corners + sizes).max(axis=0)
        return max(width / aspect, height) ** 2

    return min(tried, key=waste)


def _shelves(sizes: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    corners = np.zeros_like(sizes)
    left = bottom = top = 0.0
    for box in np.argsort(-sizes[:, 1], kind="stable"):
        if left > 0 and left + sizes[box, 0] > width:
            left, bottom = 0.0, top
        corners[box] = left, bottom
        left += sizes[box, 0]
        top = max(top, bottom + sizes[box, 1])
    return corners
