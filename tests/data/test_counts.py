"""Counts given depth: scores by definition, no depth left in them, and recovery of counts."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pytest
import scipy.sparse as sp
from scipy import integrate, stats
from scipy.special import ndtri

from pysces import _seeds
from pysces.data._count_data import CountData
from pysces.data._counts import CountModel, interval_scores, looks_like_counts, recover_counts
from pysces.data._expression import Expression
from pysces.data._fit_by_samples import fit_by_samples
from pysces.data._margins import is_calibrated, score_variance, tails, variance_by_sum
from pysces.errors import InputError

ALL = slice(None)


def model_of(share, size, depth, batch=None, limit=8.0) -> CountModel:  # type: ignore[no-untyped-def]
    share = np.atleast_2d(np.asarray(share, float))
    batch = np.zeros(len(depth), np.int64) if batch is None else np.asarray(batch, np.int64)
    return CountModel(share, np.asarray(size, float), np.asarray(depth, float), batch, limit)


def fitted(counts: np.ndarray, depth: np.ndarray, batch: np.ndarray | None = None) -> CountModel:
    return CountModel.fit(lambda genes: counts[genes], len(counts), depth, batch)


def expression_of(values: np.ndarray) -> Expression:
    return Expression.from_matrix(values, genes=[f"G{i}" for i in range(values.shape[1])])


def noise(rng, share, depth, size=None):  # type: ignore[no-untyped-def]
    """Genes x samples of counts that depend on depth alone."""
    mean = share[:, None] * depth
    if size is not None:
        mean = mean * rng.gamma(size, 1 / size, mean.shape)
    return rng.poisson(mean).astype(float)


# --- scores ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0.05, 0.7, 8.0, np.inf])
@pytest.mark.parametrize("mean", [1e-3, 0.2, 3.0, 40.0, 900.0])
def test_scores_are_the_means_over_the_interval_of_the_count(mean: float, size: float) -> None:
    margin = stats.poisson(mean) if np.isinf(size) else stats.nbinom(size, size / (size + mean))
    counts = np.unique(np.r_[0, 1, 2, margin.ppf([0.01, 0.3, 0.5, 0.9, 0.999, 1 - 1e-9])])
    model = model_of([1.0], [size], np.full(len(counts), mean))
    first, second = model.scores(counts[None], ALL)
    for y, h1, h2 in zip(counts, first[0], second[0], strict=True):
        a, b = margin.cdf(y - 1), margin.cdf(y)
        if b - a < 1e-8:
            continue  # the difference of the reference is rounding noise
        ends = ndtri([a, b])
        for score, power in ((h1, lambda z: z), (h2, lambda z: z * z - 1)):
            wanted, _ = integrate.quad(
                lambda z: power(z) * np.exp(-z * z / 2) / np.sqrt(2 * np.pi),  # noqa: B023
                max(ends[0], -9),
                min(ends[1], 9),
            )
            assert score == pytest.approx(wanted / (b - a), rel=2e-6, abs=2e-6)


def test_tails_are_right_where_they_are_small() -> None:
    count = np.array([0.0, 5, 12, 13, 60, 400, 3000, 30, 8])
    mean = np.array([2.0, 0.01, 0.3, 0.1, 4.0, 90.0, 900.0, 200.0, 1e-4])
    size = np.array([0.5, 3.0, 2.0, np.inf, 0.7, 30.0, 20.0, 80.0, np.inf])
    lower, upper = tails(count, mean, size)
    for i in range(len(count)):
        margin = stats.poisson(mean[i])
        if np.isfinite(size[i]):
            margin = stats.nbinom(size[i], size[i] / (size[i] + mean[i]))
        assert lower[i] == pytest.approx(margin.cdf(count[i]), rel=1e-9)
        assert upper[i] == pytest.approx(margin.sf(count[i]), rel=1e-9)


@pytest.mark.parametrize("size", [0.1, 2.0, np.inf])
def test_mean_is_zero_and_variance_as_declared_given_the_depth(size: float) -> None:
    for mean in (0.01, 1.0, 30.0):
        counts = np.arange(0, 3000.0)
        margin = stats.poisson(mean) if np.isinf(size) else stats.nbinom(size, size / (size + mean))
        weight = margin.pmf(counts)
        model = model_of([1.0], [size], np.full(len(counts), mean), limit=50.0)
        first, second = model.scores(counts[None], ALL)
        assert weight @ first[0] == pytest.approx(0, abs=1e-5)
        assert weight @ second[0] == pytest.approx(0, abs=1e-4)
        declared = model.variance(ALL, [mean])[0, 0]
        assert declared == pytest.approx(weight @ first[0] ** 2, rel=2e-3)


def test_the_table_of_variances_agrees_with_the_sum() -> None:
    rng = np.random.default_rng(3)
    means, sizes = np.exp(rng.uniform(-12, 9, 40)), np.exp(rng.uniform(-4.6, 7, 40))
    wanted = [variance_by_sum(m, s) for m, s in zip(means, sizes, strict=True)]
    np.testing.assert_allclose(score_variance(means, sizes), wanted, rtol=2e-3)
    assert score_variance(np.array(0.0), np.array(1.0)) == 0


def test_interval_scores_of_continuous_values_are_rank_scores() -> None:
    edges = np.arange(101) / 100
    first, second = interval_scores(edges[:-1], edges[1:])
    assert np.abs(first - ndtri((np.arange(100) + 0.5) / 100)).max() < 0.1
    assert first.mean() == pytest.approx(0, abs=1e-12)
    assert second.mean() == pytest.approx(0, abs=1e-12)
    whole = interval_scores([0.0], [1.0])
    assert (whole[0][0], whole[1][0]) == (0.0, 0.0)


@pytest.mark.parametrize("size", [None, 1.0])
def test_depth_alone_correlates_no_scores(size: float | None) -> None:
    rng = np.random.default_rng(0)
    depth = np.exp(rng.normal(7.5, 0.8, 600))
    share = np.exp(rng.normal(-8, 1.2, 150))
    counts = noise(rng, share, depth, size)

    def beyond(values: np.ndarray) -> float:
        r = np.corrcoef(values)[np.triu_indices(len(values), 1)]
        return float((np.abs(r) > 3.29 / np.sqrt(len(depth))).mean())  # p = 0.001

    first, second = fitted(counts, depth).scores(counts)
    assert beyond(first) < 0.004
    assert beyond(second) < 0.02
    ranks = stats.rankdata(np.log1p(counts / depth), axis=1)
    assert beyond(ranks) > 5 * beyond(first)


def test_share_by_batch_removes_what_batches_share() -> None:
    rng = np.random.default_rng(1)
    batch = np.repeat([0, 1], 300)
    depth = np.exp(rng.normal(7.5, 0.4, 600)) * np.where(batch, 2, 1)
    share = np.exp(rng.normal(-7, 1, 100))
    level = np.exp(rng.normal(0, 0.4, (100, 1)) * batch)
    counts = rng.poisson(share[:, None] * depth * level).astype(float)
    by_batch = fitted(counts, depth, batch)
    pooled = fitted(counts, depth)
    strengths = [np.abs(np.corrcoef(m.scores(counts)[0])).mean() for m in (by_batch, pooled)]
    assert strengths[0] < 0.7 * strengths[1]
    np.testing.assert_allclose(by_batch.share[1] / by_batch.share[0], level[:, -1], rtol=0.35)
    assert by_batch.at(depth[:5], batch[:5]).means().shape == (100, 5)


def test_fit_finds_the_parameters() -> None:
    rng = np.random.default_rng(2)
    depth = np.exp(rng.normal(7.5, 0.5, 3000))
    share = np.full(30, 0.001)
    for size in (0.2, 1.0, 5.0):
        model = fitted(noise(rng, share, depth, size), depth)
        assert np.median(model.size) == pytest.approx(size, rel=0.1)
        np.testing.assert_allclose(model.share[0], share, rtol=0.3)
    assert np.median(fitted(noise(rng, share, depth), depth).size) > 50


def test_a_few_extreme_cells_change_little() -> None:
    rng = np.random.default_rng(4)
    depth = np.exp(rng.normal(7.5, 0.5, 500))
    counts = noise(rng, np.full(20, 0.001), depth, 2.0)
    before = fitted(counts, depth)
    extreme = counts.copy()
    extreme[:, 7] = 1e6
    after = fitted(extreme, depth)
    np.testing.assert_allclose(after.share, before.share, rtol=0.05)
    np.testing.assert_allclose(after.size, before.size, rtol=0.3)
    others = np.arange(500) != 7
    moved = np.abs(after.scores(extreme)[0] - before.scores(counts)[0])[:, others]
    assert moved.max() < 0.3
    assert after.scores(extreme)[0][:, 7] == pytest.approx(after.limit)


@pytest.mark.parametrize("kind", ["zero-inflated", "bimodal", "switch"])
def test_a_gene_that_no_margin_fits_is_not_worse_than_ranks(kind: str) -> None:
    rng = np.random.default_rng(5)
    n = 600
    depth = np.exp(rng.normal(7.5, 0.5, n))
    hidden = rng.normal(size=(20, n))
    level = {
        "zero-inflated": lambda h: np.where(rng.random(h.shape) < 0.5, 0, 20 * np.exp(0.5 * h)),
        "bimodal": lambda h: np.where(h > 0, 40, 2) * np.exp(0.2 * h),
        "switch": lambda h: np.where(h > 0.5, 15, 0),
    }[kind]
    counts = rng.poisson(level(hidden) * depth / depth.mean()).astype(float)
    model = fitted(counts, depth)
    first, _ = model.scores(counts)
    ranks = stats.rankdata(np.log1p(counts / depth), axis=1)

    def found(values: np.ndarray) -> float:
        pairs = zip(values, hidden, strict=True)
        return float(np.mean([np.corrcoef(x, h)[0, 1] for x, h in pairs]))

    assert found(first) > found(ranks) - 0.02
    assert is_calibrated(model.table).all()
    share = model.share[0, :, None]
    fits = rng.poisson(share * depth).astype(float)
    assert not is_calibrated(fitted(fits, depth).table).any()
    assert np.isfinite(first).all()


def test_without_differences_in_depth_calibrated_scores_are_those_of_ranks() -> None:
    rng = np.random.default_rng(12)
    n = 400
    counts = np.where(rng.random((10, n)) < 0.5, 0, rng.poisson(20, (10, n))).astype(float)
    first, second = fitted(counts, np.full(n, 1000.0)).scores(counts)
    for gene in range(10):
        below = (counts[gene][:, None] > counts[gene]).mean(axis=1)
        upto = (counts[gene][:, None] >= counts[gene]).mean(axis=1)
        h1, h2 = interval_scores(below, upto)
        assert np.corrcoef(first[gene], h1)[0, 1] > 0.99
        assert np.corrcoef(second[gene], h2)[0, 1] > 0.95
        # Not 0: the calibration is linear between knots, where a count's interval may jump. With
        # knots half as far apart it is half as large; estimators centre the scores anyway.
        assert abs(first[gene].mean()) < 0.1


def test_extremes_have_finite_scores() -> None:
    depth = np.array([0.0, 1000, 2000, 500, 1e6, 800])
    counts = np.zeros((4, 6))
    counts[0, 2] = 1  # a gene in one cell
    counts[1, 1:] = [5, 9, 2, 4000, 1e6]
    counts[2, 1:] = 7
    model = fitted(counts, depth)
    first, second = model.scores(counts)
    assert np.isfinite(first).all()
    assert np.isfinite(second).all()
    assert np.abs(first).max() <= model.limit
    assert (first[:, 0] == 0).all()  # an empty cell says nothing
    assert (first[3] == 0).all()  # nor does a gene without counts
    assert first[0, 2] > 0.5
    assert first[0, 2] == first[0].max()


def test_order_and_blocks_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(6)
    depth = np.exp(rng.normal(7.5, 0.7, 211))
    batch = rng.integers(0, 3, 211)
    counts = noise(rng, np.exp(rng.normal(-7, 1.5, 37)), depth, 1.5)
    model = fitted(counts, depth, batch)
    scores = model.scores(counts)
    cells, genes = rng.permutation(211), rng.permutation(37)
    mixed = counts[np.ix_(genes, cells)]
    monkeypatch.setattr("pysces.data._counts._BLOCK_VALUES", 700)
    monkeypatch.setattr("pysces.data._counts._CACHED_VALUES", 500)
    other = fitted(mixed, depth[cells], batch[cells])
    np.testing.assert_array_equal(other.share, model.share[:, genes])
    np.testing.assert_array_equal(other.size, model.size[genes])
    for ours, theirs in zip(scores, other.scores(mixed), strict=True):
        np.testing.assert_array_equal(theirs, ours[np.ix_(genes, cells)])
    few = np.array([3, 20, 5])
    np.testing.assert_array_equal(model.scores(counts[few], few)[0], scores[0][few])


def test_residuals_are_normal_given_the_depth_and_keyed_by_names() -> None:
    rng = np.random.default_rng(7)
    depth = np.exp(rng.normal(7.5, 0.8, 800))
    counts = noise(rng, np.exp(rng.normal(-7, 1.5, 40)), depth, 1.0)
    model = fitted(counts, depth)
    genes = _seeds.keys(0, [f"G{i}" for i in range(40)], "residuals", 0)
    cells = _seeds.keys(0, [f"c{i}" for i in range(800)])
    z = model.residuals(counts, ALL, genes, cells)
    shallow = depth < np.median(depth)
    for part in (shallow, ~shallow):
        assert stats.kstest(z[:, part].ravel(), "norm").pvalue > 0.001
    few = np.array([9, 2])
    again = model.at(depth[:50]).residuals(counts[few, :50], few, genes[few], cells[:50])
    np.testing.assert_array_equal(again, z[few, :50])
    other = model.residuals(counts, ALL, _seeds.keys(0, range(40), "residuals", 1), cells)
    assert (other != z).mean() > 0.9


def test_bad_depths_and_counts_are_refused() -> None:
    counts = np.ones((1, 3))
    with pytest.raises(InputError, match="depth 0"):
        fitted(counts, np.zeros(3))
    with pytest.raises(InputError, match="at least 0"):
        fitted(counts, np.array([1, -1, 2.0]))
    with pytest.raises(InputError, match="depth 0 has counts"):
        fitted(counts, np.array([1, 0, 2.0]))
    with pytest.raises(InputError, match="non-negative integers"):
        fitted(counts + 0.5, np.ones(3))


# --- which data are counts ------------------------------------------------------------------------

_RNG = np.random.default_rng(8)
DEPTH = np.exp(_RNG.normal(7, 0.7, 60))
COUNTS = _RNG.poisson(DEPTH[:, None] * _RNG.dirichlet(np.full(300, 0.5))).astype(np.float32)


def normalised(counts: np.ndarray, target: float | None = 1e4, base: float | None = None):  # type: ignore[no-untyped-def]
    adata = ad.AnnData(counts.copy())
    sc = pytest.importorskip("scanpy", reason="scanpy is not installed")
    sc.pp.normalize_total(adata, target_sum=target)
    sc.pp.log1p(adata, base=base)
    return adata


def test_whole_numbers_are_counts() -> None:
    assert looks_like_counts(expression_of(COUNTS))
    assert not looks_like_counts(expression_of(COUNTS - 1))
    assert not looks_like_counts(expression_of(COUNTS * 0.5))
    assert not looks_like_counts(expression_of(COUNTS * 0))


@pytest.mark.parametrize("target", [None, 1.0, 1e4, 1e6])
@pytest.mark.parametrize("base", [None, 2, 10])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_counts_are_recovered_exactly(
    target: float | None, base: float | None, dtype: type
) -> None:
    adata = normalised(COUNTS.astype(dtype), target, base)
    recovered = recover_counts(expression_of(adata.X))
    assert recovered is not None
    assert recovered.exact
    np.testing.assert_array_equal(recovered.counts.sample_block(), COUNTS)
    np.testing.assert_allclose(recovered.depth, COUNTS.sum(axis=1), rtol=1e-5)
    assert recovered.base == pytest.approx(base or np.e)
    named = recover_counts(expression_of(adata.X), base=base or np.e)
    assert named is not None
    np.testing.assert_array_equal(named.unit, recovered.unit)


def test_depth_is_recovered_whatever_genes_are_left() -> None:
    adata = normalised(COUNTS)[:, 40:200]
    recovered = recover_counts(Expression.from_anndata(adata))
    assert recovered is not None
    np.testing.assert_array_equal(recovered.counts.gene_block([3, 50]), COUNTS[:, [43, 90]].T)
    ratio = recovered.depth / COUNTS.sum(axis=1)
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-4)


def test_sparse_values_are_recovered_as_sparse_counts() -> None:
    values = sp.csr_array(normalised(COUNTS).X)
    recovered = recover_counts(expression_of(values))
    assert recovered is not None
    some = np.array([41, 3, 7])
    rows = recovered.counts.take_genes(slice(2, 60)).sparse_block(some)
    assert rows is not None
    dense = sp.csr_array((rows.values, rows.genes + 1, rows.indptr), shape=(3, 59)).toarray()
    np.testing.assert_array_equal(dense[:, 1:], COUNTS[some, 2:60])
    columns = recovered.counts.take_samples(some).sparse_genes(slice(2, 60))
    assert columns is not None
    dense = sp.csr_array((columns.values, columns.genes + 1, columns.indptr)).toarray()
    np.testing.assert_array_equal(dense[:, 1:], COUNTS[some, 2:60].T)


def test_margins_of_sparse_and_dense_counts_are_the_same() -> None:
    rng = np.random.default_rng(3)
    counts = rng.negative_binomial(0.5, 0.2, (300, 40)) * (rng.random((300, 40)) < 0.5)
    counts[5, :20] += 2000  # extreme; and values that are counted one by one
    depth, batch = rng.uniform(100, 900, 300), np.arange(300) % 2
    genes, some = rng.permutation(40)[:30], rng.permutation(300)[:250]
    found = []
    for storage in (np.asarray, sp.csr_matrix, sp.csc_matrix):
        expression = Expression.from_matrix(storage(counts), [f"g{i}" for i in range(40)])
        model = CountData(expression, depth, batch, False, "").fit(genes, some)
        found.append((model.share, model.size))
    for share, size in found[1:]:
        np.testing.assert_array_equal(share, found[0][0])
        np.testing.assert_array_equal(size, found[0][1])


def test_cells_without_ones_are_recovered() -> None:
    counts = COUNTS.copy()
    counts[3] = np.where(counts[3] > 1, counts[3], 0)  # 2, 3, ...
    counts[4] *= 2  # even numbers only
    adata = normalised(counts)
    totals = counts.sum(axis=1)
    recovered = recover_counts(expression_of(adata.X), totals=totals)
    assert recovered is not None
    np.testing.assert_array_equal(recovered.counts.sample_block(), counts)
    np.testing.assert_array_equal(recovered.depth, totals)
    alone = recover_counts(expression_of(adata.X))  # 2 and 3 are no multiples of 2
    assert alone is not None
    np.testing.assert_array_equal(alone.counts.sample_block()[3], counts[3])


def test_what_cannot_be_recovered_is_refused() -> None:
    rng = np.random.default_rng(9)
    log = normalised(COUNTS).X
    scaled = (log - log.mean(axis=0)) / (log.std(axis=0) + 1e-3)
    smooth = log + np.where(log > 0, rng.uniform(0, 0.2, log.shape), 0)
    arrays = rng.normal(8, 2, (60, 300)).clip(0)
    for values in (scaled, smooth, arrays, np.zeros((4, 9)), np.full((4, 9), 1e6) * smooth[:4, :9]):
        assert recover_counts(expression_of(np.asarray(values))) is None


def test_empty_cells_have_no_depth() -> None:
    counts = COUNTS.copy()
    counts[5] = 0
    values = np.log1p(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1) * 1e4)
    recovered = recover_counts(expression_of(values))
    assert recovered is not None
    assert recovered.depth[5] == 0
    np.testing.assert_array_equal(recovered.counts.sample_block(), counts)


@pytest.mark.parametrize("n_samples", [2, 7, 900])
def test_the_fit_by_samples_is_that_by_genes(
    n_samples: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(n_samples)
    counts = rng.negative_binomial(0.7, 0.2, size=(n_samples, 40)).astype(float)
    counts[:, 3] = 0
    counts[:, 5] *= 100  # beyond the table of small counts
    counts[rng.integers(0, n_samples, 4), 7] = 5000  # extreme
    depth = counts.sum(axis=1) + 1
    counts[n_samples // 2], depth[n_samples // 2] = 0, 0
    depth[0] += 1
    batch = rng.integers(0, 3, n_samples)
    batch[0] = 2
    matrix = sp.csr_matrix(counts)
    matrix.data[::50] = 0  # stored zeros
    names = [f"gene{i}" for i in range(40)]
    data = Expression.from_matrix(matrix, genes=names, least_samples=1)
    data = data.take_genes(rng.permutation(40)[:30])
    expected = CountModel.fit(data.gene_block, 30, depth, batch, calibrate=False)
    monkeypatch.setattr("pysces.data._sources.PASS_BYTES", 20 * 40 * 12)
    found = fit_by_samples(data, depth, batch)
    for name in ("share", "size", "depth", "batch", "limit"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), name)
    matrix.data[:] = 0.5
    with pytest.raises(InputError, match="non-negative integers"):
        fit_by_samples(data, depth, batch)
