"""Signatures of counts: scores given depth, or draws of their randomised quantile residuals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pysces import _seeds

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from pysces.data._count_data import CountData


LIMIT = 6.0
"""Largest absolute score of a gene in a cell."""


def count_signature(
    data: CountData,
    reference: NDArray[np.intp] | None,
    names: pd.Index,
    draw: int | None = None,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Scores of counts (h1), or one draw of their residuals, float64 [cells genes].

    NaN in empty cells, and where a gene has no counts in the reference (of the cell's batch).
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
