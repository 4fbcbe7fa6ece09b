"""Signatures of a table of expression."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from pysces.data._depth import count_data
from pysces.errors import InputError
from pysces.viper._cells import cells_of
from pysces.viper._signatures import Choice, count_signature, fit, reference_rows

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def signature(
    expression: Any, *, method: Choice = "zscore", reference: ArrayLike | None = None
) -> pd.DataFrame:
    """How each sample's genes differ from the other samples, or from a reference.

    Parameters
    ----------
    expression
        Samples x genes: a DataFrame, or an AnnData (its ``X``), in memory or backed.
    method
        ``"zscore"``: (x - mean) / sd. ``"mad"``: (x - median) / (1.4826 median |x - median|).
        ``"rank"``: average rank among the samples. ``"ttest"``: t of the differences from the
        other samples; against a reference, the normal score with the t's p-value. ``"mean"``:
        x - mean. ``"none"``: the values as they are. ``"counts"``: scores of counts (given, or
        recovered from normalised values) given the depth of their sample, whose mean is 0
        whatever the depth. ``"auto"``: ``"counts"`` for counts of at least 1,000 genes, else
        ``"zscore"``.
    reference
        Samples to compare with: a boolean mask, positions or names. All by default.

    Returns
    -------
    Samples x genes. A gene that does not vary is missing (NaN); one that does not vary in the
    reference but differs from it is infinite, and so ranks at the end. Values have 36 significant
    bits, as in :func:`run_viper`: genes with proportional profiles (two that are detected in the
    same single cell) have equal scores but for rounding, and become ties. ``enrich`` of the result
    therefore equals :func:`run_viper`.

    Raises
    ------
    InputError
        If names repeat, the reference is empty or unknown, or the method is not known.

    References
    ----------
    Alvarez et al. 2016, Nature Genetics 48:838 (signatures of VIPER).

    Examples
    --------
    >>> table = pd.DataFrame({"MYC": [1.0, 2.0, 3.0], "ACTB": [5.0, 5.0, 5.0]})
    >>> signature(table)["MYC"].tolist()
    [-1.0, 0.0, 1.0]
    """
    cells, names = cells_of(expression, allow_infinite=method in ("none", "rank"))
    if cells.n_genes == 0:
        raise InputError("The table has no genes.")
    rows = reference_rows(reference, names)
    known: Any = {"index": names, "columns": cells.genes}
    if method in ("auto", "counts"):
        from anndata import AnnData

        table = AnnData(pd.DataFrame(cells.sample_block(), **known))
        data = count_data(table, counts=True if method == "counts" else "auto")
        if data is not None:
            return pd.DataFrame(count_signature(data, rows, names), **known)
        method = "zscore"
    fitted = fit(cells, method, rows)  # type: ignore[arg-type]
    values = cells.sample_block(copy=method == "none")
    return pd.DataFrame(fitted.of(values), **known)
