"""Groups of cells: cells without a label, blocks of genes, the order of cells, names that err."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.spatial import distance

import pysces
from pysces.data._expression import Expression


@pytest.fixture
def adata() -> ad.AnnData:
    """Two kinds of cells and cells without a label, whose targets differ most."""
    rng = np.random.default_rng(0)
    genes = [f"g{k:02d}" for k in range(80)]
    values = rng.normal(5, 1, (60, 80))
    values[:25, :20] += 1
    values[50:, 20:40] += 9
    table = pd.DataFrame(values, index=[f"c{k}" for k in range(60)], columns=genes)
    result = ad.AnnData(table).copy()  # from a table of pandas 3, X is read-only
    kind = np.repeat(["one", "two", "none"], [25, 25, 10]).astype(object)
    result.obs["kind"] = pd.Categorical(np.where(kind == "none", np.nan, kind))
    result.obs["number"] = np.arange(60) % 3
    result.uns["aracne"] = {
        "network": pd.DataFrame(
            {"source": np.repeat(["R0", "R1", "R2", "R3"], 20), "target": genes, "mor": 0.8}
        )
    }
    return result


def scores(adata: ad.AnnData) -> pd.DataFrame:
    table = adata.uns["msviper"]["results"].set_index("regulator").sort_index()
    return table[["es", "nes", "pvalue"]]


def test_cells_without_a_label_are_not_in_the_rest(
    adata: ad.AnnData, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="pysces"):
        pysces.run_msviper(adata, "kind", "one", n_permutations=100)
    assert "10 of 60 cells have no label" in caplog.text
    facts = adata.uns["msviper"]["facts"]
    assert (facts["n_cells_group"], facts["n_cells_reference"]) == (25, 25)
    assert facts["n_cells_unlabelled"] == 10
    found = scores(adata)
    pysces.run_msviper(adata, "kind", "one", reference="two", n_permutations=100)
    pd.testing.assert_frame_equal(found, scores(adata))


@pytest.mark.parametrize("options", [{}, {"n_bootstraps": 6, "combine": "median"}], ids=str)
@pytest.mark.parametrize("missing", [False, True])
def test_blocks_of_genes_and_of_draws_change_nothing(
    adata: ad.AnnData, options: dict[str, Any], missing: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if missing:
        adata.X[3, 7] = np.nan
    options |= {"n_permutations": 40, "counts": False}
    pysces.run_msviper(adata, "kind", "one", **options)
    right = scores(adata)
    lengths = []
    gene_block = Expression.gene_block

    def watched(self: Expression, genes: Any = slice(None)) -> np.ndarray:
        block = gene_block(self, genes)
        lengths.append(len(block))
        return block

    monkeypatch.setattr(Expression, "gene_block", watched)
    monkeypatch.setattr(pysces.settings, "_memory", 4 * 64 * 50 * 7)  # seven genes of 50 cells
    pysces.run_msviper(adata, "kind", "one", **options)
    assert max(lengths) == 7
    np.testing.assert_allclose(scores(adata), right, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "options",
    [
        {"n_bootstraps": 8},
        {"reference": "two", "groupby": "kind", "n_permutations": 50},
        {"n_permutations": 50, "signature": "ttest"},
    ],
    ids=str,
)
def test_the_order_of_cells_changes_no_draw(adata: ad.AnnData, options: dict[str, Any]) -> None:
    other = adata[np.random.default_rng(1).permutation(60)].copy()
    for data in (adata, other):
        pysces.run_viper(data, **options)
    for key in [k for k in adata.obsm if k.startswith("viper")]:
        found = other.obsm[key].loc[adata.obs_names]
        pd.testing.assert_frame_equal(found, adata.obsm[key], rtol=1e-9, atol=1e-12)


def test_the_order_of_cells_changes_no_master_regulator(adata: ad.AnnData) -> None:
    other = adata[np.random.default_rng(1).permutation(60)].copy()
    for data in (adata, other):
        pysces.run_msviper(data, "kind", "one", n_permutations=50, n_bootstraps=5)
    pd.testing.assert_frame_equal(scores(other), scores(adata), check_exact=True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"groupby": "knid"}, "did you mean 'kind'"),
        ({"groupby": "kind", "reference": "tow"}, "did you mean 'two'"),
        ({"reference": "two"}, "Pass groupby="),
        ({"weighting": "bets"}, "did you mean 'best'"),
        ({"weighting": -1}, "at least 0"),
        ({"engine": "numbs"}, "did you mean 'numba'"),
        ({"weighting": np.nan}, "tuple of 2"),
        ({"weighting": (1, 2, 3)}, "tuple of 2"),
        ({"weighting": None}, "tuple of 2"),
        ({"pleiotropy": {"penality": 3}}, "did you mean 'penalty'"),
        ({"pleiotropy": {"penalty": 0}}, "penalty of pleiotropy"),
        ({"pleiotropy": {"regulators": 0}}, "regulators of pleiotropy"),
        ({"pleiotropy": {"targets": 2.5}}, "targets of pleiotropy"),
        ({"pleiotropy": "yes"}, "a dict or True or False"),
    ],
    ids=str,
)
def test_mistyped_arguments_are_refused(
    adata: ad.AnnData, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(pysces.InputError, match=words):
        pysces.run_viper(adata, **options)
    assert not adata.obsm


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"groupby": "Kind"}, "did you mean 'kind'"),
        ({"group": "On"}, "did you mean 'one'"),
        ({"combine": "avg"}, "combine"),
        ({"n_permutations": -1}, "n_permutations"),
        ({"n_bootstraps": 1}, "no spread"),
        ({"n_bootstraps": 2.5}, "n_bootstraps"),
        ({"shadow": 0}, "shadow"),
        ({"synergy": np.nan}, "synergy"),
        ({"pleiotropy": {"target": 3}}, "did you mean 'targets'"),
        ({"seed": "x"}, "seed"),
        ({"min_targets": 0}, "min_targets"),
    ],
    ids=str,
)
def test_mistyped_arguments_of_msviper_are_refused(
    adata: ad.AnnData, options: dict[str, Any], words: str
) -> None:
    given = {"groupby": "kind", "group": "one", **options}
    with pytest.raises(pysces.InputError, match=words):
        pysces.run_msviper(adata, **given)
    assert "msviper" not in adata.uns


def test_an_unknown_column_is_refused_wherever_one_is_named(adata: ad.AnnData) -> None:
    pysces.run_viper(adata)
    for call in (
        lambda: pysces.compute_signature(adata, groupby="knid"),
        lambda: pysces.rank_regulators(adata, "knid"),
        lambda: pysces.pseudobulk(adata, "knid"),
        lambda: pysces.metacells(adata, groupby="knid"),
        lambda: pysces.run_aracne(adata, ["g00"], groupby="knid"),
    ):
        with pytest.raises(pysces.InputError, match="did you mean 'kind'"):
            call()


def test_labels_that_are_the_same_as_text_are_not_merged(adata: ad.AnnData) -> None:
    adata.obs["mixed"] = pd.Series([1, "1", 2] * 20, index=adata.obs_names, dtype=object)
    with pytest.raises(pysces.InputError, match="equal when converted to text"):
        pysces.run_msviper(adata, "mixed", "1")


def test_labels_that_are_numbers_are_groups(adata: ad.AnnData) -> None:
    pysces.run_msviper(adata, "number", 1, reference=0, n_permutations=0)
    assert adata.uns["msviper"]["params"]["group"] == "1"
    pysces.run_viper(adata)
    by_number, by_text = (
        ranking(adata, "number", groups=[one, two]) for one, two in ((0, 1), "01")
    )
    pd.testing.assert_frame_equal(by_number, by_text)


def ranking(adata: ad.AnnData, groupby: str = "kind", **options: Any) -> pd.DataFrame:
    """The table of a ranking; the data are left as they are."""
    return pysces.ranking(pysces.rank_regulators(adata, groupby, copy=True, **options))


@pytest.fixture
def tied(adata: ad.AnnData) -> ad.AnnData:
    """Activities with ties, missing values, a constant regulator, and one constant per group."""
    rng = np.random.default_rng(1)
    group = adata.obs["number"].to_numpy()
    scores = rng.normal(size=(60, 8)) + 0.5 * (group[:, None] == np.arange(8) % 3)
    scores[:, 1] = scores[:, 1].round()
    scores[:, 2] = np.where(rng.random(60) < 0.2, np.nan, scores[:, 2])
    scores[:, 3], scores[:, 4] = 0.25, np.where(group == 1, 0.5, 0.25)
    scores[:, 5] = scores[:, 5] ** 3
    names = [f"R{k}" for k in range(8)]
    adata.obsm["viper"] = pd.DataFrame(scores, adata.obs_names, names)
    return adata


@pytest.mark.parametrize("reference", ["rest", "2"])
@pytest.mark.parametrize("method", ["t-test", "wilcoxon"])
def test_rankings_have_the_numbers_of_scipy(
    tied: ad.AnnData, method: str, reference: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pysces.settings, "_memory", 4 * 64 * 60 * 3)  # three regulators
    table = ranking(tied, "number", method=method, reference=reference)
    number, values = tied.obs["number"].to_numpy(), tied.obsm["viper"]
    assert table["group"].cat.categories.tolist() == ["0", "1", "2"][: 3 - (reference == "2")]
    for group, own in table.groupby("group", observed=True):
        own = own.set_index("regulator").loc[values.columns]
        inside = number == int(group)
        outside = ~inside if reference == "rest" else number == 2
        x, y = values[inside], values[outside]
        if method == "t-test":
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # of constant regulators
                right = stats.ttest_ind(x, y, equal_var=False, nan_policy="omit")
            statistic = np.asarray(right.statistic)
        else:
            how = {"method": "asymptotic", "use_continuity": False, "nan_policy": "omit"}
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)
                right = stats.mannwhitneyu(x, y, **how)
            statistic = None
        pvalue = np.where(values.columns == "R3", np.nan, np.asarray(right.pvalue))
        known = ~np.isnan(pvalue)
        np.testing.assert_allclose(own["pvalue"], pvalue, rtol=1e-9)
        if statistic is not None:
            np.testing.assert_allclose(own["score"][known], statistic[known], rtol=1e-9)
        else:  # the sign is that of the common-language effect size
            shares = np.asarray(right.statistic) / (x.notna().sum() * y.notna().sum()) - 0.5
            np.testing.assert_array_equal(np.sign(own["score"][known]), np.sign(shares[known]))
        adjusted = stats.false_discovery_control(pvalue[known])
        np.testing.assert_allclose(own["qvalue"][known], adjusted)
        assert own["qvalue"][~known].isna().all()
        np.testing.assert_allclose(own["mean"], x.mean())
        np.testing.assert_allclose(own["difference"], x.mean() - y.mean(), atol=1e-12)


def test_specificity_is_that_of_jensen_and_shannon(tied: ad.AnnData) -> None:
    tied.obsm["viper"]["R6"] = -1.0  # active nowhere
    tied.obsm["viper"]["R7"] = np.where(tied.obs["number"] == 1, 2.5, -1.0)
    tied.obs["number"] = tied.obs["number"].astype(float).where(np.arange(60) % 7 > 0)
    found = pysces.regulon_specificity(tied, "number")
    assert found.shape == (8, 3)
    labelled = tied.obs["number"].notna().to_numpy()
    for regulator, row in found.iterrows():
        activity = tied.obsm["viper"][regulator][labelled].fillna(0.0).clip(lower=0.0)
        for group, score in row.items():
            inside = (tied.obs["number"][labelled] == float(group)).to_numpy(dtype=float)
            if regulator == "R6":
                assert np.isnan(score)
                continue
            right = 1 - distance.jensenshannon(activity, inside, base=2)
            assert score == pytest.approx(right, abs=1e-7)
    assert found.loc["R7"].to_dict() == pytest.approx({"0.0": 0, "1.0": 1, "2.0": 0})
    table = ranking(tied, "number")
    for _, line in table.dropna(subset="specificity").iterrows():
        assert line["specificity"] == found.loc[line["regulator"], line["group"]]


def test_ranked_regulators_go_by_group_then_by_difference(adata: ad.AnnData) -> None:
    pysces.run_viper(adata)
    ordered = adata.obs["kind"].cat.reorder_categories(["two", "one"]).cat.add_categories("empty")
    adata.obs["kind"] = ordered
    ranked = ranking(adata)
    assert ranked["group"].cat.categories.tolist() == ["two", "one"]  # as the column has them
    assert ranked["group"].tolist() == ["two"] * 4 + ["one"] * 4
    np.testing.assert_array_equal(ranked["significant"], ranked["qvalue"] <= 0.05)
    alpha = float(ranked["qvalue"][:4].median())
    for name in ("two", "one"):
        table = ranking(adata, groups=name, alpha=alpha)
        found = table[table["significant"]]
        assert 0 < len(found) < len(table)
        assert found["difference"].is_monotonic_decreasing
        assert table["score"][~table["significant"]].is_monotonic_decreasing
        assert (np.sign(table["difference"]).where(table["significant"], 0)).is_monotonic_decreasing
    for alpha in (0.0, 1.0):  # by t alone, by the difference alone
        table = ranking(adata, groups=["one"], alpha=alpha)
        assert table["difference" if alpha else "score"].is_monotonic_decreasing
    adata.obs["number"] = np.repeat([10, 9, 2], 20)  # numbers by size, not as text
    assert ranking(adata, "number")["group"].unique().tolist() == ["2", "9", "10"]
    adata.obs["number"] = adata.obs["number"].astype(str)
    assert ranking(adata, "number")["group"].unique().tolist() == ["10", "2", "9"]


def test_a_ranking_is_kept_and_read(adata: ad.AnnData, tmp_path: Path) -> None:
    pysces.run_viper(adata)
    with pytest.raises(pysces.MissingKeyError, match="rank_regulators"):
        pysces.ranking(adata)
    pysces.rank_regulators(adata, "kind")
    pysces.rank_regulators(adata, "kind", method="wilcoxon", key_added="by_ranks")
    assert adata.uns["by_ranks"]["params"]["method"] == "wilcoxon"
    adata.write_h5ad(tmp_path / "adata.h5ad")
    stored = ad.read_h5ad(tmp_path / "adata.h5ad")
    for key in ("rank_regulators", "by_ranks"):
        ranked = pysces.ranking(stored, key=key)
        pd.testing.assert_frame_equal(ranked, pysces.ranking(adata, key=key))
        wanted = ranked.groupby("group", observed=True).head(2).reset_index(drop=True)
        pd.testing.assert_frame_equal(pysces.ranking(stored, key=key, n_top=2), wanted)
        own = ranked[ranked["group"] == "two"].reset_index(drop=True)
        pd.testing.assert_frame_equal(pysces.ranking(stored, "two", key, n_top=99), own)
    with pytest.raises(pysces.InputError, match="did you mean 'two'"):
        pysces.ranking(adata, "tow")
    ranked.loc[0, "regulator"] = "changed"
    assert pysces.ranking(adata, key="by_ranks").loc[0, "regulator"] != "changed"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"groups": "oen"}, "did you mean 'one'"),
        ({"groups": []}, "No group to rank"),
        ({"reference": "three"}, "'three' is not in"),
        ({"groups": ["one", "two"], "reference": "one"}, "contains the reference"),
        ({"method": "anova"}, "'wilcoxon'"),
        ({"key_added": "viper"}, "something else"),
    ],
)
def test_what_cannot_be_ranked_is_refused(
    adata: ad.AnnData, options: dict[str, Any], words: str
) -> None:
    pysces.run_viper(adata)
    with pytest.raises(pysces.InputError, match=words):
        pysces.rank_regulators(adata, "kind", **options)
    assert "rank_regulators" not in adata.uns


def test_a_regulator_that_leads_a_group_need_not_be_active_there(adata: ad.AnnData) -> None:
    inside = (adata.obs["kind"] == "one").to_numpy()
    rng = np.random.default_rng(0)
    scores = pd.DataFrame(rng.normal(size=(adata.n_obs, 3)), adata.obs_names, ["UP", "LOW", "X"])
    scores.loc[inside, "UP"] += 3
    scores.loc[:, "LOW"] -= np.where(inside, 4, 9)  # higher than in the rest, but inactive in both
    adata.obsm["viper"] = scores
    table = ranking(adata, groups="one").set_index("regulator")
    assert set(table.index[:2]) == {"UP", "LOW"}
    assert table.loc["LOW", "difference"] > 4 > 0 > table.loc["LOW", "mean"]
    assert table["fraction_active"].to_dict() == (scores[inside] > 0).mean().to_dict()


def broad_and_specific() -> tuple[ad.AnnData, pd.DataFrame]:
    """2,500 targets that shift a little, three regulons of 40 that shift much, and 40 others.

    Genes vary together, as they do in cells: the null of a broad regulon is wider for that.
    """
    rng = np.random.default_rng(3)
    genes = np.array([f"g{k:04d}" for k in range(4000)])
    values = rng.normal(size=(60, 4000)) + rng.normal(size=(60, 8)) @ (
        0.35 * rng.normal(size=(8, 4000))
    )
    broad = rng.choice(4000, 2500, replace=False)
    values[:30, broad] += 0.25
    rest = np.setdiff1d(np.arange(4000), broad)
    targets = {"BROAD": broad}
    for k in range(3):
        targets[f"SPECIFIC{k}"] = rng.choice(rest, 40, replace=False)
        values[:30, targets[f"SPECIFIC{k}"]] += -0.8 if k == 2 else 0.8
    targets |= {f"NONE{k}": rng.choice(4000, 40 + 10 * k, replace=False) for k in range(40)}
    index = [f"c{k:02d}" for k in range(60)]
    adata = ad.AnnData(pd.DataFrame(values, index=index, columns=genes))
    adata.obs["kind"] = ["a"] * 30 + ["b"] * 30
    pairs = [(name, genes[at]) for name, chosen in targets.items() for at in chosen]
    return adata, pd.DataFrame(pairs, columns=["source", "target"]).assign(mor=0.9)


def test_a_broad_regulon_does_not_lead_specific_ones() -> None:
    adata, network = broad_and_specific()
    pysces.run_msviper(adata, "kind", "a", network=network, n_permutations=500)
    table = adata.uns["msviper"]["results"]
    specific = {f"SPECIFIC{k}" for k in range(3)}
    assert set(table["regulator"][:3]) == specific
    by_nes = table.reindex(table["nes"].abs().sort_values(ascending=False).index)
    assert "BROAD" in by_nes["regulator"].tolist()[:3]  # what the order is for
    np.testing.assert_array_equal(table["significant"], table["qvalue"] <= 0.05)
    assert {"BROAD", *specific} <= set(table["regulator"][table["significant"]])
    assert table["significant"].is_monotonic_decreasing
    assert table["effect"][table["significant"]].abs().is_monotonic_decreasing
    np.testing.assert_allclose(table["effect"], table["es"])  # all targets are as strong
    assert table["nes"][~table["significant"]].abs().is_monotonic_decreasing
    pysces.run_msviper(adata, "kind", "a", network=network, n_permutations=500, alpha=0.0)
    table = adata.uns["msviper"]["results"]
    assert not table["significant"].any()
    assert table["nes"].abs().is_monotonic_decreasing  # by p-value alone
    assert adata.uns["msviper"]["params"]["alpha"] == 0.0


def test_the_effect_is_of_as_many_strong_targets_of_each() -> None:
    """A regulon's weak targets, of which a large one has more, do not take its effect away."""
    rng = np.random.default_rng(5)
    genes = [f"g{k:03d}" for k in range(600)]
    values = rng.normal(size=(60, 600))
    values[:30, :30] += np.repeat([3.0, 2.0], [20, 10])
    values[:30, 30:150] += 0.7
    large = pd.DataFrame({"source": "LARGE", "target": genes[:20] + genes[30:150]})
    large["likelihood"] = np.where(large["target"].isin(genes[:20]), 0.9, 0.1)
    small = pd.DataFrame({"source": "SMALL", "target": genes[20:30], "likelihood": 0.9})
    others = pd.DataFrame({"source": "NONE", "target": genes[150:], "likelihood": 0.5})
    network = pd.concat([small, large, others]).assign(mor=1.0)
    adata = ad.AnnData(pd.DataFrame(values, [f"c{k:02d}" for k in range(60)], genes))
    adata.obs["kind"] = ["a"] * 30 + ["b"] * 30
    pysces.run_msviper(adata, "kind", "a", network=network, n_permutations=0)
    table = adata.uns["msviper"]["results"].set_index("regulator")
    assert table.index[:2].tolist() == ["LARGE", "SMALL"]
    assert table.loc["LARGE", "es"] < table.loc["SMALL", "es"]
    assert table.loc["SMALL", "effect"] == pytest.approx(table.loc["SMALL", "es"])
    # The tied targets share the places: the effect is the ES of all 20 of the strongest
    strongest = network[(network["source"] == "LARGE") & (network["likelihood"] == 0.9)]
    among = pd.concat([strongest, small.assign(mor=1.0), others.assign(mor=1.0), large.iloc[20:]])
    among.loc[among["source"] == "LARGE", "source"] = np.where(
        among.loc[among["source"] == "LARGE", "likelihood"] == 0.9, "LARGE", "REST"
    )
    among["mor"] = 1.0
    pysces.run_msviper(adata, "kind", "a", network=among, n_permutations=0)
    again = adata.uns["msviper"]["results"].set_index("regulator")
    assert again.loc["LARGE", "es"] == pytest.approx(table.loc["LARGE", "effect"])


