"""A network as a symmetric matrix of normalised signed weights, with nodes sorted by name.

Nodes are sorted so that sums do not depend on the order of the genes or of the edges.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp

from pysces.dispatch import operations as ops
from pysces.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pysces.network import Network

PRODUCT = np.array([[1.0, 0.0, 0.0]])
"""The recurrence of a plain product, see `pysces.dispatch.operations.propagate`."""


@dataclass(frozen=True)
class SignedGraph:
    """The normalised adjacency ``P = D^-1/2 A D^-1/2`` of a network.

    Attributes
    ----------
    nodes
        Regulators and targets, by name.
    matrix
        P; the column indices of each row are in ascending order.
    degree
        Diagonal of D [nodes]: sum of the absolute weights of a node, plus the regularisation.
    """

    nodes: pd.Index
    matrix: sp.csr_array
    degree: NDArray[np.float64]

    def part(self, nodes: NDArray[np.intp]) -> SignedGraph:
        """The subgraph of some nodes (ascending indices) and the edges between them."""
        own = sp.csr_array(self.matrix[nodes][:, nodes])
        own.sort_indices()
        return SignedGraph(self.nodes[nodes], own, self.degree[nodes])

    def propagate(
        self, values: NDArray[np.float64], recurrence: NDArray[np.float64] = PRODUCT
    ) -> NDArray[np.float64]:
        """A polynomial of P times values [nodes components], on the current engine."""
        return ops.propagate(
            indptr=self.matrix.indptr.astype(np.int64, copy=False),
            indices=self.matrix.indices.astype(np.int32, copy=False),
            weights=self.matrix.data,
            values=values,
            recurrence=recurrence,
        )


def signed_graph(network: Network, regularisation: float) -> SignedGraph:
    """Normalised adjacency of a network; the direction of its edges is ignored.

    The weight of an edge is mode of regulation times likelihood; two edges between the same
    regulators (one in each direction) are added. Edges from a gene to itself are left out. D has
    the sums of |A| plus ``regularisation`` times their mean.
    """
    nodes, ends = _nodes(network)
    mode, likelihood = network.mode_and_likelihood()
    weight = mode * likelihood
    kept = (weight != 0) & (ends[0] != ends[1])
    if not kept.any():
        raise InputError(
            "The network has no edge between two genes with a weight other than 0: there is "
            "nothing to embed. Infer one with `pysces.run_aracne(adata)`."
        )
    shape = (len(nodes), len(nodes))
    half = sp.coo_array((weight[kept], (ends[0][kept], ends[1][kept])), shape=shape).tocsr()
    whole = sp.csr_array(half + half.T)
    whole.sort_indices()
    sizes = np.asarray(abs(whole).sum(axis=1)).ravel()
    degree = sizes + regularisation * sizes.mean()
    scale = np.divide(1.0, np.sqrt(degree), out=np.zeros_like(degree), where=degree > 0)
    row = np.repeat(np.arange(len(nodes)), np.diff(whole.indptr))
    whole.data *= scale[row] * scale[whole.indices]
    return SignedGraph(nodes, whole, degree)


def _nodes(network: Network) -> tuple[pd.Index, NDArray[np.int64]]:
    """Sorted names, and the indices of both nodes of each edge [2 edges]."""
    edges = network.to_dataframe()
    columns = [edges[name].cat for name in ("source", "target")]
    names = [column.categories.to_numpy().astype(str) for column in columns]
    nodes = pd.Index(np.unique(np.concatenate(names)).astype(object), name="gene")
    ends = [
        nodes.get_indexer(pd.Index(own.astype(object)))[column.codes]
        for own, column in zip(names, columns, strict=True)
    ]
    return nodes, np.array(ends, dtype=np.int64)
