"""Comparison of two networks: edges and regulons that one of them lacks, or that differ."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd

from pysces._keys import ComparisonResult, read
from pysces._parameters import checked
from pysces._record import RunRecord
from pysces.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData

CHANGES = ("gained", "lost", "reversed", "shared")
NUMBERS = ("correlation", "mi", "support", "qvalue")


@dataclass(frozen=True, eq=False)
class NetworkComparison:
    """Differences of the network of a group from that of a reference.

    Returned by `Network.compare`, and read by `NetworkComparison.from_anndata` from data that
    `compare_networks` was applied to.

    Parameters
    ----------
    edges
        One row per edge of either network: ``source``, ``target``, ``change`` (``"gained"``: only
        in the network of the group, ``"lost"``: only in that of the reference, ``"reversed"``: in
        both with correlations of opposite sign, ``"shared"``), and numbers in both networks, such
        as ``support_reference`` and ``support_group``.
        From `compare_networks` also ``statistic``, ``pvalue``, ``qvalue`` and ``significant``.
    regulons
        One row per regulator: ``regulator``, ``change`` (``"gained"`` if only the group has
        targets, ``"lost"`` if only the reference, else ``"shared"``), the numbers of targets
        ``n_reference``, ``n_group`` and ``n_common``, and ``jaccard`` (common / either).
        From `compare_networks` also ``statistic``, ``pvalue``, ``qvalue`` and ``significant``.
    reference, group
        Names of the two networks.
    record
        Run record: ``options``, ``facts``, ``engine``.

    Raises
    ------
    InputError
        If a table lacks a column.

    Examples
    --------
    >>> import pandas as pd, pysces
    >>> a = pysces.Network(pd.DataFrame({"source": ["A", "A"], "target": ["B", "C"]}))
    >>> b = pysces.Network(pd.DataFrame({"source": ["A", "A"], "target": ["C", "D"]}))
    >>> a.compare(b).edges[["source", "target", "change"]].values.tolist()
    [['A', 'D', 'gained'], ['A', 'B', 'lost'], ['A', 'C', 'shared']]
    """

    edges: pd.DataFrame
    regulons: pd.DataFrame
    reference: str = "reference"
    group: str = "group"
    record: RunRecord = field(default_factory=lambda: RunRecord(version=""))

    def __post_init__(self) -> None:
        """Check the columns."""
        for table, wanted in (
            (self.edges, ("source", "target", "change")),
            (self.regulons, ("regulator", "change", "jaccard")),
        ):
            if absent := [name for name in wanted if name not in getattr(table, "columns", ())]:
                raise InputError(
                    f"A table of a NetworkComparison has no column {absent[0]!r}. Use "
                    "`pysces.compare_networks` or `Network.compare`, which return complete ones."
                )

    @classmethod
    @checked()
    def from_anndata(cls, adata: AnnData, key: str = "comparison") -> Self:
        """The comparison that `pysces.compare_networks` stored in an AnnData.

        Parameters
        ----------
        adata
            Cells x genes, the data that `pysces.compare_networks` was applied to.
        key
            Its ``key_added``.

        Returns
        -------
        NetworkComparison
            With its run record as ``record``.

        Raises
        ------
        MissingKeyError
            If there is no comparison under the key.

        Examples
        --------
        >>> import anndata, numpy as np, pysces
        >>> adata = anndata.AnnData(np.random.default_rng(0).normal(size=(60, 3)))
        >>> adata.var_names = ["MYC", "MAX", "NCL"]
        >>> adata.X[:30, 1] += 3 * adata.X[:30, 0]
        >>> adata.obs["state"] = ["sick"] * 30 + ["well"] * 30
        >>> few = {"resampling": None, "n_permutations": 19, "n_null": 10_000}
        >>> pysces.compare_networks(adata, "state", "sick", regulators=["MYC"], **few)
        >>> pysces.NetworkComparison.from_anndata(adata)
        NetworkComparison of sick with rest: 1 edge gained, 0 lost, 0 reversed, 0 shared; 1 differs
        """
        stored = read(ComparisonResult, adata, key)
        options = stored.record.options
        return cls(
            stored.edges,
            stored.regulons,
            str(options.get("reference")),
            str(options.get("group")),
            stored.record,
        )

    def __repr__(self) -> str:
        counts = self.edges["change"].value_counts()
        gained, *others = ((int(counts.get(name, 0)), name) for name in CHANGES)
        text = f"NetworkComparison of {self.group} with {self.reference}: "
        text += f"{gained[0]} edge{'s' * (gained[0] != 1)} gained"
        text += "".join(f", {count} {name}" for count, name in others)
        if "significant" in self.edges:
            count = int(self.edges["significant"].sum())
            text += f"; {count} differ{'s' * (count == 1)}"
        return text


def compare_edges(reference: pd.DataFrame, group: pd.DataFrame) -> pd.DataFrame:
    """Edges of either of two tables; numbers that both have get the names of the two as suffixes.

    Edges are in the order of `CHANGES`, and by name.
    """
    numbers = [name for name in NUMBERS if name in reference and name in group]
    reference, group = (
        table[["source", "target", *numbers]].astype({"source": object, "target": object})
        for table in (reference, group)
    )
    both = reference.merge(
        group,
        on=["source", "target"],
        how="outer",
        suffixes=("_reference", "_group"),
        indicator="change",
    )
    side = both["change"].astype(str).to_numpy()
    change = np.select([side == "right_only", side == "left_only"], ["gained", "lost"], "shared")
    change = change.astype(object)
    if "correlation" in numbers:
        opposite = both["correlation_reference"] * both["correlation_group"] < 0
        change[(change == "shared") & opposite.to_numpy()] = "reversed"
    return ordered(both.assign(change=change))


def ordered(edges: pd.DataFrame) -> pd.DataFrame:
    """Edges in order: by statistic if there is one, by change and by name."""
    first = ["source", "target", "change"]
    edges = edges[[*first, *edges.columns.difference(first, sort=False)]]
    edges = edges.assign(change=pd.Categorical(edges["change"], CHANGES))
    by = [*(["statistic"] if "statistic" in edges else []), "change", "source", "target"]
    edges = edges.sort_values(by, ascending=[name != "statistic" for name in by], ignore_index=True)
    return edges.astype({"source": "category", "target": "category"})


def compare_regulons(edges: pd.DataFrame) -> pd.DataFrame:
    """Numbers of targets of each regulator in both networks; the most different regulons first."""
    change = edges["change"].astype(str)
    common = change.isin(["shared", "reversed"])
    sizes = (
        pd.DataFrame(
            {
                "regulator": edges["source"].astype(str),
                "n_reference": (common | (change == "lost")).astype(int),
                "n_group": (common | (change == "gained")).astype(int),
                "n_common": common.astype(int),
            }
        )
        .groupby("regulator", as_index=False)
        .sum()
    )
    n_reference, n_group, n_common = (
        sizes[name].to_numpy() for name in ("n_reference", "n_group", "n_common")
    )
    changed = np.select([n_reference == 0, n_group == 0], ["gained", "lost"], "shared")
    sizes.insert(1, "change", pd.Series(pd.Categorical(changed, ["gained", "lost", "shared"])))
    sizes["jaccard"] = n_common / np.maximum(1, n_reference + n_group - n_common)
    return sizes.sort_values(["jaccard", "regulator"], ignore_index=True)
