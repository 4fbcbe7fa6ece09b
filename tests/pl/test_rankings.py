"""Plots of rankings, of activities on embeddings and of one regulon, read back from the drawing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import pysces
from pysces import _seeds
from pysces.errors import InputError, MissingKeyError

matplotlib = pytest.importorskip("matplotlib", reason="the extra `plot` is not installed")
pytest.importorskip("networkx", reason="the extra `plot` is not installed")
matplotlib.use("Agg")
from matplotlib.collections import LineCollection, PathCollection  # noqa: E402
from matplotlib.colors import to_rgba  # noqa: E402
from matplotlib.patches import StepPatch  # noqa: E402

from pysces.pl._style import DOWN, FAINT, UP, label  # noqa: E402


def tick_names(axis) -> list[str]:
    return [text.get_text() for text in axis.get_ticklabels()]


def titles(ax) -> list[str]:
    return [panel.get_title(loc) for panel in ax.child_axes for loc in ("left", "center")]


@pytest.fixture
def ranked(adata):
    """Twelve regulators: three for each group, and three that are not significant."""
    rng = _seeds.generator(0, "ranked")
    scores = rng.normal(size=(adata.n_obs, 12))
    codes = adata.obs["kind"].cat.codes.to_numpy()
    for regulator in range(9):
        scores[codes == regulator % 3, regulator] += 6 - regulator // 3
    names = [f"R{number:02d}" for number in range(12)]
    adata.obsm["viper"] = pd.DataFrame(scores, adata.obs_names, names)
    pysces.rank_regulators(adata, "kind")
    return adata


# --- rankings -------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["difference", "specificity"])
def test_bars_are_those_of_the_ranking(ranked, by) -> None:
    ax = pysces.pl.rank_regulators(ranked, ["NK", "B"], by=by, n_regulators=12)
    assert [title for title in titles(ax) if title] == ["NK", "B"]
    assert len({panel.get_xlim() for panel in ax.child_axes}) == 1
    for group, panel in zip(("NK", "B"), ax.child_axes, strict=True):
        table = pysces.ranking(ranked, group)
        if by == "specificity":
            table = table.sort_values(by, ascending=False)
        assert tick_names(panel.yaxis) == table["regulator"].tolist()
        np.testing.assert_allclose([bar.get_width() for bar in panel.patches], table[by])
        for bar, difference, significant in zip(
            panel.patches, table["difference"], table["significant"], strict=True
        ):
            expected = (UP if difference > 0 else DOWN) if significant else FAINT
            assert bar.get_facecolor() == to_rgba(expected)
    assert {to_rgba(c) for c in (UP, DOWN, FAINT)} == {
        bar.get_facecolor() for panel in ax.child_axes for bar in panel.patches
    }
    assert len(pysces.pl.rank_regulators(ranked, n_regulators=2).child_axes[0].patches) == 2


def test_dots_of_a_ranking_have_the_groups_in_a_diagonal(ranked) -> None:
    ax = pysces.pl.rank_regulators_dotplot(ranked, n_regulators=2, active=1.5)
    expected = [f"R{number:02d}" for number in (0, 3, 1, 4, 2, 5)]
    assert tick_names(ax.xaxis) == expected
    groups = list(ranked.obs["kind"].cat.categories)
    assert tick_names(ax.yaxis) == [label(name, 30) for name in groups]
    assert [text.get_text() for text in ax.texts] == [label(name) for name in groups]
    dots = ax.collections[0]
    assert len(dots.get_offsets()) == 18
    largest = dots.get_sizes().max()
    for (x, y), area, mean in zip(
        dots.get_offsets(), dots.get_sizes(), dots.get_array(), strict=True
    ):
        inside = (ranked.obs["kind"] == groups[int(y)]).to_numpy()
        own = ranked.obsm["viper"].loc[inside, expected[int(x)]]
        assert mean == pytest.approx(own.mean())
        assert area == pytest.approx(largest * (own.abs() > 1.5).mean())


def test_a_regulator_is_drawn_in_the_group_where_it_is_increased_most(ranked) -> None:
    codes = ranked.obs["kind"].cat.codes.to_numpy()
    ranked.obsm["viper"]["R00"] += np.array([14.0, 17.0, 0.0])[codes]  # 20, 17 and 0 on average
    pysces.rank_regulators(ranked, "kind")
    assert pysces.ranking(ranked, n_top=1)["regulator"].tolist() == ["R00", "R00", "R02"]
    ax = pysces.pl.rank_regulators_dotplot(ranked, n_regulators=2)
    assert tick_names(ax.xaxis) == ["R00", "R03", "R01", "R02", "R05"]


def test_the_heat_map_of_a_ranking_has_the_values_of_cells(ranked) -> None:
    ax = pysces.pl.rank_regulators_heatmap(ranked, n_regulators=3, n_cells=80)
    names = tick_names(ax.yaxis)
    assert names == [f"R{number:02d}" for number in (0, 3, 6, 1, 4, 7, 2, 5, 8)]
    shown = np.asarray(ax.images[0].get_array())
    assert shown.shape == (9, 240)
    for place, group in enumerate(ranked.obs["kind"].cat.categories):
        own = ranked.obsm["viper"].loc[(ranked.obs["kind"] == group).to_numpy(), names].to_numpy()
        np.testing.assert_array_equal(
            shown[:, 80 * place : 80 * (place + 1)], np.repeat(own, 2, axis=0).T
        )


def test_plots_of_a_ranking_say_what_to_run_first(ranked) -> None:
    del ranked.uns["rank_regulators"]
    for draw in (
        pysces.pl.rank_regulators,
        pysces.pl.rank_regulators_dotplot,
        pysces.pl.rank_regulators_heatmap,
        pysces.pl.volcano,
    ):
        with pytest.raises(MissingKeyError, match=r"Run `pysces\.rank_regulators"):
            draw(ranked)
    pysces.rank_regulators(ranked, "kind", groups=["NK"], reference="B")
    assert titles(pysces.pl.rank_regulators(ranked))[0] == "NK"
    with pytest.raises(InputError, match="no group 'B'"):
        pysces.pl.rank_regulators_dotplot(ranked, "B")
    ranked.obsm["viper"] = ranked.obsm["viper"] - 9 * (ranked.obs[["kind"]] == "NK").to_numpy()
    pysces.rank_regulators(ranked, "kind", groups=["NK"])
    with pytest.raises(InputError, match="No regulator of the ranking is increased"):
        pysces.pl.rank_regulators_dotplot(ranked)
    with pytest.raises(InputError, match="groups= is empty"):
        pysces.pl.rank_regulators_heatmap(ranked, [])


def test_groups_of_a_ranking_that_have_no_cell_any_more_are_named(ranked) -> None:
    left = ranked[(ranked.obs["kind"] != "NK").to_numpy()].copy()
    for draw in (pysces.pl.rank_regulators_dotplot, pysces.pl.rank_regulators_heatmap):
        with pytest.raises(InputError, match="any more: 'NK'"):
            draw(left)
        draw(left, "B")


def test_volcano_reads_rankings_and_master_regulators(ranked) -> None:
    table = pysces.ranking(ranked, "NK")
    ax = pysces.pl.volcano(ranked, group="NK")
    offsets = ax.collections[0].get_offsets()
    np.testing.assert_allclose(offsets[:, 0], table["difference"])
    np.testing.assert_allclose(offsets[:, 1], -np.log10(table["pvalue"]))
    assert ax.get_title().startswith("NK against rest: ")
    masters = ranked.uns["msviper"]["results"]
    ax = pysces.pl.volcano(ranked, key="msviper")
    assert ax.get_title().startswith("NK against rest: ")
    np.testing.assert_allclose(ax.collections[0].get_offsets()[:, 0], masters["effect"])


# --- cells ----------------------------------------------------------------------------------------


def test_umap_draws_activities_with_the_largest_last(ranked) -> None:
    ax = pysces.pl.umap(ranked, ["R00", "R01", "kind"])
    panels = [panel for panel in ax.child_axes if panel.get_title()]
    assert [panel.get_title() for panel in panels] == ["R00", "R01", "kind"]
    for name, panel in zip(("R00", "R01"), panels, strict=False):
        values = ranked.obsm["viper"][name].to_numpy()
        order = np.argsort(np.abs(values), kind="stable")
        dots = panel.collections[-1]
        np.testing.assert_array_equal(dots.get_array(), values[order])
        np.testing.assert_array_equal(dots.get_offsets(), ranked.obsm["X_umap"][order])
        low, high = dots.get_clim()
        assert -low == high == np.quantile(np.abs(values), 0.99)
    counts = [len(c.get_offsets()) for c in panels[2].collections if len(c.get_offsets())]
    assert counts == ranked.obs["kind"].value_counts(sort=False).tolist()


def test_umap_takes_any_basis_and_cells_without_values(ranked) -> None:
    ranked.obsm["X_pca"] = np.random.default_rng(0).normal(size=(ranked.n_obs, 5))
    ranked.obs["depth"] = np.where(np.arange(ranked.n_obs) < 7, np.nan, 1.0)
    ranked.obs["label"] = ranked.obs["kind"].where(np.arange(ranked.n_obs) >= 7)
    ranked.uns["kind_colors"] = ["#010101", "#020202", "#030303"]
    for basis in ("pca", "X_pca"):
        ax = pysces.pl.umap(ranked, ["depth", "label", "kind"], basis=basis)
        depth, labelled, kind = [panel for panel in ax.child_axes if panel.get_title()]
        assert (depth.get_xlabel(), depth.get_ylabel()) == ("PCA1", "PCA2")
        assert [len(c.get_offsets()) for c in depth.collections] == [7, ranked.n_obs - 7]
        assert len(labelled.collections[0].get_offsets()) == 7
        assert kind.collections[-1].get_facecolor()[0] == pytest.approx(to_rgba("#030303"))
    with pytest.raises(MissingKeyError, match=r"scanpy\.tl\.umap"):
        pysces.pl.umap(ranked, "R00", basis="tsne")
    with pytest.raises(InputError, match="did you mean 'R00'"):
        pysces.pl.umap(ranked, "r00")
    ranked.obsm["X_one"] = np.zeros((ranked.n_obs, 1))
    with pytest.raises(InputError, match="two columns"):
        pysces.pl.umap(ranked, "R00", basis="one")


# --- regulons -------------------------------------------------------------------------------------


def test_regulon_shows_signed_targets_and_quartiles(adata) -> None:
    network = pysces.Network.from_anndata(adata)
    ax = pysces.pl.regulon(adata, "MYC", "kind", n_targets=6)
    left, right = ax.child_axes
    strongest = network.regulon("MYC").nlargest(6, "mi")
    names = [text.get_text() for text in left.texts]
    assert names[0] == "MYC"
    assert set(names[1:]) == {label(name) for name in strongest["target"]}
    lines = [c for c in left.collections if isinstance(c, LineCollection)]
    drawn = {
        tuple(c.get_colors()[0][:3]): len(c.get_segments()) for c in lines if len(c.get_colors())
    }
    assert drawn.get(to_rgba(UP)[:3], 0) == (strongest["mor"] > 0).sum()
    assert drawn.get(to_rgba(DOWN)[:3], 0) == (strongest["mor"] < 0).sum()
    assert left.get_title() == f"6 strongest of {len(network.regulon('MYC'))} targets"
    own = adata.obsm["viper"]["MYC"].groupby(adata.obs["kind"].astype(str).to_numpy())
    order = own.mean().sort_values(ascending=False).index
    assert [name[:2] for name in tick_names(right.yaxis)] == [name[:2] for name in order]
    for bar, name in zip(right.patches, order, strict=True):
        quartiles = own.get_group(name).quantile([0.25, 0.75]).tolist()
        assert [bar.get_x(), bar.get_x() + bar.get_width()] == pytest.approx(quartiles)
    with pytest.raises(InputError, match="'nobody'"):
        pysces.pl.regulon(adata, "nobody", "kind")


def test_network_graph_picks_by_strength_support_or_specificity(adata) -> None:
    rows = [("MANY", f"g{k}", 0.1, 1) for k in range(30)]
    rows += [("STRONG", f"g{k}", 0.9, 2) for k in range(3)]
    rows += [("SURE", f"g{k}", 0.2, 9) for k in range(3)]
    rows += [("OWN", f"g{k}", 0.05, 1) for k in range(3)]
    edges = pd.DataFrame(rows, columns=["source", "target", "mi", "support"]).assign(mor=1.0)

    def picked(**options) -> list[str]:
        ax = pysces.pl.network_graph(edges, n_regulators=1, n_targets=3, **options)
        return [text.get_text() for text in ax.texts if text.get_text().isupper()]

    ranking = pd.DataFrame(
        {
            "group": ["x", "x", "y"],
            "regulator": ["OWN", "MANY", "not in the network"],
            "specificity": [0.5, 0.3, 0.9],
        }
    )
    assert picked() == ["STRONG"]
    assert picked(by="support") == ["SURE"]
    assert picked(by="specificity", ranking=ranking) == ["OWN"]
    with pytest.raises(InputError, match="no column 'support'"):
        pysces.pl.network_graph(edges.drop(columns="support"), by="support")
    with pytest.raises(InputError, match="no column 'specificity'"):
        pysces.pl.network_graph(edges, by="specificity", ranking=ranking.iloc[:, :2])
    with pytest.raises(InputError, match="needs a ranking"):
        pysces.pl.network_graph(edges, by="specificity")
    # Groups take turns, the most specific regulator of any group first
    own = pysces.ranking(adata)
    best = own.loc[own.groupby("group", observed=True)["specificity"].idxmax()]
    best = best.sort_values("specificity", ascending=False)["regulator"].tolist()
    ax = pysces.pl.network_graph(adata, by="specificity", n_regulators=1)
    assert ax.get_title().startswith("1 regulon most specific to a group (of 3)")
    assert label(best[0]) in {text.get_text() for text in ax.texts}


def test_many_targets_are_drawn_as_a_density() -> None:
    genes = [f"g{k:04d}" for k in range(6000)]
    signature = pd.Series(np.arange(6000.0), index=genes)
    rng = _seeds.generator(0, "many")
    up = rng.choice(6000, 2000, replace=False, p=np.arange(6000) / np.arange(6000).sum())
    edges = pd.DataFrame({"source": "R", "target": np.array(genes)[up], "mor": 1.0})
    few = pd.DataFrame({"source": "S", "target": genes[:5], "mor": 1.0})
    ax = pysces.pl.barcode(signature, pd.concat([edges, few]), ["R", "S"])
    (steps,) = [patch for patch in ax.patches if isinstance(patch, StepPatch)]
    values, positions, baseline = steps.get_data()
    expected, _ = np.histogram((up + 0.5) / 6000, bins=positions)
    density = (baseline - values) / (baseline - values).sum()
    np.testing.assert_allclose(density, expected / 2000)
    assert baseline == 1
    # The row is twice the density of random positions high, which is drawn as a dotted line
    assert (baseline - values).max() == pytest.approx(0.4 / 2 * expected.max() * 60 / 2000)
    (level,) = [line for line in ax.lines if line.get_linestyle() == "--"]
    assert level.get_ydata() == pytest.approx((1 - 0.4 / 2, 1 - 0.4 / 2))
    ticks = [c for c in ax.collections if isinstance(c, LineCollection)]
    assert [len(c.get_segments()) for c in ticks if len(c.get_segments())] == [5]
    assert not [c for c in ax.collections if isinstance(c, PathCollection)]