def test_a_gene_that_tells_groups_apart_for_certain_keeps_leading_edges(adata: ad.AnnData) -> None:
    """p-values below 1e-308, and genes without spread in either group, once emptied them."""
    rng = np.random.default_rng(0)
    inside = (adata.obs["kind"] == "one").to_numpy()
    for scale in (1e-12, 0.0):
        adata.X[:, 0] = np.where(inside, 5.0, 1.0) + scale * rng.normal(size=adata.n_obs)
        adata.X[:, 1:20] += 2 * inside[:, None]
        pysces.run_msviper(adata, "kind", "one", n_permutations=0)
        found = adata.uns["msviper"]
        assert np.isfinite(found["signature"]["z"]).all() == (scale > 0)
        leading = found["leading_edge"].groupby("regulator")["target"].agg(set)
        assert "g00" in leading["R0"]
        assert len(leading["R0"]) > 5


def test_the_effect_is_corrected_for_pleiotropy_where_the_nes_is(adata: ad.AnnData) -> None:
    adata.X[:25, :40] += 1  # the targets of R0 and R1
    network = adata.uns["aracne"]["network"]
    more = network[network["source"] == "R1"].assign(source="R9")  # 10 of R0's, 10 of R1's
    more["target"] = [f"g{k:02d}" for k in range(10, 30)]
    found = {}
    for pleiotropy in (False, {"regulators": 5, "targets": 5}):
        pysces.run_msviper(
            adata, "kind", "one", network=pd.concat([network, more]), n_permutations=0,
            pleiotropy=pleiotropy,
        )  # fmt: skip
        found[bool(pleiotropy)] = adata.uns["msviper"]["results"].set_index("regulator")
    before, after = found[False].sort_index(), found[True].sort_index()
    changed = before["nes"] != after["nes"]
    assert 0 < changed.sum() < len(changed)
    pd.testing.assert_series_equal(before["es"] != after["es"], changed, check_names=False)


