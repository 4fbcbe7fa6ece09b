"""Dot plot of activities in groups of cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pysces._parameters import checked
from pysces.pl._activities import group_means, scores_of, similarity_order
from pysces.pl._labels import box_of, fit, settle
from pysces.pl._style import DIVERGING, FAINT, INK, PALE, axes_of, label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.text import Annotation

_DOT = 190.0  # area of the largest dot, square points


@checked()
def activity_dotplot(
    adata: AnnData,
    groupby: str,
    regulators: str | Sequence[str] | None = None,
    *,
    key: str = "viper",
    n_regulators: int = 20,
    active: float = 1.96,
    ax: Axes | None = None,
) -> Axes:
    """Draw mean activity (colour) and share of cells with clear activity (size) by group.

    The size includes both signs; ``scanpy.pl.dotplot(pysces.activity(adata), ...)`` would show
    repressed regulators as absent.

    Parameters
    ----------
    adata
        Data with activities from `pysces.run_viper`.
    groupby
        Column of ``adata.obs``.
    regulators
        Regulators to draw; by default those that differ most between groups.
    key
        Key of the activities.
    n_regulators
        Number of regulators to draw, if ``regulators`` is not given.
    active
        A regulator is active or repressed in a cell if its ``|NES|`` is above this value.
    ax
        Axes to draw on; new ones by default.

    Returns
    -------
    matplotlib.axes.Axes
        Groups x regulators, ordered by similarity.

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
    >>> ax = pysces.pl.activity_dotplot(adata, "arm", ["gene0"])
    >>> [text.get_text() for text in ax.get_yticklabels()]
    ['control', 'treated']
    """
    means = group_means(adata, key, groupby, regulators, n_regulators)
    values = means.to_numpy()
    means = means.iloc[similarity_order(values)[0], similarity_order(values.T)[0]].T
    scores = scores_of(adata, key, groupby, list(means.columns))
    groups = scores.obs[groupby].astype(str).to_numpy()
    share = (scores.to_df().abs() > active).groupby(groups).mean().loc[means.index]
    title = f"Activity of {means.shape[1]} regulators by {label(groupby, 24)}"
    return draw_dots(means, share, active, title, ax)


def draw_dots(
    means: pd.DataFrame,
    share: pd.DataFrame,
    active: float,
    title: str,
    ax: Axes | None,
    brackets: Mapping[str, int] | None = None,
) -> Axes:
    """Draw tables of groups x regulators: mean activities, and shares of cells.

    brackets: names of consecutive regulators, and their numbers; drawn above.
    """
    above = 0.0 if brackets is None else 0.8
    width, height = 4.8 + 0.26 * means.shape[1], max(4.4, 1.9 + 0.26 * len(means)) + above
    ax = axes_of(ax, width, height)
    largest = float(np.abs(means.to_numpy()).max(initial=0.0)) or 1.0
    row, column = np.indices(means.shape)
    dots = ax.scatter(
        column.ravel(),
        row.ravel(),
        s=_DOT * share.to_numpy().ravel(),
        c=means.to_numpy().ravel(),
        cmap=DIVERGING,
        vmin=-largest,
        vmax=largest,
        edgecolors="#777777",
        linewidths=0.5,
    )
    ax.set_xticks(range(means.shape[1]), [label(n) for n in means.columns], rotation=90)
    ax.set_yticks(range(len(means)), [label(n, 30) for n in means.index])
    ax.set(xlim=(-0.7, means.shape[1] - 0.3), ylim=(len(means) - 0.3, -0.7))
    ax.tick_params(length=0)
    ax.spines[:].set_color(PALE)
    ax.set_title(title, fontsize=11)
    texts = _brackets(ax, brackets) if brackets else []
    settle(ax)
    wide, high = ax.bbox.width / ax.figure.dpi, ax.bbox.height / ax.figure.dpi
    bar = ax.inset_axes((1 + 0.2 / wide, 0, 0.12 / wide, min(0.55, 1.6 / high)))
    ax.figure.colorbar(dots, cax=bar, label="mean NES")
    _size_legend(ax, _DOT, active)
    settle(ax)
    fit(ax)
    above = 0.0
    if texts:
        above = _height_apart(ax, texts)
        ax.set_title(title, fontsize=11, pad=8 + above)
        settle(ax)
        fit(ax)
    # Dots are scaled to the cells of the table, so that they do not touch.
    side = 72 / ax.figure.dpi * min(ax.bbox.width / means.shape[1], ax.bbox.height / len(means))
    largest_dot = min(_DOT, np.pi / 4 * (0.9 * side) ** 2)
    dots.set_sizes(largest_dot * share.to_numpy().ravel())
    _size_legend(ax, largest_dot, active, above)
    return ax


def _brackets(ax: Axes, brackets: Mapping[str, int]) -> list[Annotation]:
    """Draw brackets with names above the axes."""
    above, start, texts = ax.get_xaxis_transform(), 0, []
    for name, number in brackets.items():
        left, right = start - 0.35, start + number - 0.65
        ax.plot((left, right), (1.015, 1.015), color=INK, transform=above, clip_on=False, lw=1.2)
        text = ax.annotate(
            label(name), ((left + right) / 2, 1.015), xycoords=above, xytext=(0, 3),
            textcoords="offset points", ha="center", va="bottom", fontsize=9, annotation_clip=False,
        )  # fmt: skip
        texts.append(text)
        if start:
            ax.axvline(start - 0.5, color=PALE, linewidth=0.8, zorder=0)
        start += number
    return texts


def _height_apart(ax: Axes, texts: list[Annotation]) -> float:
    """Height of names above the axes (points), upright if neighbours would overlap."""
    boxes = np.array([box_of(text) for text in texts])
    beyond = boxes[0, 0] < ax.bbox.x0 - 20 or boxes[-1, 2] > ax.bbox.x1
    if beyond or (boxes[:-1, 2] + 4 > boxes[1:, 0]).any():
        for text in texts:
            text.set_rotation(90)
        boxes = np.array([box_of(text) for text in texts])
    return float(np.max(boxes[:, 3] - boxes[:, 1])) * 72 / ax.figure.dpi + 6


def _size_legend(ax: Axes, largest: float, active: float, above: float = 0.0) -> None:
    """Add a legend of the dot areas, at this height above the axes (points)."""
    top = 1.02 + above / 72 / (ax.bbox.height / ax.figure.dpi)
    ax.legend(
        handles=[
            ax.scatter([], [], s=largest * part, c=FAINT, label=f"{part:.0%}")
            for part in (0.25, 0.5, 1.0)
        ],
        title=f"cells with\n|NES| > {active:g}",
        frameon=False,
        loc="upper left",
        bbox_to_anchor=(1.0, top),
        fontsize=8,
        title_fontsize=8,
    )
