"""Declaration of kernels: a typed stub becomes a call to the current engine."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar

from pysces.dispatch import engines
from pysces.dispatch.contracts import FOUND, Agreement, Case, Kernel, Spec

P = ParamSpec("P")
R = TypeVar("R")


DECLARED: dict[str, Kernel] = {}


def kernel(
    *,
    file: str,
    block_axis: str,
    agreement: Agreement,
    cases: Callable[[], Sequence[Case]],
    reduce: str | None = None,
    unsupported: Mapping[str, str] | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Declare a kernel: the decorated stub becomes a call to the current engine.

    Parameters
    ----------
    file
        Name of the file that holds the function, below ``kernels/<engine>/``.
    block_axis
        Axis along which the work can be divided into blocks.
    agreement
        ``EXACT`` or ``Close(rtol, atol)``, relative to the Python engine.
    cases
        Function that generates the inputs on which all engines must agree.
    reduce
        How results without the block axis are combined: ``"any"``, ``"largest"``, ``"max"`` or
        ``"sum"``.
    unsupported
        Engines that cannot compute the kernel, each with the reason.
    """

    def declare(stub: Callable[P, R]) -> Callable[P, R]:
        contract = _contract(stub, file, block_axis, reduce, agreement, cases, unsupported or {})
        DECLARED[contract.name] = contract
        signature = inspect.signature(stub)

        @functools.wraps(stub)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            given = signature.bind(*args, **kwargs)
            given.apply_defaults()
            return engines.run(contract, contract.bind(given.arguments))

        call.contract = contract  # type: ignore[attr-defined]
        return call

    return declare


def _contract(
    stub: Callable[..., Any],
    file: str,
    block_axis: str,
    reduce: str | None,
    agreement: Agreement,
    cases: Callable[[], Sequence[Case]],
    unsupported: Mapping[str, str],
) -> Kernel:
    name = stub.__name__
    hints = typing.get_type_hints(stub, include_extras=True)
    returned = hints.pop("return")
    parts = typing.get_args(returned) if typing.get_origin(returned) is tuple else (returned,)
    results = tuple(_spec(name, "result", part) for part in parts)
    parameters = {
        key: _spec(name, key, hint) if typing.get_origin(hint) is typing.Annotated else hint
        for key, hint in hints.items()
    }
    if not callable(cases):
        raise TypeError(f"{name}: a kernel needs cases; see pysces/dispatch/cases.")
    if name in DECLARED:
        raise TypeError(f"{name}: declared twice.")
    axes = [a for s in parameters.values() if isinstance(s, Spec) for a in s.names]
    if block_axis not in axes:
        raise TypeError(f"{name}: no argument has the axis '{block_axis}'.")
    if reduce is None and any(
        block_axis not in spec.names and FOUND not in spec.names for spec in results
    ):
        raise TypeError(
            f"{name}: a result lacks the axis '{block_axis}'; say how to reduce the blocks."
        )
    return Kernel(
        name=name,
        file=file,
        block_axis=block_axis,
        reduce=reduce,
        agreement=agreement,
        cases=cases,
        unsupported=unsupported,
        parameters=parameters,
        results=results,
        doc=inspect.getdoc(stub) or "",
    )


def _spec(kernel_name: str, what: str, hint: Any) -> Spec:
    for extra in getattr(hint, "__metadata__", ()):
        if isinstance(extra, Spec):
            return extra
    raise TypeError(f"{kernel_name}: {what} needs Annotated[..., Spec(dtype, axes)].")
