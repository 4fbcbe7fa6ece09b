"""Where existing programs do odd things: what PySCES does instead, one test for each choice."""

from __future__ import annotations

import logging
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import pysces
from pysces.data._expression import Expression
from pysces.viper import _activities, _cells, _enrichment
from pysces.viper._metaviper import best_network, combine_networks
from pysces.viper._nulls import (
    approximate_cdf,
    bootstrap_draws,
    bootstrap_plan,
    bootstrapped_moments,
)
from pysces.viper._pleiotropy import Pleiotropy, penalised_regulons
from pysces.viper._regulons import align
from pysces.viper._statistics import benjamini_hochberg, permutation_orders


def simulated(cells: int = 40, genes: int = 90, seed: int = 0) -> tuple[ad.AnnData, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    names = np.array([f"g{k:03d}" for k in range(genes)])
    index = [f"c{k}" for k in range(cells)]
    table = pd.DataFrame(rng.normal(5, 1, (cells, genes)), index=index, columns=names)
    adata = ad.AnnData(table).copy()  # from a table of pandas 3, X is read-only
    adata.obs["kind"] = np.where(np.arange(cells) % 2 == 0, "a", "b")
    network = pd.DataFrame(
        {
            "source": np.repeat(["R1", "R2", "R3", "R4"], 20),
            "target": np.concatenate([rng.choice(names, 20, replace=False) for _ in range(4)]),
            "mor": rng.uniform(-1, 1, 80),
            "likelihood": rng.uniform(0.1, 1, 80),
        }
    )
    return adata, network


def test_1_bootstraps_align_their_genes() -> None:
    """R misaligns them: its bootstrapped scores have nothing to do with the plain ones."""
    adata, network = simulated()
    pysces.run_viper(adata, network)
    plain = adata.obsm["viper"]
    pysces.run_viper(adata, network, n_bootstraps=30, key_added="boot")
    booted = adata.obsm["boot"]
    assert np.corrcoef(plain.to_numpy().ravel(), booted.to_numpy().ravel())[0, 1] > 0.97
    assert adata.obsm["boot_sd"].to_numpy().min() > 0
    turned = adata[:, ::-1].copy()
    pysces.run_viper(turned, network, n_bootstraps=30, key_added="boot")
    pd.testing.assert_frame_equal(turned.obsm["boot"], booted)


def test_2_tails_of_nulls_do_not_depend_on_their_order() -> None:
    """R reads its tail at ten places of the unsorted null."""
    rng = np.random.default_rng(1)
    null = rng.normal(size=600)
    far = np.array([3.0, 3.5, -4.0])
    right, p = approximate_cdf(null, far)
    again, _ = approximate_cdf(rng.permutation(null), far)
    np.testing.assert_array_equal(again, right)
    np.testing.assert_allclose(right, far, atol=0.8)  # a standard normal null
    assert (np.diff(p[:2]) < 0).all()
    r = approximate_cdf(null, far, compat="r")[0]
    assert not np.array_equal(approximate_cdf(null[::-1], far, compat="r")[0], r)


def test_3_the_null_is_ranked_over_the_genes_of_the_signature() -> None:
    """R filters the genes of the signature, but not those of its null: so would noise matter."""
    adata, network = simulated()
    options = {"groupby": "kind", "reference": "b", "n_permutations": 40}
    pysces.run_viper(adata, network, **options)
    named = adata.var_names.isin(network["target"])
    assert 0 < named.sum() < adata.n_vars
    few = adata[:, named].copy()
    pysces.run_viper(few, network, **options)
    pd.testing.assert_frame_equal(few.obsm["viper"], adata.obsm["viper"])


def test_a_null_cell_is_not_in_its_own_reference() -> None:
    plan = bootstrap_plan(9, 40, 0)
    assert {one.sample for one in plan} == set(range(9))
    assert all(one.sample not in one.reference for one in plan)
    assert set(np.concatenate([one.reference for one in plan])) == set(range(9))


def test_moments_of_bootstraps_are_those_of_the_drawn_cells() -> None:
    values = np.random.default_rng(0).normal(3, 1, size=(12, 4))
    draws = bootstrap_draws(12, 5, 0)
    cells = Expression.from_matrix(pd.DataFrame(values, columns=list("abcd")))
    mean, sd = bootstrapped_moments(cells, draws)
    np.testing.assert_allclose(mean, [values[draw].mean(axis=0) for draw in draws])
    np.testing.assert_allclose(sd, [values[draw].std(axis=0, ddof=1) for draw in draws])


def test_4_pleiotropy_with_a_null_and_filtered_genes_is_aligned() -> None:
    """R glues signature and null together with rows misaligned."""
    adata, network = simulated()
    network["target"] = np.concatenate([network["target"][:20]] * 2 + [network["target"][40:]])
    options = {
        "groupby": "kind", "reference": "b", "n_permutations": 60,
        "pleiotropy": {"regulators": 4, "targets": 5},
    }  # fmt: skip
    pysces.run_viper(adata, network, **options)
    named = adata.var_names.isin(network["target"])
    few = adata[:, named].copy()
    pysces.run_viper(few, network, **options)
    pd.testing.assert_frame_equal(few.obsm["viper"], adata.obsm["viper"])
    assert np.isfinite(adata.obsm["viper"].to_numpy()).all()


def test_5_and_6_the_largest_rank_is_each_cells_own() -> None:
    """R's matrix form and pyviper take it over all samples of a call."""
    adata, network = simulated()
    data = adata.to_df()
    data.iloc[0, :60] = 0.0  # ties at both ends of one cell
    data.iloc[0, 60:] = 1.0
    network["mor"] = 0.0  # the largest rank concerns the undirected part
    alone = pysces.enrich(data.iloc[[0]], network)
    together = pysces.enrich(data, network)
    pd.testing.assert_frame_equal(together.iloc[[0]], alone)
    compatible = pysces.enrich(data, network, compat="r-matrix")
    assert not compatible.iloc[[0]].equals(alone)
    found = ad.AnnData(data)
    pysces.run_viper(found, network, signature="none", compat="r-matrix")
    pd.testing.assert_frame_equal(found.obsm["viper"], compatible, check_names=False)
    assert found.uns["viper"]["params"]["compat"] == "r-matrix"


def test_the_largest_rank_of_a_call_is_that_of_all_its_blocks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Three groups of tied genes; the smallest is at an end in the last cells alone."""
    adata, network = simulated(cells=12)
    network["mor"] = 0.0
    adata.X = np.repeat([[1.0, 3.0, 2.0]] * 9 + [[2.0, 1.0, 3.0]] * 3, [20, 60, 10], axis=1)
    options = {"signature": "none", "counts": False, "compat": "r-matrix"}
    pysces.run_viper(adata, network, **options)
    right = adata.obsm["viper"]
    assert (right.iloc[:9] == right.iloc[0]).all(axis=None)
    alone = adata[:9].copy()
    pysces.run_viper(alone, network, **options)
    assert not alone.obsm["viper"].equals(right.iloc[:9])
    monkeypatch.setattr(_activities, "cells_of_block", lambda *_: 3)
    monkeypatch.setattr(_cells, "block_length", lambda *_: 3)
    pysces.run_viper(adata, network, **options)
    pd.testing.assert_frame_equal(adata.obsm["viper"], right, check_exact=True)


def test_null_samples_have_their_own_largest_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    adata, network = simulated(cells=12)
    adata.X = adata.X[:, np.repeat([0, 1, 2], [20, 60, 10])].copy()  # groups of tied genes
    deviations = []

    def scored(values: Any, *arguments: Any, max_rank_deviation: int = -1, **options: Any) -> Any:
        own = {_enrichment.common_rank_deviation([row[None]]) for row in values}
        deviations.append((max_rank_deviation, max(own), len(own)))
        return _enrichment.score_block(
            values, *arguments, max_rank_deviation=max_rank_deviation, **options
        )

    monkeypatch.setattr(_activities, "score_block", scored)
    options = {"groupby": "kind", "reference": "b", "n_permutations": 12, "compat": "r-matrix"}
    pysces.run_viper(adata, network, **options)
    assert len(deviations) == 2  # the null, the cells
    assert all(given == largest and different > 1 for given, largest, different in deviations)


def test_7_a_regulon_without_modes_scores_its_undirected_part() -> None:
    """Python's sign(0) is 0, so pyviper and decoupler give it 0; ours is R's +1."""
    adata, network = simulated()
    network["mor"] = 0.0
    scores = pysces.enrich(pysces.signature(adata), network)
    assert (scores.to_numpy() >= 0).all()
    assert (scores.to_numpy() > 0).any()


def test_8_the_callers_data_stay_as_they_are() -> None:
    adata, network = simulated()
    adata.layers["raw"] = adata.X.copy()
    for signature in ("zscore", "mad", "rank", "ttest", "mean", "none"):
        pysces.run_viper(adata, network, signature=signature)
    np.testing.assert_array_equal(adata.X, adata.layers["raw"])


def test_10_pleiotropy_uses_the_genes_of_the_score() -> None:
    """A pair that shares nothing changes nothing, whatever genes are filtered."""
    adata, network = simulated()
    network["target"] = adata.var_names[:80]
    for filter_genes in (True, False):
        options = {"filter_genes": filter_genes}
        pysces.run_viper(adata, network, **options)
        before = adata.obsm["viper"]
        pysces.run_viper(adata, network, pleiotropy={"regulators": 4}, **options)
        pd.testing.assert_frame_equal(adata.obsm["viper"], before)


def test_11_ties_share_their_average_rank() -> None:
    adata, network = simulated()
    data = adata.to_df()
    data.iloc[:, :40] = 0.0
    right = pysces.enrich(data, network)
    pd.testing.assert_frame_equal(pysces.enrich(data.iloc[:, ::-1], network), right)


def test_13_and_15_odd_networks_do_not_crash() -> None:
    """A regulator whose weights are all 0 is scored or dropped, not a division by zero."""
    adata, network = simulated()
    network.loc[network["source"] == "R1", "mor"] = 0.0
    pysces.run_viper(adata, network.drop(columns="likelihood"))
    assert np.isfinite(adata.obsm["viper"].to_numpy()).all()


def test_14_p_values_of_one_cell_are_adjusted() -> None:
    np.testing.assert_allclose(benjamini_hochberg(np.array([0.01, 0.04])), [0.02, 0.04])
    adata, network = simulated()
    pysces.compute_signature(adata)
    one = adata[:1].copy()
    pysces.run_viper(one, network, layer="signature", signature="none", enrichment="narnea")
    pvalues = one.obsm["viper_pvalues"]
    assert (pvalues < 1).all(axis=None)
    np.testing.assert_allclose(
        one.obsm["viper_qvalues"], stats.false_discovery_control(pvalues, axis=1), rtol=1e-12
    )
    assert not one.obsm["viper_qvalues"].equals(pvalues)


@pytest.mark.parametrize("seed", [0, 1])
def test_15_every_seed_shuffles(seed: int) -> None:
    """Seed 0 shuffles too: NES other than 1 and -1."""
    adata, network = simulated()
    nes = pysces.enrich(
        pysces.signature(adata), network, enrichment="gsea", n_permutations=30, seed=seed
    )
    assert (np.abs(np.abs(nes.to_numpy()) - 1) > 1e-6).mean() > 0.9


def test_16_ranks_have_no_jitter() -> None:
    ranks = pysces.signature(
        pd.DataFrame({"a": [1.0, 1.0, 2.0], "b": [3.0, 1.0, 2.0]}), method="rank"
    )
    assert ranks["a"].tolist() == [1.5, 1.5, 3.0]
    assert ranks["b"].tolist() == [3.0, 1.0, 2.0]


def test_17_absolute_pleiotropy_works_with_a_single_pair() -> None:
    adata, network = simulated()
    network = network[network["source"].isin(["R1", "R2"])].copy()
    network["target"] = np.tile(network["target"].to_numpy()[:20], 2)
    regulons = align(pysces.Network(network), adata.var_names)
    values = pysces.signature(adata).to_numpy()[:1, regulons.columns]
    options = Pleiotropy(regulators=2, targets=5, shadow=0.9, method="absolute")
    nes = np.array([[3.0, -3.0]])
    found = penalised_regulons(np.ascontiguousarray(values), nes, regulons, options)
    assert found is None or len(found.cell) == 1


def test_18_adaptive_size_is_squared_in_viper_and_linear_in_msviper() -> None:
    _, network = simulated()
    network["likelihood"] = np.tile([1.0] + [0.5] * 19, 4)  # sums: 10.5, of squares 5.75
    genes = pd.Index([f"g{k:03d}" for k in range(90)])
    net = pysces.Network(network)
    assert len(align(net, genes, min_targets=10, size="sum").names) == 4
    with pytest.raises(pysces.InputError, match="at least 10"):
        align(net, genes, min_targets=10, size="squares")


def test_19_permutations_do_not_depend_on_the_order_of_genes() -> None:
    adata, network = simulated()
    data = np.round(pysces.signature(adata), 0)  # many ties
    options: dict[str, Any] = {"enrichment": "gsea", "n_permutations": 20}
    right = pysces.enrich(data, network, **options)
    pd.testing.assert_frame_equal(pysces.enrich(data.iloc[:, ::-1], network, **options), right)


def test_20_each_cell_takes_the_network_of_its_group() -> None:
    adata, network = simulated()
    other = simulated(seed=3)[1]
    pysces.run_viper(adata, {"b": other, "a": network}, groupby="kind")
    for group, own in (("a", network), ("b", other)):
        pysces.run_viper(adata, own, key_added="own")
        inside = (adata.obs["kind"] == group).to_numpy()
        pd.testing.assert_frame_equal(
            adata.obsm["viper"][inside][adata.obsm["own"].columns], adata.obsm["own"][inside]
        )


def test_the_best_network_is_found_among_few_regulators() -> None:
    """Pyviper's slices overlap below 50 regulators, and the first network always wins."""
    flat = pd.DataFrame(np.zeros((3, 6)) + 0.1, columns=list("ABCDEF"))
    wide = pd.DataFrame(np.tile([3.0, -3, 2, -2, 1, -1], (3, 1)), columns=list("ABCDEF"))
    wide.iloc[2] = 0.0
    assert best_network([flat, wide]).tolist() == [1, 1, 0]
    joined = combine_networks([flat, wide], weighting="best")
    assert joined.iloc[0].tolist() == wide.iloc[0].tolist()
    assert joined.iloc[2].tolist() == flat.iloc[2].tolist()


def test_a_regulator_scored_0_everywhere_stays_0() -> None:
    """R divides 0 by 0."""
    zero = pd.DataFrame({"A": [0.0]})
    assert combine_networks([zero, zero]).loc[0, "A"] == 0.0


def test_constant_genes_are_missing_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    adata, _network = simulated()
    adata.X[:, 3] = 1.7
    with caplog.at_level(logging.WARNING, "pysces"):
        found = pysces.signature(adata)
    assert found.iloc[:, 3].isna().all()
    assert found.notna().to_numpy().sum() == 40 * 89
    assert "1 of 90 genes do not vary" in caplog.text


def test_a_gene_constant_in_the_reference_alone_ranks_at_the_end() -> None:
    table = pd.DataFrame({"g": [0.3, 0.3, 0.3, 0.7, 0.1]})
    found = pysces.signature(table, reference=[0, 1, 2])["g"].to_numpy()
    assert np.isnan(found[:3]).all()
    assert found[3] == np.inf
    assert found[4] == -np.inf


def test_missing_targets_are_counted_not_scored() -> None:
    """One unknown target makes all scores of R's matrix form NaN, if no size is asked for."""
    adata, network = simulated()
    network.loc[0, "target"] = "unknown"
    pysces.run_viper(adata, network, min_targets=1)
    act = pysces.activity(adata)
    assert np.isfinite(act.X).all()
    assert act.var.loc["R1", ["n_targets", "n_targets_missing"]].tolist() == [19, 1]


def test_repeated_genes_and_targets_are_refused() -> None:
    adata, network = simulated()
    twice = adata.to_df()
    twice.columns = ["g000", *twice.columns[:-1]]
    with pytest.raises(pysces.InputError, match="more than once"):
        pysces.enrich(twice, network)
    with pytest.raises(pysces.InputError):
        pysces.enrich(adata.to_df(), pd.concat([network, network.iloc[:1]]))


def test_permuted_groups_have_two_different_samples_each() -> None:
    orders = permutation_orders(2, 3, range(200), seed=0)
    assert all(len(set(order[:2])) > 1 and len(set(order[2:])) > 1 for order in orders)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"min_targets": 500}, "Lower min_targets"),
        ({"signature": "z"}, "'signature' parameter must be one of"),
        ({"enrichment": "ssgsea"}, "'enrichment' parameter must be one of"),
        ({"reference": "c", "groupby": "kind"}, "is not in"),
        ({"reference": "a"}, "column of adata.obs"),
        ({"pleiotropy": {"nonsense": 1}}, "nonsense"),
        ({"pleiotropy": True, "enrichment": "mean"}, "requires enrichment="),
        ({"n_permutations": 10, "enrichment": "narnea"}, "analytic null"),
        ({"n_permutations": 10, "signature": "mad"}, "n_permutations needs"),
        ({"n_permutations": -1}, "n_permutations"),
        ({"n_bootstraps": 3, "signature": "none"}, "n_bootstraps requires"),
        ({"key_added": "a/b"}, "'/'"),
    ],
)
def test_errors_say_the_fact_and_leave_the_data_alone(options: dict[str, Any], words: str) -> None:
    adata, network = simulated()
    with pytest.raises(pysces.InputError, match=words):
        pysces.run_viper(adata, network, **options)
    assert not adata.obsm
    assert not adata.uns


def test_what_is_not_there_is_named() -> None:
    adata, _ = simulated()
    with pytest.raises(pysces.MissingKeyError, match="run_aracne"):
        pysces.run_viper(adata)
    with pytest.raises(pysces.MissingKeyError, match="run_viper"):
        pysces.activity(adata)
