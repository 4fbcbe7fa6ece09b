"""Networks and activities go to other programs and come back as they were."""

from __future__ import annotations

import importlib.util
import logging
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import anndata
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import pysces
from pysces import Network, read_network
from pysces.errors import InputError, PyscesError
from pysces.network.formats import WRITERS

if TYPE_CHECKING:
    from pathlib import Path

RNG = np.random.default_rng(11)
EDGES = pd.DataFrame(
    {
        "source": ["MYC", "MYC", "HLA-DRB1", "NKX2-1", "NKX2-1"],
        "target": ["MAX", "A/B", "MYC", "ORF5'", "Nkx2.1 β"],
        "mi": RNG.uniform(0, 1, 5),
        "mor": [0.1, -1 / 3, 1.0, -1.0, 0.5],
        "likelihood": RNG.uniform(0.1, 1, 5),
        "support": [100, 3, 20, 7, 1],
        "pvalue": [1e-300, 0.1 + 0.2, 1e-5, 1.0, 0.0],
    }
)
FULL = Network(EDGES)


def signs(network: Network) -> Network:
    table = network.to_dataframe()[["source", "target", "mor"]]
    return Network(table.assign(mor=np.sign(table["mor"]).astype(int)))


def part(network: Network, *columns: str) -> Network:
    return Network(network.to_dataframe()[["source", "target", *columns]])


# --- graphs -------------------------------------------------------------------------------------


def test_networkx_and_back() -> None:
    networkx = pytest.importorskip("networkx", reason="networkx is not installed")
    graph = FULL.to_networkx()
    assert graph.in_degree("MYC") == 1
    assert graph.out_degree("MYC") == 2
    assert Network.from_networkx(graph).equals(FULL)
    with pytest.raises(InputError, match="undirected"):
        Network.from_networkx(graph.to_undirected())
    graph.add_edge("MYC", "NEW")
    with pytest.raises(InputError, match=r"missing or infinite.*MYC -> NEW"):
        Network.from_networkx(graph)
    assert len(Network.from_networkx(networkx.DiGraph())) == 0


def test_igraph_and_back() -> None:
    igraph = pytest.importorskip("igraph", reason="igraph is not installed")
    graph = FULL.to_igraph()
    assert graph.is_directed()
    assert graph.vs.find(name="MYC").outdegree() == 2
    assert [graph.vs[v]["name"] for v in graph.successors("NKX2-1")] == ["ORF5'", "Nkx2.1 β"]
    assert Network.from_igraph(graph).equals(FULL)
    pairs = igraph.Graph([(0, 1), (0, 2)], directed=True)
    assert Network.from_igraph(pairs).regulons() == {"0": ["1", "2"]}
    with pytest.raises(InputError, match="undirected"):
        Network.from_igraph(igraph.Graph([(0, 1)]))
    empty = part(FULL).filter(100)
    assert len(Network.from_igraph(empty.to_igraph())) == 0


@pytest.mark.parametrize("name", ["networkx", "igraph"])
def test_missing_packages_are_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, name, None)
    with pytest.raises(PyscesError, match=f"pip install {name}"):
        getattr(FULL, f"to_{name}")()


# --- Cytoscape ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["n.graphml", "n.graphml.gz"])
def test_graphml_round_trips_to_the_bit(name: str, tmp_path: Path) -> None:
    pytest.importorskip("networkx", reason="networkx is not installed")
    FULL.write(tmp_path / name)
    read = read_network(tmp_path / name)
    assert read.equals(FULL)
    pd.testing.assert_series_equal(read.to_dataframe().dtypes, FULL.to_dataframe().dtypes)


