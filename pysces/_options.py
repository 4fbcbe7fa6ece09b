"""Options of a method as a dataclass with checks, help texts and the run record."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np

from pysces._checks import check_flag, check_integer, check_number, check_one_of
from pysces.errors import InputError


@dataclass(frozen=True)
class Range:
    """Range of a number."""

    low: float = -np.inf
    high: float = np.inf
    open_low: bool = False
    open_high: bool = False


def option(
    default: Any,
    help: str,
    *,
    within: Range | None = None,
    metavar: str | None = None,
) -> Any:
    """A field of a class of options.

    Parameters
    ----------
    default
        Default of the parameter.
    help
        One line, for the command line and the tables of the documentation.
    within
        The range of a number.
    metavar
        Name of the value on the command line.
    """
    return dataclasses.field(
        default=default, metadata={"help": help, "within": within, "metavar": metavar}
    )


@dataclass(frozen=True, eq=False)
class Options:
    """Base class of the options of a method; subclasses have one `option` per parameter."""

    def __post_init__(self) -> None:
        """Check every option by its type and range."""
        types_of = hints(type(self))
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.generic):  # NumPy scalars cannot be stored in a checkpoint
                value = value.item()
                object.__setattr__(self, field.name, value)
            check_option(field.name, value, types_of[field.name], field.metadata["within"])
        self.check()

    def check(self) -> None:
        """Raise InputError for combinations of options that have no meaning."""

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> Self:
        """Create options from the arguments of a call (its ``locals()``)."""
        names = [field.name for field in dataclasses.fields(cls) if field.name in arguments]
        return cls(**{name: arguments[name] for name in names})

    def record(self) -> dict[str, Any]:
        """All options by name, for the run record; ``"given"`` for arrays and other objects."""
        return {
            field.name: recorded(getattr(self, field.name)) for field in dataclasses.fields(self)
        }


def recorded(value: Any) -> Any:
    """A value of an option as stored in the run record."""
    simple = isinstance(value, bool | int | float | str | None)
    if simple or (isinstance(value, tuple) and all(isinstance(v, int | float) for v in value)):
        return value
    if isinstance(value, Mapping) and all(isinstance(name, str) for name in value):
        return {name: recorded(item) for name, item in value.items()}
    return "given"


def hints(options: type[Options]) -> dict[str, Any]:
    """The type of each option."""
    return typing.get_type_hints(options)


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


def check_option(name: str, value: Any, hint: Any, within: Range | None) -> None:
    """Raise InputError unless a value has the type of its option and is in its range."""
    parts = list(members(hint))
    allowed = choices(hint)
    numbers = [part for part in parts if part in (int, float)]
    if parts == [bool]:
        check_flag(name, value)
    elif any(type(value) is type(one) and value == one for one in allowed):
        pass
    elif numbers and not any(typing.get_origin(part) is tuple for part in parts):
        limits = within or Range()
        or_else = " or ".join(map(repr, allowed))
        if float in numbers:
            interval = dataclasses.asdict(limits)
            check_number(name, value, **interval, or_else=or_else)
        else:
            high = None if limits.high == np.inf else int(limits.high)
            check_integer(name, value, int(limits.low), high, or_else=or_else)
    elif all(typing.get_origin(p) is Literal or p in (bool, type(None)) for p in parts):
        check_one_of(name, value, allowed)
    elif str in parts and Any not in parts and not isinstance(value, str):
        or_else = "".join(f" or {one!r}" for one in allowed)
        raise InputError(f"The '{name}' parameter must be a str{or_else}. Got {value!r} instead.")
