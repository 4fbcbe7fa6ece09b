"""The largest eigenvalues of a signed graph and their eigenvectors, the same on every engine.

The implicitly restarted Lanczos method of ARPACK (`scipy.sparse.linalg.eigsh`), with products
computed by the current engine, for each connected component of the graph. Small components are
solved by a dense solver.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import LinearOperator, eigsh
from threadpoolctl import threadpool_limits

from pysces import _seeds

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from pysces.embedding._graph import SignedGraph

SAME = 1e-6
"""Eigenvalues closer than this are treated as one multiple eigenvalue."""
NOTHING = 1e-9
"""Eigenvalues up to this are treated as 0."""

_DENSE = 300
"""Number of nodes up to which the dense solver is faster."""
_TOLERANCE = 1e-12
_SHIFTED = np.array([[1.0, 1.0, 0.0]])
"""Recurrence of ``P + 1``: ARPACK's tolerance is relative, and no wanted eigenvalue is near 0."""


@dataclass(frozen=True)
class Spectrum:
    """Largest positive eigenvalues of a graph.

    Attributes
    ----------
    values
        Eigenvalues [components], decreasing; 0 if there are no more positive ones.
    vectors
        Eigenvectors, of norm 1 [nodes components]; 0 for eigenvalues of 0.
    residuals
        Norm of ``P v - value v`` [components].
    """

    values: NDArray[np.float64]
    vectors: NDArray[np.float64]
    residuals: NDArray[np.float64]


def largest(graph: SignedGraph, n_components: int, seed: int) -> Spectrum:
    """Eigenvectors of the largest positive eigenvalues; larger graph components first if tied."""
    parts = _parts(graph)
    with threadpool_limits(1, "blas"):  # vectors of this size; sums then have one order
        found = [_of_part(graph.part(nodes), n_components, seed) for nodes in parts]
    owner = np.repeat(np.arange(len(parts)), [len(values) for values, _ in found])
    column = np.concatenate([np.arange(len(values)) for values, _ in found])
    every = np.concatenate([values for values, _ in found])
    values, vectors = np.zeros(n_components), np.zeros((len(graph.nodes), n_components))
    for component, chosen in enumerate(_ranking(every)[:n_components]):
        part = owner[chosen]
        values[component] = every[chosen]
        vectors[parts[part], component] = found[part][1][:, column[chosen]]
    residuals = np.linalg.norm(graph.propagate(vectors) - vectors * values, axis=0)
    return Spectrum(values, vectors, np.asarray(residuals, dtype=np.float64))


def _parts(graph: SignedGraph) -> list[NDArray[np.intp]]:
    """Indices of the nodes of each connected component with an edge, larger ones first."""
    _, part_of = connected_components(graph.matrix, directed=False)
    sizes = np.bincount(part_of)
    members = np.split(np.argsort(part_of, kind="stable"), np.cumsum(sizes)[:-1])
    return sorted((nodes for nodes in members if len(nodes) > 1), key=lambda n: (-len(n), n[0]))


def _of_part(
    graph: SignedGraph, n_components: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The largest positive eigenvalues of a connected graph and their eigenvectors."""
    if len(graph.nodes) <= max(_DENSE, 4 * n_components):
        values, vectors = np.linalg.eigh(graph.matrix.toarray())
        values, vectors = values[::-1], vectors[:, ::-1]
    else:
        values, vectors = _lanczos(graph, n_components, seed)
    positive = int((values > NOTHING).sum())
    values, vectors = _oriented(graph.nodes, values[:positive], vectors[:, :positive])
    return values[:n_components], vectors[:, :n_components]


def _lanczos(
    graph: SignedGraph, n_components: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """At least `n_components` of the largest eigenvalues, and complete eigenspaces.

    The Krylov space of one start vector contains only one direction of the space of a multiple
    eigenvalue. So the eigenvectors found are deflated from P, and the search is repeated from
    another start vector until the largest remaining eigenvalue is smaller than those requested.
    """
    named = _seeds.keys(seed, graph.nodes, "embedding")
    values, vectors = np.empty(0), np.empty((len(named), 0))

    def product(x: NDArray[np.float64]) -> NDArray[np.float64]:
        known = vectors @ ((values + 1) * (vectors.T @ x.ravel()))
        return graph.propagate(x.reshape(-1, 1), _SHIFTED).ravel() - known

    wanted = n_components
    # Random vectors for restarts: ARPACK would seed them from the operating system
    drawn = "rng" in inspect.signature(eigsh).parameters
    while True:
        options: dict[str, Any] = {"rng": _seeds.generator(seed, "restarts")} if drawn else {}
        start = 2 * _uniform(_seeds.combine(named, len(values) + 1)) - 1
        more, space = eigsh(
            LinearOperator((len(named), len(named)), matvec=product, dtype=np.float64),
            k=wanted,
            which="LA",
            v0=start,
            ncv=max(2 * max(wanted, n_components) + 1, 20),
            tol=_TOLERANCE,
            **options,
        )
        values, vectors = np.append(values, more - 1), np.hstack([vectors, space])
        order = np.argsort(-values, kind="stable")
        values, vectors = values[order], vectors[:, order]
        if more.max() - 1 < max(values[n_components - 1] - SAME, NOTHING):
            return values, vectors
        wanted = max(1, len(values) - n_components)


def _uniform(keys: NDArray[np.uint64]) -> NDArray[np.float64]:
    """A number in [0, 1) for each key."""
    return np.asarray((keys >> np.uint64(11)) * 2.0**-53, dtype=np.float64)


def _oriented(
    nodes: pd.Index, values: NDArray[np.float64], vectors: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rotate eigenvectors to a basis that is determined by the spaces and the names of nodes.

    The sign of a vector makes its product with a reference positive; the reference is a noisy
    constant, so that most entries are positive. Vectors of a multiple eigenvalue are determined
    only up to rotation: with C the products of the vectors V and as many references, and C = Q R
    (R with a positive diagonal), V Q does not depend on the choice of V.
    """
    named = _seeds.keys(0, nodes, "orientation")
    values, vectors = values.copy(), vectors.copy()
    for group in _groups(values):
        noise = [_uniform(_seeds.combine(named, number + 1)) for number in range(len(group))]
        reference = np.stack([0.5 + noise[0], *(2 * other - 1 for other in noise[1:])], axis=1)
        turn, corner = np.linalg.qr(vectors[:, group].T @ reference)
        sign = np.where(np.diag(corner) < 0, -1.0, 1.0)
        vectors[:, group] = vectors[:, group] @ (turn * sign)
        values[group] = values[group].mean()
    return values, vectors


def _groups(values: NDArray[np.float64]) -> list[NDArray[np.intp]]:
    """Positions of decreasing values, grouped by multiple eigenvalues."""
    breaks = np.flatnonzero(np.diff(values) < -SAME) + 1
    return np.split(np.arange(len(values)), breaks) if len(values) else []


def _ranking(values: NDArray[np.float64]) -> NDArray[np.intp]:
    """Positions of values, the largest first; those of one group in the given order."""
    order = np.argsort(-values, kind="stable")
    return np.concatenate([np.sort(order[group]) for group in _groups(values[order])])
