"""A prior helps where it is right, costs little where it is wrong, and errors stay bounded."""

from __future__ import annotations

import warnings

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import pysces
from pysces.aracne._candidates import RankCandidates
from pysces.aracne._consensus import decoy_qvalues
from pysces.aracne._estimators import rank_estimator
from pysces.aracne._prior import SHARE, Prior, log_pvalues
from pysces.aracne._quality import says_little
from pysces.data._expression import Expression
from pysces.errors import InputError, PyscesWarning

REGULATORS = [f"R{i}" for i in range(10)]
GENES = [*REGULATORS, *(f"g{i}" for i in range(190))]
QUICK = {"n_null": 100_000, "n_resamples": 40}


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    """150 samples; each regulator drives nine genes, six of them so weakly that few are found."""
    rng = np.random.default_rng(3)
    values = pd.DataFrame(rng.normal(size=(150, len(GENES))), columns=GENES)
    for i, (source, target) in enumerate(TRUTH.itertuples(index=False)):
        values[target] += (0.7 if i % 3 == 0 else 0.32) * values[source]
    return values


TRUTH = pd.DataFrame(
    [(REGULATORS[i // 9], f"g{i}") for i in range(90)], columns=["source", "target"]
)


def shuffled(pairs: pd.DataFrame) -> pd.DataFrame:
    """Other targets, none of them true."""
    return pairs.assign(target=np.roll(pairs["target"], 9))


def called(data: pd.DataFrame, **options) -> tuple[pd.DataFrame, int, int]:
    """The edges, and how many are true and false."""
    edges = pysces.infer_network(data, REGULATORS, **{**QUICK, **options}).to_dataframe()
    true = len(edges.astype({"source": str, "target": str}).merge(TRUTH))
    return edges, true, len(edges) - true


def candidates(n_decoys: int) -> RankCandidates:
    values = np.random.default_rng(0).normal(size=(30, 12))
    expression = Expression.from_matrix(pd.DataFrame(values, columns=list("abcdefghijkl")))
    return RankCandidates(
        expression, np.array([1, 4, 6]), n_decoys, 0, rank_estimator("adaptive", 30)
    )


PAIRS = pd.DataFrame(
    {
        "source": ["b", "b", "e", "e", "g", "x", "a", "b"],
        "target": ["a", "e", "b", "l", "a", "a", "c", "b"],  # the last three are no candidates
        "weight": [1.0, -2.0, 0.5, 4.0, 1.0, 1.0, 1.0, 9.0],
    }
)


def all_pairs(own: RankCandidates, rows: range) -> tuple[np.ndarray, np.ndarray]:
    pairs = [(r, g) for r in rows for g in range(own.n_genes)
             if g != own.regulators[own.decoy_source[r]]]  # fmt: skip
    row, gene = np.array(pairs).T
    return row, gene


# --- weights --------------------------------------------------------------------------------------


def test_weights_average_one_over_all_pairs() -> None:
    own = candidates(4)
    prior = Prior.of(pysces.Network(PAIRS), own)
    assert len(prior.keys) == 5
    values = prior.values_of(*all_pairs(own, range(3)))
    weights = prior.weights_of(values, len(values))
    assert weights.mean() == pytest.approx(1, abs=1e-12)
    assert weights.min() == pytest.approx(1 - SHARE)
    assert sorted(values[values != 0]) == [-2.0, 0.5, 1.0, 1.0, 4.0]
    excess = weights[values != 0] - (1 - SHARE)
    np.testing.assert_allclose(excess / np.abs(values[values != 0]), excess.sum() / 8.5)


@pytest.mark.parametrize("n_decoys", [1, 2, 4, 7, 9])
def test_decoys_stand_for_as_many_pairs_as_there_are(n_decoys: int) -> None:
    """Pairs inside and outside the prior, however often each regulator is copied."""
    own = candidates(n_decoys)
    prior = Prior.of(pysces.Network(PAIRS), own)
    values = prior.values_of(*all_pairs(own, range(3, 3 + n_decoys)))
    counts = prior.decoy_counts(values) / (n_decoys / 3)
    assert counts[values == 0].sum() == pytest.approx(33 - 5)
    assert counts[values != 0].sum() == pytest.approx(5)


def test_equal_decoys_give_the_same_qvalues() -> None:
    rng = np.random.default_rng(0)
    sets = [rng.integers(1, 30, n) for n in (300, 300, 100, 100)]
    expected = decoy_qvalues(*sets, 2.0)
    np.testing.assert_array_equal(decoy_qvalues(*sets, 2.0, np.ones(100)), expected)
    assert (decoy_qvalues(*sets, 2.0, np.full(100, 3.0)) >= expected).all()


@pytest.mark.parametrize(("kind", "share"), [("halves", 0.5), ("subsample", 0.632)])
def test_pvalues_of_support_by_simulation(kind: str, share: float) -> None:
    """Of independent genes: the sum over all samples, and over those of each resample."""
    rng = np.random.default_rng(0)
    n, pvalue = 400, 0.05
    support = np.array([5, 10, 20, 25])
    inside = np.array([rng.permutation(n) < share * n for _ in range(40)], dtype=float)
    z = inside @ rng.normal(size=(n, 20_000)) / np.sqrt(inside.sum(axis=1))[:, None]
    seen = (np.abs(z) > stats.norm.isf(pvalue / 2)).sum(axis=0)
    expected = [(seen >= k).mean() for k in support]
    found = np.exp(log_pvalues(support, 40, kind, pvalue))
    np.testing.assert_allclose(found, expected, rtol=0.3)


# --- networks -------------------------------------------------------------------------------------


def test_a_prior_of_all_pairs_changes_nothing(data: pd.DataFrame) -> None:
    """All weights are 1 then."""
    everything = {r: [g for g in GENES if g != r] for r in REGULATORS}
    found = called(data, prior=everything)[0]
    expected = called(data)[0]
    assert (found["prior"] == 1).all()
    pd.testing.assert_frame_equal(found.drop(columns="prior"), expected)


def test_it_helps_where_it_is_right_and_costs_little_where_it_is_wrong(data: pd.DataFrame) -> None:
    _, true, false = called(data)
    half = TRUTH.iloc[::2]
    edges, more, errors = called(data, prior=half)
    assert more >= true + 5
    assert errors <= false + 2
    assert set(edges["prior"]) == {0.0, 1.0}
    with pytest.warns(PyscesWarning, match="prior= have enough support .* says little about"):
        _, fewer, errors = called(data, prior=shuffled(half))
    assert fewer >= 0.85 * true
    assert errors <= false + 2
    mixed = pd.concat([half, shuffled(half)])
    edges, _, errors = called(data, prior=mixed)  # half of it is wrong
    assert len(edges[edges["prior"] != 0].merge(shuffled(half))) <= 2


def test_errors_stay_bounded_on_noise() -> None:
    """However wrong the prior is; without min_support, where decoys alone protect."""
    n_runs, any_edge = 12, 0
    for seed in range(n_runs):
        rng = np.random.default_rng(seed)
        noise = pd.DataFrame(rng.normal(size=(60, len(GENES))), columns=GENES)
        options = {**QUICK, "n_resamples": 20, "min_support": 0.0, "seed": seed}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PyscesWarning)  # no edge, or a useless prior
            any_edge += len(pysces.infer_network(noise, REGULATORS, prior=TRUTH, **options)) > 0
    assert any_edge <= stats.binom.isf(0.01, n_runs, 0.05)


def test_without_resampling_weighted_pvalues_are_corrected(data: pd.DataFrame) -> None:
    """Benjamini and Hochberg by SciPy on p / weight; a pair of two regulators is one test."""
    once = {"resampling": None, "n_null": 100_000, "dpi": False}
    prior = TRUTH.iloc[::3]
    whole = pysces.infer_network(data, REGULATORS, alpha=1.0, **once).to_dataframe()
    whole = whole.astype({"source": str, "target": str})
    tests = whole[~whole["target"].isin(REGULATORS) | (whole["source"] < whole["target"])]
    assert len(tests) == len(REGULATORS) * 190 + 45
    known = pd.MultiIndex.from_frame(prior)
    inside = pd.MultiIndex.from_frame(tests[["source", "target"]]).isin(known)
    weight = 1 - SHARE + SHARE * len(tests) * inside / len(prior)
    assert weight.mean() == pytest.approx(1)
    qvalue = stats.false_discovery_control(np.minimum(1, tests["pvalue"] / weight))
    expected = tests[(qvalue <= 0.05) & (tests["pvalue"] <= 0.05)]
    edges = pysces.infer_network(data, REGULATORS, prior=prior, **once).to_dataframe()
    assert len(expected) > 30
    assert set(edges["target"].astype(str)) >= set(expected["target"])
    found = edges.astype({"source": str, "target": str}).merge(expected, on=["source", "target"])
    assert len(found) == len(expected)
    weighted = edges["pvalue"] / np.where(edges["prior"] > 0, weight.max(), weight.min())
    assert weighted.is_monotonic_increasing


# --- what a user sees -----------------------------------------------------------------------------


def test_it_comes_as_a_table_a_network_gene_sets_or_a_file(data, tmp_path, caplog) -> None:
    table = TRUTH.rename(columns={"source": "TF"}).assign(extra="x")
    expected = called(data, prior=table)[0]
    path = tmp_path / "prior.tsv"
    TRUTH.to_csv(path, sep="\t", index=False)
    gmt = tmp_path / "prior.gmt"
    pysces.Network(TRUTH).write(gmt)
    sets = TRUTH.groupby("source")["target"].agg(list).to_dict()
    for prior in (pysces.Network(TRUTH), sets, str(path), path, gmt):
        pd.testing.assert_frame_equal(called(data, prior=prior)[0], expected)
    network = pysces.infer_network(data, REGULATORS, prior=path, **QUICK)
    assert network.record.options["prior"] == str(path)
    facts = network.record.facts
    assert facts["n_prior_pairs"] == 90
    assert facts["n_prior_edges"] == (network.to_dataframe()["prior"] != 0).sum() > 20
    assert facts["prior_enrichment"] > 50
    other = pysces.infer_network(data, REGULATORS, prior=TRUTH[:80], **QUICK).record
    assert other.options["prior"] == "given"
    assert other.facts["prior_digest"] != facts["prior_digest"]


def test_signs_are_kept_and_order_follows_weights(data: pd.DataFrame) -> None:
    signed = TRUTH.assign(weight=np.where(np.arange(90) % 2, -1.0, 3.0))
    edges = called(data, prior=signed)[0]
    assert set(edges["prior"]) <= {-1.0, 0.0, 3.0}
    assert {-1.0, 3.0} <= set(edges["prior"])
    modes = TRUTH.assign(mor=-1.0)
    assert set(called(data, prior=modes)[0]["prior"]) <= {-1.0, 0.0}
    # At equal support, pairs of the prior come first
    first = edges.groupby("support")["prior"].apply(lambda p: p.abs().tolist())
    assert all(values == sorted(values, reverse=True) for values in first)
    assert edges["rank"].is_monotonic_increasing


def test_resamples_do_not_depend_on_it(data: pd.DataFrame, tmp_path) -> None:
    """A checkpoint without a prior serves a run with one, and the same again."""
    called(data, checkpoint=tmp_path / "c")
    before = {f.name: f.stat().st_mtime_ns for f in (tmp_path / "c").iterdir()}
    found = called(data, checkpoint=tmp_path / "c", prior=TRUTH)[0]
    assert {f.name: f.stat().st_mtime_ns for f in (tmp_path / "c").iterdir()} == before
    pd.testing.assert_frame_equal(found, called(data, prior=TRUTH)[0])


def test_groups_and_files(data: pd.DataFrame, tmp_path) -> None:
    adata = anndata.AnnData(np.concatenate([data, data]))
    adata.var_names = GENES
    adata.obs_names = [f"s{i}" for i in range(300)]
    adata.obs["group"] = ["A"] * 150 + ["B"] * 150
    pysces.run_aracne(adata, REGULATORS, groupby="group", prior=TRUTH, counts=False, **QUICK)
    adata.write_h5ad(tmp_path / "x.h5ad")
    back = pysces.Network.from_anndata(anndata.read_h5ad(tmp_path / "x.h5ad"), group="B")
    edges = back.to_dataframe()
    assert (edges["prior"] == 1).sum() == back.record.facts["n_prior_edges"] > 20
    back.write(tmp_path / "network.tsv")
    again = pysces.read_network(tmp_path / "network.tsv").to_dataframe()
    assert again["prior"].tolist() == edges["prior"].tolist()


def test_a_group_without_genes_of_the_prior_is_left_out(data: pd.DataFrame) -> None:
    values = np.concatenate([data, data])
    values[150:, GENES.index("g0")] = 1.0  # constant in B
    adata = anndata.AnnData(values)
    adata.var_names = GENES
    adata.obs_names = [f"s{i}" for i in range(300)]
    adata.obs["group"] = ["A"] * 150 + ["B"] * 150
    few, given = TRUTH[:1], {"groupby": "group", "counts": False, **QUICK}
    with pytest.warns(PyscesWarning, match=r"Group 'B' cannot be used .*: None of the 1 pairs"):
        pysces.run_aracne(adata, REGULATORS, prior=few, **given)
    assert adata.uns["aracne"]["network"]["group"].unique().tolist() == ["A"]
    with pytest.raises(InputError, match="Group 'A': None of the 1 pairs of prior="):
        pysces.run_aracne(adata, REGULATORS, prior=few.assign(target="x"), **given)


@pytest.mark.parametrize(
    ("n_pairs", "times", "little"), [(1000, 0.5, True), (1000, 1.5, False), (10, 0.0, False)]
)
def test_few_pairs_do_not_tell_that_a_prior_says_little(n_pairs, times, little) -> None:
    facts = {"n_prior_expected": 0.01 * n_pairs, "prior_enrichment": times}
    assert says_little(facts) is little


def test_what_cannot_be_used_is_refused(data: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="prior= requires consensus='decoy'"):
        called(data, prior=TRUTH, consensus="poisson")
    lower = TRUTH.assign(source=TRUTH["source"].str.lower())
    with pytest.raises(InputError, match=r"None of the 90 pairs of prior= joins .*r0 -> g0"):
        called(data, prior=lower)
    with pytest.raises(InputError, match="network must be a key, a Network, a DataFrame"):
        called(data, prior=5)
    with pytest.raises(FileNotFoundError, match="There is no file"):
        called(data, prior="absent.tsv")
