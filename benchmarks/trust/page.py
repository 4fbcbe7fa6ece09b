"""Write docs/trust.md from the results of the scripts of this folder.

python benchmarks/trust/page.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

try:
    from trust.results import load
except ImportError:  # run as a script
    from results import load

PAGE = Path(__file__).resolve().parents[2] / "docs" / "trust.md"


def run_of(found: dict[str, Any]) -> str:
    """When and where a script ran."""
    seconds = found.get("seconds")
    lasted = "" if seconds is None else f", {seconds} s"
    return f"Run on {found['date']} ({found['machine']}, {found['python']}{lasted})."


def table(head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> list[str]:
    lines = [head, tuple("---" for _ in head), *rows]
    return ["| " + " | ".join(map(str, line)) + " |" for line in lines]


def code(text: str) -> str:
    shown = text.replace("\n", " ").replace("|", "\\|")
    return f"`` {' '.join(shown.split())} ``"


def mutants(found: dict[str, Any]) -> list[str]:
    tried = found["mutants"]
    survived = {name: one for name, one in tried.items() if one["outcome"] == "survived"}
    excused = {name: one for name, one in survived.items() if "reason" in one}
    caught = len(tried) - len(survived)
    rest = found["planted"] - len(tried)
    share = caught / max(1, len(tried) - len(excused))
    return [
        f"{found['planted']} faults are listed, in kernels, statistics, dispatch, storage, readers "
        f"and plots. {len(tried)} were planted and tested so far ({rest} not yet): the tests "
        f"noticed {caught} ({share:.0%} of those that change a result).",
        "",
        "Not noticed:",
        "",
        *(f"* {code(name)}: {one.get('reason', 'no test yet')}" for name, one in survived.items()),
    ]


def fuzz(found: dict[str, Any]) -> list[str]:
    names = ("read", "refused", "stopped", "ended", "foreign")
    rows = [
        (kind, *(counts.get(name, 0) for name in names))
        for kind, counts in found["outcomes"].items()
    ]
    wrong = [f"* {kind}, seed {seed}: {what}" for kind, seed, what in found["wrong"]]
    return [
        f"{found['cases']} damaged files and command lines (seeds {found['seeds'][0]} to "
        f"{found['seeds'][1] - 1}); wrong: {len(found['wrong'])}. `read`: the result is valid or "
        "the damage harmless; `refused`: an error of the package; `stopped`: by the time limit; "
        "`ended`: the process crashed in a library; `foreign`: an error of another package. HDF5 "
        "may loop on damaged data and Blosc, which decompresses zarr, may crash, also if called "
        "alone: read files of unknown origin in a process of their own.",
        "",
        *table(("File", *names), rows),
        *(["", *wrong] if wrong else []),
    ]


def faults(found: dict[str, Any]) -> list[str]:
    rows = [(kind, one["trials"], one["interrupted"]) for kind, one in found["kinds"].items()]
    wrong = [f"* {kind}, seed {seed}: {what}" for kind, seed, what in found["wrong"]]
    return [
        "SIGKILL, SIGTERM and SIGINT at random moments, small disks, two jobs on one checkpoint, "
        "killed workers. After each, the result had to be that of an unbroken run. Wrong: "
        f"{len(wrong)}.",
        "",
        *table(("Kind", "Trials", "Interrupted"), rows),
        *(["", *wrong] if wrong else []),
    ]


def calibration(found: dict[str, Any]) -> list[str]:
    rows = [
        (one["what"], one["n"], one["hits"], "{} to {}".format(*one["band"]),
         "yes" if one["fine"] else "**no**")
        for one in found["rows"]
    ]  # fmt: skip
    return [
        "Values at or below 0.05 where there is nothing to be found. The band is the mean of a "
        "binomial distribution and 4 standard errors to each side; only the upper end for q-values "
        "and for mutual information that takes few values. The scores of NaRnEA are normal only in "
        "the limit of many targets. With modes of 1 and -1 and likelihoods of 1, the skewness of "
        "their sum over n targets gives a p-value of at most 0.05 in 5 % + 5.1 %/$\\sqrt{n}$ of "
        "the cells (6.0 % for 25 targets, 5.5 % for 100), the mean of that band; 800,000 and "
        "200,000 draws of ranks and signs gave 5.98 % and 5.52 %. With modes of any size the "
        "excess is about half of it.",
        "",
        *table(("What", "Values", "At most 0.05", "Band", "Inside"), rows),
    ]


def long_run(found: dict[str, Any]) -> list[str]:
    rows = [
        (name, found["largest"][name], found["growth"][name], found["allowed"][name])
        for name in found["allowed"]
    ]
    return [
        f"{found['rounds']} rounds of networks, activities, files, pools and errors in a process. "
        "Growth is that of the largest number from the second to the last third.",
        "",
        *table(("What", "Largest", "Growth", "Allowed"), rows),
    ]


PARTS = {
    "mutants": ("Planted faults", mutants),
    "fuzz": ("Damaged files", fuzz),
    "faults": ("Interruptions", faults),
    "calibration": ("Calibration", calibration),
    "long_run": ("Long run", long_run),
}


def render() -> str:
    """The page."""
    lines = [
        "# Tests of reliability",
        "",
        "Results of the scripts in `benchmarks/trust`. `benchmarks/trust/page.py` writes this page "
        "from what they stored. Short forms of all run with the tests (`tests/trust`, "
        "`tests/properties`).",
    ]
    for name, (title, part) in PARTS.items():
        found = load(name)
        lines += ["", f"## {title}", "", f"`benchmarks/trust/{SCRIPTS.get(name, name)}.py`. "]
        lines[-1] += run_of(found) if found else "Not run yet."
        lines += ["", *part(found)] if found else []
    return "\n".join(lines) + "\n"


SCRIPTS = {"calibration": "calibrate"}

if __name__ == "__main__":
    PAGE.write_text(render())
