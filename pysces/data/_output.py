"""Write an AnnData block by block to h5ad or zarr, completely or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pysces._atomic import check_writable, replacing, storing
from pysces.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

FORMATS = (".h5ad", ".zarr")
_CHUNK_BYTES = 2**20


def check_output(path: Any, adata: AnnData) -> Path:
    """Check a path for a new h5ad or zarr file, before its content is computed.

    An existing file of the format is replaced at the end.

    Raises
    ------
    InputError
        If the format is unknown, the path cannot be written to, or is the file of ``adata``.
    """
    if not isinstance(path, str | os.PathLike) or Path(path).suffix not in FORMATS:
        raise InputError(f"output must be a path that ends in .h5ad or .zarr. Got {path!r}.")
    path = Path(path)
    if path.suffix == ".zarr" and path.is_dir():
        if not any((path / name).is_file() for name in (".zgroup", "zarr.json")):
            raise InputError(f"{str(path)!r} is a folder, but no zarr store. Pass another output=.")
        check_writable(path / "zarr.json")
    check_writable(path.with_suffix(".tmp") if path.suffix == ".zarr" else path)
    if adata.isbacked and path.exists() and path.samefile(adata.filename):
        raise InputError(
            f"{str(path)!r} is the file of the data, which would be overwritten. "
            "Pass another output=."
        )
    return path


@contextlib.contextmanager
def row_file(
    path: Path, adata: AnnData
) -> Iterator[Callable[[slice, Mapping[str, NDArray[Any]]], None]]:
    """Write all of an AnnData but its matrices; yield a function that writes rows of these.

    The function takes the rows, and their values by the place of the matrix (``"X"``,
    ``"layers/sd"``). All rows must be written. The file appears at the end, complete.
    """
    from anndata.io import write_elem

    replaced = replacing(path) if path.suffix == ".h5ad" else _replacing_folder(path)
    with replaced as own, _opened(own, path.suffix) as root:
        write_elem(root, "/", adata)
        for name in ("X", "raw"):  # an AnnData backed by the file would expect it to have a matrix
            if getattr(adata, name) is None and name in root:
                del root[name]

        def create(place: str, dtype: np.dtype[Any]) -> None:
            row = dtype.itemsize * adata.n_vars
            length = max(1, min(adata.n_obs, _CHUNK_BYTES // max(1, row)))
            options: dict[str, Any] = {"chunks": (length, adata.n_vars)}
            if path.suffix == ".h5ad":
                options["maxshape"] = adata.shape
            none = np.empty((0, adata.n_vars), dtype=dtype)
            folder, _, name = place.rpartition("/")
            write_elem(root[folder] if folder else root, name, none, dataset_kwargs=options)
            root[place].resize(adata.shape)

        def write_rows(rows: slice, matrices: Mapping[str, NDArray[Any]]) -> None:
            for place, values in matrices.items():
                if place not in root:
                    create(place, values.dtype)
                root[place][rows] = values

        yield write_rows


@contextlib.contextmanager
def _replacing_folder(path: Path) -> Iterator[Path]:
    """A folder beside a path, which it replaces unless there was an error."""
    own, old = (path.with_name(f".{uuid.uuid4().hex}.{path.name}") for _ in range(2))
    with storing(path):
        try:
            yield own
            if path.is_dir():  # only an empty folder can be replaced
                os.replace(path, old)
            os.replace(own, path)
        finally:
            for left in (own, old):
                if left.is_dir():
                    shutil.rmtree(left)
                left.unlink(missing_ok=True)


@contextlib.contextmanager
def _opened(path: Path, suffix: str) -> Iterator[Any]:
    """A new group of h5py or zarr."""
    if suffix == ".h5ad":
        import h5py

        with h5py.File(path, "w") as root:
            yield root
    else:
        import anndata
        import zarr

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # from AnnData 0.13 on always 3
            chosen = getattr(anndata.settings, "zarr_write_format", 3)
        yield zarr.open_group(path, mode="w", zarr_format=chosen)
