"""Small cases with exact answers; of each a planted fault once passed all other tests."""

from __future__ import annotations

from dataclasses import replace

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import pysces
from pysces.data._depth import count_data
from pysces.viper._enrichment import _signed_magnitudes, area_scores
from pysces.viper._metaviper import best_network, combine_narnea, combine_networks
from pysces.viper._nulls import approximate_cdf
from pysces.viper._regulons import align
from pysces.viper._statistics import group_z, two_sample_t, z_of_t
from pysces.viper.groups._contrast import contrast
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
    t, _ = two_sample_t(x, y, welch=False)
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


def counted() -> ad.AnnData:
    """Counts of 12 cells of one kind and 20 of another; 4 cells have no kind."""
    rng = np.random.default_rng(1)
    adata = ad.AnnData(rng.poisson(3.0, size=(36, 30)).astype(float))
    adata.X[:12, :10] = rng.poisson(rng.gamma(2.0, 4.0, size=(12, 10)))
    adata.obs_names = [f"c{i:02d}" for i in range(36)]
    adata.var_names = [f"g{i:02d}" for i in range(30)]
    adata.obs["kind"] = pd.Categorical(["a"] * 12 + ["b"] * 20 + [None] * 4)
    adata.obs["batch"] = ["x"] * 12 + ["y"] * 24
    return adata


def test_counts_of_groups_are_compared_by_the_t_test_of_welch() -> None:
    adata = counted()
    data = count_data(adata, counts=True)
    found = contrast(adata, "kind", "a", "b", None, data).of_genes(np.arange(30))
    scores = found.expression.sample_block()
    for z, welch in ((found.signature(), True), (group_z(scores[:12], scores[12:]), False)):
        expected = stats.ttest_ind(scores[:12], scores[12:], equal_var=not welch)
        np.testing.assert_allclose(2 * special.ndtr(-np.abs(z)), expected.pvalue, rtol=1e-9)
    for draws in (found.permuted(3, 0), found.bootstrapped(3, 0)):
        pooled = replace(found, counts=None)
        assert not np.isclose(draws, pooled.permuted(3, 0)).all()
        assert not np.isclose(draws, pooled.bootstrapped(3, 0)).all()


def test_groups_that_share_no_batch_are_not_compared() -> None:
    adata = counted()
    data = count_data(adata, counts=True, batch_key="batch")
    with pytest.raises(pysces.InputError, match="No batch of batch_key= has cells of both groups"):
        contrast(adata, "kind", "a", "b", None, data)


def test_cells_without_a_label_are_no_part_of_the_rest_of_a_group() -> None:
    adata = counted()
    edges = pd.DataFrame({"source": ["A"] * 10 + ["B"] * 10, "target": adata.var_names[:20]})
    pysces.run_viper(adata, edges, signature="zscore", counts=False)
    adata.obsm["viper"].iloc[32:] += 100
    labelled = adata[:32].copy()
    for cells in (adata, labelled):
        pysces.rank_regulators(cells, "kind")
    pd.testing.assert_frame_equal(pysces.ranking(adata), pysces.ranking(labelled))


def test_weights_of_genes_are_those_of_the_sample_and_0_where_not_given() -> None:
    genes = list("abcdefghij")
    edges = pd.DataFrame({"source": ["A"] * 4 + ["B"] * 4, "target": genes[:8], "mor": 1.0})
    signature = pd.DataFrame(RNG.normal(size=(3, 10)), columns=genes, index=list("xyz"))
    weights = pd.DataFrame(RNG.uniform(0.1, 1, size=(3, 10)), columns=genes, index=list("zxy"))
    options = {"min_targets": 1, "filter_genes": False}
    found = pysces.enrich(signature, edges, gene_weights=weights, **options)
    for name in signature.index:
        one = pysces.enrich(signature.loc[[name]], edges, gene_weights=weights.loc[name], **options)
        pd.testing.assert_frame_equal(found.loc[[name]], one)
    assert not np.isclose(found, pysces.enrich(signature, edges, **options)).any()
    few = weights.drop(columns=["a", "j"])
    pd.testing.assert_frame_equal(
        pysces.enrich(signature, edges, gene_weights=few, **options),
        pysces.enrich(signature, edges, gene_weights=weights.assign(a=0.0, j=0.0), **options),
    )


