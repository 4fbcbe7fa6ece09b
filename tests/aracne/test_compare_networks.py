"""Networks of two groups: what differs, and whether more than under permuted groups."""

from __future__ import annotations

import itertools

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import pysces
from pysces.aracne._comparison import Differences, Labelled, transformed
from pysces.aracne._labellings import Labellings

GENES = [f"gene{i:02d}" for i in range(24)]
REGULATORS = GENES[:3]
FAST = {"resampling": None, "n_permutations": 19, "n_null": 20_000}


def samples(n: int = 128, seed: int = 0, *, differ: bool = True) -> anndata.AnnData:
    """Regulator k drives genes 3 + k, 6 + k, ...; in the sick, half of gene00's are lost."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(2 * n, len(GENES)))
    sick = np.arange(2 * n) >= n
    for k, target in itertools.product(range(3), range(5)):
        slope = np.full(2 * n, 0.5 + 0.2 * target)
        if differ and k == 0 and target % 2:
            slope[sick] = 0.0
        if differ and k == 1:
            slope[sick] *= -1
        x[:, 3 + 3 * target + k] += slope * x[:, k]
    x[sick] += 3 * rng.normal(size=len(GENES))  # levels are no difference of networks
    adata = anndata.AnnData(pd.DataFrame(x, [f"s{i:03d}" for i in range(2 * n)], GENES))
    adata.obs["state"] = np.where(sick, "sick", "well")
    return adata


def compared(adata: anndata.AnnData, **options: object) -> pysces.NetworkComparison:
    given = {"group": "sick", "regulators": REGULATORS, **FAST, **options}
    pysces.compare_networks(adata, "state", **given)
    return pysces.NetworkComparison.from_anndata(adata, str(options.get("key_added", "comparison")))


def pairs(table: pd.DataFrame) -> set[tuple[str, str]]:
    return set(zip(table["source"].astype(str), table["target"].astype(str), strict=True))


@pytest.mark.parametrize("resampling", ["halves", None])
def test_the_networks_are_those_of_run_aracne(resampling: str | None) -> None:
    """With 128 samples a group: null distributions of a power of two are not rescaled."""
    adata = samples()
    how = {"resampling": resampling, "n_resamples": 6, "n_null": 20_000}
    found = compared(adata, **how, n_permutations=1)
    pysces.run_aracne(adata, REGULATORS, groupby="state", **how)
    for group, side in (("well", "reference"), ("sick", "group")):
        network = pysces.Network.from_anndata(adata, group=group).to_dataframe()
        other = "lost" if side == "reference" else "gained"
        own = found.edges[found.edges["change"].isin([other, "shared", "reversed"])]
        assert pairs(own) == pairs(network)
        merged = own.astype({"source": str, "target": str}).merge(
            network.astype({"source": str, "target": str}).add_suffix("_network"),
            left_on=["source", "target"],
            right_on=["source_network", "target_network"],
        )
        for name in ("mi", "support", "qvalue"):
            assert merged[f"{name}_{side}"].tolist() == merged[f"{name}_network"].tolist()
    if resampling:
        lost = found.edges[found.edges["change"] == "lost"]
        assert (lost["support_group"] < 3).all()  # fewer than half of the resamples
        assert (lost["qvalue_group"] == 1).all()


def test_planted_differences_are_found_and_others_are_not() -> None:
    found = compared(samples(300, seed=1), n_permutations=50)
    significant = found.edges[found.edges["significant"]]
    lost = {("gene00", GENES[3 + 3 * target]) for target in (1, 3)}
    reversed_ = {("gene01", GENES[4 + 3 * target]) for target in range(5)}
    assert pairs(significant[significant["change"] == "lost"]) == lost
    assert pairs(significant[significant["change"] == "reversed"]) == reversed_
    assert (significant["change"] == "shared").sum() <= 1
    assert found.record.facts["pvalue"] == pytest.approx(1 / 51)
    assert found.record.facts["jaccard"] < found.record.facts["jaccard_permuted"]
    regulons = found.regulons.set_index("regulator")
    assert regulons["significant"].to_dict() == {"gene00": True, "gene01": True, "gene02": False}
    assert regulons.loc["gene00", ["n_reference", "n_group", "n_common"]].tolist() == [5, 3, 3]
    assert regulons.loc["gene00", "jaccard"] == 3 / 5
    assert found.edges["statistic"].is_monotonic_decreasing
    n = found.edges["change"].value_counts()
    assert repr(found).endswith(
        f"gained, {n['lost']} lost, 5 reversed, {n['shared']} shared; {len(significant)} differ"
    )


def test_the_statistic_is_that_of_a_loop() -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(-127, 128, size=(4, 300)).astype(float)
    y = x // 2 + rng.integers(-60, 61, size=x.shape)
    z, variance, r = transformed(stats.zscore(x, axis=1), stats.zscore(y, axis=1))
    for i in range(4):
        expected = stats.pearsonr(x[i], y[i]).statistic
        assert r[i] == pytest.approx(expected)
        a, b = stats.zscore(x[i].astype(float)), stats.zscore(y[i].astype(float))
        influence = [p * q - expected * (p * p + q * q) / 2 for p, q in zip(a, b, strict=True)]
        total = sum(value**2 for value in influence) / 300**2 / (1 - expected**2) ** 2
        assert (z[i], variance[i]) == pytest.approx((np.arctanh(expected), total))


def test_variance_of_normal_samples_is_that_of_fisher() -> None:
    """Var(artanh r) is 1 / (n - 3) for normal samples (Fisher 1921), whatever r is."""
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 200, 2000))
    for slope in (0.0, 1.5):
        x, y = (stats.zscore(values, axis=1) for values in (a, b + slope * a))
        assert np.mean(transformed(x, y)[1]) == pytest.approx(1 / 1997, rel=0.05)


def test_pvalues_are_ranks_and_keep_their_level_whichever_labelling_is_the_given_one() -> None:
    """With each labelling in turn as the given one, at most alpha of all p-values are <= alpha."""
    rng = np.random.default_rng(0)
    labelled = []
    for _ in range(20):
        row = np.sort(rng.integers(0, 8, size=rng.integers(20, 60)))
        squared = rng.chisquare(1, size=len(row)) * (1 + row) * rng.uniform(0.5, 3)
        labelled.append(Labelled(row, np.arange(len(row)), squared, 0))
    pooled = np.concatenate([one.squared for one in labelled])
    found = []
    for first in range(20):
        turned = Differences(labelled[first:] + labelled[:first], 8)
        edges, qvalues = turned.edge_pvalues()
        own = labelled[first].squared
        assert edges.tolist() == [np.mean(pooled >= value) for value in own]
        assert qvalues == pytest.approx(stats.false_discovery_control(edges))
        found.append((edges, turned.regulon_pvalues()[2], np.array([turned.pvalue()])))
    for kind in range(3):
        pvalues = np.concatenate([one[kind] for one in found])
        for alpha in (0.01, 0.05, 0.2, 0.5):
            assert np.mean(pvalues <= alpha) <= alpha
            assert np.mean(pvalues <= alpha) >= alpha - max(0.05, 1 / len(pvalues))


def test_without_a_difference_the_pvalues_keep_their_level() -> None:
    """One p-value of each data set: they are independent, and their number is binomial."""
    whole, one = [], []
    for seed in range(20):
        found = compared(samples(40, seed, differ=False), seed=seed)
        whole.append(found.record.facts["pvalue"] <= 0.05)
        one.append(found.edges["pvalue"].sample(random_state=seed).item() <= 0.05)
    most = stats.binom.ppf(0.999, 20, 0.05)
    assert sum(whole) <= most
    assert sum(one) <= most


def test_results_do_not_depend_on_order_engine_or_other_runs() -> None:
    adata = samples(60)
    first = compared(adata)
    rng = np.random.default_rng(5)
    shuffled = adata[rng.permutation(adata.n_obs), rng.permutation(adata.n_vars)].copy()
    del shuffled.uns["comparison"]
    for other in (compared(shuffled), compared(samples(60), engine="python")):
        pd.testing.assert_frame_equal(first.edges, other.edges)
        pd.testing.assert_frame_equal(first.regulons, other.regulons)
    again = compared(samples(60), seed=1)
    assert not first.edges["pvalue"].equals(again.edges["pvalue"])


# --- labellings ----------------------------------------------------------------------------------


def test_samples_are_permuted_within_strata() -> None:
    rng = np.random.default_rng(0)
    labels, strata = rng.random(200) < 0.3, rng.integers(0, 4, size=200)
    labellings = Labellings(labels, strata, None, 30, 0)
    assert len(labellings) == 31
    assert (labellings[0] == labels).all()
    seen = np.stack([labellings[number] for number in range(1, 31)])
    for stratum in range(4):
        own = strata == stratum
        assert (seen[:, own].sum(axis=1) == labels[own].sum()).all()
    assert len(np.unique(seen, axis=0)) == 30
    assert (seen.mean(axis=0) < 0.8).all()
    assert (labellings[7] == labellings[7]).all()


@pytest.mark.parametrize(("n_single", "n_inside", "n_mixed"), [(6, 3, 0), (5, 2, 1), (0, 0, 4)])
def test_all_labellings_of_few_donors_occur_once(n_single, n_inside, n_mixed) -> None:
    donor = np.repeat(np.arange(n_single + n_mixed), 4)
    labels = (donor < n_inside) | ((donor >= n_single) & (np.arange(len(donor)) % 4 < 2))
    labellings = Labellings(labels, np.zeros(len(labels), dtype=int), donor, 1000, 0)
    expected = set()
    for inside in itertools.combinations(range(n_single), n_inside):
        for swapped in itertools.product((False, True), repeat=n_mixed):
            one = np.isin(donor, inside)
            for k, exchanged in enumerate(swapped):
                own = donor == n_single + k
                one[own] = labels[own] ^ exchanged
            expected.add(one.tobytes())
    found = [labellings[number].tobytes() for number in range(len(labellings))]
    assert found[0] == labels.tobytes()
    assert len(found) == len(set(found)) == len(expected)
    assert set(found) == expected
    few = Labellings(labels, np.zeros(len(labels), dtype=int), donor, 3, 0)
    assert {few[number].tobytes() for number in range(4)} <= expected


def test_donors_are_permuted_as_a_whole_and_few_of_them_are_named() -> None:
    adata = samples(100)
    adata.obs["donor"] = np.arange(200) // 20  # five donors of each group
    found = compared(adata, donor_key="donor")
    assert found.record.facts["permuted"] == "donors"
    assert found.record.facts["n_permutations_used"] == 19
    adata.obs["donor"] = np.arange(200) // 50
    with pytest.warns(pysces.PyscesWarning, match=r"in 6 ways only.* at least 0.33.*more donors"):
        found = compared(adata, donor_key="donor")
    assert found.record.facts["n_permutations_used"] == 5
    assert found.edges["qvalue"].min() >= 1 / 3 - 0.05
    assert found.record.facts["pvalue"] >= 1 / 3


def test_cells_of_donors_with_their_own_networks_need_donor_key() -> None:
    """Slopes differ between donors, not between groups: permuted cells see a difference."""
    by_cell, by_donor = [], []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        donor = np.repeat(np.arange(10), 40)
        x = rng.normal(size=(400, len(GENES)))
        slope = rng.normal(0, 1.2, size=(10, 12))
        x[:, 3:15] += slope[donor] * x[:, np.arange(12) % 3]
        adata = anndata.AnnData(pd.DataFrame(x, [f"s{i:03d}" for i in range(400)], GENES))
        adata.obs["state"] = np.where(donor < 5, "well", "sick")
        adata.obs["donor"] = donor
        by_cell.append(compared(adata).record.facts["pvalue"] <= 0.05)
        by_donor.append(compared(adata, donor_key="donor").record.facts["pvalue"] <= 0.05)
    assert sum(by_cell) >= 4
    assert sum(by_donor) <= 2


# --- counts, files, errors -----------------------------------------------------------------------


def test_counts_are_permuted_among_samples_of_similar_depth() -> None:
    adata = samples(150)
    rng = np.random.default_rng(0)
    depth = rng.lognormal(np.where(adata.obs["state"] == "sick", 0.4, 0.0), 0.3)
    adata.X = rng.poisson(np.exp(0.5 * np.clip(adata.X, -6, 6) + 0.5) * depth[:, None]) * 1.0
    adata.obs["depth"] = depth
    found = compared(adata, counts=True, size_factors="depth", n_permutations=39)
    facts = found.record.facts
    assert facts["permuted"] == "samples of similar depth"
    assert facts["scores"] == "counts given depth"
    assert facts["pvalue"] == pytest.approx(1 / 40)
    significant = found.edges[found.edges["significant"]]
    assert {("gene01", "gene13"), ("gene00", "gene06")} <= pairs(significant)
    assert set(significant["source"]) <= {"gene00", "gene01"}


@pytest.mark.filterwarnings("ignore:Writing zarr v2:UserWarning")  # anndata's own, of its default
@pytest.mark.parametrize("ending", ["h5ad", "zarr"])
def test_the_result_is_written_and_read(ending: str, tmp_path) -> None:
    adata = samples(60)
    found = compared(adata, reference="well")
    path = tmp_path / f"cells.{ending}"
    getattr(adata, f"write_{ending}")(path)
    read = getattr(anndata, f"read_{ending}")(path)
    again = pysces.NetworkComparison.from_anndata(read)
    pd.testing.assert_frame_equal(again.edges, found.edges, check_names=False)
    pd.testing.assert_frame_equal(again.regulons, found.regulons, check_names=False)
    assert (again.reference, again.group) == ("well", "sick")
    assert again.record.options == found.record.options
    assert again.record.options["groupby"] == "state"
    assert again.record.facts == found.record.facts
    assert again.record.method == "compare_networks"


def test_groups_are_checked() -> None:
    adata = samples(40)
    adata.obs["state"] = adata.obs["state"].astype(str)
    pysces.compare_networks(adata, "state", regulators=REGULATORS, **FAST)
    assert adata.uns["comparison"]["params"]["group"] == "well"  # the second by name
    copy = pysces.compare_networks(
        adata, "state", "sick", regulators=REGULATORS, copy=True, key_added="other", **FAST
    )
    assert "other" in copy.uns
    assert "other" not in adata.uns
    adata.obs.iloc[:20, 0] = "third"
    with pytest.raises(pysces.InputError, match=r"has 3 groups.*Pass group= and reference="):
        pysces.compare_networks(adata, "state", regulators=REGULATORS, **FAST)
    with pytest.raises(pysces.InputError, match="are both 'sick'"):
        compared(adata, reference="sick")
    with pytest.raises(pysces.InputError, match=r"fewer than 24 samples.*third \(20\)"):
        compared(adata, reference="third", resampling="halves")
    with pytest.raises(pysces.InputError, match=r"'nope' is not in \.obs\['state'\]"):
        compared(adata, reference="nope")
    with pytest.raises(pysces.MissingKeyError, match=r"Run `pysces\.compare_networks"):
        pysces.NetworkComparison.from_anndata(adata, "none")
    assert set(adata.uns) == {"comparison"}


def test_noise_has_no_edges_and_says_so() -> None:
    rng = np.random.default_rng(0)
    adata = anndata.AnnData(pd.DataFrame(rng.normal(size=(100, 24)), map(str, range(100)), GENES))
    adata.obs["state"] = ["sick", "well"] * 50
    with pytest.warns(pysces.PyscesWarning, match="in neither group"):
        found = compared(adata, alpha=1e-6)
    assert len(found.edges) == len(found.regulons) == 0
    assert found.record.facts["pvalue"] == 1.0


# --- two networks --------------------------------------------------------------------------------


def test_two_networks_are_compared_without_their_data() -> None:
    rng = np.random.default_rng(0)
    tables = []
    for _ in range(2):
        both = np.unique(rng.integers(0, 6, size=(12, 2)), axis=0)
        names = [(f"r{a}", f"t{b}") for a, b in both]
        table = pd.DataFrame(names, columns=["source", "target"])
        tables.append(table.assign(correlation=rng.uniform(-1, 1, len(table)), support=5, mi=0.1))
    first, second = map(pysces.Network, tables)
    found = first.compare(second, reference="well", group="sick")
    mine, theirs = (dict(zip(pairs_of(t), t["correlation"], strict=True)) for t in tables)
    for row in found.edges.itertuples():
        pair = (row.source, row.target)
        if pair not in mine:
            assert row.change == "gained"
            assert np.isnan(row.correlation_reference)
        elif pair not in theirs:
            assert row.change == "lost"
        else:
            opposite = mine[pair] * theirs[pair] < 0
            assert row.change == ("reversed" if opposite else "shared")
            assert (row.correlation_reference, row.correlation_group) == (mine[pair], theirs[pair])
    assert pairs(found.edges) == set(mine) | set(theirs)
    for row in found.regulons.itertuples():
        before, after = ({t for s, t in of if s == row.regulator} for of in (mine, theirs))
        assert (row.n_reference, row.n_group) == (len(before), len(after))
        assert row.jaccard == len(before & after) / len(before | after)
        assert row.change == ("gained" if not before else "lost" if not after else "shared")
    assert "pvalue" not in found.edges
    with pytest.raises(pysces.InputError, match="has no column 'change'"):
        pysces.NetworkComparison(tables[0], found.regulons)


def pairs_of(table: pd.DataFrame) -> list[tuple[str, str]]:
    return list(zip(table["source"], table["target"], strict=True))
