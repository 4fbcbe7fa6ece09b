"""``pysces doctor``: is everything in place, and what to do where it isn't."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pysces import _seeds
from pysces._version import __version__
from pysces.dispatch import engines
from pysces.errors import EngineUnavailable
from pysces.settings import settings

if TYPE_CHECKING:
    import pandas as pd

DISTRIBUTION, OTHER = "pysces-grn", "pysces"
OPTIONAL = {
    "matplotlib": "plot",
    "networkx": "plot",
    "igraph": "igraph",
    "mudata": "mudata",
    "scikit-learn": "samples",
    "scanpy": "scanpy",
    "dask": "dask",
    "pyarrow": "parquet",
    "rdata": "rds",
}
_MARKS = {"good": "✓", "absent": "–", "fault": "✗"}
_PLAIN_MARKS = {"good": "ok", "absent": "--", "fault": "XX"}


@dataclass(frozen=True)
class Check:
    """One line of the diagnosis.

    Attributes
    ----------
    name, found
        What was looked at, and what was there.
    state
        ``"good"``, ``"absent"`` (not there and not needed) or ``"fault"``.
    remedy
        What to do, where something is absent or at fault.
    """

    name: str
    state: str
    found: str
    remedy: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """All checks; true if there is no fault."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether there is no fault."""
        return all(check.state != "fault" for check in self.checks)

    def __bool__(self) -> bool:
        return self.ok

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values."""
        return {"ok": self.ok, "checks": [asdict(check) for check in self.checks]}

    def text(self, encoding: str | None = "utf-8") -> str:
        """Lines with a tick, a dash or a cross, or with letters where those can't be printed."""
        try:
            "".join(_MARKS.values()).encode(encoding or "ascii")
            marks = _MARKS
        except (UnicodeEncodeError, LookupError):
            marks = _PLAIN_MARKS
        width = max((len(check.name) for check in self.checks), default=0)
        lines = []
        for check in self.checks:
            lines.append(f"{marks[check.state]} {check.name.ljust(width)}  {check.found}")
            if check.remedy:
                lines.append(f"{' ' * (width + 4)}-> {check.remedy}")
        faults = sum(check.state == "fault" for check in self.checks)
        lines.append("all is well" if not faults else f"{faults} fault{'s' * (faults != 1)}")
        return "\n".join(lines)

    __str__ = text


def diagnose() -> Diagnosis:
    """Look at the installation, its surroundings, and let every engine make a small network.

    Nothing is changed: the cache of null distributions is only tried for writing.

    Examples
    --------
    >>> print(diagnose())  # doctest: +SKIP
    """
    checks: list[Check] = []
    verbosity, settings.verbosity = settings.verbosity, "silent"
    try:
        for part in (_versions, _mixed, _required, _optional, _engines, _results, _surroundings):
            checks += _of(part)
    finally:
        settings.verbosity = verbosity
    return Diagnosis(tuple(checks))


def _of(part: Callable[[], Iterator[Check]]) -> list[Check]:
    """The checks of a part, up to where it breaks."""
    checks: list[Check] = []
    try:
        checks.extend(part())
    # A broken installation may raise anything: that is what is looked for here.
    except Exception as error:
        words = f"{type(error).__name__}: {error}"
        remedy = f"pip install --force-reinstall {DISTRIBUTION}"
        checks.append(Check(part.__name__.strip("_"), "fault", words, remedy))
    return checks


def _versions() -> Iterator[Check]:
    system = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    old = sys.version_info < (3, 11)
    yield Check("python", "fault" if old else "good", system, "Use Python 3.11 or later." * old)
    folder = Path(__file__).resolve().parent
    yield Check("pysces", "good", f"{__version__} in {folder}")
    kernels = importlib.import_module("pysces.kernels")
    yield Check("kernels", "good", str(Path(str(kernels.__file__)).parent))


def _mixed() -> Iterator[Check]:
    """Another project installs the same import name."""
    both = _version_of(OTHER) is not None and _other_is_foreign()
    text = f"{OTHER} {_version_of(OTHER)}, another project, is installed over this one"
    remedy = f"pip uninstall -y {OTHER} {DISTRIBUTION}, then pip install {DISTRIBUTION}"
    if both:
        yield Check("one project", "fault", text, remedy)
    else:
        yield Check("one project", "good", f"no other project named {OTHER} is installed")


def _other_is_foreign() -> bool:
    """Whether the distribution `pysces` is the simulator, by the files that it lists."""
    files = importlib.metadata.files(OTHER) or []
    return not files or any(file.parts[:1] == ("pysces",) for file in files)


