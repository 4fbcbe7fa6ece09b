"""Networks of groups of samples: select the groups, and combine their results in one table."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from pysces._messages import listed, outside
from pysces.data._labels import labels_of
from pysces.errors import InputError, PyscesWarning

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData

T = TypeVar("T")


def groups_of(adata: AnnData, groupby: str, min_samples: int) -> dict[str, AnnData]:
    """The samples of each group, as views.

    Parameters
    ----------
    adata
        Samples x genes.
    groupby
        Column of ``adata.obs``; samples with a missing value are in no group.
    min_samples
        Groups with fewer samples are left out, and a warning names them.

    Raises
    ------
    InputError
        If there is no such column, or all groups are too small.
    """
    labels = labels_of(adata, groupby, "groupby=")
    sizes = labels.value_counts()
    small = [f"{name} ({size})" for name, size in sizes.items() if size < min_samples]
    remedy = "Lower min_samples=, or merge groups; below about 100 samples few edges are found."
    if len(small) == len(sizes):
        raise InputError(
            f"All groups of .obs[{groupby!r}] have fewer than {min_samples} samples: "
            f"{listed(small)}. {remedy}"
        )
    if small:
        warnings.warn(
            f"{len(small)} of {len(sizes)} groups have fewer than {min_samples} samples and get no "
            f"network: {', '.join(small)}. {remedy}",
            PyscesWarning,
            stacklevel=outside(),
        )
    numbers = np.asarray(labels.codes)
    return {
        str(name): adata[numbers == number]
        for number, name in enumerate(labels.categories)
        if sizes[name] >= min_samples
    }


def usable(groups: dict[str, AnnData], prepare: Callable[[AnnData], T]) -> dict[str, T]:
    """Prepared data of each group; unusable groups are left out with a warning that says why.

    Raises
    ------
    InputError
        If no group can be used; the message says why the first one cannot.
    """
    prepared: dict[str, T] = {}
    unusable: dict[str, InputError] = {}
    for name, part in groups.items():
        try:
            prepared[name] = prepare(part)
        except InputError as error:
            unusable[name] = error
    if not prepared:
        name, why = next(iter(unusable.items()))
        raise InputError(f"Group {name!r}: {why}") from why
    if unusable:
        named = [
            f"Group {name!r} cannot be used and gets no network: {why}"
            for name, why in unusable.items()
        ]
        warnings.warn(" ".join(named), PyscesWarning, stacklevel=outside())
    return prepared
