"""Networks are checked, pruned and given modes of regulation as published."""

from __future__ import annotations

import logging
import pickle
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import pysces
from pysces.errors import InputError
from pysces.network import Network, _modes, likelihood, mode_of_regulation
from pysces.network._modes import ModeFit, fit_mixture, tail_mode

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "viper" / "regulon.npz")
EDGES = pd.DataFrame(
    {
        "source": ["MYC", "MYC", "TP53", "MYC", "TP53"],
        "target": ["NCL", "MAX", "MDM2", "TP53", "BAX"],
        "mi": [0.4, 0.1, 0.3, 0.2, 0.3],
        "correlation": [0.6, -0.3, 0.5, -0.4, 0.5],
        "support": [100, 40, 90, 60, 95],
    }
)


def golden_network() -> Network:
    columns = {"mor": "mode", "likelihood": "likelihood", "source": "source", "target": "target"}
    return Network(pd.DataFrame({name: GOLDEN[f"net1_{key}"] for name, key in columns.items()}))


# --- the table ----------------------------------------------------------------------------------


def test_table_is_tidy_and_ordered() -> None:
    table = Network(EDGES[["support", "target", "mi", "source", "correlation"]]).to_dataframe()
    assert list(table.columns) == ["source", "target", "mi", "correlation", "support"]
    assert isinstance(table["source"].dtype, pd.CategoricalDtype)
    assert isinstance(table["target"].dtype, pd.CategoricalDtype)
    assert list(table["source"].cat.categories) == ["MYC", "TP53"]
    assert list(table["target"].cat.categories) == ["NCL", "MAX", "MDM2", "TP53", "BAX"]
    assert table["support"].dtype == np.int64
    assert table["mi"].dtype == np.float64
    pd.testing.assert_frame_equal(
        table.astype({"source": object, "target": object}), EDGES, check_dtype=False
    )


def test_categories_that_no_edge_uses_disappear() -> None:
    table = EDGES.astype({"source": pd.CategoricalDtype(["Z", "TP53", "MYC"], ordered=True)})
    network = Network(table[table["source"] == "TP53"])
    assert list(network.regulators) == ["TP53"]
    assert list(network.targets) == ["MDM2", "BAX"]


def test_names_become_text() -> None:
    network = Network(pd.DataFrame({"source": [7, 7], "target": [8, 9]}))
    assert network.regulons() == {"7": ["8", "9"]}
    mixed = pd.Categorical([1, "1", 2], categories=[2, "1", 1])
    assert Network(pd.DataFrame({"source": mixed, "target": ["a", "b", "c"]})).regulons() == {
        "1": ["a", "b"],
        "2": ["c"],
    }


def test_contents_of_a_network() -> None:
    network = Network(EDGES)
    assert len(network) == 5
    assert network.columns == ("mi", "correlation", "support")
    assert network.regulons() == {"MYC": ["NCL", "MAX", "TP53"], "TP53": ["MDM2", "BAX"]}
    assert network.targets_of("TP53") == ["MDM2", "BAX"]
    assert repr(network) == (
        "Network of 5 edges: 2 regulators, 5 targets (2 to 3 per regulator, median 2.5); "
        "columns mi, correlation, support"
    )


def test_a_notebook_shows_the_strongest_edges_rounded() -> None:
    targets = [f"t{number:02d}" for number in range(20)]
    table = pd.DataFrame({"source": "A", "target": targets, "mi": np.arange(20) / 7})
    shown = Network(table)._repr_html_()
    assert [name for name in targets if name in shown] == targets[10:]
    assert shown.index("t19") < shown.index("t18")
    assert "2.71" in shown
    assert "2.714" not in shown
    assert "the strongest 10 of 20 edges" in shown
    ranked = Network(table.assign(rank=np.arange(20) + 1))._repr_html_()
    assert [name for name in targets if name in ranked] == targets[:10]
    assert "<p>" in Network(table[["source", "target"]].head(3))._repr_html_()


