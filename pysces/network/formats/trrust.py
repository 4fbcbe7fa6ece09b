"""Tables of TRRUST: regulator, target, direction in a word, references; no header."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from pysces._reading import Body
from pysces.errors import InputError
from pysces.network._signs import SIGNS
from pysces.network.formats._format import Format

if TYPE_CHECKING:
    from pathlib import Path

WORDS = frozenset(["activation", "repression", "unknown"])


def read(path: Path) -> pd.DataFrame:
    """Columns source, target and mor; edges with contradictory directions have the mode 0."""
    body = Body(path, 0, "\t", None)
    edges = body.to_frame(dtype=str, na_filter=False)
    if body.n_fields != 4 or not edges[2].str.strip().str.lower().isin(WORDS).all():
        raise InputError(
            f"{path.name} is not a table of TRRUST: four columns, of which the third says "
            "Activation, Repression or Unknown. Pass another format=."
        )
    edges = edges.set_axis(["source", "target", "mor", "reference"], axis=1).drop(
        columns="reference"
    )
    edges["mor"] = edges["mor"].str.strip().str.lower().map(SIGNS)
    known = edges[edges["mor"] != 0].groupby(["source", "target"])["mor"].mean()
    ends = pd.MultiIndex.from_frame(edges[["source", "target"]])
    edges["mor"] = known.reindex(ends).fillna(0).to_numpy()
    return edges[~edges.duplicated(["source", "target"])]


FORMAT = Format(read=read)
