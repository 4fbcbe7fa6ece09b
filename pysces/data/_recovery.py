"""Recover counts from values that were divided by depth and log-transformed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pysces.data._expression import Expression
from pysces.data._sources import EXACT, Rows, rows_per_pass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

    from pysces.data._sources import Order, Positions

    Floats = NDArray[np.float64]

_MOST_PARTS = 5  # the smallest value of a cell is at most this many counts
_TOLERANCE = 0.05  # deviation of a multiple from an integer
_LARGEST = 20.0  # multiples up to this one are tested
_NEEDED = 0.99  # share of the multiples that must be integers
_LARGEST_EXPONENT = 40.0  # larger values are not logarithms of counts
_TOGETHER = 1 << 15  # values that stay in the cache of a CPU


@dataclass(frozen=True, eq=False)
class Recovered:
    """Counts recovered from normalised values.

    Attributes
    ----------
    counts
        The counts, an `Expression` of the same samples and genes, read by blocks.
    depth
        Depth of each sample, float64 [samples]: the given totals, else the inverse of the unit,
        scaled so that no sum of a sample exceeds its depth. 0 for a sample without values.
    unit
        Value of one count in each sample, before the logarithm, float64 [samples].
    base
        Base of the logarithm; ``None`` if the values are not log-transformed.
    exact
        Whether every value is within 0.05 of an integer number of counts.
    """

    counts: Expression
    depth: Floats
    unit: Floats
    base: float | None
    exact: bool


def looks_like_counts(expression: Expression) -> bool:
    """Whether all values are non-negative integers, and not all are 0.

    Examples
    --------
    >>> import numpy as np
    >>> looks_like_counts(Expression.from_matrix(np.array([[0, 3], [1, 0]]), genes=["A", "B"]))
    True
    """
    some = False
    for _, block in expression._stored_blocks():
        values = (block.values if isinstance(block, Rows) else block).ravel(order="K")
        for start in range(0, len(values), _TOGETHER):
            own = values[start : start + _TOGETHER]
            if not ((own >= 0) & (own < EXACT)).all() or not (own == np.floor(own)).all():
                return False  # beyond 2^53 every number is an integer
            some = some or bool(own.any())
    return some


def recover_counts(
    expression: Expression, base: float | None = None, totals: ArrayLike | None = None
) -> Recovered | None:
    """Recover counts from values normalised to a common sum and transformed by log(1 + x).

    Before the logarithm, all values of a sample are integer multiples of one unit, the value of one
    count. The unit is the smallest value divided by the smallest m of 1 ... 5 for which all
    multiples up to 20 are integers (within 0.05). It is the inverse of the depth up to a constant,
    whichever genes were removed.

    Parameters
    ----------
    expression
        Values, samples x genes.
    base
        Base of the logarithm (``uns["log1p"]["base"]`` of Scanpy); by default e, 2, 10 and no
        logarithm are tried.
    totals
        Total counts of each sample, if known. The unit of a sample without a count of 1 can be
        several counts; it is corrected by the total.

    Returns
    -------
    Recovered or None
        ``None`` if fewer than 99 % of the multiples between 1.5 and 20 are integers, or there are
        fewer than ten of them, or a value is negative.

    Examples
    --------
    >>> import numpy as np
    >>> counts = np.random.default_rng(0).poisson(1.0, size=(5, 50))
    >>> values = np.log1p(counts / counts.sum(axis=1, keepdims=True) * 1e4)
    >>> data = Expression.from_matrix(values, genes=[f"gene{i}" for i in range(50)])
    >>> recovered = recover_counts(data)
    >>> bool((recovered.counts.sample_block() == counts).all()), recovered.exact
    (True, True)
    """
    if (expression.sample_block(slice(0, 16), copy=False) < 0).any():
        return None  # without reading more
    first = None
    for tried in [base] if base is not None else [math.e, 2.0, 10.0, None]:
        units = _units(expression, tried)
        if units is None:
            continue
        found = _recovered(expression, tried, *units, totals)
        if found.exact:
            return found
        first = first or found  # values far below 1 hardly depend on the base
    return first


def _linear(block: Floats, base: float | None) -> Floats:
    """Values before the logarithm."""
    if base is None:
        return block
    return np.expm1(block if base == math.e else block * math.log(base))


def _row_blocks(expression: Expression) -> Iterator[tuple[slice, NDArray[np.intp], Floats]]:
    """Blocks of samples: the row within the block and the value of everything that is not 0."""
    step = rows_per_pass(expression.n_genes)
    for start in range(0, expression.n_samples, step):
        rows = slice(start, min(start + step, expression.n_samples))
        stored = expression.sparse_block(rows)
        if stored is None:
            block = expression.sample_block(rows)
            row, column = np.nonzero(block)
            yield rows, row, block[row, column]
            continue
        stored = stored.some((stored.genes >= 0) & (stored.values != 0))
        yield rows, stored.samples(), stored.values


def _units(expression: Expression, base: float | None) -> tuple[Floats, Floats] | None:
    """Unit and sum of each sample before the logarithm; None if multiples are not integers."""
    unit, total = np.zeros(expression.n_samples), np.zeros(expression.n_samples)
    fitting, tested = 0, 0
    for rows, row, values in _row_blocks(expression):
        if not (values >= 0).all() or (base is not None and (values > _LARGEST_EXPONENT).any()):
            return None
        linear = _linear(values, base)
        n = rows.stop - rows.start
        unit[rows], fits, tests = _units_of_rows(row, linear, n)
        ends = np.searchsorted(row, np.arange(1, n))
        total[rows] = [math.fsum(part) for part in np.split(linear, ends)]
        fitting, tested = fitting + fits, tested + tests
        if tested > 1000 and fitting < 0.5 * tested:
            return None
    return (unit, total) if tested >= 10 and fitting >= _NEEDED * tested else None


def _units_of_rows(row: NDArray[np.intp], values: Floats, n_rows: int) -> tuple[Floats, int, int]:
    """Unit of each row, and the number of integers among its multiples from 1.5 to 20.

    row, values: row and value of what is not 0, by rows.
    """
    least = np.full(n_rows, np.inf)
    np.minimum.at(least, row, values)
    parts = np.ones(n_rows)
    open_rows = np.isfinite(least)
    for m in range(1, _MOST_PARTS + 1):
        if not open_rows.any():
            break
        multiple = values / least[row] * m
        wrong = (multiple <= _LARGEST) & (np.abs(multiple - np.rint(multiple)) > _TOLERANCE)
        fine = open_rows & (np.bincount(row, weights=wrong, minlength=n_rows) == 0)
        parts[fine] = m
        open_rows &= ~fine
    unit = np.where(np.isfinite(least), least / parts, 0.0)
    multiple = values / unit[row]
    tested = (multiple > 1.5) & (multiple <= _LARGEST)
    whole = np.abs(multiple - np.rint(multiple)) <= _TOLERANCE
    return unit, int((tested & whole).sum()), int(tested.sum())


def _recovered(
    expression: Expression,
    base: float | None,
    unit: Floats,
    total: Floats,
    totals: ArrayLike | None,
) -> Recovered:
    some = unit > 0
    depth = np.zeros(len(unit))
    if totals is None:
        depth[some] = total.max() / unit[some]
    else:
        known = np.asarray(totals, dtype=np.float64)
        target = float(np.median((known * unit)[some]))
        parts = np.rint(known * unit / target)
        close = np.abs(known * unit / target - parts) <= _TOLERANCE * parts
        unit = np.where(some & close & (parts > 1), unit / np.maximum(parts, 1), unit)
        depth[some] = known[some]
    counts = Expression(_CountSource(expression, unit, base), expression.genes, expression.samples)
    counts._values_checked = True
    exact = all(
        _whole(_linear(values, base) / unit[rows][row])
        for rows, row, values in _row_blocks(expression)
    )
    return Recovered(counts, depth, unit, base, exact)


def _whole(multiple: Floats) -> bool:
    return bool((np.abs(multiple - np.rint(multiple)) < _TOLERANCE).all())


class _CountSource:
    """Recovered counts, read by blocks (a `Source`)."""

    def __init__(self, expression: Expression, unit: Floats, base: float | None) -> None:
        self._expression, self._base = expression, base
        self._unit = np.where(unit > 0, unit, 1.0)
        self.shape, self.dtype = expression.shape, np.dtype(np.float64)
        self.by_samples = expression._source.by_samples
        self.in_memory = expression._source.in_memory

    def read(self, samples: Positions, genes: Positions, order: Order) -> Floats:
        block = self._expression._read(samples, genes, order)
        unit = self._unit[samples]
        return np.array(np.rint(_linear(block, self._base) / unit[:, None]), order=order)

    def read_rows(self, samples: Positions) -> Rows | None:
        rows = self._expression.sparse_block(samples)
        if rows is None:
            return None
        unit = self._unit[samples][rows.samples()]
        return rows._replace(values=np.rint(_linear(rows.values, self._base) / unit))

    def read_columns(self, genes: Positions) -> Rows | None:
        columns = self._expression.sparse_genes(genes)
        if columns is None:
            return None
        linear = _linear(columns.values, self._base)
        return columns._replace(values=np.rint(linear / self._unit[columns.genes]))

    def is_ordinary(self) -> bool:
        return True

    def sample_bytes(self) -> float:
        return self._expression._source.sample_bytes()
