"""Selection and rounding of the Numba engine against the plain forms of the reference."""

from __future__ import annotations

import numpy as np
import pytest

numba = pytest.importorskip("numba")

from pysces.kernels.numba import _jit, segments  # noqa: E402
from pysces.kernels.numba import signatures as compiled  # noqa: E402
from pysces.kernels.python import signatures as reference  # noqa: E402


def columns() -> dict[str, np.ndarray]:
    """Columns that are hard on a selection, at lengths around powers of two."""
    rng = np.random.default_rng(0)
    n = 257
    pipe = np.concatenate([np.arange(128), np.arange(129)[::-1]])
    made = {
        "random": rng.normal(size=n),
        "sorted": np.arange(n),
        "reversed": -np.arange(n),
        "organ pipe": pipe,
        "counts": rng.poisson(0.3, n),
        "two values": rng.integers(0, 2, n),
        "missing": np.where(rng.random(n) < 0.5, np.nan, rng.normal(size=n)),
        "all missing": np.full(n, np.nan),
        "infinite": np.where(rng.random(n) < 0.7, np.inf, rng.normal(size=n)),
        "signed zeros": np.where(rng.random(n) < 0.5, -0.0, 0.0),
    }
    return {name: np.asarray(column, dtype=float) for name, column in made.items()}


@pytest.mark.parametrize("length", [1, 2, 3, 4, 7, 8, 64, 256, 257])
def test_medians_are_those_of_a_sort(length: int) -> None:
    values = np.stack([column[:length] for column in columns().values()], axis=1)
    with np.errstate(invalid="ignore"):
        wanted = reference.gene_medians(values)
    for ours, theirs in zip(compiled.gene_medians(values), wanted, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_selection_ends_however_bad_its_pivots(monkeypatch: pytest.MonkeyPatch) -> None:
    select = compiled._select.py_func
    monkeypatch.setitem(select.__globals__, "_ROUNDS", 1)
    for column in columns().values():
        kept = column[~np.isnan(column)]
        for k in range(0, len(kept), 31):
            assert select(kept.copy(), k) == np.sort(kept)[k]


def test_little_work_starts_no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting for threads on a busy machine would take a hundred times as long as the work."""
    asked = []
    monkeypatch.setattr(_jit, "may_start_threads", lambda: bool(asked.append(1)))
    for rows, started in ((10, False), (30_000, True)):
        values, segment = np.ones((rows, 70)), np.zeros(rows, dtype=np.int32)
        gene = np.ones(70)
        asked.clear()
        compiled.standardise(values, gene, gene, 36)
        compiled.gene_medians(values)
        segments.segment_means(values, segment, 1)
        assert len(asked) == (3 if started else 0)


@pytest.mark.parametrize("bits", [1, 2, 10, 36, 51, 52, 53])
def test_rounding_is_that_of_the_mantissa(bits: int) -> None:
    rng = np.random.default_rng(1)
    random = rng.integers(0, 2**64, 20_000, dtype=np.uint64).view(np.float64)
    halves = (1 + np.arange(64) / 2.0**bits / 2) * 2.0 ** rng.integers(-1000, 1000, 64)
    odd = [0.0, -0.0, np.nan, np.inf, -np.inf, 5e-324, -3e-310, 2.0**-1022, 2.0**1022 * 1.9999999]
    values = np.concatenate([random[np.abs(random) < 2.0**1023], halves, -halves, odd])[None]
    zero, one = np.zeros(values.shape[1]), np.ones(values.shape[1])
    with np.errstate(all="ignore"):
        wanted = reference.standardise(values, zero, one, bits)
    ours = compiled.standardise(values, zero, one, bits)
    np.testing.assert_array_equal(ours, wanted)
    np.testing.assert_array_equal(np.signbit(ours), np.signbit(wanted))
