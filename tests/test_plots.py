"""Pictures: read back from what is drawn, then looked at as pixels."""

from __future__ import annotations

import copy
import itertools

import anndata
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pysces
from pysces import seeds
from pysces.errors import InputError, MissingKeyError

matplotlib = pytest.importorskip("matplotlib", reason="the extra `plot` isn't installed")
pytest.importorskip("networkx", reason="the extra `plot` isn't installed")
matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402
from matplotlib.collections import LineCollection, PathCollection  # noqa: E402
from matplotlib.text import Text  # noqa: E402

from pysces.plots import _layout, barcodes, partition  # noqa: E402
from pysces.plots._labels import box_of, overlaps, place_labels  # noqa: E402
from pysces.plots._style import DOWN, UP, label  # noqa: E402

N_CELLS = 90
REGULATORS = ["MYC", "SPI1", "GATA3_with_a_name_longer_than_any_label"]
HOSTILE = [r"$\frac{1$", "<b>&amp;</b>", "HLA-DRB1"]
GROUPS = ["B", "CD4+/CD45RA+/CD25- Naive T with a long name", "NK"]


def sample() -> anndata.AnnData:
    """Three regulators with targets of both signs, three groups of cells, all results."""
    rng = seeds.generator(0, "plots")
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
    record = {
        "estimator": "adaptive",
        "n_bins": 10,
        "n_null": 20_000,
        "n_samples": N_CELLS,
        "n_genes": len(names),
        "n_regulators": 3,
        "n_resamples": 10,
        "n_decoys_per_regulator": 2,
        "resampling": "subsample",
        "samples_per_resample": 57,
        "threshold_mi": 0.08,
    }
    from pysces.data.storage import write_network

    write_network(adata, "aracne", pysces.Network(table), record)
    pysces.compute_signature(adata)
    pysces.run_viper(adata, min_targets=5)
    pysces.run_msviper(adata, "kind", "NK", min_targets=5, n_permutations=50)
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
    pyplot.close("all")


def network(adata) -> pysces.Network:
    return pysces.Network.from_anndata(adata)


def two_networks(adata) -> tuple[pd.DataFrame, pd.DataFrame]:
    genes = [*REGULATORS, *HOSTILE]
    strength = seeds.generator(0, "dpi").uniform(0.1, 0.9, size=(6, 6))
    mi = pd.DataFrame((strength + strength.T)[:3] / 2, index=REGULATORS, columns=genes)
    return mi, pysces.prune_dpi(mi)


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


PICTURES = {
    "network_graph": lambda a, ax: pysces.pl.network_graph(a, ax=ax),
    "dpi_comparison": lambda a, ax: pysces.pl.dpi_comparison(*two_networks(a), ax=ax),
    "barcode": lambda a, ax: pysces.pl.barcode(a.to_df().iloc[0], network(a), ax=ax),
    "msviper_barcode": lambda a, ax: pysces.pl.msviper_barcode(a, ax=ax),
    "viper_barcode": lambda a, ax: pysces.pl.viper_barcode(a, "cell3", ax=ax),
    "activity_heatmap": lambda a, ax: pysces.pl.activity_heatmap(a, "kind", ax=ax),
    "activity_dotplot": lambda a, ax: pysces.pl.activity_dotplot(a, "kind", ax=ax),
    "activity_violin": lambda a, ax: pysces.pl.activity_violin(a, REGULATORS[2], "kind", ax=ax),
    "volcano": lambda a, ax: pysces.pl.volcano(a.uns["msviper"]["results"], ax=ax),
    "mi_null": lambda a, ax: pysces.pl.mi_null(a, two_networks(a)[0], ax=ax),
    "support_histogram": lambda a, ax: pysces.pl.support_histogram(
        a, seen=np.arange(11), decoys=np.arange(11)[::-1], ax=ax
    ),
    "edge_partition": lambda a, ax: pysces.pl.edge_partition(a, "MYC", HOSTILE[0], ax=ax),
    "engine_agreement": lambda a, ax: pysces.pl.engine_agreement(verdicts(), ax=ax),
    "benchmark_scaling": lambda a, ax: pysces.pl.benchmark_scaling(timings(), ax=ax),
}


def draw(name: str, adata, ax=None):
    if name == "activity_violin":
        pytest.importorskip("scanpy")
    return PICTURES[name](adata, ax)


# --- what holds for every picture ---------------------------------------------------------------


def test_every_picture_is_tested() -> None:
    assert set(PICTURES) == set(pysces.pl.__all__)


def drawn_texts(figure, monkeypatch) -> list[Text]:
    """Texts that really are drawn (an axis also keeps labels that are out of view)."""
    texts: list[Text] = []
    plain = Text.draw

    def recording(self, renderer):
        if self.get_visible() and self.get_text().strip():
            texts.append(self)
        plain(self, renderer)

    monkeypatch.setattr(Text, "draw", recording)
    figure.canvas.draw()
    monkeypatch.undo()
    return texts