def test_html_escapes_names() -> None:
    network = Network(pd.DataFrame({"source": ["<b>x</b>"], "target": ["y"]}))
    assert "<b>x" not in network._repr_html_()


def test_networks_do_not_change() -> None:
    given = EDGES.copy()
    network = Network(given)
    given.loc[0, "mi"] = 9.0
    values = given["mi"].to_numpy(copy=False)
    values.flags.writeable = True  # pandas 3 hands out views that are read-only
    values[1] = 9.0
    handed_out = network.to_dataframe()
    handed_out.loc[0, "mi"] = 9.0
    mode, confidence = network.mode_and_likelihood()
    mode[:] = 9
    confidence[:] = 9
    assert network.equals(Network(EDGES))


def test_network_without_edges() -> None:
    empty = Network(EDGES[:0])
    assert len(empty) == len(empty.regulators) == len(empty.targets) == 0
    assert empty.regulons() == {}
    assert len(empty.prune(5)) == len(empty.prune(5, adaptive=False)) == 0
    assert len(empty.filter(3)) == len(empty.with_modes()) == 0
    assert repr(empty).startswith("Network of 0 edges: 0 regulators, 0 targets;")
    assert empty.equals(Network(EDGES[:0]))
    assert len(Network(pd.DataFrame({"source": [], "target": []}))) == 0


def test_pickle_and_equality_ignore_the_order_of_edges() -> None:
    network = Network(EDGES)
    shuffled = Network(EDGES.iloc[[3, 0, 4, 2, 1]])
    assert network.equals(shuffled)
    assert pickle.loads(pickle.dumps(network)).equals(network)
    assert not network.equals(Network(EDGES.drop(columns="mi")))
    assert not network.equals(Network(EDGES[:4]))
    assert not network.equals(Network(EDGES.assign(target=[*"abcde"])))
    nudged = Network(EDGES.assign(mi=EDGES["mi"] * (1 + 1e-9)))
    assert not network.equals(nudged)
    assert network.equals(nudged, rtol=1e-8)


def test_tables_of_other_programs(caplog: pytest.LogCaptureFixture) -> None:
    pyviper = pd.DataFrame(
        {"regulator": ["A"], "target": ["B"], "mor": [0.5], "likelihood": [1.0], "note": ["x"]}
    )
    with caplog.at_level(logging.INFO, "pysces"):
        network = Network.from_dataframe(pyviper)
    assert network.columns == ("mor", "likelihood")
    assert "left out the columns 'note'" in caplog.text
    scenic = pd.DataFrame({"TF": ["A"], "target": ["B"], "importance": [12.5]})
    assert Network.from_dataframe(scenic).columns == ("weight",)
    both = pd.DataFrame({"source": ["A"], "TF": ["no"], "target": ["B"]})
    assert list(Network.from_dataframe(both).regulators) == ["A"]


