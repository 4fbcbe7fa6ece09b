"""P-values of mutual information from its simulated distribution for independent genes.

Without ties the null distribution depends only on the estimator, the number of samples and the
resampling scheme, not on the data. It is simulated on random ranks with the kernels that process
the data, and cached in memory and on disk.
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
from pysces.dispatch.blocks import block_length, blocks, progress
from pysces.dispatch.engines import choose
from pysces.errors import PyscesError
from pysces.settings import settings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pysces.aracne._estimators import Estimator

log = logging.getLogger("pysces")

N_NULL = 10_000_000
FORMAT = 3
UNREACHABLE = 2**62  # more than any mutual information in fixed point
# Random rank vectors in one block of the simulation. A block of bootstraps shares one draw of
# samples, so there are more blocks, and they are smaller.
_BLOCK = {"permutation": (100, 1000), "bootstrap": (20, 250)}
# The null mutual information of a bootstrap depends on how often it repeats samples: at p = 1e-4 it
# differs twofold and more between bootstraps. So they are a stratified sample of ten times as many.
_STRATUM = 10
_EXACT_SHARE = 0.02  # largest values that are all stored; of the others every 100th is
_THINNING = 100
# Beyond the 100th largest simulated value (p = 1e-5 of 10^7) the tail is exponential; it is fitted
# to the 1000 largest values except the 10 largest.
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
        Number of simulated pairs.
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
        """The smallest mutual information (fixed point) whose p-value is at most `pvalue`.

        `UNREACHABLE` if no value has so small a p-value, as with very few samples.
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

    A straight line through ln(count), weighted by count. With few samples or bins, mutual
    information takes few distinct values, each many times; the mean excess would then be far too
    small, while the line is unbiased. Infinite if there is only one value.
    """
    if len(values) < 2:
        return float("inf")
    # Counts decrease, so those to fit are contiguous; at least two.
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
        ``"permutation"`` (samples are distinct: no resampling, or without replacement) or
        ``"bootstrap"`` (with replacement: repeated samples increase the mutual information of
        independent genes).
    n_null
        Number of simulated pairs of independent genes.

    Notes
    -----
    Results do not depend on the state of the cache: a table depends only on its key.

    With ``ties="together"`` there are fewer occupied cells and less mutual information under
    independence: the distribution without ties is an upper bound, so p-values are conservative.
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
        found = _read(path, name, n_null)
        if found is not None:
            log.info("null distribution %s read from %s", name, path)
            return found
    null = simulate(estimator, scheme, n_null)
    if path is not None:
        _write(path, name, null)
    return null


def simulate(estimator: Estimator, scheme: str, n_null: int) -> Null:
    """Mutual information of `n_null` pairs of independent genes."""
    engine = choose()
    log.info("simulating %d pairs of independent genes (%s, %s)", n_null, estimator.name, scheme)
    if engine.name == "python" and n_null > 200_000:
        log.warning(
            "the Python engine simulates a null distribution of %d pairs, which takes hours. "
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


def _lengths(count: int) -> tuple[int, int]:
    """Number of the values that are all stored, and of the others."""
    kept = max(1, min(count, int(np.ceil(count * _EXACT_SHARE))))
    return kept, count - kept


def summarise(values: NDArray[np.int64]) -> Null:
    """Keep all of the largest values and every 100th of the others."""
    values = np.sort(values)
    kept, _ = _lengths(len(values))
    top, rest = values[-kept:], values[:-kept]
    # From the largest down: a count of values at or above a kept one must not be 100 too small.
    thinned = rest[::-1][::_THINNING][::-1]
    return Null(np.ascontiguousarray(top), np.ascontiguousarray(thinned), len(values))


def _draw(n: int, number: int) -> NDArray[np.int64]:
    """Samples of one bootstrap, ascending."""
    return np.sort(_seeds.generator(0, "null draw", n, number).integers(0, n, size=n))


def _typical_draws(n: int, count: int) -> list[int]:
    """Numbers of bootstraps that represent ten times as many.

    Ten times as many bootstraps are sorted by the sum of squared multiplicities, and one of every
    ten is chosen at random: stratified sampling, unbiased and with far less variance.
    """
    squares = [np.sum(np.bincount(_draw(n, i)) ** 2) for i in range(_STRATUM * count)]
    strata = np.argsort(squares, kind="stable").reshape(count, _STRATUM)
    place = _seeds.generator(0, "null strata", n, count).integers(0, _STRATUM, size=count)
    return [int(number) for number in strata[np.arange(count), place]]


def _independent(estimator: Estimator, scheme: str, block: int, draw: int = 0) -> NDArray[np.int64]:
    """Mutual information of two groups of independent genes, pair by pair."""
    key = _seeds.key(0, "null", estimator.kind, estimator.n, scheme, block)
    n_regulators, n_genes = _BLOCK[scheme]
    rows, genes = np.split(np.arange(n_regulators + n_genes, dtype=np.uint64), [n_regulators])
    samples = _draw(estimator.n, draw) if scheme == "bootstrap" else None
    # Values of a gene depend on its number alone, so the block may be computed in tiles.
    most = block_length(estimator.bytes_per_gene, n_regulators + n_genes)
    tall = max(1, min(n_regulators, most // 2))
    wide = max(1, most - tall)
    found = np.empty((n_regulators, n_genes), dtype=np.int64)
    for some in blocks(n_regulators, tall):
        for others in blocks(n_genes, wide):
            both = np.concatenate([rows[some], genes[others]])
            found[some, others] = estimator.independent(both, key, len(rows[some]), samples)
    return found


# --- on disk ------------------------------------------------------------------------------------


def _digest(name: str, null: Null) -> str:
    """Digest of a table and of the name that says what it is the distribution of."""
    content = name.encode() + b"\0" + null.top.tobytes() + null.thinned.tobytes()
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _is_sound(null: Null) -> bool:
    """Whether a table has the types, lengths and order of one that `summarise` returns."""
    kept, left_out = _lengths(null.n_null)
    return (
        null.top.dtype == null.thinned.dtype == np.int64
        and null.top.shape == (kept,)
        and null.thinned.shape == (-(-left_out // _THINNING),)
        and bool((np.diff(np.concatenate([null.thinned, null.top])) >= 0).all())
    )


def _read(path: Path, name: str, n_null: int) -> Null | None:
    """The stored table; None if it is missing, corrupt or of another name (it is recomputed)."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            null = Null(stored["top"], stored["thinned"], n_null)
            sound = str(stored["digest"]) == _digest(name, null) and _is_sound(null)
    except FileNotFoundError:
        return None
    except Exception as error:  # NumPy raises various exceptions for corrupt files
        log.warning("%s cannot be read (%s); recomputing", path, error)
        return None
    if not sound:
        log.warning("%s is corrupt or belongs to another name; recomputing", path)
        return None
    return null


def _write(path: Path, name: str, null: Null) -> None:
    """Store a table atomically."""
    digest = np.array(_digest(name, null))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(
            path, lambda file: np.savez(file, top=null.top, thinned=null.thinned, digest=digest)
        )
    except (OSError, PyscesError) as error:
        log.warning("the null distribution cannot be stored on disk: %s", error)
