"""Tables of regulator, target and mutual information, without a header."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from pysces._reading import Body, first_lines, separator_of
from pysces.errors import InputError
from pysces.network.formats._format import Format

if TYPE_CHECKING:
    from pathlib import Path


def read(path: Path) -> pd.DataFrame:
    """Columns source, target and mi, as text."""
    head = [text for _, text in first_lines(path, 1) if not text.startswith("#")]
    body = Body(path, 0, separator_of(head[0]) if head else "\t", None)
    edges = body.to_frame(dtype=str, na_filter=False)
    if body.n_fields != 3:
        raise InputError(
            f"{path.name} has {body.n_fields or 0} columns; the format '3col' has regulator, "
            "target and mutual information. Pass another format=."
        )
    return edges.set_axis(["source", "target", "mi"], axis=1)


FORMAT = Format(read=read)
