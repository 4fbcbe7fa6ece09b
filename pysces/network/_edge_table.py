"""The checked table beneath a network, and the ways in and out of it: tables, AnnData, graphs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from pysces._keys import NetworkResult, holds, read
from pysces._record import RunRecord
from pysces.errors import InputError
from pysces.network._columns import known_columns, named_columns, rows_of_group
from pysces.network._edges import checked_edges

if TYPE_CHECKING:
    import os

    import igraph
    import networkx
    from anndata import AnnData


class EdgeTable:
    """A table of edges with its run record; `pysces.Network` adds what regulons are and do."""

    def __init__(self, edges: pd.DataFrame, record: RunRecord | None = None) -> None:
        self._edges = checked_edges(edges)
        self.record = RunRecord(version="") if record is None else record

    @classmethod
    def from_dataframe(cls, edges: pd.DataFrame, *, group: str | None = None) -> Self:
        """Network of a table, also with the column names of other programs.

        Parameters
        ----------
        edges
            One row per edge, such as decoupler's ``net`` (source, target, weight) or pyviper's
            table (regulator, target, mor, likelihood). Names of other programs are known, in any
            case of letters: ``regulator``, ``tf``, ``regulatoryGene`` and ``geneset`` stand for
            ``source``, ``targetGene`` and ``genesymbol`` for ``target``, ``scc``, ``spearman``,
            ``rho``, ``corr`` and ``pearson`` for ``correlation``, ``importance``, ``estimate`` and
            ``coef_mean`` for ``weight``. Where none of these tells the sign of an edge, ``mor`` is
            made of words or signs in ``mode``, ``sign``, ``regulation`` or ``effect``, or of
            ``is_stimulation`` and ``is_inhibition``. Other columns are left out; the logger names
            them.
        group
            Which network, where a column ``group`` tells of several.

        Returns
        -------
        Network
            With the columns of the table.

        Raises
        ------
        InputError
            If it isn't a DataFrame, or not one of edges (see `Network`), or if it holds networks of
            several groups and ``group`` isn't given.
        MissingKeyError
            If there is no such group.

        Warns
        -----
        PyscesWarning
            If a column with negative numbers is left out, and no other tells signs of edges.

        Examples
        --------
        >>> import pandas as pd, pysces
        >>> net = pd.DataFrame({"TF": ["MYC"], "target": ["MAX"], "importance": [12.5]})
        >>> pysces.Network.from_dataframe(net).columns
        ('weight',)
        """
        if not isinstance(edges, pd.DataFrame):
            raise InputError(f"Expected a DataFrame of edges, got {type(edges).__name__}.")
        return cls(named_columns(rows_of_group(edges, group, "The table"), "Network"))

    @classmethod
    def from_anndata(cls, adata: AnnData, key: str = "aracne", *, group: str | None = None) -> Self:
        """The network that `pysces.run_aracne` left in an AnnData under a key.

        Parameters
        ----------
        adata
            Cells x genes, what `pysces.run_aracne` ran on.
        key
            Its ``key_added``.
        group
            Whose network, where the run had ``groupby=``.

        Returns
        -------
        Network
            With its run record as ``record``.

        Raises
        ------
        MissingKeyError
            If there is no network under that key, or none of that group.
        InputError
            If there are networks of groups, and ``group`` isn't given.

        Examples
        --------
        >>> import anndata, numpy as np, pandas as pd, pysces
        >>> adata = anndata.AnnData(np.random.default_rng(0).normal(size=(30, 3)))
        >>> adata.var_names = ["MYC", "MAX", "NCL"]
        >>> pysces.run_aracne(adata, ["MYC"], resampling=None, n_null=1000, alpha=1.0)
        >>> pysces.Network.from_anndata(adata).record.facts["n_regulators"]
        1
        """
        stored = read(NetworkResult, adata, key)
        own = rows_of_group(stored.network, group, f".uns[{key!r}]")
        own = own.astype({"source": object, "target": object}).reset_index(drop=True)
        record = stored.record if group is None else stored.record.of_group(group)
        return cls(known_columns(own)[0], record)

    @classmethod
    def from_networkx(cls, graph: networkx.Graph[Any]) -> Self:
        """Network of a directed graph of networkx.

        Parameters
        ----------
        graph
            Directed, from regulator to target; names are those of the nodes (their attribute
            ``name``, if all have one). Attributes of edges become columns.

        Returns
        -------
        Network
            With the columns that it knows; the logger names others.

        Raises
        ------
        InputError
            If the graph isn't directed, or an attribute isn't a number on every edge.

        Examples
        --------
        >>> import networkx, pysces
        >>> graph = networkx.DiGraph()
        >>> graph.add_edge("MYC", "MAX", mi=0.5)
        >>> pysces.Network.from_networkx(graph).targets_of("MYC")
        ['MAX']
        """
        from pysces.network._graphs import networkx_edges

        return cls.from_dataframe(networkx_edges(graph))

    @classmethod
    def from_igraph(cls, graph: igraph.Graph) -> Self:
        """Network of a directed graph of igraph.

        Parameters
        ----------
        graph
            Directed, from regulator to target; names are the vertex attribute ``name``, else the
            numbers of the vertices. Attributes of edges become columns.

        Returns
        -------
        Network
            With the columns that it knows; the logger names others.

        Raises
        ------
        InputError
            If the graph isn't directed, or an attribute isn't a number on every edge.

        Examples
        --------
        >>> import igraph, pysces
        >>> graph = igraph.Graph([(0, 1)], directed=True)
        >>> graph.vs["name"] = ["MYC", "MAX"]
        >>> pysces.Network.from_igraph(graph).targets_of("MYC")
        ['MAX']
        """
        from pysces.network._graphs import igraph_edges

        return cls.from_dataframe(igraph_edges(graph))

    def to_dataframe(self) -> pd.DataFrame:
        """A copy of the table.

        Returns
        -------
        pandas.DataFrame
            One row per edge: categorical ``source`` and ``target``, numeric columns.

        Examples
        --------
        >>> import pandas as pd, pysces
        >>> network = pysces.Network(pd.DataFrame({"source": ["MYC"], "target": ["MAX"]}))
        >>> network.to_dataframe().shape
        (1, 2)
        """
        return self._edges.copy()

    def to_decoupler(self) -> pd.DataFrame:
        """The table that the methods of decoupler take as ``net``.

        Returns
        -------
        pandas.DataFrame
            ``source``, ``target`` and ``weight``: the network's own ``weight``, else the mode of
            regulation times the likelihood (see `Network.mode_and_likelihood`). Edges of weight
            0 are left out, as decoupler takes them for absent.

        Examples
        --------
        >>> import pandas as pd, pysces
        >>> edges = {"source": ["A", "A"], "target": ["B", "C"], "mor": [-1, 0.5]}
        >>> pysces.Network(pd.DataFrame(edges)).to_decoupler()["weight"].tolist()
        [-1.0, 0.5]
        """
        from pysces.network.formats.decoupler import decoupler_table

        return decoupler_table(self._edges.astype({"source": object, "target": object}))

    def to_networkx(self) -> networkx.DiGraph[Any]:
        """A directed graph of networkx, from regulator to target.

        Returns
        -------
        networkx.DiGraph
            The numeric columns are attributes of its edges.

        Raises
        ------
        PyscesError
            If networkx isn't installed.

        Examples
        --------
        >>> import pandas as pd, pysces
        >>> edges = {"source": ["MYC"], "target": ["MAX"], "mi": [0.5]}
        >>> pysces.Network(pd.DataFrame(edges)).to_networkx()["MYC"]["MAX"]
        {'mi': 0.5}
        """
        from pysces.network._graphs import to_networkx

        return to_networkx(self._edges)

    def to_igraph(self) -> igraph.Graph:
        """A directed graph of igraph, from regulator to target.

        Returns
        -------
        igraph.Graph
            Names are the vertex attribute ``name``, numeric columns are attributes of the edges.

        Raises
        ------
        PyscesError
            If igraph isn't installed.

        Examples
        --------
        >>> import pandas as pd, pysces
        >>> network = pysces.Network(pd.DataFrame({"source": ["MYC"], "target": ["MAX"]}))
        >>> network.to_igraph().vs["name"]  # with igraph
        ['MYC', 'MAX']
        """
        from pysces.network._graphs import to_igraph

        return to_igraph(self._edges)

    def write(self, path: str | os.PathLike[str], format: str | None = None) -> None:
        """Write the network to a file, whole or not at all.

        Parameters
        ----------
        path
            Where to; an existing file is replaced. Names ending in ``.gz`` are compressed.
        format
            By default from the name of the file: ``"tsv"``, ``"csv"``, ``"parquet"``,
            ``"graphml"`` (Cytoscape, igraph, Gephi) keep everything; ``"adj"`` (mutual
            information), ``"gmt"`` and ``"sif"`` (names and signs) keep what the format can hold,
            and the logger names the rest. ``network.txt`` is ARACNe-AP's. On demand also
            ``"aracne-ap"``, ``"aracne3"``, ``"decoupler"`` (source, target, weight) and
            ``"pyviper"`` (regulator, target, mor, likelihood).

        Raises
        ------
        InputError
            If the format isn't known, the network lacks a column that it needs, or a name can't
            be in such a file (a tab in it, say).
        PyscesError
            If the format needs a package that isn't installed.

        Examples
        --------
        >>> import pandas as pd, pysces
        >>> network = pysces.Network(pd.DataFrame({"source": ["MYC"], "target": ["MAX"]}))
        >>> network.write("network.tsv")
        >>> pysces.read_network("network.tsv").equals(network)
        True
        """
        from pysces.network.formats import write_network

        write_network(self._edges, path, format)

    def equals(self, other: EdgeTable, *, rtol: float = 0.0, atol: float = 0.0) -> bool:
        """Whether both have the same edges and columns, in any order, with equal numbers.

        Parameters
        ----------
        other
            The network to compare with.
        rtol, atol
            Relative and absolute difference that still counts as equal.

        Returns
        -------
        bool
            True if nothing differs.

        Examples
        --------
        >>> import pandas as pd, pysces
        >>> network = pysces.Network(pd.DataFrame({"source": ["A", "A"], "target": ["B", "C"]}))
        >>> network.equals(pysces.Network(network.to_dataframe()[::-1]))
        True
        """
        if set(self.columns) != set(other.columns) or len(self) != len(other):
            return False
        mine, theirs = (
            network._edges.astype({"source": str, "target": str}).sort_values(["source", "target"])
            for network in (self, other)
        )
        same_edges = all(
            (mine[name].to_numpy() == theirs[name].to_numpy()).all()
            for name in ("source", "target")
        )
        return same_edges and all(
            np.allclose(mine[name], theirs[name], rtol=rtol, atol=atol) for name in self.columns
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """Numeric columns of this network."""
        return tuple(self._edges.columns[2:])

    def __len__(self) -> int:
        return len(self._edges)


def groups_in(adata: AnnData, key: str) -> list[str]:
    """Groups of which ``adata.uns[key]`` holds networks; none if it holds a single one."""
    return (
        list(RunRecord.of_entries(adata.uns[key]).groups)
        if holds(NetworkResult, adata, key)
        else []
    )
