"""Gene sets (GMT), one per line: name, description, genes.

SCENIC's (+) and (-) after a name give the mode. Genes may have weights, ``MAX,0.5`` or ``MAX=0.5``.
"""

from __future__ import annotations

import logging
import re
from typing import IO, TYPE_CHECKING

import numpy as np
import pandas as pd

from pysces._messages import listed
from pysces._reading import lines, unquoted
from pysces.errors import InputError
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

_WEIGHT = re.compile(r"(.+?)\s*[,=]\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)", re.ASCII)
_SIGN = (re.compile(r"(_|\((\+|-|\d+g)\))$"), "an ending that readers interpret as a sign")
_VALUE = (re.compile(rf"=|^{_WEIGHT.pattern}$"), "'=' or a number after ',', read as a value")


def read(path: Path) -> pd.DataFrame:
    """Columns source and target; mor if names have signs, weight if all genes have one."""
    source: list[str] = []
    target: list[str] = []
    signs: list[int] = []
    numbers: list[int] = []
    empty: list[str] = []
    n_lines = 0
    for number, text in lines(path):
        if not text.strip() or text.startswith("#"):
            continue
        n_lines += 1
        fields = [unquoted(field.strip()) for field in text.split("\t")]
        genes = [gene for gene in fields[2:] if gene]
        if not genes:
            empty.append(fields[0])
        name, sign = _name_and_sign(fields[0])
        source += [name] * len(genes)
        target += genes
        signs += [sign] * len(genes)
        numbers += [number] * len(genes)
    if not source:
        raise InputError(
            f"{path.name} has no gene set: none of its {n_lines} lines has a name, a description "
            "and genes, separated by tabs. Is it a GMT file, or a list of genes?"
        )
    if empty:
        logger.warning("%s: gene sets without genes: %s.", path.name, listed(empty))
    table = edges_of(source, target, numbers)
    if any(signs):
        table["mor"] = [sign or 1 for sign in signs]
    return _values(table, path)


def _values(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Weights if every gene has one; other fields ``key=value`` are not genes."""
    matches = [_WEIGHT.fullmatch(field) for field in table["target"]]
    if all(matches):
        pairs = [match.groups() for match in matches if match]
        return table.assign(target=[p[0] for p in pairs], weight=[p[1] for p in pairs])
    other = table["target"].str.contains("=", regex=False)
    if other.all():
        raise InputError(
            f"{path.name} has no genes: all its fields are like {table['target'].iloc[0]!r}. Write "
            "names of genes after the name and the description of a set."
        )
    if other.any():
        logger.warning(
            "%s: left out %d fields that are not genes: %s.",
            path.name,
            other.sum(),
            listed(table["target"][other].unique()),
        )
    return table[~other]


def _name_and_sign(name: str) -> tuple[str, int]:
    """Regulator and sign of a SCENIC regulon: STAT1(+), STAT1_(-), STAT1 (123g), STAT1."""
    match = re.fullmatch(r"(.+?)[_ ]?\((\+|-|\d+g)\)", name)
    if match is None:
        return name, 0
    return match[1], {"+": 1, "-": -1}.get(match[2], 0)


def _write(table: pd.DataFrame, file: IO[bytes]) -> None:
    """Gene sets; with modes, one per sign, marked (+) and (-) as in SCENIC."""
    groups = table["source"]
    if "mor" in table.columns:
        groups = groups + np.where(table["mor"] < 0, "(-)", "(+)")
    for name, targets in table["target"].groupby(groups, sort=False):
        file.write(("\t".join([str(name), "pysces", *targets]) + "\n").encode())


FORMAT = Format(
    read=read,
    write=_write,
    suffixes=(".gmt",),
    keeps=("mor",),
    refuses=(CONTROL, BLANKS, QUOTES, _VALUE),
    regulators=(COMMENT, MARKUP, _SIGN),
)
