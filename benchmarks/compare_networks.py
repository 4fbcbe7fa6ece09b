"""Calibration and power of `compare_networks`, on data without and with a difference.

    python benchmarks/compare_networks.py [--runs 200] [--power-runs 20] [-o table.tsv]

Without a difference: 6 regulators drive 6 of 60 genes each, weakly to strongly, in both groups
alike; levels of genes differ between the groups. Cases: independent samples, with and without
resamples; counts whose depth differs between the groups; cells of 12 donors, each with its own
slopes, whose groups are tested by permuting cells (which is wrong) or donors. With a difference:
half of the edges of two regulators are lost, those of another are reversed.

Each data set gives one p-value of the whole networks and one of a random edge. They are independent
over data sets, so that the number of them at or below 0.05 is binomial at most: `band` has the
smallest and the largest number with a probability of 99 %.
"""

from __future__ import annotations

import argparse
import logging
import time
import warnings
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
from scipy import stats

import pysces
from pysces import _seeds

N_GENES, N_REGULATORS, N_TARGETS = 60, 6, 6
REGULATORS = [f"g{number:02d}" for number in range(N_REGULATORS)]
FAST = {"resampling": None, "n_permutations": 19, "n_null": 100_000}
NULL = {
    "independent samples": {},
    "independent samples, 10 resamples": {"resampling": "halves", "n_resamples": 10},
    "counts of different depth": {"kind": "counts"},
    "6 + 6 donors, cells permuted": {"kind": "donors"},
    "6 + 6 donors, donors permuted": {"kind": "donors", "donor_key": "donor"},
    "8 donors with both groups, donors exchanged": {"kind": "paired", "donor_key": "donor"},
}
SIZES = (50, 100, 200, 400)


def data_set(kind: str, n: int, seed: int, *, differ: bool) -> anndata.AnnData:
    """Two groups of n samples; targets of regulator k follow each other in the order of genes."""
    rng = _seeds.generator(seed, "compare", kind, n, differ)
    of_target = np.repeat(np.arange(N_REGULATORS), N_TARGETS)
    targets = N_REGULATORS + np.arange(len(of_target))
    slope = np.tile(np.linspace(0.3, 1.5, N_TARGETS), N_REGULATORS)
    group = np.repeat([0, 1], n)
    n_donors = {"donors": 12, "paired": 8}.get(kind, 2)
    donor = np.arange(2 * n) * n_donors // (2 * n)  # the first half of the donors: group 0
    if kind == "paired":
        donor = np.arange(2 * n) % n_donors
    own = np.tile(slope, (2 * n, 1))
    if kind in ("donors", "paired"):
        blocks = donor * 2 + group
        own = own + rng.normal(0, 0.4, size=(2 * n_donors, len(slope)))[blocks]
    if differ:
        lost = np.isin(of_target, (0, 1)) & (np.arange(len(of_target)) % 2 == 1)
        own[np.ix_(group == 1, lost)] = 0.0
        own[np.ix_(group == 1, of_target == 2)] *= -1.0
    values = rng.normal(size=(2 * n, N_GENES))
    values[:, targets] += own * values[:, of_target]
    values += group[:, None] * rng.normal(size=N_GENES)  # levels differ
    if kind == "counts":
        depth = rng.lognormal(np.where(group == 1, 0.3, 0.0), 0.4)
        rate = np.exp(0.5 * values + rng.normal(0.5, 0.7, size=N_GENES)) * depth[:, None]
        adata = anndata.AnnData(rng.poisson(rate).astype(np.float32))
        adata.obs["total_counts"] = depth * 1e4
    else:
        adata = anndata.AnnData(values)
    adata.var_names = [f"g{number:02d}" for number in range(N_GENES)]
    adata.obs_names = [f"c{number}" for number in range(2 * n)]
    adata.obs["state"] = np.where(group == 1, "sick", "well")
    adata.obs["donor"] = [f"d{number}" for number in donor]
    return adata


