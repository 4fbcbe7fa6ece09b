"""Regulators come from the user, from adata.var or from the built-in list that fits."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

import pysces
from pysces.data.regulators import match_organism, regulators, resolve_regulators
from pysces.errors import InputError, PyscesWarning

if TYPE_CHECKING:
    from pathlib import Path

GENES = pd.Index(["ACTB", "MYC", "GAPDH", "TP53", "STAT1"])


@pytest.mark.parametrize(("organism", "some"), [("human", "TP53"), ("mouse", "Trp53")])
def test_packaged_lists(organism: str, some: str) -> None:
    names = regulators(organism)
    assert len(names) > 1000
    assert len(set(names)) == len(names)
    assert some in names
    assert "symbol" not in names
    assert not any(name.startswith("#") or not name.strip() for name in names)


def test_packaged_list_is_handed_out_as_a_copy() -> None:
    regulators("human").clear()
    assert regulators("human")


def test_kinds_are_chosen_by_name_with_their_organism() -> None:
    genes = pd.Index(["ACTB", "MYC", "EP300", "ID1", "EGFR", "Egfr"])
    assert resolve_regulators("cofactor", genes) == ["ID1"]
    assert resolve_regulators("chromatin", genes, organism="human") == ["EP300"]
    assert resolve_regulators("tf", genes) == resolve_regulators(None, genes) == ["MYC"]
    for kind in ("signalling", "surface"):
        assert resolve_regulators(kind, genes) == ["EGFR"]
    with pytest.warns(PyscesWarning, match="signalling proteins of mouse.*look like those of hum"):
        assert resolve_regulators("signalling", genes, organism="mouse") == ["Egfr"]
    with pytest.raises(InputError, match=r"one of \['tf', 'cofactor', 'chromatin'"):
        regulators("human", "kinase")  # type: ignore[arg-type]


def test_an_organism_needs_a_built_in_list() -> None:
    var = pd.DataFrame({"regulator": [True, False, False, False, True]}, index=GENES)
    with pytest.raises(InputError, match=r"requires a built-in list, but regulators are given\."):
        resolve_regulators(["MYC"], GENES, organism="human")
    with pytest.raises(InputError, match=r"marked in adata.var\['regulator'\]\. Leave it out"):
        resolve_regulators(None, GENES, var, organism="human")
    assert resolve_regulators("tf", GENES, var, organism="human") == ["MYC", "TP53", "STAT1"]
    with pytest.raises(InputError, match="regulators='human' and organism='mouse' contradict"):
        resolve_regulators("human", GENES, organism="mouse")


def test_the_organism_is_recorded() -> None:
    names = ["Actb", "Myc", "Ezh2", "Egfr", "Id1"]
    data = pd.DataFrame(np.random.default_rng(0).normal(size=(30, len(names))), columns=names)
    run = {"resampling": None, "n_null": 1000, "alpha": 1.0}
    record = pysces.infer_network(data, "chromatin", organism="mouse", **run).record
    assert (record.options["regulators"], record.options["organism"]) == ("chromatin", "mouse")
    assert record.facts["organism"] == "mouse"
    assert record.facts["n_regulators"] == 1
    mi = pysces.mutual_information(data, "cofactor", organism="mouse")
    assert mi.index.tolist() == ["Id1"]


def test_organism_that_matches_best() -> None:
    assert match_organism(GENES) == "human"
    assert match_organism(["Actb", "Myc", "MYC", "Stat1"]) == "mouse"
    with pytest.raises(InputError, match=r"No gene name is among .*Pass regulators="):
        match_organism(["x", "y"])
    with pytest.raises(InputError, match="Ensembl identifiers; gene symbols are needed"):
        match_organism([f"ENSG{i:011d}" for i in range(5)])
    with pytest.raises(InputError, match=r"no list of regulators of 'yeast'"):
        regulators("yeast")


@pytest.mark.parametrize(
    "given",
    [
        ["TP53", "MYC"],
        ("TP53", "MYC", "TP53"),
        {"TP53", "MYC"},
        pd.Index(["TP53", "MYC"]),
        pd.Series(["TP53", "MYC"], index=[5, 6]),
        np.array(["TP53", "MYC"]),
        pd.Categorical(["TP53", "MYC"]),
        (name for name in ["TP53", "MYC"]),
    ],
)
def test_names_in_the_order_of_the_genes(given: Any) -> None:
    found = resolve_regulators(given, GENES)
    assert found == ["MYC", "TP53"]
    assert all(type(name) is str for name in found)


def test_column_of_var_comes_before_the_built_in_list() -> None:
    var = pd.DataFrame({"regulator": [True, False, False, False, True]}, index=GENES)
    assert resolve_regulators(None, GENES, var) == ["ACTB", "STAT1"]
    assert resolve_regulators(None, GENES[:3], var) == ["ACTB"]  # a mask left out STAT1
    assert resolve_regulators(["MYC"], GENES, var) == ["MYC"]
    assert resolve_regulators(None, GENES, var[[]]) == ["MYC", "TP53", "STAT1"]
    assert resolve_regulators(None, GENES) == ["MYC", "TP53", "STAT1"]
    assert resolve_regulators("human", GENES) == ["MYC", "TP53", "STAT1"]
    with pytest.raises(InputError, match=r"boolean without missing values; it is (object|str)\."):
        resolve_regulators(None, GENES, var.astype(str))
    with pytest.raises(InputError, match=r"list of regulators \(adata.var\) is empty"):
        resolve_regulators(None, GENES, var & False)


def test_files(tmp_path: Path) -> None:
    plain = tmp_path / "tfs.txt"
    plain.write_text("# mine\nTP53\n\n  MYC  \nMYC\n")
    assert resolve_regulators(plain, GENES) == ["MYC", "TP53"]
    table = tmp_path / "tfs.tsv"
    table.write_text("symbol\tfamily\nTP53\tp53\nMYC\tbHLH # a comment\n")
    assert resolve_regulators(str(table), GENES) == ["MYC", "TP53"]
    with pytest.raises(InputError, match=r"no file 'absent.txt' with regulators. Pass regulators="):
        resolve_regulators("absent.txt", GENES)
    (tmp_path / "empty.txt").write_text("# nothing\n")
    with pytest.raises(InputError, match=r"file empty.txt\) is empty"):
        resolve_regulators(tmp_path / "empty.txt", GENES)


def test_missing_regulators_are_reported(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.warns(PyscesWarning, match=r"2 of 3 regulators .*left out: 'GATA1', 'SPI1'"):
        found = resolve_regulators(["GATA1", "MYC", "SPI1"], GENES)
    assert found == ["MYC"]
    with caplog.at_level(logging.INFO, "pysces"):  # no warning where the user named none
        resolve_regulators(None, GENES)
    assert "3 regulators (built-in list of human)" in caplog.text


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "is empty"),
        (["GATA1"], r"None of 1 regulators .*'GATA1'; genes: 'ACTB'.*organism.*gene_symbols="),
        ([1, 2], "must be gene names. Got '1', '2' of type int"),
        (5, "cannot be a int"),
        (pd.DataFrame({"tf": ["MYC"]}), "cannot be a DataFrame"),
    ],
)
def test_bad_regulators(given: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        resolve_regulators(given, GENES)


@pytest.mark.parametrize(
    ("given", "genes", "found"),
    [
        (["myc", "Tp53"], GENES, ["MYC", "TP53"]),
        ([" MYC", "TP53 "], GENES, ["MYC", "TP53"]),
        (["MYC", "TP53"], ["ACTB ", " MYC", "TP53"], [" MYC", "TP53"]),
        (["ENSG00000136997"], ["ENSG00000075624.5", "ENSG00000136997.21"], ["ENSG00000136997.21"]),
        (["ENSG00000136997.4"], ["ENSG00000136997"], ["ENSG00000136997"]),
        (None, ["actb", "myc", "stat1"], ["myc", "stat1"]),
    ],
    ids=["case", "blanks", "blanks of genes", "versions of genes", "versions", "built-in"],
)
def test_names_that_differ_little_are_recognised_and_said(given, genes, found) -> None:
    with pytest.warns(PyscesWarning, match="differ in blanks, case or the version"):
        assert resolve_regulators(given, genes) == found


def test_names_that_two_genes_resemble_are_not_guessed() -> None:
    """Two versions of one identifier, or human and mouse genes in one matrix."""
    with pytest.raises(InputError, match="None of 1 regulators"):
        resolve_regulators(["myc"], ["MYC", "Myc", "ACTB"])
    with pytest.warns(PyscesWarning, match=r"1 of 2 regulators .*left out: 'myc'"):
        assert resolve_regulators(["MYC", "myc"], ["MYC", "Myc", "ACTB"]) == ["MYC"]


def test_another_organism_is_said_and_not_guessed() -> None:
    """Zebrafish, rat or yeast against the list that fits least badly; mouse against human."""
    few = [*(f"gene{i}" for i in range(995)), "MYC", "SOX2", "TP53"]
    with pytest.warns(PyscesWarning, match=r"Only 3 of 998 genes \(0.3%\).* of human.*regulators="):
        assert resolve_regulators(None, few) == ["MYC", "SOX2", "TP53"]
    mouse = ["Actb", "Gapdh", "Myc", "Sox2", "Stat1", "MYC"]
    with pytest.warns(PyscesWarning, match=r"of human.*look like those of mouse"):
        assert resolve_regulators("human", mouse) == ["MYC"]
    with pytest.raises(InputError, match=r"None of.*look like those of mouse"):
        resolve_regulators("human", mouse[:-1])
    panel = [*(f"gene{i}" for i in range(990)), *regulators("human")[:10]]
    assert len(resolve_regulators(None, panel)) == 10  # 1 %, without a warning
    assert len(resolve_regulators(panel[-3:], few + panel[-10:])) == 3  # the list of a user


def test_transposed_data_are_recognised() -> None:
    cells = [f"cell{i}" for i in range(30)]
    for given in (None, "human", ["MYC", "GATA1"]):
        with pytest.raises(InputError, match=r"among the samples.*transposed"):
            resolve_regulators(given, cells, samples=GENES)
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(5, 30)), GENES, cells)
    with pytest.raises(InputError, match=r"among the samples .*transposed"):
        pysces.infer_network(frame, n_null=1000)


@pytest.mark.parametrize(
    "text", ["MYC TP53", "MYC,TP53\n", "MYC, TP53 # mine\n", "# mine\nMYC\tTP53\t\n", "MYC;'TP53'"]
)
def test_a_file_with_all_names_in_one_line(text, tmp_path: Path) -> None:
    (tmp_path / "tfs.txt").write_text(text)
    assert resolve_regulators(tmp_path / "tfs.txt", GENES) == ["MYC", "TP53"]


def test_the_organism_of_a_run_is_recorded() -> None:
    values = np.random.default_rng(0).normal(size=(30, len(GENES)))
    with pytest.warns(PyscesWarning, match="No edge"):
        network = pysces.infer_network(values, genes=GENES, n_null=1000, n_resamples=2)
    assert network.record.facts["organism"] == "human"
