"""Check the installation and print remedies: ``pysces doctor``."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pysces
from pysces import _seeds
from pysces.dispatch import engines
from pysces.errors import PyscesError
from pysces.settings import settings

DISTRIBUTION, OTHER = "pysces-grn", "pysces"
OPTIONAL = {  # package: extra
    "matplotlib": "plot",
    "networkx": "plot",
    "jinja2": "report",
    "igraph": "igraph",
    "mudata": "mudata",
    "scikit-learn": "samples",
    "scanpy": "scanpy",
    "dask": "dask",
    "pyarrow": "parquet",
    "rdata": "rds",
    "argcomplete": "completion",
}


@dataclass(frozen=True)
class Check:
    """One line of the diagnosis: name of the check, result, and remedy.

    ``state`` is ``"ok"``, ``"absent"`` (not installed and not required) or ``"fault"``.
    """

    name: str
    state: str
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        state = "FAULT" if self.state == "fault" else self.state
        line = f"{state:<6}  {self.name:<17}  {self.found}"
        return f"{line}\n{' ' * 27}-> {self.remedy}" if self.remedy else line


def checks() -> Iterator[Check]:
    """Check the installation and its environment, and run every engine.

    Examples
    --------
    >>> next(checks()).name
    'python'
    """
    for part in (_versions, _other, _packages, _caches, _engines, _kernels, _small_run):
        try:
            yield from part()
        # A broken installation may raise any exception, which is then reported as a fault.
        except Exception as error:
            said = isinstance(error, PyscesError)  # their messages contain the remedy
            remedy = "" if said else f"pip install --force-reinstall {DISTRIBUTION}"
            name = part.__name__.strip("_").replace("_", " ")
            yield Check(name, "fault", f"{type(error).__name__}: {error}", remedy)


def _versions() -> Iterator[Check]:
    system = f"{platform.python_version()}, {platform.system()} {platform.machine()}"
    yield Check("python", "ok", system)
    yield Check("pysces", "ok", f"{pysces.__version__} in {Path(__file__).resolve().parent}")


def _other() -> Iterator[Check]:
    """Check whether another project with the same import name is installed."""
    version = _version_of(OTHER)
    files = importlib.metadata.files(OTHER) or [] if version else []
    if version and (not files or any(file.parts[:1] == ("pysces",) for file in files)):
        found = f"{OTHER} {version}, another project, is installed in the same folder"
        remedy = f"pip uninstall -y {OTHER} {DISTRIBUTION}, then pip install {DISTRIBUTION}"
        yield Check("one project", "fault", found, remedy)
    else:
        yield Check("one project", "ok", f"no other project named {OTHER} is installed")


def _version_of(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _packages() -> Iterator[Check]:
    """Check the required packages in the metadata of this installation (a checkout has none)."""
    from packaging.requirements import Requirement

    record = importlib.metadata.requires(DISTRIBUTION) if _version_of(DISTRIBUTION) else None
    versions = []
    for needed in map(Requirement, record or []):
        if needed.marker is None or needed.marker.evaluate({"extra": ""}):
            version = _version_of(needed.name)
            if version is not None and needed.specifier.contains(version, prereleases=True):
                versions.append(f"{needed.name} {version}")
            else:
                found = f"{version or 'not installed'}, but {needed.specifier} is required"
                remedy = f"pip install '{needed.name}{needed.specifier}'"
                yield Check(needed.name, "fault", found, remedy)
    yield Check(
        "required", "ok", ", ".join(versions) or "not recorded (a checkout that is not installed)"
    )
    for name, extra in OPTIONAL.items():
        version = _version_of(name)
        remedy = "" if version else f"pip install '{DISTRIBUTION}[{extra}]', if needed"
        yield Check(name, "ok" if version else "absent", version or "not installed", remedy)


def _caches() -> Iterator[Check]:
    """Check the folders of caches."""
    folder = settings.cache_dir
    if folder is None:
        yield Check("null cache", "absent", "disabled: null distributions are kept in memory")
    else:
        yield _writable("null cache", folder, "PYSCES_CACHE_DIR")
    asked = os.environ.get("NUMBA_CACHE_DIR")
    if asked:
        yield _writable("compile cache", Path(asked), "NUMBA_CACHE_DIR")
        return
    if isinstance(engines.probe("numba"), str):
        return  # without Numba there is nothing to keep; its engine is a fault below
    kernels = importlib.import_module("pysces.kernels.numba.ranks")
    compiled = next(value for value in vars(kernels).values() if hasattr(value, "stats"))
    kept = compiled.stats.cache_path
    if kept is None:
        found = "no folder can be written: kernels are compiled in every session"
        remedy = "Set NUMBA_CACHE_DIR to a writable folder."
        yield Check("compile cache", "fault", found, remedy)
    else:
        yield _writable("compile cache", Path(kept), "NUMBA_CACHE_DIR")


def _writable(name: str, folder: Path, variable: str) -> Check:
    """Check whether a folder is writable or can be created, without creating it."""
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=nearest):
            return Check(name, "ok", f"{folder} is writable")
    except OSError as error:
        found = f"{folder} is not writable: {error.strerror}"
        return Check(name, "fault", found, f"Set {variable} to a writable folder.")


def _engines() -> Iterator[Check]:
    """Check the engines; a requested engine must be available."""
    status = pysces.status()
    for row in status.engines:
        state, found, remedy = "ok", f"{row.version}, {row.device}, {row.precision}", ""
        if not row.available:
            state = "fault" if row.engine == "numba" else "absent"  # Numba is a required package
            found, _, remedy = row.reason.removesuffix(")").partition(" (install: ")
        yield Check(f"engine {row.engine}", state, found, remedy)
    if status.chosen is None:
        found = f"the engine requested by {status.chosen_by} is not available"
        yield Check("engine in use", "fault", found, "Install it, or choose another engine.")
    else:
        yield Check("engine in use", "ok", f"{status.chosen}, by {status.chosen_by}")


def _kernels() -> Iterator[Check]:
    """Compare every kernel of every engine with the reference on small cases."""
    for name in [row.engine for row in pysces.status().engines if row.available]:
        began = time.perf_counter()
        run = [v for v in pysces.validate([name], quick=True).verdicts if not v.skipped]
        cases, seconds = sum(v.cases for v in run), time.perf_counter() - began
        state, remedy = "ok", ""
        found = f"{len(run)} agree with the reference on {cases} small cases, {seconds:.1f} s"
        if wrong := [verdict for verdict in run if not verdict.ok]:
            state, names = "fault", ", ".join(verdict.kernel for verdict in wrong)
            found = f"{len(wrong)} of {len(run)} fail ({names}): {wrong[0].problems[0]}"
            remedy = f"Run `pysces validate --engines {name}` and report its output."
        yield Check(f"kernels on {name}", state, found, remedy)


def _small_run() -> Iterator[Check]:
    """Run inference on simulated data in which A regulates C to F, and B regulates G to J."""
    import pandas as pd

    began = time.perf_counter()
    values = _seeds.generator(0, "doctor").normal(size=(60, 12))
    values[:, 2:6] += 2 * values[:, [0]]
    values[:, 6:10] -= 2 * values[:, [1]]
    data = pd.DataFrame(values, columns=list("ABCDEFGHIJKL"))
    kept, settings.cache_dir = settings._cache_dir, None  # do not write to the cache
    try:
        network = pysces.infer_network(data, ["A", "B"], n_resamples=20, n_null=10_000)
    finally:
        settings._cache_dir = kept
    activities = pysces.enrich(data, network, min_targets=2)
    table = network.to_dataframe()[["source", "target"]].astype(str)
    edges = sorted(table["source"] + table["target"])
    agreement = activities.reindex(columns=["A", "B"]).corrwith(data[["A", "B"]]).min()
    if edges == ["AC", "AD", "AE", "AF", "BG", "BH", "BI", "BJ"] and agreement > 0.5:
        seconds = time.perf_counter() - began
        yield Check(
            "small run", "ok", f"found the 8 simulated edges and their activities, {seconds:.1f} s"
        )
    else:
        found = f"wrong edges or activities: {edges}, correlation of activities {agreement:.2f}"
        yield Check("small run", "fault", found, "Run `pysces validate` and report its output.")
