"""What ``signature="auto"`` means for some data."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, get_args

from pysces.checks import check_one_of
from pysces.data.count_data import CountData, Counts, count_data
from pysces.errors import InputError
from pysces.viper.signatures import Choice, Method

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import ArrayLike

log = logging.getLogger("pysces")


def chosen_signature(
    adata: AnnData,
    signature: Choice,
    *,
    layer: str | None,
    counts: Counts,
    size_factors: str | ArrayLike | None,
    batch_key: str | None,
    argument: str = "signature",
    resampled: bool = False,
) -> tuple[Method, CountData | None]:
    """The signature that is computed; with the counts where they are judged given depth.

    resampled: whether the run needs null signatures or bootstraps, or the results of another
    program, which scores given depth do not have.
    """
    check_one_of(argument, signature, get_args(Choice))
    data = None
    if signature == "counts" or (signature == "auto" and not resampled):
        data = count_data(
            adata, layer=layer, counts=counts, size_factors=size_factors, batch_key=batch_key
        )
    elif counts is True:
        raise InputError(
            f"counts=True needs {argument}='counts' (or 'auto' without compat, n_permutations "
            f"and n_bootstraps). Got {argument}={signature!r}."
        )
    if signature == "counts" and data is None:
        raise InputError(
            f"{argument}='counts' needs counts: whole numbers of known depth, or values from which "
            "counts can be recovered. Pass the layer of raw counts, and size_factors= or "
            "counts=True where there are fewer than 1,000 genes."
        )
    if data is None and (size_factors is not None or batch_key is not None):
        log.warning("size_factors and batch_key are used with counts alone; they have no effect.")
    if signature in ("auto", "counts"):
        return "zscore", data
    return signature, data  # type: ignore[return-value]


def record_of_counts(
    data: CountData | None, size_factors: str | ArrayLike | None, batch_key: str | None
) -> dict[str, Any]:
    """What the run record says of counts."""
    named = size_factors is None or isinstance(size_factors, str)
    return {
        "counts": None if data is None else data.facts,
        "size_factors": size_factors if named else "given",
        "batch_key": batch_key,
    }
