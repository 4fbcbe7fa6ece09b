"""Contracts of kernels: shapes, types, the axis of blocks, required agreement, test cases.

Algorithms call the stub that carries the contract. The implementation is the function of the same
name in the file of the same name below ``kernels/<engine>/``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pysces.kernels._largest import largest_of

REDUCE: Mapping[str, Callable[[Any, Any], Any]] = {
    "any": np.logical_or,
    "largest": largest_of,
    "max": np.maximum,
    "sum": np.add,
}
DTYPES = ("bool", "int8", "uint8", "uint32", "int32", "int64", "uint64", "float64", "order")
FOUND = "found"  # axis of a result whose length is part of the result


@dataclass(frozen=True)
class Spec:
    """Type and axes of an array, such as ``Spec("int32", "regulators samples")``.

    ``"order"`` is float64 of which only order and equality matter (NaN is missing). A ``table`` is
    a constant of the method, computed on the host, whose length follows from the data. The length
    of an axis in ``fixed`` is a parameter of the method and never 0. A result may have the axis
    ``"found"``, whose length is part of the result: blocks are concatenated along it.
    """

    dtype: str
    axes: str
    table: bool = False
    fixed: str = ""

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise TypeError(f"dtype must be one of {DTYPES}. Got {self.dtype!r}.")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the axes, outermost first."""
        return tuple(self.axes.split())

    @property
    def numpy_dtype(self) -> np.dtype[Any]:
        """The dtype of the array on the host."""
        return np.dtype(np.float64 if self.dtype == "order" else self.dtype)


@dataclass(frozen=True)
class Agreement:
    """Required agreement of an engine with the Python engine."""

    rtol: float = 0.0
    atol: float = 0.0

    @property
    def exact(self) -> bool:
        """Whether results must be bit-identical."""
        return self.rtol == 0.0 and self.atol == 0.0

    def __str__(self) -> str:
        return "exact" if self.exact else f"rtol {self.rtol:g}, atol {self.atol:g}"


EXACT = Agreement()


def Close(rtol: float = 1e-5, atol: float = 1e-8) -> Agreement:
    """Agreement within a tolerance; the default is the one documented for users."""
    return Agreement(rtol, atol)


@dataclass(frozen=True)
class Case:
    """One input on which the engines must agree."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Kernel:
    """The declaration of a kernel."""

    name: str
    file: str
    block_axis: str
    reduce: str | None
    agreement: Agreement
    cases: Callable[[], Sequence[Case]]
    unsupported: Mapping[str, str]
    parameters: Mapping[str, Spec | type]
    results: tuple[Spec, ...]
    doc: str = field(repr=False, default="")

    def bind(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Check arguments against the declaration; return contiguous arrays of its dtypes."""
        bound: dict[str, Any] = {}
        sizes: dict[str, int] = {}
        for name, declared in self.parameters.items():
            value = arguments[name]
            if isinstance(declared, Spec):
                bound[name] = self._array(name, declared, value, sizes)
            else:
                bound[name] = declared(value)
        return bound

    def _array(self, name: str, spec: Spec, value: Any, sizes: dict[str, int]) -> Any:
        array = np.asarray(value)
        dtype = spec.numpy_dtype
        if array.dtype != dtype:
            if not np.can_cast(array.dtype, dtype, "same_kind"):
                raise TypeError(
                    f"{self.name}: '{name}' must be an array of {spec.dtype}. Got {array.dtype}."
                )
            array = array.astype(dtype)
        if array.ndim != len(spec.names):
            raise ValueError(
                f"{self.name}: '{name}' must have the axes ({spec.axes}). Got {array.shape}."
            )
        for axis, size in zip(spec.names, array.shape, strict=True):
            if sizes.setdefault(axis, size) != size:
                raise ValueError(
                    f"{self.name}: axis '{axis}' of '{name}' has {size} entries, "
                    f"but {sizes[axis]} elsewhere."
                )
        return np.require(array, requirements=["C", "A", "W"])

    def block_arguments(
        self, arguments: Mapping[str, Any], start: int, stop: int
    ) -> dict[str, Any]:
        """The arguments of one block of the axis ``block_axis``."""
        block = dict(arguments)
        for name, declared in self.parameters.items():
            if isinstance(declared, Spec) and self.block_axis in declared.names:
                at = declared.names.index(self.block_axis)
                index = (slice(None),) * at + (slice(start, stop),)
                block[name] = np.asarray(arguments[name])[index]
        return block

    def block_axis_length(self, arguments: Mapping[str, Any]) -> int:
        """Length of the axis ``block_axis`` in these arguments."""
        for name, declared in self.parameters.items():
            if isinstance(declared, Spec) and self.block_axis in declared.names:
                return int(np.shape(arguments[name])[declared.names.index(self.block_axis)])
        raise TypeError(f"no argument of {self.name} has the axis '{self.block_axis}'")

    def joined(self, blocks: Sequence[Any]) -> Any:
        """Combine the results of consecutive blocks."""
        if len(self.results) == 1:
            return self._join(self.results[0], blocks)
        return tuple(
            self._join(spec, [block[i] for block in blocks]) for i, spec in enumerate(self.results)
        )

    def _join(self, spec: Spec, blocks: Sequence[Any]) -> Any:
        for axis in (self.block_axis, FOUND):
            if axis in spec.names:
                return np.concatenate(blocks, axis=spec.names.index(axis))
        assert self.reduce is not None  # checked at declaration
        return functools.reduce(REDUCE[self.reduce], blocks)
