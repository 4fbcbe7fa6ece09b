"""Mode of regulation, likelihood and pruning of regulons, on plain arrays.

Mode of regulation follows Alvarez et al. 2016 (Nature Genetics 48:838, Online Methods): the
correlations of all regulator-target pairs are a mixture of three Gaussians (repressed, neither,
activated), and the mode of a pair is computed from the tails of the three.
"""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from pysces._messages import outside
from pysces.errors import InputError, PyscesWarning

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

logger = logging.getLogger("pysces")

MIN_EDGES = 100
"""Smallest number of correlations that a mixture is fitted to."""
MOST_FITTED = 20_000
"""If there are more correlations, this many evenly spaced order statistics are used."""

_START_MEANS = (-0.5, 0.0, 0.5)
_START_SDS = (0.15, 0.25, 0.15)
_START_WEIGHTS = (0.2, 0.4, 0.4)
_SMALLEST_GAIN = 1e-8
_SMALLEST_SD = 1e-8
_MOST_ITERATIONS = 3000


@dataclass(frozen=True)
class ModeFit:
    """How modes of regulation were computed.

    Attributes
    ----------
    method
        ``"mixture"``, or ``"correlation"`` if the correlation itself is the mode.
    reason
        Reason for using the correlation; empty otherwise.
    means, sds, weights
        Gaussians of repressed, unrelated and activated pairs (as far as they were fitted).
    log_likelihood, n_iterations, converged
        State of the fit when it stopped.
    """

    method: str
    reason: str = ""
    means: tuple[float, float, float] = _START_MEANS
    sds: tuple[float, float, float] = _START_SDS
    weights: tuple[float, float, float] = _START_WEIGHTS
    log_likelihood: float = float("nan")
    n_iterations: int = 0
    converged: bool = False


def mode_of_regulation(correlation: ArrayLike) -> tuple[NDArray[np.float64], ModeFit]:
    """Mode of regulation of each edge, in [-1, 1], from its correlation.

    Parameters
    ----------
    correlation
        Spearman correlation of regulator and target [edges], finite, in [-1, 1].

    Returns
    -------
    mor
        Modes [edges]: near -1 repressed, near 1 activated, near 0 neither.
    fit
        The mixture, or the reason why there is none: with fewer than 100 edges, or if the fit does
        not converge, the correlation itself is returned, with a log line.

    Raises
    ------
    InputError
        If a correlation is missing or outside [-1, 1].

    Notes
    -----
    Mixture and tails as in Alvarez et al. 2016; see `fit_mixture` and `tail_mode`.

    Examples
    --------
    >>> mor, fit = mode_of_regulation([0.4, -0.2])
    >>> mor, fit.method
    (array([ 0.4, -0.2]), 'correlation')
    """
    values = np.array(correlation, dtype=np.float64)
    if values.ndim != 1 or not (np.abs(values) <= 1).all():  # NaN also fails the comparison
        raise InputError(
            "Correlations must be one number in [-1, 1] per edge. "
            "Drop edges whose correlation is not defined (a constant gene)."
        )
    if values.size < MIN_EDGES:
        fit = ModeFit("correlation", f"{values.size} edges, fewer than {MIN_EDGES}")
    else:
        fit = fit_mixture(values)
    if fit.method == "mixture":
        return tail_mode(values, fit), fit
    logger.log(
        logging.INFO if values.size < MIN_EDGES else logging.WARNING,
        "Mode of regulation: the correlation itself is used, because no mixture was fitted (%s).",
        fit.reason,
    )
    return values, fit