def _version_of(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _requirements() -> list[Any]:
    """What this installation needs here, from its own record; empty in a bare checkout."""
    from packaging.requirements import Requirement

    try:
        listed = importlib.metadata.requires(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        return []
    known = [Requirement(line) for line in listed]
    return [r for r in known if r.marker is None or r.marker.evaluate({"extra": ""})]


def _required() -> Iterator[Check]:
    for requirement in _requirements():
        version = _version_of(requirement.name)
        wanted = f"pip install '{requirement.name}{requirement.specifier}'"
        if version is None:
            yield Check(requirement.name, "fault", "not installed", wanted)
        elif not requirement.specifier.contains(version, prereleases=True):
            fact = f"{version}, but {requirement.specifier} is needed"
            yield Check(requirement.name, "fault", fact, wanted)
        else:
            yield Check(requirement.name, "good", version)


def _optional() -> Iterator[Check]:
    for name, extra in OPTIONAL.items():
        version = _version_of(name)
        remedy = "" if version else f"pip install '{DISTRIBUTION}[{extra}]', if you want it"
        yield Check(name, "good" if version else "absent", version or "not installed", remedy)


def _engines() -> Iterator[Check]:
    """Every engine answers, or says why not; one asked for must be there."""
    status = engines.status()
    for row in status.engines:
        if row.available:
            found = f"{row.version}, {row.device}, {row.precision}"
            yield Check(f"engine {row.engine}", "good", found + ", chosen" * row.chosen)
        else:
            needed = row.engine == "numba"  # a dependency; MLX is a matter of the machine
            reason, _, hint = row.reason.partition(" (install: ")
            yield Check(
                f"engine {row.engine}", "fault" if needed else "absent", reason, hint.rstrip(")")
            )
    try:
        chosen = engines.choose()
    except EngineUnavailable as error:
        yield Check("engine in use", "fault", str(error), "Install it, or ask for another one.")
    else:
        yield Check("engine in use", "good", f"{chosen.name}, by {status.chosen_by}")


def _results() -> Iterator[Check]:
    """A small network and small activities on every engine, compared with the reference."""
    here = [row.engine for row in engines.status().engines if row.available]
    expected = _small_network("python"), _small_activity("python")
    for name in here:
        began = time.perf_counter()
        try:
            network, scores = _small_network(name), _small_activity(name)
        # Drivers and compilers raise their own kinds; each is the answer to the question.
        except Exception as error:
            words = f"failed with {type(error).__name__}: {error}"
            yield Check(f"small run on {name}", "fault", words, f"Use another engine than {name}.")
            continue
        yield _compared(name, time.perf_counter() - began, expected, network, scores)


def _compared(
    name: str,
    seconds: float,
    expected: tuple[pd.DataFrame, pd.DataFrame],
    network: pd.DataFrame,
    scores: pd.DataFrame,
) -> Check:
    gap = float((scores - expected[1]).abs().to_numpy().max())
    what = f"small run on {name}"
    if not network.equals(expected[0]) or not gap <= 1e-5:
        fact = f"differs from the reference (activities by {gap:.2g})"
        return Check(what, "fault", fact, f"Run `pysces validate --engines {name}` and report it.")
    edges = f"{(network > 0).to_numpy().sum()} edges as the reference, activities within {gap:.1g}"
    return Check(what, "good", f"{edges}, {seconds:.1f} s")


def _small_network(engine: str) -> pd.DataFrame:
    """Mutual information after the DPI, regulators x genes."""
    from pysces.aracne.mutual_information import mutual_information
    from pysces.aracne.prune_dpi import prune_dpi

    mi = mutual_information(_small_data(), ["A", "B"], engine=engine)
    return prune_dpi(mi.where(mi > 0.1, 0.0), engine=engine)


def _small_activity(engine: str) -> pd.DataFrame:
    import pandas as pd

    from pysces.viper.enrich import enrich

    genes = list("CDEFGHIJ")
    edges = pd.DataFrame({"source": ["A"] * 4 + ["B"] * 4, "target": genes, "mor": [0.9, -0.8] * 4})
    return enrich(_small_data().head(6), edges, min_targets=2, engine=engine)


def _small_data() -> pd.DataFrame:
    """60 samples of 12 genes; C to F follow A, G to J follow B."""
    import pandas as pd

    values = _seeds.generator(0, "doctor").normal(size=(60, 12))
    values[:, 2:6] += 2 * values[:, [0]]
    values[:, 6:10] -= 2 * values[:, [1]]
    return pd.DataFrame(values, columns=list("ABCDEFGHIJKL"))


def _surroundings() -> Iterator[Check]:
    yield from _threads()
    yield from _memory()
    yield _cache()


def _threads() -> Iterator[Check]:
    import numba

    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    used = min(settings.threads or numba.config.NUMBA_NUM_THREADS, numba.config.NUMBA_NUM_THREADS)
    found = f"{used} of {allowed} processors"
    few = used < (allowed or 1) and settings.threads is None
    remedy = "Unset NUMBA_NUM_THREADS to use them all." if few else ""
    yield Check("threads", "absent" if few else "good", found, remedy)


def _memory() -> Iterator[Check]:
    text = f"{settings.memory / 2**30:.1f} GB for working arrays"
    try:
        there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not told by this system
        yield Check("memory", "good", text)
        return
    text += f" of {there / 2**30:.1f} GB"
    over = settings.memory > there
    remedy = "Lower pysces.settings.memory." if over else ""
    yield Check("memory", "fault" if over else "good", text, remedy)


def _cache() -> Check:
    """Null distributions are simulated anew in each session where the folder can't be written."""
    folder = settings.cache_dir
    if folder is None:
        return Check("cache", "absent", "switched off: null distributions are made anew each time")
    nearest = folder
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    try:
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        remedy = "Set PYSCES_CACHE_DIR to a folder that you may write to."
        return Check("cache", "fault", f"{folder} can't be written: {error.strerror}", remedy)
    return Check("cache", "good", f"{folder} can be written")
