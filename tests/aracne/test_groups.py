"""One network for each group of samples, and VIPER with all of them."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest

import pysces

GENES = [f"gene{i}" for i in range(24)]
OPTIONS = {"n_resamples": 8, "n_null": 20_000}


@pytest.fixture
def adata() -> anndata.AnnData:
    """Two large groups with another edge each, one small group, samples without a group."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(330, len(GENES)))
    kind = np.repeat(["CD8+/B", "T", "rare", "none"], [150, 140, 20, 20]).astype(object)
    x[:150, 3] += 4 * x[:150, 0]
    x[150:290, 4] += 4 * x[150:290, 1]
    x[150:290, 5] = 1.0  # constant in one group only
    kind[kind == "none"] = np.nan
    obs = pd.DataFrame({"kind": pd.Categorical(kind)}, index=[f"cell{i}" for i in range(330)])
    return anndata.AnnData(x, obs=obs, var=pd.DataFrame(index=GENES))


@pytest.fixture
def grouped(adata: anndata.AnnData) -> anndata.AnnData:
    with pytest.warns(pysces.PyscesWarning, match=r"1 of 3 groups.*rare \(20\)"):
        pysces.run_aracne(adata, GENES[:3], groupby="kind", **OPTIONS)
    return adata


def test_each_group_is_as_if_alone(adata, grouped) -> None:
    for group, mask in (("CD8+/B", adata.obs["kind"] == "CD8+/B"), ("T", adata.obs["kind"] == "T")):
        alone = adata[mask].copy()
        pysces.run_aracne(alone, GENES[:3], key_added="alone", **OPTIONS)
        found = pysces.Network.from_anndata(grouped, group=group)
        assert found.equals(pysces.Network.from_anndata(alone, "alone"))
        record = alone.uns["alone"]["facts"]
        assert found.record.facts["n_samples"] == record["n_samples"] == mask.sum()
        assert found.record.facts["n_constant_genes"] == record["n_constant_genes"]
    b, t = (pysces.Network.from_anndata(grouped, group=g) for g in ("CD8+/B", "T"))
    assert b.targets_of("gene0") == ["gene3"]
    assert "gene0" not in t.regulons()
    assert t.targets_of("gene1") == ["gene4"]


def test_table_facts_and_record(grouped) -> None:
    record = grouped.uns["aracne"]
    assert record["network"]["group"].cat.categories.tolist() == ["CD8+/B", "T"]
    edges = record["network"]
    rows = list(zip(edges["group"].cat.codes, edges["source"], -edges["mi"], strict=True))
    assert rows == sorted(rows)  # group by group; the strongest targets of a regulator first
    assert record["groups"].index.tolist() == ["CD8+/B", "T"]
    sizes = record["network"].groupby("group", observed=True).size()
    assert record["groups"]["n_edges"].tolist() == sizes.tolist()
    assert record["groups"]["n_constant_genes"].tolist() == [0, 1]
    assert record["params"]["groupby"] == "kind"
    assert record["params"]["min_samples"] == 50


def test_files_keep_the_groups(grouped, tmp_path) -> None:
    grouped.write_h5ad(tmp_path / "a.h5ad")
    back = anndata.read_h5ad(tmp_path / "a.h5ad")
    for group in ("CD8+/B", "T"):
        assert pysces.Network.from_anndata(back, group=group).equals(
            pysces.Network.from_anndata(grouped, group=group)
        )


def test_viper_takes_the_networks_of_all_groups(grouped) -> None:
    options = {"min_targets": 1, "filter_genes": False}
    pysces.run_viper(grouped, **options)
    named = {g: pysces.Network.from_anndata(grouped, group=g) for g in ("CD8+/B", "T")}
    pysces.run_viper(grouped, named, key_added="named", **options)
    pd.testing.assert_frame_equal(grouped.obsm["viper"], grouped.obsm["named"])
    assert set(grouped.obsm["viper"].columns) >= {"gene0", "gene1"}


def test_viper_takes_a_table_and_a_file_of_all_groups(grouped, tmp_path) -> None:
    options = {"min_targets": 1, "filter_genes": False}
    pysces.run_viper(grouped, **options)
    edges = grouped.uns["aracne"]["network"]
    edges.to_csv(tmp_path / "all.tsv", sep="\t", index=False)
    for key, network in (("table", edges), ("file", tmp_path / "all.tsv")):
        pysces.run_viper(grouped, network, key_added=key, **options)
        pd.testing.assert_frame_equal(grouped.obsm["viper"], grouped.obsm[key])


