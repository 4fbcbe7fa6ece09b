"""The scoreboard of accuracy: its truth and its figures, by hand and against scikit-learn."""

from __future__ import annotations

import sys
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
if not BENCHMARKS.is_dir():
    pytest.skip("benchmarks aren't part of the wheel", allow_module_level=True)

sys.path.insert(0, str(BENCHMARKS))
import accuracy  # noqa: E402
import known_networks  # noqa: E402

sys.path.remove(str(BENCHMARKS))


# --- truth --------------------------------------------------------------------------------------

# TF0 -> TF1 -> gene 3; TF2 -> gene 4; gene 5 has no regulator
CASCADE = [[], [0], [], [1], [2], []]


def test_an_indirect_edge_is_not_true():
    truth = known_networks.truth_of(CASCADE, 3)
    assert np.argwhere(truth).tolist() == [[0, 1], [1, 0], [1, 3], [2, 4]]


def test_indirect_edges_are_related_and_others_are_not():
    related = known_networks.related_of(CASCADE, np.arange(3))
    expected = np.zeros((3, 6), dtype=bool)
    expected[:2, [0, 1, 3]] = True
    expected[2, [2, 4]] = True
    assert (related == expected).all()


def test_regulators_with_shared_noise_are_related():
    related = known_networks.related_of(CASCADE, np.array([0, 1, 0]))
    assert related[0, 2]
    assert related[2, 3]  # through TF0
    assert not related[0, 5]


def test_networks_have_cascades_and_one_to_three_regulators():
    found = known_networks.parents(50, 500, 0)
    degrees = np.bincount([len(own) for own in found[50:]])
    assert len(degrees) == 4
    assert (degrees > 20).all()
    assert sum(len(own) > 0 for own in found[:50]) == 30
    assert all(i < gene for gene, own in enumerate(found[:50]) for i in own)
    assert all(len(set(own)) == len(own) for own in found)


@pytest.mark.parametrize("kind", known_networks.SETS)
def test_simulation_follows_its_seed_and_its_truth(kind):
    first = known_networks.simulate(kind, 400, 10, 60, seed=3)
    again = known_networks.simulate(kind, 400, 10, 60, seed=3)
    assert first.data.equals(again.data)
    assert not first.data.equals(known_networks.simulate(kind, 400, 10, 60, seed=4).data)
    assert (first.truth <= first.related).all()
    assert first.data.shape == (400, 60)
    if kind in ("linear", "sigmoid"):
        score = accuracy.pairs_of(accuracy.spearman(first.data, first.regulators, 0).score)
        related = accuracy.pairs_of(first.related) > 0
        assert accuracy.auroc(accuracy.pairs_of(first.truth) > 0, score) > 0.8
        # Independent pairs: the square of the correlation is 1 / (samples - 1) on average
        assert np.mean(score[~related] ** 2) * 399 == pytest.approx(1, abs=0.3)


def test_more_samples_are_of_the_same_network():
    small, large = (known_networks.simulate("sigmoid", n, 10, 60, seed=1) for n in (50, 5000))
    assert (small.truth == large.truth).all()


def test_noise_keeps_the_values_of_every_gene():
    simulation = known_networks.simulate("linear", 300, 5, 20, seed=0)
    noise = simulation.noise(0)
    assert (np.sort(noise, axis=0) == np.sort(simulation.data, axis=0)).all()
    correlation = np.corrcoef(noise.T)[np.triu_indices(20, 1)]
    assert np.abs(correlation).max() < 0.25


# --- figures ------------------------------------------------------------------------------------


def test_two_regulators_are_one_pair_with_the_larger_score():
    scores = np.array([[9.0, 1.0, 2.0], [3.0, 9.0, 4.0]])
    assert accuracy.pairs_of(scores).tolist() == [3.0, 2.0, 4.0]
    assert scores[0, 1] == 1.0  # the argument is left as it was


def test_average_precision_by_hand():
    truth = np.array([True, False, True, False])
    assert accuracy.average_precision(truth, np.array([4.0, 3, 2, 1])) == pytest.approx(5 / 6)
    # Ties come together: both orders give the same
    for order in ([0, 1, 2, 3], [2, 1, 0, 3]):
        score = np.array([2.0, 2, 2, 1])
        assert accuracy.average_precision(truth[order], score) == pytest.approx(2 / 3)


def test_precision_at_the_top_is_the_mean_over_orders_of_ties():
    truth = np.array([True, False, True, False, False])
    score = np.array([3.0, 2, 2, 2, 1])
    # One sure hit, then one of three tied pairs, of which one is true
    assert accuracy.precision_at(truth, score, 0.4) == pytest.approx((1 + 1 / 3) / 2)


