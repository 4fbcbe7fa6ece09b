"""Estimators at one number of samples; of ranks or bins: values -> marginals -> information."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np

from pysces import _seeds
from pysces._checks import check_flag, check_integer, check_one_of
from pysces.aracne._partition import ADAPTIVE, bins, c_log_c, fraction_bits, partition, to_nats
from pysces.dispatch import operations as ops
from pysces.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

ESTIMATORS = (*ADAPTIVE, "binned")


class Estimator(Protocol):
    """An estimator of mutual information at one number of samples."""

    def __hash__(self) -> int:
        """Equal estimators have equal hashes."""

    @property
    def estimator(self) -> str:
        """Its name among the parameters."""

    @property
    def n(self) -> int:
        """Number of samples."""

    @property
    def name(self) -> str:
        """All that the null distribution depends on, in words."""

    @property
    def ties(self) -> str:
        """``"random"`` or ``"together"``."""

    @property
    def per_nat(self) -> float:
        """Fixed-point mutual information of one nat."""

    def nats(self, mi: NDArray[np.int64]) -> NDArray[np.float64]:
        """Mutual information in nats."""

    def with_samples(self, n: int) -> Self:
        """The same estimator for another number of samples."""

    def null_form(self) -> Self:
        """The form whose null distribution is simulated."""

    def enough(self) -> Self:
        """The form of fewest samples whose null distribution can be stretched to this one."""

    def stretch(self, large: Any) -> Callable[[NDArray[np.int64]], NDArray[np.int64]]:
        """Values of a larger sample from those of this one."""

    def independent(
        self, genes: NDArray[np.uint64], key: int, n_rows: int, draw: NDArray[np.int64] | None
    ) -> NDArray[np.int64]:
        """Mutual information of independent genes without ties, rows x others."""


@dataclass(frozen=True)
class Measure:
    """How mutual information is estimated from n samples.

    Attributes
    ----------
    estimator
        ``"adaptive"``, ``"adaptive-dyadic"`` or ``"binned"``.
    n
        Number of samples.
    n_bins
        Equal-frequency bins of ``"binned"``.
    ties
        ``"random"`` (each tie broken anew in each gene) or ``"together"`` (``"binned"`` only).
    miller_madow
        Whether ``"binned"`` has the correction of Miller and Madow.
    """

    estimator: str
    n: int
    n_bins: int = 10
    ties: str = "random"
    miller_madow: bool = False

    def __post_init__(self) -> None:
        check_one_of("estimator", self.estimator, ESTIMATORS)
        check_integer("n_bins", self.n_bins, 2, 255)
        check_one_of("ties", self.ties, ("random", "together"))
        check_flag("miller_madow", self.miller_madow)
        if self.adaptive and (self.ties != "random" or self.miller_madow):
            raise InputError(
                "ties='together' and miller_madow=True are of estimator='binned'. "
                f"Got estimator={self.estimator!r}."
            )

    @property
    def adaptive(self) -> bool:
        """Whether the partition adapts to the data."""
        return self.estimator in ADAPTIVE

    @property
    def name(self) -> str:
        """All that the null distribution depends on, in words."""
        if self.adaptive:
            return f"{self.estimator}-n{self.n}"
        corrected = "-corrected" * self.miller_madow
        return f"binned{self.n_bins}{corrected}-n{self.n}"

    @property
    def bytes_per_value(self) -> int:
        """Bytes of one entry of the marginals."""
        return 4 if self.adaptive else 1

    @cached_property
    def fraction_bits(self) -> int:
        """Fractional bits of fixed-point mutual information."""
        return fraction_bits(self.n)

    @cached_property
    def _tables(self) -> dict[str, Any]:
        if self.adaptive:
            return dict(partition(self.estimator, self.n).tables)
        half_cell = (1 << self.fraction_bits) // 2 if self.miller_madow else 0
        return {"n_bins": self.n_bins, "n_log_n": c_log_c(self.n), "half_cell": half_cell}

    def marginals(self, values: NDArray[np.float64], keys: NDArray[np.uint64]) -> NDArray[Any]:
        """Ranks (int32) or bins (uint8) of values, genes x samples; ties are broken by the keys."""
        if self.adaptive:
            return ops.ordinal_ranks(values, keys, self.estimator == "adaptive")
        if self.ties == "together":
            return bins(ops.average_ranks(values), self.n_bins, "together")
        return bins(ops.ordinal_ranks(values, keys, False), self.n_bins, "random")

    def mi(self, regulators: NDArray[Any], genes: NDArray[Any]) -> NDArray[np.int64]:
        """N times the mutual information of marginals, fixed point, regulators x genes."""
        kernel = ops.adaptive_mi if self.adaptive else ops.binned_mi
        return kernel(regulators=regulators, genes=genes, **self._tables)

    @property
    def per_nat(self) -> float:
        """What :meth:`mi` returns for one nat."""
        return self.n * 2.0**self.fraction_bits

    def nats(self, mi: NDArray[np.int64]) -> NDArray[np.float64]:
        """Mutual information in nats from what :meth:`mi` returns."""
        return to_nats(np.asarray(mi), self.n, self.fraction_bits)

    def with_samples(self, n: int) -> Measure:
        """The same estimator for another number of samples."""
        return Measure(self.estimator, n, self.n_bins, self.ties, self.miller_madow)

    def null_form(self) -> Measure:
        """The form whose null distribution is simulated.

        Ties kept together make fewer or smaller cells, so less mutual information by chance: the
        distribution without ties bounds it from above, and p-values are conservative.
        """
        return replace(self, ties="random")

    def enough(self) -> Measure:
        """The form of fewest samples whose null distribution can be stretched to this one.

        With fixed bins 2 n MI tends to a chi-square distribution (Wilks 1938); with 40 samples in
        each cell its mean is within half a per cent. Adaptive partitions grow with n, and have no
        limit.
        """
        most = self.n if self.adaptive else max(4096, 40 * self.n_bins**2)
        return self.with_samples(min(self.n, most))

    def stretch(self, large: Measure) -> Callable[[NDArray[np.int64]], NDArray[np.int64]]:
        """Values of a larger sample from those of this one, for fixed bins.

        The mean of 2 n MI is (B - 1)^2 (1 + (B + 1)^2 / 6n) for B bins (Williams 1976); values are
        scaled by the ratio of both, before the correction of Miller and Madow and in fixed point.
        """

        def mean(measure: Measure) -> float:
            return 1 + (measure.n_bins + 1) ** 2 / (6 * measure.n)

        def bias(measure: Measure) -> float:
            half_cell = 2.0 ** (measure.fraction_bits - 1) if measure.miller_madow else 0.0
            return half_cell * (measure.n_bins - 1) ** 2

        scale = mean(large) / mean(self) * 2.0 ** (large.fraction_bits - self.fraction_bits)
        before, after = bias(self), bias(large)
        return lambda mi: np.rint((mi + before) * scale - after).astype(np.int64)

    def independent(
        self, genes: NDArray[np.uint64], key: int, n_rows: int, draw: NDArray[np.int64] | None
    ) -> NDArray[np.int64]:
        """Mutual information of independent genes without ties, rows x others.

        Ranks of constant genes: the hash that breaks ties makes them random permutations. Of a
        bootstrap, values are drawn (`draw`) from such ranks, and its ties are broken anew.
        """
        values = np.zeros((len(genes), self.n))
        if draw is not None:
            values = ops.ordinal_ranks(values, _seeds.combine(genes, key), False).astype(np.float64)
            values = np.ascontiguousarray(values[:, draw])
            key = _seeds.key(key, "ties")
        marginals = self.marginals(values, _seeds.combine(genes, key))
        return self.mi(marginals[:n_rows], marginals[n_rows:])
