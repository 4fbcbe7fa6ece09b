"""From mutual information to p-values: the distribution of independent genes, simulated once.

Without ties the null distribution depends on the estimator, the number of samples and the way of
resampling alone, not on the data. It's simulated with the very kernels that measure the data, on
random ranks, and kept in memory and on disk.
"""

from __future__ import annotations

import bisect
import hashlib
import logging
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pysces import _seeds
from pysces._atomic import atomic_write
from pysces.dispatch.blocks import progress
from pysces.dispatch.engines import choose
from pysces.errors import InputError
from pysces.settings import settings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pysces.aracne._estimators import Estimator

log = logging.getLogger("pysces")

N_NULL = 10_000_000
FORMAT = 2
UNREACHABLE = 2**62  # more than any mutual information in fixed point
# Random rank vectors of one block of the simulation. A block of bootstraps shares one draw of
# samples, so there are more and smaller ones.
_BLOCK = {"permutation": (100, 1000), "bootstrap": (20, 250)}
# How much independent genes seem to share depends on how often a draw repeats samples: at p = 1e-4
# twofold and more from draw to draw. So draws are chosen to be typical of ten times as many.
_STRATUM = 10
_EXACT_SHARE = 0.02  # of the largest values, kept one by one; of the others every 100th is kept
_THINNING = 100
# Where fewer than 100 simulated values lie (p = 1e-5 of 10^7), the tail is exponential; it's fitted
# to all values that are among the largest 1000, but for the 10 largest.
_TAIL_START = 100
_FITTED = (10, 1000)


@dataclass(frozen=True, eq=False)
class Null:
    """Survival function of mutual information under independence.

    Attributes
    ----------
    top
        The largest simulated values (fixed point), ascending.
    thinned
        Every 100th of the values below them, ascending.
    n_null
        Simulated pairs.
    """

    top: NDArray[np.int64]
    thinned: NDArray[np.int64]
    n_null: int

    @cached_property
    def _tail(self) -> tuple[int, float, float]:
        """Where the fitted tail starts, its scale, and ln of the survival at its start."""
        values, first = np.unique(self.top, return_index=True)
        count = len(self.top) - first  # simulated values at or above each distinct one
        start = int(values[np.flatnonzero(count >= min(_TAIL_START, count[0]))[-1]])
        log_share = float(np.log(self._at_least(np.array([start]))[0]))
        return start, _exponential_scale(values, count), log_share

    def _at_least(self, mi: NDArray[np.int64]) -> NDArray[np.float64]:
        """(simulated values >= mi, plus one) / (simulated values + one)."""
        above = len(self.top) - np.searchsorted(self.top, mi, side="left")
        below = len(self.thinned) - np.searchsorted(self.thinned, mi, side="left")
        count = np.where(above < len(self.top), above, len(self.top) + _THINNING * below)
        return (np.minimum(count, self.n_null) + 1.0) / (self.n_null + 1.0)

    def pvalues(self, mi: NDArray[np.int64]) -> NDArray[np.float64]:
        """P(null >= mi) for mutual information in fixed point.

        The simulated survival function; above the 100th largest value (p = 1e-5 of 10^7) an
        exponential tail that starts there.
        """
        mi = np.asarray(mi, dtype=np.int64)
        start, scale, log_share = self._tail
        tail = np.exp(log_share - np.maximum(0, mi - start) / scale)
        return np.where(mi > start, tail, self._at_least(mi))

    def threshold(self, pvalue: float) -> int:
        """The smallest mutual information (fixed point) whose p-value is at most this.

        With very few samples no value may have so small a p-value: `UNREACHABLE` then.
        """

        def reached(mi: int) -> bool:
            return bool(self.pvalues(np.array([mi]))[0] <= pvalue)

        high = int(self.top[-1])
        while not reached(high):
            if high >= UNREACHABLE // 2:
                return UNREACHABLE
            high = 2 * high + 1
        return bisect.bisect_left(range(high), True, key=reached)


def _exponential_scale(values: NDArray[np.int64], count: NDArray[np.int64]) -> float:
    """Scale of an exponential tail through the counts at or above distinct values.

    A straight line through ln(count), weighted by count. Mutual information of few samples or bins
    takes few values, each many times; the mean excess would then be far too small, but the line
    isn't biased. Infinite if there is but one value: nothing is known beyond it.
    """
    if len(values) < 2:
        return float("inf")
    # Counts fall, so those to fit stand side by side; two at least.
    last = max(2, int((count >= _FITTED[0]).sum()))
    fitted = slice(min(int((count > _FITTED[1]).sum()), last - 2), last)
    x, weight = (values[fitted] - values[0]).astype(float), count[fitted].astype(float)
    y = np.log(weight)
    x -= np.average(x, weights=weight)
    return float(-np.sum(weight * x * x) / np.sum(weight * x * y))


