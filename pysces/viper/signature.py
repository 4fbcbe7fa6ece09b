"""Compute signatures of a table of expression: :func:`signature`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from pysces._parameters import checked
from pysces.data._depth import count_data
from pysces.errors import InputError
from pysces.viper._cells import cells_of
from pysces.viper._signatures import Choice, count_signature, fit, reference_rows

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@checked()
def signature(
    expression: Any, *, method: Choice = "zscore", reference: ArrayLike | None = None
) -> pd.DataFrame:
    """Compute how the genes of each sample differ from the other samples, or from a reference.

    Parameters
    ----------
    expression
        Samples x genes: a DataFrame, or an AnnData (its ``X``), in memory or backed.
    method
        ``"zscore"``: (x - mean) / sd. ``"mad"``: (x - median) / (1.4826 median |x - median|).
        ``"rank"``: average rank among the samples. ``"ttest"``: t statistic of the differences from
        the other samples; against a reference, the normal score with the same p-value as t.
        ``"mean"``: x - mean. ``"none"``: the values unchanged. ``"counts"``: scores of counts
        (given, or recovered from normalised values) given the depth of their sample, whose mean is
        0 for any depth. ``"auto"``: ``"counts"`` for counts of at least 1,000 genes, otherwise
        ``"zscore"``.
    reference
        Samples to compare with: a boolean mask, positions or names. All samples by default.

    Returns
    -------
    Samples x genes. A gene that does not vary is missing (NaN). A gene that does not vary in the
    reference is infinite in samples that differ from it, and so has an extreme rank. Values have 36
    significant bits, as in :func:`run_viper`, so that genes with proportional profiles (e.g. two
    genes that are detected in the same single cell), whose scores differ only by rounding errors,
    are tied. ``enrich`` of the result therefore equals :func:`run_viper`.

    Raises
    ------
    InputError
        If names are not unique, or the reference or the method is invalid.

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
        raise InputError("The table has no genes. Pass a table of samples x genes.")
    rows = reference_rows(reference, names)
    known: Any = {"index": names, "columns": cells.genes}
    if method in ("auto", "counts"):
        from anndata import AnnData

        text = known | {"index": names.astype(str)}  # AnnData warns of other names
        table = AnnData(pd.DataFrame(cells.sample_block(), **text))
        data = count_data(table, counts=True if method == "counts" else "auto")
        if data is not None:
            return pd.DataFrame(count_signature(data, rows, names), **known)
        method = "zscore"
    fitted = fit(cells, method, rows)  # type: ignore[arg-type]
    values = cells.sample_block(copy=method == "none")
    return pd.DataFrame(fitted.of(values), **known)
