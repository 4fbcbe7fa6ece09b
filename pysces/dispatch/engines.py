"""Load and choose engines: which one computes, and why others cannot."""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.metadata
import logging
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from pysces._messages import nearest
from pysces._parameters import checked
from pysces.dispatch import compilation
from pysces.dispatch.contracts import Kernel, Spec
from pysces.errors import EngineUnavailable, InputError
from pysces.settings import ENGINES, EngineName, settings

log = logging.getLogger("pysces")
T = TypeVar("T")
R = TypeVar("R")

_FORKED = (
    "MLX hangs in a process that was forked after its use. Start processes by "
    "multiprocessing.get_context('spawn'), or use engine='numba' in them."
)


@dataclass(frozen=True)
class Engine:
    """An engine that works on this machine.

    Attributes
    ----------
    name, device, precision, version
        The engine, its device, its arithmetic and the version of its library.
    gpu
        Whether the device is a GPU.
    to_engine, to_numpy
        The only two places where data crosses the boundary.
    why
        Why it was chosen.
    """

    name: str
    device: str
    precision: str
    version: str
    gpu: bool
    to_engine: Callable[[np.ndarray, Spec], Any]
    to_numpy: Callable[[Any, Spec], np.ndarray]
    why: str = ""

    def implementation(self, contract: Kernel) -> Callable[..., Any]:
        """The function that computes this kernel."""
        module = importlib.import_module(f"pysces.kernels.{self.name}.{contract.file}")
        return getattr(module, contract.name)

    def compute(self, contract: Kernel, arguments: Mapping[str, Any]) -> Any:
        """Run a kernel on checked arguments."""
        given = {
            name: self.to_engine(arguments[name], spec)
            if isinstance(spec, Spec)
            else arguments[name]
            for name, spec in contract.parameters.items()
        }
        implementation = self.implementation(contract)
        with _numba_threads() if self.name == "numba" else contextlib.nullcontext():
            if self.name == "numba":
                compilation.announce({contract.name: implementation})
            result = implementation(**given)
        if len(contract.results) == 1:
            return self.to_numpy(result, contract.results[0])
        return tuple(map(self.to_numpy, result, contract.results))


@contextlib.contextmanager
def _numba_threads() -> Iterator[int]:
    """Limit the threads of Numba to ``settings.threads`` for one call."""
    import numba

    before = numba.get_num_threads()
    wanted = 1 if alone() else settings.threads or before
    allowed = min(wanted, numba.config.NUMBA_NUM_THREADS)
    numba.set_num_threads(allowed)
    try:
        yield allowed
    finally:
        numba.set_num_threads(before)


# Whether this thread is one of those of `side_by_side`, which should not start others.
_alone: ContextVar[bool] = ContextVar("pysces_alone", default=False)


def alone() -> bool:
    """Whether other threads have the other cores, as in :func:`side_by_side`."""
    return _alone.get()


def threads() -> int:
    """Number of threads that :func:`side_by_side` uses."""
    if _found().name != "numba":
        return 1
    with _numba_threads() as number:
        return number


