"""Compile the kernels of this engine, and machine instructions that Numba lacks."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import inspect
import os
import threading
import types
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np
from numba import types as nb_types
from numba.extending import intrinsic

_Function = TypeVar("_Function", bound=Callable[..., Any])

_process_at_import = os.getpid()
_THREAD_SAFE_LAYERS = ("tbb", "omp")
_pretended = 0  # see `as_if_large`


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


class Cache:
    """Where the machine code is kept for later sessions.

    Attributes
    ----------
    folder
        Given to Numba where neither ``$NUMBA_CACHE_DIR``, nor the folder of this package, nor the
        home can be written. ``None``: the machine code is then kept in memory.
    place
        ``"numba"`` (one of the usual places), ``"folder"`` or ``"memory"``, once it is known.
    """

    folder: str | None = None
    place: str | None = None

    @classmethod
    def find(cls, folder: str | None) -> str:
        """Settle the place, before the first function is compiled, by trying to write there."""
        if cls.place is None:
            cls.folder = folder
            _compiled(lambda: None)
        assert cls.place is not None
        return cls.place


def _compiled(function: Callable[..., Any], **options: Any) -> Any:
    """A dispatcher of Numba that keeps its code in the first place that can be written."""
    options |= {"nogil": True, "error_model": "numpy"}
    for place in ("numba", "folder", "memory") if Cache.place is None else (Cache.place,):
        if place == "folder" and Cache.folder is None:
            continue
        with _cache_folder(Cache.folder) if place == "folder" else contextlib.nullcontext():
            try:
                dispatcher = numba.njit(cache=place != "memory", **options)(function)
            except RuntimeError:  # no locator available: no place can be written
                if place == Cache.place or place == "memory":
                    raise
            else:
                Cache.place = place
                return dispatcher
    raise AssertionError("memory can always be written")


@contextlib.contextmanager
def _cache_folder(folder: str | None) -> Iterator[None]:
    """Numba's setting for one function: it is read when the function is decorated."""
    before, numba.config.CACHE_DIR = numba.config.CACHE_DIR, folder
    try:
        yield
    finally:
        numba.config.CACHE_DIR = before


def jit(function: _Function) -> _Function:
    """Compile a helper: lazily, cached on disk, without the GIL; division follows NumPy."""
    compiled = _compiled(_stamped(function))
    template = compiled.get_call_template

    def without_literals(args: Any, kws: Any) -> Any:
        """Compile for int64 alone, not for the literal 0 with which a counter begins as well."""
        return template(
            [nb_types.unliteral(a) for a in args],
            {name: nb_types.unliteral(a) for name, a in dict(kws).items()},
        )

    compiled.get_call_template = without_literals
    return compiled  # type: ignore[no-any-return]


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
    threaded, serial = _compiled(function, parallel=True), _compiled(twin)

    @functools.wraps(function)
    def run(*arguments: Any, **named: Any) -> Any:
        given = signature.bind(*arguments, **named).args
        alike = [read_only(a) if isinstance(a, np.ndarray) else a for a in given]
        largest = max((a.size for a in alike if isinstance(a, np.ndarray)), default=0)
        enough = max(largest, _pretended) >= fewest
        # A last small block is not worth a second compilation.
        enough |= bool(threaded.overloads and not serial.overloads)
        return (threaded if enough and may_start_threads() else serial)(*alike)

    run.fewest = fewest  # type: ignore[attr-defined]
    run.threaded = threaded  # type: ignore[attr-defined]
    run.serial = serial  # type: ignore[attr-defined]
    return run  # type: ignore[return-value]


def parallel_from(fewest: int) -> Callable[[_Function], _Function]:
    """Like `parallel`, but small arrays (about a millisecond of work) use one thread.

    If other programs use the cores, waiting for the last thread takes ten times as long.
    """
    return functools.partial(parallel, fewest=fewest)


def on_threads(work: Callable[[int, int], None], total: int, smallest: int) -> None:
    """Call a compiled `work(begin, end)` for all parts of ``range(total)``, on threads of Python.

    Compiled functions hold no lock. They are compiled once, where `parallel` compiles every loop
    for its threads and once more without; a call costs a tenth of a millisecond more.

    smallest: entries of a part, of a tenth of a millisecond or so.
    """
    threads = min(numba.get_num_threads(), -(-total // smallest))
    if threads < 2:
        if total:
            work(0, total)
        return
    step = max(smallest, -(-total // (4 * threads)))
    with ThreadPoolExecutor(threads) as pool:
        parts = [
            pool.submit(work, begin, min(begin + step, total)) for begin in range(0, total, step)
        ]
        for part in parts:
            part.result()


@contextlib.contextmanager
def as_if_large(values: int) -> Iterator[None]:
    """Compile, from small arrays, the form that is used for arrays of this many values."""
    global _pretended
    _pretended, before = values, _pretended
    try:
        yield
    finally:
        _pretended = before


def read_only(array: np.ndarray) -> np.ndarray:
    """A contiguous read-only view. To Numba those are types: one kind means one compilation."""
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


def is_compiled(kernel: Callable[..., Any]) -> bool:
    """Whether a kernel is compiled, in this session or by an earlier one that kept it.

    Every kernel is compiled for one set of types, so any will do. A wrapper in Python is compiled
    when all compiled functions are that it, or a function of its module, names.
    """
    pending: list[Any] = [kernel]
    seen: set[int] = set()
    while pending:
        found = pending.pop()
        if id(found) in seen:
            continue
        seen.add(id(found))
        if hasattr(found, "threaded"):
            forms = [found.threaded] if may_start_threads() else []
            if not any(map(_is_known, forms or [found.serial])) and not (
                found.fewest and _is_known(found.serial)
            ):
                return False
        elif hasattr(found, "overloads"):
            if not _is_known(found):
                return False
        elif isinstance(found, types.FunctionType) and found.__module__ == kernel.__module__:
            pending += [found.__globals__.get(name) for name in _names(found.__code__)]
    return True


def _names(code: types.CodeType) -> set[str]:
    inner = (constant for constant in code.co_consts if isinstance(constant, types.CodeType))
    return set(code.co_names).union(*map(_names, inner))


def _is_known(dispatcher: Any) -> bool:
    """Whether a function has machine code for this processor, in memory or on disk."""
    if dispatcher.overloads:
        return True
    files = getattr(dispatcher._cache, "_cache_file", None)
    if files is None:
        return False
    processor = dispatcher.targetctx.codegen().magic_tuple()
    return any(key[1] == processor for key in files._load_index())


@intrinsic
def popcount(typing_context: Any, word: Any) -> Any:
    """Number of set bits of a uint64, as int64 (one instruction; none at all in Python)."""
    if word != nb_types.uint64:
        return None

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return nb_types.int64(nb_types.uint64), code
