"""Options of VIPER and msVIPER."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from pysces._options import Options, Range, option
from pysces._parameters import SIZE
from pysces.data._count_data import Counts
from pysces.errors import InputError
from pysces.viper._enrichment import Compat, Enrichment, EnrichmentOptions, check_compat
from pysces.viper._metaviper import check_weighting
from pysces.viper._pleiotropy import Pleiotropy, pleiotropy_of
from pysces.viper._signatures import Choice
from pysces.viper.groups._masters import Combine

Auto = Literal["auto"]
Weighting = float | tuple[float, float] | Literal["best"]
PleiotropyChoice = bool | Mapping[str, Any]

_GSEA_PERMUTATIONS = 1000
_POSITIVE = Range(0, np.inf, open_low=True, open_high=True)
_WITH_NULL = ("auto", "zscore", "ttest", "mean")


@dataclass(frozen=True, eq=False)
class ViperOptions(Options):
    """How activities are computed; the parameters of :func:`pysces.run_viper`."""

    layer: str | None = option(None, "layer to use instead of X", metavar="LAYER")
    gene_symbols: str | None = option(
        None, "column of var: names of genes, instead of var_names", metavar="COLUMN"
    )
    signature: Choice = option("auto", "how expression is compared with the reference")
    reference: Any = option(
        None, "group of groupby to compare with, instead of all cells", metavar="GROUP"
    )
    groupby: str | None = option(
        None, "column of obs that reference, and networks by group, refer to", metavar="COLUMN"
    )
    enrichment: Enrichment | Auto = option("auto", "enrichment of the targets of a regulator")
    counts: Counts = option("auto", "whether values are counts; auto also recovers them")
    size_factors: Any = option(None, "column of obs: depth of each cell", metavar="COLUMN")
    batch_key: Any = option(None, "column of obs: batch or donor of each cell", metavar="COLUMN")
    min_targets: int = option(10, "fewest measured targets of a regulon", within=Range(1))
    filter_genes: bool = option(True, "rank only genes that the network names")
    weighting: Weighting = option(
        1.0, "weights of several networks: a power of |NES|, a sigmoid (middle, slope), or best"
    )
    pleiotropy: PleiotropyChoice = option(
        False,
        "correct activities due to targets shared with another regulator; "
        "keys: regulators, shadow, targets, penalty, method",
    )
    n_permutations: int = option(0, "number of null samples; 0: analytic null", within=SIZE)
    n_bootstraps: int = option(0, "number of bootstraps of the reference", within=SIZE)
    n_draws: int = option(8, "number of draws of residuals of counts", within=Range(1, 10**6))
    seed: int = option(0, "seed of null samples, bootstraps and draws", within=Range(0))
    compat: Compat | None = option(None, "result of another program: the matrix form of aREA in R")
    client: Literal["local", "gpus"] | Any = option(
        None, "Dask client to compute on; local: workers on this machine; gpus: one per NVIDIA GPU"
    )

    def check(self) -> None:
        """Raise an InputError if options cannot be combined."""
        check_weighting(self.weighting)
        kind, signature = self.enrichment, self.signature
        correction = self.pleiotropic
        if self.n_permutations == 1 or self.n_bootstraps == 1:
            raise InputError("One permutation or bootstrap has no spread. Use 0, or 2 or more.")
        if self.compat is not None:
            check_compat(self.compat, "area" if kind == "auto" else kind)
            if self.n_bootstraps:
                raise InputError(
                    f"compat={self.compat!r} cannot be combined with n_bootstraps. Leave one out."
                )
            if signature == "counts":
                raise InputError(
                    f"compat={self.compat!r} cannot be combined with signature='counts', which R "
                    "does not have. Leave one out."
                )
        if correction is not None and kind not in ("auto", "area"):
            raise InputError("pleiotropy= requires enrichment='area'. Pass that, or leave it out.")
        if self.n_permutations and kind == "score":
            raise InputError(
                "The null of enrichment='score' is analytic; use n_permutations=0 with it."
            )
        if self.n_permutations and kind == "narnea":
            raise InputError(
                "NaRnEA has an analytic null; use n_permutations=0 with enrichment='narnea'."
            )
        if self.n_permutations and kind != "gsea" and signature not in _WITH_NULL:
            raise InputError(
                f"n_permutations needs signature= one of {_WITH_NULL[1:]}. Got {signature!r}."
            )
        by_zscore = kind in ("auto", "area") and signature in ("auto", "zscore")
        if self.n_bootstraps and not by_zscore:
            raise InputError(
                "n_bootstraps requires enrichment='area' and signature='zscore'. "
                "Pass these, or leave it out."
            )
        if self.n_bootstraps and (self.n_permutations or correction is not None):
            raise InputError("n_bootstraps cannot be combined with n_permutations= or pleiotropy=.")

    @property
    def scoring(self) -> EnrichmentOptions:
        """Options of the enrichment; GSEA always uses permutations."""
        assert self.enrichment != "auto"
        number = self.n_permutations or _GSEA_PERMUTATIONS
        return EnrichmentOptions(self.enrichment, number, self.seed)

    @property
    def pleiotropic(self) -> Pleiotropy | None:
        """Options of the correction for shared targets; None without correction."""
        return pleiotropy_of(self.pleiotropy)

    @property
    def resampled(self) -> bool:
        """Whether null signatures, bootstraps or another program's results are requested.

        None of these is available for scores given depth.
        """
        null = self.n_permutations and self.enrichment != "gsea"
        return bool(self.compat or self.n_bootstraps or null)


@dataclass(frozen=True, eq=False)
class MsviperOptions(Options):
    """How master regulators are found; the parameters of :func:`pysces.run_msviper`."""

    reference: Any = option("rest", "group to compare with; rest: all other cells", metavar="GROUP")
    network_group: str | None = option(
        None, "group whose network is used, if there is one per group", metavar="GROUP"
    )
    layer: str | None = option(None, "layer to use instead of X", metavar="LAYER")
    gene_symbols: str | None = option(
        None, "column of var: names of genes, instead of var_names", metavar="COLUMN"
    )
    counts: Counts = option("auto", "whether values are counts; auto also recovers them")
    size_factors: Any = option(None, "column of obs: depth of each cell", metavar="COLUMN")
    batch_key: Any = option(None, "column of obs: batch or donor of each cell", metavar="COLUMN")
    min_targets: int = option(10, "fewest measured targets of a regulon", within=Range(1))
    filter_genes: bool = option(True, "rank only genes that the network names")
    adaptive_size: bool = option(
        False, "compare min_targets with the sum of likelihood / largest likelihood"
    )
    n_permutations: int = option(
        1000, "number of permutations of the groups; 0: analytic null", within=SIZE
    )
    n_bootstraps: int = option(0, "number of bootstraps of the signature", within=SIZE)
    combine: Combine = option("mean", "how scores of bootstraps are combined")
    pleiotropy: PleiotropyChoice = option(
        False,
        "correct activities due to targets shared with another regulator; "
        "keys: regulators, shadow, targets, penalty, method",
    )
    shadow: float | None = option(
        None,
        "regulators tested for shadows: a largest p-value, or their number",
        within=_POSITIVE,
    )
    synergy: float | None = option(
        None,
        "regulators tested in pairs for synergy: a largest p-value, or their number",
        within=_POSITIVE,
    )
    alpha: float = option(0.05, "largest q-value of a significant regulator", within=Range(0, 1))
    seed: int = option(0, "seed of permutations and bootstraps", within=Range(0))

    def check(self) -> None:
        """Raise an InputError if a value is invalid."""
        if self.n_bootstraps == 1:
            raise InputError("One bootstrap has no spread. Use n_bootstraps=0, or 2 or more.")
        pleiotropy_of(self.pleiotropy)
