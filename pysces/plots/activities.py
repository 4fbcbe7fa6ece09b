"""Protein activity of groups of cells."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pysces.checks import check_column
from pysces.errors import InputError, PyscesError
from pysces.keys import ActivityKeys
from pysces.messages import listed
from pysces.plots._labels import fit, settle
from pysces.plots._style import DIVERGING, FAINT, INK, PALE, axes_of, clean, label, names_of
from pysces.viper.results import activity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from matplotlib.axes import Axes
    from numpy.typing import NDArray


_DOT = 190.0  # area of the largest dot, square points


def activity_heatmap(
    adata: AnnData,
    groupby: str,
    regulators: str | Sequence[str] | None = None,
    *,
    key: str = ActivityKeys.key,
    n_regulators: int = 30,
    ax: Axes | None = None,
) -> Axes:
    """Draw the mean activity of regulators in groups of cells, both ordered by similarity.

    Parameters
    ----------
    adata
        What `pysces.run_viper` ran on.
    groupby
        Column of ``adata.obs``.
    regulators
        Which; by default those that differ most between the groups.
    key
        Where the activities are.
    n_regulators
        How many, where they aren't named.
    ax
        Axes to draw on; new ones by default.

    Returns
    -------
    matplotlib.axes.Axes
        Regulators x groups, with trees (average linkage of Euclidean distances) at both sides.

    Raises
    ------
    MissingKeyError
        If there is no activity under the key.
    InputError
        If the column, or a regulator named, isn't there.
    PyscesError
        If matplotlib isn't installed.

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
    means = _means(adata, key, groupby, regulators, n_regulators)
    ax = axes_of(ax, max(5.0, 2.6 + 0.42 * means.shape[1]), max(4.4, 1.8 + 0.24 * len(means)))
    rows, row_tree = _order(means.to_numpy())
    columns, column_tree = _order(means.to_numpy().T)
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
    # Inset axes count when the figure is laid out, so nothing is cut off.
    above = ax.inset_axes((0, 1 + 0.03 / high, 1, 0.45 / high))
    beside = ax.inset_axes((1 + 0.03 / wide, 0, 0.45 / wide, 1))
    bar = ax.inset_axes((1 + 0.65 / wide, 0, 0.12 / wide, min(1.0, 2.2 / high)))
    _tree(above, column_tree, means.shape[1], "top")
    _tree(beside, row_tree, len(means), "right")
    ax.figure.colorbar(image, cax=bar, label="mean NES")
    settle(ax)  # with what stands beside
    fit(ax)
    return ax


def _means(
    adata: AnnData, key: str, groupby: str, regulators: str | Sequence[str] | None, number: int
) -> pd.DataFrame:
    """Mean activity, regulators x groups."""
    scores = _scores(adata, key, groupby, regulators)
    groups = scores.obs[groupby].astype(str)
    means = scores.to_df().groupby(groups.to_numpy()).mean().T
    if regulators is None:
        spread = means.var(axis=1, ddof=0).sort_values(ascending=False, kind="stable")
        means = means.loc[spread.index[:number]]
    return means.dropna(axis=0)


def _scores(
    adata: AnnData, key: str, groupby: str, regulators: str | Sequence[str] | None
) -> AnnData:
    """Activities of these regulators in the cells that have a group."""
    scores = activity(adata, key)
    check_column(scores, groupby)
    regulators = None if regulators is None else names_of(regulators)
    if absent := [name for name in regulators or () if name not in scores.var_names]:
        raise InputError(
            f"No activity of {listed(absent)} in .obsm[{key!r}]. "
            f"Regulators: {listed(scores.var_names)}."
        )
    grouped = scores[scores.obs[groupby].notna().to_numpy()]
    return grouped[:, regulators].copy() if regulators is not None else grouped.copy()


def _order(values: NDArray[np.float64]) -> tuple[list[int], dict[str, Any] | None]:
    """Rows ordered by a tree, and the tree; fewer than three rows stay as they are."""
    from scipy.cluster import hierarchy

    if len(values) < 3:
        return list(range(len(values))), None
    linkage = hierarchy.linkage(values, "average", optimal_ordering=len(values) <= 500)
    tree: Any = hierarchy.dendrogram(linkage, no_plot=True)
    return tree["leaves"], tree


def _tree(ax: Axes, tree: dict[str, Any] | None, leaves: int, side: str) -> None:
    """A tree whose leaves stand at 0, 1, ... beside the heat map."""
    ax.set_axis_off()
    for across, up in zip(*(tree[k] for k in ("icoord", "dcoord")), strict=True) if tree else ():
        # SciPy puts leaf i at 5 + 10 i.
        at = (np.array(across) - 5.0) / 10.0
        ax.plot(*((at, up) if side == "top" else (up, at)), color=INK, linewidth=0.8)
    ends = (-0.5, leaves - 0.5)
    if side == "top":
        ax.set(xlim=ends, ylim=(0.0, None))
    else:
        ax.set(ylim=ends[::-1], xlim=(0.0, None))


