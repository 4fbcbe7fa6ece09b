"""Edge tables to files: one small function per format, each file written whole or not at all."""

from __future__ import annotations

import gzip
import importlib
import io
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from pysces.atomic import atomic_write
from pysces.errors import InputError, PyscesError
from pysces.messages import listed

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    import pandas as pd


def write_network(
    edges: pd.DataFrame, path: str | os.PathLike[str], format: str | None = None
) -> None:
    """Write a table of edges; see `pysces.Network.write`."""
    chosen = _format_of(Path(path)) if format is None else format
    if chosen not in WRITERS:
        raise InputError(f"Networks can't be written as {chosen!r}. Formats: {listed(WRITERS)}.")
    final = Path(path)
    if not final.parent.is_dir():
        raise InputError(f"There is no folder {str(final.parent)!r}. Create it first.")
    table = edges.astype({"source": str, "target": str})

    def content(file: IO[bytes]) -> None:
        if final.suffix.lower() == ".gz" and chosen != "parquet":
            # No time stamp and no name, so that the same network gives the same bytes
            with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
                WRITERS[chosen](table, packed)  # type: ignore[arg-type]
        else:
            WRITERS[chosen](table, file)

    atomic_write(final, content)


def _format_of(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    last = suffixes[-1] if suffixes else ""
    by_suffix = {
        ".tsv": "tsv",
        ".csv": "csv",
        ".parquet": "parquet",
        ".pq": "parquet",
        ".gmt": "gmt",
        ".adj": "adj",
    }
    if path.name.lower().removesuffix(".gz") == "network.txt":
        return "aracne-ap"
    if last not in by_suffix:
        raise InputError(
            f"The name {path.name!r} doesn't say in which format to write the network. "
            f"Pass format=, one of {listed(WRITERS)}, or end the name in one of "
            f"{listed(by_suffix)}."
        )
    return by_suffix[last]


def _need(table: pd.DataFrame, format: str, *columns: str) -> None:
    if missing := [column for column in columns if column not in table.columns]:
        raise InputError(
            f"The format {format!r} needs the column(s) {listed(missing)}, which the network "
            f"doesn't have. Its columns: {listed(table.columns)}. Write it as 'tsv' instead."
        )


def _text(table: pd.DataFrame, file: IO[bytes], separator: str) -> None:
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    table.to_csv(text, sep=separator, index=False, lineterminator="\n")
    text.detach()  # flushes, and leaves the file open


def _write_tsv(table: pd.DataFrame, file: IO[bytes]) -> None:
    _text(table, file, "\t")


def _write_csv(table: pd.DataFrame, file: IO[bytes]) -> None:
    _text(table, file, ",")


def _write_parquet(table: pd.DataFrame, file: IO[bytes]) -> None:
    try:
        importlib.import_module("pyarrow")  # asked for here, so that the message can help
    except ImportError as error:
        raise PyscesError(
            f"Writing parquet needs the package pyarrow ({error}). "
            "Install it with: pip install pyarrow"
        ) from error
    table.astype({"source": "category", "target": "category"}).to_parquet(file, index=False)


def _write_aracne_ap(table: pd.DataFrame, file: IO[bytes]) -> None:
    _need(table, "aracne-ap", "mi", "pvalue")
    names = {"source": "Regulator", "target": "Target", "mi": "MI", "pvalue": "pvalue"}
    _text(table[list(names)].rename(columns=names), file, "\t")


def _write_aracne3(table: pd.DataFrame, file: IO[bytes]) -> None:
    _need(table, "aracne3", "mi", "correlation", "support", "pvalue")
    # The smallest p-value that float64 holds stands for 0, whose logarithm isn't a number
    logarithm = np.log(np.maximum(table["pvalue"], np.nextafter(0, 1)))
    columns = {
        "source": "regulator.values",
        "target": "target.values",
        "mi": "mi.values",
        "correlation": "scc.values",
        "support": "count.values",
        "log_pvalue": "log.p.values",
    }
    table = table.assign(log_pvalue=logarithm)
    _text(table[list(columns)].rename(columns=columns), file, "\t")


def _write_adj(table: pd.DataFrame, file: IO[bytes]) -> None:
    _need(table, "adj", "mi")
    for source, edges in table.groupby("source", sort=False):
        pairs = zip(edges["target"], edges["mi"].tolist(), strict=True)
        fields = [str(source), *(f"{target}\t{mi!r}" for target, mi in pairs)]
        file.write(("\t".join(fields) + "\n").encode())


def _write_gmt(table: pd.DataFrame, file: IO[bytes]) -> None:
    """Gene sets; those of one sign where the network has modes, marked (+) and (-) as SCENIC."""
    groups = table["source"]
    if "mor" in table.columns:
        groups = groups + np.where(table["mor"] < 0, "(-)", "(+)")
    for name, targets in table["target"].groupby(groups, sort=False):
        file.write(("\t".join([str(name), "pysces", *targets]) + "\n").encode())


WRITERS: dict[str, Callable[[pd.DataFrame, IO[bytes]], None]] = {
    "tsv": _write_tsv,
    "csv": _write_csv,
    "parquet": _write_parquet,
    "aracne-ap": _write_aracne_ap,
    "aracne3": _write_aracne3,
    "adj": _write_adj,
    "gmt": _write_gmt,
}
