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
import accuracy_tables  # noqa: E402
import known_networks  # noqa: E402
import metrics  # noqa: E402
import rivals  # noqa: E402
import sets  # noqa: E402

sys.path.remove(str(BENCHMARKS))


# --- truth --------------------------------------------------------------------------------------

# TF0 -> TF1 -> gene 3; TF2 -> gene 4; gene 5 has no regulator
CASCADE = [[], [0], [], [1], [2], []]


def test_an_indirect_edge_is_not_true():
    truth = known_networks.truth_of(CASCADE, 3)
    assert np.argwhere(truth).tolist() == [[0, 1], [1, 3], [2, 4]]


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
        score = metrics.pairs_of(rivals.spearman(sets.simulated(kind, 400, 3, 10, 60)))
        related = metrics.pairs_of(first.related) > 0
        assert metrics.auroc(metrics.pairs_of(first.truth) > 0, score) > 0.8
        # Independent pairs: the square of the correlation is 1 / (samples - 1) on average
        assert np.mean(score[~related] ** 2) * 399 == pytest.approx(1, abs=0.3)


def test_more_samples_are_of_the_same_network():
    small, large = (known_networks.simulate("sigmoid", n, 10, 60, seed=1) for n in (50, 5000))
    assert (small.truth == large.truth).all()


def test_counts_are_those_that_the_values_are_normalised_from():
    simulation = known_networks.simulate("counts", 200, 5, 40, seed=0)
    counts = simulation.counts
    assert (counts == counts.round()).all(axis=None)
    depth = counts.sum(axis=1)
    ratio = (np.expm1(simulation.data).mul(depth, axis=0) / counts).to_numpy()[counts > 0]
    np.testing.assert_allclose(ratio, counts.sum(axis=1).median())


def test_noise_keeps_the_values_of_every_gene(monkeypatch):
    known = sets.simulated("linear", 300, 0, 5, 20)
    seen = []
    monkeypatch.setattr(accuracy, "network_of", lambda data, *_, **__: seen.append(data) or [])
    assert accuracy.noise_edges(known, known.data, 0, {}) == 0
    (noise,) = seen
    assert (np.sort(noise, axis=0) == np.sort(known.data, axis=0)).all()
    correlation = np.corrcoef(noise.T)[np.triu_indices(20, 1)]
    assert np.abs(correlation).max() < 0.25


# --- figures ------------------------------------------------------------------------------------


def test_two_regulators_are_one_pair_with_the_larger_score():
    scores = np.array([[9.0, 1.0, 2.0], [3.0, 9.0, 4.0]])
    assert metrics.pairs_of(scores).tolist() == [3.0, 2.0, 4.0]
    assert scores[0, 1] == 1.0  # the argument is left as it was


def test_average_precision_by_hand():
    truth = np.array([True, False, True, False])
    assert metrics.average_precision(truth, np.array([4.0, 3, 2, 1])) == pytest.approx(5 / 6)
    # Ties come together: both orders give the same
    for order in ([0, 1, 2, 3], [2, 1, 0, 3]):
        score = np.array([2.0, 2, 2, 1])
        assert metrics.average_precision(truth[order], score) == pytest.approx(2 / 3)


def test_precision_at_the_top_is_the_mean_over_orders_of_ties():
    truth = np.array([True, False, True, False, False])
    score = np.array([3.0, 2, 2, 2, 1])
    # One sure hit, then one of three tied pairs, of which one is true
    assert metrics.precision_at(truth, score, 0.4) == pytest.approx((1 + 1 / 3) / 2)


@pytest.mark.parametrize("seed", range(5))
def test_figures_agree_with_brute_force(seed):
    rng = np.random.default_rng(seed)
    truth = rng.random(40) < 0.3
    score = rng.integers(0, 12, size=40) / 4
    pairs = list(product(score[truth], score[~truth]))
    expected = np.mean([(a > b) + (a == b) / 2 for a, b in pairs])
    assert metrics.auroc(truth, score) == pytest.approx(expected)
    steps, before = 0.0, 0.0
    for cut in sorted(set(score), reverse=True):
        hits, places = truth[score >= cut].sum(), (score >= cut).sum()
        steps += (hits - before) / truth.sum() * hits / places
        before = hits
    assert metrics.average_precision(truth, score) == pytest.approx(steps)


