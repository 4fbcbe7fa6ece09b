"""Every kernel on every engine on every case, and proof that the harness sees faults."""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil

import numpy as np
import pytest

import pysces
from pysces.dispatch import engines, validation
from pysces.dispatch.contracts import EXACT, Case, Close, Kernel, Spec
from pysces.dispatch.operations import declared
from pysces.settings import ENGINES

CONTRACTS = declared()


def available(name: str) -> bool:
    return any(row.engine == name and row.available for row in pysces.status().engines)


def need(name: str) -> None:
    if not available(name):
        reason = next(r.reason for r in pysces.status().engines if r.engine == name)
        pytest.skip(f"engine {name} is not here: {reason}")


@functools.cache
def verdicts(kernel: str) -> dict[str, validation.Verdict]:
    """All engines on one kernel: the reference answers once."""
    return {v.engine: v for v in validation.compare(CONTRACTS[kernel], ENGINES)}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kernel", CONTRACTS)
def test_engine_agrees_with_the_reference(kernel: str, engine: str) -> None:
    need(engine)
    verdict = verdicts(kernel)[engine]
    assert verdict.ok, "\n".join(verdict.problems)
    assert verdict.cases > 0 or verdict.skipped


@pytest.mark.parametrize("kernel", CONTRACTS)
def test_every_kernel_is_tried_in_every_situation(kernel: str) -> None:
    assert validation.missing_cases(CONTRACTS[kernel]) == []


def _functions(engine: str) -> dict[str, tuple[str, inspect.Signature]]:
    folder = importlib.import_module(f"pysces.kernels.{engine}")
    found = {}
    for module in pkgutil.iter_modules(folder.__path__):
        if module.name.startswith("_"):
            continue
        loaded = importlib.import_module(f"{folder.__name__}.{module.name}")
        for name, function in vars(loaded).items():
            own = getattr(function, "__module__", None) == loaded.__name__
            if own and callable(function) and not name.startswith("_"):
                found[name] = (module.name, inspect.signature(function))
    return found


@pytest.mark.parametrize("engine", ENGINES)
def test_declarations_and_functions_are_the_same_set(engine: str) -> None:
    need(engine)
    functions = _functions(engine)
    wanted = {name for name, c in CONTRACTS.items() if engine not in c.unsupported}
    assert set(functions) == wanted
    for name, (file, signature) in functions.items():
        assert file == CONTRACTS[name].file
        assert list(signature.parameters) == list(CONTRACTS[name].parameters), name


# --- the harness itself -------------------------------------------------------------------------


def _wrong(kind: str, right):
    """The right function, made wrong in one way."""

    def first(result):
        return result[0] if type(result) is tuple else result

    calls = []

    def wrong(**arguments):
        calls.append(kind)
        if kind == "raises":
            raise RuntimeError("planted")
        if kind == "modifies its input":
            name = next(k for k, v in arguments.items() if isinstance(v, np.ndarray) and v.size)
            arguments[name].flat[0] += 1
        result = right(**arguments)
        if kind == "off by one":
            return first(result) + 1
        if kind == "wrong shape":
            return first(result)[:-1]
        if kind == "wrong type":
            return np.array(first(result)).astype(np.float32)
        if kind == "differs between calls" and len(calls) % 2:
            return first(result) + 1
        return result

    return wrong


FAULTS = ["off by one", "wrong shape", "wrong type", "differs between calls", "raises"]


@pytest.mark.parametrize("fault", [*FAULTS, "modifies its input"])
@pytest.mark.parametrize("engine", ENGINES)
def test_a_wrong_kernel_is_caught(engine: str, fault: str, monkeypatch) -> None:
    need(engine)
    if fault == "modifies its input" and engine == "mlx":
        pytest.skip("MLX gets a copy of the host's arrays, so it can't modify them")
    if fault == "wrong type" and engine == "mlx":
        pytest.skip("results of MLX are converted to the declared type on the way back")
    contract = CONTRACTS["rank_products"]
    module = importlib.import_module(f"pysces.kernels.{engine}.{contract.file}")
    right = module.rank_products
    case = next(c for c in contract.cases() if c.name == "independent")
    expected = engines.choose("python").compute(contract, contract.bind(case.arguments))
    monkeypatch.setattr(module, "rank_products", _wrong(fault, right))
    faults, _ = validation.check_case(contract, engines.choose(engine), case, expected)
    assert faults


