"""Formulas as MathML, which browsers draw themselves: no script, no font, no network."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging

log = logging.getLogger(__name__)

# What the converter doesn't know, in words that it does.
_PLAIN = {
    r"\dfrac": r"\frac",
    r"\tfrac": r"\frac",
    r"\lvert": "|",
    r"\rvert": "|",
    r"\bigl": "",
    r"\bigr": "",
}


def mathml(tex: str, *, block: bool = False) -> str:
    """The formula as a MathML element."""
    for command, plain in _PLAIN.items():
        tex = re.sub(re.escape(command) + r"(?![A-Za-z])", lambda _, plain=plain: plain, tex)
    return str(tex2mathml(tex, as_block=block))


def drawn(node: nodes.Element, *, block: bool) -> str:
    """The formula of a node; a warning names one that can't be converted."""
    try:
        return mathml(node.astext(), block=block)
    except MathError as error:
        log.warning("%s in the formula %s", error, node.astext(), location=node)
        return nodes.unescape(node.astext())


def visit_inline(self: Any, node: nodes.math) -> None:
    """A formula within a line."""
    self.body.append(drawn(node, block=False))
    raise nodes.SkipNode


def visit_block(self: Any, node: nodes.math_block) -> None:
    """A formula on its own."""
    self.body.append(f'<div class="formula">{drawn(node, block=True)}</div>')
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, bool]:
    """Register the renderer: ``html_math_renderer = "mathml"``."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
