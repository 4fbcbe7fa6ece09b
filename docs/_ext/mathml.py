"""Render formulas as MathML, which browsers display without scripts, fonts or a network."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging

log = logging.getLogger(__name__)

# Commands that the converter does not know, and their replacements.
_PLAIN = {
    r"\dfrac": r"\frac",
    r"\tfrac": r"\frac",
    r"\lvert": "|",
    r"\rvert": "|",
    r"\bigl": "",
    r"\bigr": "",
}


def mathml(tex: str, *, block: bool = False) -> str:
    """Return the formula as a MathML element."""
    for command, plain in _PLAIN.items():
        tex = re.sub(re.escape(command) + r"(?![A-Za-z])", lambda _, plain=plain: plain, tex)
    return str(tex2mathml(tex, as_block=block))


def drawn(node: nodes.Element, *, block: bool) -> str:
    """Convert the formula of a node; warn if it cannot be converted."""
    try:
        return mathml(node.astext(), block=block)
    except MathError as error:
        log.warning("%s in the formula %s", error, node.astext(), location=node)
        return nodes.unescape(node.astext())


def visit_inline(self: Any, node: nodes.math) -> None:
    """Write an inline formula."""
    self.body.append(drawn(node, block=False))
    raise nodes.SkipNode


def visit_block(self: Any, node: nodes.math_block) -> None:
    """Write a displayed formula."""
    self.body.append(f'<div class="formula">{drawn(node, block=True)}</div>')
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, bool]:
    """Register the renderer: ``html_math_renderer = "mathml"``."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
