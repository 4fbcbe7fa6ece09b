"""Divide work into blocks that fit into memory, and show progress."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from pysces.settings import settings

T = TypeVar("T")


def block_length(bytes_per_entry: float, total: int, *, share: float = 0.25) -> int:
    """Number of entries of a block whose arrays take at most a share of ``settings.memory``."""
    return int(max(1, min(total, settings.memory * share / max(1.0, bytes_per_entry))))


def blocks(total: int, length: int) -> Iterator[slice]:
    """Consecutive slices that cover ``range(total)``."""
    for start in range(0, total, length):
        yield slice(start, min(start + length, total))


def progress(
    items: Iterable[T], description: str, *, total: int | None = None, unit: str = "it"
) -> Iterable[T]:
    """Yield the items, with a progress bar on terminals if the work takes over a second."""
    if settings.verbosity == "silent":
        return items
    from tqdm.auto import tqdm

    bar: Iterable[T] = tqdm(
        items,
        desc=description,
        total=total,
        unit=unit,
        delay=1.0,
        leave=False,
        disable=None,  # shown on terminals and in notebooks, not in files
        file=sys.stderr,
        dynamic_ncols=True,
    )
    return bar
