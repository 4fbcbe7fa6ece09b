"""A score is the cell's own: alone, in any block, in any order, however the data are stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import pysces
from pysces.viper import _activities, _enrichment, _signatures

ENGINES = [row.engine for row in pysces.status().engines if row.available]
KINDS = ("area", "narnea", "gsea", "mean")


def edges(genes: Any, regulators: int = 8, size: int = 15, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    chosen = [rng.choice(np.asarray(genes), size, replace=False) for _ in range(regulators)]
    return pd.DataFrame(
        {
            "source": np.repeat([f"R{k}" for k in range(regulators)], size),
            "target": np.concatenate(chosen),
            "mor": rng.uniform(-1, 1, regulators * size),
            "likelihood": rng.uniform(0.1, 1, regulators * size),
        }
    )


def counts(cells: int = 30, genes: int = 120, seed: int = 1) -> pd.DataFrame:
    """Zero-inflated, with many ties, many genes seen in one cell alone, and unlike scales."""
    rng = np.random.default_rng(seed)
    values = np.log1p(rng.poisson(rng.gamma(0.5, 2.0, genes), (cells, genes)))
    names = [f"g{k}" for k in rng.permutation(genes)]
    return pd.DataFrame(values, index=[f"c{k}" for k in range(cells)], columns=names)


def noise(rng: np.random.Generator, cells: int, genes: list[str]) -> ad.AnnData:
    index = [f"c{k}" for k in range(cells)]
    values = rng.normal(size=(cells, len(genes)))
    return ad.AnnData(pd.DataFrame(values, index=index, columns=genes))


def run(data: Any, network: pd.DataFrame, **options: Any) -> pd.DataFrame:
    adata = data if isinstance(data, ad.AnnData) else ad.AnnData(data)
    pysces.run_viper(adata, network, min_targets=5, **options)
    return adata.obsm["viper"]


@pytest.mark.parametrize("kind", KINDS)
@given(cells=st.permutations(range(12)), genes=st.permutations(range(40)))
@settings(max_examples=8, deadline=None)
def test_order_of_cells_and_genes_changes_nothing(
    kind: str, cells: list[int], genes: list[int]
) -> None:
    data = counts(12, 40)
    network = edges(data.columns, 5, 12)
    options = {"enrichment": kind, "engine": "numba" if "numba" in ENGINES else "python"}
    if kind == "gsea":
        options["n_permutations"] = 5
    right = run(data, network, **options)
    found = run(data.iloc[cells, genes], network.sample(frac=1.0, random_state=1), **options)
    pd.testing.assert_frame_equal(found.loc[right.index, right.columns], right, check_exact=True)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_cell_alone_scores_as_in_a_block(kind: Any, engine: str) -> None:
    data = pysces.signature(counts())
    network = edges(data.columns)
    options = {"enrichment": kind, "engine": engine, "min_targets": 5, "n_permutations": 3}
    right = pysces.enrich(data, network, **options)
    for cell in ("c3", "c17"):
        found = pysces.enrich(data.loc[[cell]], network, **options)
        pd.testing.assert_frame_equal(found, right.loc[[cell]], check_exact=True)


@pytest.mark.parametrize("signature", ["zscore", "mad", "rank", "ttest", "mean"])
def test_blocks_of_any_size_give_the_same(signature: Any, monkeypatch: Any) -> None:
    data = counts()
    network = edges(data.columns)
    right = run(data, network, signature=signature)
    for size in (1, 7):
        monkeypatch.setattr(_activities, "cells_of_block", lambda *_, n=size: n)
        monkeypatch.setattr(_enrichment, "cells_of_block", lambda *_, n=size: n)
        found = run(data, network, signature=signature)
        pd.testing.assert_frame_equal(found, right, check_exact=True)


def test_the_reference_of_a_rank_signature_is_sorted_once(monkeypatch: Any) -> None:
    data = counts(20, 30)
    sorted_genes = []
    sort = _signatures.Levels.of
    monkeypatch.setattr(
        _signatures.Levels, "of", lambda column: sorted_genes.append(1) or sort(column)
    )
    monkeypatch.setattr(_activities, "cells_of_block", lambda *_: 3)
    run(data, edges(data.columns), signature="rank", filter_genes=False)
    assert len(sorted_genes) == 30


def test_a_block_that_leaks_into_a_score_would_be_seen(monkeypatch: Any) -> None:
    """The fault this file is for, planted: the largest rank taken over the block."""
    data = counts()
    network = edges(data.columns)
    right = pysces.enrich(data, network, min_targets=5)
    leaky = pysces.enrich(data, network, min_targets=5, compat="r-matrix")
    assert not leaky.equals(right)


@pytest.mark.parametrize("signature", ["none", "zscore", "mad", "ttest"])
def test_storage_changes_nothing(signature: Any, tmp_path: Path) -> None:
    data = counts()
    network = edges(data.columns)
    right = run(data, network, signature=signature)
    dense = ad.AnnData(data)
    forms = {"csr": sp.csr_matrix, "csc": sp.csc_matrix, "csr array": sp.csr_array}
    for name, form in forms.items():
        stored = ad.AnnData(form(data.to_numpy()), obs=dense.obs.copy(), var=dense.var.copy())
        found = run(stored, network, signature=signature)
        pd.testing.assert_frame_equal(found, right, check_exact=True, obj=name)
    dense.write_h5ad(tmp_path / "dense.h5ad")
    stored = ad.AnnData(sp.csr_matrix(data.to_numpy()), obs=dense.obs.copy(), var=dense.var.copy())
    stored.write_h5ad(tmp_path / "sparse.h5ad")
    for name in ("dense", "sparse"):
        backed = ad.read_h5ad(tmp_path / f"{name}.h5ad", backed="r")
        found = run(backed, network, signature=signature)
        backed.file.close()
        pd.testing.assert_frame_equal(found, right, check_exact=True, obj=f"backed {name}")


def proportional(cells: int = 60, genes: int = 120) -> ad.AnnData:
    """Sparse; every other gene is a multiple of one of seven that few cells express.

    Their z-scores are equal, but for rounding: ties that one ulp would break at random.
    """
    rng = np.random.default_rng(5)
    values = np.log1p(rng.poisson(0.15, (cells, genes)).astype(float))
    values[:, 1::2] = values[:, 2 * np.arange(genes // 2) % 14] * rng.uniform(0.5, 3, genes // 2)
    names = [f"g{k:03d}" for k in range(genes)]
    index = [f"c{k:02d}" for k in range(cells)]
    adata = ad.AnnData(sp.csr_matrix(values), pd.DataFrame(index=index), pd.DataFrame(index=names))
    adata.obs["kind"] = np.where(np.arange(cells) % 3 == 0, "a", "b")
    return adata


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", ["zscore", "mad", "rank", "ttest", "mean"])
@pytest.mark.parametrize("reference", [None, "b"])
def test_enrichment_of_the_signature_is_the_activity(
    kind: Any, method: Any, reference: str | None
) -> None:
    adata = proportional()
    network = edges(adata.var_names)
    against = {} if reference is None else {"reference": reference, "groupby": "kind"}
    right = run(adata, network, signature=method, enrichment=kind, **against)
    rows = None if reference is None else adata.obs["kind"] == reference
    table = pysces.signature(adata, method=method, reference=rows)
    found = pysces.enrich(table, network, enrichment=kind, min_targets=5)
    pd.testing.assert_frame_equal(found, right, check_exact=True, check_names=False)
    pysces.compute_signature(adata, method=method, **against)
    if np.isinf(adata.layers["signature"]).any():
        return  # a layer with infinite values is refused
    found = run(adata, network, signature="none", layer="signature", enrichment=kind)
    pd.testing.assert_frame_equal(found, right, check_exact=True)


def test_threads_change_nothing() -> None:
    data = counts(50)
    network = edges(data.columns)
    found = []
    before = pysces.settings.threads
    try:
        for threads in (1, 2):
            pysces.settings.threads = threads
            found.append(run(data, network, pleiotropy={"regulators": 0.5, "targets": 2}))
    finally:
        pysces.settings.threads = before
    pd.testing.assert_frame_equal(*found, check_exact=True)


@pytest.mark.skipif(len(ENGINES) < 2, reason="one engine only")
@pytest.mark.parametrize("kind", KINDS)
def test_engines_agree_from_counts_to_activity(kind: Any) -> None:
    data = counts(60, 300)
    network = edges(data.columns, 20, 30)
    options = {"enrichment": kind, "n_permutations": 20} if kind == "gsea" else {"enrichment": kind}
    tables = [run(data, network, engine=engine, **options) for engine in ENGINES]
    for other in tables[1:]:
        gap = np.abs(other - tables[0]).to_numpy()
        assert gap.max() < 1e-4
        assert gap.mean() < 1e-6


@pytest.mark.parametrize("kind", ["area", "narnea"])
def test_p_values_of_noise_are_uniform(kind: Any) -> None:
    """No regulon is enriched in noise. aREA's own null holds where all targets weigh the same."""
    rng = np.random.default_rng(5)
    genes = [f"g{k}" for k in range(3000)]
    data = pd.DataFrame(rng.normal(size=(100, 3000)), columns=genes)
    network = edges(genes, 10, 30)
    if kind == "area":
        network["likelihood"] = 1.0
        network["mor"] = np.sign(network["mor"])
    p = pysces.enrich(data, network, enrichment=kind, value="pvalue", filter_genes=False)
    flat = p.to_numpy().ravel()
    assert stats.kstest(flat, "uniform").pvalue > 0.01
    assert abs((flat < 0.05).mean() - 0.05) < 0.02


