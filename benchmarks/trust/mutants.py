"""Plant the faults of mutants.txt, one at a time in a copy, and see which tests notice.

    python benchmarks/trust/mutants.py [--check] [--minutes 60] [--only TEXT] [--again]

Each fault is tested in a process of its own. The tests must pass without a fault first. Results are
kept in results/mutants.json, so that a run continues where the last one ended; a fault that
survived is tested again if its tests have changed, all are with --again. Faults that need not be
noticed are in EQUIVALENT, with the reason.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import importlib
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
EQUIVALENT: dict[str, str] = {
    "pysces/aracne/_consensus.py: last = np.flatnonzero(ends)[np.searchsorted("
    "np.flatnonzero(ends), np.arange(count + decoys))] --> last = np.arange(count + decoys)": (
        "decoys come first among equals, so the minimum over what follows is that of the last equal"
    ),
    "kernels/numba/mi.py: mask &= ~np.uint64(0) >> np.uint64(width * WORD - samples) --> "
    "mask &= ~np.uint64(0)": (
        "saves time: only high halves are counted, of which there are none in the padding"
    ),
    "kernels/numba/dpi.py: if row[edge] < n_regulators: --> if True:": (
        "as in the reference, but reads memory beyond an array: the result depends on what is there"
    ),
    "kernels/python/dpi.py: if i < n_regulators: --> if True:": (
        "a decoy is nobody's target, so that a path over it lacks the first leg"
    ),
    "kernels/numba/dpi.py: if strength[k] <= edge: --> if strength[k] < edge:": (
        "saves time: a path as strong as the edge, or weaker, does not explain it"
    ),
    "kernels/numba/dpi.py: if leg > edge and edge < --> if edge <": (
        "saves time: the smaller leg, which the discount does not raise, must be above the edge"
    ),
}
_LIBRARIES = ("anndata", "numba", "pandas", "pytest", "scipy.stats")
_LONGEST = 600.0  # seconds that the tests of one fault may take


class Mutant(NamedTuple):
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.file}: {self.old} --> {self.new}"

    def planted(self) -> str:
        """The file with the fault."""
        text = (ROOT / self.file).read_text()
        if self.old not in text:
            raise ValueError(f"not found: {self.name}")
        changed = text.replace(self.old, self.new, 1)
        ast.parse(changed)
        return changed

    def digest(self, folder: Path) -> str:
        """Digest of the tests."""
        content = [(folder / name).read_text() for name in self.tests]
        return hashlib.blake2b("\0".join(content).encode(), digest_size=8).hexdigest()


def table() -> list[Mutant]:
    """All faults."""
    found, file, tests = [], "", ()
    for line in Path(__file__).with_name("mutants.txt").read_text().splitlines():
        if line.startswith("@ "):
            file, _, names = line[2:].partition(" | ")
            tests = tuple(names.split())
        elif " -->" in line and not line.startswith("#"):
            old, _, new = line.replace("\\n", "\n").partition(" -->")
            found.append(Mutant(file, old, new.removeprefix(" "), tests))
    return found


class Workshop:
    """A copy of the sources in which faults are planted."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.copy = folder, folder / "copy"
        for name in ("pysces", "kernels", "tests", "benchmarks", "docs"):
            shutil.copytree(ROOT / name, self.copy / name, ignore=shutil.ignore_patterns("__pyc*"))
        for name in ("pyproject.toml", "README.md", "CHANGELOG.md"):
            shutil.copy(ROOT / name, self.copy)
        self.seconds: dict[tuple[str, ...], float] = {}

    def passes_without_a_fault(self, tests: tuple[str, ...]) -> bool:
        """Whether the tests pass; their time is the measure of the limit."""
        if tests not in self.seconds:
            start = time.monotonic()
            status = self._run(tests, 1200.0, "cache", "numba")
            self.seconds[tests] = time.monotonic() - start if status == 0 else -1.0
            print(f"{self.seconds[tests]:6.0f} s without a fault:", *tests, flush=True)
            if status != 0:
                print((self.folder / "log").read_text()[-1500:])
        return self.seconds[tests] >= 0

    def outcome(self, mutant: Mutant) -> str:
        """'caught', 'caught by the time limit' or 'survived'."""
        path = self.copy / mutant.file
        original = path.read_bytes()
        # Tables of null distributions and compiled kernels of the sound sources would hide faults.
        own = mutant.file.endswith(("_null.py", "_estimators.py", "_copula.py", "_partition.py"))
        cache = "own-cache" if own or mutant.file.startswith("kernels/") else "cache"
        kernel = mutant.file.startswith("kernels/") and "/python/" not in mutant.file
        numba = "own-numba" if kernel else "numba"
        try:
            path.write_text(mutant.planted())
            status = self._run(mutant.tests, 60 + 4 * self.seconds[mutant.tests], cache, numba)
        finally:
            path.write_bytes(original)
            for name in ("own-cache", "own-numba"):
                shutil.rmtree(self.folder / name, ignore_errors=True)
        if status is None:
            return "caught by the time limit"
        return "survived" if status == 0 else "caught"

    def _run(self, tests: tuple[str, ...], limit: float, cache: str, numba: str) -> int | None:
        """Status of pytest in a forked child, which has the libraries loaded; None: too slow."""
        child = os.fork()
        if child == 0:
            status = 70
            try:
                status = self._in_child(tests, cache, numba)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        deadline = time.monotonic() + min(limit, _LONGEST)
        while time.monotonic() < deadline:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.05)
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return None

    def _in_child(self, tests: tuple[str, ...], cache: str, numba: str) -> int:
        os.setsid()
        os.chdir(self.copy)
        log = os.open(self.folder / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.environ |= {
            "PYSCES_TESTS_CACHE_DIR": str(self.folder / cache),
            "NUMBA_CACHE_DIR": str(self.folder / numba),
            "PYTHONPATH": str(self.copy),
            "PYTHONDONTWRITEBYTECODE": "1",
            "MPLBACKEND": "Agg",
            "HYPOTHESIS_STORAGE_DIRECTORY": str(self.folder / "hypothesis"),
        }
        importlib.import_module("numba").config.reload_config()
        sys.path[:] = [str(self.copy), *(p for p in sys.path if Path(p).resolve() != ROOT)]
        sys.dont_write_bytecode = True
        options = ["-x", "-q", "-p", "no:cacheprovider", "-m", "not slow"]
        loaded = ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # plugins of zarr and others
        return int(importlib.import_module("pytest").main([*options, *loaded, *tests]))


def check(mutants: list[Mutant]) -> int:
    """The number of faults that cannot be planted, each printed."""
    wrong = 0
    for mutant in mutants:
        try:
            mutant.planted()
        except (ValueError, SyntaxError) as error:
            wrong += 1
            print(type(error).__name__, mutant.name)
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only whether faults can be planted")
    parser.add_argument("--minutes", type=float, default=600.0)
    parser.add_argument("--only", default="", help="faults whose line or file has this text")
    parser.add_argument("--again", action="store_true", help="test all again")
    given = parser.parse_args()
    mutants = [mutant for mutant in table() if given.only in mutant.name]
    if check(mutants) or given.check:
        return int(check(mutants) > 0)
    from results import load, save

    warnings.simplefilter("ignore")
    for name in _LIBRARIES:
        importlib.import_module(name)
    start, known = time.monotonic(), load("mutants").get("mutants", {})
    with tempfile.TemporaryDirectory() as folder:
        workshop = Workshop(Path(folder))
        for mutant in mutants:
            before = known.get(mutant.name, {})
            digest = mutant.digest(workshop.copy)
            caught = before.get("outcome", "survived") != "survived"
            if (caught or before.get("digest") == digest) and not given.again:
                continue
            if time.monotonic() - start > 60 * given.minutes:
                break
            if not workshop.passes_without_a_fault(mutant.tests):
                continue
            begun, outcome = time.monotonic(), workshop.outcome(mutant)
            seconds = round(time.monotonic() - begun, 1)
            print(f"{outcome:10} {seconds:6} s  {mutant.name}", flush=True)
            known[mutant.name] = {
                "outcome": outcome,
                "seconds": seconds,
                "digest": digest,
                **({"reason": EQUIVALENT[mutant.name]} if mutant.name in EQUIVALENT else {}),
            }
            names = {one.name for one in table()}
            save(
                "mutants",
                {
                    "planted": len(names),
                    "mutants": {name: known[name] for name in known if name in names},
                },
            )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
