"""The page about a run: what it says, that nothing in it can run or be fetched, how it looks."""

from __future__ import annotations

import functools
import html
import json
import re
import shutil
import subprocess
import sys
import tempfile
from html.parser import HTMLParser
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

import pysces
from pysces import _seeds
from pysces._keys import NetworkResult
from pysces.data import _results
from pysces.errors import MissingKeyError, PyscesError
from pysces.reports._checks import data_checks
from pysces.reports.report import _template

pytest.importorskip("matplotlib", reason="the extra `plot` is not installed")
pytest.importorskip("networkx", reason="the extra `plot` is not installed")
pytest.importorskip("jinja2", reason="the extra `report` is not installed")

# Three regulators (their names may hold no slash, which files couldn't store), and a target.
HOSTILE = [
    "<script>document.title='run'",
    "\"><img src=x onerror=document.title='run'>",
    "$\\frac{1$\u0007",
    "</title></style></script><h1>R&D</h1>",
]


@functools.cache
def results() -> anndata.AnnData:
    """Runs of data in which every name is hostile: genes, groups, keys, columns."""
    rng = _seeds.generator(0, "report")
    genes = [*HOSTILE, *(f"gene{i}" for i in range(36))]
    group = np.arange(60) % 3
    values = rng.normal(size=(60, 40))
    values[:, :3] += 2.0 * (group == 0)[:, None]
    for gene in range(3, 40):
        values[:, gene] += (1.5 if gene % 2 else -1.5) * values[:, gene % 3]
    values[:, -2:] = 1.0
    labels = np.array(["<b>B</b>", "NK & T", "K" * 90])[group]
    adata = anndata.AnnData(
        values,
        obs=pd.DataFrame({"<i>kind<": pd.Categorical(labels)}, index=[f"c{i}" for i in range(60)]),
        var=pd.DataFrame({"<u>underlined<": True}, index=genes),
    )
    pysces.run_aracne(
        adata, HOSTILE[:3], mask_var="<u>underlined<", n_resamples=10, n_null=20_000,
        resample_pvalue=0.1, key_added="<em>net<",
    )  # fmt: skip
    pysces.run_viper(adata, "<em>net<", min_targets=5, key_added="&act", groupby="<i>kind<")
    pysces.run_msviper(
        adata, "<i>kind<", "NK & T", network="<em>net<", min_targets=5, n_permutations=50,
        key_added="'ms'", reference="K" * 90,
    )  # fmt: skip
    return adata


@pytest.fixture
def adata() -> anndata.AnnData:
    return results().copy()


def write(adata, path: Path) -> str:
    pysces.report(adata, path, key="<em>net<", activity_key="&act", msviper_key="'ms'")
    return path.read_text(encoding="utf-8")


@functools.cache
def whole_page() -> str:
    with tempfile.TemporaryDirectory() as folder:
        return write(results().copy(), Path(folder) / "report.html")


@pytest.fixture
def text() -> str:
    return whole_page()


