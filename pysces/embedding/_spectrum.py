"""The largest eigenvalues of a signed graph and their vectors, the same on every engine.

The implicitly restarted Lanczos method of ARPACK (`scipy.sparse.linalg.eigsh`) over products of
the engine in force, for each connected part of the graph. Small parts are solved densely.
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
"""Eigenvalues nearer than this to the next count as one with several vectors."""
NOTHING = 1e-9
"""Eigenvalues up to this count as 0."""

_DENSE = 300
"""Nodes up to which the dense solver is the faster one."""
_TOLERANCE = 1e-12
_SHIFTED = np.array([[1.0, 1.0, 0.0]])
"""Recurrence of ``P + 1``: ARPACK's tolerance is relative, and no wanted eigenvalue is near 0."""


@dataclass(frozen=True)
class Spectrum:
    """Largest positive eigenvalues of a graph.

    Attributes
    ----------
    values
        Eigenvalues [components], decreasing; 0 where there are no more positive ones.
    vectors
        Their vectors, of length 1 [nodes components]; 0 where the value is.
    residuals
        Length of ``P v - value v`` [components]: how far from an eigenvector.
    """

    values: NDArray[np.float64]
    vectors: NDArray[np.float64]
    residuals: NDArray[np.float64]


def largest(graph: SignedGraph, n_components: int, seed: int) -> Spectrum:
    """Eigenvectors of the largest positive eigenvalues; on equality, of larger parts first."""
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
    """Numbers of the nodes of each connected part with an edge, larger parts first."""
    _, part_of = connected_components(graph.matrix, directed=False)
    sizes = np.bincount(part_of)
    members = np.split(np.argsort(part_of, kind="stable"), np.cumsum(sizes)[:-1])
    return sorted((nodes for nodes in members if len(nodes) > 1), key=lambda n: (-len(n), n[0]))


def _of_part(
    graph: SignedGraph, n_components: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The largest positive eigenvalues of a connected graph and their vectors."""
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
    """At least as many of the largest eigenvalues, none missed and no equal ones cut in two.

    The vectors that are multiples of powers of P times one start vector have but one direction
    in the space of a multiple eigenvalue. So what was found is taken out of P and the search
    repeated from another start, until the largest value left is smaller than those wanted.
    """
    named = _seeds.keys(seed, graph.nodes, "embedding")
    values, vectors = np.empty(0), np.empty((len(named), 0))

    def product(x: NDArray[np.float64]) -> NDArray[np.float64]:
        known = vectors @ ((values + 1) * (vectors.T @ x.ravel()))
        return graph.propagate(x.reshape(-1, 1), _SHIFTED).ravel() - known

    wanted = n_components
    # Vectors for restarts: ARPACK would draw them from the operating system
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
    """Vectors turned to the one basis that the spaces themselves and names of nodes determine.

    A vector's sign makes its product with a reference positive: a noisy constant, so that most
    entries are positive. Where values are the same, any turn of their vectors is as good: with C
    the products of the vectors and as many references and C = Q R (R with a positive diagonal),
    V Q is the same whatever V was.
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
    """Positions of decreasing values, those that count as one together."""
    breaks = np.flatnonzero(np.diff(values) < -SAME) + 1
    return np.split(np.arange(len(values)), breaks) if len(values) else []


def _ranking(values: NDArray[np.float64]) -> NDArray[np.intp]:
    """Positions of values, the largest first; those that count as one in the order given."""
    order = np.argsort(-values, kind="stable")
    return np.concatenate([np.sort(order[group]) for group in _groups(values[order])])
