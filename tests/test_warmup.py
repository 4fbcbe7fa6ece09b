"""Compilation of kernels: announced before it begins, done in advance, kept for later sessions."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import pysces
from pysces import cli
from pysces.dispatch import compilation, warmup
from pysces.dispatch.operations import declared

# A kernel that compiles in half a second, as if it took longer; `events` prints compilations.
SMALL = """
import sys
import numba
from numba.core import event
import pysces
from pysces.dispatch import compilation, warmup

class Events(event.Listener):
    def on_start(self, event):
        function = event.data["dispatcher"].py_func
        if function.__module__.startswith("pysces.kernels"):
            print("compiles", function.__name__, flush=True)
    def on_end(self, event):
        pass

event.register("numba:compile", Events())
compilation.SECONDS = {**compilation.SECONDS, "rank_products": 20.0, "weighted_mean": 10.0}
compilation._small_task = lambda: 2 * compilation._REFERENCE
workflows = warmup.WORKFLOWS
warmup.WORKFLOWS = {"ranks": ("rank_products", "weighted_mean")}
"""


def session(code: str, folder: Path | None = None, **environment: str) -> list[str]:
    """What a fresh session prints, on both streams, in order."""
    inherited = {n: v for n, v in os.environ.items() if not n.startswith("NUMBA_CACHE")}
    inherited |= {"PYTHONDONTWRITEBYTECODE": "1"} | environment
    done = subprocess.run(
        [sys.executable, "-c", SMALL + code],
        env=inherited, cwd=folder, text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout.splitlines()


def _said(lines: list[str], words: str) -> list[int]:
    return [at for at, line in enumerate(lines) if words in line]


def test_compilation_is_announced_before_it_begins_and_once(tmp_path) -> None:
    lines = session("warmup.prepare('ranks', values=1)", NUMBA_CACHE_DIR=str(tmp_path))
    assert lines[0] == "engine numba: compiling (once), about 60 s"
    assert len(_said(lines, "compiling")) == 1
    assert _said(lines, "compiles rank_products")
    assert _said(lines, "compiles weighted_mean")
    # Another session finds them: it compiles nothing and says nothing.
    assert session("warmup.prepare('ranks', values=1)", NUMBA_CACHE_DIR=str(tmp_path)) == []


def test_a_kernel_outside_of_the_workflows_is_announced_as_well(tmp_path) -> None:
    call = """
from pysces.dispatch import operations
import numpy as np
for _ in range(2):
    with pysces.use_engine("numba"):
        pair = np.zeros(1, np.int64)
        operations.rank_products(np.ones((2, 3), np.int32), pair, pair)
"""
    lines = session(call, NUMBA_CACHE_DIR=str(tmp_path))
    assert lines[0] == "engine numba: compiling (once), about 40 s"
    assert len(_said(lines, "compiling")) == 1


def test_silence_is_kept(tmp_path) -> None:
    code = "pysces.settings.verbosity = 'silent'\nwarmup.prepare('ranks', values=1)"
    lines = session(code, NUMBA_CACHE_DIR=str(tmp_path))
    assert lines
    assert all(line.startswith("compiles ") for line in lines)


def test_only_numba_is_prepared(tmp_path) -> None:
    code = "with pysces.use_engine('python'):\n    warmup.prepare('ranks', values=1)"
    assert session(code, NUMBA_CACHE_DIR=str(tmp_path)) == []


def test_warmup_compiles_what_is_due(tmp_path) -> None:
    code = "print('due', pysces.warmup())\nprint('due', pysces.warmup())"
    lines = session(code, NUMBA_CACHE_DIR=str(tmp_path))
    assert [line for line in lines if line.startswith("due")] == ["due 2", "due 0"]
    assert session(code, NUMBA_CACHE_DIR=str(tmp_path)) == ["due 0", "due 0"]


def test_what_is_prepared_is_what_a_run_uses(tmp_path) -> None:
    """Nothing is compiled after the announced compilation."""
    code = """