def faults_of_text(figure, texts: list[Text]) -> list[str]:
    """Texts cut off by the edge of the figure, and pairs that cover each other."""
    faults = []
    boxes = np.array([box_of(text) for text in texts]).reshape(-1, 4)
    width, height = figure.bbox.size
    for text, box in zip(texts, boxes, strict=True):
        if (box[:2] < -1).any() or box[2] > width + 1 or box[3] > height + 1:
            faults.append(f"{text.get_text()!r} is cut off")
    level = [i for i, text in enumerate(texts) if text.get_rotation() % 90 == 0]
    shrunk = boxes + np.array([1, 1, -1, -1])
    for i, j in itertools.combinations(level, 2):
        if overlaps(shrunk[i], shrunk[j : j + 1])[0]:
            faults.append(f"{texts[i].get_text()!r} overlaps {texts[j].get_text()!r}")
    return faults


@pytest.mark.parametrize("name", PICTURES)
def test_draws_on_the_axes_given_and_changes_nothing_else(name, adata, monkeypatch) -> None:
    before = adata.copy()
    figure = pyplot.figure(figsize=(9, 6), layout="constrained")
    ax = figure.add_subplot()
    assert draw(name, adata, ax) is ax
    assert same(state(adata), state(before))
    assert pyplot.get_fignums() == [figure.number]
    inked = (_rgba(figure)[..., :3] < 250).any(axis=-1).mean()
    assert inked > 0.005, "blank"
    assert faults_of_text(figure, drawn_texts(figure, monkeypatch)) == []


@pytest.mark.parametrize("name", PICTURES)
def test_makes_axes_of_its_own_in_which_all_text_fits(name, adata, monkeypatch) -> None:
    ax = draw(name, adata)
    assert isinstance(ax, matplotlib.axes.Axes)
    assert len(pyplot.get_fignums()) == 1
    assert faults_of_text(ax.figure, drawn_texts(ax.figure, monkeypatch)) == []


def test_faults_of_text_are_seen(monkeypatch) -> None:
    figure, ax = pyplot.subplots()
    ax.text(0.5, 0.5, "one")
    ax.text(0.51, 0.5, "two")
    ax.text(0.95, 0.9, "far beyond the edge of the figure")
    faults = faults_of_text(figure, drawn_texts(figure, monkeypatch))
    assert faults == [
        "'far beyond the edge of the figure' is cut off",
        "'one' overlaps 'two'",
    ]


def _rgba(figure) -> np.ndarray:
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())


def state(adata) -> dict:
    slots = ("obs", "var", "uns", "obsm", "layers", "obsp")
    return {"X": adata.X, **{slot: copy.deepcopy(getattr(adata, slot)) for slot in slots}}


def same(a, b) -> bool:
    if isinstance(a, pd.DataFrame):
        return a.equals(b)
    if hasattr(a, "keys"):
        return list(a.keys()) == list(b.keys()) and all(same(a[key], b[key]) for key in a)
    return np.array_equal(np.asarray(a), np.asarray(b)) if not np.isscalar(a) else a == b


def texts_of(ax) -> set[str]:
    return {text.get_text() for text in ax.texts if text.get_text()}


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


def is_lines(collection) -> bool:
    return isinstance(collection, LineCollection) and len(collection.get_segments()) > 0


def rgb(color: str) -> bytes:
    return np.array(matplotlib.colors.to_rgb(color)).round(2).tobytes()


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
    places = seeds.generator(0, "apart").normal(size=(40, 2))
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
    with pytest.raises(InputError, match="nothing to compare"):
        pysces.pl.dpi_comparison(before, before)


# --- activity -----------------------------------------------------------------------------------


def tick_names(axis) -> list[str]:
    return [text.get_text() for text in axis.get_ticklabels()]


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
    with pytest.raises(InputError, match="isn't a cell"):
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
    means.columns = [label(n, 26) for n in means.columns]
    np.testing.assert_allclose(shown, means.loc[shown.index, shown.columns])
    trees = [child for child in ax.child_axes if len(child.lines)]
    assert [len(tree.lines) for tree in trees] == [2, 2]  # three leaves have two joins
    with pytest.raises(InputError, match="Did not find"):
        pysces.pl.activity_heatmap(adata, "nothing")
    with pytest.raises(InputError, match="'nobody'"):
        pysces.pl.activity_heatmap(adata, "kind", ["nobody"])


def test_rows_of_the_heatmap_stand_at_their_leaves() -> None:
    from scipy.cluster import hierarchy

    rng = seeds.generator(0, "tree")
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
    labels = adata.obs["kind"].astype(str).map(lambda name: label(name, 26))
    for (x, y), area, mean in zip(
        dots.get_offsets(), dots.get_sizes(), dots.get_array(), strict=True
    ):
        own = scores.loc[(labels == groups[int(y)]).to_numpy(), regulators[int(x)]]
        assert area == pytest.approx(190 * (own.abs() > 1.5).mean())
        assert mean == pytest.approx(own.mean())


def test_violin_has_one_body_for_each_group(adata) -> None:
    pytest.importorskip("scanpy")
    ax = pysces.pl.activity_violin(adata, "SPI1", "kind")
    assert tick_names(ax.xaxis) == sorted(label(n, 26) for n in GROUPS)
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


