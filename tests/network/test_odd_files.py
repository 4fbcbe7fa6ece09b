"""Damaged, shifted and renamed files: an error that says where, or the right network."""

from __future__ import annotations

import bz2
import gzip
import importlib.util
import logging
import lzma
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import pysces
from pysces import (
    InputError,
    Network,
    PyscesError,
    PyscesWarning,
    read_expression,
    read_network,
)
from pysces.aracne.consolidate import rate_of_log
from pysces.data.regulators import resolve_regulators

TWO = {"source": ["MYC", "MYC"], "target": ["NCL", "CDKN1A"]}


@pytest.fixture
def limits() -> Iterator[None]:
    """Limits of sizes as they were."""
    before = pysces.settings.max_line, pysces.settings.max_unpacked
    yield
    pysces.settings.max_line, pysces.settings.max_unpacked = before


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def edges(path: Path) -> list[list[str]]:
    return read_network(path).to_dataframe().astype(str).to_numpy().tolist()


# --- fields of a line ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        # One more field in the lines than in the header
        ("n.tsv", "Regulator\tTarget\tMI\nA\tB\t0.5\t0.01\nA\tC\t0.4\t0.02\n", "they repeat: 'A'"),
        ("n.tsv", "source\ttarget\nA\tB\t0.5\nC\tD\t0.4\n", "numbers for the targets"),
        ("n.csv", "source,target\nMYC,NCL,0.5\nMYC,MAX,0.4\n", "they repeat: 'MYC'"),
        ("n.tsv", "source\ttarget\tmi\nA\tB\t0.1\t7\nC\tD\t0.2\n", "line 3 has 3 fields"),
        ("n.tsv", "source\ttarget\tmi\nA\tB\t0.1\nC\tD\t0.2\t7\n", "line 3 has 4 fields.*names 3"),
        # Row names said by quotes, then a line without them
        ("n.tsv", 'source\ttarget\n"1"\t"A"\t"B"\nC\tD\n', "line 3 has 2 fields"),
        # Fewer
        ("n.tsv", "source\ttarget\tmi\nA\tB\t0.1\nC\tD\n", "line 3 has 2 fields"),
        ("n.tsv", "source\ttarget\tmi\nA\tB\t0.1\nC", "line 3 has 1 field,"),
        ("n.txt", '"A" "B" 0.5\n"A" "C"\n', "cannot be inferred"),
        # Commas
        ("n.csv", "source,target,mi\nA,B,0,5\nA,C,0,25\n", "decimal comma|repeat"),
        (
            "n.tsv",
            "source\ttarget\tmi\nA\tB\t0.5\nA\tC\t0,25\n",
            "line 3: '0,25' in the column 'mi'",
        ),
        ("n.csv", "source;target;mi\nA;B;0,5\n", "line 2: '0,5' in the column 'mi' has a comma"),
        ("n.adj", "A\tB\t0,5\n", "line 1: '0,5' instead of a number"),
        # Quotes
        ("n.tsv", 'source\ttarget\nA\t"B\nA\tC\n', "line 2: a quote"),
        ("n.tsv", 'source\t"target\nA\tB\n', "cannot be inferred|quote"),
        ("n.tsv", 'source\ttarget\nA\t"B\nC\tD"\n', "line 2: a target whose name spans"),
        ("n.csv", "source,target,mi,mi\nA,B,1,2\n", "repeats columns"),
    ],
)
def test_networks_never_shift(name: str, text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message) as error:
        read_network(written(tmp_path, name, text))
    assert name in str(error.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("n.tsv", "source\ttarget\nA\tB\t\nA\tC\t\n"),  # empty fields at the end
        ("n.tsv", "source\ttarget\nA\tB\t\t\nA\tC\n"),
        ("n.tsv", "source\ttarget\t\nA\tB\nA\tC\n"),
        ("n.csv", "source,target\nA,B,\nA,C,\n,,\n"),
        ("n.tsv", "source\ttarget\r\nA\tB\r\nA\tC\r\n"),
        ("n.tsv", "source\ttarget\rA\tB\rA\tC\r"),
        ("n.tsv", "\ufeffsource\ttarget\nA\tB\nA\tC"),
        ("n.tsv", "# by hand\nsource\ttarget\n\n# more\nA\tB\n  \nA\tC\n"),
        ("n.tsv", "# by hand\n#source\ttarget\nA\tB\nA\tC\n"),
        ("n.csv", "source;target\nA;B\nA;C\n"),
        ("n.txt", '"source" "target"\n"1" "A" "B"\n"2" "A" "C"\n'),  # R's write.table
        ("n.txt", "source  target\n A   B\nA\tC\n"),
        ("n.csv", '"","source","target"\n"1","A","B"\n"2","A","C"\n'),  # R's write.csv
        ("n.tsv", '"source"\t"target"\n"r1"\t"A"\t"B"\n"r2"\t"A"\t"C"\n'),
        ("n.tsv", 'source\ttarget\tnote\nA\tB\t"two\nlines"\nA\tC\t5" long\n'),
        ("n.csv", "regulatoryGene,targetGene\nA,B\nA,C\n"),  # GENIE3
        ("n.csv", "geneset,genesymbol\nA,B\nA,C\n"),
        ("n.gmt", "A\tx\tB\tC\n"),
        ("n.gmt", '"A"\tx\t"B"\t"C"\t\r\n'),
        ("n.gmt", "# sets\nA\tx\tB\tnote=none\tC\n"),
        ("n.sif", "source\tinteraction\ttarget\nA\tpp\tB\nA\tpp\tC\n"),
    ],
)
def test_networks_as_spreadsheets_and_r_write_them(name: str, text: str, tmp_path: Path) -> None:
    expected = [["A", "B"], ["A", "C"]]
    assert edges(written(tmp_path, name, text)) == expected
    for packed, pack in ((".gz", gzip), (".bz2", bz2), (".xz", lzma)):
        assert edges(written(tmp_path, name + packed, pack.compress(text.encode()))) == expected
    assert edges(written(tmp_path, name, gzip.compress(text.encode()))) == expected  # renamed
    assert edges(written(tmp_path, name + ".gz", text)) == expected
    assert edges(written(tmp_path, name, text.lstrip("\ufeff").encode("utf-16"))) == expected


