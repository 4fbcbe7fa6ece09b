"""The tutorials run from top to bottom, as a reader would paste them, and are well-formed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TUTORIALS = Path(__file__).resolve().parent.parent / "docs" / "tutorials"
if not TUTORIALS.is_dir():
    pytest.skip("the tests lie apart from the tutorials", allow_module_level=True)
PAGES = sorted(TUTORIALS.glob("[0-9]*.md"))
CELL = re.compile(r"^```\{code-cell\} ipython3\n((?::[^\n]*\n)*)\n*(.*?)^```$", flags=re.S | re.M)
NEEDS = {"04-scaling-out": ("distributed",), "06-from-a-10x-folder": ("igraph", "jinja2")}
# Pages that don't run within ten seconds on an ordinary computer: all of them do real work.
SLOW = {page.stem for page in PAGES}


def cells_of(page: Path) -> list[str]:
    """The code cells of a page, in order."""
    return [code for _, code in CELL.findall(page.read_text(encoding="utf-8"))]


def test_there_are_tutorials() -> None:
    assert [page.stem[:2] for page in PAGES] == [f"{number:02}" for number in range(1, 9)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_form(page: Path) -> None:
    """Front matter that Sphinx and Jupyter read, whole cells, links that lead somewhere."""
    text = page.read_text(encoding="utf-8")
    _, front, body = text.split("---\n", 2)
    assert text.startswith("---\n")
    for line in ("file_format: mystnb", "  name: python3", "    format_name: myst"):
        assert line in front.splitlines(), line
    assert body.lstrip().startswith("# ")
    assert "At the end of this page you " in body
    assert len(cells_of(page)) == body.count("```{code-cell}")
    assert "```python\n" not in body  # it would be run apart from the other cells
    for link in re.findall(r"\]\(([\w.-]+\.md)\)", body):
        assert (page.parent / link).exists(), link
    for number, code in enumerate(cells_of(page)):
        compile(code, f"{page.name}, cell {number}", "exec")


@pytest.mark.parametrize(
    "page",
    [pytest.param(p, marks=[pytest.mark.slow] * (p.stem in SLOW), id=p.stem) for p in PAGES],
)
def test_runs(page: Path, tmp_path: Path, fast: None) -> None:
    """All cells of a page run one after the other in one namespace.

    Each page has a process of its own, as it has a kernel of its own: its settings and filters
    reach no other test, and workers of Dask start from a plain script.
    """
    if os.environ.get("PYSCES_TUTORIALS") == "documentation":
        pytest.skip("the build of the documentation, a later step, executes the tutorials")
    for package in ("scanpy", "matplotlib", *NEEDS.get(page.stem, ())):
        pytest.importorskip(package, reason="the tutorials use it")
    script = tmp_path / "tutorial.py"
    cells = "\n\n".join(f"# cell {i}\n{code}" for i, code in enumerate(cells_of(page)))
    body = "".join(f"    {line}\n" if line else "\n" for line in cells.splitlines())
    script.write_text(
        f"import matplotlib\n\nmatplotlib.use('Agg')\n\nif __name__ == '__main__':\n{body}",
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Traceback" not in done.stderr, done.stderr[-3000:]
    # "the same to the bit: True"
    assert not [line for line in done.stdout.splitlines() if line.endswith("False")], done.stdout
