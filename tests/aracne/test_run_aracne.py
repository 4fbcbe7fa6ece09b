"""run_aracne and its functional core: results, invariances, bad input."""

from __future__ import annotations

import warnings

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import pysces
from pysces import _seeds

N_NULL = 100_000
QUICK = {"n_resamples": 8, "n_null": N_NULL}
# What the defaults were before the copula estimator
EARLIER = {
    "estimator": "adaptive",
    "resampling": "subsample",
    "resample_pvalue": 1e-3,
    "min_support": 0.0,
}
BOTH = pytest.mark.parametrize("rules", [{}, EARLIER], ids=["copula", "earlier"])


def simulated(n_samples: int = 120, n_genes: int = 40, seed: int = 0) -> pd.DataFrame:
    """Regulators R0 ... R4; genes 10-19 follow R0, 20-29 are repressed by R1, others are noise."""
    rng = _seeds.generator(seed, "simulated")
    values = rng.normal(size=(n_samples, n_genes))
    names = [f"R{i}" for i in range(5)] + [f"g{i}" for i in range(5, n_genes)]
    values[:, 10:20] = values[:, [0]] + 0.5 * values[:, 10:20]
    values[:, 20:30] = -values[:, [1]] + 0.5 * values[:, 20:30]
    return pd.DataFrame(values, columns=names)


REGULATORS = [f"R{i}" for i in range(5)]


def as_anndata(data: pd.DataFrame) -> anndata.AnnData:
    adata = anndata.AnnData(data.to_numpy(copy=True), var=pd.DataFrame(index=data.columns))
    adata.obs_names = [f"cell{i}" for i in range(len(data))]
    return adata


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    return simulated()


def edges(network: pysces.Network) -> set[tuple[str, str]]:
    return set(network.to_dataframe()[["source", "target"]].itertuples(index=False, name=None))


@BOTH
def test_finds_what_was_planted(data, rules) -> None:
    network = pysces.infer_network(data, REGULATORS, n_resamples=20, n_null=N_NULL, **rules)
    planted = {("R0", f"g{i}") for i in range(10, 20)} | {("R1", f"g{i}") for i in range(20, 30)}
    assert len(edges(network) & planted) >= 18
    assert len(edges(network) - planted) <= 3
    table = network.to_dataframe().set_index(["source", "target"])
    assert (table.loc["R0", "correlation"] > 0.5).all()
    assert (table.loc["R1", "mor"] < 0).all()
    assert table["support"].between(1, 20).all()
    assert (table["qvalue"] <= 0.05).all()
    assert table["likelihood"].between(0, 1).all()
    assert list(table.columns) == [
        "mi", "correlation", "mor", "likelihood", "support", "pvalue", "qvalue", "rank",
    ]  # fmt: skip


@BOTH
def test_edges_go_by_support_then_by_strength(data, rules, caplog) -> None:
    """The order of all edges is the column rank; without resamples it is that of mi."""
    weak = data + 0.7 * _seeds.generator(8).normal(size=data.shape)
    options = {**QUICK, "min_support": 0.2, "n_resamples": 20, "alpha": 0.3, **rules}
    with caplog.at_level("INFO", logger="pysces"), warnings.catch_warnings():
        warnings.simplefilter("ignore", pysces.PyscesWarning)  # weak edges, on purpose
        network = pysces.infer_network(weak, REGULATORS[::-1], **options)
    table = network.to_dataframe()
    assert f"{len(table)} edges of {len(REGULATORS)} regulators" in caplog.text
    assert len(table) > 10
    assert (table["rank"] <= np.arange(1, len(table) + 1)).all()  # edges that tie share one
    assert table["rank"].is_monotonic_increasing
    assert table["rank"].iloc[0] == 1
    assert table["rank"].nunique() > 10
    assert table["support"].nunique() > 3
    assert (table["support"].diff().dropna() <= 0).all()
    if not rules:  # q-values of the earlier rules go by support, then by MI of all samples
        assert (table["qvalue"].diff().dropna() >= 0).all()
    once = pysces.infer_network(data, REGULATORS, resampling=None, n_null=N_NULL).to_dataframe()
    rows = list(zip(-once["mi"], once["source"], once["target"], strict=True))
    assert rows == sorted(rows)


