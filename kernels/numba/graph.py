"""Propagation along the edges of a graph, compiled: one thread per range of nodes."""

from __future__ import annotations

import numpy as np
from numba import prange

from ._jit import parallel_from


def propagate(indptr, indices, weights, values, recurrence):
    """Polynomial of a sparse matrix times a block of columns, by a three-term recurrence."""
    before, now = np.zeros_like(values), values.copy()
    for product, same, previous in recurrence:
        following = _step(indptr, indices, weights, now, before, product, same, previous)
        before, now = now, following
    return now


@parallel_from(1 << 18)
def _step(indptr, indices, weights, now, before, product, same, previous):
    nodes, components = now.shape
    following = np.empty((nodes, components))
    for node in prange(nodes):
        total = following[node]
        total[:] = 0.0
        for edge in range(indptr[node], indptr[node + 1]):
            weight = weights[edge]
            neighbour = now[indices[edge]]
            for component in range(components):
                total[component] += weight * neighbour[component]
        for component in range(components):
            total[component] = (
                product * total[component]
                + same * now[node, component]
                + previous * before[node, component]
            )
    return following
