"""The numbers of the ARACNe kernels, called directly, against numbers made elsewhere."""

from __future__ import annotations

import importlib
import itertools
import math
import threading
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from pysces.aracne.estimators import _fixed, _median_splits, bins, c_log_c, partition, to_nats
from pysces.errors import InputError

GOLDEN = Path(__file__).parent / "golden" / "aracne"
ESTIMATORS = ("adaptive", "adaptive-dyadic")


class Engine:
    """Kernels of one engine that take and give NumPy arrays."""

    def __init__(self, name):
        self.name = name
        if name == "mlx":
            self.mx = pytest.importorskip("mlx.core", reason="MLX is not installed")

    def __call__(self, kernel, *arguments):
        file, function = kernel.split(".")
        run = getattr(importlib.import_module(f"pysces.kernels.{self.name}.{file}"), function)
        if self.name != "mlx":
            return run(*arguments)
        return np.array(run(*(self._to_mlx(a) for a in arguments)))

    def _to_mlx(self, value):
        if not isinstance(value, np.ndarray):
            return value
        if value.dtype == np.float64:
            from pysces.dispatch.engines import order_keys

            value = order_keys(value)
        return self.mx.array(value)


@pytest.fixture(params=["python", "numba", "mlx"])
def engine(request):
    return Engine(request.param)


def ranks_of(values, descending=False):
    order = np.argsort(-values if descending else values, axis=1)
    return (np.argsort(order, axis=1) + 1).astype(np.int32)


def dependent(rng, rows, n):
    """Ranks of genes that follow one cause with little or much noise, up, down or folded."""
    cause = rng.normal(size=n)
    noise = rng.normal(size=(rows, n)) * rng.choice([0.01, 0.3, 1.0, 5.0], size=(rows, 1))
    signal = np.array([cause, -cause, cause**2])[np.arange(rows) % 3]
    return ranks_of(signal + noise)


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
def test_adaptive_mi_of_tiny_sets(engine, n):
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
def test_mi_and_dpi_of_simulated_sets(name, estimator, printed, left, tolerance):
    engine = Engine("numba")
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
def test_adaptive_mi_equals_a_plain_walk_of_points(engine, n):
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
def test_dyadic_mi_equals_a_plain_walk_of_points(engine, n):
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
def test_deeper_tables_change_nothing(engine, n):
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


def test_adaptive_mi_is_symmetric_to_the_bit(engine):
    ranks = dependent(np.random.default_rng(5), 6, 99)
    mi = engine("mi.adaptive_mi", ranks, ranks, *partition("adaptive", 99).tables.values())
    np.testing.assert_array_equal(mi, mi.T)


@pytest.mark.parametrize("name", ["numba", "mlx"])
def test_adaptive_mi_beyond_sixteen_bits(name):
    n = 65_536 + 5
    rng = np.random.default_rng(3)
    x, y = dependent(rng, 1, n), dependent(rng, 2, n)
    for estimator in ESTIMATORS:
        tables = partition(estimator, n).tables.values()
        expected = Engine("python")("mi.adaptive_mi", x, y, *tables)
        np.testing.assert_array_equal(Engine(name)("mi.adaptive_mi", x, y, *tables), expected)


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


# --- fixed bins ----------------------------------------------------------------------------------


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


def test_bins_are_of_equal_size_and_keep_ties_together():
    for n, n_bins in ((10, 3), (100, 10), (7, 7), (5, 9)):
        bin_of = bins(np.arange(1, n + 1, dtype=np.int32)[None], n_bins)
        sizes = np.bincount(bin_of[0], minlength=n_bins)
        assert sizes.max() - sizes.min() <= 1
        doubled = 2 * np.arange(1, n + 1, dtype=np.int32)[None]
        np.testing.assert_array_equal(bins(doubled, n_bins, ties="together"), bin_of)
    counts = np.array([[0, 0, 0, 0, 0, 0, 1, 2, 3, 4]], dtype=np.float64)
    doubled = Engine("python")("ranks.average_ranks", counts)
    assert bins(doubled, 5, ties="together").tolist() == [[1] * 6 + [3, 3, 4, 4]]
    with pytest.raises(InputError, match="n_bins"):
        bins(doubled, 1)


# --- ranks ---------------------------------------------------------------------------------------