def side_by_side(work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Results of the work on each item, in order.

    With the engine 'numba' each item is done by one thread, and several of them side by side: most
    of what is not in its kernels needs one thread, but holds no lock.
    """
    if (several := threads()) < 2:
        yield from map(work, items)
        return

    def one(item: T) -> R:
        _alone.set(True)
        return work(item)

    with ThreadPoolExecutor(several) as pool:
        started = [pool.submit(copy_context().run, one, item) for item in items]
        try:
            for result in started:
                yield result.result()
        finally:
            for result in started:
                result.cancel()


# --- the three engines ------------------------------------------------------------------------


def _as_it_is(value: Any, spec: Spec) -> Any:
    return value


def _python() -> Engine:
    version = f"NumPy {np.__version__}"
    return Engine("python", "CPU", "float64", version, False, _as_it_is, _as_it_is)


def _numba() -> Engine:
    import numba

    compilation.find_cache()
    return Engine("numba", "CPU", "float64", numba.__version__, False, _as_it_is, _as_it_is)


def device_of(engine: Engine) -> str:
    """Description of the device, with the number of threads that calls use."""
    if engine.name != "numba":
        return engine.device
    with _numba_threads() as threads:
        return f"{engine.device}, {threads} thread{'s' * (threads != 1)}"


_forked = False  # whether this process was forked from one that had loaded MLX


def _after_fork() -> None:
    global _forked
    _forked = True
    probe.cache_clear()
    automatic.cache_clear()


@functools.cache
def _watch_forks() -> None:
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_after_fork)


def _mlx() -> Engine:
    if _forked:
        raise RuntimeError(_FORKED)
    # MLX reads it once, at the first product: reduced precision would break the agreement.
    os.environ["MLX_ENABLE_TF32"] = "0"
    import mlx.core as mx

    _watch_forks()
    gpu = mx.device_count(mx.gpu) > 0 and mx.default_device() == mx.Device(mx.gpu)
    if mx.sum(mx.arange(5) * 2).item() != 20:
        raise RuntimeError("a test sum on the device gave a wrong result")
    device = str(mx.device_info(mx.default_device()).get("device_name", "")) or "GPU"
    device = f"GPU, {device}" if gpu else "CPU"
    return Engine(
        "mlx",
        device,
        "float32 pairs, int64",
        importlib.metadata.version("mlx"),
        gpu,
        _to_mlx,
        _from_mlx,
    )


def _to_mlx(value: np.ndarray, spec: Spec) -> Any:
    import mlx.core as mx

    if spec.dtype == "order":
        return order_keys(value, mx)
    if spec.dtype == "float64":
        from pysces.kernels.mlx._double import Double

        with np.errstate(over="ignore"):
            high = value.astype(np.float32)
        finite = np.isfinite(high)
        if not finite.all() and np.isfinite(value[~finite]).any():
            raise InputError(
                "Values are too large for engine 'mlx', whose numbers end at 3.4e38. Divide the "
                "data by a constant, or use engine='numba'."
            )
        low = np.where(finite, value - np.where(finite, high, 0.0), 0.0).astype(np.float32)
        return Double(mx.array(high), mx.array(low))
    return mx.array(value)


def _from_mlx(value: Any, spec: Spec) -> np.ndarray:
    if isinstance(value, tuple):
        high, low = map(np.array, value)
        found = np.add(high, low, dtype=np.float64)
        special = ~np.isfinite(found)
        if special.any():
            found[special] = high[special]
        return found
    return np.array(value).astype(spec.numpy_dtype, copy=False)


def order_keys(values: np.ndarray, xp: Any = np) -> Any:
    """Integers in the order of these float64 values; NaN comes last, -0.0 equals 0.0.

    The bits of positive floats increase with their value; those of negative ones are inverted.
    xp: the library that computes them, numpy or `mlx.core`.
    """
    bits = xp.array(np.ascontiguousarray(values).view(np.int64))
    last, infinity = (xp.array(np.array(bound)) for bound in (np.iinfo(np.int64).max, _INFINITY))
    size = bits & last
    return xp.where(size > infinity, last, xp.where((bits < 0) & (size > 0), bits ^ last, size))


_INFINITY = 0x7FF0000000000000  # its bits


_MAKERS: Mapping[str, Callable[[], Engine]] = {"mlx": _mlx, "numba": _numba, "python": _python}


def install_hint(name: str) -> str:
    """The command that installs an engine on this machine."""
    if name == "numba":
        return "pip install numba"
    if sys.platform == "darwin":
        return "pip install mlx  (Apple silicon, macOS 14 or later)"
    return "pip install 'mlx[cuda13]' (NVIDIA GPU) or pip install 'mlx[cpu]' (validation)"


@functools.cache
def probe(name: str) -> Engine | str:
    """The engine, or the reason why it cannot run on this machine."""
    try:
        return _MAKERS[name]()
    # Missing drivers, incomplete installations and failing devices raise various exceptions.
    except Exception as error:
        words = " ".join(str(error).split()) or type(error).__name__
        return f"{type(error).__name__}: {words}"


# --- choice -------------------------------------------------------------------------------------

# Name of the engine, and why it was chosen.
_in_force: ContextVar[tuple[str, str] | None] = ContextVar("pysces_engine", default=None)


@dataclass(frozen=True)
class Work:
    """What a workflow is about to do, for the automatic choice of an engine.

    Attributes
    ----------
    name
        A key of `PAYS`.
    size
        In the unit of that entry.
    """

    name: str
    size: float


_METAL = sys.platform == "darwin"  # the GPU of MLX is that of Apple silicon

# The smallest size at which MLX on a CUDA GPU is faster than Numba on the cores beside it. Copula,
# 100 resamples of 20,000 genes, 1,800 regulators, 200 samples (7.2e9): 4.4 s on an H100, 6.4 s on
# 16 cores; 1,000 samples: 7.7 s, 12.5 s; below 2e9 it is slower. Adaptive, the same 200 samples:
# 95 s (H200), 46 s. Binned, 50,000 cells: 14.0 s, 11.5 s. VIPER: 477 cells per second, 1,770.
PAYS: Mapping[str, float] = {
    "copula": 2e9,  # regulators x genes x samples
    "adaptive": math.inf,
    "adaptive-dyadic": math.inf,
    "binned": math.inf,
    "viper": math.inf,
}


def pays(work: Work | None) -> bool:
    """Whether MLX on a GPU is chosen automatically for this work.

    On Apple silicon always, where nothing was measured; on CUDA from the size of `PAYS` on.
    """
    return _METAL or (work is not None and work.size >= PAYS[work.name])


def _known(name: str, where: str) -> str:
    if name not in ENGINES:
        raise InputError(f"{where} must be one of {ENGINES}. Got {name!r}{nearest(name, ENGINES)}.")
    return name


def asked_for(engine: str | None) -> tuple[str, str] | None:
    """The engine given by name and its origin: argument, context, settings, environment."""
    asked = (
        (engine, "engine="),
        ((_in_force.get() or (None,))[0], "use_engine"),
        (settings.engine, "pysces.settings.engine"),
        (os.environ.get("PYSCES_ENGINE") or None, "$PYSCES_ENGINE"),
    )
    for name, where in asked:
        if name is not None and name != "auto":
            return _known(name, where), where
    return None


@functools.cache
def automatic(*, gpu: bool) -> str:
    """The best engine here: MLX if it has a GPU that is to be used, else Numba, else Python."""
    for name in ENGINES:
        engine = probe(name)
        if isinstance(engine, str):
            log.info("engine %s is not used: %s", name, engine)
        elif name == "mlx" and not engine.gpu:
            log.info("engine mlx is not used: it has no GPU here")
        elif name != "mlx" or gpu:
            return name
    raise EngineUnavailable("no engine can run on this machine. Reinstall numpy.")


def reason(work: Work | None) -> str:
    """Why the automatic choice is what it is for this work, in words."""
    mlx = probe("mlx")
    if isinstance(mlx, str) or not mlx.gpu:
        absent = [name for name in ENGINES if isinstance(probe(name), str)]
        without = [f"{' and '.join(absent)} cannot run here"] if absent else []
        return "; ".join(without + ["mlx has no GPU here"] * (not isinstance(mlx, str)))
    if _METAL:
        return "mlx has a GPU"
    least = math.inf if work is None else PAYS[work.name]
    if work is None or least == math.inf:
        return f"a GPU is not faster for {'this' if work is None else work.name}"
    side = "at least" if work.size >= least else "less than"
    return f"{work.name} of size {work.size:.2g}, {side} the {least:.2g} from which a GPU is faster"


def why(engine: str | None = None, work: Work | None = None) -> str:
    """Why `choose` chooses what it does, in words."""
    asked, in_force = asked_for(engine), _in_force.get()
    if asked is None:
        return f"automatic choice: {reason(work)}"
    return in_force[1] if in_force and asked[1] == "use_engine" else f"asked for by {asked[1]}"


def choose(engine: str | None = None, work: Work | None = None) -> Engine:
    """The engine for this call: by argument, context, settings, environment, else the best one.

    Raises
    ------
    EngineUnavailable
        If an engine is given by name and cannot run on this machine; there is no fallback then.
    """
    return replace(_found(engine, work), why=why(engine, work))


def _found(engine: str | None = None, work: Work | None = None) -> Engine:
    """The engine that `choose` chooses, without the words why: for every call of a kernel."""
    asked = asked_for(engine)
    found = probe(automatic(gpu=pays(work)) if asked is None else asked[0])
    if isinstance(found, str):
        assert asked is not None  # the automatic choice always succeeds
        remedy = f"Install it with: {install_hint(asked[0])}."
        raise EngineUnavailable(
            f"engine {asked[0]!r} (chosen by {asked[1]}) cannot run here: {found}"
            + ("" if found.endswith(_FORKED) else f". {remedy}")
        )
    return found


@contextlib.contextmanager
@checked()
def use_engine(engine: EngineName | None, *, work: Work | None = None) -> Iterator[Engine]:
    """Compute with this engine inside the ``with`` block.

    Parameters
    ----------
    engine
        ``"mlx"``, ``"numba"``, ``"python"``; ``None`` changes nothing.
    work
        What is to be done, if known: a GPU is chosen automatically only for work that is large
        enough.

    Yields
    ------
    Engine
        What computes: its ``name``, ``device``, ``precision`` and ``version``, and ``why``.

    Raises
    ------
    EngineUnavailable
        If it cannot run on this machine; there is no fallback for an engine given by name.

    Examples
    --------
    >>> import pysces
    >>> with pysces.use_engine("python") as engine:
    ...     engine.name
    'python'
    """
    chosen = choose(engine, work)
    if work is None and asked_for(engine) is None:  # what is done inside may choose by its work
        yield chosen
        return
    token = _in_force.set((chosen.name, chosen.why))
    try:
        yield chosen
    finally:
        _in_force.reset(token)


def fallback(contract: Kernel, engine: Engine) -> tuple[Engine, str] | None:
    """The fallback for a kernel that this engine lacks, and the reason; None if it has it."""
    reason = contract.unsupported.get(engine.name)
    if reason is None:
        return None
    for name in ("numba", "python"):
        other = probe(name)
        if name not in contract.unsupported and isinstance(other, Engine):
            return other, reason
    raise EngineUnavailable(f"no engine can compute {contract.name}: {dict(contract.unsupported)}.")


@functools.cache
def _say_fallback(kernel: str, engine: str, other: str, reason: str) -> None:
    log.info("%s: engine %s falls back to %s: %s", kernel, engine, other, reason)


def run(contract: Kernel, arguments: Mapping[str, Any]) -> Any:
    """Compute a kernel on the current engine, with arguments that the contract has checked."""
    engine = _found()
    found = fallback(contract, engine)
    if found is not None:
        other, reason = found
        _say_fallback(contract.name, engine.name, other.name, reason)
        engine = other
    return engine.compute(contract, arguments)


def record(engine: Engine) -> dict[str, str]:
    """Entries of the run record about the engine."""
    return {
        "name": engine.name,
        "version": engine.version,
        "device": device_of(engine),
        "precision": engine.precision,
        "why": engine.why,
    }