def test_unequal_likelihoods_make_the_analytic_null_conservative() -> None:
    """Its variance is (sum w^2 / sum w)^2 <= 1 for w = likelihood / largest; nulls mend it."""
    rng = np.random.default_rng(8)
    genes = [f"g{k}" for k in range(3000)]
    data = pd.DataFrame(rng.normal(size=(200, 3000)), columns=genes)
    network = edges(genes, 10, 30)
    network["mor"] = np.sign(network["mor"])
    nes = pysces.enrich(data, network, filter_genes=False)
    weight = network["likelihood"] / network.groupby("source")["likelihood"].transform("max")
    sums = (weight**2).groupby(network["source"]).sum() / weight.groupby(network["source"]).sum()
    np.testing.assert_allclose(nes.std(), sums[nes.columns], rtol=0.2)


def test_p_values_of_the_running_sum_are_uniform() -> None:
    """The same 400 permutations serve every sample, so the distance has their standard error."""
    rng = np.random.default_rng(5)
    genes = [f"g{k}" for k in range(1000)]
    data = pd.DataFrame(rng.normal(size=(60, 1000)), columns=genes)
    p = pysces.enrich(
        data, edges(genes, 10, 30), enrichment="gsea", value="pvalue", n_permutations=400,
        filter_genes=False,
    )  # fmt: skip
    assert stats.kstest(p.to_numpy().ravel(), "uniform").statistic < 0.07
    assert p.to_numpy().min() > 0


