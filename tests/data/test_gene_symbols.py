"""Names of genes from a column of ``var``, as ``gene_symbols=`` in Scanpy."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest

import pysces

GENES = ["MYC", "MAX", "TP53", *(f"G{i}" for i in range(37))]


@pytest.fixture(scope="module")
def cells() -> anndata.AnnData:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(120, 40))
    values[:, 3:25] += 2 * values[:, [0]]
    adata = anndata.AnnData(values)
    adata.var_names = GENES
    adata.obs["kind"] = ["a"] * 60 + ["b"] * 60
    adata.obs_names = [f"cell{i}" for i in range(120)]
    return adata


@pytest.fixture
def by_identifier(cells) -> anndata.AnnData:
    adata = cells.copy()
    adata.var["symbol"] = pd.Categorical(adata.var_names)
    adata.var_names = [f"ENSG{i:011d}" for i in range(40)]
    return adata


def test_every_method_gives_what_it_gives_for_var_names(cells, by_identifier) -> None:
    named = cells.copy()
    for adata, given in ((named, {}), (by_identifier, {"gene_symbols": "symbol"})):
        pysces.run_aracne(adata, n_null=20_000, n_resamples=6, **given)
        pysces.run_viper(adata, signature="zscore", min_targets=5, **given)
        pysces.run_msviper(adata, "kind", "a", min_targets=5, n_permutations=20, **given)
        pysces.compute_signature(adata, method="zscore")
    edges = [adata.uns["aracne"]["network"] for adata in (named, by_identifier)]
    assert len(edges[0]) > 10
    assert set(edges[0]["source"]) <= set(GENES[:3])
    pd.testing.assert_frame_equal(*edges, check_exact=True)
    pd.testing.assert_frame_equal(named.obsm["viper"], by_identifier.obsm["viper"])
    results = [adata.uns["msviper"]["results"] for adata in (named, by_identifier)]
    pd.testing.assert_frame_equal(*results)
    assert by_identifier.uns["aracne"]["params"]["gene_symbols"] == "symbol"
    pytest.importorskip("matplotlib", reason="draws")
    assert pysces.pl.viper_barcode(by_identifier, "cell0").get_title() == "cell cell0"


def test_a_marked_regulator_is_found_by_its_symbol(by_identifier) -> None:
    by_identifier.var["regulator"] = [True] + [False] * 39
    pysces.run_aracne(by_identifier, gene_symbols="symbol", n_null=1000, n_resamples=4)
    assert set(by_identifier.uns["aracne"]["network"]["source"]) == {"MYC"}


def test_genes_without_a_symbol_of_their_own_keep_their_names(by_identifier, caplog) -> None:
    symbols = by_identifier.var["symbol"].astype(object)
    symbols.iloc[[4, 5, 6, 7]] = [np.nan, " ", "same", "same"]
    by_identifier.var["symbol"] = symbols
    with caplog.at_level("INFO", "pysces"):
        pysces.run_aracne(by_identifier, gene_symbols="symbol", n_null=1000, n_resamples=4)
    assert "4 of 40 genes have no symbol of their own" in caplog.text
    targets = set(by_identifier.uns["aracne"]["network"]["target"])
    assert {f"ENSG{i:011d}" for i in (4, 5, 6, 7)} <= targets
    assert not {"same", " ", "nan"} & targets


@pytest.mark.parametrize("column", ["Symbol", 3, ["symbol"]])
def test_a_column_that_is_none_is_named(by_identifier, column) -> None:
    edges = pd.DataFrame({"source": "MYC", "target": GENES[3:20]})
    for call in (
        lambda: pysces.run_aracne(by_identifier, gene_symbols=column),
        lambda: pysces.run_viper(by_identifier, edges, gene_symbols=column),
        lambda: pysces.run_msviper(by_identifier, "kind", "a", network=edges, gene_symbols=column),
    ):
        with pytest.raises(pysces.InputError, match=r"gene_symbols"):
            call()


def test_identifiers_lead_to_the_parameter(by_identifier) -> None:
    with pytest.raises(pysces.InputError, match=r"Ensembl identifiers.*gene_symbols="):
        pysces.run_aracne(by_identifier)
    edges = pd.DataFrame({"source": "MYC", "target": GENES[3:20]})
    with pytest.raises(pysces.InputError, match=r"No target of the network.*gene_symbols="):
        pysces.run_viper(by_identifier, edges)
