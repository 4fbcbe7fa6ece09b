"""Plots and the report of runs in every mode."""

from __future__ import annotations

import re

import anndata
import numpy as np
import pandas as pd
import pytest

import pysces
from pysces import _seeds
from pysces.aracne._null import null_of
from pysces.aracne._options import estimator_of
from pysces.errors import InputError, MissingKeyError, PyscesError

matplotlib = pytest.importorskip("matplotlib", reason="the extra `plot` is not installed")
pytest.importorskip("networkx", reason="the extra `plot` is not installed")
pytest.importorskip("jinja2", reason="the extra `report` is not installed")
matplotlib.use("Agg")

OF_NETWORKS = ("network_graph", "mi_null", "support_histogram")


def texts_of(ax) -> set[str]:
    return {text.get_text() for text in ax.texts if text.get_text()}


def tick_names(axis) -> list[str]:
    return [text.get_text() for text in axis.get_ticklabels()]


def sections(path) -> list[str]:
    return re.findall(r"<h2[^>]*>(.*?)</h2>", path.read_text(encoding="utf-8"))


def network_of(run, key: str = "aracne") -> pysces.Network:
    return pysces.Network.from_anndata(run.adata, key, group=run.group)


# --- networks -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OF_NETWORKS)
def test_plots_of_networks_draw_every_mode(name, inferred) -> None:
    ax = getattr(pysces.pl, name)(inferred.adata, group=inferred.group)
    assert ax.has_data()
    ax.figure.canvas.draw()