warmup.WORKFLOWS = workflows
import anndata, numpy as np, pandas as pd
rng = np.random.default_rng(0)
adata = anndata.AnnData(rng.normal(size=(30, 40)))
genes = list(adata.var_names)
net = pd.DataFrame({"source": genes[0], "target": genes[1:], "mor": 1.0, "likelihood": 1.0})
real = warmup.prepare
def prepare(*names, **how):
    real(*names, **how)
    print("prepared", *names, flush=True)
import pysces.viper.run_viper as run
sys.modules["pysces.viper.run_viper"].prepare = prepare
pysces.run_viper(adata, net, signature="zscore", enrichment="score")
"""
    lines = session(code, NUMBA_CACHE_DIR=str(tmp_path))
    assert lines[-1] == "prepared zscore score"
    assert _said(lines, "compiles weighted_mean")


def test_every_kernel_of_numba_has_its_seconds() -> None:
    kernels = {n for n, contract in declared().items() if "numba" not in contract.unsupported}
    assert set(compilation.SECONDS) == kernels
    assert {name for names in warmup.WORKFLOWS.values() for name in names} <= kernels


def test_warmup_on_the_command_line(monkeypatch, capsys) -> None:
    monkeypatch.setattr(pysces, "warmup", lambda: 3)
    assert cli.main(["warmup"]) == 0
    assert capsys.readouterr().out == "3 kernels compiled\n"
    monkeypatch.setattr(pysces, "warmup", lambda: 0)
    assert cli.main(["warmup"]) == 0
    assert capsys.readouterr().out == "all kernels were compiled already\n"


# --- where no folder can be written ---------------------------------------------------------------


@pytest.fixture(scope="module")
def unwritable(tmp_path_factory) -> Path:
    """A copy of the package in which kernels cannot be kept, even by root."""
    folder = tmp_path_factory.mktemp("installed")
    kernels = Path(importlib.import_module("pysces.kernels").__file__).parent
    left_out = shutil.ignore_patterns("__pycache__", "kernels")
    shutil.copytree(Path(pysces.__file__).parent, folder / "pysces", ignore=left_out)
    shutil.copytree(kernels, folder / "kernels", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "kernels" / "numba" / "__pycache__").write_text("a file, so no folder")
    return folder


def _nowhere(folder: Path, cache: str) -> dict[str, str]:
    return {
        "HOME": os.devnull, "XDG_CACHE_HOME": f"{os.devnull}/cache", "PYTHONPATH": str(folder),
        "PYSCES_CACHE_DIR": cache,
    }  # fmt: skip


def test_kernels_are_kept_in_the_cache_of_pysces_where_numba_has_none(unwritable, tmp_path) -> None:
    code = "warmup.prepare('ranks', values=1)"
    environment = _nowhere(unwritable, str(tmp_path))
    lines = session(code, unwritable, **environment)
    assert f"are kept in {tmp_path}. Set NUMBA_CACHE_DIR to a folder" in lines[0]
    assert len(_said(lines, "Set NUMBA_CACHE_DIR")) == 1
    assert lines[1] == "engine numba: compiling (once), about 60 s"
    assert list((tmp_path / "numba").rglob("*.nbi"))
    again = session(code, unwritable, **environment)
    assert len(again) == 1
    assert "Set NUMBA_CACHE_DIR" in again[0]


@pytest.mark.parametrize("cache", ["", f"{os.devnull}/cache"])
def test_kernels_are_kept_in_memory_where_no_folder_can_be_written(unwritable, cache) -> None:
    code = "warmup.prepare('ranks', values=1)\nwarmup.prepare('ranks', values=1)"
    lines = session(code, unwritable, **_nowhere(unwritable, cache))
    assert "are kept in memory, for this session only. Set NUMBA_CACHE_DIR" in lines[0]
    assert len(_said(lines, "Set NUMBA_CACHE_DIR")) == 1
    assert lines[1] == "engine numba: compiling (in this session), about 60 s"
    assert len(_said(lines, "compiling")) == 1
    assert _said(lines, "compiles rank_products")


def test_numba_settings_are_left_as_they_were(unwritable, tmp_path) -> None:
    code = "warmup.prepare('ranks', values=1); print('set to', repr(numba.config.CACHE_DIR))"
    lines = session(code, unwritable, **_nowhere(unwritable, str(tmp_path)))
    assert lines[-1] == "set to ''"
