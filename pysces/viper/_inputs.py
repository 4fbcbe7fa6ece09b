"""Inputs of VIPER: expression or counts, the reference and the kind of signature."""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING, get_args

from pysces._checks import check_one_of
from pysces._messages import listed, outside
from pysces.data._count_data import CountData, Counts
from pysces.data._depth import count_data
from pysces.data._expression import Expression
from pysces.data._labels import group_mask, labels_of
from pysces.data._recovery import looks_like_counts
from pysces.errors import InputError, PyscesWarning
from pysces.viper._signatures import Choice, Method, reference_rows

if TYPE_CHECKING:
    import numpy as np
    from anndata import AnnData
    from numpy.typing import ArrayLike, NDArray

log = logging.getLogger("pysces")

_SPOILT_BY_DEPTH = ("none", "zscore", "mad", "ttest", "mean")


def chosen_signature(
    adata: AnnData,
    signature: Choice,
    *,
    layer: str | None,
    counts: Counts,
    size_factors: str | ArrayLike | None,
    batch_key: str | None,
    gene_symbols: str | None = None,
    argument: str = "signature",
    resampled: bool = False,
) -> tuple[Method, CountData | None]:
    """The kind of signature to compute, and the counts if it is "counts".

    resampled: whether the run needs null signatures, bootstraps or compatibility with another
    program, none of which is available for scores given depth.
    """
    check_one_of(argument, signature, get_args(Choice))
    data = None
    if signature == "counts" or (signature == "auto" and not resampled):
        data = count_data(
            adata,
            layer=layer,
            counts=counts,
            size_factors=size_factors,
            batch_key=batch_key,
            gene_symbols=gene_symbols,
        )
    elif counts is True:
        raise InputError(
            f"counts=True needs {argument}='counts' (or 'auto' without compat, n_permutations "
            f"and n_bootstraps). Got {argument}={signature!r}."
        )
    if signature == "counts" and data is None:
        raise InputError(
            f"{argument}='counts' needs counts: integers of known depth, or values from which "
            "counts can be recovered. Pass the layer of raw counts, and size_factors= or "
            "counts=True if there are fewer than 1,000 genes."
        )
    if data is None and counts is not False and signature in _SPOILT_BY_DEPTH:
        _warn_counts(adata, layer, argument, signature)
    if data is None and (size_factors is not None or batch_key is not None):
        log.warning("size_factors and batch_key are only used with counts; ignoring them.")
    if signature in ("auto", "counts"):
        return "zscore", data
    return signature, data  # type: ignore[return-value]


def _warn_counts(adata: AnnData, layer: str | None, argument: str, signature: str) -> None:
    """Warn that raw counts are used as they are."""
    if not looks_like_counts(source_of(adata, layer)):
        return
    remedy = (
        f"They are no signature: leave {argument}= out, or pass the layer that holds signatures."
        if signature == "none"
        else f"Leave {argument}= out, or normalise and logarithmise them first. Pass counts=False "
        "if they are not counts."
    )
    warnings.warn(
        f"{argument}={signature!r}, but all values are whole numbers, none of them negative, as "
        f"raw counts: the depth of a cell then appears as activity. {remedy}",
        PyscesWarning,
        stacklevel=outside(),
    )


def source_of(adata: AnnData, layer: str | None, gene_symbols: str | None = None) -> Expression:
    """Expression of an AnnData, which must have at least one cell."""
    return Expression.from_anndata(
        adata, layer=layer, gene_symbols=gene_symbols, allow_missing=True, least_samples=1
    )


def reference_of(
    adata: AnnData, reference: ArrayLike | str | None, groupby: str | None
) -> NDArray[np.intp] | None:
    """Positions of the reference cells; None for all cells."""
    if not isinstance(reference, str):
        return reference_rows(reference, adata.obs_names)
    if groupby is None:
        raise InputError(
            f"reference={reference!r} must be a group of groupby=, a column of adata.obs: "
            f"{listed(adata.obs.columns)}. Pass groupby= too, or a mask of cells as reference."
        )
    return reference_rows(
        group_mask(labels_of(adata, groupby), groupby, reference), adata.obs_names
    )
