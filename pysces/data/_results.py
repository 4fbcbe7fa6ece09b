"""Results in an AnnData: written whole or not at all, with values that h5ad and zarr can hold."""

from __future__ import annotations

import copy
import dataclasses
import datetime
import enum
import numbers
import os
from collections.abc import Mapping, Set
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from pysces._keys import ActivityKeys, NetworkKeys
from pysces._messages import listed
from pysces.errors import InputError
from pysces.network import Network

if TYPE_CHECKING:
    from anndata import AnnData

_LARGEST_INT = 2**63 - 1
_ABSENT = object()


def check_key(key: Any, what: str = "key_added") -> str:
    """A name under which an AnnData can store something, in h5ad and in zarr.

    Raises
    ------
    InputError
        If it isn't text, is empty, is a dot or two, or holds "/".
    """
    if not isinstance(key, str) or key.strip() in ("", ".", "..") or "/" in key or "\0" in key:
        raise InputError(
            f"{what} must be text without '/', and not empty: h5ad and zarr files use '/' to "
            f"separate folders. Got {key!r}. Replace '/' by '_', for example."
        )
    return key


def check_target(adata: Any, copy: bool = False) -> None:
    """InputError unless results can be written to an AnnData (to its copy, for ``copy``)."""
    if not all(hasattr(adata, name) for name in ("uns", "obsm", "obs_names")):
        raise InputError(
            f"Expected an AnnData, got {type(adata).__name__}. For tables use `pysces.signature`, "
            "`pysces.enrich` or `pysces.infer_network`."
        )
    if adata.isbacked and (copy or adata.is_view):
        what = "A copy" if copy else "A view"
        raise InputError(
            f"{what} of an AnnData on disk can't hold results. Read it first, with "
            "`adata.to_memory()`."
        )


def check_free(adata: AnnData, key: str, holds: str) -> str:
    """A key under which a result may be written: free, or with an earlier result of its kind.

    Parameters
    ----------
    adata
        Where the result is to go.
    key
        Name in ``adata.uns``.
    holds
        What a result of this kind has in ``uns[key]``: ``"network"``, ``"results"`` or, for
        activities, ``"regulators"``.

    Raises
    ------
    InputError
        If something else is there: it would be lost.
    """
    check_key(key)
    there = adata.uns.get(key)
    if there is not None and not (isinstance(there, Mapping) and holds in there):
        raise InputError(
            f".uns[{key!r}] holds something else, which would be lost. "
            "Pass another key_added=, or delete it first."
        )
    return key


def plain(value: Any) -> Any:
    """A value that h5ad and zarr files hold, as near to the one given as they allow.

    Tuples, lists and sets (sorted) become arrays, or dictionaries numbered "0", "1", ... where
    the items are not all numbers or all text; paths, dates and enumerations become text; a key
    whose value is None is left out (``params.get("layer")`` is then None again), and a None in a
    list becomes ``"None"``, since it has a place; generators, functions and other objects become
    their names; keys become text. Tables and arrays are copied.

    Raises
    ------
    InputError
        If a key or the name of a column holds "/", or two keys are the same as text.

    Examples
    --------
    >>> plain({"alpha": 0.05, "layer": None, 3: ("a", "b")})
    {'alpha': 0.05, '3': array(['a', 'b'], dtype=object)}
    """
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if isinstance(value, numbers.Integral):
        return int(value) if abs(int(value)) <= _LARGEST_INT else str(int(value))
    if isinstance(value, numbers.Real):
        return float(value)
    if value is None or isinstance(value, str | numbers.Complex):
        return str(value)
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return _plain_container(value)


