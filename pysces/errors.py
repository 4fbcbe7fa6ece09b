"""What PySCES raises and warns with. Every message states the fact, then the remedy."""

from __future__ import annotations


class PyscesError(Exception):
    """Base of all errors that PySCES raises on purpose."""


class InputError(PyscesError, ValueError):
    """The data or an argument can't be used as it is."""


class MissingKeyError(PyscesError, KeyError):
    """Something that an earlier step writes isn't there."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""  # KeyError would print the repr


class EngineUnavailable(PyscesError, RuntimeError):
    """An engine that was asked for by name can't run here."""


class PyscesWarning(UserWarning):
    """Something the user should know, though the run went on."""
