"""Arguments of public functions, checked against the annotations of the parameters.

The decorator `checked` is on every public function; classes of options check their fields in the
same way. A parameter whose annotation has an unknown part accepts anything.
"""

from __future__ import annotations

import functools
import inspect
import os
import reprlib
import sys
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, fields
from typing import Any, Literal, ParamSpec, TypeVar

import numpy as np

from pysces._messages import nearest
from pysces.errors import InputError

P = ParamSpec("P")
R = TypeVar("R")
Test = Callable[[Any], bool]

_ANYTHING = "anything"
_REMEDIES = {
    ("an AnnData", "DataFrame"): " Use `pysces.infer_network`, `pysces.signature` and "
    "`pysces.enrich` for tables, or pass `anndata.AnnData(table)`.",
    ("an AnnData", "MuData"): " Pass one of its modalities, such as `mdata['rna']`.",
}
_LARGEST = 2**63 - 1  # of an integer that arrays and files can hold
_LONGEST_NAME, _LONGEST_PATH = 255, 4096  # bytes


@dataclass(frozen=True)
class Range:
    """Range of a number."""

    low: float = -np.inf
    high: float = np.inf
    open_low: bool = False
    open_high: bool = False

    def __contains__(self, value: Any) -> bool:
        above = value > self.low or (value == self.low and not self.open_low)
        return bool(above and (value < self.high or (value == self.high and not self.open_high)))

    def __str__(self) -> str:
        left, right = "(" if self.open_low else "[", ")" if self.open_high else "]"
        return f"{left}{self.low}, {self.high}{right}"


COUNT = Range(0, open_high=True)  # of an int without a range of its own
SIZE = Range(0, 10**7)  # of null samples, resamples, bootstraps and the like
FINITE = Range(open_low=True, open_high=True)  # of a float without a range of its own


