"""The picture of a benchmark: one panel for each kernel and workflow."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from pysces.benchmarking.words import duration, plain

if TYPE_CHECKING:
    from pysces.benchmarking.report import BenchmarkReport


def draw(report: BenchmarkReport, path: Path) -> list[Path]:
    """Write the picture; without matplotlib none, and the report says so."""
    panels = _panels(report)
    if not panels:
        return []
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        report.no_picture = (
            f"no picture: it needs matplotlib ({error}). "
            "Install it with: pip install 'pysces-grn[plot]'."
        )
        return []
    from pysces.plots import benchmark_scaling

    columns = min(4, len(panels))
    rows = math.ceil(len(panels) / columns)
    figure = Figure(figsize=(4.3 * columns, 3.1 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax, (title, table) in zip(axes, panels, strict=False):
        benchmark_scaling(table, x="units", y="seconds", by="program", ax=ax)
        ax.set_title(title, fontsize=10, loc="left")
        ax.set(xlabel=table["unit"].iloc[0], ylabel="")
        ax.xaxis.set_major_formatter(lambda value, _: plain(value))
        ax.yaxis.set_major_formatter(lambda value, _: duration(value))
    for ax in axes[len(panels) :]:
        ax.set_visible(False)
    figure.suptitle(f"{report.system['machine']}, {report.system['cores']} cores: median time")
    figure.savefig(path, dpi=130)
    return [path]


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
