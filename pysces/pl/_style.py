"""Helpers of all plots: colours, axes, short names, and the network or genes to draw.

Every plot draws on `axes_of` its argument ``ax`` and returns these axes, in notebooks and scripts
alike; there is no ``show=``. A plot of several panels draws them as inset axes
(``ax.child_axes``) of the axes that it returns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pysces._messages import listed
from pysces.errors import InputError, PyscesError
from pysces.network import Network

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anndata import AnnData
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from pysces._keys import ActivityResult, MastersResult

# Safe for colour-blind readers: red and blue of ColorBrewer's RdBu, and the palette
# of Okabe and Ito (2008).
UP, DOWN = "#b2182b", "#2166ac"
INK, FAINT, PALE = "#222222", "#8a8a8a", "#d9d9d9"
ON_PALE = "#111111"  # text on cells of a colour map, which a report has on dark pages, too
ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE = (
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#F0E442",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
)
SERIES = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, INK)
DIVERGING = "RdBu_r"
LONGEST_NAME = 18


def axes_of(ax: Axes | None, width: float, height: float) -> Axes:
    """The axes given, or new ones in a figure of this size (inches).

    Raises
    ------
    InputError
        If `ax` is not a rectilinear Axes.
    PyscesError
        If matplotlib is not installed.
    """
    try:
        from matplotlib import pyplot
        from matplotlib.axes import Axes
    except ImportError as error:
        raise PyscesError(
            f"Plots need the package matplotlib ({error}). "
            "Install it with: pip install 'pysces-grn[plot]'."
        ) from error
    if ax is None:
        ax = pyplot.figure(figsize=(width, height), layout="constrained").add_subplot()
    if not isinstance(ax, Axes):
        raise InputError(
            f"ax must be an Axes of matplotlib. Got {type(ax).__name__}. "
            "Pass a single one of the axes that plt.subplots(2, 2) returns."
        )
    if ax.name != "rectilinear":
        raise InputError(
            f"ax must be a two-dimensional rectilinear Axes. Got the projection {ax.name!r}."
        )
    # IPython shows the value of the last line of a cell: here the figure, not "<Axes: >" below it
    vars(ax)["_ipython_display_"] = _display_nothing
    return ax


def _display_nothing() -> None:
    """The figure is displayed by the backend."""


@dataclass(frozen=True)
class _Cell:
    """Place of a panel in axes; gaps are inches, whatever the size of the axes is."""

    parent: Axes
    row: int
    column: int
    rows: int
    columns: int
    gap: tuple[float, float]

    def __call__(self, ax: Any, renderer: Any) -> Any:
        """Bounds of the panel in the figure; matplotlib asks for them when it draws."""
        from matplotlib.transforms import Bbox, TransformedBbox

        box, dpi = self.parent.bbox, ax.figure.dpi
        bounds = []
        for size, count, gap in (
            (box.width / dpi, self.columns, self.gap[0]),
            (box.height / dpi, self.rows, self.gap[1]),
        ):
            space = min(gap, 0.75 * size / count)
            bounds.append(
                ((size + space) / count / size, (size - space * (count - 1)) / count / size)
            )
        (across, width), (down, height) = bounds
        place = Bbox.from_bounds(self.column * across, 1 - height - self.row * down, width, height)
        return TransformedBbox(place, self.parent.transAxes - ax.figure.transSubfigure)


def panels(
    ax: Axes | None,
    number: int,
    *,
    columns: int,
    size: tuple[float, float],
    gap: tuple[float, float],
) -> tuple[Axes, list[Axes]]:
    """Axes without a frame, and a grid of panels in them.

    size: of a panel (inches), in a figure of their own. gap: between panels (inches).
    """
    columns = max(1, min(columns, number))
    rows = max(1, -(-number // columns))
    width, height = columns * (size[0] + gap[0]), rows * (size[1] + gap[1]) + 0.4
    ax = axes_of(ax, width, height)
    ax.set_axis_off()
    found = []
    for index in range(number):
        panel = ax.inset_axes((0, 0, 1, 1))
        panel.set_axes_locator(_Cell(ax, *divmod(index, columns), rows, columns, gap))
        found.append(panel)
    return ax, found


def gap_between(left: Axes, right: Axes) -> float:
    """Distance of two panels (inches)."""
    left.get_tightbbox(), right.get_tightbbox()
    return float(right.bbox.x0 - left.bbox.x1) / left.figure.dpi


def characters(panel: Axes, extra: float, size: float, longest: int) -> int:
    """Number of characters that fit over a panel and a part of the gap (inches) beside it."""
    return int(np.clip((_inches(panel)[0] + extra) * 72 / (0.62 * size), 6, longest))


def row_font(ax: Axes, rows: int, largest: float = 9.0) -> float:
    """Size of text (points) that fits in rows of axes."""
    return float(np.clip(0.8 * 72 * _inches(ax)[1] / max(1, rows), 3.0, largest))


def _inches(ax: Axes) -> NDArray[np.float64]:
    """Width and height of axes."""
    ax.get_tightbbox()  # moves panels to their place
    return np.asarray(ax.bbox.size) / ax.figure.dpi


def label(name: object, longest: int = LONGEST_NAME) -> str:
    """A name on one line, shortened in the middle if it is long, and escaped for mathtext.

    Examples
    --------
    >>> label("ENSG00000136997.21_readthrough", 14)
    'ENSG000…hrough'
    """
    text = " ".join(str(name).split())
    text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    if len(text) > longest:
        head = longest // 2
        text = f"{text[:head]}…{text[len(text) - (longest - head - 1) :]}"
    return text.replace("$", r"\$")


def network_of(
    source: Network | pd.DataFrame | AnnData, key: str, group: str | None = None
) -> Network:
    """The network of an AnnData (by key and group), of a table of edges, or a network itself."""
    if isinstance(source, Network):
        if group is not None:
            raise InputError("group= is for an AnnData or a table. Pass the network of that group.")
        return source
    if isinstance(source, pd.DataFrame):
        return Network.from_dataframe(source, group=group)
    if not hasattr(source, "uns"):
        raise InputError(
            f"Expected an AnnData, got {type(source).__name__}. "
            "A Network or a table of edges is accepted, too."
        )
    return Network.from_anndata(source, key, group=group)


def network_of_run(
    adata: AnnData,
    result: ActivityResult | MastersResult,
    network: Network | pd.DataFrame | str | None,
    group: str | None,
) -> Network:
    """The network that a run used: the stored copy, or the one under the recorded key.

    network: another network or key to use instead.
    """
    if network is None and result.network is not None:
        return network_of(result.network, "", group)
    used = result.record.options.get("network", "aracne") if network is None else network
    if not isinstance(used, str | Network | pd.DataFrame):  # version 0.1.0 recorded names alone
        raise InputError("The network of this run was not stored. Pass it as network=.")
    own = group if group is not None else result.record.options.get("network_group")
    return network_of(adata if isinstance(used, str) else used, str(used), own)


def pair_of(genes: pd.Index, regulator: Any, target: Any) -> NDArray[np.intp]:
    """Positions of two genes.

    Raises
    ------
    InputError
        If one is not a name or not found, or if both are the same gene.
    """
    places = genes.get_indexer(pd.Index([regulator, target]))
    if (places < 0).any():
        absent = [n for n, at in zip((regulator, target), places, strict=True) if at < 0]
        raise InputError(f"Did not find the genes {listed(absent)}. Genes: {listed(genes)}.")
    if regulator == target:
        raise InputError(f"Regulator and target are both {regulator!r}. Pass two genes.")
    return places


def names_of(names: str | Iterable[str]) -> list[str]:
    """Names as a list; a single name is accepted, too, as in Scanpy's plots.

    >>> names_of("MYC"), names_of(("MYC", "SPI1"))
    (['MYC'], ['MYC', 'SPI1'])
    """
    return [names] if isinstance(names, str) else list(names)


def numbers_of(name: str, values: Any) -> NDArray[np.float64]:
    """Numbers as an array, or an InputError."""
    try:
        if np.asarray(values).dtype.kind in "cmM":
            raise TypeError(f"not {np.asarray(values).dtype}")
        found = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"The {name!r} parameter must be numbers ({error}).") from error
    if found.ndim != 1:
        raise InputError(f"The {name!r} parameter must have one axis. Got {found.ndim}.")
    return found


def clean(ax: Axes) -> None:
    """Hide the top and right lines of the frame."""
    ax.spines[["top", "right"]].set_visible(False)
