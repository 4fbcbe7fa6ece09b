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

RESAMPLINGS = ("halves", "subsample", "bootstrap", None)
FRACTION = 1 - 1 / math.e  # the expected share of distinct samples in a bootstrap


@dataclass(frozen=True)
class Resampling:
    """A scheme of resampling.

    Attributes
    ----------
    kind
        ``"halves"`` (two resamples share all samples between them), ``"subsample"`` (without
        replacement), ``"bootstrap"`` (with) or ``None``.
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

    def size(self, resample: int = 0) -> int:
        """Samples of one resample.

        Of halves the first has the samples rounded down, the second the others. A subsample has
        63.2 % of the samples, rounded to a multiple of a power of two (about a sixteenth of it or
        less), since medians then cut adaptive partitions into equal halves.

        >>> [Resampling("subsample", n, 0).size() for n in (10, 100, 200, 333, 1000)]
        [6, 64, 128, 208, 640]
        >>> [Resampling("halves", 333, 0).size(resample) for resample in (0, 1)]
        [166, 167]
        """
        if self.kind == "halves":
            return (self.n_samples + resample % 2) // 2
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
        if self.kind == "halves":
            order = seeds.generator(self.seed, "halves", resample // 2).permutation(self.n_samples)
            first = self.n_samples // 2
            return np.sort(order[first:] if resample % 2 else order[:first])
        stream = seeds.generator(self.seed, "resample", resample)
        if self.kind == "bootstrap":
            return np.sort(stream.integers(0, self.n_samples, size=self.n_samples))
        return np.sort(stream.choice(self.n_samples, size=self.size(), replace=False))

    def weights(self, resample: int) -> NDArray[np.uint8]:
        """How often one resample has each sample, uint8 [samples]."""
        times = np.bincount(self.indices(resample), minlength=self.n_samples)
        return np.minimum(times, 255).astype(np.uint8)
