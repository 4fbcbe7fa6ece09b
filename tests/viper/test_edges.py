"""Engines agree, or say why not, where values are at the edge of what numbers hold."""

from __future__ import annotations

import multiprocessing

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import pysces

ENGINES = [row.engine for row in pysces.status().engines if row.available]
RNG = np.random.default_rng(0)
BASE = RNG.normal(size=(24, 40))
EDGES = pd.DataFrame(
    {
        "source": ["g0"] * 12 + ["g1"] * 12,
        "target": [f"g{j}" for j in [*range(1, 13), *range(14, 26)]],
        "mor": np.linspace(-1, 1, 24),
        "likelihood": np.linspace(0.1, 1, 24),
    }
)


def viper(values, engine, edges=EDGES, **options) -> pd.DataFrame:
    names = [f"c{i}" for i in range(len(values))]
    genes = [f"g{j}" for j in range(40)]
    adata = anndata.AnnData(pd.DataFrame(values, index=names, columns=genes))
    pysces.run_viper(adata, edges, engine=engine, **options)
    return adata


def activity(values, engine, **options) -> np.ndarray:
    return viper(values, engine, **options).obsm["viper"].to_numpy()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("value", [0.0, 3.7, -1e9])
def test_narnea_of_a_flat_signature_is_0(engine, value) -> None:
    values = BASE.copy()
    values[:5] = value
    adata = viper(values, engine, signature="none", enrichment="narnea")
    assert (adata.obsm["viper"].to_numpy()[:5] == 0).all()
    assert (adata.obsm["viper_pvalues"].to_numpy()[:5] == 1).all()
    assert (adata.obsm["viper_pes"].to_numpy()[:5] == 0).all()
    assert (adata.obsm["viper"].to_numpy()[5:] != 0).all()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("offset", [1e8, 1e12])
@pytest.mark.parametrize(
    "options",
    [{"signature": s} for s in ("zscore", "mad", "ttest", "mean")]
    + [{"signature": "zscore", "n_bootstraps": 4}],
    ids=lambda o: "-".join(map(str, o.values())),
)
def test_values_far_from_zero_agree(engine, offset, options) -> None:
    found = activity(BASE + offset, engine, **options)
    np.testing.assert_allclose(
        found, activity(BASE + offset, "python", **options), rtol=1e-5, atol=1e-8
    )
    np.testing.assert_allclose(found, activity(BASE, engine, **options), atol=1e-2)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("enrichment", ["area", "narnea", "mean"])
def test_modes_too_small_for_a_direction_are_refused(engine, enrichment) -> None:
    """On an engine of single precision their signs were lost, and scores reversed."""
    tiny = EDGES.assign(mor=EDGES["mor"] * 1e-10)
    with pytest.raises(pysces.InputError, match=r"All modes of regulation .* 2 of 2 .*Modes lie"):
        activity(BASE, engine, edges=tiny, enrichment=enrichment)
    some = EDGES.copy()
    some.loc[:5, "mor"] *= 1e-30
    expected = activity(BASE, "python", edges=some, enrichment=enrichment)
    found = activity(BASE, engine, edges=some, enrichment=enrichment)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_value_of_1e308_is_refused(engine) -> None:
    values = BASE.copy()
    values[0, 5] = 1e308
    with pytest.raises(pysces.InputError, match=r"too large .*sample 'c0', gene 'g5'"):
        activity(values, engine, signature="mad")


def test_activities_that_are_not_finite_are_said(caplog) -> None:
    values = BASE.copy()
    values[3] = np.nan
    adata = viper(values, "python", signature="zscore")
    assert np.isnan(adata.obsm["viper"].to_numpy()).sum() == 2
    assert "2 of 48 activities are not finite" in caplog.text


def test_integers_beyond_float64_are_said() -> None:
    values = np.random.default_rng(0).integers(2**54, 2**55, size=(20, 3))
    with pytest.warns(pysces.PyscesWarning, match=r"beyond 2\^53"):
        pysces.mutual_information(values, ["a"], genes=["a", "b", "c"], counts=False)
    with pytest.warns(pysces.PyscesWarning, match=r"beyond 2\^53"):
        pysces.mutual_information(-sp.csr_array(values), ["a"], genes=[*"abc"], counts=False)
    pysces.mutual_information(values >> 20, ["a"], genes=["a", "b", "c"], counts=False)


@pytest.mark.parametrize("signature", ["none", "zscore", "mad", "ttest", "mean"])
def test_raw_counts_given_as_a_signature_are_said(signature) -> None:
    counts = np.random.default_rng(0).poisson(3.0, size=(24, 40)).astype(float)
    with pytest.warns(pysces.PyscesWarning, match="as raw counts: the depth of a cell"):
        activity(counts, "python", signature=signature)
    activity(counts, "python", signature=signature, counts=False)  # on purpose
    activity(np.log1p(counts), "python", signature=signature)
    activity(counts, "python", signature="rank")


def _in_child(queue) -> None:
    try:
        pysces.mutual_information(BASE, ["a"], genes=[*"abcd", *map(str, range(36))], engine="mlx")
    except pysces.EngineUnavailable as error:
        queue.put(str(error))
    else:
        queue.put("computed")


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")
@pytest.mark.skipif("mlx" not in ENGINES, reason="MLX is not installed")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_mlx_after_a_fork_is_an_error_and_no_hang() -> None:
    pysces.mutual_information(BASE, ["a"], genes=[*"abcd", *map(str, range(36))], engine="mlx")
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_in_child, args=(queue,))
    child.start()
    try:
        message = queue.get(timeout=30)
    finally:
        child.kill()
        child.join()
    assert "forked" in message
    assert "spawn" in message
    assert "pip install" not in message
