"""Barcode plot: positions of the targets of regulators in a signature."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pysces._messages import listed
from pysces._parameters import checked
from pysces.errors import InputError
from pysces.pl._labels import fit
from pysces.pl._style import (
    DIVERGING,
    DOWN,
    FAINT,
    ON_PALE,
    PALE,
    UP,
    axes_of,
    label,
    names_of,
    network_of,
    numbers_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from matplotlib.axes import Axes

    from pysces.network import Network

_MOST_TICKS = 200  # of a regulator, in rows of about 5 inches
_BINS = 60


@checked()
def barcode(
    signature: pd.Series,
    network: Network | pd.DataFrame | AnnData,
    regulators: str | Sequence[str] | None = None,
    *,
    scores: pd.Series | None = None,
    n_regulators: int = 10,
    key: str = "aracne",
    group: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the positions of the targets of regulators in a signature, one row per regulator.

    Parameters
    ----------
    signature
        Value of each gene; genes without a value (NaN) are left out.
    network
        A network, a table of its edges, or an AnnData with a network.
    regulators
        Regulators from top to bottom; by default those with the largest scores (or most targets).
    scores
        NES of each regulator, written on the right.
    n_regulators
        Number of regulators to draw, if ``regulators`` is not given.
    key
        Key of the network in ``adata.uns``.
    group
        Group whose network to draw, if the run had ``groupby=``.
    ax
        Axes to draw on; new ones by default.

    Returns
    -------
    matplotlib.axes.Axes
        Genes from the most decreased (left) to the most increased (right); targets that the
        regulator activates are red ticks above the line, those that it represses blue ones below.
        More than 200 targets of a regulator are drawn as densities instead; a dotted line is the
        density of targets at random positions.

    Raises
    ------
    InputError
        If genes of the signature are not unique, or a regulator is not in the network.

    Examples
    --------
    >>> import pandas as pd, pysces
    >>> signature = pd.Series({"MAX": 2.0, "NCL": 1.5, "CDKN1A": -3.0})
    >>> edges = pd.DataFrame({"source": "MYC", "target": signature.index, "mor": [1, 1, -1]})
    >>> ax = pysces.pl.barcode(signature, pysces.Network(edges), ["MYC"])
    >>> ax.get_xlabel()
    '3 genes by their signature'
    """
    from matplotlib.transforms import ScaledTranslation

    numbers_of("signature", signature)
    values = signature.dropna().sort_values(kind="stable")
    if not values.index.is_unique:
        raise InputError("Gene names of the signature are not unique. Make them unique.")
    if scores is not None:
        numbers_of("scores", scores)
    network = network_of(network, key, group)
    names = _regulators(network, regulators, scores, n_regulators)
    ax = axes_of(ax, 8, 1.4 + 0.42 * len(names))
    # All parts share one axis: ranks run from 0 to 1, and the scores are beyond 1.
    place = pd.Series((np.arange(len(values)) + 0.5) / max(1, len(values)), index=values.index)
    _profile(ax, values.to_numpy(), place.to_numpy())
    table = network.to_dataframe()
    table["mode"] = network.mode_and_likelihood()[0]
    table["place"] = place.reindex(table["target"].astype(str)).to_numpy()
    table = table[table["place"].notna()]
    for row, name in enumerate(names, start=1):
        own = table[table["source"] == name]
        activated = own["mode"].to_numpy() >= 0
        places = own["place"].to_numpy()
        sides = ((places[activated], UP, -0.4), (places[~activated], DOWN, 0.4))
        if len(own) <= _MOST_TICKS:
            for side, color, height in sides:
                _ticks(ax, row, side, color, height)
        else:
            densities = [_density(side) for side, *_ in sides]
            peak = max(2.0, np.max(densities))
            for density, (side, color, height) in zip(densities, sides, strict=True):
                if len(side):
                    _area(ax, row, density, color, height / peak)
        ax.plot([0, 1], [row, row], color=FAINT, linewidth=0.6, zorder=1)
    if scores is not None:
        _scores(ax, scores.reindex(names).to_numpy(dtype=float))
    ax.set_yticks(range(1, len(names) + 1), [label(name) for name in names])
    ax.tick_params(axis="y", length=0)
    ax.set_xticks([0, 1], [f"down\n{values.min():.1f}", f"up\n{values.max():.1f}"])
    ax.set_xlim(-0.01, 1.0 if scores is None else 1.13)
    ax.set_ylim(len(names) + 0.6, -1.0)
    ax.set_xlabel(f"{len(values)} genes by their signature", va="top")
    # The label is placed between the two tick labels, where it needs no separate line.
    below = ScaledTranslation(0, -7 / 72, ax.figure.dpi_scale_trans)
    ax.xaxis.set_label_coords(0.5, 0.0, ax.get_xaxis_transform() + below)
    ax.spines[:].set_visible(False)
    ax.set_title("Positions of targets in the signature", fontsize=11)
    fit(ax)
    return ax


