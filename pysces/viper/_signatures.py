"""Signatures of cells against a reference, fitted once and applied to blocks."""

from __future__ import annotations

import logging
from collections.abc import Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np
import pandas as pd
import scipy.sparse as sp

from pysces import _seeds
from pysces.data._sources import Rows
from pysces.dispatch import operations as ops
from pysces.errors import InputError
from pysces.viper._cells import by_genes
from pysces.viper._statistics import Moments, far_from_zero, gene_moments, tables_for, z_of_t

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pysces.data._count_data import CountData
    from pysces.data._expression import Expression

log = logging.getLogger("pysces")
Method = Literal["none", "zscore", "mad", "rank", "ttest", "mean"]
Choice = Literal["auto", "counts", "none", "zscore", "mad", "rank", "ttest", "mean"]
LIMIT = 6.0  # largest absolute score of a count
TIE_BITS = 36  # significant bits of a signature; genes with proportional profiles become ties
_MAD = 1.4826  # ratio of standard deviation to median absolute deviation of normal values


@dataclass(frozen=True)
class Levels:
    """Distinct values of a gene in the reference, and the number of values below each of them.

    ``below`` has one entry more: the number of values. Counts have few distinct values, so this
    needs little memory for sparse data.
    """

    values: NDArray[np.float64]
    below: NDArray[np.int64]

    @classmethod
    def of(cls, column: NDArray[np.float64]) -> Levels:
        """Levels of a column of values; missing values (NaN) are ignored."""
        values, counts = np.unique(column[~np.isnan(column)], return_counts=True)
        return cls(values, np.concatenate([[0], np.cumsum(counts)]))

    def doubled_ranks(self, column: NDArray[np.float64]) -> NDArray[np.int64]:
        """Twice the number of reference values below each value, plus the number equal to it."""
        left, right = (np.searchsorted(self.values, column, side) for side in ("left", "right"))
        return self.below[left] + self.below[right]


