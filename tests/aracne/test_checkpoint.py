"""Interrupted and distributed runs give the network of an unbroken one, to the bit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time

import anndata
import numpy as np
import pandas as pd
import pytest

import pysces
from pysces import _seeds
from pysces._atomic import atomic_create, atomic_write
from pysces.aracne._candidates import RankCandidates, ScoredCandidates
from pysces.aracne._copula import Scores
from pysces.aracne._estimators import rank_estimator
from pysces.aracne._null import Null
from pysces.aracne._resampling import RankResampler, Resampler, Resampling, ScoreResampler
from pysces.data._expression import Expression

REGULATORS = ["g0", "g1", "g2"]
OPTIONS = {"n_resamples": 6, "n_null": 20_000}
# What the defaults were before the copula estimator
EARLIER = {
    "estimator": "adaptive",
    "resampling": "subsample",
    "resample_pvalue": 1e-3,
    "min_support": 0.0,
}
BOTH = pytest.mark.parametrize("rules", [{}, EARLIER], ids=["copula", "earlier"])


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    values = _seeds.generator(0, "checkpoint").normal(size=(100, 30))
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


@pytest.fixture(scope="module")
def chain() -> pd.DataFrame:
    """Regulators g0 -> g1 -> g2 with targets of unlike strength, so that every choice matters."""
    values = _seeds.generator(0, "chain").normal(size=(100, 30))
    values[:, 1] = 0.8 * values[:, 0] + 0.6 * values[:, 1]
    values[:, 2] = 0.9 * values[:, 1] + 0.5 * values[:, 2]
    values[:, 3:15] += values[:, [1]] * np.linspace(0.3, 1.5, 12)
    values[:, 15:30] += values[:, [2]] * np.linspace(0.2, 1.2, 15)
    return pd.DataFrame(values, columns=[f"g{i}" for i in range(30)])


LATER = [
    {"alpha": 1e-4},
    {"dpi": False},
    {"dpi_tolerance": 0.3},
    {"dpi": "maxent"},
    {"consensus": "poisson"},
]


@pytest.mark.parametrize(
    ("changed", "rules"),
    [
        *((changed, EARLIER) for changed in LATER),
        *((changed, {}) for changed in LATER[:4]),
        ({"min_support": 0.9}, {}),
        ({"min_support": 0.1, "alpha": 0.5}, {}),
        ({"n_decoys": 100}, {}),
    ],
)
@pytest.mark.filterwarnings("ignore::pysces.PyscesWarning")  # weak edges, on purpose
def test_later_steps_reuse_what_is_there(chain, tmp_path, changed, rules, monkeypatch) -> None:
    folder = tmp_path / "c"
    before = run(chain, folder, **rules)
    options = {**OPTIONS, **rules, **changed}
    wanted = pysces.infer_network(chain, REGULATORS, **options).to_dataframe()
    assert not wanted.equals(before)  # else reuse of what must not be reused would go unseen

    def forbidden(*_, **__):
        raise AssertionError("a resample was computed again")

    monkeypatch.setattr("pysces.aracne._resampling.edges_above", forbidden)
    monkeypatch.setattr("pysces.aracne._resampling.ScoreResampler.part", forbidden)
    same(run(chain, folder, **{**rules, **changed}), wanted)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"seed": 1}, "seed"),
        ({"estimator": "binned"}, "measure"),
        ({"degree": 1}, "measure"),
        ({"resampling": "bootstrap"}, "resampling"),
        ({"resample_pvalue": 1e-4}, "resample_pvalue"),
        ({"batch_key": ["a", "b"] * 50}, "data"),
        ({"size_factors": np.arange(1.0, 101.0)}, "strata"),
    ],
)
def test_other_parameters_are_refused_by_name(data, tmp_path, changed, named) -> None:
    run(data, tmp_path / "c")
    with pytest.raises(pysces.InputError, match=f"another run: .*{named}"):
        run(data, tmp_path / "c", **changed)


def test_other_ties_nulls_and_regulators_are_refused_by_name(data, tmp_path) -> None:
    """None of these is in the data or in the number of anything."""
    binned = {"estimator": "binned"}
    run(data, tmp_path / "binned", **binned)
    with pytest.raises(pysces.InputError, match=r"another run: .*ties"):
        run(data, tmp_path / "binned", **binned, ties="together")
    run(data, tmp_path / "c")
    with pytest.raises(pysces.InputError, match=r"another run: .*n_null"):
        run(data, tmp_path / "c", n_null=30_000)
    with pytest.raises(pysces.InputError, match="another run: regulators"):
        pysces.infer_network(data, ["g0", "g1", "g3"], checkpoint=tmp_path / "c", **OPTIONS)


def test_other_thresholds_are_refused(data, tmp_path, monkeypatch) -> None:
    """As of a version that simulates another null distribution."""
    run(data, tmp_path / "c")
    threshold = Null.threshold
    monkeypatch.setattr(Null, "threshold", lambda self, p: threshold(self, p) + 1)
    with pytest.raises(pysces.InputError, match="another run: thresholds"):
        run(data, tmp_path / "c")


def test_resamples_with_fewer_decoys_are_computed_again(chain, tmp_path) -> None:
    run(chain, tmp_path / "c", n_decoys=20)
    wanted = pysces.infer_network(chain, REGULATORS, **OPTIONS, n_decoys=60).to_dataframe()
    same(run(chain, tmp_path / "c", n_decoys=60), wanted)


@pytest.mark.filterwarnings("ignore::pysces.PyscesWarning")  # networks of noise are empty
def test_groups_with_similar_names_have_folders_of_their_own(data, tmp_path) -> None:
    adata = anndata.AnnData(data.set_index(data.index.astype(str)))
    adata.obs["group"] = ["a b", "a_b"] * 50
    options = {"groupby": "group", "min_samples": 50, **OPTIONS}
    pysces.run_aracne(adata, REGULATORS, **options)
    pysces.run_aracne(
        adata, REGULATORS, **options, checkpoint=tmp_path / "c", key_added="checkpointed"
    )
    same(adata.uns["checkpointed"]["network"], adata.uns["aracne"]["network"])
    assert [len(resamples(folder)) for folder in (tmp_path / "c").iterdir()] == [6, 6]


@pytest.mark.filterwarnings("ignore::pysces.PyscesWarning")  # networks of noise are empty
def test_other_counts_depths_and_batches_are_refused(tmp_path) -> None:
    rng = _seeds.generator(0, "counts")
    depth = rng.lognormal(8, 0.5, size=120)
    counts = pd.DataFrame(rng.poisson(depth[:, None] * rng.lognormal(-6, 1, size=40)))
    counts.columns = [f"g{i}" for i in range(40)]
    given = {"counts": True, "size_factors": depth}
    folder = tmp_path / "c"
    run(counts, folder, **given)
    run(counts, folder, **given, alpha=0.2)
    others = [
        {**given, "size_factors": depth[::-1]},
        {"counts": True},  # sums over the genes
        {**given, "batch_key": ["a", "b"] * 60},
        {**given, "counts": False},
        {**given, "min_cells": 115},
    ]
    for other in others:
        with pytest.raises(pysces.InputError, match=r"another run: .*(data|strata)"):
            run(counts, folder, **other)
    counts.iloc[3, 4] += 1
    with pytest.raises(pysces.InputError, match=r"another run: .*data"):
        run(counts, folder, **given)


def test_other_data_are_refused(data, tmp_path) -> None:
    run(data, tmp_path / "c")
    run(data, tmp_path / "earlier", **EARLIER)
    nearly, other = data.copy(), data.copy()
    nearly.iloc[7, 5] += 1e-9
    other.iloc[7, 5] += 9
    with pytest.raises(pysces.InputError, match="data"):
        run(other, tmp_path / "c")
    with pytest.raises(pysces.InputError, match="data"):
        run(nearly, tmp_path / "earlier", **EARLIER)
    same(run(nearly, tmp_path / "c"), run(data, tmp_path / "c"))  # the same ranks, the same scores


def test_a_resample_of_another_run_is_computed_anew(data, unbroken, tmp_path, caplog) -> None:
    """As two jobs that start on one empty folder at once might leave it."""
    run(data, tmp_path / "c")
    run(data, tmp_path / "other", seed=5)
    name = "resample-00002.npz"
    (tmp_path / "other" / name).replace(tmp_path / "c" / name)
    (tmp_path / "c" / "resample-00001.npz").replace(tmp_path / "c" / "resample-00003.npz")
    same(run(data, tmp_path / "c"), unbroken)
    assert sum("belongs to another run" in record.message for record in caplog.records) == 2


def test_of_two_at_once_one_has_the_folder(tmp_path) -> None:
    assert atomic_create(tmp_path / "file", b"first")
    assert not atomic_create(tmp_path / "file", b"second")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("file", b"first")]


@pytest.mark.parametrize("content", ["[1]", "null", "{", "7", "[" * 100_000, '{"a":' * 100_000])
def test_a_damaged_fingerprint_is_named(data, tmp_path, content) -> None:
    run(data, tmp_path / "c")
    (tmp_path / "c" / "fingerprint.json").write_text(content)
    with pytest.raises(pysces.InputError, match=r"fingerprint\.json cannot be read"):
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


PLANTED = {
    "of other types": lambda file: {"row": file["row"].astype(np.int64)},
    "of other lengths": lambda file: {"kept": file["kept"][1:]},
    "two-dimensional": lambda file: {name: file[name][None] for name in ("row", "gene", "mi")},
    "text": lambda file: {"gene": file["gene"].astype("U")},
    "a row that is none": lambda file: {"row": np.where(file["row"] == 0, 10**6, file["row"])},
    "a negative gene": lambda file: {"gene": -1 - file["gene"]},
    "a gene that is none": lambda file: {"gene": file["gene"] + np.int32(30)},
    "negative": lambda file: {"mi": -file["mi"]},
    "below the threshold": lambda file: {"mi": np.ones_like(file["mi"])},
    "without end": lambda file: {"mi": file["mi"] + (2**63 - 1 - file["mi"].max())},
    "twice the same pair": lambda file: {
        name: np.append(file[name], file[name][:1]) for name in ("row", "gene", "mi", "kept")
    },
    "more than the largest": lambda file: {"largest": np.int64(0)},
    "many numbers": lambda file: {"n_rows": np.arange(3)},
}


@BOTH
@pytest.mark.parametrize("what", PLANTED)
def test_a_whole_file_with_impossible_content_is_computed_anew(
    data, tmp_path, caplog, what, rules
) -> None:
    """Its checksums and its run are right, so only its content tells."""
    unbroken = run(data, tmp_path / "c", **rules)
    path = tmp_path / "c" / "resample-00001.npz"
    with np.load(path) as file:
        whole = dict(file)
    np.savez(path, **{**whole, **PLANTED[what](whole)})
    same(run(data, tmp_path / "c", **rules), unbroken)
    assert sum("is corrupt" in record.message for record in caplog.records) >= 1
    with np.load(path) as file:
        assert all(np.array_equal(file[name], whole[name]) for name in whole)


def test_what_a_killed_run_left_is_removed(data, unbroken, tmp_path) -> None:
    run(data, tmp_path / "c")
    for name in (".resample-00001.npz.abc.tmp", ".fingerprint.json.abc.tmp", ".mine.tmp"):
        (tmp_path / "c" / name).write_text("half")
    same(run(data, tmp_path / "c"), unbroken)
    left = {p.name for p in (tmp_path / "c").iterdir() if p.name.startswith(".")}
    assert left == {".mine.tmp"}


def test_what_a_kill_leaves_is_no_stranger(data, unbroken, tmp_path) -> None:
    (tmp_path / ".fingerprint.json.abc.tmp").write_text("half")
    same(run(data, tmp_path), unbroken)


def test_a_folder_that_cannot_be_is_named(data, tmp_path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(pysces.InputError, match="cannot be used"):
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


@BOTH
def test_kill_at_any_moment_loses_at_most_the_batch_in_work(data, tmp_path, rules) -> None:
    """After kill -9 in the middle; the next run finishes to the same bit."""
    options = {**OPTIONS, **rules}
    unbroken = pysces.infer_network(data, REGULATORS, **options).to_dataframe()
    folder = tmp_path / "c"
    np.save(tmp_path / "data.npy", data.to_numpy())
    code = f"""
