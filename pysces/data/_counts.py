"""Counts given depth: margins, scores and residuals that do not depend on depth."""

from __future__ import annotations

import math
import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri

from pysces._seeds import combine
from pysces.data._margins import (
    N_KNOTS,
    Columns,
    DepthBins,
    calibrated,
    calibration,
    check_counts,
    ends_of,
    fit_size,
    is_calibrated,
    mean_scores,
    quantile,
    score_variance,
    without_extremes,
    zero_scores,
)
from pysces.data._recovery import Recovered, looks_like_counts, recover_counts
from pysces.errors import InputError
from pysces.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

__all__ = ["CountModel", "Recovered", "interval_scores", "looks_like_counts", "recover_counts"]

_BLOCK_VALUES = 2**21  # counts read at a time by the fit
_CACHED_VALUES = 2**16  # counts scored at a time: their temporaries stay in the cache


@dataclass(frozen=True, eq=False)
class CountModel:
    """Negative binomial margins of genes in samples of given depth.

    The count of gene g in sample i has the mean ``depth[i] * share[batch[i], g]`` and the variance
    ``mean + mean^2 / size[g]``. A count y covers the interval from F(y - 1) to F(y) of the uniform;
    :meth:`scores` are means over that interval. Their means given the depth are 0, so genes that
    depend on each other only through the depth are uncorrelated.

    Attributes
    ----------
    share
        Share of the depth that a gene has in each batch, float64 [batches genes].
    size
        Inverse of the overdispersion of each gene, float64 [genes]; ``inf`` is Poisson.
    depth
        Depth of each sample, in any unit, float64 [samples]; 0 for an empty sample.
    batch
        Batch of each sample, int64 [samples], numbered from 0.
    limit
        Largest absolute normal score.
    table
        Calibration of genes that a negative binomial does not fit (zero-inflated or bimodal):
        distribution functions of the uniforms at fixed knots, float64 [genes knots]; ``None``
        for no calibration.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> depth = rng.uniform(500, 2000, size=300)
    >>> counts = rng.poisson(depth * np.array([[0.001], [0.01]])).astype(float)
    >>> model = CountModel.fit(lambda genes: counts[genes], 2, depth)
    >>> model.share.round(3)
    array([[0.001, 0.009]])
    >>> first, second = model.scores(counts, slice(0, 2))
    >>> bool(abs(first.mean(axis=1)).max() < 0.1)
    True
    """

    share: Floats
    size: Floats
    depth: Floats
    batch: NDArray[np.int64]
    limit: float = 6.0
    table: Floats | None = None

    @classmethod
    def fit(
        cls,
        read: Callable[[slice], Floats | Columns],
        n_genes: int,
        depth: ArrayLike,
        batch: ArrayLike | None = None,
        *,
        calibrate: bool = True,
    ) -> CountModel:
        """Fit the margins of all genes, by blocks of genes.

        Shares are fitted by batch, sizes over all batches; both are robust to a few extreme
        samples. The result is bit-identical for any order of samples or genes and any block size.

        Parameters
        ----------
        read
            Returns the counts of a slice of the genes over all samples, float64 [genes samples];
            or those above 0 (without calibration).
        n_genes
            Number of genes.
        depth
            Depth of each sample, at least 0 [samples].
        batch
            Batch of each sample, numbered from 0 [samples]; one batch by default.
        calibrate
            Whether genes that a negative binomial does not fit are calibrated.

        Raises
        ------
        InputError
            If depths are negative, missing or all 0, or counts are not integers.
        """
        depths = np.ascontiguousarray(depth, dtype=np.float64)
        if depths.ndim != 1 or not np.isfinite(depths).all() or (depths < 0).any():
            raise InputError(
                "Depths must be finite numbers of at least 0, one per sample. Check size_factors=."
            )
        if not depths.any():
            raise InputError("Every sample has the depth 0. Remove empty samples first.")
        batches = np.zeros(len(depths), np.int64) if batch is None else np.asarray(batch, np.int64)
        bins = DepthBins(depths, batches)
        n_batches = int(batches.max()) + 1
        share, size = np.zeros((n_batches, n_genes)), np.full(n_genes, np.inf)
        totals = np.array([math.fsum(depths[batches == b]) for b in range(n_batches)])
        step = max(1, _BLOCK_VALUES // max(1, len(depths)))

        tables = np.zeros((n_genes if calibrate else 0, N_KNOTS))

        def fit(genes: slice, counts: Floats | Columns) -> None:
            columns = counts if isinstance(counts, Columns) else Columns.of(counts)
            check_counts(columns.values, depths[columns.samples])
            columns = without_extremes(columns, depths)
            row, values = columns.gene, columns.values
            in_bin = bins.sums(row, columns.samples, values, genes.stop - genes.start)
            for b in range(n_batches):
                whole = in_bin[:, bins.batch == b].sum(axis=1)
                share[b, genes] = whole / totals[b] if totals[b] > 0 else 0.0
            size[genes] = fit_size(columns, in_bin, share[:, genes], bins)
            if calibrate:
                assert isinstance(counts, np.ndarray)
                tables[genes] = calibration(counts, depths, share[:, genes], size[genes], bins)

        threads = 1 if calibrate else min(8, settings.threads or os.cpu_count() or 1)
        with ThreadPoolExecutor(threads) as pool:
            open_parts: deque[Future[None]] = deque()
            for start in range(0, n_genes, step):
                genes = slice(start, min(start + step, n_genes))
                open_parts.append(pool.submit(fit, genes, read(genes)))
                if len(open_parts) > threads:
                    open_parts.popleft().result()
            for part in open_parts:
                part.result()
        limit = float(-ndtri(0.5 / max(2, len(depths))))
        table = tables if calibrate and n_genes else None
        return cls(share, size, depths, batches, limit, table)

    def at(
        self, depth: ArrayLike, batch: ArrayLike | None = None, limit: float | None = None
    ) -> CountModel:
        """The margins for samples of other depths (in the first batch by default)."""
        depths = np.ascontiguousarray(depth, dtype=np.float64)
        batches = np.zeros(len(depths), np.int64) if batch is None else np.asarray(batch, np.int64)
        return replace(
            self, depth=depths, batch=batches, limit=self.limit if limit is None else limit
        )

    def take(self, genes: slice | NDArray[Any]) -> CountModel:
        """The margins of some of the genes."""
        table = None if self.table is None else self.table[genes]
        return replace(self, share=self.share[:, genes], size=self.size[genes], table=table)

    def means(self, genes: slice | NDArray[Any] = slice(None)) -> Floats:
        """Expected counts, float64 [genes samples]."""
        return self.share[:, genes].T[:, self.batch] * self.depth

    def scores(
        self, counts: Floats, genes: slice | NDArray[Any] = slice(None)
    ) -> tuple[Floats, Floats]:
        """Means of z and of z^2 - 1 over the interval that each count covers.

        With z_a and z_b the normal quantiles of F(y - 1) and F(y):

            h1 = (phi(z_a) - phi(z_b)) / (F(y) - F(y - 1))
            h2 = (z_a phi(z_a) - z_b phi(z_b)) / (F(y) - F(y - 1))

        limited to ``|h1| <= limit`` and ``h2 <= limit^2 - 1``. Both are 0 where the expected count
        is 0 (an empty sample, a batch without the gene).

        Parameters
        ----------
        counts
            Counts of the chosen genes, float64 [genes samples].
        genes
            The chosen genes of the model, as a slice or positions.

        Returns
        -------
        h1, h2
            Float64 [genes samples].
        """
        share, size = self.share[:, genes], self.size[genes]
        first, second = np.empty(counts.shape), np.empty(counts.shape)
        step = max(1, _CACHED_VALUES // max(1, counts.shape[1]))
        for start in range(0, len(counts), step):
            rows = slice(start, start + step)
            mean = share[:, rows].T[:, self.batch] * self.depth
            self._score_rows(counts[rows], mean, size[rows], first[rows], second[rows])
        if self.table is not None:
            table = self.table[genes]
            odd = np.flatnonzero(is_calibrated(table))
            for start in range(0, len(odd), step):
                some = odd[start : start + step]
                mean = share[:, some].T[:, self.batch] * self.depth
                first[some], second[some] = self._calibrated(
                    counts[some], mean, size[some], table[some]
                )
        return first, second

    def _calibrated(
        self, counts: Floats, mean: Floats, size: Floats, table: Floats
    ) -> tuple[Floats, Floats]:
        """Scores of a few genes whose uniforms are calibrated."""
        gene = np.repeat(np.arange(len(counts)), counts.shape[1])
        below, upto = ends_of(counts.ravel(), mean.ravel(), size[gene])
        scores = mean_scores(calibrated(below, table, gene), calibrated(upto, table, gene))
        first, second = (score.reshape(counts.shape) for score in scores)
        return self._limited(first, second, mean)

    def _score_rows(
        self, counts: Floats, mean: Floats, size: Floats, first: Floats, second: Floats
    ) -> None:
        """Scores of a few genes, into given arrays."""
        first[:], second[:] = zero_scores(mean, size[:, None])
        row, column = np.nonzero(counts)
        ends = ends_of(counts[row, column], mean[row, column], size[row])
        first[row, column], second[row, column] = mean_scores(*ends)
        self._limited(first, second, mean)

    def _limited(self, first: Floats, second: Floats, mean: Floats) -> tuple[Floats, Floats]:
        """Clip both scores to their limits, in place."""
        unexpected = mean <= 0
        first[unexpected] = second[unexpected] = 0.0
        np.clip(first, -self.limit, self.limit, out=first)
        np.clip(second, -1.0, self.limit**2 - 1, out=second)
        return first, second

    def variance(self, genes: slice | NDArray[Any], depth: ArrayLike, batch: int = 0) -> Floats:
        """Variance of h1 given the depth, ``sum_y P(y) h1(y)^2``, float64 [genes depths].

        Interpolated in a table over mean and size, accurate to about 0.1 %.
        """
        mean = self.share[batch, genes][:, None] * np.asarray(depth, dtype=np.float64)
        return score_variance(mean, self.size[genes][:, None])

    def residuals(
        self,
        counts: Floats,
        genes: slice | NDArray[Any],
        gene_keys: NDArray[np.uint64],
        sample_keys: NDArray[np.uint64],
    ) -> Floats:
        """Randomised quantile residuals (Dunn and Smyth 1996), float64 [genes samples].

        Phi^-1 of a number drawn uniformly from the interval that each count covers: standard
        normal given the depth. The number depends only on both keys; no gene is calibrated.

        Parameters
        ----------
        counts
            Counts of the chosen genes, float64 [genes samples].
        genes
            The chosen genes of the model, as a slice or positions.
        gene_keys
            Keys of their names (`pysces._seeds.keys` of seed and draw), uint64 [genes].
        sample_keys
            Keys of the names of the samples, uint64 [samples].
        """
        share, size = self.share[:, genes], self.size[genes]
        found = np.empty(counts.shape)
        step = max(1, _CACHED_VALUES // max(1, counts.shape[1]))
        for start in range(0, len(counts), step):
            rows = slice(start, start + step)
            bits = combine(gene_keys[rows, None], sample_keys[None, :])  # type: ignore[arg-type]
            place = ((bits >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
            mean = share[:, rows].T[:, self.batch] * self.depth
            found[rows] = _residuals(counts[rows], mean, size[rows, None], place)
        return np.clip(found, -self.limit, self.limit, out=found)


def _residuals(counts: Floats, mean: Floats, size: Floats, place: Floats) -> Floats:
    """Normal quantile of a relative position (0 to 1) in the interval of each count."""
    counts = np.where(mean > 0, counts, 0.0)  # an expected count of 0 covers the whole interval
    sizes = np.broadcast_to(size, counts.shape)
    (lower_a, upper_a), (lower_b, upper_b) = (
        (lower.reshape(counts.shape), upper.reshape(counts.shape))
        for lower, upper in ends_of(counts.ravel(), mean.ravel(), sizes.ravel())
    )
    lower = lower_a * (1 - place) + lower_b * place
    upper = upper_a * (1 - place) + upper_b * place
    return quantile(lower, upper)


def interval_scores(lower: ArrayLike, upper: ArrayLike) -> tuple[Floats, Floats]:
    """Means of z and of z^2 - 1 over the interval (lower, upper] of the uniform distribution.

    ``h1 = (phi(z_a) - phi(z_b)) / (b - a)``, ``h2 = (z_a phi(z_a) - z_b phi(z_b)) / (b - a)``, with
    z_a and z_b the normal quantiles of the ends a and b. With a the share of samples below a value
    and b the share up to it, these are the scores of continuous data and of their ties.

    Examples
    --------
    >>> first, second = interval_scores([0.0, 0.5], [0.5, 1.0])
    >>> first.round(3)
    array([-0.798,  0.798])
    """
    a, b = np.asarray(lower, dtype=np.float64), np.asarray(upper, dtype=np.float64)
    return mean_scores((a, 1 - a), (b, 1 - b))
