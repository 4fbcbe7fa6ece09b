"""Volcano plot: effect and significance of regulators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pysces._keys import MastersResult, RankingResult, holds, read
from pysces._messages import listed
from pysces._parameters import Range, checked
from pysces.errors import InputError
from pysces.pl._labels import place_labels
from pysces.pl._style import DOWN, FAINT, INK, UP, axes_of, clean, label

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.axes import Axes

_EFFECTS = ("difference", "effect", "nes", "score")


@checked(alpha=Range(0, 1))
def volcano(
    table: pd.DataFrame | AnnData,
    *,
    group: str | float | None = None,
    effect: str | None = None,
    alpha: float = 0.05,
    n_labels: int = 15,
    key: str = "rank_regulators",
    ax: Axes | None = None,
) -> Axes:
    """Draw the significance of each regulator (y) against the size of its effect (x).

    Parameters
    ----------
    table
        Data with a ranking from `pysces.rank_regulators` or master regulators from
        `pysces.run_msviper`, or their table: the columns ``regulator``, ``pvalue``, ``qvalue`` and
        one of ``difference``, ``effect``, ``nes``, ``score``.
    group
        Group to draw, if the table has several.
    effect
        Column of the effect; by default the first one that exists of those above. ``nes`` and
        ``score`` are functions of the p-value, so that points are on a curve.
    alpha
        Largest q-value of a significant regulator.
    n_labels
        Maximum number of regulators to label, the most significant ones; labels that do not fit
        are left out.
    key
        Key of the ranking or the master regulators, if data are given.
    ax
        Axes to draw on; new ones by default.

    Returns
    -------
    matplotlib.axes.Axes
        Significant regulators are red (more active in the group than in the reference or the rest)
        or blue (less active). p-values that are 0 in float64 are drawn as triangles at the top.

    Examples
    --------
    >>> import pandas as pd, pysces
    >>> table = pd.DataFrame({"regulator": ["MYC", "SPI1"], "nes": [4.2, -0.3]})
    >>> table = table.assign(pvalue=[3e-5, 0.76], qvalue=[6e-5, 0.76])
    >>> pysces.pl.volcano(table).get_title()
    '1 of 2 regulators significant'
    """
    against = ""
    if not isinstance(table, pd.DataFrame):
        table, against = _stored(table, key)
    table, effect = _checked(table, None if group is None else str(group), effect)
    ax = axes_of(ax, 6.5, 5)
    pvalues = table["pvalue"].to_numpy(dtype=float)
    positive = pvalues[pvalues > 0]
    floor = float(positive.min()) if len(positive) else 1e-16
    height = -np.log10(np.maximum(pvalues, floor))
    top = float(height.max(initial=1.0)) * 1.06
    height = np.where(pvalues > 0, height, top)
    x = table[effect].to_numpy(dtype=float)
    significant = table["qvalue"].to_numpy(dtype=float) <= alpha
    colors = np.where(significant, np.where(x >= 0, UP, DOWN), "#bbbbbb")
    sized: dict[str, Any] = {"s": 22 if len(table) < 500 else 9, "alpha": 0.8, "linewidths": 0}
    for zero, marker in ((False, "o"), (True, "^")):
        chosen = (pvalues == 0) == zero
        ax.scatter(x[chosen], height[chosen], c=colors[chosen], marker=marker, **sized)
    ax.axvline(0.0, color=FAINT, linewidth=0.6, zorder=0)
    if significant.any():
        # The line is between the largest significant p-value and the next one.
        limit = height[significant].min()
        limit = (limit + height[~significant & (height < limit)].max(initial=0.0)) / 2
        ax.axhline(limit, color=FAINT, linewidth=0.8, linestyle=(0, (4, 2)), zorder=0)
        ax.annotate(
            f"q ≤ {alpha:g}", (1, limit), xycoords=("axes fraction", "data"), xytext=(-2, 3),
            textcoords="offset points", ha="right", fontsize=8, color=INK,
        )  # fmt: skip
    ax.margins(0.12, 0.08)
    ax.set_ylim(bottom=0)
    names = {
        "difference": "effect: difference of mean NES",
        "effect": "effect: mean normal score of the strongest targets",
        "nes": "NES",
        "score": "test statistic",
    }
    ax.set_xlabel(names.get(effect, label(effect, 40)))
    ax.set_ylabel(r"$-\log_{10}$ p-value")
    clean(ax)
    ax.set_title(_title(table, int(significant.sum()), against), fontsize=11)
    order = np.lexsort((-np.abs(x), -height))
    shown = order[: min(n_labels, int(significant.sum()))]
    place_labels(
        ax,
        np.stack([x, height], axis=1)[np.concatenate([shown, np.setdiff1d(order, shown)])],
        [label(name) for name in table["regulator"].iloc[shown]],
        colors=list(colors[shown]),
        radius=2.6,
        fontsize=8,
    )
    return ax


def _checked(
    table: pd.DataFrame, group: str | None, effect: str | None
) -> tuple[pd.DataFrame, str]:
    """Rows of one group without missing numbers, and the column of the effect."""
    effect = effect or next((name for name in _EFFECTS if name in table), _EFFECTS[0])
    wanted = ("regulator", "pvalue", "qvalue", effect)
    if absent := [name for name in wanted if name not in table]:
        raise InputError(
            f"The table has no column {listed(absent)}. Columns: {listed(table.columns)}. "
            "Pass the table of pysces.ranking, or the results of pysces.run_msviper."
        )
    if "group" in table:
        groups = [str(name) for name in table["group"].unique()]
        if group is None and len(groups) > 1:
            raise InputError(f"The table has several groups: {listed(groups)}. Pass group=.")
        if group is not None:
            if group not in groups:
                raise InputError(f"The table has no group {group!r}. Groups: {listed(groups)}.")
            table = table[table["group"].astype(str) == group]
    return table.dropna(subset=["pvalue", "qvalue", effect]).reset_index(drop=True), effect


def _stored(adata: AnnData, key: str) -> tuple[pd.DataFrame, str]:
    """The table of a ranking or of master regulators, and the reference."""
    if holds(MastersResult, adata, key):
        masters = read(MastersResult, adata, key)
        options = masters.record.options
        return masters.results.assign(group=str(options["group"])), str(options["reference"])
    found = read(RankingResult, adata, key)
    return found.ranking, str(found.record.options["reference"])


def _title(table: pd.DataFrame, significant: int, against: str) -> str:
    text = f"{significant} of {len(table)} regulators significant"
    if "group" not in table or not len(table):
        return text
    reference = f" against {label(against, 20)}" if against else ""
    return f"{label(table['group'].iloc[0], 24)}{reference}: {text}"
