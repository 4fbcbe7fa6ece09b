"""ARACNe's .adj: a regulator, then pairs of target and mutual information; ">" is a comment."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

import pandas as pd

from pysces._reading import has_decimal_comma, is_number, lines, separator_of, unquoted
from pysces.errors import InputError
from pysces.network.formats._format import (
    ARROW,
    BLANKS,
    COMMENT,
    CONTROL,
    MARKUP,
    QUOTES,
    Format,
    edges_of,
)

if TYPE_CHECKING:
    from pathlib import Path


def split(text: str) -> list[str]:
    """Fields of a line of an .adj file, without quotes."""
    text = text.rstrip("\t ")
    separator = separator_of(text)
    fields = text.split() if separator == " " else text.split(separator)
    return [unquoted(field.strip()) for field in fields]


def read(path: Path) -> pd.DataFrame:
    """Columns source, target and mi, as text."""
    source: list[str] = []
    target: list[str] = []
    mi: list[object] = []
    numbers: list[int] = []
    for number, text in lines(path):
        if not text.strip() or text.lstrip().startswith((">", "#")):
            continue
        regulator, *pairs = split(text)
        if len(pairs) % 2:
            raise InputError(
                f"{path.name}, line {number}: {regulator!r} is followed by {len(pairs)} "
                "fields, not by pairs of a target and a number. Is it an .adj file?"
            )
        values = pairs[1::2]
        if wrong := next((v for v in values if not is_number(v.strip())), None):
            remedy = (
                "Write numbers with a point"
                if has_decimal_comma(wrong)
                else "Is it an .adj file? Pass format= for another format"
            )
            raise InputError(
                f"{path.name}, line {number}: {wrong!r} instead of a number, after the "
                f"target {pairs[values.index(wrong) * 2]!r} of {regulator!r}. {remedy}."
            )
        source += [regulator] * len(values)
        target += pairs[::2]
        mi += values
        numbers += [number] * len(values)
    if not source:
        raise InputError(
            f"{path.name} has no edge: no line with a regulator, a target and a number. Is it an "
            ".adj file, or a list of regulators?"
        )
    return edges_of(source, target, numbers, mi=mi)


def _write(table: pd.DataFrame, file: IO[bytes]) -> None:
    for source, edges in table.groupby("source", sort=False):
        pairs = zip(edges["target"], edges["mi"].tolist(), strict=True)
        fields = [str(source), *(f"{target}\t{mi!r}" for target, mi in pairs)]
        file.write(("\t".join(fields) + "\n").encode())


FORMAT = Format(
    read=read,
    write=_write,
    suffixes=(".adj",),
    needs=("mi",),
    keeps=("mi",),
    refuses=(CONTROL, BLANKS, ARROW, QUOTES),
    regulators=(COMMENT, MARKUP),
)
