"""Results never overwrite or delete what isn't theirs; cells without a label are in no group."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest

import pysces
from pysces import _seeds

QUICK = {"n_resamples": 3, "n_null": 20_000}


@pytest.fixture
def adata() -> anndata.AnnData:
    values = _seeds.generator(0, "keys").normal(size=(60, 16))
    values[:, 4:12] += 2 * values[:, [0]]
    obs = pd.DataFrame({"group": ["a", "b", None] * 20}, index=[f"c{i}" for i in range(60)])
    found = anndata.AnnData(values, obs=obs)
    found.var_names = [f"g{i}" for i in range(16)]
    pysces.run_aracne(found, ["g0", "g1"], **QUICK)
    return found


def test_a_key_of_another_kind_is_refused_before_any_work(adata) -> None:
    network = pysces.Network.from_anndata(adata)
    with pytest.raises(pysces.InputError, match="would be overwritten"):
        pysces.run_viper(adata, network, key_added="aracne", min_targets=3)
    assert pysces.Network.from_anndata(adata).equals(network)
    pysces.run_viper(adata, min_targets=3)
    with pytest.raises(pysces.InputError, match="would be overwritten"):
        pysces.run_aracne(adata, ["g0"], key_added="viper", **QUICK)
    adata.uns["mine"] = "precious"
    with pytest.raises(pysces.InputError, match="would be overwritten"):
        pysces.run_aracne(adata, ["g0"], key_added="mine", **QUICK)
    assert adata.uns["mine"] == "precious"


def test_a_second_run_replaces_the_first(adata) -> None:
    for _ in range(2):
        pysces.run_aracne(adata, ["g0", "g1"], **QUICK)
        pysces.run_viper(adata, min_targets=3)
    assert set(adata.obsm) == {"viper"}


def test_matrices_of_the_user_stay(adata) -> None:
    mine = np.ones((60, 2))
    adata.obsm["viper_sd"] = mine
    adata.obsm["viper_pvalues"] = mine
    pysces.run_viper(adata, min_targets=3)
    assert set(adata.obsm) == {"viper", "viper_sd", "viper_pvalues"}


def test_cells_without_a_label_are_in_no_group(adata) -> None:
    pysces.run_viper(adata, min_targets=3)
    pysces.rank_regulators(adata, "group")
    ranked = pysces.ranking(adata)
    assert set(ranked["group"]) == {"a", "b"}
    labelled = adata[adata.obs["group"].notna().to_numpy()].copy()
    pysces.rank_regulators(labelled, "group")
    pd.testing.assert_frame_equal(pysces.ranking(labelled), ranked)
    with pytest.raises(pysces.InputError, match="nan"):
        pysces.run_viper(adata, reference="nan", groupby="group", min_targets=3)


def test_parameters_of_viper_are_checked(adata) -> None:
    for wrong in ({"seed": -1}, {"min_targets": 0}, {"n_permutations": 1}):
        with pytest.raises(pysces.InputError):
            pysces.run_viper(adata, **{"min_targets": 3, **wrong})
    with pytest.raises(pysces.InputError, match="DataFrame"):
        pysces.prune_dpi(np.ones((2, 2)))


def test_a_signature_takes_the_place_of_no_other_result(adata) -> None:
    pysces.run_viper(adata, min_targets=3)
    for key in ("aracne", "viper"):
        with pytest.raises(pysces.InputError, match="would be overwritten"):
            pysces.compute_signature(adata, key_added=key)
    pysces.compute_signature(adata)
    pysces.compute_signature(adata)  # its own may be replaced
    assert len(pysces.Network.from_anndata(adata)) > 0


def test_names_that_are_no_text_are_refused(adata) -> None:
    with pytest.raises(pysces.InputError, match="'layer' parameter must be a str or None"):
        pysces.run_aracne(adata, ["g0"], layer=["x"])


def test_networks_that_were_passed_are_read_by_name(adata) -> None:
    network = pysces.Network.from_anndata(adata)
    pysces.run_viper(adata, {"x": network, "y": network}, min_targets=3)
    assert pysces.Network.from_anndata(adata, "viper", group="x").equals(network)
