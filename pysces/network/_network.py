"""Gene regulatory networks as tables of edges."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import pandas as pd

from pysces._keys import NetworkResult, holds, read
from pysces._messages import listed
from pysces._parameters import Range, checked
from pysces._record import RunRecord
from pysces.errors import InputError
from pysces.network._columns import known_columns, named_columns, rows_of_group
from pysces.network._comparison import NetworkComparison, compare_edges, compare_regulons
from pysces.network._edges import checked_edges
from pysces.network._modes import (
    mode_and_likelihood,
    mode_of_regulation,
    prune_order,
    scale_by_regulon,
)
from pysces.network.formats import FormatName, write_network

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

    import igraph
    import networkx
    from anndata import AnnData
    from numpy.typing import NDArray

_SHOWN = 10  # edges in a notebook
_STRENGTHS = ("support", "mi", "weight", "likelihood", "mor", "correlation")


class Network:
    """A gene regulatory network as a table of directed, weighted and signed edges.

    Wraps a table with the columns ``source`` (regulator) and ``target``, one row per edge, and any
    of ``mi`` (mutual information, nats), ``correlation`` (Spearman), ``mor`` (mode of regulation,
    -1 represses, 1 activates), ``likelihood`` (confidence, >= 0), ``support`` (resamples in which
    the edge was found), ``pvalue``, ``qvalue`` and ``weight``. Networks are immutable: methods
    return new ones.

    Parameters
    ----------
    edges
        Table with at least ``source`` and ``target``.
    record
        Run record, stored as ``network.record``: ``options``, ``facts``, ``engine``.

    Raises
    ------
    InputError
        If a column is missing, an edge occurs twice, a name is empty, or a number is missing or
        out of range.

    Examples
    --------
    >>> import pandas as pd
    >>> edges = {"source": ["MYC", "MYC"], "target": ["MAX", "NCL"], "mor": [0.2, 0.9]}
    >>> network = Network(pd.DataFrame(edges))
    >>> network.targets_of("MYC")
    ['MAX', 'NCL']
    """

    @checked()
    def __init__(self, edges: pd.DataFrame, record: RunRecord | None = None) -> None:
        self._edges = checked_edges(edges)
        self.record = RunRecord(version="") if record is None else record

    @classmethod
    @checked()
    def from_dataframe(cls, edges: pd.DataFrame, *, group: str | None = None) -> Self:
        """Create a network from a table, also with the column names of other programs.

        Parameters
        ----------
        edges
            One row per edge, such as decoupler's ``net`` (source, target, weight) or pyviper's
            table (regulator, target, mor, likelihood). Names of other programs are recognised
            regardless of case: ``regulator``, ``tf``, ``regulatoryGene`` and ``geneset`` stand for
            ``source``, ``targetGene`` and ``genesymbol`` for ``target``, ``scc``, ``spearman``,
            ``rho``, ``corr`` and ``pearson`` for ``correlation``, ``importance``, ``estimate`` and
            ``coef_mean`` for ``weight``. If none of these gives the sign of an edge, ``mor`` is
            derived from words or signs in ``mode``, ``sign``, ``regulation`` or ``effect``, or from
            ``is_stimulation`` and ``is_inhibition``. Other columns are left out with a log line.
        group
            Name of the network, if the table has a column ``group`` with several.

        Returns
        -------
        Network
            With the columns of the table.

        Raises
        ------
        InputError
            If it is not a DataFrame, or not one of edges (see `Network`), or if it holds networks
            of several groups and ``group`` is not given.
        MissingKeyError
            If there is no such group.

        Warns
        -----
        PyscesWarning
            If a column with negative numbers is left out, and no other gives the signs of edges.

        Examples
        --------
        >>> import pandas as pd, pysces
        >>> net = pd.DataFrame({"TF": ["MYC"], "target": ["MAX"], "importance": [12.5]})
        >>> pysces.Network.from_dataframe(net).columns
        ('weight',)
        """
        return cls(named_columns(rows_of_group(edges, group, "The table"), "Network"))

    @classmethod
    @checked()
    def from_anndata(cls, adata: AnnData, key: str = "aracne", *, group: str | None = None) -> Self:
        """The network that `pysces.run_aracne` stored in an AnnData.

        Parameters
        ----------
        adata
            Cells x genes, the data that `pysces.run_aracne` was applied to.
        key
            Its ``key_added``.
        group
            Group of the network, if the run used ``groupby=``.

        Returns
        -------
        Network
            With its run record as ``record``.

        Raises
        ------
        MissingKeyError
            If there is no network under the key, or none of the group.
        InputError
            If there are networks of groups, and ``group`` is not given.

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
        record = stored.record
        if group is not None:  # of several networks that were passed there are no facts
            known = group in record.groups
            record = record.of_group(group) if known else replace(record, group=group)
        return cls(known_columns(own)[0], record)

    @classmethod
    @checked()
    def from_networkx(cls, graph: networkx.Graph[Any]) -> Self:
        """Create a network from a directed graph of networkx.

        Parameters
        ----------
        graph
            Directed, from regulator to target; names are those of the nodes (their attribute
            ``name``, if all have one). Attributes of edges become columns.

        Returns
        -------
        Network
            With the known columns of the graph; others are logged.

        Raises
        ------
        InputError
            If the graph is not directed, or an attribute is not a number on every edge.

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
    @checked()
    def from_igraph(cls, graph: igraph.Graph) -> Self:
        """Create a network from a directed graph of igraph.

        Parameters
        ----------
        graph
            Directed, from regulator to target; names are the vertex attribute ``name``, else the
            numbers of the vertices. Attributes of edges become columns.

        Returns
        -------
        Network
            With the known columns of the graph; others are logged.

        Raises
        ------
        InputError
            If the graph is not directed, or an attribute is not a number on every edge.

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

    @checked()
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

    @checked()
    def to_decoupler(self) -> pd.DataFrame:
        """The table that the methods of decoupler take as ``net``.

        Returns
        -------
        pandas.DataFrame
            ``source``, ``target`` and ``weight``: the network's own ``weight``, else the mode of
            regulation times the likelihood (see `Network.mode_and_likelihood`). Edges of weight
            0 are left out, since decoupler treats them as absent.

        Examples
        --------
        >>> import pandas as pd, pysces
        >>> edges = {"source": ["A", "A"], "target": ["B", "C"], "mor": [-1, 0.5]}
        >>> pysces.Network(pd.DataFrame(edges)).to_decoupler()["weight"].tolist()
        [-1.0, 0.5]
        """
        from pysces.network.formats.decoupler import decoupler_table

        return decoupler_table(self._edges.astype({"source": object, "target": object}))

    @checked()
    def to_networkx(self) -> networkx.DiGraph[Any]:
        """A directed graph of networkx, from regulator to target.

        Returns
        -------
        networkx.DiGraph
            The numeric columns are attributes of its edges.

        Raises
        ------
        PyscesError
            If networkx is not installed.

        Examples
        --------
        >>> import pandas as pd, pysces
        >>> edges = {"source": ["MYC"], "target": ["MAX"], "mi": [0.5]}
        >>> pysces.Network(pd.DataFrame(edges)).to_networkx()["MYC"]["MAX"]
        {'mi': 0.5}
        """
        from pysces.network._graphs import to_networkx

        return to_networkx(self._edges)

    @checked()
    def to_igraph(self) -> igraph.Graph:
        """A directed graph of igraph, from regulator to target.

        Returns
        -------
        igraph.Graph
            Names are the vertex attribute ``name``, numeric columns are attributes of the edges.

        Raises
        ------
        PyscesError
            If igraph is not installed.

        Examples
        --------
        >>> import pandas as pd, pysces
        >>> network = pysces.Network(pd.DataFrame({"source": ["MYC"], "target": ["MAX"]}))
        >>> network.to_igraph().vs["name"]  # with igraph
        ['MYC', 'MAX']
        """
        from pysces.network._graphs import to_igraph

        return to_igraph(self._edges)

    @checked()
    def write(self, path: str | os.PathLike[str], format: FormatName | None = None) -> None:
        """Write the network to a file atomically.

        Parameters
        ----------
        path
            Path of the file; an existing one is replaced. Names ending in ``.gz`` are compressed.
        format
            By default inferred from the name of the file: ``"tsv"``, ``"csv"``, ``"parquet"``,
            ``"graphml"`` (Cytoscape, igraph, Gephi) store all columns; ``"adj"`` (mutual
            information), ``"gmt"`` and ``"sif"`` (names and signs) store some, and the others are
            logged. ``network.txt`` is in the format of ARACNe-AP. Never inferred:
            ``"aracne-ap"``, ``"aracne3"``, ``"decoupler"`` (source, target, weight) and
            ``"pyviper"`` (regulator, target, mor, likelihood).

        Raises
        ------
        InputError
            If the format is unknown, requires a column that the network lacks, or cannot store a
            name (for example one with a tab).
        PyscesError
            If the format requires a package that is not installed.

        Examples
        --------
        >>> import pandas as pd, pysces
        >>> network = pysces.Network(pd.DataFrame({"source": ["MYC"], "target": ["MAX"]}))
        >>> network.write("network.tsv")
        >>> pysces.read_network("network.tsv").equals(network)
        True
        """
        write_network(self._edges, path, format)

    @checked(rtol=Range(0, open_high=True), atol=Range(0, open_high=True))
    def equals(self, other: Network, *, rtol: float = 0.0, atol: float = 0.0) -> bool:
        """Whether both have the same edges and columns, in any order, with equal numbers.

        Parameters
        ----------
        other
            The network to compare with.
        rtol, atol
            Relative and absolute tolerance.

        Returns
        -------
        bool
            Whether they are equal.

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

    @checked()
    def compare(
        self, other: Network, *, reference: str = "reference", group: str = "group"
    ) -> NetworkComparison:
        """Compare this network, the reference, with another one.

        Two networks alone do not tell whether a difference is larger than chance: an edge may be
        missing because it barely failed. :func:`pysces.compare_networks` tests the differences from
        the data.

        Parameters
        ----------
        other
            The other network, such as that of another group.
        reference, group
            Names of this network and of the other one.

        Returns
        -------
        NetworkComparison
            Its ``edges`` (one row per edge of either network) and ``regulons``.

        References
        ----------
        Gelman and Stern 2006, Am Stat 60:328 (why a test of the difference is needed).

        Examples
        --------
        >>> import pandas as pd, pysces
        >>> edges = {"source": ["A", "A"], "target": ["B", "C"], "correlation": [0.5, 0.5]}
        >>> first = pysces.Network(pd.DataFrame(edges))
        >>> other = pysces.Network(pd.DataFrame({**edges, "correlation": [0.5, -0.5]}))
        >>> first.compare(other)
        NetworkComparison of group with reference: 0 edges gained, 0 lost, 1 reversed, 1 shared
        """
        edges = compare_edges(self._edges, other._edges)
        return NetworkComparison(edges, compare_regulons(edges), reference, group)

    @property
    def columns(self) -> tuple[str, ...]:
        """Numeric columns of this network."""
        return tuple(self._edges.columns[2:])

    def __len__(self) -> int:
        return len(self._edges)

    @property
    def regulators(self) -> pd.Index:
        """Names of the regulators, in the order of their first edge."""
        return pd.Index(self._edges["source"].cat.categories.to_numpy(), name="regulator")

    @property
    def targets(self) -> pd.Index:
        """Names of the targets, in the order of their first edge."""
        return pd.Index(self._edges["target"].cat.categories.to_numpy(), name="target")

    @checked()
    def regulons(self) -> dict[str, list[str]]:
        """Targets of each regulator.

        Returns
        -------
        dict
            Names of the targets by regulator, both in the order of the table.

        Examples
        --------
        >>> Network(pd.DataFrame({"source": ["A", "A"], "target": ["B", "C"]})).regulons()
        {'A': ['B', 'C']}
        """
        targets = self._edges["target"].to_numpy(dtype=object)
        order = np.argsort(self._regulator_numbers(), kind="stable")
        parts = np.split(targets[order], np.cumsum(self._sizes())[:-1])
        return {name: part.tolist() for name, part in zip(self.regulators, parts, strict=False)}

    @checked()
    def targets_of(self, regulator: str) -> list[str]:
        """Targets of one regulator.

        Parameters
        ----------
        regulator
            Its name.

        Returns
        -------
        list of str
            Names in the order of the table.

        Raises
        ------
        InputError
            If it is not a regulator of this network.

        Examples
        --------
        >>> Network(pd.DataFrame({"source": ["A", "A"], "target": ["B", "C"]})).targets_of("A")
        ['B', 'C']
        """
        return self.regulon(regulator)["target"].astype(str).tolist()

    @checked()
    def regulon(self, regulator: str) -> pd.DataFrame:
        """Edges of one regulator.

        Parameters
        ----------
        regulator
            Its name.

        Returns
        -------
        pandas.DataFrame
            One row per edge, with the columns of the network.

        Raises
        ------
        InputError
            If it is not a regulator of this network.

        Examples
        --------
        >>> network = Network(pd.DataFrame({"source": ["A"], "target": ["B"], "mi": [0.5]}))
        >>> network.regulon("A")["mi"].tolist()
        [0.5]
        """
        if regulator not in self.regulators:
            raise InputError(
                f"{regulator!r} is not a regulator of this network. "
                f"Regulators: {listed(self.regulators)}."
            )
        chosen = self._edges["source"] == regulator
        return self._edges[chosen].reset_index(drop=True)

    @checked()
    def mode_and_likelihood(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mode of regulation and likelihood of each edge [edges], from the available columns.

        Mode: ``mor``, else ``correlation``, else ``weight`` (its sign if any weight exceeds 1),
        else 1. Likelihood: ``likelihood``, else ``mi``, ``support`` or the magnitude of ``weight``
        (if it did not give the mode), scaled to a largest value of 1 per regulon, else 1.

        Returns
        -------
        mode
            Numbers [edges], in [-1, 1] if the columns are.
        likelihood
            Numbers [edges], 0 or more.

        Warns
        -----
        PyscesWarning
            If a weight exceeds 1 and the network has neither ``mor`` nor ``correlation``: modes are
            then the signs of all weights, and likelihoods their magnitudes.

        Examples
        --------
        >>> edges = {"source": ["A", "A"], "target": ["B", "C"], "weight": [0.8, -0.4]}
        >>> Network(pd.DataFrame(edges)).mode_and_likelihood()
        (array([ 0.8, -0.4]), array([1., 1.]))
        >>> edges |= {"mor": [1.0, -1.0]}
        >>> Network(pd.DataFrame(edges)).mode_and_likelihood()
        (array([ 1., -1.]), array([1. , 0.5]))
        """
        columns = {name: self._edges[name].to_numpy(dtype=np.float64) for name in self.columns}
        return mode_and_likelihood(columns, self._regulator_numbers())

    @checked()
    def with_modes(self, based_on: Literal["mi", "support"] = "mi") -> Network:
        """The network with ``mor`` from its correlations and ``likelihood`` scaled per regulon.

        Parameters
        ----------
        based_on
            Column that the likelihood is computed from: divided by the largest of the regulon.

        Returns
        -------
        Network
            With the columns ``mor`` (in [-1, 1]) and ``likelihood`` (in [0, 1]).

        Raises
        ------
        InputError
            If the network has no ``correlation`` or lacks the column.

        Notes
        -----
        See `pysces.network._modes.mode_of_regulation`.

        References
        ----------
        Alvarez et al. 2016, Nature Genetics 48:838 (mode of regulation).

        Examples
        --------
        >>> edges = {"source": ["A", "A"], "target": ["B", "C"], "mi": [0.2, 0.4]}
        >>> network = Network(pd.DataFrame(edges | {"correlation": [0.4, -0.6]}))
        >>> network.with_modes().to_dataframe()["likelihood"].tolist()
        [0.5, 1.0]
        """
        for column in ("correlation", based_on):
            if column not in self.columns:
                raise InputError(
                    f"The network has no column {column!r}, from which modes of regulation and "
                    f"likelihoods are computed. Columns: {listed(self.columns)}."
                )
        mor, _ = mode_of_regulation(self._edges["correlation"].to_numpy())
        scaled = likelihood(self._edges, based_on)
        return Network(self._edges.assign(mor=mor, likelihood=scaled), self.record)

    @checked(n_targets=Range(1))
    def prune(
        self,
        n_targets: int = 50,
        *,
        adaptive: bool = True,
        gene_weights: Mapping[str, float] | pd.Series | None = None,
    ) -> Network:
        """The most likely targets of each regulator.

        Parameters
        ----------
        n_targets
            Size of a regulon. Adaptive: its effective size, the sum of
            (likelihood / largest likelihood)^2.
        adaptive
            Keep targets while the effective size is at most ``n_targets``, instead of the first
            ``n_targets``.
        gene_weights
            Weight of each target, multiplied with its likelihood; 0 for genes that are absent.

        Returns
        -------
        Network
            Edges by regulator, then by decreasing likelihood (ties keep their order).

        Raises
        ------
        InputError
            If ``n_targets`` is less than 1.

        Notes
        -----
        To drop smaller regulons, add ``.filter(min_targets=n_targets)``.

        Examples
        --------
        >>> edges = {"source": ["A", "A"], "target": ["B", "C"], "likelihood": [0.1, 0.9]}
        >>> Network(pd.DataFrame(edges)).prune(1).targets_of("A")
        ['C']
        """
        _, confidence = self.mode_and_likelihood()
        if gene_weights is not None:
            try:
                weights = pd.Series(gene_weights).astype(np.float64)
            except (TypeError, ValueError) as error:
                raise InputError(f"gene_weights must be numbers ({error}).") from error
            weights = weights.reindex(self.targets).fillna(0)
            confidence = confidence * weights.to_numpy()[self._edges["target"].cat.codes]
        kept = prune_order(confidence, self._regulator_numbers(), int(n_targets), adaptive)
        return Network(self._edges.iloc[kept], self.record)

    @checked()
    def filter(self, min_targets: int = 1, *, targets: Iterable[str] | None = None) -> Network:
        """The network without small regulons.

        Parameters
        ----------
        min_targets
            Smallest number of targets of a regulator that is kept.
        targets
            Genes that count as targets (such as those measured); other edges are dropped first.

        Returns
        -------
        Network
            With the remaining edges, in the same order.

        Examples
        --------
        >>> edges = {"source": ["A", "A", "B"], "target": ["C", "D", "C"]}
        >>> Network(pd.DataFrame(edges)).filter(min_targets=2).regulons()
        {'A': ['C', 'D']}
        """
        kept = np.ones(len(self), dtype=bool)
        if targets is not None:
            kept &= self._edges["target"].isin(list(targets)).to_numpy()
        numbers = self._regulator_numbers()
        sizes = np.bincount(numbers[kept], minlength=1)
        kept[kept] = sizes[numbers[kept]] >= min_targets
        return Network(self._edges[kept], self.record)

    def __repr__(self) -> str:
        text = f"Network of {len(self)} edges: "
        text += f"{len(self.regulators)} regulators, {len(self.targets)} targets"
        if len(self):
            sizes = self._sizes()
            text += f" ({sizes.min()} to {sizes.max()} per regulator, median {np.median(sizes):g})"
        return text + (f"; columns {', '.join(self.columns)}" if self.columns else "")

    def _repr_html_(self) -> str:
        shown = self._strongest(_SHOWN).to_html(index=False, float_format="{:.3g}".format)
        note = f"<p>the strongest {_SHOWN} of {len(self)} edges</p>" * (len(self) > _SHOWN)
        return f"<p>{self!r}</p>{shown}{note}"

    def _strongest(self, most: int) -> pd.DataFrame:
        """The edges of highest rank, else of largest support, mutual information or weight."""
        by = "rank" if "rank" in self.columns else None
        by = by or next((one for one in _STRENGTHS if one in self.columns), None)
        if by is None:
            return self._edges.head(most)
        strength = self._edges[by].abs() * (1 if by == "rank" else -1)
        return self._edges.iloc[np.argsort(strength.to_numpy(), kind="stable")[:most]]

    def _regulator_numbers(self) -> NDArray[np.integer]:
        return self._edges["source"].cat.codes.to_numpy().astype(np.int64)

    def _sizes(self) -> NDArray[np.int64]:
        return np.bincount(self._regulator_numbers(), minlength=1)


def likelihood(edges: pd.DataFrame, column: str = "mi") -> NDArray[np.float64]:
    """Likelihood of each edge [edges]: a column divided by its largest value of the regulator.

    Parameters
    ----------
    edges
        Table with ``source`` and the column.
    column
        ``"mi"`` (mutual information; negative values count as 0) or ``"support"``.

    Returns
    -------
    Numbers in [0, 1]; the strongest target of each regulator has 1.

    Examples
    --------
    >>> likelihood(pd.DataFrame({"source": ["MYC", "MYC"], "mi": [0.2, 0.4]}))
    array([0.5, 1. ])
    """
    values = np.maximum(edges[column].to_numpy(dtype=np.float64), 0)
    return scale_by_regulon(values, pd.factorize(edges["source"])[0])


def groups_in(adata: AnnData, key: str) -> list[str]:
    """Groups whose networks are in ``adata.uns[key]``; empty if it holds a single network."""
    return (
        list(RunRecord.of_entries(adata.uns[key]).groups)
        if holds(NetworkResult, adata, key)
        else []
    )
