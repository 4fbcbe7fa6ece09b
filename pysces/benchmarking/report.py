"""What a benchmark found: tables, one sentence, files, a picture."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from pysces._atomic import atomic_write
from pysces.benchmarking.words import aligned, duration, memory, number, rate, times

if TYPE_CHECKING:
    import os

    from pysces.benchmarking.peers import Comparison


@dataclass
class Row:
    """One engine at one size.

    Attributes
    ----------
    seconds, fastest, slowest, repeats
        Median, least and most of the repeats.
    bytes
        Peak memory beyond the input, if it was measured.
    speedup
        Times as fast as the Python engine, where that ran too and the results agree.
    verdict
        ``reference``, ``agrees``, ``DIFFERS``, or ``alone`` where no other engine ran.
    """

    series: str
    kind: str
    engine: str
    size: str
    units: int
    unit: str
    seconds: float
    fastest: float
    slowest: float
    repeats: int
    bytes: int | None
    verdict: str
    difference: float
    problem: str
    speedup: float | None = None

    @property
    def per_second(self) -> float:
        """Units of work a second."""
        return self.units / self.seconds


@dataclass
class SeriesResult:
    """A kernel or workflow on growing data; prints as a table."""

    name: str
    kind: str
    agreement: str
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warm_up: float = 0.0

    def __str__(self) -> str:
        unit = self.rows[0].unit if self.rows else "units"
        lines = [("size", "engine", "time", f"{unit}/s", "memory", "speed-up", "result")]
        shown = ""
        for row in self.rows:
            size, shown = ("" if row.size == shown else row.size), row.size
            lines.append(
                (
                    size, row.engine, duration(row.seconds), rate(row.per_second),
                    memory(row.bytes), times(row.speedup), _result(row),
                )
            )  # fmt: skip
        title = f"{self.name} ({self.kind}; must agree: {self.agreement})"
        table = aligned(lines, right=(2, 3, 4, 5))
        return "\n".join([title, *(f"  {line}" for line in [*table, *self.notes]), ""])


def _result(row: Row) -> str:
    if row.problem:
        return f"DIFFERS: {row.problem}"
    if row.verdict != "agrees":
        return {"reference": "compared with", "alone": "not compared"}[row.verdict]
    return "equal" if row.difference == 0 else f"± {row.difference:.1g}"


@dataclass
class BenchmarkReport:
    """Everything that was found; prints as tables, true if all results agree."""

    system: dict[str, Any]
    notes: list[str] = field(default_factory=list)
    series: list[SeriesResult] = field(default_factory=list)
    peers: list[Comparison] = field(default_factory=list)
    elapsed: float = 0.0
    no_picture: str = ""

    @property
    def rows(self) -> list[Row]:
        """Every engine at every size of every series."""
        return [row for series in self.series for row in series.rows]

    @property
    def warm_up(self) -> float:
        """Seconds of first calls: compiling, loading, simulating nulls."""
        return sum(series.warm_up for series in self.series)

    @property
    def ok(self) -> bool:
        """Whether all results that were compared agree."""
        return not any(row.problem for row in self.rows) and all(peer.ok for peer in self.peers)

    def __bool__(self) -> bool:
        return self.ok

    def header(self) -> str:
        """On what machine, with what engines, how times and memory are measured."""
        system = self.system
        lines = [
            f"PySCES {system['pysces']}, Python {system['python']}, NumPy {system['numpy']}, "
            f"{system['machine']}, {system['cores']} cores",
            *(f"  {name}: {words}" for name, words in system["engines"].items()),
            "time: median of repeats, engines in turn, compiling excluded",
            f"memory: {system['memory']}",
            "speed-up: over the python engine on the same data",
        ]
        lines += [f"note: {note}" for note in [system["warning"], *self.notes] if note]
        return "\n".join([*lines, ""])

    def footer(self, files: Sequence[Path] = ()) -> str:
        """How long it took, what was written and left out, and what was found in words."""
        first = f", {duration(self.warm_up)} of it first calls (compiling, loading)"
        lines = [f"took {duration(self.elapsed)}{first if self.rows else ''}"]
        if files:
            lines.append(f"written to {files[0].parent}/: {', '.join(file.name for file in files)}")
        lines += [self.no_picture] if self.no_picture else []
        return "\n".join([*lines, self.sentence])

    def __str__(self) -> str:
        parts = [self.header(), *self.series, *self.peers, self.footer()]
        return "\n".join(str(part) for part in parts)

    __repr__ = __str__

    @property
    def sentence(self) -> str:
        """What was found, in words."""
        said = [self._engine_words(name) for name in self.system["engines"] if name != "python"]
        compared = sum(row.verdict in ("agrees", "DIFFERS") for row in self.rows)
        wrong = [row for row in self.rows if row.problem]
        if wrong:
            names = ", ".join(dict.fromkeys(f"{row.series} on {row.engine}" for row in wrong))
            said.append(f"{len(wrong)} of {compared} results compared DIFFER: {names}")
        elif compared:
            said.append(f"all {compared} results compared agree")
        said += [peer.words() for peer in self.peers]
        text = "; ".join(word for word in said if word) or "nothing was compared: one engine ran"
        return text[:1].upper() + text[1:] + "."

    def _engine_words(self, engine: str) -> str:
        """At the largest size that both this engine and the Python engine ran."""
        largest = {
            row.series: row.speedup
            for row in self.rows  # sizes grow, so the last one stays
            if row.engine == engine and row.speedup is not None
        }
        if not largest:
            return ""
        found = sorted(largest.values())
        faster = sum(value > 1 for value in found)
        words = f"{engine} was faster than python on {faster} of {len(found)}"
        if len(found) == 1:
            return (
                f"{engine} was {number(found[0])} times as fast as python on {next(iter(largest))}"
            )
        best = max(largest, key=lambda name: largest[name])
        return (
            f"{words} at the largest size both ran: {number(found[0])} to {number(found[-1])} "
            f"({best}) times as fast, {number(statistics.median(found))} times in the middle"
        )

    def to_dataframe(self) -> pd.DataFrame:
        """One row for each engine and size of every series."""
        table = pd.DataFrame([asdict(row) for row in self.rows], columns=list(Row.__annotations__))
        return table.assign(per_second=table["units"] / table["seconds"])

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values."""
        return {
            "ok": self.ok,
            "sentence": self.sentence,
            "system": self.system,
            "notes": self.notes,
            "seconds": self.elapsed,
            "seconds_of_first_calls": self.warm_up,
            "rows": [_plain(asdict(row) | {"per_second": row.per_second}) for row in self.rows],
            "left_out": {series.name: series.notes for series in self.series if series.notes},
            "peers": [peer.to_dict() for peer in self.peers],
        }

    def write(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Write ``benchmark.tsv``, ``.json`` and, where matplotlib is, ``.png``; their paths."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        table = self.to_dataframe().to_csv(sep="\t", index=False, float_format="%.6g")
        written = {
            folder / "benchmark.tsv": table.encode(),
            folder / "benchmark.json": json.dumps(self.to_dict(), indent=2).encode(),
        }
        for path, content in written.items():
            atomic_write(path, content)
        from pysces.benchmarking.picture import draw

        return [*written, *draw(self, folder / "benchmark.png")]


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """JSON knows no infinite and no missing numbers."""
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in values.items()
    }
