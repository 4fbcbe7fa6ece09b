"""Units and offsets of the data do not matter, and values beyond 1e100 are refused at the door.

All factors are powers of two, so that the values given are exactly those of the plain data.
"""

from __future__ import annotations

from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import pysces

ENGINES = [row.engine for row in pysces.status().engines if row.available]
FACTORS = {"1e-90": 2.0**-300, "1e90": 2.0**300}
OF_EVERY_ENGINE = {"1e-12": 2.0**-40, "1e12": 2.0**40}  # numbers of MLX end at 3e38


def simulated() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Cells of two kinds, with ties, a constant gene and one constant in one kind; a network."""
    rng = np.random.default_rng(3)
    genes = [f"g{k:02d}" for k in range(60)]
    values = np.log1p(rng.poisson(3.0, (30, 60)) * rng.uniform(0.5, 2, 60))
    values[:15, :15] += 0.7
    values[:, 58] = 1.25
    values[:20, 59] = 0.5
    table = pd.DataFrame(values, index=[f"c{k:02d}" for k in range(30)], columns=genes)
    edges = pd.DataFrame(
        {
            "source": np.repeat(["R1", "R2", "R3"], 15),
            "target": np.concatenate([genes[:15], genes[10:25], genes[45:]]),
            "mor": rng.uniform(-1, 1, 45),
            "likelihood": rng.uniform(0.1, 1, 45),
        }
    )
    return table, edges


def annotated(table: pd.DataFrame) -> ad.AnnData:
    adata = ad.AnnData(table)
    adata.obs["kind"] = np.where(np.arange(len(table)) < 15, "a", "b")
    return adata


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("factor", OF_EVERY_ENGINE.values(), ids=OF_EVERY_ENGINE)
@pytest.mark.parametrize("method", ["zscore", "mad", "rank", "ttest", "mean"])
def test_signatures_do_not_depend_on_the_unit(method: Any, factor: float, engine: str) -> None:
    table, _ = simulated()
    for reference in (None, np.arange(20)):
        with pysces.use_engine(engine):
            right = pysces.signature(table, method=method, reference=reference)
            found = pysces.signature(table * factor, method=method, reference=reference)
        if method == "mean":
            found = found / factor
        np.testing.assert_allclose(found, right, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("factor", FACTORS.values(), ids=FACTORS)
@pytest.mark.parametrize("method", ["zscore", "mad", "rank", "ttest", "mean"])
def test_signatures_of_large_and_small_values(method: Any, factor: float) -> None:
    table, _ = simulated()
    right = pysces.signature(table, method=method)
    found = pysces.signature(table * factor, method=method)
    if method == "mean":
        found = found / factor
    np.testing.assert_allclose(found, right, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("offset", [2.0**20, -(2.0**30), 2.0**40])
@pytest.mark.parametrize("method", ["zscore", "mad", "rank", "ttest", "mean"])
@pytest.mark.parametrize("reference", [None, np.arange(20)], ids=["all", "some"])
def test_signatures_do_not_depend_on_an_offset(
    method: Any, offset: float, engine: str, reference: Any
) -> None:
    """A spread of 1 about 1e12 is summed as exactly as one about 0."""
    table = simulated()[0].mul(2.0**10).round() / 2.0**10
    with pysces.use_engine(engine):
        right = pysces.signature(table, method=method, reference=reference)
        found = pysces.signature(table + offset, method=method, reference=reference)
    np.testing.assert_allclose(found, right, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("method", ["zscore", "mad", "ttest"])
def test_every_gene_may_have_its_own_unit(method: Any) -> None:
    table, _ = simulated()
    factors = np.resize([1.0, 2.0**-330, 2.0**330, 2.0**-100], table.shape[1])
    right = pysces.signature(table, method=method)
    found = pysces.signature(table * factors, method=method)
    np.testing.assert_allclose(found, right, rtol=1e-12)


@pytest.mark.parametrize("factor", FACTORS.values(), ids=FACTORS)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"signature": "mean"},
        {"signature": "none", "enrichment": "gsea", "n_permutations": 10},
        {"signature": "none", "enrichment": "narnea"},
        {"n_bootstraps": 10},
        {"reference": "b", "groupby": "kind", "n_permutations": 40},
        {"reference": "b", "groupby": "kind", "n_permutations": 40, "signature": "ttest"},
        {"reference": "b", "groupby": "kind", "n_permutations": 40, "signature": "mean"},
        {"pleiotropy": {"regulators": 3, "targets": 5}},
    ],
    ids=str,
)
def test_activities_do_not_depend_on_the_unit(options: dict[str, Any], factor: float) -> None:
    table, edges = simulated()
    found = []
    for data in (annotated(table), annotated(table * factor)):
        pysces.run_viper(data, edges, **options)
        found.append(data.obsm["viper"].to_numpy())
    assert np.isfinite(found[0]).all()
    np.testing.assert_allclose(found[1], found[0], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("factor", OF_EVERY_ENGINE.values(), ids=OF_EVERY_ENGINE)
def test_means_of_targets_keep_the_unit(factor: float, engine: str) -> None:
    table, edges = simulated()
    right = pysces.enrich(table, edges, enrichment="mean", engine=engine)
    found = pysces.enrich(table * factor, edges, enrichment="mean", engine=engine)
    np.testing.assert_allclose(found / factor, right, rtol=1e-6)


@pytest.mark.parametrize("factor", FACTORS.values(), ids=FACTORS)
@pytest.mark.parametrize("options", [{}, {"n_bootstraps": 5}], ids=str)
@pytest.mark.parametrize("missing", [False, True])
def test_master_regulators_do_not_depend_on_the_unit(
    options: dict[str, Any], missing: bool, factor: float
) -> None:
    table, edges = simulated()
    if missing:
        table.iloc[3, 7] = np.nan
    found = []
    for data in (annotated(table), annotated(table * factor)):
        pysces.run_msviper(data, "kind", "a", network=edges, n_permutations=60, **options)
        results = data.uns["msviper"]["results"].set_index("regulator").sort_index()
        found.append((data.uns["msviper"]["signature"]["z"], results["nes"]))
    np.testing.assert_allclose(found[1][0], found[0][0], rtol=1e-9)
    np.testing.assert_allclose(found[1][1], found[0][1], rtol=1e-9)


@pytest.mark.parametrize("factor", FACTORS.values(), ids=FACTORS)
def test_similarities_do_not_depend_on_the_unit(factor: float) -> None:
    table, _ = simulated()
    right = pysces.signature_similarity(table)
    np.testing.assert_allclose(pysces.signature_similarity(table * factor), right, rtol=1e-9)


@pytest.mark.parametrize(
    "run",
    [
        lambda table, edges: pysces.run_viper(annotated(table), edges),
        lambda table, edges: pysces.run_viper(annotated(table), edges, signature="none"),
        lambda table, edges: pysces.run_viper(annotated(table[:1]), edges, signature="none"),
        lambda table, edges: pysces.run_msviper(annotated(table), "kind", "a", network=edges),
        lambda table, edges: pysces.compute_signature(annotated(table), method="rank"),
        lambda table, edges: pysces.signature(table),
        lambda table, edges: pysces.signature(annotated(table), method="rank"),
        lambda table, edges: pysces.enrich(table, edges),
        lambda table, edges: pysces.viper_similarity(table),
        lambda table, edges: pysces.signature_similarity(table),
    ],
)
@pytest.mark.parametrize("value", [1.0001e100, -1.7e308])
def test_values_beyond_1e100_are_refused(run: Any, value: float) -> None:
    table, edges = simulated()
    table.iloc[0, 3] = value
    message = "too large .* First: sample 'c00', gene 'g03'. Divide the data by a constant"
    with pytest.raises(pysces.InputError, match=message):
        run(table, edges)


@pytest.mark.skipif("mlx" not in ENGINES, reason="MLX is not installed")
def test_values_beyond_the_numbers_of_mlx_are_refused() -> None:
    table, _ = simulated()
    with pysces.use_engine("mlx"), pytest.raises(pysces.InputError, match="engine 'mlx'"):
        pysces.signature(table * 2.0**200)
