"""Draw a small network before and after the data processing inequality."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pysces._messages import listed
from pysces._parameters import checked
from pysces.errors import InputError
from pysces.pl._labels import box_of, place_labels, settle
from pysces.pl._layout import layout
from pysces.pl._style import FAINT, INK, UP, VERMILION, axes_of, label
from pysces.pl.network_graph import REGULATOR, TARGET, aspect_of, draw_nodes, graph_of, legend_below

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray


@checked()
def dpi_comparison(
    before: pd.DataFrame,
    after: pd.DataFrame,
    *,
    genes: Sequence[str] | None = None,
    n_genes: int = 14,
    seed: int = 0,
    ax: Axes | None = None,
) -> Axes:
    """Draw a small network before and after the removal of indirect edges.

    Parameters
    ----------
    before, after
        Mutual information of regulators with genes, as `pysces.mutual_information` and
        `pysces.prune_dpi` return them; 0 or NaN means no edge.
    genes
        Genes to draw; by default those of the strongest triangles that lost an edge.
    n_genes
        Number of genes to draw, if ``genes`` is not given.
    seed
        Seed of the layout.
    ax
        Axes to draw on; new ones by default.

    Returns
    -------
    matplotlib.axes.Axes
        The network before (left) and after (right), with the same positions of genes; on narrow
        axes, above and below each other. Removed edges are dotted.

    Raises
    ------
    InputError
        If a gene is not in the tables, or if there is no edge to draw.

    Examples
    --------
    >>> import pandas as pd, pysces
    >>> mi = pd.DataFrame([[0, 0.5, 0.2], [0.5, 0, 0.4]], index=["A", "B"], columns=["A", "B", "C"])
    >>> ax = pysces.pl.dpi_comparison(mi, pysces.prune_dpi(mi))  # with networkx
    >>> [text.get_text() for text in ax.texts[:2]]
    ['before: 3 edges', 'after: 2 edges']
    """
    for table in (before, after):
        if not pd.Index(table.index).isin(table.columns).all() or not table.columns.is_unique:
            raise InputError(
                "Rows of the tables must be regulators and columns genes, with every regulator "
                "among the genes. Pass what pysces.mutual_information and pysces.prune_dpi return."
            )
    first, second = before.fillna(0.0), after.reindex_like(before).fillna(0.0)
    given = () if genes is None else genes
    absent = [name for name in given if name not in set(first.columns)]
    if absent:
        raise InputError(f"Did not find the genes {listed(absent)}. Pass columns of `before`.")
    chosen = list(dict.fromkeys(genes)) if genes is not None else _triangles(first, second, n_genes)
    if not chosen:
        raise InputError(
            "No edge differs between before and after. "
            "Pass genes= to draw the network of these genes."
        )
    ax = axes_of(ax, 11, 4.6)
    edges = _pairs(first, second, chosen)
    graph = graph_of(edges.assign(weight=edges["mi"], sign=0.0))
    graph.add_nodes_from(chosen)
    place = layout(graph, seed, aspect_of(ax) / 2.2)
    corner = np.max(list(place.values()), axis=0)
    shift = _beside_or_below(corner, aspect_of(ax))
    gone = edges[~edges["kept"]]
    _draw_edges(ax, edges, place, np.zeros(2), INK, "solid")
    _draw_edges(ax, edges[edges["kept"]], place, shift, INK, "solid")
    _draw_edges(ax, gone, place, shift, VERMILION, (0, (1, 2)))
    regulators = [name for name in chosen if name in set(first.index)]
    others = [name for name in chosen if name not in set(first.index)]
    both = [{name: place[name] + side * shift for name in chosen} for side in (0, 1)]
    for side in both:
        draw_nodes(ax, side, others, np.full(len(others), 90.0), TARGET, FAINT)
        draw_nodes(ax, side, regulators, np.full(len(regulators), 220.0), REGULATOR, UP)
    ax.set_aspect("equal", adjustable="datalim")
    ax.update_datalim([(-0.6, shift[1] - 0.4), (corner[0] + shift[0] + 1.0, corner[1] + 1.2)])
    ax.autoscale_view()
    ax.set_axis_off()
    legend_below(ax, {"edge": (INK, "solid"), "removed": (VERMILION, (0, (1, 2)))})
    captions = (f"before: {len(edges)} edges", f"after: {len(edges) - len(gone)} edges")
    titles = []
    for number, text in enumerate(captions):
        at = np.array([corner[0] / 2, corner[1] + 1.1]) + number * shift
        titles.append(ax.text(at[0], at[1], text, ha="center", va="top", fontsize=11))
    points = np.array([side[n] for side in both for n in [*regulators, *others]])
    names = [label(n) for n in [*regulators, *others]] * 2
    radius = np.tile([8.5] * len(regulators) + [5.5] * len(others), 2)
    settle(ax)
    taken = [box_of(title) for title in titles]
    place_labels(ax, points, names, radius=radius, taken=taken, rings=(0.5, 5.0, 12.0), fontsize=8)
    return ax


def _beside_or_below(corner: NDArray[np.float64], aspect: float) -> NDArray[np.float64]:
    """Offset of the second drawing, so that both are as large as the axes allow."""
    ways = (np.array([corner[0] + 2.2, 0.0]), np.array([0.0, -corner[1] - 2.4]))

    def size(shift: NDArray[np.float64]) -> float:
        width, height = corner + np.abs(shift) + 1.6
        return float(min(aspect / width, 1.0 / height))

    return max(ways, key=size)


def _triangles(before: pd.DataFrame, after: pd.DataFrame, n_genes: int) -> list[str]:
    """Genes of triangles that lost an edge, those with the strongest removed edges first."""
    mi = before.to_numpy()
    places = before.columns.get_indexer(before.index)
    lost = np.argwhere((mi > 0) & (after.to_numpy() <= 0))
    order = np.argsort(-mi[lost[:, 0], lost[:, 1]], kind="stable")
    chosen: dict[str, None] = {}
    for row, gene in lost[order]:
        # The regulator that explains the removed edge: both other edges are strong.
        sides = np.minimum(mi[row, places], mi[:, gene])
        sides[row] = -1.0
        middle = int(np.argmax(sides))
        triangle = (before.index[row], before.index[middle], before.columns[gene])
        if len({*chosen, *triangle}) > n_genes:
            continue
        chosen |= dict.fromkeys(triangle)
        if len(chosen) == n_genes:
            break
    return list(chosen)


def _pairs(before: pd.DataFrame, after: pd.DataFrame, genes: Sequence[str]) -> pd.DataFrame:
    """Each edge among these genes once: source, target, mi, kept."""
    found: dict[frozenset[str], tuple[str, str, float, bool]] = {}
    for source in (name for name in genes if name in before.index):
        mi = before.loc[source, list(genes)].to_numpy(dtype=float)
        left = after.loc[source, list(genes)].to_numpy(dtype=float)
        for target, strength, rest in zip(genes, mi, left, strict=True):
            if strength > 0 and target != source:
                pair = frozenset((source, target))
                kept = rest > 0 or (pair in found and found[pair][3])
                found[pair] = (source, target, float(strength), bool(kept))
    return pd.DataFrame(list(found.values()), columns=["source", "target", "mi", "kept"]).astype(
        {"mi": float, "kept": bool}
    )


def _draw_edges(
    ax: Axes,
    edges: pd.DataFrame,
    place: dict[str, NDArray[np.float64]],
    shift: NDArray[np.float64],
    color: str,
    style: Any,
) -> None:
    from matplotlib.collections import LineCollection

    largest = edges["mi"].max() if len(edges) else 1.0
    pairs = zip(edges["source"], edges["target"], strict=True)
    lines = LineCollection(
        [(place[a] + shift, place[b] + shift) for a, b in pairs],
        linewidths=0.7 + 2.0 * edges["mi"].to_numpy() / largest,
        colors=color,
        linestyles=style,
        alpha=0.7,
        zorder=1,
    )
    ax.add_collection(lines)
