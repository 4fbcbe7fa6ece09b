"""What all pictures share: colours, axes, names short enough to print, sources of networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from pysces.errors import InputError, PyscesError
from pysces.network import Network

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anndata import AnnData
    from matplotlib.axes import Axes

    from pysces._keys import ActivityResult, MastersResult

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


def network_of(
    source: Network | pd.DataFrame | AnnData, key: str, group: str | None = None
) -> Network:
    """A network, that of a table of edges, or the one in an AnnData under a key; of a group."""
    if isinstance(source, Network):
        if group is not None:
            raise InputError("group= is for an AnnData or a table. Pass the network of that group.")
        return source
    if isinstance(source, pd.DataFrame):
        return Network.from_dataframe(source, group=group)
    if not hasattr(source, "uns"):
        raise InputError(
            f"Expected an AnnData, got {type(source).__name__}. "
            "A Network or a table of edges will do, too."
        )
    return Network.from_anndata(source, key, group=group)


def network_of_run(
    adata: AnnData,
    result: ActivityResult | MastersResult,
    network: Network | pd.DataFrame | str | None,
    group: str | None,
) -> Network:
    """The network that a run used: its own copy, else the one under the key that it names.

    network: another one, or its key.
    """
    if network is None and result.network is not None:
        return network_of(result.network, "", group)
    used = result.record.options.get("network", "aracne") if network is None else network
    own = group if group is not None else result.record.options.get("network_group")
    return network_of(adata if isinstance(used, str) else used, str(used), own)


def names_of(names: str | Iterable[str]) -> list[str]:
    """Names, also where one is passed as it is, as to Scanpy's pictures.

    >>> names_of("MYC"), names_of(("MYC", "SPI1"))
    (['MYC'], ['MYC', 'SPI1'])
    """
    return [names] if isinstance(names, str) else list(names)


def clean(ax: Axes) -> None:
    """Only the left and bottom lines of the frame."""
    ax.spines[["top", "right"]].set_visible(False)
