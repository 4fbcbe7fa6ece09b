"""Violin plot of the activity of one regulator in groups of cells."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from pysces._parameters import checked
from pysces.errors import PyscesError
from pysces.pl._activities import scores_of
from pysces.pl._labels import fit
from pysces.pl._style import INK, axes_of, clean, label

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.axes import Axes


@checked()
def activity_violin(
    adata: AnnData,
    regulator: str,
    groupby: str,
    *,
    key: str = "viper",
    ax: Axes | None = None,
    **options: Any,
) -> Axes:
    """Draw the distribution of the activity of a regulator in groups of cells (with Scanpy).

    Parameters
    ----------
    adata
        What `pysces.run_viper` ran on.
    regulator
        Name of the regulator.
    groupby
        Column of ``adata.obs``.
    key
        Key of the activities.
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
        If there are no activities under the key.
    InputError
        If the column or the regulator does not exist.
    PyscesError
        If matplotlib or scanpy is not installed.

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
    scores = _for_scanpy(scores_of(adata, key, groupby, [regulator]), groupby)
    groups = scores.obs[groupby].cat.categories
    ax = axes_of(ax, max(4.5, 2.0 + 0.5 * len(groups)), 4.0)
    given = {"stripplot": False, "inner": "quartile", "cut": 0, "linewidth": 0.8} | options
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # from seaborn and pandas, about calls made by Scanpy
        _scanpy().pl.violin(scores, regulator, groupby, ax=ax, show=False, **given)
    ax.axhline(0.0, color=INK, linewidth=0.6, zorder=0)
    _slant(ax)
    clean(ax)
    ax.set(xlabel="", ylabel="activity (NES)")
    ax.set_title(label(regulator, 30), fontsize=11)
    fit(ax)
    return ax


def _scanpy() -> Any:
    try:
        import scanpy
    except ImportError as error:
        raise PyscesError(
            f"The violin plot needs scanpy ({error}). "
            "Install it with: pip install 'pysces-grn[scanpy]'."
        ) from error
    return scanpy


def _for_scanpy(scores: AnnData, groupby: str) -> AnnData:
    """Convert groups to categories without unused ones, with short names."""
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
    """Rotate the names of groups, so that long ones do not overlap."""
    for text in ax.get_xticklabels():
        text.set(rotation=45, ha="right", rotation_mode="anchor")