@pytest.mark.parametrize("seed", range(5))
def test_figures_agree_with_scikit_learn(seed):
    reference = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(seed)
    truth = rng.random(500) < 0.05
    score = np.round(rng.normal(size=500) + truth, 1)
    assert metrics.auroc(truth, score) == pytest.approx(reference.roc_auc_score(truth, score))
    assert metrics.average_precision(truth, score) == pytest.approx(
        reference.average_precision_score(truth, score)
    )


def test_directed_pairs_are_all_but_a_regulator_with_itself():
    scores = np.array([[9.0, 1.0, 2.0], [3.0, 9.0, 4.0]])
    assert metrics.directed_pairs_of(scores).tolist() == [1.0, 2.0, 3.0, 4.0]


def test_overlap_is_intersection_over_union():
    one, other = np.array([True, True, False, False]), np.array([True, False, True, False])
    assert metrics.overlap(one, other) == pytest.approx(1 / 3)
    assert np.isnan(metrics.overlap(one & ~one, one & ~one))


def test_called_edges_come_first_by_rank_then_all_others_by_mutual_information():
    mi = np.array([[0.0, 0.1, 0.5, 0.4, 20.0]])
    table = pd.DataFrame({"source": ["A"] * 3, "target": ["C", "D", "B"], "rank": [2, 1, 3]})
    ranking = accuracy.called_first(table, mi, ["A"], ["A", "B", "C", "D", "E"])
    assert np.argsort(-ranking.score[0]).tolist() == [3, 2, 1, 4, 0]
    assert ranking.called.tolist() == [[False, True, True, True, False]]


def test_errors_of_called_edges_are_counted_by_hand():
    truth = known_networks.truth_of(CASCADE, 3)
    related = known_networks.related_of(CASCADE, np.arange(3))
    called = np.zeros((3, 6), dtype=bool)
    called[[1, 1, 0, 0, 2], [0, 2, 3, 5, 4]] = True  # true backwards, unrelated twice, true
    called[1, 2] = False
    row = metrics.figures(truth, related, metrics.Ranking(called + truth / 2, called))
    assert row["chance"] == pytest.approx(3 / 12)
    assert row["edges"] == 4
    assert row["share"] == pytest.approx(4 / 12)
    assert row["precision"] == pytest.approx(2 / 4)
    assert row["unrelated"] == pytest.approx(1 / 4)
    assert row["recall"] == pytest.approx(2 / 3)
    # Undirected: true and called, then three called (one true), then true, then the rest
    assert row["aupr"] == pytest.approx(1 / 3 + 1 / 3 * 2 / 4 + 1 / 3 * 3 / 5)
    # Directed: the backward edge is false, its forward direction comes fifth with 1 -> 3
    assert row["aupr_directed"] == pytest.approx(1 / 3 + 2 / 3 * 3 / 6)
    # The last true pair comes with all 12
    assert row["aupr_called"] == pytest.approx(1 / 3 + 1 / 3 * 2 / 4 + 1 / 3 * 3 / 12)


# --- sets and rivals ------------------------------------------------------------------------------


def test_published_sets_are_read_regulators_first(tmp_path):
    folder = tmp_path / "one"
    folder.mkdir()
    table = pd.DataFrame([[1, 0, 4], [0, 2, 2]], columns=["X", "B", "A"], index=["s", "t"])
    table.to_csv(folder / "expression.tsv.gz", sep="\t")
    (folder / "regulators.txt").write_text("A\nB\n")
    (folder / "edges.tsv").write_text("source\ttarget\nA\tX\nB\tA\nA\tunknown\n")
    known = sets.published(folder)
    assert list(known.data.columns) == ["A", "B", "X"]
    assert known.regulators == ["A", "B"]
    assert np.argwhere(known.truth).tolist() == [[0, 2], [1, 0]]
    assert known.counts.loc["s"].tolist() == [4, 0, 1]
    assert known.data.loc["t"].to_numpy() == pytest.approx(np.log1p([2 * 4.5 / 4, 2 * 4.5 / 4, 0]))


def test_scores_of_a_forest_are_kept_and_made_anew_for_other_data(tmp_path, monkeypatch):
    known, other = (sets.simulated("linear", 30, seed, 3, 6) for seed in (0, 1))
    calls = []
    monkeypatch.setitem(
        rivals.RIVALS, "GENIE3", lambda known, trees: calls.append(trees) or known.truth * 1.0
    )
    score, _ = rivals.scores_of("GENIE3", known, tmp_path)
    again, _ = rivals.scores_of("GENIE3", known, tmp_path)
    assert (score == again).all()
    assert calls == [rivals.FULL_FOREST]
    assert rivals.scores_of("GENIE3", other, tmp_path, compute=False) is None
    (path,) = tmp_path.glob("*.npz")
    path.rename(tmp_path / path.name.replace(known.label, other.label))
    assert rivals.scores_of("GENIE3", other, tmp_path, compute=False) is None


