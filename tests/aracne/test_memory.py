"""`settings.memory` bounds what a run takes, whatever the data's size."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import pysces
from pysces.settings import settings

GENES = [f"g{i}" for i in range(6000)]
QUICK = {"n_null": 20_000, "consensus": "poisson", "resample_pvalue": 1e-5}
EARLIER = {"estimator": "adaptive", "resampling": "subsample"}
BOTH = pytest.mark.parametrize("rules", [{}, EARLIER], ids=["copula", "earlier"])


@pytest.fixture(scope="module")
def values() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(150, len(GENES))).astype(np.float32)


def _peak(values: np.ndarray, n_resamples: int, rules: dict[str, str]) -> float:
    """Largest allocation of a run in MiB, beyond its input."""
    tracemalloc.start()
    try:
        pysces.infer_network(
            values,
            GENES[:600],
            genes=GENES,
            n_resamples=n_resamples,
            alpha=1e-9,
            **QUICK,
            **rules,
        )
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.filterwarnings("ignore::pysces.PyscesWarning")
def test_a_run_keeps_to_the_memory_it_is_given(values, monkeypatch, fast) -> None:
    """The matrix of all pairs alone would take 28 MiB a resample."""
    _peak(values[:, :6000], 1, EARLIER)  # compiles; simulates the null distribution
    peaks = {}
    for mebibytes in (8, 32, 1024):
        monkeypatch.setattr(settings, "_memory", mebibytes * 2**20)
        peaks[mebibytes] = _peak(values, 2, EARLIER)
    assert peaks[8] < 8
    assert peaks[32] < 32
    assert peaks[1024] > 16  # the test can tell


@pytest.mark.filterwarnings("ignore::pysces.PyscesWarning")
def test_scores_and_tiles_of_the_copula_take_little(values, monkeypatch, fast) -> None:
    """No matrix of all pairs is made, though tiles of 512 x 512 pairs have a size of their own."""
    monkeypatch.setattr(settings, "_memory", 8 * 2**20)
    monkeypatch.setattr(settings, "_threads", 1)
    _peak(values, 2, {})
    assert _peak(values, 2, {}) < 32


@pytest.mark.filterwarnings("ignore::pysces.PyscesWarning")
@BOTH
def test_more_resamples_take_no_more_memory(values, monkeypatch, rules, fast) -> None:
    monkeypatch.setattr(settings, "_memory", 8 * 2**20)
    for name in ("_MOST_TOGETHER", "_FEWEST_TOGETHER"):  # resamples of scores go by batches
        monkeypatch.setattr(f"pysces.aracne._resampling.{name}", 4)
    _peak(values, 1, rules)
    monkeypatch.setattr(settings, "_threads", 1)
    few = _peak(values, 4, rules)
    assert _peak(values, 16, rules) < 1.25 * few  # four times as many would show
