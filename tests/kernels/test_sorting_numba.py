"""The sorter of the Numba engine on rows that are hard on each of its steps."""

from __future__ import annotations

import numpy as np
import pytest

numba = pytest.importorskip("numba")

from pysces.kernels.numba import _sorting  # noqa: E402


def rows(n: int) -> dict[str, np.ndarray]:
    """Rows that differ in few, in low or in all bits; with long runs of equal upper bits."""
    rng = np.random.default_rng(n)
    neighbours = 1.0 + rng.integers(0, 2 * n, n) * 2.0**-52
    made = {
        "random": rng.normal(size=n),
        "sorted": np.arange(n) - n // 2,
        "reversed": np.arange(n)[::-1],
        "all equal": np.full(n, 7.0),
        "counts": rng.poisson(0.5, n),
        "neighbours": neighbours,  # differ in bits that find no room
        "neighbours and an outlier": np.where(np.arange(n) == n // 2, -1e300, neighbours),
        "a cluster and an outlier": np.where(np.arange(n) == 0, 1e300, 1e6 + rng.random(n)),
        "missing": np.where(rng.random(n) < 0.3, np.nan, rng.normal(size=n)),
        "all missing": np.full(n, np.nan),
        "extremes": rng.choice([0.0, -0.0, np.inf, -np.inf, 5e-324, -5e-324, 1.0, np.nan], n),
        "any bits": rng.integers(0, 2**64, n, dtype=np.uint64).view(np.float64),
    }
    return {name: np.asarray(row, dtype=float) for name, row in made.items()}


def scratch(n: int) -> tuple[np.ndarray, ...]:
    """Working space. Outside compiled code a uint64 of Numba is an int, which it takes as int64."""
    *arrays, mask = _sorting.scratch(n)
    return (*arrays, np.uint64(mask))


@pytest.mark.parametrize("n", [1, 2, 7, 8, 9, 63, 200, 201, 300, 1000, 5000, 20_000])
def test_order_and_ties_are_those_of_a_stable_sort(n: int) -> None:
    longer = scratch(n + 1000)  # the working space may be that of a longer row
    for space in (scratch(n), longer):
        for name, row in rows(n).items():
            count = _sorting.sort_row(row, space)
            assert count == np.count_nonzero(~np.isnan(row)), name
            place = (space[1][:count] & space[4]).astype(np.int64)
            expected = np.argsort(row, kind="stable")[:count]
            np.testing.assert_array_equal(place, expected, err_msg=name)
            begin = 0
            while begin < count:
                end = _sorting.tie_end(space, begin, count)
                tie = row[place[begin:end]]
                assert (tie == tie[0]).all(), name
                assert end == count or row[place[end]] > tie[0], name
                begin = end


def test_a_costly_insertion_gives_way_to_merging(monkeypatch: pytest.MonkeyPatch) -> None:
    merged = []
    sort = _sorting._radix_sort.py_func
    plain = _sorting._merge_sort
    monkeypatch.setitem(
        sort.__globals__, "_merge_sort", lambda *given: (merged.append(1), plain(*given))
    )
    row = rows(1000)["a cluster and an outlier"]
    words = np.array([_sorting.order_key(bits) for bits in row.view(np.uint64)], dtype=np.uint64)
    wanted = np.sort(words)
    buffer, counts = np.empty_like(words), scratch(1000)[3]
    with np.errstate(over="ignore"):
        sort(words, buffer, counts, len(words), wanted[0], wanted[-1])
    assert merged
    np.testing.assert_array_equal(words, wanted)
