"""HTML whose text is always escaped: elements from Python values, and the page around them."""

from __future__ import annotations

import base64
import html
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Markup(str):
    """Text that is HTML already; any other text is escaped where it's put in."""

    __slots__ = ()


def escaped(value: object) -> Markup:
    """HTML of a value: markup as it is, anything else as text.

    Control characters, which HTML can't hold, are shown as a replacement sign.

    >>> escaped("<script>")
    '&lt;script&gt;'
    """
    if isinstance(value, Markup):
        return value
    text = "".join(
        c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in str(value)
    )
    return Markup(html.escape(text, quote=True))


def element(name: str, *children: object, **attributes: str) -> Markup:
    """An element; ``class_`` stands for the attribute ``class``.

    >>> element("p", "a < b", class_="note")
    '<p class="note">a &lt; b</p>'
    """
    given = "".join(f' {key.rstrip("_")}="{escaped(value)}"' for key, value in attributes.items())
    return Markup(f"<{name}{given}>{''.join(escaped(child) for child in children)}</{name}>")


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Markup:
    """A table that scrolls sideways where the screen is narrow; numbers stand at the right."""
    head = element("tr", *(element("th", name, scope="col") for name in header))
    body = [element("tr", *(_cell(value) for value in row)) for row in rows]
    inner = element("table", element("thead", head), element("tbody", *body))
    return element("div", inner, class_="scroll", tabindex="0")


def facts(pairs: Iterable[tuple[str, object]]) -> Markup:
    """Names and values, a list of definitions."""
    entries = [element("div", element("dt", k), element("dd", number(v))) for k, v in pairs]
    return element("dl", *entries)


def number(value: object) -> object:
    """A number as people write it, other values as they are."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.3g}"


def _cell(value: object) -> Markup:
    shown = number(value)
    return element("td", shown, class_="n") if shown is not value else element("td", shown)


def figure(png: bytes, caption: str, width: int) -> Markup:
    """A picture inside the page, at most so many pixels wide, with its caption (read aloud too)."""
    source = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    picture = Markup(f'<img alt="{escaped(caption)}" width="{width}" src="{source}">')
    return element("figure", picture, element("figcaption", caption))


def section(title: str, *parts: object) -> Markup:
    """A part of the page under a heading."""
    return element("section", element("h2", title), *parts)


_STYLE = """
:root { color-scheme: light dark; --ink: #1d2126; --faint: #5a636e; --paper: #fff;
  --line: #d5dae0; --card: #f5f7f9; --good: #00694d; --bad: #a33f00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --faint: #a4adb8;
  --paper: #14171a; --line: #363d45; --card: #1f2429; --good: #4fd1a5; --bad: #ff9d5c; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 62rem; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; margin: .5rem 0; } h2 { font-size: 1.2rem; margin: 2rem 0 .6rem;
  border-bottom: 1px solid var(--line); } h3 { font-size: 1rem; margin: 1.2rem 0 .4rem; }
p.lead, figcaption, .note { color: var(--faint); } figcaption, .note { font-size: .875rem; }
figure { margin: 1rem 0; } figure img { max-width: 100%; height: auto; background: #fff;
  border-radius: 6px; padding: 4px; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); gap: .5rem;
  margin: .5rem 0; } dl div { background: var(--card); border-radius: 6px; padding: .4rem .6rem; }
dt { color: var(--faint); font-size: .8rem; } dd { margin: 0; font-weight: 600; }
.scroll { overflow-x: auto; margin: .6rem 0; } table { border-collapse: collapse;
  font-size: .875rem; font-variant-numeric: tabular-nums; } th, td { text-align: left;
  padding: .25rem .7rem; border-bottom: 1px solid var(--line); vertical-align: top;
  overflow-wrap: normal; } td { max-width: 28rem; overflow-wrap: anywhere; min-width: 3.5rem; }
td.n { text-align: right; white-space: nowrap; } th { white-space: nowrap; }
ul.checks { list-style: none; padding: 0; }
.good::before { content: "✓ "; color: var(--good); font-weight: 700; }
.bad::before { content: "! "; color: var(--bad); font-weight: 700; }
@media print { :root { color-scheme: light; --ink: #000; --faint: #444; --paper: #fff;
  --line: #bbb; --card: #fff; --good: #000; --bad: #000; } body { max-width: none; padding: 0;
  font-size: 11pt; } figure, tr, dl div { break-inside: avoid; } h2, h3 { break-after: avoid; }
  .scroll { overflow: visible; } figure img { max-height: 20cm; } }
"""


def page(title: str, *parts: object) -> str:
    """The whole document; its policy forbids scripts and any request."""
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    head = Markup(
        '<meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="data:,">'
        f"<title>{escaped(title)}</title><style>{_STYLE}</style>"
    )
    body = element("body", element("main", *parts))
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head>{body}</html>\n'
