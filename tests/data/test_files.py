"""Networks and expression come back from files as they were; readers say what they drop."""

from __future__ import annotations

import csv
import gzip
import importlib
import logging
import pickle
import struct
import time
import warnings
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from pysces.data.read import read_expression, read_network, write_h5ad
from pysces.errors import InputError, PyscesError
from pysces.network import Network

if TYPE_CHECKING:
    from pathlib import Path

RNG = np.random.default_rng(3)
FULL = Network(
    pd.DataFrame(
        {
            "source": ["MYC", "MYC", "NA", "1433"],
            "target": ["MAX", "NaN", "MYC", "NULL"],  # names that pandas takes for missing
            "mi": RNG.uniform(0, 1, 4),
            "correlation": RNG.uniform(-1, 1, 4),
            "mor": [0.1, -1 / 3, 1.0, -1.0],
            "likelihood": RNG.uniform(0, 1, 4),
            "support": [100, 3, 20, 7],
            "pvalue": [1e-300, 0.1 + 0.2, 1e-5, 1.0],
            "qvalue": RNG.uniform(0, 1, 4),
        }
    )
)
PARTS = {
    "aracne-ap": ["mi", "pvalue"],
    "adj": ["mi"],
    "aracne3": ["mi", "correlation", "support", "pvalue"],
}


def part(network: Network, columns: list[str]) -> Network:
    return Network(network.to_dataframe()[["source", "target", *columns]])


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, encoding="utf-8")
    return path


# --- round trips --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["n.tsv", "n.csv", "n.tsv.gz", "n.csv.gz", "n.parquet"])
def test_tables_round_trip_to_the_bit(name: str, tmp_path: Path) -> None:
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    FULL.write(tmp_path / name)
    read = read_network(tmp_path / name)
    pd.testing.assert_frame_equal(read.to_dataframe(), FULL.to_dataframe(), check_exact=True)
    assert [path.name for path in tmp_path.iterdir()] == [name]  # no temporary file is left


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("network.txt", "aracne-ap"),
        ("network.txt.gz", "aracne-ap"),
        ("other.txt", "aracne-ap"),
        ("n.adj", "adj"),
        ("n.adj.gz", "adj"),
        ("n.txt", "adj"),
        ("consensus.tsv", "aracne3"),
    ],
)
def test_formats_of_aracne_round_trip(name: str, format: str, tmp_path: Path) -> None:
    expected = part(FULL, PARTS[format])
    expected.write(tmp_path / name, format)
    for given in (None, format):
        assert read_network(tmp_path / name, given).equals(expected, rtol=1e-13)


def test_same_network_gives_the_same_packed_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, now in (("a.tsv.gz", 1e9), ("b.tsv.gz", 2e9)):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        FULL.write(tmp_path / name)
    assert (tmp_path / "a.tsv.gz").read_bytes() == (tmp_path / "b.tsv.gz").read_bytes()


def test_network_txt_is_that_of_aracne_ap(tmp_path: Path) -> None:
    FULL.write(tmp_path / "network.txt")
    lines = (tmp_path / "network.txt").read_text().splitlines()
    assert lines[0] == "Regulator\tTarget\tMI\tpvalue"
    assert lines[1].split("\t")[:2] == ["MYC", "MAX"]


def test_gmt_round_trips_signs(tmp_path: Path) -> None:
    signs = Network(part(FULL, ["mor"]).to_dataframe().assign(mor=[1, -1, 1, -1]))
    signs.write(tmp_path / "n.gmt")
    assert "MYC(-)\tpysces\tNaN" in (tmp_path / "n.gmt").read_text().splitlines()
    assert read_network(tmp_path / "n.gmt").equals(signs)
    part(FULL, []).write(tmp_path / "plain.gmt.gz")
    plain = read_network(tmp_path / "plain.gmt.gz")
    assert plain.columns == ()
    assert plain.equals(part(FULL, []))


