"""Networks given depth: what scores are made of, and what must not change them."""

from __future__ import annotations

import warnings

import anndata
import numpy as np
import pandas as pd
import pytest

import pysces
from pysces import _seeds
from pysces.aracne._copula import Scores, continuous_scores
from pysces.data._depth import Known, counts_of, known_of
from pysces.data._expression import Expression

QUICK = {"n_resamples": 6, "n_null": 10_000}
REGULATORS = ["g0", "g1", "g2"]
# Few resamples of few samples: some edges are weak, and decoys do nearly as well.
weak = pytest.mark.filterwarnings("ignore::pysces.PyscesWarning")
ENGINES = [row.engine for row in pysces.status().engines if row.available]


def table(network: pysces.Network) -> pd.DataFrame:
    return network.to_dataframe()


def same(one: pd.DataFrame, two: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(one, two, check_exact=True)


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    """80 samples; g0 drives g5 ... g9, a parabola of g1 drives g10 ... g14."""
    values = _seeds.generator(0, "continuous").normal(size=(80, 24))
    values[:, 5:10] += 1.5 * values[:, [0]]
    values[:, 10:15] += values[:, [1]] ** 2
    names = [f"g{i}" for i in range(24)]
    return pd.DataFrame(values, columns=names, index=[f"cell{i}" for i in range(80)])


@pytest.fixture(scope="module")
def counts() -> pd.DataFrame:
    """Counts of 120 cells of unlike depth, g0 drives g5 ... g9; whole data of 1,200 genes."""
    rng = _seeds.generator(0, "counts")
    depth = rng.lognormal(6.7, 0.4, size=(120, 1))
    share = rng.lognormal(0, 1, size=1200)
    share[:10] = np.sort(share)[-10:]  # levels that can be seen
    activity = np.ones((120, 1200))
    activity[:, [0, *range(5, 10)]] = rng.gamma(1.5, 1 / 1.5, size=(120, 1))
    mean = depth * share / share.sum() * activity
    names = [f"g{i}" for i in range(1200)]
    values = rng.poisson(mean).astype(float)
    return pd.DataFrame(values, columns=names, index=[f"cell{i}" for i in range(120)])


# --- continuous data ----------------------------------------------------------------------------


def test_monotone_transforms_change_nothing(data) -> None:
    """Ranks are all that counts: exponentials, cubes, shifts and scales by gene."""
    wanted = table(pysces.infer_network(data, REGULATORS, **QUICK))
    assert len(wanted) > 8
    changed = data.copy()
    for i, name in enumerate(data):
        form = (np.exp, lambda v: v**3, lambda v: 1e6 * v - 5, np.arctan)[i % 4]
        changed[name] = form(data[name])
    same(table(pysces.infer_network(changed, REGULATORS, **QUICK)), wanted)
    mi = pysces.mutual_information(data, REGULATORS)
    same(pysces.mutual_information(changed, REGULATORS), mi)
    turned = data.assign(g5=-data["g5"])  # a falling one: the same information
    same(pysces.mutual_information(turned, REGULATORS), mi)


@pytest.mark.parametrize("resampling", ["halves", "subsample", "bootstrap", None])
@pytest.mark.parametrize("engine", ENGINES)
def test_orders_change_nothing_bit_for_bit(data, engine, resampling) -> None:
    """Of samples, genes and regulators, with ties."""
    rounded = data.round(1)
    options = {**QUICK, "resampling": resampling, "engine": engine}
    wanted = pysces.infer_network(rounded, REGULATORS, **options)
    rng = _seeds.generator(1, "orders")
    mixed = rounded.iloc[rng.permutation(80), rng.permutation(24)]
    found = pysces.infer_network(mixed, REGULATORS[::-1], **options)
    same(table(found), table(wanted))
    assert len(found) > 8


def test_orders_of_batches_and_depths_change_nothing(counts) -> None:
    small = counts.iloc[:, :30]
    depth = counts.sum(axis=1).to_numpy()
    batch = np.repeat(["a", "b"], 60)
    options = {**QUICK, "counts": True}
    wanted = pysces.infer_network(small, REGULATORS, size_factors=depth, batch_key=batch, **options)
    assert len(wanted) >= 5
    rng = _seeds.generator(2, "orders")
    order = rng.permutation(120)
    mixed = small.iloc[order, rng.permutation(30)]
    found = pysces.infer_network(
        mixed, REGULATORS, size_factors=depth[order], batch_key=batch[order], **options
    )
    same(table(found), table(wanted))
    renamed = np.where(batch == "a", "z", "y")  # names of batches say nothing
    found = pysces.infer_network(
        small, REGULATORS, size_factors=depth, batch_key=renamed, **options
    )
    assert set(map(tuple, table(found)[["source", "target"]].to_numpy())) == set(
        map(tuple, table(wanted)[["source", "target"]].to_numpy())
    )


def test_names_of_samples_key_the_resamples(data) -> None:
    """Numbers as names go by size, so arrays and frames of numbered samples agree."""
    numbered = data.set_axis([str(i) for i in range(80)])
    array = pysces.infer_network(numbered.to_numpy(), REGULATORS, genes=list(data.columns), **QUICK)
    same(table(pysces.infer_network(numbered, REGULATORS, **QUICK)), table(array))
    backwards = numbered.iloc[::-1]
    same(table(pysces.infer_network(backwards, REGULATORS, **QUICK)), table(array))


@pytest.mark.filterwarnings("ignore:Observation names are not unique:UserWarning")  # anndata's
def test_repeated_names_of_samples_are_refused(data) -> None:
    twice = data.set_axis(["same", "same", *data.index[2:]])
    for call in (pysces.infer_network, pysces.mutual_information):
        with pytest.raises(pysces.InputError, match=r"Sample names repeat: .*same"):
            call(twice, REGULATORS)
    adata = anndata.AnnData(twice)
    with pytest.raises(pysces.InputError, match="obs_names_make_unique"):
        pysces.run_aracne(adata, REGULATORS)


def test_batches_are_ranked_apart(data) -> None:
    """A shift of a whole batch changes nothing where the batch is named, and much where not."""
    batch = np.repeat(["a", "b"], 40)
    shifted = data + 5.0 * (batch == "b")[:, None]
    named = {"batch_key": batch}
    wanted = pysces.mutual_information(data, REGULATORS, **named)
    same(pysces.mutual_information(shifted, REGULATORS, **named), wanted)
    blind = pysces.mutual_information(shifted, REGULATORS)
    assert blind.loc["g0", "g20"] > 0.15 > 0.08 > wanted.loc["g0", "g20"]
    first = continuous_scores(data.to_numpy().T[:, :40])[0]
    expression = Expression.from_matrix(data)
    scores = Scores.of(expression, None, (batch == "b").astype(np.int64), 1)
    ratio = scores.values[3, 0, :40] / first[3]
    assert np.ptp(ratio[np.abs(first[3]) > 0.5]) < 3  # one scale, rounded


# --- counts -------------------------------------------------------------------------------------


def normalised(counts: pd.DataFrame, target: float = 1e4) -> pd.DataFrame:
    """As normalize_total and log1p leave counts."""
    return np.log1p(counts.div(counts.sum(axis=1), axis=0) * target)


@pytest.mark.parametrize("number", [np.float64, np.float32])
def test_recovered_counts_give_the_network_of_the_counts(counts, number, caplog) -> None:
    depth = counts.sum(axis=1).to_numpy()
    genes = [*counts.columns[:60]]
    raw = anndata.AnnData(counts[genes].astype(number))
    raw.obs["total_counts"] = depth
    log = anndata.AnnData(normalised(counts)[genes].astype(number))
    log.obs["total_counts"] = depth
    pysces.run_aracne(raw, REGULATORS, **QUICK)
    assert "recovered" not in caplog.text
    pysces.run_aracne(log, REGULATORS, **QUICK)
    assert "counts were recovered (exactly)" in caplog.text
    one, two = (a.uns["aracne"] for a in (raw, log))
    assert len(one["network"]) >= 5
    left, right = (
        part["network"].drop(columns=["correlation", "mor", "likelihood"]) for part in (one, two)
    )
    same(left, right)  # the correlation is of the values as they are
    assert one["facts"]["scores"] == two["facts"]["scores"] == "counts given depth"
    assert (one["facts"]["counts_recovered"], two["facts"]["counts_recovered"]) == (False, True)


@weak
def test_counts_are_recovered_without_a_known_depth(counts) -> None:
    """The unit of a cell gives its depth up to a constant, whatever genes are left."""
    genes = [*counts.columns[:200]]
    log = pysces.infer_network(normalised(counts)[genes], REGULATORS, **QUICK)
    assert log.record.facts["depth_source"] == "unit of the recovered counts"
    raw = pysces.infer_network(
        counts[genes], REGULATORS, size_factors=counts.sum(axis=1).to_numpy(), **QUICK
    )
    edges = [set(map(tuple, table(n)[["source", "target"]].to_numpy())) for n in (log, raw)]
    assert edges[0] == edges[1]
    asis = pysces.infer_network(normalised(counts)[genes], REGULATORS, counts=False, **QUICK)
    assert asis.record.facts["scores"] == "continuous"


@weak
def test_depth_by_column_array_and_sum(counts) -> None:
    depth = counts.sum(axis=1).to_numpy()
    adata = anndata.AnnData(counts)
    adata.obs["depth"] = depth
    adata.obs["batch"] = np.repeat(["a", "b"], 60)
    found = {}
    for name, given in {
        "column": {"size_factors": "depth", "batch_key": "batch"},
        "array": {"size_factors": depth, "batch_key": adata.obs["batch"].to_numpy()},
        "other unit": {"size_factors": depth / 7.0, "batch_key": "batch"},
        "sum": {"batch_key": "batch"},
    }.items():
        result = pysces.run_aracne(adata, REGULATORS, copy=True, **QUICK, **given)
        found[name] = result.uns["aracne"]
    wanted = found["column"]
    assert wanted["params"]["size_factors"] == "depth"
    assert wanted["params"]["batch_key"] == "batch"
    assert found["array"]["params"]["size_factors"] == "given"
    assert found["sum"]["facts"]["depth_source"] == "sum over the genes"
    assert wanted["facts"]["depth_median"] == np.median(depth)
    assert len(wanted["network"]) >= 5
    for name in ("array", "sum"):
        same(found[name]["network"], wanted["network"])
    edges = [set(map(tuple, found[n]["network"][["source", "target"]].to_numpy())) for n in found]
    assert edges[2] == edges[0]  # only ratios of depths count
    adata.obs["total_counts"] = depth
    assert known_of(adata, None, None).source == "total_counts"
    known = known_of(anndata.AnnData(counts.iloc[:, :9], obs=adata.obs[[]]), None, None)
    assert known.depth is None


def test_depth_of_raw_and_bad_depths(counts) -> None:
    """`raw` gives the depth where it has more genes and holds counts; a bad depth is named."""
    adata = anndata.AnnData(counts)
    adata.raw = adata
    few = adata[:, :50].copy()
    known = known_of(few, None, None)
    assert known.source == "raw"
    np.testing.assert_array_equal(known.depth, counts.sum(axis=1))
    assert known_of(adata, None, None).depth is None  # no more genes than there are
    few.raw = anndata.AnnData(normalised(counts))
    assert known_of(few, None, None).depth is None  # no counts
    for bad, message in (
        (np.zeros(120), "Every sample has the depth 0"),
        (np.append(0.0, np.ones(119)), "A sample of depth 0 has counts"),
        (np.full(120, np.nan), "must be finite"),
        (["many"] * 120, "must be numbers"),
    ):
        with pytest.raises(pysces.InputError, match=message):
            pysces.infer_network(counts.iloc[:, :50], REGULATORS, size_factors=bad, **QUICK)
    for text in ({"size_factors": "depth"}, {"batch_key": "batch"}):
        with pytest.raises(pysces.InputError, match=r"columns only of an AnnData|must be a list"):
            pysces.infer_network(counts, REGULATORS, **text)


def test_another_base_of_the_logarithm_is_read_from_uns(counts) -> None:
    adata = anndata.AnnData((normalised(counts) / np.log(2)).iloc[:, :200])
    adata.uns["log1p"] = {"base": 2}
    expression = Expression.from_anndata(adata)
    found = counts_of(expression, "auto", known_of(adata, None, None))[1]
    assert found is not None
    np.testing.assert_array_equal(found.expression.gene_block(), counts.to_numpy()[:, :200].T)
    ratio = found.depth / counts.sum(axis=1)
    np.testing.assert_allclose(ratio, ratio.iloc[0], rtol=1e-6)


@weak
def test_few_genes_without_a_depth_are_ranked_and_that_is_said(counts, caplog) -> None:
    found = pysces.infer_network(counts.iloc[:, :30], REGULATORS, **QUICK)
    assert found.record.facts["scores"] == "continuous"
    assert "too few to estimate the depth" in caplog.text


@weak
def test_rare_genes_are_left_out_and_counted(counts, caplog) -> None:
    some = counts.copy()
    some["g20"] = 0.0
    some.iloc[:9, 20] = 2.0  # nine cells
    some["g21"] = 0.0
    some.iloc[:10, 21] = 2.0  # ten: enough
    found = pysces.infer_network(some, REGULATORS, **QUICK)
    rare = ((some > 0).sum() < 10) & (some.nunique() > 1)
    assert rare["g20"]
    assert not rare["g21"]
    assert found.record.facts["n_rare_genes"] == rare.sum()
    assert "counts in fewer than 10 samples and are left out" in caplog.text
    every = pysces.infer_network(some, REGULATORS, min_cells=0, **QUICK)
    assert every.record.facts["n_rare_genes"] == 0
    with pytest.raises(pysces.InputError, match="Lower min_cells="):
        pysces.infer_network(some, ["g20"], **QUICK)


def test_a_gene_of_fewer_than_three_counts_in_a_half_has_no_edge(counts) -> None:
    some = counts.iloc[:, :40].copy()
    some["g20"] = 0.0
    some.iloc[:12, 20] = 1.0
    expression = Expression.from_matrix(some)
    depth = counts.sum(axis=1).to_numpy()
    _, found = counts_of(expression, True, Known(depth, "known"))
    scores = Scores.of(expression, found, None, 1)
    weights = np.zeros((3, 120), dtype=np.uint8)
    weights[0, 10:] = 1  # two of its counts
    weights[1, 9:] = 1  # three
    weights[2, 11:12] = 255  # one, many times
    usable = scores.usable(weights)
    assert usable[:, 20].tolist() == [False, True, False]
    assert usable[0, :3].all()
    np.testing.assert_array_equal(usable[0], (some.iloc[10:] > 0).sum() >= 3)


@weak
def test_degree_goes_by_the_share_of_zeros(counts, data) -> None:
    dense = pysces.infer_network(data, REGULATORS, **QUICK).record.facts
    assert (dense["degree"], dense["studentised"]) == (2, False)
    sparse = pysces.infer_network(counts, REGULATORS, **QUICK).record.facts
    assert (counts == 0).mean(axis=None) > 0.5
    assert (sparse["degree"], sparse["studentised"]) == (1, True)
    asked = pysces.infer_network(counts, REGULATORS, degree=2, **QUICK).record.facts
    assert (asked["degree"], asked["studentised"]) == (2, True)


def test_a_parabola_is_an_edge_of_degree_2_alone(data) -> None:
    found = {
        degree: {t for s, t in table(
            pysces.infer_network(data, REGULATORS, degree=degree, n_resamples=20, n_null=50_000)
        )[["source", "target"]].to_numpy() if s == "g1"}
        for degree in (1, 2)
    }  # fmt: skip
    planted = {f"g{i}" for i in range(10, 15)}
    assert len(found[2] & planted) >= 4
    assert len(found[1] & planted) <= 1


def test_what_cannot_be_recovered_is_warned_of(counts) -> None:
    some = counts.loc[:, (counts > 0).sum() > 0].iloc[:, :400]
    smooth = np.sqrt(normalised(counts))[some.columns]
    with pytest.warns(pysces.PyscesWarning, match="sparse and not counts"):
        pysces.mutual_information(smooth, REGULATORS)
    scaled = (normalised(some) - normalised(some).mean()) / (normalised(some).std() + 1e-9)
    with pytest.warns(pysces.PyscesWarning, match="scaled counts"):
        pysces.mutual_information(scaled, REGULATORS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pysces.mutual_information(smooth, REGULATORS, counts=False)
    with pytest.raises(pysces.InputError, match="counts=True, but the values"):
        pysces.mutual_information(smooth, REGULATORS, counts=True)


# --- few samples --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["continuous", "counts", "batches"])
def test_few_samples_give_an_empty_network_or_a_clear_error(kind) -> None:
    """Of 2 ... 30 samples: no other exception, and no edge from halves of fewer than 12."""
    rng = _seeds.generator(4, "few")
    for n in (2, 3, 4, 5, 8, 11, 12, 19, 20, 23, 24, 25, 30):
        values = rng.normal(size=(n, 8)) if kind != "counts" else rng.poisson(3.0, (n, 8))
        frame = pd.DataFrame(values, columns=[f"g{i}" for i in range(8)])
        given = {"counts": True, "min_cells": 1} if kind == "counts" else {}
        if kind == "batches":
            given["batch_key"] = np.arange(n) % 2
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                network = pysces.infer_network(
                    frame, REGULATORS, n_resamples=4, n_null=2000, **given
                )
        except pysces.InputError:
            assert n < 20
            continue
        assert all(w.category is pysces.PyscesWarning for w in caught)
        if n < 24:
            assert len(network) == 0
        if len(network) == 0:
            assert any("No edge is significant" in str(w.message) for w in caught)


@pytest.mark.parametrize("resampling", ["halves", "subsample", "bootstrap", None])
@pytest.mark.parametrize("estimator", ["copula", "adaptive", "adaptive-dyadic", "binned"])
def test_a_threshold_that_no_value_reaches_is_said(estimator, resampling) -> None:
    """With 2 to 5 samples no mutual information is significant; the threshold is infinite."""
    rng = _seeds.generator(5, "few")
    for n in (2, 4, 5):
        frame = pd.DataFrame(rng.normal(size=(n, 8)), columns=[f"g{i}" for i in range(8)])
        given = {} if resampling is None else {"n_resamples": 2}
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            network = pysces.infer_network(
                frame,
                REGULATORS,
                estimator=estimator,
                resampling=resampling,
                n_null=1000,
                alpha=1e-3,
                resample_pvalue="auto" if resampling is None else 1e-4,
                counts=False,
                **given,
            )
        assert len(network) == 0
        said = [str(w.message) for w in caught if "No edge is significant" in str(w.message)]
        assert len(said) == 1
        if network.record.facts["threshold_mi"] == np.inf:
            assert "no mutual information of so few samples can be significant" in said[0]
        else:
            assert network.record.facts["threshold_mi"] < 1000  # extrapolated, not a placeholder
        assert ("at least 24 samples" in said[0]) == (resampling == "halves")


def test_a_group_of_few_samples_is_left_out(data) -> None:
    adata = anndata.AnnData(data)
    adata.obs["kind"] = ["few"] * 15 + ["many"] * 65
    with pytest.warns(pysces.PyscesWarning, match=r"few \(15\)"):
        pysces.run_aracne(adata, REGULATORS, groupby="kind", min_samples=20, **QUICK)
    assert set(adata.uns["aracne"]["network"]["group"]) == {"many"}
    with pytest.warns(pysces.PyscesWarning, match="Group 'few': No edge"):
        pysces.run_aracne(adata, REGULATORS, groupby="kind", min_samples=10, **QUICK)
    assert set(adata.uns["aracne"]["network"]["group"]) == {"many"}


def test_groups_are_given_their_own_depths_and_batches(counts) -> None:
    """The network of a group is that of its samples alone."""
    adata = anndata.AnnData(counts)
    adata.obs["kind"] = np.tile(["a", "b"], 60)
    adata.obs["batch"] = np.repeat(["x", "y"], 60)
    adata.obs["depth"] = counts.sum(axis=1).to_numpy()
    given = {"size_factors": "depth", "batch_key": "batch", **QUICK}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pysces.PyscesWarning)  # few samples: few edges
        pysces.run_aracne(adata, REGULATORS, groupby="kind", **given)
        alone = adata[adata.obs["kind"] == "a"].copy()
        pysces.run_aracne(alone, REGULATORS, **given)
    together = pysces.Network.from_anndata(adata, group="a").to_dataframe()
    same(together, pysces.Network.from_anndata(alone).to_dataframe())