def test_graphml_of_igraph(tmp_path: Path) -> None:
    pytest.importorskip("networkx", reason="networkx is not installed")
    igraph = pytest.importorskip("igraph", reason="igraph is not installed")
    FULL.to_igraph().write_graphml(str(tmp_path / "theirs.graphml"))
    assert read_network(tmp_path / "theirs.graphml").equals(FULL, rtol=1e-14)
    FULL.write(tmp_path / "ours.graphml")
    graph = igraph.Graph.Read_GraphML(str(tmp_path / "ours.graphml"))
    assert sorted(graph.vs["name"]) == sorted({*EDGES["source"], *EDGES["target"]})
    assert Network.from_igraph(graph).equals(FULL)


CYTOSCAPE = """<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
  <key attr.name="shared name" attr.type="string" for="node" id="d0"/>
  <key attr.name="name" attr.type="string" for="node" id="d1"/>
  <key attr.name="interaction" attr.type="string" for="edge" id="d2"/>
  <key attr.name="mi" attr.type="double" for="edge" id="d3"/>
  <graph edgedefault="directed" id="net">
    <node id="62"><data key="d0">MYC</data><data key="d1">MYC</data></node>
    <node id="63"><data key="d0">MAX</data><data key="d1">MAX</data></node>
    <edge id="65" source="62" target="63"><data key="d2">pp</data><data key="d3">0.25</data></edge>
    <edge id="66" source="62" target="63"><data key="d2">pp</data><data key="d3">0.5</data></edge>
  </graph>
</graphml>
"""


