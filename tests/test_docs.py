"""The pages name every public thing, and nothing that isn't there."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from dataclasses import fields
from pathlib import Path

import pytest

import pysces
from pysces.aracne._options import AracneOptions, ComparisonOptions
from pysces.cli import COMMANDS
from pysces.viper._options import MsviperOptions, ViperOptions

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PACKAGE = Path(pysces.__file__).parent
if not DOCS.is_dir():
    pytest.skip("the tests lie apart from the pages", allow_module_level=True)

_spec = importlib.util.spec_from_file_location(
    "_messages", Path(__file__).with_name("_messages.py")
)
assert _spec is not None
assert _spec.loader is not None
_messages = sys.modules.setdefault("_messages", importlib.util.module_from_spec(_spec))
_spec.loader.exec_module(_messages)

PAGE = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
ENTRIES = _messages.entries(PAGE)
MESSAGES = _messages.messages(PACKAGE)
# Raised where the walk of the source doesn't look: on import, and by the command line itself.
ELSEWHERE = ("two projects are installed", "this directory is the package", "pysces: interrupted")


def test_messages_are_found() -> None:
    """The walk reads f-strings, messages made by another function, and logged ones."""
    words = [message.text for message in MESSAGES]
    for known in ("gene names occur more than once", "The network has no edges.", "is corrupt"):
        assert any(known in text for text in words), known
    assert len(words) > 150


def test_every_entry_is_a_message() -> None:
    stale = [
        entry
        for entry in ENTRIES
        if not entry.startswith(ELSEWHERE)
        and not any(_messages.documents(entry, message.text) for message in MESSAGES)
    ]
    assert not stale, "no message of the source begins like these entries:\n" + "\n".join(stale)


def test_no_entry_is_empty_of_words() -> None:
    """An entry of holes alone would document everything."""
    few = [entry for entry in ENTRIES if len(re.findall(r"[A-Za-z]{2,}", entry)) < 2]
    assert few in ([], ["Group …: …"])
    assert len(ENTRIES) == len(set(ENTRIES))


def _listed_names(page: str) -> list[str]:
    text = (DOCS / "api" / page).read_text(encoding="utf-8")
    blocks = re.findall(r"\.\. autosummary::\n(?: +:.*\n)*\n((?:   \w+\n)+)", text)
    return [name for block in blocks for name in block.split()]


def test_every_public_name_has_a_page() -> None:
    listed = [
        n for page in ("networks.md", "activity.md", "settings.md") for n in _listed_names(page)
    ]
    assert sorted(listed) == sorted(set(pysces.__all__) - {"__version__", "pl", "settings"})


def test_every_plot_has_a_page() -> None:
    pytest.importorskip("matplotlib")
    assert sorted(_listed_names("plots.md")) == sorted(pysces.pl.__all__)


def test_gallery_draws_every_plot() -> None:
    pytest.importorskip("matplotlib")
    sections = re.split(
        r"^### `(\w+)`$", (DOCS / "gallery.md").read_text(encoding="utf-8"), flags=re.M
    )
    shown = dict(zip(sections[1::2], sections[2::2], strict=True))
    assert sorted(shown) == sorted(pysces.pl.__all__)
    for name, section in shown.items():
        assert re.search(rf"^pysces\.pl\.{name}\(.*\);$", section, flags=re.M), name


def test_figures_of_the_first_pages_are_those_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    headline = importlib.import_module("headline")
    block = headline.text(json.loads(headline.STORED.read_text(encoding="utf-8")))
    for page in headline.PAGES:
        assert headline.BLOCK.findall(page.read_text(encoding="utf-8")) == [block]


def test_paper_cites_its_bibliography_and_no_more() -> None:
    text = (DOCS / "paper" / "paper.md").read_text(encoding="utf-8")
    cited = set(re.findall(r"(?<=@)[a-z]+\d{4}", text))
    entries = re.findall(
        r"^@\w+\{(\w+),$", (DOCS / "paper" / "paper.bib").read_text("utf-8"), flags=re.M
    )
    assert sorted(cited) == sorted(entries)


def test_figures_of_the_paper_are_those_of_the_pages(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.syspath_prepend(str(DOCS / "paper"))
    figures = importlib.import_module("figures")
    figures.main(tmp_path)
    paper = (DOCS / "paper" / "paper.md").read_text(encoding="utf-8")
    drawn = sorted(path.name for path in tmp_path.iterdir())
    assert drawn == sorted(re.findall(r"\]\((\w+\.png)\)", paper))
    shares = figures.table("Activities of cells that differ only in depth").set_index("targets")
    before, now = (float(share) for share in shares.loc["mean"].iloc[1:3])
    assert f"is {before:.2f} with z-scores" in paper
    assert f"and {now:.2f} with\nscores of counts" in paper


def test_terms_of_the_glossary_are_sorted() -> None:
    terms = re.findall(r"^(\w[\w -]*)$", (DOCS / "glossary.md").read_text("utf-8"), flags=re.M)
    assert len(terms) > 30
    assert terms == sorted(terms, key=str.lower)


def test_tables_of_the_command_line_have_every_option(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sphinx", reason="the pages are built with it")
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    tables = importlib.import_module("generated_tables").command_line()
    parts = dict(
        re.findall(
            r"^\.\. rubric:: pysces (\w+)\n(.*?)(?=^\.\. rubric|\Z)", tables, flags=re.M | re.S
        )
    )
    assert list(parts) == list(COMMANDS)
    for name, options in {
        "aracne": AracneOptions,
        "compare": ComparisonOptions,
        "viper": ViperOptions,
        "msviper": MsviperOptions,
    }.items():
        for field in fields(options):
            assert f"``--{field.name.replace('_', '-')}``" in parts[name]
    assert "     - ``decoy|poisson|binomial``\n     - ``decoy``\n" in parts["aracne"]


def test_formulas_can_be_drawn() -> None:
    """The pages draw formulas without a script; a command that isn't known would be lost."""
    pytest.importorskip("sphinx", reason="the pages are built with it")
    path = DOCS / "_ext" / "mathml.py"
    spec = importlib.util.spec_from_file_location("mathml", path)
    assert spec is not None
    assert spec.loader is not None
    mathml = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(mathml)
    assert "<mfrac>" in mathml.mathml(r"\frac{a}{b}")
    for page in sorted((DOCS / "methods").glob("*.md")):
        text = page.read_text(encoding="utf-8")
        for formula in re.findall(r"\$\$(.+?)\$\$", text, flags=re.S):
            assert mathml.mathml(formula, block=True).startswith("<math")
        words = re.sub(r"\$\$.+?\$\$|```.*?```|`[^`]*`", "", text, flags=re.S)
        for formula in re.findall(r"\$([^$\n]+)\$", words):
            assert mathml.mathml(formula).startswith("<math")
