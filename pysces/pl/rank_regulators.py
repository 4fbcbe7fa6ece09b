"""Ranked bars: the first regulators of each group of a ranking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from pysces._parameters import Range, checked
from pysces.pl._activities import ranking_of
from pysces.pl._labels import fit, settle
from pysces.pl._style import DOWN, FAINT, PALE, UP, characters, clean, label, panels, row_font

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from matplotlib.axes import Axes

    from pysces._record import RunRecord

Column = Literal["difference", "score", "mean", "specificity"]


@checked(n_regulators=Range(1), n_columns=Range(1))
def rank_regulators(
    adata: AnnData,
    groups: str | Sequence[str] | None = None,
    *,
    by: Column = "difference",
    n_regulators: int = 10,
    n_columns: int = 4,
    key: str = "rank_regulators",
    ax: Axes | None = None,
) -> Axes:
    """Draw the first regulators of each group as ranked bars, one panel per group.

    Parameters
    ----------
    adata
        Data with a ranking from `pysces.rank_regulators`.
    groups
        Groups to draw, in this order; by default all groups of the ranking.
    by
        Column of the ranking that is drawn and by which regulators are chosen: ``"difference"``
        keeps the order of the ranking; ``"score"``, ``"mean"`` and ``"specificity"`` choose the
        largest ones.
    n_regulators
        Number of regulators to draw for each group.
    n_columns
        Number of panels in a row.
    key
        Key of the ranking.
    ax
        Axes to draw on; new ones by default.

    Returns
    -------
    matplotlib.axes.Axes
        Axes with one panel per group (``ax.child_axes``), all on the same scale. Significant
        regulators are red (increased) or blue (decreased), others grey.

    Raises
    ------
    MissingKeyError
        If there is no ranking under the key.
    InputError
        If the ranking does not have a group.
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
    >>> ax = pysces.pl.rank_regulators(adata)
    >>> [panel.get_title("left") for panel in ax.child_axes]
    ['control', 'treated']
    """
    table, record = ranking_of(adata, key, groups)
    order = list(dict.fromkeys(table["group"]))
    if by != "difference":
        table = table.sort_values(by, ascending=False, kind="stable")
    best = table.dropna(subset=by).groupby("group").head(n_regulators)
    longest = int(best.groupby("group").size().max()) if len(best) else 1
    ax, grid = panels(
        ax,
        len(order),
        columns=n_columns,
        size=(1.7, 0.15 + 0.18 * longest),
        gap=(1.05, 0.6),
    )
    low, high = min(0.0, best[by].min()), max(0.0, best[by].max())
    edge = 0.04 * (high - low)
    last = len(order) - min(n_columns, len(order))
    for number, (group, panel) in enumerate(zip(order, grid, strict=True)):
        own = best[best["group"] == group]
        colors = np.where(own["difference"] >= 0, UP, DOWN)
        colors = np.where(own["significant"], colors, FAINT)
        panel.barh(range(len(own)), own[by], color=colors, height=0.72)
        panel.set_yticks(range(len(own)), [label(n, 14) for n in own["regulator"]], fontsize=8)
        panel.set(ylim=(longest - 0.4, -0.6), xlim=(low - edge * (low < 0), high + edge))
        panel.axvline(0.0, color=PALE, linewidth=0.8, zorder=0)
        panel.tick_params(axis="y", length=0)
        panel.tick_params(axis="x", labelsize=8)
        panel.spines["left"].set_visible(False)
        if number >= last:
            panel.set_xlabel(_meaning(by, record), fontsize=8)
        clean(panel)
    ax.set_title(_title(record, len(order)), fontsize=11, pad=24)
    settle(ax)
    fit(ax)
    for group, panel in zip(order, grid, strict=True):
        panel.set_title(label(group, characters(panel, 0.6, 10, 26)), fontsize=10, loc="left")
    fit(ax)
    for panel in grid:
        panel.tick_params(axis="y", labelsize=row_font(panel, longest, 8.0))
    return ax


def _title(record: RunRecord, n_groups: int) -> str:
    other = "the rest" if record.options["reference"] == "rest" else record.options["reference"]
    groupby = label(record.options["groupby"], 24)
    gap = "\n" if n_groups == 1 else " of each group "  # a single panel is narrow
    return f"First regulators{gap}against {label(other, 24)} ({groupby})"


def _meaning(by: str, record: RunRecord) -> str:
    statistic = "t" if record.options["method"] == "t-test" else "z of the rank sum"
    return {
        "difference": "difference of mean NES",
        "score": statistic,
        "mean": "mean NES",
        "specificity": "specificity score",
    }[by]
