"""Gene regulatory networks as a tidy table of edges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from pysces._messages import listed
from pysces.errors import InputError
from pysces.network._edge_table import EdgeTable
from pysces.network._modes import (
    mode_and_likelihood,
    mode_of_regulation,
    prune_order,
    scale_by_regulon,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray


class Network(EdgeTable):
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
    record
        How it was made, kept as ``network.record``: ``options``, ``facts``, ``engine``.

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

    @property
    def regulators(self) -> pd.Index:
        """Names of the regulators, in the order of their first edge."""
        return pd.Index(self._edges["source"].cat.categories.to_numpy(), name="regulator")

    @property
    def targets(self) -> pd.Index:
        """Names of the targets, in the order of their first edge."""
        return pd.Index(self._edges["target"].cat.categories.to_numpy(), name="target")

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
            If it isn't a regulator of this network.

        Examples
        --------
        >>> Network(pd.DataFrame({"source": ["A", "A"], "target": ["B", "C"]})).targets_of("A")
        ['B', 'C']
        """
        return self.regulon(regulator)["target"].astype(str).tolist()

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
            If it isn't a regulator of this network.

        Examples
        --------
        >>> network = Network(pd.DataFrame({"source": ["A"], "target": ["B"], "mi": [0.5]}))
        >>> network.regulon("A")["mi"].tolist()
        [0.5]
        """
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

        Returns
        -------
        mode
            Numbers [edges] in [-1, 1] (as far as the columns are).
        likelihood
            Numbers [edges], 0 or more.

        Warns
        -----
        PyscesWarning
            If a weight exceeds 1 and neither ``mor`` nor ``correlation`` is there: all weights are
            then signs and sizes, also those within 1.

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

    def with_modes(self, based_on: Literal["mi", "support"] = "mi") -> Network:
        """The network with ``mor`` from its correlations and ``likelihood`` scaled per regulon.

        Parameters
        ----------
        based_on
            Column from which the likelihood is made: divided by the largest of the regulon.

        Returns
        -------
        Network
            With the columns ``mor`` (in [-1, 1]) and ``likelihood`` (in [0, 1]).

        Raises
        ------
        InputError
            If the network has no ``correlation`` or not the column named.

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
                    f"likelihoods are made. Columns: {listed(self.columns)}."
                )
        mor, _ = mode_of_regulation(self._edges["correlation"].to_numpy())
        scaled = likelihood(self._edges, based_on)
        return Network(self._edges.assign(mor=mor, likelihood=scaled), self.record)

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

        Raises
        ------
        InputError
            If ``n_targets`` is less than 1.

        Notes
        -----
        To drop regulons that end up smaller, add ``.filter(min_targets=n_targets)``.

        Examples
        --------
        >>> edges = {"source": ["A", "A"], "target": ["B", "C"], "likelihood": [0.1, 0.9]}
        >>> Network(pd.DataFrame(edges)).prune(1).targets_of("A")
        ['C']
        """
        if isinstance(n_targets, bool) or not n_targets >= 1:
            raise InputError(f"n_targets must be at least 1. Got {n_targets!r}.")
        _, confidence = self.mode_and_likelihood()
        if gene_weights is not None:
            weights = pd.Series(gene_weights, dtype=np.float64).reindex(self.targets).fillna(0)
            confidence = confidence * weights.to_numpy()[self._edges["target"].cat.codes]
        kept = prune_order(confidence, self._regulator_numbers(), int(n_targets), adaptive)
        return Network(self._edges.iloc[kept], self.record)

    def filter(self, min_targets: int = 1, *, targets: Iterable[str] | None = None) -> Network:
        """The network without small regulons.

        Parameters
        ----------
        min_targets
            Fewest targets of a regulator that stays.
        targets
            Genes that count as targets (those measured, say); edges to others are dropped first.

        Returns
        -------
        Network
            With the edges that are left, in the same order.

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
