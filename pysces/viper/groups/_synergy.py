"""Regulators in the shadow of others, and regulators that act together (msVIPER)."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import stats

from pysces import _seeds
from pysces.viper._enrichment import area_scores
from pysces.viper._pleiotropy import shared_pairs
from pysces.viper._regulons import Regulons
from pysces.viper._statistics import normal_table, two_sided

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pysces.viper.groups._masters import Masters

_FEWEST_SHARED = 2


def chosen(masters: Masters, regulators: float) -> NDArray[np.bool_]:
    """Mask of regulators with p < `regulators`, or of that many most significant ones if >= 1."""
    p = masters.pvalues
    if regulators < 1:
        return p < regulators
    marks = np.zeros(len(p), dtype=bool)
    marks[np.argsort(p, kind="stable")[: int(regulators)]] = True
    return marks


# --- shadow ---------------------------------------------------------------------------------------


def shadow_pairs(
    signature: NDArray[np.float64],
    masters: Masters,
    *,
    regulators: float = 0.01,
    targets: int = 10,
    shadow: float = 0.01,
    n_permutations: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Find regulators that are significant only through targets shared with another regulator.

    The score of B without the shared targets is compared with scores without the same number of
    randomly drawn targets; p(A, B) is the share of these scores that are not larger. B is in the
    shadow of A if p(A, B) is below ``shadow`` and p(B, A) is not.

    Returns
    -------
    Table with ``regulator`` (A), ``shadowed`` (B) and ``pvalue``.
    """
    regulons = _measured(masters.regulons, signature)
    pairs = shared_pairs(regulons, targets + 1, chosen(masters, regulators))
    size, sign = _uniform_scores(signature)
    p = np.ones(len(pairs.first))
    for pair in range(len(p)):
        own = regulons.edges(int(pairs.first[pair]))
        shared = pairs.shared[pairs.indptr[pair] : pairs.indptr[pair + 1]]
        genes = regulons.targets[own]
        names = regulons.names[pairs.second[pair]], regulons.names[pairs.first[pair]]
        if len(shared) < len(genes):
            p[pair] = _without(
                np.ones(len(genes)) * regulons.mode[own] * sign[genes],
                (1 - np.abs(regulons.mode[own])) * size[genes],
                regulons.likelihood[own],
                shared,
                n_permutations,
                _seeds.generator(seed, "shadow", *names),
            )
    # Pair (B, A) holds the score of B without the targets that it shares with A.
    hit = (p < shadow) & ~(p[pairs.reverse] < shadow)
    return pd.DataFrame(
        {
            "regulator": regulons.names[pairs.second[hit]],
            "shadowed": regulons.names[pairs.first[hit]],
            "pvalue": p[hit],
        }
    )


def without_shadows(regulons: Regulons, pairs: pd.DataFrame) -> Regulons:
    """Regulons without the targets that they share with regulators that shadow them."""
    kept = np.ones(len(regulons.targets), dtype=bool)
    at = {name: regulons.edges(number) for number, name in enumerate(regulons.names)}
    for over, under in zip(pairs["regulator"], pairs["shadowed"], strict=True):
        a, b = at[over], at[under]
        kept[b] &= ~np.isin(regulons.targets[b], regulons.targets[a])
    return regulons.take(kept, regulons.likelihood)


def _measured(regulons: Regulons, signature: NDArray[np.float64]) -> Regulons:
    """Regulons without targets that have no value, e.g. genes that are constant in both groups."""
    return regulons.take(~np.isnan(signature[regulons.targets]), regulons.likelihood)


