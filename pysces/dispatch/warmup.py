"""Compile kernels in advance: :func:`warmup`, and what a workflow needs before it begins."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from pysces._parameters import checked
from pysces.dispatch import compilation, engines
from pysces.dispatch.blocks import progress
from pysces.dispatch.contracts import Kernel
from pysces.dispatch.operations import declared

_NETWORK = ("average_ranks", "ordinal_ranks")
# Kernels of each workflow, in the order in which it uses them.
WORKFLOWS: Mapping[str, tuple[str, ...]] = {
    "copula": (*_NETWORK, "copula_mi", "copula_edges", "copula_pairs", "prune_edges"),
    "adaptive": (*_NETWORK, "adaptive_mi", "adaptive_edges", "prune_edges"),
    "adaptive-dyadic": (*_NETWORK, "adaptive_mi", "adaptive_edges", "prune_edges"),
    "binned": (*_NETWORK, "binned_mi", "prune_edges"),
    "zscore": (
        *("gene_sums", "sparse_gene_range", "sparse_gene_sums"),
        *("standardise", "sparse_standardise"),
    ),
    "area": ("area", "sparse_area"),
    "score": ("weighted_mean",),
    "counts score": ("largest_counts", "count_sums", "depth_sums"),
    "msviper": ("leave_one_out_t", "permuted_running_sum", "shared_target_scores"),
}
_LARGE = 1 << 24  # values of the arrays of usual work


def _compile(contract: Kernel, engine: engines.Engine, values: int) -> None:
    """Call a kernel on its smallest case, as if its arrays had this many values."""
    from pysces.kernels.numba._jit import as_if_large

    with_values = [
        (sum(sizes), case)
        for case in contract.cases()
        if all(sizes := [a.size for a in case.arguments.values() if isinstance(a, np.ndarray)])
    ]
    _, smallest = min(with_values, key=lambda pair: pair[0])
    with as_if_large(values):
        engine.compute(contract, contract.bind(smallest.arguments))


def prepare(*workflows: str, values: int, work: engines.Work | None = None) -> None:
    """Compile what workflows need, if Numba is chosen for the work and they are not compiled yet.

    So progress bars begin with the work, and the user is told what is being waited for. `values`:
    of the arrays to come.
    """
    engine = engines.choose(work=work)
    if engine.name == "numba":
        names = [name for workflow in workflows for name in WORKFLOWS.get(workflow, ())]
        contracts = {name: declared()[name] for name in names}
        for name in compilation.announce(_functions(contracts.values(), engine)):
            _compile(contracts[name], engine, values)


def _functions(
    contracts: Iterable[Kernel], engine: engines.Engine
) -> dict[str, Callable[..., Any]]:
    return {contract.name: engine.implementation(contract) for contract in contracts}


@checked()
def warmup() -> int:
    """Compile the kernels of the Numba engine, which else happens at first use.

    Compiled kernels are kept on disk, so that this is needed once after an installation or an
    update: in the image of a container, say, or before a course. ``pysces warmup`` does the same
    on the command line.

    Returns
    -------
    int
        Number of kernels that had to be compiled; 0 if all were.

    Raises
    ------
    EngineUnavailable
        If Numba cannot run here.

    Examples
    --------
    >>> import pysces
    >>> n_compiled = pysces.warmup()
    >>> pysces.warmup()
    0
    """
    engine = engines.choose("numba")
    names = dict.fromkeys(name for kernels in WORKFLOWS.values() for name in kernels)
    contracts = {name: declared()[name] for name in names}
    pending = compilation.announce(_functions(contracts.values(), engine))
    for name in progress(pending, "compiling", unit="kernel"):
        _compile(contracts[name], engine, _LARGE)
    return len(pending)