def test_report_of_every_mode(inferred, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    pysces.report(inferred.adata, tmp_path / "report.html")
    groups = sorted(inferred.adata.obs["kind"].cat.categories) if inferred.group else [""]
    quality = "Quality of the networks" if inferred.group else "Quality of the network"
    assert sections(tmp_path / "report.html") == [
        "Summary", quality, "Data", "Regulators", "Edges", "Code and parameters", "",
    ]  # fmt: skip
    resampled = network_of(inferred).record.options["resampling"] is not None
    page = (tmp_path / "report.html").read_text()
    assert page.count("<img ") == len(groups) * (2 if resampled else 1)  # null and support
    inferred.adata.write_h5ad(tmp_path / "run.h5ad")
    pysces.report(anndata.read_h5ad(tmp_path / "run.h5ad"), tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text() == page


def test_mi_null_draws_the_null_of_the_estimator(inferred) -> None:
    """The curve is the share of pairs of independent genes, measured as the run measured."""
    record = network_of(inferred).record
    n, options = record.facts["n_samples"], record.options
    values = _seeds.generator(0, "independent", inferred.mode).normal(size=(n, 220))
    data = pd.DataFrame(values).add_prefix("gene")
    names = ("estimator", "n_bins", "ties", "miller_madow")
    how = {name: options[name] for name in names}
    how["degree"] = record.facts.get("degree", "auto")
    mi = pysces.mutual_information(data, list(data.columns[:60]), counts=False, **how)
    measured = np.sort(mi.to_numpy()[np.isfinite(mi.to_numpy())])
    ax = pysces.pl.mi_null(inferred.adata, group=inferred.group)
    vertices = ax.collections[0].get_paths()[0].vertices
    grid, share = vertices[vertices[:, 1] > 0].T
    found = 1 - np.searchsorted(measured, grid) / len(measured)
    clear = (found > 0.03) & (found < 0.97)
    assert clear.sum() > 3
    np.testing.assert_allclose(share[clear], found[clear], atol=0.03)
    null = null_of(estimator_of(record), "permutation", options["n_null"])
    fixed = np.ceil(grid * estimator_of(record).per_nat).astype(np.int64)
    np.testing.assert_allclose(share, null.pvalues(fixed))


@pytest.mark.parametrize("name", OF_NETWORKS)
def test_plots_of_networks_of_groups_ask_for_one(name, grouped) -> None:
    draw = getattr(pysces.pl, name)
    with pytest.raises(InputError, match=r"networks of 3 groups: 'B', 'CD4.*', 'NK'.*group="):
        draw(grouped)
    with pytest.raises(MissingKeyError, match=r"group 'T'.*'B', 'CD4.*', 'NK'"):
        draw(grouped, group="T")
    own = pysces.Network.from_anndata(grouped, group="NK")
    drawn, expected = (draw(*of[:1], **of[1]) for of in ((grouped, {"group": "NK"}), (own, {})))
    for one, other in zip(drawn.lines, expected.lines, strict=True):
        np.testing.assert_array_equal(one.get_data(), other.get_data())
    assert texts_of(drawn) == texts_of(expected)


def test_barcode_takes_what_the_others_take(adata, grouped) -> None:
    signature = adata.to_df().iloc[0]
    network = pysces.Network.from_anndata(adata)
    for given in (network, network.to_dataframe(), adata):
        assert len(tick_names(pysces.pl.barcode(signature, given).yaxis)) == 3
    assert len(tick_names(pysces.pl.barcode(signature, grouped, group="NK").yaxis)) == 3
    with pytest.raises(InputError, match="networks of 3 groups"):
        pysces.pl.barcode(signature, grouped)


# --- activities ---------------------------------------------------------------------------------


def n_ticks(ax) -> int:
    """Targets drawn in a barcode plot."""
    lines = [c for c in ax.collections if isinstance(c, matplotlib.collections.LineCollection)]
    return sum(len(c.get_segments()) for c in lines)


def test_viper_barcode_finds_the_network_of_the_run(scored) -> None:
    cell = scored.adata.obs_names[scored.adata.obs["kind"] == "NK"][0]
    ax = pysces.pl.viper_barcode(scored.adata, cell)
    stored = scored.adata.uns["aracne" if scored.mode.endswith("key") else "viper"]["network"]
    own = stored if scored.group is None else stored[stored["group"] == scored.group]
    assert n_ticks(ax) == len(own) > 0
    if scored.group is not None:
        other = pysces.pl.viper_barcode(scored.adata, cell, group="B")
        assert n_ticks(other) == (stored["group"] == "B").sum()


def test_viper_barcode_of_joined_networks_asks_for_one(grouped) -> None:
    """Without groupby= no cell has a network of its own."""
    pysces.run_viper(grouped, min_targets=5)
    pysces.compute_signature(grouped)
    with pytest.raises(InputError, match="networks of 3 groups"):
        pysces.pl.viper_barcode(grouped, "cell2")
    assert n_ticks(pysces.pl.viper_barcode(grouped, "cell2", group="B")) > 0


@pytest.mark.parametrize("name", ["activity_heatmap", "activity_dotplot"])
def test_plots_of_activities_draw_every_mode(name, scored) -> None:
    assert len(tick_names(getattr(pysces.pl, name)(scored.adata, "kind").xaxis)) == 3


def test_report_of_activities_of_every_mode(scored, tmp_path) -> None:
    pysces.report(scored.adata, tmp_path / "report.html", groupby="kind")
    assert "Activities by kind" in sections(tmp_path / "report.html")
    assert "Mean activity by kind" in (tmp_path / "report.html").read_text()


def test_msviper_barcode_finds_the_network_of_the_run(compared) -> None:
    ax = pysces.pl.msviper_barcode(compared.adata)
    stored = compared.adata.uns["aracne" if compared.mode.endswith("key") else "msviper"]["network"]
    own = stored if compared.group is None else stored[stored["group"] == compared.group]
    assert n_ticks(ax) == len(own) > 0


def test_volcano_and_report_of_every_mode_of_msviper(compared, tmp_path) -> None:
    ax = pysces.pl.volcano(compared.adata.uns["msviper"]["results"])
    assert "of 3 regulators" in ax.get_title()
    pysces.report(compared.adata, tmp_path / "report.html")
    title = "Master regulators of NK against rest"
    assert title in sections(tmp_path / "report.html")
    section = (tmp_path / "report.html").read_text().split(title)[1]
    assert section.count("<img ") == 2  # volcano and barcode


def test_report_does_without_a_network_that_has_changed(adata, grouped, tmp_path) -> None:
    """The network under the key of the run is now another one."""
    adata.uns["aracne"] = grouped.uns["aracne"]
    with pytest.raises(PyscesError):
        pysces.pl.msviper_barcode(adata)
    pysces.report(adata, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert page.split("Master regulators")[1].count("<img ") == 1
    assert "the networks of 3 groups" in page


# --- embeddings ---------------------------------------------------------------------------------


def test_embedding_draws_every_mode(embedded) -> None:
    ax = pysces.pl.embedding(embedded.adata)
    assert ax.get_title() == "3 regulators"
    sizes = embedded.adata.uns["regulon_embedding"]["regulons"]["n_targets"]
    network = embedded.adata.uns["aracne"]["network"]
    own = network if embedded.group is None else network[network["group"] == embedded.group]
    assert sizes.sum() == len(own)


# --- what cannot be drawn -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["edge_copula", "edge_partition"])
def test_plots_of_an_edge_take_two_genes(name, adata) -> None:
    draw = getattr(pysces.pl, name)
    with pytest.raises(InputError, match=r"both 'MYC'\. Pass two genes"):
        draw(adata, "MYC", "MYC")
    for pair in ((["MYC"], "SPI1"), ("MYC", None), ("MYC", ("SPI1",))):
        with pytest.raises(InputError, match="parameter must be a str"):
            draw(adata, *pair)
