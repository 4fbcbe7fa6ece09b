"""The run record: how a result was computed."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import pandas as pd

from pysces._messages import listed
from pysces._version import __version__
from pysces.errors import MissingKeyError

_METHOD, _PARAMS, _FACTS, _ENGINE, _VERSION = "method", "params", "facts", "engine", "version"
_GROUPS, _GROUP_FACTS = "groups", "group_facts"


@dataclass(frozen=True, eq=False)
class RunRecord:
    """How a result was computed.

    Attributes
    ----------
    method
        Name of the function, such as ``"run_aracne"``; empty if it is unknown.
    options
        Every argument of the run by name; ``None`` where it was None.
    facts
        Facts about the data and the result.
    engine
        Name, version, device and precision of the engine.
    version
        Version of PySCES.
    groups
        Facts of each group, if the run used ``groupby=``.
    group
        The group that this record describes, if it is one of several.

    Examples
    --------
    >>> record = RunRecord("run_aracne", {"alpha": 0.05}, groups={"T": {"n_edges": 7}})
    >>> record.of_group("T").facts
    {'n_edges': 7}
    """

    method: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    engine: Mapping[str, str] = field(default_factory=dict)
    version: str = __version__
    groups: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    group: str | None = None

    @property
    def seed(self) -> int | None:
        """Seed of the run."""
        return self.options.get("seed")

    def of_group(self, group: str) -> RunRecord:
        """The record of one group.

        Raises
        ------
        MissingKeyError
            If there is no such group.
        """
        if group not in self.groups:
            raise MissingKeyError(
                f"Did not find the group {group!r}. "
                + (f"Groups: {listed(self.groups)}." if self.groups else "The run had no groupby=.")
            )
        return replace(
            self, facts={**self.facts, **self.groups[group]}, groups={}, group=str(group)
        )

    @classmethod
    def of_groups(cls, records: Mapping[str, RunRecord]) -> RunRecord:
        """One record of the runs of several groups."""
        first = next(iter(records.values()))
        facts = {group: record.facts for group, record in records.items()}
        return replace(first, facts={}, groups=facts)

    def entries(self) -> dict[str, Any]:
        """Entries of ``adata.uns[key]`` in addition to the result."""
        stored: dict[str, Any] = {
            _METHOD: self.method,
            _PARAMS: dict(self.options),
            _FACTS: dict(self.facts),
            _ENGINE: dict(self.engine),
            _VERSION: self.version,
        }
        if self.groups:
            stored[_GROUPS], arrays = _tables(self.groups)
            if arrays:
                stored[_GROUP_FACTS] = arrays
        return stored

    @classmethod
    def of_entries(cls, stored: Mapping[str, Any]) -> Self:
        """Read the record in ``adata.uns[key]``; an empty one if there is none.

        Version 0.1.0 stored options and facts in one dictionary: both then have all entries.
        """
        if _PARAMS not in stored:
            return cls(version="")
        options = _native(stored[_PARAMS])
        facts = _native(stored.get(_FACTS, options))
        engine = stored.get(_ENGINE, options.pop("engine", None)) or {}
        version = str(stored.get(_VERSION, options.pop("pysces_version", "")))
        groups = {}
        if _GROUPS in stored:
            groups = _by_group(stored[_GROUPS], stored.get(_GROUP_FACTS, {}))
        return cls(str(stored.get(_METHOD, "")), options, facts, dict(engine), version, groups)

    def __repr__(self) -> str:
        of = "" if self.group is None else f", group {self.group!r}"
        engine = f" on {self.engine['name']}" if "name" in self.engine else ""
        return f"RunRecord of {self.method or 'an unknown run'}{engine}, version {self.version}{of}"

    def _repr_html_(self) -> str:
        rows = [
            (kind, name, f"{value:.4g}" if isinstance(value, float) else str(value))
            for kind in ("options", "facts", "engine")
            for name, value in getattr(self, kind).items()
            if not isinstance(value, np.ndarray)  # counts by support
        ]
        table = pd.DataFrame(rows, columns=["", "name", "value"])
        return f"<p>{html.escape(repr(self))}</p>{table.to_html(index=False)}"


def _native(values: Mapping[str, Any]) -> dict[str, Any]:
    """Convert values read from a file to plain Python numbers and text."""
    return {
        str(name): value.item() if isinstance(value, np.generic) else value
        for name, value in values.items()
    }


def _tables(
    groups: Mapping[str, Mapping[str, Any]],
) -> tuple[pd.DataFrame, dict[str, np.ndarray[Any, Any]]]:
    """Facts of groups: single values as a table, counts as matrices, one row per group.

    Rows of counts of different lengths are filled with -1.
    """
    names = list(dict.fromkeys(name for facts in groups.values() for name in facts))
    arrays = [n for n in names if any(isinstance(f.get(n), np.ndarray) for f in groups.values())]
    scalars = [name for name in names if name not in arrays]
    rows = [{name: facts.get(name) for name in scalars} for facts in groups.values()]
    matrices = {}
    for name in arrays:
        parts = [np.asarray(facts.get(name, ())) for facts in groups.values()]
        matrix = np.full((len(parts), max(map(len, parts))), -1, dtype=np.int64)
        for row, part in zip(matrix, parts, strict=True):
            row[: len(part)] = part
        matrices[name] = matrix
    return pd.DataFrame(rows, index=list(groups), columns=scalars), matrices


def _by_group(
    table: pd.DataFrame, matrices: Mapping[str, np.ndarray[Any, Any]]
) -> dict[str, dict[str, Any]]:
    found = {}
    for place, group in enumerate(table.index.astype(str)):
        facts = {str(name): table[name].iloc[place] for name in table.columns}
        facts = {name: value for name, value in facts.items() if not pd.isna(value)}
        arrays = {str(name): np.asarray(matrix)[place] for name, matrix in matrices.items()}
        facts |= {name: row[row >= 0] for name, row in arrays.items() if (row >= 0).any()}
        found[group] = _native(facts)
    return found
