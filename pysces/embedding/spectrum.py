"""The largest eigenvalues of a signed graph and their vectors, the same on every engine.

Subspace iteration with a Chebyshev filter (Zhou, Saad, Tiago and Chelikowsky 2006, Journal of
Computational Physics 219:172): a block of vectors is multiplied by a polynomial of the matrix that
is small on the unwanted part of the spectrum (sparse products, on the engine in force), made
orthogonal, and turned into approximate eigenvectors by Rayleigh and Ritz (small and dense, in
float64 on the host). Engines differ by rounding alone, and each round starts from vectors that
are nearly right, so that rounding doesn't pile up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pysces import _seeds

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from pysces.embedding.graph import SignedGraph

DEGREE = 10
"""Products between two orthonormalisations: more would let the largest vectors drown the rest."""
SETTLED = 1e-11
"""A residual this small is rounding noise: no more steps are made."""
SAME = 1e-6
"""Eigenvalues nearer than this to the next count as one with several vectors."""
NOTHING = 1e-9
"""Eigenvalues up to this count as 0."""


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
    steps
        Products made.
    """

    values: NDArray[np.float64]
    vectors: NDArray[np.float64]
    residuals: NDArray[np.float64]
    steps: int


def largest(graph: SignedGraph, n_components: int, n_steps: int, seed: int) -> Spectrum:
    """Eigenvectors of the largest positive eigenvalues, by at most ``n_steps`` products."""
    width = min(len(graph.nodes), n_components + max(8, n_components // 2))
    ritz = _rayleigh_ritz(graph, _start(graph.nodes, width, seed))
    steps = 1
    while ritz.unsettled(n_components) and steps + 2 <= n_steps:
        degree = min(DEGREE, n_steps - steps - 1)
        lowest = min(max(0.0, ritz.values[-1]), 0.99 * ritz.values[0])
        recurrence = chebyshev_filter(degree, -graph.radius, max(0.0, lowest), graph.radius)
        ritz = _rayleigh_ritz(graph, graph.propagate(ritz.vectors, recurrence))
        steps += degree + 1
    values, vectors = _oriented(ritz.values, ritz.vectors, _orientation(graph.nodes, width))
    return _positive(values, vectors, ritz.residuals, n_components, steps)


def chebyshev_filter(degree: int, low: float, high: float, top: float) -> NDArray[np.float64]:
    """Recurrence [degree 3] of the polynomial that is 1 at ``top`` and smallest in [low, high].

    ``T_m((x - c) / e) / T_m((top - c) / e)`` with the middle c and the half width e of the
    interval, m the degree. See `pysces.dispatch.operations.propagate`.

    >>> chebyshev_filter(1, -1.0, 0.0, 1.0)[0].round(6).tolist()
    [0.666667, 0.333333, 0.0]
    """
    middle, half = (low + high) / 2, (high - low) / 2
    first = half / (top - middle)
    rows = [(first / half, -middle * first / half, 0.0)]
    ratio = first
    for _ in range(degree - 1):
        following = 1 / (2 / first - ratio)
        factor = 2 * following / half
        rows.append((factor, -middle * factor, -ratio * following))
        ratio = following
    return np.array(rows)


@dataclass(frozen=True)
class _Ritz:
    """Approximate eigenvectors, by decreasing value."""

    values: NDArray[np.float64]
    vectors: NDArray[np.float64]
    residuals: NDArray[np.float64]

    def unsettled(self, n_components: int) -> bool:
        """Whether a wanted vector can still become better."""
        wanted = self.residuals[:n_components][self.values[:n_components] > NOTHING]
        return bool((wanted > SETTLED).any()) or not len(wanted)


def _rayleigh_ritz(graph: SignedGraph, block: NDArray[np.float64]) -> _Ritz:
    """The best approximate eigenvectors in the space of some vectors; one product."""
    size = np.linalg.norm(block, axis=0)
    basis, _ = np.linalg.qr(block / np.where(size > 0, size, 1.0))
    product = graph.propagate(basis)
    small = basis.T @ product
    values, turn = np.linalg.eigh((small + small.T) / 2)
    values, turn = values[::-1], turn[:, ::-1]
    vectors = basis @ turn
    residuals = np.linalg.norm(product @ turn - vectors * values, axis=0)
    return _Ritz(values, vectors, np.asarray(residuals, dtype=np.float64))


def _start(nodes: pd.Index, width: int, seed: int) -> NDArray[np.float64]:
    """Random vectors [nodes width] that belong to the names: no order of genes changes them."""
    return 2 * _uniform(nodes, width, seed, "embedding") - 1


def _orientation(nodes: pd.Index, width: int) -> NDArray[np.float64]:
    """Vectors that decide signs: a noisy constant first, so that most entries are positive."""
    noise = _uniform(nodes, width, 0, "orientation")
    return np.concatenate([0.5 + noise[:, :1], 2 * noise[:, 1:] - 1], axis=1)


def _uniform(nodes: pd.Index, width: int, seed: int, what: str) -> NDArray[np.float64]:
    """Numbers in [0, 1) keyed by name and column."""
    named = _seeds.keys(seed, nodes, what)
    columns = [_seeds.combine(named, number + 1) for number in range(width)]
    return np.asarray((np.stack(columns, axis=1) >> np.uint64(11)) * 2.0**-53, dtype=np.float64)


def _oriented(
    values: NDArray[np.float64], vectors: NDArray[np.float64], reference: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Vectors turned to the one basis that the spaces themselves and the reference determine.

    A vector's sign makes its product with the first reference positive. Where values are the
    same, any turn of their vectors is as good: with C the products of the vectors and the first
    references and C = Q R (R with a positive diagonal), V Q is the same whatever V was.
    """
    values, vectors = values.copy(), vectors.copy()
    breaks = np.flatnonzero(np.diff(values) < -SAME) + 1
    for group in np.split(np.arange(len(values)), breaks):
        turn, corner = np.linalg.qr(vectors[:, group].T @ reference[:, : len(group)])
        sign = np.where(np.diag(corner) < 0, -1.0, 1.0)
        vectors[:, group] = vectors[:, group] @ (turn * sign)
        values[group] = values[group].mean()
    return values, vectors


def _positive(
    values: NDArray[np.float64],
    vectors: NDArray[np.float64],
    residuals: NDArray[np.float64],
    n_components: int,
    steps: int,
) -> Spectrum:
    """The wanted ones; nothing where the value isn't positive."""
    found = min(n_components, int((values > NOTHING).sum()))
    kept = np.zeros((len(vectors), n_components))
    kept[:, :found] = vectors[:, :found]
    numbers = np.zeros((2, n_components))
    numbers[:, :found] = values[:found], residuals[:found]
    return Spectrum(numbers[0], kept, numbers[1], steps)
