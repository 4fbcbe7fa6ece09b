"""The plot of an embedding, read back from what is drawn."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import pysces
from pysces import _seeds
from pysces.errors import InputError, MissingKeyError

matplotlib = pytest.importorskip("matplotlib", reason="the extra `plot` is not installed")
matplotlib.use("Agg")
from matplotlib.colors import LogNorm, to_hex  # noqa: E402

from pysces.pl._labels import box_of, overlaps  # noqa: E402
from pysces.pl._style import FAINT, PALE, SERIES  # noqa: E402

N_REGULATORS = 60


@pytest.fixture
def many():
    """Sixty regulators of three communities, of 5 to 150 targets."""
    import anndata

    rng = _seeds.generator(0, "plot of an embedding")
    names = [f"REG{number}" for number in range(N_REGULATORS)]
    genes = np.array([f"gene{number}" for number in range(300)])
    rows = []
    for number, name in enumerate(names):
        own = np.arange(300) % 3 == number % 3
        size = 5 + 145 * number // (N_REGULATORS - 1)
        share = np.where(own, 0.8 / own.sum(), 0.2 / (~own).sum())
        rows += [(name, gene) for gene in rng.choice(genes, size, replace=False, p=share)]
    var = pd.DataFrame(index=[*names, *genes])
    var["community"] = pd.Categorical([f"group {n % 3}" for n in range(len(var))])
    var.loc[names[1], "community"] = np.nan
    var["score"] = rng.normal(size=len(var))
    var["kind"] = [f"kind {n % 10}" for n in range(len(var))]
    adata = anndata.AnnData(np.zeros((2, len(var)), dtype=np.float32), var=var)
    edges = pd.DataFrame(rows, columns=["source", "target"])
    pysces.embed_regulators(adata, network=edges, n_components=4)
    return adata


def points(ax) -> np.ndarray:
    drawn = [np.asarray(c.get_offsets()) for c in ax.collections if len(c.get_offsets())]
    return np.concatenate(drawn)


def named(ax) -> set[str]:
    return {text.get_text() for text in ax.texts if text.get_text()}


def test_every_regulator_is_a_point_in_its_place(many) -> None:
    ax = pysces.pl.embedding(many, components=(3, 2), n_labels=5)
    expected = many.varm["regulon_embedding"][:N_REGULATORS][:, [2, 1]]
    drawn = points(ax)
    assert len(drawn) == N_REGULATORS
    np.testing.assert_allclose(np.sort(drawn, axis=0), np.sort(expected, axis=0))
    far = np.hypot(*expected.T)
    assert named(ax) == {f"REG{number}" for number in np.argsort(-far)[:5]}
    value = many.uns["regulon_embedding"]["eigenvalues"][2]
    assert ax.get_xlabel() == f"component 3 (eigenvalue {value:.2f})"
    assert ax.get_aspect() == 1.0  # angles are as they are


def test_other_genes_are_drawn_on_request_beneath(many) -> None:
    ax = pysces.pl.embedding(many, targets=True)
    assert len(points(ax)) == N_REGULATORS + 300
    beneath = next(c for c in ax.collections if len(c.get_offsets()) == 300)
    assert beneath.get_zorder() < min(c.get_zorder() for c in ax.collections if c is not beneath)


def test_numbers_of_targets_give_colour_and_size(many) -> None:
    ax = pysces.pl.embedding(many)
    dots = next(c for c in ax.collections if len(c.get_offsets()) == N_REGULATORS)
    order = np.argsort(dots.get_array())
    assert sorted(dots.get_array()) == sorted(
        many.uns["regulon_embedding"]["regulons"]["n_targets"]
    )
    assert (np.diff(dots.get_sizes()[order]) >= 0).all()
    assert isinstance(dots.norm, LogNorm)


def test_a_column_of_both_signs_is_coloured_about_zero(many) -> None:
    ax = pysces.pl.embedding(many, color="score")
    dots = next(c for c in ax.collections if c.get_array() is not None and c.get_array().size)
    assert dots.norm.vmin == -dots.norm.vmax
    np.testing.assert_allclose(dots.get_array(), many.var["score"].iloc[:N_REGULATORS])


def test_categories_have_colours_and_a_legend_and_missing_ones_are_grey(many) -> None:
    ax = pysces.pl.embedding(many, color="community")
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["group 0", "group 1", "group 2"]
    drawn = [c for c in ax.collections if len(c.get_offsets())]
    by_color = {to_hex(c.get_facecolor()[0]): len(c.get_offsets()) for c in drawn}
    assert by_color == {PALE: 1, **{to_hex(SERIES[i]): 20 - (i == 1) for i in range(3)}}


def test_more_categories_than_colours_are_the_others(many) -> None:
    ax = pysces.pl.embedding(many, color="kind")
    names = [t.get_text() for t in ax.get_legend().get_texts()]
    assert names == [*(f"kind {n}" for n in range(len(SERIES))), "3 others"]
    rest = [c for c in ax.collections if to_hex(c.get_facecolor()[0]) == FAINT]
    assert sum(len(c.get_offsets()) for c in rest) == 3 * N_REGULATORS // 10


def test_regulators_named_by_hand(many) -> None:
    ax = pysces.pl.embedding(many, color=None, regulators=["REG59", "REG7", "REG59"])
    assert named(ax) == {"REG59", "REG7"}


def test_labels_of_a_crowd_do_not_overlap(many) -> None:
    ax = pysces.pl.embedding(many, n_labels=60)
    ax.figure.canvas.draw()
    boxes = np.array([box_of(text) for text in ax.texts])
    assert len(boxes) > 15
    for number in range(len(boxes)):
        assert not overlaps(boxes[number], np.delete(boxes, number, axis=0)).any()


def test_refusals(many) -> None:
    for components in ((0, 1), (1, 5), (1, 2, 3), (1.0, 2), (True, 2)):
        with pytest.raises(InputError, match=r"from 1 to 4|a tuple of 2, each an int"):
            pysces.pl.embedding(many, components=components)
    with pytest.raises(InputError, match="'nobody'"):
        pysces.pl.embedding(many, regulators=["nobody"])
    with pytest.raises(InputError, match="'n_targets', 'n_targets_positive', 'community'"):
        pysces.pl.embedding(many, color="colour")
    with pytest.raises(MissingKeyError, match="embed_regulators"):
        pysces.pl.embedding(many, key="another")


def test_a_plot_of_one_regulator() -> None:
    import anndata

    adata = anndata.AnnData(np.zeros((2, 3), dtype=np.float32))
    adata.var_names = ["R", "A", "B"]
    edges = pd.DataFrame({"source": ["R", "R"], "target": ["A", "B"]})
    pysces.embed_regulators(adata, network=edges, n_components=2)
    assert named(pysces.pl.embedding(adata)) == {"R"}
