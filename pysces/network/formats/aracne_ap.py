"""``network.txt`` of ARACNe-AP: Regulator, Target, MI and, for a consensus, pvalue."""

from __future__ import annotations

import pandas as pd

from pysces.network.formats import table
from pysces.network.formats._format import Format

_NAMES = {"source": "Regulator", "target": "Target", "mi": "MI", "pvalue": "pvalue"}


def _table(edges: pd.DataFrame) -> pd.DataFrame:
    return edges[list(_NAMES)].rename(columns=_NAMES)


FORMAT = Format(
    read=table.read, delimited="", table=_table, needs=("mi", "pvalue"), keeps=("mi", "pvalue")
)
