"""An embedding in an AnnData: what is written, what is read back, who stands near whom."""

from __future__ import annotations

import inspect
import logging
import warnings

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import pysces
from pysces import _seeds
from pysces._keys import NetworkResult
from pysces._record import RunRecord
from pysces.data import _results
from pysces.errors import InputError, MissingKeyError

KEY = "regulon_embedding"


def table() -> pd.DataFrame:
    """Eight regulators in two communities; R1 does the opposite of R0."""
    rng = _seeds.generator(0, "embed")
    rows = []
    for regulator in range(8):
        own = [f"gene{number}" for number in range(40) if number % 2 == regulator % 2]
        rows += [(f"R{regulator}", t, rng.uniform(0.4, 1)) for t in rng.choice(own, 12, False)]
    edges = pd.DataFrame(rows, columns=["source", "target", "mor"])
    opposite = edges[edges["source"] == "R0"].assign(source="R1")
    opposite["mor"] *= -1
    return pd.concat([edges[edges["source"] != "R1"], opposite], ignore_index=True)


def sample() -> ad.AnnData:
    adata = ad.AnnData(np.ones((3, 50), dtype=np.float32))
    adata.var_names = [*(f"R{n}" for n in range(8)), *(f"gene{n}" for n in range(40)), "x", "y"]
    _results.write(adata, "aracne", NetworkResult(network=pysces.Network(table()).to_dataframe()))
    return adata


@pytest.fixture
def adata() -> ad.AnnData:
    return sample()


# --- what is written ------------------------------------------------------------------------------


def test_coordinates_go_to_varm_and_the_record_to_uns(adata) -> None:
    assert pysces.embed_regulators(adata, n_components=5) is None
    right = pysces.embed_network(table(), n_components=5)
    found = pd.DataFrame(adata.varm[KEY], index=adata.var_names)
    assert found.loc[right.index].to_numpy().tolist() == right.to_numpy().tolist()
    assert found.loc[~found.index.isin(right.index)].isna().all(axis=None)
    assert {"x", "y"} <= set(found.index[found.isna().any(axis=1)])
    record = adata.uns[KEY]
    np.testing.assert_array_equal(record["eigenvalues"], right.attrs["eigenvalues"])
    assert record["residuals"].shape == (5,)
    facts = record["regulons"]
    assert facts.loc["R0"].tolist() == [12, 12]
    assert facts.loc["R1"].tolist() == [12, 0]
    params = record["params"]
    assert params["network"] == "aracne"
    assert record["engine"]["name"] == pysces.status().chosen
    assert record["version"] == pysces.__version__
    arguments = {"n_components": 5, "regularisation": 1.0, "seed": 0}
    assert {name: params[name] for name in arguments} == arguments


def test_a_copy_leaves_the_original_alone_and_two_keys_stand_side_by_side(adata) -> None:
    before = adata.copy()
    other = pysces.embed_regulators(adata, n_components=2, key_added="two", copy=True)
    assert list(adata.varm) == list(before.varm)
    assert set(adata.uns) == set(before.uns)
    pysces.embed_regulators(other, n_components=3)
    assert other.varm["two"].shape == (50, 2)
    assert other.varm[KEY].shape == (50, 3)
    pysces.embed_regulators(other, n_components=4, key_added="two")  # one's own may be replaced
    assert other.varm["two"].shape == (50, 4)
    np.testing.assert_array_equal(other.X, before.X)


def test_the_order_of_genes_and_of_edges_changes_no_bit(adata) -> None:
    pysces.embed_regulators(adata, n_components=5)
    right = pd.DataFrame(adata.varm[KEY], index=adata.var_names)
    order = _seeds.generator(1, "order").permutation(adata.n_vars)
    shuffled = adata[:, order].copy()
    del shuffled.varm[KEY]
    network = table().sample(frac=1, random_state=1)
    pysces.embed_regulators(shuffled, network=network, n_components=5, key_added="again")
    found = pd.DataFrame(shuffled.varm["again"], index=shuffled.var_names)
    pd.testing.assert_frame_equal(found.loc[right.index], right, check_exact=True)