def test_edges_of_one_support_go_by_their_mean_over_resamples(data) -> None:
    """Of two resamples that are halves, by the mean of the mutual information of both."""
    options = {"n_resamples": 2, "n_null": 20_000, "dpi": False, "alpha": 1.0, "min_support": 1.0}
    table = pysces.infer_network(data, REGULATORS, **options).to_dataframe()
    assert len(table) > 15
    assert (table["support"] == 2).all()
    from pysces.aracne._copula import Scores
    from pysces.aracne._resampling import Resampling
    from pysces.data._expression import Expression
    from pysces.dispatch import operations as ops

    expression = Expression.from_matrix(data)
    scores = Scores.of(expression, None, None, 2).values
    mean = np.zeros((40, 40))
    for half in (0, 1):
        own = np.ascontiguousarray(scores[:, :, Resampling("halves", 120, 0).indices(half)])
        mean += ops.copula_mi(own, own, 2) / 2
    places = [expression.genes.get_indexer(table[end].astype(str)) for end in ("source", "target")]
    assert (np.diff(mean[tuple(places)]) <= 1).all()


def test_correlation_is_spearmans(data) -> None:
    from scipy.stats import spearmanr

    rounded = data.round(0)  # many ties
    network = pysces.infer_network(rounded, REGULATORS, resampling=None, n_null=N_NULL)
    for row in network.to_dataframe().itertuples():
        wanted = spearmanr(rounded[row.source], rounded[row.target]).statistic
        assert np.isclose(row.correlation, wanted, atol=1e-12)


def test_mi_is_that_of_all_samples(data) -> None:
    network = pysces.infer_network(data, REGULATORS, **QUICK).to_dataframe()
    mi = pysces.mutual_information(data, REGULATORS)
    assert np.allclose(
        network["mi"], [mi.loc[s, t] for s, t in zip(network.source, network.target, strict=True)]
    )


@pytest.mark.parametrize("resampling", ["halves", "subsample", "bootstrap", None])
@pytest.mark.parametrize("estimator", ["copula", "adaptive", "adaptive-dyadic", "binned"])
def test_order_of_genes_and_samples_changes_nothing(data, estimator, resampling) -> None:
    rounded = data.round(1)  # with ties: they're broken by name, not by place
    rounded.index = [f"cell{i}" for i in range(len(rounded))]
    shuffled = rounded[rounded.columns[_seeds.generator(1).permutation(rounded.shape[1])]]
    shuffled = shuffled.iloc[_seeds.generator(2).permutation(len(rounded))]
    options = {"estimator": estimator, "resampling": resampling, **QUICK}
    if estimator == "binned":
        options["n_bins"] = 5
    one = pysces.infer_network(rounded, REGULATORS, **options)
    two = pysces.infer_network(shuffled, REGULATORS[::-1], **options)
    pd.testing.assert_frame_equal(one.to_dataframe(), two.to_dataframe(), check_exact=True)
    assert len(one) > 10


@BOTH
def test_engines_threads_and_blocks_change_nothing(data, monkeypatch, rules) -> None:
    small = data.iloc[:60, :24]
    options = {"n_resamples": 4, "n_null": 2_000, **rules}
    found = {}
    for row in pysces.status().engines:
        if row.available:
            found[row.engine] = pysces.infer_network(
                small, REGULATORS, engine=row.engine, **options
            )
    if "numba" in found:
        monkeypatch.setattr(pysces.settings, "_threads", 1)
        found["one thread"] = pysces.infer_network(small, REGULATORS, engine="numba", **options)
        monkeypatch.setattr(pysces.settings, "_threads", None)
    monkeypatch.setattr(pysces.settings, "_memory", 60_000)
    found["small blocks"] = pysces.infer_network(small, REGULATORS, **options)
    first, *others = found.values()
    assert len(first) > 3
    for other in others:
        pd.testing.assert_frame_equal(first.to_dataframe(), other.to_dataframe(), check_exact=True)


