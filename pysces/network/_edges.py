"""Check tables of edges: columns, names, ranges of the numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pysces._messages import listed
from pysces.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

COLUMNS = (
    "mi",
    "correlation",
    "mor",
    "likelihood",
    "support",
    "donors",
    "pvalue",
    "qvalue",
    "rank",
    "prior",
    "weight",
)
"""Numeric columns that an edge may have, in the order of the table."""

RANGES = {
    "correlation": (-1.0, 1.0),
    "mor": (-1.0, 1.0),
    "likelihood": (0.0, np.inf),
    "support": (0.0, np.inf),
    "donors": (0.0, np.inf),
    "pvalue": (0.0, 1.0),
    "qvalue": (0.0, 1.0),
    "rank": (1.0, np.inf),
}
"""Smallest and largest allowed number of a column, if limited."""


def checked_edges(edges: pd.DataFrame) -> pd.DataFrame:
    """Convert a table to canonical order and types, or raise InputError."""
    if missing := [name for name in ("source", "target") if name not in edges.columns]:
        raise InputError(
            f"The table of edges has no column {listed(missing)}; it has {listed(edges.columns)}. "
            "Rename its columns to 'source' (regulator) and 'target', or use "
            "`Network.from_dataframe` for the names of other programs."
        )
    if not edges.columns.is_unique:
        repeated = edges.columns[edges.columns.duplicated()]
        raise InputError(
            f"The table of edges has repeated columns: {listed(repeated)}. Drop one of each."
        )
    if unknown := [name for name in edges.columns if name not in ("source", "target", *COLUMNS)]:
        raise InputError(
            f"The table of edges has unknown columns: {listed(unknown)}. Known are 'source', "
            f"'target', {listed(COLUMNS)}. `Network.from_dataframe` leaves others out."
        )
    checked = pd.DataFrame({name: _names(edges[name], name) for name in ("source", "target")})
    _check_unique(checked)
    for name in COLUMNS:
        if name in edges.columns:
            checked[name] = _numbers(edges[name], name, checked)
    return checked


def _names(column: pd.Series, what: str) -> pd.Categorical:
    """Names as categories in the order of their first appearance, without unused ones."""
    try:
        given = pd.Categorical(column)
    except TypeError as error:
        raise InputError(f"The column {what!r} does not hold names ({error}).") from error
    if (n_missing := int((given.codes < 0).sum())) > 0:
        raise InputError(f"{n_missing} edges have no {what} (missing value). Drop those rows.")
    merged, texts = pd.factorize(given.categories.astype(str).astype(object))
    numbers, order = pd.factorize(merged[given.codes]) if len(given) else (merged[:0], merged[:0])
    names = texts[order]
    if any(not name.strip() for name in names):
        raise InputError(f"An edge has an empty name as its {what}. Name it or drop the row.")
    return pd.Categorical.from_codes(numbers, categories=pd.Index(names, dtype=object))


def _check_unique(edges: pd.DataFrame) -> None:
    n_targets = len(edges["target"].cat.categories)
    pair = edges["source"].cat.codes.astype(np.int64) * n_targets + edges["target"].cat.codes
    repeated = edges[pair.duplicated().to_numpy()].drop_duplicates()
    if len(repeated):
        shown = [f"{s} -> {t}" for s, t in repeated.head(11).itertuples(index=False)]
        raise InputError(
            f"{len(repeated)} edges occur more than once: {listed(shown[:10])}"
            f"{' and more' if len(repeated) > 10 else ''}. Keep one row for each, for example "
            "with `edges.drop_duplicates(['source', 'target'])`."
        )


def _numbers(column: pd.Series, name: str, edges: pd.DataFrame) -> NDArray[Any]:
    """Numbers of a column, int64 for integer dtypes, else float64."""
    if not pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_bool_dtype(column.dtype):
        raise InputError(
            f"Column {name!r} is not numeric but {column.dtype}. Convert it, for example with "
            "`pd.to_numeric`."
        )
    values: NDArray[Any] = column.to_numpy(dtype=np.float64, na_value=np.nan)
    lowest, highest = RANGES.get(name, (-np.inf, np.inf))
    for wrong, fact in (
        (~np.isfinite(values), "missing or infinite"),
        ((values < lowest) | (values > highest), f"outside [{lowest:g}, {highest:g}]"),
    ):
        if wrong.any():
            source, target = edges.loc[np.flatnonzero(wrong)[0], ["source", "target"]]
            raise InputError(
                f"Column {name!r} has {wrong.sum()} values that are {fact}, the first at the edge "
                f"{source} -> {target}. Drop or correct those edges."
            )
    return column.to_numpy(dtype=np.int64) if column.dtype.kind in "iu" else values