import numpy as np, time, pysces
import pysces.aracne._resampling as unit
slow = unit.Resampler.__call__
def slowly(self, resample):
    result = slow(self, resample)
    time.sleep(0.3)
    return result
unit.Resampler.__call__ = slowly
unit._MOST_TOGETHER = unit._FEWEST_TOGETHER = 2
data = np.load({str(tmp_path / "data.npy")!r})
names = [f"g{{i}}" for i in range(30)]
pysces.infer_network(data, {REGULATORS!r}, genes=names, checkpoint={str(folder)!r}, **{options!r})
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
    same(run(frame, folder, **rules), unbroken)


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
    distributed = pytest.importorskip("distributed", reason="dask.distributed is not installed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # distributed's own, when workers come and go
def test_a_cluster_changes_nothing_even_when_a_worker_dies(
    data, unbroken, cluster, tmp_path, monkeypatch
) -> None:
    network = pysces.infer_network(data, REGULATORS, client=cluster, **OPTIONS)
    same(network.to_dataframe(), unbroken)

    victim = next(iter(cluster.run(os.getpid).values()))
    more = {**OPTIONS, "n_resamples": 12}
    for name in ("_MOST_TOGETHER", "_FEWEST_TOGETHER"):  # several batches
        monkeypatch.setattr(f"pysces.aracne._resampling.{name}", 2)
    done = []

    def kill() -> None:
        os.kill(victim, signal.SIGKILL)
        done.append(len(resamples(tmp_path / "c")))

    killer = threading.Timer(0.1, kill)
    submit = type(cluster).submit

    def submitted(*given, **how):
        if not killer.ident:  # every worker has the scores by now
            killer.start()
        return submit(*given, **how)

    monkeypatch.setattr(type(cluster), "submit", submitted)
    network = pysces.infer_network(
        data, REGULATORS, client=cluster, checkpoint=tmp_path / "c", **more
    )
    killer.join()
    assert done[0] < 12  # there was work left
    assert victim not in cluster.run(os.getpid).values()
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


def _work(data, kind) -> Resampler:
    expression = Expression.from_matrix(data)
    if kind == "earlier":
        adaptive = rank_estimator("adaptive", 100)
        ranked = RankCandidates(expression, np.arange(3), 200, 0, adaptive)
        resampling = Resampling("subsample", 100, 0)
        return RankResampler(ranked, resampling, {64: 2**36}, "dpi", 0.0)
    scores = Scores.of(expression, None, None, 2)
    candidates = ScoredCandidates(
        expression, np.arange(3), 200, 0, scores, np.zeros(100, dtype=np.int64)
    )
    halves = Resampling("halves", 100, 0)
    return ScoreResampler(candidates, halves, {50: 2**34}, "dpi", 0.0)


@pytest.mark.parametrize("kind", ["copula", "earlier"])
@pytest.mark.parametrize("count", [1, 2, 7, 29, 30, 1000])
def test_parts_of_a_resample_make_the_whole(data, count, kind) -> None:
    work = _work(data, kind)
    parts = work.parts(count)
    assert len(parts) <= count
    assert [gene for part in parts for gene in range(part.start, part.stop)] == list(range(30))
    found = work.join([work.part((4, 5), part) for part in parts])[0]
    whole = work((4, 5))[0]
    assert found.largest == whole.largest

    def table(result) -> pd.DataFrame:
        edges = result.edges
        columns = {"row": edges.row, "gene": edges.gene, "mi": edges.mi, "kept": result.kept}
        return pd.DataFrame(columns).sort_values(["row", "gene"]).reset_index(drop=True)

    assert 20 < whole.kept.sum() < len(whole.kept)
    same(table(found), table(whole))


def test_halves_stay_together_and_every_resample_is_in_one_batch(data) -> None:
    """So that the second is a subtraction; also where only some are missing."""
    work = _work(data, "copula")
    assert work.batches(range(7)) == [(0, 1, 2, 3, 4, 5, 6)]
    assert work.batches([3, 8, 9]) == [(3, 8, 9)]
    batches = work.batches(range(201))
    assert [r for batch in batches for r in batch] == list(range(201))
    assert all(batch[0] % 2 == 0 and len(batch) <= 50 for batch in batches)
    alone = work((9,))[0]
    together = work((8, 9))[1]
    assert alone.largest == together.largest
    np.testing.assert_array_equal(alone.edges.mi, together.edges.mi)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # distributed's own, when workers come and go
def test_local_workers_change_nothing(data, unbroken) -> None:
    pytest.importorskip("distributed", reason="dask.distributed is not installed")
    network = pysces.infer_network(data, REGULATORS, client="local", **OPTIONS)
    same(network.to_dataframe(), unbroken)


def test_a_client_that_is_closed_or_loses_its_cluster_is_said(data, tmp_path, monkeypatch) -> None:
    distributed = pytest.importorskip("distributed", reason="dask.distributed is not installed")
    submit = distributed.Client.submit

    def closing(self, *given, **how):
        future = submit(self, *given, **how)
        self.close()
        return future

    monkeypatch.setattr(distributed.Client, "submit", closing)
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        with pytest.raises(pysces.PyscesError, match=r"cluster of client= failed.*checkpoint="):
            pysces.infer_network(data, REGULATORS, client=client, **OPTIONS)
        with pytest.raises(pysces.InputError, match="client of client= is closed"):
            pysces.infer_network(data, REGULATORS, client=client, **OPTIONS)


def test_client_must_be_one(data) -> None:
    pytest.importorskip("distributed", reason="dask.distributed is not installed")
    with pytest.raises(pysces.InputError, match="client="):
        pysces.infer_network(data, REGULATORS, client="far away", **OPTIONS)
