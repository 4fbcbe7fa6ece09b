"""Gene sets as a dict or a GMT file, and networks to and from decoupler."""

from __future__ import annotations

from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

import pysces
from pysces.errors import InputError

GENES = [f"g{i}" for i in range(60)]
SETS = {"MYC": GENES[:15], "MAX": GENES[10:30], "JUN": GENES[40:]}


@pytest.fixture
def cells() -> anndata.AnnData:
    """40 cells; the genes of MYC are higher in the first half."""
    values = np.random.default_rng(0).normal(size=(40, 60))
    values[:20, :15] += 1.0
    names = [f"c{i}" for i in range(40)]
    return anndata.AnnData(pd.DataFrame(values, index=names, columns=GENES))


def table(sets: dict[str, list[str]]) -> pd.DataFrame:
    return pd.DataFrame(
        [(name, gene) for name, genes in sets.items() for gene in genes],
        columns=["source", "target"],
    )


@pytest.mark.parametrize("kind", [list, tuple, set, pd.Index, pd.Series, np.array])
def test_a_dict_of_genes_is_the_network_of_its_pairs(cells: anndata.AnnData, kind) -> None:
    pysces.run_viper(cells, table(SETS), key_added="table")
    sets = {name: kind([*genes, genes[0]]) for name, genes in SETS.items()}  # one repeated
    pysces.run_viper(cells, sets, key_added="sets")
    pd.testing.assert_frame_equal(
        cells.obsm["sets"].sort_index(axis=1), cells.obsm["table"].sort_index(axis=1)
    )
    assert cells.uns["sets"]["params"]["network"] == "given"
    assert cells.obsm["sets"]["MYC"][:20].mean() > 1 > cells.obsm["sets"]["MYC"][20:].mean()


def test_a_gmt_file_is_read_as_it_is(cells: anndata.AnnData, tmp_path: Path) -> None:
    path = tmp_path / "sets.gmt"
    path.write_text(
        "".join("\t".join([name, "text", *genes]) + "\n" for name, genes in SETS.items())
    )
    for network in (path, str(path)):
        pysces.run_viper(cells, network, key_added="file")
        pysces.run_viper(cells, SETS, key_added="sets")
        pd.testing.assert_frame_equal(cells.obsm["file"], cells.obsm["sets"])
        assert cells.uns["file"]["params"]["network"] == str(path)
    np.testing.assert_array_equal(
        pysces.enrich(cells.to_df(), SETS), pysces.enrich(cells.to_df(), path)
    )


def test_msviper_takes_gene_sets(cells: anndata.AnnData) -> None:
    cells.obs["half"] = ["a"] * 20 + ["b"] * 20
    pysces.run_msviper(cells, "half", "a", network=SETS, n_permutations=0)
    results = cells.uns["msviper"]["results"]
    assert results.sort_values("nes").iloc[-1]["regulator"] == "MYC"


def test_a_dict_of_networks_is_still_one_network_each(cells: anndata.AnnData, tmp_path) -> None:
    """metaVIPER; a dict of gene sets may be one of them."""
    pysces.run_viper(cells, {"one": SETS, "two": table(SETS)}, key_added="both")
    pysces.run_viper(cells, SETS)
    np.testing.assert_allclose(cells.obsm["both"], cells.obsm["viper"][cells.obsm["both"].columns])
    with pytest.raises(InputError, match=r"gene sets or a path\. Got 5"):
        pysces.run_viper(cells, {"one": SETS, "two": 5})
    with pytest.raises(InputError, match=r"gene sets or a path\. Got \[1, 2\]"):
        pysces.run_viper(cells, {"MYC": [1, 2]})


# --- decoupler ------------------------------------------------------------------------------------


def test_round_trip_with_decoupler(cells: anndata.AnnData) -> None:
    """Its methods take our network, our runs take its tables, and its scores become activities."""
    decoupler = pytest.importorskip("decoupler", reason="decoupler is not installed")
    signs = np.where(np.arange(55) % 3, 1.0, -1.0)
    network = pysces.Network(table(SETS).assign(mor=signs))
    net = network.to_decoupler()
    for name in ("ulm", "mlm", "aucell"):
        getattr(decoupler.mt, name)(cells, net if name != "aucell" else net[net["weight"] > 0])
        scores = cells.obsm[f"score_{name}"]
        assert set(scores.columns) == set(SETS)
        assert scores["MYC"][:20].mean() != pytest.approx(scores["MYC"][20:].mean(), abs=1e-3)
    # ULM by hand: the slope's t of the values on the weights
    weights = net.pivot(index="target", columns="source", values="weight")
    weights = weights.reindex(GENES).fillna(0.0)["MYC"].to_numpy()
    r = np.corrcoef(cells.X[0], weights)[0, 1]
    t = r * np.sqrt(58 / (1 - r**2))
    assert cells.obsm["score_ulm"]["MYC"].iloc[0] == pytest.approx(t, rel=1e-4)
    # Back: its net as our network, with the same activities
    pysces.run_viper(cells, net, key_added="theirs")
    pysces.run_viper(cells, network, key_added="ours")
    pd.testing.assert_frame_equal(cells.obsm["theirs"], cells.obsm["ours"])
    # Our activities as decoupler's scores, and decoupler's aREA as ours
    decoupler.mt.viper(cells, net, tmin=5, pleiotropy=False)
    pysces.run_viper(cells, net, signature="none", filter_genes=False, min_targets=5)
    np.testing.assert_allclose(
        cells.obsm["score_viper"][list(SETS)], cells.obsm["viper"][list(SETS)], rtol=1e-5, atol=1e-6
    )
    ranked = decoupler.tl.rankby_group
    cells.obs["half"] = pd.Categorical(["a"] * 20 + ["b"] * 20)
    found = ranked(pysces.activity(cells), "half", reference="rest", method="wilcoxon")
    assert "MYC" in set(found["name"])