def _regulators(
    network: Network,
    regulators: str | Sequence[str] | None,
    scores: pd.Series | None,
    n_regulators: int,
) -> list[str]:
    """Regulators from top to bottom: the given ones, or by score with the most active first."""
    known = set(network.regulators)
    if regulators is not None:
        regulators = names_of(regulators)
        if absent := [name for name in regulators if name not in known]:
            raise InputError(
                f"Did not find the regulators {listed(absent)} in the network. "
                f"Regulators: {listed(network.regulators)}."
            )
        return regulators
    if scores is None:
        sizes = network.to_dataframe().groupby("source", observed=True).size()
        return sizes.sort_values(ascending=False, kind="stable").index[:n_regulators].tolist()
    found = scores[[name in known for name in scores.index]].dropna()
    largest = found.abs().sort_values(ascending=False, kind="stable").index[:n_regulators]
    return found[largest].sort_values(ascending=False, kind="stable").index.tolist()


def _profile(ax: Axes, values: np.ndarray, place: np.ndarray) -> None:
    """Draw the signature above the rows."""
    largest = np.abs(values).max(initial=0.0) or 1.0
    thin = np.unique(
        np.linspace(0, max(0, len(values) - 1), min(2000, len(values))).astype(np.int64)
    )
    height = -0.35 - 0.5 * values[thin] / largest
    for color, chosen in ((DOWN, values[thin] < 0), (UP, values[thin] > 0)):
        ax.fill_between(place[thin], -0.35, height, where=chosen, color=color, alpha=0.5, lw=0)
    ax.plot([0, 1], [-0.35, -0.35], color=FAINT, linewidth=0.6)


def _ticks(ax: Axes, row: int, places: np.ndarray, color: str, height: float) -> None:
    # Many targets overlap; with fainter ticks, dense regions differ from sparse ones.
    alpha = float(np.clip(6.0 / np.sqrt(max(1, len(places))), 0.3, 0.9))
    width = float(np.clip(20.0 / np.sqrt(max(1, len(places))), 0.5, 1.4))
    ax.vlines(places, row, row + height, color=color, linewidth=width, alpha=alpha, zorder=2)


def _density(places: np.ndarray) -> np.ndarray:
    """Density of targets in bins of ranks, relative to that of targets at random positions."""
    return np.histogram(places, bins=_BINS, range=(0, 1))[0] * _BINS / max(1, len(places))


def _area(ax: Axes, row: int, density: np.ndarray, color: str, height: float) -> None:
    """Draw a density; a dotted line is that of targets at random positions."""
    edges = np.linspace(0, 1, _BINS + 1)
    ax.stairs(
        row + height * density, edges, baseline=row, fill=True, color=color, alpha=0.75, zorder=2
    )
    level = (row + height, row + height)
    ax.plot([0, 1], level, color=FAINT, linewidth=0.7, linestyle=(0, (1, 2)), zorder=3)


def _scores(ax: Axes, scores: np.ndarray) -> None:
    """Draw the NES as coloured cells on the right of the ranks."""
    from matplotlib import colormaps
    from matplotlib.patches import Rectangle

    largest = max(2.0, float(np.nanmax(np.abs(scores), initial=0.0)))
    for row, score in enumerate(scores, start=1):
        known = np.isfinite(score)
        color = colormaps[DIVERGING](0.5 + 0.5 * score / largest) if known else PALE
        ax.add_patch(Rectangle((1.025, row - 0.42), 0.1, 0.84, color=color, linewidth=0))
        dark = known and abs(score) > 0.6 * largest
        ax.text(
            1.075,
            row,
            f"{score:.1f}" if known else "–",
            ha="center",
            va="center",
            fontsize=8,
            color="white" if dark else ON_PALE,
        )
    ax.text(1.075, 0.2, "NES", ha="center", va="center", fontsize=8)
