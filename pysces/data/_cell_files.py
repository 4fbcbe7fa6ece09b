"""Read cells from files of Cell Ranger, STARsolo, loom and MuData."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from pysces._messages import listed
from pysces.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData

log = logging.getLogger("pysces")

_GENES = "Gene Expression"  # feature type of Cell Ranger
_ROWS = 1000  # of a loom file that are read at once


def read_10x_h5(path: Path) -> AnnData:
    """Counts of Cell Ranger in HDF5: version 3 and later (group matrix), or 2 (one per genome)."""
    import h5py

    with h5py.File(path) as file:
        names = [name for name in file if f"{name}/barcodes" in file and f"{name}/indptr" in file]
        if len(names) != 1:
            found = f"genomes {listed(names)}" if names else f"{listed(file)} and no counts"
            raise InputError(
                f"{path.name} holds {found}, and is read if it holds the counts of one genome as "
                "Cell Ranger writes them. Read it with scanpy, and write an .h5ad file."
            )
        group = file[names[0]]
        shape = tuple(group["shape"][:2])  # genes x cells
        stored = (group["data"][:], group["indices"][:], group["indptr"][:])
        matrix = sp.csr_matrix(stored, shape=shape[::-1])
        barcodes = _text(group["barcodes"])
        features = group.get("features", group)
        symbols = _text(features["name" if "features" in group else "gene_names"])
        ids = _text(features["id" if "features" in group else "genes"])
        kinds = _text(features["feature_type"]) if "feature_type" in features else None
    return _cells(matrix, barcodes, symbols, ids, kinds)


def read_mtx(path: Path) -> AnnData:
    """Counts of Cell Ranger or STARsolo: a folder, or the ``matrix.mtx`` in it.

    Names may have a prefix (``GSM1_matrix.mtx.gz``), and all may be compressed (gz).
    """
    from scipy.io import mmread

    folder, pattern = (path, "*matrix.mtx*") if path.is_dir() else (path.parent, path.name)
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        names = listed(one.name for one in found)
        raise InputError(
            f"The folder {folder.name!r} has "
            + (
                f"several matrices: {names}. Pass the path of one."
                if found
                else "no file named matrix.mtx or matrix.mtx.gz. Pass a folder that Cell Ranger or "
                "STARsolo wrote, or a file."
            )
        )
    prefix = found[0].name.partition("matrix.mtx")[0]

    def table(*stems: str) -> pd.DataFrame:
        names = [f"{prefix}{stem}.tsv{end}" for stem in stems for end in ("", ".gz")]
        for name in names:
            if (folder / name).is_file():
                return pd.read_csv(
                    folder / name, sep="\t", header=None, dtype=str, keep_default_na=False
                )
        raise InputError(
            f"Did not find {' or '.join(names)} beside {found[0].name}. Copy it to the folder."
        )

    features, barcodes = table("features", "genes"), table("barcodes")[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # about the class it returns
        matrix = sp.csr_matrix(mmread(found[0]).T)
    symbols = features[min(1, features.shape[1] - 1)]
    kinds = features[2].to_numpy() if features.shape[1] > 2 else None
    return _cells(matrix, barcodes.to_numpy(), symbols.to_numpy(), features[0].to_numpy(), kinds)


def read_loom(path: Path) -> AnnData:
    """A loom file: the main matrix, and attributes of cells and genes with one value each."""
    import anndata
    import h5py

    with h5py.File(path) as file:
        matrix = file["matrix"]
        blocks = range(0, matrix.shape[0], _ROWS)
        values = sp.vstack([sp.csc_matrix(matrix[at : at + _ROWS]) for at in blocks], format="csc")
        var = _attributes(file["row_attrs"], matrix.shape[0])
        obs = _attributes(file["col_attrs"], matrix.shape[1])
    obs = _named(obs, ("CellID", "obs_names", "cell_names", "barcodes"), path)
    var = _named(var, ("Gene", "var_names", "gene_names", "gene_name", "Accession"), path)
    return anndata.AnnData(sp.csr_matrix(values.T), obs, var.set_index(_unique(var.index)))


def read_h5mu(path: Path, modality: str | None = None) -> AnnData:
    """One modality of a MuData file; ``"rna"``, or the only one, if None."""
    import h5py
    from anndata.io import read_elem

    with h5py.File(path) as file:
        names = list(file.get("mod", ()))
        chosen = modality or ("rna" if "rna" in names else names[0] if len(names) == 1 else None)
        if chosen not in names:
            raise InputError(
                f"{path.name} holds the modalities {listed(names)}. Pass modality=, one of them."
            )
        return read_elem(file["mod"][chosen])


def _cells(matrix: Any, barcodes: Any, symbols: Any, ids: Any, kinds: Any) -> AnnData:
    """Cells x genes from what the formats of Cell Ranger hold; other kinds of features go."""
    import anndata

    if matrix.shape != (len(barcodes), len(symbols)):
        raise InputError(
            f"the matrix is {matrix.shape[1]} genes x {matrix.shape[0]} cells, but there are "
            f"{len(symbols)} names of genes and {len(barcodes)} barcodes. Copy the files again."
        )
    matrix.check_format(full_check=True)
    adata = anndata.AnnData(
        matrix.astype(np.float32),
        obs=pd.DataFrame(index=pd.Index(barcodes, dtype=object)),
        var=pd.DataFrame({"gene_ids": ids}, index=_unique(pd.Index(symbols, dtype=object))),
    )
    if kinds is not None and not (genes := np.asarray(kinds) == _GENES).all() and genes.any():
        log.warning("%d of %d features are not genes and are left out.", (~genes).sum(), len(genes))
        return adata[:, genes].copy()
    return adata


def _unique(genes: pd.Index) -> pd.Index:
    """Names of genes, as scanpy makes them unique: ``TBCE``, ``TBCE-1``."""
    from anndata.utils import make_index_unique

    if genes.is_unique:
        return genes
    repeated = genes[genes.duplicated()].unique()
    log.warning(
        "%d names of genes are repeated and get a number: %s", len(repeated), listed(repeated)
    )
    return make_index_unique(genes)


def _text(dataset: Any) -> Any:
    """A column of text of an HDF5 file."""
    return np.array([_decoded(one) for one in dataset[:]], dtype=object)


def _decoded(value: Any) -> Any:
    """Text for bytes; other values as they are."""
    return value.decode() if isinstance(value, bytes) else value


def _attributes(group: Any, n: int) -> pd.DataFrame:
    """Attributes of a loom file with one value for each of n rows."""
    columns = {name: one for name, one in group.items() if one.shape == (n,)}
    return pd.DataFrame(
        {name: one[:] if one.dtype.kind in "biuf" else _text(one) for name, one in columns.items()},
        index=range(n),
    )


def _named(table: pd.DataFrame, names: tuple[str, ...], path: Path) -> pd.DataFrame:
    """The table indexed by the first column of these names."""
    column = next((name for name in names if name in table), None)
    if column is None:
        raise InputError(
            f"{path.name} names no cells or genes: it has none of the attributes {listed(names)}. "
            f"Its attributes: {listed(table)}."
        )
    return table.set_index(table[column].astype(str).rename(None)).drop(columns=column)
