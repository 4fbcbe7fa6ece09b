"""Draw the figures of paper.md from the tables of docs/accuracy.md, into the folder of this file.

python docs/paper/figures.py
"""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

HERE = Path(__file__).resolve().parent
ACCURACY = HERE.parent / "accuracy.md"
METHODS = ["run: default", "run: 0.1.0", "|Spearman|", "GENIE3", "GRNBoost2"]


def table(heading: str) -> pd.DataFrame:
    """Read the first table below a heading of docs/accuracy.md, as text."""
    section = ACCURACY.read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2]
    lines = re.search(r"(^\|.*\|\n)+", section, flags=re.M)[0].replace("**", "").splitlines()
    rows = ([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines)
    header, _, *body = rows
    return pd.DataFrame(body, columns=[name.replace("\\|", "|") for name in header])


def draw_aupr(ax: plt.Axes) -> None:
    """One line per data set, one column per method."""
    ranks = table("Ranking: AUPR, undirected")[METHODS].apply(pd.to_numeric)
    for _, row in ranks.iterrows():
        known = row.dropna()
        ax.plot(known.index, known, color="0.75", lw=0.7, zorder=1)
    for number, method in enumerate(METHODS):
        ax.scatter([number] * len(ranks), ranks[method], s=14, color=f"C{number}", zorder=2)
    ax.set_ylabel("area under the precision-recall curve")


def draw_depth(ax: plt.Axes) -> None:
    """Shares of regulators at p < 0.05, one bar per method."""
    shares = table("Activities of cells that differ only in depth")
    (mean,) = shares.index[shares["targets"] == "mean"]
    means = shares.loc[mean].drop(["targets", "noise"]).astype(float)
    names = [name.strip('`"').replace(", ", ",\n") for name in means.index[1:]]
    ax.bar(["z-scores,\naREA", *names], means)
    ax.axhline(0.05, color="black", ls="--", lw=0.8)
    ax.set_ylabel("share of regulators at p < 0.05")


def main(folder: Path = HERE) -> None:
    """Write both figures."""
    for name, draw in (("aupr", draw_aupr), ("depth", draw_depth)):
        figure, ax = plt.subplots(figsize=(6.5, 3.8), layout="constrained")
        draw(ax)
        ax.spines[["top", "right"]].set_visible(False)
        figure.savefig(folder / f"{name}.png", dpi=200)
        plt.close(figure)


if __name__ == "__main__":
    main()
