"""Mutual information by adaptive partitioning against numbers made elsewhere."""

from __future__ import annotations

import importlib
import itertools
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from pysces.kernels.python import mi as python_mi

import pysces
from pysces.aracne._partition import _fixed, _median_splits, partition, to_nats
from pysces.dispatch import operations as ops
from pysces.errors import InputError

GOLDEN = Path(__file__).parents[1] / "golden" / "aracne"
ESTIMATORS = ("adaptive", "adaptive-dyadic")


def adaptive_nats(engine, estimator, ascending_x, ascending_y):
    n = ascending_x.shape[1]
    table = partition(estimator, n)
    x, y = ascending_x, ascending_y
    if table.descending:
        x, y = (n + 1 - x).astype(np.int32), (n + 1 - y).astype(np.int32)
    mi = engine("mi.adaptive_mi", x, y, *table.tables.values())
    assert mi.dtype == np.int64
    return to_nats(mi, n, table.fraction_bits)


# --- adaptive partitioning against the printed numbers of other programs -------------------------


@pytest.mark.parametrize("n", [8, 9, 13, 16, 31])
def test_adaptive_mi_of_tiny_sets(engine, n, ranks_of):
    lines = (GOLDEN / f"tiny_n{n}_expression.tsv").read_text().splitlines()[1:]
    rows = [line.split("\t") for line in lines]
    genes = [row[0] for row in rows]
    ranks = ranks_of(np.array([row[1:] for row in rows], dtype=np.float64))
    ap, a3 = (adaptive_nats(engine, estimator, ranks, ranks) for estimator in ESTIMATORS)
    lines = (GOLDEN / f"tiny_n{n}_mi_all.tsv").read_text().splitlines()[1:]
    assert lines
    for line in lines:
        source, target, expected_ap, expected_a3, _ = line.split("\t")
        i, j = genes.index(source), genes.index(target)
        assert ap[i, j] == pytest.approx(float(expected_ap), abs=1e-9)
        assert a3[i, j] == pytest.approx(float(expected_a3), abs=1e-6)


def test_adaptive_mi_of_worked_examples(engine):
    up = np.arange(1, 9, dtype=np.int32)[None]
    down, vee = up[:, ::-1].copy(), np.array([[7, 5, 3, 1, 2, 4, 6, 8]], dtype=np.int32)
    for estimator in ESTIMATORS:
        assert adaptive_nats(engine, estimator, up, down)[0, 0] == pytest.approx(math.log(2))
        assert adaptive_nats(engine, estimator, up, vee)[0, 0] == pytest.approx(0, abs=1e-11)
    x = np.array([[10, 13, 3, 12, 1, 2, 5, 8, 7, 11, 6, 4, 9]], dtype=np.int32)
    y = np.array([[11, 13, 12, 5, 1, 8, 4, 6, 9, 10, 3, 7, 2]], dtype=np.int32)
    assert adaptive_nats(engine, "adaptive", x, y)[0, 0] == pytest.approx(0.00255184, abs=1e-8)
    a3 = adaptive_nats(engine, "adaptive-dyadic", x, y)[0, 0]
    assert a3 == pytest.approx(0.00847488, abs=1e-7)  # printed from float32 sums


SETS = ("n100_g50_t10", "n200_g300_t40", "n333_g200_t30", "n1000_g200_t20")
# Edges tied to the last digit with the weaker leg of a triangle, which the programs' own rounding
# decides one way or the other; whole numbers call a tie a tie, and a tied edge stays.
TIED = {
    ("n100_g50_t10", "ap_dpi"): {(5, 26)},
    ("n100_g50_t10", "a3_maxent"): {(1, 44)},
    ("n200_g300_t40", "a3_maxent"): {
        (0, 207), (11, 42), (12, 88), (12, 105), (12, 251), (23, 175), (25, 207), (32, 159),
    },
}  # fmt: skip


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize(
    ("estimator", "printed", "left", "tolerance"),
    [("adaptive", "ap_mi", "ap_dpi", 1e-9), ("adaptive-dyadic", "a3_mi", "a3_maxent", 1e-6)],
)
def test_mi_and_dpi_of_simulated_sets(name, estimator, printed, left, tolerance, engine_of):
    engine = engine_of("numba")
    with np.load(GOLDEN / f"{name}.npz") as golden:
        ranks, regulators = golden["ranks"].astype(np.int32), golden["regulators"].astype(int)
        expected, packed = golden[printed], golden[left]
    n = ranks.shape[1]
    mi = adaptive_nats(engine, estimator, ranks[regulators], ranks)
    self_pair = np.isnan(expected)
    assert self_pair.sum() == len(regulators)
    assert np.abs(mi - expected)[~self_pair].max() < tolerance

    edges = np.where(self_pair, 0, np.rint(mi * n * 2.0**40)).astype(np.int64)
    between = np.ascontiguousarray(edges[:, regulators])
    kept = engine("dpi.dpi", edges, between, edges, 1 << 30)
    if estimator == "adaptive-dyadic":
        kept[:, regulators] &= ~engine("dpi.weakest_pairs", between, edges)
    expected_kept = np.unpackbits(packed, count=kept.size).reshape(kept.shape).astype(bool)
    tied = TIED.get((name, left), set())
    assert {tuple(map(int, edge)) for edge in np.argwhere(kept != expected_kept)} == tied
    for i, g in tied:
        assert kept[i, g]
        assert (np.minimum(between[i], edges[:, g]) == edges[i, g]).any()


