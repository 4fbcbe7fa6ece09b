"""From candidates to a network: thresholds, resamples, pruning, consensus, the edge table."""

from __future__ import annotations

import contextlib
import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pysces import _seeds
from pysces.aracne._candidates import Candidates, Edges, ScoredCandidates, edges_above, mi_blocks
from pysces.aracne._correlation import spearman
from pysces.aracne._dpi import surviving
from pysces.aracne._estimators import Measure
from pysces.aracne._null import UNREACHABLE, Null, null_of
from pysces.aracne._options import AracneOptions
from pysces.aracne._resampling import CopulaResampler, Resampler, Resampling
from pysces.aracne._runner import Work
from pysces.aracne._significance import (
    adjusted,
    binomial_log_pvalues,
    decoy_qvalues,
    poisson_pvalues,
)
from pysces.aracne._support import Seen, SeenEdges
from pysces.dispatch import operations as ops
from pysces.errors import PyscesWarning
from pysces.network import Network

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pysces.aracne._estimators import Estimator


FEWEST_SAMPLES = 12  # of a half: in fewer no support means anything


@dataclass(frozen=True, eq=False)
class Found:
    """Edges of the network with what is known of them, and facts for the run record.

    `order` is what orders edges of the same support: the mean mutual information over resamples.
    """

    edges: Edges
    support: NDArray[np.int64]
    pvalues: NDArray[np.float64]
    qvalues: NDArray[np.float64]
    order: NDArray[np.int64]
    facts: dict[str, Any]


def infer(
    candidates: Candidates, options: AracneOptions, work: Work
) -> tuple[Network, dict[str, Any]]:
    """The network of these candidates, and facts about how it came about."""
    measure: Estimator
    if isinstance(candidates, ScoredCandidates):
        measure = candidates.scores.measure()
    else:
        measure = options.measure(candidates.expression.n_samples)
    if options.resampling is None:
        found = _without_resampling(candidates, measure, options)
    else:
        found = _with_resampling(candidates, measure, options, work)
    return _table(candidates, measure, found), found.facts


# --- one look at all samples --------------------------------------------------------------------


def _full_sample(candidates: Candidates) -> tuple[NDArray[np.int64], int]:
    """All samples, and the key of their ties."""
    return np.arange(candidates.expression.n_samples), _seeds.key(candidates.seed, "ties", "all")


def _without_resampling(
    candidates: Candidates, measure: Estimator, options: AracneOptions
) -> Found:
    null = null_of(measure, "permutation", options.n_null)
    # No test with a larger p-value can be significant under any of the corrections.
    threshold = null.threshold(options.alpha)
    edges, largest = _all_above(candidates, measure, threshold)
    pvalues, qvalues = _tested(candidates, edges, null, options)
    significant = qvalues <= options.alpha
    edges, pvalues, qvalues = edges.take(significant), pvalues[significant], qvalues[significant]
    # Where nothing passes: what a single edge would have needed
    needed = null.threshold(options.alpha / (candidates.n_pairs if options.correction else 1))
    smallest = int(edges.mi.min()) if len(edges) else needed
    facts = {
        "n_significant": len(edges),
        "threshold_mi": float(measure.nats(np.array(smallest))),
        "largest_mi": float(measure.nats(np.array(largest))),
    }
    kept = surviving(candidates, edges, options.dpi_method, options.dpi_tolerance)
    return Found(
        edges.take(kept),
        np.ones(int(kept.sum()), dtype=np.int64),
        pvalues[kept],
        qvalues[kept],
        edges.mi[kept],
        facts,
    )


def _all_above(candidates: Candidates, measure: Estimator, threshold: int) -> tuple[Edges, int]:
    """Pairs of all samples above a threshold, and the largest mutual information seen."""
    if isinstance(candidates, ScoredCandidates):
        n = candidates.expression.n_samples
        everything = Resampling(None, n, candidates.seed)
        whole = CopulaResampler(candidates, measure, everything, {n: threshold}, None, 0.0)
        edges, largest = whole.part((0,), slice(0, candidates.n_genes))[0]
        return edges, largest
    assert isinstance(measure, Measure)
    samples, tie_key = _full_sample(candidates)
    return edges_above(candidates, measure, samples, tie_key, threshold)


