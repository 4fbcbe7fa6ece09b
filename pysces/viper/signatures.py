"""Gene signatures: how each cell's genes differ from the other cells, or from a reference."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd

from pysces.dispatch import operations as ops
from pysces.dispatch.chunks import block_length, blocks
from pysces.errors import InputError
from pysces.viper.blocks import Cells, Read, Table, frame, some_cells
from pysces.viper.moments import Moments, gene_moments
from pysces.viper.quantiles import z_of_t

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

log = logging.getLogger("pysces")

Method = Literal["none", "zscore", "mad", "rank", "ttest", "mean"]
ALL_BITS = 53
TIE_BITS = 36  # kept before ranking, so that genes with proportional profiles are ties
_MAD = 1.4826  # makes the median absolute deviation of normal values their standard deviation


@dataclass(frozen=True)
class Signature:
    """What turns values of cells into a signature."""

    method: Method
    bits: int
    against_reference: bool
    centre: NDArray[np.float64] | None = None
    scale: NDArray[np.float64] | None = None
    moments: Moments | None = None
    ordered: NDArray[np.float64] | None = None
    constant: NDArray[np.bool_] | None = None

    def of(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Signature of some cells [cells genes]."""
        if self.method == "none":
            return values
        if self.method == "rank":
            return self._ranks(values)
        if self.method == "ttest" and not self.against_reference:
            assert self.moments is not None
            m = self.moments
            return ops.leave_one_out_t(values, m.count, m.mean, m.spread, self.bits)
        assert self.centre is not None
        assert self.scale is not None
        result = ops.standardise(values, self.centre, self.scale, self.bits)
        if self.method == "ttest":
            assert self.moments is not None
            result = z_of_t(result, self.moments.count - 1)
        return result

    def _ranks(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Average rank of each value among the reference (and itself)."""
        assert self.ordered is not None
        assert self.constant is not None
        doubled = _ranks_among(values, self.ordered)
        own = 2 if self.against_reference else 1  # a cell of the reference is counted already
        return np.where(np.isnan(values) | self.constant, np.nan, (doubled + own) / 2)


def fit(
    cells: Table | Read,
    method: Method,
    reference: NDArray[np.intp] | None = None,
    *,
    bits: int = ALL_BITS,
) -> Signature:
    """Learn from the reference cells (all for None) what a signature is measured against."""
    if method not in get_args(Method):
        raise InputError(f"signature must be one of {get_args(Method)}. Got {method!r}.")
    if method == "none":
        return Signature(method, bits, False)
    against = some_cells(cells, reference)
    needed = {"ttest": 3 if reference is None else 2, "zscore": 2}.get(method, 1)
    if against.n_cells < needed:
        raise InputError(
            f"signature={method!r} needs at least {needed} cells to compare with. "
            f"Got {against.n_cells}. Choose a larger reference."
        )
    known = {"method": method, "bits": bits, "against_reference": reference is not None}
    if method == "mad":
        centre, deviation = _medians(against)
        found = Signature(**known, centre=centre, scale=_MAD * deviation)  # type: ignore[arg-type]
        constant = deviation == 0
    elif method == "rank":
        values = against.block(slice(0, against.n_cells))
        with np.errstate(invalid="ignore"):
            constant = np.fmin.reduce(values, axis=0) >= np.fmax.reduce(values, axis=0)
        constant = constant & (reference is None)
        found = Signature(**known, ordered=values, constant=constant)  # type: ignore[arg-type]
    else:
        moments = gene_moments(against)
        constant = moments.spread == 0
        if method == "mean":
            alike = np.where(constant & (reference is None), np.nan, 1.0)
            scale = np.asarray(alike)
        else:
            scale = moments.sd if method == "zscore" else moments.standard_error
        found = Signature(**known, centre=moments.mean, scale=scale, moments=moments)  # type: ignore[arg-type]
    if constant.any():
        log.warning(
            "%d of %d genes don't vary among the cells compared with; they count as missing.",
            np.count_nonzero(constant),
            len(constant),
        )
    return found


def signature(
    expression: Any, *, method: Method = "zscore", reference: ArrayLike | None = None
) -> pd.DataFrame:
    """How each sample's genes differ from the other samples, or from a reference.

    Parameters
    ----------
    expression
        Samples x genes: a DataFrame, or an AnnData (its ``X``).
    method
        ``"zscore"``: (x - mean) / sd. ``"mad"``: (x - median) / (1.4826 median |x - median|).
        ``"rank"``: average rank among the samples. ``"ttest"``: t of the differences from the
        other samples; against a reference, the normal score with the t's p-value. ``"mean"``:
        x - mean. ``"none"``: the values as they are.
    reference
        Samples to compare with: a boolean mask, positions or names. All by default.

    Returns
    -------
    Samples x genes. A gene that doesn't vary is missing (NaN); one that doesn't vary in the
    reference but differs from it is infinite, and so ranks at the end.

    Raises
    ------
    InputError
        If names repeat, the reference is empty or unknown, or the method isn't known.

    Examples
    --------
    >>> table = pd.DataFrame({"MYC": [1.0, 2.0, 3.0], "ACTB": [5.0, 5.0, 5.0]})
    >>> signature(table)["MYC"].tolist()
    [-1.0, 0.0, 1.0]
    """
    table = frame(expression)
    rows = reference_rows(reference, table.index)
    cells = Table(table.to_numpy())
    fitted = fit(cells, method, rows)
    return pd.DataFrame(fitted.of(cells.values), index=table.index, columns=table.columns)


def reference_rows(reference: Any, names: pd.Index) -> NDArray[np.intp] | None:
    """Positions of the reference among the cells: from a mask, positions or names."""
    if reference is None:
        return None
    chosen = np.asarray(reference)
    if chosen.dtype == bool:
        if chosen.shape != (len(names),):
            raise InputError(
                f"The mask of the reference has shape {chosen.shape} for {len(names)} cells."
            )
        rows = np.flatnonzero(chosen)
    elif chosen.dtype.kind in "iu":
        rows = chosen.astype(np.intp)
        if rows.size and (rows.min() < 0 or rows.max() >= len(names)):
            raise InputError(f"Positions of the reference must lie in 0 ... {len(names) - 1}.")
    else:
        rows = names.astype(str).get_indexer(pd.Index(chosen.ravel()).astype(str))
        if (rows < 0).any():
            raise InputError("Some names of the reference aren't among the cells.")
    if len(rows) == 0:
        raise InputError("The reference has no cells. Choose another group or mask.")
    return np.sort(rows)


def _medians(cells: Cells) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Median and median absolute deviation of each gene, by blocks of genes."""
    step = block_length(32.0 * cells.n_cells, cells.n_genes)
    found = [ops.gene_medians(cells.columns(part)) for part in blocks(cells.n_genes, step)]
    return np.concatenate([f[0] for f in found]), np.concatenate([f[1] for f in found])


def _ranks_among(
    values: NDArray[np.float64], reference: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Twice the number of reference values below each value, plus the number equal to it.

    From ranks within both together, less the ranks within the values alone.
    """
    n = len(values)
    step = block_length(24.0 * (n + len(reference)), values.shape[1])
    result = np.empty(values.shape)
    for part in blocks(values.shape[1], step):
        own = np.ascontiguousarray(values[:, part].T)
        both = np.concatenate([own, reference[:, part].T], axis=1)
        result[:, part] = (ops.average_ranks(both)[:, :n] - ops.average_ranks(own)).T
    return result
