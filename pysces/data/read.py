"""Read networks and expression tables from files; `Network.write` writes networks."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from pysces._atomic import replacing
from pysces._parameters import checked
from pysces._reading import reading
from pysces.data._cell_files import read_10x_h5, read_h5mu, read_loom, read_mtx
from pysces.data._tables import read_matrix
from pysces.errors import InputError
from pysces.network import Network, groups_of
from pysces.network.formats import PACKED, FormatName, edges_of, read_table

if TYPE_CHECKING:
    from anndata import AnnData

logger = logging.getLogger("pysces")

_TABLES = (".tsv", ".txt", ".csv", ".tab")
_CELLS: dict[str, tuple[Callable[..., AnnData], str]] = {
    ".h5": (read_10x_h5, "counts of Cell Ranger"),
    ".h5mu": (read_h5mu, "MuData"),
    ".loom": (read_loom, "loom"),
    ".mtx": (read_mtx, "a folder of Cell Ranger"),
}
_REMEDY = "It is corrupt, truncated, or another kind of file. Download or write it again."


@checked()
def read_network(
    path: str | os.PathLike[str], format: FormatName | None = None, *, group: str | None = None
) -> Network:
    r"""Read a network that PySCES or another program wrote.

    Parameters
    ----------
    path
        The file; text may be compressed (gz, bz2 or xz, whatever its name).
    format
        ``None`` infers it from the name and the first lines. Otherwise ``"table"`` (with a
        header: ``"tsv"``, ``"csv"``, ``"aracne-ap"``, ``"aracne3"``, ``"decoupler"``,
        ``"pyviper"`` and ``"grnboost"`` are synonyms), ``"3col"`` (regulator, target, mutual
        information; no header), ``"adj"``, ``"gmt"``, ``"sif"``, ``"graphml"`` (networkx, igraph,
        Cytoscape), ``"scenic"`` (``pyscenic ctx``), ``"trrust"``, ``"parquet"`` or ``"rds"``
        (regulon of R's viper; needs the package rdata).
    group
        Name of the network, if the file has a column ``group`` with several, as the command line
        writes with ``--groupby``.

    Returns
    -------
    Network
        Its columns are those of the file. Dropped edges are logged with the reason.

    Raises
    ------
    InputError
        If the format cannot be inferred, or the file has another format, is corrupt, or holds no
        network or networks of several groups. Pickled files are never read.
    MissingKeyError
        If there is no such group.
    FileNotFoundError
        If there is no such file.

    Warns
    -----
    PyscesWarning
        If a column with negative numbers is left out, and no other gives the signs of edges.

    Examples
    --------
    >>> import pysces
    >>> with open("regulons.gmt", "w") as file:
    ...     _ = file.write("MYC(+)\tsource\tMAX\tNCL\n")
    >>> pysces.read_network("regulons.gmt").regulons()
    {'MYC': ['MAX', 'NCL']}
    """
    path = _existing(path)
    with reading(path, "read as a network", _REMEDY):
        table, chosen = read_table(path, format)
        network = Network(edges_of(table, path.name, chosen, group))
    logger.info("%s: read as %r, %r.", path.name, chosen, network)
    return network


def networks_of_file(path: str | os.PathLike[str]) -> dict[str | None, Network]:
    """The networks of all groups of a file, which is read once; of None if there are no groups."""
    path = _existing(path)
    found: dict[str | None, Network] = {}
    with reading(path, "read as a network", _REMEDY):
        table, chosen = read_table(path)
        for group in [*groups_of(table)] or (None,):
            found[group] = Network(edges_of(table, path.name, chosen, group))
    for network in found.values():
        logger.info("%s: read as %r, %r.", path.name, chosen, network)
    return found


def _existing(path: str | os.PathLike[str]) -> Path:
    """The path of a file, or a FileNotFoundError."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"There is no file {str(path)!r}.")
    return Path(path)


@checked()
def read_expression(
    path: str | os.PathLike[str], *, transpose: bool = False, modality: str | None = None
) -> AnnData:
    r"""Read an expression matrix.

    Parameters
    ----------
    path
        ``.h5ad``, ``.zarr``, ``.h5mu``, ``.loom``, ``.h5`` of Cell Ranger, a folder with
        ``matrix.mtx``, barcodes and features (or that ``.mtx`` itself), or a table ``.tsv``,
        ``.txt`` or ``.csv`` (optionally with ``.gz``). Tables have **genes in rows** and samples in
        columns, as all ARACNe programs expect: the first column names the genes, the first line the
        samples.
    transpose
        Whether the table has samples in rows and genes in columns instead.
    modality
        Modality of an ``.h5mu`` file; ``"rna"``, or the only one, if None.

    Returns
    -------
    anndata.AnnData
        Samples x genes. From Cell Ranger: counts of genes, named by symbols (repeated ones get a
        number), with ``var["gene_ids"]``; other features are left out.

    Raises
    ------
    InputError
        If the file has another format or is corrupt, a line of a table has more or fewer fields
        than its header, or a value is not a number.
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
    for packed in PACKED:
        name = name.removesuffix(packed)
    suffix = Path(name).suffix
    if modality is not None and suffix != ".h5mu":
        raise InputError(f"{path.name} has no modalities. modality= is for .h5mu files only.")
    if transpose and suffix not in _TABLES:
        raise InputError(
            f"{path.name} states which axis holds the genes. transpose= is for tables only; "
            "use `adata.T` if it was stored transposed."
        )
    if suffix == ".h5ad":
        return open_h5ad(path)
    if suffix in _CELLS or (path.is_dir() and suffix != ".zarr"):
        read, kind = _CELLS.get(suffix, _CELLS[".mtx"])
        with reading(path, f"read as {kind}", _REMEDY):
            return read(path) if modality is None else read(path, modality)
    if suffix == ".zarr":
        with reading(path, "opened as zarr", "Write it again with `adata.write_zarr`."):
            return anndata.read_zarr(path)
    if suffix not in _TABLES:
        raise InputError(
            f"Expression cannot be read from {path.name}. Files may end in .h5ad, .zarr, .h5mu, "
            ".loom, .h5, .mtx, .tsv, .txt, .csv (and .gz). Read other formats with `scanpy.read` "
            "or similar functions, and write an .h5ad file."
        )
    with reading(path, "read as a table of numbers", _REMEDY):
        table = read_matrix(path, "," if suffix == ".csv" else "\t")
    table = table if transpose else table.T
    logger.info("%s: read %d samples x %d genes.", path.name, *table.shape)
    return anndata.AnnData(
        table.to_numpy(),
        obs=pd.DataFrame(index=table.index),
        var=pd.DataFrame(index=table.columns),
    )


def open_h5ad(path: str | os.PathLike[str], backed: str | None = None) -> AnnData:
    """Read an h5ad file; its matrix stays on disk if ``backed="r"``."""
    import anndata

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {str(path)!r}.")
    remedy = "It is another kind of file, or truncated. Write it again with `adata.write_h5ad`."
    with reading(path, "opened as h5ad", remedy):
        return anndata.read_h5ad(path, backed=backed)


def write_h5ad(adata: AnnData, path: str | os.PathLike[str]) -> None:
    """Write an AnnData as h5ad atomically."""
    with replacing(path) as temporary:
        adata.write_h5ad(temporary)
