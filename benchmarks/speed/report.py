"""What a benchmark found: tables, one sentence, files, a figure."""

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

if TYPE_CHECKING:
    import os

    from matplotlib.figure import Figure

    from speed.peers import Comparison

# Of the figure, in inches: a panel, the gaps between panels (names of lines stand right of each),
# and the margins.
PANEL, GAP = (2.7, 2.0), (1.8, 0.95)
LEFT, RIGHT, TOP, BOTTOM = 0.8, 1.3, 0.9, 0.65


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
    no_figure: str = ""

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
            *(f"  {name}: {facts}" for name, facts in system["engines"].items()),
            "time: median of repeats, engines in turn, compiling excluded",
            f"memory: {system['memory']}",
            "speed-up: over the python engine on the same data",
        ]
        lines += [f"note: {note}" for note in [system["warning"], *self.notes] if note]
        return "\n".join([*lines, ""])

    def footer(self, files: Sequence[Path] = ()) -> str:
        """How long it took, what was written, and the result in one sentence."""
        first = f", {duration(self.warm_up)} of it first calls (compiling, loading)"
        lines = [f"took {duration(self.elapsed)}{first if self.rows else ''}"]
        if files:
            lines.append(f"written to {files[0].parent}/: {', '.join(file.name for file in files)}")
        lines += [self.no_figure] if self.no_figure else []
        return "\n".join([*lines, self.sentence])

    def __str__(self) -> str:
        parts = [self.header(), *self.series, *self.peers, self.footer()]
        return "\n".join(str(part) for part in parts)

    __repr__ = __str__

    @property
    def sentence(self) -> str:
        """The result in one sentence."""
        said = [self._engine_summary(name) for name in self.system["engines"] if name != "python"]
        compared = sum(row.verdict in ("agrees", "DIFFERS") for row in self.rows)
        wrong = [row for row in self.rows if row.problem]
        if wrong:
            names = ", ".join(dict.fromkeys(f"{row.series} on {row.engine}" for row in wrong))
            said.append(f"{len(wrong)} of {compared} results compared DIFFER: {names}")
        elif compared:
            said.append(f"all {compared} results compared agree")
        said += [peer.summary() for peer in self.peers]
        text = "; ".join(word for word in said if word) or "nothing was compared: one engine ran"
        return text[:1].upper() + text[1:] + "."

    def _engine_summary(self, engine: str) -> str:
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
        return [*written, *self._draw(folder / "benchmark.png")]

    def _draw(self, path: Path) -> list[Path]:
        """Write the figure, one panel for each series; without matplotlib the footer says why."""
        panels = self._panels()
        if not panels:
            return []
        try:
            from matplotlib.backends.backend_agg import FigureCanvasAgg
            from matplotlib.ticker import EngFormatter
        except ImportError as error:
            self.no_figure = (
                f"no figure: it needs matplotlib ({error}). "
                "Install it with: pip install 'pysces-grn[plot]'."
            )
            return []
        from pysces import pl

        columns = min(4, len(panels))
        figure, axes = _grid(math.ceil(len(panels) / columns), columns)
        FigureCanvasAgg(figure)
        for ax, (title, unit, table) in zip(axes, panels, strict=False):
            pl.benchmark_scaling(table, x="units", y="seconds", by="program", ax=ax)
            ax.set_title(title, fontsize=10, loc="left")
            ax.set(xlabel=unit, ylabel="")
            ax.xaxis.set_major_formatter(EngFormatter())
            ax.yaxis.set_major_formatter(EngFormatter(unit="s"))
        for ax in axes[len(panels) :]:
            ax.set_visible(False)
        machine = f"{self.system['machine']}, {self.system['cores']} cores"
        top = 1 - 0.3 / figure.get_figheight()
        figure.text(LEFT / figure.get_figwidth(), top, machine, va="top")
        figure.savefig(path, dpi=130)
        return [path]

    def _panels(self) -> list[tuple[str, str, pd.DataFrame]]:
        """Title, unit and times of each panel."""
        found = [
            (
                s.name,
                [(row.units, row.seconds, row.engine, row.unit) for row in s.rows if row.repeats],
            )
            for s in self.series
        ]
        found += [
            (f"{p.task}, one thread", [(r.units, r.seconds, r.program, p.unit) for r in p.rows])
            for p in self.peers
        ]
        names = ["units", "seconds", "program", "unit"]
        return [(t, rows[0][3], pd.DataFrame(rows, columns=names)) for t, rows in found if rows]


def _grid(rows: int, columns: int) -> tuple[Figure, Any]:
    """Panels at fixed positions: an automatic layout of thirty panels takes a minute."""
    from matplotlib.figure import Figure

    width = LEFT + columns * PANEL[0] + (columns - 1) * GAP[0] + RIGHT
    height = TOP + rows * PANEL[1] + (rows - 1) * GAP[1] + BOTTOM
    figure = Figure(figsize=(width, height))
    figure.subplots_adjust(
        left=LEFT / width, right=1 - RIGHT / width, wspace=GAP[0] / PANEL[0],
        top=1 - TOP / height, bottom=BOTTOM / height, hspace=GAP[1] / PANEL[1],
    )  # fmt: skip
    return figure, figure.subplots(rows, columns, squeeze=False).ravel()


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """JSON knows no infinite and no missing numbers."""
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in values.items()
    }


# --- numbers as text ------------------------------------------------------------------------------


def number(value: float) -> str:
    """Two significant digits.

    >>> number(1234.5), number(12.34), number(0.123)
    ('1,200', '12', '0.12')
    """
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    digits = 1 - math.floor(math.log10(abs(value)))
    return f"{round(value, digits):,.{max(0, digits)}f}"


def duration(seconds: float) -> str:
    """Seconds with their unit.

    >>> duration(0.000123), duration(0.0456), duration(7.8), duration(125)
    ('0.12 ms', '46 ms', '7.8 s', '2 min 5 s')
    """
    if math.isnan(seconds):
        return "-"
    if seconds >= 60:
        return f"{int(seconds) // 60} min {int(seconds) % 60} s"
    return f"{number(seconds)} s" if seconds >= 1 else f"{number(seconds * 1e3)} ms"


def rate(value: float) -> str:
    """Units per second.

    >>> rate(950), rate(12_345_678)
    ('950', '12 M')
    """
    if math.isnan(value):
        return "-"
    for size, letter in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= 0.9995 * size:
            return f"{number(value / size)}{letter}"
    return number(value)


def memory(size: int | None) -> str:
    """Bytes in MiB.

    >>> memory(None), memory(1000), memory(5_000_000)
    ('-', '< 0.1 MiB', '4.8 MiB')
    """
    if size is None:
        return "-"
    return f"{number(size / 2**20)} MiB" if size >= 2**20 / 10 else "< 0.1 MiB"


def times(speedup: float | None) -> str:
    """A speed-up.

    >>> times(12.3), times(None)
    ('12 x', '-')
    """
    return "-" if speedup is None else f"{number(speedup)} x"


def aligned(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """Rows of a table with columns of equal width, a line beneath the first.

    >>> aligned([("a", "b"), ("10", "2")], right=[0])
    [' a  b', '--  -', '10  2']
    """
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(
            text.rjust(width) if i in right else text.ljust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    widths[-1] = min(widths[-1], 20)  # the last column may be a message
    rule = "  ".join("-" * width for width in widths)
    return [lines[0], rule, *lines[1:]]