def fit_mixture(correlation: NDArray[np.float64]) -> ModeFit:
    """Three Gaussians, the middle one centred at 0, fitted to correlations [edges] by ECM.

    Each iteration: responsibilities; weights and means (the middle mean stays 0); responsibilities
    again; weights and standard deviations around the new means. It stops when the log-likelihood
    gains no more than 1e-8, or after 3000 iterations without convergence. With more than 20,000
    edges, 20,000 evenly spaced order statistics are used.

    Reference: Meng and Rubin 1993 (ECM); start values of Alvarez et al. 2016.
    """
    values = _representatives(correlation)
    means, sds, weights = (
        np.array(start)[:, None] for start in (_START_MEANS, _START_SDS, _START_WEIGHTS)
    )
    reason, converged, iteration = "", False, 0
    with np.errstate(all="ignore"):  # an empty component gives 0/0, which is detected below
        shares, log_likelihood = _responsibilities(values, weights, means, sds)
        while not converged and not reason and iteration < _MOST_ITERATIONS:
            iteration += 1
            previous = log_likelihood
            weights = shares.mean(axis=1, keepdims=True)
            means = (shares * values).sum(axis=1, keepdims=True) / shares.sum(1, keepdims=True)
            means[1] = 0.0
            shares, _ = _responsibilities(values, weights, means, sds)
            weights = shares.mean(axis=1, keepdims=True)
            spread = (shares * (values - means) ** 2).sum(axis=1, keepdims=True)
            sds = np.sqrt(spread / shares.sum(axis=1, keepdims=True))
            shares, log_likelihood = _responsibilities(values, weights, means, sds)
            if not np.isfinite(log_likelihood) or not (sds > _SMALLEST_SD).all():
                reason = "a component of the mixture became empty"
            converged = not reason and log_likelihood - previous <= _SMALLEST_GAIN
    if not converged and not reason:
        reason = f"the mixture did not converge in {iteration} iterations"
    return ModeFit(
        method="mixture" if converged else "correlation",
        reason=reason,
        means=_three(means),
        sds=_three(sds),
        weights=_three(weights),
        log_likelihood=float(log_likelihood),
        n_iterations=iteration,
        converged=converged,
    )


def tail_mode(correlation: ArrayLike, fit: ModeFit) -> NDArray[np.float64]:
    """Mode of regulation [edges] of correlations under a fitted mixture.

    With g1 = P(N1 > c), g2 = P(N3 < c), lower = P(N2 < c), upper = P(N2 > c):
    mode = g2 / (g1 + upper + g2) where c >= 0, else -g1 / (g1 + lower + g2).
    The weights of the mixture are not used. Reference: Alvarez et al. 2016.
    """
    c = np.asarray(correlation, dtype=np.float64)
    low, middle, high = ((c - mean) / sd for mean, sd in zip(fit.means, fit.sds, strict=True))
    repressed, activated = ndtr(-low), ndtr(high)
    neither = np.where(c >= 0, ndtr(-middle), ndtr(middle))
    signed = np.where(c >= 0, activated, -repressed)
    total = repressed + neither + activated
    return np.divide(signed, total, out=np.zeros_like(c), where=total > 0)


