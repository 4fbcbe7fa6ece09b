"""Pieces of messages: names listed so that a long list stays readable."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def listed(names: Iterable[object], most: int = 10) -> str:
    """Names in quotes, at most ``most`` of them, and how many more there are.

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
