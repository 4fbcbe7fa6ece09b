"""Which samples a resample sees."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pysces import seeds
from pysces.checks import check_one_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

RESAMPLINGS = ("subsample", "bootstrap", None)
FRACTION = 1 - 1 / math.e  # the expected share of distinct samples in a bootstrap


@dataclass(frozen=True)
class Resampling:
    """A scheme of resampling.

    Attributes
    ----------
    kind
        ``"subsample"`` (without replacement), ``"bootstrap"`` (with) or ``None``.
    n_samples
        Samples of the data.
    seed
        Every resample has a stream of its own, keyed by this and its number.
    """

    kind: str | None
    n_samples: int
    seed: int

    def __post_init__(self) -> None:
        check_one_of("resampling", self.kind, RESAMPLINGS)

    @property
    def size(self) -> int:
        """Samples of one resample.

        A subsample has 63.2 % of the samples, rounded to a multiple of a power of two (about a
        sixteenth of it or less), since medians then cut adaptive partitions into equal halves.

        >>> [Resampling("subsample", n, 0).size for n in (10, 100, 200, 333, 1000)]
        [6, 64, 128, 208, 640]
        """
        if self.kind != "subsample":
            return self.n_samples
        wanted = FRACTION * self.n_samples
        even = 2 ** max(1, int(math.log2(max(1.0, wanted / 16))))
        return min(self.n_samples, max(1, round(wanted / even) * even))

    @property
    def null_scheme(self) -> str:
        """Which null distribution its mutual information has."""
        return "bootstrap" if self.kind == "bootstrap" else "permutation"

    def indices(self, resample: int) -> NDArray[np.int64]:
        """Positions of the samples of one resample, ascending."""
        if self.kind is None:
            return np.arange(self.n_samples)
        stream = seeds.generator(self.seed, "resample", resample)
        if self.kind == "bootstrap":
            return np.sort(stream.integers(0, self.n_samples, size=self.n_samples))
        return np.sort(stream.choice(self.n_samples, size=self.size, replace=False))