def test_empty_network_round_trips(tmp_path: Path) -> None:
    empty = Network(FULL.to_dataframe()[:0])
    empty.write(tmp_path / "n.tsv")
    read = read_network(tmp_path / "n.tsv")
    assert len(read) == 0
    assert read.columns == FULL.columns


def test_pvalue_of_zero_stays_finite_in_aracne3(tmp_path: Path) -> None:
    table = part(FULL, PARTS["aracne3"]).to_dataframe().assign(pvalue=0.0)
    Network(table).write(tmp_path / "n.tsv", "aracne3")
    assert (read_network(tmp_path / "n.tsv").to_dataframe()["pvalue"] < 1e-320).all()


# --- files of other programs --------------------------------------------------------------------


def test_aracne3(tmp_path: Path) -> None:
    header = "regulator.values\ttarget.values\tmi.values\tscc.values\tcount.values\tlog.p.values"
    path = written(tmp_path, "consolidated.tsv", f"{header}\nA\tB\t0.25\t-0.5\t17\t-2.302585093\n")
    edge = read_network(path).to_dataframe().iloc[0]
    assert edge["mi"] == 0.25
    assert edge["correlation"] == -0.5
    assert edge["support"] == 17
    assert edge["pvalue"] == pytest.approx(0.1)


def test_adj_of_aracne(tmp_path: Path) -> None:
    text = ">  Input file    expression.exp\n> ADJ\nA\tB\t0.5\tC\t0.25\nD\tA\t0.125\n\nE\n"
    network = read_network(written(tmp_path, "net.txt", text))
    assert network.regulons() == {"A": ["B", "C"], "D": ["A"]}
    assert network.to_dataframe()["mi"].tolist() == [0.5, 0.25, 0.125]
    with pytest.raises(InputError, match=r"line 2: 'A' is followed by 3 fields"):
        read_network(written(tmp_path, "bad.adj", "A\tB\t0.5\nA\tB\t0.5\tC\n"))


@pytest.mark.parametrize("separator", ["\t", ",", " ", "  "])
def test_three_columns(separator: str, tmp_path: Path) -> None:
    text = "".join(separator.join(row) + "\n" for row in (("A", "B", "0.5"), ("A", "C", "1e-2")))
    network = read_network(written(tmp_path, "net.txt", text))
    assert network.to_dataframe()["mi"].tolist() == [0.5, 0.01]


def test_pyviper_decoupler_and_grnboost(tmp_path: Path) -> None:
    pyviper = written(tmp_path, "p.tsv", "regulator\ttarget\tmor\tlikelihood\nA\tB\t-0.5\t0.9\n")
    assert read_network(pyviper).columns == ("mor", "likelihood")
    decoupler = written(tmp_path, "d.csv", ",source,target,weight\n0,A,B,-1\n1,A,C,0.5\n")
    assert read_network(decoupler, "decoupler").columns == ("weight",)
    grnboost = written(tmp_path, "g.tsv.gz", "TF\ttarget\timportance\nA\tB\t12.5\n")
    assert read_network(grnboost).columns == ("weight",)
    from_r = written(tmp_path, "r.tsv", '"source"\t"target"\t"mi"\n"1"\t"A"\t"B"\t0.5\n')
    assert read_network(from_r).regulons() == {"A": ["B"]}
    commented = written(tmp_path, "c.tsv", "# made by hand\n# twice\nsource\ttarget\nA\tB\n")
    assert read_network(commented).regulons() == {"A": ["B"]}


