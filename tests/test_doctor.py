"""The diagnosis of an installation: each fault is planted, seen, and has a remedy."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import pysces
from pysces import doctor
from pysces.cli import main
from pysces.dispatch import engines
from pysces.doctor import Check
from pysces.errors import InputError


def faults(checks) -> list[Check]:
    return [check for check in checks if check.state == "fault"]


@pytest.fixture
def few_kernels(monkeypatch) -> None:
    """Validation of two kernels in place of all, which other tests do."""
    whole = pysces.validate
    names = ["copula_mi", "rank_products"]
    monkeypatch.setattr(pysces, "validate", lambda on, quick: whole(on, names, quick=quick))


def test_a_sound_installation_has_no_fault(few_kernels) -> None:
    before = repr(pysces.settings)
    checks = list(doctor.checks())
    assert faults(checks) == []
    names = [check.name for check in checks]
    for name in ("python", "pysces", "one project", "required", "engine numba", "engine in use"):
        assert name in names
    for name in ("null cache", "compile cache", "kernels on python", "kernels on numba"):
        assert name in names
    assert names[-1] == "small run"
    assert repr(pysces.settings) == before


def test_kernels_of_every_engine_here_are_validated_on_the_quick_cases(monkeypatch) -> None:
    asked = []
    report = pysces.validate(["python"], ["rank_products"], quick=True)
    monkeypatch.setattr(pysces, "validate", lambda on, quick: asked.append((on, quick)) or report)
    checks = list(doctor._kernels())
    here = [row.engine for row in pysces.status().engines if row.available]
    assert asked == [([name], True) for name in here]
    assert [check.name for check in checks] == [f"kernels on {name}" for name in here]
    assert all("1 agree with the reference on 3 small cases" in check.found for check in checks)


# --- the command line -----------------------------------------------------------------------------


def test_lines_are_printed_as_they_come(monkeypatch, capsys) -> None:
    def checks():
        yield Check("a", "ok", "1")
        assert capsys.readouterr().out == "ok      a                  1\n"
        yield Check("b", "absent", "2", "do this")
        line, remedy = capsys.readouterr().out.splitlines()
        assert line == "absent  b                  2"
        assert remedy == f"{' ' * line.index('2')}-> do this"

    monkeypatch.setattr(doctor, "checks", checks)
    assert main(["doctor"]) == 0
    assert capsys.readouterr().out == "no faults\n"


def test_lines_are_flushed() -> None:
    """Through a pipe, which is buffered, the first line is there before the last check is done."""
    code = (
        "import os; from pysces import cli, doctor\n"
        "def checks():\n    yield doctor.Check('a', 'ok', '1')\n    os._exit(7)\n"
        "doctor.checks = checks; cli.main(['doctor'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 7
    assert done.stdout.split() == ["ok", "a", "1"]


def test_exit_status_is_1_on_a_fault(monkeypatch, capsys) -> None:
    found = [Check("a", "ok", "1"), Check("c", "fault", "3", "do that")]
    monkeypatch.setattr(doctor, "checks", lambda: iter(found))
    assert main(["doctor"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("FAULT ")
    assert lines[-1] == "1 fault"
    assert main(["doctor", "--json"]) == 1
    printed = json.loads(capsys.readouterr().out)
    assert printed["ok"] is False
    assert printed["checks"][1] == {
        "name": "c", "state": "fault", "found": "3", "remedy": "do that",
    }  # fmt: skip


# --- engines --------------------------------------------------------------------------------------


def test_an_engine_that_computes_wrong_is_a_fault(few_kernels, monkeypatch) -> None:
    from pysces.kernels.numba import copula

    right = copula.copula_mi
    monkeypatch.setattr(copula, "copula_mi", lambda *a, **k: right(*a, **k) + np.int64(2**30))
    (wrong,) = faults(doctor._kernels())
    assert wrong.name == "kernels on numba"
    assert wrong.found.startswith("1 of 2 fail (copula_mi): ")
    assert "values differ" in wrong.found
    assert "pysces validate --engines numba" in wrong.remedy


def test_an_engine_that_fails_is_a_fault(few_kernels, monkeypatch) -> None:
    from pysces.kernels.numba import copula

    def dead(*_, **__):
        raise RuntimeError("device lost")

    monkeypatch.setattr(copula, "copula_mi", dead)
    (wrong,) = faults(doctor._kernels())
    assert "RuntimeError: device lost" in wrong.found


def test_an_engine_asked_for_that_is_not_here_is_a_fault(monkeypatch) -> None:
    probe = engines.probe
    monkeypatch.setattr(engines, "probe", lambda n: "ImportError: no" if n == "mlx" else probe(n))
    monkeypatch.setenv("PYSCES_ENGINE", "mlx")
    checks = {check.name: check for check in doctor._engines()}
    assert checks["engine mlx"].state == "absent"
    assert checks["engine mlx"].found == "ImportError: no"
    assert checks["engine mlx"].remedy.startswith("pip install")
    assert checks["engine in use"].state == "fault"
    assert "$PYSCES_ENGINE" in checks["engine in use"].found


def test_numba_that_does_not_load_is_a_fault(monkeypatch) -> None:
    probe = engines.probe
    monkeypatch.setattr(engines, "probe", lambda n: "OSError: no" if n == "numba" else probe(n))
    engines.automatic.cache_clear()
    try:
        checks = {check.name: check for check in doctor._engines()}
    finally:
        engines.automatic.cache_clear()
    assert checks["engine in use"].found.startswith("python")
    assert checks["engine numba"].state == "fault"
    assert checks["engine numba"].remedy == "pip install numba"


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("infer_network", lambda network: pysces.Network(network.to_dataframe()[1:])),
        ("enrich", lambda activities: -activities),
    ],
)
def test_a_small_run_with_wrong_results_is_a_fault(monkeypatch, name, spoil) -> None:
    right = getattr(pysces, name)
    monkeypatch.setattr(pysces, name, lambda *a, **k: spoil(right(*a, **k)))
    (check,) = faults(doctor._small_run())
    assert "wrong edges or activities" in check.found
    assert "pysces validate" in check.remedy
    assert pysces.settings._cache_dir == "default"


# --- packages -------------------------------------------------------------------------------------


def plant_another_project(monkeypatch, files: list[str]) -> Check:
    monkeypatch.setattr(doctor, "_version_of", lambda name: "1.2.2" if name == "pysces" else None)
    listed = [importlib.metadata.PackagePath(name) for name in files]
    monkeypatch.setattr(importlib.metadata, "files", lambda _: listed)
    (check,) = doctor._other()
    return check


def test_two_projects_over_each_other_are_a_fault(monkeypatch) -> None:
    check = plant_another_project(monkeypatch, ["pysces/PyscesModel.py"])
    assert check.state == "fault"
    assert "pip uninstall -y pysces pysces-grn" in check.remedy


def test_a_distribution_of_that_name_without_such_files_is_no_fault(monkeypatch) -> None:
    assert plant_another_project(monkeypatch, ["other/__init__.py"]).state == "ok"


@pytest.mark.parametrize(
    ("version", "found"), [(None, "not installed, but"), ("0.1", "0.1, but >=2.0 is required")]
)
def test_requirements_that_are_not_met_are_faults(monkeypatch, version, found) -> None:
    monkeypatch.setattr(
        importlib.metadata,
        "requires",
        lambda _: ["numpy>=2.0", "torch>=9; extra == 'bench'", "mlx>=1; sys_platform == 'none'"],
    )
    monkeypatch.setattr(doctor, "_version_of", lambda n: "1" if n == "pysces-grn" else version)
    (check,) = faults(doctor._packages())
    assert check.name == "numpy"
    assert check.found.startswith(found)
    assert check.remedy == "pip install 'numpy>=2.0'"


def test_an_absent_optional_package_is_no_fault_and_names_its_extra(monkeypatch) -> None:
    monkeypatch.setattr(doctor, "_version_of", lambda _: None)
    checks = {check.name: check for check in doctor._packages()}
    assert checks["igraph"].state == "absent"
    assert "pysces-grn[igraph]" in checks["igraph"].remedy
    assert faults(checks.values()) == []


# --- caches ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "variable"), [("null cache", "PYSCES_CACHE_DIR"), ("compile cache", "NUMBA_CACHE_DIR")]
)
def test_a_cache_that_cannot_be_written_is_a_fault(monkeypatch, tmp_path, name, variable) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(variable, str(tmp_path / "file" / "cache"))
    (check,) = faults(doctor._caches())
    assert check.name == name
    assert "is not writable" in check.found
    assert f"Set {variable} to a writable folder" in check.remedy
    monkeypatch.setenv(variable, str(tmp_path / "new" / "cache"))
    assert faults(doctor._caches()) == []
    assert not (tmp_path / "new").exists()  # only tried


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write")
def test_a_folder_without_the_permission_to_write_is_a_fault(monkeypatch, tmp_path) -> None:
    tmp_path.chmod(0o500)
    monkeypatch.setenv("PYSCES_CACHE_DIR", str(tmp_path / "cache"))
    (check,) = faults(doctor._caches())
    assert "Permission denied" in check.found


def test_a_cache_that_is_switched_off_is_no_fault(monkeypatch) -> None:
    monkeypatch.setenv("PYSCES_CACHE_DIR", "")
    assert next(doctor._caches()).state == "absent"


def test_no_folder_for_compiled_kernels_is_a_fault(tmp_path) -> None:
    """Neither beside the package, nor in the home, nor in the cache of PySCES."""
    kernels = Path(importlib.import_module("pysces.kernels").__file__).parent
    left_out = shutil.ignore_patterns("__pycache__", "kernels")
    shutil.copytree(Path(pysces.__file__).parent, tmp_path / "pysces", ignore=left_out)
    shutil.copytree(kernels, tmp_path / "kernels", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "kernels" / "numba" / "__pycache__").write_text("a file, so no folder")
    code = "from pysces import doctor\nfor c in doctor._caches(): print(c.state, c)"
    environment = {n: v for n, v in os.environ.items() if n not in ("NUMBA_CACHE_DIR", "HOME")}
    environment |= {
        "HOME": os.devnull, "XDG_CACHE_HOME": f"{os.devnull}/cache", "PYSCES_CACHE_DIR": "",
        "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment, cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "fault FAULT   compile cache" in done.stdout
    assert "-> Set NUMBA_CACHE_DIR to a writable folder." in done.stdout


# --- checks that break ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (ValueError("no such thing"), "pip install --force-reinstall pysces-grn"),
        (InputError("no such thing. Do this."), ""),
    ],
)
def test_a_check_that_breaks_is_a_fault_itself(few_kernels, monkeypatch, error, remedy) -> None:
    def _engines():
        raise error
        yield

    monkeypatch.setattr(doctor, "_engines", _engines)
    checks = list(doctor.checks())
    (check,) = faults(checks)
    assert check.name == "engines"
    assert check.found == f"{type(error).__name__}: {error}"
    assert check.remedy == remedy
    assert checks[-1].name == "small run"  # the others go on
