"""Odd inputs give a right answer or a clear error, never a crash, a warning or silent nonsense."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy import stats

import pysces
from pysces.viper._metaviper import combine_networks
from pysces.viper._nulls import against_null

GENES = [f"g{k:02d}" for k in range(40)]


@pytest.fixture
def adata() -> ad.AnnData:
    rng = np.random.default_rng(0)
    values = rng.poisson(2.0, (20, 40)).astype(float)
    table = pd.DataFrame(values, index=[f"c{k}" for k in range(20)], columns=GENES)
    found = ad.AnnData(table).copy()  # from a table of pandas 3, X is read-only
    found.obs["kind"] = ["a", "b"] * 10
    return found


def edges(**columns: Any) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    given = {
        "source": np.repeat(["R1", "R2", "R3"], 12),
        "target": np.concatenate([GENES[:12], GENES[6:18], GENES[20:32]]),
        "mor": rng.uniform(-1, 1, 36),
        "likelihood": rng.uniform(0.1, 1, 36),
    }
    return pd.DataFrame(given | columns)


def viper(adata: ad.AnnData, network: Any = None, **options: Any) -> pd.DataFrame:
    target = adata.copy()
    pysces.run_viper(target, edges() if network is None else network, **options)
    return target.obsm["viper"]


# --- networks -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["area", "narnea", "mean"])
@pytest.mark.parametrize("factor", [2.0**1000, 2.0**-1000])
def test_only_ratios_of_likelihoods_count(adata: ad.AnnData, kind: Any, factor: float) -> None:
    network = edges()
    right = viper(adata, network, enrichment=kind)
    network["likelihood"] *= factor
    pd.testing.assert_frame_equal(viper(adata, network, enrichment=kind), right)
    network.loc[:11, "likelihood"] /= factor  # one regulon on another scale
    pd.testing.assert_frame_equal(viper(adata, network, enrichment=kind), right)


@pytest.mark.parametrize("kind", ["area", "narnea", "mean"])
def test_a_regulon_without_likelihood_has_equal_ones(adata: ad.AnnData, kind: Any) -> None:
    right = viper(adata, edges(likelihood=1.0), enrichment=kind)
    found = viper(adata, edges(likelihood=0.0), enrichment=kind)
    pd.testing.assert_frame_equal(found, right)


def test_modes_whose_digits_are_lost_are_refused(adata: ad.AnnData) -> None:
    assert np.isfinite(viper(adata, edges(mor=0.0), enrichment="narnea")).all(axis=None)
    with pytest.raises(pysces.InputError, match="smaller than 1e-06"):
        viper(adata, edges(mor=1e-320), enrichment="narnea")


def test_signatures_of_one_sign_have_a_narnea_score(adata: ad.AnnData) -> None:
    """Both parts of the score are one and the same there, so their difference has no variance."""
    table = adata.to_df() + np.linspace(0.1, 0.2, 40)
    for network in (edges(mor=1.0), edges(mor=0.4), edges(mor=-1.0)):
        for sign in (1, -1):
            for value in ("nes", "pes", "pvalue"):
                found = pysces.enrich(sign * table, network, enrichment="narnea", value=value)
                assert np.isfinite(found).all(axis=None)
    best = table.copy()
    best[GENES[:12]] += 100
    found = pysces.enrich(best, edges(mor=1.0), enrichment="narnea")["R1"]
    assert (found > 2.9).all()


@pytest.mark.parametrize("weighting", [0, 1.0, 2, 1e6, (2.0, 3.0)])
def test_networks_join_whatever_the_scores(weighting: Any) -> None:
    one = pd.DataFrame({"A": [3.0, np.inf, 1e200, 0.0, np.nan], "B": [1.0, 2.0, -3.0, 0.0, 1.0]})
    two = pd.DataFrame({"A": [1.0, 2.0, -1e200, 0.0, 2.0], "C": [40.0, -40.0, 0.1, 0.0, 5.0]})
    found = combine_networks([one, two], weighting=weighting)
    assert np.isfinite(found.drop(index=1)).all(axis=None)
    assert found.loc[1, "A"] == np.inf
    if weighting in (1.0, 2, 1e6):  # a regulator of one network is returned as it is
        np.testing.assert_allclose(found.loc[0, ["B", "C"]], [1.0, 40.0])


def test_a_null_without_spread_judges_nothing() -> None:
    null = np.column_stack([np.zeros(20), np.arange(20.0), np.full(20, np.nan)])
    found = against_null(np.array([[0.0, 1.0, 0.0], [1.0, 2.0, 1.0]]), null)
    assert np.isnan(found[:, [0, 2]]).all()
    np.testing.assert_allclose(found[:, 1], np.array([1, 2]) / np.arange(20.0).std(ddof=1))


def test_what_is_neither_file_nor_key_is_said_to_be(adata: ad.AnnData) -> None:
    with pytest.raises(pysces.InputError, match="neither a file nor a key"):
        viper(adata, "no/such.tsv")


# --- data -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.uint8, bool, np.float16, np.float32])
def test_number_types_give_the_same(adata: ad.AnnData, dtype: Any) -> None:
    adata.X = np.minimum(adata.X, 1) if dtype is bool else adata.X
    right = viper(adata)
    adata.X = adata.X.astype(dtype)
    pd.testing.assert_frame_equal(viper(adata), right)
    pd.testing.assert_frame_equal(
        pysces.enrich(pysces.signature(adata), edges()),
        pysces.enrich(pysces.signature(adata.to_df().astype(float)), edges()),
    )


def test_complex_numbers_are_refused() -> None:
    table = pd.DataFrame(np.ones((3, 2), dtype=complex))
    with pytest.raises(pysces.InputError, match="are not numbers"):
        pysces.signature(table)


def test_sparse_chunks_of_dask_are_taken(adata: ad.AnnData) -> None:
    da = pytest.importorskip("dask.array")
    right = pysces.signature(adata)
    adata.X = da.from_array(adata.X, chunks=(7, 40)).map_blocks(sp.csr_matrix)
    pd.testing.assert_frame_equal(pysces.signature(adata), right)


def test_views_of_files_are_read(adata: ad.AnnData, tmp_path: Path) -> None:
    adata.uns["aracne"] = {"network": edges()}
    adata.write_h5ad(tmp_path / "x.h5ad")
    backed = ad.read_h5ad(tmp_path / "x.h5ad", backed="r")
    pysces.run_msviper(backed, "kind", "a", n_permutations=20)
    pysces.run_msviper(adata, "kind", "a", n_permutations=20)
    right = adata.uns["msviper"]["results"]
    pd.testing.assert_frame_equal(backed.uns["msviper"]["results"], right)
    for call in (
        lambda: pysces.run_viper(backed[3:12]),
        lambda: pysces.run_msviper(backed[3:12], "kind", "a"),
        lambda: pysces.compute_signature(backed[3:12]),
        lambda: pysces.run_viper(backed, copy=True),
    ):
        with pytest.raises(pysces.InputError, match="to_memory"):
            call()
    backed.file.close()


def test_views_in_memory_are_taken(adata: ad.AnnData) -> None:
    rows = [7, 2, 3, 11, 5, 0, 8, 9]
    part = adata[rows].copy()
    pysces.run_msviper(part, "kind", "a", network=edges(), n_permutations=20)
    result = pysces.run_msviper(
        adata[rows], "kind", "a", network=edges(), n_permutations=20, copy=True
    )
    assert result is not None
    pd.testing.assert_frame_equal(result.uns["msviper"]["results"], part.uns["msviper"]["results"])


@pytest.mark.parametrize(
    "call",
    [
        lambda table: pysces.run_viper(table, edges()),
        lambda table: pysces.run_msviper(table, "kind", "a", network=edges()),
        lambda table: pysces.compute_signature(table),
        lambda table: pysces.activity(table),
        lambda table: pysces.rank_regulators(table, "kind"),
    ],
)
def test_what_is_not_an_anndata_is_refused(adata: ad.AnnData, call: Any) -> None:
    for wrong in (adata.to_df(), None):
        with pytest.raises(pysces.InputError, match="must be an AnnData"):
            call(wrong)


def test_one_cell_meets_the_checks_of_many(adata: ad.AnnData) -> None:
    one = adata[:1].copy()
    with pytest.raises(pysces.InputError, match="layers"):
        viper(one, layer="nope", signature="none")
    one.X[0, 0] = np.inf
    with pytest.raises(pysces.InputError, match="infinite"):
        viper(one, signature="none")
    empty = ad.AnnData(None, obs=one.obs, var=one.var)
    with pytest.raises(pysces.InputError, match="empty"):
        viper(empty, signature="none")


@pytest.mark.parametrize("method", ["zscore", "mad", "ttest", "mean"])
def test_infinite_values_have_no_signature(adata: ad.AnnData, method: Any) -> None:
    table = adata.to_df().copy()
    table.iloc[0, 0] = np.inf
    with pytest.raises(pysces.InputError, match="infinite"):
        pysces.signature(table, method=method)
    assert pysces.signature(table, method="rank").iloc[0, 0] == 20


def test_a_table_without_genes_is_refused() -> None:
    for method in ("zscore", "mad", "rank"):
        with pytest.raises(pysces.InputError, match="no genes"):
            pysces.signature(pd.DataFrame(index=range(3)), method=method)  # type: ignore[arg-type]


def test_equal_values_everywhere_score_nothing(adata: ad.AnnData) -> None:
    adata.X[:] = 3.0
    assert viper(adata).isna().all(axis=None)
    pysces.run_msviper(
        adata, "kind", "a", network=edges(), n_permutations=0, n_bootstraps=3, shadow=2, synergy=2
    )
    assert adata.uns["msviper"]["results"]["nes"].isna().all()


# --- names and references -------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Observation names are not unique")
def test_repeated_names_of_cells_are_no_obstacle_but_to_names(adata: ad.AnnData) -> None:
    right = viper(adata, groupby="kind", reference="a", n_permutations=10).to_numpy()
    adata.obs_names = ["x"] * 20
    found = viper(adata, groupby="kind", reference="a", n_permutations=10).to_numpy()
    assert np.isfinite(found).all()
    assert found.shape == right.shape
    with pytest.raises(pysces.InputError, match="not unique"):
        viper(adata, reference=["x"])


def test_references_of_every_form_are_the_same(adata: ad.AnnData) -> None:
    right = viper(adata, reference=np.arange(8))
    names = adata.obs_names
    mask = np.arange(20) < 8
    for same in (
        slice(0, 8),
        list(mask),
        mask.astype(object),
        pd.array(mask, dtype="boolean"),
        pd.Series(mask, index=names)[::-1],
        set(names[:8]),
        [0, 0, *range(8)],
        names[:8],
    ):
        pd.testing.assert_frame_equal(viper(adata, reference=same), right)
    for wrong in (3, np.array([[1, 2], [3, 4]]), np.ones((20, 1), dtype=bool)):
        with pytest.raises(pysces.InputError, match=r"shape|must be a list, slice or array"):
            viper(adata, reference=wrong)


def test_groups_need_labels(adata: ad.AnnData) -> None:
    pysces.run_viper(adata, edges())
    adata.obs["empty"] = pd.Series([None] * 20, index=adata.obs_names, dtype=object)
    with pytest.raises(pysces.InputError, match="No cell has a label"):
        pysces.rank_regulators(adata, "empty")
    adata.obs["kind"] = pd.Categorical(adata.obs["kind"], categories=["a", "b", "unused"])
    pysces.rank_regulators(adata, "kind")
    assert set(pysces.ranking(adata)["group"]) == {"a", "b"}
    adata.obs["some"] = ["a", None] * 10
    with pytest.raises(pysces.InputError, match="10 cells have no label"):
        viper(adata, {"a": edges(), "b": edges()}, groupby="some")


def test_keys_that_files_refuse_are_refused(adata: ad.AnnData) -> None:
    with pytest.raises(pysces.InputError, match="key_added"):
        viper(adata, key_added="a\0b")


def test_a_stranger_under_the_key_is_no_obstacle(adata: ad.AnnData) -> None:
    pysces.run_viper(adata, edges())
    adata.uns["viper"] = "text"
    assert pysces.activity(adata).shape == (20, 3)


@pytest.mark.parametrize("form", ["h5ad", "zarr"])
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")  # of zarr's own
def test_odd_names_survive_files(adata: ad.AnnData, form: str, tmp_path: Path) -> None:
    odd = ["β-cat", "a b", "A,B", "nan", "None", "😀", "é", "x" * 200, "%", "\\", "'", '"']
    network = edges(source=np.repeat(["β R", "nan", "😀"], 12))
    adata.var_names = [*odd, *GENES[12:]]
    network["target"] = network["target"].replace(dict(zip(GENES, adata.var_names, strict=True)))
    pysces.run_viper(adata, network)
    pysces.run_msviper(adata, "kind", "a", network=network, n_permutations=20)
    path = tmp_path / f"a.{form}"
    if form == "zarr":
        pytest.importorskip("zarr")
        adata.write_zarr(path)
    else:
        adata.write_h5ad(path)
    back = ad.read_zarr(path) if form == "zarr" else ad.read_h5ad(path)
    pd.testing.assert_frame_equal(back.obsm["viper"], adata.obsm["viper"])


# --- parameters -----------------------------------------------------------------------------------


def test_whole_numbers_of_numpy_are_whole_numbers(adata: ad.AnnData) -> None:
    pd.testing.assert_frame_equal(
        viper(adata, n_bootstraps=np.int64(4)), viper(adata, n_bootstraps=4)
    )


@pytest.mark.parametrize(
    "options",
    [
        {"n_permutations": 2.5, "enrichment": "gsea"},
        {"min_targets": None},
        {"seed": "a"},
        {"compat": "r"},
        {"compat": "r-matrix", "enrichment": "narnea"},
        {"gene_weights": 3.0},
        {"gene_weights": np.ones(40)},
        {"gene_weights": np.ones((20, 40))},
        {"gene_weights": "x"},
        {"gene_weights": pd.Series(-1.0, index=GENES)},
        {"gene_weights": pd.Series(np.inf, index=GENES)},
        {"gene_weights": pd.Series(0.0, index=GENES)},
        {"gene_weights": pd.Series(1.0, index=["unknown"])},
        {"gene_weights": pd.Series(0.5, index=GENES + GENES)},
    ],
    ids=lambda options: str(options)[:50],
)
def test_wrong_options_of_enrich_are_refused(adata: ad.AnnData, options: dict[str, Any]) -> None:
    with pytest.raises(pysces.InputError):
        pysces.enrich(adata.to_df(), edges(), **options)


def test_infinite_values_weigh_as_the_largest_finite_one(adata: ad.AnnData) -> None:
    table = pysces.signature(adata)
    table.iloc[2, :3] = table.iloc[2].max() + 0.5
    right = pysces.enrich(table, edges(), enrichment="gsea", n_permutations=20)
    table.iloc[2, 0] = np.inf
    found = pysces.enrich(table, edges(), enrichment="gsea", n_permutations=20)
    assert np.isfinite(found).all(axis=None)
    pd.testing.assert_frame_equal(found.drop(index="c2"), right.drop(index="c2"))


@pytest.mark.parametrize("engine", [row.engine for row in pysces.status().engines if row.available])
def test_a_regulon_of_all_genes_has_the_running_sum_1(engine: str) -> None:
    """Nothing is taken away, so the sum ends at 1, with permuted genes too: p is 1."""
    table = pd.DataFrame([[1.0, -2.0, 0.5, np.nan], [0.0] * 4], columns=list("ABCD"))
    network = pd.DataFrame({"source": "R", "target": list("ABCD")})
    options: dict[str, Any] = {"enrichment": "gsea", "min_targets": 1, "engine": engine}
    for number in (0, 20):
        found = pysces.enrich(table, network, n_permutations=number, **options)
        np.testing.assert_allclose(found["R"], [1.0, 0.0], rtol=1e-12)
    found = pysces.enrich(table, network, value="pvalue", n_permutations=20, **options)
    assert found["R"].tolist() == [1.0, 1.0]


# --- similarities ---------------------------------------------------------------------------------


@pytest.fixture
def nes() -> pd.DataFrame:
    values = np.random.default_rng(2).normal(size=(6, 9))
    return pd.DataFrame(values, columns=[f"R{k}" for k in range(9)])


@pytest.mark.parametrize(
    "options",
    [
        {"n_top": 0},
        {"n_top": 1},
        {"n_top": 2.5},
        {"weighting": (4, 4)},
        {"weighting": (1, 2, 3)},
        {"weighting": np.nan},
        {"weighting": -1.0},
        {"weighting": "x"},
        {"tails": "both"},
    ],
    ids=str,
)
def test_wrong_options_of_similarity_are_refused(nes: pd.DataFrame, options: Any) -> None:
    with pytest.raises(pysces.InputError):
        pysces.viper_similarity(nes, **options)


@pytest.mark.parametrize(
    "options", [{"n_top": 0}, {"weighting": "x"}, {"weighting": np.nan}, {"tails": "less"}], ids=str
)
def test_wrong_options_of_signature_similarity_are_refused(nes: pd.DataFrame, options: Any) -> None:
    with pytest.raises(pysces.InputError):
        pysces.signature_similarity(nes, **options)


@pytest.mark.parametrize("options", [{}, {"weighting": 1.0}, {"n_top": 4}, {"tails": "greater"}])
def test_similarity_of_samples_without_extremes_is_none(nes: pd.DataFrame, options: Any) -> None:
    nes.iloc[2] = 0.0
    nes.iloc[3] = -np.abs(nes.iloc[3])
    found = pysces.viper_similarity(nes, **options).to_numpy()
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found, found.T)
    for table in (nes.iloc[:0], nes.iloc[:, :0], nes * 0.0, nes * 1e90, nes * 1e-200):
        assert np.isfinite(pysces.viper_similarity(table, **options)).all(axis=None)
    with pytest.raises(pysces.InputError, match="infinite"):
        pysces.viper_similarity(nes * np.inf, **options)


def test_more_top_regulators_than_there_are_count_once(nes: pd.DataFrame) -> None:
    right = pysces.viper_similarity(nes, n_top=8)
    pd.testing.assert_frame_equal(pysces.viper_similarity(nes, n_top=1000), right)


@pytest.mark.parametrize(
    ("tails", "signs"),
    [
        ("two-sided", [[0, 1, 0, 1, 1, 1], [1, 0, 0, -1, 1, 1], [-1, -1, 0, -1, 0, 1]]),
        ("greater", [[1, 1, 1, 0, 1, 0], [0, 1, 1, 0, 1, 1], [0, 0, 0, 0, 0, 1]]),
        ("less", [[0, 0, 0, 0, 0, 0], [0, 0, 0, -1, 0, 0], [-1, 0, -1, -1, -1, 0]]),
    ],
)
def test_top_regulators_count_by_their_own_sign(tails: Any, signs: Any) -> None:
    """A tail that reaches beyond the regulators of its sign does not turn the others around."""
    z = np.array(
        [
            [2.1, 2.2, 2.15, 0.3, 3.0, 1.0],
            [0.5, 1.5, 0.6, -1.0, 2.5, 2.4],
            [-5.0, -0.5, -1.0, -4.0, -3.0, 1.0],
        ]
    )
    weights = np.array(signs, dtype=float)
    ranks = z.argsort(axis=1).argsort(axis=1) + 1
    scores = stats.norm.ppf(ranks / 7)
    total = np.maximum(np.abs(weights).sum(axis=1), 1)
    own = np.sqrt((weights**2).sum(axis=1)) / total * (weights * scores).sum(axis=1)
    found = pysces.viper_similarity(pd.DataFrame(z), n_top=4, tails=tails).to_numpy()
    np.testing.assert_allclose(np.diag(found), own, atol=1e-12)


@pytest.mark.parametrize("options", [{}, {"weighting": 0}, {"tails": "one-sided"}, {"n_top": 2}])
def test_signature_similarity_of_odd_tables(nes: pd.DataFrame, options: Any) -> None:
    for table in (nes.iloc[:0], nes.iloc[:1], nes * 0.0, nes.iloc[:, :1], nes > 0):
        assert np.isfinite(pysces.signature_similarity(table, **options)).all(axis=None)
    for scale, more in ((1e90, {"weighting": 9.0}), (1e102, {})):
        with pytest.raises(pysces.InputError, match="too large"):
            pysces.signature_similarity(nes * scale, **{**options, "standardise": False, **more})
    with pytest.raises(pysces.InputError, match="infinite"):
        pysces.signature_similarity(nes * np.inf, **options)


def test_missing_values_count_for_nothing_in_signature_similarity(nes: pd.DataFrame) -> None:
    holed = nes.copy()
    holed.iloc[0, 0] = np.nan
    known = nes.iloc[1:, 0]
    z = (nes - nes.mean()) / nes.std()
    z.iloc[1:, 0] = (known - known.mean()) / known.std()
    z.iloc[0, 0] = 0.0
    right = pysces.signature_similarity(z, standardise=False)
    np.testing.assert_allclose(pysces.signature_similarity(holed), right)
