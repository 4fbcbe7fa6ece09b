"""Plots of networks and activities, read back from what is drawn."""

from __future__ import annotations

import os
import subprocess
import sys

import anndata
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pysces
from pysces import _seeds
from pysces.errors import InputError, MissingKeyError

matplotlib = pytest.importorskip("matplotlib", reason="the extra `plot` is not installed")
pytest.importorskip("networkx", reason="the extra `plot` is not installed")
matplotlib.use("Agg")
from matplotlib.collections import LineCollection, PathCollection  # noqa: E402

from pysces.pl import _layout  # noqa: E402
from pysces.pl._labels import overlaps  # noqa: E402
from pysces.pl._style import DOWN, UP, label  # noqa: E402

REGULATORS = ["MYC", "SPI1", "GATA3_with_a_name_longer_than_any_label"]
HOSTILE = [r"$\frac{1$", "<b>&amp;</b>", "HLA-DRB1"]
GROUPS = ["B", "CD4+/CD45RA+/CD25- Naive T with a long name", "NK"]


def network(adata) -> pysces.Network:
    return pysces.Network.from_anndata(adata)


def texts_of(ax) -> set[str]:
    return {text.get_text() for text in ax.texts if text.get_text()}


def is_lines(collection) -> bool:
    return isinstance(collection, LineCollection) and len(collection.get_segments()) > 0


def rgb(color: str) -> bytes:
    return np.array(matplotlib.colors.to_rgb(color)).round(2).tobytes()


def tick_names(axis) -> list[str]:
    return [text.get_text() for text in axis.get_ticklabels()]


# --- networks -----------------------------------------------------------------------------------


def test_network_graph_shows_every_node_and_edge(adata) -> None:
    ax = pysces.pl.network_graph(adata, n_targets=30)
    edges = network(adata).to_dataframe()
    nodes = set(edges["source"]) | set(edges["target"])
    points = [c for c in ax.collections if isinstance(c, PathCollection)]
    assert sum(len(c.get_offsets()) for c in points) == len(nodes)
    assert len(points[-1].get_offsets()) == 3  # regulators
    lines = {c.get_colors()[0][:3].round(2).tobytes(): c for c in ax.collections if is_lines(c)}
    activating = lines[rgb(UP)].get_segments()
    repressing = lines[rgb(DOWN)].get_segments()
    assert len(activating) == (edges["mor"] > 0).sum()
    assert len(repressing) == (edges["mor"] < 0).sum()
    assert texts_of(ax) <= {label(n) for n in REGULATORS} | {label(n, 14) for n in nodes}
    assert {label(n) for n in REGULATORS} <= texts_of(ax)


def test_network_graph_takes_the_strongest(adata) -> None:
    ax = pysces.pl.network_graph(adata, ["SPI1"], n_targets=3)
    table = network(adata).regulon("SPI1").nlargest(3, "mi")
    assert texts_of(ax) == {"SPI1", *(label(n, 14) for n in table["target"])}
    with pytest.raises(InputError, match="'nobody'"):
        pysces.pl.network_graph(adata, ["nobody"])


def test_network_graph_of_a_network_without_modes_or_edges() -> None:
    bare = pysces.Network(pd.DataFrame({"source": ["A", "A"], "target": ["B", "C"]}))
    names = {t.get_text() for t in pysces.pl.network_graph(bare).get_legend().get_texts()}
    assert names == {"regulator", "target"}
    empty = pysces.Network(pd.DataFrame({"source": [], "target": []}))
    assert "no edges" in texts_of(pysces.pl.network_graph(empty))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.floats(0.1, 9), st.floats(0.1, 9)), max_size=12))
def test_components_are_packed_without_overlap(sizes) -> None:
    sizes = np.array(sizes).reshape(-1, 2)
    corners = _layout.pack(sizes)
    boxes = np.concatenate([corners + 1e-9, corners + sizes - 1e-9], axis=1)
    for i in range(len(boxes)):
        assert not overlaps(boxes[i], np.delete(boxes, i, axis=0)).any()