def test_p_values_against_a_null_model_are_uniform() -> None:
    rng = np.random.default_rng(6)
    genes = [f"g{k}" for k in range(300)]
    adata = noise(rng, 200, genes)
    adata.obs["kind"] = np.where(np.arange(200) < 100, "case", "control")
    pysces.run_viper(
        adata, edges(genes, 10, 30), groupby="kind", reference="control", n_permutations=600
    )
    p = adata.obsm["viper_pvalues"][(adata.obs["kind"] == "case").to_numpy()].to_numpy()
    assert abs((p < 0.05).mean() - 0.05) < 0.015
    assert stats.kstest(p.ravel(), "uniform").statistic < 0.05


def test_master_regulators_of_noise_are_not_significant() -> None:
    rng = np.random.default_rng(7)
    genes = [f"g{k}" for k in range(400)]
    adata = noise(rng, 60, genes)
    adata.obs["kind"] = np.where(np.arange(60) % 2 == 0, "a", "b")
    pysces.run_msviper(adata, "kind", "a", network=edges(genes, 60, 40), n_permutations=500)
    p = adata.uns["msviper"]["results"]["pvalue"]
    assert stats.kstest(p, "uniform").pvalue > 0.01


@pytest.mark.parametrize(
    ("kind", "halves", "thirds"),
    [("area", 0.91, 0.97), ("narnea", 0.89, 0.96), ("mean", 0.915, 0.97)],
)
def test_planted_activity_is_recovered(kind: Any, halves: float, thirds: float) -> None:
    """Area under the curve of the half, and third, with the highest activity against the lowest.

    A gene correlates by 0.23 on average with the activity of its regulator here, and half of the
    cells are near the middle: a ridge regression of all activities at once on all genes, given
    the true network, reaches 0.918 between the halves.
    """
    folder = Path(__file__).parents[1] / "golden" / "viper"
    with np.load(folder / "inputs.npz") as file:
        table = pd.DataFrame(file["X"].T, index=file["samples"], columns=file["genes"])
        truth = file["true_activity"]
        network = pd.DataFrame(
            {
                "source": file["net1_source"],
                "target": file["net1_target"],
                "mor": file["net1_mode"],
                "likelihood": file["net1_likelihood"],
            }
        )
    names = list(dict.fromkeys(network["source"]))
    whole = network.groupby("source")["target"].transform("size") >= 25
    found = run(table, network[whole & (network["source"] != "R34")], enrichment=kind)
    # R34's modes are all 0: it has no direction to recover.
    right = pd.DataFrame(truth.T, index=table.index, columns=names)[found.columns]
    for share, least in ((1 / 2, halves), (1 / 3, thirds)):
        low, high = np.quantile(right, [share, 1 - share], axis=0)
        area = []
        for k, scores in enumerate(found.to_numpy().T):
            active, inactive = (right.iloc[:, k] >= high[k], right.iloc[:, k] <= low[k])
            wins = stats.mannwhitneyu(scores[active], scores[inactive]).statistic
            area.append(wins / (active.sum() * inactive.sum()))
        assert np.mean(area) > least
