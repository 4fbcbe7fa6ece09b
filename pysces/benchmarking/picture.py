"""The picture of a benchmark: one panel for each kernel and workflow."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from pysces.benchmarking.words import duration, plain

# Inches; names of lines stand right of each panel
PANEL, GAP = (2.7, 2.0), (1.8, 0.95)
LEFT, RIGHT, TOP, BOTTOM = 0.8, 1.3, 0.9, 0.65

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from pysces.benchmarking.report import BenchmarkReport


def draw(report: BenchmarkReport, path: Path) -> list[Path]:
    """Write the picture; without matplotlib none, and the report says so."""
    panels = _panels(report)
    if not panels:
        return []
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
    except ImportError as error:
        report.no_picture = (
            f"no picture: it needs matplotlib ({error}). "
            "Install it with: pip install 'pysces-grn[plot]'."
        )
        return []
    from pysces.pl import benchmark_scaling

    columns = min(4, len(panels))
    rows = math.ceil(len(panels) / columns)
    figure, axes = _grid(rows, columns)
    FigureCanvasAgg(figure)
    for ax, (title, table) in zip(axes, panels, strict=False):
        benchmark_scaling(table, x="units", y="seconds", by="program", ax=ax)
        ax.set_title(title, fontsize=10, loc="left")
        ax.set(xlabel=table["unit"].iloc[0], ylabel="")
        ax.xaxis.set_major_formatter(lambda value, _: plain(value))
        ax.yaxis.set_major_formatter(lambda value, _: duration(value))
    for ax in axes[len(panels) :]:
        ax.set_visible(False)
    machine = f"{report.system['machine']}, {report.system['cores']} cores"
    figure.text(LEFT / figure.get_figwidth(), 1 - 0.3 / figure.get_figheight(), machine, va="top")
    figure.savefig(path, dpi=130)
    return [path]


def _grid(rows: int, columns: int) -> tuple[Figure, Any]:
    """Panels of one size, in places fixed beforehand: layouts of thirty panels take a minute."""
    from matplotlib.figure import Figure

    width = LEFT + columns * PANEL[0] + (columns - 1) * GAP[0] + RIGHT
    height = TOP + rows * PANEL[1] + (rows - 1) * GAP[1] + BOTTOM
    figure = Figure(figsize=(width, height))
    places = {
        "left": LEFT / width, "right": 1 - RIGHT / width, "wspace": GAP[0] / PANEL[0],
        "top": 1 - TOP / height, "bottom": BOTTOM / height, "hspace": GAP[1] / PANEL[1],
    }  # fmt: skip
    return figure, figure.subplots(rows, columns, squeeze=False, gridspec_kw=places).ravel()


def _panels(report: BenchmarkReport) -> list[tuple[str, pd.DataFrame]]:
    panels = []
    for series in report.series:
        rows = [row for row in series.rows if row.repeats]
        if rows:
            table = pd.DataFrame(
                {
                    "units": [row.units for row in rows],
                    "unit": [row.unit for row in rows],
                    "seconds": [row.seconds for row in rows],
                    "program": [row.engine for row in rows],
                }
            )
            panels.append((series.name, table))
    for peer in report.peers:
        if peer.rows:
            table = pd.DataFrame(
                {
                    "units": [row.units for row in peer.rows],
                    "unit": peer.unit,
                    "seconds": [row.seconds for row in peer.rows],
                    "program": [row.program for row in peer.rows],
                }
            )
            panels.append((f"{peer.task}, one thread", table))
    return panels