def _tested(
    candidates: Candidates, edges: Edges, null: Null, options: AracneOptions
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """p- and q-values; a pair of two regulators is one test, though it has two edges."""
    pvalues = null.pvalues(edges.mi)
    partner = candidates.regulator_of_gene()[edges.gene]
    counted = (partner < 0) | (edges.row < partner)
    qvalues = np.empty(len(edges))
    qvalues[counted] = adjusted(pvalues[counted], candidates.n_pairs, options.correction)
    # The other direction has the same mutual information, so the same q-value.
    order = np.argsort(edges.mi[counted], kind="stable")
    place = np.searchsorted(edges.mi[counted][order], edges.mi[~counted])
    qvalues[~counted] = qvalues[counted][order][place]
    return pvalues, qvalues


# --- resamples and their consensus --------------------------------------------------------------


def _with_resampling(
    candidates: Candidates, measure: Estimator, options: AracneOptions, work: Work
) -> Found:
    resampling = Resampling(options.resampling, candidates.expression.n_samples, options.seed)
    sizes = sorted({resampling.size(resample) for resample in (0, 1)})
    if sizes[0] < FEWEST_SAMPLES and options.resampling == "halves":
        return _nothing(sizes[0], candidates)
    pvalue = options.pvalue_of_resample(candidates.n_pairs)
    thresholds = {}
    for n in sizes:
        null = null_of(measure.with_samples(n), resampling.null_scheme, options.n_null)
        thresholds[n] = null.threshold(pvalue)
    small = measure.with_samples(sizes[0])
    pruning = options.dpi_method, options.dpi_tolerance
    resampler: Resampler
    if isinstance(candidates, ScoredCandidates):
        resampler = CopulaResampler(candidates, small, resampling, thresholds, *pruning)
    else:
        resampler = Resampler(candidates, small, resampling, thresholds, *pruning)
    seen = Seen(candidates)
    decoys = options.consensus == "decoy"
    asked = options.min_support if decoys else 0.0
    with contextlib.closing(work.results(resampler, options)) as results:
        for result in results:
            seen.add(result)
            if options.n_resamples == "auto" and seen.settled(options.alpha, asked):
                break
    least = max(1, math.ceil(asked * seen.resamples - 1e-9))
    if decoys:
        least = max(least, seen.least_support(options.alpha))
    edges = seen.edges(least)
    real = edges.row < candidates.n_regulators
    mi = _full_sample_mi(candidates, measure, edges.row, edges.gene)
    full_null = null_of(measure, "permutation", options.n_null)
    qvalues = _consensus(candidates, options, seen, edges, mi)
    # The earlier programs keep what is strictly below alpha.
    passes = qvalues <= options.alpha if decoys else qvalues < options.alpha
    chosen = np.flatnonzero(real)[passes]
    counts, decoy_counts = seen.counts()
    facts = {
        "n_resamples_used": seen.resamples,
        "samples_per_resample": sizes[0],
        "resample_pvalue_used": pvalue,
        "n_decoys_used": candidates.n_decoys,
        "chance_rate": seen.chance_rate(pvalue),
        "n_seen": int(counts.sum()),
        "n_decoy_edges": int(decoy_counts.sum()),
        # Edges of regulators and of decoys by the number of resamples that have them
        "support_counts": counts,
        "decoy_support_counts": decoy_counts,
        "stability": seen.stability(asked),
        "threshold_mi": _reachable(small, thresholds[sizes[0]]),
        "largest_mi": float(small.nats(np.array(seen.largest))),
    }
    if not decoys:
        facts["n_targets_seen"] = len(np.unique(edges.gene))  # the earlier rules count these
    found = Edges(edges.row, edges.gene, mi).take(chosen)
    return Found(
        found,
        edges.support[chosen],
        full_null.pvalues(found.mi),
        qvalues[passes],
        edges.mean[chosen],
        facts,
    )


def _reachable(measure: Estimator, threshold: int) -> float:
    """The threshold in nats; infinite where no mutual information reaches it."""
    return np.inf if threshold >= UNREACHABLE else float(measure.nats(np.array(threshold)))


def _nothing(n: int, candidates: Candidates) -> Found:
    """No edges: too few samples in a resample for any."""
    none = np.empty(0)
    facts = {
        "n_resamples_used": 0,
        "samples_per_resample": n,
        "n_decoys_used": candidates.n_decoys,
        "n_seen": 0,
        "n_decoy_edges": 0,
        "threshold_mi": np.inf,
        "largest_mi": 0.0,
    }
    return Found(Edges.joined([]), none.astype(np.int64), none, none, none.astype(np.int64), facts)


def _full_sample_mi(
    candidates: Candidates, measure: Estimator, row: NDArray[np.int32], gene: NDArray[np.int32]
) -> NDArray[np.int64]:
    """Mutual information over all samples of given edges."""
    mi = np.zeros(len(row), dtype=np.int64)
    if len(row) == 0:
        return mi
    if isinstance(candidates, ScoredCandidates):
        scores = candidates.scores
        return ops.copula_pairs(candidates.rows, scores.values, row, gene, scores.degree)
    assert isinstance(measure, Measure)
    samples, tie_key = _full_sample(candidates)
    for rows, genes, block in mi_blocks(candidates, measure, samples, tie_key):
        inside = np.flatnonzero(
            (row >= rows.start) & (row < rows.stop) & (gene >= genes.start) & (gene < genes.stop)
        )
        mi[inside] = block[row[inside] - rows.start, gene[inside] - genes.start]
    return mi


def _consensus(
    candidates: Candidates,
    options: AracneOptions,
    seen: Seen,
    edges: SeenEdges,
    mi: NDArray[np.int64],
) -> NDArray[np.float64]:
    """q-values of the edges of real regulators."""
    real = edges.row < candidates.n_regulators
    support = edges.support
    if options.consensus == "decoy":
        share = candidates.n_decoys / candidates.n_regulators
        if isinstance(candidates, ScoredCandidates):
            mi = np.zeros_like(support)  # by support alone
        return decoy_qvalues(support[real], mi[real], support[~real], mi[~real], share)
    regulators, targets = len(np.unique(edges.row)), len(np.unique(edges.gene))
    if options.consensus == "poisson":
        pvalues = poisson_pvalues(support, regulators, targets)
    else:
        rate = seen.chance_rate(options.pvalue_of_resample(candidates.n_pairs))
        pvalues = np.exp(binomial_log_pvalues(support, seen.resamples, rate))
    return np.minimum(1.0, pvalues * regulators * targets)


# --- the edge table -----------------------------------------------------------------------------


def _table(candidates: Candidates, measure: Estimator, found: Found) -> Network:
    """Tidy edges, the most certain first: by support, then by mean mutual information."""
    genes = candidates.expression.genes
    source = candidates.regulators[found.edges.row]
    target = found.edges.gene.astype(np.int64)
    mi = measure.nats(found.edges.mi)
    table = pd.DataFrame(
        {
            "source": np.asarray(genes[source], dtype=object),
            "target": np.asarray(genes[target], dtype=object),
            "mi": mi,
            "correlation": _correlation(candidates, found.edges),
            "support": found.support,
            "pvalue": found.pvalues,
            "qvalue": found.qvalues,
        }
    )
    # Ties by name: the order of genes changes nothing.
    table = table.assign(order=found.order).sort_values(
        ["support", "order", "source", "target"], ascending=[False, False, True, True]
    )
    return Network(_ranked(table)).with_modes()


def _correlation(candidates: Candidates, edges: Edges) -> NDArray[np.float64]:
    """Spearman's correlation; of counts that of their scores given depth.

    The order of raw counts is that of the depth as much as of the gene: repressed targets would
    seem activated.
    """
    if isinstance(candidates, ScoredCandidates) and candidates.scores.nonzero is not None:
        return candidates.correlation(edges.row, edges.gene)
    source = candidates.regulators[edges.row]
    return spearman(candidates.expression, source, edges.gene.astype(np.int64))


def _ranked(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the rank of each edge: one more than there are better ones."""
    score = table[["support", "order"]].to_numpy(dtype=np.int64)
    better = np.arange(len(table))
    same = np.append(False, (score[1:] == score[:-1]).all(axis=1)) if len(table) else better
    better = np.maximum.accumulate(np.where(same, 0, better)) if len(table) else better
    return table.drop(columns="order").assign(rank=better + 1).reset_index(drop=True)


def warn_empty(
    candidates: Candidates, options: AracneOptions, facts: dict[str, Any], group: str | None
) -> None:
    """Say that the network is empty, and what an edge would have needed."""
    whose = "" if group is None else f"Group {group!r}: "
    n_samples = candidates.expression.n_samples
    warnings.warn(
        f"{whose}No edge is significant at alpha = {options.alpha:g}: "
        f"{candidates.n_regulators} regulators x {candidates.n_genes} genes, {n_samples} samples; "
        f"the threshold of mutual information is {facts['threshold_mi']:.4g} nats, the largest "
        f"seen is {facts['largest_mi']:.4g}. {_why_empty(candidates, options, facts)}",
        PyscesWarning,
        stacklevel=4,
    )


def _why_empty(candidates: Candidates, options: AracneOptions, facts: dict[str, Any]) -> str:
    """What stood in the way, and what may help."""
    more = "More samples (or metacells), fewer genes or a larger alpha may help."
    if options.resampling is None:
        return more
    seen = (
        f"In resamples of {facts['samples_per_resample']} samples {facts['n_seen']} edges were seen"
    )
    if options.consensus != "decoy":
        n = facts["n_resamples_used"]
        return f"{seen}, none often enough in {n} resamples. More resamples may help. {more}"
    # The best that can be: all edges of regulators, none of decoys
    best = candidates.n_regulators / candidates.n_decoys / max(1, facts["n_seen"])
    if facts["n_seen"] and best > options.alpha:
        return (
            f"{seen}, too few for {candidates.n_decoys} decoys: the smallest q-value they could "
            f"have is {min(1.0, best):.2g}. More decoys (n_decoys=) may help. {more}"
        )
    return f"{seen}, and {facts['n_decoy_edges']} of decoys. {more}"