def test_kinds_of_input_change_nothing(data, tmp_path) -> None:
    counts = data.round(0).clip(lower=0)
    counts.index = counts.index.astype(str)  # samples go by name, and an array numbers them
    wanted = pysces.infer_network(counts, REGULATORS, **QUICK).to_dataframe()
    names = list(counts.columns)
    adata = as_anndata(counts)
    path = tmp_path / "counts.h5ad"
    adata.write_h5ad(path)
    backed = anndata.read_h5ad(path, backed="r")
    kinds = [
        (counts.to_numpy(), names),
        (np.asfortranarray(counts.to_numpy(np.float32)), names),
        (counts.to_numpy().astype(int), names),
        (sparse.csr_matrix(counts.to_numpy()), names),
        (sparse.csc_array(counts.to_numpy()), names),
    ]
    for matrix, genes in kinds:
        network = pysces.infer_network(matrix, REGULATORS, genes=genes, **QUICK)
        pd.testing.assert_frame_equal(network.to_dataframe(), wanted, check_exact=True)
    view = anndata.concat([adata, adata], index_unique="-")[: len(counts)]
    for source in (adata, backed, view):
        result = source.to_memory().copy() if source is backed else source.copy()
        result.obs_names = counts.index
        pysces.run_aracne(result, REGULATORS, **QUICK)
        table = result.uns["aracne"]["network"].reset_index(drop=True)
        pd.testing.assert_frame_equal(table, wanted, check_exact=True)


def test_seed_matters(data) -> None:
    weak = data + _seeds.generator(8).normal(size=data.shape)
    options = {**QUICK, "alpha": 1.0, "min_support": 0.2}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pysces.PyscesWarning)  # weak edges, on purpose
        networks = [pysces.infer_network(weak, REGULATORS, seed=s, **options) for s in (0, 1)]
    one, two = (n.to_dataframe().set_index(["source", "target"])["support"] for n in networks)
    assert len(one) > 5
    assert one.to_dict() != two.to_dict()


def test_run_writes_only_its_key(data) -> None:
    adata = as_anndata(data)
    before = adata.X.copy()
    assert pysces.run_aracne(adata, REGULATORS, key_added="first", **QUICK) is None
    assert set(adata.uns) == {"first"}
    copy = pysces.run_aracne(adata, REGULATORS, key_added="second", copy=True, **QUICK)
    assert set(adata.uns) == {"first"}
    assert set(copy.uns) == {"first", "second"}
    assert np.array_equal(adata.X, before)
    params = adata.uns["first"]["params"]
    assert adata.uns["first"]["engine"]["name"] in ("mlx", "numba", "python")
    assert params["n_resamples"] == 8
    assert params["seed"] == 0
    assert adata.uns["first"]["version"] == pysces.__version__


@pytest.mark.filterwarnings("ignore:Writing zarr v2:UserWarning")  # anndata's own, of its default
@pytest.mark.parametrize("suffix", ["h5ad", "zarr"])
def test_result_survives_the_disk(data, tmp_path, suffix) -> None:
    adata = as_anndata(data)
    pysces.run_aracne(adata, REGULATORS, **QUICK)
    path = tmp_path / f"result.{suffix}"
    if suffix == "h5ad":
        adata.write_h5ad(path)
        back = anndata.read_h5ad(path)
    else:
        pytest.importorskip("zarr", reason="zarr is not installed")
        adata.write_zarr(path)
        back = anndata.read_zarr(path)
    pd.testing.assert_frame_equal(back.uns["aracne"]["network"], adata.uns["aracne"]["network"])
    assert back.uns["aracne"]["params"]["alpha"] == 0.05


def test_layer_and_mask(data) -> None:
    adata = as_anndata(data)
    adata.layers["noise"] = _seeds.generator(2).normal(size=adata.shape)
    with pytest.warns(pysces.PyscesWarning, match="No edge"):
        pysces.run_aracne(
            adata, REGULATORS, layer="noise", resampling=None, n_null=N_NULL, alpha=1e-6
        )
    adata.var["used"] = [not name.startswith("g2") for name in adata.var_names]
    pysces.run_aracne(adata, REGULATORS, mask_var="used", **QUICK)
    assert not any(t.startswith("g2") for t in adata.uns["aracne"]["network"]["target"])


