"""Correlations of the pairs of a network: by blocks that keep to the memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

import pysces
from pysces.aracne._correlation import spearman
from pysces.data._expression import Expression


def test_blocks_of_pairs_keep_to_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pair has two genes, each with values (8 bytes a sample) and ranks (4)."""
    values = np.random.default_rng(0).normal(size=(20, 60))
    expression = Expression.from_matrix(values, genes=[f"g{k}" for k in range(60)])
    monkeypatch.setattr(pysces.settings, "_memory", 40_000)
    read = expression.gene_block
    sizes = []

    def watched(genes: Any = slice(None)) -> np.ndarray:
        block = read(genes)
        sizes.append(block.size * (8 + 4))
        return block

    monkeypatch.setattr(expression, "gene_block", watched)
    first, second = np.arange(30), np.arange(30, 60)  # no gene in two pairs
    found = spearman(expression, first, second)
    assert len(sizes) > 1
    assert max(sizes) <= 40_000 / 4
    right = stats.spearmanr(values).statistic[first, second]
    np.testing.assert_allclose(found, right, atol=1e-12)
