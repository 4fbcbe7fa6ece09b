"""Run by hand, in CI and before a release: a wheel and sdist with everything, and nothing else.

python tests/check_distributions.py dist [--tag v1.2.3]
"""

from __future__ import annotations

import sys
import tarfile
import zipfile
from pathlib import Path

ENGINES = ("python", "numba", "mlx")
IN_SDIST = (
    "CHANGELOG.md",
    "CITATION.cff",
    "CONTRIBUTING.md",
    "LICENSE",
    "PKG-INFO",
    "README.md",
    "benchmarks/speed/__main__.py",
    "pyproject.toml",
    "tests/conftest.py",
    "pysces/py.typed",
)
IN_WHEEL = (
    "pysces/__init__.py",
    "pysces/py.typed",
    "pysces/data/other_regulators_human.tsv",
    "pysces/data/other_regulators_mouse.tsv",
    "pysces/data/regulators_human.tsv",
    "pysces/data/regulators_mouse.tsv",
    "pysces/kernels/__init__.py",
    *(f"pysces/reports/report.{kind}" for kind in ("css", "html", "js")),
    *(f"pysces/kernels/{engine}/mi.py" for engine in ENGINES),
)
IN_DIST_INFO = ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")
NEVER = ("__pycache__", ".pyc", ".DS_Store", ".env", ".ipynb_checkpoints")


def sdist_names(path: Path) -> list[str]:
    """Files of an sdist, without the folder that holds them all."""
    with tarfile.open(path) as file:
        return [m.name.partition("/")[2] for m in file.getmembers() if m.isfile()]


def wheel_names(path: Path) -> list[str]:
    """Files of a wheel."""
    with zipfile.ZipFile(path) as file:
        return [name for name in file.namelist() if not name.endswith("/")]


def faults_of_sdist(names: list[str]) -> list[str]:
    """What is wrong with the files of an sdist."""
    faults = [f"sdist: {name} is missing" for name in IN_SDIST if name not in names]
    return faults + [f"sdist: {n} must not be there" for n in names if any(w in n for w in NEVER)]


def faults_of_wheel(names: list[str], sources: list[str]) -> list[str]:
    """What is wrong with the files of a wheel, given those of the sdist it was built from."""
    faults = [f"wheel: {name} is missing" for name in IN_WHEEL if name not in names]
    # Every file of the two packages, kernels installed beneath pysces; nothing but them
    expected = {name for name in sources if name.startswith("pysces/")}
    expected |= {f"pysces/{name}" for name in sources if name.startswith("kernels/")}
    info = {name for name in names if name.partition("/")[0].endswith(".dist-info")}
    faults += [f"wheel: {name} is missing" for name in sorted(expected - set(names))]
    faults += [f"wheel: {name} must not be there" for name in sorted(set(names) - expected - info)]
    inside = {name.partition("/")[2] for name in info}
    faults += [f"wheel: dist-info/{name} is missing" for name in IN_DIST_INFO if name not in inside]
    per_engine = [
        {n.rpartition("/")[2] for n in names if n.startswith(f"pysces/kernels/{engine}/")}
        for engine in ENGINES
    ]
    public = [{name for name in files if not name.startswith("_")} for files in per_engine]
    if not public[0] == public[1] == public[2]:
        faults.append(f"wheel: the engines have different files: {public}")
    return faults


def faults(folder: Path, tag: str | None = None) -> list[str]:
    """What is wrong with the one wheel and the one sdist of a folder."""
    wheels, sdists = sorted(folder.glob("*.whl")), sorted(folder.glob("*.tar.gz"))
    if len(wheels) != 1 or len(sdists) != 1:
        return [f"{folder} has {len(wheels)} wheels and {len(sdists)} sdists, not one of each"]
    sources = sdist_names(sdists[0])
    found = faults_of_sdist(sources) + faults_of_wheel(wheel_names(wheels[0]), sources)
    version = wheels[0].name.split("-")[1]
    if sdists[0].name != f"pysces_grn-{version}.tar.gz":
        found.append(f"the sdist {sdists[0].name} isn't of the wheel's version {version}")
    if tag is not None and tag != f"v{version}":
        found.append(f"the tag {tag} isn't the version {version}: set pysces/_version.py")
    return found


if __name__ == "__main__":
    wanted = sys.argv[sys.argv.index("--tag") + 1] if "--tag" in sys.argv else None
    wrong = faults(Path(sys.argv[1]), wanted)
    print("\n".join(wrong) or "wheel and sdist: all there, nothing else")
    sys.exit(bool(wrong))