def test_blocks_that_change_the_answer_are_caught(monkeypatch) -> None:
    """A kernel that looks at its whole block (a global maximum, say) gives itself away."""
    contract = CONTRACTS["rank_products"]
    module = importlib.import_module("pysces.kernels.python.correlation")
    right = module.rank_products

    def wrong(ranks, first, second):
        return right(ranks, first, second) + len(first)

    case = next(c for c in contract.cases() if c.name == "independent")
    monkeypatch.setattr(module, "rank_products", wrong)
    reference = engines.choose("python")
    expected = reference.compute(contract, contract.bind(case.arguments))
    faults, _ = validation.check_case(contract, reference, case, expected)
    assert any("in blocks along 'pairs'" in fault for fault in faults)


def test_the_report_names_the_fault(monkeypatch) -> None:
    module = importlib.import_module("pysces.kernels.python.correlation")
    monkeypatch.setattr(module, "rank_products", _wrong("raises", module.rank_products))
    with pytest.raises(RuntimeError, match="planted"):  # the reference itself has no reference
        pysces.validate(engines=["python"], kernels=["rank_products"])
    if not available("numba"):
        return
    monkeypatch.undo()
    module = importlib.import_module("pysces.kernels.numba.correlation")
    monkeypatch.setattr(module, "rank_products", _wrong("off by one", module.rank_products))
    report = pysces.validate(engines=["python", "numba"], kernels=["rank_products"])
    assert not report
    assert "DIFFERS" in str(report)
    assert "values differ" in str(report)


def test_quick_tries_every_kernel_on_a_few_small_cases(monkeypatch) -> None:
    report = pysces.validate(engines=["python"], quick=True)
    assert {v.kernel for v in report.verdicts} == set(CONTRACTS)
    for verdict in report.verdicts:
        named = [c.name for c in CONTRACTS[verdict.kernel].cases()]
        assert len(validation.NAMED_CASES) <= verdict.cases < len(named)
    need("numba")
    module = importlib.import_module("pysces.kernels.numba.correlation")
    monkeypatch.setattr(module, "rank_products", _wrong("off by one", module.rank_products))
    assert not pysces.validate(engines=["numba"], kernels=["rank_products"], quick=True)


def test_differences_are_told_as_a_share_of_the_tolerance() -> None:
    spec = Spec("float64", "a")
    contract = Kernel(
        name="x", file="x", block_axis="a", reduce=None, agreement=Close(), unsupported={},
        cases=lambda: [], parameters={"values": spec}, results=(spec,),
    )  # fmt: skip
    right = np.array([1e20, 1.0, np.nan])

    def gap(wrong: list[float]) -> validation.Gap:
        faults, found = validation.differences(contract, np.array(wrong), right, {"values": right})
        assert bool(faults) == (found.share > 1)
        return found

    assert gap([1e20, 1.0, np.nan]) == validation.Gap(0.0, 0.0)
    huge = gap([1e20 + 4e14, 1.0, np.nan])
    assert huge.difference > 1e14
    np.testing.assert_allclose(huge.share, 0.4, rtol=1e-3)
    np.testing.assert_allclose(gap([1e20, 1.00002, np.nan]).share, 2.0, rtol=1e-2)
    assert gap([1e20, 1.0, 3.0]).share == np.inf
    verdict = validation.Verdict("x", "mlx", str(Close()), 1, 4e14, tolerance_used=huge.share)
    exact = validation.Verdict("y", "mlx", str(EXACT), 1, 0.0)
    first, second = str(validation.ValidationReport((verdict, exact))).splitlines()[2:4]
    assert first.split()[-4:] == ["4e+14", "40", "%", "agrees"]
    assert second.split()[-3:] == ["0", "-", "agrees"]


def test_a_kernel_without_cases_cannot_be_declared() -> None:
    from pysces.dispatch.registry import kernel

    with pytest.raises(TypeError, match="cases"):
        kernel(file="x", block_axis="a", agreement=EXACT)  # type: ignore[call-arg]


def test_missing_situations_are_named() -> None:
    spec = Spec("int32", "a")
    contract = Kernel(
        name="x", file="x", block_axis="a", reduce=None, agreement=EXACT, unsupported={},
        cases=lambda: [Case("plain", {"values": np.arange(5, dtype=np.int32)})],
        parameters={"values": spec}, results=(spec,),
    )  # fmt: skip
    missing = validation.missing_cases(contract)
    assert "length 0 of axis 'a'" in missing
    assert "length 1 of axis 'a'" in missing
    assert any("ties" in line for line in missing)
    assert any("contiguous" in line for line in missing)
    assert any("65536" in line for line in missing)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(pysces.InputError, match="adaptive_mi"):
        pysces.validate(kernels=["no_such_kernel"])
