"""Options of ARACNe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pysces._options import Options, Range, option
from pysces._parameters import SIZE
from pysces._record import RunRecord
from pysces.aracne._copula import Copula
from pysces.aracne._estimators import Estimator, RankEstimator, rank_estimator
from pysces.aracne._null import N_NULL
from pysces.data._count_data import Counts
from pysces.data.regulators import Organism
from pysces.errors import InputError

EstimatorName = Literal["copula", "adaptive", "adaptive-dyadic", "binned"]
Degree = Literal["auto", 1, 2]
Ties = Literal["random", "together"]
ResamplingName = Literal["halves", "subsample", "bootstrap"]
Correction = Literal["fdr_bh", "bonferroni"]
ConsensusName = Literal["decoy", "poisson", "binomial"]
Pruning = bool | Literal["dpi", "maxent"]
Auto = Literal["auto"]

AUTO_MOST = 200
DPI_METHODS = {True: "dpi", False: None, "dpi": "dpi", "maxent": "maxent", None: None}
# Fewer decoys cannot resolve a q-value of 0.05; more of them only cost time.
FEWEST_DECOYS, MOST_DECOYS = 200, 500


@dataclass(frozen=True, eq=False)
class AracneOptions(Options):
    """How a network is inferred; the parameters of :func:`pysces.run_aracne`."""

    organism: Organism | None = option(
        None, "organism of a built-in list of regulators; none: whose symbols match best"
    )
    layer: str | None = option(None, "layer to use instead of X", metavar="LAYER")
    gene_symbols: str | None = option(
        None, "column of var: names of genes, instead of var_names", metavar="COLUMN"
    )
    mask_var: Any = option(None, "boolean column of var: genes to use", metavar="COLUMN")
    counts: Counts = option("auto", "whether values are counts; auto also recovers them")
    size_factors: Any = option(None, "column of obs: depth of each sample", metavar="COLUMN")
    batch_key: Any = option(None, "column of obs: batch or donor of each sample", metavar="COLUMN")
    donor_key: Any = option(
        None, "column of obs: donor of each sample, as replicates", metavar="COLUMN"
    )
    min_donors: int = option(
        2, "fewest donors that must show an edge, with donor-key", within=Range(1)
    )
    min_cells: int = option(
        10, "fewest samples with counts of a gene; others are left out", within=Range(0)
    )
    estimator: EstimatorName = option("copula", "estimator of mutual information")
    degree: Degree = option("auto", "degree of the polynomial, for estimator copula")
    n_bins: int = option(10, "number of bins, for estimator binned", within=Range(2, 255))
    ties: Ties = option("random", "bins of equal values, for estimator binned")
    miller_madow: bool = option(
        False, "subtract the bias of Miller and Madow, for estimator binned"
    )
    groupby: str | None = option(
        None, "column of obs: infer one network per group", metavar="COLUMN"
    )
    min_samples: int = option(50, "fewest samples of a group, with groupby", within=Range(2))
    resampling: ResamplingName | None = option("halves", "how resamples are drawn")
    n_resamples: int | Auto = option(
        100, "number of resamples; auto: until the edges converge", within=Range(1, 100_000)
    )
    alpha: float = option(0.05, "largest q-value of an edge", within=Range(0, 1, True))
    correction: Correction | None = option("fdr_bh", "correction of p-values, without resampling")
    consensus: ConsensusName = option("decoy", "how edges are chosen from resamples")
    min_support: float = option(
        0.5, "smallest share of the resamples that must have an edge", within=Range(0, 1)
    )
    prior: Any = option(
        None, "table or file of known pairs, which order, choose and mark edges", metavar="FILE"
    )
    resample_pvalue: float | Auto = option(
        "auto", "largest p-value of an edge within one resample", within=Range(0, 1, True)
    )
    n_decoys: int | None = option(
        None,
        "number of decoys; none: as many as regulators, but 200 to 500",
        within=Range(1, 100_000),
    )
    dpi: Pruning | None = option(
        True, "removal of indirect edges; true is dpi, maxent the rule of ARACNe3"
    )
    dpi_tolerance: float = option(
        0.0,
        "an edge is kept if it is weaker than another of its triangle by at most this share",
        within=Range(0, 1, open_high=True),
    )
    n_null: int = option(
        N_NULL, "number of simulated pairs of independent genes", within=Range(1000, 10**9)
    )
    seed: int = option(0, "seed of resamples, ties and decoys", within=Range(0))
    checkpoint: Any = option(
        None, "folder of finished resamples, to continue an interrupted run", metavar="FOLDER"
    )
    client: Literal["local", "gpus"] | Any = option(
        None, "Dask client to compute on; local: workers on this machine; gpus: one per NVIDIA GPU"
    )

    def check(self) -> None:
        """Raise InputError for combinations of options that have no meaning."""
        of_bins = self.ties != "random" or self.miller_madow or self.n_bins != 10
        if self.estimator != "binned" and of_bins:
            raise InputError(
                "n_bins=, ties= and miller_madow= require estimator='binned'. "
                f"Got estimator={self.estimator!r}."
            )
        if self.estimator != "copula" and (self.degree != "auto" or self.counts is True):
            raise InputError(
                "degree= and counts=True require estimator='copula'. "
                f"Got estimator={self.estimator!r}."
            )
        of_samples = (self.size_factors, self.batch_key, self.donor_key)
        if self.estimator != "copula" and any(one is not None for one in of_samples):
            raise InputError(
                "size_factors=, batch_key= and donor_key= require estimator='copula'. "
                f"Got estimator={self.estimator!r}."
            )
        if self.n_resamples == "auto" and self.consensus != "decoy":
            raise InputError(
                "n_resamples='auto' requires consensus='decoy': with more resamples other rules "
                "return more and more edges and do not converge. Pass a number."
            )
        if self.prior is not None and self.consensus != "decoy":
            raise InputError(f"prior= requires consensus='decoy'. Got {self.consensus!r}.")
        kept = self.checkpoint is not None or self.client is not None
        if self.resampling is None and kept:
            raise InputError(
                "checkpoint= and client= require resampling. Pass resampling='halves', or neither."
            )

    def rank_estimator(self, n_samples: int) -> RankEstimator:
        """The estimator of ranks or bins for n samples."""
        return rank_estimator(self.estimator, n_samples, self.n_bins, self.ties, self.miller_madow)

    @property
    def most_resamples(self) -> int:
        """Largest number of resamples."""
        return AUTO_MOST if isinstance(self.n_resamples, str) else self.n_resamples

    @property
    def dpi_method(self) -> str | None:
        """``"dpi"``, ``"maxent"`` or ``None``."""
        return DPI_METHODS[self.dpi]

    def pvalue_of_resample(self, n_pairs: int) -> float:
        """p-value of an edge within one resample.

        ``"auto"``: for the copula estimator the value at which about 500 of all pairs pass under
        independence, between 5e-4 and 1e-2; 1e-3 for the others.
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