def _uniform_scores(
    signature: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ranks of magnitudes, scaled to (0, 1), and of values, scaled to (-1, 1), ignoring NaN."""
    n = np.count_nonzero(~np.isnan(signature))
    size = stats.rankdata(np.abs(signature), nan_policy="omit") / (n + 1)
    return size, 2 * (stats.rankdata(signature, nan_policy="omit") / (n + 1) - 0.5)


def _without(
    directed: NDArray[np.float64],
    undirected: NDArray[np.float64],
    likelihood: NDArray[np.float64],
    shared: NDArray[np.integer],
    number: int,
    stream: np.random.Generator,
) -> float:
    """Share of random removals with a score at most that without the shared targets."""
    n = len(likelihood)
    left = np.ones((number + 1, n), dtype=bool)
    left[0, shared] = False
    for row in left[1:]:
        row[stream.choice(n, size=len(shared), replace=False)] = False
    weight = left * likelihood
    total = weight.sum(axis=1)
    score = np.abs(weight @ directed) / total + np.maximum(weight @ undirected / total, 0.0)
    return float((1 + np.count_nonzero(score[1:] <= score[0])) / (1 + number))


# --- synergy --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Together:
    """Regulons of the targets that several regulators share."""

    members: list[tuple[int, ...]]
    regulons: Regulons
    nes: NDArray[np.float64]

    @property
    def pvalues(self) -> NDArray[np.float64]:
        """Two-sided p-values [combinations]."""
        return two_sided(self.nes)


def combinations(
    signature: NDArray[np.float64],
    masters: Masters,
    *,
    regulators: float = 0.01,
    level: int = 2,
    min_targets: int = 10,
    keep_all: bool = False,
) -> Together:
    """Score the targets shared by combinations of `level` (2: pairs) of the chosen regulators.

    Modes are means over the members, each multiplied by the sign of its NES; likelihoods are
    products. A combination is kept if it is more significant than each of its members.
    """
    among = np.flatnonzero(chosen(masters, regulators))
    members, parts = [], []
    for size in range(2, level + 1):
        for group in itertools.combinations(among.tolist(), size):
            part = _shared_regulon(masters, group)
            if len(part[0]) >= max(min_targets, _FEWEST_SHARED):
                members.append(group)
                parts.append(part)
    regulons = _stacked(masters.regulons, members, parts)
    if not members:
        return Together([], regulons, np.zeros(0))
    _, nes = area_scores(signature[None], regulons)
    best = np.array([masters.pvalues[list(group)].min() for group in members])
    kept = np.flatnonzero(keep_all | (two_sided(nes[0]) < best))
    picked = _stacked(masters.regulons, [members[i] for i in kept], [parts[i] for i in kept])
    return Together([members[i] for i in kept], picked, nes[0][kept])


def _shared_regulon(
    masters: Masters, group: Sequence[int]
) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]:
    regulons = masters.regulons
    tables = []
    for member in group:
        edges = regulons.edges(member)
        sign = np.sign(masters.nes[member])
        tables.append((regulons.targets[edges], sign * regulons.mode[edges], edges))
    shared = tables[0][0]
    for genes, _, _ in tables[1:]:
        shared = np.intersect1d(shared, genes, assume_unique=True)
    mode = np.zeros(len(shared))
    likelihood = np.ones(len(shared))
    for genes, modes, edges in tables:
        at = np.searchsorted(genes, shared)
        mode += modes[at] / len(tables)
        likelihood *= regulons.likelihood[edges][at]
    return shared, mode, likelihood


def _stacked(
    regulons: Regulons,
    members: Sequence[tuple[int, ...]],
    parts: Sequence[tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]],
) -> Regulons:
    sizes = [len(part[0]) for part in parts]
    names = ["--".join(regulons.names[list(group)]) for group in members]
    columns = [np.concatenate([np.zeros(0), *(part[i] for part in parts)]) for i in range(3)]
    return replace(
        regulons,
        names=pd.Index(names, dtype=object),
        indptr=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        targets=columns[0].astype(np.int32),
        mode=columns[1],
        likelihood=columns[2],
        missing=np.zeros(len(names), dtype=np.int64),
    )


def synergy_pvalues(
    signature: NDArray[np.float64],
    masters: Masters,
    together: Together,
    *,
    n_permutations: int = 1000,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Synergy p-value of each combination: whether the score depends on the shared targets.

    The score of the union of the members' regulons without the shared targets is compared with
    scores without the same number of randomly drawn other targets.
    """
    masters = replace(masters, regulons=_measured(masters.regulons, signature))
    known = ~np.isnan(signature)
    doubled = np.asarray(2 * stats.rankdata(signature[known]), dtype=np.int64)
    n = len(doubled)
    signed, unsigned = np.zeros((2, len(signature)))
    signed[known] = normal_table(n)[doubled]
    # The smallest magnitude is mapped to 1 / (2 n) and the largest to 1 - 1 / (2 n).
    share = 2 * np.abs(doubled / (2 * (n + 1)) - 0.5)
    unsigned[known] = stats.norm.ppf(share + (1 - share.max(initial=0.0)) / 2)
    p = np.ones(len(together.members))
    for index, group in enumerate(together.members):
        genes, mode, likelihood = _united(masters, group)
        shared = np.flatnonzero(
            np.isin(genes, together.regulons.targets[together.regulons.edges(index)])
        )
        p[index] = _without(
            mode * signed[genes],
            (1 - np.abs(mode)) * unsigned[genes],
            likelihood,
            shared,
            n_permutations,
            _seeds.generator(seed, "synergy", together.regulons.names[index]),
        )
    return p


def _united(
    masters: Masters, group: Sequence[int]
) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]:
    """Union of the members' targets, with likelihood-weighted modes and largest likelihoods."""
    regulons = masters.regulons
    edges = [regulons.edges(member) for member in group]
    genes = np.unique(np.concatenate([regulons.targets[e] for e in edges]))
    weighted, total, largest = (np.zeros(len(genes)) for _ in range(3))
    for member, own in zip(group, edges, strict=True):
        at = np.searchsorted(genes, regulons.targets[own])
        likelihood = regulons.likelihood[own]
        weighted[at] += likelihood * np.sign(masters.nes[member]) * regulons.mode[own]
        total[at] += likelihood
        largest[at] = np.maximum(largest[at], likelihood)
    return genes, np.divide(weighted, total, out=0 * total, where=total > 0), largest