def checked(
    options: type | None = None, /, **within: Range
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorator that checks arguments before a function is called.

    Parameters
    ----------
    options
        Class of options with types and ranges of the parameters of the same names.
    within
        Range of a number, by parameter. An int without one is at least 0, a float finite.

    Examples
    --------
    >>> @checked(alpha=Range(0, 1))
    ... def test(alpha: float, names: Sequence[str] = ()) -> None: ...
    >>> test(2.0)
    Traceback (most recent call last):
    pysces.errors.InputError: The 'alpha' parameter must be a number in the range [0, 1]. Got 2.0...
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        names = tuple(inspect.signature(function).parameters)
        plan: dict[str, Check] = {}

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            if not plan:
                plan.update(checks_of(function, options, within))
            for name, value in zip(names, args, strict=False):
                if name in plan:
                    plan[name](value)
            for name, value in kwargs.items():
                if name in plan:
                    plan[name](value)
            return function(*args, **kwargs)

        call.__checks__ = within  # type: ignore[attr-defined]
        return call

    return decorate


@dataclass(frozen=True)
class Check:
    """Check of one parameter."""

    name: str
    tests: tuple[Test, ...]
    wanted: str
    single: tuple[Any, ...] = ()

    def __call__(self, value: Any) -> None:
        """Raise InputError unless the value passes one of the tests."""
        if not any(test(value) for test in self.tests):
            raise InputError(
                f"The {self.name!r} parameter must be {self.wanted}. Got {_shown(value)} instead"
                f"{nearest(value, self.single) if isinstance(value, str) else ''}."
                f"{_REMEDIES.get((self.wanted, type(value).__name__), '')}"
            )


def checks_of(
    function: Callable[..., Any], options: type | None, within: Mapping[str, Range]
) -> dict[str, Check]:
    """The check of each parameter of a function."""
    found = {} if options is None else {one.name: one for one in checks_of_options(options)}
    known = _NAMED | function.__globals__
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD or not parameter.annotation:
            continue
        if name in found and found[name].wanted != _ANYTHING:
            continue
        try:
            hint = eval(parameter.annotation, known)
        except (NameError, TypeError):  # of another package, or none
            continue
        found[name] = check_of(name, hint, within.get(name))
    return found


@functools.cache
def checks_of_options(options: Any) -> tuple[Check, ...]:
    """The check of each field of a class of options."""
    hints = typing.get_type_hints(options)
    return tuple(
        check_of(field.name, hints[field.name], field.metadata["within"])
        for field in fields(options)
    )


def check_of(name: str, hint: Any, within: Range | None = None) -> Check:
    """The check of a parameter with an annotation."""
    parts = list(dict.fromkeys(members(hint)))
    single = choices(hint)
    of_path = any(_origin(part) is os.PathLike for part in parts)
    if Any in parts:
        return Check(name, (lambda value: True,), _ANYTHING)
    tests: list[Test] = []
    wanted: list[str] = []
    for part in parts:
        if part is str and of_path:
            continue
        test, words = _test_of(part, within)
        tests.append(test)
        wanted.append(words)
    if parts == [bool]:
        return Check(name, tuple(tests), "True or False")
    if all(part in (bool, type(None)) or _origin(part) is Literal for part in parts):
        return Check(name, tuple(tests), f"one of {single}", tuple(single))
    # Single values come last
    wanted = [words for words in wanted if words] + [repr(value) for value in single]
    return Check(name, tuple(tests), " or ".join(dict.fromkeys(wanted)), tuple(single))


def members(hint: Any) -> Iterator[Any]:
    """The members of a union of types."""
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        for part in typing.get_args(hint):
            yield from members(part)
    else:
        yield hint


def choices(hint: Any) -> list[Any]:
    """The single values that a type allows: those of Literal, None and bool."""
    found: list[Any] = []
    for part in members(hint):
        if typing.get_origin(part) is Literal:
            found += typing.get_args(part)
        elif part is type(None):
            found.append(None)
        elif part is bool:
            found += [True, False]
    return found


def _origin(part: Any) -> Any:
    return typing.get_origin(part) or part


def _test_of(part: Any, within: Range | None) -> tuple[Test, str]:
    """The test of a type, and words for the message (none for single values)."""
    origin, inner = _origin(part), typing.get_args(part)
    if origin is Literal:
        return lambda value: _is_one_of(value, inner), ""
    if part is type(None):
        return lambda value: value is None, ""
    if part is bool:
        return lambda value: isinstance(value, bool | np.bool_), ""
    if part is int:
        limits = within or COUNT
        bound = Range(limits.low, min(limits.high, _LARGEST))
        high = "inf)" if limits.high == np.inf else f"{int(limits.high)}]"
        return (
            lambda value: _is_number(value, int, np.integer) and value in bound,
            f"an int in the range [{int(limits.low)}, {high}",
        )
    if part is float:
        limits = within or FINITE
        return (
            lambda value: (
                _is_number(value, int, float, np.integer, np.floating)
                and value in limits
                and (isinstance(value, float | np.floating) or abs(int(value)) <= _LARGEST)
            ),
            f"a number in the range {limits}",
        )
    if origin is os.PathLike:
        return _is_path, f"a path without NUL, of names of at most {_LONGEST_NAME} bytes"
    if origin is tuple:
        tests = [check_of("", one, within).tests for one in inner]
        return (
            lambda value: (
                isinstance(value, tuple | list)
                and len(value) == len(tests)
                and all(any(test(v) for test in one) for v, one in zip(value, tests, strict=True))
            ),
            f"a tuple of {len(inner)}, each {check_of('', inner[0], within).wanted}",
        )
    if origin is Mapping:
        return (
            lambda value: isinstance(value, Mapping) and all(isinstance(k, str) for k in value),
            "a dict",
        )
    if origin in (Sequence, Iterable):
        item = check_of("", inner[0], within)
        once = origin is Iterable
        return (
            lambda value: _is_list(value, item.tests, once),
            "a list of names" if inner == (str,) else f"a list, each item {item.wanted}",
        )
    if part is Values:
        return _is_array, "a list, slice or array of numbers, flags or names"
    if isinstance(origin, type):
        name = origin.__name__
        article = "an" if name[0] in "AEIOU" else "a"
        return lambda value: isinstance(value, origin), f"{article} {name}"
    return lambda value: True, _ANYTHING


def _is_one_of(value: Any, allowed: tuple[Any, ...]) -> bool:
    """Whether a value is one of these; 1 is not True, and arrays are never equal."""
    value = value.item() if isinstance(value, np.generic) else value
    return any(
        value == one
        for one in allowed
        if type(value) is type(one) or (isinstance(value, str) and isinstance(one, str))
    )


def _is_number(value: Any, *kinds: type) -> bool:
    return isinstance(value, kinds) and not isinstance(value, bool)


def _is_path(value: Any) -> bool:
    if not isinstance(value, str | os.PathLike):
        return False
    text = os.fspath(value)
    if not isinstance(text, str) or "\0" in text:
        return False
    try:
        names = os.fsencode(text)
    except UnicodeEncodeError:
        return False
    parts = names.replace(os.fsencode(os.sep), b"/").split(b"/")
    return len(names) <= _LONGEST_PATH and max(map(len, parts)) <= _LONGEST_NAME


def _is_list(value: Any, tests: tuple[Test, ...], once: bool) -> bool:
    """Whether a value is a collection of items that pass; arrays have one axis.

    An iterator is allowed if it is used `once`; its items are not looked at.
    """
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        return False
    if isinstance(value, Iterator):
        return once
    axes = getattr(value, "ndim", 1)
    return axes == 1 and all(any(test(item) for test in tests) for item in value)


def _is_array(value: Any) -> bool:
    """Whether a value can become an array of numbers, flags or names, or chooses from one."""
    if isinstance(value, slice | Set | Iterator):  # of names or positions
        return True
    if isinstance(value, np.generic) or not (
        isinstance(value, list | tuple | range) or hasattr(value, "__array__")
    ):
        return False
    try:
        found = value if isinstance(value, np.ndarray) else np.asarray(value)
    except (TypeError, ValueError):  # lists of unequal lengths
        return False
    return found.ndim > 0 and found.dtype.kind in "biufOUT"


def _shown(value: Any) -> str:
    """A value for a message: short ones as they are, others by their type."""
    if isinstance(value, bool | int | float | complex | str | bytes | list | tuple | set | dict):
        try:
            return _Short.repr(value)
        except ValueError:  # an int of more digits than Python converts
            pass
    return "None" if value is None else type(value).__name__


_Short = reprlib.Repr()
_Short.maxstring = _Short.maxother = _Short.maxlong = 60


class _OfModule(type):
    """Type of a class of a module that may not be imported yet; then nothing is an instance."""

    home: str

    def __instancecheck__(cls, value: Any) -> bool:
        module = sys.modules.get(cls.home)
        return module is not None and isinstance(value, getattr(module, cls.__name__))


def _of_module(module: str, name: str) -> Any:
    return _OfModule(name, (), {"home": module})


class Values:
    """Stands for ``ArrayLike``."""


# Names in annotations that modules import for their types alone.
_NAMED: dict[str, Any] = {
    "AnnData": _of_module("anndata", "AnnData"),
    "ArrayLike": Values,
    "Axes": Any,  # checked by `axes_of`, which knows subclasses and projections
    "Iterable": Iterable,
    "Mapping": Mapping,
    "Network": _of_module("pysces.network", "Network"),
    "Sequence": Sequence,
    "ValidationReport": _of_module("pysces.dispatch.validation", "ValidationReport"),
    "os": os,
    "pd": types.SimpleNamespace(
        DataFrame=_of_module("pandas", "DataFrame"), Series=_of_module("pandas", "Series")
    ),
}
