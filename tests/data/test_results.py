"""What PySCES writes to an AnnData survives h5ad and zarr, and is never half written."""

from __future__ import annotations

import datetime
import enum
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import pysces
from pysces._keys import ActivityResult, NetworkResult
from pysces._record import RunRecord
from pysces.data import _results
from pysces.errors import InputError, MissingKeyError
from pysces.network import Network

NETWORK = Network(
    pd.DataFrame(
        {
            "source": ["A/B", "A/B", "C"],
            "target": ["x", "y", "x"],
            "mi": [0.1, 0.2, 0.3],
            "support": [3, 2, 1],
        }
    )
)


@dataclass
class Options:
    alpha: float
    nested: tuple[int, ...]


class Colour(enum.Enum):
    RED = "red"


PARAMS = {
    "tuple": (1, 2),
    "set": {"b", "a"},
    "mixed": [1, "a", None],
    "nested": [[1, 2], [3]],
    "empty": [],
    "none": None,
    "path": Path("folder") / "file.txt",
    "generator": np.random.default_rng(0),
    "int32": np.int32(3),
    "float32": np.float32(0.5),
    "bool": np.True_,
    "uint64": 2**64 - 1,
    "negative": -(2**70),
    "complex": 1 + 2j,
    5: {6: "six"},
    "date": datetime.date(2024, 1, 2),
    "enum": Colour.RED,
    "options": Options(0.5, (1, 2)),
    "function": np.mean,
    "object": object(),
    "bytes": b"text",
    "index": pd.Index(["g1", "g2"]),
    "series": pd.Series([1.5, 2.5]),
    "categorical": pd.Categorical(["u", "v"]),
    "objects": np.array([1, "a", None], dtype=object),
    "times": np.array(["2024-01-02"], dtype="datetime64[D]"),
    "zero dimensions": np.array(7),
    "sparse": sp.csr_matrix(np.eye(2)),
    "frame": pd.DataFrame({"mixed": [1, "a"], 3: [True, False]}, index=[10, 20]),
    "grades": pd.DataFrame({"c": pd.Categorical([1, "a"])}),
    "range": range(3),
    "nan": float("nan"),
    "text": "",
}


def new_adata() -> ad.AnnData:
    adata = ad.AnnData(np.ones((4, 3), dtype=np.float32))
    adata.uns["other"] = {"kept": 1}
    return adata


def put(adata: ad.AnnData, key: Any, network: Network, options: Any) -> None:
    record = RunRecord("run_aracne", options)
    _results.write(adata, key, NetworkResult(network=network.to_dataframe(), record=record))


def put_activity(adata: ad.AnnData, key: str, options: Any, **tables: Any) -> None:
    record = RunRecord("run_viper", options)
    _results.write(adata, key, ActivityResult(record=record, **tables))


def round_trip(adata: ad.AnnData, folder: Path, kind: str) -> ad.AnnData:
    if kind == "zarr":
        pytest.importorskip("zarr", reason="zarr is not installed")
    path = folder / f"stored.{kind}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # anndata announces a change of the default zarr format
        getattr(adata, f"write_{kind}")(path)
        return getattr(ad, f"read_{kind}")(path)


@pytest.mark.parametrize("kind", ["h5ad", "zarr"])
def test_network_and_params_survive_files(kind: str, tmp_path: Path) -> None:
    adata = new_adata()
    put(adata, "aracne", NETWORK, PARAMS)
    put(adata, "second", Network(NETWORK.to_dataframe()[:0]), {})
    stored = round_trip(adata, tmp_path, kind)
    assert Network.from_anndata(stored).equals(NETWORK)
    table = stored.uns["aracne"]["network"]
    assert isinstance(table["source"].dtype, pd.CategoricalDtype)
    assert list(table.columns) == ["source", "target", "mi", "support"]
    assert len(Network.from_anndata(stored, "second")) == 0
    params = stored.uns["aracne"]["params"]
    assert list(params["tuple"]) == [1, 2]
    assert list(params["set"]) == ["a", "b"]
    assert params["mixed"] == {"0": 1, "1": "a", "2": "None"}
    assert params["none"] is None
    assert params["path"] == str(Path("folder") / "file.txt")
    assert params["generator"] == "Generator(PCG64)"
    assert params["int32"] == 3
    assert params["uint64"] == "18446744073709551615"
    assert params["5"] == {"6": "six"}
    assert params["date"] == "2024-01-02"
    assert params["enum"] == "red"
    assert params["options"]["alpha"] == 0.5
    assert list(params["options"]["nested"]) == [1, 2]
    assert params["function"] == "numpy.mean"
    assert params["object"] == "builtins.object"
    assert list(params["index"]) == ["g1", "g2"]
    assert list(params["frame"]["mixed"]) == ["1", "a"]
    assert stored.uns["other"]["kept"] == 1
    again = round_trip(stored, tmp_path, kind)  # what was read can be written
    assert Network.from_anndata(again).equals(NETWORK)


def test_plain_is_stable_and_copies() -> None:
    once = _results.plain({"values": np.arange(3), "list": [1.5, 2], "b": [True]})
    twice = _results.plain(once)
    assert set(twice) == {"values", "list", "b"}
    assert twice["values"] is not once["values"]
    np.testing.assert_array_equal(twice["list"], [1.5, 2.0])
    assert twice["b"].dtype == bool