def test_without_a_header(tmp_path: Path) -> None:
    path = written(tmp_path, "q.txt", '"MYC" "NCL" 0.5\n"MYC" "my gene" 0.25\n')
    assert edges(path) == [["MYC", "NCL", "0.5"], ["MYC", "my gene", "0.25"]]
    text = "AATF\tBAX\tRepression\t229\nAATF\tMYC\tUnknown\t17\nAATF\tBAX\tActivation\t3\n"
    assert edges(written(tmp_path, "trrust.tsv", text)) == [
        ["AATF", "BAX", "0.0"],
        ["AATF", "MYC", "0.0"],
    ]


def test_dropped_fields_and_comments_are_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = "source\ttarget\nA\tB\t\n#A\tD\nA\tC\t\n"
    with caplog.at_level(logging.WARNING, "pysces"):
        read_network(written(tmp_path, "n.tsv", text))
    assert "n.tsv: dropped empty fields at the end of 2 of 2 lines" in caplog.text
    assert "left out 1 lines below the header that start with '#'" in caplog.text


TABLE = "gene\ts1\ts2\nA\t1\t2\nB\t3\t4\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("g\ta\tb\nA\t1\t2\nB\t1\nC\t3\t4\n", "line 3 has 2 fields, and the header.*names 3"),
        ("g\ta\tb\nA\t1\t2\nB\t1", "line 3 has 2 fields"),
        ("gene\ta\tb\nA\t1\t2\t3\nB\t1\t2\t3\n", "line 2: 4 fields.*names 3, the first.*'gene'"),
        ("a\tb\nA\t1\t2\nA\t3\t4\n", "they repeat: 'A'"),
        ("a\tb\nA\t1\t2\nB\t3\t4\nC\t5\n", "line 4 has 2 fields, and the lines above have 3"),
        ('g\t"a\tb\nA\t1\nB\t2\n', "line 1: a quote"),
        ("g\ta\nA\t1\nB\t0,5\n", "'0,5' in line 3, column 'a'. It contains a comma"),
        ("g\ta\nA\tTrue\nB\tFalse\n", "'True' in line 2"),
        ("A\t0.5\t1.5\nB\t1\t2\n", "line 1: numbers"),
        ("A\t0\t0\nB\t1\t2\n", "line 1: numbers"),
        ("g\ta\tb\n", "no line is below the names"),
        ("# only\n", "is empty"),
    ],
)
def test_expression_never_shifts(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message) as error:
        read_expression(written(tmp_path, "x.tsv", text))
    assert "x.tsv" in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        TABLE.replace("\n", "\t\n").replace("s2\t", "s2"),  # a tab at the end of all lines but one
        TABLE.replace("\n", "\t\n"),
        TABLE.replace("\n", "\r\n") + "\r\n\r\n",
        "# made by hand\n" + TABLE,
        "# Constructed by a tool\n#gene\ts1\ts2\nA\t1\t2\nB\t3\t4\n",
        TABLE.removeprefix("gene\t"),
        '"s1"\t"s2"\n"A"\t1\t2\n"B"\t3\t4\n',
        TABLE + "\t\t\n",
    ],
)
def test_expression_as_spreadsheets_write_it(text: str, tmp_path: Path) -> None:
    adata = read_expression(written(tmp_path, "x.tsv", text))
    assert (list(adata.obs_names), list(adata.var_names)) == (["s1", "s2"], ["A", "B"])
    np.testing.assert_array_equal(adata.X, [[1, 3], [2, 4]])


