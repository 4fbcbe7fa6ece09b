"""The messages that a user can meet, read from the source, and the entries of the help page."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HOLE = "…"
RAISED = {"InputError", "MissingKeyError", "EngineUnavailable", "PyscesError"}
WARNED = {"warn", "warning"}
_FORMAT = re.compile(r"%[-+ #0]*\d*(?:\.\d+)?[sdrfgx]")


@dataclass(frozen=True)
class Message:
    """A message of the source; what is filled in at run time is a hole."""

    text: str
    where: str


def holed(node: ast.expr) -> str:
    """The words of a string expression, with holes for everything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(holed(part) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return holed(node.left) + holed(node.right)
    return HOLE


def tidy(text: str) -> str:
    """One line, one space, one hole where several meet."""
    text = " ".join(_FORMAT.sub(HOLE, text).split())
    return re.sub(f"{HOLE}(?:[ ]?{HOLE})+", HOLE, text)


def _name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _returned(tree: ast.Module, name: str) -> Iterator[ast.expr]:
    """What a function of this module returns."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == name:
            for inner in ast.walk(node):
                if isinstance(inner, ast.Return) and inner.value is not None:
                    yield inner.value


def _texts(tree: ast.Module, node: ast.expr) -> Iterator[str]:
    """Words of a message, also of one that a function beside it makes."""
    if isinstance(node, ast.Call) and list(_returned(tree, _name(node))):
        for value in _returned(tree, _name(node)):
            yield tidy(holed(value))
    else:
        yield tidy(holed(node))


def _listed(tree: ast.Module) -> Iterator[ast.Call]:
    """Calls that make a problem, whose fact begins a message."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name(node) == "Problem":
            yield node


def messages(package: Path) -> list[Message]:
    """Every message raised on purpose or warned with."""
    found = []
    for path in sorted(package.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        listed = list(_listed(tree))
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            if _name(node) in RAISED | WARNED or node in listed:
                where = f"{path.relative_to(package.parent)}:{node.lineno}"
                texts = _texts(tree, node.args[0])
                # A message of holes alone is one of a list, which is read where it is made.
                found += [Message(text, where) for text in texts if text != HOLE or not listed]
    return found


def entries(page: str) -> list[str]:
    """Terms of the definition lists of the page: a line of code followed by ``: ...``."""
    return [tidy(term) for term in re.findall(r"^(?:`{1,2}) ?(.+?) ?`{1,2}\n: ", page, flags=re.M)]


def documents(entry: str, message: str) -> bool:
    """Whether a message begins with an entry; a hole of the entry stands for a hole or a word."""
    fixed = [re.escape(part) for part in entry.removesuffix(HOLE).rstrip(" .").split(HOLE)]
    pattern = rf"(?:{HOLE}|[^\s]+)".join(fixed)
    return any(re.match(pattern, text) for text in (message, message.removeprefix(HOLE)))
