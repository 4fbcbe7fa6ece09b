"""Ranks against SciPy and against sorting, and the hash that breaks ties."""

from __future__ import annotations

import importlib
import math

import numpy as np
import pytest
import scipy.stats


@pytest.mark.parametrize("n", [1, 2, 9, 126, 3000, 65_540])
def test_average_ranks_equal_scipy(engine, n, awkward):
    values = awkward(np.random.default_rng(n), n)
    expected = np.nan_to_num(
        2 * scipy.stats.rankdata(values, axis=1, nan_policy="omit"), nan=0.0
    ).astype(np.int32)
    np.testing.assert_array_equal(engine("ranks.average_ranks", values), expected)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("n", [1, 2, 9, 126, 3000])
def test_ordinal_ranks_break_ties_by_hash(engine, n, descending, awkward):
    values = awkward(np.random.default_rng(n), n)
    keys = np.array([0, 1, 2**64 - 1, 2**63, 77, 5], dtype=np.uint64)
    ranks = engine("ranks.ordinal_ranks", values, keys, descending)
    mask = 2**64 - 1

    def hashed(key, s):  # in Python's unbounded integers
        z = (key + (s + 1) * 0x9E3779B97F4A7C15) & mask
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        return z ^ (z >> 31)

    for gene, row in enumerate(values):
        order = sorted(
            range(n),
            key=lambda s: (
                math.isnan(row[s]),
                0 if math.isnan(row[s]) else -row[s] if descending else row[s],
                hashed(int(keys[gene]), s),
                s,
            ),
        )
        assert ranks[gene, order].tolist() == list(range(1, n + 1))


def test_hash_is_splitmix64():
    """The first outputs of the generator for seed 1234567, as published with it."""
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    reference = importlib.import_module("pysces.kernels.python._random")
    compiled = importlib.import_module("pysces.kernels.numba._random")
    key = np.uint64(1234567)
    assert reference.hash64(key, np.arange(3)).tolist() == expected
    assert [int(compiled.hash64(key, i)) for i in range(3)] == expected
    mx = pytest.importorskip("mlx.core", reason="MLX is not installed")
    arrays = importlib.import_module("pysces.kernels.mlx._random")
    assert np.array(arrays.hash64(mx.array(np.array([key])), mx.arange(3))).tolist() == expected
