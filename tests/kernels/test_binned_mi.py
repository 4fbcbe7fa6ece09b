"""Mutual information of equal-frequency bins against entropies, and the bins."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from pysces.aracne._partition import bins, c_log_c, to_nats
from pysces.errors import InputError


@pytest.mark.parametrize("n_bins", [1, 2, 5, 13, 14, 40, 256])
@pytest.mark.parametrize("n", [1, 63, 64, 65, 700])
def test_binned_mi_equals_the_entropies(engine, n, n_bins):
    rng = np.random.default_rng(n)
    x = rng.integers(0, n_bins, (2, n)).astype(np.uint8)
    y = rng.integers(0, max(1, n_bins - 1), (3, n)).astype(np.uint8)  # the last bin stays empty
    y[0] = x[0]
    half = 1 << 39
    plain, corrected = (engine("mi.binned_mi", x, y, n_bins, c_log_c(n), h) for h in (0, half))

    def entropy(*columns):
        counts = np.unique(np.stack(columns), axis=1, return_counts=True)[1]
        return scipy.stats.entropy(counts), len(counts)

    for i, j in np.ndindex(plain.shape):
        (h_x, k_x), (h_y, k_y), (h_xy, k_xy) = entropy(x[i]), entropy(y[j]), entropy(x[i], y[j])
        assert to_nats(plain, n, 40)[i, j] == pytest.approx(h_x + h_y - h_xy, abs=1e-9)
        assert corrected[i, j] - plain[i, j] == half * (k_x + k_y - k_xy - 1)


def test_bins_are_of_equal_size_and_keep_ties_together(engine_of):
    for n, n_bins in ((10, 3), (100, 10), (7, 7), (5, 9)):
        bin_of = bins(np.arange(1, n + 1, dtype=np.int32)[None], n_bins)
        sizes = np.bincount(bin_of[0], minlength=n_bins)
        assert sizes.max() - sizes.min() <= 1
        doubled = 2 * np.arange(1, n + 1, dtype=np.int32)[None]
        np.testing.assert_array_equal(bins(doubled, n_bins, ties="together"), bin_of)
    counts = np.array([[0, 0, 0, 0, 0, 0, 1, 2, 3, 4]], dtype=np.float64)
    doubled = engine_of("python")("ranks.average_ranks", counts)
    assert bins(doubled, 5, ties="together").tolist() == [[1] * 6 + [3, 3, 4, 4]]
    with pytest.raises(InputError, match="n_bins"):
        bins(doubled, 1)
