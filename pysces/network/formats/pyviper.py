"""The table of a pyviper interactome: regulator, target, mor, likelihood."""

from __future__ import annotations

import pandas as pd

from pysces.network.formats import table
from pysces.network.formats._format import Format, modes


def _table(edges: pd.DataFrame) -> pd.DataFrame:
    mode, likelihood = modes(edges)
    ends = edges[["source", "target"]].rename(columns={"source": "regulator"})
    return ends.assign(mor=mode, likelihood=likelihood)


FORMAT = Format(read=table.read, delimited="", table=_table, keeps=("mor", "likelihood", "weight"))