@pytest.mark.parametrize("key", ["a/b", "", " ", ".", "..", 3, None])
def test_impossible_keys_are_refused(key: Any) -> None:
    adata = new_adata()
    with pytest.raises(InputError, match="without '/'"):
        put(adata, key, NETWORK, {})
    assert list(adata.uns) == ["other"]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"a/b": 1}, "A key must be text without '/'"),
        ({"deep": {"er": [{"a/b": 1}]}}, "A key must be"),
        ({1: "a", "1": "b"}, "equal as text"),
        ({"t": pd.DataFrame({"a/b": [1]})}, "The name of a column"),
        ({"t": pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")]))}, "levels"),
        ({"t": pd.DataFrame([[1, 2]], columns=["a", "a"])}, "repeated column names"),
    ],
)
def test_impossible_params_leave_nothing_behind(params: Any, message: str) -> None:
    adata = new_adata()
    put(adata, "aracne", NETWORK, {"run": 1})
    with pytest.raises(InputError, match=message):
        put(adata, "aracne", NETWORK, params)
    assert adata.uns["aracne"]["params"] == {"run": 1}
    with pytest.raises(InputError, match=message):
        put(adata, "new", NETWORK, params)
    assert sorted(adata.uns) == ["aracne", "other"]


def test_activity_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    adata = new_adata()
    activity = pd.DataFrame(np.ones((4, 2)), index=adata.obs_names, columns=["R1", "R2"])
    regulators = pd.DataFrame({"n_targets": [3, 4]}, index=["R1", "R2"])
    tables = {"pvalues": activity, "qvalues": activity, "pes": activity, "sd": activity}
    put_activity(adata, "viper", {"a": 1}, nes=activity, regulators=regulators, **tables)
    assert sorted(adata.obsm) == ["viper", *(f"viper_{name}" for name in sorted(tables))]
    stored = round_trip(adata, tmp_path, "h5ad")
    pd.testing.assert_frame_equal(stored.obsm["viper"], activity)
    assert list(stored.uns["viper"]["regulators"].index) == ["R1", "R2"]

    too_short = activity.iloc[:2]
    with pytest.raises(ValueError, match=r"shape|index"):
        put_activity(adata, "viper", {"a": 2}, nes=activity * 2, pvalues=too_short)
    assert adata.uns["viper"]["params"] == {"a": 1}
    pd.testing.assert_frame_equal(adata.obsm["viper"], activity)
    with pytest.raises(ValueError, match=r"shape|index"):
        put_activity(adata, "fresh", {}, nes=too_short)
    assert "fresh" not in adata.uns

    put_activity(adata, "viper", {"a": 3}, nes=activity, regulators=regulators)
    assert sorted(adata.obsm) == ["viper"]
    with pytest.raises(InputError, match="The name of a column"):
        put_activity(adata, "viper", {}, nes=activity.rename(columns={"R1": "R/1"}))


def test_missing_network_says_what_to_run() -> None:
    adata = new_adata()
    with pytest.raises(MissingKeyError) as error:
        Network.from_anndata(adata)
    assert str(error.value) == (
        "Did not find .uns['aracne']. Run `pysces.run_aracne(adata)` first."
    )
    put(adata, "tcells", NETWORK, {})
    with pytest.raises(MissingKeyError, match=r"key_added='x'\)` first. Results .* 'tcells'"):
        Network.from_anndata(adata, "x")
    adata.uns["colours"] = np.array(["red", "network"])
    for key in ("other", "colours"):
        with pytest.raises(MissingKeyError, match=key):
            Network.from_anndata(adata, key)
    view = adata[:2]
    assert Network.from_anndata(view, "tcells").equals(NETWORK)
    assert Network.from_anndata(adata, "tcells").equals(NETWORK)


def test_how_a_network_was_made_stays_with_it() -> None:
    adata = new_adata()
    put(adata, "aracne", NETWORK, {"alpha": 0.05})
    network = Network.from_anndata(adata)
    assert network.record.options == {"alpha": 0.05}
    assert network.prune(1).record is network.filter(1).record is network.record
    adata.uns["bare"] = {"network": NETWORK.to_dataframe()}
    assert Network.from_anndata(adata, "bare").record.options == {}


def test_stored_network_can_be_read_and_changed_without_effect_on_the_original() -> None:
    adata = new_adata()
    put(adata, "aracne", NETWORK, {})
    adata.uns["aracne"]["network"].loc[0, "mi"] = 5.0
    assert NETWORK.to_dataframe()["mi"][0] == 0.1


def test_a_column_called_as_the_index_is_refused_before_it_cannot_be_written() -> None:
    """h5ad files name the names of rows so; anndata failed at `write_h5ad`, after the work."""
    rng = np.random.default_rng(0)
    adata = ad.AnnData(rng.normal(size=(6, 30)))
    adata.var_names = [f"g{i}" for i in range(30)]
    edges = pd.DataFrame({"source": "_index", "target": adata.var_names[:12]})
    with pytest.raises(InputError, match=r"regulator \('_index'\) must not be '_index'.*Rename"):
        pysces.run_viper(adata, edges)
    assert not adata.obsm
    with pytest.raises(InputError, match="column must not be '_index'"):
        _results.plain(pd.DataFrame({"_index": [1]}))
