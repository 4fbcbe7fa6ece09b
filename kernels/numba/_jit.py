"""Compile the kernels of this engine, and machine instructions that Numba lacks."""

from __future__ import annotations

import functools
import hashlib
import inspect
import os
import threading
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np
from numba import types as nb_types
from numba.extending import intrinsic

_Function = TypeVar("_Function", bound=Callable[..., Any])

_process_at_import = os.getpid()
_THREAD_SAFE_LAYERS = ("tbb", "omp")


def _digest() -> str:
    """Eight digits that change with any file of this engine or shared by the engines.

    Numba's disk cache checks only the file of a function, not those of the functions it inlines:
    without these digits an edited helper would silently leave stale machine code.
    """
    folder = Path(__file__).parent
    sources = sorted([*folder.glob("*.py"), *folder.parent.glob("*.py")])
    digest = hashlib.blake2b(digest_size=4)
    for source in sources:
        digest.update(source.read_bytes())
    return digest.hexdigest()


_VERSION = _digest()


def _stamped(function: _Function) -> _Function:
    """Rename a function, so that Numba's disk cache distinguishes versions of the engine."""
    function.__qualname__ += f"_{_VERSION}"
    return function


def jit(function: _Function) -> _Function:
    """Compile a helper: lazily, cached on disk, without the GIL; division follows NumPy."""
    compiled: _Function = numba.njit(cache=True, nogil=True, error_model="numpy")(
        _stamped(function)
    )
    return compiled


def parallel(function: _Function, fewest: int = 0) -> _Function:
    """Compile a function that has `numba.prange` loops, with a serial twin.

    The twin is the same function compiled without threads. It runs if starting Numba's threads
    would be useless or unsafe (see `may_start_threads`), or if all arrays have fewer than `fewest`
    values; results are the same. Both forms are compiled at their first call and are available as
    `.threaded` and `.serial`. Arguments may be given by name; arrays are read-only inside.
    """
    signature = inspect.signature(function)
    function = _stamped(function)
    twin = types.FunctionType(
        function.__code__,
        function.__globals__,
        function.__name__ + "_serial",
        function.__defaults__,
        function.__closure__,
    )
    # Numba's disk cache identifies functions by qualified name, not by compiler options.
    twin.__qualname__ = function.__qualname__ + "_serial"
    twin.__module__ = function.__module__
    options = {"cache": True, "nogil": True, "error_model": "numpy"}
    threaded = numba.njit(parallel=True, **options)(function)
    serial = numba.njit(parallel=False, **options)(twin)

    @functools.wraps(function)
    def run(*arguments: Any, **named: Any) -> Any:
        given = signature.bind(*arguments, **named).args
        alike = [_read_only(a) if isinstance(a, np.ndarray) else a for a in given]
        enough = max((a.size for a in alike if isinstance(a, np.ndarray)), default=0) >= fewest
        return (threaded if enough and may_start_threads() else serial)(*alike)

    run.threaded = threaded  # type: ignore[attr-defined]
    run.serial = serial  # type: ignore[attr-defined]
    return run  # type: ignore[return-value]


def parallel_from(fewest: int) -> Callable[[_Function], _Function]:
    """Like `parallel`, but small arrays (about a millisecond of work) use one thread.

    If other programs use the cores, waiting for the last thread takes ten times as long.
    """
    return functools.partial(parallel, fewest=fewest)


def _read_only(array: np.ndarray) -> np.ndarray:
    """A contiguous read-only view, so that Numba compiles for one array type only."""
    view = (array if array.flags.c_contiguous else np.ascontiguousarray(array)).view()
    view.flags.writeable = False
    return view


def may_start_threads() -> bool:
    """Whether a threaded kernel is useful and safe in this thread of this process.

    False with one thread, and in a forked child, where the thread pool of the parent does not exist
    (GNU OpenMP ends the process). Outside the main thread, True only if the threading layer is
    known to be thread-safe: `workqueue` ends the process if two threads enter it.
    """
    if numba.get_num_threads() == 1 or os.getpid() != _process_at_import:
        return False
    if threading.current_thread() is threading.main_thread():
        return True
    try:
        return numba.threading_layer() in _THREAD_SAFE_LAYERS
    except ValueError:  # no layer has been started yet
        return False


@intrinsic
def popcount(typing_context: Any, word: Any) -> Any:
    """Number of set bits of a uint64, as int64 (one instruction; none at all in Python)."""
    if word != nb_types.uint64:
        return None

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return nb_types.int64(nb_types.uint64), code
