"""Every public object says what it takes, gives, refuses and comes from, with an example.

`test_examples.py` runs the examples; here it is asked whether the sections are there and whole.
"""

from __future__ import annotations

import builtins
import dataclasses
import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import pysces
from pysces import errors
from pysces.dispatch.engines import Engine
from pysces.dispatch.status import EngineStatus, Status
from pysces.dispatch.validation import ValidationReport, Verdict

# Parameters through which data come in: a function that has one says what it refuses.
DATA = {"activity", "adata", "correlation", "data", "edges", "expression", "first", "graph", "mi"}
DATA |= {"network", "path", "paths", "signature", "values"}
# Functions whose numbers are of no paper: they move, show or describe. All others in
# `pysces.__all__` name their sources.
PLAIN = {
    "activity",
    "pseudobulk",
    "ranking",
    "read_expression",
    "read_network",
    "regulator_neighbours",
    "report",
    "status",
    "use_engine",
    "warmup",
    "validate",
}
# Functions whose examples need a run of theirs first and aren't executed; the tour executes them.
SECTIONS = (
    "Parameters",
    "Returns",
    "Yields",
    "Attributes",
    "Raises",
    "Warns",
    "Notes",
    "References",
    "Examples",
    "See Also",
)
SHAPE = re.compile(r"\w+\)? x \w+|\[[a-z]\w*( [a-z]\w*)*\]|[Oo]ne (row|number) (a|per) \w+")
YEAR = re.compile(r"\b(19|20)\d\d\b")


def sections(text: str) -> dict[str, str]:
    """Sections of a numpydoc docstring by title; what stands before them under ''."""
    found, title, lines = {"": ""}, "", text.splitlines()
    for number, line in enumerate(lines):
        following = lines[number + 1] if number + 1 < len(lines) else ""
        if line in SECTIONS and following == "-" * len(line):
            title = line
            found[title] = ""
        elif not (line and set(line) == {"-"}):
            found[title] += line + "\n"
    return found


def described(section: str) -> list[str]:
    """Names at the margin of a section: ``a, b : int`` gives a and b."""
    names = [line.partition(" : ")[0] for line in section.splitlines() if re.match(r"\S", line)]
    return [name.strip().lstrip("*") for line in names for name in line.split(",")]


def wordless(section: str) -> list[str]:
    """Names at the margin of a section under which no word stands."""
    entries = re.split(r"^(?=\S)", section, flags=re.M)
    heads = [entry.splitlines() for entry in entries if entry.strip()]
    return [head.strip() for head, *below in heads if not re.search(r"\w", " ".join(below))]


def runs(example: str) -> bool:
    """Whether an example is more than imports and lines that are skipped."""
    lines = re.findall(r"^ *>>> (.*)$", example, flags=re.M)
    calls = [line for line in lines if not line.startswith(("import ", "from "))]
    return any("doctest: +SKIP" not in line for line in calls)


def parameters_of(function: Callable[..., Any]) -> list[str]:
    """Names in the signature, without self and cls."""
    return [name for name in inspect.signature(function).parameters if name not in ("self", "cls")]


def complaints(
    function: Callable[..., Any], *, method: bool = False, picture: bool = False
) -> list[str]:
    """What the docstring of a function lacks."""
    text = inspect.getdoc(function) or ""
    found = sections(text)
    if not found[""].strip():
        return ["no docstring"]
    prose = "".join(part for title, part in found.items() if title != "Examples")
    names = parameters_of(function)
    told = described(found.get("Parameters", ""))
    lacks = [f"parameter {name!r} isn't described" for name in names if name not in told]
    lacks += [
        f"parameter {name!r} is described but not there" for name in told if name not in names
    ]
    gives = inspect.signature(function).return_annotation
    if gives not in (None, "None", "NoReturn") and not {"Returns", "Yields"} & set(found):
        lacks.append("no Returns")
    if ">>> " not in found.get("Examples", ""):
        lacks.append("no Examples")
    elif not runs(found["Examples"]):
        lacks.append("no example that runs")
    for title in ("Parameters", "Raises"):
        lacks += [f"{name!r} has no words" for name in wordless(found.get(title, ""))]
    if {"Returns", "Yields"} & set(found) and not found.get("Returns", found.get("Yields")).strip():
        lacks.append("no words under Returns")
    refuses = "raise " in inspect.getsource(inspect.unwrap(function))
    if (refuses or DATA & set(names)) and not found.get("Raises", "").strip():
        lacks.append("no Raises")
    for name in described(found.get("Raises", "")):
        if not hasattr(errors, name) and not hasattr(builtins, name):
            lacks.append(f"{name!r} under Raises is no error")
    if not picture and DATA & set(names) - {"graph", "path", "paths"} and not SHAPE.search(prose):
        lacks.append("no shape (cells x genes, [edges], one row per edge)")
    if method and not YEAR.search(found.get("References", "")):
        lacks.append("no References with a year")
    return lacks


