"""The docstring of every reference kernel states the shapes and types that are declared."""

from __future__ import annotations

import importlib
import inspect
import re

import numpy as np
import pytest

from pysces.dispatch.contracts import Kernel, Spec
from pysces.dispatch.operations import declared

CONTRACTS = declared()


def _line(spec: Spec) -> str:
    """A specification as the docstrings write it, such as ``(genes, samples) int32``."""
    names = ", ".join(spec.names) + "," * (len(spec.names) == 1)
    return f"({names}) {np.dtype(spec.numpy_dtype).name}"


def _sections(kernel: Kernel) -> tuple[list[str], list[str]]:
    """Unindented lines of the sections Parameters and Returns of the reference's docstring."""
    module = importlib.import_module(f"pysces.kernels.python.{kernel.file}")
    text = inspect.getdoc(getattr(module, kernel.name)) or ""
    found = re.fullmatch(r".*\nParameters\n-+\n(.*)\nReturns\n-+\n(.*)", text, re.DOTALL)
    assert found, "the docstring needs the sections Parameters and Returns"
    parameters, returns = (
        [line for line in part.splitlines() if line and not line.startswith(" ")]
        for part in found.groups()
    )
    return parameters, returns


@pytest.mark.parametrize("name", CONTRACTS)
def test_shapes_and_types_are_those_of_the_declaration(name: str) -> None:
    kernel = CONTRACTS[name]
    parameters, returns = _sections(kernel)
    assert returns == [_line(spec) for spec in kernel.results]
    written = {}
    for line in parameters:
        names, _, kind = line.partition(" : ")
        written.update(dict.fromkeys(names.split(", "), kind))
    wanted = {
        key: _line(kind) if isinstance(kind, Spec) else kind.__name__
        for key, kind in kernel.parameters.items()
    }
    assert list(written.items()) == list(wanted.items())
