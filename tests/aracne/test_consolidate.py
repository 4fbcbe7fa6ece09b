"""One network from many: against the printed consensus of ARACNe-AP and of ARACNe3."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from packaging.version import Version
from scipy import stats

import pysces
from pysces.aracne.consolidate import false_positive_rate, rate_of_log
from pysces.errors import InputError

GOLDEN = Path(__file__).parents[1] / "golden" / "aracne_consensus"
EXACT = {} if Version(pd.__version__) >= Version("3.1") else {"float_precision": "round_trip"}
SETS = ["n100_g50_t10", "n200_g300_t40", "n333_g200_t30", "n1000_g200_t20"]


@functools.cache
def _golden(name: str) -> dict[str, pd.DataFrame]:
    table = pd.read_csv(GOLDEN / f"{name}.tsv.gz", sep="\t", **EXACT)
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
    with pytest.raises(InputError, match="is not a log"):
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
    with pytest.raises(InputError, match=r"rate= requires method='binomial'"):
        consolidate([edge, edge], rate=0.1)
    with pytest.raises(InputError, match="3 rates for 2 networks"):
        consolidate([edge, edge], "binomial", rate=[0.1, 0.1, 0.1])
    with pytest.raises(InputError, match=r"All rates are 0"):
        consolidate([edge, edge], "binomial", rate=[0.0, 0.0])
    with pytest.raises(
        InputError, match=r"'alpha' parameter must be a number in the range \(0, 1\]"
    ):
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
    with pytest.raises(InputError, match=r"'alpha' parameter must be a number in"):
        false_positive_rate(10, 5, 5, 0)
    with pytest.raises(InputError, match=r"'n_kept' parameter must be an int"):
        false_positive_rate(10, 5, 2.5, 0.05)  # type: ignore[arg-type]


def _resamples(n: int = 5) -> list[pd.DataFrame]:
    return [
        pd.DataFrame(
            {"source": ["A", "A", "B"], "target": ["x", "y", f"z{i % 2}"], "mi": [0.5, 0.2, 0.1]}
        )
        for i in range(n)
    ]


@pytest.mark.parametrize(
    "passed",
    [
        {"alpha": "0.05"},
        {"alpha": np.nan},
        {"alpha": True},
        {"alpha": [0.05]},
        {"method": None},
        {"method": ["poisson"]},
        {"correction": "x"},
        {"correction": 0.05},
        {"rate": "0.1", "method": "binomial"},
        {"rate": ["a"] * 5, "method": "binomial"},
        {"rate": [None] * 5, "method": "binomial"},
        {"rate": [[0.1], [0.2]], "method": "binomial"},
        {"rate": np.nan, "method": "binomial"},
        {"rate": -0.1, "method": "binomial"},
        {"rate": [0.1, 0.1, 0.1, 0.1, 1.5], "method": "binomial"},
        {"rate": Ellipsis, "method": "binomial"},
    ],
    ids=str,
)
def test_arguments_of_a_wrong_kind_are_named(passed: dict) -> None:
    name = next(iter(passed))
    with pytest.raises(InputError, match=f"The '{name}' parameter must be"):
        pysces.consolidate(_resamples(), **passed)


def test_wrong_arguments_are_seen_before_networks_are_read() -> None:
    for passed in ({"correction": "x"}, {"method": "binomial", "rate": "a"}):
        with pytest.raises(InputError, match="parameter must be"):
            pysces.consolidate("no such folder", **passed)


def test_rates_come_in_any_sequence() -> None:
    expected = pysces.consolidate(_resamples(), "binomial", rate=0.1, alpha=None)
    several = ([0.1] * 5, (0.1,) * 5, np.full(5, 0.1), pd.Series([0.1] * 5), iter([0.1] * 5))
    for rate in (*several, np.float64(0.1), [0.1]):
        assert pysces.consolidate(_resamples(), "binomial", rate=rate, alpha=None).equals(expected)
    assert len(pysces.consolidate(_resamples(), "binomial", rate=1, alpha=None)) == 4


def test_networks_come_in_any_collection(tmp_path: Path) -> None:
    tables = _resamples()
    expected = pysces.consolidate(tables, alpha=None)
    named = {f"resample {i}": table for i, table in enumerate(tables)}
    for passed in (named, pd.Series(tables), tuple(tables), iter(tables), named.values()):
        assert pysces.consolidate(passed, alpha=None).equals(expected)
    paths = {}
    for name, table in named.items():
        paths[name] = tmp_path / f"{name}.tsv"
        table.to_csv(paths[name], sep="\t", index=False)
    assert pysces.consolidate(paths, alpha=None).equals(expected)
    with pytest.raises(InputError, match=r"at least two networks\. Got 1"):
        pysces.consolidate({"a": tables[0]})


@pytest.mark.parametrize("name", ["consensus.tsv", "consensus.csv", "consensus.parquet"])
@pytest.mark.parametrize("alpha", [None, 0.05])
def test_its_own_result_is_not_one_more_resample(
    name: str, alpha: float | None, tmp_path: Path
) -> None:
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow", reason="parquet needs pyarrow")
    for number, table in enumerate(_resamples()):
        table.to_csv(tmp_path / f"resample{number}.tsv", sep="\t", index=False)
    consensus = pysces.consolidate(tmp_path, alpha=alpha)
    consensus.write(tmp_path / name)
    for passed in (tmp_path, list(tmp_path.iterdir()), [str(path) for path in tmp_path.iterdir()]):
        with pytest.raises(InputError, match=rf"1 of 6 files .*'support'.*'{name}'.*Remove it"):
            pysces.consolidate(passed, alpha=alpha)
    (tmp_path / name).unlink()
    assert pysces.consolidate(tmp_path, alpha=alpha).equals(consensus)


def test_the_consensus_of_aracne_ap_is_not_one_more_resample(tmp_path: Path) -> None:
    for number, table in enumerate(_resamples()):
        table.to_csv(tmp_path / f"renamed{number}.txt", sep="\t", index=False)
    (tmp_path / "empty.txt").write_text("source\ttarget\tmi\n")
    (tmp_path / "network.txt").write_text("Regulator\tTarget\tMI\tpvalue\nA\tx\t0.5\t0\n")
    with pytest.raises(InputError, match=r"1 of 7 files .*'pvalue'.*'network.txt'"):
        pysces.consolidate(tmp_path)


def test_networks_that_are_all_results_of_runs_are_counted(tmp_path: Path) -> None:
    """One network of each cohort: all have support, and how many cohorts have an edge is asked."""
    tables = [table.assign(support=9, pvalue=0.01) for table in _resamples()]
    tables[4] = tables[4][:0]
    for number, table in enumerate(tables):
        table.to_csv(tmp_path / f"cohort{number}.tsv", sep="\t", index=False)
    tables[4][["source", "target"]].to_csv(tmp_path / "cohort4.tsv", sep="\t", index=False)
    assert pysces.consolidate(tmp_path, alpha=None).to_dataframe()["support"].max() == 4
    # as objects whoever passes them has chosen them
    mixed = [*_resamples(), pysces.consolidate(_resamples(), alpha=None)]
    assert pysces.consolidate(mixed, alpha=None).to_dataframe()["support"].max() == 6
