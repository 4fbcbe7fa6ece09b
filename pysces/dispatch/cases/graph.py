"""Cases of the kernels of graphs."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from pysces.dispatch.contracts import Case

LONG = 65_536 + 3

_PRODUCT = np.array([[1.0, 0.0, 0.0]])
_MIXED = np.array([[0.3, 0.7, 0.0], [0.5, 0.5, 0.0]])
# Chebyshev polynomials T_1, T_2, ... of the matrix.
_CHEBYSHEV = np.array([[1.0, 0.0, 0.0], *([[2.0, 0.0, -1.0]] * 7)])
_SHIFTED = np.array([[0.9, 0.2, 0.0], [1.7, 0.3, -0.8], [1.6, 0.25, -0.75]])


def _rng(number: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=number))


def _strided(array: NDArray[Any]) -> NDArray[Any]:
    """The same values in an array that is not contiguous."""
    wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), dtype=array.dtype)
    wide[..., ::2] = array
    return wide[..., ::2]


def _graph(rng: np.random.Generator, nodes: int, edges: int) -> dict[str, NDArray[Any]]:
    """A symmetric graph with signed weights, normalised by the sums of their magnitudes."""
    ends = rng.integers(0, max(nodes, 1), size=(2, edges))
    weights = rng.uniform(-1, 1, size=edges)
    half = sp.coo_array((weights, (ends[0], ends[1])), shape=(nodes, nodes)).tocsr()
    whole = sp.csr_array(half + half.T)
    whole.sort_indices()
    degree = np.asarray(abs(whole).sum(axis=1)).ravel()
    scale = np.where(degree > 0, 1 / np.sqrt(np.where(degree > 0, degree, 1.0)), 0.0)
    rows = np.repeat(np.arange(nodes), np.diff(whole.indptr))
    return {
        "indptr": whole.indptr.astype(np.int64),
        "indices": whole.indices.astype(np.int32),
        "weights": whole.data * scale[rows] * scale[whole.indices],
    }


def _star(leaves: int) -> dict[str, NDArray[Any]]:
    """One regulator with very many targets, alternately activated and repressed."""
    sign = np.where(np.arange(leaves) % 2, -1.0, 1.0) / np.sqrt(leaves)
    return {
        "indptr": np.concatenate([[0], leaves + np.arange(leaves + 1)]).astype(np.int64),
        "indices": np.concatenate([np.arange(1, leaves + 1), np.zeros(leaves)]).astype(np.int32),
        "weights": np.concatenate([sign, sign]),
    }


def _no_edges(nodes: int) -> dict[str, NDArray[Any]]:
    return {
        "indptr": np.zeros(nodes + 1, dtype=np.int64),
        "indices": np.zeros(0, dtype=np.int32),
        "weights": np.zeros(0),
    }


def propagate() -> list[Case]:
    """Graphs with all edge cases of shape; products, mixtures and polynomials."""
    rng = _rng(41)
    plain = _graph(rng, 60, 300)
    loop = {
        "indptr": np.array([0, 1], dtype=np.int64),
        "indices": np.zeros(1, dtype=np.int32),
        "weights": np.array([-0.5]),
    }
    constant = rng.normal(size=(60, 4))
    constant[:, 2] = 1.5
    unlike = rng.normal(size=(60, 5)) * np.array([1.0, 1e4, 1e-4, 0.0, 1.0])
    strided = {**plain, "weights": _strided(plain["weights"])}
    cases: list[tuple[str, dict[str, Any], NDArray[Any], NDArray[Any]]] = [
        ("no nodes", _no_edges(0), np.empty((0, 3)), _PRODUCT),
        ("no edges", _no_edges(5), rng.normal(size=(5, 3)), _SHIFTED),
        ("no components", plain, np.empty((60, 0)), _CHEBYSHEV),
        ("no steps", plain, rng.normal(size=(60, 3)), np.empty((0, 3))),
        ("one node, one edge", loop, np.array([[2.0, -3.0]]), _SHIFTED),
        ("one component", plain, rng.normal(size=(60, 1)), _PRODUCT),
        ("all ties", plain, np.zeros((60, 3)), _CHEBYSHEV),
        ("constant row", plain, constant, _MIXED),
        ("component unlike the rest", plain, unlike, _CHEBYSHEV),
        ("not contiguous", strided, _strided(rng.normal(size=(60, 3))), _MIXED),
        ("many components", plain, rng.normal(size=(60, 33)), _SHIFTED),
        ("weights above 1", {**plain, "weights": 37 * plain["weights"]}, constant, _PRODUCT),
        ("nodes without edges", _graph(rng, 200, 40), rng.normal(size=(200, 2)), _CHEBYSHEV),
        ("many nodes", _graph(rng, LONG, 30), rng.normal(size=(LONG, 2)), _MIXED),
        ("many edges", _star(LONG), rng.normal(size=(LONG + 1, 2)), _CHEBYSHEV[:3]),
    ]
    return [
        Case(name, {**graph, "values": values, "recurrence": recurrence})
        for name, graph, values, recurrence in cases
    ]