def test_scenic_regulons(tmp_path: Path) -> None:
    text = (
        ",,Enrichment,Enrichment,Enrichment,Enrichment\n"
        ",,AUC,Context,TargetGenes,RankAtMax\n"
        "TF,MotifID,,,,\n"
        "A,m1,0.1,\"frozenset({'activating', 'x'})\",\"[('B', 1.5), ('C', 0.5)]\",5\n"
        "A,m2,0.1,\"frozenset({'activating', 'x'})\",\"[('B', np.float64(2.5))]\",5\n"
        "D,m3,0.1,\"frozenset({'repressing', 'x'})\",\"[('B', 1.0)]\",5\n"
    )
    table = read_network(written(tmp_path, "reg.csv", text)).to_dataframe()
    assert table[["source", "target"]].to_numpy().tolist() == [["A", "B"], ["A", "C"], ["D", "B"]]
    assert table["weight"].tolist() == [2.5, 0.5, 1.0]
    assert table["mor"].tolist() == [1, 1, -1]
    unsafe = text.replace("[('B', 1.0)]", "__import__('os').getcwd()")
    with pytest.raises(InputError, match="is not a list of"):
        read_network(written(tmp_path, "unsafe.csv", unsafe))


def test_scenic_names_in_gmt(tmp_path: Path) -> None:
    text = "STAT1(+)\tx\tA\tB\nSTAT1_(-)\tx\tC\nIRF1 (12g)\tx\tA\t\n"
    network = read_network(written(tmp_path, "regulons.gmt", text))
    assert network.regulons() == {"STAT1": ["A", "B", "C"], "IRF1": ["A"]}
    assert network.to_dataframe()["mor"].tolist() == [1, 1, -1, 1]


# A few kinds of R object, in the format of saveRDS (XDR, version 2), so that the test needs no R


def r_object(value: Any, names: list[str] | None = None, r_class: str | None = None) -> bytes:
    attributes = {"names": names, "class": [r_class] if r_class else None}
    present = {name: texts for name, texts in attributes.items() if texts is not None}
    flag = 0x200 if present else 0
    if isinstance(value, list):
        body = struct.pack(">ii", 19 | flag, len(value)) + b"".join(value)
    else:
        body = struct.pack(">ii", 14 | flag, len(value)) + np.asarray(value, ">f8").tobytes()
    for name, texts in present.items():
        body += struct.pack(">ii", 2 | 0x400, 1) + r_text(name)
        body += struct.pack(">ii", 16, len(texts)) + b"".join(map(r_text, texts))
    return body + (struct.pack(">i", 254) if present else b"")


def r_text(text: str) -> bytes:
    return struct.pack(">ii", 9 | 0x40000, len(text)) + text.encode()


def r_file(path: Path, content: bytes) -> Path:
    header = b"X\n" + struct.pack(">iii", 2, 0x40202, 0x20300)
    path.write_bytes(gzip.compress(header + content))
    return path


def test_regulon_of_r(tmp_path: Path) -> None:
    pytest.importorskip("rdata", reason="rdata is not installed")
    regulons = [
        r_object(
            [r_object(np.array(mode), targets), r_object(np.array(likelihood))],
            ["tfmode", "likelihood"],
        )
        for mode, targets, likelihood in (
            ([0.5, -1.0], ["B", "C"], [0.25, 1.0]),
            ([0.125], ["A"], [0.75]),
        )
    ]
    path = r_file(tmp_path / "regulon.rds", r_object(regulons, ["A", "D"], "regulon"))
    table = read_network(path).to_dataframe()
    assert table[["source", "target"]].to_numpy().tolist() == [["A", "B"], ["A", "C"], ["D", "A"]]
    assert table["mor"].tolist() == [0.5, -1.0, 0.125]
    assert table["likelihood"].tolist() == [0.25, 1.0, 0.75]
    other = r_file(tmp_path / "other.rds", r_object(np.array([1.0]), ["a"]))
    with pytest.raises(InputError, match="is not a regulon of R's viper"):
        read_network(other)


