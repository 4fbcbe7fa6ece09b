"""Sparse cells are scored without a dense matrix; every bit is that of the dense path."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from numpy.typing import NDArray

import pysces
from pysces.data._expression import Expression
from pysces.viper import _enrichment
from pysces.viper._statistics import gene_moments

N_CELLS, N_GENES = 45, 90
EMPTY = (11, 12)  # cells without values
OTHERS = [i for i in range(N_CELLS) if i not in EMPTY]


@pytest.fixture(scope="module")
def network() -> pysces.Network:
    rng = np.random.default_rng(1)
    edges = [
        {"source": f"g{r}", "target": f"g{t}", "mor": mor, "likelihood": weight}
        for r in range(8)
        for t, mor, weight in zip(
            rng.choice(N_GENES, 25, replace=False),
            rng.uniform(-1, 1, 25),
            rng.uniform(0.1, 1, 25),
            strict=True,
        )
    ]
    return pysces.Network(pd.DataFrame(edges))


def _values(*, missing: bool) -> sp.csr_matrix:
    """Explicit zeros, negative values, ties of genes, constant genes, cells without values."""
    rng = np.random.default_rng(2)
    dense = rng.poisson(0.4, (N_CELLS, N_GENES)) * np.round(rng.normal(1, 1, N_GENES), 1)
    dense[:, 1] = dense[:, 0]
    dense[:, 2] = 2 * dense[:, 0]  # the same z-scores
    dense[:, 3], dense[:, 4], dense[:, 5] = 0.0, 3.0, 0.0
    dense[7, 5] = 1e-3
    dense[:, 6] = 5000 + rng.integers(0, 3, N_CELLS) / 1024  # far from zero
    dense[:, 60:70] = dense[:, [60]]
    dense[list(EMPTY)] = 0.0
    stored = dense != 0
    stored |= rng.random(dense.shape) < 0.05
    stored[EMPTY[0]] = False
    if missing:
        stored[3, 20:30] = True
        dense[3, 20:30] = np.nan
        dense[0, 3] = np.nan
        stored[0, 3] = True
    rows, columns = np.nonzero(stored)
    ends = np.searchsorted(rows, np.arange(N_CELLS + 1))
    matrix = sp.csr_matrix((dense[stored], columns, ends), shape=dense.shape)
    assert (matrix.data == 0).any()
    assert (np.diff(matrix.indptr) == 0).any()
    return matrix


def _adata(matrix: sp.csr_matrix | NDArray[np.float64]) -> ad.AnnData:
    adata = ad.AnnData(matrix)
    adata.var_names = [f"g{i}" for i in range(N_GENES)]
    adata.obs_names = [f"c{i}" for i in range(N_CELLS)]
    return adata


def _scores(adata: ad.AnnData, network: pysces.Network, **options: object) -> ad.AnnData:
    return pysces.run_viper(adata, network, min_targets=5, copy=True, **options)


def _assert_same(one: ad.AnnData, other: ad.AnnData) -> None:
    assert set(one.obsm) == set(other.obsm)
    for name in one.obsm:
        np.testing.assert_array_equal(one.obsm[name], other.obsm[name], err_msg=name)


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("enrichment", ["area", "narnea", "gsea", "mean", "score"])
@pytest.mark.parametrize("signature", ["zscore", "mad", "ttest", "mean", "none", "rank"])
def test_sparse_cells_have_the_scores_of_dense_cells(
    network: pysces.Network, signature: str, enrichment: str, missing: bool
) -> None:
    matrix = _values(missing=missing)
    options = {"signature": signature, "enrichment": enrichment}
    if enrichment == "gsea":
        options["n_permutations"] = 10
    for reference in (None, [f"c{i}" for i in OTHERS[::2]]):
        sparse, dense = (
            _scores(_adata(values), network, **options, reference=reference)
            for values in (matrix, matrix.toarray())
        )
        _assert_same(sparse, dense)
        assert np.isfinite(sparse.obsm["viper"].to_numpy()).any()


@pytest.mark.parametrize(
    "options", [{"pleiotropy": True}, {"n_permutations": 20}, {"compat": "r-matrix"}]
)
def test_corrections_of_sparse_cells_are_those_of_dense_cells(
    network: pysces.Network, options: dict[str, object]
) -> None:
    matrix = _values(missing=False)
    options = {"signature": "zscore", "enrichment": "area", **options}
    _assert_same(
        _scores(_adata(matrix), network, **options),
        _scores(_adata(matrix.toarray()), network, **options),
    )


def test_scores_of_sparse_cells_do_not_depend_on_blocks_and_threads(
    network: pysces.Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    adata = _adata(_values(missing=True))
    options = {"signature": "zscore", "enrichment": "area"}
    whole = _scores(adata, network, **options)
    monkeypatch.setattr(pysces.settings, "threads", 1)
    monkeypatch.setattr(_enrichment, "_MOST_SPARSE", 7)
    _assert_same(_scores(adata, network, **options), whole)


@pytest.mark.parametrize("missing", [False, True])
def test_moments_of_sparse_genes_are_those_of_dense_genes(missing: bool) -> None:
    matrix = _values(missing=missing)
    genes = [f"g{i}" for i in range(N_GENES)]
    chosen = np.random.default_rng(3).permutation(N_GENES)[:70]
    sparse, dense = (
        gene_moments(
            Expression.from_matrix(m, genes, allow_missing=True)
            .take_genes(chosen)
            .take_samples(OTHERS)
        )
        for m in (matrix, matrix.toarray())
    )
    assert sparse.offset is not None
    for name in ("count", "mean", "spread", "offset"):
        np.testing.assert_array_equal(getattr(sparse, name), getattr(dense, name), err_msg=name)