def _plain_container(value: Any) -> Any:
    if isinstance(value, Mapping):
        return _plain_mapping(value)
    if isinstance(value, pd.DataFrame):
        return _plain_frame(value)
    if sp.issparse(value):
        return copy.copy(value)
    if isinstance(value, np.ndarray | pd.Series | pd.Index | pd.api.extensions.ExtensionArray):
        return _plain_array(np.asarray(value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain_mapping({f.name: getattr(value, f.name) for f in dataclasses.fields(value)})
    if isinstance(value, Set):
        return _plain_items(sorted(value, key=lambda item: (type(item).__name__, str(item))))
    if isinstance(value, list | tuple | range):
        return _plain_items(list(value))
    if isinstance(value, np.random.Generator):
        return f"Generator({type(value.bit_generator).__name__})"
    # Not repr: it would tell memory addresses, and two equal runs would differ
    named = value if hasattr(value, "__qualname__") else type(value)
    return f"{named.__module__}.{named.__qualname__}"


def _plain_mapping(value: Mapping[Any, Any]) -> dict[str, Any]:
    keys = [check_key(str(key), "A key") for key in value]
    if len(set(keys)) < len(keys):
        raise InputError(f"Keys are the same as text: {listed(keys)}. Rename one of them.")
    items = zip(keys, value.values(), strict=True)
    return {key: plain(item) for key, item in items if item is not None}


def _plain_items(items: list[Any]) -> Any:
    items = [plain(item) for item in items]
    if all(isinstance(item, str) for item in items):
        return np.array(items, dtype=object)
    if all(isinstance(item, bool) for item in items):
        return np.array(items, dtype=bool)
    if all(isinstance(item, int | float) and not isinstance(item, bool) for item in items):
        return np.array(items)
    return {str(number): item for number, item in enumerate(items)}


def _plain_array(array: np.ndarray[Any, Any]) -> Any:
    if array.ndim == 0:
        return plain(array.item())
    if array.dtype.kind in "biuf":
        return array.copy()
    texts = [str(item) for item in array.ravel().tolist()]
    return np.array(texts, dtype=object).reshape(array.shape)


def _plain_frame(frame: pd.DataFrame) -> pd.DataFrame:
    if frame.columns.nlevels > 1 or frame.index.nlevels > 1:
        raise InputError(
            "A table with several levels of row or column names can't be stored. "
            "Flatten it first, with `reset_index()`."
        )
    names = [check_key(str(name), "The name of a column") for name in frame.columns]
    if len(set(names)) < len(names):
        raise InputError("A table with repeated column names can't be stored. Rename them.")
    stored = frame.set_axis(names, axis=1).copy()
    for name in names:
        if stored[name].dtype.kind not in "biuf":
            values = stored[name]
            categories = values.cat.categories if hasattr(values, "cat") else None
            if categories is None:
                stored[name] = _plain_array(np.asarray(values))
            else:
                stored[name] = values.cat.rename_categories(_plain_array(np.asarray(categories)))
    stored.index = stored.index.astype(str)
    return stored


def write_entries(adata: AnnData, entries: Mapping[tuple[str, str], Any]) -> None:
    """Write values to an AnnData, all of them or none.

    Parameters
    ----------
    adata
        Changed in place.
    entries
        Value for each (attribute, key), such as ``("uns", "aracne")`` or ``("obsm", "viper")``.

    Raises
    ------
    InputError
        If a key or a value can't be stored; nothing has been written then.
    """
    ready = {}
    for (attribute, key), value in entries.items():
        check_key(key)
        ready[attribute, key] = plain(value) if attribute == "uns" else _aligned(value)
    before: list[tuple[str, str, Any]] = []
    try:
        for (attribute, key), value in ready.items():
            slot = getattr(adata, attribute)
            before.append((attribute, key, slot.get(key, _ABSENT)))
            getattr(adata, attribute)[key] = value
    except BaseException:
        for attribute, key, value in reversed(before):
            _restore(getattr(adata, attribute), key, value)
        raise


def _aligned(value: Any) -> Any:
    """A matrix or table over the cells: only names need care, the cells' names stay."""
    if not isinstance(value, pd.DataFrame):
        return value
    index = value.index
    return _plain_frame(value).set_axis(index, axis=0)


def _restore(slot: Any, key: str, value: Any) -> None:
    if value is not _ABSENT:
        slot[key] = value
    elif key in slot:
        del slot[key]


def write_network(adata: AnnData, key: str, network: Network, params: Mapping[str, Any]) -> None:
    """Write a network and how it was made to ``adata.uns[key]``, both or neither.

    ``uns[key]["network"]`` is the table of edges, ``uns[key]["params"]`` the parameters.
    """
    names = NetworkKeys(key)
    value = {names.network: network.to_dataframe(), names.params: params}
    write_entries(adata, {("uns", key): value})


def write_networks(
    adata: AnnData,
    key: str,
    networks: Mapping[str, tuple[Network, Mapping[str, Any]]],
    params: Mapping[str, Any],
) -> None:
    """Write the networks of groups and how they were made to ``adata.uns[key]``, all or none.

    ``uns[key]["network"]`` has the edges of all groups with a categorical column ``group``;
    ``uns[key]["groups"]`` the numbers in their records that aren't parameters, a DataFrame indexed
    by group; ``uns[key]["params"]`` the parameters.
    """
    names = NetworkKeys(key)
    tables = [
        network.to_dataframe().astype({"source": object, "target": object}).assign(group=group)
        for group, (network, _) in networks.items()
    ]
    edges = pd.concat(tables, ignore_index=True)
    groups = pd.CategoricalDtype(list(networks))
    edges = edges.astype({"source": "category", "target": "category", "group": groups})
    facts = pd.DataFrame(
        [
            {name: v for name, v in record.items() if name not in params and np.isscalar(v)}
            for _, record in networks.values()
        ],
        index=list(networks),
    )
    value = {names.network: edges, names.groups: facts, names.params: params}
    write_entries(adata, {("uns", key): value})


def read_network_of(adata: AnnData, key: str = NetworkKeys.key) -> Network:
    """The network in ``adata.uns[key]``; MissingKeyError if there is none."""
    return Network.from_anndata(adata, key)


def write_activity(
    adata: AnnData,
    key: str,
    activity: pd.DataFrame,
    params: Mapping[str, Any],
    *,
    regulators: pd.DataFrame | None = None,
    pvalues: pd.DataFrame | None = None,
    qvalues: pd.DataFrame | None = None,
) -> None:
    """Write protein activity and how it was made, all or nothing.

    Parameters
    ----------
    adata
        Changed in place.
    key
        Activity goes to ``obsm[key]``, parameters to ``uns[key]["params"]``.
    activity, pvalues, qvalues
        Tables cells x regulators; the latter go to ``obsm[f"{key}_pvalues"]`` and
        ``obsm[f"{key}_qvalues"]``. Those of an earlier run are removed where not given.
    params
        Parameters of the run.
    regulators
        Facts about each regulator, for ``uns[key]["regulators"]``.
    """
    names = ActivityKeys(key)
    record: dict[str, Any] = {names.params: params}
    if regulators is not None:
        record[names.regulators] = regulators
    entries: dict[tuple[str, str], Any] = {("uns", key): record, ("obsm", key): activity}
    optional = {names.pvalues: pvalues, names.qvalues: qvalues}
    entries |= {("obsm", k): table for k, table in optional.items() if table is not None}
    ours = key in adata.uns  # what an earlier run left may go; a stranger's may not
    write_entries(adata, entries)
    if not ours:
        return
    for stale in (k for k, table in optional.items() if table is None and k in adata.obsm):
        del adata.obsm[stale]
