"""The page about a run: what it says, and that nothing in it but its own script can run."""

from __future__ import annotations

import ast
import base64
import hashlib
import html
import json
import re
import sys
import xml.etree.ElementTree
from html.parser import HTMLParser

import anndata
import numpy as np
import pandas as pd
import pytest

import pysces
from pysces import _seeds
from pysces._keys import NetworkResult
from pysces._record import RunRecord
from pysces.data import _results
from pysces.errors import MissingKeyError, PyscesError
from pysces.pl._style import INK
from pysces.reports._checks import data_checks
from pysces.reports._content import Content, printable
from pysces.reports._quality import Finding, Measure, quality
from pysces.reports.report import _page, _template

pytest.importorskip("matplotlib", reason="the extra `plot` is not installed")
pytest.importorskip("networkx", reason="the extra `plot` is not installed")
pytest.importorskip("jinja2", reason="the extra `report` is not installed")


def part(tag: str, text: str) -> str:
    """The content of the only <tag> without attributes."""
    found = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.S)
    assert len(found) == 1
    return found[0]


def tables(text: str) -> dict:
    """The tables that the script shows."""
    data = re.search(r'<script type="application/json" id="page-data">(.*?)</script>', text, re.S)
    assert data
    return json.loads(data[1])["tables"]


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
    assert [t for t, _ in page.elements].count("img") == 5
    assert all(a["alt"] for t, a in page.elements if t == "img")
    assert "2 genes do not vary" in words
    assert "<u>underlined<" in words  # as text


def test_hostile_names_stay_text(text, hostile) -> None:
    page = Reader(text)
    allowed = {
        "html", "head", "meta", "link", "title", "style", "body", "main", "section", "h1", "h2",
        "h3", "p", "ul", "li", "dl", "div", "dt", "dd", "figure", "img", "figcaption", "table",
        "thead", "tbody", "tr", "th", "td", "nav", "a", "noscript", "small", "span", "pre",
        "button", "details", "summary", "dialog", "header", "script",
    }  # fmt: skip
    assert {tag for tag, _ in page.elements} <= allowed
    assert [tag for tag, _ in page.elements].count("h1") == 1
    assert not [a for _, a in page.elements if any(name.startswith("on") for name in a)]
    assert [tag for tag, _ in page.elements].count("script") == 2  # the data, and the page's own
    labels = tables(text)["regulators"][0]["labels"]
    assert set(labels) == {printable(name) for name in hostile[:3]}
    assert hostile[3] in tables(text)["edges"][1]["labels"]
    assert "\u0007" not in text


def test_page_asks_for_nothing(text) -> None:
    for _, attributes in Reader(text).elements:
        for name in ("src", "href", "srcset", "data", "poster"):
            assert (attributes.get(name) or "data:").startswith(("data:", "#"))
    style, script = part("style", text), part("script", text)
    assert not re.search(r"url\(|@import", style)
    assert not re.search(
        r"fetch|XMLHttpRequest|import\(|WebSocket|innerHTML|eval|\.style\b", script
    )


def test_policy_allows_this_script_and_style_alone(text) -> None:
    policy = next(
        a["content"] for t, a in Reader(text).elements if t == "meta" and "http-equiv" in a
    )
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    for tag in ("script", "style"):
        digest = base64.b64encode(hashlib.sha256(part(tag, text).encode()).digest()).decode()
        assert rules.pop(f"{tag}-src") == f"'sha256-{digest}'"
    assert rules.pop("require-trusted-types-for") == "'script'"
    assert rules.pop("img-src") == "data:"
    assert set(rules.values()) == {"'none'"}
    assert " style=" not in text
    assert "default-src" in rules


def test_writing_changes_neither_data_nor_figures(adata, tmp_path, monkeypatch) -> None:
    from matplotlib import pyplot

    figures = pyplot.get_fignums()
    before = adata.copy()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1600000000")
    for name in ("a.html", "b.html"):
        pysces.report(adata, tmp_path / name, key="<em>net<", activity_key="&act")
    first, again = (tmp_path / "a.html").read_text(), (tmp_path / "b.html").read_text()
    assert first == again
    assert "2020-09-13 12:26 UTC" in first
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
    assert "<h2>Edges</h2>" in words
    assert "<h2>Activities" not in words
    assert "#activities" not in words


