"""The data processing inequality and the weakest pairs against triple loops."""

from __future__ import annotations

import numpy as np
import pytest


def random_network(rng, regulators, genes, high):
    network = rng.integers(1, high, (regulators, genes)) * (rng.random((regulators, genes)) < 0.7)
    among = np.triu(network[:, :regulators], 1)
    network[:, :regulators] = among + among.T
    return network, np.ascontiguousarray(network[:, :regulators])


@pytest.mark.parametrize("high", [5, 2**61])  # ties, and products beyond 64 bits
@pytest.mark.parametrize("tolerance", [0.0, 0.15, 0.9])
def test_dpi_equals_the_triple_loop(engine, tolerance, high):
    network, between = random_network(np.random.default_rng(1), 7, 25, high)
    kept_fraction = round((1 - tolerance) * 2**30)
    kept = engine("dpi.dpi", network, between, network, kept_fraction)
    for i, g in np.ndindex(kept.shape):
        edge = int(network[i, g])
        explained = any(
            edge * 2**30 < kept_fraction * min(int(between[i, j]), int(network[j, g]))
            for j in range(7)
        )
        assert kept[i, g] == (edge > 0 and not explained)


@pytest.mark.parametrize("high", [4, 2**61])
def test_weakest_pairs_equal_the_triple_loop(engine, high):
    network, between = random_network(np.random.default_rng(2), 8, 12, high)
    marked = engine("dpi.weakest_pairs", between, network)
    assert 0 < marked.sum() < 64
    for i, j in np.ndindex(marked.shape):
        expected = False
        for a, b, c in zip([between[i, j]] * 12, network[i], network[j], strict=True):
            if min(a, b, c) > 0:  # drops i-t, drops j-t, or else the pair itself
                expected |= not (b < a and b < c) and not (c < a and c < b)
        assert marked[i, j] == expected