def test_trees_find_a_strong_edge():
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(0)
    data = pd.DataFrame(rng.normal(size=(60, 4)), columns=list("ABXY"))
    data["X"] += 3 * data["A"]
    known = sets.KnownSet("one", 0, data, np.zeros((2, 4), dtype=bool), None, None)
    for score in (rivals.genie3(known, 50), rivals.grnboost2(known)):
        assert score[0, 2] > 2 * score[1, 2]
        assert score[0, 0] == score[1, 1] == 0


# --- the script ---------------------------------------------------------------------------------


def test_options_are_read_as_in_a_call():
    found = accuracy.options_of('degree=1, resampling="subsample", resample_pvalue=1e-2')
    assert found == {"degree": 1, "resampling": "subsample", "resample_pvalue": 0.01}


def test_scoreboard_runs_on_a_tiny_size(tmp_path, monkeypatch, capsys):
    pytest.importorskip("sklearn")
    original = accuracy.network_of
    monkeypatch.setattr(
        accuracy,
        "network_of",
        lambda *given, **options: original(
            *given, **{**options, "n_null": 20_000, "n_resamples": 4, "n_decoys": 6}
        ),
    )
    path, page = tmp_path / "table.tsv", tmp_path / "table.md"
    arguments = ["--sizes", "40", "--sets", "linear", "--genes", "16", "--regulators", "6"]
    arguments += ["--cache", str(tmp_path / "scores"), "--trees", "20", "-o", str(path)]
    table = accuracy.main([*arguments, "--markdown", str(page)])
    assert set(table["method"]) >= {"run: default", "MI: copula", "GENIE3", "|Spearman|"}
    assert table["aupr"].between(0, 1).all()
    runs = table["method"].str.startswith("run")
    assert table.loc[runs, ["edges", "recall", "noise_edges"]].notna().all(axis=None)
    assert table.loc[~runs, "edges"].isna().all()
    assert len(pd.read_csv(path, sep="\t")) == len(table)
    assert "GENIE3" in page.read_text()
    capsys.readouterr()
    again = accuracy.main(["--of", str(path)])
    assert len(again) == len(table)
    assert "AUPR at least that of GENIE3" in capsys.readouterr().out


def test_tables_say_what_falls_short():
    row = {"samples": 100, "seed": 0, "chance": 0.1, "aupr_directed": 0.1, "recall": 0.2}
    own = {"method": "run: default", "edges": 5.0, **row}
    other = {"method": "GENIE3", "edges": np.nan, "precision": np.nan, **row}
    table = pd.DataFrame(
        [
            {"set": "good", "published": True, "aupr": 0.9, "precision": 0.6, **own},
            {"set": "good", "published": True, "aupr": 0.8, **other},
            {"set": "poor", "published": False, "aupr": 0.3, "precision": 0.6, **own},
            {"set": "poor", "published": False, "aupr": 0.5, **other},
        ]
    )
    said = accuracy_tables.verdict(table, "run: default").splitlines()
    assert said[0] == "AUPR at least that of GENIE3: 1 of 2 sets; not: poor 100 (0.300 to 0.500)"
    assert said[1] == "Least AUPR / best rival: 0.60; below 0.8: poor 100 (0.60)"
    assert said[2:] == ["Precision 0.60: poor 100"]
    page = accuracy_tables.markdown(table)
    assert "| good | 100 | **0.900** | 0.800 | 0.100 |" in page


def test_noise_table_counts_runs_with_edges(monkeypatch):
    found = iter([0, 3, 0, 0] * 10)
    monkeypatch.setattr(
        accuracy, "network_of", lambda *_, **__: pd.DataFrame(index=range(next(found)))
    )
    table = accuracy.noise_table(4, n_samples=10, n_regulators=2, n_genes=5)
    assert (table["runs_with_edges"] == 0.25).all()
    assert table["standard_error"].to_numpy() == pytest.approx(np.sqrt(0.25 * 0.75 / 4))
    assert (table["mean_edges"] == 0.75).all()
