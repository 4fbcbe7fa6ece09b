"""Counts with the depth and the batch of every sample."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pysces.data._counts import CountModel
from pysces.data._expression import Expression
from pysces.data._fit_by_samples import fit_by_samples
from pysces.data._margins import Columns
from pysces.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pysces.data._sources import Order, Positions

    Floats = NDArray[np.float64]

Counts = Literal["auto"] | bool


@dataclass(frozen=True, eq=False)
class CountData:
    """Counts, and the depth and batch of every sample.

    Attributes
    ----------
    expression
        The counts, samples x genes, read by blocks.
    depth
        Depth of each sample, float64 [samples].
    batch
        Batch of each sample, int64 [samples], counted from 0.
    recovered
        Whether they were recovered from normalised values.
    source
        Where the depth comes from, in words.
    """

    expression: Expression
    depth: Floats
    batch: NDArray[np.int64]
    recovered: bool
    source: str

    @property
    def facts(self) -> dict[str, Any]:
        """What the record of a run says of them."""
        return {
            "recovered": self.recovered,
            "depth": self.source,
            "batches": int(self.batch.max()) + 1,
        }

    @cached_property
    def model(self) -> CountModel:
        """Margins of all genes, fitted on all samples.

        Not calibrated: genes that cells of one type have and others lack, which no negative
        binomial fits, are the targets that matter most, and their scores keep more of the
        difference as they are.
        """
        return self.fit()

    def fit(
        self, genes: slice | NDArray[Any] = slice(None), samples: NDArray[np.intp] | None = None
    ) -> CountModel:
        """Margins of some genes for all samples, fitted to some samples (all by default)."""
        rows = np.arange(len(self.depth)) if samples is None else samples
        source = self.expression.take_genes(genes).take_samples(rows)
        if samples is not None and (left := set(self.batch.tolist()) - set(self.batch[rows])):
            raise InputError(
                f"{len(left)} of the batches of batch_key= have no cell in the reference, so the "
                "levels of their genes are unknown. Choose a reference with cells of every batch."
            )
        known = source.n_genes, self.depth[rows], self.batch[rows]
        if source.is_sparse:
            return fit_by_samples(source, *known[1:]).at(self.depth, self.batch)
        model = CountModel.fit(partial(_columns, source), *known, calibrate=False)
        return model.at(self.depth, self.batch)

    def scores(self, model: CountModel) -> Expression:
        """First scores (h1) of the genes of a model, as an expression matrix read by blocks.

        model: margins of the genes of ``expression`` for all of its samples.
        """
        source = _ScoreSource(self.expression, model)
        scores = Expression(source, self.expression.genes, self.expression.samples)
        scores._values_checked = True
        return scores

    def take_genes(self, genes: NDArray[Any]) -> CountData:
        """The counts of some genes."""
        return replace(self, expression=self.expression.take_genes(genes))

    def take_samples(self, rows: NDArray[np.intp]) -> CountData:
        """The counts of some samples; batches without samples are removed."""
        _, batch = np.unique(self.batch[rows], return_inverse=True)
        return replace(
            self,
            expression=self.expression.take_samples(rows),
            depth=self.depth[rows],
            batch=batch.astype(np.int64),
        )


def _columns(source: Expression, genes: slice) -> Columns | Floats:
    """Counts of some genes; only those above 0 of a sparse matrix."""
    stored = source.sparse_genes(genes)
    if stored is None:
        return source.gene_block(genes)
    return Columns(*stored.some((stored.genes >= 0) & (stored.values != 0)))


class _ScoreSource:
    """First scores of counts, read by blocks (a `Source`)."""

    def __init__(self, counts: Expression, model: CountModel) -> None:
        self._counts, self._model = counts, model
        self.shape, self.dtype = counts.shape, np.dtype(np.float64)
        self.by_samples = counts._source.by_samples
        self.in_memory = counts._source.in_memory

    def read(self, samples: Positions, genes: Positions, order: Order) -> Floats:
        block = self._counts._read(samples, genes, "F")
        model = self._model.take(genes)
        model = model.at(model.depth[samples], model.batch[samples])
        return np.array(model.scores(block.T)[0].T, order=order)

    def read_rows(self, samples: Positions) -> None:
        return None  # the score of a zero is not 0

    def read_columns(self, genes: Positions) -> None:
        return None

    def is_ordinary(self) -> bool:
        return True

    def sample_bytes(self) -> float:
        return 8.0 * self.shape[1]
