"""Write results to an AnnData, completely or not at all, in types of h5ad and zarr."""

from __future__ import annotations

import copy
import dataclasses
import datetime
import enum
import logging
import numbers
import os
from collections.abc import Mapping, Set
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from pysces._keys import Result, holds, slots
from pysces._messages import listed
from pysces.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData

    from pysces.network import Network

log = logging.getLogger("pysces")

_LARGEST_INT = 2**63 - 1
_ABSENT = object()


def check_key(key: Any, what: str = "key_added") -> str:
    """Check a name under which an AnnData can store something in h5ad and zarr.

    Raises
    ------
    InputError
        If it is not text, is empty, is "." or "..", or contains "/".
    """
    if not isinstance(key, str) or key.strip() in ("", ".", "..") or "/" in key or "\0" in key:
        raise InputError(
            f"{what} must be text without '/', and not empty: h5ad and zarr files use '/' to "
            f"separate folders. Got {key!r}. Replace '/' by '_', for example."
        )
    return key


def check_column_name(name: Any, what: str = "The name of a column") -> str:
    """Check a name of a column, which must not be that of the index in h5ad and zarr files."""
    if name == "_index":
        raise InputError(
            f"{what} must not be '_index', which h5ad and zarr files use for the names of rows. "
            "Rename it."
        )
    return check_key(name, what)


def check_anndata(adata: Any) -> None:
    """Raise InputError unless the argument is an AnnData."""
    if not all(hasattr(adata, name) for name in ("uns", "obsm", "obs_names")):
        raise InputError(
            f"Expected an AnnData, got {type(adata).__name__}. For tables use `pysces.signature`, "
            "`pysces.enrich` or `pysces.infer_network`."
        )


def check_target(adata: Any, copy: bool = False) -> None:
    """Raise InputError unless results can be written to an AnnData (or to its copy)."""
    check_anndata(adata)
    if adata.isbacked and (copy or adata.is_view):
        what = "A copy" if copy else "A view"
        raise InputError(
            f"{what} of an AnnData on disk cannot hold results. Read it first, with "
            "`adata.to_memory()`."
        )


def check_free(adata: AnnData, key: str, kind: type[Result]) -> str:
    """Check a key for a result: it must be unused, or hold an earlier result of the same kind.

    Raises
    ------
    InputError
        If the key holds something else, which would be overwritten.
    """
    check_key(key)
    if holds(kind, adata, key):
        return key
    there = [("uns", key)] if adata.uns.get(key) is not None else []
    there += [
        (attribute, place)
        for attribute, place, required in slots(kind, key).values()
        if required and attribute != "uns" and place in getattr(adata, attribute)
    ]
    if there:
        raise InputError(
            f".{there[0][0]}[{there[0][1]!r}] holds something else, which would be overwritten. "
            "Pass another key_added=, or delete it first."
        )
    return key


def plain(value: Any) -> Any:
    """Convert a value to the nearest one that h5ad and zarr files can store.

    Tuples, lists and sets (sorted) become arrays, or dictionaries numbered "0", "1", ... where
    the items are not all numbers or all text; paths, dates and enumerations become text; None stays
    None, but becomes ``"None"`` among the items of a list; generators, functions and other objects
    become their names; keys become text. Tables and arrays are copied.

    Raises
    ------
    InputError
        If a key or the name of a column contains "/", or two keys are equal as text.

    Examples
    --------
    >>> plain({"alpha": 0.05, "layer": None, 3: ("a", "b")})
    {'alpha': 0.05, 'layer': None, '3': array(['a', 'b'], dtype=object)}
    """
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if isinstance(value, numbers.Integral):
        return int(value) if abs(int(value)) <= _LARGEST_INT else str(int(value))
    if isinstance(value, numbers.Real):
        return float(value)
    if value is None:
        return None
    if isinstance(value, str | numbers.Complex):
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
    # Not repr: it contains memory addresses, so equal runs would differ
    named = value if hasattr(value, "__qualname__") else type(value)
    return f"{named.__module__}.{named.__qualname__}"


def _plain_mapping(value: Mapping[Any, Any]) -> dict[str, Any]:
    keys = [check_key(str(key), "A key") for key in value]
    if len(set(keys)) < len(keys):
        raise InputError(f"Keys are equal as text: {listed(keys)}. Rename one of them.")
    items = zip(keys, value.values(), strict=True)
    return {key: plain(item) for key, item in items}


def _plain_items(items: list[Any]) -> Any:
    items = ["None" if item is None else plain(item) for item in items]
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
            "A table with several levels of row or column names cannot be stored. "
            "Flatten it first, with `reset_index()`."
        )
    names = [check_column_name(str(name)) for name in frame.columns]
    if len(set(names)) < len(names):
        raise InputError("A table with repeated column names cannot be stored. Rename them.")
    stored = frame.copy()
    stored.columns = names
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


def write(adata: AnnData, key: str, result: Result) -> None:
    """Write a result and its record under a key, completely or not at all.

    Parts of an earlier result of the same kind that this one lacks are removed.

    Raises
    ------
    InputError
        If a key or a value cannot be stored; nothing has been written then.
    """
    check_free(adata, key, type(result))
    ours = holds(type(result), adata, key)
    stored: dict[str, Any] = result.record.entries()
    entries: dict[tuple[str, str], Any] = {}
    for name, (attribute, place, _) in slots(result, key).items():
        value = getattr(result, name)
        if attribute == "uns":
            stored |= {} if value is None else {place: value}
        elif value is not None:
            check_key(place)
            entries[attribute, place] = _aligned(value)
            if not ours and place in getattr(adata, attribute):
                log.warning(
                    ".%s[%r] was not written by an earlier run and is replaced.", attribute, place
                )
        elif ours:
            entries[attribute, place] = _ABSENT
    entries["uns", key] = plain(stored)
    before: list[tuple[str, str, Any]] = []
    try:
        for (attribute, place), value in entries.items():
            slot = getattr(adata, attribute)
            before.append((attribute, place, slot.get(place, _ABSENT)))
            _put(slot, place, value)
    except BaseException:
        for attribute, place, value in reversed(before):
            _put(getattr(adata, attribute), place, value)
        raise


def _aligned(value: Any) -> Any:
    """Convert names in a matrix or table over the cells; the names of cells are unchanged."""
    if not isinstance(value, pd.DataFrame):
        return value
    stored = _plain_frame(value)
    stored.index = value.index
    return stored


def _put(slot: Any, key: str, value: Any) -> None:
    """Set a value, or delete the key if the value is None."""
    if value is not _ABSENT:
        slot[key] = value
    elif key in slot:
        del slot[key]


def grouped_edges(networks: Mapping[str, Network]) -> pd.DataFrame:
    """Edges of several networks as one table, with a categorical column ``group``."""
    tables = [
        network.to_dataframe().astype({"source": object, "target": object}).assign(group=group)
        for group, network in networks.items()
    ]
    groups = pd.CategoricalDtype([str(group) for group in networks])
    joined = pd.concat(tables, ignore_index=True)
    return joined.astype({"source": "category", "target": "category", "group": groups})
