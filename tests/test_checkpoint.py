"""Interrupted and distributed runs give the network of an unbroken one, to the bit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

import pysces
from pysces import seeds
from pysces.aracne.measure import Measure
from pysces.aracne.pairs import Candidates
from pysces.aracne.resample import Resampler
from pysces.aracne.resampling import Resampling
from pysces.atomic import atomic_create, atomic_write
from pysces.data.expression import Expression

REGULATORS = ["g0", "g1", "g2"]
OPTIONS = {"n_resamples": 6, "n_null": 20_000}


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    values = seeds.generator(0, "checkpoint").normal(size=(100, 30))
    values[:, 10:20] += values[:, [0]]
    values[:, 20:25] -= 2 * values[:, [1]]
    return pd.DataFrame(values, columns=[f"g{i}" for i in range(30)])


@pytest.fixture(scope="module")
def unbroken(data) -> pd.DataFrame:
    table = pysces.infer_network(data, REGULATORS, **OPTIONS).to_dataframe()
    assert len(table) > 5
    return table


def run(data, folder, **changed) -> pd.DataFrame:
    options = {**OPTIONS, **changed}
    return pysces.infer_network(data, REGULATORS, checkpoint=folder, **options).to_dataframe()


def same(one: pd.DataFrame, two: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(one, two, check_exact=True)


def resamples(folder) -> list[str]:
    return sorted(p.name for p in folder.glob("resample-*.npz"))


def test_a_checkpoint_changes_nothing(data, unbroken, tmp_path) -> None:
    same(run(data, tmp_path / "c"), unbroken)
    assert len(resamples(tmp_path / "c")) == 6
    same(run(data, tmp_path / "c"), unbroken)


def test_a_resumed_run_is_an_unbroken_one(data, unbroken, tmp_path) -> None:
    folder = tmp_path / "c"
    run(data, folder)
    (folder / "resample-00003.npz").unlink()
    stored = folder / "resample-00001.npz"
    stored.write_bytes(stored.read_bytes()[:500])  # damaged
    same(run(data, folder), unbroken)
    assert len(resamples(folder)) == 6


def test_more_resamples_go_on_from_there(data, unbroken, tmp_path, monkeypatch) -> None:
    folder = tmp_path / "c"
    run(data, folder, n_resamples=3)
    before = {name: (folder / name).stat().st_mtime_ns for name in resamples(folder)}
    same(run(data, folder), unbroken)
    assert before == {name: (folder / name).stat().st_mtime_ns for name in before}


@pytest.mark.parametrize(
    "changed",
    [
        {"alpha": 0.2},
        {"dpi": False},
        {"dpi_tolerance": 0.3},
        {"dpi": "maxent"},
        {"consensus": "poisson"},
    ],
)
def test_later_steps_reuse_what_is_there(data, tmp_path, changed, monkeypatch) -> None:
    folder = tmp_path / "c"
    run(data, folder)
    wanted = pysces.infer_network(data, REGULATORS, **{**OPTIONS, **changed}).to_dataframe()

    def forbidden(*_, **__):
        raise AssertionError("a resample was computed again")

    monkeypatch.setattr("pysces.aracne.resample.edges_above", forbidden)
    same(run(data, folder, **changed), wanted)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"seed": 1}, "seed"),
        ({"estimator": "binned"}, "measure"),
        ({"resampling": "bootstrap"}, "resampling"),
        ({"resample_pvalue": 1e-4}, "resample_pvalue"),
    ],
)
def test_other_parameters_are_refused_by_name(data, tmp_path, changed, named) -> None:
    run(data, tmp_path / "c")
    with pytest.raises(pysces.InputError, match=f"another run: .*{named}"):
        run(data, tmp_path / "c", **changed)


def test_other_data_are_refused(data, tmp_path) -> None:
    run(data, tmp_path / "c")
    other = data.copy()
    other.iloc[7, 5] += 1e-9
    with pytest.raises(pysces.InputError, match="data"):
        run(other, tmp_path / "c")


def test_a_resample_of_another_run_is_computed_anew(data, unbroken, tmp_path, caplog) -> None:
    """As two jobs that start on one empty folder at once might leave it."""
    run(data, tmp_path / "c")
    run(data, tmp_path / "other", seed=5)
    name = "resample-00002.npz"
    (tmp_path / "other" / name).replace(tmp_path / "c" / name)
    (tmp_path / "c" / "resample-00001.npz").replace(tmp_path / "c" / "resample-00003.npz")
    same(run(data, tmp_path / "c"), unbroken)
    assert sum("of another run" in record.message for record in caplog.records) == 2


def test_of_two_at_once_one_has_the_folder(tmp_path) -> None:
    assert atomic_create(tmp_path / "file", b"first")
    assert not atomic_create(tmp_path / "file", b"second")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("file", b"first")]


@pytest.mark.parametrize("content", ["[1]", "null", "{", "7"])
def test_a_damaged_fingerprint_is_named(data, tmp_path, content) -> None:
    run(data, tmp_path / "c")
    (tmp_path / "c" / "fingerprint.json").write_text(content)
    with pytest.raises(pysces.InputError, match=r"fingerprint\.json can't be read"):
        run(data, tmp_path / "c")


def test_whatever_a_file_holds_it_is_computed_anew(data, unbroken, tmp_path) -> None:
    run(data, tmp_path / "c")
    files = [tmp_path / "c" / name for name in resamples(tmp_path / "c")]
    whole = bytearray(files[0].read_bytes())
    whole[6] ^= 1  # a flag of the archive that nobody can read
    files[0].write_bytes(whole)
    with files[1].open("wb") as file:
        np.save(file, np.zeros(3))
    np.savez(files[2], row=np.zeros(3))
    files[3].unlink()
    files[3].mkdir()
    (tmp_path / "c" / "resample-²²²²².npz").write_bytes(b"")
    with pytest.raises(pysces.InputError, match="is a folder"):
        run(data, tmp_path / "c")
    files[3].rmdir()
    same(run(data, tmp_path / "c"), unbroken)


def test_what_a_kill_leaves_is_no_stranger(data, unbroken, tmp_path) -> None:
    (tmp_path / ".fingerprint.json.abc.tmp").write_text("half")
    same(run(data, tmp_path), unbroken)


def test_a_folder_that_cannot_be_is_named(data, tmp_path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(pysces.InputError, match="can't be used"):
        run(data, tmp_path / "file" / "below")


def test_numbers_of_numpy_do_as_well(data, unbroken, tmp_path) -> None:
    options = {"seed": np.int64(0), "n_null": np.int32(OPTIONS["n_null"])}
    same(run(data, tmp_path / "c", **options), unbroken)
    same(run(data, tmp_path / "c"), unbroken)


def test_a_folder_of_something_else_is_refused(data, tmp_path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(pysces.InputError, match=r"precious\.txt"):
        run(data, tmp_path)
    with pytest.raises(pysces.InputError, match="is a file"):
        run(data, tmp_path / "precious.txt")
    assert (tmp_path / "precious.txt").read_text() == "mine"


def test_kill_at_any_moment_loses_at_most_the_resample_in_work(data, unbroken, tmp_path) -> None:
    """After kill -9 in the middle; the next run finishes to the same bit."""
    folder = tmp_path / "c"
    np.save(tmp_path / "data.npy", data.to_numpy())
    code = f"""
