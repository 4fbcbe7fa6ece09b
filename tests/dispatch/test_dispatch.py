"""Choice of the engine, settings, contracts, blocks, cluster, seeds."""

from __future__ import annotations

import importlib
import logging
import subprocess
import sys
from dataclasses import replace
from typing import Annotated, get_args

import numpy as np
import pandas as pd
import pytest

import pysces
from pysces import _seeds
from pysces._record import RunRecord
from pysces.aracne._options import EstimatorName
from pysces.dispatch import engines
from pysces.dispatch import operations as ops
from pysces.dispatch.blocks import block_length, blocks
from pysces.dispatch.contracts import EXACT, Case, Spec
from pysces.dispatch.registry import DECLARED, kernel
from pysces.dispatch.validation import ValidationReport, Verdict
from pysces.dispatch.warmup import WORKFLOWS
from pysces.settings import Settings


@pytest.fixture(autouse=True)
def _no_choice_from_outside(monkeypatch) -> None:
    monkeypatch.delenv("PYSCES_ENGINE", raising=False)
    monkeypatch.setattr(pysces.settings, "_engine", None)


def test_order_of_choice(monkeypatch) -> None:
    """Argument, then context, then settings, then environment, then the best one."""
    fake = {name: engines._python() for name in ("mlx", "numba", "python")}
    fake = {n: type(e)(n, *list(vars(e).values())[1:]) for n, e in fake.items()}
    monkeypatch.setattr(engines, "probe", fake.__getitem__)
    monkeypatch.setattr(engines, "automatic", lambda *, gpu: "numba")
    assert engines.choose().name == "numba"
    monkeypatch.setenv("PYSCES_ENGINE", "python")
    assert engines.choose().name == "python"
    pysces.settings.engine = "mlx"
    assert engines.choose().name == "mlx"
    with pysces.use_engine("python"):
        assert engines.choose().name == "python"
        with pysces.use_engine("numba"):
            assert engines.choose().name == "numba"
        assert engines.choose().name == "python"
        assert engines.choose("mlx").name == "mlx"
    assert engines.choose().name == "mlx"


def test_automatic_choice_passes_over_what_fails(monkeypatch, caplog) -> None:
    found = {
        "mlx": "ImportError: libmlx.so",
        "numba": "ImportError: no",
        "python": engines._python(),
    }
    monkeypatch.setattr(engines, "probe", found.__getitem__)
    engines.automatic.cache_clear()
    with caplog.at_level(logging.INFO, "pysces"):
        assert engines.choose().name == "python"
    engines.automatic.cache_clear()
    assert "mlx is not used: ImportError: libmlx.so" in caplog.text


def _machine(monkeypatch, *, gpu: bool | None, metal: bool = False) -> None:
    """A machine with Numba, and with MLX on a GPU, on a CPU or not at all."""
    monkeypatch.setattr(engines, "_METAL", metal)
    monkeypatch.setattr("pysces.dispatch.status._custom_kernels", lambda: "")  # needs MLX itself
    reference = engines._python()
    found = {
        "mlx": "ImportError: planted" if gpu is None else replace(reference, name="mlx", gpu=gpu),
        "numba": replace(reference, name="numba"),
        "python": reference,
    }
    monkeypatch.setattr(engines, "probe", found.__getitem__)
    engines.automatic.cache_clear()


@pytest.fixture
def _choice_afterwards():
    yield
    engines.automatic.cache_clear()


# What was measured: seconds of Numba on 16 cores and of MLX on an H100 or H200.
MEASURED = [
    ("copula", 1800 * 20_000 * 200, 5.4, 4.0),
    ("copula", 1800 * 20_000 * 1000, 12.5, 7.7),
    ("adaptive", 1800 * 20_000 * 200, 46.0, 95.0),
    ("binned", 500 * 5000 * 50_000, 11.5, 14.0),
    ("viper", 10_000 * 20_000, 10_000 / 1770, 10_000 / 477),
]


@pytest.mark.usefixtures("_choice_afterwards")
@pytest.mark.parametrize(("name", "size", "numba", "mlx"), MEASURED)
def test_the_automatic_choice_is_the_faster_engine(monkeypatch, name, size, numba, mlx) -> None:
    _machine(monkeypatch, gpu=True)
    chosen = engines.choose(work=engines.Work(name, size))
    assert chosen.name == ("mlx" if mlx < numba else "numba")


