"""Every plot: on the axes given, nothing altered, not blank, all text readable."""

from __future__ import annotations

import copy
import itertools
import pickle

import numpy as np
import pandas as pd
import pytest

import pysces
from pysces import _seeds

matplotlib = pytest.importorskip("matplotlib", reason="the extra `plot` is not installed")
pytest.importorskip("networkx", reason="the extra `plot` is not installed")
matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402
from matplotlib.text import Text  # noqa: E402

from pysces.pl._labels import box_of, overlaps, place_labels  # noqa: E402
from pysces.pl._style import label  # noqa: E402

REGULATORS = ["MYC", "SPI1", "GATA3_with_a_name_longer_than_any_label"]
HOSTILE = [r"$\frac{1$", "<b>&amp;</b>", "HLA-DRB1"]
GROUPS = ["B", "CD4+/CD45RA+/CD25- Naive T with a long name", "NK"]


def network(adata) -> pysces.Network:
    return pysces.Network.from_anndata(adata)


def two_networks(adata) -> tuple[pd.DataFrame, pd.DataFrame]:
    genes = [*REGULATORS, *HOSTILE]
    strength = _seeds.generator(0, "dpi").uniform(0.1, 0.9, size=(6, 6))
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


PLOTS = {
    "network_graph": lambda a, ax: pysces.pl.network_graph(a, ax=ax),
    "network_comparison": lambda a, ax: pysces.pl.network_comparison(
        network(a).compare(pysces.Network(network(a).to_dataframe().iloc[::2])), ax=ax
    ),
    "dpi_comparison": lambda a, ax: pysces.pl.dpi_comparison(*two_networks(a), ax=ax),
    "barcode": lambda a, ax: pysces.pl.barcode(a.to_df().iloc[0], network(a), ax=ax),
    "msviper_barcode": lambda a, ax: pysces.pl.msviper_barcode(a, ax=ax),
    "viper_barcode": lambda a, ax: pysces.pl.viper_barcode(a, "cell3", ax=ax),
    "activity_heatmap": lambda a, ax: pysces.pl.activity_heatmap(a, "kind", ax=ax),
    "activity_dotplot": lambda a, ax: pysces.pl.activity_dotplot(a, "kind", ax=ax),
    "activity_violin": lambda a, ax: pysces.pl.activity_violin(a, REGULATORS[2], "kind", ax=ax),
    "rank_regulators": lambda a, ax: pysces.pl.rank_regulators(a, ax=ax),
    "rank_regulators_dotplot": lambda a, ax: pysces.pl.rank_regulators_dotplot(a, ax=ax),
    "rank_regulators_heatmap": lambda a, ax: pysces.pl.rank_regulators_heatmap(a, ax=ax),
    "regulon": lambda a, ax: pysces.pl.regulon(a, REGULATORS[2], "kind", ax=ax),
    "umap": lambda a, ax: pysces.pl.umap(a, ["kind", *REGULATORS], ax=ax),
    "volcano": lambda a, ax: pysces.pl.volcano(a.uns["msviper"]["results"], ax=ax),
    "mi_null": lambda a, ax: pysces.pl.mi_null(a, two_networks(a)[0], ax=ax),
    "support_histogram": lambda a, ax: pysces.pl.support_histogram(
        a, seen=np.arange(11), decoys=np.arange(11)[::-1], ax=ax
    ),
    "edge_copula": lambda a, ax: pysces.pl.edge_copula(a, "MYC", HOSTILE[0], ax=ax),
    "edge_partition": lambda a, ax: pysces.pl.edge_partition(a, "MYC", HOSTILE[0], ax=ax),
    "embedding": lambda a, ax: pysces.pl.embedding(a, targets=True, ax=ax),
    "engine_agreement": lambda a, ax: pysces.pl.engine_agreement(verdicts(), ax=ax),
    "benchmark_scaling": lambda a, ax: pysces.pl.benchmark_scaling(timings(), ax=ax),
}


def draw(name: str, adata, ax=None):
    if name == "activity_violin":
        pytest.importorskip("scanpy")
    return PLOTS[name](adata, ax)


# --- what holds for every plot ---------------------------------------------------------------


def test_every_plot_is_tested() -> None:
    assert set(PLOTS) == set(pysces.pl.__all__)


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