def changed(**columns: Any) -> pd.DataFrame:
    return EDGES.assign(**columns)


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        (EDGES.rename(columns={"source": "from"}), "no column 'source'; it has 'from'"),
        (changed(note=1.0), "unknown columns: 'note'"),
        (EDGES.iloc[[0, 1, 0]], "1 edges occur more than once: 'MYC -> NCL'"),
        (changed(mi=[0.1, np.nan, 0.2, np.nan, 0.1]), "'mi' has 2 values.*edge MYC -> MAX"),
        (changed(mi=np.inf), "missing or infinite"),
        (changed(mor=[0.1, 0.2, 1.5, 0, 0]), r"'mor' has 1 values .*outside \[-1, 1\].* TP53 -> M"),
        (changed(correlation=-1.1), "'correlation'"),
        (changed(pvalue=-0.1), "'pvalue'"),
        (changed(qvalue=2), "'qvalue'"),
        (changed(likelihood=-1.0), "'likelihood'"),
        (changed(mi="high"), "'mi' is not numeric"),
        (changed(mi=True), "'mi' is not numeric"),
        (changed(source=["A", None, "B", "C", "D"]), "1 edges have no source"),
        (changed(target=["A", " ", "B", "C", "D"]), "empty name as its target"),
        (pd.concat([EDGES, EDGES[["mi"]]], axis=1), "repeated columns: 'mi'"),
    ],
)
def test_bad_tables_are_refused(edges: pd.DataFrame, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Network(edges)


def test_bad_arguments_are_refused() -> None:
    network = Network(EDGES)
    with pytest.raises(InputError, match=r"'n_targets' parameter must be an int in the"):
        network.prune(0)
    with pytest.raises(InputError, match=r"'GATA1' is not a regulator.*'MYC', 'TP53'"):
        network.regulon("GATA1")
    with pytest.raises(InputError, match="no column 'correlation'"):
        Network(EDGES[["source", "target", "mi"]]).with_modes()
    with pytest.raises(InputError, match="must be a DataFrame"):
        Network.from_dataframe({"source": []})  # type: ignore[arg-type]


# --- regulons -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("adaptive10", lambda n: n.prune(10)),
        ("fixed30", lambda n: n.prune(30, adaptive=False)),
        ("fixed30_elim", lambda n: n.prune(30, adaptive=False).filter(min_targets=30)),
        (
            "adaptive10_wm",
            lambda n: n.prune(
                10, gene_weights=dict(zip(GOLDEN["genes"], GOLDEN["wm_vec"], strict=True))
            ),
        ),
    ],
)
def test_pruning_as_r(name: str, make: Any) -> None:
    pruned = make(golden_network()).to_dataframe()
    expected = pd.DataFrame(
        {
            column: GOLDEN[f"prune_{name}_{key}"]
            for column, key in [
                ("source", "source"),
                ("target", "target"),
                ("mor", "mode"),
                ("likelihood", "likelihood"),
            ]
        }
    )
    if name == "adaptive10_wm":
        # R fills a regulon whose weights are all 0 with nameless entries, and leaves the targets
        # that have no weight to chance; only regulons with weights throughout can be compared
        weighted = golden_network().to_dataframe()
        weighted["known"] = weighted["target"].isin(GOLDEN["genes"])
        whole = weighted.groupby("source", observed=True)["known"].all()
        whole = whole.index[whole]
        pruned, expected = (t[t["source"].isin(whole)] for t in (pruned, expected))
        assert len(expected) > 500
    assert pruned["source"].tolist() == expected["source"].tolist()
    assert pruned["target"].tolist() == expected["target"].tolist()
    np.testing.assert_array_equal(pruned["mor"], expected["mor"])
    np.testing.assert_array_equal(pruned["likelihood"], expected["likelihood"])


def test_adaptive_size_of_equal_likelihoods_is_exact() -> None:
    targets = [f"t{i}" for i in range(60)]
    equal = pd.DataFrame({"source": "A", "target": targets, "likelihood": 0.3})
    other = pd.DataFrame({"source": "B", "target": targets, "likelihood": np.linspace(1, 0.1, 60)})
    pruned = Network(pd.concat([other, equal])).prune(50)
    assert pruned.targets_of("A") == targets[:50]
    share = np.linspace(1, 0.1, 60) ** 2
    assert len(pruned.targets_of("B")) == (np.cumsum(share) <= 50).sum()
    assert len(Network(equal.assign(likelihood=0.0)).prune(7)) == 7


def test_filter_by_size_and_measured_targets() -> None:
    network = Network(EDGES)
    assert list(network.filter(min_targets=3).regulators) == ["MYC"]
    kept = network.filter(2, targets=["NCL", "MDM2", "BAX", "other"])
    assert kept.regulons() == {"TP53": ["MDM2", "BAX"]}


def test_likelihood_is_scaled_per_regulon() -> None:
    np.testing.assert_allclose(likelihood(EDGES), [1, 0.25, 1, 0.5, 1])
    np.testing.assert_allclose(likelihood(EDGES, "support"), [1, 0.4, 90 / 95, 0.6, 1])
    nothing = EDGES.assign(mi=[0.4, 0.1, 0.0, -0.2, 0.0])
    np.testing.assert_allclose(likelihood(nothing), [1, 0.25, 1, 0, 1])


