"""Plot of the mutual information of edges and of independent genes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pysces._parameters import checked
from pysces.aracne._null import null_of
from pysces.aracne._options import estimator_of
from pysces.errors import InputError
from pysces.pl._style import BLUE, INK, VERMILION, axes_of, clean, network_of, numbers_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from anndata import AnnData
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    from pysces._record import RunRecord
    from pysces.network import Network


@checked()
def mi_null(
    network: Network | pd.DataFrame | AnnData,
    mi: pd.DataFrame | None = None,
    *,
    null: ArrayLike | None = None,
    key: str = "aracne",
    group: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the distribution of the mutual information of edges and of independent genes.

    Parameters
    ----------
    network
        A network of `pysces.run_aracne`, a table of its edges, or an AnnData with a network.
    mi
        Mutual information of all pairs (`pysces.mutual_information`); if given, it is also drawn.
    null
        Mutual information of independent pairs, in nats; by default the null distribution of the
        run, from the cache (or simulated again).
    key
        Key of the network in ``adata.uns``.
    group
        Group whose network to draw, if the run had ``groupby=``.
    ax
        Axes to draw on; new ones by default.

    Returns
    -------
    matplotlib.axes.Axes
        Share of pairs with at least a given mutual information, computed from all samples, on a
        square-root scale. With resampling, a dotted line marks the threshold within one resample,
        which has fewer samples.

    Raises
    ------
    InputError
        If the network does not record how it was made and ``null`` is not given.

    Examples
    --------
    >>> import numpy as np, pandas as pd, pysces
    >>> edges = {"source": ["MYC", "MYC"], "target": ["MAX", "NCL"], "mi": [0.2, 0.4]}
    >>> chance = np.random.default_rng(0).exponential(0.01, size=1000)
    >>> ax = pysces.pl.mi_null(pysces.Network(pd.DataFrame(edges)), null=chance)
    >>> ax.get_xlabel()
    'mutual information (nats)'
    """
    network = network_of(network, key, group)
    table, record = network.to_dataframe(), network.record
    facts = record.facts
    if "mi" not in table:
        raise InputError("The network has no column 'mi'. Pass a network of pysces.run_aracne.")
    found = np.sort(table["mi"].to_numpy())
    pairs = None
    if mi is not None:
        values = numbers_of("mi", mi.to_numpy().ravel())
        pairs = np.sort(values[np.isfinite(values)])
    longest = max(float(part.max(initial=0.0)) for part in (found, pairs) if part is not None)
    # Mutual information grows with the square of a correlation, so the null is at the far left.
    grid = (1.04 * longest or 1.0) * np.linspace(0.0, 1.0, 400) ** 2
    ax = axes_of(ax, 6.5, 4.5)
    ax.fill_between(grid, _chance(record, null, grid), color="#cccccc", lw=0, label="independent")
    if pairs is not None:
        ax.plot(
            grid, _share(pairs, grid, len(pairs)), color=BLUE, label=f"all {len(pairs):,} pairs"
        )
    total = len(pairs) if pairs is not None else _n_pairs(facts, len(found))
    name = f"{len(found):,} edges of the network"
    ax.plot(grid, _share(found, grid, total), color=VERMILION, linestyle="--", label=name)
    threshold = facts.get("threshold_mi")
    if isinstance(threshold, float) and np.isfinite(threshold):
        place = "threshold"
        if record.options.get("resampling") is not None:
            place = f"threshold in a resample\nof {facts['samples_per_resample']} samples"
        ax.axvline(threshold, color=INK, linewidth=1, linestyle=":")
        ax.annotate(  # below the legend
            place, (threshold, 0.78), xycoords=("data", "axes fraction"),
            xytext=(3, 0), textcoords="offset points", va="top", fontsize=8,
        )  # fmt: skip
    ax.set_yscale("log")
    ax.set_xscale("function", functions=(_root, np.square))
    ax.set(xlim=(0, grid[-1]), ylim=(0.3 / max(1, total), 1.5))
    ax.set(xlabel="mutual information (nats)", ylabel="share of pairs at or above")
    ax.legend(frameon=False, loc="upper right")
    clean(ax)
    return ax


def _root(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sqrt(np.maximum(values, 0.0))


def _share(values: NDArray[np.float64], grid: NDArray[np.float64], total: int) -> NDArray[Any]:
    """Share of `total` with at least each value of the grid; NaN where the share is 0."""
    above = len(values) - np.searchsorted(values, grid, side="left")
    return np.where(above > 0, above / max(1, total), np.nan)


def _n_pairs(facts: Mapping[str, Any], fewest: int) -> int:
    regulators, genes = facts.get("n_regulators", 0), facts.get("n_genes", 0)
    return max(fewest, int(regulators) * (int(genes) - 1))


def _chance(
    record: RunRecord, null: ArrayLike | None, grid: NDArray[np.float64]
) -> NDArray[np.float64]:
    """P(mutual information of independent genes >= grid)."""
    if null is not None:
        values = np.sort(numbers_of("null", null))
        above = len(values) - np.searchsorted(values, grid)
        return np.asarray((1.0 + above) / (1.0 + len(values)))
    estimator = estimator_of(record)
    if estimator is None or "n_null" not in record.options:
        raise InputError(
            "The network does not record how it was made, so the null distribution is unknown. "
            "Pass the mutual information of independent pairs as null=."
        )
    fixed = np.ceil(grid * estimator.per_nat).astype(np.int64)
    return null_of(estimator, "permutation", int(record.options["n_null"])).pvalues(fixed)
