"""Select the valid edges of a file; dropped rows are logged with the reason."""

from __future__ import annotations

import logging
import re

import numpy as np
import pandas as pd

from pysces._messages import listed
from pysces._reading import LINE_BREAK, MISSING, has_decimal_comma, is_number
from pysces.errors import InputError
from pysces.network._columns import named_columns

logger = logging.getLogger("pysces")

_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)


def usable(table: pd.DataFrame, file: str, *, exact_names: bool) -> pd.DataFrame:
    """The rows that are valid edges, with names as text and numbers as numbers.

    Raises
    ------
    InputError
        If the table has no regulators or targets, none of its rows is an edge, a name holds a line
        break, or a number is written with a comma.
    """
    edges = named_columns(table, file)
    if missing := [name for name in ("source", "target") if name not in edges.columns]:
        raise InputError(
            f"{file} has no column {listed(missing)}; its columns are {listed(table.columns)}. "
            "Read it with pandas, rename the columns to 'source' and 'target' and use "
            "`pysces.Network.from_dataframe`."
        )
    if not edges.columns.is_unique:
        repeated = edges.columns[edges.columns.duplicated()]
        raise InputError(
            f"{file} has repeated columns: {listed(repeated)}. Rename or remove one of each."
        )
    numeric = [name for name in edges.columns if name not in ("source", "target")]
    edges = edges.assign(
        source=_names(edges["source"], exact_names, file),
        target=_names(edges["target"], exact_names, file),
        **{name: _numbers(edges[name], file) for name in numeric},
    )
    _check_names(edges, file)
    n_rows = len(edges)
    unnamed = (edges["source"].str.strip() == "") | (edges["target"].str.strip() == "")
    edges = _drop(edges, unnamed, "without a name", file)
    for name in numeric:
        unknown = ~(edges[name].abs() < np.inf)
        edges = _drop(edges, unknown, f"without a number in {name!r}", file)
    if n_rows and not len(edges):
        raise InputError(
            f"{file} is not a network: none of its {n_rows} rows has a regulator, a target and the "
            f"numbers of an edge (columns {listed(edges.columns)}). Is it another kind of file?"
        )
    edges = _drop(edges, edges.duplicated(["source", "target"]), "that repeat an edge", file)
    return edges.reset_index(drop=True)


def _line(rows: pd.DataFrame | pd.Series) -> str:
    """The line of the first of these rows, if known."""
    return f", line {rows.index[0]}" if rows.index.name == "line" else ""


def _drop(edges: pd.DataFrame, bad: pd.Series, why: str, file: str) -> pd.DataFrame:
    dropped = edges[bad]
    if len(dropped):
        logger.warning(
            "%s: dropped %d of %d rows %s (the first: %s -> %s)%s.",
            file,
            len(dropped),
            len(edges),
            why,
            dropped["source"].iloc[0],
            dropped["target"].iloc[0],
            _line(dropped),
        )
    return edges[~bad]


def _names(column: pd.Series, exact: bool, file: str) -> pd.Series:
    """Names without surrounding spaces, unless exact; "" for missing ones."""
    names = column.astype(object).where(column.notna(), "").astype(str)
    if exact:
        return names
    stripped = names.str.strip()
    if len(changed := names[names != stripped]):
        logger.info(
            "%s: removed spaces around %d of %d names (the first: %r).",
            file,
            len(changed),
            len(names),
            changed.iloc[0],
        )
    return stripped


def _check_names(edges: pd.DataFrame, file: str) -> None:
    """Raise InputError if a name contains a line break, or names are numbers of a matrix."""
    unique = {end: pd.Index(edges[end].unique()) for end in ("source", "target")}
    if edges.index.name == "line":
        for end, names in unique.items():
            broken = names[names.str.contains(LINE_BREAK, regex=False)]
            if len(broken):
                first = edges[edges[end] == broken[0]]
                raise InputError(
                    f"{file}{_line(first)}: a {end} whose name spans more than one line, "
                    f"{broken[0].replace(LINE_BREAK, chr(10))[:60]!r}. Is a quote not closed?"
                )
    numbers = all(len(names) and all(map(is_number, names)) for names in unique.values())
    if numbers and not all(
        _INTEGER.fullmatch(name) or not any(map(str.isdigit, name))
        for names in unique.values()
        for name in names
    ):
        raise InputError(
            f"{file} is not a network: its regulators and targets are numbers, such as "
            f"{listed(unique['source'], 2)}. Is it a matrix?"
        )


def _numbers(column: pd.Series, file: str) -> pd.Series:
    """Numbers of a column of text, parsed exactly; NaN for missing ones."""
    if pd.api.types.is_numeric_dtype(column.dtype):
        return column
    texts = column.astype(str)
    if (values := _quick_numbers(texts)) is not None:
        return values
    texts = texts.str.strip()
    known = texts.map(is_number).astype(bool) & ~texts.isin(list(MISSING))
    if (~known).any() and len(commas := texts[~known][texts[~known].map(has_decimal_comma)]):
        raise InputError(
            f"{file}{_line(commas)}: {commas.iloc[0]!r} in the column {column.name!r} has a comma. "
            "Write numbers with a point (0.5) and no other marks."
        )
    return texts.where(known, "nan").astype(np.float64)


def _quick_numbers(texts: pd.Series) -> pd.Series | None:
    """Numbers of texts, int64 if all are integers; ``None`` if one is not a number."""
    try:
        values = texts.to_numpy(dtype=object).astype(np.float64)
    except ValueError:
        return None
    if not np.isfinite(values).all() or any("_" in text for text in texts):  # 1_000 is not a number
        return None
    small = (np.abs(values) < 1e15) & (values == np.trunc(values))
    if len(texts) and small.all() and all(_INTEGER.fullmatch(text.strip()) for text in texts):
        return pd.Series(values.astype(np.int64), index=texts.index)
    return pd.Series(values, index=texts.index)
