"""Scatter plot of the ranks of two genes, with the adaptive partition of the estimator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pysces._parameters import checked
from pysces.aracne._candidates import RankCandidates
from pysces.aracne._estimators import Adaptive
from pysces.aracne._partition import AdaptiveName, Partition, partition, to_nats
from pysces.data._expression import Expression
from pysces.dispatch import operations as ops
from pysces.pl._style import DIVERGING, INK, axes_of, label, pair_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Leaf:
    """A cell of the partition: ranks left < r <= right and bottom < r <= top."""

    left: int
    right: int
    bottom: int
    top: int
    count: int
    nats: float
    """Contribution to the mutual information."""


@checked()
def edge_partition(
    expression: Any,
    regulator: str,
    target: str,
    *,
    layer: str | None = None,
    estimator: AdaptiveName = "adaptive",
    seed: int = 0,
    ax: Axes | None = None,
) -> Axes:
    """Draw the ranks of two genes, with the partition that determines their mutual information.

    Parameters
    ----------
    expression
        An AnnData, or a DataFrame samples x genes.
    regulator, target
        Names of the genes.
    layer
        Layer of the AnnData.
    estimator
        ``"adaptive"`` or ``"adaptive-dyadic"``.
    seed
        Seed of the order of ties, as in `pysces.run_aracne`.
    ax
        Axes to draw on; new ones by default.

    Returns
    -------
    matplotlib.axes.Axes
        Red cells contain more samples than expected under independence, blue cells fewer. The shade
        is the contribution of the cell to the mutual information, which is in the title.

    Raises
    ------
    InputError
        If a gene does not exist, both genes are the same, or the estimator has no partition.

    Examples
    --------
    >>> import numpy as np, pandas as pd, pysces
    >>> data = pd.DataFrame(np.random.default_rng(0).normal(size=(64, 2)), columns=["MYC", "NCL"])
    >>> pysces.pl.edge_partition(data, "MYC", "NCL").get_xlabel()
    'MYC: ranks, low to high'
    """
    if hasattr(expression, "var_names"):
        data = Expression.from_anndata(expression, layer=layer)
    else:
        data = Expression.from_matrix(expression)
    places = pair_of(data.genes, regulator, target)
    x, y = _ranks(data, places, estimator, seed)
    table = partition(estimator, len(x))
    leaves = leaves_of(x, y, table)
    ax = axes_of(ax, 6, 5.4)
    _draw(ax, leaves)
    # For "adaptive", rank 1 is the largest value; ranks are reversed, so that values increase.
    size = float(np.clip(4000.0 / max(1, len(x)), 0.5, 9.0))
    ax.scatter(x - 0.5, y - 0.5, s=size, c=INK, linewidths=0, alpha=0.75, rasterized=len(x) > 5000)
    ends = (len(x), 0) if table.descending else (0, len(x))
    ax.set(xlim=ends, ylim=ends)
    ax.set_aspect("equal")
    ax.set(xticks=(), yticks=())
    ax.set_xlabel(f"{label(regulator, 30)}: ranks, low to high")
    ax.set_ylabel(f"{label(target, 30)}: ranks, low to high")
    total = sum(leaf.nats for leaf in leaves)
    ax.set_title(f"{total:.3f} nats from {len(leaves)} cells, {len(x)} samples", fontsize=11)
    return ax


def _ranks(
    data: Expression, places: NDArray[np.int64], estimator: str, seed: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Ranks of both genes, with ties broken as in :func:`pysces.mutual_information`."""
    adaptive = Adaptive(estimator, data.n_samples)
    candidates = RankCandidates(data, places[:1], 0, seed, adaptive)
    samples, key = candidates.whole()
    first, second = (
        candidates.gene_marginals(adaptive, slice(int(at), int(at) + 1), samples, key)[0]
        for at in places
    )
    return first, second


def leaves_of(x: NDArray[np.int32], y: NDArray[np.int32], table: Partition) -> tuple[Leaf, ...]:
    """Cells of the adaptive partition of two rank vectors, as the kernel finds them.

    A leaf with c of the n points and widths wx, wy contributes c/n ln(c n / (wx wy)).
    """
    n = len(x)
    spans = _spans(table, n)
    _, x_nodes, y_nodes, counts = ops.adaptive_leaves(
        x[None], y[None], table.split, table.min_count
    )
    # The constant n ln n is distributed by counts, so that independent cells contribute nothing.
    width = table.log_width[x_nodes] + table.log_width[y_nodes]
    nats = to_nats(table.n_log_n[counts] - counts * width, n, table.fraction_bits)
    nats += counts / max(n, 1) * np.log(max(n, 1))
    return tuple(
        Leaf(*spans[i], *spans[j], int(count), float(value))
        for i, j, count, value in zip(x_nodes, y_nodes, counts, nats, strict=True)
    )


def _spans(table: Partition, n: int) -> dict[int, tuple[int, int]]:
    """Ranks low < r <= high of each node of a marginal."""
    spans = {1: (0, n)}
    for node in range(1, len(table.split)):
        low, high = spans[node]
        middle = int(table.split[node])
        spans[2 * node], spans[2 * node + 1] = (low, middle), (middle, high)
    return spans


def _draw(ax: Axes, leaves: tuple[Leaf, ...]) -> None:
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    boxes = [
        Rectangle((leaf.left, leaf.bottom), leaf.right - leaf.left, leaf.top - leaf.bottom)
        for leaf in leaves
    ]
    values = np.array([leaf.nats for leaf in leaves])
    largest = float(np.abs(values).max(initial=0.0)) or 1.0
    cells = PatchCollection(
        boxes, cmap=DIVERGING, edgecolor="#666666", linewidth=0.6, alpha=0.65, zorder=0
    )
    cells.set_array(values)
    cells.set_clim(-largest, largest)
    ax.add_collection(cells)
    ax.figure.colorbar(cells, ax=ax, label="contribution of a cell (nats)", shrink=0.8)