def two_networks(adata: ad.AnnData) -> dict[str, pd.DataFrame]:
    """Networks named after the kinds of cells; R3 is in the second alone."""
    edges = adata.uns["aracne"]["network"]
    return {"one": edges[edges["source"] != "R3"], "two": edges.assign(mor=0.4)}


@pytest.mark.parametrize(
    "options", [{"n_permutations": 50}, {"enrichment": "gsea"}, {"enrichment": "narnea"}], ids=str
)
def test_cells_with_a_network_of_their_own_have_its_pvalues(
    adata: ad.AnnData, options: dict[str, Any]
) -> None:
    adata = adata[adata.obs["kind"].notna().to_numpy()].copy()
    networks = two_networks(adata)
    pysces.run_viper(adata, networks, groupby="kind", **options)
    tables = [name for name in adata.obsm if name.startswith("viper")]
    assert {"viper", "viper_pvalues", "viper_qvalues"} <= set(tables)
    for kind, network in networks.items():
        own = (adata.obs["kind"] == kind).to_numpy()
        pysces.run_viper(adata, network, key_added="alone", **options)
        for name in tables:
            alone = adata.obsm[name.replace("viper", "alone")][own]
            pd.testing.assert_frame_equal(adata.obsm[name].loc[own, alone.columns], alone)
    absent = (adata.obs["kind"] == "one").to_numpy()
    assert (adata.obsm["viper"].loc[absent, "R3"] == 0).all()
    assert (adata.obsm["viper_pvalues"].loc[absent, "R3"] == 1).all()
    assert (adata.obsm["viper_qvalues"].loc[absent, "R3"] == 1).all()


