"""A small sample with all results; figures are closed after each test."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest

import pysces
from pysces import _seeds
from pysces._keys import NetworkResult
from pysces._record import RunRecord
from pysces.data import _results

N_CELLS = 90
REGULATORS = ["MYC", "SPI1", "GATA3_with_a_name_longer_than_any_label"]
HOSTILE = [r"$\frac{1$", "<b>&amp;</b>", "HLA-DRB1"]
GROUPS = ["B", "CD4+/CD45RA+/CD25- Naive T with a long name", "NK"]


def sample() -> anndata.AnnData:
    """Three regulators with targets of both signs, three groups of cells, all results."""
    rng = _seeds.generator(0, "plots")
    names = [*REGULATORS, *HOSTILE, *(f"gene{i}" for i in range(30))]
    group = np.arange(N_CELLS) % 3
    drivers = rng.normal(size=(N_CELLS, 3)) + 2.0 * (group[:, None] == np.arange(3))
    values = rng.normal(size=(N_CELLS, len(names)))
    values[:, :3] = drivers
    edges = []
    for target in range(3, len(names)):
        source = target % 3
        sign = 1 if target % 2 else -1
        values[:, target] += 2.0 * sign * drivers[:, source]
        edges.append((names[source], names[target], 0.1 + 0.01 * target, 0.8 * sign, target % 11))
    edges.append((names[0], names[1], 0.05, -0.4, 3))
    table = pd.DataFrame(edges, columns=["source", "target", "mi", "mor", "support"])
    adata = anndata.AnnData(
        values,
        obs=pd.DataFrame(
            {"kind": pd.Categorical([GROUPS[g] for g in group])},
            index=[f"cell{i}" for i in range(N_CELLS)],
        ),
        var=pd.DataFrame(index=names),
    )
    options = {"estimator": "adaptive", "n_null": 20_000, "resampling": "subsample"}
    facts = {
        "n_samples": N_CELLS,
        "n_genes": len(names),
        "n_regulators": 3,
        "n_resamples_used": 10,
        "n_decoys_used": 6,
        "samples_per_resample": 57,
        "threshold_mi": 0.08,
    }
    record = RunRecord("run_aracne", options, facts)
    edges = pysces.Network(table).to_dataframe()
    _results.write(adata, "aracne", NetworkResult(network=edges, record=record))
    pysces.compute_signature(adata)
    pysces.run_viper(adata, min_targets=5)
    pysces.run_msviper(adata, "kind", "NK", min_targets=5, n_permutations=50)
    pysces.embed_regulators(adata, n_components=3)
    return adata


@pytest.fixture(scope="module")
def _made() -> anndata.AnnData:
    return sample()


@pytest.fixture
def adata(_made) -> anndata.AnnData:
    return _made.copy()


@pytest.fixture(autouse=True)
def _close():
    yield
    from matplotlib import pyplot

    pyplot.close("all")
