"""Compilation of the Numba kernels: whether it is due, how long it takes here, and saying so."""

from __future__ import annotations

import ast
import functools
import importlib
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from pysces.settings import settings

log = logging.getLogger("pysces")

# Seconds to compile a kernel on the machine of which `_REFERENCE` is the time. They are measured in
# this order: what kernels share (the sorting of rows) is counted for the first.
SECONDS: Mapping[str, float] = {
    "average_ranks": 3.1,
    "ordinal_ranks": 0.8,
    "copula_mi": 1.1,
    "copula_edges": 2.5,
    "copula_pairs": 0.1,
    "prune_edges": 1.3,
    "adaptive_mi": 5.0,
    "adaptive_edges": 0.9,
    "binned_mi": 5.4,
    "gene_sums": 0.7,
    "sparse_gene_range": 0.3,
    "sparse_gene_sums": 0.3,
    "largest_counts": 0.2,
    "count_sums": 0.2,
    "sparse_standardise": 0.4,
    "standardise": 0.8,
    "area": 2.5,
    "sparse_area": 2.4,
    "weighted_mean": 0.3,
    "depth_sums": 0.8,
    "leave_one_out_t": 0.5,
    "permuted_running_sum": 3.6,
    "running_sum": 3.6,
    "shared_target_scores": 2.7,
    "dpi": 3.1,
    "gene_medians": 2.1,
    "narnea": 2.0,
    "normal_scores": 0.8,
    "paired_area": 2.0,
    "propagate": 0.6,
    "rank_products": 0.5,
    "segment_means": 0.7,
    "weakest_pairs": 0.9,
    "weighted_area": 1.7,
}
_REFERENCE = 1.7e-3  # seconds of `_small_task`
_SHORTEST = 1.0  # seconds of silence that need no announcement

_lock = threading.Lock()
_known: set[str] = set()  # kernels that were announced, or needed no compilation


def _jit() -> Any:
    return importlib.import_module("pysces.kernels.numba._jit")


@functools.cache
def find_cache() -> None:
    """Settle where machine code is kept, and say so once where it is not the usual place."""
    folder = settings.cache_dir
    place = _jit().Cache.find(None if folder is None else str(folder / "numba"))
    if place != "numba":
        where = f"in {folder}" if place == "folder" else "in memory, for this session only"
        log.warning(
            "Neither the folder of the package nor the cache folder of the user can be written: "
            "compiled kernels are kept %s. Set NUMBA_CACHE_DIR to a folder that can be written.",
            where,
        )


@functools.cache
def _small_task() -> float:
    """Seconds of a small task of the same kind as compiling: making and walking small objects."""
    source = "found = {name: [i * 2 for i in values] for name, values in given.items()}\n" * 50
    best = float("inf")
    for _ in range(5):
        began = time.perf_counter()
        compile(ast.parse(source), "calibration", "exec")
        best = min(best, time.perf_counter() - began)
    return best


def seconds(kernels: Mapping[str, Any]) -> float:
    """About how long compiling these kernels takes on this machine."""
    return sum(SECONDS[name] for name in kernels) * _small_task() / _REFERENCE


def due(kernels: Mapping[str, Callable[..., Any]]) -> list[str]:
    """Those of the kernels, by name, that this and earlier sessions have not compiled yet."""
    is_compiled = _jit().is_compiled
    return [name for name, function in kernels.items() if not is_compiled(function)]


def announce(kernels: Mapping[str, Callable[..., Any]]) -> list[str]:
    """Say, before it is done and once, that kernels are compiled; returns those that are due."""
    if _known.issuperset(kernels):
        return []
    with _lock:
        pending = due({name: f for name, f in kernels.items() if name not in _known})
        _known.update(kernels)
    about = seconds(dict.fromkeys(pending)) if pending else 0.0
    if about >= _SHORTEST:
        how_often = "in this session" if _jit().Cache.place == "memory" else "once"
        log.warning("engine numba: compiling (%s), about %.0f s", how_often, about)
    return pending