def awkward(rng, n):
    values = rng.normal(size=(6, n))
    values[1] = rng.poisson(0.3, n)
    values[2] = 1 + rng.integers(0, 4, n) * 2.0**-52  # neighbours in float64
    values[3] = 0
    values[4, ::3] = np.nan
    values[5, ::2] = -values[5, ::2].round(1) + 0.0
    return values + 0.0


@pytest.mark.parametrize("n", [1, 2, 9, 126, 3000, 65_540])
def test_average_ranks_equal_scipy(engine, n):
    values = awkward(np.random.default_rng(n), n)
    expected = np.nan_to_num(
        2 * scipy.stats.rankdata(values, axis=1, nan_policy="omit"), nan=0.0
    ).astype(np.int32)
    np.testing.assert_array_equal(engine("ranks.average_ranks", values), expected)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("n", [1, 2, 9, 126, 3000])
def test_ordinal_ranks_break_ties_by_hash(engine, n, descending):
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


# --- data processing inequality ------------------------------------------------------------------


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


def test_rank_products_give_spearman(engine):
    values = awkward(np.random.default_rng(4), 200)[[0, 1, 2, 5]]
    ranks = Engine("python")("ranks.average_ranks", values)
    first, second = np.array([0, 0, 1, 3]), np.array([1, 2, 3, 3])
    product = engine("correlation.rank_products", ranks, first, second)
    own = engine("correlation.rank_products", ranks, np.arange(4), np.arange(4))
    rho = product / np.sqrt(own[first].astype(float) * own[second])
    expected = [
        scipy.stats.spearmanr(values[a], values[b])[0] for a, b in zip(first, second, strict=True)
    ]
    np.testing.assert_allclose(rho, expected, rtol=1e-12)


# --- threads, and two-float arithmetic -----------------------------------------------------------


def test_serial_twin_and_threads_agree():
    module = importlib.import_module("pysces.kernels.numba.mi")
    ranks = dependent(np.random.default_rng(6), 40, 100)
    arguments = (ranks, ranks, *partition("adaptive", 100).tables.values())
    threaded, serial = module._adaptive.threaded(*arguments), module._adaptive.serial(*arguments)
    np.testing.assert_array_equal(threaded, serial)
    found = []
    worker = threading.Thread(target=lambda: found.append(module.adaptive_mi(*arguments)))
    worker.start()
    worker.join()
    np.testing.assert_array_equal(found[0], serial)


def test_threads_are_started_only_where_that_is_safe(monkeypatch):
    jit = importlib.import_module("pysces.kernels.numba._jit")
    monkeypatch.setattr(jit.numba, "get_num_threads", lambda: 2)
    assert jit.may_start_threads()

    def in_a_worker():
        found = []
        worker = threading.Thread(target=lambda: found.append(jit.may_start_threads()))
        worker.start()
        worker.join()
        return found[0]

    for layer, safe in (("tbb", True), ("omp", True), ("workqueue", False)):
        monkeypatch.setattr(jit.numba, "threading_layer", lambda layer=layer: layer)
        assert in_a_worker() is safe
    monkeypatch.setattr(jit.os, "getpid", lambda: -1)  # as in a forked child
    assert not jit.may_start_threads()


def test_double_arithmetic_keeps_its_error_bounds():
    mx = pytest.importorskip("mlx.core", reason="MLX is not installed")
    double = importlib.import_module("pysces.kernels.mlx._double")
    rng = np.random.default_rng(7)
    a, b = rng.normal(size=(2, 1000)) * 10.0 ** rng.integers(-8, 8, (2, 1000))
    x, y = double.from_numpy(a), double.from_numpy(b)
    a, b = double.to_numpy(x), double.to_numpy(y)
    u = 2.0**-24
    for ours, exact, bound in (
        (double.add(x, y), a + b, 3 * u**2 + 13 * u**3),
        (double.subtract(x, y), a - b, 3 * u**2 + 13 * u**3),
        (double.multiply(x, y), a * b, 8 * u**2),
        (double.divide(x, y), a / b, 16 * u**2),
    ):
        error = np.abs(double.to_numpy(ours) - exact)
        assert (error <= bound * np.abs(exact) + 2.0**-52 * np.abs(exact)).all()
    total = double.to_numpy(double.sum(x, axis=0))
    assert abs(total - math.fsum(a)) <= 3 * u**2 * 10 * np.abs(a).sum()
    whole = mx.array(np.array([2**45 + 1, -7, 0]))
    assert double.to_numpy(double.from_int(whole)).tolist() == [2**45 + 1, -7, 0]
