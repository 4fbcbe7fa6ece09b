"""File formats of networks: one module per format, with reader and writer.

`FORMATS` lists them all. To add one, write a module with a `Format` and add it here.
"""

from __future__ import annotations

import gzip
import logging
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal

from pysces._atomic import atomic_write, check_writable
from pysces._messages import listed
from pysces._reading import first_lines, is_number, separator_of, split_fields
from pysces.errors import InputError
from pysces.network._columns import rows_of_group
from pysces.network.formats import (
    adj,
    aracne3,
    aracne_ap,
    decoupler,
    gmt,
    graphml,
    parquet,
    pyviper,
    rds,
    scenic,
    sif,
    table,
    three_columns,
    trrust,
)
from pysces.network.formats._format import Format, write_delimited
from pysces.network.formats._usable import usable

if TYPE_CHECKING:
    import os

    import pandas as pd

logger = logging.getLogger("pysces")

FormatName = Literal[
    "table",
    "3col",
    "adj",
    "gmt",
    "sif",
    "graphml",
    "scenic",
    "trrust",
    "parquet",
    "rds",
    "tsv",
    "csv",
    "aracne-ap",
    "aracne3",
    "decoupler",
    "pyviper",
    "grnboost",
]
FORMATS: dict[FormatName, Format] = {
    "table": Format(read=aracne3.read),
    "3col": three_columns.FORMAT,
    "adj": adj.FORMAT,
    "gmt": gmt.FORMAT,
    "sif": sif.FORMAT,
    "graphml": graphml.FORMAT,
    "scenic": scenic.FORMAT,
    "trrust": trrust.FORMAT,
    "parquet": parquet.FORMAT,
    "rds": rds.FORMAT,
    "tsv": table.TSV,
    "csv": table.CSV,
    "aracne-ap": aracne_ap.FORMAT,
    "aracne3": aracne3.FORMAT,
    "decoupler": decoupler.FORMAT,
    "pyviper": pyviper.FORMAT,
    "grnboost": Format(read=table.read),
}
"""Every format by name."""
WRITERS = {name: row for name, row in FORMATS.items() if row.writes}
PACKED = (".gz", ".bz2", ".xz")
"""File name endings of compressed text, which do not determine the format."""

_PICKLES = (".pkl", ".pickle", ".p", ".joblib")
_WRITTEN_BY_SUFFIX = {suffix: name for name, row in WRITERS.items() for suffix in row.suffixes}
# The lines of a table are more specific than its name
_READ_BY_SUFFIX = {s: n for s, n in _WRITTEN_BY_SUFFIX.items() if n not in ("tsv", "csv")}
_READ_BY_SUFFIX[".rds"] = "rds"


def read_table(path: Path, format: FormatName | None = None) -> tuple[pd.DataFrame, FormatName]:
    """Read the table of a file as it is, and its format."""
    chosen = _guess(path) if format is None else format
    row = FORMATS[chosen]
    assert row.read is not None
    return row.read(path), chosen


def edges_of(table: pd.DataFrame, file: str, format: FormatName, group: str | None) -> pd.DataFrame:
    """The valid edges of a table that was read; see `pysces.read_network`."""
    own = rows_of_group(table, group, file)
    return usable(own, file, exact_names=FORMATS[format].exact_names)


