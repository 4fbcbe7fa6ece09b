"""Parts of messages: lists of names and suggestions."""

from __future__ import annotations

import difflib
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def listed(names: Iterable[object], most: int = 10) -> str:
    """Quoted names, at most ``most`` of them, and the number of the others.

    Examples
    --------
    >>> listed(["MYC", "MAX", "MXD1"], most=2)
    "'MYC', 'MAX' and 1 more"
    """
    everything = [str(name) for name in names]
    if not everything:
        return "none"
    shown = ", ".join(repr(name) for name in everything[:most])
    more = len(everything) - most
    return f"{shown} and {more} more" if more > 0 else shown


def nearest(name: object, names: Iterable[object]) -> str:
    """Suggest the known name that is most similar to an unknown one; empty if none is.

    Examples
    --------
    >>> nearest("cel_type", ["cell_type", "batch"])
    " (did you mean 'cell_type'?)"
    """
    texts = {str(known).lower(): str(known) for known in names}
    close = difflib.get_close_matches(str(name).lower(), texts, n=1)
    return f" (did you mean {texts[close[0]]!r}?)" if close else ""


def no_attribute(module: str, name: str, names: Iterable[str]) -> AttributeError:
    """The error about an unknown attribute of a module, with a suggestion.

    Examples
    --------
    >>> no_attribute("pysces", "run_arcne", ["run_aracne"])
    AttributeError("module 'pysces' has no attribute 'run_arcne' (did you mean 'run_aracne'?)")
    """
    text = f"module {module!r} has no attribute {name!r}{nearest(name, names)}"
    return AttributeError(text, name=name)  # Python adds its own suggestion to one without a name


def outside() -> int:
    """The ``stacklevel`` of a warning: the first caller that is not in this package."""
    level, frame = 1, sys._getframe(1)
    while frame.f_globals.get("__name__", "").partition(".")[0] == "pysces" and frame.f_back:
        level, frame = level + 1, frame.f_back
    return level
