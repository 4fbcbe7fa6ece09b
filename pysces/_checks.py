"""Check parameters, with uniform messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pysces._messages import listed, nearest
from pysces.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd
    from anndata import AnnData


def check_number(
    name: str,
    value: Any,
    low: float,
    high: float,
    *,
    open_low: bool = False,
    open_high: bool = False,
    or_else: str = "",
) -> None:
    """Raise InputError unless a parameter is a number in an interval."""
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    above = number and (value > low or (value == low and not open_low))
    below = number and (value < high or (value == high and not open_high))
    if not (above and below):
        interval = f"{'(' if open_low else '['}{low}, {high}{')' if open_high else ']'}"
        raise InputError(
            f"The '{name}' parameter must be a number in the range {interval}"
            f"{f' or {or_else}' if or_else else ''}. Got {value!r} instead."
        )


def check_integer(
    name: str, value: Any, low: int, high: int | None = None, *, or_else: str = ""
) -> None:
    """Raise InputError unless a parameter is an integer from ``low`` to ``high``.

    `or_else` names another valid value for the message.
    """
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < low or (high is not None and value > high):
        interval = f"[{low}, {'inf)' if high is None else f'{high}]'}"
        raise InputError(
            f"The '{name}' parameter must be an int in the range {interval}"
            f"{or_else and ' or ' + or_else}. Got {value!r} instead."
        )


def check_flag(name: str, value: Any) -> None:
    """Raise InputError unless a parameter is True or False."""
    if not isinstance(value, bool | np.bool_):
        raise InputError(f"The '{name}' parameter must be True or False. Got {value!r} instead.")


def check_column(adata: AnnData, column: Any, argument: str = "groupby") -> None:
    """Raise InputError unless an argument names a column of ``adata.obs``."""
    if not isinstance(column, str) or column not in adata.obs:
        raise InputError(
            f"Did not find .obs[{column!r}] of {argument}"
            f"{nearest(column, adata.obs)}. Available columns: {listed(adata.obs)}."
        )


def check_unique_genes(genes: pd.Index) -> None:
    """Raise InputError if a gene name occurs more than once."""
    if not genes.is_unique:
        repeated = genes[genes.duplicated()].unique()
        raise InputError(
            f"{len(repeated)} gene names occur more than once: {listed(repeated)}. "
            "Make them unique first, with `adata.var_names_make_unique()` or by merging the genes."
        )


def check_one_of(name: str, value: Any, allowed: Iterable[Any]) -> None:
    """Raise InputError unless a parameter is one of the allowed values."""
    allowed = list(allowed)
    # Compared with the type: 1 is not True, and arrays are never equal.
    if not any(type(value) is type(one) and value == one for one in allowed):
        raise InputError(f"The '{name}' parameter must be one of {allowed}. Got {value!r} instead.")
