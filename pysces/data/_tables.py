"""Read numeric tables from text files with row and column names."""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from packaging.version import Version

from pysces._messages import listed
from pysces._reading import (
    MISSING,
    Body,
    first_lines,
    has_decimal_comma,
    header_fields,
    is_number,
    numbers_of,
    split_fields,
)
from pysces.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger("pysces")

# Header names of the column of row names: the header then names every column
_CORNERS = {"", "gene", "genes", "gene_name", "gene_id", "geneid", "genesymbol", "gene_symbol"}
_CORNERS |= {"symbol", "id", "name", "names", "index", "probe", "probe_id", "ensembl", "ensembl_id"}
_CORNERS |= {"cell", "cells", "cell_id", "barcode", "barcodes", "sample", "samples", "sample_id"}
_SEPARATORS = {"\t": "tabs", ",": "commas"}
# From 3.1 on, pandas reads every number exactly and deprecates the option.
_EXACT = {} if Version(pd.__version__) >= Version("3.1") else {"float_precision": "round_trip"}


def read_matrix(path: Path, separator: str) -> pd.DataFrame:
    """Read a table of numbers; names are in the first field and in the first line."""
    number, header = _header(path, separator)
    body = Body(path, number, separator, len(header), named=True)
    if body.is_empty:
        raise InputError(
            f"{path.name} cannot be read as a table of numbers: no line is below the names in "
            f"line {number}. A table has genes in rows and samples in columns."
        )
    if len(header) == 1 and not body.row_names:
        raise InputError(
            f"{path.name} names {len(header)} columns in its first line, without numbers below. Is "
            f"it separated by {_SEPARATORS[separator]}?"
        )
    if body.row_names and header[0].lower() in _CORNERS:
        raise InputError(
            f"{path.name}, line {body.line_numbers[0]}: {len(header) + 1} fields, where the header "
            f"(line {number}) names {len(header)}, the first of them {header[0]!r}. Values would "
            "shift to other columns. Name every column."
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pd.errors.DtypeWarning)  # text raises an error below
        table = body.to_frame(na_values=list(MISSING), **_EXACT)
    table = table.set_axis(header if body.row_names else header[1:], axis=1)
    return _numeric(table, body, path).set_axis(pd.Index(body.names, dtype=object), axis=0)


def _header(path: Path, separator: str) -> tuple[int, list[str]]:
    """Line number and names of the header, which may be the last comment (#) line."""
    head = first_lines(path, 1)
    if not head or head[-1][1].startswith("#"):
        raise InputError(
            f"{path.name} cannot be read as a table of numbers: it is empty. A table has genes in "
            "rows and samples in columns."
        )
    number = head[-1][0]
    names = header_fields(path, number, head[-1][1], separator)
    if len(head) > 1:
        before = split_fields(head[-2][1], separator)
        filled = [name for name in names[1:] if name]
        if len(before) == len(names) > 1 and filled and all(map(is_number, filled)):
            return head[-2][0], before
    columns = [name for name in names[1:] if name]
    numbers = bool(columns) and all(map(is_number, columns))
    whole = all(name.lstrip("+-").isdigit() for name in columns)
    if numbers and (not whole or len(set(columns)) < len(columns)):
        raise InputError(
            f"{path.name}, line {number}: numbers ({listed(columns, 3)}) where the names of the "
            "columns should be. Add a first line that names the columns."
        )
    return number, names


def _numeric(table: pd.DataFrame, body: Body, path: Path) -> pd.DataFrame:
    """Convert a table to numbers; an InputError gives the position of the first text."""
    other = [
        position
        for position, dtype in enumerate(table.dtypes)
        if not pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype)
    ]
    wrong: dict[int, int] = {}
    columns = []
    for position in other:
        texts = table.iloc[:, position].astype(object)
        known = texts.isna() | texts.astype(str).str.strip().map(is_number).astype(bool)
        if not known.all():
            wrong[position] = int(np.flatnonzero(~known)[0])
        else:  # integers too large for 64 bits
            columns.append((position, numbers_of(texts)))
    if wrong:
        position = min(wrong, key=lambda column: (wrong[column], column))
        row = wrong[position]
        text = str(table.iloc[row, position])
        comma = (
            " It contains a comma: write decimals with a point." if has_decimal_comma(text) else ""
        )
        raise InputError(
            f"{path.name} has text in {len(wrong)} of {table.shape[1]} columns: "
            f"{listed(table.columns[list(wrong)])}. The first is {text[:40]!r} in line "
            f"{body.line_numbers[row]}, column {str(table.columns[position])!r}.{comma} "
            "All columns except the first must be numbers."
        )
    for position, values in columns:
        table.isetitem(position, values.to_numpy())
    return table
