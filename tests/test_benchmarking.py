"""``pysces benchmark``: nothing is left out, results are compared first, faults are seen."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import time
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import pysces
from pysces import cli
from pysces.cli import main
from pysces.dispatch.operations import declared

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
if not BENCHMARKS.is_dir():
    pytest.skip("benchmarks are not part of the wheel", allow_module_level=True)

# pytest puts benchmarks/ on the path (pyproject.toml)
from speed import inputs, measure, peers, run, series  # noqa: E402
from speed.report import Row  # noqa: E402
from speed.run import benchmark  # noqa: E402
from speed.workloads import workloads  # noqa: E402

HAS_MATPLOTLIB = importlib.util.find_spec("matplotlib") is not None


def need_numba() -> None:
    pytest.importorskip("numba", reason="compares two engines")


# --- nothing is left out --------------------------------------------------------------------------


def test_every_declared_kernel_is_timed() -> None:
    assert set(workloads()) == set(declared()), "see benchmarks/speed/workloads.py"
    assert series.without_workload() == []
    assert set(declared()) < set(series.all_series())


def test_a_kernel_without_a_workload_is_named(monkeypatch) -> None:
    one = declared()["dpi"]
    monkeypatch.setattr(series, "declared", lambda: {"dpi": one, "brand_new": one})
    (line,) = series.without_workload()
    assert line.startswith("brand_new")


def test_workflows_are_timed_too() -> None:
    found = {name for name, one in series.all_series().items() if one.kind == "workflow"}
    assert found == {"infer_network", "run_viper", "run_msviper", "metacells"}
    assert all(callable(getattr(pysces, name)) for name in found)


@pytest.mark.parametrize("name", declared())
def test_workloads_fit_their_contract_and_grow(name: str) -> None:
    one = series.all_series()[name]
    jobs = [one.job(rung) for rung in (0, 1)]
    assert 3 <= jobs[1].units / jobs[0].units <= 9
    assert jobs[0].size != jobs[1].size
    again = one.job(0)
    fault, difference = one.job(0).compare(jobs[0].run("python"), again.run("python"))
    assert fault == ""
    assert difference == 0


def test_files_of_pytest_benchmark_take_the_same_series() -> None:
    path = BENCHMARKS / "test_every_kernel.py"
    spec = importlib.util.spec_from_file_location("every_kernel", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert list(module.SERIES) == list(series.all_series())
    available = {row.engine for row in pysces.status().engines if row.available}
    assert set(module.ENGINES) == available


# --- the command ----------------------------------------------------------------------------------

TINY = ["benchmark", "--kernels", "rank_products", "normal_scores", "--seconds", "0.1"]


def test_command_prints_tables_and_writes_files(tmp_path, capsys) -> None:
    need_numba()
    folder = tmp_path / "made"
    assert main([*TINY, "--engines", "python", "numba", "-o", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "rank_products (kernel; must agree: exact)" in said
    assert "1,000 genes x 200 samples x 256 pairs" in said
    assert "pairs/s" in said
    assert "numba: " in said
    assert "thread" in said
    assert said.splitlines()[-1].endswith("results compared agree.")
    table = pd.read_csv(folder / "benchmark.tsv", sep="\t")
    assert set(table["engine"]) == {"python", "numba"}
    assert (table["seconds"] > 0).all()
    np.testing.assert_allclose(table["units"] / table["seconds"], table["per_second"], rtol=1e-4)
    python = table[table["engine"] == "python"].set_index("size")["seconds"]
    both = table[table["speedup"].notna()]
    expected = python[both["size"]].to_numpy() / both["seconds"]
    np.testing.assert_allclose(both["speedup"], expected, rtol=1e-4)
    written = json.loads((folder / "benchmark.json").read_text())
    assert written["ok"]
    assert len(written["rows"]) == len(table)
    assert (folder / "benchmark.png").exists() == HAS_MATPLOTLIB


def test_command_prints_json(tmp_path, capsys) -> None:
    arguments = ["--engines", "python", "-o", str(tmp_path), "--json"]
    assert main(["benchmark", "--kernels", "dpi", "--seconds", "0.1", *arguments]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {row["engine"] for row in found["rows"]} == {"python"}
    assert found["sentence"] == "Nothing was compared: one engine ran."


def test_workflow_is_timed(tmp_path) -> None:
    report = benchmark(workflows=["run_viper"], engines=["python"], seconds=0.1)
    (row,) = report.rows[:1]
    assert row.kind == "workflow"
    assert row.unit == "cells"
    assert report


def test_sizes_fix_the_work() -> None:
    report = benchmark(["standardise"], ["python"], sizes="small")
    assert [row.units for row in report.rows] == [16, 64, 256]
    assert all(row.repeats >= measure.FEWEST_REPEATS for row in report.rows)


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(pysces.InputError, match="Pass one of them"):
        benchmark(sizes="small", seconds=3)
    with pytest.raises(pysces.InputError, match="adaptive_mi"):
        benchmark(["no_such_kernel"])
    with pytest.raises(pysces.InputError, match="no_such_engine"):
        benchmark(engines=["no_such_engine"])
    with pytest.raises(pysces.InputError, match="'threads'"):
        benchmark(threads=0)


def test_settings_are_as_before() -> None:
    before = repr(pysces.settings)
    benchmark(["dpi"], ["python"], seconds=0.01, threads=1)
    assert repr(pysces.settings) == before


def test_benchmarks_of_the_current_folder_are_found(monkeypatch, tmp_path, capsys) -> None:
    monkeypatch.setattr(cli, "__file__", str(tmp_path / "site-packages" / "pysces" / "cli.py"))
    monkeypatch.chdir(BENCHMARKS.parent)
    with pytest.raises(SystemExit, match="0"):
        main(["benchmark", "--help"])
    assert "--peers" in capsys.readouterr().out


# --- faults are seen ------------------------------------------------------------------------------


def test_a_wrong_result_is_caught_and_gets_no_speed_up(monkeypatch, tmp_path, capsys) -> None:
    need_numba()
    module = importlib.import_module("pysces.kernels.numba.correlation")
    right = module.rank_products
    monkeypatch.setattr(module, "rank_products", lambda **given: right(**given) + 1)
    assert main([*TINY, "--engines", "python", "numba", "-o", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "DIFFERS: 256 of 256 values differ, by up to 1" in said
    assert "rank_products on numba" in said.splitlines()[-1]
    table = pd.read_csv(tmp_path / "benchmark.tsv", sep="\t")
    wrong = table[(table["series"] == "rank_products") & (table["engine"] == "numba")]
    assert len(wrong) == 1  # it isn't timed any further
    assert wrong["speedup"].isna().all()


def test_an_engine_that_fails_is_named(monkeypatch) -> None:
    need_numba()
    module = importlib.import_module("pysces.kernels.numba.correlation")

    def broken(**given):
        raise RuntimeError("planted")

    monkeypatch.setattr(module, "rank_products", broken)
    report = benchmark(["rank_products"], ["python", "numba"], seconds=0.1)
    assert not report
    assert "raised RuntimeError: planted" in str(report)
    json.dumps(report.to_dict(), allow_nan=False)


def test_differences_of_workflows() -> None:
    close, exact = (partial(series.differences, exact=exact) for exact in (False, True))
    table = pd.DataFrame({"name": ["a", "b"], "nes": [1.0, 2.0]})
    assert close(table, table.copy()) == ("", 0.0)
    assert close(table.assign(nes=[1.0, 2.0 + 1e-9]), table)[0] == ""
    assert "1 of 2 values differ" in close(table.assign(nes=[1.0, 2.1]), table)[0]
    assert "names" in close(table.assign(name=["a", "c"]), table)[0]
    assert "rows" in close(table[:1], table)[0]
    assert exact(table.assign(nes=[1.0, 2.0 + 1e-9]), table)[0] != ""
    assert "shape" in exact(np.ones(2), np.ones(3))[0]


# --- time and memory ------------------------------------------------------------------------------


def test_calls_take_turns() -> None:
    order = []
    calls = {name: lambda name=name: order.append(name) for name in "ab"}
    measure.interleaved(calls, {"a": 3, "b": 2})
    assert "".join(order) == "ababa"


def test_peak_is_that_of_the_call_alone() -> None:
    if not measure.can_reset_peak():
        pytest.skip("this system can't set the peak of a process back")
    earlier = [np.ones(2000) for _ in range(5000)]  # 80 MB in small pieces, free before the call
    assert len(earlier) == 5000
    del earlier
    kept = np.ones(5_000_000)  # an input: it doesn't count
    peak = measure.peak_bytes(lambda: np.exp(kept)[:3].copy())
    assert peak == pytest.approx(40e6, rel=0.1)


def test_peak_of_a_process_of_its_own(monkeypatch) -> None:
    monkeypatch.setattr(measure, "can_reset_peak", lambda: False)
    found = run.measured(series.all_series()["average_ranks"], ["python"], 5)
    assert found.rows[0].bytes is None
    assert found.rows[-1].bytes > 1e6


def _row(seconds: float, units: int) -> Row:
    return Row("x", "kernel", "python", "", units, "cells", seconds, 0, 0, 3, None, "", 0, "")


def test_next_size_is_predicted_from_the_last_two() -> None:
    assert run._predicted([], 10) == 0
    assert run._predicted([_row(1e-4, 10)], 40) == 0  # perhaps all overhead
    assert run._predicted([_row(2.0, 10)], 40) == 8
    assert run._predicted([_row(1.0, 10), _row(2.0, 20)], 40) == pytest.approx(4)
    assert run._predicted([_row(1.0, 10), _row(0.5, 20)], 40) == 0.5


# --- other programs -------------------------------------------------------------------------------


def test_absent_programs_are_named_with_the_command(monkeypatch) -> None:
    own = peers.Program.version
    monkeypatch.setattr(
        peers.Program, "version", lambda self: None if self.distribution else own(self)
    )
    found = peers.compare_task(peers.TASKS[0], 2, 10.0)
    said = str(found)
    assert "decoupler is not installed: pip install 'decoupler>=2.0'" in said
    assert "viper-in-python is not installed: pip install torch" in said
    assert [row.program for row in found.rows] == ["PySCES"]
    assert found.ok
    json.dumps(found.to_dict(), allow_nan=False)


def test_workers_answer_and_their_failures_are_told() -> None:
    worker = peers.Worker({"OMP_NUM_THREADS": "1"})
    assert worker.call(os.getenv, "OMP_NUM_THREADS") == "1"
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        worker.call(divmod, 1, 0)
    assert worker.call(os.getpid) != os.getpid()  # it goes on after a failure
    with pytest.raises(RuntimeError, match="exit code 3"):
        worker.call(os._exit, 3)
    worker.close()


def test_a_worker_that_hangs_is_ended(monkeypatch) -> None:
    monkeypatch.setattr(peers, "LONGEST_WAIT", 0.1)
    worker = peers.Worker({})
    with pytest.raises(RuntimeError, match=r"no answer within 0\.1 s"):
        worker.call(time.sleep, 60)
    worker.close()
    assert not worker._process.is_alive()


def _compared(theirs: np.ndarray) -> peers.Comparison:
    ours = np.random.default_rng(0).normal(size=(9, 4))
    row = peers.PeerRow("other", "other 1.0", "9 cells", 9, 1.0, 3, 0, None, None, None)
    peers.compare_scores(row, peers.TASKS[0], ours, ours + theirs)
    return peers.Comparison("enrichment", "aREA", "cells", True, [row])


def test_other_scores_of_another_program_are_seen() -> None:
    assert _compared(np.zeros((9, 4))).ok
    wrong = np.zeros((9, 4))
    wrong[3, 2] = 0.01
    found = _compared(wrong)
    assert not found.ok
    assert "differ by up to 0.01" in str(found)
    assert "DIFFERS" in found.summary()


def test_planted_edges_are_found_by_the_right_scores() -> None:
    table, regulators, planted = inputs.expression(50, 30, 6)
    truth = pd.DataFrame(0.0, index=regulators, columns=table.columns)
    for source, target in planted.itertuples(index=False):
        truth.loc[source, target] = 1.0
    data = (table, regulators, planted)
    assert peers.planted_share(data, truth.to_numpy()) == 1.0
    assert peers.planted_share(data, np.zeros(truth.shape)) == 0.0
    assert peers.planted_share(data, 1 - truth.to_numpy()) < 0.5


@pytest.mark.slow
def test_boosting_finds_planted_edges() -> None:
    pytest.importorskip("sklearn", reason="the peer is not installed")
    data = inputs.expression(100, 12, 4)
    assert peers.planted_share(data, peers.boosting(data)) > 0.6
