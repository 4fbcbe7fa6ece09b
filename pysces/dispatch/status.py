"""What `pysces.status` hands back: every engine, or the reason why it's absent."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class EngineStatus:
    """One row of `pysces.status`.

    Attributes
    ----------
    engine
        Its name.
    available, reason
        Whether it can run here, and why not.
    chosen
        Whether calls use it now.
    device, precision, version
        What computes, and in what arithmetic; empty where it can't run.
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
    """Every engine: available, or the reason why not.

    Attributes
    ----------
    engines
        One row an engine, the best first.
    chosen_by
        What made the choice: argument, context, settings, environment or nobody (automatic).
    fallbacks
        Kernels that another engine computes, each with the reason.
    custom_kernels
        Whether the hand-written GPU kernels of MLX run here.
    """

    engines: tuple[EngineStatus, ...]
    chosen_by: str
    fallbacks: tuple[str, ...]
    custom_kernels: str

    @property
    def chosen(self) -> str | None:
        """Name of the engine that calls use now, if it can run."""
        return next((row.engine for row in self.engines if row.chosen), None)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values."""
        return {
            "python": platform.python_version(),
            "chosen": self.chosen,
            "chosen_by": self.chosen_by,
            "engines": [asdict(row) for row in self.engines],
            "fallbacks": list(self.fallbacks),
            "custom_kernels": self.custom_kernels,
        }

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
        lines.append(f"   engine chosen by {self.chosen_by}")
        lines += [f"   {line}" for line in self.fallbacks]
        if self.custom_kernels:
            lines.append(f"   hand-written GPU kernels: {self.custom_kernels}")
        return "\n".join(lines)

    __repr__ = __str__
