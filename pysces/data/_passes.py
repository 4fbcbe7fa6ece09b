"""Passes over the samples of a sparse matrix, on all cores."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import TYPE_CHECKING, TypeVar

from pysces.data import _sources
from pysces.dispatch import engines
from pysces.dispatch.blocks import blocks

if TYPE_CHECKING:
    from pysces.data._expression import Expression
    from pysces.data._sources import Rows

T = TypeVar("T")

_MOST = 8192  # samples of a block


def over_rows(
    source: Expression, work: Callable[[slice, Rows], T], join: Callable[[T, T], T], start: T
) -> T:
    """Joined results of the work on blocks of samples of a sparse matrix.

    A matrix in memory is shared by the threads, each with its own result until the end. A file is
    read ahead in sequence, and only kernels use several threads.

    Parameters
    ----------
    source
        A matrix of which `Expression.sparse_block` returns samples.
    work
        Result from the positions of a block of samples and their values.
    join
        Combines two results; in whichever order, the same.
    start
        Result of no samples.
    """

    def of_window(found: T, window: tuple[slice, Expression]) -> T:
        rows = window[1].sparse_block()
        assert rows is not None
        return join(found, work(window[0], rows))

    if not source.in_memory:
        return reduce(of_window, source.windows(), start)
    length = max(1, min(int(_sources.PASS_BYTES / 2 / max(1.0, source.sample_bytes)), _MOST))

    def of_part(part: slice) -> T:
        inner = (
            slice(one, min(one + length, part.stop)) for one in range(part.start, part.stop, length)
        )
        return reduce(of_window, ((some, source.take_samples(some)) for some in inner), start)

    parts = blocks(source.n_samples, max(1, -(-source.n_samples // engines.threads())))
    return reduce(join, engines.side_by_side(of_part, parts), start)
