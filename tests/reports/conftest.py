"""Results in which every name is hostile, and the page about them."""

from __future__ import annotations

from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

import pysces
from pysces import _seeds

# Three regulators (their names may hold no slash, which files couldn't store), and a target.
HOSTILE = [
    "<script>document.title='run'",
    "\"><img src=x onerror=document.title='run'>",
    "$\\frac{1$\u0007",
    "</title></style></script><h1>R&D</h1>",
]
KEYS = {"key": "<em>net<", "activity_key": "&act", "msviper_key": "'ms'"}


@pytest.fixture(scope="session")
def hostile() -> list[str]:
    return HOSTILE


@pytest.fixture(scope="session")
def results() -> anndata.AnnData:
    """Runs of data in which every name is hostile: genes, groups, keys, columns."""
    rng = _seeds.generator(0, "report")
    genes = [*HOSTILE, *(f"gene{i}" for i in range(36))]
    group = np.arange(60) % 3
    values = rng.normal(size=(60, 40))
    values[:, :3] += 2.0 * (group == 0)[:, None]
    for gene in range(3, 40):
        values[:, gene] += (1.5 if gene % 2 else -1.5) * values[:, gene % 3]
    values[:, -2:] = 1.0
    labels = np.array(["<b>B</b>", "NK & T", "K" * 90])[group]
    adata = anndata.AnnData(
        values,
        obs=pd.DataFrame({"<i>kind<": pd.Categorical(labels)}, index=[f"c{i}" for i in range(60)]),
        var=pd.DataFrame({"<u>underlined<": True}, index=genes),
    )
    pysces.run_aracne(
        adata, HOSTILE[:3], mask_var="<u>underlined<", n_resamples=10, n_null=20_000,
        resample_pvalue=0.1, key_added="<em>net<",
    )  # fmt: skip
    pysces.run_viper(adata, "<em>net<", min_targets=5, key_added="&act", groupby="<i>kind<")
    pysces.run_msviper(
        adata, "<i>kind<", "NK & T", network="<em>net<", min_targets=5, n_permutations=50,
        key_added="'ms'", reference="K" * 90,
    )  # fmt: skip
    return adata


@pytest.fixture
def adata(results) -> anndata.AnnData:
    return results.copy()


@pytest.fixture(scope="session")
def page(results, tmp_path_factory) -> Path:
    """The report of the results."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    pysces.report(results.copy(), path, **KEYS)
    return path


@pytest.fixture(scope="session")
def text(page) -> str:
    return page.read_text(encoding="utf-8")
