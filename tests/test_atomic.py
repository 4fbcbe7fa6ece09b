"""Files are written completely or not at all, and what the system refuses is said."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

import pysces
from pysces import _atomic
from pysces._atomic import atomic_create, atomic_write, remove_abandoned, replacing
from pysces.data.read import write_h5ad

POSIX = pytest.mark.skipif(os.name != "posix", reason="permissions, locks and devices of POSIX")
NETWORK = pysces.Network.from_dataframe(
    pd.DataFrame({"source": "MYC", "target": [f"gene{i}" for i in range(2000)], "mi": 0.5})
)
CELLS = anndata.AnnData(np.ones((50, 200)))
NEEDED = {"network.parquet": "pyarrow", "network.graphml": "networkx"}
WRITERS = {
    "network.tsv": NETWORK.write,
    "network.tsv.gz": NETWORK.write,
    "network.parquet": NETWORK.write,
    "network.graphml": NETWORK.write,
    "cells.h5ad": lambda path: write_h5ad(CELLS, path),
    "bytes.txt": lambda path: atomic_write(path, b"x" * 10_000),
}


@pytest.fixture(params=WRITERS)
def name(request):
    """The name of a file whose writer is installed."""
    if request.param in NEEDED:
        pytest.importorskip(NEEDED[request.param], reason=f"writes {request.param}")
    return request.param


@pytest.fixture
def full_disk():
    """Files may not exceed 2 kB, so that a write fails as on a full disk."""
    resource = pytest.importorskip("resource", reason="limits of POSIX")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@POSIX
def test_a_full_disk_is_said_and_the_earlier_file_stays(name, tmp_path, full_disk) -> None:
    path = tmp_path / name
    path.write_bytes(b"earlier")
    with pytest.raises(pysces.PyscesError, match=f"{name} cannot be written.*Free some space"):
        WRITERS[name](path)
    assert path.read_bytes() == b"earlier"
    assert [p.name for p in tmp_path.iterdir()] == [name]


def _infer(**options):
    values = np.random.default_rng(0).normal(size=(100, 30))
    values[:, 3:] += values[:, [0]]
    genes = [f"g{i}" for i in range(30)]
    return pysces.infer_network(values, ["g0"], genes=genes, n_resamples=2, n_null=1000, **options)


@pytest.fixture
def compiled(monkeypatch) -> None:
    """Kernels are compiled, and kept on disk, before it is full; null tables are not kept."""
    monkeypatch.setattr(pysces.settings, "_cache_dir", None)
    _infer()


@POSIX
def test_a_checkpoint_on_a_full_disk_is_said(tmp_path, compiled, full_disk) -> None:
    with pytest.raises(pysces.PyscesError, match=r"resample-\d+\.npz cannot be written"):
        _infer(checkpoint=tmp_path / "c")
    assert [p.name for p in (tmp_path / "c").iterdir()] == ["fingerprint.json"]


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="/proc is read-only, even for root")
def test_a_folder_that_cannot_be_written_is_said(name) -> None:
    with pytest.raises(pysces.InputError, match=r"cannot be written.*elsewhere"):
        WRITERS[name](f"/proc/{name}")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_device_is_written_to_and_not_replaced(capfd) -> None:
    with pytest.raises(pysces.PyscesError, match=r"/dev/full cannot be written.*is full"):
        NETWORK.write("/dev/full", format="tsv")
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)
    NETWORK.write("/dev/null", format="tsv")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


@POSIX
def test_an_earlier_file_keeps_its_permissions_and_links_their_place(name, tmp_path) -> None:
    (tmp_path / "private").write_bytes(b"earlier")
    (tmp_path / "private").chmod(0o600)
    (tmp_path / name).symlink_to(tmp_path / "private")
    WRITERS[name](tmp_path / name)
    assert (tmp_path / name).is_symlink()
    assert stat.S_IMODE((tmp_path / "private").stat().st_mode) == 0o600
    assert (tmp_path / "private").read_bytes() != b"earlier"
    before = os.umask(0o027)
    try:
        WRITERS[name](tmp_path / f"new-{name}")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / f"new-{name}").stat().st_mode) == 0o640


@POSIX
@pytest.mark.parametrize("mode", [0o600, 0o664])
def test_nobody_else_can_read_a_private_file_while_it_is_written(mode, tmp_path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"earlier")
    path.chmod(mode)
    opened, modes = os.open, []

    def watched(name, *given, **more):
        file = opened(name, *given, **more)
        modes.append(stat.S_IMODE(os.fstat(file).st_mode))  # before any other call
        return file

    before = os.umask(0o022)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "open", watched)
            atomic_write(path, b"content")
    finally:
        os.umask(before)
    assert modes == [0o600]
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_the_content_is_on_the_disk_before_the_name_is(tmp_path, monkeypatch) -> None:
    """Without it, a power cut may leave an empty file under the final name."""
    done = []
    sync, move = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda file: done.append("fsync") or sync(file))
    monkeypatch.setattr(os, "replace", lambda *paths: done.append("replace") or move(*paths))
    atomic_write(tmp_path / "file", b"content")
    with replacing(tmp_path / "other") as temporary:
        temporary.write_bytes(b"content")
    assert done == ["fsync", "replace"] * 2


def test_a_disk_that_fills_at_the_last_moment_is_said(tmp_path, monkeypatch) -> None:
    def fail(file) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(pysces.PyscesError, match="is full"):
        atomic_write(tmp_path / "file", b"content")
    with pytest.raises(pysces.PyscesError, match="is full"):
        atomic_create(tmp_path / "file", b"content")
    assert list(tmp_path.iterdir()) == []


@POSIX
def test_what_killed_processes_left_is_removed_and_nothing_else(tmp_path) -> None:
    """A writer is killed in the middle of a file, another is still at work."""
    code = """
