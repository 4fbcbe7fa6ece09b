"""Convert tables of edges to graphs of networkx and igraph, and back."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pysces.errors import InputError, PyscesError

if TYPE_CHECKING:
    import igraph
    import networkx


def package(name: str, what: str) -> Any:
    """Import an optional package, or raise an error that says how to install it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise PyscesError(
            f"{what} requires the package {name} ({error}). Install it with: pip install {name}"
        ) from error


def to_networkx(edges: pd.DataFrame) -> networkx.DiGraph[Any]:
    """Directed graph with the numeric columns as attributes of its edges."""
    library = package("networkx", "A graph of networkx")
    table = edges.astype({"source": object, "target": object})
    return library.from_pandas_edgelist(
        table, edge_attr=list(edges.columns[2:]) or None, create_using=library.DiGraph
    )


def networkx_edges(graph: networkx.Graph[Any]) -> pd.DataFrame:
    """Table of the edges of a directed graph of networkx; all their attributes are columns."""
    _check_directed(graph, "networkx")
    names: dict[Any, Any] = dict(graph.nodes(data="name"))
    if any(name is None for name in names.values()):
        names = {node: node for node in names}
    rows = [(str(names[a]), str(names[b]), data) for a, b, data in graph.edges(data=True)]
    # Attributes named source or target (written by Gephi) are not the nodes of the edge
    ends = {
        "source": [source for source, _, _ in rows],
        "target": [target for _, target, _ in rows],
    }
    attributes = pd.DataFrame([data for _, _, data in rows], index=range(len(rows)))
    kept = attributes.drop(columns=["source", "target"], errors="ignore")
    return pd.concat([pd.DataFrame(ends, dtype=object), kept], axis=1)


def to_igraph(edges: pd.DataFrame) -> igraph.Graph:
    """Directed graph with the vertex attribute ``name`` and the numeric columns on its edges."""
    library = package("igraph", "A graph of igraph")
    sources, targets = (edges[end].astype(object).to_numpy() for end in ("source", "target"))
    numbers, names = pd.factorize(np.concatenate([sources, targets]))
    pairs = numbers.reshape(2, -1).T
    return library.Graph(
        n=len(names),
        edges=pairs.tolist(),
        directed=True,
        vertex_attrs={"name": names.tolist()},
        edge_attrs={column: edges[column].tolist() for column in edges.columns[2:]},
    )


def igraph_edges(graph: igraph.Graph) -> pd.DataFrame:
    """Table of the edges of a directed graph of igraph; all their attributes are columns."""
    _check_directed(graph, "igraph")
    named = "name" in graph.vs.attributes()
    names = np.array(
        [str(name) for name in (graph.vs["name"] if named else range(graph.vcount()))],
        dtype=object,
    )
    pairs = np.array(graph.get_edgelist(), dtype=np.intp).reshape(-1, 2)
    ends = {"source": names[pairs[:, 0]], "target": names[pairs[:, 1]]}
    kept = {name: graph.es[name] for name in graph.es.attributes() if name not in ends}
    return pd.DataFrame(ends | kept)


def _check_directed(graph: Any, package: str) -> None:
    if type(graph).__module__.partition(".")[0] != package and not hasattr(graph, "is_directed"):
        raise InputError(f"Expected a graph of {package}, got {type(graph).__name__}.")
    if not graph.is_directed():
        raise InputError(
            "The graph is undirected, so regulators and targets cannot be distinguished. "
            "Make a directed one whose edges go from regulator to target."
        )
