"""The shape of the house: arrows between rooms, light imports, conventions of public functions."""

from __future__ import annotations

import ast
import graphlib
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import pysces

PACKAGE = Path(pysces.__file__).parent
KERNELS = Path(importlib.import_module("pysces.kernels").__file__).parent

# Who may import whom; all may use settings, errors and the modules with a leading underscore.
EVERYBODY = {"settings", "errors"} | {path.stem for path in PACKAGE.glob("_*.py")}
ARROWS = {
    "cli": {
        "aracne",
        "viper",
        "pl",
        "data",
        "network",
        "demo",
        "dispatch",
        "doctor",
        "reports",
    },
    "demo": {"aracne", "viper", "pl", "data", "network"},
    "aracne": {"data", "network", "dispatch"},
    "samples": {"data", "dispatch"},
    "viper": {"data", "network", "dispatch"},
    "embedding": {"data", "network", "dispatch"},
    "pl": {"data", "network", "aracne", "viper", "embedding", "dispatch"},
    "reports": {"aracne", "data", "network", "pl", "viper"},
    "doctor": {"aracne", "viper", "dispatch"},
    "data": {"network", "dispatch"},
    "network": set(),
    "dispatch": {"kernels"},
}


def _room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _imported_rooms(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("pysces."):
            rooms.add(node.module.split(".")[1])
        elif isinstance(node, ast.ImportFrom) and node.module == "pysces":
            rooms |= {alias.name for alias in node.names if (PACKAGE / f"{alias.name}.py").exists()}
            rooms |= {alias.name for alias in node.names if (PACKAGE / alias.name).is_dir()}
        elif isinstance(node, ast.Import):
            names = [a.name for a in node.names if a.name.startswith("pysces.")]
            rooms |= {name.split(".")[1] for name in names}
    return rooms


SOURCES = [
    p for p in sorted(PACKAGE.rglob("*.py")) if "kernels" not in p.relative_to(PACKAGE).parts
]


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_arrows_point_one_way(path: Path) -> None:
    room = _room(path)
    if room in {"__init__", "__main__", *EVERYBODY}:
        return
    allowed = ARROWS[room] | EVERYBODY | {room}
    assert _imported_rooms(path) <= allowed


def _name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(path: Path, modules: set[str]) -> set[str]:
    """Modules of the package that a module imports, in its functions too, but not for its types."""
    tree = ast.parse(path.read_text())
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names} & modules
            found |= inner or ({node.module} & modules)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names} & modules
    return found - {"pysces"}  # public names are found when they are used


def test_no_modules_import_each_other() -> None:
    """No circle, also not one that an import within a function hides."""
    modules = {_name(path): path for path in SOURCES}
    graph = {name: _imports(path, set(modules)) - {name} for name, path in modules.items()}
    try:
        list(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as error:
        pytest.fail(f"a circle of imports: {' <- '.join(error.args[1])}")


@pytest.mark.parametrize("path", sorted(KERNELS.rglob("*.py")), ids=lambda p: p.stem)
def test_kernels_know_nothing_of_the_package(path: Path) -> None:
    engine = path.relative_to(KERNELS).parts[0]
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            inside = name.startswith(f"pysces.kernels.{engine}") or name == "pysces._logarithm"
            assert inside or not name.startswith(("pysces", "anndata", "logging", "pandas")), name


def _run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout.strip()


def test_import_is_light() -> None:
    heavy = "('numba', 'mlx', 'scanpy', 'matplotlib', 'dask', 'anndata', 'scipy', 'pandas')"
    code = f"import sys, pysces; print([m for m in {heavy} if m in sys.modules])"
    assert _run(code) == "[]"


def test_kernels_folder_refuses_to_be_imported_by_itself() -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(KERNELS.parent)!r})\n"
        "try:\n    import kernels\nexcept ImportError as error:\n    print(error)"
    )
    assert "pysces.kernels" in _run(code)


def test_public_names_resolve_and_are_documented() -> None:
    for name in pysces.__all__:
        value = getattr(pysces, name)
        if callable(value):
            assert inspect.getdoc(value), name
    assert set(dir(pysces)) >= set(pysces.__all__)
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = pysces.no_such_name


OF_ADATA = [
    name
    for name in pysces.__all__
    if inspect.isfunction(getattr(pysces, name))
    and "adata" in inspect.signature(getattr(pysces, name)).parameters
]
RETURNS = "returns its result and leaves adata as it is"
# Functions of an AnnData without `copy`, `key_added`, and why.
NOT_IN_PLACE = {
    "activity": RETURNS,
    "metacells": RETURNS,
    "pseudobulk": RETURNS,
    "ranking": RETURNS,
    "regulon_specificity": RETURNS,
    "regulator_neighbours": RETURNS,
    "report": "writes a page",
    "to_mudata": RETURNS,
}


@pytest.mark.parametrize("name", OF_ADATA)
def test_signatures_follow_scanpy(name: str) -> None:
    parameters = inspect.signature(getattr(pysces, name)).parameters
    positional = [p for p in parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert next(iter(parameters)) == "adata"
    assert len(positional) <= 3
    assert not any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    assert ("copy" in parameters) == (name not in NOT_IN_PLACE)
    assert ("key_added" in parameters) == (name not in NOT_IN_PLACE)
    for keyword in ("copy", "key_added", "layer", "engine", "seed"):
        if keyword in parameters:
            assert parameters[keyword].kind is inspect.Parameter.KEYWORD_ONLY, keyword
    if "copy" in parameters:
        assert parameters["copy"].default is False


def test_exceptions_of_signatures_exist() -> None:
    assert set(NOT_IN_PLACE) < set(OF_ADATA)


def test_public_docstrings_have_what_a_user_needs() -> None:
    functions = [n for n in pysces.__all__ if inspect.isfunction(getattr(pysces, n))]
    for name in functions:
        text = inspect.getdoc(getattr(pysces, name)) or ""
        assert "Examples\n--------" in text, name
        if inspect.signature(getattr(pysces, name)).parameters:
            assert "Parameters\n----------" in text, name


def test_the_tour_of_the_house_shows_every_folder() -> None:
    tour = PACKAGE.parent / "CONTRIBUTING.md"
    if not tour.exists():
        pytest.skip("the package lies apart from its pages")
    shown = set(re.findall(r"(\w+)/(?= )", tour.read_text(encoding="utf-8")))
    rooms = {p.parent.name for p in PACKAGE.glob("*/__init__.py")} - {"kernels"}
    assert rooms <= shown


def test_modules_import_by_themselves() -> None:
    """Each in a process of its own, so that none leans on what another has imported."""
    modules = [_name(path) for path in SOURCES if path.name != "__main__.py"]
    lines = [
        "import importlib, multiprocessing, sys",
        "def alone(name):",
        "    importlib.import_module(name)",
        "if __name__ == '__main__':",
        "    import pysces, numpy, pandas, scipy.stats, scipy.sparse.linalg, anndata, numba",
        # A fork of a process that has other packages, but no module of this one
        "    context = multiprocessing.get_context('fork')",
        f"    for name in {modules!r}:",
        "        child = context.Process(target=alone, args=(name,))",
        "        child.start(); child.join()",
        "        if child.exitcode: print(name)",
    ]
    assert _run("\n".join(lines)) == ""
