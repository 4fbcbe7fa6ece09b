"""Definition of a file format of networks, and names that formats cannot store."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

import numpy as np
import pandas as pd

from pysces.network._modes import mode_and_likelihood

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    Names = tuple[re.Pattern[str], str]

CONTROL = (
    re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]"),
    "a tab, a line break or another control character",
)
BLANKS = (re.compile(r"^\s|\s$"), "a space at its start or end, which readers drop")
QUOTES = (re.compile(r"^(['\"]).*\1$"), "quotes around it, which readers drop")
ARROW = (re.compile(">"), "'>', which marks lines that readers skip")
COMMENT = (re.compile("^#"), "'#' at its start, which marks lines that readers skip")
MARKUP = (re.compile("^<"), "'<' at its start, as HTML has")


@dataclass(frozen=True)
class Format:
    """Reader, writer and properties of one file format.

    Attributes
    ----------
    read
        Reads a file as a table of edges, including invalid rows; ``None`` if the format can only be
        written. The index ``"line"`` has the numbers of the lines if they are known.
    write
        Writes the table to a file.
    delimited
        Instead of ``write``: text with this separator; ``""`` infers it from the name of the file.
    table
        Converts the table of a network to that of the format, if they differ.
    suffixes
        File name endings of this format.
    needs
        Columns that are required to write it.
    keeps
        Columns that it stores, completely or in part; ``None`` for all.
    refuses
        Names that it cannot store (a pattern and its description).
    regulators
        The same for names of regulators only.
    exact_names
        Whether spaces around names are part of them.
    packs_itself
        Whether files with names ending in ``.gz`` are not compressed again.
    """

    read: Callable[[Path], pd.DataFrame] | None = None
    write: Callable[[pd.DataFrame, IO[bytes]], None] | None = None
    delimited: str | None = None
    table: Callable[[pd.DataFrame], pd.DataFrame] | None = None
    suffixes: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    keeps: tuple[str, ...] | None = None
    refuses: tuple[Names, ...] = (CONTROL, BLANKS)
    regulators: tuple[Names, ...] = (COMMENT, MARKUP)
    exact_names: bool = False
    packs_itself: bool = False

    @property
    def writes(self) -> bool:
        """Whether networks can be written in this format."""
        return self.write is not None or self.delimited is not None


def write_delimited(table: pd.DataFrame, file: IO[bytes], separator: str) -> None:
    """A table with a header, separated by tabs or commas."""
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    table.to_csv(text, sep=separator, index=False, lineterminator="\n")
    text.detach()  # flushes and leaves the file open


def modes(table: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mode of regulation and likelihood of each edge [edges] of a table."""
    columns = {name: table[name].to_numpy(dtype=np.float64) for name in table.columns[2:]}
    return mode_and_likelihood(columns, pd.factorize(table["source"])[0])


def edges_of(
    source: list[str], target: list[str], line: list[int], **columns: list[object]
) -> pd.DataFrame:
    """Table of edges from single lines; its index has the numbers of the lines."""
    index = pd.Index(line, name="line", dtype="int64")
    return pd.DataFrame({"source": source, "target": target, **columns}, index=index, dtype=object)