# --- adaptive partitioning against a walk in exact fractions, and its theorems -------------------


def walk(points, x_range, y_range, first=True):
    """Leaf terms c ln(c / (wx wy)) of (a, b] x (c, d], cut at the floor of the middle."""
    (a, b), (c, d) = x_range, y_range
    if not points:
        return 0.0
    x_cut, y_cut = (a + b) // 2, (c + d) // 2
    quarters = {
        (xs, ys): [p for p in points if xs[0] < p[0] <= xs[1] and ys[0] < p[1] <= ys[1]]
        for xs in ((a, x_cut), (x_cut, b))
        for ys in ((c, y_cut), (y_cut, d))
    }
    expected = len(points) / 4
    chi_square = sum((len(q) - expected) ** 2 / expected for q in quarters.values())
    if first or (len(points) > 2 and chi_square > 7.815):
        return sum(walk(q, *ranges, first=False) for ranges, q in quarters.items())
    return len(points) * math.log(len(points) / ((b - a) * (d - c)))


@pytest.mark.parametrize("n", [1, 2, 3, 5, 17, 50, 127])
def test_adaptive_mi_equals_a_plain_walk_of_points(engine, n, dependent):
    rng = np.random.default_rng(n)
    x, y = dependent(rng, 3, n), dependent(rng, 4, n)
    y[0] = x[0]
    table = partition("adaptive", n)
    mi = to_nats(engine("mi.adaptive_mi", x, y, *table.tables.values()), n, table.fraction_bits)
    for i, j in np.ndindex(mi.shape):
        points = list(zip(x[i].tolist(), y[j].tolist(), strict=True))
        expected = walk(points, (0, n), (0, n)) / n + math.log(n)
        assert mi[i, j] == pytest.approx(expected, abs=1e-10)


def dyadic_walk(points, n, x_corner, y_corner, depth=0):
    """Leaf terms c ln(c n / (wx wy)) of ranks over n + 1 in halved cells; under 4 is a leaf."""
    count, side = len(points), Fraction(1, 2**depth)
    if count == 0:
        return 0.0
    x_cut, y_cut = x_corner + side / 2, y_corner + side / 2
    quarters = {
        (i, j): [p for p in points if ((p[0] >= x_cut), (p[1] >= y_cut)) == (i, j)]
        for i in (False, True)
        for j in (False, True)
    }
    chi_square = sum((len(q) - count / 4) ** 2 / (count / 4) for q in quarters.values())
    if count >= 4 and (depth == 0 or chi_square > 7.815):
        return sum(
            dyadic_walk(q, n, x_cut if i else x_corner, y_cut if j else y_corner, depth + 1)
            for (i, j), q in quarters.items()
        )
    return count * math.log(count / (n * side * side))


@pytest.mark.parametrize("n", [3, 4, 17, 100, 127])
def test_dyadic_mi_equals_a_plain_walk_of_points(engine, n, ranks_of):
    rng = np.random.default_rng(n)
    noise = np.array([[0.01], [0.05], [0.1], [0.3], [1.0], [5.0]])
    y = ranks_of(rng.normal(size=n) + noise * rng.normal(size=(6, n)))
    x = y[:3]  # little noise: cells of three points in one quarter, which must stay leaves
    mi = adaptive_nats(engine, "adaptive-dyadic", x, y)
    grid = [Fraction(rank, n + 1) for rank in range(n + 1)]
    for i, j in np.ndindex(mi.shape):
        points = [(grid[a], grid[b]) for a, b in zip(x[i], y[j], strict=True)]
        expected = dyadic_walk(points, n, Fraction(0), Fraction(0)) / n
        assert mi[i, j] == pytest.approx(expected if n >= 4 else 0, abs=1e-10)


def test_no_cell_with_fewer_ranks_can_pass_chi_square():
    uneven = importlib.import_module("pysces.kernels.python.mi")._is_uneven
    for limit, min_count in ((2, 1), (3, 4)):  # adaptive: 2 ranks a half; dyadic: 3, from 4 points
        for a, b, c, d in itertools.product(range(limit + 1), repeat=4):
            if max(a + b, c + d, a + c, b + d) <= limit and a + b + c + d >= min_count:
                assert not uneven([a, b, c, d])