@pytest.mark.parametrize(("name", "package"), [("n.rds", "rdata"), ("n.parquet", "pyarrow")])
def test_missing_package_is_named(
    name: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.import_module

    def without(wanted: str, *rest: Any) -> Any:
        if wanted == package:
            raise ImportError(f"No module named {wanted!r}")
        return real(wanted, *rest)

    monkeypatch.setattr(importlib, "import_module", without)
    with pytest.raises(PyscesError, match=rf"pip install {package}"):
        read_network(written(tmp_path, name, "x"))
    if package == "pyarrow":
        with pytest.raises(PyscesError, match=rf"pip install {package}"):
            FULL.write(tmp_path / name)


# --- what is dropped, what is refused -----------------------------------------------------------


def test_readers_say_what_they_drop(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    text = (
        "source,target,mi,colour\nA,B,0.5,red\nA,,0.5,red\n ,B,0.5,red\nA,C,NA,red\nA,D,inf,red\n"
        "A,E,high,red\nA,B,0.75,red\n F , G ,0.125,red\n"
    )
    with caplog.at_level(logging.INFO, "pysces"):
        network = read_network(written(tmp_path, "n.csv", text))
    assert network.regulons() == {"A": ["B"], "F": ["G"]}
    assert network.to_dataframe()["mi"].tolist() == [0.5, 0.125]
    for message in (
        "n.csv: left out the columns 'colour'",
        "dropped 2 of 8 rows without a name",
        "dropped 3 of 6 rows without a number in 'mi' (the first: A -> C)",
        "dropped 1 of 3 rows that repeat an edge (the first: A -> B)",
    ):
        assert message in caplog.text
    assert {r.levelname for r in caplog.records if "dropped" in r.message} == {"WARNING"}


def test_numbers_out_of_range_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"outside \[-1, 1\]"):
        read_network(written(tmp_path, "n.csv", "source,target,mor\nA,B,3\n"))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "n.txt",
            "tf\tgene\tscore\nA\tB\t0.5\n",
            "cannot be inferred.*'tf', 'gene', 'score'.*format=",
        ),
        ("n.txt", "", "is empty"),
        ("n.tsv", "# only a comment\n", "is empty"),
        ("n.pkl", "x", "looks pickled"),
        ("n.pickle.gz", "x", "looks pickled"),
        ("n.h5ad", "x", "Network.from_anndata"),
        ("n.tsv", "source\ttarget\nA\tB\nA\tB\tC\tD\n", "cannot be read as a table"),
    ],
)
def test_unclear_files_are_refused(name: str, text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        read_network(written(tmp_path, name, text))


def test_pickles_are_never_opened(tmp_path: Path) -> None:
    path = tmp_path / "n.txt"
    path.write_bytes(pickle.dumps({"A": ["B"]}))
    with pytest.raises(InputError):
        read_network(path)


def test_wrong_formats_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "n.tsv", "source\ttarget\nA\tB\n")
    with pytest.raises(InputError, match=r"must be one of \['table', '3col'.*Got 'xml'"):
        read_network(path, "xml")
    with pytest.raises(InputError, match=r"n.tsv has 2 columns; the format '3col'"):
        read_network(path, "3col")
    with pytest.raises(InputError, match="no column 'source', 'target'"):
        read_network(written(tmp_path, "t.tsv", "a\tb\n1\t2\n"), "table")
    with pytest.raises(FileNotFoundError, match="There is no file"):
        read_network(tmp_path / "absent.tsv")
    with pytest.raises(InputError, match="does not determine the format"):
        FULL.write(tmp_path / "n.dat")
    with pytest.raises(InputError, match="cannot be written as 'scenic'"):
        FULL.write(tmp_path / "n.tsv", "scenic")
    with pytest.raises(InputError, match=r"requires the column\(s\) 'pvalue'"):
        part(FULL, ["mi"]).write(tmp_path / "network.txt")
    with pytest.raises(InputError, match="There is no folder"):
        FULL.write(tmp_path / "absent" / "n.tsv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["n.tsv", "t.tsv"]


def test_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "n.adj"
    FULL.write(path)
    before = path.read_bytes()
    with pytest.raises(InputError):
        part(FULL, ["mor"]).write(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["n.adj"]


# --- expression ---------------------------------------------------------------------------------

GENES_IN_ROWS = "gene\ts1\ts2\nNA\t1\t0.1\n007\t-3\tNA\n"


@pytest.mark.parametrize("name", ["x.tsv", "x.txt", "x.tsv.gz", "x.csv", "x.csv.gz"])
def test_expression_tables_have_genes_in_rows(name: str, tmp_path: Path) -> None:
    text = GENES_IN_ROWS.replace("\t", ",") if ".csv" in name else GENES_IN_ROWS
    adata = read_expression(written(tmp_path, name, text))
    assert list(adata.var_names) == ["NA", "007"]
    assert list(adata.obs_names) == ["s1", "s2"]
    np.testing.assert_array_equal(adata.X, [[1, -3], [0.1, np.nan]])
    turned = read_expression(tmp_path / name, transpose=True)
    assert list(turned.obs_names) == ["NA", "007"]
    np.testing.assert_array_equal(turned.X, adata.X.T)


def test_expression_table_of_r_has_no_corner(tmp_path: Path) -> None:
    adata = read_expression(written(tmp_path, "x.tsv", '"s1"\t"s2"\n"MYC"\t1\t2\n"MAX"\t3\t4\n'))
    assert list(adata.var_names) == ["MYC", "MAX"]
    assert list(adata.obs_names) == ["s1", "s2"]


def test_repeated_names_are_not_renamed(tmp_path: Path) -> None:
    path = written(tmp_path, "x.tsv", "cell\tMYC\tMYC\nc1\t1\t2\nc2\t3\t4\n")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # anndata warns of repeated names too
        adata = read_expression(path, transpose=True)
    assert list(adata.var_names) == ["MYC", "MYC"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x.tsv", "gene\tnote\ts1\nMYC\tx\t1\n", "has text in 1 of 2 columns: 'note'"),
        ("x.tsv", GENES_IN_ROWS.replace("\t", ","), "Is it separated by tabs"),
        ("x.tsv", "", "cannot be read as a table"),
        ("x.xlsx", "x", "Files may end in .h5ad"),
    ],
)
def test_bad_expression_tables(name: str, text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        read_expression(written(tmp_path, name, text))


def test_h5ad_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    adata = ad.AnnData(np.eye(3, dtype=np.float32))
    write_h5ad(adata, tmp_path / "x.h5ad")
    np.testing.assert_array_equal(read_expression(tmp_path / "x.h5ad").X, np.eye(3))
    before = (tmp_path / "x.h5ad").read_bytes()
    adata.uns["bad"] = object()
    with pytest.raises(Exception, match="object"):
        write_h5ad(adata, tmp_path / "x.h5ad")
    assert (tmp_path / "x.h5ad").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["x.h5ad"]
    with pytest.raises(InputError, match="states which axis"):
        read_expression(tmp_path / "x.h5ad", transpose=True)
    with pytest.raises(FileNotFoundError, match="There is no file"):
        read_expression(tmp_path / "y.h5ad")
    with pytest.raises(InputError, match="There is no folder"):
        write_h5ad(adata, tmp_path / "absent" / "x.h5ad")


def test_the_limit_of_the_csv_module_is_restored(tmp_path: Path) -> None:
    """It belongs to the whole process: other code may rely on it."""
    before = csv.field_size_limit()
    table = tmp_path / "network.csv"
    table.write_text('source,target,note\nMYC,MAX,"a, b"\n')
    regulons = tmp_path / "regulons.csv"
    genes = ", ".join(f"('gene{i}', 1.0)" for i in range(20_000))
    regulons.write_text(f'TF,Context,TargetGenes\nMYC,activating,"[{genes}]"\n')
    assert len(read_network(table)) == 1
    assert len(read_network(regulons)) == 20_000  # a field above the limit
    assert csv.field_size_limit() == before
    regulons.write_text('TF,Context,TargetGenes\nMYC,activating,"[cut short\n')
    with pytest.raises(InputError):
        read_network(regulons)
    assert csv.field_size_limit() == before
