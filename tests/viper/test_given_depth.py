"""Activities given depth: depth alone makes none, signal stays, and a cell depends on itself."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy import stats

import pysces
from pysces.cli import main
from pysces.data._depth import count_data
from pysces.data._margins import score_variance, variance_by_sum
from pysces.errors import PyscesWarning
from pysces.viper._score_table import (
    MOST,
    PLACE_BITS,
    VALUE_BITS,
    mean_places,
    score_table,
    size_places,
)
from pysces.viper._signatures import LIMIT
from pysces.viper._statistics import group_z, permutation_orders, permuted_group_z

N_CELLS, N_GENES = 400, 1100
GENES = [f"G{i:04d}" for i in range(N_GENES)]
METHODS: dict[str, dict[str, Any]] = {
    "score": {},
    "area": {"enrichment": "area", "n_draws": 3},
    "narnea": {"enrichment": "narnea", "n_draws": 3},
    "mean": {"enrichment": "mean", "n_draws": 3},
    "gsea": {"enrichment": "gsea", "n_draws": 2, "n_permutations": 50},
}


def cells_of(counts: np.ndarray) -> ad.AnnData:
    adata = ad.AnnData(counts.astype(np.float32))
    adata.var_names = GENES[: counts.shape[1]]
    adata.obs_names = [f"cell{i:04d}" for i in range(len(counts))]
    return adata


def depth_alone(seed: int, size: float | None = None) -> ad.AnnData:
    """Two groups of cells that differ in depth by a factor of two, and in nothing else."""
    rng = np.random.default_rng(seed)
    share = rng.dirichlet(np.exp(rng.normal(0, 1.5, N_GENES)))
    half = np.arange(N_CELLS) < N_CELLS // 2
    depth = np.exp(rng.normal(8, 0.5, N_CELLS)) * np.where(half, 0.5, 1)
    mean = depth[:, None] * share
    if size is not None:
        mean = mean * rng.gamma(size, 1 / size, mean.shape)
    adata = cells_of(rng.poisson(mean))
    adata.obs["half"] = np.where(half, "shallow", "deep")
    return adata


def random_network(
    seed: int, regulators: int = 60, targets: int = 40, among: list[str] = GENES
) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "source": np.repeat([f"R{i:02d}" for i in range(regulators)], targets),
            "target": np.concatenate(
                [rng.choice(among, targets, replace=False) for _ in range(regulators)]
            ),
            "mor": np.where(rng.random(regulators * targets) < 0.7, 1.0, -0.6),
            "likelihood": rng.uniform(0.3, 1, regulators * targets),
        }
    )


def of_one_level(adata: ad.AnnData, seed: int) -> pd.DataFrame:
    """A network whose targets are all expressed alike and activated."""
    mean = np.asarray(adata.X).mean(axis=0)
    among = [GENES[i] for i in np.argsort(mean)[600:850]]
    return random_network(seed, among=among).assign(mor=1.0)


def normalised(adata: ad.AnnData) -> ad.AnnData:
    other = adata.copy()
    counts = np.asarray(adata.X, dtype=np.float64)
    other.X = np.log1p(counts / counts.sum(axis=1, keepdims=True) * 1e4).astype(np.float32)
    return other


def differing(adata: ad.AnnData, key: str = "viper") -> float:
    """Share of regulators whose activity differs between the halves at p < 0.05."""
    z = adata.obsm[key].to_numpy()
    half = (adata.obs["half"] == "shallow").to_numpy()
    return float((stats.ttest_ind(z[half], z[~half]).pvalue < 0.05).mean())


# --- depth alone ----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [None, 0.7])
@pytest.mark.parametrize("method", METHODS)
def test_depth_alone_makes_no_activity(method: str, size: float | None) -> None:
    shares = []
    for seed in (0, 1):
        adata = depth_alone(seed, size)
        pysces.run_viper(adata, random_network(seed), signature="counts", **METHODS[method])
        shares.append(differing(adata))
        spread = adata.obsm["viper"].to_numpy().std(axis=0).mean()
        if method in ("score", "area", "narnea"):
            assert spread < 1.06
        if method == "score":
            assert spread > 0.94
    assert np.mean(shares) <= 0.1
    if method == "score" and size is None:
        log = normalised(depth_alone(0, size))
        pysces.run_viper(log, random_network(0), signature="zscore", enrichment="area")
        assert differing(log) > 0.2


@pytest.mark.parametrize("n_permutations", [0, 200])
def test_depth_alone_makes_no_master_regulators(n_permutations: int) -> None:
    found, naive = [], []
    for seed in (2, 3):
        adata = depth_alone(seed)
        network = of_one_level(adata, seed)
        for data, counts, shares in ((adata, "auto", found), (normalised(adata), False, naive)):
            pysces.run_msviper(
                data, "half", "shallow", network=network, counts=counts,
                n_permutations=n_permutations, filter_genes=False,
            )  # fmt: skip
            shares.append((data.uns["msviper"]["results"]["pvalue"] < 0.05).mean())
    assert np.mean(found) <= 0.1
    assert np.mean(naive) > 0.3


def test_master_regulators_of_counts_come_from_the_test_of_welch() -> None:
    adata = depth_alone(3)
    pysces.run_msviper(adata, "half", "shallow", network=random_network(3), n_permutations=0)
    table = adata.uns["msviper"]["signature"].set_index("gene")["z"].dropna()
    data = count_data(adata)
    assert data is not None
    h1 = pd.DataFrame(data.fit().scores(np.asarray(adata.X, float).T)[0].T, columns=GENES)
    half = (adata.obs["half"] == "shallow").to_numpy()
    welch = stats.ttest_ind(h1[half], h1[~half], equal_var=False)
    z = pd.Series(np.sign(welch.statistic) * -stats.norm.ppf(welch.pvalue / 2), index=GENES)
    np.testing.assert_allclose(table, z[table.index], rtol=1e-6, atol=1e-9)
    x, y = h1[half].to_numpy()[:, :300], h1[~half].to_numpy()[:, :300]
    varying = (x.std(axis=0) > 0) & (y.std(axis=0) > 0)
    x, y = x[:, varying], y[:, varying]
    orders = permutation_orders(len(x), len(y), range(2), 0)
    both = np.concatenate([x, y])
    drawn = permuted_group_z(x, y, orders, welch=True)
    for order, found in zip(orders, drawn, strict=True):
        first, second = both[order[: len(x)]], both[order[len(x) :]]
        np.testing.assert_allclose(found, group_z(first, second, welch=True), atol=1e-8)


def test_depth_alone_ranks_no_regulator() -> None:
    adata = depth_alone(4)
    pysces.run_viper(adata, random_network(4))
    pysces.rank_regulators(adata, "half")
    ranked = pysces.ranking(adata, "shallow")
    assert (ranked["pvalue"] < 0.05).mean() <= 0.1
    assert (ranked["qvalue"] < 0.05).sum() == 0


def test_signal_is_kept() -> None:
    rng = np.random.default_rng(5)
    adata = depth_alone(5)
    counts = np.asarray(adata.X).copy()
    active = rng.random(N_CELLS) < 0.5
    network = random_network(5)
    targets = network.loc[network["source"] == "R03"]
    for gene, mode in zip(targets["target"], targets["mor"], strict=True):
        column = GENES.index(gene)
        factor = 1.25 if mode > 0 else 0.8
        counts[active, column] = rng.poisson(counts[active, column] * factor)
    planted = cells_of(counts)
    pysces.run_viper(planted, network)
    log = normalised(planted)
    pysces.run_viper(log, network, signature="zscore", enrichment="area")
    # Share of pairs of an active and another cell in the right order: the area under the ROC curve
    area = [
        float(
            stats.mannwhitneyu(z[active], z[~active]).statistic / (active.sum() * (~active).sum())
        )
        for z in (x.obsm["viper"]["R03"].to_numpy() for x in (planted, log))
    ]
    assert area[0] > 0.7
    assert area[0] > area[1] - 0.01


# --- the score ------------------------------------------------------------------------------------


@pytest.mark.parametrize("deeper", [1, 50])
def test_the_score_is_the_sum_over_its_standard_deviation(deeper: int) -> None:
    adata = depth_alone(6, 1.0)
    adata.X = np.random.default_rng(6).poisson(np.asarray(adata.X) * deeper).astype(np.float32)
    network = random_network(6, 4)
    pysces.run_viper(adata, network)
    data = count_data(adata)
    assert data is not None
    model = data.fit().at(data.depth, data.batch, limit=LIMIT)
    h1, _ = model.scores(np.asarray(adata.X, float).T)
    for cell in (0, 17, 399):
        mean = model.share[0] * model.depth[cell]
        v = np.array(
            [variance_by_sum(m, s) if m else 0 for m, s in zip(mean, model.size, strict=True)]
        )
        for regulator, edges in network.groupby("source"):
            w = np.zeros(N_GENES)
            w[[GENES.index(g) for g in edges["target"]]] = edges["mor"] * edges["likelihood"]
            h = h1[:, cell] - h1[:, cell].sum() / v.sum() * v
            wanted = w @ h / np.sqrt(w**2 @ v - (w @ v) ** 2 / v.sum())
            found = adata.obsm["viper"].loc[f"cell{cell:04d}", regulator]
            assert found == pytest.approx(wanted, abs=0.005)


@pytest.mark.parametrize("deeper", [0.2, 1, 50])
@pytest.mark.parametrize("batch_key", [None, "half"])
def test_interpolation_changes_the_score_by_less_than_1e_4(
    deeper: float, batch_key: str | None
) -> None:
    adata = depth_alone(6, 1.0)
    adata.X = np.random.default_rng(6).poisson(np.asarray(adata.X) * deeper).astype(np.float32)
    network = random_network(6, 20)
    pysces.run_viper(adata, network, batch_key=batch_key)
    data = count_data(adata, batch_key=batch_key)
    assert data is not None
    model = data.fit().at(data.depth, data.batch, limit=LIMIT)
    h1, _ = model.scores(np.asarray(adata.X, float).T)
    v = score_variance(model.means(), model.size[:, None])
    h = h1 - h1.sum(axis=0) / v.sum(axis=0) * v
    for regulator, edges in network.groupby("source"):
        w = np.zeros(N_GENES)
        w[[GENES.index(g) for g in edges["target"]]] = edges["mor"] * edges["likelihood"]
        wanted = w @ h / np.sqrt(w**2 @ v - (w @ v) ** 2 / v.sum(axis=0))
        np.testing.assert_allclose(adata.obsm["viper"][regulator], wanted, rtol=0, atol=1e-4)


def _value(table: np.ndarray, count: int, mean: np.ndarray, size: np.ndarray) -> np.ndarray:
    place, s = mean_places(mean), size_places(size)
    c = table[s >> PLACE_BITS, place >> PLACE_BITS, count].astype(float).reshape(-1, 4, 4)
    t, u = ((x & (2**PLACE_BITS - 1)) / 2.0**PLACE_BITS - 0.5 for x in (place, s))
    value = np.einsum("nij,ni,nj->n", c, t[:, None] ** np.arange(4), u[:, None] ** np.arange(4))
    return value / 2.0**VALUE_BITS


@pytest.mark.parametrize("count", [0, 1, 2, 5, 20, MOST])
def test_the_table_holds_the_scores_of_counts(count: int) -> None:
    rng = np.random.default_rng(count)
    mean = np.exp(np.append(rng.uniform(-17.9, 8, 3000), rng.normal(np.log(count + 0.5), 1, 3000)))
    size = np.exp(rng.uniform(np.log(0.01), np.log(1000), 6000))
    size[::5] = np.inf
    below, upto = (
        np.where(np.isinf(size), stats.poisson.cdf(y, mean), stats.nbinom.cdf(y, n, p))
        for n in [np.where(np.isinf(size), 1.0, size)]
        for p in [n / (n + mean)]
        for y in (count - 1, count)
    )
    z_below, z_upto = stats.norm.ppf(below), stats.norm.ppf(upto)
    with np.errstate(invalid="ignore", divide="ignore"):
        h1 = (stats.norm.pdf(z_below) - stats.norm.pdf(z_upto)) / (upto - below)
    certain = (np.abs(h1) < LIMIT) & (upto > 1e-9) & (below < 1 - 1e-4) & (upto - below > 1e-9)
    assert certain.sum() > 500
    table = score_table(count)
    found = _value(table, count, mean, size)
    plain = table[size_places(size) >> PLACE_BITS, mean_places(mean) >> PLACE_BITS, count, 15] & 1
    assert plain.any() == (count > 0)
    found += np.where(plain, _value(table, 0, mean, size), 0.0)
    np.testing.assert_allclose(found[certain], h1[certain], rtol=0, atol=3e-5)


def test_sparse_and_dense_counts_have_the_same_score() -> None:
    adata, network = depth_alone(10), random_network(10)
    for scale, name in ((1, "small"), (40, "large")):
        adata.X = np.asarray(adata.X) * np.float32(scale)  # most counts of the latter: beyond MOST
        pysces.run_viper(adata, network, key_added=name)
        for storage in (sp.csr_matrix, sp.csc_matrix):
            other = adata.copy()
            other.X = storage(adata.X)
            pysces.run_viper(other, network)
            np.testing.assert_array_equal(other.obsm["viper"], adata.obsm[name])


def test_a_depth_that_is_off_by_a_factor_changes_little() -> None:
    adata, network = depth_alone(6), random_network(6)
    adata.obs["right"] = np.asarray(adata.X).sum(axis=1)
    rng = np.random.default_rng(0)
    adata.obs["wrong"] = adata.obs["right"] * np.exp(rng.normal(0, 0.2, N_CELLS))
    for name in ("right", "wrong"):
        pysces.run_viper(adata, network, size_factors=name, key_added=name)
    right, wrong = (adata.obsm[name].to_numpy().T for name in ("right", "wrong"))
    r = [np.corrcoef(a, b)[0, 1] for a, b in zip(right, wrong, strict=True)]
    assert min(r) > 0.9
    assert np.median(r) > 0.98


def test_a_cell_depends_on_the_reference_and_itself_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    adata, network = depth_alone(7), random_network(7)
    deep = {"reference": "deep", "groupby": "half"}
    for method, options in METHODS.items():
        options = {"signature": "counts", **options}
        pysces.run_viper(adata, network, **deep, **options)
        few = adata[np.r_[3, 50, 200:400]].copy()
        few = few[::-1, np.random.default_rng(0).permutation(N_GENES)].copy()
        few.obs["total_counts"] = np.asarray(few.X).sum(axis=1)
        with monkeypatch.context() as patch:
            for name in ("cells_of_block", "cells_of_score"):
                patch.setattr(f"pysces.viper._depth_scores.{name}", lambda *_: 7)
            pysces.run_viper(few, network, **deep, **options)
        whole = adata.obsm["viper"].loc[few.obs_names, few.obsm["viper"].columns]
        np.testing.assert_allclose(few.obsm["viper"], whole, rtol=0, atol=1e-9, err_msg=method)


@pytest.mark.parametrize("engine", ["python", "numba", "mlx"])
def test_engines_agree(engine: str) -> None:
    if not any(row.engine == engine and row.available for row in pysces.status().engines):
        pytest.skip(f"engine {engine} is not here")
    adata, network = depth_alone(8)[:50].copy(), random_network(8)
    pysces.run_viper(adata, network, engine="python", key_added="right")
    pysces.run_viper(adata, network, engine=engine)
    np.testing.assert_array_equal(adata.obsm["viper"], adata.obsm["right"])


def test_recovered_counts_give_the_same_activities(caplog: pytest.LogCaptureFixture) -> None:
    adata, network = depth_alone(9), random_network(9)
    log = normalised(adata)
    pysces.run_viper(adata, network)
    with caplog.at_level(logging.INFO, "pysces"):
        pysces.run_viper(log, network)
    np.testing.assert_allclose(log.obsm["viper"], adata.obsm["viper"], atol=1e-3)
    assert "counts were recovered (exactly)" in caplog.text
    params = log.uns["viper"]["facts"]
    assert (params["signature"], params["enrichment"]) == ("counts", "score")
    assert params["counts"] == {
        "recovered": True,
        "depth": "unit of the recovered counts",
        "batches": 1,
    }
    assert adata.uns["viper"]["facts"]["counts"]["depth"] == "sum over the genes"


def test_the_record_survives_a_file(tmp_path: Path) -> None:
    adata, network = depth_alone(9)[:40].copy(), random_network(9)
    pysces.run_viper(adata, network, signature="counts", enrichment="area", n_draws=2)
    pysces.compute_signature(adata)
    adata.write_h5ad(tmp_path / "x.h5ad")
    back = ad.read_h5ad(tmp_path / "x.h5ad")
    assert back.uns["viper"]["facts"]["counts"]["depth"] == "sum over the genes"
    np.testing.assert_array_equal(back.obsm["viper_sd"], adata.obsm["viper_sd"])


def test_empty_cells_and_silent_genes() -> None:
    adata, network = depth_alone(10), random_network(10, 3)
    values = np.asarray(adata.X).copy()
    values[5] = 0
    silent = network.loc[network["source"] == "R01", "target"].iloc[:35]
    values[:, [GENES.index(g) for g in silent]] = 0
    adata = cells_of(values)
    for method, options in METHODS.items():
        pysces.run_viper(adata, network, signature="counts", **options)
        z = adata.obsm["viper"]
        assert list(z.columns) == ["R00", "R02"], method  # 5 of the targets of R01 vary
        assert z.iloc[5].isna().all()
        assert z.drop(index="cell0005").notna().all(axis=None)


def test_batches_have_levels_of_their_own() -> None:
    rng = np.random.default_rng(11)
    adata, network = depth_alone(11), random_network(11)
    batch = np.arange(N_CELLS) % 2
    level = np.exp(rng.normal(0, 0.7, N_GENES) * batch[:, None])
    adata.X = rng.poisson(np.asarray(adata.X) * level).astype(np.float32)
    adata.obs["run"] = batch.astype(str)
    adata.obs["half"] = np.where(batch, "shallow", "deep")
    pysces.run_viper(adata, network, key_added="pooled")
    pysces.run_viper(adata, network, batch_key="run")
    assert differing(adata, "pooled") > 0.5
    assert differing(adata) <= 0.1
    assert adata.uns["viper"]["params"]["batch_key"] == "run"
    with pytest.raises(pysces.InputError, match="cells of both groups"):
        pysces.run_msviper(adata, "half", "deep", network=network, batch_key="run")
    with pytest.raises(pysces.InputError, match="no cell in the reference"):
        pysces.run_viper(adata, network, batch_key="run", reference=batch == 0)


# --- what is chosen -------------------------------------------------------------------------------


def params_of(adata: ad.AnnData, **options: Any) -> tuple[str, str]:
    pysces.run_viper(adata, random_network(12, 3), **options)
    facts = adata.uns["viper"]["facts"]
    return facts["signature"], facts["enrichment"]


def test_auto_chooses_by_the_data(caplog: pytest.LogCaptureFixture) -> None:
    adata = depth_alone(12)
    continuous = adata.copy()
    continuous.X = np.random.default_rng(0).normal(size=adata.shape)
    assert params_of(adata) == ("counts", "score")
    assert params_of(adata, pleiotropy={"targets": 5}) == ("counts", "area")
    assert params_of(adata, counts=False) == ("zscore", "area")
    assert params_of(adata, n_permutations=10) == ("zscore", "area")
    assert params_of(adata, n_bootstraps=3) == ("zscore", "area")
    assert params_of(adata, compat="r-matrix") == ("zscore", "area")
    assert params_of(adata, signature="rank") == ("rank", "area")
    assert params_of(adata, enrichment="narnea", n_draws=1) == ("counts", "narnea")
    assert params_of(continuous) == ("zscore", "area")
    assert continuous.uns["viper"]["facts"]["counts"] is None
    few = adata[:, :700].copy()  # their sum is biology
    assert params_of(few, min_targets=5) == ("zscore", "area")
    assert params_of(few, min_targets=5, counts=True) == ("counts", "score")
    few.obs["total_counts"] = np.asarray(adata.X).sum(axis=1)
    assert params_of(few, min_targets=5) == ("counts", "score")
    few.obs["total_counts"] = 1.0
    assert params_of(few, min_targets=5) == ("zscore", "area")
    assert "more counts than" in caplog.text
    few.obs["depth"] = np.asarray(adata.X).sum(axis=1)
    assert params_of(few, min_targets=5, size_factors="depth") == ("counts", "score")
    scaled = normalised(adata)
    scaled.X = (scaled.X - scaled.X.mean(axis=0)) / (scaled.X.std(axis=0) + 1e-6)
    with pytest.warns(PyscesWarning, match="as in scaled counts"):
        assert params_of(scaled, batch_key="half") == ("zscore", "area")
    assert "only used with counts" in caplog.text
    blurred = normalised(adata)
    blurred.X = np.where(blurred.X > 0, blurred.X + np.random.default_rng(1).random(adata.shape), 0)
    with pytest.warns(PyscesWarning, match="counts cannot be recovered from them"):
        assert params_of(blurred) == ("zscore", "area")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"signature": "counts", "counts": False}, "signature='counts' needs counts"),
        ({"signature": "mad", "counts": True}, "counts=True needs signature='counts'"),
        ({"compat": "r-matrix", "counts": True}, "without compat, n_permutations and n_boot"),
        ({"compat": "r-matrix", "enrichment": "score"}, "requires enrichment='area'"),
        (
            {"compat": "r-matrix", "signature": "counts", "enrichment": "area"},
            "cannot be combined with signature='counts'",
        ),
        ({"counts": "yes"}, "'counts' parameter must be one of"),
        ({"size_factors": "nothing"}, r"Did not find .obs\['nothing'\] of size_factors="),
        ({"size_factors": [1.0, 2.0]}, "one number for each of 400 samples"),
        ({"batch_key": "nothing"}, r"Did not find .obs\['nothing'\]. Pass batch_key="),
        ({"n_draws": 0}, "'n_draws' parameter"),
        ({"enrichment": "score", "signature": "zscore", "n_permutations": 10}, "analytic"),
    ],
)
def test_errors_name_the_remedy(options: dict[str, Any], message: str) -> None:
    adata = depth_alone(13)
    with pytest.raises(pysces.InputError, match=message):
        pysces.run_viper(adata, random_network(13), **options)
    assert "viper" not in adata.obsm


def test_counts_that_are_none_are_refused() -> None:
    adata = depth_alone(13)
    adata.X = np.random.default_rng(0).normal(size=adata.shape)
    with pytest.raises(pysces.InputError, match="values are not integers"):
        pysces.run_viper(adata, random_network(13), counts=True)
    twice = depth_alone(13)
    twice.obs_names = ["same"] * N_CELLS
    with pytest.raises(pysces.InputError, match="drawn by name"):
        pysces.run_viper(twice, random_network(13), signature="counts", enrichment="area")


def test_signatures_of_counts() -> None:
    adata, network = depth_alone(14), random_network(14)
    pysces.compute_signature(adata)
    table = pysces.signature(adata, method="counts")
    np.testing.assert_array_equal(adata.layers["signature"], table)
    shallow = (adata.obs["half"] == "shallow").to_numpy()
    assert abs(table[shallow].mean(axis=None) - table[~shallow].mean(axis=None)) < 0.01
    pysces.compute_signature(adata, draw=0, key_added="draw")
    pysces.run_viper(adata, network, signature="counts", enrichment="area", n_draws=1)
    drawn = ad.AnnData(adata.layers["draw"], obs=adata.obs, var=adata.var)
    pysces.run_viper(drawn, network, signature="none")
    np.testing.assert_allclose(drawn.obsm["viper"], adata.obsm["viper"], atol=1e-8)
    score = pysces.enrich(drawn, network, enrichment="score")
    one = network.loc[network["source"] == "R00"]
    w = (one["mor"] * one["likelihood"]).to_numpy()
    z = drawn.to_df()[one["target"]].to_numpy()
    known = ~np.isnan(z[0])  # the others have no counts
    z, w = z[:, known], w[known]
    np.testing.assert_allclose(score["R00"], z @ w / np.sqrt(w @ w), rtol=1e-6)


def test_the_command_line_has_the_parameters(tmp_path: Path) -> None:
    adata = depth_alone(15)[:60].copy()
    adata.obs["depth"] = np.asarray(adata.X).sum(axis=1)
    adata.write_h5ad(tmp_path / "x.h5ad")
    random_network(15).to_csv(tmp_path / "net.tsv", sep="\t", index=False)
    common = ["-n", str(tmp_path / "net.tsv"), "--size-factors", "depth", "--counts", "true"]
    out = str(tmp_path / "out.tsv")
    assert main(["viper", str(tmp_path / "x.h5ad"), *common, "-o", out, "--batch-key", "half"]) == 0
    found = pd.read_csv(out, sep="\t", index_col=0)
    pysces.run_viper(adata, random_network(15), size_factors="depth", counts=True, batch_key="half")
    np.testing.assert_allclose(found, adata.obsm["viper"], rtol=1e-6)
