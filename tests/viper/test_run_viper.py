"""What run_viper, run_msviper and their companions write, and that Scanpy can use it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import pysces
from pysces.data._expression import Expression
from pysces.viper._statistics import gene_moments


@pytest.fixture
def adata() -> ad.AnnData:
    """Two kinds of cells; R0 is active in one of them and R1 in the other."""
    rng = np.random.default_rng(0)
    genes = [f"g{k:03d}" for k in range(150)]
    values = rng.normal(5, 1, (60, 150))
    values[:30, :20] += 1.5
    values[30:, 20:40] += 1.5
    index = [f"c{k}" for k in range(60)]
    result = ad.AnnData(pd.DataFrame(values, index=index, columns=genes))
    result.obs["kind"] = pd.Categorical(np.where(np.arange(60) < 30, "one", "two"))
    result.obsm["X_umap"] = rng.normal(size=(60, 2))
    targets = [genes[:20], genes[20:40], *(rng.choice(genes, 20, replace=False) for _ in range(8))]
    result.uns["aracne"] = {
        "network": pd.DataFrame(
            {
                "source": np.repeat([f"R{k}" for k in range(10)], 20),
                "target": np.concatenate(targets),
                "mor": np.repeat([1.0] * 2 + [0.5] * 8, 20),
            }
        )
    }
    return result


@pytest.mark.parametrize("form", ["h5ad", "zarr"])
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")  # of zarr's own
def test_results_survive_files(adata: ad.AnnData, form: str, tmp_path: Path) -> None:
    pysces.run_viper(adata, pleiotropy={"targets": 5})
    pysces.run_viper(adata, reference="two", groupby="kind", n_permutations=60, key_added="against")
    pysces.run_msviper(adata, "kind", "one", n_permutations=60, shadow=5, synergy=5)
    pysces.compute_signature(adata, method="mad")
    path = tmp_path / f"result.{form}"
    if form == "zarr":
        pytest.importorskip("zarr")
        adata.write_zarr(path)
        back = ad.read_zarr(path)
    else:
        adata.write_h5ad(path)
        back = ad.read_h5ad(path)
    for key in ("viper", "against", "against_pvalues", "against_qvalues"):
        assert np.array_equal(back.obsm[key].to_numpy(), adata.obsm[key].to_numpy())
        assert list(back.obsm[key].columns) == list(adata.obsm[key].columns)
    results = adata.uns["msviper"]["results"]
    assert back.uns["msviper"]["results"]["regulator"].tolist() == results["regulator"].tolist()
    for name in ("results", "leading_edge"):
        assert back.uns["msviper"][name].columns.equals(adata.uns["msviper"][name].columns)
    leading = adata.uns["msviper"]["leading_edge"].to_numpy()
    assert np.array_equal(back.uns["msviper"]["leading_edge"].to_numpy(), leading)
    assert pysces.activity(back).var["n_targets"].tolist() == [20] * 10


@pytest.mark.parametrize("form", [sp.csr_matrix, sp.csc_matrix, np.asarray])
def test_tables_are_read_from_files(adata: ad.AnnData, form: Any, tmp_path: Path) -> None:
    network = pysces.Network.from_anndata(adata)
    right = [pysces.signature(adata), pysces.signature(adata[3:12]), pysces.enrich(adata, network)]
    adata.X = form(adata.X)
    adata.write_h5ad(tmp_path / "x.h5ad")
    adata[:1].write_h5ad(tmp_path / "one.h5ad")
    backed = ad.read_h5ad(tmp_path / "x.h5ad", backed="r")
    found = [pysces.signature(backed), pysces.signature(backed[3:12])]
    found.append(pysces.enrich(backed, network))
    backed.file.close()
    for ours, theirs in zip(found, right, strict=True):
        pd.testing.assert_frame_equal(ours, theirs)
    one = ad.read_h5ad(tmp_path / "one.h5ad", backed="r")
    pysces.run_viper(one, network, signature="none")
    one.file.close()
    pysces.run_viper(adata, network, signature="none")
    np.testing.assert_allclose(one.obsm["viper"], adata.obsm["viper"].iloc[:1])


def test_a_second_run_replaces_the_first_and_others_stay(adata: ad.AnnData) -> None:
    pysces.run_viper(adata, enrichment="narnea")
    assert {"viper", "viper_pvalues", "viper_qvalues", "viper_pes"} <= set(adata.obsm)
    pysces.run_viper(adata, key_added="other")
    pysces.run_viper(adata)
    assert set(adata.obsm) == {"X_umap", "viper", "other"}
    assert adata.uns["viper"]["facts"]["enrichment"] == "area"


def test_copy_leaves_the_original(adata: ad.AnnData) -> None:
    result = pysces.run_viper(adata, copy=True)
    assert "viper" not in adata.obsm
    assert result is not None
    assert "viper" in result.obsm


def test_the_run_is_recorded(adata: ad.AnnData) -> None:
    pysces.run_viper(adata, engine="python", seed=7, min_targets=15)
    params = adata.uns["viper"]["params"]
    assert adata.uns["viper"]["engine"]["name"] == "python"
    assert (params["seed"], params["min_targets"], params["network"]) == (7, 15, "aracne")
    assert adata.uns["viper"]["version"] == pysces.__version__


def test_activity_works_with_scanpy(adata: ad.AnnData) -> None:
    sc = pytest.importorskip("scanpy")
    pysces.run_viper(adata)
    act = pysces.activity(adata)
    assert act.shape == (60, 10)
    assert "X_umap" in act.obsm
    assert act.obs["kind"].equals(adata.obs["kind"])
    sc.pp.pca(act, n_comps=3)
    sc.pp.neighbors(act, n_neighbors=5)
    assert act.obsp["connectivities"].shape == (60, 60)
    act.X[:] = 0  # a copy: the activities stay
    assert adata.obsm["viper"].to_numpy().any()


def test_planted_regulators_lead_their_groups(adata: ad.AnnData) -> None:
    pysces.run_viper(adata)
    pysces.rank_regulators(adata, "kind")
    ranked = pysces.ranking(adata)
    best = ranked.groupby("group", observed=True).first()["regulator"]
    assert best.to_dict() == {"one": "R0", "two": "R1"}
    pysces.run_msviper(adata, "kind", "one", n_permutations=200)
    results = adata.uns["msviper"]["results"].set_index("regulator")
    assert set(results.index[:2]) == {"R0", "R1"}
    assert results.loc["R0", "nes"] > 2 > -2 > results.loc["R1", "nes"]
    leading = adata.uns["msviper"]["leading_edge"].groupby("regulator", sort=False)["target"]
    assert set(leading.get_group("R0")) <= {f"g{k:03d}" for k in range(20)}
    assert results["n_leading_edge"].to_dict() == leading.size().to_dict()
    assert leading.first().index.tolist() == results.index.tolist()  # in the order of the results
    widest = max(len(line) for line in results.to_string(float_format="{:.3g}".format).split("\n"))
    assert widest < 90  # the table can be read as it is


@pytest.mark.parametrize("options", [{"n_bootstraps": 10}, {"pleiotropy": True}])
def test_options_of_msviper(adata: ad.AnnData, options: dict[str, Any]) -> None:
    pysces.run_msviper(adata, "kind", "one", n_permutations=100, **options)
    assert adata.uns["msviper"]["results"]["nes"].notna().all()


def test_msviper_between_two_groups_mirrors(adata: ad.AnnData) -> None:
    scores = []
    for group, reference in (("one", "two"), ("two", "one")):
        pysces.run_msviper(adata, "kind", group, reference=reference, n_permutations=0)
        results = adata.uns["msviper"]["results"].set_index("regulator")["nes"]
        scores.append(results.sort_index())
    np.testing.assert_allclose(scores[0][["R0", "R1"]], -scores[1][["R0", "R1"]], rtol=0.05)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("kind", "three"), "is not in"),
        (("nothing", "one"), "Did not find"),
    ],
)
def test_msviper_refuses_unknown_groups(
    adata: ad.AnnData, arguments: tuple[str, str], words: str
) -> None:
    with pytest.raises(pysces.InputError, match=words):
        pysces.run_msviper(adata, *arguments)
    with pytest.raises(pysces.InputError, match="Choose another reference"):
        pysces.run_msviper(adata, "kind", "one", reference="one")
    assert "msviper" not in adata.uns


def test_networks_of_every_kind_are_taken(adata: ad.AnnData, tmp_path: Path) -> None:
    edges = adata.uns["aracne"]["network"]
    pysces.run_viper(adata)
    right = adata.obsm["viper"]
    path = tmp_path / "network.tsv"
    pysces.Network(edges).write(path)
    for network in (edges, pysces.Network(edges), path, str(path), [edges], {"all": edges}):
        pysces.run_viper(adata, network)
        pd.testing.assert_frame_equal(adata.obsm["viper"], right)


@pytest.mark.parametrize("method", ["zscore", "mad", "rank", "ttest", "mean"])
def test_signature_in_a_layer_is_that_of_the_table(adata: ad.AnnData, method: Any) -> None:
    pysces.compute_signature(adata, method=method, reference="two", groupby="kind")
    right = pysces.signature(adata.to_df(), method=method, reference=adata.obs["kind"] == "two")
    np.testing.assert_array_equal(adata.layers["signature"], right)


def test_moments_are_exact_far_from_zero() -> None:
    """Against moments in whole numbers of Python: a million above the spread loses nothing."""
    values = 1e6 + np.arange(50.0)[:, None] * 2.0**-10
    moments = gene_moments(Expression.from_matrix(values, genes=["g"]))
    right = np.arange(50.0) * 2.0**-10
    assert moments.offset is not None
    assert moments.offset[0] - 1e6 + moments.mean[0] == right.mean()
    np.testing.assert_allclose(moments.sd[0], right.std(ddof=1), rtol=1e-12)


def test_similar_cells_are_similar(adata: ad.AnnData) -> None:
    pysces.run_viper(adata)
    alike = pysces.viper_similarity(pysces.activity(adata), scale=True).to_numpy()
    own, other = alike[:30, :30].mean(), alike[:30, 30:].mean()
    assert own > other
    np.testing.assert_allclose(np.diag(alike), 1)
    similarity = pysces.signature_similarity(adata.to_df(), scale=True).to_numpy()
    np.testing.assert_allclose(similarity, similarity.T)
    assert similarity[:30, :30].mean() > similarity[:30, 30:].mean()


def test_the_former_name_of_the_similarity_of_signatures_warns(adata: ad.AnnData) -> None:
    with pytest.warns(DeprecationWarning, match="now pysces.signature_similarity"):
        former = pysces.signature_distance
    assert former is pysces.signature_similarity
