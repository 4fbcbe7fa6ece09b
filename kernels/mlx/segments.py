"""Means over groups of cells (pseudobulk) on MLX: tree sums of pairs of float32 (48 bits)."""

from __future__ import annotations

import mlx.core as mx
import numpy as np

from . import _double as dd
from . import _fixed as fx
from ._double import Double


def segment_means(values: Double, segment: mx.array, n_segments: int) -> Double:
    """See the reference."""
    genes = values.hi.shape[1]
    owner = np.array(segment)
    means = []
    for index in range(n_segments):
        members = np.flatnonzero(owner == index)
        if len(members) == 0 or genes == 0:
            means.append(fx.nan_double((genes,)))
            continue
        rows = mx.array(members)
        total = dd.sum(Double(values.hi[rows], values.lo[rows]), axis=0)
        count = dd.from_numpy(np.full(genes, float(len(members))))
        means.append(fx.quotient(total, count))
        mx.eval(means[-1])
    if not means:
        return fx.zero_double((0, genes))
    return Double(mx.stack([m.hi for m in means]), mx.stack([m.lo for m in means]))
