"""Gene regulatory networks as a tidy table of edges."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from pysces.edges import checked_edges, known_columns
from pysces.errors import InputError, MissingKeyError, PyscesError
from pysces.keys import NetworkKeys
from pysces.messages import listed
from pysces.regulon import mode_of_regulation, prune_order, scale_by_regulon

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

    import networkx
    from anndata import AnnData
    from numpy.typing import NDArray

logger = logging.getLogger("pysces")


class Network:
    """A gene regulatory network: who regulates whom, how strongly, and in which direction.

    Wraps a table with the columns ``source`` (regulator) and ``target``, one row per edge, and any
    of ``mi`` (mutual information, nats), ``correlation`` (Spearman), ``mor`` (mode of regulation,
    -1 represses, 1 activates), ``likelihood`` (confidence, >= 0), ``support`` (resamples in which
    the edge was found), ``pvalue``, ``qvalue`` and ``weight``. Networks don't change: every method
    returns a new one.

    Parameters
    ----------
    edges
        Table with at least ``source`` and ``target``.
    params
        How it was made: the run record, kept as ``network.params``.

    Raises
    ------
    InputError
        If a column is missing, an edge occurs twice, a name is empty, or a number is missing or
        out of its range.

    Examples
    --------
    >>> import pandas as pd
    >>> edges = {"source": ["MYC", "MYC"], "target": ["MAX", "NCL"], "mor": [0.2, 0.9]}
    >>> network = Network(pd.DataFrame(edges))
    >>> network.targets_of("MYC")
    ['MAX', 'NCL']
    """

    def __init__(self, edges: pd.DataFrame, params: Mapping[str, Any] | None = None) -> None:
        self._edges = checked_edges(edges)
        self.params: dict[str, Any] = dict(params or {})

    @classmethod
    def from_dataframe(cls, edges: pd.DataFrame) -> Network:
        """Network of a table, also with the column names of other programs.

        ``regulator`` or ``tf`` stand for ``source``, ``scc`` for ``correlation``, ``importance``
        for ``weight``, in any case of letters. Other columns are left out; the logger names them.
        """
        if not isinstance(edges, pd.DataFrame):
            raise InputError(f"Expected a DataFrame of edges, got {type(edges).__name__}.")
        table, left_out = known_columns(edges)
        if left_out:
            logger.info("Network: left out the columns %s.", listed(left_out))
        return cls(table)

    @classmethod
    def from_anndata(cls, adata: AnnData, key: str = NetworkKeys.key) -> Network:
        """The network that `pysces.run_aracne` left in an AnnData under a key.

        Raises
        ------
        MissingKeyError
            If there is no network under that key.
        """
        name = NetworkKeys.network
        record = adata.uns.get(key)
        if isinstance(record, dict) and name in record:
            return cls(known_columns(record[name])[0], record.get(NetworkKeys.params))
        argument = "" if key == NetworkKeys.key else f", key_added={key!r}"
        others = [k for k, v in adata.uns.items() if isinstance(v, dict) and name in v]
        raise MissingKeyError(
            f"Did not find .uns[{key!r}]. Run `pysces.run_aracne(adata{argument})` first."
            + (f" Networks are there under {listed(others)}." if others else "")
        )

    def to_dataframe(self) -> pd.DataFrame:
        """A copy of the table: categorical ``source`` and ``target``, numeric columns."""
        return self._edges.copy()

    @property
    def regulators(self) -> pd.Index:
        """Names of the regulators, in the order of their first edge."""
        return pd.Index(self._edges["source"].cat.categories.to_numpy(), name="regulator")

    @property
    def targets(self) -> pd.Index:
        """Names of the targets, in the order of their first edge."""
        return pd.Index(self._edges["target"].cat.categories.to_numpy(), name="target")

    @property
    def columns(self) -> tuple[str, ...]:
        """Numeric columns of this network."""
        return tuple(self._edges.columns[2:])

    def __len__(self) -> int:
        return len(self._edges)

    def regulons(self) -> dict[str, list[str]]:
        """Targets of each regulator, in the order of the table."""
        targets = self._edges["target"].to_numpy(dtype=object)
        order = np.argsort(self._regulator_numbers(), kind="stable")
        parts = np.split(targets[order], np.cumsum(self._sizes())[:-1])
        return {name: part.tolist() for name, part in zip(self.regulators, parts, strict=False)}

    def targets_of(self, regulator: str) -> list[str]:
        """Targets of one regulator; InputError if it isn't in the network."""
        return self.regulon(regulator)["target"].astype(str).tolist()

    def regulon(self, regulator: str) -> pd.DataFrame:
        """Edges of one regulator; InputError if it isn't in the network."""
        if regulator not in self.regulators:
            raise InputError(
                f"{regulator!r} isn't a regulator of this network. "
                f"Regulators: {listed(self.regulators)}."
            )
        chosen = self._edges["source"] == regulator
        return self._edges[chosen].reset_index(drop=True)

    def mode_and_likelihood(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mode of regulation and likelihood of each edge [edges], from what the network has.

        Mode: ``mor``, else ``correlation``, else ``weight`` (its sign, where weights exceed 1),
        else 1. Likelihood: ``likelihood``, else ``mi``, ``support`` or the size of ``weight``
        (where that didn't give the mode), scaled to a largest value of 1 per regulon, else 1.
        """
        table = {name: self._edges[name].to_numpy(dtype=np.float64) for name in self.columns}
        weight = table.get("weight")
        mode = table.get("mor", table.get("correlation"))
        if mode is None and weight is not None:
            graded = (np.abs(weight) <= 1).all()
            mode = weight if graded else np.sign(weight)
            weight = None if graded else weight
        if mode is None:
            mode = np.ones(len(self))
        if "likelihood" in table:
            return mode.copy(), table["likelihood"].copy()
        size = table.get("mi", table.get("support", None if weight is None else np.abs(weight)))
        if size is None:
            return mode.copy(), np.ones(len(self))
        return mode.copy(), scale_by_regulon(np.maximum(size, 0), self._regulator_numbers())

    def with_modes(self, based_on: Literal["mi", "support"] = "mi") -> Network:
        """The network with ``mor`` from its correlations and ``likelihood`` scaled per regulon.

        Parameters
        ----------
        based_on
            Column from which the likelihood is made: divided by the largest of the regulon.

        Raises
        ------
        InputError
            If the network has no ``correlation`` or not the column named.

        Notes
        -----
        See `pysces.regulon.mode_of_regulation`.
        """
        for column in ("correlation", based_on):
            if column not in self.columns:
                raise InputError(
                    f"The network has no column {column!r}, from which modes of regulation and "
                    f"likelihoods are made. Columns: {listed(self.columns)}."
                )
        mor, _ = mode_of_regulation(self._edges["correlation"].to_numpy())
        scaled = likelihood(self._edges, based_on)
        return Network(self._edges.assign(mor=mor, likelihood=scaled), self.params)

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
            Weight of each target, multiplied with its likelihood; 0 for genes not named.

        Returns
        -------
        Network
            Edges by regulator, then by decreasing likelihood (ties keep their order).

        Notes
        -----
        To drop regulons that end up smaller, add ``.filter(min_targets=n_targets)``.
        """
        if isinstance(n_targets, bool) or not n_targets >= 1:
            raise InputError(f"n_targets must be at least 1. Got {n_targets!r}.")
        _, confidence = self.mode_and_likelihood()
        if gene_weights is not None:
            weights = pd.Series(gene_weights, dtype=np.float64).reindex(self.targets).fillna(0)
            confidence = confidence * weights.to_numpy()[self._edges["target"].cat.codes]
        kept = prune_order(confidence, self._regulator_numbers(), int(n_targets), adaptive)
        return Network(self._edges.iloc[kept], self.params)

    def filter(self, min_targets: int = 1, *, targets: Iterable[str] | None = None) -> Network:
        """The network without small regulons.

        Parameters
        ----------
        min_targets
            Fewest targets of a regulator that stays.
        targets
            Genes that count as targets (those measured, say); edges to others are dropped first.
        """
        kept = np.ones(len(self), dtype=bool)
        if targets is not None:
            kept &= self._edges["target"].isin(list(targets)).to_numpy()
        numbers = self._regulator_numbers()
        sizes = np.bincount(numbers[kept], minlength=1)
        kept[kept] = sizes[numbers[kept]] >= min_targets
        return Network(self._edges[kept], self.params)

    def equals(self, other: Network, *, rtol: float = 0.0, atol: float = 0.0) -> bool:
        """Whether both have the same edges and columns, in any order, with equal numbers."""
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

    def to_networkx(self) -> networkx.DiGraph[Any]:
        """A directed graph with the numeric columns as attributes of its edges."""
        try:
            import networkx
        except ImportError as error:
            raise PyscesError(
                f"Network.to_networkx needs the package networkx ({error}). "
                "Install it with: pip install networkx"
            ) from error
        table = self._edges.astype({"source": object, "target": object})
        return networkx.from_pandas_edgelist(
            table, edge_attr=list(self.columns) or None, create_using=networkx.DiGraph
        )

    def write(self, path: str | os.PathLike[str], format: str | None = None) -> None:
        """Write the network to a file, whole or not at all.

        Parameters
        ----------
        path
            Where to; an existing file is replaced. Names ending in ``.gz`` are compressed.
        format
            ``"tsv"``, ``"csv"``, ``"parquet"``, ``"aracne-ap"``, ``"aracne3"``, ``"adj"`` or
            ``"gmt"``; by default from the name of the file (``network.txt`` is ARACNe-AP's).

        Raises
        ------
        InputError
            If the format isn't known, or the network lacks a column that it needs.
        """
        from pysces.network_writers import write_network

        write_network(self._edges, path, format)

    def __repr__(self) -> str:
        text = f"Network of {len(self)} edges: "
        text += f"{len(self.regulators)} regulators, {len(self.targets)} targets"
        if len(self):
            sizes = self._sizes()
            text += f" ({sizes.min()} to {sizes.max()} per regulator, median {np.median(sizes):g})"
        return text + (f"; columns {', '.join(self.columns)}" if self.columns else "")

    def _repr_html_(self) -> str:
        note = "" if len(self) <= 5 else f"<p>first 5 of {len(self)} edges</p>"
        return f"<p>{self!r}</p>{self._edges.head(5).to_html(index=False)}{note}"

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
        ``"mi"`` (mutual information; less than 0 counts as 0) or ``"support"``.

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
