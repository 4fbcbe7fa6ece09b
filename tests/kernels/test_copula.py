"""Copula mutual information against its formulas, and where whole numbers outgrow float32."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pysces.kernels.numba import _dots
from pysces.kernels.numba import copula as numba_copula
from pysces.kernels.python import copula as reference

import pysces
from pysces.aracne._copula import continuous_scores, untied_scores, whole_scores
from pysces.dispatch.cases import copula as cases

UNIT = 2.0**40
FORMS = [(1, False), (2, False), (1, True), (2, True)]


def scores(rng, genes, n, degree=2, studentised=False):
    """Whole scores of genes of which a third are linear, parabolas, or noise."""
    cause = rng.normal(size=n)
    shape = np.arange(genes)[:, None] % 3
    values = np.where(shape == 0, cause, np.where(shape == 1, cause**2, 0.0))
    values = values + rng.choice([0.1, 1.0], size=(genes, 1)) * rng.normal(size=(genes, n))
    return whole_scores(*continuous_scores(values), degree, studentised)


def mi_by_formula(x, y, degree):
    """R^2 = max(a^2 + b^2, a^2 + c^2), MI = -1/2 ln(1 - R^2), in nats, of two genes in float64."""
    x, y = x.astype(float), y.astype(float)
    studentised = len(x) == 2 * degree

    def share(i, j):
        if x[i].std() == 0 or y[j].std() == 0:
            return 0.0, 0.0
        plain = np.corrcoef(x[i], y[j])[0, 1] ** 2
        if not studentised:
            return plain, np.inf
        # From scores as they are: the squares were requantised in units of 1 / 127.
        covariance = np.sum((x[i] - x[i].mean()) * (y[j] - y[j].mean()))
        products = 127.0**2 * np.sum(x[degree + i] * y[degree + j])
        return plain, covariance**2 / (len(x[i]) * products) if products else np.inf

    (a, a_other), zero = share(0, 0), (0.0, 0.0)
    (b, b_other), (c, c_other) = (share(1, 0), share(0, 1)) if degree == 2 else (zero, zero)
    r2 = min(a + max(b, c), a_other + max(b_other, c_other), 1 - 2.0**-40)
    return -0.5 * np.log1p(-r2)


@pytest.mark.parametrize(("degree", "studentised"), FORMS)
@pytest.mark.parametrize("n", [3, 12, 97, 640])
def test_mi_equals_the_formulas(engine, degree, studentised, n):
    rng = np.random.default_rng(n)
    x, y = scores(rng, 5, n, degree, studentised), scores(rng, 11, n, degree, studentised)
    y[0], y[1, 0] = x[0], -x[0, 0]
    y[2] = 0
    mi = engine("copula.copula_mi", x, y, degree) / UNIT
    expected = [[mi_by_formula(one, other, degree) for other in y] for one in x]
    np.testing.assert_allclose(mi, expected, rtol=1e-6, atol=1e-9)
    assert (mi[:, 2] == 0).all()
    if not studentised:
        assert mi[0, 0] > 13.8  # a gene and itself: the largest that there is


@pytest.mark.parametrize("studentised", [False, True])
def test_a_parabola_is_seen_by_degree_2_alone(engine, studentised):
    rng = np.random.default_rng(1)
    z = rng.normal(size=(1, 500))
    other = z**2 + 0.1 * rng.normal(size=(1, 500))
    by_degree = {
        degree: engine(
            "copula.copula_mi",
            whole_scores(*continuous_scores(z), degree, studentised),
            whole_scores(*continuous_scores(other), degree, studentised),
            degree,
        )[0, 0]
        / UNIT
        for degree in (1, 2)
    }
    assert by_degree[1] < 0.03
    assert by_degree[2] > (0.08 if studentised else 0.2)


def test_the_lesser_of_both_is_at_most_the_plain_one(engine):
    rng = np.random.default_rng(2)
    x, y = scores(rng, 6, 80, 2, True), scores(rng, 30, 80, 2, True)
    lesser = engine("copula.copula_mi", x, y, 2)
    plain = engine("copula.copula_mi", *(np.ascontiguousarray(part[:, :2]) for part in (x, y)), 2)
    assert (lesser <= plain).all()
    assert (lesser < plain).any()
    # One shared outlier makes a plain correlation, and no studentised one.
    rng = np.random.default_rng(3)
    values = rng.normal(size=(2, 1, 100))
    values[:, :, 0] = 40.0
    whole = np.clip(np.rint(values * 3), -127, 127)
    both = np.stack([whole, np.rint(whole**2 / 127)], axis=2).astype(np.int8)
    one, two = both
    assert engine("copula.copula_mi", one, two, 1)[0, 0] / UNIT < 0.4
    first = [np.ascontiguousarray(part[:, :1]) for part in (one, two)]
    assert engine("copula.copula_mi", *first, 1)[0, 0] / UNIT > 1


# --- a batch of resamples -----------------------------------------------------------------------


def edges(engine, x, y, weights, degree, least=1, own=None, rows=None, genes=None):
    """The edges of a batch as one dense matrix for each resample."""
    r = len(weights)
    counts_, row, gene, mi = call_edges(
        engine,
        x,
        y,
        np.full(len(x), -1) if own is None else own,
        weights,
        np.ones((r, len(x)), bool) if rows is None else rows,
        np.ones((r, len(y)), bool) if genes is None else genes,
        np.full(r, least),
        degree,
    )
    dense = np.zeros((r, len(x), len(y)), dtype=np.int64)
    dense[np.repeat(np.arange(r), counts_), row, gene] = mi
    order = np.lexsort((gene, row, np.repeat(np.arange(r), counts_)))
    assert (order == np.arange(len(row))).all()
    return dense


def call_edges(engine, *arguments):
    """The kernel gives four arrays, where the others give one."""
    import importlib

    run = importlib.import_module(f"pysces.kernels.{engine.name}.copula").copula_edges
    if engine.name == "mlx":
        arguments = [engine._to_mlx(a) for a in arguments]
    return [np.array(part) for part in run(*arguments)]


@pytest.mark.parametrize(("degree", "studentised"), FORMS)
def test_halves_by_subtraction_are_the_sums_of_their_samples(engine, degree, studentised):
    rng = np.random.default_rng(4)
    x, y = scores(rng, 6, 121, degree, studentised), scores(rng, 40, 121, degree, studentised)
    weights = np.zeros((5, 121), dtype=np.uint8)
    for half in (0, 2):
        weights[half, rng.permutation(121)[:60]] = 1
        weights[half + 1] = 1 - weights[half]
    weights[4, ::3] = 1  # no complement of the one before
    dense = edges(engine, x, y, weights, degree)
    for weight, found in zip(weights, dense, strict=True):
        chosen = np.flatnonzero(weight)
        own, other = x[:, :, chosen], y[:, :, chosen]
        direct = engine(
            "copula.copula_mi", np.ascontiguousarray(own), np.ascontiguousarray(other), degree
        )
        np.testing.assert_array_equal(found, direct)
    assert len({part.tobytes() for part in dense}) == 5


def test_repeated_samples_count_as_often_as_drawn(engine):
    rng = np.random.default_rng(5)
    x, y = scores(rng, 4, 50, 2, True), scores(rng, 9, 50, 2, True)
    weights = rng.integers(0, 4, (1, 50)).astype(np.uint8)
    drawn = np.repeat(np.arange(50), weights[0])
    expected = engine(
        "copula.copula_mi", np.ascontiguousarray(x[:, :, drawn]),
        np.ascontiguousarray(y[:, :, drawn]), 2,
    )  # fmt: skip
    np.testing.assert_array_equal(edges(engine, x, y, weights, 2)[0], expected)


def test_threshold_own_gene_and_unusable_genes(engine):
    rng = np.random.default_rng(6)
    x, y = scores(rng, 7, 90), scores(rng, 33, 90)
    y[:7] = x
    weights = np.ones((3, 90), dtype=np.uint8)
    weights[1, :30] = weights[2, 30:] = 0
    every = edges(engine, x, y, weights, 2)
    own = np.array([0, 1, -1, 3, 4, 5, 6])
    rows, genes = rng.random((3, 7)) < 0.7, rng.random((3, 33)) < 0.7
    values = np.sort(every[every > 0])
    least = int(values[len(values) // 2])  # a value that occurs: it is an edge, as "at least" says
    found = edges(engine, x, y, weights, 2, least, own, rows, genes)
    expected = every * rows[:, :, None] * genes[:, None, :]
    expected[:, own[own >= 0], own[own >= 0]] = 0
    expected[expected < least] = 0
    np.testing.assert_array_equal(found, expected)
    assert (edges(engine, x, y, weights, 2, least) == least).any()
    assert not (edges(engine, x, y, weights, 2, least + 1) == least).any()


@pytest.mark.parametrize(("degree", "studentised"), FORMS)
def test_pairs_are_those_of_the_matrix(engine, degree, studentised):
    rng = np.random.default_rng(7)
    x, y = scores(rng, 6, 77, degree, studentised), scores(rng, 20, 77, degree, studentised)
    row, gene = rng.integers(0, 6, 50).astype(np.int32), rng.integers(0, 20, 50).astype(np.int32)
    found = engine("copula.copula_pairs", x, y, row, gene, degree)
    np.testing.assert_array_equal(found, engine("copula.copula_mi", x, y, degree)[row, gene])


# --- large numbers ------------------------------------------------------------------------------


def exact(x, y, degree):
    """The plain reference: sums in whole numbers of 64 bits."""
    from pysces.kernels.python import copula

    return copula.copula_mi(x, y, degree)


def extremes(rng, genes, n, degree, studentised):
    """Genes of two values near the ends, odd, unlike in many places: sums are odd and large."""
    first = np.where(rng.random((genes, n)) < 0.5, 127, -125)
    first[0], first[1, ::2] = 127, 3
    terms = [first, np.where(rng.random((genes, n)) < 0.9, 127, -127)][:degree]
    if studentised:
        terms += [np.where(rng.random((genes, n)) < 0.97, 127, 125) for _ in terms]
    return np.stack(terms, axis=1).astype(np.int8)


@pytest.mark.parametrize(("degree", "studentised"), FORMS)
@pytest.mark.parametrize("n", [9, 1040, 1041, 3001])  # 1,040 x 127^2 is the most below 2^24
def test_extreme_scores_stay_exact(engine, degree, studentised, n):
    rng = np.random.default_rng(8)
    x = extremes(rng, 5, n, degree, studentised)
    y = extremes(rng, 24, n, degree, studentised)
    expected = exact(x, y, degree)
    np.testing.assert_array_equal(engine("copula.copula_mi", x, y, degree), expected)
    everything = np.ones((1, n), dtype=np.uint8)
    np.testing.assert_array_equal(edges(engine, x, y, everything, degree)[0], expected)
    row, gene = (part.ravel().astype(np.int32) for part in np.indices(expected.shape))
    pairs = engine("copula.copula_pairs", x, y, row, gene, degree)
    np.testing.assert_array_equal(pairs, expected.ravel())


@pytest.mark.parametrize("n", [900, 2000])
def test_a_bootstrap_may_outgrow_all_samples(engine, n):
    """Sums over all samples stay below 2^24; where some are drawn many times they do not."""
    rng = np.random.default_rng(9)
    whole = rng.integers(-9, 10, (20, 1, n)) * 2 + 1
    # Nearly alike, so that sums are large; odd and even, so that float32 would round them.
    whole[:, :, : n // 5] = rng.integers(120, 128, (20, 1, n // 5))
    x, y = whole[:4].astype(np.int8), whole.astype(np.int8)
    assert (x.astype(int) ** 2).sum(axis=2).max() < 2**24
    weights = np.zeros((1, n), dtype=np.uint8)
    weights[0, : n // 5] = rng.integers(7, 15, n // 5)
    drawn = np.repeat(np.arange(n), weights[0])
    assert (x.astype(int)[:, :, drawn] ** 2).sum(axis=2).max() > 2**24
    expected = exact(x[:, :, drawn], y[:, :, drawn], 1)
    np.testing.assert_array_equal(edges(engine, x, y, weights, 1)[0], expected)


# --- whole scores -------------------------------------------------------------------------------


def test_whole_scores_fill_eight_bits_and_h2_is_orthogonal():
    rng = np.random.default_rng(10)
    values = np.vstack([rng.normal(size=(3, 200)), rng.integers(0, 2, (1, 200))])
    found = whole_scores(*continuous_scores(values), 2, True).astype(int)
    assert found.shape == (4, 4, 200)
    assert (np.abs(found[:, 0]).max(axis=1) == 127).all()
    assert (np.abs(found[:3, 1]).max(axis=1) == 127).all()
    assert not found[3, 1].any()  # a gene of two values has no parabola
    np.testing.assert_array_equal(found[:, 2], np.rint(found[:, 0] ** 2 / 127))
    np.testing.assert_array_equal(found[:, 3], np.rint(found[:, 1] ** 2 / 127))
    overlap = np.sum(found[:3, 0] * found[:3, 1], axis=1)
    sizes = np.sqrt(np.sum(found[:3, 0] ** 2, axis=1) * np.sum(found[:3, 1] ** 2, axis=1))
    assert np.abs(overlap / sizes).max() < 0.01


def test_a_parabola_with_less_than_a_hundredth_left_is_none():
    rng = np.random.default_rng(12)
    first, other = rng.normal(size=(2, 1, 4000))
    for left, kept in ((0.05, False), (0.5, True)):  # of the spread: 1/400 and 1/4 of the variance
        second = first + left * other
        assert whole_scores(first, second, 2, False)[0, 1].any() == kept


def test_scores_are_means_over_intervals_of_the_normal():
    """By numerical integration, with ties: h1 and h2 are means of z and z^2 - 1."""
    from scipy import integrate, stats

    values = np.array([[1.0, 2.0, 2.0, 2.0, 5.0, 7.0, 7.0]])
    first, second = continuous_scores(values)
    ends = stats.norm.ppf(np.array([0, 1, 4, 5, 7]) / 7)
    which = [0, 1, 1, 1, 2, 3, 3]
    for column, k in enumerate(which):
        low, high = ends[k], ends[k + 1]
        width = stats.norm.cdf(high) - stats.norm.cdf(low)
        one = integrate.quad(lambda z: z * stats.norm.pdf(z), low, high)[0] / width
        two = integrate.quad(lambda z: (z * z - 1) * stats.norm.pdf(z), low, high)[0] / width
        assert first[0, column] == pytest.approx(one, abs=1e-7)
        assert second[0, column] == pytest.approx(two, abs=1e-7)
    untied = continuous_scores(np.array([[3.0, 1.0, 2.0]]))
    for part, wanted in zip(untied, untied_scores(3), strict=True):
        np.testing.assert_array_equal(part, wanted[:, [2, 0, 1]])


# --- through what users call --------------------------------------------------------------------


@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize("sparse", [False, True])
def test_engines_agree_through_the_public_functions(degree, sparse):
    rng = np.random.default_rng(11)
    names = [f"g{i}" for i in range(12)]
    data = pd.DataFrame(rng.normal(size=(120, 12)), columns=names)
    data["g3"] += 2 * data["g0"]
    data["g4"] += data["g1"] ** 2
    if sparse:
        data = data.clip(lower=0.3) - 0.3
    depth = np.full(120, 1000.0)
    options = {"degree": degree, "counts": False, "size_factors": depth}
    found = {}
    for row in pysces.status().engines:
        if row.available:
            mi = pysces.mutual_information(data, names[:4], engine=row.engine, **options)
            network = pysces.infer_network(
                data, names[:4], engine=row.engine, n_resamples=6, n_null=10_000, alpha=0.2,
                **options,
            )  # fmt: skip
            found[row.engine] = mi, network.to_dataframe()
    mi, network = found.pop("python")
    assert len(network) > 0
    for other_mi, other_network in found.values():
        pd.testing.assert_frame_equal(mi, other_mi, check_exact=True)
        pd.testing.assert_frame_equal(network, other_network, check_exact=True)


@pytest.mark.parametrize("case", cases.copula_edges(), ids=lambda case: case.name)
@pytest.mark.parametrize("form", ["dots", "blas", "sums beyond 32 bits"])
def test_edges_are_the_same_by_either_product(monkeypatch, form, case):
    if form != "blas" and not _dots.is_available():
        pytest.skip("this processor has no dot products of bytes")
    if form == "sums beyond 32 bits":
        monkeypatch.setattr(numba_copula, "_LARGEST_SUM", 1)
    else:
        monkeypatch.setattr(numba_copula, "_usual_tile", numba_copula._forms[form])
    found = numba_copula.copula_edges(**case.arguments)
    expected = reference.copula_edges(**case.arguments)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.skipif(not _dots.is_available(), reason="no dot products of bytes")
@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize("n", [1, 6, 1030, 2500])
def test_dot_products_of_the_largest_scores_are_exact(degree, n):
    rng = np.random.default_rng(n)
    x = rng.choice([-127, 127], size=(19, degree, n)).astype(np.int8)
    y = np.concatenate([x, np.full((20, degree, n), -127, dtype=np.int8)])
    samples = np.sort(rng.integers(0, n, size=n))  # some more than once
    x_words, y_words = numba_copula._packed(
        _dots.by_samples(x, degree, _dots.ROWS, 0),
        _dots.by_samples(y, degree, _dots.GENES, 128),
        samples,
    )
    sums = np.zeros((len(x_words), 2 * degree - 1, _dots.ROWS, 48), dtype=np.int32)
    for panel, own in zip(x_words, sums, strict=True):
        _dots.add_products(panel, y_words, degree, True, own)
    found = sums.swapaxes(0, 1).reshape(2 * degree - 1, -1, 48)[:, :19, :39]
    chosen_x, chosen_y = x[:, :, samples].astype(np.int64), y[:, :, samples].astype(np.int64)
    for own, (i, j) in zip(found, [(0, 0), (1, 0), (0, 1)], strict=False):
        np.testing.assert_array_equal(own, chosen_x[:, i] @ chosen_y[:, j].T)
