"""The command line, as a person types it."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import pysces
from pysces import _seeds
from pysces.cli import main


@pytest.fixture
def expression(tmp_path):
    rng = _seeds.generator(0, "cli")
    values = rng.normal(size=(12, 120))
    values[3:8] = values[0] + 0.4 * values[3:8]
    frame = pd.DataFrame(
        values, index=[f"g{i}" for i in range(12)], columns=[f"s{i}" for i in range(120)]
    )
    path = tmp_path / "expression.tsv"
    frame.to_csv(path, sep="\t", index_label="gene")
    (tmp_path / "regulators.txt").write_text("g0\ng1\n")
    return path


@pytest.fixture(autouse=True)
def _restore(monkeypatch):
    import warnings

    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    verbosity = pysces.settings.verbosity
    yield
    pysces.settings.verbosity = verbosity


def aracne(expression, *more) -> int:
    regulators = str(expression.with_name("regulators.txt"))
    quick = ["--n-resamples", "5", "--n-null", "20000"]
    return main(["aracne", str(expression), "-r", regulators, *quick, *more])


@pytest.mark.parametrize("name", ["network.tsv", "network.csv", "result.h5ad"])
def test_aracne_writes_a_network(expression, tmp_path, capsys, name) -> None:
    out = tmp_path / name
    assert aracne(expression, "-o", str(out)) == 0
    if name.endswith("h5ad"):
        import anndata

        table = anndata.read_h5ad(out).uns["aracne"]["network"]
    else:
        table = pysces.read_network(out).to_dataframe()
    assert set(table["source"]) == {"g0"}
    assert set(table["target"]) == {f"g{i}" for i in range(3, 8)}
    assert "5 edges of 1 regulators" in capsys.readouterr().out


def test_aracne_is_the_function(expression, tmp_path) -> None:
    out = tmp_path / "network.tsv"
    aracne(expression, "-o", str(out))
    data = pd.read_csv(expression, sep="\t", index_col=0).T
    network = pysces.infer_network(data, ["g0", "g1"], n_resamples=5, n_null=20_000)
    found = pysces.read_network(out).to_dataframe()
    wanted = network.to_dataframe()
    assert np.allclose(found["mi"], wanted["mi"])
    assert list(found["target"]) == list(wanted["target"])


def test_errors_are_one_line_and_status_1(expression, tmp_path, capsys) -> None:
    assert main(["aracne", str(tmp_path / "nothing.tsv"), "-o", "x.tsv"]) == 1
    assert main(["aracne", str(expression), "-o", str(tmp_path / "x.tsv"), "--alpha", "7"]) == 1
    said = capsys.readouterr().err
    assert "nothing.tsv" in said
    assert "'alpha'" in said
    assert "Traceback" not in said
    assert not (tmp_path / "x.tsv").exists()


@pytest.mark.parametrize("name", ["net.xyz", "net", "net.h5"])
def test_a_format_that_cannot_be_told_is_refused_before_the_work(
    expression, tmp_path, capsys, monkeypatch, name
) -> None:
    monkeypatch.setattr(pysces, "run_aracne", None)
    assert aracne(expression, "-o", str(tmp_path / name)) == 1
    assert "Can't tell the format" in capsys.readouterr().err


def test_the_case_of_an_ending_does_not_matter(expression, tmp_path) -> None:
    assert aracne(expression, "-o", str(tmp_path / "NET.TSV")) == 0
    assert len(pysces.read_network(tmp_path / "NET.TSV")) == 5


def test_only_switches_are_turned_off_by_none(expression, tmp_path, capsys) -> None:
    assert aracne(expression, "-o", str(tmp_path / "net.tsv"), "--layer", "none") == 1
    assert "layers['none']" in capsys.readouterr().err


def test_status(capsys) -> None:
    assert main(["status"]) == 0
    assert "numba" in capsys.readouterr().out
    assert main(["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["chosen"] == pysces.status().chosen


def test_validate(capsys, monkeypatch) -> None:
    arguments = ["validate", "--engines", "python", "--kernels", "rank_products"]
    assert main(arguments) == 0
    assert "agrees" in capsys.readouterr().out
    assert main([*arguments, "--json"]) == 0
    whole = json.loads(capsys.readouterr().out)
    assert whole["ok"] is True
    assert main([*arguments, "--json", "--quick"]) == 0
    quick = json.loads(capsys.readouterr().out)
    assert 0 < quick["verdicts"][0]["cases"] < whole["verdicts"][0]["cases"]
    from pysces.dispatch.validation import ValidationReport, Verdict

    failed = ValidationReport((Verdict("x", "numba", "exact", 1, 1.0, ("case: wrong",)),))
    monkeypatch.setattr(pysces, "validate", lambda *_, **__: failed)
    assert main(arguments) == 1


@pytest.fixture
def cells(tmp_path):
    """Two groups of cells; the targets of g0 are high in group "b"."""
    import anndata

    rng = _seeds.generator(1, "cli")
    values = rng.normal(size=(40, 30))
    values[20:, 2:12] += 2.0
    groups = pd.DataFrame({"group": ["a"] * 20 + ["b"] * 20}, index=[f"c{i}" for i in range(40)])
    adata = anndata.AnnData(values, obs=groups)
    adata.var_names = [f"g{i}" for i in range(30)]
    adata.write_h5ad(tmp_path / "cells.h5ad")
    edges = [("g0", f"g{i}") for i in range(2, 12)] + [("g1", f"g{i}") for i in range(12, 24)]
    table = pd.DataFrame(edges, columns=["source", "target"]).assign(mor=1.0, likelihood=1.0)
    table.to_csv(tmp_path / "network.tsv", sep="\t", index=False)
    return tmp_path / "cells.h5ad"


@pytest.mark.parametrize("name", ["activity.tsv", "activity.h5ad"])
def test_viper_writes_activities(cells, name, capsys) -> None:
    out = cells.with_name(name)
    network = str(cells.with_name("network.tsv"))
    assert main(["viper", str(cells), "--network", network, "-o", str(out)]) == 0
    assert "activity of 2 regulators in 40 cells" in capsys.readouterr().out
    if name.endswith("h5ad"):
        import anndata

        scores = anndata.read_h5ad(out).obsm["viper"]
    else:
        scores = pd.read_csv(out, sep="\t", index_col=0)
    assert scores["g0"].iloc[20:].mean() > scores["g0"].iloc[:20].mean() + 2


def test_msviper_names_the_master_regulator(cells, capsys) -> None:
    out = cells.with_name("masters.tsv")
    network = str(cells.with_name("network.tsv"))
    command = ["msviper", str(cells), "-n", network, "--groupby", "group", "--group", "b"]
    assert main([*command, "--n-permutations", "100", "-o", str(out)]) == 0
    table = pd.read_csv(out, sep="\t")
    assert table["regulator"].iloc[0] == "g0"
    assert table["nes"].iloc[0] > 2
    assert table.columns[-1] == "leading_edge"  # long: the last column of the file
    named = table["leading_edge"].iloc[0].split(",")
    assert len(named) == table["n_leading_edge"].iloc[0] > 0
    assert set(named) <= {f"g{i}" for i in range(2, 12)}
    assert main([*command, "--n-permutations", "100", "-o", str(out.with_suffix(".x"))]) == 1
    assert ".tsv or .csv" in capsys.readouterr().err


def test_module_runs() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pysces", "--version"], capture_output=True, text=True, check=True
    )
    assert pysces.__version__ in done.stdout


def test_demo(tmp_path, capsys) -> None:
    pytest.importorskip("scanpy", reason="the demo needs scanpy")
    pytest.importorskip("matplotlib", reason="the demo draws pictures")
    folder = tmp_path / "demo"
    assert main(["demo", "-o", str(folder), "--n-resamples", "10", "--n-null", "200000"]) == 0
    said = capsys.readouterr().out
    assert "SPI1" in said
    network = pysces.read_network(folder / "network.tsv")
    assert "LST1" in network.targets_of("SPI1")
    for picture in ("network.png", "umap.png", "heatmap.png"):
        assert (folder / picture).stat().st_size > 20_000
    ranked = pd.read_csv(folder / "master_regulators.tsv", sep="\t")
    b_cells = ranked[ranked["group"] == "CD19+ B"]
    assert b_cells.nlargest(3, "score")["regulator"].isin(["SPIB"]).any()
    assert (folder / "pbmc.h5ad").exists()