def test_empty_network_says_why(data) -> None:
    noise = pd.DataFrame(_seeds.generator(3).normal(size=(50, 8)), columns=list("ABCDEFGH"))
    with pytest.warns(pysces.PyscesWarning, match=r"50 samples.*threshold.*largest value"):
        network = pysces.infer_network(noise, ["A"], resampling=None, alpha=1e-4, n_null=N_NULL)
    assert len(network) == 0


def test_regulators_out_of_use_are_told_apart(data, caplog) -> None:
    """A regulator that is constant or masked out isn't misspelt."""
    table, names = data.copy(), list(data.columns)
    table[names[0]] = 1.0
    with pytest.raises(pysces.InputError, match="All 1 regulators are constant"):
        pysces.infer_network(table, names[:1], **QUICK)
    with pytest.warns(pysces.PyscesWarning) as caught:
        pysces.infer_network(table, [*names[:2], "unknown"], resampling=None, n_null=10_000)
    assert "1 of 3 regulators (as passed) are not among the genes" in str(caught[0].message)
    assert "1 of them regulators" in caplog.text
    adata = as_anndata(table)
    mask = np.ones(len(names), dtype=bool)
    mask[1] = False
    with pytest.raises(pysces.InputError, match="excluded by mask_var="):
        pysces.run_aracne(adata, names[1:2], mask_var=mask, **QUICK)
    with pytest.raises(pysces.InputError, match="Only one gene varies"):
        pysces.infer_network(table[names[:2]], names[1:2], resampling=None)


def test_constant_genes_are_dropped_and_reported(data, caplog) -> None:
    constant = data.copy()
    constant["g39"] = 7.0
    constant["R4"] = 0.0
    network = pysces.infer_network(constant, REGULATORS[:4], **QUICK)
    assert "2 of 40 genes are constant" in caplog.text
    assert network.record.facts["n_constant_genes"] == 2


def test_dpi_removes_the_indirect_edge() -> None:
    rng = _seeds.generator(4)
    a = rng.normal(size=400)
    b = a + 0.4 * rng.normal(size=400)
    c = b + 0.4 * rng.normal(size=400)
    data = pd.DataFrame({"A": a, "B": b, "C": c})
    options = {"resampling": None, "n_null": N_NULL}
    kept = edges(pysces.infer_network(data, ["A", "B"], **options))
    assert kept == {("A", "B"), ("B", "A"), ("B", "C")}
    every = edges(pysces.infer_network(data, ["A", "B"], dpi=False, **options))
    assert every == kept | {("A", "C")}


def test_noise_keeps_the_promise_of_benjamini_hochberg(fast) -> None:
    """200 samples, 400 genes, 100 regulators, 20 runs: an edge in at most about 5 % of them."""
    names = [f"g{i}" for i in range(400)]
    counts = []
    for seed in range(20):
        noise = pd.DataFrame(_seeds.generator(seed, "noise").normal(size=(200, 400)), columns=names)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", pysces.PyscesWarning)  # an empty network says so
            network = pysces.infer_network(noise, names[:100], resampling=None, dpi=False)
        table = network.to_dataframe()
        both = [frozenset(pair) for pair in zip(table.source, table.target, strict=True)]
        counts.append(len(set(both)))
    runs_with_any = np.count_nonzero(counts)
    assert runs_with_any <= 1 + 3  # 20 x 5 % = 1, plus three standard errors
    assert np.mean(counts) <= 0.5