@pytest.mark.parametrize(
    ("columns", "mode", "confidence"),
    [
        ({"mor": [0.1, -0.2], "likelihood": [3, 4], "mi": [1, 2]}, [0.1, -0.2], [3, 4]),
        ({"correlation": [0.5, -0.5], "mi": [1, 2]}, [0.5, -0.5], [0.5, 1]),
        ({"mor": [1, 1], "correlation": [0.5, 0.5], "support": [1, 4]}, [1, 1], [0.25, 1]),
        ({"weight": [1, -0.5]}, [1, -0.5], [1, 1]),
        ({"mor": [0.5, 1], "weight": [-0.2, 0.4]}, [0.5, 1], [0.5, 1]),
        ({}, [1, 1], [1, 1]),
    ],
)
def test_mode_and_likelihood_from_what_there_is(columns: Any, mode: Any, confidence: Any) -> None:
    network = Network(pd.DataFrame({"source": "A", "target": ["B", "C"], **columns}))
    got_mode, got_confidence = network.mode_and_likelihood()
    np.testing.assert_allclose(got_mode, mode)
    np.testing.assert_allclose(got_confidence, confidence)


@pytest.mark.parametrize(
    ("columns", "mode", "confidence", "words"),
    [
        (
            {"weight": [10, -0.5, 0.25]},
            [1, -1, 1],
            [1, 0.05, 1],
            "1 of 3 weights of the network exceed 1 \\(up to 10\\).*Modes are their signs; "
            "likelihoods are their magnitudes divided by the largest.*divide them by 10",
        ),
        (
            {"weight": [12.5, 50, 3]},
            [1, 1, 1],
            [0.25, 1, 1],
            "3 of 3 weights.*1 for every target, as no weight is negative; likelihoods.*GRNBoost.*"
            "add a column mor or correlation",
        ),
        ({"weight": [2, -1, 1], "mi": [1, 2, 3]}, [1, -1, 1], [0.5, 1, 1], "their signs. To use"),
    ],
)
def test_weights_beyond_1_are_signs_and_sizes_and_it_is_said(
    columns: Any, mode: Any, confidence: Any, words: str
) -> None:
    edges = pd.DataFrame({"source": ["A", "A", "D"], "target": ["B", "C", "B"], **columns})
    with pytest.warns(pysces.PyscesWarning, match=words):
        got_mode, got_confidence = Network(edges).mode_and_likelihood()
    np.testing.assert_allclose(got_mode, mode)
    np.testing.assert_allclose(got_confidence, confidence)
    adata = ad.AnnData(pd.DataFrame(np.eye(4), index=list("wxyz"), columns=list("ABCD")))
    with pytest.warns(pysces.PyscesWarning, match=words):
        pysces.run_viper(adata, edges, min_targets=1)


def test_weights_say_nothing_where_modes_are_given() -> None:
    """Sizes of any kind make likelihoods then; warnings are errors in tests."""
    edges = {"source": "A", "target": ["B", "C"], "weight": [4.0, 8.0], "correlation": [0.2, -0.3]}
    mode, likelihood = Network(pd.DataFrame(edges)).mode_and_likelihood()
    assert (mode.tolist(), likelihood.tolist()) == ([0.2, -0.3], [0.5, 1.0])


def test_networkx() -> None:
    pytest.importorskip("networkx", reason="networkx is not installed")
    graph = Network(EDGES).to_networkx()
    assert graph.is_directed()
    assert graph.number_of_edges() == 5
    assert graph["MYC"]["MAX"] == {"mi": 0.1, "correlation": -0.3, "support": 40}


# --- mode of regulation -------------------------------------------------------------------------