@pytest.mark.usefixtures("_choice_afterwards")
def test_a_gpu_is_chosen_from_the_declared_size_on(monkeypatch) -> None:
    monkeypatch.setattr(engines, "PAYS", {"copula": 100.0, "viper": float("inf")})
    for gpu, name, size, wanted, why in (
        (True, "copula", 100, "mlx", "at least the 1e+02 from which a GPU is faster"),
        (True, "copula", 99, "numba", "less than the 1e+02 from which a GPU is faster"),
        (True, "viper", 1e30, "numba", "a GPU is not faster for viper"),
        (True, "copula", 1e30, "mlx", "at least"),
        (False, "copula", 1e30, "numba", "mlx has no GPU here"),
        (None, "copula", 1e30, "numba", "mlx cannot run here"),
    ):
        _machine(monkeypatch, gpu=gpu)
        with pysces.use_engine(None), pysces.use_engine(None, work=engines.Work(name, size)) as e:
            assert (e.name, engines.choose().name) == (wanted, wanted)
            assert why in e.why
            assert engines.record(engines.choose())["why"] == e.why == pysces.status().why
    _machine(monkeypatch, gpu=True)
    assert engines.choose().name == "numba"  # of work of unknown size
    _machine(monkeypatch, gpu=True, metal=True)  # where no size was measured
    assert engines.choose().name == engines.choose(work=engines.Work("viper", 1)).name == "mlx"
    assert engines.choose().why == "automatic choice: mlx has a GPU"


def test_every_estimator_has_a_size_and_kernels() -> None:
    estimators = set(get_args(EstimatorName))
    assert estimators | {"viper"} == set(engines.PAYS)
    assert estimators <= set(WORKFLOWS)


@pytest.mark.usefixtures("_choice_afterwards")
@pytest.mark.parametrize("asked", ["mlx", "numba"])
def test_the_size_of_the_work_does_not_matter_for_a_name(monkeypatch, asked) -> None:
    _machine(monkeypatch, gpu=True)
    for size in (1, 1e30):
        work = engines.Work("copula", size)
        assert engines.choose(asked, work).name == asked
        assert engines.choose(asked, work).why == "asked for by engine="
        with pysces.use_engine(asked), pysces.use_engine(None, work=work) as engine:
            assert (engine.name, engine.why) == (asked, "asked for by engine=")


@pytest.mark.usefixtures("_choice_afterwards")
def test_status_says_from_which_size_a_gpu_is_used(monkeypatch) -> None:
    _machine(monkeypatch, gpu=True)
    monkeypatch.setattr("pysces.dispatch.status._custom_kernels", lambda: "")
    assert "copula: mlx from a size of 2e+09" in str(pysces.status())
    assert "viper: numba" in str(pysces.status())
    pysces.settings.engine = "numba"
    assert "copula" not in str(pysces.status())


def test_the_run_record_says_why() -> None:
    rng = np.random.default_rng(0)
    data = pd.DataFrame(rng.normal(size=(60, 4)), columns=list("ABCD"))
    data["B"] += 3 * data["A"]
    given = {"n_resamples": 10, "n_null": 100_000}
    record = pysces.infer_network(data, ["A"], **given).record
    assert record.engine["why"].startswith("automatic choice: ")
    record = pysces.infer_network(data, ["A"], engine="numba", **given).record
    assert record.engine["why"] == "asked for by engine="


def test_an_engine_asked_for_by_name_never_falls_back(monkeypatch) -> None:
    monkeypatch.setattr(engines, "probe", lambda name: "ImportError: libmlx.so: cannot open")
    for ask in (
        lambda: engines.choose("mlx"),
        lambda: pysces.use_engine("mlx").__enter__(),
    ):
        with pytest.raises(pysces.EngineUnavailable, match=r"libmlx\.so.*pip install"):
            ask()
    monkeypatch.setenv("PYSCES_ENGINE", "numba")
    with pytest.raises(pysces.EngineUnavailable, match="PYSCES_ENGINE"):
        engines.choose()


def test_unknown_engines_are_refused(monkeypatch) -> None:
    with pytest.raises(ValueError, match="cuda"):
        engines.choose("cuda")
    monkeypatch.setenv("PYSCES_ENGINE", "fast")
    with pytest.raises(ValueError, match=r"\$PYSCES_ENGINE.*fast"):
        engines.choose()


def test_status_says_why_not(monkeypatch) -> None:
    real = engines.probe

    def probe(name):
        return "ImportError: planted" if name == "mlx" else real(name)

    monkeypatch.setattr(engines, "probe", probe)
    status = pysces.status()
    assert "planted" in str(status)
    assert "pip install" in str(status)
    assert status.to_dict()["engines"][0]["available"] is False
    assert status.chosen in ("numba", "python")