# --- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"regulators": ["nobody"]}, "None of"),
        ({"layer": "nothing"}, r"layers\['nothing'\]"),
        ({"mask_var": "nothing"}, "nothing"),
        ({"alpha": 0.0}, r"'alpha'.*\(0, 1\]"),
        ({"alpha": 1.5}, "'alpha'"),
        ({"alpha": "small"}, "'alpha'"),
        ({"estimator": "kernel"}, "'estimator'"),
        ({"estimator": "binned", "n_bins": 1}, "'n_bins'"),
        ({"estimator": "binned", "n_bins": 2.5}, "'n_bins'"),
        ({"n_bins": 5}, "require estimator='binned'"),
        ({"degree": 3}, "'degree'"),
        ({"degree": True}, "'degree'"),
        ({"degree": 1, "estimator": "adaptive"}, "require estimator='copula'"),
        ({"counts": "yes"}, "'counts'"),
        ({"counts": True}, "counts=True, but the values are not integers"),
        ({"counts": True, "estimator": "binned"}, "require estimator='copula'"),
        ({"min_cells": -1}, "'min_cells'"),
        ({"min_support": 1.1}, "'min_support'"),
        ({"min_support": -0.1}, "'min_support'"),
        ({"resample_pvalue": "small"}, "'resample_pvalue'"),
        ({"resample_pvalue": 0}, "'resample_pvalue'"),
        ({"size_factors": "nothing"}, r"obs\['nothing'\]"),
        ({"size_factors": [1.0, 2.0]}, "one number for each of 120 samples"),
        ({"size_factors": [-1.0] * 120}, "not negative"),
        ({"batch_key": "nothing"}, r"obs\['nothing'\]"),
        ({"batch_key": ["a"] * 7}, "7 labels for 120 samples"),
        ({"batch_key": [None] + ["a"] * 119}, "no label"),
        ({"batch_key": ["a"] * 120, "estimator": "adaptive"}, "require estimator='copula'"),
        ({"resampling": "jackknife"}, "'resampling'"),
        ({"n_resamples": 0}, "'n_resamples'"),
        ({"correction": "holm"}, "'correction'"),
        ({"consensus": "vote"}, "'consensus'"),
        ({"dpi": "hard"}, "'dpi'"),
        ({"dpi_tolerance": 1.0}, "'dpi_tolerance'"),
        ({"seed": -1}, "'seed'"),
        ({"key_added": "a/b"}, "/"),
        ({"engine": "cuda"}, "engine"),
    ],
)
def test_bad_arguments(data, arguments, message) -> None:
    adata = as_anndata(data)
    arguments = {"regulators": REGULATORS, "n_null": 1000, **arguments}
    with pytest.raises((pysces.PyscesError, ValueError), match=message):
        pysces.run_aracne(adata, **arguments)
    assert not adata.uns


def _one_sample(adata):
    return adata[:1].copy()


def _nan(adata):
    adata.X[3, 4] = np.nan


def _infinite(adata):
    adata.X[3, 4] = np.inf


def _constant(adata):
    adata.X[:] = 1.0


def _same_names(adata):
    adata.var_names = ["R0", "R0", *adata.var_names[2:]]


def _text(adata):
    return anndata.AnnData(adata.X.astype(str).astype(object), var=adata.var, obs=adata.obs)


@pytest.mark.filterwarnings("ignore:.*not unique:UserWarning")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_one_sample, "sample"),
        (_nan, "NaN"),
        (_infinite, "inf"),
        (_constant, "constant"),
        (_same_names, "R0"),
        (_text, "number|text|string|object"),
    ],
)
def test_bad_data(data, change, message) -> None:
    adata = as_anndata(data)
    adata = change(adata) if change in (_one_sample, _text) else (change(adata), adata)[1]
    with pytest.raises(pysces.InputError, match=message):
        pysces.run_aracne(adata, REGULATORS, **QUICK)
    assert not adata.uns


def test_no_regulators_known() -> None:
    noise = as_anndata(simulated().rename(columns=lambda name: f"x_{name}"))
    with pytest.raises(pysces.InputError, match="regulators"):
        pysces.run_aracne(noise)


def test_absent_engine_is_named(data, monkeypatch) -> None:
    from pysces.dispatch import engines

    monkeypatch.setattr(engines, "probe", lambda name: "ImportError: planted")
    with pytest.raises(pysces.EngineUnavailable, match=r"planted.*pip install"):
        pysces.run_aracne(as_anndata(data), REGULATORS, engine="mlx", n_null=1000)


