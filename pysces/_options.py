"""Options of a method as a dataclass with checks, help texts and the run record."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from pysces._parameters import Range, checks_of_options


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
        for check in checks_of_options(type(self)):  # type: ignore[arg-type]
            value = getattr(self, check.name)
            if isinstance(value, np.generic):  # NumPy scalars cannot be stored in a checkpoint
                value = value.item()
                object.__setattr__(self, check.name, value)
            check(value)
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