def test_mixture_as_r() -> None:
    fit = fit_mixture(GOLDEN["mix_cor"])
    assert fit.converged
    assert fit.n_iterations == len(GOLDEN["mix_alllog"]) - 1
    np.testing.assert_allclose(fit.means, GOLDEN["mix_mu"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(fit.sds, GOLDEN["mix_sigma"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(fit.weights, GOLDEN["mix_lambda"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(fit.log_likelihood, GOLDEN["mix_alllog"][-1], rtol=0, atol=1e-9)
    mor, same = mode_of_regulation(GOLDEN["mix_cor"])
    assert same == fit
    np.testing.assert_allclose(mor, GOLDEN["mix_tfmode"], rtol=0, atol=1e-11)


def test_tails_as_r() -> None:
    fit = ModeFit("mixture", means=(-0.45, 0, 0.5), sds=(0.15, 0.2, 0.14))
    grid = np.linspace(-1, 1, 401)
    np.testing.assert_allclose(
        tail_mode(grid, fit), GOLDEN["tfscore_grid"].ravel(), rtol=0, atol=1e-12
    )


def test_mixture_that_does_not_converge(caplog: pytest.LogCaptureFixture) -> None:
    correlation = GOLDEN["a2r_rawcor_mode"]
    fit = fit_mixture(correlation)
    np.testing.assert_allclose(fit.means, GOLDEN["a2r_fit_mu"], rtol=0, atol=1e-6)
    np.testing.assert_allclose(fit.sds, GOLDEN["a2r_fit_sigma"], rtol=0, atol=1e-6)
    np.testing.assert_allclose(fit.weights, GOLDEN["a2r_fit_lambda"], rtol=0, atol=1e-6)
    np.testing.assert_allclose(
        tail_mode(correlation, fit), GOLDEN["a2r_3col_mode"], rtol=0, atol=1e-6
    )
    assert not fit.converged
    assert fit.n_iterations == 3000
    with caplog.at_level(logging.WARNING, "pysces"):
        mor, _ = mode_of_regulation(correlation)
    np.testing.assert_array_equal(mor, correlation)
    assert "did not converge in 3000 iterations" in caplog.text


def test_few_edges_keep_their_correlation(caplog: pytest.LogCaptureFixture) -> None:
    correlation = np.linspace(-1, 1, 99)
    with caplog.at_level(logging.INFO, "pysces"):
        mor, fit = mode_of_regulation(correlation)
    np.testing.assert_array_equal(mor, correlation)
    assert fit.method == "correlation"
    assert "99 edges, fewer than 100" in caplog.text


@pytest.mark.parametrize("values", [np.zeros(200), np.ones(200), np.full(200, -0.3)])
def test_degenerate_correlations_keep_themselves(values: np.ndarray) -> None:
    mor, fit = mode_of_regulation(values)
    np.testing.assert_array_equal(mor, values)
    assert fit.method == "correlation"
    assert fit.reason


def test_many_edges_are_represented_by_order_statistics(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fit_mixture(GOLDEN["mix_cor"])
    monkeypatch.setattr(_modes, "MOST_FITTED", 1000)
    part = fit_mixture(GOLDEN["mix_cor"])
    np.testing.assert_allclose(part.means, whole.means, atol=2e-3)
    assert fit_mixture(GOLDEN["mix_cor"][::-1]) == part


@pytest.mark.parametrize("bad", [[0.1, np.nan], [1.01], [[0.1]]])
def test_impossible_correlations_are_refused(bad: Any) -> None:
    with pytest.raises(InputError, match=r"one number in \[-1, 1\] per edge"):
        mode_of_regulation(bad)


def test_with_modes() -> None:
    rng = np.random.default_rng(0)
    edges = pd.DataFrame(
        {
            "source": np.repeat(["A", "B"], 200),
            "target": [f"t{i}" for i in range(200)] * 2,
            "mi": rng.uniform(0.1, 1, 400),
            "correlation": GOLDEN["mix_cor"][:400].clip(-1, 1),
        }
    )
    network = Network(edges).with_modes()
    expected, _ = mode_of_regulation(edges["correlation"])
    table = network.to_dataframe()
    np.testing.assert_array_equal(table["mor"], expected)
    np.testing.assert_array_equal(table["likelihood"], likelihood(edges))
    assert (np.sign(table["mor"]) == np.sign(table["correlation"])).all()