# --- mutual_information and prune_dpi -----------------------------------------------------------


def test_mutual_information_frame(data) -> None:
    mi = pysces.mutual_information(data, REGULATORS)
    assert mi.shape == (5, 40)
    assert np.isnan(mi.loc["R2", "R2"])
    assert mi.loc["R0", "R1"] == mi.loc["R1", "R0"]
    assert mi.loc["R0", "g10"] > 5 * mi.loc["R0", "g35"]


def test_binned_mi_is_that_of_a_contingency_table(data) -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    mi = pysces.mutual_information(data, ["R0"], estimator="binned", n_bins=10)
    bins = (data.rank() - 1) // 12
    wanted = metrics.mutual_info_score(bins["R0"], bins["g12"])
    assert np.isclose(mi.loc["R0", "g12"], wanted, atol=1e-10)


def test_prune_dpi_keeps_the_rest() -> None:
    mi = pd.DataFrame(
        [[0.0, 0.9, 0.3, 0.0], [0.9, 0.0, 0.8, 0.5]], index=["A", "B"], columns=["A", "B", "G", "H"]
    )
    pruned = pysces.prune_dpi(mi)
    assert pruned.loc["A", "G"] == 0
    assert pruned.sum().sum() == pytest.approx(mi.sum().sum() - 0.3)
    assert pysces.prune_dpi(mi, tolerance=0.7).equals(mi)


def test_prune_dpi_takes_what_mutual_information_gives() -> None:
    """Rounding, and the correction of Miller and Madow, make some values negative."""
    rng = np.random.default_rng(0)
    data = pd.DataFrame(rng.normal(size=(120, 6)), columns=list("ABCDEF"))
    mi = pysces.mutual_information(
        data, ["A", "B"], estimator="binned", n_bins=3, miller_madow=True
    )
    assert (mi < 0).any().any()
    kept = pysces.prune_dpi(mi)
    assert (kept >= 0).all().all()
    assert kept.sum().sum() > 0
    mi.iloc[0, 3] = np.inf
    with pytest.raises(pysces.InputError, match="must be finite"):
        pysces.prune_dpi(mi)


@pytest.mark.parametrize("tolerance", [0.0, 0.1, 0.2, 0.3, 0.7])
@pytest.mark.parametrize("scale", [1.0, 1e-300])
def test_an_edge_at_the_limit_stays(tolerance: float, scale: float) -> None:
    at_limit = 1.0 - tolerance
    for value, stays in ((at_limit, True), (at_limit * 0.9999, False)):
        matrix = np.array([[0.0, 1.0, value], [1.0, 0.0, 1.0]]) * scale
        mi = pd.DataFrame(matrix, index=["A", "B"], columns=["A", "B", "G"])
        kept = pysces.prune_dpi(mi, tolerance=tolerance)
        assert (kept.loc["A", "G"] > 0) == stays


def test_prune_dpi_keeps_weak_edges_beside_strong_ones() -> None:
    mi = pd.DataFrame([[0.0, 1.0, 1e-25]], index=["A"], columns=["A", "B", "C"])
    assert pysces.prune_dpi(mi).equals(mi)


def test_prune_dpi_needs_regulators_among_genes() -> None:
    mi = pd.DataFrame([[0.1]], index=["A"], columns=["G"])
    with pytest.raises(pysces.InputError, match="among the genes"):
        pysces.prune_dpi(mi)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"consensus": "poisson", "n_resamples": 2, "alpha": 1e-12}, "More resamples may help"),
        ({"n_decoys": 1, "n_resamples": 4}, r"too few for 1 decoys: .* More decoys"),
        ({"alpha": 1e-9, "n_resamples": 4}, r"too few for 200 decoys"),
        ({"resampling": None, "alpha": 1e-300}, "fewer genes or a larger alpha"),
    ],
)
def test_why_a_network_is_empty(data, options, reason) -> None:
    with pytest.warns(pysces.PyscesWarning, match=reason):
        network = pysces.infer_network(data, REGULATORS, n_null=N_NULL, **options)
    assert len(network) == 0
