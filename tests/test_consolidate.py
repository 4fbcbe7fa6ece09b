"""One network from many: against the printed consensus of ARACNe-AP and of ARACNe3."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from scipy import stats

import pysces
from pysces.aracne.consolidate import false_positive_rate, rate_of_log
from pysces.errors import InputError

GOLDEN = Path(__file__).parent / "golden" / "aracne_consensus"
SETS = ["n100_g50_t10", "n200_g300_t40", "n333_g200_t30", "n1000_g200_t20"]


@functools.cache
def _golden(name: str) -> dict[str, pd.DataFrame]:
    table = pd.read_csv(GOLDEN / f"{name}.tsv.gz", sep="\t", float_precision="round_trip")
    return {
        file: part.drop(columns="file").dropna(axis=1, how="all").reset_index(drop=True)
        for file, part in table.groupby("file")
    }


def _networks(name: str, kind: str) -> list[pd.DataFrame]:
    golden = _golden(name)
    return [golden[file] for file in sorted(golden) if file.startswith(f"{kind}/")]


def _theirs(name: str, file: str, ours: pd.DataFrame) -> pd.DataFrame:
    """Golden edges in our order; exactly the same edges."""
    theirs = _golden(name)[file].set_index(["source", "target"])
    edges = pd.MultiIndex.from_frame(ours[["source", "target"]].astype(str))
    assert len(theirs) == len(edges)
    assert set(theirs.index) == set(edges)
    return theirs.loc[edges]


# --- the rule of ARACNe-AP ----------------------------------------------------------------------


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize(
    ("file", "alpha", "correction"),
    [
        ("ap_consensus", 0.05, "bonferroni"),
        ("ap_consensus_nobonf", 0.05, None),
        ("ap_consensus_p1", None, "bonferroni"),
    ],
)
def test_poisson_is_the_consensus_of_aracne_ap(
    name: str, file: str, alpha: float | None, correction: str | None
) -> None:
    networks = _networks(name, "ap_boot")
    ours = pysces.consolidate(networks, alpha=alpha, correction=correction).to_dataframe()
    theirs = _theirs(name, file, ours)
    n_tests = _n_tests(networks) if correction else 1
    np.testing.assert_allclose(ours["mi"], theirs["mi"], rtol=1e-14)
    # They compute 1 - CDF: what is near 1e-16 is lost, and multiplied by the number of tests.
    np.testing.assert_allclose(ours["qvalue"], theirs["pvalue"], rtol=1e-12, atol=2e-15 * n_tests)


def _n_tests(networks: list[pd.DataFrame]) -> int:
    edges = pd.concat(networks)
    return edges["source"].nunique() * edges["target"].nunique()


def test_poisson_counts_strictly_more_as_aracne_ap_does() -> None:
    networks = _networks("n100_g50_t10", "ap_boot")
    ours = pysces.consolidate(networks, alpha=None).to_dataframe()
    mean = sum(map(len, networks)) / _n_tests(networks)
    expected = 1 - np.array(
        [sum(stats.poisson.pmf(i, mean) for i in range(k + 1)) for k in ours["support"]]
    )
    np.testing.assert_allclose(ours["pvalue"], expected, atol=1e-14)


# --- the rule of ARACNe3 ------------------------------------------------------------------------


@pytest.mark.parametrize("name", SETS)
def test_binomial_is_the_consensus_of_aracne3(name: str) -> None:
    sizes = pd.read_csv(GOLDEN / f"{name}_a3_sizes.tsv", sep="\t").drop(columns="file")
    rates = [
        false_positive_rate(int(row.n_pairs), int(row.n_significant), int(row.n_kept), row.alpha)
        for row in sizes.itertuples()
    ]
    ours = pysces.consolidate(
        _networks(name, "a3_subnets"), "binomial", alpha=None, rate=rates
    ).to_dataframe()
    theirs = _theirs(name, "a3_consensus", ours)
    np.testing.assert_array_equal(ours["support"], theirs["support"])
    # They print a float32, whose spacing is 1.2e-7 of the value.
    np.testing.assert_allclose(np.log(ours["pvalue"]), theirs["log_pvalue"], rtol=2.4e-7)


def test_rates_follow_what_alpha_bounds() -> None:
    assert false_positive_rate(1000, 100, 80, 0.1) == pytest.approx(0.1 * 80 / (1000 - 90))
    assert false_positive_rate(1000, 100, 80, 0.1, "fwer") == pytest.approx(0.1 / 1000 * 0.8)
    assert false_positive_rate(1000, 100, 80, 0.1, "fpr") == pytest.approx(0.08)
    assert false_positive_rate(1000, 0, 0, 0.1) == 0.0


def test_rate_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    text = (
        "Method of first pruning step: FDR\nAlpha: 0.050000\n"
        "Size of subnetwork: 490 edges.\n\nEdges removed: 415 edges.\n"
        "Size of subnetwork: 75 edges.\n"
    )
    log.write_text(text)
    assert rate_of_log(log) == false_positive_rate(490, 75, 75, 0.05)
    log.write_text(text + "Size of subnetwork: 52 edges.\n")
    assert rate_of_log(log) == false_positive_rate(490, 75, 52, 0.05)
    log.write_text("nothing of the kind")
    with pytest.raises(InputError, match="doesn't read like a log"):
        rate_of_log(log)


# --- what is accepted, and in which order -------------------------------------------------------


def test_folder_list_networks_and_tables_give_the_same(tmp_path: Path) -> None:
    tables = _networks("n100_g50_t10", "ap_boot")
    expected = pysces.consolidate(tables)
    networks = [pysces.Network(table) for table in tables]
    for number, network in enumerate(networks):
        network.write(tmp_path / f"resample{number:02d}.tsv.gz")
    (tmp_path / "run.log").write_text("not a network")
    assert pysces.consolidate(networks).equals(expected)
    assert pysces.consolidate(tmp_path).equals(expected)
    assert pysces.consolidate(str(tmp_path)).equals(expected)
    assert pysces.consolidate(sorted(tmp_path.glob("*.gz"))).equals(expected)


def test_of_a_folder_of_aracne_ap_only_bootstraps_are_read(tmp_path: Path) -> None:
    tables = _networks("n100_g50_t10", "ap_boot")
    for number, table in enumerate(tables):
        table = table.set_axis(["Regulator", "Target", "MI"], axis=1)
        table.to_csv(tmp_path / f"bootstrapNetwork_{number}.txt", sep="\t", index=False)
    (tmp_path / "network.txt").write_text("Regulator\tTarget\tMI\tpvalue\nA\tB\t9.0\t0.0\n")
    (tmp_path / "miThreshold_p1E-8_samples100.txt").write_text("0.25\n")
    assert pysces.consolidate(tmp_path).equals(pysces.consolidate(tables))


@settings(max_examples=25, deadline=None, phases=[Phase.generate])  # shrinking would take minutes
@given(st.randoms(use_true_random=False))
def test_order_of_networks_and_edges_changes_no_bit(random) -> None:
    tables = _networks("n100_g50_t10", "ap_boot")
    expected = pysces.consolidate(tables, alpha=None).to_dataframe()
    shuffled = [table.sample(frac=1, random_state=random.randrange(2**31)) for table in tables]
    random.shuffle(shuffled)
    found = pysces.consolidate(shuffled, alpha=None).to_dataframe()
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


def test_columns_that_not_all_networks_have_are_left_out() -> None:
    first = pd.DataFrame({"source": ["A"], "target": ["B"], "mi": [0.1], "correlation": [-0.5]})
    second = pd.DataFrame({"source": ["A"], "target": ["B"], "correlation": [-0.7]})
    edges = pysces.consolidate([first, second], alpha=None)
    assert edges.columns == ("correlation", "support", "pvalue", "qvalue")
    assert edges.to_dataframe()["correlation"].tolist() == pytest.approx([-0.6])


def test_an_empty_network_counts_as_a_network() -> None:
    edge = pd.DataFrame({"source": ["A"], "target": ["B"]})
    found = pysces.consolidate([edge, edge, edge[:0]], "binomial", alpha=None, rate=0.1)
    expected = stats.binom.sf(1, 3, 0.1)
    assert found.to_dataframe()["pvalue"].tolist() == pytest.approx([expected])


def test_nothing_significant_is_an_empty_network() -> None:
    edge = pd.DataFrame({"source": ["A"], "target": ["B"]})
    assert len(pysces.consolidate([edge, edge])) == 0


def test_errors_say_what_to_do(tmp_path: Path) -> None:
    edge = pd.DataFrame({"source": ["A"], "target": ["B"]})
    consolidate = pysces.consolidate
    with pytest.raises(InputError, match=r"'method' parameter must be one of"):
        consolidate([edge, edge], "median")
    with pytest.raises(InputError, match="needs rate="):
        consolidate([edge, edge], "binomial")
    with pytest.raises(InputError, match=r"rate= is of method='binomial'"):
        consolidate([edge, edge], rate=0.1)
    with pytest.raises(InputError, match="3 rates for 2 networks"):
        consolidate([edge, edge], "binomial", rate=[0.1, 0.1, 0.1])
    with pytest.raises(InputError, match=r"'rate' parameter must be in the range \(0, 1\]"):
        consolidate([edge, edge], "binomial", rate=0.0)
    with pytest.raises(InputError, match=r"'alpha' parameter must be None or"):
        consolidate([edge, edge], alpha=0)
    with pytest.raises(InputError, match=r"at least two networks\. Got 1"):
        consolidate([edge])
    with pytest.raises(InputError, match="got one DataFrame"):
        consolidate(edge)
    with pytest.raises(InputError, match="There is no folder"):
        consolidate(tmp_path / "nowhere")
    with pytest.raises(InputError, match="holds no network files"):
        consolidate(tmp_path)
    with pytest.raises(InputError, match="None of the 2 networks has an edge"):
        consolidate([edge[:0], edge[:0]])
    with pytest.raises(InputError, match="must not grow"):
        false_positive_rate(10, 20, 5, 0.05)
    with pytest.raises(InputError, match="'rule' parameter"):
        false_positive_rate(10, 5, 5, 0.05, "FDR")
    with pytest.raises(InputError, match=r"'alpha' parameter must be in"):
        false_positive_rate(10, 5, 5, 0)