class SparseSignature(NamedTuple):
    """Signatures of some cells of a sparse matrix.

    ``zero``: signature of the value 0 in each gene, which all cells have where ``rows`` stores
    nothing. Both become ranks without a dense matrix.
    """

    zero: NDArray[np.float64]
    rows: Rows

    def tables(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Start of the table of normal scores of each cell, and the concatenated tables."""
        indptr, genes, values = self.rows
        absent = np.isnan(self.zero)
        present = np.full(len(indptr) - 1, np.count_nonzero(~absent))
        unlike = np.flatnonzero(absent[genes] != np.isnan(values))
        unlike = unlike[genes[unlike] >= 0]
        cell = np.searchsorted(indptr, unlike, side="right") - 1
        np.add.at(present, cell, np.where(absent[genes[unlike]], 1, -1))
        return tables_for(present)

    def dense(self) -> NDArray[np.float64]:
        """All values [cells genes]."""
        indptr, genes, values = self.rows
        block = np.repeat(self.zero[None], len(indptr) - 1, axis=0)
        place = genes + np.repeat(np.arange(len(block)) * block.shape[1], np.diff(indptr))
        used = genes >= 0
        if used.all():
            block.reshape(-1)[place] = values
        else:
            block.reshape(-1)[place[used]] = values[used]
        return block


@dataclass(frozen=True)
class Signature:
    """A fitted signature, which converts values of cells to scores."""

    method: Method
    bits: int
    against_reference: bool
    centre: NDArray[np.float64] | None = None
    scale: NDArray[np.float64] | None = None
    moments: Moments | None = None
    levels: list[Levels] | None = None
    constant: NDArray[np.bool_] | None = None
    offset: NDArray[np.float64] | None = None

    def of(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Signature of a block of cells [cells genes]."""
        if self.method == "none":
            return values
        if self.method == "rank":
            return self._ranks(values)
        values = self.near_zero(values)
        if self.method == "ttest" and not self.against_reference:
            assert self.moments is not None
            m = self.moments
            return ops.leave_one_out_t(values, m.count, m.mean, m.spread, self.bits)
        assert self.centre is not None
        assert self.scale is not None
        result = ops.standardise(values, self.centre, self.scale, self.bits)
        if self.method == "ttest":
            assert self.moments is not None
            return z_of_t(result, self.moments.count - 1)
        return result

    def of_rows(self, rows: Rows, zero: NDArray[np.float64]) -> SparseSignature:
        """Signature of cells of a sparse matrix, given that of the value 0."""
        if self.method == "none":
            return SparseSignature(zero, rows)
        if self.method == "rank":
            values = self._stored_ranks(rows, len(zero))
        else:
            values = self._of_stored(rows.genes, rows.values)
        return SparseSignature(zero, rows._replace(values=values))

    def of_zero(self, n_genes: int) -> NDArray[np.float64]:
        """Signature of the value 0 in each gene."""
        genes, zero = np.arange(n_genes, dtype=np.int32), np.zeros(n_genes)
        return self.of_rows(Rows(np.array([0, n_genes]), genes, zero), zero).rows.values

    def _of_stored(
        self, genes: NDArray[np.int32], values: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Signature of values of these genes, which may repeat."""
        m = self.moments
        offset = self.offset if m is None else m.offset
        values = values if offset is None else values - offset[genes]
        if self.method == "ttest" and not self.against_reference:
            assert m is not None
            own = m.count[genes], m.mean[genes], m.spread[genes]
            return ops.leave_one_out_t(values[None], *own, self.bits)[0]
        assert self.centre is not None
        assert self.scale is not None
        result = ops.sparse_standardise(genes, values, self.centre, self.scale, self.bits)
        if self.method == "ttest":
            assert m is not None
            return z_of_t(result, m.count[genes] - 1)
        return result

    def near_zero(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values minus the offset of the moments."""
        offset = self.offset if self.moments is None else self.moments.offset
        return values if offset is None else values - offset

    def _ranks(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Average rank of each value among the reference values and itself."""
        assert self.levels is not None
        assert self.constant is not None
        columns = zip(values.T, self.levels, strict=True)
        doubled = np.array([levels.doubled_ranks(column) for column, levels in columns]).T
        return self._halved(doubled.reshape(values.shape), np.isnan(values) | self.constant)

    def _stored_ranks(self, rows: Rows, n_genes: int) -> NDArray[np.float64]:
        """The same of the stored values of some cells."""
        assert self.levels is not None
        assert self.constant is not None
        column = np.where(rows.genes < 0, n_genes, rows.genes)
        at = sp.csr_array(
            (np.arange(len(column)), column, rows.indptr), shape=(len(rows.indptr) - 1, n_genes + 1)
        ).tocsc()
        doubled = np.zeros(len(column), dtype=np.int64)
        for gene in np.flatnonzero(np.diff(at.indptr)[:-1]):
            own = at.data[at.indptr[gene] : at.indptr[gene + 1]]
            doubled[own] = self.levels[gene].doubled_ranks(rows.values[own])
        return self._halved(doubled, np.isnan(rows.values) | self.constant[rows.genes])

    def _halved(self, doubled: NDArray[np.int64], missing: NDArray[np.bool_]) -> Any:
        own = 2 if self.against_reference else 1  # without a reference, levels include the cell
        return np.where(missing, np.nan, (doubled + own) / 2)


def fit(
    cells: Expression,
    method: Method,
    reference: NDArray[np.intp] | None = None,
    *,
    bits: int = TIE_BITS,
) -> Signature:
    """Fit a signature to the reference cells (None: all cells)."""
    if method not in get_args(Method):
        raise InputError(f"signature must be one of {get_args(Method)}. Got {method!r}.")
    if method == "none":
        return Signature(method, bits, False)
    against = cells if reference is None else cells.take_samples(reference)
    needed = {"ttest": 3 if reference is None else 2, "zscore": 2}.get(method, 1)
    if against.n_samples < needed:
        raise InputError(
            f"signature={method!r} needs at least {needed} cells to compare with. "
            f"Got {against.n_samples}. Choose a larger reference."
        )
    known = {"method": method, "bits": bits, "against_reference": reference is not None}
    if method == "mad":
        offset = far_from_zero(against)
        at = np.zeros(against.n_genes) if offset is None else offset
        start = 0
        medians = []
        for values in by_genes(against):
            part = slice(start, start := start + values.shape[1])
            medians.append(ops.gene_medians(values if offset is None else values - at[part]))
        centre, deviation = (np.concatenate(parts) for parts in zip(*medians, strict=True))
        found = Signature(**known, centre=centre, scale=_MAD * deviation, offset=offset)  # type: ignore[arg-type]
        constant = deviation == 0
    elif method == "rank":
        levels = _levels(against)
        constant = np.array([len(found.values) < 2 for found in levels], dtype=bool)
        constant = constant & (reference is None)
        found = Signature(**known, levels=levels, constant=constant)  # type: ignore[arg-type]
    else:
        moments = gene_moments(against)
        constant = moments.spread == 0
        if method == "mean":
            alike = np.where(constant & (reference is None), np.nan, 1.0)
            scale = np.asarray(alike)
        else:
            scale = moments.sd if method == "zscore" else moments.standard_error
        found = Signature(
            **known,  # type: ignore[arg-type]
            centre=moments.mean,
            scale=scale,
            moments=moments,
        )
    if constant.any():
        log.warning(
            "%d of %d genes do not vary in the reference; treating them as missing.",
            np.count_nonzero(constant),
            len(constant),
        )
    return found


def reference_rows(reference: Any, names: pd.Index) -> NDArray[np.intp] | None:
    """Positions of the reference among the cells: from a mask, positions or names."""
    if reference is None:
        return None
    if isinstance(reference, slice):
        reference = np.arange(len(names))[reference]
    if (
        isinstance(reference, pd.Series)
        and names.is_unique
        and len(reference) == len(names)
        and set(reference.index) == set(names)
    ):
        reference = reference.reindex(names)
    chosen = np.asarray(list(reference) if isinstance(reference, Set) else reference)
    if chosen.dtype == object and all(isinstance(value, bool | np.bool_) for value in chosen.flat):
        chosen = chosen.astype(bool)
    if chosen.ndim != 1:
        raise InputError(
            f"The reference must be a list of cells or a mask. Got shape {chosen.shape}."
        )
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
        if not names.is_unique:
            raise InputError(
                "Cell names are not unique, so the reference cannot be given by name. "
                "Pass a mask, or make them unique with `adata.obs_names_make_unique()`."
            )
        rows = names.astype(str).get_indexer(pd.Index(chosen).astype(str))
        if (rows < 0).any():
            raise InputError(
                "Some names of the reference are not among the cells. Pass names of cells."
            )
    if len(rows) == 0:
        raise InputError("The reference has no cells. Choose another group or mask.")
    return np.unique(rows)


def _levels(cells: Expression) -> list[Levels]:
    """Levels of each gene."""
    return [Levels.of(column) for values in by_genes(cells) for column in values.T]


def count_signature(
    data: CountData,
    reference: NDArray[np.intp] | None,
    names: pd.Index,
    draw: int | None = None,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Scores of counts (h1), or one draw of their residuals, float64 [cells genes].

    NaN for empty cells, and for genes without counts in the reference (of the cell's batch).
    """
    model = data.fit(samples=reference).at(data.depth, data.batch, limit=LIMIT)
    if draw is None:
        values = data.scores(model).sample_block()
    else:
        genes = _seeds.keys(seed, data.expression.genes, "residual", draw)
        counts = data.expression.gene_block()
        drawn = model.residuals(counts, slice(None), genes, _seeds.keys(seed, names))
        values = np.ascontiguousarray(drawn.T)
    values[(model.share == 0)[model.batch]] = np.nan
    values[model.depth == 0] = np.nan
    return values