def test_a_validation_ends_in_a_sentence() -> None:
    good = Verdict("dpi", "numba", "exact", 3, 0.0)
    bad = Verdict("<mi>", "mlx", "exact", 2, 1.0, ("ties: wrong",))
    report = ValidationReport((good,))
    assert str(report).splitlines()[-1] == "All engines agree: 1 kernel on numba, 3 cases."
    report = ValidationReport((good, bad))
    assert report.sentence.startswith("1 of 2 comparisons FAILED: '<mi> on mlx'.")
    assert str(report).endswith(report.sentence)
    assert "&lt;mi&gt; on mlx" in report._repr_html_()
    assert "<mi>" not in report._repr_html_()
    absent = Verdict("dpi", "mlx", "exact", 0, 0.0, skipped="no mlx")
    assert ValidationReport((absent,)).sentence.startswith("Nothing was compared")


def test_status_and_records_are_tables_in_notebooks() -> None:
    shown = pysces.status()._repr_html_()
    assert all(name in shown for name in ("<table", "numba", "engine chosen by"))
    record = RunRecord(
        "run_aracne", {"layer": "<b>"}, {"stability": 0.123456, "counts": np.ones(3)}
    )
    shown = record._repr_html_()
    assert "<td>0.1235</td>" in shown
    assert "&lt;b&gt;" in shown
    assert "<td>counts</td>" not in shown