def activity_violin(
    adata: AnnData,
    regulator: str,
    groupby: str,
    *,
    key: str = ActivityKeys.key,
    ax: Axes | None = None,
    **options: Any,
) -> Axes:
    """Draw how the activity of a regulator is distributed in groups of cells (by Scanpy).

    Parameters
    ----------
    adata
        What `pysces.run_viper` ran on.
    regulator
        Whose activity.
    groupby
        Column of ``adata.obs``.
    key
        Where the activities are.
    ax
        Axes to draw on; new ones by default.
    options
        Passed to ``scanpy.pl.violin``.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    MissingKeyError
        If there is no activity under the key.
    InputError
        If the column, or a regulator named, isn't there.
    PyscesError
        If matplotlib or scanpy isn't installed.

    Examples
    --------
    >>> import anndata, numpy as np, pandas as pd, pysces
    >>> adata = anndata.AnnData(np.random.default_rng(0).normal(size=(20, 12)))
    >>> adata.var_names = [f"gene{number}" for number in range(12)]
    >>> adata.obs["arm"] = ["treated", "control"] * 10
    >>> edges = pd.DataFrame({"source": "gene0", "target": adata.var_names[1:]})
    >>> pysces.run_viper(adata, edges)
    >>> ax = pysces.pl.activity_violin(adata, "gene0", "arm")  # by scanpy
    >>> ax.get_title()
    'gene0'
    """
    scores = _for_scanpy(_scores(adata, key, groupby, [regulator]), groupby)
    groups = scores.obs[groupby].cat.categories
    ax = axes_of(ax, max(4.5, 2.0 + 0.5 * len(groups)), 4.0)
    given = {"stripplot": False, "inner": "quartile", "cut": 0, "linewidth": 0.8} | options
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of seaborn and pandas, about calls that Scanpy makes
        _scanpy().pl.violin(scores, regulator, groupby, ax=ax, show=False, **given)
    ax.axhline(0.0, color=INK, linewidth=0.6, zorder=0)
    _slant(ax)
    clean(ax)
    ax.set(xlabel="", ylabel="activity (NES)")
    ax.set_title(label(regulator, 30), fontsize=11)
    fit(ax)
    return ax


def activity_dotplot(
    adata: AnnData,
    groupby: str,
    regulators: str | Sequence[str] | None = None,
    *,
    key: str = ActivityKeys.key,
    n_regulators: int = 20,
    active: float = 1.96,
    ax: Axes | None = None,
) -> Axes:
    """Draw mean activity (colour) and share of cells with clear activity (size) of groups.

    The size counts both signs: ``scanpy.pl.dotplot(pysces.activity(adata), ...)`` would show
    repressed regulators as absent.

    Parameters
    ----------
    adata
        What `pysces.run_viper` ran on.
    groupby
        Column of ``adata.obs``.
    regulators
        Which; by default those that differ most between the groups.
    key
        Where the activities are.
    n_regulators
        How many, where they aren't named.
    active
        Size of the NES from which on a regulator counts as active or repressed in a cell.
    ax
        Axes to draw on; new ones by default.

    Returns
    -------
    matplotlib.axes.Axes
        Groups x regulators, ordered by similarity.

    Raises
    ------
    MissingKeyError
        If there is no activity under the key.
    InputError
        If the column, or a regulator named, isn't there.
    PyscesError
        If matplotlib isn't installed.

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
    means = _means(adata, key, groupby, regulators, n_regulators)
    means = means.iloc[_order(means.to_numpy())[0], _order(means.to_numpy().T)[0]].T
    scores = _scores(adata, key, groupby, list(means.columns))
    groups = scores.obs[groupby].astype(str).to_numpy()
    share = (scores.to_df().abs() > active).groupby(groups).mean().loc[means.index]
    ax = axes_of(ax, 4.8 + 0.32 * means.shape[1], max(4.4, 1.6 + 0.34 * len(means)))
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
    settle(ax)
    wide, high = ax.bbox.width / ax.figure.dpi, ax.bbox.height / ax.figure.dpi
    bar = ax.inset_axes((1 + 0.2 / wide, 0, 0.12 / wide, min(0.55, 1.6 / high)))
    ax.figure.colorbar(dots, cax=bar, label="mean NES")
    _size_legend(ax, _DOT, active)
    settle(ax)
    fit(ax)
    # Where the cells of the table are small, so are the dots: they mustn't touch.
    side = 72 / ax.figure.dpi * min(ax.bbox.width / means.shape[1], ax.bbox.height / len(means))
    largest_dot = min(_DOT, np.pi / 4 * (0.9 * side) ** 2)
    dots.set_sizes(largest_dot * share.to_numpy().ravel())
    _size_legend(ax, largest_dot, active)
    return ax


def _size_legend(ax: Axes, largest: float, active: float) -> None:
    """Shares of cells by the area of a dot."""
    ax.legend(
        handles=[
            ax.scatter([], [], s=largest * part, c=FAINT, label=f"{part:.0%}")
            for part in (0.25, 0.5, 1.0)
        ],
        title=f"cells with\n|NES| > {active:g}",
        frameon=False,
        loc="upper left",
        bbox_to_anchor=(1.0, 1.02),
        fontsize=8,
        title_fontsize=8,
    )


def _scanpy() -> Any:
    try:
        import scanpy
    except ImportError as error:
        raise PyscesError(
            f"This picture needs scanpy ({error}). "
            "Install it with: pip install 'pysces-grn[scanpy]'."
        ) from error
    return scanpy


def _for_scanpy(scores: AnnData, groupby: str) -> AnnData:
    """Groups as categories in use, with short names."""
    groups = scores.obs[groupby]
    groups = groups.astype(str).astype("category").cat.remove_unused_categories()
    short = {name: label(name, 30) for name in groups.cat.categories}
    if len(set(short.values())) == len(short):
        groups = groups.cat.rename_categories(short)
    scores.obs[groupby] = groups
    colors = scores.uns.get(f"{groupby}_colors")
    if colors is not None and len(colors) < len(short):
        del scores.uns[f"{groupby}_colors"]
    return scores


def _slant(ax: Axes) -> None:
    """Names of groups at an angle, so that long ones stay apart."""
    for text in ax.get_xticklabels():
        text.set(rotation=45, ha="right", rotation_mode="anchor")
