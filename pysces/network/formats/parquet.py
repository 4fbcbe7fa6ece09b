"""Tables of edges in parquet."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

import pandas as pd

from pysces.errors import InputError
from pysces.network._graphs import package
from pysces.network.formats._format import Format
from pysces.settings import settings

if TYPE_CHECKING:
    from pathlib import Path

_BYTES_OF_A_VALUE = 8


def read(path: Path) -> pd.DataFrame:
    """All columns of the file."""
    package("pyarrow", "Reading parquet")
    import pyarrow.parquet

    size = path.stat().st_size
    facts = pyarrow.parquet.read_metadata(path)
    needed = facts.num_rows * facts.num_columns * _BYTES_OF_A_VALUE
    most = settings.max_unpacked or max(2**28, 200 * size)
    if needed > most:
        raise InputError(
            f"{path.name} has {size} bytes and holds {facts.num_rows} rows of "
            f"{facts.num_columns} columns, which suggests a corrupt file. If that is correct, "
            f"set pysces.settings.max_unpacked to {needed}."
        )
    return pd.read_parquet(path).reset_index(drop=True)


def _write(table: pd.DataFrame, file: IO[bytes]) -> None:
    package(
        "pyarrow", "Writing parquet"
    )  # imported here, so that the error message can name the remedy
    table.astype({"source": "category", "target": "category"}).to_parquet(file, index=False)


FORMAT = Format(
    read=read,
    write=_write,
    suffixes=(".parquet", ".pq"),
    refuses=(),
    regulators=(),
    exact_names=True,
    packs_itself=True,
)
