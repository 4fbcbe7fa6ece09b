"""Seconds and bytes of a call."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

MOST_REPEATS, FEWEST_REPEATS = 9, 3
ENOUGH_SECONDS = 0.4  # of one engine at one size
SLOW_CALL = 1.0  # seconds: called once more, not three times

_CLEAR = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


def seconds_of(call: Callable[[], Any]) -> float:
    """Seconds of one call, with garbage collection switched off."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        begin = time.perf_counter()
        call()
        return time.perf_counter() - begin
    finally:
        if collecting:
            gc.enable()


def repeats_for(seconds: float) -> int:
    """How often a call that took so long is timed; a slow one only while its peak is measured."""
    if seconds > SLOW_CALL:
        return 0
    return int(min(MOST_REPEATS, max(FEWEST_REPEATS, ENOUGH_SECONDS / max(seconds, 1e-9))))


def interleaved(calls: Mapping[str, Callable[[], Any]], repeats: Mapping[str, int]) -> dict:
    """Seconds of every repeat of every call, taking turns, so that a busy moment hits them all.

    Examples
    --------
    >>> found = interleaved({"a": lambda: 1, "b": lambda: 2}, {"a": 3, "b": 2})
    >>> {name: len(seconds) for name, seconds in found.items()}
    {'a': 3, 'b': 2}
    """
    found: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(max(repeats.values(), default=0)):
        for name, call in calls.items():
            if turn < repeats[name]:
                found[name].append(seconds_of(call))
    return found


# --- memory ---------------------------------------------------------------------------------------


def peak_bytes(call: Callable[[], Any]) -> int | None:
    """Peak resident memory of this process during a call, beyond what it had before.

    The input is in memory before the call, the result counts. ``None`` where the system can't
    forget an earlier peak: it can on Linux.
    """
    if not can_reset_peak():
        return None
    gc.collect()
    _give_back_free_memory()
    _CLEAR.write_text("5")
    before = _status_bytes("VmRSS")
    call()
    return max(0, _status_bytes("VmHWM") - before)


def process_peak_bytes(call: Callable[[], Any]) -> int:
    """As `peak_bytes`; where a peak can't be set back, beyond the peak of this process so far.

    That says little in a process that has done much before. (On Linux it would say little in any:
    a process begins with the peak of the one that started it.)
    """
    peak = peak_bytes(call)
    if peak is not None:
        return peak
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    call()
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return int(more if sys.platform == "darwin" else more * 1024)


def can_reset_peak() -> bool:
    """Whether the peak of this process can be set back, so that one call can be measured."""
    try:
        _CLEAR.write_text("5")
        return _status_bytes("VmHWM") > 0
    except (OSError, StopIteration):
        return False


def gpu_peak_bytes(call: Callable[[], Any]) -> int:
    """Peak memory of MLX on its device during a call, beyond what it had before."""
    import mlx.core as mx

    mx.clear_cache()
    before = mx.get_active_memory()
    mx.reset_peak_memory()
    call()
    return max(0, int(mx.get_peak_memory()) - int(before))


def _status_bytes(field: str) -> int:
    lines = _STATUS.read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(field)).split()[1])


def _give_back_free_memory() -> None:
    """What earlier calls freed goes back to the system, or this one would use it unseen."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError):  # not the C library of GNU
        return


def load() -> str:
    """A warning if other programs keep this machine busy, or nothing."""
    try:
        running = os.getloadavg()[0]
    except (AttributeError, OSError):
        return ""
    cores = os.cpu_count() or 1
    if running < 0.5 * cores:
        return ""
    return (
        f"other programs keep this machine busy (load {running:.1f} on {cores} cores): "
        "times are rough"
    )