import sys, time
from pysces._atomic import atomic_write
def slowly(file):
    file.write(b"half"); file.flush(); print("ready", flush=True); time.sleep(60)
atomic_write(sys.argv[1], slowly)
"""
    writers = []
    for name in ("file", "file", "file.other"):
        given = [sys.executable, "-c", code, str(tmp_path / name)]
        writers.append(subprocess.Popen(given, stdout=subprocess.PIPE))
        assert writers[-1].stdout.readline() == b"ready\n"
    assert len(list(tmp_path.iterdir())) == 3
    writers[0].kill()
    writers[0].wait()
    (tmp_path / ".file.of the user").write_text("")
    old, new = tmp_path / ".file.1.part", tmp_path / ".file.2.part"  # of libraries, not locked
    old.touch()
    new.touch()
    os.utime(old, (time.time() - 90_000,) * 2)
    try:
        atomic_write(tmp_path / "file", b"whole")
        left = {p.name for p in tmp_path.iterdir()}
        assert {"file", ".file.of the user", ".file.2.part"} < left
        assert len(left) == 5  # and those of the two that are at work
        assert sum(name.endswith(".tmp") for name in left) == 2
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()
    remove_abandoned(tmp_path, ".file.")
    assert {p.name for p in tmp_path.iterdir()} == left - {n for n in left if n.endswith(".tmp")}


@POSIX
def test_where_files_cannot_be_locked_they_are_removed_after_a_day(tmp_path, monkeypatch) -> None:
    def unsupported(*_) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(_atomic.fcntl, "flock", unsupported)
    atomic_write(tmp_path / "file", b"whole")
    for name in (".file.a.tmp", ".file.b.tmp"):
        (tmp_path / name).touch()
    os.utime(tmp_path / ".file.a.tmp", (time.time() - 90_000,) * 2)
    remove_abandoned(tmp_path, ".file.")
    assert {p.name for p in tmp_path.iterdir()} == {"file", ".file.b.tmp"}


@POSIX
def test_the_command_line_cleans_up_when_it_is_terminated(tmp_path) -> None:
    """SIGTERM, as of a scheduler at the end of the time, in the middle of writing."""
    values = np.random.default_rng(0).normal(size=(40, 20))
    genes = [f"g{i}" for i in range(20)]
    pd.DataFrame(values, columns=genes).T.to_csv(tmp_path / "cells.csv")
    (tmp_path / "regulators.txt").write_text("g0\ng1\n")
    code = """
import sys, time
import pysces.cli, pysces._atomic as atomic
def slowly(file):
    print("ready", flush=True); time.sleep(60)
atomic._sync = slowly
sys.exit(pysces.cli.main(sys.argv[1:]))
"""
    given = "aracne cells.csv -r regulators.txt -o out.tsv -q --n-null 1000 --resampling none"
    process = subprocess.Popen(
        [sys.executable, "-c", code, *given.split(), "--engine", "python", "--alpha", "1"],
        stdout=subprocess.PIPE,
        cwd=tmp_path,
        env={**os.environ, "PYSCES_CACHE_DIR": "", "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout.readline() == b"ready\n"
    assert len(list(tmp_path.iterdir())) == 3
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert {p.name for p in tmp_path.iterdir()} == {"cells.csv", "regulators.txt"}
