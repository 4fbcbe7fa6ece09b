"""Data processing inequality, by the sparsity that the threshold left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import prange

from ._jit import jit, parallel

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FRACTION_BITS = 30
_GENES = 16  # columns copied together: two cache lines of a row


def dpi(
    edges: NDArray[np.int64],
    between: NDArray[np.int64],
    network: NDArray[np.int64],
    kept_fraction: int,
) -> NDArray[np.bool_]:
    """See the reference. Each gene looks at its own regulators only, the strongest first.

    An edge can only fall to regulators whose edge to the gene is stronger, and falls to the first
    that will do; so a gene of k regulators costs at most k^2 / 2 comparisons.
    """
    return _dpi(edges, between, network, np.int64(kept_fraction))


@parallel
def _dpi(edges, between, network, kept_fraction):
    rows, genes = edges.shape
    regulators = network.shape[0]
    kept = np.zeros((rows, genes), dtype=np.bool_)
    for block in prange((genes + _GENES - 1) // _GENES):
        begin = block * _GENES
        many = min(_GENES, genes - begin)
        columns = np.empty((many, regulators), dtype=np.int64)
        for j in range(regulators):
            for g in range(many):
                columns[g, j] = network[j, begin + g]
        strongest = np.empty((many, regulators), dtype=np.int64)
        strength = np.empty((many, regulators), dtype=np.int64)
        linked = np.empty(many, dtype=np.int64)
        for g in range(many):
            linked[g] = _strongest_first(columns[g], strongest[g], strength[g])
        for i in range(rows):
            for g in range(many):
                edge = edges[i, begin + g]
                if edge > 0:
                    kept[i, begin + g] = not _explained(
                        edge, between[i], strongest[g], strength[g], linked[g], kept_fraction
                    )
    return kept


@jit
def _strongest_first(column, regulators, strength):
    """Regulators of one gene by falling MI, and their MI; returns how many there are."""
    linked = np.flatnonzero(column > 0)  # few: most edges fell to the threshold
    order = linked[np.argsort(-column[linked])]
    count = len(order)
    for k in range(count):
        regulators[k] = order[k]
        strength[k] = column[order[k]]
    return count


@jit
def _explained(edge, between, regulators, strength, count, kept_fraction):
    """Whether some regulator's path is stronger than the edge, after the discount."""
    for k in range(count):
        if strength[k] <= edge:
            return False
        leg = between[regulators[k]]
        if leg > edge and edge < _discount(min(leg, strength[k]), kept_fraction):
            return True
    return False


@jit
def _discount(mi, kept_fraction):
    """``ceil(mi * kept_fraction / 2^30)``, exact although the product may pass 2^63."""
    high = mi >> _FRACTION_BITS
    low = mi & ((1 << _FRACTION_BITS) - 1)
    return high * kept_fraction + (
        (low * kept_fraction + (1 << _FRACTION_BITS) - 1) >> _FRACTION_BITS
    )


def weakest_pairs(between: NDArray[np.int64], network: NDArray[np.int64]) -> NDArray[np.bool_]:
    """See the reference. A pair looks at the targets of its first regulator until one decides."""
    return _weakest_pairs(between, network)


@parallel
def _weakest_pairs(between, network):
    regulators, genes = network.shape
    marked = np.zeros((regulators, regulators), dtype=np.bool_)
    for i in prange(regulators):
        targets = np.empty(genes, dtype=np.int64)
        count = 0
        for t in range(genes):
            if network[i, t] > 0:
                targets[count] = t
                count += 1
        for j in range(regulators):
            a = between[i, j]
            if a > 0:
                for k in range(count):
                    b = network[i, targets[k]]
                    c = network[j, targets[k]]
                    if c > 0 and (b == c or min(b, c) >= a):
                        marked[i, j] = True
                        break
    return marked
