"""Quality of a network: facts for the run record and the log, and warnings."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pysces._messages import outside
from pysces.errors import PyscesWarning

if TYPE_CHECKING:
    from pysces.aracne._candidates import Candidates
    from pysces.aracne._options import AracneOptions
    from pysces.network import Network

log = logging.getLogger("pysces")

NEARLY_COMPLETE = 0.1  # share of all pairs, if there are at least
MANY_PAIRS = 5000  # this many: a few selected genes may all be connected
WEAK = 0.5  # median support, as a share of the resamples
DECOY_SHARE = 0.3  # edges of decoys for each edge, with as many decoys as regulators
_SHOWN = 10  # groups that a warning names
USEFUL = 1.2  # times as many pairs of the prior as of others
UNSTABLE = 0.5  # overlap of the networks of two halves of the resamples


@dataclass(frozen=True)
class Problem:
    """A fault of a network, and what to do.

    Attributes
    ----------
    fact, remedy
        What is wrong with one network, and what to do.
    kind, value
        The same for several networks: what is wrong with all, and the number for each.
    """

    fact: str
    remedy: str
    kind: str
    value: str

    def __str__(self) -> str:
        return f"{self.fact} {self.remedy}"


def warn_of_groups(problems: Mapping[str, Sequence[Problem]]) -> None:
    """Warn of the problems of groups: one warning for each kind of problem."""
    kinds: dict[str, dict[str, Problem]] = {}
    for group, found in problems.items():
        for problem in found:
            kinds.setdefault(problem.kind, {})[group] = problem
    for kind, groups in kinds.items():
        (first, problem), *others = groups.items()
        if others:
            named = [f"{group} ({one.value})" for group, one in groups.items()]
            shown = ", ".join(named[:_SHOWN]) + f" and {len(named) - _SHOWN} more" * (
                len(named) > _SHOWN
            )
            text = f"{len(groups)} of {len(problems)} groups: {kind}: {shown}. {problem.remedy}"
        else:
            text = f"Group {first!r}: {problem}"
        warnings.warn(text, PyscesWarning, stacklevel=outside())


def judge(
    network: Network,
    candidates: Candidates,
    options: AracneOptions,
    facts: dict[str, Any],
    group: str | None,
) -> tuple[dict[str, Any], list[Problem]]:
    """Facts about the quality of a network, which are logged, and its problems."""
    edges = network.to_dataframe()
    possible = candidates.n_regulators * (candidates.n_genes - 1)
    sizes = edges["source"].value_counts()
    sizes = sizes[sizes > 0]
    facts = dict(facts)
    facts["share_of_pairs"] = len(edges) / max(1, possible)
    facts["n_regulators_kept"] = len(sizes)
    if len(edges):
        facts["median_regulon"] = float(sizes.median())
        facts["median_support"] = float(edges["support"].median())
        facts["least_support"] = int(edges["support"].min())
    if "prior_enrichment" in facts:
        facts["n_prior_edges"] = int((edges["prior"] != 0).sum()) if len(edges) else 0
    whose = "" if group is None else f"Group {group!r}: "
    if options.resampling is None or not len(edges):
        return facts, []
    n = facts["n_resamples_used"]
    asked = max(1, int(np.ceil(options.min_support * n)))
    decoys = float(np.sum(facts["decoy_support_counts"][asked:]))
    real = float(np.sum(facts["support_counts"][asked:]))
    per_regulator = candidates.n_regulators / max(1, candidates.n_decoys)
    share = decoys * per_regulator / max(1.0, real) if candidates.n_decoys else None
    if share is not None:
        facts["decoy_share"] = share
    log.info(
        "%s%.2g %% of all pairs; %d of %d regulators have edges, %g at the median; support of an "
        "edge: %g of %d resamples at the median, %d at least; two halves of the resamples agree "
        "on %.0f %% of the edges of either%s.",
        whose,
        100 * facts["share_of_pairs"],
        len(sizes),
        candidates.n_regulators,
        facts["median_regulon"],
        facts["median_support"],
        n,
        facts["least_support"],
        100 * facts["stability"],
        "" if share is None else f"; decoys have {share:.2g} edges for each edge",
    )
    judged = facts
    if "prior" in edges:  # whose edges need less support
        others = edges.loc[edges["prior"] == 0, "support"]
        judged = {**facts, "median_support": others.median() if len(others) else n}
    return facts, _problems(judged, options, n, share)


def says_little(facts: Mapping[str, Any]) -> bool:
    """Whether a prior is of no use, and has so many pairs that this can be told."""
    return bool(facts["prior_enrichment"] < USEFUL and facts["n_prior_expected"] >= 1)


def _problems(
    facts: dict[str, Any], options: AracneOptions, n: int, decoy_share: float | None
) -> list[Problem]:
    """Problems of a network, each with its likely cause and remedy."""
    found = []
    if decoy_share is not None and decoy_share > DECOY_SHARE:
        given = facts.get("scores") == "counts given depth"
        found.append(
            Problem(
                f"Decoys have {decoy_share:.2g} edges for each edge of a regulator.",
                "A batch effect is not accounted for, or there are too few resamples. "
                "Pass batch_key=, or raise n_resamples= or min_support=."
                if given
                else "Depth or a batch effect is not accounted for. Pass counts "
                "(layer='counts') and batch_key=.",
                "decoys have many edges for each edge of a regulator",
                f"{decoy_share:.2g}",
            )
        )
    pairs = facts["n_regulators"] * (facts["n_genes"] - 1)
    if facts["share_of_pairs"] > NEARLY_COMPLETE and pairs > MANY_PAIRS:
        share = f"{100 * facts['share_of_pairs']:.0f}"
        found.append(
            Problem(
                f"The network has {share} % of all pairs: so many edges are not direct regulation.",
                "Account for depth and batches (counts, batch_key=), raise min_support=, or lower "
                "alpha=.",
                "the network has so many of all pairs that they are not direct regulation",
                f"{share} %",
            )
        )
    if "prior_enrichment" in facts and says_little(facts):
        times = f"{facts['prior_enrichment']:.2g}"
        found.append(
            Problem(
                f"Pairs of prior= have enough support {times} times as often as other pairs: the "
                "prior says little about these data.",
                "Check the names of its regulators and targets and its organism, or leave it out.",
                "pairs of prior= have enough support hardly more often than other pairs",
                f"{times} times",
            )
        )
    if facts["median_support"] < WEAK * n:
        support = f"{facts['median_support']:g} of {n}"
        found.append(
            Problem(
                f"Most edges are weak: half of them were found in at most {support} resamples.",
                "Raise min_support= (0.5 is the default).",
                "most edges are weak, and half of them were found in few resamples",
                support,
            )
        )
    if facts["stability"] < UNSTABLE and options.consensus == "decoy":
        stability = f"{100 * facts['stability']:.0f}"
        found.append(
            Problem(
                f"Two halves of the resamples agree on {stability} % of the edges of either.",
                "More resamples (n_resamples=) or samples give a more stable network.",
                "two halves of the resamples agree on few of the edges of either",
                f"{stability} %",
            )
        )
    return found
