"""Spearman correlation of the pairs of a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pysces.dispatch import operations as ops
from pysces.dispatch.blocks import block_length, blocks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pysces.data._expression import Expression


def spearman(
    expression: Expression, first: NDArray[np.int64], second: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Spearman correlation of given pairs of genes over all samples (average ranks of ties).

    With r twice the average rank and c = r - (n + 1): sum c_x c_y / sqrt(sum c_x^2 sum c_y^2),
    whose three sums are exact integers.

    Parameters
    ----------
    expression
        Genes x samples.
    first, second
        Positions of genes, [pairs].
    """
    found = np.zeros(len(first))
    order = np.argsort(second, kind="stable")  # the pairs of a block share few genes on one side
    per_pair = expression.n_samples * 24  # values and ranks of both genes
    for block in blocks(len(order), block_length(per_pair, len(order))):
        pairs = order[block]
        genes, place = np.unique(np.concatenate([first[pairs], second[pairs]]), return_inverse=True)
        ranks = ops.average_ranks(expression.gene_block(genes))
        x, y = place[: len(pairs)], place[len(pairs) :]
        every = np.arange(len(genes))
        squares = ops.rank_products(ranks, every, every).astype(np.float64)
        products = ops.rank_products(ranks, x, y).astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            found[pairs] = products / (np.sqrt(squares[x]) * np.sqrt(squares[y]))
    # A constant gene has correlation 0; rounding must not exceed 1.
    return np.clip(np.nan_to_num(found), -1.0, 1.0)
