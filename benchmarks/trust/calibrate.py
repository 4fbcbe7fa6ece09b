"""Count p- and q-values at or below 0.05 where there is nothing to be found.

    python benchmarks/trust/calibrate.py [--scale 20]

Of n p-values under their null, the number at or below alpha has the mean n alpha and, as the values
are pairwise independent, the variance of a binomial distribution. The band is its mean +- 4
standard errors. `upper` marks q-values, and mutual information that takes few values:
of these only the upper end holds. The scores of NaRnEA become normal with many targets only: with
modes of 1 and -1 the mean is n :func:`narnea_share`.
benchmarks/calibration.py compares the null distributions of all estimators and sample sizes.
"""

from __future__ import annotations

import argparse
import json
import math
import time
import warnings

import anndata
import numpy as np
import pandas as pd
from scipy import stats

import pysces
from pysces import _seeds

ALPHA = 0.05


def narnea_share(n_targets: int) -> float:
    """Probability that a p-value of NaRnEA is at most alpha, with modes of 1 and -1.

    With u the uniform rank of a target and s its sign times its mode, D + U over sqrt 2 is the sum
    over n targets of x = sqrt 3 u s + sqrt 12 (u - 1/2), over sqrt(2 n), and U - D likewise.
    E x^2 = 2 and E x^3 = 1.5 sqrt 3, which give the first term of Edgeworth's series of each tail.
    """
    skewness = 1.5 * math.sqrt(3) / math.sqrt(8 * n_targets)
    z = stats.norm.isf(1 - math.sqrt(1 - ALPHA))  # of the smaller of both p-values
    return ALPHA + 2 * stats.norm.pdf(z) * skewness / 6 * (z**2 - 1)


def row(
    name: str, hits: int, n: int, *, upper: bool = False, share: float = ALPHA
) -> dict[str, object]:
    """A line of the table; `share` of n is expected."""
    error = 4 * math.sqrt(n * share * (1 - share))
    low = 0 if upper else max(0, math.floor(n * share - error))
    high = math.ceil(n * share + error)
    fine = low <= hits <= high
    return {"what": name, "n": n, "hits": int(hits), "band": [low, high], "fine": bool(fine)}


def disjoint(n_regulators: int, size: int, seed: int) -> pd.DataFrame:
    """Regulons that share no gene, with equal likelihoods and signs at random."""
    rng = _seeds.generator(seed, "regulons")
    genes = [f"g{i}" for i in range(n_regulators * size)]
    return pd.DataFrame(
        {
            "source": np.repeat([f"R{i:03d}" for i in range(n_regulators)], size),
            "target": genes,
            "mor": rng.choice([-1.0, 1.0], len(genes)),
            "likelihood": 1.0,
        }
    )


def noise(samples: int, genes: int, *parts: object) -> pd.DataFrame:
    values = _seeds.generator(3, "noise", *parts).normal(size=(samples, genes))
    index = [f"c{i}" for i in range(samples)]
    return pd.DataFrame(values, index=index, columns=[f"g{i}" for i in range(genes)])


def mutual_information(scale: int) -> list[dict[str, object]]:
    """P-values of pairs of independent genes, all samples."""
    found = []
    for estimator in ("copula", "binned", "adaptive"):
        hits = n = 0
        for number in range(scale):
            data = noise(80, 60, "mi", number)
            network = pysces.infer_network(
                data, list(data)[:20], estimator=estimator, resampling=None, correction=None,
                alpha=ALPHA, dpi=False, n_null=200_000, seed=number,
            )  # fmt: skip
            table = network.to_dataframe().astype({"source": str, "target": str})
            both = {tuple(sorted(pair)) for pair in zip(table["source"], table["target"])}  # noqa: B905
            hits, n = hits + len(both), n + 20 * 40 + 20 * 19 // 2
        few = estimator != "copula"
        found.append(row(f"p-values of mutual information, {estimator}", hits, n, upper=few))
    return found


def decoys(scale: int) -> list[dict[str, object]]:
    """Runs on independent genes that report an edge."""
    hits, n = 0, 10 * scale
    for number in range(n):
        data = noise(60, 40, "decoys", number)
        network = pysces.infer_network(
            data, list(data)[:10], n_resamples=10, n_null=20_000, alpha=ALPHA, seed=number
        )
        hits += len(network) > 0
    return [row("runs on noise with an edge (q-values by decoys)", hits, n, upper=True)]


def enrichment(scale: int) -> list[dict[str, object]]:
    """P-values of VIPER in cells of noise."""
    network = disjoint(20, 25, 0)
    modes = _seeds.generator(0, "modes").uniform(-1, 1, len(network))
    data, found = noise(20 * scale, 500, "cells"), []
    for kind, of in (("score", "1"), ("area", "1"), ("narnea", "any size"), ("narnea", "1")):
        own = network if of == "1" else network.assign(mor=modes)
        p = pysces.enrich(data, own, enrichment=kind, value="pvalue", min_targets=5)
        name = f"p-values of cells, enrichment {kind}, modes of {of}"
        share = narnea_share(25) if (kind, of) == ("narnea", "1") else ALPHA
        found.append(row(name, (p <= ALPHA).sum().sum(), p.size, share=share))
    return found


def masters(scale: int) -> list[dict[str, object]]:
    """P-values of msVIPER between groups of noise."""
    network = disjoint(30, 20, 1)
    hits = n = 0
    for number in range(scale):
        adata = anndata.AnnData(noise(40, 600, "masters", number))
        adata.obs["kind"] = ["a", "b"] * 20
        pysces.run_msviper(
            adata, "kind", "a", network=network, n_permutations=300, min_targets=5, seed=number
        )
        p = adata.uns["msviper"]["results"]["pvalue"]
        hits, n = hits + (p <= ALPHA).sum(), n + len(p)
    return [row("p-values of msVIPER, permuted groups", hits, n)]


def calibrate(scale: int) -> list[dict[str, object]]:
    """All rows; the work is proportional to the scale."""
    warnings.simplefilter("ignore")
    parts = (mutual_information, decoys, enrichment, masters)
    return [line for part in parts for line in part(scale)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=int, default=20)
    given = parser.parse_args()
    from results import save

    start = time.monotonic()
    rows = calibrate(given.scale)
    save("calibration", {"seconds": round(time.monotonic() - start), "rows": rows})
    print(json.dumps(rows, indent=1))
    return sum(not line["fine"] for line in rows)


if __name__ == "__main__":
    raise SystemExit(main())