def mode_and_likelihood(
    columns: Mapping[str, NDArray[np.float64]], regulators: NDArray[np.integer]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mode of regulation and likelihood of each edge [edges], from the available columns.

    Mode: ``mor``, else ``correlation``, else ``weight`` (its sign if any weight exceeds 1), else
    1. Likelihood: ``likelihood``, else ``mi``, ``support`` or the magnitude of ``weight`` (if it
    did not give the mode), scaled to a largest value of 1 per regulon, else 1.

    Parameters
    ----------
    columns
        Numbers of each edge, by name.
    regulators
        Number of the regulator of each edge, 0, 1, ...

    Warns
    -----
    PyscesWarning
        If a weight exceeds 1, so that weights are not taken as modes.
    """
    weight = columns.get("weight")
    mode = columns.get("mor", columns.get("correlation"))
    if mode is None and weight is not None:
        graded = (np.abs(weight) <= 1).all()
        if not graded:
            known = any(name in columns for name in ("likelihood", "mi", "support"))
            _warn_of_large_weights(weight, likelihood_known=known)
        mode = weight if graded else np.sign(weight)
        weight = None if graded else weight
    if mode is None:
        mode = np.ones(len(regulators))
    if "likelihood" in columns:
        return mode.copy(), columns["likelihood"].copy()
    size = columns.get("mi", columns.get("support", None if weight is None else np.abs(weight)))
    if size is None:
        return mode.copy(), np.ones(len(regulators))
    return mode.copy(), scale_by_regulon(np.maximum(size, 0), regulators)


def _warn_of_large_weights(weight: NDArray[np.float64], *, likelihood_known: bool) -> None:
    """Warn how weights that cannot be modes are used, with the remedy."""
    size = np.abs(weight)
    largest = f"{size.max():.4g}"
    if (weight < 0).any():
        mode = "their signs"
        remedy = (
            f"To use the weights as modes, divide them by {largest}; to set both, add the columns "
            "mor and likelihood."
        )
    else:
        mode = "1 for every target, as no weight is negative"
        remedy = (
            "Importances (GRNBoost, GENIE3) have no sign: to mark repressed targets, add a column "
            "mor or correlation, from -1 to 1."
        )
    sizes = (
        ""
        if likelihood_known
        else "; likelihoods are their magnitudes divided by the largest of the regulator"
    )
    warnings.warn(
        f"{np.count_nonzero(size > 1)} of {len(size)} weights of the network exceed 1 (up to "
        f"{largest}), so they are not taken as modes of regulation. Modes are {mode}{sizes}. "
        f"{remedy}",
        PyscesWarning,
        stacklevel=outside(),
    )


def scale_by_regulon(
    values: NDArray[np.float64], regulators: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Values [edges] divided by the largest of the same regulator; 1 where that is 0.

    Parameters
    ----------
    values
        Mutual information or support of each edge, >= 0.
    regulators
        Number of the regulator of each edge, 0, 1, ...
    """
    largest = np.zeros(int(regulators.max(initial=-1)) + 1)
    np.maximum.at(largest, regulators, values)
    of_edge = largest[regulators]
    return np.divide(values, of_edge, out=np.ones_like(of_edge), where=of_edge > 0)


def prune_order(
    likelihood: NDArray[np.float64],
    regulators: NDArray[np.integer],
    n_targets: int,
    adaptive: bool,
) -> NDArray[np.intp]:
    """Positions of the edges that pruning keeps: by regulator, then by likelihood, decreasing.

    Equal likelihoods keep their order. Adaptive: edges are kept while the running sum of
    (likelihood / largest of the regulon)^2 is at most ``n_targets``; otherwise the first
    ``n_targets`` are kept. If all likelihoods of a regulon are 0, they count as equal.
    """
    order = np.lexsort((-likelihood, regulators))
    sizes = np.bincount(regulators, minlength=1)
    kept = []
    for regulon in np.split(order, np.cumsum(sizes)[:-1]):
        chosen = regulon[: n_targets if not adaptive else None]
        if adaptive and regulon.size and likelihood[regulon[0]] > 0:
            effective = np.cumsum((likelihood[regulon] / likelihood[regulon[0]]) ** 2)
            chosen = regulon[effective <= n_targets]
        elif adaptive:
            chosen = regulon[:n_targets]
        kept.append(chosen)
    return np.concatenate(kept)


def _representatives(correlation: NDArray[np.float64]) -> NDArray[np.float64]:
    if correlation.size <= MOST_FITTED:
        return correlation
    middles = (np.arange(MOST_FITTED) + 0.5) / MOST_FITTED * correlation.size
    return np.sort(correlation)[middles.astype(np.intp)]


def _responsibilities(
    values: NDArray[np.float64],
    weights: NDArray[np.float64],
    means: NDArray[np.float64],
    sds: NDArray[np.float64],
) -> tuple[NDArray[np.float64], float]:
    """Share of each component in each value [3 edges], and the log-likelihood."""
    density = weights / (sds * np.sqrt(2 * np.pi)) * np.exp(-0.5 * ((values - means) / sds) ** 2)
    total = density.sum(axis=0)
    return density / total, float(np.log(total).sum())


def _three(column: NDArray[np.float64]) -> tuple[float, float, float]:
    first, second, third = column.ravel().tolist()
    return first, second, third
