"""Quality of the networks of a report, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pysces.aracne._quality import DECOY_SHARE, NEARLY_COMPLETE, UNSTABLE, USEFUL, WEAK, says_little
from pysces.network import Network


@dataclass(frozen=True)
class Finding:
    """A measure of one network: its value as text, and whether it is good (None: no limit)."""

    value: str
    good: bool | None = None


@dataclass(frozen=True)
class Measure:
    """A row of the panel: what is measured, what it means, and a finding for each network."""

    name: str
    meaning: str
    findings: Sequence[Finding | None]


_MEANINGS = {
    "Share of pairs": "Edges among all pairs of a regulator and a gene. A gene has few direct "
    f"regulators: above {100 * NEARLY_COMPLETE:g} % of the pairs, depth, batches or cell types "
    "connect the genes.",
    "Edges of decoys": "Decoys are regulators whose values were permuted between the samples. They "
    "regulate nothing, so their edges count those that arise by chance, for as many decoys as "
    f"regulators. Above {100 * DECOY_SHARE:g} % is suspect.",
    "Stability": "Edges that two halves of the resamples have in common, of the edges of either. "
    f"Below {100 * UNSTABLE:g} %, another seed or another sample of cells gives another network.",
    "Support": "Number of resamples in which an edge was found, median of the edges. Certain edges "
    "are found in nearly all resamples.",
    "Weak edges": "Edges found in fewer than half of the resamples. A network of which most edges "
    "are weak is not reproducible.",
    "Regulators with edges": "Regulators without edges have too few counts, do not vary, or "
    "regulate no gene of these data.",
    "Depth": "Cells with more counts in total have more counts of every gene, which connects all "
    "genes unless it is accounted for.",
    "Batches": "Differences between batches or donors connect all genes that differ between them, "
    "unless they are accounted for.",
    "Donors": "Donors (replicates) with enough samples. An edge must be found in several of them.",
    "Prior": "Edges that are pairs of the prior. Pairs of a prior that suits the data have enough "
    f"support more often than other pairs; below {USEFUL:g} times as often, it says little.",
    "Samples": "Samples (cells, metacells) that the network was inferred from.",
}


def quality(networks: Sequence[Network]) -> list[Measure]:
    """Measures that at least one of the networks has."""
    found = [dict(_findings(network)) for network in networks]
    return [
        Measure(name, meaning, [one.get(name) for one in found])
        for name, meaning in _MEANINGS.items()
        if any(name in one for one in found)
    ]


def _findings(network: Network) -> Iterator[tuple[str, Finding]]:
    facts, options = network.record.facts, network.record.options
    if "share_of_pairs" in facts and len(network):
        share = facts["share_of_pairs"]
        yield "Share of pairs", Finding(_percent(share), share <= NEARLY_COMPLETE)
    if "decoy_share" in facts:
        share = facts["decoy_share"]
        yield "Edges of decoys", Finding(f"{_percent(share)} of the edges", share <= DECOY_SHARE)
    if "stability" in facts and len(network):
        yield "Stability", Finding(_percent(facts["stability"]), facts["stability"] >= UNSTABLE)
    n = int(facts.get("n_resamples_used", 0))
    if "support" in network.columns and n > 1 and len(network):
        support = network.to_dataframe()["support"].to_numpy()
        middle, weak = float(np.median(support)), float((support < WEAK * n).mean())
        yield "Support", Finding(f"{middle:g} of {n}", middle >= WEAK * n)
        yield "Weak edges", Finding(_percent(weak), weak <= 0.5)
    if "n_regulators_kept" in facts and "n_regulators" in facts:
        kept = f"{int(facts['n_regulators_kept']):,} of {int(facts['n_regulators']):,}"
        yield "Regulators with edges", Finding(kept)
    if "scores" in facts:
        given = facts["scores"] == "counts given depth"
        text = "accounted for" if given else "not accounted for: values were ranked as they are"
        yield "Depth", Finding(text, given or None)
    if "batch_key" in options:
        given = options["batch_key"] is not None
        yield "Batches", Finding("accounted for" if given else "none were given")
    if "n_donors" in facts:
        least = f"an edge in at least {int(options['min_donors'])}"
        yield "Donors", Finding(f"{int(facts['n_donors']):,}, {least}")
    if "n_prior_edges" in facts:
        edges = f"{int(facts['n_prior_edges']):,} of {int(facts['n_prior_pairs']):,} pairs"
        times = facts["prior_enrichment"]
        good = times >= USEFUL or (False if says_little(facts) else None)
        yield "Prior", Finding(f"{edges}; {_times(times)} times as often", good)
    if "n_samples" in facts:
        yield "Samples", Finding(f"{int(facts['n_samples']):,}")


def _times(number: float) -> str:
    """A factor as text.

    >>> _times(0.512), _times(1171.4)
    ('0.51', '1,171')
    """
    return f"{number:.2g}" if number < 10 else f"{number:,.0f}"


def _percent(share: float) -> str:
    """A share in percent, with two digits.

    >>> _percent(0.00312), _percent(0.974), _percent(0.0)
    ('0.31 %', '97 %', '0 %')
    """
    return f"{100 * share:.2g} %" if share < 0.995 else f"{100 * share:.0f} %"
