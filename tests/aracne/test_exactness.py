"""Small cases with exact answers; of each a planted fault once passed all other tests."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import pysces
from pysces import _seeds
from pysces.aracne._candidates import ScoredCandidates
from pysces.aracne._consensus import SupportCounts
from pysces.aracne._copula import Scores, continuous_scores, ranked_scores, strata
from pysces.aracne._estimators import Binned
from pysces.aracne._groups import groups_of
from pysces.aracne._null import UNREACHABLE, Null, summarise
from pysces.aracne._resampling import Resampling, ScoreResampler
from pysces.data._expression import Expression

OPTIONS = {"n_null": 20_000, "degree": 1}


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    """Regulators a -> b -> c with targets of unlike strength; t12 is a copy of t11."""
    values = _seeds.generator(0, "chain").normal(size=(100, 30))
    values[:, 1] = 0.8 * values[:, 0] + 0.6 * values[:, 1]
    values[:, 2] = 0.9 * values[:, 1] + 0.5 * values[:, 2]
    values[:, 3:] += values[:, [1]] * np.linspace(0.1, 1.2, 27)
    values[:, 12] = values[:, 11]
    return pd.DataFrame(values, columns=["a", "b", "c", *(f"t{i:02d}" for i in range(3, 30))])


def test_pvalues_of_a_null_are_never_below_the_share_of_simulated_values() -> None:
    null = summarise(np.arange(1000))
    at = np.arange(981)
    share = (1000 - at + 1) / 1001  # (values at or above + 1) / (n + 1)
    found = null.pvalues(at)
    assert (found >= share - 1e-12).all()
    assert found[[0, 880, 980]] == pytest.approx(share[[0, 880, 980]])


def test_a_threshold_that_no_value_reaches_is_said_to_be_out_of_reach() -> None:
    null = Null(np.full(20, 5), np.full(10, 5), 1000)
    assert null.threshold(1e-9) == UNREACHABLE


def test_chance_rate_counts_what_pruning_leaves() -> None:
    seen = SupportCounts(SimpleNamespace(n_genes=5, n_decoys=4, n_regulators=2))
    seen.sizes = [(10, 5), (4, 1)]
    assert seen.chance_rate(0.01) == pytest.approx(0.01 * (0.5 + 0.25) / 2)


def test_qvalues_count_a_pair_of_regulators_once_and_ties_share_their_rank(data) -> None:
    few = data[["a", "b", "c", "t11", "t12", "t20"]]
    network = pysces.infer_network(
        few, list(few), resampling=None, dpi=False, alpha=1.0, **OPTIONS
    ).to_dataframe()
    network = network.astype({"source": str, "target": str})
    pairs = network[network["source"] < network["target"]]
    assert len(pairs) == 15
    assert len(network) == 30
    expected = stats.false_discovery_control(pairs["pvalue"])
    np.testing.assert_allclose(pairs["qvalue"], expected, rtol=1e-12)
    order = network.sort_values(["mi", "source", "target"], ascending=[False, True, True])
    assert order.index.tolist() == list(range(30))
    ranks = network["mi"].rank(method="min", ascending=False)
    assert network["rank"].tolist() == ranks.tolist()
    assert ranks.nunique() < 15  # the copies of a gene tie, too


def test_least_support_is_rounded_up(data) -> None:
    options = {"n_resamples": 7, "alpha": 1.0, **OPTIONS}
    support = [
        pysces.infer_network(data, ["a", "b", "c"], min_support=share, **options)
        .to_dataframe()["support"]
        .min()
        for share in (0.5, 3 / 7)
    ]
    assert support == [4, 3]


def test_halves_of_too_few_samples_are_not_tried(data) -> None:
    for n, used in ((23, 0), (24, 4)):
        with pytest.warns(pysces.PyscesWarning, match="No edge is significant"):
            network = pysces.infer_network(data[:n], ["a"], n_resamples=4, alpha=1e-9, **OPTIONS)
        assert network.record.facts["n_resamples_used"] == used


def _candidates(strata: np.ndarray) -> ScoredCandidates:
    counts = _seeds.generator(0, "few counts").poisson(0.4, size=(len(strata), 6)).astype(float)
    expression = Expression.from_matrix(pd.DataFrame(counts, columns=list("abcdef")))
    scores = Scores.of(expression, None, None, 1)
    bits = np.packbits(counts.T > 0, axis=1)
    scores = Scores(scores.values, 1, scores.studentised, bits)
    return ScoredCandidates(expression, np.arange(2), 8, 0, scores, strata)


def test_decoys_are_permuted_within_strata_with_their_zeros() -> None:
    strata = np.repeat([2, 0, 1], [20, 17, 13])
    candidates = _candidates(strata)
    weights = np.ones((1, 50), dtype=np.uint8)
    weights[0, 25:] = 0
    usable = candidates.usable_rows(weights)[0]
    bits = np.unpackbits(candidates.scores.nonzero, axis=1, count=50)
    for row in range(2, 10):
        order = candidates._permutation(row)
        assert sorted(order) == list(range(50))
        assert (strata[order] == strata).all()
        assert not (order == np.arange(50)).all()
        own = bits[candidates.own_gene[row], order]
        np.testing.assert_array_equal(np.unpackbits(candidates._nonzero_rows[row], count=50), own)
        assert usable[row] == (own[:25].sum() >= 3)


def test_continuous_values_are_ranked_within_batches() -> None:
    values = _seeds.generator(0, "batches").normal(size=(3, 40))
    batch = np.arange(40) % 3
    found = ranked_scores(values, batch)
    for one, other in zip(found, ranked_scores(values + 10.0 * batch, batch), strict=True):
        np.testing.assert_array_equal(one, other)
    for number in range(3):
        own = batch == number
        alone = continuous_scores(np.ascontiguousarray(values[:, own]))
        for one, other in zip(found, alone, strict=True):
            np.testing.assert_array_equal(one[:, own], other)


def test_strata_are_neighbours_in_depth_of_a_batch() -> None:
    depth = _seeds.generator(0, "depth").permutation(100).astype(float)
    batch = np.repeat([3, 5], [70, 30])
    found = strata(depth, batch, 100)
    assert sorted(np.bincount(found)) == [23, 23, 24, 30]
    for number in range(4):
        own = np.flatnonzero(found == number)
        assert len(set(batch[own])) == 1
        same = np.sort(depth[batch == batch[own[0]]])
        assert np.ptp(np.searchsorted(same, depth[own])) == len(own) - 1
    assert np.bincount(strata(depth, None, 100)).tolist() == [20] * 5
    assert np.bincount(strata(None, batch, 100)).tolist() == [70, 30]


def test_a_gene_needs_three_counts_in_a_resample() -> None:
    candidates = _candidates(np.zeros(50, dtype=np.int64))
    filled = np.zeros((6, 50), dtype=bool)
    for gene in range(6):
        filled[gene, :gene] = True
    scores = Scores(candidates.scores.values, 1, False, np.packbits(filled, axis=1))
    weights = np.zeros((2, 50), dtype=np.uint8)
    weights[0, :10], weights[1, 1:10] = 1, 1
    expected = [[False] * 3 + [True] * 3, [False] * 4 + [True] * 2]
    assert scores.usable(weights).tolist() == expected


@pytest.mark.parametrize(("share", "degree"), [(0.4, 2), (0.6, 1)])
def test_the_parabola_is_left_out_where_most_values_are_zero(share: float, degree: int) -> None:
    values = _seeds.generator(0, "zeros").lognormal(size=(50, 20))
    values[: int(50 * share)] = 0.0
    expression = Expression.from_matrix(pd.DataFrame(values).rename(columns="g{}".format))
    scores = Scores.of(expression, None, None, "auto")
    assert scores.degree == degree
    assert scores.studentised == (degree == 1)


def test_bootstraps_draw_every_sample_and_have_their_own_null() -> None:
    drawn = Resampling("bootstrap", 10, 0)
    assert set(np.concatenate([drawn.indices(resample) for resample in range(30)])) == set(
        range(10)
    )
    schemes = [Resampling(kind, 10, 0).null_scheme for kind in ("bootstrap", "halves", None)]
    assert schemes == ["bootstrap", "permutation", "permutation"]


def test_the_largest_value_is_that_of_a_regulator_not_of_a_decoy() -> None:
    candidates = replace(_candidates(np.zeros(50, dtype=np.int64)), n_decoys=400)
    resampler = ScoreResampler(candidates, Resampling(None, 50, 0), {50: 1}, None, 0.0)
    edges, largest = resampler.whole()
    real = edges.row < 2
    assert edges.mi[~real].max() > edges.mi[real].max()
    assert largest == edges.mi[real].max()


def test_a_network_of_exactly_alpha_is_not_kept_by_consolidation() -> None:
    tables = [pd.DataFrame({"source": ["A", "A"], "target": ["b", t]}) for t in "cd"]
    every = pysces.consolidate(tables, alpha=None).to_dataframe()
    limit = float(every["qvalue"].min())
    assert len(pysces.consolidate(tables, alpha=limit)) == 0
    assert len(pysces.consolidate(tables, alpha=np.nextafter(limit, 1))) > 0


def test_a_group_of_exactly_min_samples_is_used(data) -> None:
    adata = anndata.AnnData(data.set_index(data.index.astype(str)))
    adata.obs["group"] = ["a"] * 50 + ["b"] * 49 + ["c"]
    with pytest.warns(pysces.PyscesWarning, match="2 of 3 groups have fewer than 50"):
        assert list(groups_of(adata, "group", 50)) == ["a"]


def test_maxent_also_removes_the_weakest_edge_between_regulators() -> None:
    """Regulators a and b are less alike than each is with their common targets."""
    values = _seeds.generator(0, "triangles").normal(size=(200, 12))
    values[:, 1] = 0.5 * values[:, 0] + 0.85 * values[:, 1]
    values[:, 2:] = values[:, [0]] + values[:, [1]] + 0.3 * values[:, 2:]
    table = pd.DataFrame(values, columns=["a", "b", *(f"t{i}" for i in range(10))])
    networks = [
        pysces.infer_network(table, ["a", "b"], dpi=rule, n_resamples=6, alpha=1.0, **OPTIONS)
        for rule in (True, "maxent")
    ]
    pruned, maxent = (
        set(map(tuple, network.to_dataframe()[["source", "target"]].to_numpy().tolist()))
        for network in networks
    )
    assert pruned - maxent == {("a", "b"), ("b", "a")}
    assert maxent < pruned


@pytest.mark.parametrize("corrected", [False, True])
def test_a_null_is_stretched_by_the_means_of_williams(corrected: bool) -> None:
    small, large = (Binned("binned", n, 5, "random", corrected) for n in (4096, 1_000_000))
    means = [1 + 36 / (6 * n) for n in (4096, 1_000_000)]
    units = [2.0**one.fraction_bits for one in (small, large)]
    bias = [0.5 * 16 * corrected * unit for unit in units]  # half a cell for each of (B - 1)^2
    uncorrected = np.array([0.0, 3.0, 40.0])  # nats, of all samples
    found = small.stretch(large)(np.rint(uncorrected * units[0] - bias[0]).astype(np.int64))
    expected = uncorrected * means[1] / means[0] * units[1] - bias[1]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=2)