import numpy as np, time, pysces
import pysces.aracne.resample as unit
slow = unit.Resampler.__call__
def slowly(self, resample):
    result = slow(self, resample)
    time.sleep(0.3)
    return result
unit.Resampler.__call__ = slowly
data = np.load({str(tmp_path / "data.npy")!r})
names = [f"g{{i}}" for i in range(30)]
pysces.infer_network(data, {REGULATORS!r}, genes=names, checkpoint={str(folder)!r}, **{OPTIONS!r})
"""
    process = subprocess.Popen([sys.executable, "-c", code], env={**os.environ})
    deadline = time.monotonic() + 120
    while len(resamples(folder) if folder.exists() else []) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = len(resamples(folder))
    assert 2 <= done < 6
    json.loads((folder / "fingerprint.json").read_text())
    frame = pd.DataFrame(np.load(tmp_path / "data.npy"), columns=data.columns)
    same(run(frame, folder), unbroken)


def test_atomic_write_leaves_the_old_file_when_it_fails(tmp_path) -> None:
    path = tmp_path / "file"
    atomic_write(path, b"old")

    def fail(file) -> None:
        file.write(b"half of the new")
        raise RuntimeError("planted")

    with pytest.raises(RuntimeError, match="planted"):
        atomic_write(path, fail)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


# --- a cluster ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed", reason="dask.distributed isn't installed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # distributed's own, when workers come and go
def test_a_cluster_changes_nothing_even_when_a_worker_dies(
    data, unbroken, cluster, tmp_path
) -> None:
    network = pysces.infer_network(data, REGULATORS, client=cluster, **OPTIONS)
    same(network.to_dataframe(), unbroken)

    victim = next(iter(cluster.run(os.getpid).values()))
    more = {**OPTIONS, "n_resamples": 12}
    import threading

    killer = threading.Timer(0.3, lambda: os.kill(victim, signal.SIGKILL))
    killer.start()
    network = pysces.infer_network(
        data, REGULATORS, client=cluster, checkpoint=tmp_path / "c", **more
    )
    killer.join()
    wanted = pysces.infer_network(data, REGULATORS, **more)
    same(network.to_dataframe(), wanted.to_dataframe())
    assert len(resamples(tmp_path / "c")) == 12


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # distributed's own, when workers come and go
def test_more_workers_than_resamples_share_the_genes(data, cluster, monkeypatch) -> None:
    """One resample on two workers: both compute, and the network is the same to the bit."""
    cluster.wait_for_workers(2, timeout=60)  # the one that was killed is replaced
    submitted = []
    submit = type(cluster).submit
    monkeypatch.setattr(
        type(cluster), "submit", lambda *a, **k: submitted.append(a[3]) or submit(*a, **k)
    )
    options = {**OPTIONS, "n_resamples": 1, "alpha": 1.0}
    network = pysces.infer_network(data, REGULATORS, client=cluster, **options).to_dataframe()
    assert submitted == ["part", "part", "join"]
    same(network, pysces.infer_network(data, REGULATORS, **options).to_dataframe())


@pytest.mark.parametrize("count", [1, 2, 7, 29, 30, 1000])
def test_parts_of_a_resample_make_the_whole(data, count) -> None:
    expression = Expression.from_matrix(data)
    candidates = Candidates(expression, np.arange(3), 200, 0)
    resampling = Resampling("subsample", 100, 0)
    measure = Measure("adaptive", resampling.size)
    work = Resampler(candidates, measure, resampling, 2**36, "dpi", 0.0)
    parts = work.parts(count)
    assert len(parts) <= count
    assert [gene for part in parts for gene in range(part.start, part.stop)] == list(range(30))
    found = work.join([work.part(4, part) for part in parts])
    whole = work(4)
    assert found.largest == whole.largest

    def table(result) -> pd.DataFrame:
        edges = result.edges
        columns = {"row": edges.row, "gene": edges.gene, "mi": edges.mi, "kept": result.kept}
        return pd.DataFrame(columns).sort_values(["row", "gene"]).reset_index(drop=True)

    assert 20 < whole.kept.sum() < len(whole.kept)
    same(table(found), table(whole))


def test_client_must_be_one(data) -> None:
    pytest.importorskip("distributed", reason="dask.distributed isn't installed")
    with pytest.raises(pysces.InputError, match="client="):
        pysces.infer_network(data, REGULATORS, client="far away", **OPTIONS)