def test_equal_weights_of_genes_change_nothing_where_values_are_missing() -> None:
    genes = list("abcdefghij")
    edges = pd.DataFrame({"source": ["A"] * 4 + ["B"] * 4, "target": genes[:8]})
    edges["likelihood"] = [1.0, 0.5, 0.2, 0.9] * 2
    signature = pd.DataFrame(RNG.normal(size=(3, 10)), columns=genes)
    signature.loc[0, "a"] = signature.loc[1, "f"] = np.nan
    options = {"min_targets": 1, "filter_genes": False}
    found = pysces.enrich(signature, edges, gene_weights=dict.fromkeys(genes, 1.0), **options)
    np.testing.assert_allclose(found, pysces.enrich(signature, edges, **options), rtol=1e-12)


def test_narnea_takes_modes_of_1_as_0999() -> None:
    genes = list("abcdefghij")
    edges = pd.DataFrame({"source": "A", "target": genes[:6], "mor": [1, 1, -1, 1, 0.5, -0.2]})
    signature = pd.DataFrame(RNG.normal(size=(3, 10)), columns=genes)
    options = {"min_targets": 1, "filter_genes": False, "enrichment": "narnea"}
    found = pysces.enrich(signature, edges, **options)
    nearly = edges.assign(mor=edges["mor"].where(edges["mor"].abs() < 1, 0.999 * edges["mor"]))
    np.testing.assert_allclose(found, pysces.enrich(signature, nearly, **options), rtol=1e-12)


def test_the_score_is_the_weighted_sum_over_its_standard_deviation() -> None:
    weight = np.array([0.5, -1.0, 0.3])
    edges = pd.DataFrame({"source": "A", "target": list("abc"), "mor": weight})
    edges["likelihood"] = [1.0, 0.5, 0.25]
    weight *= edges["likelihood"].to_numpy()
    signature = pd.DataFrame(RNG.normal(size=(3, 5)), columns=list("abcde"))
    signature.loc[1, "b"] = np.nan
    found = pysces.enrich(signature, edges, min_targets=1, enrichment="score")["A"]
    values = signature[list("abc")].to_numpy()
    known = ~np.isnan(values)
    expected = np.nansum(weight * values, axis=1) / np.sqrt((known * weight**2).sum(axis=1))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("power", [0.0, 0.5, 2.0])
def test_the_weight_of_a_score_is_a_power_of_its_size(power: float) -> None:
    found = combine_networks(
        [pd.DataFrame({"A": [-3.0]}), pd.DataFrame({"A": [1.0]})], weighting=power
    )
    assert found.loc[0, "A"] == pytest.approx((-3 * 3**power + 1) / (3**power + 1))


def test_qvalues_of_ranked_regulators_are_those_of_their_group() -> None:
    adata = counted()
    edges = pd.DataFrame({"source": np.repeat(list("ABC"), 10), "target": adata.var_names})
    pysces.run_viper(adata, edges, signature="zscore", counts=False)
    pysces.rank_regulators(adata, "kind")
    for _, table in pysces.ranking(adata).groupby("group", observed=True):
        expected = stats.false_discovery_control(table["pvalue"])
        np.testing.assert_allclose(table["qvalue"], expected, rtol=1e-12)
        assert (table["qvalue"] > table["pvalue"]).any()


def test_the_adaptive_size_of_a_regulon_is_its_sum_of_squared_likelihoods() -> None:
    edges = pd.DataFrame(
        {"source": list("AAABBB"), "target": list("abcdef"), "likelihood": [1, 1, 1, 2, 1, 1]}
    )
    signature = pd.DataFrame(RNG.normal(size=(2, 8)), columns=list("abcdefgh"))
    options = {"adaptive_size": True, "min_targets": 2}
    assert list(pysces.enrich(signature, edges, **options)) == ["A"]  # B: 1 + 2 / 4
    assert list(pysces.enrich(signature, edges, min_targets=2)) == ["A", "B"]


def test_a_regulon_of_exactly_min_targets_is_used() -> None:
    edges = pd.DataFrame({"source": list("AAABB"), "target": list("abcde")})
    signature = pd.DataFrame(RNG.normal(size=(2, 6)), columns=list("abcdef"))
    assert list(pysces.enrich(signature, edges, min_targets=3)) == ["A"]
    assert list(pysces.enrich(signature, edges, min_targets=2)) == ["A", "B"]