def test_activity_without_groups_is_of_all_cells(adata, tmp_path) -> None:
    only = anndata.AnnData(adata.X, obs=adata.obs, var=adata.var)
    only.obsm["viper"] = adata.obsm["&act"]
    pysces.report(only, tmp_path / "activity.html")
    text = (tmp_path / "activity.html").read_text()
    shown = {column["title"]: column for column in tables(text)["activities"]}
    means = adata.obsm["&act"].rename(columns=printable).mean()
    names = [shown["regulator"]["labels"][code] for code in shown["regulator"]["codes"]]
    np.testing.assert_allclose(shown["mean NES"]["values"], means[names], rtol=1e-3)
    assert "group" not in shown


def test_missing_activities_and_single_cells_are_no_numbers(adata, tmp_path) -> None:
    only = anndata.AnnData(adata.X, obs=pd.DataFrame(index=adata.obs_names))
    only.obs["kind"] = ["alone"] + ["rest"] * 59
    only.obsm["viper"] = pd.DataFrame({"A": [np.nan] + [1.0] * 59}, index=only.obs_names)
    only.uns["viper"] = {"regulators": pd.DataFrame(index=["A"]), "params": {}}
    pysces.report(only, tmp_path / "page.html", groupby="kind")
    text = (tmp_path / "page.html").read_text()
    shown = {column["title"]: column for column in tables(text)["activities"]}
    assert shown["mean NES"]["values"] == [None, 1]
    assert shown["distribution"]["values"] == [[None, 1]] * 4
    assert "1 of 60 activities are missing." in text


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
    assert f"<dd>{tmp_path / 'a.h5ad'}</dd>" in out.read_text()
    assert main(arguments) == 1
    assert "Run `pysces aracne` first." in capsys.readouterr().err


def test_tables_have_the_numbers_of_the_results(adata, text) -> None:
    edges = adata.uns["<em>net<"]["network"]
    shown = {column["title"]: column for column in tables(text)["edges"]}
    assert shown["support"]["values"] == edges["support"].tolist()
    np.testing.assert_allclose(shown["MI"]["values"], edges["mi"], rtol=1e-3)
    signs = np.array(shown["sign"]["labels"])[shown["sign"]["codes"]]
    assert ((signs == "+") == (edges["mor"] >= 0)).all()
    shown = {column["title"]: column for column in tables(text)["activities"]}
    scores = adata.obsm["&act"].rename(columns=printable)
    rows = zip(shown["group"]["codes"], shown["regulator"]["codes"], strict=True)
    for row, (group, regulator) in enumerate(rows):
        cells = (adata.obs["<i>kind<"] == shown["group"]["labels"][group]).to_numpy()
        values = scores.loc[cells, shown["regulator"]["labels"][regulator]]
        assert shown["mean NES"]["values"][row] == pytest.approx(values.mean(), rel=1e-3)
        quartiles = [numbers[row] for numbers in shown["distribution"]["values"][:3]]
        np.testing.assert_allclose(quartiles, values.quantile([0.25, 0.5, 0.75]), rtol=1e-3)
    assert row == 3 * scores.shape[1] - 1


PRIOR = {
    "n_prior_edges": 40,
    "n_prior_pairs": 500,
    "n_prior_expected": 50.0,
    "prior_enrichment": 8.0,
}


