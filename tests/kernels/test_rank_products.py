"""Products of ranks give Spearman's correlation."""

from __future__ import annotations

import numpy as np
import scipy.stats


def test_rank_products_give_spearman(engine, awkward, engine_of):
    values = awkward(np.random.default_rng(4), 200)[[0, 1, 2, 5]]
    ranks = engine_of("python")("ranks.average_ranks", values)
    first, second = np.array([0, 0, 1, 3]), np.array([1, 2, 3, 3])
    product = engine("correlation.rank_products", ranks, first, second)
    own = engine("correlation.rank_products", ranks, np.arange(4), np.arange(4))
    rho = product / np.sqrt(own[first].astype(float) * own[second])
    expected = [
        scipy.stats.spearmanr(values[a], values[b])[0] for a, b in zip(first, second, strict=True)
    ]
    np.testing.assert_allclose(rho, expected, rtol=1e-12)