def test_networks_without_a_large_regulon_are_left_out(adata: ad.AnnData) -> None:
    """As those of small groups, in which few edges are found."""
    adata = adata[adata.obs["kind"].notna().to_numpy()].copy()
    one, two = two_networks(adata).values()
    table = pd.concat([one.assign(group="one"), two[:3].assign(group="two")])
    pysces.run_viper(adata, one, key_added="alone")
    with pytest.warns(pysces.PyscesWarning, match="1 of 2 networks have no .*left out: 'two'"):
        pysces.run_viper(adata, table)
    pd.testing.assert_frame_equal(adata.obsm["viper"], adata.obsm["alone"])
    with (
        pytest.warns(pysces.PyscesWarning, match="left out"),
        pytest.raises(pysces.InputError, match="'kind'] without a network: 'two'"),
    ):
        pysces.run_viper(adata, table, groupby="kind")
    with pytest.raises(pysces.InputError, match="No regulon has at least"):
        pysces.run_viper(adata, {"one": one[:3], "two": two[:3]})


@pytest.mark.parametrize("weighting", [1.0, "best"])
@pytest.mark.parametrize("options", [{"n_permutations": 50}, {"enrichment": "narnea"}], ids=str)
def test_joined_networks_have_no_pvalues_and_it_is_said(
    adata: ad.AnnData, options: dict[str, Any], weighting: Any, caplog: pytest.LogCaptureFixture
) -> None:
    networks = two_networks(adata)
    with caplog.at_level(logging.INFO, logger="pysces"):
        pysces.run_viper(adata, networks["two"], **options)
    assert "Activity of 4 regulators in 60 cells" in caplog.text
    assert "viper_pvalues" in adata.obsm
    assert "p-values are not available" not in caplog.text
    pysces.run_viper(adata, networks, weighting=weighting, **options)
    assert "viper_pvalues" not in adata.obsm
    assert caplog.text.count("combined scores of 2 networks is unknown") == 1
    caplog.clear()
    pysces.run_viper(adata, networks)  # none asked for
    assert "p-values are not available" not in caplog.text


def test_the_record_tells_what_ran(adata: ad.AnnData, tmp_path: Any) -> None:
    pysces.run_viper(adata, enrichment="gsea")
    assert adata.uns["viper"]["facts"]["n_permutations"] == 1000
    pysces.run_msviper(adata, "kind", "one", n_permutations=0)
    pysces.compute_signature(adata)
    assert adata.uns["msviper"]["params"]["network"] == "aracne"
    for key in ("viper", "msviper", "signature"):
        assert adata.uns[key]["version"] == pysces.__version__
        assert "version" not in adata.uns[key]["params"]
        assert adata.uns[key]["params"]["layer"] is None
    adata.write_h5ad(tmp_path / "all.h5ad")
    assert ad.read_h5ad(tmp_path / "all.h5ad").uns["viper"]["params"]["layer"] is None
