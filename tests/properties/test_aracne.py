"""What must not change a network, what must permute it, and what may only shrink it."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import pysces
from pysces.data._expression import Expression
from pysces.data._recovery import recover_counts

ESTIMATORS = ("copula", "binned", "adaptive")
OPTIONS: dict[str, Any] = {"n_resamples": 6, "n_null": 20_000, "n_decoys": 50, "alpha": 0.5}
FEW = settings(max_examples=3, deadline=None, derandomize=True, phases=[Phase.generate])
pytestmark = pytest.mark.filterwarnings("ignore::pysces.PyscesWarning")  # of weak or no edges


def continuous(seed: int, samples: int = 60, genes: int = 16) -> pd.DataFrame:
    """Regulators g0 -> g1 and their targets, without ties."""
    values = np.random.default_rng(seed).normal(size=(samples, genes))
    values[:, 1] += values[:, 0]
    values[:, 2:] += values[:, [1]] * np.linspace(0.2, 1.5, genes - 2)
    index = [f"s{i}" for i in range(samples)]
    return pd.DataFrame(values, index=index, columns=[f"g{i}" for i in range(genes)])


def network(data: pd.DataFrame, regulators: list[str], **options: Any) -> pd.DataFrame:
    options |= {"n_bins": 4} if options.get("estimator") == "binned" else {}
    options = {**OPTIONS, "alpha": 1.0, "min_support": 0.1, **options}
    found = pysces.infer_network(data, regulators, **options).to_dataframe()
    assert len(found) > 3
    return found


def same(one: pd.DataFrame, other: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(one, other, check_exact=True, check_categorical=False)


MONOTONE = (np.exp, np.arctan, lambda x: x**3, lambda x: 5 * x - 2, np.sinh)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@FEW
@given(seed=st.integers(0, 2**31), chosen=st.lists(st.integers(0, 4), min_size=16, max_size=16))
def test_monotone_transforms_of_continuous_data_change_nothing(
    estimator: str, seed: int, chosen: list[int]
) -> None:
    data = continuous(seed)
    changed = data.copy()
    for name, number in zip(data, chosen, strict=True):
        changed[name] = MONOTONE[number](data[name])
    regulators = ["g0", "g1"]
    same(
        network(changed, regulators, estimator=estimator),
        network(data, regulators, estimator=estimator),
    )


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("resampling", ["halves", "subsample", "bootstrap", None])
@FEW
@given(
    samples=st.permutations(range(60)),
    genes=st.permutations(range(16)),
    regulators=st.permutations(["g0", "g1", "g5"]),
)
def test_order_of_samples_genes_and_regulators_changes_no_bit(
    estimator: str,
    resampling: str | None,
    samples: list[int],
    genes: list[int],
    regulators: list[str],
) -> None:
    data = continuous(3).round(1)  # with ties
    options = {"estimator": estimator, "resampling": resampling}
    right = network(data, ["g0", "g1", "g5"], **options)
    same(network(data.iloc[samples, genes], regulators, **options), right)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**31), tolerance=st.sampled_from([0.0, 0.1, 0.5]))
def test_the_data_processing_inequality_is_idempotent(seed: int, tolerance: float) -> None:
    rng = np.random.default_rng(seed)
    values = rng.exponential(size=(8, 8)).round(2) * (rng.random((8, 8)) < 0.7)
    names = [f"g{i}" for i in range(8)]
    mi = pd.DataFrame((values + values.T) * (1 - np.eye(8)), index=names, columns=names)
    once = pysces.prune_dpi(mi, tolerance=tolerance)
    assert (once > 0).to_numpy().sum() <= (mi > 0).to_numpy().sum()
    pd.testing.assert_frame_equal(pysces.prune_dpi(once, tolerance=tolerance), once)


@pytest.mark.parametrize("enrichment", ["score", "area", "narnea", "mean"])
@settings(max_examples=15, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**31))
def test_activities_of_the_opposite_signature_are_the_opposite(enrichment: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    genes = [f"g{i}" for i in range(60)]
    signature = pd.DataFrame(rng.normal(size=(5, 60)), columns=genes)
    edges = pd.DataFrame(
        {
            "source": np.repeat(["A", "B", "C"], 20),
            "target": genes,
            "mor": rng.uniform(-1, 1, 60),
            "likelihood": rng.uniform(0.1, 1, 60),
        }
    )
    found = [
        pysces.enrich(table, edges, enrichment=enrichment) for table in (signature, -signature)
    ]
    np.testing.assert_allclose(found[1], -found[0], rtol=1e-9, atol=1e-12)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**31),
    target=st.sampled_from([1e3, 1e4, 1e6]),
    base=st.sampled_from([None, np.e, 2.0]),
)
def test_counts_that_are_recovered_are_those_that_were_given(
    seed: int, target: float, base: float | None
) -> None:
    rng = np.random.default_rng(seed)
    mean = rng.gamma(0.5, 2.0, size=80) * rng.lognormal(0, 0.5, size=(25, 1))
    counts = rng.poisson(mean).astype(float)
    counts[:, 0] = 1.0  # every cell has a single count of some gene
    values = counts * (target / counts.sum(axis=1, keepdims=True))
    values = values if base is None else np.log1p(values) / np.log(base)
    table = pd.DataFrame(values, columns=[f"g{i}" for i in range(80)])
    found = recover_counts(Expression.from_matrix(table), base)
    assert found is not None
    assert found.exact
    np.testing.assert_array_equal(found.counts.sample_block(), counts)


@FEW
@given(seed=st.integers(0, 2**31))
def test_networks_shrink_as_alpha_falls_and_min_support_rises(seed: int) -> None:
    data = continuous(seed)

    def edges(**options: Any) -> set[tuple[str, str]]:
        found = pysces.infer_network(data, ["g0", "g1"], **{**OPTIONS, **options})
        table = found.to_dataframe()
        return set(zip(table["source"], table["target"], strict=True))

    by_alpha = [edges(alpha=alpha, min_support=0.1) for alpha in (1.0, 0.3, 0.05, 1e-6)]
    by_support = [edges(min_support=share) for share in (0.0, 0.3, 0.6, 1.0)]
    for nested in (by_alpha, by_support):
        for larger, smaller in itertools.pairwise(nested):
            assert smaller <= larger
        assert len(nested[-1]) < len(nested[0])
