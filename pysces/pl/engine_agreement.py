"""Plots of the agreement of engines and of benchmarks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pysces._messages import listed
from pysces._parameters import checked
from pysces.errors import InputError
from pysces.pl._labels import fit, settle
from pysces.pl._style import GREEN, INK, PALE, SERIES, VERMILION, axes_of, clean, label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.text import Text

    from pysces.dispatch.validation import ValidationReport


@checked()
def engine_agreement(
    report: ValidationReport | Mapping[str, Any], *, ax: Axes | None = None
) -> Axes:
    """Draw the agreement of the engines with the reference for each kernel.

    Parameters
    ----------
    report
        Result of `pysces.validate`, or its ``to_dict()``.
    ax
        Axes to draw on; new ones by default.

    Returns
    -------
    matplotlib.axes.Axes
        Kernels x engines with the largest difference. Green: agrees; orange: differs (also written
        as text); grey: not run.

    Raises
    ------
    InputError
        If the report is not one of `pysces.validate`.

    Examples
    --------
    >>> import pysces
    >>> report = pysces.validate(["python"], ["segment_means"])
    >>> ax = pysces.pl.engine_agreement(report)
    >>> [text.get_text() for text in ax.get_yticklabels()]
    ['segment_means']
    """
    from matplotlib.patches import Rectangle

    if isinstance(report, Mapping) and "verdicts" not in report:
        raise InputError("The report has no 'verdicts'. Pass the result of pysces.validate.")
    verdicts = (report if isinstance(report, Mapping) else report.to_dict())["verdicts"]
    table = pd.DataFrame(verdicts)
    kernels, engines = (list(dict.fromkeys(table[name])) for name in ("kernel", "engine"))
    ax = axes_of(ax, 3.2 + 1.5 * len(engines), 1.2 + 0.32 * len(kernels))
    colors = {"agrees": GREEN, "DIFFERS": VERMILION, "not run": PALE}
    for verdict in verdicts:
        column, row = engines.index(verdict["engine"]), kernels.index(verdict["kernel"])
        color = colors[verdict["verdict"]]
        ax.add_patch(
            Rectangle((column - 0.48, row - 0.45), 0.96, 0.9, facecolor=color, alpha=0.55, lw=0)
        )
        ax.text(column, row, _verdict(verdict), ha="center", va="center", fontsize=8, color=INK)
    ax.set_xticks(range(len(engines)), engines)
    ax.set_yticks(range(len(kernels)), [label(name, 30) for name in kernels])
    ax.set(xlim=(-0.55, len(engines) - 0.45), ylim=(len(kernels) - 0.4, -0.6))
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.set_xlabel("largest difference from the reference (of the tolerance)", fontsize=9)
    ax.xaxis.set_label_position("bottom")
    ax.spines[:].set_visible(False)
    fit(ax)
    return ax


def _verdict(verdict: Mapping[str, Any]) -> str:
    if verdict["verdict"] == "not run":
        return "not run"
    difference = float(verdict["difference"])
    size = "equal" if difference == 0 else f"± {difference:.1g}"
    share = 100 * float(verdict.get("tolerance_used", 0.0))
    if 0 < share < float("inf"):  # a large difference may be small relative to the tolerance
        size += f" ({share:.2g} %)" if share >= 0.01 else " (< 0.01 %)"
    return f"DIFFERS {size}" if verdict["verdict"] == "DIFFERS" else size


@checked()
def benchmark_scaling(
    table: pd.DataFrame,
    *,
    x: str = "n_cells",
    y: str = "seconds",
    by: str = "program",
    ax: Axes | None = None,
) -> Axes:
    """Draw how time (or memory) depends on the size of the data, one line per program.

    Parameters
    ----------
    table
        One row per run. Repeated runs of the same size are drawn as their median, with a bar from
        the smallest to the largest value.
    x, y, by
        Columns with the size, with the measurement, and with the names of the lines.
    ax
        Axes to draw on; new ones by default.

    Returns
    -------
    matplotlib.axes.Axes
        Both axes are logarithmic; lines are labelled at their right ends.

    Raises
    ------
    InputError
        If the table lacks a column, or a size or measurement is not positive.

    Examples
    --------
    >>> import pandas as pd, pysces
    >>> table = pd.DataFrame({"engine": ["numba"] * 3, "n_cells": [100, 1000, 10_000]})
    >>> table["seconds"] = [0.1, 0.9, 9.2]
    >>> pysces.pl.benchmark_scaling(table, by="engine").get_xlabel()
    'n cells'
    """
    if absent := [name for name in (x, y, by) if name not in table]:
        raise InputError(
            f"The table has no column {listed(absent)}. Columns: {listed(table.columns)}."
        )
    rows = table.dropna(subset=[x, y, by])
    if (rows[[x, y]] <= 0).to_numpy().any():
        raise InputError(f"{x!r} and {y!r} must be positive, since both axes are logarithmic.")
    ax = axes_of(ax, 6.8, 4.6)
    markers, ends = "osD^vPX", []
    for number, (name, own) in enumerate(rows.groupby(by, sort=False, observed=True)):
        runs = own.groupby(x)[y]
        sizes = np.array(list(runs.groups), dtype=float)
        middle, least, most = (
            part.to_numpy(dtype=float) for part in (runs.median(), runs.min(), runs.max())
        )
        color = SERIES[number % len(SERIES)]
        ax.errorbar(
            sizes,
            middle,
            yerr=[middle - least, most - middle],
            color=color,
            marker=markers[number % len(markers)],
            markersize=5,
            capsize=2,
            linewidth=1.6,
            linestyle="-" if number < len(SERIES) else "--",
        )
        ends.append((float(sizes[-1]), float(middle[-1]), label(name, 24), color))
    ax.set_xscale("log")
    ax.set_yscale("log")
    for axis in (ax.xaxis, ax.yaxis):
        _whole_decades(axis)
    ax.set(xlabel=label(x.replace("_", " "), 40), ylabel=label(y.replace("_", " "), 40))
    ax.grid(which="major", color="#e5e5e5", linewidth=0.6)
    ax.set_axisbelow(True)
    clean(ax)
    _name_ends(ax, ends)
    fit(ax)
    return ax


def _whole_decades(axis: Axis) -> None:
    """Show at least two powers of ten with tick labels, and no labels between them."""
    from matplotlib.ticker import LogLocator, NullFormatter

    low, high = axis.get_view_interval()
    if np.log10(high / low) < 2:
        low, high = 10.0 ** np.floor(np.log10(low)), 10.0 ** np.ceil(np.log10(high))
        axis.set_view_interval(low, high, ignore=True)
    axis.set_major_locator(LogLocator(numticks=6))
    axis.set_minor_formatter(NullFormatter())


def _name_ends(ax: Axes, ends: list[tuple[float, float, str, str]]) -> None:
    """Write names right of the frame at the heights of the last points, without overlaps."""
    texts: list[Text] = []
    for _, y, name, color in sorted(ends, key=lambda end: end[1]):
        texts.append(
            ax.annotate(
                name, (1, y), xycoords=("axes fraction", "data"), xytext=(8, 0),
                textcoords="offset points", va="center", color=color, fontsize=9,
                annotation_clip=False,
            )
        )  # fmt: skip
    settle(ax)
    scale = ax.figure.dpi / 72
    lowest = -np.inf
    for text in texts:
        box = text.get_window_extent()
        raised = max(0.0, lowest - box.y0)
        if raised > 0:
            text.set_position((8, raised / scale))
        lowest = box.y1 + raised + 1.0