class Reader(HTMLParser):
    """Elements, attributes and text, as a browser would see them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attributes) -> None:
        self.elements.append((tag, dict(attributes)))
        if tag not in ("meta", "link", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag, "elements are nested"

    def handle_data(self, data) -> None:
        self.words.append(data)


def test_page_is_well_formed_and_tells_everything(text) -> None:
    page = Reader(text)
    assert page.open == []
    words = " ".join(page.words)
    for title in ("Data", "Network", "Activity", "Master regulators of NK & T", "Parameters"):
        assert title in words
    assert [t for t, _ in page.elements].count("img") == 6
    assert all(a["alt"] for t, a in page.elements if t == "img")
    assert "2 genes do not vary" in words
    assert "<u>underlined<" in words  # as text


def test_hostile_names_stay_text(text) -> None:
    page = Reader(text)
    allowed = {
        "html", "head", "meta", "link", "title", "style", "body", "main", "section", "h1", "h2",
        "h3", "p", "ul", "li", "dl", "div", "dt", "dd", "figure", "img", "figcaption", "table",
        "thead", "tbody", "tr", "th", "td",
    }  # fmt: skip
    assert {tag for tag, _ in page.elements} <= allowed
    assert [tag for tag, _ in page.elements].count("h1") == 1
    assert not [a for _, a in page.elements if any(name.startswith("on") for name in a)]
    words = "".join(page.words)
    for name in (*HOSTILE[:2], HOSTILE[3]):
        assert name in words
    assert "\u0007" not in text


def test_page_asks_for_nothing(text) -> None:
    for _, attributes in Reader(text).elements:
        for name in ("src", "href", "srcset", "data", "poster"):
            assert (attributes.get(name) or "data:").startswith("data:")
    style = re.search(r"<style>(.*?)</style>", text, re.S)
    assert style
    assert not re.search(r"url\(|@import", style[1])
    assert "default-src 'none'" in html.unescape(text)


def test_writing_changes_neither_data_nor_figures(adata, tmp_path) -> None:
    from matplotlib import pyplot

    figures = pyplot.get_fignums()
    before = adata.copy()
    first, again = write(adata, tmp_path / "a.html"), write(adata, tmp_path / "b.html")
    assert first == again
    assert pyplot.get_fignums() == figures
    assert list(adata.uns) == list(before.uns)
    np.testing.assert_array_equal(adata.X, before.X)
    pd.testing.assert_frame_equal(adata.obsm["&act"], before.obsm["&act"])


def test_parts_that_are_not_there_are_left_out(adata, tmp_path) -> None:
    only = anndata.AnnData(adata.X, obs=adata.obs, var=adata.var)
    with pytest.raises(MissingKeyError, match="run_aracne"):
        pysces.report(only, tmp_path / "none.html")
    assert not (tmp_path / "none.html").exists()
    only.uns["aracne"] = adata.uns["<em>net<"]
    pysces.report(only, tmp_path / "network.html")
    words = (tmp_path / "network.html").read_text()
    assert "<h2>Network</h2>" in words
    assert "<h2>Activity</h2>" not in words


def test_activity_without_groups_is_a_table(adata, tmp_path) -> None:
    only = anndata.AnnData(adata.X, obs=adata.obs, var=adata.var)
    only.obsm["viper"] = adata.obsm["&act"]
    pysces.report(only, tmp_path / "activity.html")
    assert "most variable regulators" in (tmp_path / "activity.html").read_text()


def test_report_of_a_file_on_disk(adata, tmp_path) -> None:
    only = anndata.AnnData(adata.X, var=pd.DataFrame(index=[f"g{i}" for i in range(40)]))
    only.obs_names = adata.obs_names
    edges = pd.DataFrame({"source": ["g0"] * 3, "target": ["g1", "g2", "gone"]})
    _results.write(only, "aracne", NetworkResult(network=pysces.Network(edges).to_dataframe()))
    only.write_h5ad(tmp_path / "a.h5ad")
    backed = anndata.read_h5ad(tmp_path / "a.h5ad", backed="r")
    pysces.report(backed, tmp_path / "a.html")
    assert "1 of 4 genes of the network are not" in (tmp_path / "a.html").read_text()
    backed.file.close()


def test_what_would_fail_late_fails_first(adata, tmp_path, monkeypatch) -> None:
    module = sys.modules["pysces.reports.report"]
    monkeypatch.setattr(module, "Content", None)  # no work may begin
    (tmp_path / "folder").mkdir()
    for path, words in (("missing/report.html", "There is no folder"), ("folder", "is a folder")):
        with pytest.raises(pysces.InputError, match=words):
            pysces.report(adata, tmp_path / path)
    with pytest.raises(pysces.InputError, match="did you mean '<i>kind<'"):
        pysces.report(adata, tmp_path / "report.html", groupby="<i>knid<")
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(PyscesError, match=r"pip install 'pysces-grn\[report\]'"):
        pysces.report(adata, tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def test_checks_see_what_is_wrong() -> None:
    counts = _seeds.generator(0, "counts").poisson(5, size=(30, 6)).astype(float)
    counts[0, 0] = 30
    counts[:, 5] = 1
    adata = anndata.AnnData(counts)
    adata.var_names = ["a", "b", "c", "d", "e", "f"]
    part = adata[:20].copy()
    pysces.run_aracne(part, ["a"], counts=False, resampling=None, alpha=1.0, n_null=1000)
    adata.uns["aracne"] = part.uns["aracne"]
    adata.obsm["viper"] = pd.DataFrame({"a": np.full(30, np.nan)}, index=adata.obs_names)
    wrong = [line for good, line in data_checks(adata, "aracne", "viper") if not good]
    for fact in ("Below 100", "1 genes do not vary", "20 samples; the data have 30",
                 "raw counts", "30 of 30 activities are missing"):  # fmt: skip
        assert any(fact in line for line in wrong), fact


def test_command_line_writes_the_page(adata, tmp_path, capsys) -> None:
    from pysces.cli import main

    small = anndata.AnnData(adata.X, obs=adata.obs, var=adata.var)
    small.var_names = [f"g{i}" for i in range(40)]
    scores = adata.obsm["&act"].set_axis(["R1", "R2", "R3"], axis=1)
    small.obsm["scores"] = scores
    small.obs.columns = ["kind"]
    small.write_h5ad(tmp_path / "a.h5ad")
    out = tmp_path / "page.html"
    arguments = ["report", str(tmp_path / "a.h5ad"), "-o", str(out), "--groupby", "kind"]
    assert main([*arguments, "--activity-key", "scores"]) == 0
    assert str(out) in capsys.readouterr().out
    assert "Mean activity by kind" in out.read_text()
    assert main(arguments) == 1
    assert "Run `pysces aracne` first." in capsys.readouterr().err


def test_words_of_numbers(adata, tmp_path) -> None:
    """No "0% aren't measured", no -0.0, and decoys are counted: they are more than regulators."""
    only = anndata.AnnData(adata.X, obs=adata.obs, var=adata.var)
    only.uns["aracne"] = adata.uns["<em>net<"]
    n_decoy_edges = only.uns["aracne"]["facts"]["n_decoy_edges"]
    assert n_decoy_edges > 1000
    names = ["a", "b"]
    only.obsm["viper"] = pd.DataFrame(
        {"a": np.where(np.arange(60) % 3 == 0, 0.01, -0.5), "b": np.arange(60) % 3 - 1.0},
        index=only.obs_names,
    )
    only.obsm["viper"]["a"] += 1e-4 * np.arange(60)
    facts = pd.DataFrame({"n_targets": [12, 10], "n_targets_missing": [0, 0]}, index=names)
    only.uns["viper"] = {"regulators": facts, "params": {}}
    pysces.report(only, tmp_path / "page.html", groupby="<i>kind<")
    words = " ".join(Reader((tmp_path / "page.html").read_text()).words)
    assert f"edges of 200 decoys {n_decoy_edges:,}" in words
    assert "All targets of the regulons are measured." in words
    assert "a (0.0)" in words
    assert "(-0.0)" not in words


def test_every_value_is_escaped() -> None:
    nothing = {"networks": (), "activity": None, "masters": None}
    rows = [("<&>\"'", "\x00"), ("number", 14_513), ("share", 0.123456)]
    page = _template().render(
        title="</title>", version="<b>", checks=[(True, "<i>")], runs=[("<u>", rows)], **nothing
    )
    for part in (
        "<title>&lt;/title&gt;</title>", "PySCES &lt;b&gt;.", ">&lt;i&gt;</li>",
        "<h3>&lt;u&gt;</h3>", "<td>&lt;&amp;&gt;&#34;&#39;</td>",
        "<td>\N{REPLACEMENT CHARACTER}</td>", '<td class="n">14,513</td>',
        '<td class="n">0.123</td>',
    ):  # fmt: skip
        assert part in page, part


# --- in a browser -------------------------------------------------------------------------------

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
QUIET = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars",
]  # fmt: skip


def browse(folder: Path, url: Path, *options: str) -> str:
    if BROWSER is None:
        pytest.skip("there is no Chromium here")
    profile = f"--user-data-dir={folder / 'profile'}"
    done = subprocess.run(
        [BROWSER, *QUIET, profile, *options, url.as_uri()],
        capture_output=True, text=True, timeout=120, cwd=folder,
    )  # fmt: skip
    return done.stdout


@pytest.mark.parametrize("width", [360, 1200])
def test_page_fits_a_phone_and_a_desk(text, tmp_path, width) -> None:
    """In a frame of that width, measured by a script outside of the page."""
    measure = """
    const page = document.querySelector('iframe').contentWindow, root = page.document;
    const images = [...root.images];
    document.body.dataset.found = JSON.stringify({
      wide: root.documentElement.scrollWidth, inner: page.innerWidth, title: root.title,
      images: images.length, shown: images.filter(i => i.complete && i.naturalWidth).length,
      cut: images.filter(i => i.getBoundingClientRect().right > page.innerWidth).length,
      scripts: root.scripts.length, font: parseFloat(page.getComputedStyle(root.body).fontSize),
      fetched: page.performance.getEntriesByType('resource').map(e => e.name),
    });"""
    frame = f'<iframe width="{width}" height="800" srcdoc="{html.escape(text)}"></iframe>'
    outside = tmp_path / "outside.html"
    outside.write_text(
        f"<!DOCTYPE html><meta charset=utf-8><body>{frame}"
        f"<script>addEventListener('load', () => {{{measure}}})</script>",
        encoding="utf-8",
    )
    answer = re.search(r'data-found="([^"]*)"', browse(tmp_path, outside, "--dump-dom"))
    assert answer, "the browser gave no answer"
    found = json.loads(html.unescape(answer[1]))
    assert found["wide"] <= found["inner"], "the page scrolls sideways"
    assert found["shown"] == found["images"] == 6
    assert found["cut"] == found["scripts"] == 0
    assert found["title"].startswith("PySCES report")
    assert found["font"] >= 14
    assert found["fetched"] == []


@pytest.mark.parametrize(("scheme", "dark"), [(0, True), (1, False)])
def test_page_follows_light_and_dark(text, tmp_path, scheme, dark) -> None:
    image = pytest.importorskip("PIL.Image")
    path = tmp_path / "report.html"
    path.write_text(text, encoding="utf-8")
    shot = tmp_path / "shot.png"
    scheme_option = f"--blink-settings=preferredColorScheme={scheme}"
    browse(tmp_path, path, scheme_option, "--window-size=800,600", f"--screenshot={shot}")
    with image.open(shot) as picture:
        corner = picture.convert("L").getpixel((3, 3))
        levels = picture.convert("L").getextrema()
    assert (corner < 60) == dark
    assert levels[1] - levels[0] > 150  # text stands out


def test_page_prints(text, tmp_path) -> None:
    path = tmp_path / "report.html"
    path.write_text(text, encoding="utf-8")
    browse(tmp_path, path, f"--print-to-pdf={tmp_path / 'report.pdf'}")
    pdf = (tmp_path / "report.pdf").read_bytes()
    assert pdf.startswith(b"%PDF")
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 12
