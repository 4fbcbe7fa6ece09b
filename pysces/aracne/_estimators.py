"""Estimators of mutual information from ranks (`Adaptive`, `Binned`), at one number of samples.

Values of a gene become a marginal (ranks or bins); two marginals give a mutual information in fixed
point. The estimator that uses scores, `Copula`, is in `_copula`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

import numpy as np

from pysces import _seeds
from pysces._checks import check_flag, check_integer, check_one_of
from pysces.aracne._partition import ADAPTIVE, bins, c_log_c, fraction_bits, partition, to_nats
from pysces.dispatch import operations as ops

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


class Estimator(Protocol):
    """An estimator of mutual information at one number of samples."""

    def __hash__(self) -> int:
        """Equal estimators have equal hashes."""

    @property
    def kind(self) -> str:
        """Its name in the options."""

    @property
    def n(self) -> int:
        """Number of samples."""

    @property
    def name(self) -> str:
        """Text key of everything that the null distribution depends on."""

    @property
    def ties(self) -> str:
        """``"random"`` or ``"together"``."""

    @property
    def per_nat(self) -> float:
        """Fixed-point mutual information of one nat."""

    @property
    def bytes_per_gene(self) -> float:
        """Memory that `independent` needs for each gene."""

    def nats(self, mi: NDArray[np.int64]) -> NDArray[np.float64]:
        """Mutual information in nats."""

    def with_samples(self, n: int) -> Self:
        """The same estimator for another number of samples."""

    def null_form(self) -> Self:
        """The estimator whose null distribution is simulated."""

    def enough(self) -> Self:
        """The estimator of fewest samples whose null distribution rescales to this one."""

    def stretch(self, large: Any) -> Callable[[NDArray[np.int64]], NDArray[np.int64]]:
        """Rescale null values of this sample size to a larger one."""

    def independent(
        self, genes: NDArray[np.uint64], key: int, n_rows: int, draw: NDArray[np.int64] | None
    ) -> NDArray[np.int64]:
        """Mutual information of independent genes without ties, rows x others."""


@dataclass(frozen=True)
class RankEstimator(ABC):
    """Base class of the estimators that use ranks.

    Attributes
    ----------
    kind
        Its name in the options.
    n
        Number of samples.
    """

    kind: str
    n: int

    bytes_per_value: ClassVar[int]
    """Bytes per entry of the marginals."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Text key of everything that the null distribution depends on."""

    @abstractmethod
    def marginals(self, values: NDArray[np.float64], keys: NDArray[np.uint64]) -> NDArray[Any]:
        """Ranks (int32) or bins (uint8) of values, genes x samples; ties are broken by the keys."""

    @abstractmethod
    def mi(self, regulators: NDArray[Any], genes: NDArray[Any]) -> NDArray[np.int64]:
        """N times the mutual information of marginals, fixed point, regulators x genes."""

    @property
    def ties(self) -> str:
        """How equal values are ranked."""
        return "random"

    @cached_property
    def fraction_bits(self) -> int:
        """Fractional bits of fixed-point mutual information."""
        return fraction_bits(self.n)

    @property
    def bytes_per_gene(self) -> float:
        """Memory that `independent` needs for each gene: values, drawn values and ranks."""
        return 20.0 * self.n

    @property
    def per_nat(self) -> float:
        """What :meth:`mi` returns for one nat."""
        return self.n * 2.0**self.fraction_bits

    def nats(self, mi: NDArray[np.int64]) -> NDArray[np.float64]:
        """Mutual information in nats from what :meth:`mi` returns."""
        return to_nats(np.asarray(mi), self.n, self.fraction_bits)

    def with_samples(self, n: int) -> Self:
        """The same estimator for another number of samples."""
        return replace(self, n=n)

    def null_form(self) -> Self:
        """The estimator whose null distribution is simulated."""
        return self

    def enough(self) -> Self:
        """The estimator of fewest samples whose null distribution rescales to this one."""
        return self

    def stretch(self, large: Any) -> Callable[[NDArray[np.int64]], NDArray[np.int64]]:
        """Rescale null values of this sample size to a larger one."""
        raise NotImplementedError  # never called: `enough` is the estimator itself

    def independent(
        self, genes: NDArray[np.uint64], key: int, n_rows: int, draw: NDArray[np.int64] | None
    ) -> NDArray[np.int64]:
        """Mutual information of independent genes without ties, rows x others.

        The hash that breaks ties turns constant genes into random permutations. For a bootstrap,
        values are drawn (`draw`) from these, and the ties of the draw are broken again.
        """
        values = np.zeros((len(genes), self.n))
        if draw is not None:
            values = ops.ordinal_ranks(values, _seeds.combine(genes, key), False).astype(np.float64)
            values = np.ascontiguousarray(values[:, draw])
            key = _seeds.key(key, "ties")
        marginals = self.marginals(values, _seeds.combine(genes, key))
        return self.mi(marginals[:n_rows], marginals[n_rows:])


