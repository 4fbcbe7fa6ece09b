"""The ``net`` of decoupler: source, target, weight."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pysces.network.formats import table
from pysces.network.formats._format import Format, modes


def decoupler_table(edges: pd.DataFrame) -> pd.DataFrame:
    """Source, target, weight: ``weight``, else mode times likelihood; without weights of 0."""
    if "weight" in edges.columns:
        weight = edges["weight"].to_numpy(dtype=np.float64)
    else:
        mode, likelihood = modes(edges)
        weight = mode * likelihood
    net = edges[["source", "target"]].assign(weight=weight)
    return net[weight != 0].reset_index(drop=True)


FORMAT = Format(
    read=table.read, delimited="", table=decoupler_table, keeps=("mor", "likelihood", "weight")
)
