"""Tables of ``accuracy.py`` as Markdown, and how a run stands against what it must reach."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

RIVALS = ("run: 0.1.0", "|Spearman|", "|normal scores|", "GENIE3", "GRNBoost2")
LEAST_PRECISION = 0.7  # of called edges, simulated sets
LEAST_GAIN = 5  # precision of called edges / chance, published sets (or LEAST_PRECISION if less)
LEAST_RATIO = 0.8  # AUPR / the best AUPR of the rivals
LEAST_WINS = 0.8  # share of sets with at least the AUPR of GENIE3

CALLED = {
    "edges": "{:.0f}",
    "share": "{:.2%}",
    "precision": "{:.3f}",
    "recall": "{:.3f}",
    "unrelated": "{:.3f}",
    "overlap_seeds": "{:.2f}",
    "overlap_halves": "{:.2f}",
    "noise_edges": "{:.0f}",
    "seconds": "{:.1f}",
}
HEADINGS = {
    "share": "share of pairs",
    "overlap_seeds": "overlap of two seeds",
    "overlap_halves": "of halves",
    "noise_edges": "edges on noise",
}


def averaged(table: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds, in the order of the table."""
    found = table.groupby(["set", "samples", "method"], sort=False).mean(numeric_only=True)
    return found.drop(columns="seed").reset_index()


def markdown(table: pd.DataFrame) -> str:
    """AUPR of all methods, undirected and directed, and what the runs call."""
    means = averaged(table)
    parts = ["### AUPR, undirected", aupr_table(means, "aupr")]
    parts += ["### AUPR, directed", aupr_table(means, "aupr_directed")]
    called = means[means["edges"].notna()]
    if len(called):
        parts += ["### What is called", called_table(called)]
    return "\n\n".join(parts)


def aupr_table(means: pd.DataFrame, column: str) -> str:
    """Sets x methods, the best of a set in bold; chance is the share of true pairs."""
    wide = means.pivot_table(index=["set", "samples"], columns="method", values=column, sort=False)[
        list(dict.fromkeys(means["method"]))
    ]
    chance = means.groupby(["set", "samples"], sort=False)["chance"].first()
    rows = []
    for (name, samples), row in wide.iterrows():
        best = row.round(3).max()
        cells = [
            "" if np.isnan(x) else f"**{x:.3f}**" if round(x, 3) == best else f"{x:.3f}"
            for x in row
        ]
        rest = [f"{chance[name, samples]:.3f}"] if column == "aupr" else []
        rows.append([name, str(samples), *cells, *rest])
    heading = ["set", "samples", *wide.columns, *(["chance"] if column == "aupr" else [])]
    return grid(heading, rows)


def called_table(means: pd.DataFrame) -> str:
    """Precision and recall of what is called, stability and time, one row per set and run."""
    columns = [name for name in CALLED if name in means and means[name].notna().any()]
    rows = [
        [
            row["set"],
            str(row["samples"]),
            row["method"].removeprefix("run: "),
            *("" if np.isnan(row[name]) else CALLED[name].format(row[name]) for name in columns),
            f"{row['chance']:.3f}",
        ]
        for _, row in means.iterrows()
    ]
    headings = [HEADINGS.get(name, name) for name in columns]
    return grid(["set", "samples", "run", *headings, "chance"], rows)


def grid(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of Markdown."""
    escaped = [[str(cell).replace("|", "\\|") for cell in row] for row in (heading, *rows)]
    lines = ["| " + " | ".join(row) + " |" for row in escaped]
    return "\n".join([lines[0], "|" + "---|" * len(heading), *lines[1:]])


def verdict(table: pd.DataFrame, method: str) -> str:
    """How a run stands against its rivals, set by set: wins, worst ratio, precision of calls."""
    means = averaged(table)
    wide = means.pivot_table(index=["set", "samples"], columns="method", values="aupr", sort=False)
    lines = []
    rivals = [name for name in RIVALS if name in wide]
    if method not in wide or not rivals:
        return ""
    own = wide[method]
    for name in rivals:
        both = own.notna() & wide[name].notna()
        wins = own[both] >= wide.loc[both, name]
        lost = ", ".join(
            f"{kind} {samples} ({own[kind, samples]:.3f} to {wide.loc[(kind, samples), name]:.3f})"
            for kind, samples in wins.index[~wins]
        )
        lines.append(
            f"AUPR at least that of {name}: {wins.sum()} of {len(wins)} sets"
            + (f"; not: {lost}" if lost else "")
        )
    best = wide[rivals].max(axis=1)
    ratio = (own / best).dropna()
    below = ratio[ratio < LEAST_RATIO]
    low = ", ".join(f"{kind} {n} ({x:.2f})" for (kind, n), x in below.items())
    lines.append(
        f"Least AUPR / best rival: {ratio.min():.2f}; below {LEAST_RATIO}: {low or 'none'}"
    )
    published = table.groupby("set")["published"].first()
    for _, row in means[means["method"] == method].iterrows():
        gain = row["precision"] / row["chance"]
        simulated = not published[row["set"]]
        if row["edges"] == 0:
            lines.append(f"No edge: {row['set']} {row['samples']}")
        elif simulated and row["precision"] < LEAST_PRECISION:
            lines.append(f"Precision {row['precision']:.2f}: {row['set']} {row['samples']}")
        elif not simulated and row["precision"] < min(LEAST_GAIN * row["chance"], LEAST_PRECISION):
            lines.append(
                f"Precision {row['precision']:.2f}, {gain:.1f} x chance: "
                f"{row['set']} {row['samples']}"
            )
    return "\n".join(lines)