@dataclass(frozen=True)
class Adaptive(RankEstimator):
    """Adaptive partitioning: ``"adaptive"`` (ARACNe-AP) or ``"adaptive-dyadic"`` (ARACNe3)."""

    bytes_per_value: ClassVar[int] = 4

    def __post_init__(self) -> None:
        check_one_of("estimator", self.kind, ADAPTIVE)

    @property
    def name(self) -> str:
        """Text key of everything that the null distribution depends on."""
        return f"{self.kind}-n{self.n}"

    @cached_property
    def _tables(self) -> dict[str, Any]:
        return dict(partition(self.kind, self.n).tables)

    def marginals(self, values: NDArray[np.float64], keys: NDArray[np.uint64]) -> NDArray[Any]:
        """Ranks (int32) of values, genes x samples; ties are broken by the keys."""
        return ops.ordinal_ranks(values, keys, self.kind == "adaptive")

    def tables_of_edges(self) -> dict[str, Any]:
        """Arguments of `adaptive_edges` that are the same for all resamples."""
        return {"descending": self.kind == "adaptive", **self._tables}

    def mi(self, regulators: NDArray[Any], genes: NDArray[Any]) -> NDArray[np.int64]:
        """N times the mutual information of ranks, fixed point, regulators x genes."""
        return ops.adaptive_mi(regulators=regulators, genes=genes, **self._tables)


@dataclass(frozen=True)
class Binned(RankEstimator):
    """Equal-frequency bins.

    Attributes
    ----------
    n_bins
        Number of bins.
    ties
        ``"random"`` (ties broken independently in each gene) or ``"together"``.
    miller_madow
        Whether the bias is corrected (Miller and Madow).
    """

    n_bins: int = 10
    ties: str = "random"
    miller_madow: bool = False
    bytes_per_value: ClassVar[int] = 1

    def __post_init__(self) -> None:
        check_integer("n_bins", self.n_bins, 2, 255)
        check_one_of("ties", self.ties, ("random", "together"))
        check_flag("miller_madow", self.miller_madow)

    @property
    def name(self) -> str:
        """Text key of everything that the null distribution depends on."""
        corrected = "-corrected" * self.miller_madow
        return f"binned{self.n_bins}{corrected}-n{self.n}"

    @cached_property
    def _tables(self) -> dict[str, Any]:
        half_cell = (1 << self.fraction_bits) // 2 if self.miller_madow else 0
        return {"n_bins": self.n_bins, "n_log_n": c_log_c(self.n), "half_cell": half_cell}

    def marginals(self, values: NDArray[np.float64], keys: NDArray[np.uint64]) -> NDArray[Any]:
        """Bins (uint8) of values, genes x samples; ties are broken by the keys, or share a bin."""
        if self.ties == "together":
            return bins(ops.average_ranks(values), self.n_bins, "together")
        return bins(ops.ordinal_ranks(values, keys, False), self.n_bins, "random")

    def mi(self, regulators: NDArray[Any], genes: NDArray[Any]) -> NDArray[np.int64]:
        """N times the mutual information of bins, fixed point, regulators x genes."""
        return ops.binned_mi(regulators=regulators, genes=genes, **self._tables)

    def null_form(self) -> Self:
        """The estimator whose null distribution is simulated.

        With ``ties="together"`` there are fewer occupied cells and less mutual information under
        independence: the distribution without ties is an upper bound, so p-values are conservative.
        """
        return replace(self, ties="random")

    def enough(self) -> Self:
        """The estimator of fewest samples whose null distribution rescales to this one.

        2 n MI tends to a chi-square distribution (Wilks 1938); with 40 samples in each cell its
        mean is accurate to half a per cent.
        """
        return self.with_samples(min(self.n, max(4096, 40 * self.n_bins**2)))

    def stretch(self, large: Binned) -> Callable[[NDArray[np.int64]], NDArray[np.int64]]:
        """Rescale null values of this sample size to a larger one.

        The mean of 2 n MI is (B - 1)^2 (1 + (B + 1)^2 / 6n) for B bins (Williams 1976). Values are
        scaled by the ratio of these means, in fixed point, before the Miller-Madow correction.
        """

        def mean(estimator: Binned) -> float:
            return 1 + (estimator.n_bins + 1) ** 2 / (6 * estimator.n)

        def bias(estimator: Binned) -> float:
            half_cell = 2.0 ** (estimator.fraction_bits - 1) if estimator.miller_madow else 0.0
            return half_cell * (estimator.n_bins - 1) ** 2

        scale = mean(large) / mean(self) * 2.0 ** (large.fraction_bits - self.fraction_bits)
        before, after = bias(self), bias(large)
        return lambda mi: np.rint((mi + before) * scale - after).astype(np.int64)


def rank_estimator(
    kind: str, n: int, n_bins: int = 10, ties: str = "random", miller_madow: bool = False
) -> RankEstimator:
    """The estimator of this name; the last three arguments are for ``"binned"``."""
    if kind == "binned":
        return Binned(kind, n, n_bins, ties, miller_madow)
    return Adaptive(kind, n)
