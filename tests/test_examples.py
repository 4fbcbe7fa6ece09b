"""Every example in a docstring and every block of Python in README.md and docs/ runs."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path

import pytest

import pysces

PACKAGE = Path(pysces.__file__).parent
ROOT = Path(__file__).resolve().parent.parent
MODULES = [
    module.name
    for module in pkgutil.walk_packages([str(PACKAGE)], "pysces.")
    if ".kernels" not in module.name and module.name != "pysces.__main__"
]


# An example that names one of these runs where the package is installed.
OPTIONAL = (
    "dask",
    "igraph",
    "jinja2",
    "matplotlib",
    "mudata",
    "networkx",
    "pyarrow",
    "scanpy",
    "sklearn",
)


def _missing_package(example: doctest.DocTest) -> str | None:
    source = "".join(line.source for line in example.examples)
    needed = [p for p in OPTIONAL if p in source]
    needed += ["matplotlib"] * ("pysces.pl." in source)
    needed += ["sklearn"] * ("pysces.metacells(" in source)
    return next((p for p in needed if find_spec(p) is None), None)


@pytest.mark.filterwarnings("ignore::pysces.PyscesWarning")
@pytest.mark.parametrize("name", ["pysces", *MODULES])
def test_docstring_examples(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # some write files
    monkeypatch.setenv("MPLBACKEND", "Agg")
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    found = [e for e in doctest.DocTestFinder().find(importlib.import_module(name)) if e.examples]
    missing = {e.name: package for e in found if (package := _missing_package(e))}
    verbosity = pysces.settings.verbosity
    pysces.settings.verbosity = "silent"
    try:
        for example in found:
            if example.name not in missing:
                runner.run(example)
    finally:
        pysces.settings.verbosity = verbosity
        if pyplot := sys.modules.get("matplotlib.pyplot"):
            pyplot.close("all")
    assert runner.failures == 0
    if missing:
        pytest.skip(f"the others passed; not installed: {missing}")


def _pages() -> list[Path]:
    return [p for p in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))) if p.exists()]


@pytest.mark.parametrize("page", _pages(), ids=lambda p: p.name)
def test_code_blocks_of_pages(page: Path, tmp_path, monkeypatch) -> None:
    """The blocks of a page run one after the other, as a reader would paste them."""
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(), flags=re.S | re.M)
    if not blocks:
        pytest.skip("no Python on this page")
    pytest.importorskip("scanpy", reason="the pages work on scanpy's data")
    pytest.importorskip("matplotlib", reason="the pages draw pictures").use("Agg")
    pytest.importorskip("jinja2", reason="a page writes a report")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of other packages, on their own data
        for block in blocks:
            exec(compile(block, page.name, "exec"), names)
        pytest.importorskip("matplotlib.pyplot").close("all")


def test_readme_has_two_commands() -> None:
    if not (ROOT / "README.md").exists():
        pytest.skip("the tests lie apart from the README")
    text = (ROOT / "README.md").read_text()
    commands = re.findall(r"^```bash\n(.*?)^```", text, flags=re.S | re.M)
    assert len(commands) == 2
    assert all(len(command.strip().splitlines()) == 1 for command in commands)
    assert "pysces demo" in commands[0]
    assert "pytest" in commands[1]