def test_numbers_too_large_for_64_bits_stay_numbers(tmp_path: Path) -> None:
    adata = read_expression(written(tmp_path, "x.tsv", f"g\ta\nA\t{10**25}\nB\t1\n"))
    np.testing.assert_array_equal(adata.X, [[1e25, 1]])


# --- signs --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "columns",
    [
        {"MI": [0.4, 0.3], "pearson": [0.6, -0.5], "spearman": [0.6, -0.5], "slope": [0.9, -0.4]},
        {"importance": [12.5, 8.5], "regulation": [1, -1], "rho": [0.6, -0.5]},
        {"importance": [12.5, 8.5], "regulation": [1, -1]},
        {"estimate": [0.3, -0.5], "corr": [0.5, -0.6], "padj": [0.1, np.nan]},
        {"coef_mean": [0.3, -0.4], "coef_abs": [0.3, 0.4], "-logp": [1.0, 2.0]},
        {"is_stimulation": [1, 0], "is_inhibition": [0, 1]},
        {"is_stimulation": [True, False], "is_inhibition": [False, True]},
        {"mode": ["Activation", "Repression"]},
        {"TF2G": [1, 2], "rho_TF2G": [0.2, -0.3], "importance_TF2G": [1.0, 2.0]},
        {"sign": ["+", "-"]},
        {"effect": ["up-regulates", "down-regulates"]},
        {"weight": [3.0, -2.0]},
    ],
)
@pytest.mark.filterwarnings("ignore:.*weights of the network exceed 1")
def test_signs_of_other_programs(
    columns: dict[str, list[object]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table = pd.DataFrame({**TWO, **columns})
    table.to_csv(tmp_path / "n.csv", index=False)
    with caplog.at_level(logging.WARNING, "pysces"):
        for network in (Network.from_dataframe(table), read_network(tmp_path / "n.csv")):
            assert np.sign(network.mode_and_likelihood()[0]).tolist() == [1, -1]
    assert not caplog.records


def test_names_before_aliases_and_ranges_before_names() -> None:
    both = Network.from_dataframe(pd.DataFrame({**TWO, "mor": [0.5, -1], "rho": [0.1, 0.1]}))
    assert both.mode_and_likelihood()[0].tolist() == [0.5, -1]
    wide = Network.from_dataframe(pd.DataFrame({**TWO, "rho": [5.0, 1.0], "corr": [0.1, -0.1]}))
    assert wide.to_dataframe()["correlation"].tolist() == [0.1, -0.1]
    unknown = Network.from_dataframe(pd.DataFrame({**TWO, "mode": ["Unknown", "Activation"]}))
    assert unknown.to_dataframe()["mor"].tolist() == [0, 1]
    kinds = pd.DataFrame({**TWO, "mode": ["in vitro", "in vivo"], "type": [0, 1]})
    assert Network.from_dataframe(kinds).columns == ()


@pytest.mark.parametrize("column", ["score", "rho"])
def test_a_sign_that_is_left_out_is_warned_of(column: str, tmp_path: Path) -> None:
    table = pd.DataFrame({**TWO, column: [3.0, -2.0]})
    table.to_csv(tmp_path / "n.csv", index=False)
    message = f"left out the columns '{column}' with negative numbers"
    with pytest.warns(PyscesWarning, match=f"Network: {message}"):
        Network.from_dataframe(table)
    with pytest.warns(PyscesWarning, match=f"n.csv: {message}"):
        read_network(tmp_path / "n.csv")
    Network.from_dataframe(table.assign(mor=[1, -1]))  # no warning, which would be an error here


def test_weights_in_gene_sets(tmp_path: Path) -> None:
    for mark in (",", "=", ", "):
        text = f"A\tx\tB{mark}0.5\tC{mark}-2\n"
        assert edges(written(tmp_path, "n.gmt", text)) == [["A", "B", "0.5"], ["A", "C", "-2.0"]]
    chemicals = "A\tx\tfructose-1,6\tB\n"
    assert edges(written(tmp_path, "n.gmt", chemicals)) == [["A", "fructose-1,6"], ["A", "B"]]
    for name in ("a=b", "fructose-1,6"):
        network = Network(pd.DataFrame({"source": ["A"], "target": [name]}))
        with pytest.raises(InputError, match="read as a value"):
            network.write(tmp_path / "n.gmt")


# --- no network ---------------------------------------------------------------------------------

PAGE = "<!DOCTYPE html>\n<html><body>Not Found here\n</body></html>\n"
NO_NETWORK = {
    "regulators": "MYC\nMAX\nTP53\n",
    "page": PAGE,
    "numbers": "0.1\t0.2\t0.3\n1.5\t2\t0.25\n",
    "one column of numbers": "0.5\n0.25\n",
    "empty": "",
    "blank lines": "\n\n  \n",
}
NAMES = ["n.tsv", "n.csv", "n.txt", "n.adj", "n.gmt", "n.sif", "n.graphml", "n.parquet", "n.rds"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", NO_NETWORK)
def test_what_is_no_network_is_refused(name: str, kind: str, tmp_path: Path) -> None:
    needs = {"n.graphml": "networkx", "n.parquet": "pyarrow", "n.rds": "rdata"}
    if name in needs:
        pytest.importorskip(needs[name], reason="not installed")
    with pytest.raises(InputError, match=name):
        read_network(written(tmp_path, name, NO_NETWORK[kind]))


@pytest.mark.parametrize("format", ["table", "3col", "adj", "gmt", "sif", "scenic", "trrust"])
@pytest.mark.parametrize("kind", NO_NETWORK)
def test_a_format_by_name_changes_nothing_of_that(format: str, kind: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"n\.txt"):
        read_network(written(tmp_path, "n.txt", NO_NETWORK[kind]), format)


# --- damage -------------------------------------------------------------------------------------


@pytest.mark.parametrize("pack", [gzip, bz2, lzma])
def test_packed_files_cut_short(pack: object, tmp_path: Path) -> None:
    whole = pack.compress(b"MYC\tx\tMAX\tNCL\n" * 99)  # type: ignore[attr-defined]
    for name in ("n.gmt.gz", "n.tsv", "n.graphml"):
        if name == "n.graphml" and importlib.util.find_spec("networkx") is None:
            continue  # the reader asks for networkx first
        with pytest.raises(InputError, match=f"{name} cannot be read as"):
            read_network(written(tmp_path, name, whole[: len(whole) // 2]))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("n.tsv", b"PK\x03\x04rest", "zip archive or an Excel workbook"),
        ("n.parquet", b"hello", "cannot be read as a network"),
        ("n.rds", b"hello", "cannot be read as a network"),
        ("n.graphml.gz", b"hello", "cannot be read as GraphML"),
        ("n.graphml", b'<!DOCTYPE x [<!ENTITY a "aaaa">]><graphml>&a;</graphml>', "entities"),
        ("n.tsv", b"source\ttarget\nA\tB\nA\tC\x00\n", "line 3: the byte 0x00 is not text"),
        ("n.gmt", b"A\tx\tB\x81\n", "line 1: neither UTF-8 nor Latin-1"),
        ("reg.csv", b",,TargetGenes\nA,m,\"[('B', 1.5)", "line 2: a quote is not closed"),
        ("reg.csv", b",,TargetGenes\nA,m\n", "line 2: 2 fields"),
        ("reg.csv", b",,TargetGenes\nA,m," + b"(" * 5000 + b"\n", "is not a list of"),
    ],
)
def test_damaged_networks(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    needs = {"n.graphml": "networkx", "n.graphml.gz": "networkx"}
    needs |= {"n.parquet": "pyarrow", "n.rds": "rdata"}
    if name in needs:
        pytest.importorskip(needs[name], reason="not installed")
    with pytest.raises(InputError, match=message):
        read_network(written(tmp_path, name, content))


@pytest.mark.parametrize("name", ["n.gmt", "n.adj", "n.tsv"])
def test_latin_1_is_read_with_a_warning(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = {"n.gmt": "A\tx\té\n", "n.adj": "A\té\t1\n", "n.tsv": "source\ttarget\nA\té\n"}[name]
    with caplog.at_level(logging.WARNING, "pysces"):
        network = read_network(written(tmp_path, name, text.encode("latin-1")))
    assert network.targets_of("A") == ["é"]
    assert len(caplog.records) == 1
    assert f"{name}, line {text.count(chr(10))}: not UTF-8" in caplog.text


def test_other_doors(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    genes = ["MYC", "MAX"]
    with caplog.at_level(logging.WARNING, "pysces"):
        listed = written(tmp_path, "r.txt", "MYC # é\n".encode("latin-1"))
        assert resolve_regulators(listed, genes) == ["MYC"]
    assert "Latin-1" in caplog.text
    packed = written(tmp_path, "r.txt.gz", gzip.compress(b"TF\nMYC\n"))
    assert resolve_regulators(packed, genes) == ["MYC"]
    for content in (PAGE.encode(), b"MYC\x00", gzip.compress(b"MYC" * 99)[:20]):
        with pytest.raises(InputError, match=r"r\.txt"):
            resolve_regulators(written(tmp_path, "r.txt", content), genes)
        with pytest.raises(InputError, match=r"a\.log"):
            rate_of_log(written(tmp_path, "a.log", content))
    with pytest.raises(InputError, match="cannot be opened as h5ad"):
        read_expression(written(tmp_path, "x.h5ad", b"hello"))
    (tmp_path / "x.zarr").mkdir()
    with pytest.raises(InputError, match="cannot be opened as zarr"):
        read_expression(tmp_path / "x.zarr")
    plain = written(tmp_path, "x.csv.gz", TABLE.replace("\t", ","))  # not packed in spite of it
    assert read_expression(plain).shape == (2, 2)


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r"])
def test_lines_across_pieces_of_a_file(
    line_break: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, "n.tsv", line_break.join(["source\ttarget", "A\té", "A\tβ", "A\tC"]))
    monkeypatch.setattr(pysces.settings, "_max_line", 16)  # of a line, not of the file
    for size in range(1, 12):
        monkeypatch.setattr("pysces._reading._CHUNK", size)
        assert edges(path) == [["A", "é"], ["A", "β"], ["A", "C"]]


def test_a_number_that_ends_the_process_in_pandas_is_text(tmp_path: Path) -> None:
    bad = "-11e512925464970229"
    header = "regulator.values\ttarget.values\tlog.p.values\tother"
    path = written(tmp_path, "n.tsv", f"{header}\nA\tB\t-1\t{bad}\nA\tC\t{bad}\t{bad}\n")
    with pytest.warns(PyscesWarning, match="'other' with negative numbers"):
        assert read_network(path).to_dataframe()["pvalue"].tolist() == [np.exp(-1), 0]
    table = written(tmp_path, "x.tsv", f"g\ta\nA\t{bad}\n")
    assert read_expression(table).X.tolist() == [[-np.inf]]


def test_a_table_of_which_nothing_is_left_is_no_network(tmp_path: Path) -> None:
    path = written(tmp_path, "n.tsv", "source\ttarget\tmi\nA\tB\thigh\nA\tC\tNA\n")
    with pytest.raises(InputError, match=r"n\.tsv is not a network: none of its 2 rows"):
        read_network(path)


@pytest.mark.usefixtures("limits")
def test_sizes_are_limited(tmp_path: Path) -> None:
    line = written(tmp_path, "n.gmt.gz", gzip.compress(b"A\tx" + b"\tB" * 17_000_000))
    with pytest.raises(InputError, match=r"line 1: longer than 33554432 bytes.*max_line"):
        read_network(line)
    pysces.settings.max_line = "64 MB"
    pysces.settings.max_unpacked = "8 MB"
    with pytest.raises(InputError, match=r"unpacks to more than 8388608.*max_unpacked"):
        read_network(line)
    pysces.settings.max_unpacked = "1 MB"
    table = b"g\ta\n" + b"".join(b"A%d\t1\n" % number for number in range(150_000))
    with pytest.raises(InputError, match="unpacks to more than"):
        read_expression(written(tmp_path, "x.tsv.gz", gzip.compress(table)))
    assert read_expression(written(tmp_path, "x.tsv", table)).n_vars == 150_000
    assert "max_line" in repr(pysces.settings)
    for wrong in (True, "much", 3):
        with pytest.raises(ValueError, match=r"settings\.max_line must be"):
            pysces.settings.max_line = wrong


# --- anything -----------------------------------------------------------------------------------

GOOD = {
    "n.tsv": b"source\ttarget\tmi\tmor\nMYC\tMAX\t0.5\t1\nMYC\tNCL\t0.25\t-0.5\n",
    "n.csv": b'"","regulator","target","log.p.values"\n"1","MYC","MAX",-2.5\n"2","A","B",-1\n',
    "n.txt": b'"MYC" "NCL" 0.5\n"MYC" "MAX" 0.25\n',
    "n.adj": b"> note\nMYC\tMAX\t0.5\tNCL\t0.25\n",
    "n.gmt": b"MYC(+)\tx\tMAX\tNCL\nMYC(-)\tx\tA\n",
    "n.sif": b"MYC\tactivates\tMAX\tNCL\nMAX\tpp\tA\n",
    "n.graphml": b'<graphml><graph edgedefault="directed"><node id="a"/>'
    b'<edge source="a" target="a"/></graph></graphml>',
    "reg.csv": b",,Context,TargetGenes\nA,m,\"frozenset({'x'})\",\"[('B', 1.5), ('C', 0.5)]\"\n",
    "x.tsv": b"gene\ts1\ts2\nNA\t1\t0.1\n007\t-3\tNA\n",
    "x.csv": b'"s1","s2"\n"MYC",1,2\n"MAX",3,4\n',
    "r.txt": b"TF\nMYC # why\n",
}
PIECES = [b"\t", b",", b";", b"\n", b"\r", b'"', b"'", b"#", b">", b"<", b"\x00", b"\xff", b"\xe9"]
PIECES += [b"\xff\xfe", b"\xef\xbb\xbf", b"0,5", b"1e999", b"-11e512925464970229", b"1_0", b"nan"]
PIECES += [b"source", b"target", b"True", b"9" * 30, b"=", b"(((", b"\x1f\x8b", b"BZh91AY", b"\xc3"]


def _read(path: Path) -> object:
    if path.name.startswith("x"):
        return read_expression(path)
    return resolve_regulators(path, ["MYC"]) if path.name.startswith("r.") else read_network(path)


@pytest.mark.parametrize("name", GOOD)
@hypothesis_settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(seed=st.integers(0, 2**32), pieces=st.lists(st.sampled_from(PIECES), max_size=4))
@pytest.mark.filterwarnings("ignore::pysces.PyscesWarning")
def test_any_damage_is_an_error_of_ours_or_harmless(
    name: str, seed: int, pieces: list[bytes], tmp_path: Path
) -> None:
    if name.endswith("graphml"):
        pytest.importorskip("networkx", reason="networkx is not installed")
    rng = random.Random(seed)
    content = bytearray(GOOD[name])
    for piece in pieces:
        at = rng.randrange(len(content) + 1)
        content[at : at + rng.choice([0, 0, 1, 5])] = piece
    if rng.random() < 0.3:
        del content[rng.randrange(len(content) + 1) :]
    data = bytes(content)
    if rng.random() < 0.2:
        data = gzip.compress(data)[: rng.choice([None, -9])]
    message = name
    try:
        _read(written(tmp_path, name, data))
    except PyscesError as error:
        message = str(error)
    assert name in message or "regulators" in message  # it names the file


FIELDS = st.lists(st.sampled_from(["A", "B", "0.5", "", "1"]), min_size=1, max_size=5)


@hypothesis_settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(rows=st.lists(FIELDS, min_size=1, max_size=4), quoted=st.booleans())
def test_a_line_with_too_many_or_too_few_fields_never_shifts_a_value(
    rows: list[list[str]], quoted: bool, tmp_path: Path
) -> None:
    quote = '"' if quoted else ""
    lines = ["\t".join(f"{quote}{field}{quote}" for field in row) for row in rows]
    path = written(tmp_path, "x.tsv", "corner\ts1\ts2\n" + "\n".join(lines) + "\n")
    try:
        adata = read_expression(path)
    except InputError:
        return
    filled = [row for row in rows if any(row)] if not quoted else rows
    if len(filled[0]) >= 4 and filled[0][3]:
        assert all(len(row) >= 4 for row in filled)  # names of rows in every line, none twice
        filled = [[row[0], *row[1:4]] for row in filled]
        assert adata.n_vars == len({row[0] for row in filled}) == len(filled)
    for gene, row in enumerate(filled):
        assert not any(row[1 + adata.n_obs :])
        for sample in range(adata.n_obs):
            value = float(row[1 + sample] or "nan")
            np.testing.assert_equal(float(adata.X[sample, gene]), value)