@pytest.mark.parametrize("n", [9, 64, 100, 301])
def test_deeper_tables_change_nothing(engine, n, dependent):
    rng = np.random.default_rng(n)
    x, y = dependent(rng, 3, n), dependent(rng, 4, n)
    y[0] = x[0]
    table = partition("adaptive", n)
    split, width = _median_splits(n, 2)  # down to cells of one rank
    assert len(split) > len(table.split)
    deeper = (split, _fixed(np.log(np.maximum(width, 1)), table.fraction_bits))
    ours = engine("mi.adaptive_mi", x, y, *table.tables.values())
    theirs = engine("mi.adaptive_mi", x, y, *deeper, table.n_log_n, table.min_count)
    np.testing.assert_array_equal(ours, theirs)


def test_adaptive_mi_is_symmetric_to_the_bit(engine, dependent):
    ranks = dependent(np.random.default_rng(5), 6, 99)
    mi = engine("mi.adaptive_mi", ranks, ranks, *partition("adaptive", 99).tables.values())
    np.testing.assert_array_equal(mi, mi.T)


@pytest.mark.parametrize("name", ["numba", "mlx"])
def test_adaptive_mi_beyond_sixteen_bits(name, dependent, engine_of):
    n = 65_536 + 5
    rng = np.random.default_rng(3)
    x, y = dependent(rng, 1, n), dependent(rng, 2, n)
    for estimator in ESTIMATORS:
        tables = partition(estimator, n).tables.values()
        expected = engine_of("python")("mi.adaptive_mi", x, y, *tables)
        np.testing.assert_array_equal(engine_of(name)("mi.adaptive_mi", x, y, *tables), expected)


def test_a_cell_is_divided_if_its_chi_square_exceeds_7815():
    at_the_limit = 0
    for count in range(1, 61):
        for a in range(count // 4 + 1):
            for b in range(a, (count - a) // 3 + 1):
                for c in range(b, (count - a - b) // 2 + 1):
                    quarters = [a, c, b, count - a - b - c]
                    doubled = 4 * sum(q * q for q in quarters) - count * count
                    uneven = Fraction(doubled, count) > Fraction(7815, 1000)
                    assert python_mi._is_uneven(quarters) == uneven
                    at_the_limit += doubled == 7815 * count // 1000
    assert at_the_limit > 0
    numba_mi = importlib.import_module("pysces.kernels.numba.mi")
    for quarters, uneven in (([401, 356, 410, 433], False), ([401, 355, 410, 434], True)):
        # The first has a chi-square of exactly 7.815.
        assert python_mi._is_uneven(quarters) == uneven
        assert numba_mi._uneven(*quarters, 1600) == uneven


def test_the_root_is_always_divided_and_its_lower_half_has_the_rank_at_the_split():
    x, split = np.array([1, 2], dtype=np.int32), np.array([0, 1], dtype=np.int32)
    found = list(python_mi._leaves(x, x[::-1], split, 3))
    assert found == [(2, 2, 0), (2, 3, 1), (3, 2, 1), (3, 3, 0)]


def test_partition_of_few_samples():
    assert partition("adaptive", 0).split.shape == (1,)
    assert partition("adaptive", 1).split.shape == (2,)
    assert partition("adaptive-dyadic", 3).split.shape == (1,)
    depths = {n: len(partition("adaptive", n).split) for n in (100, 200, 333, 500, 1000)}
    assert depths == {100: 2**5, 200: 2**6, 333: 2**7, 500: 2**7, 1000: 2**8}
    assert partition("adaptive", 400_000).fraction_bits == 39
    assert to_nats(np.ones((2, 3), dtype=np.int64), 0, 40).tolist() == [[0] * 3] * 2
    with pytest.raises(InputError, match="must be one of"):
        partition("binned", 10)


@pytest.mark.parametrize("name", ["python", "numba", "mlx"])
def test_an_edge_whose_mutual_information_is_the_threshold_is_found(name: str) -> None:
    if name == "mlx":
        pytest.importorskip("mlx.core", reason="MLX is not installed")
    (case,) = (case for case in ops.adaptive_edges.contract.cases() if case.name == "every pair")
    with pysces.use_engine(name):
        counts, row, _, mi, _ = ops.adaptive_edges(**case.arguments)
        resample = np.repeat(np.arange(len(counts)), counts)
        largest = np.array([mi[resample == r].max() for r in range(len(counts))])
        again = ops.adaptive_edges(**{**case.arguments, "thresholds": largest})
    expected = [np.sum(mi[resample == r] == largest[r]) for r in range(len(counts))]
    assert again[0].tolist() == expected
    assert again[3].tolist() == np.repeat(largest, expected).tolist()
    assert len(row) > sum(expected) > 0
