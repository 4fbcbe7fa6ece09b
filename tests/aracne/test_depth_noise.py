"""Cells that share nothing but their depth give no network, whatever is given."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import pysces
from pysces import _seeds

CELLS, GENES, REGULATORS = 300, 400, 40
NAMES = [f"g{i}" for i in range(GENES)]
QUICK = {"n_resamples": 30, "n_null": 100_000}
NOISES = ["poisson", "negative binomial", "two batches"]


def noise(kind: str, seed: int) -> tuple[pd.DataFrame, np.ndarray, np.ndarray | None]:
    """Counts without regulation, depths over all genes (others included), and batches."""
    rng = _seeds.generator(seed, kind)
    depth = rng.lognormal(8.5, 0.5, size=CELLS)
    batch = None
    share = rng.lognormal(-9.0, 1.2, size=(1, GENES))
    if kind == "two batches":
        batch = np.repeat([0, 1], [120, 180])
        depth *= np.exp(0.6 * batch)
        share = share * np.exp(0.4 * rng.normal(size=(2, GENES)))[batch]
    mean = depth[:, None] * share
    if kind != "poisson":
        size = rng.gamma(2.0, 2.0, size=GENES) + 2.0
        mean = mean * rng.gamma(size, 1 / size, size=(CELLS, GENES))
    counts = pd.DataFrame(rng.poisson(mean).astype(float), columns=NAMES)
    return counts, np.rint(depth), batch


def network(values: pd.DataFrame, **options) -> pysces.Network:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pysces.PyscesWarning)  # an empty network says so
        return pysces.infer_network(values, NAMES[:REGULATORS], **{**QUICK, **options})


def normalised(counts: pd.DataFrame, depth: np.ndarray) -> pd.DataFrame:
    """Divided by the depth and logarithmised, as is usual."""
    return np.log1p(counts.div(depth, axis=0) * 1e4)


@pytest.mark.parametrize("given", ["counts", "normalised"])
@pytest.mark.parametrize("kind", NOISES)
def test_depth_alone_makes_no_edges(kind, given, fast) -> None:
    counts, depth, batch = noise(kind, 1)
    assert 0.3 < (counts == 0).mean(axis=None) < 0.95
    values = counts if given == "counts" else normalised(counts, depth)
    found = network(values, size_factors=depth, batch_key=batch)
    assert found.record.facts["scores"] == "counts given depth"
    assert found.record.facts["counts_recovered"] == (given == "normalised")
    assert len(found) <= 1
    significant = found.record.facts["support_counts"][1:] @ np.arange(1, 31)
    possible = 30 * REGULATORS * GENES
    assert significant < 3 * found.record.facts["resample_pvalue_used"] * possible


@pytest.mark.parametrize("kind", NOISES[:2])
def test_the_same_noise_makes_many_edges_where_depth_is_ignored(kind, fast) -> None:
    """So the test above can fail: with the rules before, on values as they are normalised."""
    counts, depth, _ = noise(kind, 1)
    earlier = {
        "estimator": "adaptive", "resampling": "subsample", "resample_pvalue": 1e-3,
        "min_support": 0.0,
    }  # fmt: skip
    assert len(network(normalised(counts, depth), **earlier)) > 300


def test_a_planted_edge_is_found_among_noise(fast) -> None:
    counts, depth, batch = noise("two batches", 2)
    rng = _seeds.generator(9, "planted")
    levels = counts.mean()
    strong = [name for name in NAMES[REGULATORS:] if levels[name] > 1][:8]
    activity = rng.gamma(1.0, 1.0, size=CELLS)
    share = 2e-3
    for name in ["g0", *strong]:
        counts[name] = rng.poisson(depth * share * activity).astype(float)
    found = network(counts, size_factors=depth, batch_key=batch)
    edges = set(map(tuple, found.to_dataframe()[["source", "target"]].astype(str).to_numpy()))
    assert {("g0", name) for name in strong} <= edges
    assert len(edges) <= len(strong) + 2
