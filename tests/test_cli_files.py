"""Files on the command line: what is no h5ad is said, and no input is written over."""

from __future__ import annotations

from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

import pysces
from pysces import _seeds
from pysces.cli import main


@pytest.fixture(autouse=True)
def _restore(monkeypatch: pytest.MonkeyPatch):
    import warnings

    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    verbosity = pysces.settings.verbosity
    yield
    pysces.settings.verbosity = verbosity


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Cells as h5ad and as a table, a network, regulators."""
    monkeypatch.chdir(tmp_path)
    cells = anndata.AnnData(_seeds.generator(0, "files").normal(size=(20, 8)))
    cells.var_names = [f"g{number}" for number in range(8)]
    cells.obs["arm"] = ["a", "b"] * 10
    cells.write_h5ad("cells.h5ad")
    cells.to_df().T.to_csv("cells.tsv", sep="\t")
    edges = pd.DataFrame({"source": "g0", "target": cells.var_names[1:]})
    pysces.Network(edges).write("net.tsv")
    Path("tf.txt").write_text("g0\n")
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [
        "aracne cells.tsv -o cells.tsv",
        "aracne cells.tsv -r tf.txt -o tf.txt",
        "viper cells.h5ad -n net.tsv -o net.tsv",
        "viper cells.tsv -n net.tsv -o cells.tsv",
        "msviper cells.h5ad -n net.tsv --groupby arm --group a -o net.tsv",
        "report cells.h5ad -o cells.h5ad",
    ],
)
def test_an_input_is_never_written_over(folder: Path, capsys, arguments: str) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert main(arguments.split()) == 1
    assert (
        "is an input and would be overwritten. Pass a different --output."
        in capsys.readouterr().err
    )
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_link_to_an_input_is_seen(folder: Path, capsys) -> None:
    Path("other.tsv").symlink_to("net.tsv")
    assert main(["viper", "cells.h5ad", "-n", "net.tsv", "-o", "other.tsv"]) == 1
    assert "would be overwritten" in capsys.readouterr().err


def test_results_are_added_to_cells_in_place(folder: Path) -> None:
    few = ["--min-targets", "3"]
    assert main(["viper", "-q", "cells.h5ad", "-n", "net.tsv", "-o", "cells.h5ad", *few]) == 0
    cells = anndata.read_h5ad("cells.h5ad")
    assert list(cells.obsm["viper"]) == ["g0"]
    assert np.isfinite(cells.X).all()


@pytest.mark.parametrize("content", ["half", "text", "nothing"])
@pytest.mark.parametrize(
    "command", ["report {} -o page.html", "viper {} -n net.tsv -o activity.tsv"]
)
def test_what_is_no_h5ad_is_said(folder: Path, capsys, content: str, command: str) -> None:
    whole = Path("cells.h5ad").read_bytes()
    parts = {"half": whole[: len(whole) // 2], "text": b"gene\tcell\n", "nothing": b""}
    assert main(command.format("gone.h5ad").split()) == 1
    assert "There is no file 'gone.h5ad'" in capsys.readouterr().err
    Path("broken.h5ad").write_bytes(parts[content])
    assert main(command.format("broken.h5ad").split()) == 1
    assert "pysces: broken.h5ad cannot be opened as h5ad" in capsys.readouterr().err
    assert not Path("page.html").exists()