def test_volcano_asks_for_a_group(adata) -> None:
    ranked = pysces.rank_regulators(adata, "kind")
    with pytest.raises(InputError, match="Pass group="):
        pysces.pl.volcano(ranked)
    ax = pysces.pl.volcano(ranked, group="NK")
    assert ax.get_title().startswith("NK: ")
    with pytest.raises(InputError, match="no column 'regulator'"):
        pysces.pl.volcano(ranked.drop(columns="regulator"))


# --- evidence -----------------------------------------------------------------------------------


def test_mi_null_curves_are_shares_of_pairs(adata) -> None:
    rng = seeds.generator(0, "null")
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
    assert "threshold in a resample\nof 57 samples" in texts_of(ax)


def test_mi_null_takes_the_null_of_the_run(adata) -> None:
    ax = pysces.pl.mi_null(adata)
    assert len(ax.collections) == 1
    bare = pysces.Network(network(adata).to_dataframe())
    with pytest.raises(InputError, match="Pass null="):
        pysces.pl.mi_null(bare)


def test_support_histogram_counts_edges_and_scales_decoys(adata) -> None:
    ax = pysces.pl.support_histogram(adata, seen=np.full(11, 9), decoys=np.full(11, 6))
    seen, kept, decoys = (patch.get_data().values for patch in ax.patches)
    support = network(adata).to_dataframe()["support"]
    np.testing.assert_array_equal(kept, np.bincount(support, minlength=11)[1:])
    assert set(seen) == {9}
    assert set(decoys) == {3}  # two decoys for each regulator
    adata.uns["aracne"]["params"]["decoy_support_counts"] = np.full(11, 4)
    ax = pysces.pl.support_histogram(adata)
    assert set(ax.patches[-1].get_data().values) == {2}


@pytest.mark.parametrize("estimator", ["adaptive", "adaptive-dyadic"])
@pytest.mark.parametrize("n", [5, 64, 201])
def test_cells_of_the_partition_tile_the_plane_and_add_up(estimator, n) -> None:
    rng = seeds.generator(0, "partition", n)
    data = pd.DataFrame({"R": rng.normal(size=n)})
    data["T"] = (data["R"] ** 2 + 0.3 * rng.normal(size=n)).round(1)  # with ties
    ax = pysces.pl.edge_partition(data, "R", "T", estimator=estimator)
    from pysces.aracne.estimators import partition as table_of
    from pysces.data.expression import Expression

    x, y = partition._ranks(Expression.from_matrix(data), np.array([0, 1]), estimator, 0)
    leaves = partition.leaves_of(x, y, table_of(estimator, n))
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


# --- labels in a crowd ---------------------------------------------------------------------------


def test_labels_of_a_crowd_neither_overlap_nor_leave_the_frame() -> None:
    points = seeds.generator(0, "crowd").normal(size=(150, 2)) ** 3
    figure, ax = pyplot.subplots()
    ax.scatter(*points.T)
    placed = place_labels(ax, points, [f"regulator {i}" for i in range(150)], fontsize=8)
    assert 10 < len(placed) < 150  # the first ones, as far as there is room
    assert placed[0].get_text() == "regulator 0"
    figure.canvas.draw()
    boxes = np.array([box_of(text) for text in placed])
    for i in range(len(boxes)):
        assert not overlaps(boxes[i], np.delete(boxes, i, axis=0)).any()
    frame = ax.bbox.extents
    assert (boxes[:, :2] >= frame[:2] - 1).all()
    assert (boxes[:, 2:] <= frame[2:] + 1).all()


def test_labels_never_cover_large_markers() -> None:
    figure, ax = pyplot.subplots()
    points = np.array([[0.5, 0.5], [0.53, 0.5]])
    ax.set(xlim=(0, 1), ylim=(0, 1))
    (text,) = place_labels(ax, points, ["a label"], radius=np.array([2.0, 12.0]))
    figure.canvas.draw()
    centre = ax.transData.transform(points[1])
    nearest = np.clip(centre, box_of(text)[:2], box_of(text)[2:])
    assert np.hypot(*(nearest - centre)) >= 12.0 * figure.dpi / 72 - 1


# --- names --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["$x", "$a$", "\x07", r"\$", "a\nb", "x" * 300, "", "_hidden"])
def test_labels_are_short_and_never_formulas(name) -> None:
    text = label(name, 12)
    assert len(text.replace(r"\$", "$")) <= 12
    assert "\n" not in text
    figure, ax = pyplot.subplots()
    ax.set_title(text)
    figure.canvas.draw()


def test_scores_without_a_value_are_drawn(adata) -> None:
    scores = pd.Series({"MYC": np.nan, "SPI1": 1.0})
    ax = pysces.pl.barcode(adata.to_df().iloc[0], network(adata), ["MYC", "SPI1"], scores=scores)
    assert "–" in texts_of(ax)
    assert barcodes.barcode is pysces.pl.barcode
