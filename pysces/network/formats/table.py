"""Tables of edges with a header, separated by tabs, commas, semicolons or spaces.

Columns are identified by the header, so tables of decoupler, pyviper, ARACNe-AP, GRNBoost, GENIE3,
SJARACNe, Pando, CellOracle and OmniPath are supported; `pysces.network._columns` has their names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from pysces._messages import listed
from pysces._reading import Body, first_lines, header_fields, is_number, separator_of, split_fields
from pysces.errors import InputError
from pysces.network._columns import end_names, known_columns
from pysces.network.formats._format import Format

if TYPE_CHECKING:
    from pathlib import Path

_ARACNE3_ENDS = {"regulator.values": "source", "target.values": "target"}


def names_edges(fields: list[str]) -> bool:
    """Whether these column names include regulators and targets."""
    names = {_ARACNE3_ENDS.get(field.lower(), field.lower()) for field in fields}
    return {"source", "target"} <= {*names, *end_names(names)}


def header_of(path: Path) -> tuple[int, str]:
    """Number and text of the line that names the columns, which may be a comment (#)."""
    head = first_lines(path, 1)
    if not head or head[-1][1].startswith("#"):
        raise InputError(f"{path.name} is empty. A table of edges starts with a header.")
    number, text = head[-1]
    comments = [(n, line.lstrip("#").lstrip(" ")) for n, line in head[:-1]]
    if comments and not names_edges(split_fields(text)):
        before = comments[-1]
        if names_edges(split_fields(before[1])):
            return before
    return number, text


def read(path: Path) -> pd.DataFrame:
    """The columns of the file as text."""
    number, text = header_of(path)
    separator = separator_of(text)
    names = header_fields(path, number, text, separator)
    body = Body(path, number, separator, len(names))
    if body.is_empty:
        return pd.DataFrame({name: pd.Series(dtype=object) for name in names})
    edges = body.to_frame(dtype=str, na_filter=False).set_axis(names, axis=1)
    if body.row_names:
        _check_row_names(body, edges, path)
    repeated = {str(name).lower() for name in edges.columns[edges.columns.duplicated()]}
    ends = {"source", "target", "mi", "mor", "weight", "likelihood", "correlation"}
    if both := repeated & ends:
        raise InputError(
            f"{path.name} repeats columns in its header (line {number}): {listed(both)}. "
            "Rename or remove one of them."
        )
    return edges.loc[:, ~edges.columns.duplicated()]


def _check_row_names(body: Body, edges: pd.DataFrame, path: Path) -> None:
    """Raise InputError if an additional first field is not a row name.

    Row names are numbers, or the names next to them are not numbers: ``MYC MAX 0.5`` under two
    column names is an edge and its mutual information.
    """
    known, _ = known_columns(edges)
    if all(map(str.isdigit, body.names)):
        return
    for name in ("source", "target"):
        if name in known and known[name].map(is_number).all():
            raise InputError(
                f"{path.name} has {body.n_fields} names in its header (line {body.header}) and "
                f"{(body.n_fields or 0) + 1} fields in each line. With the first as names of "
                f"rows there are numbers for the {name}s ({listed(known[name], 2)}). Name every "
                "column in the header."
            )


TABLE = Format(read=read)
TSV = Format(read=read, delimited="\t", suffixes=(".tsv",))
CSV = Format(read=read, delimited=",", suffixes=(".csv",))