def test_components_fill_the_plane_not_a_row() -> None:
    corners = _layout.pack(np.ones((16, 2)), aspect=1.0)
    assert (corners.max(axis=0) + 1 <= 5).all()


def test_nodes_are_moved_apart() -> None:
    places = _seeds.generator(0, "apart").normal(size=(40, 2))
    moved = _layout.apart(places, np.ones(40))
    gaps = np.hypot(*(moved[:, None] - moved[None]).transpose(2, 0, 1))[np.triu_indices(40, 1)]
    assert gaps.min() > 0.9


def test_dpi_comparison_draws_removed_edges_dotted() -> None:
    genes = ["A", "B", "G", "H"]
    before = pd.DataFrame([[0, 0.9, 0.3, 0], [0.9, 0, 0.8, 0.2]], index=["A", "B"], columns=genes)
    after = pysces.prune_dpi(before)
    assert after.at["A", "G"] == 0
    ax = pysces.pl.dpi_comparison(before, after)
    assert [len(c.get_segments()) for c in ax.collections if is_lines(c)] == [3, 2, 1]
    assert {"before: 3 edges", "after: 2 edges", "A", "B", "G"} <= texts_of(ax)
    assert "H" not in texts_of(ax)  # in no triangle that lost an edge
    assert "H" in texts_of(pysces.pl.dpi_comparison(before, after, genes=genes))
    with pytest.raises(InputError, match="No edge differs"):
        pysces.pl.dpi_comparison(before, before)


