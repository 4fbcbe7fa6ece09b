"""Expression matrices read the same from every storage, by blocks, and say what is wrong."""

from __future__ import annotations

import itertools
import warnings
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from pysces.data import _sources
from pysces.data._expression import Expression, constant_genes
from pysces.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

N_SAMPLES, N_GENES = 23, 11
GENES = [f"G{i}" for i in range(N_GENES)]
SAMPLES = [f"cell{i}" for i in range(N_SAMPLES)]
VALUES = np.random.default_rng(7).poisson(0.7, (N_SAMPLES, N_GENES)).astype(np.float32)
VALUES[:, 4] = 3.0  # a constant gene that isn't zero
VALUES[:, 6] = 0.0
VALUES[2, 0] = -1.5


def adata_of(matrix: Any) -> ad.AnnData:
    return ad.AnnData(matrix, obs=pd.DataFrame(index=SAMPLES), var=pd.DataFrame(index=GENES))


def backed(matrix: Any, folder: Path) -> ad.AnnData:
    adata_of(matrix).write_h5ad(folder / "backed.h5ad")
    return ad.read_h5ad(folder / "backed.h5ad", backed="r")


def on_zarr(matrix: Any, folder: Path) -> ad.AnnData:
    zarr = pytest.importorskip("zarr", reason="zarr is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # anndata announces a change of the default zarr format
        adata_of(matrix).write_zarr(folder / "backed.zarr")
    stored = zarr.open(folder / "backed.zarr", mode="r")["X"]
    return adata_of(ad.io.sparse_dataset(stored) if sp.issparse(matrix) else stored)


def dask_of(matrix: Any, folder: Path) -> ad.AnnData:
    da = pytest.importorskip("dask.array", reason="dask is not installed")
    chunks = da.from_array(VALUES, chunks=(5, 4))
    if sp.issparse(matrix):
        chunks = da.from_array(VALUES, chunks=(5, N_GENES)).map_blocks(sp.csr_matrix)
    return adata_of(chunks)


STORAGES = {
    "array": lambda folder: adata_of(VALUES),
    "fortran": lambda folder: adata_of(np.asfortranarray(VALUES)),
    "float64": lambda folder: adata_of(VALUES.astype(np.float64)),
    "csr_matrix": lambda folder: adata_of(sp.csr_matrix(VALUES)),
    "csc_matrix": lambda folder: adata_of(sp.csc_matrix(VALUES)),
    "csr_array": lambda folder: adata_of(sp.csr_array(VALUES)),
    "csc_array": lambda folder: adata_of(sp.csc_array(VALUES)),
    "backed dense": lambda folder: backed(VALUES, folder),
    "backed csr": lambda folder: backed(sp.csr_matrix(VALUES), folder),
    "backed csc": lambda folder: backed(sp.csc_matrix(VALUES), folder),
    "zarr dense": lambda folder: on_zarr(VALUES, folder),
    "zarr csr": lambda folder: on_zarr(sp.csr_matrix(VALUES), folder),
    "dask dense": lambda folder: dask_of(VALUES, folder),
    "dask csr": lambda folder: dask_of(sp.csr_matrix(VALUES), folder),
}


@pytest.fixture(params=STORAGES)
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> ad.AnnData:
    return STORAGES[request.param](tmp_path)


@pytest.fixture
def small_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passes over the matrix take several blocks even on a matrix this small."""
    monkeypatch.setattr(_sources, "PASS_BYTES", 300)


INDICES = {
    "slice": slice(2, 7),
    "backwards": slice(8, None, -3),
    "positions": [9, 0, 4],
    "repeated": [3, 3, 1],
    "negative": [-1, 2],
    "mask": np.arange(N_GENES) % 3 == 0,
    "nothing": [],
    "all": slice(None),
}


@pytest.mark.parametrize("index", INDICES.values(), ids=INDICES)
def test_blocks_equal_the_matrix(stored: ad.AnnData, index: Any, small_passes: None) -> None:
    expression = Expression.from_anndata(stored)
    chosen = np.asarray(index, dtype=np.intp) if isinstance(index, list) else index
    genes = expression.gene_block(index)
    assert genes.dtype == np.float64
    assert genes.flags.c_contiguous
    np.testing.assert_array_equal(genes, VALUES.T[chosen])
    if not isinstance(index, np.ndarray):
        samples = expression.sample_block(index)
        assert samples.dtype == np.float64
        assert samples.flags.c_contiguous
        np.testing.assert_array_equal(samples, VALUES[chosen])


def dense_of(rows: Any, n_genes: int) -> np.ndarray:
    """Rows as a dense block; positions of genes ascend within a row and do not repeat."""
    dense = np.zeros((len(rows.indptr) - 1, n_genes))
    for row, (start, stop) in enumerate(itertools.pairwise(rows.indptr)):
        genes, values = rows.genes[start:stop], rows.values[start:stop]
        chosen = genes >= 0
        assert len(set(genes[chosen])) == chosen.sum()
        dense[row, genes[chosen]] = values[chosen]
    return dense


@pytest.mark.parametrize("index", INDICES.values(), ids=INDICES)
def test_sparse_blocks_equal_the_matrix(
    stored: ad.AnnData, index: Any, small_passes: None, request: pytest.FixtureRequest
) -> None:
    index = np.arange(len(SAMPLES)) % 3 == 0 if isinstance(index, np.ndarray) else index
    chosen = np.asarray(index, dtype=np.intp) if isinstance(index, list) else index
    columns = np.array([7, 0, 4])
    for expression, truth in (
        (Expression.from_anndata(stored), VALUES),
        (Expression.from_anndata(stored).take_genes(columns), VALUES[:, columns]),
    ):
        rows = expression.sparse_block(index)
        csr = "csr" in request.node.name and "dask" not in request.node.name
        assert (rows is not None) == csr
        if rows is not None:
            assert [part.dtype.name for part in rows] == ["int64", "int32", "float64"]
            np.testing.assert_array_equal(dense_of(rows, expression.n_genes), truth[chosen])


@pytest.mark.parametrize("genes", [slice(None), slice(2, 7), [9, 0, 4]])
def test_sparse_genes_equal_the_matrix(
    stored: ad.AnnData,
    genes: Any,
    small_passes: None,
    request: pytest.FixtureRequest,
) -> None:
    some = np.array([20, 3, 4, 11])
    sparse = "cs" in request.node.name and "dask" not in request.node.name
    for expression, truth in (
        (Expression.from_anndata(stored), VALUES),
        (Expression.from_anndata(stored).take_samples(some), VALUES[some]),
    ):
        columns = expression.sparse_genes(genes)
        assert (columns is not None) == sparse
        if columns is not None:
            assert [part.dtype.name for part in columns] == ["int64", "int32", "float64"]
            found = dense_of(columns, expression.n_samples)
            np.testing.assert_array_equal(found, truth.T[genes])


def test_sparse_blocks_add_up_repeated_entries_and_share_memory_otherwise() -> None:
    repeated = sp.csr_array(([1.0, 2.0, 4.0], [1, 0, 1], [0, 3, 3]), shape=(2, 2))
    rows = Expression.from_matrix(repeated, ["a", "b"]).sparse_block()
    assert rows is not None
    assert rows.genes.tolist() == [0, 1]
    assert rows.values.tolist() == [2.0, 5.0]
    columns = Expression.from_matrix(repeated, ["a", "b"]).sparse_genes()
    assert columns is not None
    assert columns.values.tolist() == [2.0, 5.0]
    assert repeated.nnz == 3
    plain = sp.csr_array(VALUES.astype(np.float64))
    rows = Expression.from_matrix(plain, GENES).sparse_block(slice(3, 9))
    assert rows is not None
    assert np.shares_memory(rows.values, plain.data)


def test_views_are_read_through_their_parent(stored: ad.AnnData, small_passes: None) -> None:
    rows, columns = np.array([20, 3, 4, 11]), np.array([True, False] * 5 + [True])
    expression = Expression.from_anndata(stored[rows, columns])
    assert list(expression.genes) == [g for g, use in zip(GENES, columns, strict=True) if use]
    assert list(expression.samples) == [SAMPLES[i] for i in rows]
    truth = VALUES[np.ix_(rows, columns)]
    np.testing.assert_array_equal(expression.sample_block(), truth)
    np.testing.assert_array_equal(expression.gene_block(slice(1, 3)), truth.T[1:3])


def test_view_of_a_view_and_of_a_slice() -> None:
    adata = adata_of(VALUES)[4:20:2][:, ::-1][[3, 1]]
    np.testing.assert_array_equal(Expression.from_anndata(adata).sample_block(), adata.X)


def test_hash_depends_on_values_and_names_only(stored: ad.AnnData, small_passes: None) -> None:
    plain = Expression.from_matrix(VALUES.astype(np.float64), GENES, SAMPLES)
    assert Expression.from_anndata(stored).data_hash() == plain.data_hash()


def test_hash_changes_with_a_value_a_name_and_the_order() -> None:
    reference = Expression.from_matrix(VALUES, GENES).data_hash()
    changed = VALUES.copy()
    changed[-1, -1] += 1
    assert Expression.from_matrix(changed, GENES).data_hash() != reference
    assert Expression.from_matrix(VALUES, [*GENES[:-1], "other"]).data_hash() != reference
    assert Expression.from_matrix(VALUES[::-1], GENES).data_hash() != reference
    signed = np.where(VALUES == 0, -0.0, VALUES)
    assert Expression.from_matrix(signed, GENES).data_hash() == reference


def test_constant_genes(stored: ad.AnnData, small_passes: None) -> None:
    found = constant_genes(Expression.from_anndata(stored))
    assert list(np.flatnonzero(found)) == [4, 6]


def test_constant_genes_ignore_missing_values() -> None:
    values = np.array([[1.0, np.nan, 2.0], [np.nan, np.nan, 3.0], [1.0, np.nan, np.nan]])
    expression = Expression.from_matrix(values, ["A", "B", "C"], allow_missing=True)
    assert list(constant_genes(expression)) == [True, True, False]


def test_take_genes_and_samples_compose(stored: ad.AnnData, small_passes: None) -> None:
    expression = Expression.from_anndata(stored)
    taken = expression.take_genes(np.arange(N_GENES) > 2).take_genes([5, 0]).take_samples([7, 4])
    assert list(taken.genes) == ["G8", "G3"]
    assert list(taken.samples) == ["cell7", "cell4"]
    np.testing.assert_array_equal(taken.gene_block(), VALUES[[7, 4]][:, [8, 3]].T)
    np.testing.assert_array_equal(taken.sample_block([1]), VALUES[[4]][:, [8, 3]])


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, bool, np.float16, np.float32])
def test_number_types(dtype: type) -> None:
    values = np.array([[0, 1], [1, 1], [1, 0]], dtype=dtype)
    expression = Expression.from_matrix(values, ["A", "B"])
    np.testing.assert_array_equal(expression.gene_block(), [[0, 1, 1], [1, 1, 0]])


def test_blocks_are_copies() -> None:
    values = VALUES.astype(np.float64)
    expression = Expression.from_matrix(values, GENES)
    before = values.copy()
    expression.sample_block()[:] = -9
    expression.gene_block()[:] = -9
    np.testing.assert_array_equal(values, before)


def test_dense_matrix_is_not_copied() -> None:
    expression = Expression.from_anndata(adata_of(VALUES))
    assert np.shares_memory(expression._source.array, VALUES)


def test_dask_computes_only_the_block() -> None:
    da = pytest.importorskip("dask.array", reason="dask is not installed")
    seen: list[int] = []

    def note(block: np.ndarray) -> np.ndarray:
        seen.append(block.shape[0])
        return block

    lazy = da.from_array(VALUES, chunks=(5, N_GENES)).map_blocks(note, meta=VALUES[:0])
    expression = Expression.from_matrix(lazy, GENES)
    assert seen == []
    expression.sample_block(slice(0, 4))
    assert seen == [5]


def test_dataframes() -> None:
    frame = pd.DataFrame(VALUES, index=SAMPLES, columns=GENES)
    expression = Expression.from_matrix(frame)
    assert list(expression.genes) == GENES
    assert list(expression.samples) == SAMPLES
    np.testing.assert_array_equal(expression.sample_block(), VALUES)
    mixed = frame.astype({"G1": "Float64", "G2": int})
    np.testing.assert_array_equal(Expression.from_matrix(mixed).sample_block(), VALUES)
    sparse = frame.astype(pd.SparseDtype("float32", 0.0))
    np.testing.assert_array_equal(Expression.from_matrix(sparse).sample_block(), VALUES)


def test_layer_and_mask() -> None:
    adata = adata_of(VALUES)
    adata.layers["log"] = np.log1p(np.abs(VALUES))
    adata.var["use"] = [True, False] * 5 + [True]
    expression = Expression.from_anndata(adata, layer="log", mask_var="use")
    np.testing.assert_array_equal(expression.sample_block(), adata.layers["log"][:, ::2])
    by_mask = Expression.from_anndata(adata, mask_var=adata.var["use"])
    assert by_mask.n_genes == 6


def with_value(value: float, kind: str) -> Any:
    values = VALUES.astype(np.float64)
    values[3, 5] = values[4, 5] = values[9, 7] = value
    return {"dense": np.asarray, "csr": sp.csr_matrix, "csc": sp.csc_matrix}[kind](values)


@pytest.mark.parametrize("kind", ["dense", "csr", "csc"])
@pytest.mark.parametrize(("value", "word"), [(np.nan, "missing"), (-np.inf, "infinite")])
def test_unusable_values_are_counted_and_located(
    kind: str, value: float, word: str, tmp_path: Path, small_passes: None
) -> None:
    matrix = with_value(value, kind)
    first = "sample 'cell3', gene 'G5'"
    expected = rf"3 {word}.* values in 2 of 11 genes: 'G5', 'G7'\. First: {first}"
    with pytest.raises(InputError, match=expected):
        Expression.from_anndata(adata_of(matrix))
    on_disk = Expression.from_anndata(backed(matrix, tmp_path))
    on_disk.sample_block(slice(0, 2))
    with pytest.raises(InputError, match=expected):
        on_disk.gene_block([5])
    with pytest.raises(InputError, match=expected):
        constant_genes(on_disk)
    Expression.from_anndata(adata_of(matrix)[:, [0, 1, 2]])  # outside the view it's no matter


def test_missing_values_where_allowed() -> None:
    matrix = with_value(np.nan, "dense")
    expression = Expression.from_matrix(matrix, GENES, allow_missing=True)
    assert np.isnan(expression.gene_block([5])).sum() == 2
    with pytest.raises(InputError, match="infinite"):
        Expression.from_matrix(with_value(np.inf, "dense"), GENES, allow_missing=True)


def test_masked_array_counts_as_missing() -> None:
    masked = np.ma.masked_equal(np.array([[1, 2], [3, 4]]), 4)
    with pytest.raises(InputError, match="1 missing"):
        Expression.from_matrix(masked, ["A", "B"])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Expression.from_matrix(VALUES), "Pass genes="),
        (lambda: Expression.from_matrix(VALUES.T, GENES), "or transpose the matrix"),
        (lambda: Expression.from_matrix(VALUES[:1], GENES), r"1 sample\(s\); at least 2"),
        (lambda: Expression.from_matrix(VALUES[:, :0], []), "no genes"),
        (lambda: Expression.from_matrix(VALUES[:0], GENES), r"0 sample\(s\)"),
        (lambda: Expression.from_matrix(VALUES[0], GENES), r"1 dimension"),
        (lambda: Expression.from_matrix(VALUES.astype(str), GENES), "not numbers"),
        (lambda: Expression.from_matrix(VALUES.astype(object), GENES), "not numbers"),
        (lambda: Expression.from_matrix(VALUES.astype(complex), GENES), "not numbers"),
        (lambda: Expression.from_matrix("counts.h5ad", GENES), "cannot be read from builtins.str"),
        (lambda: Expression.from_anndata(pd.DataFrame(VALUES)), "Expected an AnnData"),
        (lambda: Expression.from_matrix(VALUES, ["A", "A", *GENES[2:]]), "once: 'A'"),
        (lambda: Expression.from_matrix(VALUES, ["", *GENES[1:]]), "empty name"),
        (
            lambda: Expression.from_matrix(pd.DataFrame({"name": ["a", "b"], "MYC": [1, 2]})),
            "1 of 2 columns are not numbers: 'name'",
        ),
        (
            lambda: Expression.from_matrix(VALUES, GENES).gene_block(["G1"]),
            "selected by a slice, a boolean mask or integer positions",
        ),
        (lambda: Expression.from_matrix(VALUES, GENES).gene_block([99]), "There are 11 genes"),
        (lambda: Expression.from_matrix(VALUES, GENES).gene_block([True]), "There are 11 genes"),
    ],
)
def test_errors_of_matrices(make: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


def test_errors_name_at_most_ten() -> None:
    values = np.zeros((3, 40))
    with pytest.raises(InputError, match=r"20 gene names occur more than once.* and 10 more"):
        Expression.from_matrix(values, [f"G{i // 2}" for i in range(40)])


def test_errors_of_anndata() -> None:
    adata = adata_of(VALUES)
    adata.layers["log"] = VALUES
    adata.var["hvg"] = True
    adata.var["score"] = 1.0
    with pytest.raises(InputError, match=r"Did not find .layers\['x'\]. Available layers: 'log'"):
        Expression.from_anndata(adata, layer="x")
    with pytest.raises(InputError, match=r"does not exist. Boolean columns of .var: 'hvg'"):
        Expression.from_anndata(adata, mask_var="other")
    with pytest.raises(InputError, match="is not boolean"):
        Expression.from_anndata(adata, mask_var="score")
    with pytest.raises(InputError, match="boolean mask of 11 genes"):
        Expression.from_anndata(adata, mask_var=[True])
    with pytest.raises(InputError, match="no genes"):
        Expression.from_anndata(adata, mask_var=np.zeros(N_GENES, dtype=bool))
    with pytest.raises(InputError, match=r"adata.X is empty"):
        Expression.from_anndata(ad.AnnData(obs=adata.obs, var=adata.var))


@pytest.mark.parametrize("large", [1.0001e100, -1e200, np.finfo(np.float64).max])
def test_values_too_large_for_their_squares_are_refused(large: float, tmp_path: Path) -> None:
    values = VALUES.astype(np.float64)
    values[5, 3] = large
    message = "too large .* First: sample 'cell5', gene 'G3'. Divide the data by a constant"
    for storage in (values, sp.csr_matrix(values), sp.csc_matrix(values)):
        with pytest.raises(InputError, match=message):
            Expression.from_anndata(adata_of(storage))
    with pytest.raises(InputError, match=message):
        Expression.from_anndata(backed(values, tmp_path)).sample_block()
    values[5, 3] = 1e100
    assert Expression.from_matrix(values, GENES).sample_block()[5, 3] == 1e100


def test_single_samples_and_infinite_values_where_they_are_allowed() -> None:
    one = Expression.from_matrix(VALUES[:1], GENES, least_samples=1)
    np.testing.assert_array_equal(one.sample_block(), VALUES[:1])
    empty = Expression.from_matrix(VALUES[:0, :0], [], least_samples=0)
    assert empty.sample_block().shape == (0, 0)
    values = VALUES.astype(np.float64)
    values[0, 0], values[1, 0] = np.inf, -np.inf
    found = Expression.from_matrix(values, GENES, allow_infinite=True)
    np.testing.assert_array_equal(found.sample_block(), values)
    values[2, 0] = np.nan
    with pytest.raises(InputError, match="1 missing"):
        Expression.from_matrix(values, GENES, allow_infinite=True).sample_block()


def test_blocks_share_memory_only_where_that_is_asked_for() -> None:
    values = VALUES.astype(np.float64)
    expression = Expression.from_matrix(values, GENES)
    assert np.shares_memory(expression.sample_block(slice(3, 5), copy=False), values)
    assert not np.shares_memory(expression.sample_block(slice(3, 5)), values)
    assert not np.shares_memory(expression.gene_block(), values)
    assert not np.shares_memory(
        Expression.from_matrix(values.T.copy().T, GENES).gene_block(), values
    )
