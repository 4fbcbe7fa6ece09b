"""Which edges of many resamples are kept: decoys, earlier rules, and when to stop."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import pysces
from pysces.aracne._candidates import RankCandidates
from pysces.aracne._consensus import decoy_qvalues, least_support
from pysces.aracne._estimators import rank_estimator
from pysces.aracne._null import null_of, simulate
from pysces.aracne._options import AracneOptions
from pysces.aracne._resampling import Resampling
from pysces.data._expression import Expression

REGULATORS = [f"R{i}" for i in range(6)]
GENES = [*REGULATORS, *(f"g{i}" for i in range(30))]
QUICK = {"n_null": 20_000, "n_resamples": 20}
# What the defaults were before the copula estimator
EARLIER = {
    "estimator": "adaptive",
    "resampling": "subsample",
    "resample_pvalue": 1e-3,
    "min_support": 0.0,
}
BOTH = pytest.mark.parametrize("rules", [{}, EARLIER], ids=["copula", "earlier"])


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    """120 samples; each regulator drives three of the genes, some weakly."""
    rng = np.random.default_rng(5)
    values = pd.DataFrame(rng.normal(size=(120, len(GENES))), columns=GENES)
    for i, regulator in enumerate(REGULATORS):
        for j, strength in enumerate((2.0, 0.8, 0.4)):
            values[f"g{3 * i + j}"] += strength * values[regulator]
    return values


# --- decoys --------------------------------------------------------------------------------------


def _candidates(data: pd.DataFrame, n_decoys: int, regulators: list[str]) -> RankCandidates:
    expression = Expression.from_matrix(data)
    places = np.sort(expression.genes.get_indexer(pd.Index(regulators)))
    adaptive = rank_estimator("adaptive", len(data))
    return RankCandidates(expression, places, n_decoys, 0, adaptive)


def test_number_of_decoys() -> None:
    numbers = [AracneOptions().decoys(n) for n in (1, 50, 200, 333, 500, 1800, 20_000)]
    assert numbers == [200, 200, 200, 333, 500, 500, 500]
    assert AracneOptions(n_decoys=7).decoys(1800) == 7
    assert (
        AracneOptions(consensus="poisson").decoys(50)
        == AracneOptions(resampling=None).decoys(50)
        == 0
    )


def test_regulators_take_turns_as_decoys(data) -> None:
    decoy_source = _candidates(data, 16, REGULATORS).decoy_source
    assert decoy_source[:6].tolist() == list(range(6))
    turns = decoy_source[6:]
    assert sorted(turns[:6]) == sorted(turns[6:12]) == list(range(6))
    assert turns[12:].tolist() == turns[:4].tolist()


def test_decoys_are_permutations_of_their_lenders_and_all_differ(data) -> None:
    candidates = _candidates(data, 12, REGULATORS)
    measure = rank_estimator("adaptive", len(data))
    everything = np.arange(len(data))
    ranks = candidates.row_marginals(measure, slice(0, 18), everything, 1)
    assert len(np.unique(ranks, axis=0)) == 18
    values = data[REGULATORS].to_numpy().T
    for row in range(6, 18):
        permuted = values[candidates.decoy_source[row]][candidates._permutation(row)]
        order = stats.rankdata(-permuted, method="ordinal")
        np.testing.assert_array_equal(ranks[row], order)


def test_first_decoys_are_the_same_however_many_and_in_any_order_of_genes(data) -> None:
    few, many = (_candidates(data, n, REGULATORS) for n in (5, 14))
    turned = _candidates(data[GENES[::-1]], 14, REGULATORS)
    measure = rank_estimator("adaptive", len(data))
    everything = np.arange(len(data))
    ranks = [
        c.row_marginals(measure, slice(6, 6 + n), everything, 1)
        for c, n in ((few, 5), (many, 14), (turned, 14))
    ]
    np.testing.assert_array_equal(ranks[0], ranks[1][:5])
    np.testing.assert_array_equal(ranks[1], ranks[2])


@BOTH
def test_fewer_decoys_than_regulators_still_count_for_all(data, rules) -> None:
    """A network from three decoys for six regulators: its q-values are twice (1 + decoys) / T."""
    options = {**QUICK, **rules, "min_support": 0.5}
    network = pysces.infer_network(data, REGULATORS, n_decoys=3, alpha=1.0, **options)
    assert network.record.facts["n_decoys_used"] == 3
    best = network.to_dataframe()["qvalue"].min()
    # No decoy reaches the strongest edges, so their q is 6 / 3 / (number of edges above)
    assert 6 / 3 / 40 <= best <= 6 / 3 / 6


def test_least_support_leaves_out_nothing_that_matters() -> None:
    """With the edges of less support or without them: the same edges, the same q-values."""
    rng = np.random.default_rng(4)
    for trial in range(60):
        support = np.append(rng.geometric(0.5, 300), rng.integers(5, 21, rng.integers(0, 40)))
        decoys = rng.geometric(0.5, 200)
        mi, decoy_mi = rng.integers(0, 40, len(support)), rng.integers(0, 40, 200)
        share, alpha = 0.7, (0.05, 0.2, 1.0)[trial % 3]
        qvalues = decoy_qvalues(support, mi, decoys, decoy_mi, share)
        counts, decoy_counts = (np.bincount(s, minlength=22) for s in (support, decoys))
        least = least_support(counts, decoy_counts, share, alpha)
        kept, kept_decoys = support >= least, decoys >= least
        fewer = decoy_qvalues(
            support[kept], mi[kept], decoys[kept_decoys], decoy_mi[kept_decoys], share
        )
        passes = qvalues <= alpha
        assert not passes[~kept].any()
        np.testing.assert_array_equal(fewer[passes[kept]], qvalues[passes])
        np.testing.assert_array_equal(fewer <= alpha, passes[kept])


# --- the rules of earlier programs ---------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("consensus", ["poisson", "binomial"])
def test_earlier_rules_from_their_formulas(data, consensus, rules) -> None:
    options = {**QUICK, **rules, "consensus": consensus, "alpha": 1.0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pysces.PyscesWarning)  # weak edges, on purpose
        found = pysces.infer_network(data, REGULATORS, **options)
    counts = np.asarray(found.record.facts["support_counts"])
    support = np.repeat(np.arange(len(counts)), counts)
    table = found.to_dataframe()
    kept = table["support"].to_numpy()
    assert support.sum() == found.record.facts["support_counts"] @ np.arange(21)
    n_pairs = 6 * found.record.facts["n_targets_seen"]
    if consensus == "poisson":
        pvalues = stats.poisson.sf(kept, support.sum() / n_pairs)
    else:
        rate = found.record.facts["chance_rate"]
        assert 0 < rate <= found.record.facts["resample_pvalue_used"]
        pvalues = stats.binom.sf(kept - 1, 20, rate)
    np.testing.assert_allclose(table["qvalue"], np.minimum(1, pvalues * n_pairs), rtol=1e-9)


def test_legacy_significance_is_strict(data) -> None:
    """Earlier programs keep what is below alpha, not what equals it: q is 1 at most."""
    table = pysces.infer_network(
        data, REGULATORS, consensus="poisson", alpha=1.0, **{**QUICK, **EARLIER}
    ).to_dataframe()
    assert (table["qvalue"] < 1).all()


# --- until it settles ----------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::pysces.PyscesWarning")  # weak edges, without min_support
@BOTH
def test_auto_stops_early_and_is_the_run_of_that_many(data, rules) -> None:
    options = {**QUICK, **rules, "n_resamples": "auto"}
    found = pysces.infer_network(data, REGULATORS, **options)
    used = found.record.facts["n_resamples_used"]
    assert used % 10 == 0
    assert 20 <= used < 200
    again = pysces.infer_network(data, REGULATORS, **{**options, "n_resamples": used})
    assert found.equals(again)


@pytest.mark.filterwarnings("ignore::pysces.PyscesWarning")  # weak edges, without min_support
@BOTH
def test_auto_goes_on_while_edges_come_and_go(data, monkeypatch, rules) -> None:
    from pysces.aracne import _consensus as support
    from pysces.aracne import _options as options

    monkeypatch.setattr(support, "_ALIKE", 1.1)  # never alike
    monkeypatch.setattr(options, "AUTO_MOST", 30)
    found = pysces.infer_network(data, REGULATORS, **{**QUICK, **rules, "n_resamples": "auto"})
    assert found.record.facts["n_resamples_used"] == 30


@pytest.mark.filterwarnings("ignore::pysces.PyscesWarning")  # weak edges, without min_support
@BOTH
def test_auto_uses_and_leaves_a_checkpoint(data, tmp_path, rules) -> None:
    options = {**QUICK, **rules, "n_resamples": "auto", "checkpoint": tmp_path}
    first = pysces.infer_network(data, REGULATORS, **options)
    second = pysces.infer_network(data, REGULATORS, **options)
    assert first.equals(second)
    used, kept = first.record.facts["n_resamples_used"], len(list(tmp_path.glob("resample-*")))
    # Resamples of scores are computed, and kept, in batches of at most 50.
    assert kept == used if rules else used <= kept <= used + 50


def test_auto_needs_decoys() -> None:
    with pytest.raises(pysces.InputError, match="n_resamples='auto' requires consensus='decoy'"):
        AracneOptions(n_resamples="auto", consensus="binomial")
    with pytest.raises(pysces.InputError, match="'n_resamples'"):
        AracneOptions(n_resamples="many")


# --- sizes of subsamples -------------------------------------------------------------------------


def test_subsamples_are_even_and_near_the_expected_share() -> None:
    for n in range(20, 3000, 7):
        size = Resampling("subsample", n, 0).size()
        assert size % 2 == 0
        assert abs(size / n - (1 - np.exp(-1))) <= 1 / 32 + 1 / n
        cells = 2 ** int(np.log2(size / 16) - 0.1) if size >= 64 else 2
        assert size % cells == 0  # the first median cuts are equal halves


def test_tiny_subsamples() -> None:
    assert [Resampling("subsample", n, 0).size() for n in (1, 2, 3, 4)] == [1, 2, 2, 2]


# --- binned, for very many cells -----------------------------------------------------------------


@pytest.fixture(scope="module")
def counts() -> pd.DataFrame:
    """Independent zero-inflated counts of 400 cells."""
    rng = np.random.default_rng(2)
    mean = rng.gamma(0.6, 1.5, size=60) + 0.1
    return pd.DataFrame(rng.poisson(mean, size=(400, 60)), columns=[f"g{i}" for i in range(60)])


def test_ties_together_by_contingency_table(counts) -> None:
    """Equal values share a bin; Miller-Madow takes (cells - rows - columns + 1) / 2n off."""
    given = {"estimator": "binned", "n_bins": 5, "ties": "together"}
    plain = pysces.mutual_information(counts, ["g0"], **given)
    corrected = pysces.mutual_information(counts, ["g0"], miller_madow=True, **given)
    bins = {
        g: np.floor(5 * (stats.rankdata(counts[g]) - 0.5) / len(counts)).astype(int)
        for g in ("g0", "g1", "g2")
    }
    for gene in ("g1", "g2"):
        table = pd.crosstab(bins["g0"], bins[gene]).to_numpy() / len(counts)
        independent = np.outer(table.sum(1), table.sum(0))
        full = table > 0
        mi = (table[full] * np.log(table[full] / independent[full])).sum()
        bias = (full.sum() - table.shape[0] - table.shape[1] + 1) / (2 * len(counts))
        assert plain.loc["g0", gene] == pytest.approx(mi, abs=1e-9)
        assert corrected.loc["g0", gene] == pytest.approx(mi - bias, abs=1e-9)


@pytest.mark.parametrize("miller_madow", [False, True])
def test_ties_together_are_at_most_conservative(counts, miller_madow) -> None:
    measure = rank_estimator("binned", len(counts), 5, "together", miller_madow)
    null = null_of(measure, n_null=100_000)
    shuffled = np.random.default_rng(1).permuted(counts.to_numpy(dtype=float).T, axis=1)
    bins = measure.marginals(shuffled, np.zeros(60, dtype=np.uint64))
    pvalues = null.pvalues(measure.mi(bins, bins)[~np.eye(60, dtype=bool)])
    for p in (0.1, 0.01, 0.001):
        assert (pvalues <= p).mean() <= p * 1.3
    assert (pvalues <= 0.1).mean() > 0.001  # but not blind


def test_ties_and_correction_are_of_binned(counts) -> None:
    for given in ({"ties": "together"}, {"miller_madow": True}):
        with pytest.raises(pysces.InputError, match="require estimator='binned'"):
            pysces.infer_network(counts, ["g0"], estimator="adaptive", **given)
        with pytest.raises(pysces.InputError, match="require estimator='binned'"):
            pysces.infer_network(counts, ["g0"], **given)


def test_binned_network_of_counts(counts) -> None:
    """A planted edge between counts is found with ties together, and the record says how."""
    planted = counts.copy()
    planted["g5"] += 2 * planted["g0"]
    network = pysces.infer_network(
        planted,
        ["g0", "g1"],
        estimator="binned",
        n_bins=5,
        ties="together",
        miller_madow=True,
        **QUICK,
    )
    assert "g5" in network.targets_of("g0")
    assert network.record.options["ties"] == "together"
    assert network.record.options["miller_madow"] is True


@pytest.mark.parametrize("corrected", [False, True])
@pytest.mark.parametrize("scheme", ["permutation", "bootstrap"])
def test_null_of_many_cells_is_stretched_from_fewer(corrected, scheme, fast) -> None:
    """Against a simulation of all samples, and against the chi-square distribution."""
    measure = rank_estimator("binned", 12_000, 4, miller_madow=corrected)
    found = null_of(measure, scheme, 40_000)
    direct = simulate(measure, scheme, 40_000)
    for p in (0.3, 0.1, 0.01, 0.001):
        realised = direct.pvalues(np.array([found.threshold(p)]))[0]
        assert realised == pytest.approx(p, rel=0.05 + 4 / np.sqrt(40_000 * p))
    if scheme == "permutation":
        bias = 0.5 * 9 if corrected else 0.0
        at = np.array([found.threshold(0.01)]) / 2.0**measure.fraction_bits
        assert stats.chi2.sf(2 * (at[0] + bias), 9) == pytest.approx(0.01, rel=0.2)
