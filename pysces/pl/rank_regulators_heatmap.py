"""Heat map of the first regulators of each group of a ranking, cell by cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pysces._parameters import Range, checked
from pysces.pl._activities import first_ranked
from pysces.pl._labels import fit, settle
from pysces.pl._style import DIVERGING, axes_of, label, row_font

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from matplotlib.axes import Axes


@checked(n_regulators=Range(1), n_cells=Range(1, 10_000))
def rank_regulators_heatmap(
    adata: AnnData,
    groups: str | Sequence[str] | None = None,
    *,
    n_regulators: int = 5,
    n_cells: int = 60,
    key: str = "rank_regulators",
    ax: Axes | None = None,
) -> Axes:
    """Draw the activity of the first regulators of each group of a ranking in single cells.

    Parameters
    ----------
    adata
        Data with a ranking from `pysces.rank_regulators`.
    groups
        Groups whose first regulators are drawn, in this order; by default all of the ranking.
    n_regulators
        Number of regulators for each group, of those that are increased. One that is among the
        first of several groups is drawn once, in the group where it is increased most.
    n_cells
        Number of columns of each group: cells at equal distances in the order of ``adata``. Smaller
        groups have wider columns.
    key
        Key of the ranking.
    ax
        Axes to draw on; new ones by default.

    Returns
    -------
    matplotlib.axes.Axes
        Regulators x cells. Groups of cells are side by side, and regulators are in the order of the
        groups. Colours end at the 99th percentile of ``|NES|``.

    Raises
    ------
    MissingKeyError
        If there is no ranking, or if the activities that were ranked were deleted.
    InputError
        If the ranking does not have a group, or no regulator is increased.
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
    >>> pysces.rank_regulators(adata, "arm")
    >>> ax = pysces.pl.rank_regulators_heatmap(adata)
    >>> [text.get_text() for text in ax.get_yticklabels()]
    ['gene0']
    """
    found = first_ranked(adata, key, groups, n_regulators)
    names = found.names
    labels = found.scores.obs[found.groupby].astype(str).to_numpy()
    columns = []
    for group in found.groups:
        own = np.flatnonzero(labels == group)
        columns.append(own[np.arange(n_cells) * len(own) // n_cells])
    values = np.asarray(found.scores.X)[np.concatenate(columns)].T
    ax = axes_of(
        ax,
        float(np.clip(3.2 + 0.5 * len(found.groups), 5.0, 16.0)),
        float(np.clip(2.2 + 0.16 * len(names), 3.6, 24.0)),
    )
    largest = float(np.nanquantile(np.abs(values), 0.99)) if values.size else 0.0
    image = ax.imshow(
        values,
        cmap=DIVERGING,
        vmin=-(largest or 1.0),
        vmax=largest or 1.0,
        aspect="auto",
        interpolation="none",
        extent=(0, len(found.groups), len(names), 0),
    )
    ax.set_yticks(np.arange(len(names)) + 0.5, [label(n) for n in names])
    ax.set_xticks(
        np.arange(len(found.groups)) + 0.5,
        [label(n, 30) for n in found.groups],
        rotation=45,
        ha="right",
        rotation_mode="anchor",
    )
    for edge in range(1, len(found.groups)):
        ax.axvline(edge, color="white", linewidth=1.2)
    for edge in np.cumsum([len(own) for own in found.regulators.values()])[:-1]:
        ax.axhline(edge, color="white", linewidth=1.2)
    ax.set(xlim=(0, len(found.groups)), ylim=(len(names), 0))
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_title(f"First regulators of each group ({label(found.groupby, 24)})", fontsize=11)
    settle(ax)
    wide, high = ax.bbox.width / ax.figure.dpi, ax.bbox.height / ax.figure.dpi
    bar = ax.inset_axes((1 + 0.15 / wide, 0, 0.12 / wide, min(1.0, 2.2 / high)))
    ax.figure.colorbar(image, cax=bar, label="NES", extend="both")
    settle(ax)
    fit(ax)
    ax.tick_params(axis="y", labelsize=row_font(ax, len(names)))
    return ax
