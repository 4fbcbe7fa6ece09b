"""What all pictures share: colours, axes, names short enough to print, sources of networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from pysces.data._results import read_network_of
from pysces.errors import InputError, PyscesError
from pysces.network import Network

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anndata import AnnData
    from matplotlib.axes import Axes

# Told apart with any kind of colour vision: red and blue of ColorBrewer's RdBu, and the palette
# of Okabe and Ito (2008).
UP, DOWN = "#b2182b", "#2166ac"
INK, FAINT, PALE = "#222222", "#8a8a8a", "#d9d9d9"
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
    """The axes given, or new ones in a figure of this size (inches)."""
    if ax is not None:
        return ax
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise PyscesError(
            f"Pictures need the package matplotlib ({error}). "
            "Install it with: pip install 'pysces-grn[plot]'."
        ) from error
    return pyplot.figure(figsize=(width, height), layout="constrained").add_subplot()


def label(name: object, longest: int = LONGEST_NAME) -> str:
    """A name on one line, its middle left out if it's long, never read as a formula.

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


def network_of(source: Network | pd.DataFrame | AnnData, key: str) -> Network:
    """A network, that of a table of edges, or the one in an AnnData under a key."""
    if isinstance(source, Network):
        return source
    if isinstance(source, pd.DataFrame):
        return Network.from_dataframe(source)
    if not hasattr(source, "uns"):
        raise InputError(
            f"Expected an AnnData, got {type(source).__name__}. "
            "A Network or a table of edges will do, too."
        )
    return read_network_of(source, key)


def names_of(names: str | Iterable[str]) -> list[str]:
    """Names, also where one is passed as it is, as to Scanpy's pictures.

    >>> names_of("MYC"), names_of(("MYC", "SPI1"))
    (['MYC'], ['MYC', 'SPI1'])
    """
    return [names] if isinstance(names, str) else list(names)


def clean(ax: Axes) -> None:
    """Only the left and bottom lines of the frame."""
    ax.spines[["top", "right"]].set_visible(False)
