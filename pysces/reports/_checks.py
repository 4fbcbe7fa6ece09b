"""Check the data for a report."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pysces._keys import ActivityResult, NetworkResult, holds, read
from pysces._messages import listed
from pysces.network import groups_in

if TYPE_CHECKING:
    from anndata import AnnData

_FEW_SAMPLES = 100
_LOOKED_AT = 200


def data_checks(adata: AnnData, key: str, activity_key: str) -> list[tuple[bool, str]]:
    """Checks of the data: whether each one passed, and its message."""
    return [
        *_names(adata),
        *_size(adata, key),
        *_values(adata, activity_key),
        *_targets(adata, key),
        *_scores(adata, activity_key),
    ]


def _names(adata: AnnData) -> Iterator[tuple[bool, str]]:
    for names, what in ((adata.var_names, "gene"), (adata.obs_names, "sample")):
        repeated = names[names.duplicated()].unique()
        if len(repeated):
            yield False, f"{len(repeated)} {what} names are not unique: {listed(repeated, 5)}."
        else:
            yield True, f"All {len(names):,} {what} names are unique."


def _size(adata: AnnData, key: str) -> Iterator[tuple[bool, str]]:
    if not holds(NetworkResult, adata, key) or groups_in(adata, key):
        return  # each group has its own samples
    facts = read(NetworkResult, adata, key).record.facts
    samples = int(facts.get("n_samples", adata.n_obs))
    enough = samples >= _FEW_SAMPLES
    text = f"The network was inferred from {samples:,} samples."
    if facts:
        yield (
            enough,
            text if enough else f"{text} Below {_FEW_SAMPLES}, only strong edges are found.",
        )
    constant = int(facts.get("n_constant_genes", 0))
    if constant:
        yield False, f"{constant:,} genes do not vary and were left out of the network."
    if "n_samples" in facts and samples != adata.n_obs:
        yield (
            False,
            f"The network was inferred from {samples:,} samples; the data have {adata.n_obs:,}.",
        )


def _values(adata: AnnData, activity_key: str) -> Iterator[tuple[bool, str]]:
    """Check whether the values of the first cells look normalised."""
    if adata.X is None or adata.n_obs == 0 or adata.n_vars == 0:
        return
    block: Any = adata.X[:_LOOKED_AT]
    if hasattr(block, "compute"):
        block = block.compute()
    values = np.asarray(block.toarray() if hasattr(block, "toarray") else block, dtype=float)
    zeros = float((values == 0).mean())
    yield True, f"{zeros:.0%} of the values of the first {len(values):,} samples are zero."
    bad = int((~np.isfinite(values)).sum())
    if bad:
        yield False, f"{bad:,} values of the first {len(values):,} samples are not finite."
    layer, counted = None, False
    if holds(ActivityResult, adata, activity_key):
        record = read(ActivityResult, adata, activity_key).record
        layer = record.options.get("layer")
        counted = record.facts.get("signature") == "counts"
    counts = bool((values >= 0).all() and (values == np.round(values)).all() and values.max() > 20)
    if counts and activity_key in adata.obsm and layer is None and not counted:
        yield (
            False,
            "Values look like raw counts; activities require normalised, logarithmised values.",
        )


def _targets(adata: AnnData, key: str) -> Iterator[tuple[bool, str]]:
    if not holds(NetworkResult, adata, key):
        return
    edges = read(NetworkResult, adata, key).network
    genes = pd.Index(
        pd.unique(pd.concat([edges["source"].astype(str), edges["target"].astype(str)]))
    )
    absent = genes.difference(adata.var_names)
    if len(absent):
        yield False, f"{len(absent):,} of {len(genes):,} genes of the network are not in the data."
    else:
        yield True, f"All {len(genes):,} genes of the network are in the data."


def _scores(adata: AnnData, activity_key: str) -> Iterator[tuple[bool, str]]:
    scores = adata.obsm.get(activity_key)
    if not isinstance(scores, pd.DataFrame):
        return
    missing = int(scores.isna().to_numpy().sum())
    if missing:
        yield False, f"{missing:,} of {scores.size:,} activities are missing."
    facts = read(ActivityResult, adata, activity_key).regulators
    if isinstance(facts, pd.DataFrame) and "n_targets_missing" in facts and len(facts):
        lost = facts["n_targets_missing"] / (facts["n_targets"] + facts["n_targets_missing"])
        share = float(lost.mean())
        text = f"On average {share:.0%} of a regulon's targets are not measured."
        yield share < 0.5, text if share > 0 else "All targets of the regulons are measured."