@pytest.mark.parametrize("name", PLOTS)
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


@pytest.mark.parametrize("name", PLOTS)
def test_makes_axes_of_its_own_in_which_all_text_fits(name, adata, monkeypatch) -> None:
    ax = draw(name, adata)
    assert isinstance(ax, matplotlib.axes.Axes)
    assert len(pyplot.get_fignums()) == 1
    assert faults_of_text(ax.figure, drawn_texts(ax.figure, monkeypatch)) == []


@pytest.mark.parametrize("name", PLOTS)
def test_fits_axes_that_no_layout_engine_cares_for(name, adata, monkeypatch) -> None:
    """``plt.subplots()`` as people type it: nothing is cut off."""
    figure, ax = pyplot.subplots()
    draw(name, adata, ax)
    assert faults_of_text(figure, drawn_texts(figure, monkeypatch)) == []


def test_notebooks_show_the_figure_alone(adata) -> None:
    """The last line of a cell displays no "<Axes: >", and the axes can still be stored."""
    formatters = pytest.importorskip("IPython.core.formatters", reason="IPython is not installed")
    ax = draw("volcano", adata)
    assert formatters.DisplayFormatter().format(ax) == ({}, {})
    assert formatters.DisplayFormatter().format(pyplot.figure().add_subplot()) != ({}, {})
    assert pickle.loads(pickle.dumps(ax.figure)).axes[0].get_title() == ax.get_title()


@pytest.mark.parametrize("name", ["activity_heatmap", "msviper_barcode"])
def test_stays_in_its_part_of_a_figure(name, adata, monkeypatch) -> None:
    figure, axes = pyplot.subplots(2, 2, figsize=(11, 9))
    ax = draw(name, adata, axes[1, 0])
    for other in (axes[0, 0], axes[0, 1], axes[1, 1]):
        other.set_axis_off()
    texts = drawn_texts(figure, monkeypatch)
    assert faults_of_text(figure, texts) == []
    boxes = np.array([box_of(text) for text in texts])
    assert (boxes[:, 2] <= axes[0, 1].bbox.x0).all()
    assert (boxes[:, 3] <= axes[0, 0].bbox.y0).all()
    assert (ax.bbox.size > 100).all()


def test_one_name_needs_no_list_and_a_table_is_a_network(adata) -> None:
    """As Scanpy's plots take them."""
    pl, table = pysces.pl, adata.uns["aracne"]["network"]
    assert pl.network_graph(table, "MYC").get_title().startswith("1 regulon,")
    for ax in (
        pl.activity_heatmap(adata, "kind", "MYC"),
        pl.msviper_barcode(adata, "MYC"),
        pl.viper_barcode(adata, "cell3", "MYC"),
    ):
        assert [text.get_text() for text in ax.get_yticklabels()] == ["MYC"]
    ax = pl.activity_dotplot(adata, "kind", "MYC")
    assert [text.get_text() for text in ax.get_xticklabels()] == ["MYC"]
    assert [text.get_text() for text in pl.embedding(adata, regulators="MYC").texts] == ["MYC"]
    pl.support_histogram(table)
    with pytest.raises(pysces.InputError, match="'MYX'"):
        pl.activity_heatmap(adata, "kind", "MYX")
    for wrong in (table["mi"].to_numpy(), "network.tsv", None):
        with pytest.raises(pysces.InputError, match="a Network or a DataFrame or an AnnData"):
            pl.network_graph(wrong)


@pytest.mark.parametrize("name", PLOTS)
def test_refuses_what_is_not_an_axes(name, adata) -> None:
    figure, axes = pyplot.subplots(1, 2)
    for wrong in ([axes[0]], axes, figure, "ax", 0):
        with pytest.raises(pysces.InputError, match="must be an Axes of matplotlib"):
            draw(name, adata, wrong)
    for projection in ("polar", "3d"):
        with pytest.raises(pysces.InputError, match=f"Got the projection '{projection}'"):
            draw(name, adata, pyplot.figure().add_subplot(projection=projection))


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


# --- labels in a crowd ---------------------------------------------------------------------------


def test_labels_of_a_crowd_neither_overlap_nor_leave_the_frame() -> None:
    points = _seeds.generator(0, "crowd").normal(size=(150, 2)) ** 3
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
