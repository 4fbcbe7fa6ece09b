"""Networks of ARACNe3: columns that end in ``.values``, and p-values as logarithms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pysces._reading import numbers_of
from pysces.network.formats import table
from pysces.network.formats._format import Format

if TYPE_CHECKING:
    from pathlib import Path

_NAMES = {
    "source": "regulator.values",
    "target": "target.values",
    "mi": "mi.values",
    "correlation": "scc.values",
    "support": "count.values",
    "log_pvalue": "log.p.values",
}


def read(path: Path) -> pd.DataFrame:
    """Rename its columns to those of a network; other tables are unchanged."""
    return from_columns(table.read(path))


def from_columns(edges: pd.DataFrame) -> pd.DataFrame:
    """A table, with columns of ARACNe3 renamed to those of a network."""
    known = {name: column for column, name in _NAMES.items()}
    lower = {column: str(column).strip().lower() for column in edges.columns}
    edges = edges.rename(columns={c: known[name] for c, name in lower.items() if name in known})
    if "log.p.values" in lower.values():
        logarithm = numbers_of(edges["log_pvalue"])
        edges = edges.assign(pvalue=np.exp(logarithm)).drop(columns="log_pvalue")
    return edges


def _table(edges: pd.DataFrame) -> pd.DataFrame:
    # 0 has no logarithm and is replaced by the smallest positive float64
    logarithm = np.log(np.maximum(edges["pvalue"], np.nextafter(0, 1)))
    return edges.assign(log_pvalue=logarithm)[list(_NAMES)].rename(columns=_NAMES)


_COLUMNS = ("mi", "correlation", "support", "pvalue")
FORMAT = Format(read=read, delimited="", table=_table, needs=_COLUMNS, keeps=_COLUMNS)
