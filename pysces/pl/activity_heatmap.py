"""Heat map of mean activities in groups of cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pysces._parameters import checked
from pysces.pl._activities import group_means, similarity_order
from pysces.pl._labels import fit, settle
from pysces.pl._style import DIVERGING, INK, axes_of, label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from matplotlib.axes import Axes


@checked()
def activity_heatmap(
    adata: AnnData,
    groupby: str,
    regulators: str | Sequence[str] | None = None,
    *,
    key: str = "viper",
    n_regulators: int = 30,
    ax: Axes | None = None,
) -> Axes:
    """Draw the mean activity of regulators in groups of cells, both ordered by similarity.

    Parameters
    ----------
    adata
        Data with activities from `pysces.run_viper`.
    groupby
        Column of ``adata.obs``.
    regulators
        Regulators to draw; by default those that differ most between the groups.
    key
        Key of the activities.
    n_regulators
        Number of regulators to draw, if ``regulators`` is not given.
    ax
        Axes to draw on; new ones by default.

    Returns
    -------
    matplotlib.axes.Axes
        Regulators x groups, with dendrograms (average linkage of Euclidean distances).

    Raises
    ------
    MissingKeyError
        If there are no activities under the key.
    InputError
        If the column or a regulator does not exist.
    PyscesError
        If matplotlib is not installed.

    Examples
    --------
    >>> import anndata, numpy as np, pandas as pd, pysces
    >>> adata = anndata.AnnData(np.random.default_rng(0).normal(size=(20, 12)))
    >>> adata.var_names = [f"gene{number}" for number in range(12)]
    >>> adata.obs["arm"] = ["treated", "control"] * 10
    >>> edges = pd.DataFrame({"source": "gene0", "target": adata.var_names[1:]})
    >>> pysces.run_viper(adata, edges)
    >>> ax = pysces.pl.activity_heatmap(adata, "arm")
    >>> [text.get_text() for text in ax.get_xticklabels()]
    ['control', 'treated']
    """
    means = group_means(adata, key, groupby, regulators, n_regulators)
    ax = axes_of(ax, max(5.0, 2.6 + 0.42 * means.shape[1]), max(4.4, 1.8 + 0.24 * len(means)))
    rows, row_tree = similarity_order(means.to_numpy())
    columns, column_tree = similarity_order(means.to_numpy().T)
    means = means.iloc[rows, columns]
    largest = float(np.abs(means.to_numpy()).max(initial=0.0)) or 1.0
    image = ax.imshow(means, cmap=DIVERGING, vmin=-largest, vmax=largest, aspect="auto")
    small = min(9.0, 260.0 / max(1, len(means)))
    ax.set_yticks(range(len(means)), [label(n) for n in means.index], fontsize=max(4.0, small))
    ax.set_xticks(
        range(means.shape[1]),
        [label(n, 30) for n in means.columns],
        rotation=45,
        ha="right",
        rotation_mode="anchor",
    )
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    settle(ax)
    wide, high = ax.bbox.width / ax.figure.dpi, ax.bbox.height / ax.figure.dpi
    # Layout engines take inset axes into account, so nothing is cut off.
    above = ax.inset_axes((0, 1 + 0.03 / high, 1, 0.45 / high))
    beside = ax.inset_axes((1 + 0.03 / wide, 0, 0.45 / wide, 1))
    bar = ax.inset_axes((1 + 0.65 / wide, 0, 0.12 / wide, min(1.0, 2.2 / high)))
    title = f"Activity of {len(means)} regulators by {label(groupby, 24)}"
    ax.set_title(title, fontsize=11, pad=8 if column_tree is None else 8 + 72 * 0.45)
    _tree(above, column_tree, means.shape[1], "top")
    _tree(beside, row_tree, len(means), "right")
    ax.figure.colorbar(image, cax=bar, label="mean NES")
    settle(ax)  # with the inset axes
    fit(ax)
    return ax


def _tree(ax: Axes, tree: dict[str, Any] | None, leaves: int, side: str) -> None:
    """Draw a dendrogram with leaves at 0, 1, ... beside the heat map."""
    ax.set_axis_off()
    for across, up in zip(*(tree[k] for k in ("icoord", "dcoord")), strict=True) if tree else ():
        # SciPy places leaf i at 5 + 10 i.
        at = (np.array(across) - 5.0) / 10.0
        ax.plot(*((at, up) if side == "top" else (up, at)), color=INK, linewidth=0.8)
    ends = (-0.5, leaves - 0.5)
    if side == "top":
        ax.set(xlim=ends, ylim=(0.0, None))
    else:
        ax.set(ylim=ends[::-1], xlim=(0.0, None))
