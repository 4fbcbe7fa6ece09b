"""Kernels of graphs: propagation of values along the edges of a network."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from pysces.dispatch.cases import graph as cases
from pysces.dispatch.contracts import Close, Spec
from pysces.dispatch.registry import kernel

Block = Annotated[NDArray[np.float64], Spec("float64", "nodes components")]


@kernel(file="graph", block_axis="components", agreement=Close(), cases=cases.propagate)
def propagate(
    indptr: Annotated[NDArray[np.int64], Spec("int64", "ends", table=True)],
    indices: Annotated[NDArray[np.int32], Spec("int32", "edges")],
    weights: Annotated[NDArray[np.float64], Spec("float64", "edges")],
    values: Block,
    recurrence: Annotated[NDArray[np.float64], Spec("float64", "steps terms", table=True)],
) -> Block:
    """Propagate values along a graph in several steps, each one sparse matrix product.

    With P the square matrix in compressed rows (row i has the columns
    ``indices[indptr[i] ... indptr[i + 1]]`` with ``weights``), X the values and row k of
    ``recurrence`` (a, b, c):

        Y_0 = X,  Y_-1 = 0,  Y_(k+1) = a_k P Y_k + b_k Y_k + c_k Y_(k-1)

    The result is the last Y. One row (1, 0, 0) is the plain product P X, and (a, 1 - a, 0) mixes it
    with X; with three terms, any family of orthogonal polynomials of P can be evaluated, such as
    Chebyshev polynomials. All numbers are finite. Columns are independent of each other.
    """
    raise NotImplementedError