def test_layouts_do_not_depend_on_the_hash_seed() -> None:
    code = (
        "import networkx, pysces.pl._layout as l; g = networkx.Graph();"
        "g.add_edges_from((f'hub{i % 3}', f'gene{i}') for i in range(30));"
        "print([(n, at.round(6).tolist()) for n, at in l.layout(g, 0).items()])"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True,
            env=os.environ | {"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(found) == 1


# --- activity -----------------------------------------------------------------------------------


def test_barcode_has_one_tick_for_each_measured_target(adata) -> None:
    signature = adata.to_df().iloc[0].drop(HOSTILE[2])
    scores = pd.Series({"SPI1": -2.5, "MYC": 3.5, "nobody": 9.0})
    ax = pysces.pl.barcode(signature, network(adata), scores=scores)
    assert tick_names(ax.yaxis) == ["MYC", "SPI1"]  # by score; only regulators of the network
    assert {"3.5", "-2.5"} <= texts_of(ax)
    counts = [len(c.get_segments()) for c in ax.collections if isinstance(c, LineCollection)]
    expected = []
    for name in ("MYC", "SPI1"):
        own = network(adata).regulon(name)
        own = own[own["target"].isin(signature.index)]
        expected += [(own["mor"] >= 0).sum(), (own["mor"] < 0).sum()]
    assert counts == expected


def test_barcode_places_targets_by_rank() -> None:
    signature = pd.Series({"low": -3.0, "middle": 0.0, "high": 5.0, "missing": np.nan})
    one = pysces.Network(pd.DataFrame({"source": ["R"] * 2, "target": ["high", "missing"]}))
    ax = pysces.pl.barcode(signature, one)
    (ticks,) = [c for c in ax.collections if is_lines(c)]
    assert ticks.get_segments()[0][0][0] == pytest.approx(2.5 / 3)


def test_barcodes_say_what_to_run_first(adata) -> None:
    with pytest.raises(MissingKeyError, match="run_msviper"):
        pysces.pl.msviper_barcode(adata, key="other")
    with pytest.raises(MissingKeyError, match="compute_signature"):
        pysces.pl.viper_barcode(adata, "cell0", layer="other")
    with pytest.raises(InputError, match="Did not find the cell"):
        pysces.pl.viper_barcode(adata, "nobody")


def test_msviper_barcode_shows_the_scores_of_the_run(adata) -> None:
    ax = pysces.pl.msviper_barcode(adata)
    results = adata.uns["msviper"]["results"]
    assert {f"{nes:.1f}" for nes in results["nes"]} <= texts_of(ax)
    assert ax.get_title() == "NK against rest"


def test_heatmap_shows_means_in_the_order_of_the_trees(adata) -> None:
    ax = pysces.pl.activity_heatmap(adata, "kind")
    means = adata.obsm["viper"].groupby(adata.obs["kind"].astype(str)).mean().T
    shown = pd.DataFrame(ax.images[0].get_array(), tick_names(ax.yaxis), tick_names(ax.xaxis))
    means.index = [label(n) for n in means.index]
    means.columns = [label(n, 30) for n in means.columns]
    np.testing.assert_allclose(shown, means.loc[shown.index, shown.columns])
    trees = [child for child in ax.child_axes if len(child.lines)]
    assert [len(tree.lines) for tree in trees] == [2, 2]  # three leaves have two joins
    with pytest.raises(InputError, match="Did not find"):
        pysces.pl.activity_heatmap(adata, "nothing")
    with pytest.raises(InputError, match="'nobody'"):
        pysces.pl.activity_heatmap(adata, "kind", ["nobody"])


def test_rows_of_the_heatmap_stand_at_their_leaves() -> None:
    from scipy.cluster import hierarchy

    rng = _seeds.generator(0, "tree")
    adata = anndata.AnnData(
        obs=pd.DataFrame({"kind": [f"k{i % 4}" for i in range(40)]}, [f"c{i}" for i in range(40)])
    )
    names = [f"R{i}" for i in range(9)]
    frame = pd.DataFrame(rng.normal(size=(40, 9)), index=adata.obs_names, columns=names)
    adata.obsm["viper"], adata.uns["viper"] = frame, {}
    ax = pysces.pl.activity_heatmap(adata, "kind", names)
    means = frame.groupby(adata.obs["kind"].to_numpy()).mean().T
    linkage = hierarchy.linkage(means, "average", optimal_ordering=True)
    leaves = [names[i] for i in hierarchy.leaves_list(linkage)]
    assert tick_names(ax.yaxis) == leaves
    # The first join ties the two most similar regulators: its line ends at their rows.
    first = min(ax.child_axes[1].lines, key=lambda line: max(line.get_xdata()))
    rows = sorted(round(y) for y in set(first.get_ydata()))
    assert {leaves[row] for row in rows} == {names[int(i)] for i in linkage[0, :2]}


def test_dot_plot_counts_active_and_repressed_cells(adata) -> None:
    ax = pysces.pl.activity_dotplot(adata, "kind", active=1.5)
    dots = ax.collections[0]
    groups, regulators = tick_names(ax.yaxis), tick_names(ax.xaxis)
    scores = adata.obsm["viper"].rename(columns=label)
    labels = adata.obs["kind"].astype(str).map(lambda name: label(name, 30))
    for (x, y), area, mean in zip(
        dots.get_offsets(), dots.get_sizes(), dots.get_array(), strict=True
    ):
        own = scores.loc[(labels == groups[int(y)]).to_numpy(), regulators[int(x)]]
        assert area == pytest.approx(190 * (own.abs() > 1.5).mean())
        assert mean == pytest.approx(own.mean())


def test_dots_of_a_crowded_table_do_not_touch(adata) -> None:
    rng = np.random.default_rng(0)
    names = [f"R{i}" for i in range(120)]
    frame = pd.DataFrame(rng.normal(size=(adata.n_obs, 120)), adata.obs_names, names)
    adata.obsm["viper"], adata.uns["viper"] = frame, {}
    ax = pytest.importorskip("matplotlib.pyplot").figure(figsize=(9, 4)).add_subplot()
    pysces.pl.activity_dotplot(adata, "kind", names, active=1.0, ax=ax)
    areas = ax.collections[0].get_sizes()
    labels, order = adata.obs["kind"].to_numpy(), tick_names(ax.xaxis)
    shares = (frame[order].abs() > 1.0).groupby(labels).mean().to_numpy()
    largest = areas.max() / shares.max()
    assert sorted(areas / largest) == pytest.approx(sorted(shares.ravel()), abs=1e-9)
    width = 72 / ax.figure.dpi * ax.bbox.width / 120  # points between two regulators
    assert 2 * np.sqrt(largest / np.pi) < width


def test_violin_has_one_body_for_each_group(adata) -> None:
    pytest.importorskip("scanpy")
    ax = pysces.pl.activity_violin(adata, "SPI1", "kind")
    assert tick_names(ax.xaxis) == sorted(label(n, 30) for n in GROUPS)
    assert len([c for c in ax.collections if len(c.get_paths())]) == 3


def test_volcano_names_and_colours_the_significant() -> None:
    table = pd.DataFrame(
        {
            "regulator": ["up", "down", "neither", "certain"],
            "nes": [4.0, -3.0, 0.5, 6.0],
            "pvalue": [1e-6, 1e-4, 0.6, 0.0],
        }
    ).assign(qvalue=lambda t: t["pvalue"] * 2)
    ax = pysces.pl.volcano(table)
    assert texts_of(ax) == {"up", "down", "certain", "q ≤ 0.05"}
    points, certain = (c for c in ax.collections if isinstance(c, PathCollection))
    np.testing.assert_allclose(points.get_offsets()[:, 1], [6, 4, -np.log10(0.6)])
    colors = [color[:3].round(2).tobytes() for color in points.get_facecolors()]
    assert colors[:2] == [rgb(UP), rgb(DOWN)]
    assert certain.get_offsets()[0, 1] > 6  # a p-value of zero stands above all others
    assert ax.get_title() == "3 of 4 regulators significant"


def test_volcano_shows_the_effect_asked_for_and_colours_by_qvalue() -> None:
    table = pd.DataFrame({"regulator": ["a", "b"], "nes": [4.0, -3.0], "score": [-1.0, 2.0]})
    table = table.assign(pvalue=[0.01, 0.04], qvalue=[0.02, 0.06])
    ax = pysces.pl.volcano(table, effect="score")
    assert ax.get_xlabel() == "test statistic"
    points = next(c for c in ax.collections if isinstance(c, PathCollection))
    assert points.get_offsets()[:, 0].tolist() == [-1, 2]
    assert ax.get_title() == "1 of 2 regulators significant"


def test_volcano_shows_the_regulators_of_one_group() -> None:
    table = pd.DataFrame({"group": ["x", "x", "y"], "regulator": list("aba"), "nes": [1.0, 2, 3]})
    ax = pysces.pl.volcano(table.assign(pvalue=0.5, qvalue=0.5), group="x")
    points = next(c for c in ax.collections if isinstance(c, PathCollection))
    assert points.get_offsets()[:, 0].tolist() == [1, 2]
    assert ax.get_title() == "x: 0 of 2 regulators significant"


def test_dpi_comparison_shows_the_triangles_of_removed_edges_alone() -> None:
    names = list("ABCDEF")
    before = pd.DataFrame(0.0, names, names)
    for one, other, mi in (("A", "B", 0.9), ("B", "C", 0.8), ("A", "C", 0.3), ("D", "E", 1.0),
                           ("E", "F", 1.0), ("D", "F", 1.0)):  # fmt: skip
        before.loc[one, other] = before.loc[other, one] = mi
    after = pysces.prune_dpi(before)
    assert set(texts_of(pysces.pl.dpi_comparison(before, after))) & set(names) == set("ABC")
    after.loc["B", "A"] = 0.0  # kept in the other direction
    assert "after: 2 edges" in texts_of(pysces.pl.dpi_comparison(before, after, genes=list("ABC")))


def test_columns_of_the_heatmap_stand_at_their_leaves() -> None:
    rng = np.random.default_rng(0)
    scores = pd.DataFrame(rng.normal(size=(8, 5)), columns=list("ABCDE"))
    scores += np.repeat([0.0, 9.0, 0.5, 9.5], 2)[:, None]  # groups 0 and 2 are alike
    adata = anndata.AnnData(np.zeros((8, 1)), obs=pd.DataFrame(index=[f"c{i}" for i in range(8)]))
    adata.obs["kind"] = np.repeat(list("wxyz"), 2)
    adata.obsm["viper"] = scores.set_index(adata.obs_names)
    ax = pysces.pl.activity_heatmap(adata, "kind")
    low, high = ax.images[0].get_clim()
    assert low == -high  # 0 has the colour of the middle
    order = tick_names(ax.xaxis)
    assert {frozenset(order[:2]), frozenset(order[2:])} == {frozenset("wy"), frozenset("xz")}
    means = adata.obsm["viper"].groupby(adata.obs["kind"]).mean().T
    shown = pd.DataFrame(ax.images[0].get_array(), tick_names(ax.yaxis), order)
    np.testing.assert_allclose(shown, means.loc[shown.index, order])


def test_barcode_colours_ticks_by_mode_for_the_largest_scores() -> None:
    signature = pd.Series(np.arange(8.0), index=list("abcdefgh"))
    edges = pd.DataFrame({"source": list("AAABBB"), "target": list("abcdef")})
    network = pysces.Network(edges.assign(mor=[1, -1, -1, 1, 1, 1]))
    scores = pd.Series({"A": -5.0, "B": 3.0})
    ax = pysces.pl.barcode(signature, network, scores=scores, n_regulators=1)
    assert [one.get_text() for one in ax.get_yticklabels()] == ["A"]
    ticks = {
        rgb(color): sorted(line[0, 0] for line in lines.get_segments())
        for lines in ax.collections
        if isinstance(lines, LineCollection)
        for color in (UP, DOWN)
        if rgb(color) == lines.get_color()[0, :3].round(2).tobytes()
    }
    assert ticks == {rgb(UP): [0.5 / 8], rgb(DOWN): [1.5 / 8, 2.5 / 8]}


def test_volcano_asks_for_a_group(adata) -> None:
    pysces.rank_regulators(adata, "kind")
    ranked = pysces.ranking(adata)
    with pytest.raises(InputError, match="Pass group="):
        pysces.pl.volcano(ranked)
    ax = pysces.pl.volcano(ranked, group="NK")
    assert ax.get_title().startswith("NK: ")
    with pytest.raises(InputError, match="no column 'regulator'"):
        pysces.pl.volcano(ranked.drop(columns="regulator"))


def test_scores_without_a_value_are_drawn(adata) -> None:
    scores = pd.Series({"MYC": np.nan, "SPI1": 1.0})
    ax = pysces.pl.barcode(adata.to_df().iloc[0], network(adata), ["MYC", "SPI1"], scores=scores)
    assert "–" in texts_of(ax)


def test_a_gene_without_an_edge_is_drawn_alone() -> None:
    mi = pd.DataFrame([[0, 0.5], [0.5, 0]], index=["A", "B"], columns=["A", "B"])
    ax = pysces.pl.dpi_comparison(mi, mi, genes=["A"])
    assert [text.get_text() for text in ax.texts[:2]] == ["before: 0 edges", "after: 0 edges"]


@pytest.mark.parametrize("draw", [lambda a: pysces.pl.regulon(a, "SPI1", "lists"),
                                  lambda a: pysces.pl.umap(a, "lists", basis="any")])  # fmt: skip
def test_a_column_of_lists_cannot_give_groups(adata, draw) -> None:
    adata.obs["lists"] = [[i] for i in range(adata.n_obs)]
    adata.obsm["X_any"] = np.zeros((adata.n_obs, 2))
    with pytest.raises(InputError, match="cannot give labels"):
        draw(adata)