def public_functions() -> Iterator[tuple[str, Callable[..., Any], bool]]:
    """Name, function, and whether it is a method of a paper."""
    for name in pysces.__all__:
        value = getattr(pysces, name)
        if inspect.isfunction(value):
            yield name, value, name not in PLAIN
        elif inspect.isclass(value) and not issubclass(value, Exception):
            for part, member in inspect.getmembers(value):
                if not part.startswith("_") and inspect.isroutine(member):
                    yield f"{name}.{part}", getattr(member, "__func__", member), False
    for name in pysces.pl.__all__:
        yield f"pl.{name}", getattr(pysces.pl, name), False


FUNCTIONS = list(public_functions())
CLASSES = [n for n in pysces.__all__ if inspect.isclass(getattr(pysces, n))]


@pytest.mark.parametrize(
    ("function", "method"), [f[1:] for f in FUNCTIONS], ids=[f[0] for f in FUNCTIONS]
)
def test_function_is_documented(function: Callable[..., Any], method: bool) -> None:
    picture = function.__module__.startswith("pysces.pl.")
    assert complaints(function, method=method, picture=picture) == []


@pytest.mark.parametrize("name", CLASSES)
def test_class_is_documented(name: str) -> None:
    kind = getattr(pysces, name)
    found = sections(inspect.getdoc(kind) or "")
    assert found[""].strip()
    assert kind.__doc__ is not None, "inherited"
    assert ">>> " in found.get("Examples", "")
    if not issubclass(kind, Exception):
        assert described(found["Parameters"]) == parameters_of(kind)
        assert found["Raises"].strip()


def test_properties_and_settings_are_documented() -> None:
    kinds = [getattr(pysces, n) for n in CLASSES] + [type(pysces.settings)]
    for kind in kinds:
        for name, member in inspect.getmembers(kind, lambda m: isinstance(m, property)):
            assert inspect.getdoc(member), f"{kind.__name__}.{name}"
    kind = type(pysces.settings)
    found = sections(inspect.getdoc(kind) or "")
    names = [n for n, m in inspect.getmembers(kind) if isinstance(m, property)]
    assert sorted(described(found["Attributes"])) == sorted(names)
    assert ">>> " in found["Examples"]


@pytest.mark.parametrize("kind", [Engine, EngineStatus, Status, ValidationReport, Verdict])
def test_what_calls_hand_back_is_documented(kind: type) -> None:
    found = sections(inspect.getdoc(kind) or "")
    assert found[""].strip()
    assert set(described(found["Attributes"])) == {field.name for field in dataclasses.fields(kind)}
    for name, member in inspect.getmembers(kind):
        if not name.startswith("_") and (
            inspect.isfunction(member) or isinstance(member, property)
        ):
            assert inspect.getdoc(member), f"{kind.__name__}.{name}"


def test_all_of_the_public_surface_is_looked_at() -> None:
    names = {name for name, _, _ in FUNCTIONS}
    assert {"run_aracne", "run_viper", "Network.write", "Network.prune", "pl.volcano"} <= names
    assert len(names) > 50
    assert set(PLAIN) <= set(pysces.__all__)
    left = set(pysces.__all__) - {name.partition(".")[0] for name in names} - set(CLASSES)
    assert left == {"__version__", "settings"}


# --- the check itself -----------------------------------------------------------------------------


def good(adata, mode=1) -> int:
    """What it is.

    Parameters
    ----------
    adata
        Cells x genes.
    mode
        A number, pure.

    Returns
    -------
    int
        One.

    Raises
    ------
    InputError
        If not.

    References
    ----------
    Somebody 1999.

    Examples
    --------
    >>> good(1)
    1
    """


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("What it is.", "", "no docstring"),
        ("mode\n    A number", "size\n    A number", "parameter 'mode' isn't described"),
        ("mode\n    A number", "mode\n    N.\nold\n    A number", "'old' is described but not"),
        ("Returns\n-------", "Return\n------", "no Returns"),
        (">>> good(1)", "good(1)", "no Examples"),
        (">>> good(1)", ">>> good(1)  # doctest: +SKIP", "no example that runs"),
        (">>> good(1)", ">>> import pysces", "no example that runs"),
        ("mode\n    A number, pure.", "mode", "'mode' has no words"),
        ("InputError\n    If not.", "InputError", "'InputError' has no words"),
        ("int\n    One.\n", "", "no words under Returns"),
        ("Raises\n------\nInputError\n    If not.", "", "no Raises"),
        ("InputError", "InputErorr", "'InputErorr' under Raises is no error"),
        ("Cells x genes", "Cells", "no shape"),
        ("Cells x genes.", "Cells.\n\nExamples\n--------\n>>> adata[cells]", "no shape"),
        ("Somebody 1999", "Somebody", "no References with a year"),
        ("References\n----------", "", "no References with a year"),
    ],
)
def test_the_check_sees_what_is_missing(old: str, new: str, complaint: str) -> None:
    assert complaints(good, method=True) == []
    text = inspect.cleandoc(good.__doc__ or "")
    assert old in text

    def bad(adata, mode=1) -> int:
        return 1

    bad.__doc__ = text.replace(old, new)
    assert any(complaint in found for found in complaints(bad, method=True))


def test_the_check_reads_the_body_for_errors() -> None:
    def refuses(mode: int) -> None:
        """Nothing.

        Parameters
        ----------
        mode
            A number.

        Examples
        --------
        >>> refuses(1)
        """
        raise ValueError(mode)

    assert complaints(refuses) == ["no Raises"]