def _suffix(path: Path) -> str:
    """The ending of a name in lower case, ignoring that of compressed files."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    while suffixes and suffixes[-1] in PACKED:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def _guess(path: Path) -> FormatName:
    """Format of a file, from its name, else from its first lines."""
    suffix = _suffix(path)
    if suffix in _PICKLES:
        raise InputError(
            f"{path.name} looks pickled. Pickled files can run any code when opened, so PySCES "
            "does not read them. Write the network as a table (TSV, CSV, parquet) or as GMT."
        )
    if suffix in (".h5ad", ".zarr", ".h5"):
        raise InputError(
            f"{path.name} is not a table of edges. Open it with `anndata.read_h5ad` and take "
            "`pysces.Network.from_anndata(adata)`."
        )
    return _READ_BY_SUFFIX.get(suffix) or _guess_from_lines(path)


def _guess_from_lines(path: Path) -> FormatName:
    head = first_lines(path)
    lines = [text for _, text in head if not text.startswith("#")]
    if not lines:
        raise InputError(f"{path.name} is empty. A network file has at least a header.")
    if table.names_edges(split_fields(table.header_of(path)[1])):
        return "table"
    if any("TargetGenes" in line for line in lines[:3]):
        return "scenic"
    if any(line.startswith(">") for line in lines):
        return "adj"
    separator = separator_of(lines[0])
    rows = [split_fields(line, separator) for line in lines]
    if all(len(row) == 3 and is_number(row[2]) for row in rows):
        return "3col"
    if all(len(row) == 4 and row[2].lower() in trrust.WORDS for row in rows):
        return "trrust"
    pairs = [adj.split(line)[1:] for line in lines]
    if any(pairs) and all(len(p) % 2 == 0 and all(map(is_number, p[1::2])) for p in pairs):
        return "adj"
    raise InputError(
        f"The format of {path.name} cannot be inferred; its first line starts with "
        f"{listed(split_fields(lines[0]))}. Pass format=, one of {listed(FORMATS, 20)}, or read it "
        "with pandas, rename the columns to 'source' and 'target' and use "
        "`pysces.Network.from_dataframe`."
    )


def write_network(
    edges: pd.DataFrame, path: str | os.PathLike[str], format: FormatName | None = None
) -> None:
    """Write a table of edges atomically; see `pysces.Network.write`.

    Names that a format cannot store raise an error, so that reading the file gives the same
    network.
    """
    final = Path(path)
    chosen = _format_of(final) if format is None else format
    if chosen not in WRITERS:
        raise InputError(
            f"Networks cannot be written as {chosen!r}. Formats: {listed(WRITERS, 20)}."
        )
    check_writable(final)
    _check(edges, chosen)
    written = edges.astype({"source": str, "target": str})
    row = WRITERS[chosen]
    if row.table is not None:
        written = row.table(written)
    by_name = "," if _suffix(final) == ".csv" else "\t"

    def content(file: IO[bytes]) -> None:
        if row.write is None:
            write_delimited(written, file, row.delimited or by_name)
        else:
            row.write(written, file)

    def packed(file: IO[bytes]) -> None:
        # No time stamp and no name, so that equal networks give identical files
        with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as inner:
            content(inner)  # type: ignore[arg-type]

    packs = final.suffix.lower() == ".gz" and not row.packs_itself
    atomic_write(final, packed if packs else content)


def format_by_name(path: Path) -> FormatName | None:
    """The format by the name of a file; None if the name does not determine one."""
    if path.name.lower().removesuffix(".gz") == "network.txt":
        return "aracne-ap"
    return _WRITTEN_BY_SUFFIX.get(_suffix(path))


def _format_of(path: Path) -> FormatName:
    if path.suffix.lower() in PACKED[1:]:
        raise InputError(
            f"Networks are compressed as .gz only. Write {path.stem + '.gz'!r} instead."
        )
    format = format_by_name(path)
    if format is None:
        raise InputError(
            f"The name {path.name!r} does not determine the format of the network. "
            f"Pass format=, one of {listed(WRITERS, 20)}, or end the name in one of "
            f"{listed(_WRITTEN_BY_SUFFIX)}."
        )
    return format


def _check(edges: pd.DataFrame, format: FormatName) -> None:
    """Raise InputError for what the format cannot store; log the columns it leaves out."""
    row = WRITERS[format]
    if missing := [column for column in row.needs if column not in edges.columns]:
        raise InputError(
            f"The format {format!r} requires the column(s) {listed(missing)}, which the network "
            f"does not have. Its columns: {listed(edges.columns)}. Write it as 'tsv' instead."
        )
    refused = [("source", rule) for rule in (*row.refuses, *row.regulators)]
    refused += [("target", rule) for rule in row.refuses]
    for column, (pattern, fact) in refused:
        bad = [name for name in edges[column].cat.categories if pattern.search(name)]
        if bad:
            raise InputError(
                f"The name {bad[0]!r} has {fact}, so the format {format!r} cannot store it"
                + (f" (nor {len(bad) - 1} more such names)" if len(bad) > 1 else "")
                + ". Rename it, or write the network as 'parquet'."
            )
    left_out = [c for c in edges.columns[2:] if row.keeps is not None and c not in row.keeps]
    if left_out:
        logger.info("The format %r leaves out the columns %s.", format, listed(left_out))
