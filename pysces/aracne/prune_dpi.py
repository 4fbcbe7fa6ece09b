"""Prune a table of mutual information by the data processing inequality."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from pysces._parameters import Range, checked
from pysces.aracne._dpi import kept_fraction
from pysces.aracne._options import DPI_METHODS
from pysces.dispatch import operations as ops
from pysces.dispatch.engines import use_engine
from pysces.errors import InputError
from pysces.settings import EngineName

if TYPE_CHECKING:
    pass


@checked(tolerance=Range(0, 1, open_high=True))
def prune_dpi(
    mi: pd.DataFrame,
    *,
    tolerance: float = 0.0,
    method: Literal["dpi", "maxent"] = "dpi",
    engine: EngineName | None = None,
) -> pd.DataFrame:
    """Remove indirect edges by the data processing inequality.

    Edge (i, g) is removed if some regulator j has ``MI(i,g) < (1 - tolerance) MI(i,j)`` and
    ``MI(i,g) < (1 - tolerance) MI(j,g)``; all decisions are made on the unpruned network.

    Parameters
    ----------
    mi
        Regulators x genes, as returned by :func:`mutual_information`. Zeros, NaN and negative
        values (from the Miller-Madow correction or rounding) are no edges. Regulators must be among
        the genes.
    tolerance
        In [0, 1).
    method
        ``"dpi"``, or ``"maxent"`` (ARACNe3: every triangle loses exactly one edge).
    engine
        As in :func:`run_aracne`.

    Returns
    -------
    pandas.DataFrame
        The mutual information after pruning; removed edges are 0.

    Raises
    ------
    InputError
        If it is not a DataFrame whose regulators are among its genes, a value is infinite, or an
        argument is out of range.
    EngineUnavailable
        If an engine is given by name and cannot run on this machine.

    References
    ----------
    Margolin et al. 2006, BMC Bioinformatics 7(S1):S7.

    Examples
    --------
    >>> import pandas as pd, pysces
    >>> mi = pd.DataFrame(
    ...     [[0.0, 0.9, 0.3], [0.9, 0.0, 0.8]], index=["A", "B"], columns=["A", "B", "G"]
    ... )
    >>> pysces.prune_dpi(mi).loc["A", "G"]
    np.float64(0.0)
    """
    unique = mi.index.is_unique and mi.columns.is_unique
    places = mi.columns.get_indexer(mi.index) if unique else np.array([-1])
    if (places < 0).any():
        raise InputError(
            "Rows of mi must be regulators and columns genes, each named once, with every "
            "regulator among the genes. Pass what pysces.mutual_information returns."
        )
    values = np.maximum(0.0, np.nan_to_num(mi.to_numpy(dtype=np.float64), posinf=np.inf))
    network = _order_preserving(values)
    between = network[:, places]
    with use_engine(engine):
        keep = ops.dpi(network, between, network, kept_fraction(tolerance))
        if DPI_METHODS[method] == "maxent":
            keep[:, places] &= ~ops.weakest_pairs(between, network)
    return pd.DataFrame(np.where(keep, values, 0.0), index=mi.index, columns=mi.columns)


def _order_preserving(values: np.ndarray) -> np.ndarray:
    """Integers proportional to mutual information, fine enough to keep all values distinct."""
    largest = float(values.max(initial=0.0))
    if not np.isfinite(largest):
        raise InputError("Mutual information must be finite. Replace the infinite values.")
    if largest == 0.0:
        return np.zeros(values.shape, dtype=np.int64)
    # The smallest value stays an edge.
    return np.maximum(np.rint(values / largest * 2.0**61), values > 0).astype(np.int64)