def estimator_of(record: RunRecord) -> Estimator | None:
    """The estimator of a run, on all samples; None if its record does not say."""
    options, facts = record.options, record.facts
    estimator, n = options.get("estimator"), facts.get("n_samples")
    if estimator is None or n is None:
        return None
    if estimator == "copula":
        degree = facts.get("degree")
        if not isinstance(degree, int):
            return None
        return Copula(int(n), int(n), degree, bool(facts.get("studentised")))
    names = ("n_bins", "ties", "miller_madow")
    given = {name: options[name] for name in names if options.get(name) is not None}
    return rank_estimator(str(estimator), int(n), **given)


def _as_in_aracne(name: str, **changed: Any) -> Any:
    """The option of :func:`pysces.run_aracne` of this name."""
    field = AracneOptions.__dataclass_fields__[name]
    return option(**{"default": field.default, **field.metadata, **changed})


@dataclass(frozen=True, eq=False)
class ComparisonOptions(Options):
    """How networks are compared; the parameters of :func:`pysces.compare_networks`."""

    reference: str = option("rest", "group to compare with; rest: all other samples with a label")
    n_permutations: int = option(50, "number of permutations of the groups", within=SIZE)
    donor_key: Any = option(
        None, "column of obs: donor of each sample; donors are permuted as a whole",
        metavar="COLUMN",
    )  # fmt: skip
    layer: str | None = _as_in_aracne("layer")
    gene_symbols: str | None = _as_in_aracne("gene_symbols")
    mask_var: Any = _as_in_aracne("mask_var")
    counts: Counts = _as_in_aracne("counts")
    size_factors: Any = _as_in_aracne("size_factors")
    batch_key: Any = _as_in_aracne("batch_key")
    min_cells: int = _as_in_aracne("min_cells")
    degree: Degree = _as_in_aracne("degree")
    resampling: ResamplingName | None = _as_in_aracne("resampling")
    n_resamples: int = _as_in_aracne("n_resamples", default=20)
    alpha: float = _as_in_aracne("alpha", help="largest q-value of an edge and of a difference")
    min_support: float = _as_in_aracne("min_support")
    resample_pvalue: float | Auto = _as_in_aracne("resample_pvalue")
    n_decoys: int | None = _as_in_aracne("n_decoys")
    dpi: Pruning | None = _as_in_aracne("dpi")
    dpi_tolerance: float = _as_in_aracne("dpi_tolerance")
    n_null: int = _as_in_aracne("n_null", default=1_000_000)
    seed: int = _as_in_aracne("seed", help="seed of resamples, decoys and permutations")

    @property
    def aracne(self) -> AracneOptions:
        """How the network of each group is inferred."""
        names = [name for name in self.__dataclass_fields__ if name != "donor_key"]
        return AracneOptions.of({name: getattr(self, name) for name in names})
