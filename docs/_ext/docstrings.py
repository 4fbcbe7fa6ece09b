"""Prepare docstrings for Sphinx: single backticks are code, and bars are literal."""

from __future__ import annotations

import re
from typing import Any

_LITERAL = re.compile(r"(``.+?``)")
_SINGLE = re.compile(r"(?<![`:\w])`([^`\n]+)`(?![`_\w])")
_TRAILING = re.compile(r"(?<=\w)_(?=\W|$)")


def plain(line: str) -> str:
    """Escape bars and trailing underscores, which are not substitutions and links."""
    line = _SINGLE.sub(r"``\1``", line)
    parts = _LITERAL.split(line)
    parts[::2] = [_TRAILING.sub(r"\\_", part.replace("|", r"\|")) for part in parts[::2]]
    return "".join(parts)


def plain_text(lines: list[str]) -> list[str]:
    """Convert a docstring; examples (from ``>>>`` to the next empty line) are unchanged."""
    found, example = [], False
    for line in lines:
        example = line.lstrip().startswith(">>>") or (example and bool(line.strip()))
        found.append(line if example else plain(line))
    return found


def of_autodoc(
    app: Any, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Convert the docstring before napoleon reads its sections (an autodoc event)."""
    lines[:] = plain_text(lines)


def setup(app: Any) -> dict[str, bool]:
    """Connect to autodoc."""
    app.connect("autodoc-process-docstring", of_autodoc, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