@pytest.mark.parametrize("seed", range(5))
def test_figures_agree_with_brute_force(seed):
    rng = np.random.default_rng(seed)
    truth = rng.random(40) < 0.3
    score = rng.integers(0, 12, size=40) / 4
    pairs = list(product(score[truth], score[~truth]))
    expected = np.mean([(a > b) + (a == b) / 2 for a, b in pairs])
    assert accuracy.auroc(truth, score) == pytest.approx(expected)
    steps, before = 0.0, 0.0
    for cut in sorted(set(score), reverse=True):
        hits, places = truth[score >= cut].sum(), (score >= cut).sum()
        steps += (hits - before) / truth.sum() * hits / places
        before = hits
    assert accuracy.average_precision(truth, score) == pytest.approx(steps)


@pytest.mark.parametrize("seed", range(5))
def test_figures_agree_with_scikit_learn(seed):
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(seed)
    truth = rng.random(500) < 0.05
    score = np.round(rng.normal(size=500) + truth, 1)
    assert accuracy.auroc(truth, score) == pytest.approx(metrics.roc_auc_score(truth, score))
    assert accuracy.average_precision(truth, score) == pytest.approx(
        metrics.average_precision_score(truth, score)
    )


def test_called_edges_rank_before_all_others_by_support_then_mutual_information():
    mi = np.array([[0.0, 0.1, 0.5, 0.4, 20.0]])
    table = pd.DataFrame({"source": ["A"] * 3, "target": ["C", "D", "B"], "support": [7, 9, 7]})
    ranking = accuracy.called_first(table, mi, ["A"], ["A", "B", "C", "D", "E"])
    assert np.argsort(-ranking.score[0]).tolist() == [3, 2, 1, 4, 0]
    assert ranking.called.tolist() == [[False, True, True, True, False]]


def test_errors_of_called_edges_are_counted_by_hand():
    truth = known_networks.truth_of(CASCADE, 3)
    related = known_networks.related_of(CASCADE, np.arange(3))
    data = pd.DataFrame(np.zeros((2, 6)), columns=[f"g{i}" for i in range(6)])
    called = np.zeros((3, 6), dtype=bool)
    called[[0, 1, 0, 0, 2], [1, 0, 3, 5, 4]] = True  # true (both ways), indirect, unrelated, true
    row = accuracy.scored(
        known_networks.Simulation(data, truth, related),
        accuracy.Ranking(called + truth / 2, called),
    )
    assert row["edges"] == 4
    assert row["fdr"] == pytest.approx(2 / 4)
    assert row["unrelated"] == pytest.approx(1 / 4)
    assert row["recall"] == pytest.approx(2 / 3)
    # True and called, then false and called, then true, then the rest
    assert row["aupr"] == pytest.approx(2 / 3 + 1 / 3 * 3 / 5)
    # The last true pair comes with all 12
    assert row["aupr_called"] == pytest.approx(2 / 3 + 1 / 3 * 3 / 12)


# --- the script ---------------------------------------------------------------------------------


def test_scoreboard_runs_on_a_tiny_size(tmp_path, monkeypatch, capsys):
    pytest.importorskip("sklearn")
    monkeypatch.setattr(accuracy, "TREE_SIZES", (40,))
    original = accuracy.network_of
    monkeypatch.setattr(
        accuracy,
        "network_of",
        lambda *given, **options: original(
            *given, **{**options, "n_null": 20_000, "n_resamples": 3, "n_decoys": 6}
        ),
    )
    path = tmp_path / "table.tsv"
    arguments = ["--sizes", "40", "--sets", "linear", "--genes", "16", "--regulators", "6"]
    table = accuracy.main([*arguments, "-o", str(path)])
    assert set(table["method"].str.partition(":")[0]) >= {"MI", "run", "gradient boosting"}
    assert table["aupr"].between(0, 1).all()
    runs = table["method"].str.startswith("run")
    assert table.loc[runs, ["edges", "fdr", "recall", "noise_edges"]].notna().all(axis=None)
    assert table.loc[~runs, "edges"].isna().all()
    assert len(pd.read_csv(path, sep="\t")) == len(table)
    assert "gradient boosting" in capsys.readouterr().out


def test_noise_table_counts_runs_with_edges(monkeypatch):
    found = iter([0, 3, 0, 0] * 10)
    monkeypatch.setattr(
        accuracy, "network_of", lambda *_, **__: pd.DataFrame(index=range(next(found)))
    )
    table = accuracy.noise_table(4, n_samples=10, n_regulators=2, n_genes=5)
    assert (table["runs_with_edges"] == 0.25).all()
    assert table["standard_error"].to_numpy() == pytest.approx(np.sqrt(0.25 * 0.75 / 4))
    assert (table["mean_edges"] == 0.75).all()