@pytest.mark.parametrize("kind", ["h5ad", "zarr"])
def test_the_result_survives_a_file(adata, kind, tmp_path) -> None:
    if kind == "zarr":
        pytest.importorskip("zarr", reason="zarr is not installed")
    pysces.embed_regulators(adata, n_components=3)
    near = pysces.regulator_neighbours(adata, "R2")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # anndata announces a change of the default zarr format
        getattr(adata, f"write_{kind}")(tmp_path / "file")
        again = getattr(ad, f"read_{kind}")(tmp_path / "file")
    np.testing.assert_array_equal(again.varm[KEY], adata.varm[KEY])
    pd.testing.assert_frame_equal(pysces.regulator_neighbours(again, "R2"), near, check_dtype=False)


def test_a_network_of_its_own_and_genes_that_are_not_there(adata, caplog) -> None:
    fewer = adata[:, 1:].copy()  # without R0
    with caplog.at_level(logging.INFO, logger="pysces"):
        pysces.embed_regulators(fewer, network=pysces.Network(table()))
    assert "'R0'" in caplog.text
    assert fewer.uns[KEY]["params"]["network"] == "given"
    assert "R0" not in fewer.uns[KEY]["regulons"].index
    assert "R0" not in set(pysces.regulator_neighbours(fewer, "R1")["regulator"])


def test_the_network_of_a_group(adata) -> None:
    networks = {"B": table(), "T": table()[lambda edges: edges["source"] != "R7"]}
    made = {name: pysces.Network(edges) for name, edges in networks.items()}
    record = RunRecord.of_groups({name: RunRecord() for name in made})
    edges = _results.grouped_edges(made)
    _results.write(adata, "grouped", NetworkResult(network=edges, record=record))
    pysces.embed_regulators(adata, network="grouped", group="T")
    assert "R7" not in adata.uns[KEY]["regulons"].index
    assert adata.uns[KEY]["params"]["group"] == "T"
    with pytest.raises(InputError, match=r"2 groups: 'B', 'T'\. Choose one with group="):
        pysces.embed_regulators(adata, network="grouped")
    with pytest.raises(InputError, match="'group' parameter"):
        pysces.embed_regulators(adata, network=table(), group="T")


def test_a_run_by_groups_is_embedded_group_by_group() -> None:
    rng = _seeds.generator(0, "cells")
    hidden = rng.normal(size=(120, 2))
    values = np.repeat(hidden, 5, axis=1) + 0.3 * rng.normal(size=(120, 10))
    adata = ad.AnnData(
        values, obs=pd.DataFrame({"type": ["B", "T"] * 60}).set_index(np.arange(120).astype(str))
    )
    adata.var_names = [f"gene{number}" for number in range(10)]
    pysces.run_aracne(adata, ["gene0", "gene5"], groupby="type", resampling=None, n_null=1000)
    for group in ("B", "T"):
        pysces.embed_regulators(adata, group=group, n_components=2, key_added=f"embedding_{group}")
        network = pysces.Network.from_anndata(adata, group=group)
        right = pysces.embed_network(network, n_components=2)
        found = pd.DataFrame(adata.varm[f"embedding_{group}"], index=adata.var_names)
        np.testing.assert_array_equal(found.loc[right.index], right)
    with pytest.raises(InputError, match="'B', 'T'"):
        pysces.embed_regulators(adata)
    with pytest.raises(MissingKeyError, match="'B', 'T'"):
        pysces.embed_regulators(adata, group="NK")


def test_no_other_result_takes_it_for_its_own(adata) -> None:
    pysces.embed_regulators(adata)
    for run in (pysces.run_viper, pysces.run_aracne):
        with pytest.raises(InputError, match="holds something else"):
            run(adata, key_added=KEY)


def test_refusals_write_nothing(adata) -> None:
    adata.varm["mine"] = np.zeros((50, 2))
    adata.uns["ours"] = {"network": 1}
    repeated = adata.copy()
    repeated.var_names = ["same"] * 2 + list(adata.var_names[2:])
    strange = pd.DataFrame({"source": ["P"], "target": ["Q"]})
    cases = [
        (adata, {"key_added": "mine"}, InputError, "varm.*holds something else"),
        (adata, {"key_added": "ours"}, InputError, "holds something else"),
        (adata, {"key_added": "a/b"}, InputError, "without '/'"),
        (adata, {"network": "elsewhere"}, MissingKeyError, "run_aracne"),
        (adata, {"network": 5}, InputError, "a Network or a DataFrame"),
        (adata, {"network": strange}, InputError, "No gene of the network"),
        (adata, {"n_components": 0}, InputError, "n_components"),
        (repeated, {}, InputError, "'same'"),
    ]
    for where, wrong, error, words in cases:
        before = set(where.varm), set(where.uns)
        with pytest.raises(error, match=words):
            pysces.embed_regulators(where, **wrong)
        assert (set(where.varm), set(where.uns)) == before