def test_graphml_of_cytoscape(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("networkx", reason="networkx is not installed")
    path = tmp_path / "c.graphml"
    path.write_text(CYTOSCAPE)
    with caplog.at_level(logging.INFO, "pysces"):
        network = read_network(path)
    assert network.to_dataframe()["mi"].tolist() == [0.25]
    assert network.regulons() == {"MYC": ["MAX"]}
    assert "dropped 1 of 2 rows that repeat an edge" in caplog.text
    assert "left out the columns" in caplog.text
    path.write_text(CYTOSCAPE.replace('"directed"', '"undirected"'))
    with pytest.raises(InputError, match="undirected"):
        read_network(path)
    for broken in (CYTOSCAPE[:400], "<graphml/>", ""):
        path.write_text(broken)
        with pytest.raises(InputError, match="cannot be read as GraphML"):
            read_network(path)


@pytest.mark.parametrize("name", ["n.sif", "n.sif.gz"])
def test_sif_round_trips_names_and_signs(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "pysces"):
        FULL.write(tmp_path / name)
    assert "'sif' leaves out the columns 'mi', 'likelihood', 'support', 'pvalue'" in caplog.text
    assert read_network(tmp_path / name).equals(signs(FULL))
    part(FULL, "mi").write(tmp_path / name)
    assert read_network(tmp_path / name).equals(part(FULL))


def test_sif_of_others(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "n.sif"
    path.write_text("A pp B C\nD\nE inhibits A\r\n\n")
    with caplog.at_level(logging.WARNING, "pysces"):
        network = read_network(path)
    assert network.regulons() == {"A": ["B", "C"], "E": ["A"]}
    assert network.to_dataframe()["mor"].tolist() == [0, 0, -1]
    assert "nodes without an edge: 'D'" in caplog.text
    path.write_text("A\tpp\tB 1\tC\nE\tpp\tA\n")
    assert read_network(path).regulons() == {"A": ["B 1", "C"], "E": ["A"]}
    assert read_network(path).columns == ()


# --- names --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("format", "name", "fact"),
    [
        ("adj", "A\tB", "a tab, a line break"),
        ("gmt", "A\nB", "a tab, a line break"),
        ("gmt", "A\tB", "a tab, a line break"),
        ("sif", "A\rB", "a tab, a line break"),
        ("tsv", "A\tB", "a tab, a line break"),
        ("graphml", "A\x00B", "a tab, a line break"),
        ("csv", " A", "a space at its start"),
        ("adj", "A ", "a space at its start or end"),
        ("adj", "c.76A>T", "'>'"),
        ("adj", "'A'", "quotes"),
    ],
)
def test_names_that_a_file_cannot_hold_are_refused(
    format: str, name: str, fact: str, tmp_path: Path
) -> None:
    for column in ("source", "target"):
        bad = Network(EDGES.assign(**{column: [name, *"BCDE"]}))
        with pytest.raises(InputError, match=re.escape(f"The name {name!r} has {fact}")):
            bad.write(tmp_path / "n.txt", format)
    assert list(tmp_path.iterdir()) == []


def test_regulators_that_look_signed_are_refused_in_gene_sets(tmp_path: Path) -> None:
    for name in ("A(+)", "A(12g)", "A_"):
        bad = Network(pd.DataFrame({"source": [name], "target": ["B"]}))
        with pytest.raises(InputError, match="interpret as a sign"):
            bad.write(tmp_path / "n.gmt")
        Network(pd.DataFrame({"source": ["B"], "target": [name]})).write(tmp_path / "n.gmt")
        assert read_network(tmp_path / "n.gmt").targets_of("B") == [name]


NAMES = st.text(min_size=1, max_size=6).filter(str.strip) | st.text(
    alphabet=" \t\n\r>#'\",;()+-_AB1", min_size=1, max_size=5
).filter(str.strip)
WITH_NETWORKX = pytest.mark.skipif(
    importlib.util.find_spec("networkx") is None, reason="networkx is not installed"
)
SUFFIXES = {name: row.suffixes[0] for name, row in WRITERS.items() if row.suffixes}


@pytest.mark.parametrize(
    "format",
    [
        pytest.param(name, marks=WITH_NETWORKX) if name == "graphml" else name
        for name in WRITERS
        if name != "parquet"  # holds any text
    ],
)
@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(source=NAMES, target=NAMES)
@example(source="5'", target="NA")
@example(source="#A", target=">B")
@example(source="TargetGenes", target="A,B")
@example(source="0", target="INF")
def test_a_file_never_comes_back_as_another_network(
    format: str, source: str, target: str, tmp_path: Path
) -> None:
    one = {"mi": [0.5], "correlation": [0.5], "mor": [1], "support": [3], "pvalue": [0.5]}
    network = Network(pd.DataFrame({"source": [source], "target": [target], **one}))
    path = tmp_path / f"n{SUFFIXES.get(format, '.tsv')}"
    try:
        network.write(path, format)
    except InputError:
        return
    assert read_network(path).regulons() == {source: [target]}


@pytest.mark.parametrize("name", ["n.parquet", "n.graphml"])
def test_blanks_in_names_stay_where_files_are_exact(name: str, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow" if "parquet" in name else "networkx", reason="not installed")
    spaced = Network(EDGES.assign(target=[" A", "B ", "C", "D", "E"]))
    spaced.write(tmp_path / name)
    assert read_network(tmp_path / name).equals(spaced)


def test_blanks_around_names_in_tables_go_and_the_reader_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "n.csv").write_text("source,target\nA, B\nA,C\n")
    with caplog.at_level(logging.INFO, "pysces"):
        assert read_network(tmp_path / "n.csv").targets_of("A") == ["B", "C"]
    assert "n.csv: removed spaces around 1 of 2 names (the first: ' B')" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.INFO, "pysces"):
        FULL.write(tmp_path / "n.tsv")
        read_network(tmp_path / "n.tsv")
    assert "blanks" not in caplog.text


def test_regulators_that_no_file_can_hold_are_refused_before_any_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    adata = anndata.AnnData(RNG.normal(size=(6, 30)))
    adata.var_names = ["A/B", *(f"g{i}" for i in range(29))]
    edges = pd.DataFrame({"source": "TF", "target": adata.var_names[:12]})
    pysces.run_viper(adata, edges, min_targets=3)  # a target may have any name
    small = pd.DataFrame({"source": "T/F", "target": adata.var_names[:2]})
    pysces.run_viper(adata, pd.concat([edges, small]), min_targets=3)  # and one that isn't scored
    monkeypatch.setattr("pysces.viper.run_viper.scorer", lambda *_: pytest.fail("work was done"))
    with pytest.raises(InputError, match=r"'T/F'.*h5ad and zarr"):
        pysces.run_viper(adata, edges.assign(source="T/F"), min_targets=3)


