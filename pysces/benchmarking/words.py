"""Numbers as people read them."""

from __future__ import annotations

import math
from collections.abc import Sequence


def number(value: float) -> str:
    """Two digits that matter.

    >>> number(1234.5), number(12.34), number(0.123)
    ('1,200', '12', '0.12')
    """
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    digits = 1 - math.floor(math.log10(abs(value)))
    return f"{round(value, digits):,.{max(0, digits)}f}"


def duration(seconds: float) -> str:
    """Seconds with their unit.

    >>> duration(0.000123), duration(0.0456), duration(7.8), duration(125)
    ('0.12 ms', '46 ms', '7.8 s', '2 min 5 s')
    """
    if math.isnan(seconds):
        return "-"
    if seconds >= 60:
        return f"{int(seconds) // 60} min {int(seconds) % 60} s"
    return f"{number(seconds)} s" if seconds >= 1 else f"{number(seconds * 1e3)} ms"


def rate(value: float) -> str:
    """So many a second.

    >>> rate(950), rate(12_345_678)
    ('950', '12 M')
    """
    if math.isnan(value):
        return "-"
    for size, letter in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= 0.9995 * size:
            return f"{number(value / size)}{letter}"
    return number(value)


def plain(value: float) -> str:
    """A power of ten, short.

    >>> plain(100.0), plain(10_000.0), plain(1e9)
    ('100', '10 k', '1 G')
    """
    for size, letter in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= 0.9995 * size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def memory(size: int | None) -> str:
    """Bytes in MiB.

    >>> memory(None), memory(1000), memory(5_000_000)
    ('-', '< 0.1 MiB', '4.8 MiB')
    """
    if size is None:
        return "-"
    return f"{number(size / 2**20)} MiB" if size >= 2**20 / 10 else "< 0.1 MiB"


def times(speedup: float | None) -> str:
    """A speed-up.

    >>> times(12.3), times(None)
    ('12 x', '-')
    """
    return "-" if speedup is None else f"{number(speedup)} x"


def aligned(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """Rows of a table with columns of equal width, a line beneath the first.

    >>> aligned([("a", "b"), ("10", "2")], right=[0])
    [' a  b', '--  -', '10  2']
    """
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(
            text.rjust(width) if i in right else text.ljust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    widths[-1] = min(widths[-1], 20)  # the last column may be a message
    rule = "  ".join("-" * width for width in widths)
    return [lines[0], rule, *lines[1:]]
