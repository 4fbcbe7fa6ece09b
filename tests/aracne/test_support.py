"""Support, strata, decoys, and what is said of a network."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import pysces
from pysces import _seeds
from pysces.aracne import _quality
from pysces.aracne._candidates import Edges, ScoredCandidates
from pysces.aracne._consensus import SupportCounts, decoy_qvalues
from pysces.aracne._copula import Scores, strata
from pysces.aracne._options import AracneOptions
from pysces.aracne._resampling import ResampleResult, Resampling, ScoreResampler
from pysces.data._expression import Expression
from pysces.network import Network

REGULATORS = [f"g{i}" for i in range(4)]
QUICK = {"n_resamples": 20, "n_null": 20_000}
weak = pytest.mark.filterwarnings("ignore::pysces.PyscesWarning")  # weak edges, on purpose


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    """100 samples; each of four regulators drives five genes, from strongly to hardly."""
    values = _seeds.generator(0, "support").normal(size=(100, 60))
    for i in range(4):
        for j, strength in enumerate((2.0, 0.8, 0.5, 0.35, 0.25)):
            values[:, 10 + 5 * i + j] += strength * values[:, i]
    return pd.DataFrame(values, columns=[f"g{i}" for i in range(60)])


def edges(network: Network) -> set[tuple[str, str]]:
    return set(map(tuple, network.to_dataframe()[["source", "target"]].astype(str).to_numpy()))


# --- halves -------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [24, 25, 100, 333])
def test_halves_are_complements_and_unlike_from_pair_to_pair(n) -> None:
    halves = Resampling("halves", n, 3)
    weights = np.stack([halves.weights(r) for r in range(8)])
    assert weights.max() == 1
    np.testing.assert_array_equal(weights[::2] + weights[1::2], np.ones((4, n)))
    sizes = weights.sum(axis=1)
    assert set(sizes[::2]) == {n // 2}
    assert set(sizes[1::2]) == {(n + 1) // 2}
    assert [halves.size(r) for r in (0, 1)] == [n // 2, (n + 1) // 2]
    assert len(np.unique(weights, axis=0)) == 8
    assert (Resampling("halves", n, 4).weights(0) != weights[0]).any()


def test_each_half_has_its_own_threshold() -> None:
    """Of 25 samples, 12 and 13: the smaller half needs more."""
    from pysces.aracne._copula import Copula
    from pysces.aracne._null import null_of

    small, large = (
        null_of(Copula(n, 25, 1, False), n_null=50_000).threshold(1e-2) for n in (12, 13)
    )
    assert small > large


def test_weights_of_a_bootstrap_are_its_draws() -> None:
    boot = Resampling("bootstrap", 50, 0)
    np.testing.assert_array_equal(np.repeat(np.arange(50), boot.weights(3)), boot.indices(3))
    assert boot.weights(3).sum() == 50


# --- strata and decoys --------------------------------------------------------------------------


@pytest.mark.parametrize("n", [20, 39, 40, 119, 205, 1000])
def test_strata_are_of_like_depth_and_hold_20_samples(n) -> None:
    depth = _seeds.generator(n, "depth").lognormal(8, 1, size=n)
    found = strata(depth, None, n)
    sizes = np.bincount(found)
    assert sizes.min() >= 20
    assert len(sizes) == min(10, n // 20)
    assert np.ptp(sizes) <= 1
    order = found[np.argsort(depth)]
    assert (np.diff(order) >= 0).all()  # one after the other in depth


def test_strata_stay_within_batches() -> None:
    rng = _seeds.generator(0, "batches")
    batch = np.repeat([0, 1, 2], [70, 20, 310])
    depth = rng.lognormal(8, 1, size=400)
    found = strata(depth, batch, 400)
    for stratum in range(found.max() + 1):
        own = found == stratum
        assert len(np.unique(batch[own])) == 1
        assert own.sum() >= 20
    assert [len(np.unique(found[batch == b])) for b in range(3)] == [3, 1, 10]
    np.testing.assert_array_equal(strata(None, batch, 400), batch)  # no depth: batches alone
    assert not strata(None, None, 400).any()


def test_decoys_are_permuted_within_strata(data) -> None:
    expression = Expression.from_matrix(data)
    scores = Scores.of(expression, None, None, 2)
    groups = np.tile(np.arange(4), 25)
    candidates = ScoredCandidates(expression, np.arange(4), 9, 0, scores, groups)
    rows = candidates.rows
    assert rows.shape == (13, 2, 100)
    np.testing.assert_array_equal(rows[:4], scores.values[:4])
    assert len(np.unique(rows[:, 0], axis=0)) == 13
    moved = []
    for decoy in range(4, 13):
        lender = scores.values[candidates.own_gene[decoy]]
        order = candidates._permutation(decoy)
        np.testing.assert_array_equal(rows[decoy], lender[:, order])
        np.testing.assert_array_equal(groups[order], groups)
        assert sorted(order) == list(range(100))
        moved.append((order != np.arange(100)).mean())
    assert min(moved) > 0.8
    again = ScoredCandidates(expression, np.arange(4), 5, 0, scores, groups)
    np.testing.assert_array_equal(again.rows, rows[:9])  # the first decoys are the same
    other = ScoredCandidates(expression, np.arange(4), 9, 1, scores, groups)
    assert (other.rows[4:] != rows[4:]).any()


def test_neither_a_regulator_nor_its_decoy_targets_itself(data) -> None:
    expression = Expression.from_matrix(data)
    scores = Scores.of(expression, None, None, 2)
    candidates = ScoredCandidates(
        expression, np.arange(4), 9, 0, scores, np.zeros(100, dtype=np.int64)
    )
    halves = Resampling("halves", 100, 0)
    edges = ScoreResampler(candidates, halves, {50: 1}, None, 0.0)((0, 1))[1].edges
    assert len(edges) > 12 * 58  # nearly all pairs
    assert not (candidates.own_gene[edges.row] == edges.gene).any()
    assert sorted(set(edges.row.tolist())) == list(range(13))


# --- the call of edges --------------------------------------------------------------------------


@weak
def test_q_is_by_support_alone(data) -> None:
    """From the recorded numbers of edges and decoys with each support."""
    network = pysces.infer_network(data, REGULATORS, alpha=1.0, min_support=0.05, **QUICK)
    counts, decoys = (
        np.asarray(network.record.facts[k]) for k in ("support_counts", "decoy_support_counts")
    )
    share = network.record.facts["n_decoys_used"] / 4
    support = np.repeat(np.arange(21), counts)
    zeros = np.zeros_like(support)
    other = np.repeat(np.arange(21), decoys)
    wanted = dict(
        zip(
            support.tolist(),
            decoy_qvalues(support, zeros, other, np.zeros_like(other), share).tolist(),
            strict=True,
        )
    )
    table = network.to_dataframe()
    assert table["support"].nunique() > 5
    assert table.groupby("support")["qvalue"].nunique().max() == 1
    np.testing.assert_allclose(table["qvalue"], [wanted[s] for s in table["support"]])
    by_hand = [(1 + decoys[s:].sum()) / share / max(1, counts[s:].sum()) for s in range(20, 0, -1)]
    lowest = np.minimum(1, np.minimum.accumulate(by_hand[::-1])[::-1])  # min over less support
    for s, q in wanted.items():
        assert q == pytest.approx(min(1.0, min(by_hand[20 - s :])))
    assert len(lowest) == 20


@weak
def test_edges_shrink_as_alpha_falls_and_min_support_rises(data) -> None:
    found = {
        (alpha, least): pysces.infer_network(
            data, REGULATORS, alpha=alpha, min_support=least, **QUICK
        )
        for alpha in (0.02, 0.2, 1.0)
        for least in (0.1, 0.5, 0.9)
    }
    sizes = {key: len(network) for key, network in found.items()}
    for (alpha, least), network in found.items():
        table = network.to_dataframe()
        assert (table["qvalue"] <= alpha).all()
        assert (table["support"] >= least * 20 - 1e-9).all()
        for looser in ((min(1.0, 10 * alpha), least), (alpha, max(0.1, least - 0.4))):
            if looser in found:
                assert edges(network) <= edges(found[looser])
    assert sizes[0.02, 0.9] < sizes[0.2, 0.5] < sizes[1.0, 0.1]
    assert sizes[0.02, 0.9] > 0


def test_min_support_counts_a_share_of_the_resamples_that_were_used(data) -> None:
    """0.3 of 20 is 6 though 0.3 * 20 > 6 in floating point of other numbers; 0.29 rounds up."""
    for least, wanted in ((0.3, 6), (0.29, 6), (0.35, 7), (1.0, 20)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", pysces.PyscesWarning)
            network = pysces.infer_network(
                data, REGULATORS, alpha=1.0, min_support=least, n_resamples=20, n_null=20_000
            )
        assert network.to_dataframe()["support"].min() == wanted


def _result(pairs: dict[tuple[int, int], int]) -> ResampleResult:
    row, gene = (np.array(part, dtype=np.int32) for part in zip(*pairs, strict=True))
    mi = np.array(list(pairs.values()), dtype=np.int64)
    return ResampleResult(Edges(row, gene, mi), np.ones(len(mi), dtype=bool), int(mi.max()))


def test_support_mean_and_stability_by_hand(data) -> None:
    expression = Expression.from_matrix(data)
    scores = Scores.of(expression, None, None, 1)
    candidates = ScoredCandidates(
        expression, np.arange(4), 2, 0, scores, np.zeros(100, dtype=np.int64)
    )
    seen = SupportCounts(candidates)
    # Regulators 0, 1; decoy 4. (0, 9) in all, (1, 8) in even ones, (1, 7) in odd ones.
    for resample in range(4):
        pairs = {(0, 9): 10 + resample, (1, 8 - resample % 2): 100, (4, 5): 7}
        seen.add(_result(pairs))
    found = seen.edges()
    by_pair = {(int(r), int(g)): (int(s), int(m)) for r, g, s, m in zip(*found, strict=True)}
    assert by_pair == {(0, 9): (4, 11), (1, 7): (2, 100), (1, 8): (2, 100), (4, 5): (4, 7)}
    counts, decoys = seen.counts()
    assert counts.tolist() == [0, 0, 2, 0, 1]
    assert decoys.tolist() == [0, 0, 0, 0, 1]
    assert seen.stability(0.5) == pytest.approx(1 / 3)  # (0, 9) of three; decoys don't count
    assert {(int(r), int(g)) for r, g in zip(*seen.edges(3)[:2], strict=True)} == {(0, 9), (4, 5)}


def test_resamples_pvalue_goes_by_the_number_of_pairs() -> None:
    rule = AracneOptions().pvalue_of_resample
    assert [rule(n) for n in (10, 50_000, 100_000, 500_000, 10**6, 10**8)] == [
        1e-2, 1e-2, 5e-3, 1e-3, 5e-4, 5e-4,
    ]  # fmt: skip
    assert AracneOptions(estimator="adaptive").pvalue_of_resample(10**6) == 1e-3
    assert AracneOptions(resample_pvalue=0.2).pvalue_of_resample(10**6) == 0.2


# --- what is said of a network ------------------------------------------------------------------


@weak
def test_facts_are_those_of_the_table(data, caplog) -> None:
    with caplog.at_level("INFO", logger="pysces"):
        network = pysces.infer_network(data, REGULATORS, alpha=0.3, min_support=0.3, **QUICK)
    table, params = network.to_dataframe(), network.record.facts
    assert params["share_of_pairs"] == pytest.approx(len(table) / (4 * 59))
    assert params["n_regulators_kept"] == table["source"].nunique()
    sizes = table["source"].value_counts()
    assert params["median_regulon"] == sizes[sizes > 0].median()
    assert params["median_support"] == table["support"].median()
    assert params["least_support"] == table["support"].min()
    decoys, real = (
        np.asarray(params[k])[6:].sum() for k in ("decoy_support_counts", "support_counts")
    )
    assert params["decoy_share"] == pytest.approx(decoys / real * 4 / 200)
    assert 0 < params["stability"] <= 1
    assert params["resample_pvalue_used"] == 1e-2
    assert params["n_strata"] == 1
    assert "% of all pairs" in caplog.text
    assert "two halves of the resamples agree on" in caplog.text


def _judged(monkeypatch, **changed) -> list[_quality.Problem]:
    params = {
        "n_regulators": 100, "n_genes": 1000, "share_of_pairs": 0.001, "median_support": 90,
        "stability": 0.9, **changed,
    }  # fmt: skip
    share = params.pop("share", 0.01)
    return _quality._problems(params, AracneOptions(), 100, share)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"share": 0.31}, "Decoys have 0.31 edges for each edge of a regulator"),
        ({"share": 0.31}, r"Pass counts (layer='counts') and batch_key="),
        ({"share": 0.31, "scores": "counts given depth"}, "Pass batch_key=, or raise n_resamples="),
        ({"share_of_pairs": 0.11}, "The network has 11 % of all pairs"),
        ({"median_support": 49}, "found in at most 49 of 100 resamples"),
        ({"stability": 0.49}, "agree on 49 % of the edges"),
    ],
)
def test_each_problem_is_named(monkeypatch, changed, words) -> None:
    (found,) = _judged(monkeypatch, **changed)
    assert words in str(found)


def test_a_good_network_is_not_warned_of(monkeypatch, data) -> None:
    good = {"share": 0.3, "share_of_pairs": 0.1, "median_support": 50, "stability": 0.5}
    assert _judged(monkeypatch, **good) == []
    assert _judged(monkeypatch, share=None) == []
    few = {"n_regulators": 5, "n_genes": 20, "share_of_pairs": 0.9}
    assert _judged(monkeypatch, **few) == []  # few chosen genes may all be connected
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pysces.infer_network(data, REGULATORS, n_resamples=40, n_null=20_000)


def test_a_network_of_what_all_genes_share_is_warned_of() -> None:
    """As depth does where it is not accounted for."""
    rng = _seeds.generator(1, "shared")
    values = rng.normal(size=(100, 200)) + 1.5 * rng.normal(size=(100, 1))
    names = [f"g{i}" for i in range(200)]
    shared = pd.DataFrame(values, columns=names)
    with pytest.warns(pysces.PyscesWarning, match="so many edges are not direct regulation"):
        pysces.infer_network(shared, names[:30], n_resamples=10, n_null=20_000, dpi=False)