@pytest.mark.parametrize(
    ("facts", "support", "measure", "finding"),
    [
        ({"share_of_pairs": 0.003}, 9, "Share of pairs", Finding("0.3 %", True)),
        ({"share_of_pairs": 0.11}, 9, "Share of pairs", Finding("11 %", False)),
        ({"decoy_share": 0.02}, 9, "Edges of decoys", Finding("2 % of the edges", True)),
        ({"decoy_share": 0.31}, 9, "Edges of decoys", Finding("31 % of the edges", False)),
        ({"stability": 0.49}, 9, "Stability", Finding("49 %", False)),
        ({"stability": 0.9}, 9, "Stability", Finding("90 %", True)),
        ({"n_resamples_used": 10}, 9, "Support", Finding("9 of 10", True)),
        ({"n_resamples_used": 10}, 4, "Support", Finding("4 of 10", False)),
        ({"n_resamples_used": 10}, 4, "Weak edges", Finding("100 %", False)),
        ({"n_resamples_used": 10}, 5, "Weak edges", Finding("0 %", True)),
        ({"scores": "counts given depth"}, 9, "Depth", Finding("accounted for", True)),
        ({"n_donors": 8}, 9, "Donors", Finding("8, an edge in at least 3")),
        (PRIOR, 9, "Prior", Finding("40 of 500 pairs; 8 times as often", True)),
        (
            PRIOR | {"prior_enrichment": 0.5},
            9,
            "Prior",
            Finding("40 of 500 pairs; 0.5 times as often", False),
        ),
        (
            PRIOR | {"prior_enrichment": 0.5, "n_prior_expected": 0.9},
            9,
            "Prior",
            Finding("40 of 500 pairs; 0.5 times as often"),
        ),
    ],
)
def test_quality_is_judged_by_the_limits_of_the_warnings(facts, support, measure, finding) -> None:
    edges = pd.DataFrame({"source": ["A", "A"], "target": ["x", "y"], "support": support})
    record = RunRecord("run_aracne", {"min_donors": 3}, facts)
    found = quality([pysces.Network(edges, record)])
    assert {one.name: one.findings for one in found}[measure] == [finding]


