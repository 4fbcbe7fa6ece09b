"""Small cases with exact answers; of each a planted fault once passed all other tests."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import pysces
from pysces.viper._enrichment import _signed_magnitudes, area_scores
from pysces.viper._metaviper import best_network, combine_narnea, combine_networks
from pysces.viper._nulls import approximate_cdf
from pysces.viper._regulons import align
from pysces.viper._statistics import group_z, t_test, z_of_t
from pysces.viper.groups._masters import master_regulators

RNG = np.random.default_rng(0)
TABLE = pd.DataFrame(
    RNG.integers(0, 4, size=(12, 5)).astype(float), columns=list("abcde")
)  # with ties


def test_ranks_are_those_among_the_samples_or_among_the_reference_and_the_sample() -> None:
    table = TABLE.assign(flat=1.0)
    alone = pysces.signature(table, method="rank")
    np.testing.assert_array_equal(alone[list("abcde")], stats.rankdata(TABLE, axis=0))
    assert alone["flat"].isna().all()
    reference = np.arange(4, 12)
    table.loc[0, "flat"] = 3.0
    found = pysces.signature(table, method="rank", reference=reference)
    for row in table.index:
        for name in table:
            group = [*table[name].iloc[reference], table.loc[row, name]]
            assert found.loc[row, name] == stats.rankdata(group)[-1]


def test_the_t_statistic_of_a_sample_against_a_reference_is_that_of_its_mean() -> None:
    values = RNG.normal(size=(12, 5))
    table = pd.DataFrame(values, columns=list("abcde"))
    found = pysces.signature(table, method="ttest", reference=np.arange(8))
    t = stats.ttest_1samp(values[:8], values[8]).statistic  # of one value, known without error
    np.testing.assert_allclose(found.iloc[8], z_of_t(-t, 7), rtol=1e-9)


@pytest.mark.parametrize("welch", [False, True])
def test_scores_of_two_groups_have_the_pvalues_of_scipy(welch: bool) -> None:
    x, y = RNG.normal(1, 1, size=(5, 40)), RNG.normal(0, 3, size=(9, 40))
    x[0, :5] = y[2, :20] = np.nan
    expected = stats.ttest_ind(x, y, equal_var=not welch, nan_policy="omit")
    z = group_z(x, y, welch=welch)
    np.testing.assert_allclose(2 * special.ndtr(-np.abs(z)), expected.pvalue, rtol=1e-9)
    assert (np.sign(z) == np.sign(expected.statistic)).all()


def test_genes_that_do_not_vary_have_no_rounding_errors() -> None:
    x, y = np.full((3, 2), 0.1), np.full((6, 2), 0.1)
    assert x[:, 0].sum() / 3 != 0.1
    y[:, 1] = 0.2
    t, _ = t_test(x, y)
    assert np.isnan(t[0])
    assert t[1] == -np.inf


def test_counts_of_an_empty_sample_have_no_scores() -> None:
    counts = RNG.poisson(2.0, size=(30, 6)).astype(float)
    counts[4] = 0
    found = pysces.signature(pd.DataFrame(counts, columns=list("abcdef")), method="counts")
    assert found.isna().all(axis=1).tolist() == [row == 4 for row in range(30)]
    assert found.drop(index=4).notna().all(axis=None)


def test_zeros_rank_below_all_values_with_the_signs_of_the_others() -> None:
    values = np.zeros((3, 400))
    values[0, :40], values[1, :40], values[2, :40] = -1e-9, 1e-9, 1e-9
    values[2, :10] = -1e-9
    genes, cells = pd.Index(f"g{i}" for i in range(400)), pd.Index(list("xyz"))
    magnitude, sign = _signed_magnitudes(values, genes, cells, 0)
    assert magnitude[:, 40:].max() < 0 < magnitude[:, :40].min()
    assert all(len(set(row)) == 360 for row in magnitude[:, 40:].tolist())
    assert (sign[0] == -1).all()
    assert (sign[1] == 1).all()
    positive = (sign[2, 40:] == 1).mean()
    assert abs(positive - 0.75) < 4 * np.sqrt(0.75 * 0.25 / 360)


def test_weights_of_networks_depend_on_the_size_of_their_scores() -> None:
    one, two = pd.DataFrame({"A": [-3.0]}), pd.DataFrame({"A": [1.0]})
    weight = [1 / (1 + np.exp(-2 * (size - 1.5))) for size in (3, 1)]
    expected = (-3 * weight[0] + weight[1]) / sum(weight)
    found = combine_networks([one, two], weighting=(1.5, 2.0))
    assert found.loc[0, "A"] == pytest.approx(expected)


def test_the_best_network_has_the_largest_spread_not_the_largest_scores() -> None:
    high = pd.DataFrame([[4.0, 4.0, 5.0, 5.0]])
    wide = pd.DataFrame([[-2.0, -2.0, 2.0, 2.0]])
    assert best_network([high, wide]).tolist() == [1]
    assert best_network([wide, high]).tolist() == [0]


def test_a_network_without_a_score_of_a_regulator_has_no_weight() -> None:
    nes = [pd.DataFrame({"A": [2.0], "B": [3.0]}), pd.DataFrame({"A": [1.0], "B": [0.0]})]
    pes = [pd.DataFrame({"A": [0.2], "B": [0.3]}), pd.DataFrame({"A": [0.3], "B": [0.0]})]
    joined, size = combine_narnea(nes, pes)  # a vote of each network
    np.testing.assert_allclose(joined.loc[0], [3 / np.sqrt(2), 3.0])
    np.testing.assert_allclose(size.loc[0], [0.25, 0.3])


@pytest.mark.parametrize("factor", [0.0, 1e-200, 1e200])
def test_only_ratios_of_likelihoods_matter(factor: float) -> None:
    edges = pd.DataFrame({"source": "A", "target": list("abcde"), "likelihood": [1, 2, 1, 3, 1]})
    signature = pd.DataFrame(RNG.normal(size=(2, 6)), columns=list("abcdef"))
    right = pysces.enrich(signature, edges if factor else edges.assign(likelihood=1), min_targets=1)
    scaled = edges.assign(likelihood=factor * edges["likelihood"])
    found = pysces.enrich(signature, scaled, min_targets=1)
    np.testing.assert_allclose(found, right, rtol=1e-12)


def test_few_permutations_of_groups_are_an_empirical_null() -> None:
    genes = pd.Index(list("abcdefgh"))
    edges = pd.DataFrame({"source": list("AAABBB"), "target": list("abcdef"), "mor": 1.0})
    regulons = align(pysces.Network(edges), genes, min_targets=1, filter_genes=False)
    signature, null = RNG.normal(size=(1, 8)), RNG.normal(size=(60, 8))
    found = master_regulators(signature, regulons, null)
    scores, shuffled = (area_scores(values, regulons)[0] for values in (signature, null))
    for number in range(2):
        expected, _ = approximate_cdf(shuffled[:, number], scores[:, number])
        assert found.nes[number] == expected[0]


def test_a_regulon_of_exactly_min_targets_is_used() -> None:
    edges = pd.DataFrame({"source": list("AAABB"), "target": list("abcde")})
    signature = pd.DataFrame(RNG.normal(size=(2, 6)), columns=list("abcdef"))
    assert list(pysces.enrich(signature, edges, min_targets=3)) == ["A"]
    assert list(pysces.enrich(signature, edges, min_targets=2)) == ["A", "B"]
