"""Activities of regulators on a two-dimensional embedding of cells, such as UMAP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pysces._messages import listed, nearest
from pysces._parameters import Range, checked
from pysces.data._labels import labels_of
from pysces.errors import InputError, MissingKeyError
from pysces.pl._labels import fit, place_labels, settle
from pysces.pl._style import DIVERGING, PALE, SERIES, characters, label, names_of, panels
from pysces.viper.activity import activity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anndata import AnnData
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

_MANY = 20_000  # cells that a vector graphic holds as an image


@checked(n_columns=Range(1))
def umap(
    adata: AnnData,
    color: str | Sequence[str],
    *,
    key: str = "viper",
    basis: str = "X_umap",
    size: float | None = None,
    n_columns: int = 3,
    ax: Axes | None = None,
) -> Axes:
    """Draw activities of regulators on an embedding of cells, one panel per regulator.

    Parameters
    ----------
    adata
        Data with activities from `pysces.run_viper` and an embedding, such as that of
        ``scanpy.tl.umap``.
    color
        Regulators, or columns of ``adata.obs`` (numbers or categories).
    key
        Key of the activities.
    basis
        Key of coordinates in ``adata.obsm``; the prefix ``X_`` may be left out. The first two
        columns are drawn.
    size
        Area of a point (square points); by default 120,000 / number of cells, as in Scanpy, but at
        most 15.
    n_columns
        Number of panels in a row.
    ax
        Axes to draw on; new ones by default.

    Returns
    -------
    matplotlib.axes.Axes
        Axes with one panel per colour (``ax.child_axes``). Activities are red (active) to blue
        (repressed), on a scale that is symmetric about 0 and ends at the 99th percentile of
        ``|NES|``. Cells with the largest absolute values are drawn last.

    Raises
    ------
    MissingKeyError
        If there are no activities or no coordinates under the keys.
    InputError
        If a regulator or a column does not exist.
    PyscesError
        If matplotlib is not installed.

    Examples
    --------
    >>> import anndata, numpy as np, pandas as pd, pysces
    >>> adata = anndata.AnnData(np.random.default_rng(0).normal(size=(20, 12)))
    >>> adata.var_names = [f"gene{number}" for number in range(12)]
    >>> edges = pd.DataFrame({"source": "gene0", "target": adata.var_names[1:]})
    >>> pysces.run_viper(adata, edges)
    >>> adata.obsm["X_pca"] = adata.X[:, :2]
    >>> ax = pysces.pl.umap(adata, "gene0", basis="pca")
    >>> [panel.get_title() for panel in ax.child_axes if panel.get_title()]
    ['gene0']
    """
    points, name = _coordinates(adata, basis)
    scores = activity(adata, key)
    wanted = list(dict.fromkeys(names_of(color)))
    if not wanted:
        raise InputError("No regulator to draw: color= is empty.")
    for one in wanted:
        if one not in scores.var_names and one not in scores.obs:
            known = [*scores.var_names, *scores.obs.columns]
            raise InputError(
                f"{one!r} is neither a regulator nor a column of .obs{nearest(one, known)}. "
                f"Regulators: {listed(scores.var_names)}."
            )
    ax, grid = panels(ax, len(wanted), columns=n_columns, size=(3.2, 3.2), gap=(0.95, 0.6))
    style: dict[str, Any] = {
        "s": min(15.0, 120_000 / max(1, len(points))) if size is None else size,
        "linewidths": 0,
        "rasterized": len(points) > _MANY,
    }
    named = []
    for one, panel in zip(wanted, grid, strict=True):
        panel.set(xticks=[], yticks=[], xlabel=f"{name}1", ylabel=f"{name}2")
        panel.spines[:].set_color(PALE)
        for axis in (panel.xaxis, panel.yaxis):
            axis.label.set_fontsize(8)
        if one in scores.var_names:
            values = np.asarray(scores[:, one].X, dtype=np.float64).ravel()
            limit = float(np.nanquantile(np.abs(values), 0.99)) if len(values) else 0.0
            scale = {"cmap": DIVERGING, "vmin": -(limit or 1.0), "vmax": limit or 1.0}
            _numbers(panel, points, values, "NES", style | scale)
        elif pd.api.types.is_numeric_dtype(column := scores.obs[one]) and column.dtype != bool:
            numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
            _numbers(panel, points, numbers, "", style | {"cmap": "viridis"})
        else:
            labels = labels_of(scores, one, "color")
            given = scores.uns.get(f"{one}_colors", ())
            named.append((panel, *_categories(panel, points, labels, given, style)))
    settle(ax)
    fit(ax)
    for one, panel in zip(wanted, grid, strict=True):
        panel.set_title(label(one, characters(panel, 0.6, 10, 26)), fontsize=10)
    fit(ax)
    for panel, names, centres in named:
        names = [label(name, characters(panel, 0.0, 8, 40) // 2) for name in names]
        place_labels(panel, centres, names, radius=0.0, centred=True, fontsize=8)
    return ax


def _coordinates(adata: AnnData, basis: str) -> tuple[NDArray[np.float64], str]:
    """Coordinates [cells 2], and the name of the embedding."""
    key = basis if basis in adata.obsm else f"X_{basis}"
    if key not in adata.obsm:
        raise MissingKeyError(
            f"Did not find .obsm[{basis!r}]. Run `scanpy.tl.umap(adata)` first, or pass basis=. "
            f"Keys of .obsm: {listed(adata.obsm)}."
        )
    points = np.asarray(adata.obsm[key])
    if points.ndim != 2 or points.shape[1] < 2 or points.dtype.kind not in "iuf":
        raise InputError(f".obsm[{key!r}] must have two columns of numbers. Pass another basis=.")
    name = key.removeprefix("X_")
    return points[:, :2].astype(np.float64), label(name.upper() if len(name) < 5 else name)


def _dots(ax: Axes, points: NDArray[np.float64], color: Any, style: Mapping[str, Any]) -> Any:
    return ax.scatter(points[:, 0], points[:, 1], c=color, **style)


def _numbers(
    ax: Axes,
    points: NDArray[np.float64],
    values: NDArray[np.float64],
    unit: str,
    style: Mapping[str, Any],
) -> None:
    """Colour points by numbers; those without a value are grey and below."""
    known = ~np.isnan(values)
    plain = {name: style[name] for name in ("s", "linewidths", "rasterized")}
    _dots(ax, points[~known], PALE, plain)
    size = np.abs(values) if unit else values
    order = np.flatnonzero(known)[np.argsort(size[known], kind="stable")]
    dots = _dots(ax, points[order], values[order], style)
    bar = ax.inset_axes((1.03, 0.0, 0.04, 0.5))
    ax.figure.colorbar(dots, cax=bar, label=unit)
    bar.tick_params(labelsize=7)
    bar.yaxis.label.set_fontsize(8)


def _categories(
    ax: Axes,
    points: NDArray[np.float64],
    labels: pd.Categorical,
    given: Any,
    style: Mapping[str, Any],
) -> tuple[list[str], NDArray[np.float64]]:
    """Colour points by category; return the names and the medians of their points.

    given: colours of the categories, as Scanpy stores them.
    """
    names = list(labels.categories)
    colors = list(given) if len(given) >= len(names) else [*SERIES, *map(_tint, SERIES)]
    _dots(ax, points[labels.codes < 0], PALE, style)
    centres = []
    for number in range(len(names)):
        own = points[labels.codes == number]
        _dots(ax, own, [colors[number % len(colors)]], style)
        centres.append(np.median(own, axis=0))
    return names, np.array(centres).reshape(-1, 2)


def _tint(color: str) -> tuple[float, ...]:
    """A colour mixed with white."""
    from matplotlib.colors import to_rgb

    return tuple((1 + part) / 2 for part in to_rgb(color))
