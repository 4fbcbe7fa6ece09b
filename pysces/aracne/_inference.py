"""Infer a network from candidates: thresholds, resamples, pruning, consensus, edge table."""

from __future__ import annotations

import contextlib
import logging
import math
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pysces._messages import outside
from pysces._record import RunRecord
from pysces.aracne._candidates import Candidates, Edges, ScoredCandidates
from pysces.aracne._consensus import (
    SupportCounts,
    SupportedEdges,
    adjusted,
    binomial_log_pvalues,
    decoy_qvalues,
    poisson_pvalues,
)
from pysces.aracne._donors import FEWEST_SAMPLES, donors_with
from pysces.aracne._dpi import dpi_mask
from pysces.aracne._null import UNREACHABLE, Null, null_of
from pysces.aracne._options import AracneOptions
from pysces.aracne._prepared import PreparedData
from pysces.aracne._prior import Prior, dense_rank, log_pvalues
from pysces.aracne._quality import Problem, judge
from pysces.aracne._resampling import Resampling, resampler_of
from pysces.aracne._runner import Runner
from pysces.data._networks import named_network
from pysces.dispatch.engines import Work, use_engine
from pysces.dispatch.engines import record as engine_record
from pysces.errors import PyscesWarning
from pysces.network import Network

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pysces.aracne._estimators import Estimator

log = logging.getLogger("pysces")


@dataclass(frozen=True, eq=False)
class Consensus:
    """Edges of the network, their statistics, and facts for the run record.

    `priority` ranks edges, `order` those of equal priority: the support (with a prior, in the
    order of the weighted p-values), and the mean mutual information over resamples. `donors` is
    the number of donors that show an edge, `seen` has the support of all pairs.
    """

    edges: Edges
    support: NDArray[np.int64]
    pvalues: NDArray[np.float64]
    qvalues: NDArray[np.float64]
    priority: NDArray[np.int64]
    order: NDArray[np.int64]
    prior: NDArray[np.float64] | None
    facts: dict[str, Any]
    donors: NDArray[np.int64] | None = None
    seen: SupportCounts | None = None


def network_of(
    prepared: PreparedData,
    options: AracneOptions,
    runner: Runner,
    *,
    method: str,
    regulators: str,
    prior: Network | None = None,
    group: str | None = None,
    problems: list[Problem] | None = None,
) -> Network:
    """The network of one matrix, with its run record.

    regulators: the source of the regulators. problems: where those of the network are added; there
    is a warning of each otherwise.
    """
    candidates = prepared.candidates
    n_samples = candidates.expression.n_samples
    size = candidates.n_regulators * candidates.n_genes * n_samples
    with use_engine(None, work=Work(options.estimator, size)) as engine:
        network, found = infer(candidates, options, runner, prior)
    log.info(
        "%s%d edges of %d regulators, from %d samples x %d genes.",
        "" if group is None else f"Group {group!r}: ",
        len(network),
        candidates.n_regulators,
        n_samples,
        candidates.n_genes,
    )
    facts = {
        "n_samples": n_samples,
        "n_genes": candidates.n_genes,
        "n_regulators": candidates.n_regulators,
        "n_constant_genes": prepared.n_constant_genes,
        "n_edges": len(network),
        **prepared.facts,
        **found,
    }
    facts, own = judge(network, candidates, options, facts, group)
    if len(network) == 0:
        own.append(_empty(candidates, options, found))
    if problems is None:
        for problem in own:
            warnings.warn(str(problem), PyscesWarning, stacklevel=outside())
    else:
        problems += own
    arguments = {"regulators": regulators, **options.record()}
    if options.prior is not None:
        arguments["prior"] = named_network(options.prior)
    record = RunRecord(method, arguments, facts, engine_record(engine))
    return Network(network.to_dataframe(), record)


def infer(
    candidates: Candidates, options: AracneOptions, runner: Runner, network: Network | None = None
) -> tuple[Network, dict[str, Any]]:
    """The edges of these candidates, and facts for the run record.

    network: pairs of the prior.
    """
    prior = None if network is None else Prior.of(network, candidates)
    found = consensus_of(candidates, options, runner, prior)
    return _table(candidates, found), found.facts


def consensus_of(
    candidates: Candidates, options: AracneOptions, runner: Runner, prior: Prior | None = None
) -> Consensus:
    """The edges of these candidates by position."""
    if options.resampling is None:
        return _without_resampling(candidates, options, prior)
    return _with_resampling(candidates, options, runner, prior)


# --- without resampling -------------------------------------------------------------------------


