"""The figures of README.md, of the first page of docs/ and of the paper, from stored results.

    python benchmarks/headline.py            # write them into the pages
    python benchmarks/headline.py --measure  # first measure them (minutes), store the results

The results are in ``benchmarks/headline.json``; comparisons with other methods come from
``docs/accuracy.md``. A block of a page lies between two comments, ``<!-- figures -->`` and
``<!-- /figures -->``; a test compares it with the results.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import textwrap
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
STORED = Path(__file__).with_suffix(".json")
ACCURACY = ROOT / "docs" / "accuracy.md"
PAGES = tuple(ROOT / page for page in ("README.md", "docs/index.md", "docs/paper/paper.md"))
BLOCK = re.compile(r"(?<=<!-- figures -->\n).*?(?=<!-- /figures -->)", flags=re.S)


def measure() -> dict[str, Any]:
    """Run the two experiments that the pages state."""
    from how_many_edges import EARLIER, log_normalised, noise, run

    from pysces.demo import simulate_cells

    depth = []
    for seed in range(3):
        cells = noise(seed)
        regulators = list(cells.var_names[:100])
        depth.append(run(cells, regulators)["edges"])
    earlier = run(log_normalised(cells), regulators, **EARLIER)
    blood = run(simulate_cells(), batch_key="donor")
    return {
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "depth_alone": {"edges": depth, "earlier_percent": earlier["% of pairs"]},
        "blood": {name: blood[name] for name in ("edges", "% of pairs", "precision", "recall")},
    }


def sets_at_least(other: str) -> str:
    """Data sets where the default has at least the AUPR of another method (docs/accuracy.md)."""
    page = ACCURACY.read_text(encoding="utf-8")
    found = re.search(rf"AUPR at least that of {other}: (\d+ of \d+) sets", page)
    if found is None:
        raise ValueError(f"{ACCURACY} does not compare with {other}.")
    return found[1]


def text(found: dict[str, Any]) -> str:
    """The block of the pages."""
    depth, blood = found["depth_alone"], found["blood"]
    edges = float(f"{blood['edges']:.3g}")
    without = sum(count == 0 for count in depth["edges"])
    items = (
        f"Cells that differ in sequencing depth alone give no edge in {without} of "
        f"{len(depth['edges'])} simulations. Adaptive partitioning of log-normalised values calls "
        f"{depth['earlier_percent']:.0f} % of all pairs.",
        f"In 1,500 simulated blood cells with a known network of 4,000 genes, {edges:,.0f} edges "
        f"are called ({blood['% of pairs']:.1f} % of all pairs), {100 * blood['precision']:.0f} % "
        "of them true.",
        "On networks with a known truth, the area under the precision-recall curve is at least "
        f"that of GENIE3 on {sets_at_least('GENIE3')} data sets, and at least that of GRNBoost2 "
        f"on {sets_at_least('GRNBoost2')}.",
    )
    fill = textwrap.TextWrapper(110, initial_indent="* ", subsequent_indent="  ").fill
    return "".join(f"{fill(item)}\n" for item in items)


def main() -> None:
    """Measure if asked for, and write the blocks."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--measure", action="store_true")
    if parser.parse_args().measure:
        STORED.write_text(json.dumps(measure(), indent=1) + "\n", encoding="utf-8")
    block = text(json.loads(STORED.read_text(encoding="utf-8")))
    for page in PAGES:
        page.write_text(BLOCK.sub(lambda _: block, page.read_text(encoding="utf-8")), "utf-8")


if __name__ == "__main__":
    main()
