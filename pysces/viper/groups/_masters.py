"""Master regulators of a difference between groups: enrichment against a null, leading edges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from scipy import stats

from pysces.errors import InputError
from pysces.viper._enrichment import area_scores
from pysces.viper._nulls import against_null
from pysces.viper._regulons import Regulons
from pysces.viper._statistics import benjamini_hochberg, two_sided

if TYPE_CHECKING:
    from numpy.typing import NDArray

Combine = Literal["mean", "median", "mode"]
_GRID = 512


@dataclass(frozen=True)
class Masters:
    """Scores of regulators in one signature.

    Attributes
    ----------
    es, nes
        [regulons], and ``bootstraps`` [bootstraps regulons] if the signature was bootstrapped.
    effect
        ES of the strongest targets of each regulator, with the same number for all [regulons].
    """

    regulons: Regulons
    es: NDArray[np.float64]
    nes: NDArray[np.float64]
    effect: NDArray[np.float64]
    bootstraps: NDArray[np.float64] | None = None
    standard_error: NDArray[np.float64] | None = None

    @property
    def pvalues(self) -> NDArray[np.float64]:
        """Two-sided p-values [regulons]."""
        return two_sided(self.nes)

    def to_dataframe(self, alpha: float = 0.05) -> pd.DataFrame:
        """Tidy table: regulator, n_targets, effect, es, nes, pvalue, qvalue, significant.

        Regulators with a q-value of at most alpha come first, by decreasing absolute effect,
        followed by the others by increasing p-value.
        """
        table = pd.DataFrame(
            {
                "regulator": self.regulons.names.to_numpy(),
                "n_targets": self.regulons.sizes,
                "effect": self.effect,
                "es": self.es,
                "nes": self.nes,
                "pvalue": self.pvalues,
                "qvalue": benjamini_hochberg(self.pvalues),
            }
        )
        significant = table["qvalue"].to_numpy() <= alpha
        table["significant"] = significant
        if self.standard_error is not None:
            table["nes_se"] = self.standard_error
        effect = np.where(significant, np.abs(self.effect).round(9), 0.0)
        names = table["regulator"].astype(str)
        order = np.lexsort((names, -np.abs(self.nes), -effect, ~significant))
        return table.iloc[order].reset_index(drop=True)


def master_regulators(
    signatures: NDArray[np.float64],
    regulons: Regulons,
    null: NDArray[np.float64] | None = None,
    *,
    combine: Combine = "mean",
    n_strongest: int = 10,
    compat: Literal["r"] | None = None,
) -> Masters:
    """Score regulons in a signature [genes], or in bootstraps of one [bootstraps genes].

    null: null signatures [nulls genes]; if given, the NES is a normal score against the null
    scores, otherwise that of aREA. n_strongest: number of targets from which the effect is
    computed.
    """
    signatures = np.atleast_2d(signatures)
    es, nes = area_scores(signatures, regulons)
    effect = area_scores(signatures, strongest_targets(regulons, n_strongest))[0].mean(axis=0)
    if null is not None:
        shuffled, _ = area_scores(null, regulons)
        nes = against_null(es, shuffled, always_empirical=True, compat=compat)
    if len(signatures) == 1:
        return Masters(regulons, es[0], nes[0], effect)
    error = np.sqrt(nes.var(axis=0, ddof=1) / len(nes))
    joined = combine_bootstraps(nes, combine)
    return Masters(regulons, es.mean(axis=0), joined, effect, nes, error)


def strongest_targets(regulons: Regulons, number: int) -> Regulons:
    """Regulons reduced to the `number` targets of largest likelihood.

    A network contains the strongest targets of every regulator, so the average target is weaker in
    a larger regulon. Scores over the same number of targets are comparable. Targets that are tied
    at the end share the remaining weight, so the result does not depend on the order of genes.
    """
    owner, likelihood, sizes = regulons.owner, regulons.likelihood, regulons.sizes
    ordered = likelihood[np.lexsort((-likelihood, owner))]
    last = ordered[regulons.indptr[:-1] + np.minimum(number, sizes) - 1]
    above, tied = likelihood > last[owner], likelihood == last[owner]
    places = np.minimum(number, sizes) - np.bincount(owner, weights=above, minlength=len(sizes))
    share = np.where(
        tied, (places / np.bincount(owner, weights=tied, minlength=len(sizes)))[owner], 1.0
    )
    return regulons.take(above | tied, likelihood * share)


def combine_bootstraps(nes: NDArray[np.float64], how: Combine) -> NDArray[np.float64]:
    """Combine the NES of bootstraps [bootstraps regulons] by mean, median or mode."""
    if how == "mean":
        return nes.mean(axis=0)
    if how == "median":
        return np.median(nes, axis=0)
    if how == "mode":
        return np.array([_mode(column) for column in nes.T])
    raise InputError(f"combine must be 'mean', 'median' or 'mode'. Got {how!r}.")


def _mode(values: NDArray[np.float64]) -> float:
    """Maximum of a Gaussian kernel density on 512 points (Silverman's bandwidth)."""
    spread = min(values.std(ddof=1), stats.iqr(values) / 1.34) or values.std(ddof=1)
    if spread == 0:
        return float(values[0])
    width = 0.9 * spread * len(values) ** -0.2
    grid = np.linspace(values.min() - 3 * width, values.max() + 3 * width, _GRID)
    density = stats.gaussian_kde(values, width / values.std(ddof=1))(grid)
    return float(grid[np.argmax(density)])


@dataclass(frozen=True)
class LeadingEdge:
    """Targets that account for a regulator's enrichment, and the range of its running sum."""

    targets: NDArray[np.intp]
    highest: float
    lowest: float


def leading_edge(
    signature: NDArray[np.float64], targets: NDArray[np.int32], mode: NDArray[np.float64]
) -> LeadingEdge:
    """Targets before the peak of the running sum of a regulon, or after it if it is negative.

    signature: [genes]. targets: indices of genes. Targets of positive mode are ordered by
    decreasing signature, targets of negative mode by increasing signature, and other genes by their
    average rank. The targets of an active regulator therefore come first. ``targets`` of the result
    are indices of genes.
    """
    order = _placed(signature, targets, mode)
    hit = np.zeros(len(signature), dtype=bool)
    hit[targets] = True
    weight = np.where(hit, np.abs(signature), 0.0)
    if (infinite := np.isinf(weight)).any():  # no spread within either group
        weight[infinite] = weight[~infinite].max(initial=0.0) or 1.0
    total = weight.sum()
    step = np.where(hit, weight / total if total else 0.0, -1 / max(1, (~hit).sum()))[order]
    running = np.cumsum(step)
    highest, lowest = float(running.max(initial=0)), float(running.min(initial=0))
    peak = int(np.argmax(np.abs(running))) if len(running) else 0
    among = order[: peak + 1] if highest + lowest > 0 else order[peak:]
    return LeadingEdge(among[hit[among]], highest, lowest)


def _placed(
    signature: NDArray[np.float64], targets: NDArray[np.int32], mode: NDArray[np.float64]
) -> NDArray[np.intp]:
    """Genes in the order of the running sum."""
    place = stats.rankdata(signature)
    group = np.zeros(len(signature), dtype=int)
    down = np.argsort(np.argsort(-signature, kind="stable"), kind="stable") + 1.0
    up = np.argsort(np.argsort(signature, kind="stable"), kind="stable") + 1.0
    place[targets] = np.where(mode >= 0, down[targets], up[targets])
    group[targets] = np.where(mode >= 0, 1, 2)
    return np.lexsort((np.arange(len(signature)), group, place))