def _without_resampling(
    candidates: Candidates, options: AracneOptions, prior: Prior | None
) -> Consensus:
    estimator = candidates.estimator
    null = null_of(estimator, "permutation", options.n_null)
    # A test with a larger p-value is not significant under any correction.
    threshold = null.threshold(options.alpha)
    n = candidates.expression.n_samples
    everything = Resampling(None, n, candidates.seed)
    edges, largest = resampler_of(candidates, everything, {n: threshold}, None, 0.0).whole()
    pvalues, qvalues = _tested(candidates, edges, null, options, prior)
    significant = qvalues <= options.alpha
    edges, pvalues, qvalues = edges.take(significant), pvalues[significant], qvalues[significant]
    values = None if prior is None else prior.values_of(edges.row, edges.gene)
    # If nothing is significant: the threshold of a single edge
    needed = null.threshold(options.alpha / (candidates.n_pairs if options.correction else 1))
    smallest = int(edges.mi.min()) if len(edges) else needed
    facts = {
        "n_significant": len(edges),
        "threshold_mi": _reachable(estimator, smallest),
        "largest_mi": float(estimator.nats(np.array(largest))),
    }
    priority = np.ones(len(edges), dtype=np.int64)
    if prior is not None and values is not None:
        facts |= prior.facts(values)
        priority = dense_rank(prior.weights_of(values, candidates.n_pairs) / pvalues)
    kept = np.flatnonzero(dpi_mask(candidates, edges, options.dpi_method, options.dpi_tolerance))
    donors = donors_with(candidates, edges.row[kept], edges.gene[kept], options.min_donors)
    if donors is not None:
        kept, donors = kept[donors >= options.min_donors], donors[donors >= options.min_donors]
    return Consensus(
        edges.take(kept),
        np.ones(len(kept), dtype=np.int64),
        pvalues[kept],
        qvalues[kept],
        priority[kept],
        edges.mi[kept],
        None if values is None else values[kept],
        facts,
        donors,
    )


def _tested(
    candidates: Candidates, edges: Edges, null: Null, options: AracneOptions, prior: Prior | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """p- and q-values; a pair of two regulators is one test, though it has two edges.

    Only p-values of at most alpha are given; with a prior, larger ones of large weight might be
    significant and are left out.
    """
    pvalues = null.pvalues(edges.mi)
    partner = candidates.regulator_of_gene()[edges.gene]
    counted = (partner < 0) | (edges.row < partner)
    tested = pvalues
    if prior is not None:
        size = np.abs(prior.values_of(edges.row, edges.gene))
        both = partner >= 0
        reverse = prior.values_of(partner[both], candidates.regulators[edges.row[both]])
        size[both] = np.maximum(size[both], np.abs(reverse))
        tested = np.minimum(1.0, pvalues / prior.weights_of(size, candidates.n_pairs))
    qvalues = np.empty(len(edges))
    qvalues[counted] = adjusted(tested[counted], candidates.n_pairs, options.correction)
    # The other direction has the same mutual information and the same q-value.
    order = np.argsort(tested[counted], kind="stable")
    place = np.searchsorted(tested[counted][order], tested[~counted])
    qvalues[~counted] = qvalues[counted][order][place]
    return pvalues, qvalues


# --- resamples and their consensus --------------------------------------------------------------


def _with_resampling(
    candidates: Candidates, options: AracneOptions, runner: Runner, prior: Prior | None
) -> Consensus:
    estimator = candidates.estimator
    resampling = Resampling(options.resampling, candidates.expression.n_samples, options.seed)
    sizes = sorted({resampling.size(resample) for resample in (0, 1)})
    if sizes[0] < FEWEST_SAMPLES and options.resampling == "halves":
        return _nothing(sizes[0], candidates)
    pvalue = options.pvalue_of_resample(candidates.n_pairs)
    thresholds = {}
    for n in sizes:
        null = null_of(estimator.with_samples(n), resampling.null_scheme, options.n_null)
        thresholds[n] = null.threshold(pvalue)
    small = estimator.with_samples(sizes[0])
    resampler = resampler_of(
        candidates, resampling, thresholds, options.dpi_method, options.dpi_tolerance
    )
    seen = SupportCounts(candidates)
    decoys = options.consensus == "decoy"
    asked = options.min_support if decoys else 0.0
    with contextlib.closing(runner.results(resampler, options)) as results:
        for result in results:
            seen.add(result)
            if options.n_resamples == "auto" and seen.settled(options.alpha, asked):
                break
    least = max(1, math.ceil(asked * seen.resamples - 1e-9))
    weighted = None
    if prior is not None:
        weighted = _weighted(prior, seen, least, options, pvalue)
        edges = weighted.edges
    else:
        if decoys and getattr(candidates, "donor", None) is None:  # donors leave out decoys, too
            least = max(least, seen.least_support(options.alpha))
        edges = seen.edges(least)
    donors = donors_with(candidates, edges.row, edges.gene, options.min_donors)
    if donors is not None:
        several = donors >= options.min_donors
        weighted = None if weighted is None else weighted.take(several, candidates)
        edges, donors = edges.take(several), donors[several]
    real = edges.row < candidates.n_regulators
    mi = candidates.pair_mi(edges.row, edges.gene)
    full_null = null_of(estimator, "permutation", options.n_null)
    qvalues = _consensus(candidates, options, seen, edges, mi, weighted)
    # The earlier programs keep edges strictly below alpha.
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
        # Number of edges of regulators and of decoys by their support
        "support_counts": counts,
        "decoy_support_counts": decoy_counts,
        "stability": seen.stability(asked),
        "threshold_mi": _reachable(small, thresholds[sizes[0]]),
        "largest_mi": float(small.nats(np.array(seen.largest))),
    }
    if weighted is not None:
        facts |= weighted.facts
    if not decoys:
        facts["n_targets_seen"] = len(np.unique(edges.gene))  # for earlier rules
    found = Edges(edges.row, edges.gene, mi).take(chosen)
    return Consensus(
        found,
        edges.support[chosen],
        full_null.pvalues(found.mi),
        qvalues[passes],
        (edges.support if weighted is None else weighted.priority)[chosen],
        edges.mean[chosen],
        None if weighted is None else weighted.values[chosen],
        facts,
        None if donors is None else donors[chosen],
        seen,
    )


