"""Regulons of ``pyscenic ctx``: one row per motif; targets get their largest weight."""

from __future__ import annotations

import ast
import csv
import re
from typing import TYPE_CHECKING

import pandas as pd

from pysces._reading import lines, long_fields
from pysces.errors import InputError
from pysces.network.formats._format import Format

if TYPE_CHECKING:
    from pathlib import Path


def read(path: Path) -> pd.DataFrame:
    """Columns source, target, mor and weight."""
    with long_fields():  # a regulon is one field
        return _read(path)


def _read(path: Path) -> pd.DataFrame:
    weights: dict[tuple[str, str, int], float] = {}
    rows = csv.reader((text + "\n" for _, text in lines(path)), strict=True)
    try:
        columns = next((row for row in rows if "TargetGenes" in row), None)
        if columns is None:
            raise InputError(f"{path.name} has no column 'TargetGenes'. Is it from `pyscenic ctx`?")
        genes_at = columns.index("TargetGenes")
        context_at = columns.index("Context") if "Context" in columns else None
        for row in rows:
            if not row:
                continue
            if len(row) != len(columns):
                raise InputError(
                    f"{path.name}, line {rows.line_num}: {len(row)} fields, where the header names "
                    f"{len(columns)}. Is the file cut short?"
                )
            if not row[genes_at]:
                continue  # the third line of the header
            repressed = context_at is not None and "repressing" in row[context_at]
            for gene, weight in _pairs(row[genes_at], path, rows.line_num):
                edge = row[0], gene, -1 if repressed else 1
                weights[edge] = max(weight, weights.get(edge, weight))
    except csv.Error as error:
        raise InputError(
            f"{path.name}, line {rows.line_num}: a quote is not closed ({error}). Is the file cut "
            "short?"
        ) from error
    edges = pd.DataFrame(list(weights), columns=["source", "target", "mor"])
    return edges.assign(weight=list(weights.values()))


def _pairs(text: str, path: Path, line: int) -> list[tuple[str, float]]:
    try:
        # numpy 2 writes np.float64(0.5) for 0.5
        plain = re.sub(r"np\.float(?:32|64)\(([^)]*)\)", r"\1", text)
        return [(str(gene), float(weight)) for gene, weight in ast.literal_eval(plain)]
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise InputError(
            f"{path.name}, line {line}: a field in 'TargetGenes' that is not a list of (gene, "
            f"weight): {text[:60]!r}. Write the regulons again with `pyscenic ctx`, or as GMT."
        ) from error


FORMAT = Format(read=read)