# --- tables of other programs -------------------------------------------------------------------


def test_table_of_decoupler(tmp_path: Path) -> None:
    net = FULL.to_decoupler()
    assert list(net.columns) == ["source", "target", "weight"]
    np.testing.assert_allclose(net["weight"], EDGES["mor"] * EDGES["likelihood"], rtol=1e-15)
    back = Network.from_dataframe(net)
    assert Network.from_dataframe(back.to_decoupler()).equals(back)
    absent = Network(EDGES.assign(mor=[0, 0, 1, 1, 1]))
    assert len(absent.to_decoupler()) == 3
    FULL.write(tmp_path / "net.csv", "decoupler")
    read = pd.read_csv(tmp_path / "net.csv")  # as its users would
    pd.testing.assert_frame_equal(read, net.astype(read.dtypes[["source", "target"]]))
    assert read_network(tmp_path / "net.csv").equals(back)


def test_table_of_pyviper(tmp_path: Path) -> None:
    FULL.write(tmp_path / "net.tsv", "pyviper")
    read = pd.read_csv(tmp_path / "net.tsv", sep="\t")
    assert list(read.columns) == ["regulator", "target", "mor", "likelihood"]
    assert read_network(tmp_path / "net.tsv").equals(part(FULL, "mor", "likelihood"))
    part(FULL, "mi", "mor").write(tmp_path / "scaled.tsv", "pyviper")
    table = read_network(tmp_path / "scaled.tsv").to_dataframe()
    assert table.groupby("source", observed=True)["likelihood"].max().tolist() == [1, 1, 1]


@pytest.mark.filterwarnings("ignore")  # of the other package, on import
def test_pyviper_takes_our_table_and_gives_it_back(tmp_path: Path) -> None:
    pyviper = pytest.importorskip("pyviper", reason="pyviper is not installed")
    FULL.write(tmp_path / "net.tsv", "pyviper")
    interactome = pyviper.Interactome("ours", net_table=str(tmp_path / "net.tsv"))
    assert interactome.size() == 3
    back = Network.from_dataframe(interactome.net_table)
    assert back.equals(part(FULL, "mor", "likelihood"), rtol=1e-14)  # it reads numbers to 1 ulp


def test_gene_sets_of_scenic(tmp_path: Path) -> None:
    FULL.write(tmp_path / "regulons.gmt")
    lines = (tmp_path / "regulons.gmt").read_text().splitlines()
    assert lines[0].split("\t") == ["MYC(+)", "pysces", "MAX"]
    assert lines[1].split("\t") == ["MYC(-)", "pysces", "A/B"]
    assert read_network(tmp_path / "regulons.gmt").equals(signs(FULL))


def planted() -> anndata.AnnData:
    values = RNG.normal(size=(20, 60))
    adata = anndata.AnnData(values)
    adata.obs_names = [f"cell{i}" for i in range(20)]
    adata.var_names = [f"g{i}" for i in range(60)]
    return adata


def random_net() -> pd.DataFrame:
    parts = [
        pd.DataFrame(
            {
                "source": f"R{number}",
                "target": RNG.permutation([f"g{i}" for i in range(60)])[:15],
                "weight": RNG.uniform(-1, 1, 15),
            }
        )
        for number in range(4)
    ]
    return pd.concat(parts, ignore_index=True)


