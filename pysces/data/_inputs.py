"""Convert and check the matrices, masks and names that users pass."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pysces._checks import check_unique_genes
from pysces._messages import listed, nearest
from pysces.data._sources import ALL, as_positions
from pysces.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import ArrayLike, NDArray

    from pysces.data._sources import Positions

log = logging.getLogger("pysces")


def matrix_of(adata: AnnData, layer: str | None) -> tuple[Any, Positions, Positions]:
    """Matrix of an AnnData; for a view, that of its parent with the positions of the view.

    Accessing the matrix of a view would copy it as a whole (and read it as a whole if backed).
    """
    parent = getattr(adata, "_adata_ref", None) if adata.is_view else None
    owner = adata
    samples: Positions = ALL
    genes: Positions = ALL
    if parent is not None:
        owner = parent
        samples = as_positions(adata._oidx, parent.n_obs, "Samples")
        genes = as_positions(adata._vidx, parent.n_vars, "Genes")
    return owner.X if layer is None else owner.layers[layer], samples, genes


def gene_names(adata: AnnData, gene_symbols: str | None) -> pd.Index:
    """Names of the genes: those of ``var_names``, or of a column of ``var`` with symbols.

    Genes without a symbol, and those whose symbol occurs more than once, keep their ``var_names``.
    """
    names = adata.var_names
    if gene_symbols is None:
        return names
    if not isinstance(gene_symbols, str) or gene_symbols not in adata.var:
        raise InputError(
            f"Did not find .var[{gene_symbols!r}] of gene_symbols="
            f"{nearest(gene_symbols, adata.var)}. Available columns: {listed(adata.var)}."
        )
    symbols = adata.var[gene_symbols].astype(object)
    symbols = symbols.where(symbols.notna(), "").astype(str)
    unusable = (symbols.str.strip() == "") | symbols.duplicated(keep=False)
    if unusable.any():
        log.info(
            "%d of %d genes have no symbol of their own in .var[%r] and keep their var_names: %s",
            unusable.sum(),
            len(names),
            gene_symbols,
            listed(names[unusable], 5),
        )
    return pd.Index(symbols.where(~unusable, names.astype(str)).to_numpy(), name=names.name)


def gene_mask(adata: AnnData, mask_var: str | ArrayLike) -> NDArray[np.bool_]:
    """Genes to use, as a mask [genes of adata]."""
    if isinstance(mask_var, str):
        boolean = [c for c in adata.var.columns if pd.api.types.is_bool_dtype(adata.var[c])]
        if mask_var not in boolean:
            fact = "is not boolean" if mask_var in adata.var.columns else "does not exist"
            raise InputError(
                f"The column .var[{mask_var!r}] of mask_var {fact}. "
                f"Boolean columns of .var: {listed(boolean)}. Pass one of them or a mask."
            )
        mask_var = adata.var[mask_var]
    values = np.asarray(mask_var)
    if (
        values.dtype.kind == "O"
        and values.ndim == 1
        and all(isinstance(value, bool | np.bool_) for value in values)
    ):
        values = values.astype(bool)
    if values.dtype.kind != "b" or values.shape != (adata.n_vars,):
        raise InputError(
            f"mask_var must be a boolean mask of {adata.n_vars} genes, without missing values. "
            f"Got shape {values.shape} of type {values.dtype}."
        )
    return values


def frame_values(frame: pd.DataFrame) -> Any:
    """Values of a DataFrame; a frame of one plain number type is not copied."""
    types = set(frame.dtypes)
    wrong = {
        dtype
        for dtype in types
        if not (pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype))
        or pd.api.types.is_complex_dtype(dtype)
    }
    unusable = frame.columns[[dtype in wrong for dtype in frame.dtypes]] if wrong else ()
    if wrong:
        raise InputError(
            f"{len(unusable)} of {frame.shape[1]} columns are not numbers: {listed(unusable)}. "
            "Move names to the index and convert the rest with `.astype(float)`."
        )
    if frame.shape[1] and all(isinstance(dtype, pd.SparseDtype) for dtype in types):
        return frame.sparse.to_coo().tocsr()  # type: ignore[attr-defined]
    if all(isinstance(dtype, np.dtype) for dtype in types):
        values = frame.to_numpy()
        if values.dtype != object:  # as of columns of numbers and of booleans
            return values
    return frame.to_numpy(dtype=np.float64, na_value=np.nan)


def name_order(names: pd.Index) -> NDArray[np.intp]:
    """Positions that sort names: integers numerically, other names as text.

    >>> name_order(pd.Index(["10", "9", "1"])).tolist()
    [2, 1, 0]
    """
    texts = names.to_numpy().astype(str)
    if len(texts) and all(text.isdecimal() for text in texts):
        return np.lexsort((texts, np.char.str_len(np.char.lstrip(texts, "0"))))
    return np.argsort(texts, kind="stable")


def check_names(genes: pd.Index, n_samples: int, least_samples: int) -> None:
    """InputError unless there are genes, with a name each, and enough samples."""
    if len(genes) == 0 and least_samples:
        raise InputError("The expression matrix has no genes. Check the mask and the filtering.")
    if n_samples < least_samples:
        raise InputError(
            f"The expression matrix has {n_samples} sample(s); at least {least_samples} are "
            "needed. "
            "Rows are samples (cells) and columns genes: is the matrix transposed?"
        )
    check_unique_genes(genes)
    if (genes.str.strip() == "").any():
        raise InputError("A gene has an empty name. Name it or remove it.")
