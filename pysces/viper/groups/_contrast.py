"""Signatures between two groups of cells, and null signatures, by blocks of genes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pysces.data._expression import Expression
from pysces.data._labels import group_mask, labels_of
from pysces.dispatch.blocks import block_length, blocks
from pysces.errors import InputError
from pysces.viper._cells import by_name
from pysces.viper._statistics import (
    bootstrap_orders,
    bootstrapped_group_z,
    group_z,
    permutation_orders,
    permuted_group_z,
)

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from pysces.data._count_data import CountData

log = logging.getLogger("pysces")

Score = Callable[["NDArray[np.float64]", "NDArray[np.float64]"], "NDArray[np.float64]"]
DrawnScore = Callable[["NDArray[np.float64]", "NDArray[np.float64]", range], "NDArray[np.float64]"]


@dataclass(frozen=True)
class Contrast:
    """A group of cells and the reference that it is compared with.

    Attributes
    ----------
    expression
        The cells of the group, then those of the reference, both sorted by name. Permutations and
        bootstraps, which draw cells by position, therefore do not depend on the order of the input.
    n_group, n_unlabelled
        Number of cells of the group; number of cells without a label, which are in neither.
    counts
        The same cells as counts, if their scores given depth are compared (by Welch's t, since the
        spread of a score changes with depth).
    """

    expression: Expression
    n_group: int
    n_unlabelled: int = 0
    counts: CountData | None = None

    @property
    def n_reference(self) -> int:
        """Number of cells of the reference."""
        return self.expression.n_samples - self.n_group

    @property
    def _welch(self) -> bool:
        return self.counts is not None

    def of_genes(self, genes: NDArray[np.intp]) -> Contrast:
        """The same cells with some of the genes."""
        if self.counts is None:
            return replace(self, expression=self.expression.take_genes(genes))
        counts = self.counts.take_genes(genes)
        return replace(self, expression=counts.scores(counts.fit()), counts=counts)

    def signature(self) -> NDArray[np.float64]:
        """Normal score of each gene between the groups [genes]."""
        return self._by_genes(lambda x, y: group_z(x, y, welch=self._welch)[None])[0]

    def permuted(self, number: int, seed: int) -> NDArray[np.float64]:
        """Null signatures of permuted groups [permutations genes]."""
        return self._drawn(
            number,
            lambda x, y, draws: permuted_group_z(
                x, y, permutation_orders(len(x), len(y), draws, seed), welch=self._welch
            ),
        )

    def bootstrapped(self, number: int, seed: int) -> NDArray[np.float64]:
        """Signatures of groups that are resampled separately [bootstraps genes]."""
        return self._drawn(
            number,
            lambda x, y, draws: bootstrapped_group_z(
                x, y, *bootstrap_orders(len(x), len(y), draws, seed), welch=self._welch
            ),
        )

    def _by_genes(self, score: Score) -> NDArray[np.float64]:
        """Scores [draws genes] of the values of both groups, in blocks of genes."""
        n_cells, n_genes = self.expression.shape
        found = []
        for part in blocks(n_genes, block_length(64.0 * n_cells, n_genes)):
            values = self.expression.gene_block(part).T
            found.append(score(values[: self.n_group], values[self.n_group :]))
        return np.concatenate(found, axis=1)

    def _drawn(self, number: int, score: DrawnScore) -> NDArray[np.float64]:
        """Scores of `number` draws, in blocks that fit in memory."""
        step = block_length(48.0 * self.expression.n_samples, number)
        draws = [range(part.start, part.stop) for part in blocks(number, step)]
        return self._by_genes(lambda x, y: np.concatenate([score(x, y, part) for part in draws]))


def contrast(
    adata: AnnData,
    groupby: str,
    group: str,
    reference: str,
    layer: str | None,
    counts: CountData | None = None,
    gene_symbols: str | None = None,
) -> Contrast:
    """A group of cells against another, or against all other cells with a label (``"rest"``).

    counts: counts of all cells, if they are compared given depth. gene_symbols: column of ``var``
    with the names of genes.
    """
    if str(group) == str(reference):
        raise InputError(f"group and reference are both {group!r}. Choose another reference.")
    labels = labels_of(adata, groupby)
    inside = group_mask(labels, groupby, group)
    labelled = labels.codes >= 0
    rest = reference == "rest"
    outside = ~inside & labelled if rest else group_mask(labels, groupby, reference)
    for mask, name in ((inside, group), (outside, reference)):
        if mask.sum() < 2:
            raise InputError(
                f"{name!r} has {mask.sum()} cell(s); both groups need at least 2. "
                "Choose larger groups."
            )
    unlabelled = int(np.count_nonzero(~labelled))
    if rest and unlabelled:
        log.warning(
            "%d of %d cells have no label in .obs[%r]; leaving them out of the rest.",
            unlabelled,
            len(labelled),
            groupby,
        )
    order = by_name(adata.obs_names)
    cells = np.concatenate([order[mask[order]] for mask in (inside, outside)])
    n_group = int(inside.sum())
    if counts is None:
        expression = Expression.from_anndata(
            adata, layer=layer, gene_symbols=gene_symbols, allow_missing=True
        )
        return Contrast(expression.take_samples(cells), n_group, unlabelled)
    chosen = counts.take_samples(cells)
    if not set(chosen.batch[:n_group]) & set(chosen.batch[n_group:]):
        raise InputError(
            "No batch of batch_key= has cells of both groups, so batches and groups cannot be "
            "distinguished. Leave batch_key out, or choose another reference."
        )
    return Contrast(chosen.expression, n_group, unlabelled, chosen)