def test_decoupler_takes_our_network_and_activity() -> None:
    dc = pytest.importorskip("decoupler", reason="decoupler is not installed")
    adata, net = planted(), random_net()
    network = Network.from_dataframe(net)
    ours = network.to_decoupler()
    dc.mt.ulm(adata, ours, tmin=5)
    theirs = adata.obsm["score_ulm"]
    dc.mt.ulm(adata, net, tmin=5)
    pd.testing.assert_frame_equal(adata.obsm["score_ulm"], theirs)
    dc.mt.viper(adata, ours, tmin=5, pleiotropy=False)
    pysces.run_viper(adata, network, signature="none", min_targets=5, filter_genes=False)
    scores = adata.obsm["score_viper"]
    np.testing.assert_allclose(adata.obsm["viper"][scores.columns], scores, rtol=1e-5, atol=1e-6)
    activity = dc.pp.get_obsm(adata, "viper")
    assert list(activity.var_names) == list(network.regulators)
    np.testing.assert_array_equal(activity.X, adata.obsm["viper"])
    np.testing.assert_array_equal(activity.X, pysces.activity(adata).X)


@pytest.mark.filterwarnings("ignore:From 0.4:FutureWarning")  # of mudata, on reading and writing
def test_modalities_of_mudata(tmp_path: Path) -> None:
    mudata = pytest.importorskip("mudata", reason="mudata is not installed")
    adata, net = planted(), random_net()
    adata.obs["group"] = pd.Categorical(["a", "b"] * 10)
    pysces.run_viper(adata, net, min_targets=5)
    before = adata.copy()
    both = pysces.to_mudata(adata)
    assert list(both.mod) == ["rna", "viper"]
    assert both.n_obs == 20
    assert both.n_vars == 60 + 4
    np.testing.assert_array_equal(both["viper"].X, before.obsm["viper"])
    both.write(tmp_path / "both.h5mu")
    read = mudata.read_h5mu(tmp_path / "both.h5mu")
    assert list(read["viper"].var_names) == ["R0", "R1", "R2", "R3"]
    pd.testing.assert_frame_equal(read["rna"].obsm["viper"], before.obsm["viper"])
    assert set(adata.obs) == set(before.obs)
    with pytest.raises(pysces.MissingKeyError, match="run_viper"):
        pysces.to_mudata(adata, "other")


def test_mudata_is_named_where_it_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "mudata", None)
    adata = planted()
    pysces.run_viper(adata, random_net(), min_targets=5)
    with pytest.raises(PyscesError, match="pip install mudata"):
        pysces.to_mudata(adata)


# --- R ------------------------------------------------------------------------------------------

R_COUNTS = """
path <- commandArgs(trailingOnly = TRUE)
kinds <- c(source = "character", target = "character")
table <- read.delim(path[1], quote = "", na.strings = "", colClasses = kinds)
pairs <- strsplit(readLines(path[2], encoding = "UTF-8"), "\\t", fixed = TRUE)
fields <- unlist(lapply(pairs, function(line) matrix(line[-1], nrow = 2)[1, ]))
values <- unlist(lapply(pairs, function(line) as.numeric(matrix(line[-1], nrow = 2)[2, ])))
cat(nrow(table), length(unique(table$source)), sprintf("%.17g", sum(table$mi)), length(pairs),
    length(fields), sprintf("%.17g", sum(values)), sum(fields == table$target), sep = "\\n")
"""


def test_base_r_reads_our_files(tmp_path: Path) -> None:
    program = shutil.which("Rscript")
    if program is None:
        pytest.skip("Rscript is not installed")
    plain = Network(EDGES.assign(target=["MAX", "A/B", "MYC", "NA", "ORF5'"]))
    plain.write(tmp_path / "n.tsv")
    plain.write(tmp_path / "n.adj")
    (tmp_path / "count.R").write_text(R_COUNTS)
    command = [program, "--vanilla", str(tmp_path / "count.R")]
    command += [str(tmp_path / "n.tsv"), str(tmp_path / "n.adj")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    rows, regulators, total, lines, fields, values, same = done.stdout.split()
    assert (int(rows), int(regulators), int(lines), int(fields)) == (5, 3, 3, 5)
    assert int(same) == 5
    np.testing.assert_allclose([float(total), float(values)], EDGES["mi"].sum(), rtol=1e-14)
