"""Are p-values what they say? Independent genes, and the share of pairs below each p.

    python benchmarks/calibration.py [--pairs 10_000_000] [-o table.tsv]

For every estimator, number of samples and way of resampling: values of independent genes are
resampled and measured as in a run, and compared with the null distribution of that run. Mutual
information of few samples takes few values, so the p-value nearest below a nominal one may be much
smaller: `attained` is that p-value, and `ratio` is realised / attained.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd

from pysces import _seeds
from pysces.aracne._copula import Copula, continuous_scores, whole_scores
from pysces.aracne._estimators import rank_estimator
from pysces.aracne._null import null_of
from pysces.aracne._resampling import Resampling
from pysces.dispatch import operations as ops
from pysces.settings import settings

SAMPLES = (64, 100, 127, 200, 500, 1000)
SCHEMES = (None, "subsample", "bootstrap")
NOMINAL = (1e-2, 1e-3, 1e-4)
# Genes of a block; blocks of bootstraps are small, since each is one draw of samples.
BLOCK = {None: (100, 1000), "subsample": (100, 1000), "bootstrap": (16, 32)}
ESTIMATORS = {
    "adaptive": {},
    "adaptive-dyadic": {},
    "binned": {},
    "binned, Miller-Madow": {"miller_madow": True},
}
COUNTS = {"binned, counts, ties together": {"ties": "together"}}
# Degree, studentised, and what the genes are
COPULA = {
    "copula, degree 1": (1, False, "normal"),
    "copula, degree 2": (2, False, "normal"),
    "copula, degree 1, lesser": (1, True, "normal"),
    "copula, degree 2, ties": (2, False, "rounded"),
    "copula, degree 1, lesser, sparse counts": (1, True, "counts"),
}


def independent(rng: np.random.Generator, rows: int, n: int, counts: bool) -> np.ndarray:
    """Values of independent genes, rows x samples: normal, or counts that are mostly zero."""
    if not counts:
        return rng.normal(size=(rows, n))
    mean = rng.gamma(0.5, 2.0, size=(rows, 1)) + 0.05
    return rng.poisson(mean * rng.gamma(2.0, 0.5, size=(rows, n))).astype(float)


def realised(name: str, n: int, scheme: str | None, pairs: int) -> list[dict[str, object]]:
    """Share of independent pairs below each nominal p."""
    counts = name in COUNTS
    estimator = name.split(",")[0]
    resampling = Resampling(scheme, n, seed=1)
    measure = rank_estimator(estimator, resampling.size(), **{**ESTIMATORS, **COUNTS}[name])
    null = null_of(measure, resampling.null_scheme)
    thresholds = np.array([null.threshold(p) for p in NOMINAL])
    found = np.zeros(len(NOMINAL), dtype=np.int64)
    regulators, genes = BLOCK[scheme]
    n_blocks = -(-pairs // (regulators * genes))
    for block in range(n_blocks):
        rng = _seeds.generator(7, "calibration", name, n, scheme, block)
        values = independent(rng, regulators + genes, n, counts)
        values = np.ascontiguousarray(values[:, resampling.indices(block)])
        marginals = measure.marginals(values, rng.integers(0, 2**63, len(values), dtype=np.uint64))
        mi = measure.mi(marginals[:regulators], marginals[regulators:])
        found += [(mi >= threshold).sum() for threshold in thresholds]
    share = found / (n_blocks * regulators * genes)
    attained = null.pvalues(thresholds)
    return [
        {
            "estimator": name,
            "n": n,
            "resampling": scheme or "none",
            "nominal": p,
            "attained": a,
            "realised": s,
            "ratio": s / a,
        }
        for p, a, s in zip(NOMINAL, attained, share, strict=True)
    ]


def realised_by_copula(
    name: str, n: int, scheme: str | None, pairs: int
) -> list[dict[str, object]]:
    """The same of the copula estimator: scores of all samples, of which a resample takes some."""
    degree, studentised, kind = COPULA[name]
    resampling = Resampling(scheme, n, seed=1)
    measure = Copula(resampling.size(), n, degree, studentised)
    null = null_of(measure, resampling.null_scheme)
    thresholds = np.array([null.threshold(p) for p in NOMINAL])
    found = np.zeros(len(NOMINAL), dtype=np.int64)
    regulators, genes = BLOCK["subsample"]
    n_blocks = -(-pairs // (regulators * genes))
    for block in range(n_blocks):
        rng = _seeds.generator(8, "calibration", name, n, scheme, block)
        values = independent(rng, regulators + genes, n, kind == "counts")
        if kind == "rounded":
            values = np.round(values, 1)
        scores = whole_scores(*continuous_scores(values), degree, studentised)
        scores = np.ascontiguousarray(scores[:, :, resampling.indices(2 * block)])
        mi = ops.copula_mi(scores[:regulators], scores[regulators:], degree)
        found += [(mi >= threshold).sum() for threshold in thresholds]
    share = found / (n_blocks * regulators * genes)
    return [
        {
            "estimator": name,
            "n": n,
            "resampling": scheme or "none",
            "nominal": p,
            "attained": p,
            "realised": s,
            "ratio": s / p,
        }
        for p, s in zip(NOMINAL, share, strict=True)
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=10_000_000)
    parser.add_argument("--samples", type=int, nargs="+", default=SAMPLES)
    parser.add_argument("--estimators", nargs="+", default=[*ESTIMATORS, *COUNTS, *COPULA])
    parser.add_argument("-o", "--output", help="table, .tsv")
    options = parser.parse_args()
    settings.verbosity = "silent"
    rows: list[dict[str, object]] = []
    start = time.perf_counter()
    for name in options.estimators:
        for n in options.samples:
            for scheme in (None, "halves") if name in COPULA else SCHEMES:
                measured = realised_by_copula if name in COPULA else realised
                rows += measured(name, n, scheme, options.pairs)
                shown = pd.DataFrame(rows[-len(NOMINAL) :])
                print(shown.to_string(index=False, header=len(rows) == len(NOMINAL)), flush=True)
    table = pd.DataFrame(rows)
    if options.output:
        table.to_csv(options.output, sep="\t", index=False)
    off = table[(table["ratio"] - 1).abs() > 0.1]
    print(
        f"{len(table)} rates in {time.perf_counter() - start:.0f} s; "
        f"{len(off)} differ by more than 10 % from what was promised:"
    )
    print(off.to_string(index=False))


if __name__ == "__main__":
    main()