def compared(adata: anndata.AnnData, seed: int, **options: object) -> pysces.NetworkComparison:
    """The comparison of the two groups."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pysces.PyscesWarning)
        pysces.compare_networks(
            adata, "state", "sick", regulators=REGULATORS, seed=seed, **{**FAST, **options}
        )
    return pysces.NetworkComparison.from_anndata(adata)


def without_difference(runs: int, n: int) -> pd.DataFrame:
    """Number of p-values at or below 0.05, by case."""
    rows = []
    low, high = stats.binom.interval(0.99, runs, 0.05)
    for name, case in NULL.items():
        start = time.monotonic()
        options = dict(case)
        kind = str(options.pop("kind", "normal"))
        whole, one, regulon, share, any_found = [], [], [], [], []
        for seed in range(runs):
            found = compared(data_set(kind, n, seed, differ=False), seed, **options)
            edges, regulons = found.edges["pvalue"], found.regulons["pvalue"]
            pick = _seeds.generator(seed, "pick")
            whole.append(found.record.facts["pvalue"] <= 0.05)
            one.append(pick.choice(edges.sort_index()) <= 0.05)
            regulon.append(pick.choice(regulons.sort_index()) <= 0.05)
            share.append(np.mean(edges <= 0.05))
            any_found.append(found.edges["significant"].any())
        rows.append(
            {
                "case": name,
                "n_per_group": n,
                "data_sets": runs,
                "band": f"{low:.0f} to {high:.0f}",
                "whole": sum(whole),
                "random_edge": sum(one),
                "random_regulon": sum(regulon),
                "share_of_edges": np.mean(share),
                "any_edge_significant": np.mean(any_found),
                "seconds": (time.monotonic() - start) / runs,
            }
        )
        print(pd.DataFrame(rows[-1:]).to_string(index=False), flush=True)
    return pd.DataFrame(rows)


def with_difference(runs: int, n_permutations: int = 50) -> pd.DataFrame:
    """Share of the planted differences that are found, and of the found ones that are not."""
    of_target = np.repeat(np.arange(N_REGULATORS), N_TARGETS)
    differs = (np.isin(of_target, (0, 1)) & (np.arange(len(of_target)) % 2 == 1)) | (of_target == 2)
    names = [f"g{N_REGULATORS + number:02d}" for number in range(len(of_target))]
    planted = {
        (REGULATORS[k], name) for k, name, one in zip(of_target, names, differs, strict=True) if one
    }
    rows = []
    for n in SIZES:
        power, wrong, regulons, only_called = [], [], [], []
        for seed in range(runs):
            found = compared(
                data_set("normal", n, seed, differ=True), seed, n_permutations=n_permutations
            )
            table = found.edges
            pairs = list(zip(table["source"], table["target"], strict=True))
            is_planted = np.array([pair in planted for pair in pairs])
            called = table["significant"].to_numpy()
            power.append((is_planted & called).sum() / len(planted))
            wrong.append((~is_planted & called).sum() / max(1, called.sum()))
            differing = table["change"].isin(["gained", "lost", "reversed"]).to_numpy()
            only_called.append((~is_planted & differing).sum() / max(1, differing.sum()))
            hit = found.regulons.loc[found.regulons["significant"], "regulator"]
            regulons.append(len(set(hit) & set(REGULATORS[:3])) / 3)
        rows.append(
            {
                "n_per_group": n,
                "data_sets": runs,
                "edges_found": np.mean(power),
                "wrong_of_found": np.mean(wrong),
                "regulons_found": np.mean(regulons),
                "wrong_of_changed": np.mean(only_called),
            }
        )
        print(pd.DataFrame(rows[-1:]).to_string(index=False), flush=True)
    return pd.DataFrame(rows)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--power-runs", type=int, default=20)
    parser.add_argument("--samples", type=int, default=120, help="per group, without a difference")
    parser.add_argument("-o", "--output", type=Path, help="tables (.tsv), one below the other")
    given = parser.parse_args()
    logging.getLogger("pysces").setLevel(logging.ERROR)
    pysces.settings.verbosity = "silent"
    tables = [without_difference(given.runs, given.samples), with_difference(given.power_runs)]
    if given.output:
        given.output.write_text("\n".join(t.to_csv(sep="\t", index=False) for t in tables))


if __name__ == "__main__":
    main()
