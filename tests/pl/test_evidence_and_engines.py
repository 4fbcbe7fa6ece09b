"""Plots of evidence and of engines, read back from what is drawn."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import pysces
from pysces import _seeds
from pysces.errors import InputError

matplotlib = pytest.importorskip("matplotlib", reason="the extra `plot` is not installed")
pytest.importorskip("networkx", reason="the extra `plot` is not installed")
matplotlib.use("Agg")

from pysces.pl._style import VERMILION  # noqa: E402
from pysces.pl.edge_partition import _ranks, leaves_of  # noqa: E402


def network(adata) -> pysces.Network:
    return pysces.Network.from_anndata(adata)


def texts_of(ax) -> set[str]:
    return {text.get_text() for text in ax.texts if text.get_text()}


def tick_names(axis) -> list[str]:
    return [text.get_text() for text in axis.get_ticklabels()]


def verdicts() -> dict:
    rows = [
        ("adaptive_mi", "numba", 0.0, "agrees"),
        ("adaptive_mi", "mlx", 0.0, "not run"),
        ("area", "numba", 3e-13, "agrees"),
        ("area", "mlx", 0.25, "DIFFERS"),
    ]
    columns = ("kernel", "engine", "difference", "verdict")
    return {"verdicts": [dict(zip(columns, row, strict=True)) for row in rows]}


def timings() -> pd.DataFrame:
    rows = [
        {"program": program, "n_cells": n, "seconds": factor * n * repeat}
        for program, factor in (("PySCES (Numba)", 0.01), ("another", 0.011), ("a third", 0.1))
        for n in (100, 1000, 10_000)
        for repeat in (1.0, 1.1, 1.5)
    ]
    return pd.DataFrame(rows)


# --- evidence -----------------------------------------------------------------------------------


def test_mi_null_curves_are_shares_of_pairs(adata) -> None:
    rng = _seeds.generator(0, "null")
    ax = pysces.pl.mi_null(adata, null=rng.exponential(0.02, size=5000))
    edges = network(adata).to_dataframe()["mi"]
    (curve,) = [line for line in ax.lines if len(line.get_xdata()) > 2]
    grid, share = curve.get_data()
    n_pairs = 3 * (adata.n_vars - 1)
    assert share[0] == pytest.approx(len(edges) / n_pairs)
    middle = np.searchsorted(grid, 0.3)
    assert share[middle] == pytest.approx((edges >= grid[middle]).sum() / n_pairs)
    chance = ax.collections[0].get_paths()[0].vertices
    at = np.isclose(chance[:, 0], grid[40]) & (chance[:, 1] > 0)
    assert chance[at, 1].max() == pytest.approx(np.exp(-grid[40] / 0.02), rel=0.2, abs=1e-3)
    assert "threshold in a resample\nof 60 samples" in texts_of(ax)


def test_mi_null_takes_the_null_of_the_run(adata) -> None:
    ax = pysces.pl.mi_null(adata)
    assert len(ax.collections) == 1
    bare = pysces.Network(network(adata).to_dataframe())
    with pytest.raises(InputError, match="as null="):
        pysces.pl.mi_null(bare)


def test_support_histogram_counts_edges_and_scales_decoys(adata) -> None:
    ax = pysces.pl.support_histogram(adata, seen=np.full(11, 9), decoys=np.full(11, 6))
    seen, kept, decoys = (patch.get_data().values for patch in ax.patches)
    support = network(adata).to_dataframe()["support"]
    np.testing.assert_array_equal(kept, np.bincount(support, minlength=11)[1:])
    assert set(seen) == {9}
    assert set(decoys) == {3}  # two decoys for each regulator
    facts = network(adata).record.facts
    ax = pysces.pl.support_histogram(adata)
    seen, _, decoys = (patch.get_data().values for patch in ax.patches)
    np.testing.assert_array_equal(seen, facts["support_counts"][1:])
    np.testing.assert_allclose(decoys, facts["decoy_support_counts"][1:] / 2)


@pytest.mark.parametrize("estimator", ["adaptive", "adaptive-dyadic"])
@pytest.mark.parametrize("n", [5, 64, 201])
def test_cells_of_the_partition_tile_the_plane_and_add_up(estimator, n) -> None:
    rng = _seeds.generator(0, "partition", n)
    data = pd.DataFrame({"R": rng.normal(size=n)})
    data["T"] = (data["R"] ** 2 + 0.3 * rng.normal(size=n)).round(1)  # with ties
    ax = pysces.pl.edge_partition(data, "R", "T", estimator=estimator)
    from pysces.aracne._partition import partition as table_of
    from pysces.data._expression import Expression

    x, y = _ranks(Expression.from_matrix(data), np.array([0, 1]), estimator, 0)
    leaves = leaves_of(x, y, table_of(estimator, n))
    area = np.zeros((n, n), dtype=int)
    for leaf in leaves:
        area[leaf.left : leaf.right, leaf.bottom : leaf.top] += 1
        inside = (x > leaf.left) & (x <= leaf.right) & (y > leaf.bottom) & (y <= leaf.top)
        assert inside.sum() == leaf.count
    assert (area == 1).all()
    mi = pysces.mutual_information(data, ["R"], estimator=estimator).at["R", "T"]
    assert sum(leaf.nats for leaf in leaves) == pytest.approx(mi, abs=1e-9)
    cells = ax.collections[0]
    np.testing.assert_allclose(cells.get_array(), [leaf.nats for leaf in leaves])
    assert ax.get_title() == f"{mi:.3f} nats from {len(leaves)} cells, {n} samples"


def test_partition_shows_values_from_low_to_high() -> None:
    data = pd.DataFrame({"R": np.arange(50.0), "T": np.arange(50.0)})
    ax = pysces.pl.edge_partition(data, "R", "T")
    screen = ax.transData.transform(ax.collections[1].get_offsets())
    assert (np.diff(screen, axis=0) > 0).all()
    with pytest.raises(InputError, match="'X'"):
        pysces.pl.edge_partition(data, "R", "X")


def test_support_histogram_marks_the_least_support(adata) -> None:
    ax = pysces.pl.support_histogram(adata)
    assert "min_support\n0.5" in texts_of(ax)
    assert ax.lines[-1].get_xdata()[0] == 4.5  # 5 of 10 resamples
    adata.uns["aracne"]["params"]["consensus"] = "poisson"  # which does not use it
    assert not texts_of(pysces.pl.support_histogram(adata))


def of_copula(counts: bool) -> pd.DataFrame:
    """A gene that another one follows, straight or by a parabola, and others; or counts of them."""
    rng = _seeds.generator(0, "copula")
    z = rng.normal(size=(200, 3))
    data = pd.DataFrame({"R": z[:, 0], "line": z[:, 0] + 0.5 * z[:, 1]})
    data["bow"] = z[:, 0] ** 2 + 0.3 * z[:, 2]
    if not counts:
        return data
    depth = rng.lognormal(0.0, 0.5, size=(200, 1))
    counted = rng.poisson(0.4 * depth * np.exp(data))
    return pd.DataFrame(counted, columns=data.columns).assign(whole=200)


def curve_of(ax) -> np.ndarray:
    (line,) = [line for line in ax.lines if line.get_color() == VERMILION]
    return np.array(line.get_data())


def test_edge_copula_says_what_mutual_information_gives() -> None:
    data = of_copula(counts=False)
    for target, degree in (("line", "auto"), ("bow", "auto"), ("bow", 1)):
        ax = pysces.pl.edge_copula(data, "R", target, degree=degree)
        mi = pysces.mutual_information(data, ["R"], degree=degree).at["R", target]
        share = 1 - np.exp(-2 * mi)
        rho = data["R"].corr(data[target], method="spearman")
        assert ax.get_title() == f"{mi:.3f} nats, R² {share:.2f}, Spearman {rho:.2f}"
        assert len(ax.collections[0].get_offsets()) == 200


def test_edge_copula_takes_counts_depth_and_batches() -> None:
    data = of_copula(counts=True)
    batch = np.arange(200) % 2
    depth = data.sum(axis=1).to_numpy()
    titles = set()
    for given in (
        {"size_factors": depth},
        {"size_factors": depth, "batch_key": batch},
        {"counts": False},
    ):
        ax = pysces.pl.edge_copula(data, "R", "line", **given)
        mi = pysces.mutual_information(data, ["R"], **given).at["R", "line"]
        assert ax.get_title().startswith(f"{mi:.3f} nats")
        kind = "normal score" if "counts" in given else "score given depth"
        assert ax.get_xlabel() == f"R: {kind}"
        titles.add(ax.get_title())
    assert len(titles) == 3  # each changes the scores


def test_edge_copula_draws_the_better_way_round() -> None:
    data = of_copula(counts=False)
    x, y = curve_of(pysces.pl.edge_copula(data, "R", "bow"))
    assert (np.diff(x) > 0).all()
    assert y[0] > y.min() < y[-1]  # a bowl over the regulator
    x, y = curve_of(pysces.pl.edge_copula(data, "bow", "R"))
    assert (np.diff(y) > 0).all()  # the regulator is now the one that is explained
    x, y = curve_of(pysces.pl.edge_copula(data, "R", "bow", degree=1))
    np.testing.assert_allclose(np.diff(y, 2), 0, atol=1e-12)


def test_edge_copula_refuses_what_it_cannot_draw() -> None:
    data = of_copula(counts=True)
    with pytest.raises(InputError, match="Did not find the genes 'X'"):
        pysces.pl.edge_copula(data, "R", "X")
    with pytest.raises(InputError, match="Constant over the samples: 'whole'"):
        pysces.pl.edge_copula(data, "R", "whole")
    with pytest.raises(InputError, match="'degree'"):
        pysces.pl.edge_copula(data, "R", "bow", degree=3)
    with pytest.raises(InputError, match="layer= is for an AnnData"):
        pysces.pl.edge_copula(data, "R", "bow", layer="counts")


def test_plots_of_a_run_of_the_copula_estimator() -> None:
    rng = _seeds.generator(0, "a run")
    data = pd.DataFrame(rng.normal(size=(80, 12))).add_prefix("gene")
    data["gene1"] += 2 * data["gene0"]
    network = pysces.infer_network(data, ["gene0"], n_resamples=10, n_null=20_000)
    ax = pysces.pl.mi_null(network, pysces.mutual_information(data, ["gene0"]))
    assert "threshold in a resample\nof 40 samples" in texts_of(ax)
    share = ax.lines[0].get_ydata()
    assert share[0] == 1.0  # all pairs
    chance = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert 0.9 < chance.max() <= 1.0
    ax = pysces.pl.support_histogram(network)
    assert "min_support\n0.5" in texts_of(ax)


# --- engines ------------------------------------------------------------------------------------


def test_engine_agreement_says_each_verdict() -> None:
    ax = pysces.pl.engine_agreement(verdicts())
    cells = {(text.get_position(), text.get_text()) for text in ax.texts}
    assert cells == {
        ((0, 0), "equal"),
        ((1, 0), "not run"),
        ((0, 1), "± 3e-13"),
        ((1, 1), "DIFFERS ± 0.2"),
    }
    assert tick_names(ax.yaxis) == ["adaptive_mi", "area"]


def test_engine_agreement_tells_how_much_of_the_tolerance_is_used() -> None:
    one, *_ = verdicts()["verdicts"]
    shares = {"numba": 1e-9, "mlx": 0.4}
    given = [
        {**one, "engine": engine, "verdict": "agrees", "difference": 4e14, "tolerance_used": share}
        for engine, share in shares.items()
    ]
    ax = pysces.pl.engine_agreement({"verdicts": given})
    assert texts_of(ax) == {"± 4e+14 (< 0.01 %)", "± 4e+14 (40 %)"}


def test_engine_agreement_of_a_report() -> None:
    report = pysces.validate(engines=["python"], kernels=["rank_products"])
    ax = pysces.pl.engine_agreement(report)
    assert texts_of(ax) == {"equal"}


def test_benchmark_lines_are_medians() -> None:
    ax = pysces.pl.benchmark_scaling(timings())
    lines = [line for line in ax.lines if line.get_marker() in tuple("osD")]
    np.testing.assert_allclose(lines[0].get_ydata(), [1.1, 11, 110])
    assert texts_of(ax) == {"PySCES (Numba)", "another", "a third"}
    with pytest.raises(InputError, match="no column 'engine'"):
        pysces.pl.benchmark_scaling(timings(), by="engine")
    with pytest.raises(InputError, match="positive"):
        pysces.pl.benchmark_scaling(timings().assign(seconds=0.0))
