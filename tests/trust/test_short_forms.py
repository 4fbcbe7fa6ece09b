"""Some seconds of each of the long proofs of benchmarks/trust (docs/trust.md has their results)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TRUST = Path(__file__).parents[2] / "benchmarks" / "trust"
if not TRUST.is_dir():
    pytest.skip("benchmarks are not part of the wheel", allow_module_level=True)
if os.name != "posix":
    pytest.skip("signals, forks and limits of POSIX", allow_module_level=True)

# pytest puts benchmarks/ on the path (pyproject.toml)
from trust import calibrate, fuzz, long_run, mutants, page  # noqa: E402


@pytest.fixture(autouse=True)
def on_this_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, sys.path)))


def test_the_page_states_what_the_scripts_stored() -> None:
    assert page.PAGE.read_text() == page.render()


def test_every_fault_can_be_planted() -> None:
    assert mutants.check(mutants.table()) == 0
    assert len(mutants.table()) >= 150


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the memory limit is of Linux")
@pytest.mark.filterwarnings("ignore")  # of libraries, about the files that are made
def test_damaged_files_give_errors_of_the_package() -> None:
    found = fuzz.fuzz(15.0)
    assert found["wrong"] == []
    assert all(counts.get("refused") for counts in found["outcomes"].values() if counts)


def test_interrupted_runs_end_as_unbroken_ones() -> None:
    """Kills at random moments, two jobs on one folder, a small disk."""
    given = [sys.executable, TRUST / "faults.py", "--short"]
    done = subprocess.run(given, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(kind["trials"] for kind in json.loads(done.stdout)["kinds"].values())


@pytest.mark.filterwarnings("ignore::pysces.PyscesWarning")  # networks of noise are empty
def test_p_and_q_values_of_noise_are_what_they_say(fast: None) -> None:
    rows = calibrate.calibrate(3)
    assert len(rows) == 9
    assert [row for row in rows if not row["fine"]] == []


@pytest.mark.filterwarnings("ignore::pysces.PyscesWarning")
def test_repeated_work_leaves_nothing_behind() -> None:
    found = long_run.long_run(12.0)
    assert found["fine"], found