def test_a_group_is_asked_for_by_name(grouped) -> None:
    with pytest.raises(pysces.InputError, match=r"networks of 2 groups: .*CD8\+/B.*T.*group="):
        pysces.Network.from_anndata(grouped)
    with pytest.raises(pysces.MissingKeyError, match=r"group 'NK'.*CD8\+/B.*T"):
        pysces.Network.from_anndata(grouped, group="NK")


def test_no_groups_where_there_is_one_network(adata) -> None:
    pysces.run_aracne(adata, GENES[:3], **OPTIONS)
    with pytest.raises(pysces.MissingKeyError, match="one network, not networks of groups"):
        pysces.Network.from_anndata(adata, group="T")


@pytest.mark.filterwarnings("ignore::pysces.PyscesWarning")
def test_bad_groups_touch_nothing(adata) -> None:
    with pytest.raises(pysces.InputError, match=r"fewer than 500 samples: .*T \(140\)"):
        pysces.run_aracne(adata, GENES[:3], groupby="kind", min_samples=500, **OPTIONS)
    with pytest.raises(pysces.InputError, match=r"\.obs\['kin'\]"):
        pysces.run_aracne(adata, GENES[:3], groupby="kin", **OPTIONS)
    with pytest.raises(pysces.InputError, match=r"Group .* None of 1 regulators"):
        pysces.run_aracne(adata, ["gene500"], groupby="kind", **OPTIONS)
    assert "aracne" not in adata.uns


@pytest.mark.filterwarnings("ignore:1 of 3 groups")
def test_a_group_that_cannot_be_used_does_not_stop_the_others(adata) -> None:
    constant = adata.copy()
    constant.X[constant.obs["kind"] == "T", 0] = 1.0
    with pytest.warns(
        pysces.PyscesWarning, match=r"Group 'T' cannot be used .*regulators are const"
    ):
        pysces.run_aracne(constant, GENES[:1], groupby="kind", **OPTIONS)
    assert constant.uns["aracne"]["network"]["group"].unique().tolist() == ["CD8+/B"]


@pytest.mark.filterwarnings("ignore:1 of 3 groups")
def test_checkpoints_of_groups_lie_side_by_side(adata, grouped, tmp_path) -> None:
    for _ in range(2):
        pysces.run_aracne(
            adata, GENES[:3], groupby="kind", checkpoint=tmp_path, key_added="again", **OPTIONS
        )
    pd.testing.assert_frame_equal(adata.uns["again"]["network"], grouped.uns["aracne"]["network"])
    assert len(list(tmp_path.iterdir())) == 2


def test_an_empty_group_is_named(adata) -> None:
    adata.X[:150] = np.random.default_rng(0).permuted(adata.X[:150], axis=0)
    chosen = adata[adata.obs["kind"] != "rare"].copy()
    with pytest.warns(pysces.PyscesWarning, match=r"Group 'CD8\+/B': No edge is significant"):
        pysces.run_aracne(chosen, GENES[:3], groupby="kind", **OPTIONS)
    assert chosen.uns["aracne"]["network"]["group"].unique().tolist() == ["T"]


def test_one_warning_sums_up_the_groups(adata) -> None:
    adata.X[:] = np.random.default_rng(0).normal(size=adata.shape)
    with pytest.warns(pysces.PyscesWarning) as caught:
        pysces.run_aracne(adata, GENES[:3], groupby="kind", **OPTIONS)
    own = [one for one in caught if issubclass(one.category, pysces.PyscesWarning)]
    left_out, empty = (str(one.message) for one in own)
    assert left_out.startswith("1 of 3 groups have fewer than 50 samples")
    assert empty == (
        "2 of 2 groups: no edge is significant at alpha = 0.05: CD8+/B (150 samples), "
        "T (140 samples). Below about 100 samples few edges are found: merge groups, or leave "
        "small ones out by a larger min_samples=."
    )


def test_command_line_writes_one_table_of_all_groups(adata, tmp_path, capsys) -> None:
    from pysces.cli import main

    adata[adata.obs["kind"].isin(["CD8+/B", "T"])].copy().write_h5ad(tmp_path / "a.h5ad")
    (tmp_path / "regulators.txt").write_text("\n".join(GENES[:3]))
    given = ["aracne", str(tmp_path / "a.h5ad"), "-r", str(tmp_path / "regulators.txt"), "-q"]
    given += ["--groupby", "kind", "--n-resamples", "8", "--n-null", "20000"]
    assert main([*given, "-o", str(tmp_path / "out.parquet")]) == 1
    assert "Use a name that ends in .tsv or .csv or .h5ad" in capsys.readouterr().err
    assert main([*given, "-o", str(tmp_path / "out.tsv")]) == 0
    table = pd.read_csv(tmp_path / "out.tsv", sep="\t")
    assert table["group"].unique().tolist() == ["CD8+/B", "T"]
    assert "2 groups" in capsys.readouterr().out
