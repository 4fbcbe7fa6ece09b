"""How a network is inferred: the parameters of ARACNe, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from pysces._checks import check_number, check_one_of, check_whole
from pysces.aracne._copula import DEGREES, Copula
from pysces.aracne._estimators import ESTIMATORS as OF_RANKS
from pysces.aracne._estimators import Measure
from pysces.aracne._null import N_NULL
from pysces.aracne._significance import CORRECTIONS
from pysces.data._depth import COUNTS
from pysces.errors import InputError

ESTIMATORS = ("copula", *OF_RANKS)
CONSENSUS = ("decoy", "poisson", "binomial")
AUTO_MOST = 200
DPI_METHODS = {True: "dpi", False: None, "dpi": "dpi", "maxent": "maxent", None: None}
# Few decoys can't tell a false edge in twenty; more than these only cost time.
FEWEST_DECOYS, MOST_DECOYS = 200, 500


@dataclass(frozen=True)
class Options:
    """How a network is inferred; the parameters of :func:`pysces.run_aracne`."""

    estimator: str = "copula"
    degree: int | str = "auto"
    counts: bool | str = "auto"
    min_cells: int = 10
    n_bins: int = 10
    ties: str = "random"
    miller_madow: bool = False
    resampling: str | None = "halves"
    n_resamples: int | str = 100
    alpha: float = 0.05
    correction: str | None = "fdr_bh"
    consensus: str = "decoy"
    min_support: float = 0.5
    resample_pvalue: float | str = "auto"
    n_decoys: int | None = None
    dpi: bool | str | None = True
    dpi_tolerance: float = 0.0
    n_null: int = N_NULL
    seed: int = 0

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> Options:
        """The options among the arguments of a call, its ``locals()``: each is named but once."""
        return cls(**{field.name: arguments[field.name] for field in fields(cls)})

    def __post_init__(self) -> None:
        for field in fields(self):  # a NumPy scalar can't be kept in a checkpoint
            value = getattr(self, field.name)
            if isinstance(value, np.generic):
                object.__setattr__(self, field.name, value.item())
        check_one_of("estimator", self.estimator, ESTIMATORS)
        if self.estimator == "copula":
            self._check_copula()
        else:
            self.measure(2)  # checks the estimator
            self._check_ranks()
        check_number("alpha", self.alpha, 0, 1, open_low=True)
        if not (isinstance(self.resample_pvalue, str) and self.resample_pvalue == "auto"):
            check_number(
                "resample_pvalue", self.resample_pvalue, 0, 1, open_low=True, or_else="'auto'"
            )
        check_number("min_support", self.min_support, 0, 1)
        check_number("dpi_tolerance", self.dpi_tolerance, 0, 1, open_high=True)
        if not (isinstance(self.n_resamples, str) and self.n_resamples == "auto"):
            check_whole("n_resamples", self.n_resamples, 1, or_else="'auto'")
        check_whole("n_null", self.n_null, 1000)
        check_whole("seed", self.seed, 0)
        if self.n_decoys is not None:
            check_whole("n_decoys", self.n_decoys, 1)
        check_one_of("correction", self.correction, CORRECTIONS)
        check_one_of("consensus", self.consensus, CONSENSUS)
        if self.n_resamples == "auto" and self.consensus != "decoy":
            raise InputError(
                "n_resamples='auto' needs consensus='decoy': with more resamples the earlier rules "
                "return more and more edges, so nothing settles. Pass a number."
            )
        if not isinstance(self.dpi, bool | str | None) or self.dpi not in DPI_METHODS:
            raise InputError(
                "The 'dpi' parameter must be True, False, 'dpi' or 'maxent'. "
                f"Got {self.dpi!r} instead."
            )

    def _check_copula(self) -> None:
        check_one_of("degree", self.degree, DEGREES)
        check_one_of("counts", self.counts, COUNTS)
        check_whole("min_cells", self.min_cells, 0)
        if self.ties != "random" or self.miller_madow or self.n_bins != 10:
            raise InputError(
                "n_bins=, ties= and miller_madow= require estimator='binned'. "
                f"Got estimator={self.estimator!r}."
            )

    def _check_ranks(self) -> None:
        if self.degree != "auto" or self.counts is True:
            raise InputError(
                "degree= and counts=True require estimator='copula'. "
                f"Got estimator={self.estimator!r}."
            )

    def measure(self, n_samples: int) -> Measure:
        """The estimator of ranks or bins for so many samples."""
        return Measure(self.estimator, n_samples, self.n_bins, self.ties, self.miller_madow)

    def record(self) -> dict[str, Any]:
        """All options by name, for the run record."""
        return asdict(self)

    @property
    def most_resamples(self) -> int:
        """Number of resamples, at most."""
        return AUTO_MOST if isinstance(self.n_resamples, str) else self.n_resamples

    @property
    def dpi_method(self) -> str | None:
        """``"dpi"``, ``"maxent"`` or ``None``."""
        return DPI_METHODS[self.dpi]

    def pvalue_of_resample(self, n_pairs: int) -> float:
        """p-value of an edge within one resample.

        ``"auto"``: for the copula estimator so small that about 500 of all pairs pass by chance,
        between 1e-2 and 5e-4; 1e-3 for the others.
        """
        if not isinstance(self.resample_pvalue, str):
            return self.resample_pvalue
        if self.estimator != "copula":
            return 1e-3
        return min(1e-2, max(5e-4, 500 / max(1, n_pairs)))

    def decoys(self, n_regulators: int) -> int:
        """Number of decoys: as many as regulators, but between 200 and 500."""
        if self.resampling is None or self.consensus != "decoy":
            return 0
        return self.n_decoys or min(max(n_regulators, FEWEST_DECOYS), MOST_DECOYS)


def measure_of(params: Mapping[str, Any]) -> Copula | Measure | None:
    """The estimator that a run record tells of, on all samples; None if it does not say."""
    estimator, n = params.get("estimator"), params.get("n_samples")
    if estimator is None or n is None:
        return None
    if estimator == "copula":
        if not isinstance(params.get("degree"), int | np.integer):
            return None
        return Copula(int(n), int(n), int(params["degree"]), bool(params.get("studentised")))
    return Measure(
        str(estimator),
        int(n),
        int(params.get("n_bins", 10)),
        str(params.get("ties", "random")),
        bool(params.get("miller_madow", False)),
    )
