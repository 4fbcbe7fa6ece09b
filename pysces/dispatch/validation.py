"""Validate the engines: every declared kernel, on every engine, on every case.

Kernels, engines and cases are taken from the declarations.
"""

from __future__ import annotations

import copy
import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from pysces._messages import listed, nearest
from pysces._parameters import checked
from pysces.dispatch import engines as engine_room
from pysces.dispatch.blocks import progress
from pysces.dispatch.contracts import EXACT, Agreement, Case, Kernel, Spec
from pysces.dispatch.operations import declared
from pysces.errors import InputError
from pysces.settings import ENGINES

LONG_AXIS = 65_536
NAMED_CASES = ("ties", "constant row", "unlike the rest")
_HEADER: tuple[str, ...] = ("kernel", "engine", "cases", "required")
_HEADER += ("largest difference", "of the tolerance", "verdict")


@dataclass(frozen=True)
class Gap:
    """Largest deviations of a result from the correct one.

    Attributes
    ----------
    difference
        Absolute difference.
    share
        Difference divided by the tolerance ``atol + rtol |right|``; more than 1 is a failure.
    """

    difference: float = 0.0
    share: float = 0.0

    def joined(self, other: Gap) -> Gap:
        """Elementwise maximum of two."""
        return Gap(max(self.difference, other.difference), max(self.share, other.share))


UNLIKE = Gap(float("inf"), float("inf"))


