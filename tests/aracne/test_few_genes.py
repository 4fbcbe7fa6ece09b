"""The sum over few genes is biology, not depth, whether values are counts or were divided by it."""

from __future__ import annotations

import anndata
import numpy as np
import pytest

import pysces
from pysces import _seeds

sc = pytest.importorskip("scanpy")


@pytest.fixture
def cells() -> anndata.AnnData:
    """Two kinds of cells; of one of them half of the 60 genes have much higher counts."""
    rng = _seeds.generator(0, "few genes")
    kind = np.arange(240) % 2
    level = 2.0 * np.exp(1.5 * kind[:, None] * (np.arange(60) < 30))
    adata = anndata.AnnData(rng.poisson(level).astype(float))
    adata.var_names = [f"gene{i}" for i in range(60)]
    adata.obs_names = [f"cell{i}" for i in range(240)]
    return adata


def network(adata, **given) -> tuple[set, dict]:
    pysces.run_aracne(adata, ["gene0", "gene1"], n_resamples=10, n_null=20_000, **given)
    found = adata.uns["aracne"]
    return set(map(tuple, found["network"][["source", "target"]].to_numpy())), found["facts"]


@pytest.mark.filterwarnings("ignore::pysces.PyscesWarning")
def test_values_divided_by_the_sum_of_few_genes_are_ranked(cells) -> None:
    of_counts, params = network(cells.copy())
    assert params["scores"] == "continuous"
    assert of_counts
    normalised = cells.copy()
    sc.pp.normalize_total(normalised, target_sum=1e4)
    sc.pp.log1p(normalised)
    of_values, params = network(normalised)
    assert params["scores"] == "continuous"
    assert of_values == of_counts  # the same ranks
    _, params = network(normalised, counts=True)
    assert params["scores"] == "counts given depth"


@pytest.mark.filterwarnings("ignore::pysces.PyscesWarning")
def test_values_divided_by_the_sum_of_more_genes_give_their_depth(cells) -> None:
    depth = _seeds.generator(1, "few genes").integers(2000, 9000, size=240)
    normalised = cells.copy()
    normalised.X = np.log1p(cells.X / depth[:, None] * 1e4)
    _, params = network(normalised)
    assert params["scores"] == "counts given depth"
    assert params["depth_source"] == "unit of the recovered counts"