def null_of(estimator: Estimator, scheme: str = "permutation", n_null: int = N_NULL) -> Null:
    """The null distribution of this estimator, from memory, disk or a new simulation.

    Parameters
    ----------
    estimator
        At its number of samples.
    scheme
        ``"permutation"`` (all samples differ: no resampling, or without replacement) or
        ``"bootstrap"`` (with replacement: repeated samples are near-duplicates, so chance makes
        far more mutual information).
    n_null
        Simulated pairs of independent genes.

    Notes
    -----
    The state of the cache changes no result: a table depends on its key alone.

    Ties kept together make fewer or smaller cells, so less mutual information by chance: the
    distribution without ties bounds it from above, and p-values are conservative.
    """
    estimator = estimator.null_form()
    small = estimator.enough()
    if small != estimator:
        null, values = null_of(small, scheme, n_null), small.stretch(estimator)
        return Null(values(null.top), values(null.thinned), null.n_null)
    name = f"{estimator.name}-{scheme}-{n_null}-v{FORMAT}"
    folder = settings.cache_dir
    return _cached(name, estimator, scheme, n_null, None if folder is None else Path(folder))


@lru_cache(maxsize=8)
def _cached(name: str, estimator: Estimator, scheme: str, n_null: int, folder: Path | None) -> Null:
    path = None if folder is None else folder / f"null-{name}.npz"
    if path is not None:
        found = _read(path, n_null)
        if found is not None:
            log.info("null distribution %s read from %s", name, path)
            return found
    null = simulate(estimator, scheme, n_null)
    if path is not None:
        _write(path, null)
    return null


def simulate(estimator: Estimator, scheme: str, n_null: int) -> Null:
    """Mutual information of `n_null` pairs of independent genes."""
    engine = choose()
    log.info("simulating %d pairs of independent genes (%s, %s)", n_null, estimator.name, scheme)
    if engine.name == "python" and n_null > 200_000:
        log.warning(
            "the Python engine simulates a null distribution of %d pairs: this takes hours. "
            "Pass n_null=100_000 for a coarser one, or use another engine.",
            n_null,
        )
    per_block = int(np.prod(_BLOCK[scheme]))
    n_blocks = -(-n_null // per_block)
    values = np.empty(n_blocks * per_block, dtype=np.int64)
    draws = _typical_draws(estimator.n, n_blocks) if scheme == "bootstrap" else range(n_blocks)
    for block in progress(range(n_blocks), "null distribution", unit="block"):
        found = _independent(estimator, scheme, block, draws[block])
        values[block * per_block : (block + 1) * per_block] = found.ravel()
    return summarise(values[:n_null])


def summarise(values: NDArray[np.int64]) -> Null:
    """Keep the largest values one by one, every 100th of the others."""
    values = np.sort(values)
    kept = max(1, min(len(values), int(np.ceil(len(values) * _EXACT_SHARE))))
    top, rest = values[-kept:], values[:-kept]
    # From above, so that the count of values at or above a kept one is never understated by 100.
    thinned = rest[::-1][::_THINNING][::-1]
    return Null(np.ascontiguousarray(top), np.ascontiguousarray(thinned), len(values))


def _draw(n: int, number: int) -> NDArray[np.int64]:
    """Samples of one bootstrap, ascending."""
    return np.sort(_seeds.generator(0, "null draw", n, number).integers(0, n, size=n))


def _typical_draws(n: int, count: int) -> list[int]:
    """Numbers of bootstraps that stand for ten times as many.

    Of ten times as many draws, sorted by the sum of squared multiplicities, one of each ten by
    chance: stratified sampling, unbiased, with far less variance.
    """
    squares = [np.sum(np.bincount(_draw(n, i)) ** 2) for i in range(_STRATUM * count)]
    strata = np.argsort(squares, kind="stable").reshape(count, _STRATUM)
    place = _seeds.generator(0, "null strata", n, count).integers(0, _STRATUM, size=count)
    return [int(number) for number in strata[np.arange(count), place]]


def _independent(estimator: Estimator, scheme: str, block: int, draw: int = 0) -> NDArray[np.int64]:
    """Mutual information of two groups of independent genes, pair by pair."""
    key = _seeds.key(0, "null", estimator.kind, estimator.n, scheme, block)
    n_regulators, n_genes = _BLOCK[scheme]
    rows = np.arange(n_regulators + n_genes, dtype=np.uint64)
    samples = _draw(estimator.n, draw) if scheme == "bootstrap" else None
    return estimator.independent(rows, key, n_regulators, samples)


# --- on disk ------------------------------------------------------------------------------------


def _digest(top: NDArray[np.int64], thinned: NDArray[np.int64]) -> str:
    return hashlib.blake2b(top.tobytes() + thinned.tobytes(), digest_size=16).hexdigest()


def _read(path: Path, n_null: int) -> Null | None:
    """The stored table; None if there is none or it's damaged (it's then made anew)."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            top, thinned = stored["top"], stored["thinned"]
            sound = str(stored["digest"]) == _digest(top, thinned)
    except FileNotFoundError:
        return None
    except Exception as error:  # whatever a damaged or foreign file makes NumPy raise
        log.warning("%s can't be read (%s) and is made anew", path, error)
        return None
    if not sound:
        log.warning("%s is damaged and is made anew", path)
        return None
    return Null(top, thinned, n_null)


def _write(path: Path, null: Null) -> None:
    """Atomically: other processes see the whole table or none."""
    digest = np.array(_digest(null.top, null.thinned))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(
            path, lambda file: np.savez(file, top=null.top, thinned=null.thinned, digest=digest)
        )
    except (OSError, InputError) as error:
        log.warning("the null distribution isn't kept on disk: %s", error)
