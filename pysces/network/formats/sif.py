"""Cytoscape's simple interaction format (SIF): regulator, interaction, targets."""

from __future__ import annotations

import logging
from typing import IO, TYPE_CHECKING

import numpy as np
import pandas as pd

from pysces._messages import listed
from pysces._reading import lines, unquoted
from pysces.errors import InputError
from pysces.network._signs import SIGNS
from pysces.network.formats._format import (
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

logger = logging.getLogger("pysces")

_HEADER = {("source", "target"), ("regulator", "target"), ("source_node", "target_node")}


def read(path: Path) -> pd.DataFrame:
    """Columns source and target, and mor if an interaction has a sign (activates, represses).

    Fields are separated by tabs if the file contains a tab, else by spaces. Interactions without a
    sign then have the mode 0.
    """
    filled = [(number, text) for number, text in lines(path) if text.strip()]
    filled = [(number, text) for number, text in filled if not text.startswith("#")]
    separator = "\t" if any("\t" in text for _, text in filled) else None
    rows = [
        (number, [unquoted(field.strip()) for field in text.split(separator)])
        for number, text in filled
    ]
    if rows and len(rows[0][1]) == 3:
        ends = (rows[0][1][0].lower(), rows[0][1][2].lower())
        rows = rows[1:] if ends in _HEADER else rows
    edges = [
        (row[0], target, number, row[1])
        for number, row in rows
        for target in row[2:]
        if target or separator is None
    ]
    if not edges:
        raise InputError(
            f"{path.name} has no edge: none of its {len(rows)} lines has a regulator, the kind of "
            "interaction and a target. Is it a SIF file, or a list of genes?"
        )
    if alone := [row[0] for _, row in rows if len(row) < 3]:
        logger.warning("%s: left out nodes without an edge: %s.", path.name, listed(alone))
    source, target, numbers, kinds = (list(column) for column in zip(*edges, strict=True))
    table = edges_of(source, target, numbers)
    signs = [SIGNS.get(kind.lower(), 0) for kind in kinds]
    return table.assign(mor=np.array(signs, dtype=np.int64)) if any(signs) else table


def _write(table: pd.DataFrame, file: IO[bytes]) -> None:
    """Lines of regulator, interaction and target; the interaction gives the sign of the mode."""
    sign = np.sign(table["mor"]) if "mor" in table.columns else np.zeros(len(table))
    words = np.select([sign > 0, sign < 0], ["activates", "represses"], "regulates")
    for source, word, target in zip(table["source"], words, table["target"], strict=True):
        file.write(f"{source}\t{word}\t{target}\n".encode())


FORMAT = Format(
    read=read,
    write=_write,
    suffixes=(".sif",),
    keeps=("mor",),
    refuses=(CONTROL, BLANKS, QUOTES),
    regulators=(COMMENT, MARKUP),
)
