"""Figures of a ranking of pairs against a network that is known.

A pair is a regulator and another gene. *Directed*: all ordered pairs. *Undirected*: two regulators
are one pair, scored by the larger of both directions and true if either regulates the other.
Matrices are [regulators, genes]; the first genes are the regulators, in the same order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True, eq=False)
class Ranking:
    """Scores of all pairs, [regulators, genes], and the edges called, where a method calls any.

    ``called`` is bool [regulators, genes].
    """

    score: np.ndarray
    called: np.ndarray | None = None


def pair_mask(n_regulators: int, n_genes: int) -> np.ndarray:
    """Undirected pairs: no self pairs, two regulators once."""
    return np.arange(n_genes)[None, :] > np.arange(n_regulators)[:, None]


def pairs_of(scores: np.ndarray) -> np.ndarray:
    """Scores of the undirected pairs, [pairs]; of two regulators the larger of both directions."""
    n_regulators, n_genes = scores.shape
    scores = scores.astype(float)
    between = scores[:, :n_regulators]
    scores[:, :n_regulators] = np.maximum(between, between.T)
    return scores[pair_mask(n_regulators, n_genes)]


def directed_pairs_of(scores: np.ndarray) -> np.ndarray:
    """Scores of all ordered pairs of a regulator and another gene, [pairs]."""
    n_regulators, n_genes = scores.shape
    return scores.astype(float)[np.arange(n_genes)[None, :] != np.arange(n_regulators)[:, None]]


def average_precision(truth: np.ndarray, score: np.ndarray) -> float:
    """Area under precision and recall as steps: sum of (R_k - R_(k-1)) P_k; ties come together."""
    hits, places = _runs(truth, score)
    precision = np.cumsum(hits) / np.cumsum(places)
    return float((hits * precision).sum() / max(1, truth.sum()))


def auroc(truth: np.ndarray, score: np.ndarray) -> float:
    """P(score of a true pair > that of a false one) + P(equal) / 2 (Mann and Whitney)."""
    positives = int(truth.sum())
    negatives = len(truth) - positives
    if positives == 0 or negatives == 0:
        return float("nan")
    ranks = stats.rankdata(score)[truth].sum()
    return float((ranks - positives * (positives + 1) / 2) / (positives * negatives))


def precision_at(truth: np.ndarray, score: np.ndarray, share: float = 0.01) -> float:
    """Expected share of true pairs among the best pairs, ties in random order."""
    count = max(1, round(share * len(score)))
    hits, places = _runs(truth, score)
    taken = np.clip(count - (np.cumsum(places) - places), 0, places)
    return float((hits * taken / places).sum() / count)


def _runs(truth: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """True pairs and pairs at every distinct score, largest first."""
    _, place, places = np.unique(-score, return_inverse=True, return_counts=True)
    return np.bincount(place, weights=truth, minlength=len(places)), places


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Intersection / union of two sets of called pairs (bool); NaN if both are empty."""
    union = int((first | second).sum())
    return float((first & second).sum() / union) if union else float("nan")


def figures(truth: np.ndarray, related: np.ndarray | None, ranking: Ranking) -> dict[str, float]:
    """All figures of one ranking; those of called edges are NaN where a method calls none.

    ``truth`` is bool [regulators, genes], source -> target. ``related``: whether a pair has a cause
    in common, or None where that is unknown.
    """
    true = pairs_of(truth) > 0
    score = pairs_of(ranking.score)
    row = {
        "chance": float(true.mean()),
        "aupr": average_precision(true, score),
        "aupr_directed": average_precision(
            directed_pairs_of(truth) > 0, directed_pairs_of(ranking.score)
        ),
        "aupr_called": np.nan,
        "auroc": auroc(true, score),
        "precision_top1": precision_at(true, score),
        "edges": np.nan,
        "share": np.nan,
        "precision": np.nan,
        "recall": np.nan,
        "unrelated": np.nan,
    }
    if ranking.called is not None:
        called = pairs_of(ranking.called) > 0
        n_called = int(called.sum())
        row["aupr_called"] = average_precision(true, np.where(called, score, score.min() - 1))
        row["edges"] = n_called
        row["share"] = float(called.mean())
        row["recall"] = float((called & true).sum() / max(1, true.sum()))
        if n_called:
            row["precision"] = float((called & true).sum() / n_called)
        if n_called and related is not None:
            row["unrelated"] = float((called & ~(pairs_of(related) > 0)).sum() / n_called)
    return row
