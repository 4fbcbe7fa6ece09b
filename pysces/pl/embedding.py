"""Scatter plot of regulators in two components of an embedding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pysces._messages import listed
from pysces._parameters import Range, checked
from pysces.embedding.regulator_neighbours import Stored, stored
from pysces.errors import InputError
from pysces.pl._labels import fit, place_labels, settle
from pysces.pl._style import DIVERGING, FAINT, PALE, SERIES, axes_of, clean, label, names_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

_AREAS = (14.0, 110.0)  # areas of the smallest and the largest regulon, in square points
_WIDE = 20  # numbers of targets with a larger ratio are coloured on a logarithmic scale


@checked(components=Range(1))
def embedding(
    adata: AnnData,
    *,
    color: str | None = "n_targets",
    components: tuple[int, int] = (1, 2),
    regulators: str | Sequence[str] | None = None,
    n_labels: int = 30,
    targets: bool = False,
    key: str = "regulon_embedding",
    ax: Axes | None = None,
) -> Axes:
    """Draw the regulators in two components of an embedding.

    Compare directions rather than distances: in these two components, regulators in the same
    direction from the origin have similar effects, and those in opposite directions have opposite
    effects.

    Parameters
    ----------
    adata
        Data with an embedding from `pysces.embed_regulators`.
    color
        ``"n_targets"``, ``"n_targets_positive"`` or a column of ``adata.var`` (numbers or
        categories); ``None`` for one colour.
    components
        The two components to draw, counted from 1.
    regulators
        Regulators to label; by default those farthest from the origin.
    n_labels
        Maximum number of regulators to label, if ``regulators`` is not given; labels that do not
        fit are left out.
    targets
        Also draw the other genes of the network, as small dots.
    key
        Key of the embedding.
    ax
        Axes to draw on; new ones by default.

    Returns
    -------
    matplotlib.axes.Axes
        One point per regulator, larger for more targets, grey without a value. Both axes have the
        same scale.

    Raises
    ------
    MissingKeyError
        If there is no embedding under the key.
    InputError
        If a component, a regulator or a column does not exist.

    Examples
    --------
    >>> import anndata, numpy as np, pandas as pd, pysces
    >>> adata = anndata.AnnData(np.ones((2, 5)))
    >>> adata.var_names = ["TF1", "TF2", "TF3", "A", "B"]
    >>> edges = pd.DataFrame({"source": ["TF1", "TF2", "TF3"] * 2, "target": ["A"] * 3 + ["B"] * 3})
    >>> edges["mor"] = [1.0, 0.9, -1.0, 0.5, 0.6, -0.5]
    >>> pysces.embed_regulators(adata, network=edges, n_components=2)
    >>> pysces.pl.embedding(adata).get_title()
    '3 regulators'
    """
    found = stored(adata, key)
    _check_components(components, found.coordinates.shape[1])
    names = found.regulators.index
    shown = _named(found, components, regulators, n_labels)
    values = _values(adata, found, color)
    order = np.concatenate([shown, np.setdiff1d(np.arange(len(names)), shown)])
    points = _plane(found.coordinates.loc[names], components)
    area = _areas(found.regulators["n_targets"].to_numpy())
    ax = axes_of(ax, 8, 6.5)
    for line in (ax.axhline, ax.axvline):
        line(0.0, color=PALE, linewidth=0.8, zorder=0)
    if targets:
        others = _plane(found.coordinates.drop(index=names), components)
        ax.scatter(others[:, 0], others[:, 1], s=4, c=PALE, linewidths=0, zorder=0.5)
    _scatter(ax, points, area, values, color)
    ax.margins(0.1)
    ax.set_aspect("equal", adjustable="datalim")
    clean(ax)
    for axis, number in zip((ax.xaxis, ax.yaxis), components, strict=True):
        axis.set_label_text(f"component {number} (eigenvalue {found.eigenvalues[number - 1]:.2f})")
    ax.set_title(f"{len(names)} regulators", fontsize=11)
    settle(ax)
    fit(ax)
    place_labels(
        ax,
        points[order],
        [label(name) for name in names[shown]],
        radius=np.sqrt(area[order] / np.pi),
        fontsize=8,
    )
    return ax


def _check_components(components: Any, number: int) -> None:
    whole = [isinstance(c, int | np.integer) and not isinstance(c, bool) for c in components]
    if len(whole) != 2 or not all(whole) or not all(1 <= c <= number for c in components):
        raise InputError(
            f"The 'components' parameter must be two integers from 1 to {number}. "
            f"Got {components!r} instead."
        )


def _plane(coordinates: pd.DataFrame, components: tuple[int, int]) -> NDArray[np.float64]:
    """Coordinates in two components [genes 2]."""
    return coordinates.to_numpy()[:, [number - 1 for number in components]]


def _named(
    found: Stored,
    components: tuple[int, int],
    regulators: str | Sequence[str] | None,
    n_labels: int,
) -> NDArray[np.intp]:
    """Positions of the regulators to label, the most important ones first."""
    names = found.regulators.index
    if regulators is None:
        far = np.hypot(*_plane(found.coordinates.loc[names], components).T)
        return np.lexsort((names.to_numpy().astype(str), -np.round(far, 9)))[:n_labels]
    regulators = names_of(regulators)
    if absent := [name for name in regulators if name not in names]:
        raise InputError(
            f"Did not find the regulators {listed(absent)} in the embedding. "
            f"Regulators: {listed(names)}."
        )
    return names.get_indexer(pd.Index(list(dict.fromkeys(regulators))))


def _values(adata: AnnData, found: Stored, color: str | None) -> pd.Series | None:
    """Values that determine the colours of regulators; None for one colour."""
    if color is None:
        return None
    if color in found.regulators:
        return found.regulators[color]
    if color not in adata.var:
        there = [*found.regulators.columns, *adata.var.columns]
        raise InputError(f"Did not find .var[{color!r}]. color may be {listed(there)}, or None.")
    return adata.var[color].set_axis(adata.var_names.astype(str)).loc[found.regulators.index]


def _areas(n_targets: NDArray[Any]) -> NDArray[np.float64]:
    """Area of each point, by its number of targets relative to the largest one."""
    share = n_targets / max(1, n_targets.max(initial=1))
    return _AREAS[0] + (_AREAS[1] - _AREAS[0]) * share


def _dots(ax: Axes, points: NDArray[np.float64], area: NDArray[np.float64], **style: Any) -> Any:
    given: dict[str, Any] = {"edgecolors": "white", "linewidths": 0.5, "zorder": 2} | style
    return ax.scatter(points[:, 0], points[:, 1], s=area, **given)


def _scatter(
    ax: Axes,
    points: NDArray[np.float64],
    area: NDArray[np.float64],
    values: pd.Series | None,
    color: str | None,
) -> None:
    """Draw points in one colour, or coloured by numbers or categories."""
    if values is None:
        _dots(ax, points, area, c=SERIES[0])
        return
    known = values.notna().to_numpy()
    _dots(ax, points[~known], area[~known], c=PALE)
    numeric = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    if not numeric:
        _scatter_categories(ax, points, area, values)
    elif known.any():
        numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)[known]
        dots = _dots(ax, points[known], area[known], c=numbers, **_scale(numbers, color))
        bar = ax.figure.colorbar(dots, ax=ax, shrink=0.6, aspect=25, label=_title(color))
        bar.outline.set_visible(False)


def _scale(numbers: NDArray[np.float64], color: str | None) -> dict[str, Any]:
    """Colour scale of numbers: diverging around 0 if both signs occur."""
    from matplotlib.colors import LogNorm

    low, high = float(numbers.min()), float(numbers.max())
    if low < 0 < high:
        size = max(-low, high)
        # An outline, because the middle of the colour map is white like the background.
        return {"cmap": DIVERGING, "vmin": -size, "vmax": size, "edgecolors": FAINT}
    if color == "n_targets" and low > 0 and high > _WIDE * low:
        return {"cmap": "viridis", "norm": LogNorm(low, high)}
    return {"cmap": "viridis", "vmin": low, "vmax": high if high > low else low + 1}


def _scatter_categories(
    ax: Axes, points: NDArray[np.float64], area: NDArray[np.float64], values: pd.Series
) -> None:
    """Draw the most frequent categories in distinct colours, the others in grey."""
    texts = values.astype(object).map(str, na_action="ignore")
    frequent = texts.value_counts().sort_index().sort_values(ascending=False, kind="stable").index
    most = sorted(frequent[: len(SERIES)])
    groups = [(name, (texts == name).to_numpy(), SERIES[n]) for n, name in enumerate(most)]
    rest = (texts.notna() & ~texts.isin(most)).to_numpy()
    if rest.any():
        groups.append((f"{len(frequent) - len(most)} others", rest, FAINT))
    for _, members, face in groups:
        _dots(ax, points[members], area[members], c=face)
    if groups:
        handles = [
            ax.scatter([], [], s=40, c=face, label=label(name, 26)) for name, _, face in groups
        ]
        ax.legend(
            handles=handles, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=9
        )


def _title(color: str | None) -> str:
    names = {"n_targets": "targets", "n_targets_positive": "activated targets"}
    return names.get(str(color), label(color, 40))