def test_blocked_packages_are_reported_in_a_fresh_process() -> None:
    code = (
        "import sys; sys.modules['numba'] = None; sys.modules['mlx'] = None\n"
        "import pysces; print(pysces.status())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "-> python" in done.stdout
    assert done.stdout.count("not available") == 2


def test_order_keys_keep_the_order() -> None:
    values = np.array([-np.inf, -1e300, -1.0, -5e-324, 0.0, 5e-324, 1.0, 1.0 + 2**-52, np.inf])
    keys = engines.order_keys(values)
    assert (np.diff(keys) > 0).all()
    assert engines.order_keys(np.array([np.nan]))[0] == np.iinfo(np.int64).max
    assert np.unique(engines.order_keys(np.array([0.0, -0.0]))).size == 1


def test_float64_crosses_as_two_float32() -> None:
    pytest.importorskip("mlx.core", reason="mlx is not installed")
    values = _seeds.generator(0).normal(size=1000) * np.logspace(-20, 20, 1000)
    spec = Spec("float64", "values")
    pair = engines._to_mlx(values, spec)
    assert np.allclose(engines._from_mlx(pair, spec), values, rtol=2**-46, atol=0)
    special = np.array([np.inf, -np.inf, np.nan, 0.0])
    assert np.array_equal(
        engines._from_mlx(engines._to_mlx(special, spec), spec), special, equal_nan=True
    )


# --- contracts ----------------------------------------------------------------------------------


def test_kernels_get_contiguous_arrays_that_they_may_write_to() -> None:
    values = np.arange(12.0).reshape(3, 4)
    values.flags.writeable = False
    for given in (values, values.T, values[:, ::2], values.astype(np.float32)):
        bound = ops.average_ranks.contract.bind({"values": given})["values"]
        assert bound.dtype == np.float64
        assert bound.flags.c_contiguous
        assert bound.flags.aligned
        assert bound.flags.writeable
        np.testing.assert_array_equal(bound, given)


def test_arguments_are_checked_against_the_contract() -> None:
    values = np.zeros((3, 4))
    keys = np.zeros(3, np.uint64)
    with pytest.raises(ValueError, match="axis 'genes' of 'keys' has 2 entries"):
        ops.ordinal_ranks(values, keys[:2], False)
    with pytest.raises(ValueError, match="axes"):
        ops.ordinal_ranks(values[0], keys, False)
    with pytest.raises(TypeError, match="uint64"):
        ops.ordinal_ranks(values, keys.astype(float), False)


def test_inputs_may_be_read_only_and_are_not_changed() -> None:
    values = _seeds.generator(0).normal(size=(3, 9))
    values.flags.writeable = False
    before = values.copy()
    ops.average_ranks(values)
    assert np.array_equal(values, before)


def _declare(**changed):
    def stub(
        values: Annotated[np.ndarray, Spec("int32", "a b")],
    ) -> Annotated[np.ndarray, Spec("int32", "b")]:
        """Stub."""

    stub.__annotations__ = {
        "values": Annotated[np.ndarray, Spec("int32", "a b")],
        "return": Annotated[np.ndarray, Spec("int32", "b")],
    }
    options = {"file": "x", "block_axis": "b", "agreement": EXACT, "cases": lambda: [], **changed}
    try:
        return kernel(**options)(stub)
    finally:
        DECLARED.pop("stub", None)


def test_declarations_are_checked() -> None:
    assert _declare().contract.block_axis == "b"
    with pytest.raises(TypeError, match="cases"):
        _declare(cases=None)
    with pytest.raises(TypeError, match="axis 'c'"):
        _declare(block_axis="c")
    with pytest.raises(TypeError, match="how to reduce"):
        _declare(block_axis="a")
    assert _declare(block_axis="a", reduce="sum").contract.reduce == "sum"
    with pytest.raises(TypeError, match="dtype"):
        Spec("float16", "a")


def test_a_fallback_is_named(monkeypatch, caplog) -> None:
    contract = ops.rank_products.contract
    changed = type(contract)(**{**vars(contract), "unsupported": {"numba": "too hard"}})
    engines._say_fallback.cache_clear()
    case = Case("", {"ranks": np.array([[2, 4]], np.int32), "first": [0], "second": [0]})
    if any(r.engine == "numba" and r.available for r in pysces.status().engines):
        with caplog.at_level(logging.INFO, "pysces"), pysces.use_engine("numba"):
            result = engines.run(changed, changed.bind(case.arguments))
        assert result.tolist() == [2]
        assert "numba falls back to python: too hard" in caplog.text


# --- blocks -------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [1, 3, 7, 100])
def test_blocks_cover_everything_once(length) -> None:
    covered = [i for block in blocks(20, length) for i in range(block.start, block.stop)]
    assert covered == list(range(20))


def test_block_length_obeys_the_memory(monkeypatch) -> None:
    monkeypatch.setattr(pysces.settings, "_memory", 8_000)
    assert block_length(100, 1000) == 20
    assert block_length(100, 5) == 5
    assert block_length(1e12, 5) == 1


# --- settings -----------------------------------------------------------------------------------


def test_settings_understand_memory() -> None:
    settings = Settings()
    for text, value in (("2 GB", 2 * 2**30), ("512MiB", 512 * 2**20), (3e6, 3_000_000)):
        settings.memory = text
        assert settings.memory == value
    for wrong in ("much", 5, True, None):
        with pytest.raises(ValueError, match=r"settings\.memory"):
            settings.memory = wrong


def test_settings_refuse_nonsense() -> None:
    settings = Settings()
    for name, value in (
        ("engine", "cuda"),
        ("threads", 0),
        ("threads", 1.5),
        ("verbosity", "loud"),
    ):
        with pytest.raises(ValueError, match=f"settings.{name}"):
            setattr(settings, name, value)
    assert "memory" in repr(settings)


def test_cache_folder_can_be_chosen(monkeypatch, tmp_path) -> None:
    settings = Settings()
    monkeypatch.setenv("PYSCES_CACHE_DIR", "")
    assert settings.cache_dir is None
    monkeypatch.setenv("PYSCES_CACHE_DIR", str(tmp_path))
    assert settings.cache_dir == tmp_path
    monkeypatch.delenv("PYSCES_CACHE_DIR")
    assert "pysces" in str(settings.cache_dir)
    settings.cache_dir = None
    assert settings.cache_dir is None


# --- seeds --------------------------------------------------------------------------------------


def test_streams_depend_on_their_names_alone() -> None:
    assert _seeds.generator(0, "a", 1).random() == _seeds.generator(0, "a", 1).random()
    draws = {_seeds.generator(s, *parts).random() for s in (0, 1) for parts in (("a", 1), ("a1",))}
    assert len(draws) == 4
    keys = _seeds.keys(0, ["x", "y"], "gene")
    assert keys.dtype == np.uint64
    assert keys[1] == _seeds.key(0, "gene", "y")


def test_combined_keys_spread() -> None:
    combined = _seeds.combine(np.arange(100_000, dtype=np.uint64), 2**63 + 11)
    assert len(set(combined.tolist())) == 100_000
    bits = (combined[:, None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)
    assert abs(bits.mean(axis=0) - 0.5).max() < 0.01


def test_threads_hold_for_the_calls_of_the_package_alone(monkeypatch) -> None:
    numba = pytest.importorskip("numba", reason="numba is not installed")
    before = numba.get_num_threads()
    if before == 1:
        pytest.skip("one thread on this machine: nothing to change")
    seen = []
    module = importlib.import_module("pysces.kernels.numba.ranks")
    compute = module.ordinal_ranks

    def spy(*arguments, **given):
        seen.append(numba.get_num_threads())
        return compute(*arguments, **given)

    monkeypatch.setattr(module, "ordinal_ranks", spy)
    values, keys = np.zeros((2, 3)), np.arange(2, dtype=np.uint64)
    with pysces.use_engine("numba"):
        for threads in (1, None):
            monkeypatch.setattr(pysces.settings, "_threads", threads)
            ops.ordinal_ranks(values, keys, False)
            device = engines.record(engines.choose())["device"]
            assert device == f"CPU, {threads or before} thread{'s' * (threads != 1)}"
    assert seen == [1, before]
    assert numba.get_num_threads() == before
