"""Session-wide settings: engine, threads, memory, messages, cache."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from pysces._messages import listed, nearest
from pysces._parameters import Range, check_of
from pysces.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

EngineName = Literal["mlx", "numba", "python"]
ENGINES: tuple[EngineName, ...] = get_args(EngineName)
Verbosity = Literal["silent", "normal", "verbose"]
_LEVELS = {"silent": logging.ERROR, "normal": logging.WARNING, "verbose": logging.INFO}


class _Printer(logging.Handler):
    """Print log messages on stderr, unless the user has set up logging."""

    def emit(self, record: logging.LogRecord) -> None:
        if not any(record.levelno >= other.level for other in self._others()):
            print(self.format(record), file=sys.stderr, flush=True)

    def _others(self) -> Iterator[logging.Handler]:
        logger: logging.Logger | None = _logger
        while logger is not None:
            yield from (handler for handler in logger.handlers if handler is not self)
            logger = logger.parent if logger.propagate else None


_logger = logging.getLogger("pysces")
_printer = _Printer()


def _bytes(name: str, value: Any) -> int:
    """Convert a number or text such as ``"2 GB"`` to a number of bytes."""
    if isinstance(value, str):
        number, unit = value.strip().upper().rstrip("B").rstrip("I").strip(), 0
        if number and number[-1] in "KMGT":
            unit = "KMGT".index(number[-1]) + 1
            number = number[:-1]
        try:
            value = float(number) * 1024**unit
        except ValueError:
            raise InputError(
                f"settings.{name} must be a number of bytes or text like '2 GB'. Got {value!r}."
            ) from None
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    if not plain or not 2**20 <= value < 2**63:
        raise InputError(f"settings.{name} must be at least 1 MB. Got {value!r:.80}.")
    return int(value)


class Settings:
    """Session-wide settings; assign to the attributes.

    Attributes
    ----------
    engine
        ``None`` (choose the fastest), ``"mlx"``, ``"numba"`` or ``"python"``.
    threads
        Number of threads of the Numba engine; ``None`` for all.
    memory
        Limit for the working arrays of one call, in bytes or as text such as ``"2 GB"`` (default
        1 GB).
    verbosity
        ``"silent"``, ``"normal"`` (warnings and progress bars) or ``"verbose"`` (every step, on
        stderr). Messages are sent to the logger ``"pysces"``; if you have set up logging, your
        handlers get them instead.
    cache_dir
        Folder of simulated null distributions, and of compiled kernels where Numba can write to no
        other; ``None`` keeps them in memory only.
    max_line
        Largest size of a line of a text file, in bytes (default 32 MB); longer lines raise an
        error before they exhaust the memory.
    max_unpacked
        Largest size of a decompressed file (gz, bz2, xz), in bytes. ``None`` allows 200 times the
        compressed size, and at least 256 MB.

    Examples
    --------
    >>> import pysces
    >>> pysces.settings.memory = "2 GB"
    >>> pysces.settings.memory
    2147483648
    >>> pysces.settings.memory = "1 GB"
    """

    def __init__(self) -> None:
        self._engine: EngineName | None = None
        self._threads: int | None = None
        self._memory = 2**30
        self._verbosity: Verbosity = "normal"
        self._cache_dir: Path | str | None = "default"
        self._max_line = 2**25
        self._max_unpacked: int | None = None

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; raise AttributeError for an unknown one."""
        if not name.startswith("_") and not hasattr(type(self), name):
            known = [one for one in dir(type(self)) if not one.startswith("_")]
            raise AttributeError(
                f"pysces.settings has no attribute {name!r}{nearest(name, known)}. "
                f"Attributes: {listed(known)}.",
                name=name,
            )
        super().__setattr__(name, value)

    @property
    def engine(self) -> EngineName | None:
        """Engine that calls use unless another one is given."""
        return self._engine

    @engine.setter
    def engine(self, value: EngineName | None) -> None:
        check_of("settings.engine", EngineName | None)(value)
        self._engine = value

    @property
    def threads(self) -> int | None:
        """Number of threads of the Numba engine."""
        return self._threads

    @threads.setter
    def threads(self, value: int | None) -> None:
        check_of("settings.threads", int | None, Range(1))(value)
        self._threads = value

    @property
    def memory(self) -> int:
        """Limit for the working arrays of one call, in bytes."""
        return self._memory

    @memory.setter
    def memory(self, value: int | float | str) -> None:
        self._memory = _bytes("memory", value)

    @property
    def verbosity(self) -> Verbosity:
        """Which messages are printed."""
        return self._verbosity

    @verbosity.setter
    def verbosity(self, value: Verbosity) -> None:
        check_of("settings.verbosity", Verbosity)(value)
        self._verbosity = value
        _logger.setLevel(_LEVELS[value])
        # Without it, Python's last-resort handler prints warnings but no steps.
        if value == "verbose":
            _logger.addHandler(_printer)
        else:
            _logger.removeHandler(_printer)

    @property
    def cache_dir(self) -> Path | None:
        """Folder of simulated null distributions."""
        if self._cache_dir == "default":
            chosen = os.environ.get("PYSCES_CACHE_DIR")
            if chosen is not None:
                return Path(chosen) if chosen else None
            import platformdirs

            return Path(platformdirs.user_cache_dir("pysces-grn", appauthor=False))
        return self._cache_dir  # type: ignore[return-value]

    @cache_dir.setter
    def cache_dir(self, value: str | os.PathLike[str] | None) -> None:
        check_of("settings.cache_dir", str | os.PathLike | None)(value)
        self._cache_dir = None if value is None else Path(value)

    @property
    def max_line(self) -> int:
        """Largest size of a line of a text file, in bytes."""
        return self._max_line

    @max_line.setter
    def max_line(self, value: int | float | str) -> None:
        self._max_line = _bytes("max_line", value)

    @property
    def max_unpacked(self) -> int | None:
        """Largest size of a decompressed file, in bytes."""
        return self._max_unpacked

    @max_unpacked.setter
    def max_unpacked(self, value: int | float | str | None) -> None:
        self._max_unpacked = None if value is None else _bytes("max_unpacked", value)

    def __repr__(self) -> str:
        names = ["engine", "threads", "memory", "verbosity", "cache_dir", "max_line"]
        names += ["max_unpacked"]
        return "\n".join(f"{name} = {getattr(self, name)!r}" for name in names)


settings = Settings()