def test_signatures_follow_scanpy() -> None:
    for function, most in ((pysces.embed_regulators, 1), (pysces.regulator_neighbours, 2)):
        parameters = inspect.signature(function).parameters.values()
        positional = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
        assert positional[0] == "adata"
        assert len(positional) == most


# --- neighbours -----------------------------------------------------------------------------------


def test_neighbours_are_of_the_same_community_and_ranked(adata) -> None:
    pysces.embed_regulators(adata, n_components=4)
    near = pysces.regulator_neighbours(adata, "R2", n_neighbours=3)
    assert near.columns.tolist() == ["regulator", "cosine", "n_targets", "n_targets_positive"]
    assert set(near["regulator"]) == {"R0", "R4", "R6"}
    assert near["cosine"].is_monotonic_decreasing
    place = pd.DataFrame(adata.varm[KEY], index=adata.var_names)
    for regulator, cosine in near[["regulator", "cosine"]].itertuples(index=False):
        a, b = place.loc["R2"], place.loc[regulator]
        assert cosine == pytest.approx(a @ b / np.sqrt((a @ a) * (b @ b)))
    assert len(pysces.regulator_neighbours(adata, "R2", n_neighbours=99)) == 7


def test_the_opposite_of_an_activator_is_the_repressor_of_its_targets(adata) -> None:
    pysces.embed_regulators(adata, n_components=4)
    against = pysces.regulator_neighbours(adata, "R0", direction="opposite")
    assert against["regulator"][0] == "R1"
    assert against["cosine"][0] == pytest.approx(-1)
    assert against["cosine"].is_monotonic_increasing


def test_neighbours_of_a_target_and_of_a_gene_without_a_place(adata) -> None:
    pysces.embed_regulators(adata, n_components=4)
    target = table().query("source == 'R2'")["target"].iloc[0]
    near = pysces.regulator_neighbours(adata, target, n_neighbours=3)
    assert {int(name[1:]) % 2 for name in near["regulator"]} == {0}
    with pytest.raises(InputError, match="'x' is not in the embedding"):
        pysces.regulator_neighbours(adata, "x")


def test_equal_cosines_go_by_name_and_the_origin_is_no_direction() -> None:
    adata = ad.AnnData(np.ones((2, 6), dtype=np.float32))
    adata.var_names = ["R2", "R1", "R3", "R4", "A", "B"]
    edges = pd.DataFrame({"source": ["R3", "R1", "R2", "R4"], "target": ["A"] * 3 + ["B"]})
    edges["mor"] = [1.0, 1.0, 1.0, 0.0]
    pysces.embed_regulators(adata, network=edges, n_components=2)
    near = pysces.regulator_neighbours(adata, "R3")
    assert near["regulator"].tolist() == ["R1", "R2", "R4"]
    assert near["cosine"].iloc[2] == 0


def test_genes_taken_out_since_are_no_neighbours(adata) -> None:
    pysces.embed_regulators(adata, n_components=4)
    rest = adata[:, [name != "R4" for name in adata.var_names]].copy()
    assert "R4" not in set(pysces.regulator_neighbours(rest, "R2")["regulator"])


def test_bad_arguments_of_neighbours_are_refused(adata) -> None:
    with pytest.raises(MissingKeyError, match=r"embed_regulators\(adata\)"):
        pysces.regulator_neighbours(adata, "R1")
    with pytest.raises(MissingKeyError, match="key_added='other'"):
        pysces.regulator_neighbours(adata, "R1", key="other")
    pysces.embed_regulators(adata)
    with pytest.raises(InputError, match="direction"):
        pysces.regulator_neighbours(adata, "R1", direction="near")
    with pytest.raises(InputError, match="n_neighbours"):
        pysces.regulator_neighbours(adata, "R1", n_neighbours=0)
