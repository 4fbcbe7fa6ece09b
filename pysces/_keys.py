"""Keys of results in an AnnData: one class per kind of result, and one reader for all of them.

Each field of a class declares its slot of the AnnData and its key. The writer is
`pysces.data._results.write`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
import pandas as pd

from pysces._record import RunRecord
from pysces.errors import InputError, MissingKeyError

if TYPE_CHECKING:
    from anndata import AnnData

R = TypeVar("R", bound="Result")


def _at(attribute: str, place: str = "") -> dict[str, str]:
    """Place of a field: ``adata.<attribute>[key + place]``; for uns, ``adata.uns[key][place]``."""
    return {"attribute": attribute, "place": place}


@dataclass(frozen=True, eq=False, kw_only=True)
class Result:
    """Result of a run that is stored in an AnnData under one key, with its run record."""

    default_key: ClassVar[str]
    method: ClassVar[str]
    marks: ClassVar[str]
    """An entry of ``adata.uns[key]`` that identifies a result of this kind."""
    record: RunRecord = field(default_factory=RunRecord)


@dataclass(frozen=True, eq=False, kw_only=True)
class NetworkResult(Result):
    """A network, or one per group."""

    default_key = "aracne"
    method = "run_aracne"
    marks = "network"
    network: pd.DataFrame = field(metadata=_at("uns", "network"))
    """Edges, with a column ``group`` if there is one network per group."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ActivityResult(Result):
    """Activities, cells x regulators."""

    default_key = "viper"
    method = "run_viper"
    marks = "regulators"
    nes: pd.DataFrame = field(metadata=_at("obsm"))
    pvalues: pd.DataFrame | None = field(default=None, metadata=_at("obsm", "_pvalues"))
    qvalues: pd.DataFrame | None = field(default=None, metadata=_at("obsm", "_qvalues"))
    pes: pd.DataFrame | None = field(default=None, metadata=_at("obsm", "_pes"))
    sd: pd.DataFrame | None = field(default=None, metadata=_at("obsm", "_sd"))
    regulators: pd.DataFrame | None = field(default=None, metadata=_at("uns", "regulators"))
    """Facts about each regulator."""
    network: pd.DataFrame | None = field(default=None, metadata=_at("uns", "network"))
    """Edges of the network used, unless it has its own key; a column ``group`` if several."""


@dataclass(frozen=True, eq=False, kw_only=True)
class MastersResult(Result):
    """Master regulators of a difference between groups."""

    default_key = "msviper"
    method = "run_msviper"
    marks = "results"
    results: pd.DataFrame = field(metadata=_at("uns", "results"))
    leading_edge: pd.DataFrame = field(metadata=_at("uns", "leading_edge"))
    signature: pd.DataFrame = field(metadata=_at("uns", "signature"))
    shadow: pd.DataFrame | None = field(default=None, metadata=_at("uns", "shadow"))
    synergy: pd.DataFrame | None = field(default=None, metadata=_at("uns", "synergy"))
    network: pd.DataFrame | None = field(default=None, metadata=_at("uns", "network"))


@dataclass(frozen=True, eq=False, kw_only=True)
class RankingResult(Result):
    """Regulators ranked by the difference of their activity between groups."""

    default_key = "rank_regulators"
    method = "rank_regulators"
    marks = "ranking"
    ranking: pd.DataFrame = field(metadata=_at("uns", "ranking"))
    """One row per group and regulator."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ComparisonResult(Result):
    """Differences of the network of a group from that of a reference."""

    default_key = "comparison"
    method = "compare_networks"
    marks = "edges"
    edges: pd.DataFrame = field(metadata=_at("uns", "edges"))
    regulons: pd.DataFrame = field(metadata=_at("uns", "regulons"))


@dataclass(frozen=True, eq=False, kw_only=True)
class SignatureResult(Result):
    """Signatures, cells x genes."""

    default_key = "signature"
    method = "compute_signature"
    marks = "params"
    values: Any = field(metadata=_at("layers"))


@dataclass(frozen=True, eq=False, kw_only=True)
class EmbeddingResult(Result):
    """Coordinates of genes; NaN for those not in the network."""

    default_key = "regulon_embedding"
    method = "embed_regulators"
    marks = "eigenvalues"
    coordinates: np.ndarray[Any, Any] = field(metadata=_at("varm"))
    eigenvalues: np.ndarray[Any, Any] = field(metadata=_at("uns", "eigenvalues"))
    residuals: np.ndarray[Any, Any] = field(metadata=_at("uns", "residuals"))
    regulons: pd.DataFrame = field(metadata=_at("uns", "regulons"))


@dataclass(frozen=True, eq=False, kw_only=True)
class PoolsResult(Result):
    """The cells of each pool, in an AnnData of pools."""

    default_key = "metacells"
    method = "metacells"
    marks = "cells"
    cells: pd.DataFrame = field(metadata=_at("uns", "cells"))


def slots(kind: type[Result] | Result, key: str) -> dict[str, tuple[str, str, bool]]:
    """Attribute of an AnnData, key, and whether it is required, for each field of a result.

    Fields in ``uns`` are stored in ``adata.uns[key]``.
    """
    found = {}
    for one in fields(kind):
        if "attribute" in one.metadata:
            attribute, place = one.metadata["attribute"], one.metadata["place"]
            name = place if attribute == "uns" else key + place
            found[one.name] = attribute, name, one.default is MISSING
    return found


def holds(kind: type[Result], adata: AnnData, key: str) -> bool:
    """Whether a result of this kind is stored under a key."""
    stored = adata.uns.get(key)
    if not isinstance(stored, Mapping) or kind.marks not in stored:
        return False
    method = str(stored.get("method") or "")
    if method in {one.method for one in Result.__subclasses__()}:
        return method == kind.method
    # Version 0.1.0 recorded no method, and every result has what marks a signature
    return kind is not SignatureResult or key in adata.layers


def read(kind: type[R], adata: Any, key: str | None = None) -> R:
    """Read a result of one kind.

    Parameters
    ----------
    kind
        A class of this module.
    adata
        The data that the run was applied to.
    key
        The ``key_added`` of the run; None for the default.

    Raises
    ------
    InputError
        If it is not an AnnData.
    MissingKeyError
        If there is no such result.
    """
    key = kind.default_key if key is None else key
    if not (hasattr(adata, "uns") and hasattr(adata, "obsm")):
        raise InputError(f"Expected an AnnData, got {type(adata).__name__}.")
    stored = adata.uns.get(key)
    stored = stored if isinstance(stored, Mapping) else {}
    values = {}
    for name, (attribute, place, required) in slots(kind, key).items():
        there = stored if attribute == "uns" else getattr(adata, attribute)
        if place in there:
            values[name] = there[place]
        elif required:
            raise MissingKeyError(_not_found(kind, adata, key, attribute))
    return kind(record=RunRecord.of_entries(stored), **values)


def _not_found(kind: type[Result], adata: AnnData, key: str, attribute: str) -> str:
    argument = "" if key == kind.default_key else f", key_added={key!r}"
    others = [name for name in adata.uns if holds(kind, adata, name)]
    return (
        f"Did not find .{attribute}[{key!r}]. "
        f"Run `pysces.{kind.method}(adata{argument})` first."
        + (
            f" Results of this kind are stored under {', '.join(map(repr, others))}."
            if others
            else ""
        )
    )