@dataclass(frozen=True)
class Verdict:
    """Result of one engine on all cases of one kernel.

    Attributes
    ----------
    kernel, engine
        Their names.
    agreement
        Agreement that the declaration of the kernel requires.
    cases
        Number of inputs that were compared.
    difference
        Largest absolute difference from the Python engine.
    problems
        One line for each case that failed; empty if the engine agrees.
    skipped
        Reason why nothing was compared; else empty.
    tolerance_used
        Largest difference as a share of the tolerance ``atol + rtol |value|``: at most 1 if the
        engine agrees.
    """

    kernel: str
    engine: str
    agreement: str
    cases: int
    difference: float
    problems: tuple[str, ...] = ()
    skipped: str = ""
    tolerance_used: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether no case failed."""
        return not self.problems

    @property
    def verdict(self) -> str:
        """``agrees``, ``DIFFERS`` or ``not run``."""
        if self.problems:
            return "DIFFERS"
        return "not run" if self.skipped else "agrees"


@dataclass(frozen=True)
class ValidationReport:
    """All verdicts; prints as one table, true if every engine agrees.

    Attributes
    ----------
    verdicts
        One verdict per kernel and engine.
    """

    verdicts: tuple[Verdict, ...]

    @property
    def ok(self) -> bool:
        """Whether every engine that could run agrees on every kernel."""
        return all(verdict.ok for verdict in self.verdicts)

    def __bool__(self) -> bool:
        return self.ok

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values."""
        return {
            "ok": self.ok,
            "verdicts": [asdict(v) | {"verdict": v.verdict} for v in self.verdicts],
        }

    @property
    def sentence(self) -> str:
        """The result in one sentence."""
        run = [verdict for verdict in self.verdicts if not verdict.skipped]
        if not run:
            return "Nothing was compared: no engine could run."
        if wrong := [verdict for verdict in run if not verdict.ok]:
            named = listed(f"{verdict.kernel} on {verdict.engine}" for verdict in wrong)
            return (
                f"{len(wrong)} of {len(run)} comparisons FAILED: {named}. Do not use the results."
            )
        names = ", ".join(dict.fromkeys(verdict.engine for verdict in run))
        kernels, cases = len({verdict.kernel for verdict in run}), sum(v.cases for v in run)
        plural = "s" * (kernels != 1)
        return f"All engines agree: {kernels} kernel{plural} on {names}, {cases} cases."

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                *(v.kernel, v.engine, str(v.cases), v.agreement),
                *(f"{v.difference:.3g}", _percent(v), v.verdict),
            )
            for v in self.verdicts
        ]

    def _repr_html_(self) -> str:
        table = pd.DataFrame(self._rows(), columns=_HEADER)
        return f"{table.to_html(index=False)}<p>{html.escape(self.sentence)}</p>"

    def __str__(self) -> str:
        rows = [_HEADER, *self._rows()]
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        lines = [
            "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        lines.insert(1, "  ".join("-" * width for width in widths))
        for verdict in self.verdicts:
            lines += [f"{verdict.kernel} on {verdict.engine}: {p}" for p in verdict.problems]
        reasons = {f"{v.engine}: {v.skipped}" for v in self.verdicts if v.skipped}
        lines += [f"not run, {reason}" for reason in sorted(reasons)]
        return "\n".join([*lines, "", self.sentence])

    __repr__ = __str__


def _percent(verdict: Verdict) -> str:
    """The share of the tolerance that was used, as short text."""
    if verdict.skipped or verdict.agreement == str(EXACT):
        return "-"
    used = 100 * verdict.tolerance_used
    return "< 0.01 %" if 0 < used < 0.01 else f"{used:.2g} %"


@checked()
def validate(
    engines: Sequence[str] | None = None,
    kernels: Sequence[str] | None = None,
    *,
    quick: bool = False,
) -> ValidationReport:
    """Compare the engines of this machine on every kernel and every case.

    Parameters
    ----------
    engines
        Names of engines; all by default. Missing ones are reported with the reason.
    kernels
        Names of kernels; all by default.
    quick
        Run only the small cases that every kernel has (all ties, a constant row, a row unlike the
        rest), but no empty, long or extreme inputs. Takes seconds instead of minutes once the
        kernels are compiled.

    Returns
    -------
    ValidationReport
        Prints as a table (kernel, engine, cases, agreement required, largest absolute difference
        and its share of the tolerance, verdict); it is true if all engines agree.

    Raises
    ------
    InputError
        If an engine or a kernel is unknown.

    Examples
    --------
    >>> import pysces
    >>> print(bool(pysces.validate(engines=["python"], kernels=["rank_products"])))
    True
    """
    contracts = declared()
    names = list(contracts if kernels is None else kernels) or list(contracts)
    chosen = list(engines if engines is not None else ()) or list(reversed(ENGINES))
    known = [*contracts, *ENGINES]
    unknown = sorted(set(names) - set(contracts)) + sorted(set(chosen) - set(ENGINES))
    if unknown:
        raise InputError(
            f"unknown: {', '.join(name + nearest(name, known) for name in unknown)}. "
            f"Kernels: {', '.join(contracts)}; engines: {', '.join(ENGINES)}."
        )
    verdicts: list[Verdict] = []
    for name in progress(names, "validating", unit="kernel"):
        verdicts += compare(contracts[name], chosen, quick=quick)
    return ValidationReport(tuple(verdicts))


def compare(contract: Kernel, engines: Iterable[str], *, quick: bool = False) -> list[Verdict]:
    """Verdicts of these engines on one kernel."""
    cases = list(contract.cases())
    if quick:
        cases = [case for case in cases if any(named in case.name for named in NAMED_CASES)]
    reference = engine_room.choose("python")
    expected = [
        reference.compute(contract, contract.bind(copy.deepcopy(dict(c.arguments)))) for c in cases
    ]
    found = []
    for name in engines:
        skipped = _why_not(contract, name)
        if skipped:
            found.append(
                Verdict(contract.name, name, str(contract.agreement), 0, 0.0, skipped=skipped)
            )
            continue
        engine = engine_room.choose(name)
        problems: list[str] = []
        largest = Gap()
        for case, right in zip(cases, expected, strict=True):
            faults, gap = check_case(contract, engine, case, right)
            problems += [f"{case.name}: {fault}" for fault in faults]
            largest = largest.joined(gap)
        found.append(
            Verdict(
                contract.name,
                name,
                str(contract.agreement),
                len(cases),
                largest.difference,
                tuple(problems),
                tolerance_used=largest.share,
            )
        )
    return found


def _why_not(contract: Kernel, name: str) -> str:
    if name in contract.unsupported:
        return contract.unsupported[name]
    try:
        engine_room.choose(name)
    except engine_room.EngineUnavailable as error:
        return str(error)
    return ""


def check_case(
    contract: Kernel, engine: engine_room.Engine, case: Case, expected: Any
) -> tuple[list[str], Gap]:
    """Problems of the result of an engine for a case, and its largest deviations."""
    arguments = contract.bind(copy.deepcopy(dict(case.arguments)))
    before = copy.deepcopy(arguments)
    try:
        # The reference engine has been run already: its own result is the correct one.
        result = expected if engine.name == "python" else engine.compute(contract, arguments)
        again = engine.compute(contract, arguments)
        halves = _in_two(contract, engine, case.arguments)
    except Exception as error:
        return [f"raised {type(error).__name__}: {error}"], UNLIKE
    faults, largest = differences(contract, result, expected, arguments)
    if not _same_values(before, arguments):
        faults.append("the inputs were modified")
    if not _identical(result, again):
        faults.append("a second call gave another result")
    if halves is not None:
        # Blocks of an exact kernel are bit-identical; those of others agree within the tolerance.
        in_blocks = differences(contract, halves, result, arguments)[0]
        faults += [f"in blocks along '{contract.block_axis}': {fault}" for fault in in_blocks]
    return faults, largest


def _in_two(contract: Kernel, engine: engine_room.Engine, arguments: Mapping[str, Any]) -> Any:
    """The result computed in two blocks, or None if the axis cannot be divided."""
    length = contract.block_axis_length(arguments)
    if length < 2:
        return None
    middle = length // 2
    parts = [
        engine.compute(
            contract,
            contract.bind(copy.deepcopy(contract.block_arguments(arguments, start, stop))),
        )
        for start, stop in ((0, middle), (middle, length))
    ]
    return contract.joined(parts)


def _parts(contract: Kernel, result: Any) -> tuple[Any, ...]:
    return (result,) if len(contract.results) == 1 else tuple(result)


def differences(
    contract: Kernel, result: Any, expected: Any, arguments: Mapping[str, Any]
) -> tuple[list[str], Gap]:
    """Problems of the results of a kernel, and their largest deviations."""
    faults, largest = [], Gap()
    got, right = _parts(contract, result), _parts(contract, expected)
    if len(got) != len(contract.results):
        return [f"{len(got)} results instead of {len(contract.results)}"], UNLIKE
    sizes = _sizes(contract, arguments)
    for spec, ours, theirs in zip(contract.results, got, right, strict=True):
        fault, gap = _difference(contract, spec, sizes, ours, theirs)
        largest = largest.joined(gap)
        if fault:
            faults.append(fault)
    return faults, largest


def _difference(
    contract: Kernel, spec: Spec, sizes: Mapping[str, int], ours: Any, theirs: Any
) -> tuple[str, Gap]:
    if not isinstance(ours, np.ndarray) or ours.dtype != spec.numpy_dtype:
        return f"type {getattr(ours, 'dtype', type(ours))} instead of {spec.dtype}", UNLIKE
    declared_shape = tuple(sizes.get(axis, length) for axis, length in zip(spec.names, ours.shape))  # noqa: B905
    if ours.shape != theirs.shape or ours.shape != declared_shape:
        return f"shape {ours.shape} instead of {theirs.shape} ({spec.axes})", UNLIKE
    if ours.size == 0:
        return "", Gap()
    agreement = contract.agreement
    if agreement.exact:
        if np.array_equal(ours, theirs, equal_nan=spec.dtype == "float64"):
            return "", Gap()
        wrong = ours != theirs
        size = float(np.max(np.abs(ours.astype(float) - theirs.astype(float))))
        fault = f"{int(wrong.sum())} of {ours.size} values differ, by up to {size:.3g}"
        return fault, Gap(size, float("inf"))
    gap = _gap(ours, theirs, agreement)
    close = np.isclose(ours, theirs, rtol=agreement.rtol, atol=agreement.atol, equal_nan=True)
    if close.all():
        return "", gap
    amount = f"by up to {gap.difference:.3g} ({gap.share:.3g} times the tolerance)"
    return f"{int((~close).sum())} of {ours.size} values differ, {amount}", gap


def _gap(ours: np.ndarray, theirs: np.ndarray, agreement: Agreement) -> Gap:
    """Largest deviations of finite values; infinite where only one value is finite."""
    same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    if same.all():
        return Gap()
    with np.errstate(invalid="ignore", over="ignore"):
        gaps = np.abs(ours - theirs)[~same]
        shares = gaps / (agreement.atol + agreement.rtol * np.abs(theirs[~same]))
    return Gap(*(float(np.max(np.where(np.isnan(x), np.inf, x))) for x in (gaps, shares)))


def _sizes(contract: Kernel, arguments: Mapping[str, Any]) -> dict[str, int]:
    return {
        axis: length
        for name, spec in contract.parameters.items()
        if isinstance(spec, Spec)
        for axis, length in zip(spec.names, np.shape(arguments[name]), strict=True)
    }


def _identical(first: Any, second: Any) -> bool:
    if isinstance(first, tuple):
        return all(map(_identical, first, second))
    return first.tobytes() == second.tobytes()


def _same_values(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    return all(
        _identical(value, after[name])
        for name, value in before.items()
        if hasattr(value, "tobytes")
    )


def missing_cases(contract: Kernel) -> list[str]:
    """The required situations for which a kernel has no case."""
    cases = list(contract.cases())
    names = " | ".join(case.name for case in cases)
    missing = [f"a case named '{needed}'" for needed in NAMED_CASES if needed not in names]
    sizes = [_sizes(contract, case.arguments) for case in cases]
    axes = sorted(
        {
            a
            for s in contract.parameters.values()
            if isinstance(s, Spec) and not s.table
            for a in s.names
            if a not in s.fixed.split()
        }
    )
    for axis in axes:
        lengths = {found[axis] for found in sizes}
        missing += [f"length {n} of axis '{axis}'" for n in (0, 1) if n not in lengths]
    if not any(length > LONG_AXIS for found in sizes for length in found.values()):
        missing.append(f"an axis longer than {LONG_AXIS}")
    arrays = [v for case in cases for v in case.arguments.values() if isinstance(v, np.ndarray)]
    if all(array.flags.c_contiguous for array in arrays):
        missing.append("an array that is not contiguous")
    return missing
