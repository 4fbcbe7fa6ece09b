"""The diagnosis of an installation: each fault is planted, seen, and has a remedy."""

from __future__ import annotations

import importlib.metadata
import json

import numpy as np
import pytest

import pysces
from pysces import doctor
from pysces.cli import main
from pysces.dispatch import engines
from pysces.doctor import Check, Diagnosis, diagnose


def faults(checks) -> list[Check]:
    return [check for check in checks if check.state == "fault"]


def test_a_sound_installation_has_no_fault(capsys) -> None:
    verbosity = pysces.settings.verbosity
    diagnosis = diagnose()
    assert faults(diagnosis.checks) == []
    assert diagnosis
    names = [check.name for check in diagnosis.checks]
    for name in ("python", "pysces", "one project", "engine numba", "small run on python", "cache"):
        assert name in names
    assert pysces.settings.verbosity == verbosity
    assert str(diagnosis).endswith("all is well")


def test_every_engine_here_makes_the_small_network() -> None:
    here = {row.engine for row in pysces.status().engines if row.available}
    checks = list(doctor._results())
    assert {check.name for check in checks} == {f"small run on {name}" for name in here}
    assert all("8 edges" in check.found for check in checks)


def test_command_line(monkeypatch, capsys) -> None:
    sound = Diagnosis((Check("a", "good", "1"), Check("b", "absent", "2", "do this")))
    monkeypatch.setattr(doctor, "diagnose", lambda: sound)
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["✓ a  1", "– b  2", "     -> do this", "all is well"]
    broken = Diagnosis((*sound.checks, Check("c", "fault", "3", "do that")))
    monkeypatch.setattr(doctor, "diagnose", lambda: broken)
    assert main(["doctor", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is False
    assert found["checks"][2] == {
        "name": "c", "state": "fault", "found": "3", "remedy": "do that",
    }  # fmt: skip


def test_marks_that_a_terminal_cannot_print_become_letters() -> None:
    broken = Diagnosis((Check("a", "good", "1"), Check("c", "fault", "3")))
    assert broken.text("ascii").splitlines() == ["ok a  1", "XX c  3", "1 fault"]
    assert broken.text(None).isascii()
    assert broken.text("utf-8").startswith("✓ a")


def test_an_engine_that_computes_wrong_is_a_fault(monkeypatch) -> None:
    from pysces.kernels.numba import copula

    right = copula.copula_mi
    monkeypatch.setattr(copula, "copula_mi", lambda *a, **k: right(*a, **k) + np.int64(2**30))
    (wrong,) = faults(doctor._results())
    assert wrong.name == "small run on numba"
    assert "differs" in wrong.found
    assert "pysces validate --engines numba" in wrong.remedy


def test_an_engine_that_fails_is_a_fault(monkeypatch) -> None:
    from pysces.kernels.numba import copula

    def dead(*_, **__):
        raise RuntimeError("device lost")

    monkeypatch.setattr(copula, "copula_mi", dead)
    (wrong,) = faults(doctor._results())
    assert "RuntimeError: device lost" in wrong.found


def test_an_engine_asked_for_that_is_not_here_is_a_fault(monkeypatch) -> None:
    probe = engines._probe
    monkeypatch.setattr(engines, "_probe", lambda n: "ImportError: no" if n == "mlx" else probe(n))
    monkeypatch.setenv("PYSCES_ENGINE", "mlx")
    checks = {check.name: check for check in doctor._engines()}
    assert checks["engine mlx"].state == "absent"
    assert checks["engine mlx"].remedy.startswith("pip install")
    assert checks["engine in use"].state == "fault"


def test_numba_that_does_not_load_is_a_fault(monkeypatch) -> None:
    probe = engines._probe
    monkeypatch.setattr(engines, "_probe", lambda n: "OSError: no" if n == "numba" else probe(n))
    engines._automatic.cache_clear()
    try:
        checks = {check.name: check for check in doctor._engines()}
    finally:
        engines._automatic.cache_clear()
    assert checks["engine in use"].found.startswith("python")
    assert checks["engine numba"].state == "fault"
    assert checks["engine numba"].remedy == "pip install numba"


def test_two_projects_over_each_other_are_a_fault(monkeypatch) -> None:
    monkeypatch.setattr(doctor, "_version_of", lambda name: "1.2.2" if name == "pysces" else None)
    monkeypatch.setattr(doctor, "_other_is_foreign", lambda: True)
    (check,) = faults(doctor._mixed())
    assert "pip uninstall -y pysces pysces-grn" in check.remedy


@pytest.mark.parametrize(
    ("version", "found"), [(None, "not installed"), ("0.1", "0.1, but >=2.0 is needed")]
)
def test_requirements_that_are_not_met_are_faults(monkeypatch, version, found) -> None:
    monkeypatch.setattr(
        importlib.metadata,
        "requires",
        lambda _: ["numpy>=2.0", "torch>=9; extra == 'bench'", "mlx>=1; sys_platform == 'none'"],
    )
    monkeypatch.setattr(doctor, "_version_of", lambda _: version)
    (check,) = doctor._required()
    assert (check.state, check.found, check.remedy) == ("fault", found, "pip install 'numpy>=2.0'")


def test_a_cache_that_cannot_be_written_is_a_fault(monkeypatch, tmp_path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PYSCES_CACHE_DIR", str(tmp_path / "file" / "cache"))
    check = doctor._cache()
    assert check.state == "fault"
    assert "PYSCES_CACHE_DIR" in check.remedy
    monkeypatch.setenv("PYSCES_CACHE_DIR", str(tmp_path / "new" / "cache"))
    assert doctor._cache().state == "good"
    assert not (tmp_path / "new").exists()  # only tried
    monkeypatch.setenv("PYSCES_CACHE_DIR", "")
    assert doctor._cache().state == "absent"


def test_more_memory_than_there_is_is_a_fault(monkeypatch) -> None:
    monkeypatch.setattr(pysces.settings, "_memory", 2**60)
    assert [check.name for check in faults(doctor._memory())] == ["memory"]


def test_a_check_that_breaks_is_a_fault_itself(monkeypatch) -> None:
    def _threads():
        raise ValueError("no such thing")
        yield

    monkeypatch.setattr(doctor, "_threads", _threads)
    (check,) = faults(diagnose().checks)
    assert "ValueError: no such thing" in check.found
    assert pysces.settings.verbosity != "silent"
