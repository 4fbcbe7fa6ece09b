"""Networks and expression tables from files; networks are written by `Network.write`."""

from __future__ import annotations

import logging
import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pysces.data.formats import (
    MISSING,
    PARSERS,
    first_lines,
    is_number,
    parse_labelled_matrix,
    split_fields,
)
from pysces.errors import InputError
from pysces.messages import listed
from pysces.network import Network
from pysces.network._edges import known_columns

if TYPE_CHECKING:
    from anndata import AnnData

logger = logging.getLogger("pysces")

# Tables with a header tell their columns themselves
_SAME_AS_TABLE = ("tsv", "csv", "aracne-ap", "aracne3", "decoupler", "pyviper", "grnboost")
_BY_SUFFIX = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".gmt": "gmt",
    ".sif": "sif",
    ".graphml": "graphml",
    ".rds": "rds",
    ".adj": "adj",
}
# Names in text may have blanks around them; those of other formats are what they are
_EXACT_NAMES = ("parquet", "graphml", "rds")
_PICKLES = (".pkl", ".pickle", ".p", ".joblib")


def read_network(path: str | os.PathLike[str], format: str | None = None) -> Network:
    r"""Read a network that PySCES or another program wrote.

    Parameters
    ----------
    path
        The file; text may be packed (``.gz``).
    format
        ``None`` finds it out from the name and the first lines. Otherwise ``"table"`` (with a
        header: ``"tsv"``, ``"csv"``, ``"aracne-ap"``, ``"aracne3"``, ``"decoupler"``,
        ``"pyviper"``, ``"grnboost"`` mean the same), ``"3col"`` (regulator, target, mutual
        information; no header), ``"adj"``, ``"gmt"``, ``"sif"``, ``"graphml"`` (networkx, igraph,
        Cytoscape), ``"scenic"`` (``pyscenic ctx``), ``"parquet"`` or ``"rds"`` (regulon of R's
        viper; needs the package rdata).

    Returns
    -------
    Network
        Its columns are those of the file. The logger says what was dropped, and why.

    Raises
    ------
    InputError
        If the format isn't clear or the file doesn't hold it. Pickled files are never read.
    FileNotFoundError
        If there is no such file.

    Examples
    --------
    >>> import pysces
    >>> with open("regulons.gmt", "w") as file:
    ...     _ = file.write("MYC(+)\tsource\tMAX\tNCL\n")
    >>> pysces.read_network("regulons.gmt").regulons()
    {'MYC': ['MAX', 'NCL']}
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {str(path)!r}.")
    chosen = _guess(path) if format is None else format
    chosen = "table" if chosen in _SAME_AS_TABLE else chosen
    if chosen not in PARSERS:
        raise InputError(
            f"Networks can't be read as {format!r}. "
            f"Formats: {listed([*PARSERS, *_SAME_AS_TABLE], most=20)}."
        )
    table = PARSERS[chosen](path)
    network = Network(_usable(table, path.name, exact_names=chosen in _EXACT_NAMES))
    logger.info("%s: read as %r, %r.", path.name, chosen, network)
    return network


def _guess(path: Path) -> str:
    """Format of a file, from its name, else from its first lines."""
    name = path.name.lower().removesuffix(".gz")
    suffix = Path(name).suffix
    if suffix in _PICKLES:
        raise InputError(
            f"{path.name} looks pickled. Pickled files can run any code when opened, so PySCES "
            "doesn't read them. Write the network as a table (TSV, CSV, parquet) or as GMT."
        )
    if suffix in (".h5ad", ".zarr", ".h5"):
        raise InputError(
            f"{path.name} isn't a table of edges. Open it with `anndata.read_h5ad` and take "
            "`pysces.Network.from_anndata(adata)`."
        )
    if suffix in _BY_SUFFIX:
        return _BY_SUFFIX[suffix]
    return _guess_from_lines(path)


def _guess_from_lines(path: Path) -> str:
    try:
        lines = first_lines(path)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path.name} isn't a text file. Pass format= ('parquet', 'rds') if it holds a network."
        ) from error
    if not lines:
        raise InputError(f"{path.name} is empty. A network has at least a header.")
    header = {field.lower() for field in split_fields(lines[0])}
    regulator = header & {"source", "regulator", "tf", "regulator.values"}
    if regulator and header & {"target", "target.values"}:
        return "table"
    if any("TargetGenes" in line for line in lines[:3]):
        return "scenic"
    if any(line.startswith(">") for line in lines):
        return "adj"
    rows = [split_fields(line) for line in lines]
    if all(len(row) == 3 and is_number(row[2]) for row in rows):
        return "3col"
    if all(len(row) % 2 == 1 and all(map(is_number, row[2::2])) for row in rows):
        return "adj"
    raise InputError(
        f"The format of {path.name} isn't clear; its first line starts with "
        f"{listed(split_fields(lines[0]))}. Pass format=, one of {listed(PARSERS)}, or read it "
        "with pandas, rename the columns to 'source' and 'target' and use "
        "`pysces.Network.from_dataframe`."
    )


def _usable(table: pd.DataFrame, file: str, *, exact_names: bool) -> pd.DataFrame:
    """The edges that a network can have; what is dropped is logged with its reason."""
    edges, left_out = known_columns(table)
    if left_out:
        logger.info("%s: left out the columns %s.", file, listed(left_out))
    if missing := [name for name in ("source", "target") if name not in edges.columns]:
        raise InputError(
            f"{file} has no column {listed(missing)}; its columns are {listed(table.columns)}. "
            "Read it with pandas, rename the columns to 'source' and 'target' and use "
            "`pysces.Network.from_dataframe`."
        )
    numeric = [name for name in edges.columns if name not in ("source", "target")]
    edges = edges.assign(
        source=_names(edges["source"], exact_names, file),
        target=_names(edges["target"], exact_names, file),
        **{name: _numbers(edges[name]) for name in numeric},
    )
    unnamed = (edges["source"].str.strip() == "") | (edges["target"].str.strip() == "")
    edges = _drop(edges, unnamed, "without a name", file)
    for name in numeric:
        unknown = ~(edges[name].abs() < np.inf)
        edges = _drop(edges, unknown, f"without a number in {name!r}", file)
    return _drop(edges, edges.duplicated(["source", "target"]), "that repeat an edge", file)


def _drop(edges: pd.DataFrame, bad: pd.Series, why: str, file: str) -> pd.DataFrame:
    dropped = edges[bad]
    if len(dropped):
        logger.warning(
            "%s: dropped %d of %d rows %s (the first: %s -> %s).",
            file,
            len(dropped),
            len(edges),
            why,
            dropped["source"].iloc[0],
            dropped["target"].iloc[0],
        )
    return edges[~bad]


def _names(column: pd.Series, exact: bool, file: str) -> pd.Series:
    """Names, without blanks around them unless exact; "" where there is none."""
    names = column.astype(object).where(column.notna(), "").astype(str)
    if exact:
        return names
    stripped = names.str.strip()
    if len(changed := names[names != stripped]):
        logger.info(
            "%s: took away blanks around %d of %d names (the first: %r).",
            file,
            len(changed),
            len(names),
            changed.iloc[0],
        )
    return stripped


def _numbers(column: pd.Series) -> pd.Series:
    """Numbers of a column of text, exact to the last bit; NaN where there is none."""
    if pd.api.types.is_numeric_dtype(column.dtype):
        return column
    texts = column.astype(str).str.strip()
    known = texts.map(is_number) & ~texts.isin(list(MISSING))
    if known.all() and len(texts) and texts.str.fullmatch(r"[+-]?\d{1,15}").all():
        return texts.astype(np.int64)
    return texts.where(known, "nan").astype(np.float64)


def read_expression(path: str | os.PathLike[str], *, transpose: bool = False) -> AnnData:
    r"""Read an expression matrix.

    Parameters
    ----------
    path
        ``.h5ad``, ``.zarr``, or a table ``.tsv``, ``.txt`` or ``.csv`` (packed with ``.gz`` or
        not). Tables have **genes in rows** and samples in columns, as all ARACNe programs expect:
        the first column names the genes, the first line the samples.
    transpose
        The table has samples in rows and genes in columns instead.

    Returns
    -------
    anndata.AnnData
        Samples x genes.

    Raises
    ------
    InputError
        If the file isn't one of these, or a value in the table isn't a number.
    FileNotFoundError
        If there is no such file.

    Examples
    --------
    >>> import pysces
    >>> with open("expression.csv", "w") as file:
    ...     _ = file.write("gene,cell1,cell2,cell3\nMYC,1.5,0,2\nMAX,0,1,1\n")
    >>> pysces.read_expression("expression.csv").shape  # samples x genes
    (3, 2)
    """
    import anndata

    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"There is no file {str(path)!r}.")
    name = path.name.lower()
    suffix = Path(name.removesuffix(".gz")).suffix
    if suffix in (".h5ad", ".zarr"):
        if transpose:
            raise InputError(
                f"{path.name} says itself which axis is which. transpose= is for tables only; "
                "use `adata.T` if it was stored the wrong way round."
            )
        return open_h5ad(path) if suffix == ".h5ad" else anndata.read_zarr(path)
    if suffix not in (".tsv", ".txt", ".csv", ".tab"):
        raise InputError(
            f"Expression can't be read from {path.name}. Files may end in .h5ad, .zarr, .tsv, "
            ".txt, .csv (and .gz). Others are read by `scanpy.read` and its relatives."
        )
    table = parse_labelled_matrix(path, "," if suffix == ".csv" else "\t")
    table = table if transpose else table.T
    logger.info("%s: read %d samples x %d genes.", path.name, *table.shape)
    return anndata.AnnData(
        table.to_numpy(),
        obs=pd.DataFrame(index=table.index),
        var=pd.DataFrame(index=table.columns),
    )


def open_h5ad(path: str | os.PathLike[str], backed: str | None = None) -> AnnData:
    """An AnnData file, its matrix left on disk if ``backed="r"``; InputError if it isn't one."""
    import anndata

    if not Path(path).is_file():
        raise FileNotFoundError(f"There is no file {os.fspath(path)!r}.")
    try:
        return anndata.read_h5ad(path, backed=backed)
    except OSError as error:
        raise InputError(
            f"{Path(path).name} can't be opened as h5ad: {error}. It is another kind of file, or "
            "was cut short. Write it again with `adata.write_h5ad`."
        ) from error


def write_h5ad(adata: AnnData, path: str | os.PathLike[str]) -> None:
    """Write an AnnData as h5ad so that the file is there whole or not at all."""
    final = Path(path)
    if not final.parent.is_dir():
        raise InputError(f"There is no folder {str(final.parent)!r}. Create it first.")
    temporary = final.with_name(f".{uuid.uuid4().hex}.{final.name}")
    try:
        adata.write_h5ad(temporary)
        os.replace(temporary, final)
    finally:
        temporary.unlink(missing_ok=True)