@dataclass(frozen=True, eq=False)
class _Weighted:
    """Edges whose p-value, divided by the weight of the prior, is small enough."""

    edges: SupportedEdges
    priority: NDArray[np.int64]
    values: NDArray[np.float64]
    decoy_counts: NDArray[np.float64]
    facts: dict[str, Any]

    def take(self, kept: NDArray[np.bool_], candidates: Candidates) -> _Weighted:
        """Some of the edges."""
        decoys = self.edges.row >= candidates.n_regulators
        return replace(
            self,
            edges=self.edges.take(kept),
            priority=self.priority[kept],
            values=self.values[kept],
            decoy_counts=self.decoy_counts[kept[decoys]],
        )


def _weighted(
    prior: Prior, seen: SupportCounts, least: int, options: AracneOptions, pvalue: float
) -> _Weighted:
    """Order edges by their weighted p-values, and select those of the least support or better.

    An edge of the smallest weight, outside the prior, needs the least support as without a prior.
    """
    candidates = prior.candidates
    n_pairs = candidates.n_regulators * (candidates.n_genes - 1)
    assert options.resampling is not None
    of_support = log_pvalues(
        np.arange(seen.resamples + 1), seen.resamples, options.resampling, pvalue
    )
    outside = np.zeros(int(len(prior.keys) < n_pairs))
    weights = np.log(prior.weights_of(np.append(prior.values, outside), n_pairs))
    limit = weights.min() - of_support[least] if options.min_support > 0 else -np.inf
    edges = seen.edges(max(1, int(np.argmax(weights.max() - of_support >= limit))))
    values = prior.values_of(edges.row, edges.gene)
    score = np.log(prior.weights_of(values, n_pairs)) - of_support[edges.support]
    real = (edges.row < candidates.n_regulators) & (edges.support >= least)
    facts = prior.facts(values[real])
    kept = score >= limit
    edges = SupportedEdges(edges.row[kept], edges.gene[kept], edges.support[kept], edges.mean[kept])
    decoys = edges.row >= candidates.n_regulators
    return _Weighted(
        edges,
        dense_rank(score[kept]),
        values[kept],
        prior.decoy_counts(values[kept][decoys]),
        facts,
    )


def _reachable(estimator: Estimator, threshold: int) -> float:
    """The threshold in nats; infinite if no mutual information can reach it."""
    return np.inf if threshold >= UNREACHABLE else float(estimator.nats(np.array(threshold)))


def _nothing(n: int, candidates: Candidates) -> Consensus:
    """An empty result: a resample has too few samples for any edge."""
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
    whole = none.astype(np.int64)
    return Consensus(Edges.joined([]), whole, none, none, whole, whole, None, facts)


