"""How the results of a report were computed: when, from what, with which programs and calls."""

from __future__ import annotations

import inspect
import os
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np

import pysces
from pysces._keys import Result
from pysces._record import RunRecord
from pysces._version import __version__

if TYPE_CHECKING:
    from anndata import AnnData

_PROGRAMS = ("anndata", "numpy", "scipy", "pandas", "numba", "mlx")
_LONGEST = 400
_DEFAULTS = ("built-in", "var['regulator']")  # what a record says where no regulators were given


def records(adata: AnnData, keys: Sequence[str]) -> dict[str, RunRecord]:
    """The run records under these keys, if there are any."""
    found = {}
    for key in dict.fromkeys(keys):
        stored = adata.uns.get(key)
        record = RunRecord.of_entries(stored if isinstance(stored, Mapping) else {})
        if record.options or record.facts:
            found[key] = record
    return found


def origin(adata: AnnData, source: str | None, runs: Mapping[str, RunRecord]) -> dict[str, str]:
    """Date, file, versions and engines."""
    # Builds that must not depend on the time set this variable (reproducible-builds.org).
    seconds = float(os.environ.get("SOURCE_DATE_EPOCH", time.time()))
    found = {"written": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))}
    if source is not None:
        found["file"] = source
    found["report by"] = f"PySCES {__version__}, Python {platform.python_version()}"
    found["packages"] = ", ".join(_versions())
    for key, record in runs.items():
        engine = " ".join(str(record.engine[n]) for n in ("name", "version") if n in record.engine)
        on = [str(record.engine[n]) for n in ("device", "precision") if n in record.engine]
        by = f"PySCES {record.version}" if record.version else "an unknown version"
        parts = [f"{record.method or 'computed'} by {by}"]
        parts += [f"engine {engine}"] * bool(engine) + on
        found[key] = ", ".join(parts)
    return found


def _versions() -> Iterator[str]:
    for program in _PROGRAMS:
        try:
            yield f"{program} {version(program)}"
        except PackageNotFoundError:
            continue


def code(source: str | None, runs: Mapping[str, RunRecord], arguments: Mapping[str, Any]) -> str:
    """Python code that computes the results again, and writes the report with these arguments."""
    name = "cells.h5ad" if source is None else source
    lines = ["import anndata", "import pysces", "", f"adata = anndata.read_h5ad({name!r})"]
    for key, record in runs.items():
        lines += _call(key, record)
    given = _written(arguments, inspect.signature(pysces.report))
    lines.append(f"pysces.report({', '.join(['adata', repr('report.html'), *given])})")
    return "\n".join(lines)


def _call(key: str, record: RunRecord) -> list[str]:
    """The call of a run, with the arguments that differ from their defaults."""
    kinds = {kind.method: kind.default_key for kind in Result.__subclasses__()}
    if record.method not in kinds or not hasattr(pysces, record.method):
        return [f"# {key}: the record does not say how it was computed"]
    function = inspect.signature(getattr(pysces, record.method))
    given = _written(record.options, function)
    if key != kinds[record.method]:
        given.append(f"key_added={key!r}")
    unknown = [name for name, value in record.options.items() if _is_object(value)]
    note = [f"# {name}: the object that was passed; the record has no copy" for name in unknown]
    return [*note, f"pysces.{record.method}({', '.join(['adata', *given])})"]


def _written(values: Mapping[str, Any], function: inspect.Signature) -> list[str]:
    """Arguments of a call as code, without those that are at their default."""
    found = []
    for name, parameter in function.parameters.items():
        if name not in values or name in ("adata", "path", "copy", "key_added"):
            continue
        value = _plain(values[name])
        if type(value) is type(parameter.default) and value == parameter.default:
            continue
        if isinstance(value, str) and value in _DEFAULTS:
            continue
        text = name if _is_object(value) else repr(value)
        required = parameter.default is parameter.empty
        found.append(text if required else f"{name}={text}")
    return found


def _is_object(value: object) -> bool:
    """Whether a run record only says that a value was given."""
    return isinstance(value, str) and value == "given"


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray):
        return tuple(value.tolist())
    return value.item() if isinstance(value, np.generic) else value


def parameters(runs: Mapping[str, RunRecord]) -> dict[str, list[tuple[str, str]]]:
    """All parameters and facts of each run, as text."""
    return {
        key: [
            (name, _shown(value))
            for name, value in sorted({**record.options, **record.facts}.items())
        ]
        for key, record in runs.items()
    }


def _shown(value: object) -> str:
    """The value of a parameter as a short text.

    >>> _shown(0.1234567), _shown({"b": 1, "a": None}), _shown(np.arange(3))
    ('0.1235', 'a: None, b: 1', '0, 1, 2')
    """
    if isinstance(value, Mapping):
        text = ", ".join(f"{name}: {_shown(item)}" for name, item in sorted(value.items()))
    elif isinstance(value, np.ndarray):
        text = ", ".join(_shown(item) for item in value.ravel()[:30].tolist())
        text += f", … ({value.size} values)" if value.size > 30 else ""
    elif isinstance(value, float | np.floating):
        text = f"{value:.4g}"
    else:
        text = str(value)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
