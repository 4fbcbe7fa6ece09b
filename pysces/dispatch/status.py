"""State of the engines."""

from __future__ import annotations

import html
import importlib
import math
import platform
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from pysces._parameters import checked
from pysces.dispatch import engines
from pysces.dispatch.operations import declared
from pysces.settings import ENGINES


@dataclass(frozen=True)
class EngineStatus:
    """One row of `pysces.status`.

    Attributes
    ----------
    engine
        Its name.
    available, reason
        Whether it can run on this machine; if not, the reason.
    chosen
        Whether calls currently use it.
    device, precision, version
        Its device, arithmetic and version; empty if it cannot run.
    """

    engine: str
    available: bool
    chosen: bool
    device: str
    precision: str
    version: str
    reason: str


@dataclass(frozen=True)
class Status:
    """State of all engines.

    Attributes
    ----------
    engines
        One row per engine, the fastest first.
    chosen_by
        What made the choice: argument, context, settings, environment or nobody (automatic).
    why
        Why the choice is what it is.
    pays
        Where the choice is automatic and there is a GPU: the size of each workflow from which it
        is used.
    fallbacks
        Kernels that another engine computes, each with the reason.
    custom_kernels
        Whether the hand-written GPU kernels of MLX are used.
    """

    engines: tuple[EngineStatus, ...]
    chosen_by: str
    why: str
    pays: tuple[str, ...]
    fallbacks: tuple[str, ...]
    custom_kernels: str

    @property
    def chosen(self) -> str | None:
        """Name of the engine that calls currently use, if it can run."""
        return next((row.engine for row in self.engines if row.chosen), None)

    def to_dict(self) -> dict[str, Any]:
        """All attributes as plain values."""
        return {
            "python": platform.python_version(),
            "chosen": self.chosen,
            "chosen_by": self.chosen_by,
            "why": self.why,
            "pays": list(self.pays),
            "engines": [asdict(row) for row in self.engines],
            "fallbacks": list(self.fallbacks),
            "custom_kernels": self.custom_kernels,
        }

    def _notes(self) -> list[str]:
        automatic = self.why.startswith(self.chosen_by)
        notes = [f"engine chosen by {self.why if automatic else self.chosen_by}"]
        if self.custom_kernels:
            notes.append(f"hand-written GPU kernels: {self.custom_kernels}")
        return [*notes, *self.pays, *self.fallbacks]

    def __str__(self) -> str:
        lines = []
        for row in self.engines:
            mark = "->" if row.chosen else "  "
            text = (
                f"{row.version}, {row.device}, {row.precision}"
                if row.available
                else f"not available: {row.reason}"
            )
            lines.append(f"{mark} {row.engine:<7} {text}")
        return "\n".join(lines + [f"   {note}" for note in self._notes()])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = pd.DataFrame(asdict(row) for row in self.engines)
        rows["chosen"] = rows["chosen"].map({True: "yes", False: ""})
        rows["available"] = rows["available"].map({True: "yes", False: "no"})
        text = "".join(f"<li>{html.escape(note)}</li>" for note in self._notes())
        return f"{rows.to_html(index=False)}<ul>{text}</ul>"


@checked()
def status() -> Status:
    """State of the engines on this machine: device, precision and version, or why one is missing.

    Returns
    -------
    Status
        Prints as a table; ``.engines`` has one row per engine, ``.chosen`` is the one in use.

    Examples
    --------
    >>> import pysces
    >>> [row.engine for row in pysces.status().engines]
    ['mlx', 'numba', 'python']
    """
    asked = engines.asked_for(None)
    chosen = asked[0] if asked else engines.automatic(gpu=engines.pays(None))
    return Status(
        engines=tuple(_row(name, name == chosen) for name in ENGINES),
        chosen_by=asked[1] if asked else "automatic choice",
        why=engines.why(),
        pays=() if asked else _pays(),
        fallbacks=_fallbacks(),
        custom_kernels=_custom_kernels(),
    )


def _row(name: str, chosen: bool) -> EngineStatus:
    found = engines.probe(name)
    if isinstance(found, str):
        reason = f"{found} (install: {engines.install_hint(name)})"
        return EngineStatus(name, False, False, "", "", "", reason)
    reason = "" if found.gpu or name != "mlx" else "never chosen automatically without a GPU"
    device = f"{engines.device_of(found)} ({reason})" if reason else engines.device_of(found)
    return EngineStatus(name, True, chosen, device, found.precision, found.version, reason)


def _pays() -> tuple[str, ...]:
    mlx = engines.probe("mlx")
    if isinstance(mlx, str) or not mlx.gpu:
        return ()
    return tuple(
        f"{name}: numba" if least == math.inf else f"{name}: mlx from a size of {least:.2g}"
        for name, least in engines.PAYS.items()
    )


def _fallbacks() -> tuple[str, ...]:
    lines = []
    for contract in declared().values():
        for name, reason in contract.unsupported.items():
            found = engines.probe(name)
            other = None if isinstance(found, str) else engines.fallback(contract, found)
            if other is not None:
                lines.append(f"{contract.name}: {name} falls back to {other[0].name}: {reason}")
    return tuple(lines)


def _custom_kernels() -> str:
    found = engines.probe("mlx")
    if isinstance(found, str):
        return ""
    answer = importlib.import_module("pysces.kernels.mlx._gpu").custom_kernels()
    return "in use" if answer is True else f"not in use: {answer}"