def test_groups_stand_side_by_side(adata, tmp_path) -> None:
    only = anndata.AnnData(adata.X, obs=adata.obs, var=adata.var)
    edges = pd.DataFrame(
        {"source": ["A", "A", "B"], "target": ["x", "y", "x"], "mor": [1, -1, 1.0]}
    )
    both = pd.concat([edges.assign(group="T"), edges[:1].assign(group="B")], ignore_index=True)
    record = RunRecord(
        "run_aracne", {"groupby": "kind"},
        groups={
            "T": {"share_of_pairs": 0.2, "n_samples": 70}, "B": {"share_of_pairs": 0.01}, "NK": {}
        },
    )  # fmt: skip
    both["group"] = pd.Categorical(both["group"], categories=["T", "B", "NK"])
    _results.write(only, "aracne", NetworkResult(network=both, record=record))
    pysces.report(only, tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    shown = {c["title"]: c for c in tables(text)["regulators"]}
    assert shown["regulator"]["labels"] == ["A", "B"]
    assert shown["targets in T"]["values"] == [2, 1]
    assert shown["targets in B"]["values"] == [1, 0]
    assert shown["targets in NK"]["values"] == [0, 0]  # a network without edges
    assert shown["groups"]["values"] == [2, 1]
    rows = re.findall(r'<tr><th scope="row">(.*?)<small>.*?</th>(.*?)</tr>', text)
    cells = {
        name: [re.sub("<[^>]*>", "", cell) for cell in re.findall("<td>(.*?)</td>", row)]
        for name, row in rows
    }
    assert cells["Share of pairs"] == ["look at this: 20 %", "good: 1 %", "–"]
    assert cells["Samples"] == ["70", "–", "–"]


def test_code_runs_and_computes_the_same(tmp_path, monkeypatch) -> None:
    rng = _seeds.generator(3, "report")
    values = rng.normal(size=(60, 12))
    values[:, 4:] += values[:, [0, 1] * 4]
    adata = anndata.AnnData(values)
    adata.var_names = [f"g{i}" for i in range(12)]
    adata.obs["kind"] = ["a", "b"] * 30
    adata.write_h5ad(tmp_path / "cells.h5ad")
    (tmp_path / "regulators.txt").write_text("g0\ng1\n")
    monkeypatch.chdir(tmp_path)
    pysces.run_aracne(
        adata, "regulators.txt", resampling=None, alpha=0.5, n_null=5000, key_added="net"
    )
    pysces.run_viper(adata, "net", min_targets=1, groupby="kind")
    pysces.run_msviper(adata, "kind", "a", network="net", min_targets=1, n_permutations=50)
    pysces.report(adata, "first.html", key="net", groupby="kind", source="cells.h5ad")
    text = (tmp_path / "first.html").read_text()
    code = re.search(r'<pre id="python">(.*?)</pre>', text, re.S)
    assert code
    exec(html.unescape(code[1]), {})
    assert tables((tmp_path / "report.html").read_text()) == tables(text)


def test_arguments_that_were_objects_are_named(text) -> None:
    """The list of regulators is not in the record: the code says so, and is Python all the same."""
    code = re.search(r'<pre id="python">(.*?)</pre>', text, re.S)
    assert code
    lines = html.unescape(code[1]).splitlines()
    ast.parse("\n".join(lines))
    assert "# regulators: the object that was passed; the record has no copy" in lines
    assert any("run_aracne(adata, regulators=regulators, " in line for line in lines)
    assert any("key_added='<em>net<'" in line for line in lines)


def test_ten_thousand_edges_take_little_room(tmp_path) -> None:
    rng = _seeds.generator(1, "report")
    pairs = rng.choice(200 * 2000, size=10_000, replace=False)
    edges = pd.DataFrame({"source": pairs // 2000, "target": pairs % 2000})
    edges = edges.apply(lambda column: "ENSG0000000" + column.astype(str) + column.name)
    for name in ("mi", "correlation", "mor", "likelihood", "pvalue", "qvalue"):
        edges[name] = rng.random(len(edges))
    edges["support"] = rng.integers(50, 100, size=len(edges))
    names = pd.unique(edges["source"])
    adata = anndata.AnnData(
        np.zeros((300, 4)), obs=pd.DataFrame(index=[f"c{i}" for i in range(300)])
    )
    adata.obs["kind"] = [f"kind {i % 20}" for i in range(300)]
    _results.write(adata, "aracne", NetworkResult(network=edges))
    adata.obsm["viper"] = pd.DataFrame(
        rng.normal(size=(300, len(names))), columns=names, index=adata.obs_names
    )
    adata.uns["viper"] = {"regulators": pd.DataFrame(index=names), "params": {}}
    pysces.report(adata, tmp_path / "page.html", groupby="kind")
    assert (tmp_path / "page.html").stat().st_size < 3_000_000


def test_plots_change_their_colours_on_dark_pages(text) -> None:
    images = re.findall(r'src="data:image/svg\+xml;base64,([^"]*)"', text)
    assert len(images) == 5
    for image in images:
        drawing = base64.b64decode(image).decode()
        xml.etree.ElementTree.fromstring(drawing)
        assert "prefers-color-scheme:dark" in drawing
        assert ":root{--c0:#222222;" in drawing
        assert INK not in drawing.partition("</style>")[2].lower()


def test_every_value_is_escaped(tmp_path) -> None:
    rows = [("<&>\"'", "\x00")]
    bad = "</title></script><b>"
    content = Content(
        {}, {"masters": [{"title": bad, "kind": "label", "labels": [bad]}]}, {}, bad, bad
    )
    page = _page(
        _template(), content=content, title=bad, checks=[(True, "<i>")], code="<u>",
        measures=[Measure("<s>", "<s>", [Finding("<s>", False)])], origin={"<q>": "<q>"},
        parameters={"<p>": rows},
    )  # fmt: skip
    for written in (
        "<title>&lt;/title&gt;", ">&lt;i&gt;</li>", "<dt>&lt;q&gt;</dt><dd>&lt;q&gt;</dd>",
        '<pre id="python">&lt;u&gt;</pre>', "&lt;s&gt;<small>&lt;s&gt;</small>", " of &lt;p&gt;<",
        "<td>&lt;&amp;&gt;&#34;&#39;</td>", "<td>\N{REPLACEMENT CHARACTER}</td>",
        r"\u003c/title>\u003c/script>\u003cb>",
    ):  # fmt: skip
        assert written in page, written
    assert bad not in page