def _consensus(
    candidates: Candidates,
    options: AracneOptions,
    seen: SupportCounts,
    edges: SupportedEdges,
    mi: NDArray[np.int64],
    weighted: _Weighted | None,
) -> NDArray[np.float64]:
    """q-values of the edges of regulators."""
    real = edges.row < candidates.n_regulators
    support = edges.support if weighted is None else weighted.priority
    counts = None if weighted is None else weighted.decoy_counts
    if options.consensus == "decoy":
        share = candidates.n_decoys / candidates.n_regulators
        if isinstance(candidates, ScoredCandidates):
            mi = np.zeros_like(support)  # by support alone
        return decoy_qvalues(support[real], mi[real], support[~real], mi[~real], share, counts)
    regulators, targets = len(np.unique(edges.row)), len(np.unique(edges.gene))
    if options.consensus == "poisson":
        pvalues = poisson_pvalues(support, regulators, targets)
    else:
        rate = seen.chance_rate(options.pvalue_of_resample(candidates.n_pairs))
        pvalues = np.exp(binomial_log_pvalues(support, seen.resamples, rate))
    return np.minimum(1.0, pvalues * regulators * targets)


# --- the edge table -----------------------------------------------------------------------------


def _table(candidates: Candidates, found: Consensus) -> Network:
    """Edge table in order of decreasing priority, then decreasing mean mutual information."""
    genes = candidates.expression.genes
    source = candidates.regulators[found.edges.row]
    target = found.edges.gene.astype(np.int64)
    mi = candidates.estimator.nats(found.edges.mi)
    table = pd.DataFrame(
        {
            "source": np.asarray(genes[source], dtype=object),
            "target": np.asarray(genes[target], dtype=object),
            "mi": mi,
            "correlation": candidates.correlation(found.edges.row, found.edges.gene),
            "support": found.support,
            **({} if found.donors is None else {"donors": found.donors}),
            "pvalue": found.pvalues,
            "qvalue": found.qvalues,
        }
    )
    # Ties by name, so that the result does not depend on the order of genes.
    if found.prior is not None:
        table["prior"] = found.prior
    table = table.assign(priority=found.priority, order=found.order).sort_values(
        ["priority", "order", "source", "target"], ascending=[False, False, True, True]
    )
    return Network(_ranked(table)).with_modes()


def _ranked(table: pd.DataFrame) -> pd.DataFrame:
    """Add the rank of each edge: one plus the number of better edges."""
    score = table[["priority", "order"]].to_numpy(dtype=np.int64)
    better = np.arange(len(table))
    same = np.append(False, (score[1:] == score[:-1]).all(axis=1)) if len(table) else better
    better = np.maximum.accumulate(np.where(same, 0, better)) if len(table) else better
    return table.drop(columns=["priority", "order"]).assign(rank=better + 1).reset_index(drop=True)


def _empty(candidates: Candidates, options: AracneOptions, facts: dict[str, Any]) -> Problem:
    """The network is empty: which threshold an edge must reach, and the likely cause."""
    n_samples = candidates.expression.n_samples
    threshold = facts["threshold_mi"]
    reached = (
        f"the threshold of mutual information is {threshold:.4g} nats, the largest value is "
        f"{facts['largest_mi']:.4g}"
        if np.isfinite(threshold)
        else "no mutual information of so few samples can be significant"
    )
    cause, remedy = _why_empty(candidates, options, facts)
    return Problem(
        f"No edge is significant at alpha = {options.alpha:g}: {candidates.n_regulators} "
        f"regulators x {candidates.n_genes} genes, {n_samples} samples; {reached}.{cause}",
        remedy,
        f"no edge is significant at alpha = {options.alpha:g}",
        f"{n_samples} samples",
    )


def _why_empty(
    candidates: Candidates, options: AracneOptions, facts: dict[str, Any]
) -> tuple[str, str]:
    """The likely cause of an empty network (empty if unknown), and the remedy."""
    more = (
        "More samples (or metacells), fewer genes or a larger alpha may help."
        if options.groupby is None
        else "Below about 100 samples few edges are found: merge groups, or leave small ones out "
        "by a larger min_samples=."
    )
    if options.resampling is None:
        return "", more
    size = facts["samples_per_resample"]
    if options.resampling == "halves" and size < FEWEST_SAMPLES:
        return (
            f" Halves of {size} samples are too small for any edge.",
            f"At least {2 * FEWEST_SAMPLES} samples (or metacells) are needed, and some hundred "
            "for most edges.",
        )
    seen = (
        f" In resamples of {facts['samples_per_resample']} samples "
        f"{facts['n_seen']} edges were found"
    )
    if options.consensus != "decoy":
        n = facts["n_resamples_used"]
        return f"{seen}, none in enough of the {n} resamples.", f"More resamples may help. {more}"
    # The best case: all edges of regulators, none of decoys
    best = candidates.n_regulators / candidates.n_decoys / max(1, facts["n_seen"])
    if facts["n_seen"] and best > options.alpha:
        return (
            f"{seen}, too few for {candidates.n_decoys} decoys: the smallest q-value they could "
            f"have is {min(1.0, best):.2g}.",
            f"More decoys (n_decoys=) may help. {more}",
        )
    return f"{seen}, and {facts['n_decoy_edges']} of decoys.", more
