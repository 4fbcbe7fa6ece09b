"""The command line, as a person types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest

import pysces
from pysces import _seeds, cli
from pysces.cli import main, parser


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
    assert "option --alpha must be a number in the range (0, 1]. Got 7.0" in said
    assert "Traceback" not in said
    assert not (tmp_path / "x.tsv").exists()


def test_a_missing_package_is_named_before_the_work(expression, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(pysces, "run_aracne", None)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert aracne(expression, "-o", str(tmp_path / "net.parquet")) == 1
    assert "Install it with: pip install pyarrow" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["net.xyz", "net", "net.h5"])
def test_a_format_that_cannot_be_told_is_refused_before_the_work(
    expression, tmp_path, capsys, monkeypatch, name
) -> None:
    monkeypatch.setattr(pysces, "run_aracne", None)
    assert aracne(expression, "-o", str(tmp_path / name)) == 1
    assert "is unknown. Use a name that ends" in capsys.readouterr().err


def test_the_case_of_an_ending_does_not_matter(expression, tmp_path) -> None:
    assert aracne(expression, "-o", str(tmp_path / "NET.TSV")) == 0
    assert len(pysces.read_network(tmp_path / "NET.TSV")) == 5


def test_only_switches_are_turned_off_by_none(expression, tmp_path, capsys) -> None:
    assert aracne(expression, "-o", str(tmp_path / "net.tsv"), "--layer", "none") == 1
    assert "layers['none']" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("aracn x -o y.tsv", "unknown command 'aracn' (did you mean 'aracne'?)"),
        (
            "aracne x --n-resample 5",
            "unknown option '--n-resample' (did you mean '--n-resamples'?)",
        ),
        ("aracne x -o y.tsv --counts=maybe", "--counts: must be auto, true or false. Got 'maybe'."),
        ("aracne x -o y.tsv --degree 1.5", "--degree: must be auto, 1 or 2. Got '1.5'."),
        ("aracne x -o y.tsv --n-bins ten", "--n-bins: must be an integer. Got 'ten'."),
        ("aracne x -o y.tsv --dpi maxnt", "Got 'maxnt' (did you mean 'maxent'?)."),
        ("aracne x -o y.tsv --engine nmba", "none. Got 'nmba' (did you mean 'numba'?)."),
        ("rank x -o y.tsv --metod x", "unknown option '--metod' (did you mean '--method'?)"),
        ("viper x -o y.tsv --weighting 1,2,3", "must be best, a number or two numbers X,Y."),
        ("viper x -o y.tsv --pleiotropy targets", "must be true, false or KEY=VALUE,..."),
    ],
)
def test_wrong_usage_is_named_with_a_suggestion(arguments: str, said: str, capsys) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments.split())
    first, second = capsys.readouterr().err.splitlines()
    assert said in first
    assert "pysces: " in first
    assert "--help`" in second


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            "aracne x -o y.tsv --n-bins 5",
            "--n-bins, --ties and --miller-madow require --estimator binned. "
            "Got --estimator copula.",
        ),
        ("aracne x -o y.tsv --resampling none --client local", "Pass --resampling halves, or"),
        (
            "viper x -o y.tsv --n-bootstraps 3 --n-permutations 3",
            "--n-bootstraps cannot be combined with --n-permutations or --pleiotropy.",
        ),
        (
            "viper x -o y.tsv --n-permutations 5 --enrichment narnea",
            "use --n-permutations 0 with --enrichment narnea.",
        ),
    ],
)
def test_errors_name_options_before_a_file_is_read(arguments: str, said: str, capsys) -> None:
    assert main(arguments.split()) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("Pass counts=False, or layer=None.", "Pass --counts false, or no --layer."),
        ("Run `pysces.rank_regulators(adata)` first.", "Run `pysces rank` first."),
        ("use `pysces.metacells(adata)`", "use `pysces metacells`"),
        ("miller_madow=True needs n_null=100_000.", "--miller-madow needs --n-null 100_000."),
        ("Run `pysces.run_aracne(adata)` first.", "Run `pysces aracne` first."),
        (
            "or run `pysces.run_aracne(adata, groupby=...)`.",
            "or run `pysces aracne --groupby ...`.",
        ),
        ("The 'n_bins' parameter must be", "The option --n-bins must be"),
        ("min_cells is large", "--min-cells is large"),
        ("counts must be True.", "--counts must be True."),
        # Names of data, and words that are also names of options.
        *[(text, text) for text in ("Did not find .obs['batch_key'].", "counts of 3 genes: few.")],
    ],
)
def test_messages_are_translated_to_options(message: str, said: str) -> None:
    options = parser().parse_args(["aracne", "x", "-o", "y.tsv"])
    assert options.parser.translated(message) == said


def test_warnings_and_the_log_name_options(cells) -> None:
    command = [sys.executable, "-m", "pysces", "viper", "-v", str(cells), "-o", "-", "-n"]
    network = cells.with_name("network.tsv")
    done = subprocess.run(
        [*command, str(network), "--size-factors", "size"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "--size-factors" in done.stderr
    assert "size_factors" not in done.stderr


@pytest.mark.parametrize("command", ["aracne", "viper", "msviper"])
def test_a_dash_writes_the_table_to_standard_output(
    command: str, expression, cells, capsys, tmp_path
) -> None:
    network = ["-n", str(cells.with_name("network.tsv"))]

    def run(out: str) -> int:
        if command == "aracne":
            return aracne(expression, "-o", out)
        groups = ["--groupby", "group", "--group", "b"] if command == "msviper" else []
        return main([command, str(cells), *network, "-o", out, *groups])

    assert run(str(tmp_path / "out.tsv")) == 0
    capsys.readouterr()
    assert run("-") == 0
    said = capsys.readouterr()
    assert said.out == (tmp_path / "out.tsv").read_text()
    assert "written to the standard output" in said.err


def test_a_reader_that_ends_early_is_no_traceback(cells) -> None:
    command = [sys.executable, "-m", "pysces", "viper", str(cells), "-o", "-", "-n"]
    with subprocess.Popen(
        [*command, str(cells.with_name("network.tsv"))],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as run:
        run.stdout.close()
        said = run.stderr.read()
    assert run.returncode == 1
    assert "Traceback" not in said
    assert "BrokenPipe" not in said


def test_nothing_draws_a_bar_into_a_file(monkeypatch, capsys) -> None:
    from pysces.dispatch.blocks import progress

    bar = progress(range(3), "work")
    assert bar.disable
    assert list(bar) == [0, 1, 2]
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert not progress(range(3), "work").disable


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


def test_viper_leaves_cells_on_disk(cells, capsys) -> None:
    import anndata

    command = ["viper", str(cells), "--network", str(cells.with_name("network.tsv"))]
    backed, whole = (str(cells.with_name(name)) for name in ("backed.h5ad", "whole.h5ad"))
    assert main([*command, "--backed", "-o", backed]) == 0
    assert "activities of 40 cells" in capsys.readouterr().out
    assert main([*command, "-o", whole]) == 0
    found = anndata.read_h5ad(backed)
    np.testing.assert_array_equal(found.X, anndata.read_h5ad(whole).obsm["viper"])
    assert main([*command, "--backed", "-o", str(cells)]) == 1
    assert "is the file of the data" in capsys.readouterr().err
    table = str(cells.with_name("network.tsv"))
    assert main(["viper", table, "-n", table, "--backed", "-o", backed]) == 1
    assert "--backed requires an .h5ad" in capsys.readouterr().err


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


def test_rank_is_the_function(cells, capsys, tmp_path) -> None:
    import anndata

    network, activity = str(cells.with_name("network.tsv")), str(tmp_path / "activity.h5ad")
    assert main(["viper", "-q", str(cells), "-n", network, "-o", activity]) == 0
    out = str(tmp_path / "ranked.tsv")
    assert main(["rank", activity, "--groupby", "group", "-o", out, "--alpha", "0.01"]) == 0
    assert "b: g0, g1" in capsys.readouterr().out
    adata = anndata.read_h5ad(activity)
    pysces.rank_regulators(adata, "group", alpha=0.01)
    wanted = pysces.ranking(adata)
    found = pd.read_csv(out, sep="\t")
    pd.testing.assert_frame_equal(found, wanted.astype({"group": str}), check_dtype=False)
    assert main(["rank", activity, "--groupby", "group", "-o", "-", "--groups", "b"]) == 0
    assert capsys.readouterr().out.count("\n") == 3
    assert main(["rank", str(cells), "--groupby", "group", "-o", out]) == 1
    assert "Run `pysces viper` first" in capsys.readouterr().err


@pytest.fixture
def counts(tmp_path):
    """Counts of the cells of two donors."""
    import anndata

    values = _seeds.generator(2, "cli").poisson(2.0, size=(40, 6)).astype(float)
    obs = pd.DataFrame({"donor": ["x", "y"] * 20, "kind": ["a"] * 20 + ["b"] * 20})
    adata = anndata.AnnData(values, obs=obs.set_axis([f"c{i}" for i in range(40)]))
    adata.write_h5ad(tmp_path / "counts.h5ad")
    return tmp_path / "counts.h5ad"


def test_pools_are_those_of_the_functions(counts, capsys, tmp_path) -> None:
    import anndata

    out = tmp_path / "pools.h5ad"
    given = ["pseudobulk", str(counts), "--groupby", "kind", "donor"]
    assert main([*given, "-o", str(out)]) == 0
    assert "4 pools (pseudobulk) of 40 cells" in capsys.readouterr().out
    wanted = pysces.pseudobulk(anndata.read_h5ad(counts), ["kind", "donor"])
    np.testing.assert_array_equal(anndata.read_h5ad(out).layers["counts"], wanted.layers["counts"])
    assert main([*given, "-o", str(tmp_path / "pools.tsv")]) == 0
    assert pysces.read_expression(tmp_path / "pools.tsv").shape == wanted.shape  # genes in rows
    assert main([*given, "-o", str(counts)]) == 1
    assert "is an input and would be overwritten" in capsys.readouterr().err
    assert main(["pseudobulk", str(counts), "--groupby", "knd", "-o", str(out)]) == 1
    assert "did you mean 'kind'?" in capsys.readouterr().err


def test_metacells(counts, capsys, tmp_path) -> None:
    pytest.importorskip("sklearn", reason="metacells need scikit-learn")
    given = ["metacells", str(counts), "-o", str(tmp_path / "m.h5ad"), "--n-cells", "5"]
    assert main([*given, "--n-pcs", "3"]) == 0
    assert "pools (metacells) of" in capsys.readouterr().out


def test_a_network_of_another_h5ad_is_used(cells, expression, tmp_path, capsys) -> None:
    network = tmp_path / "with-network.h5ad"
    assert aracne(expression, "-q", "-o", str(network)) == 0
    given = ["viper", "-q", str(cells), "-n", str(network), "--min-targets", "2"]
    assert main([*given, "-o", str(tmp_path / "a.tsv")]) == 0
    assert list(pd.read_csv(tmp_path / "a.tsv", sep="\t", index_col=0)) == ["g0"]


def test_plots(cells, expression, tmp_path, capsys) -> None:
    pytest.importorskip("matplotlib", reason="draws plots")
    pytest.importorskip("networkx", reason="draws a graph")
    network, activity = str(cells.with_name("network.tsv")), str(tmp_path / "activity.h5ad")
    assert main(["viper", "-q", str(cells), "-n", network, "-o", activity]) == 0
    ranked = str(tmp_path / "ranked.tsv")
    assert main(["rank", activity, "--groupby", "group", "-o", ranked]) == 0
    for arguments, name in (
        (["network_graph", network], "graph.svg"),
        (["volcano", ranked, "--group", "b"], "volcano.pdf"),
        (["activity_heatmap", activity, "--groupby", "group"], "heatmap.png"),
        (["edge_copula", str(expression), "--regulator", "g0", "--target", "g3"], "edge.png"),
    ):
        assert main(["plot", *arguments, "-o", str(tmp_path / name)]) == 0
        assert (tmp_path / name).stat().st_size > 5000
    kept = str(tmp_path / "ranked.h5ad")
    assert main(["rank", activity, "--groupby", "group", "-o", kept]) == 0
    bars = tmp_path / "bars.png"
    assert main(["plot", "rank_regulators", kept, "-o", str(bars)]) == 0
    assert bars.stat().st_size > 5000
    capsys.readouterr()
    assert main(["plot", "volcano", ranked, "-o", str(tmp_path / "v.png")]) == 1
    assert "several groups: 'a', 'b'. Pass --group" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["plot", "volcanoo", ranked])
    assert "did you mean 'volcano'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    ["plot volcano x.tsv", "report x.h5ad", "viper x.h5ad --backed -n net.tsv"],
)
def test_only_tables_go_to_the_standard_output(arguments: str, capsys) -> None:
    assert main([*arguments.split(), "-o", "-"]) == 1
    said = capsys.readouterr().err
    assert "The standard output is for tables only. Pass the name of a file" in said


def test_without_a_command_the_help_is_shown(capsys) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([])
    said = capsys.readouterr().err
    assert "metacells" in said
    assert "Rank the regulators of each group" in said


def every_parser() -> dict[str, Any]:
    """The parsers of all commands, and of the kinds of plots."""
    found: dict[str, Any] = {}
    waiting = dict(parser().complete().added)
    while waiting:
        name, one = waiting.popitem()
        found[name] = one.complete()
        waiting |= {f"{name} {sub}": inner for sub, inner in one.added.items()}
    return found


def test_every_option_has_a_help_text_and_shows_its_default() -> None:
    assert "plot volcano" in every_parser()
    for command, one in every_parser().items():
        for action in one._actions:
            assert action.help or one.added, (command, action.dest)
            if action.option_strings and not action.required and action.dest != "help":
                shown = one._get_formatter()._expand_help(action)
                assert "default: " in shown, (command, action.dest)
                assert "(default: )" not in shown, (command, action.dest)


def test_the_shell_completes_commands_and_values(tmp_path) -> None:
    pytest.importorskip("argcomplete", reason="completes words in the shell")

    def offered(line: str) -> list[str]:
        out = tmp_path / "offered"
        variables = {
            "_ARGCOMPLETE": "1",
            "_ARGCOMPLETE_IFS": "\n",
            "_ARGCOMPLETE_STDOUT_FILENAME": str(out),
            "COMP_LINE": line,
            "COMP_POINT": str(len(line)),
        }
        code = "import sys; sys.argv = ['pysces']; from pysces.cli import main; main()"
        subprocess.run([sys.executable, "-c", code], env=os.environ | variables, check=True)
        return out.read_text().split()

    assert offered("pysces meta") == ["metacells"]
    assert offered("pysces aracne --estim") == ["--estimator"]
    assert offered("pysces aracne --estimator b") == ["binned"]
    assert offered("pysces plot volc") == ["volcano"]


def test_module_runs() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pysces", "--version"], capture_output=True, text=True, check=True
    )
    assert pysces.__version__ in done.stdout


def test_without_the_benchmarks_the_command_says_what_to_do(monkeypatch, tmp_path, capsys) -> None:
    monkeypatch.setattr(cli, "__file__", str(tmp_path / "site-packages" / "pysces" / "cli.py"))
    monkeypatch.chdir(tmp_path)
    for arguments in ([], ["--help"], ["--kernels", "dpi", "--seconds", "1"]):
        assert main(["benchmark", *arguments]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("pysces: Did not find benchmarks/")
        assert "clone or an unpacked sdist" in line


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


def test_compare_writes_edges_regulons_and_cells(tmp_path, capsys) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 6))
    x[60:, 2] += 3 * x[60:, 0]
    adata = anndata.AnnData(pd.DataFrame(x, [f"c{i}" for i in range(120)], list("ABCDEF")))
    adata.obs["state"] = ["well"] * 60 + ["sick"] * 60
    cells, names = tmp_path / "cells.h5ad", tmp_path / "names.txt"
    adata.write_h5ad(cells)
    names.write_text("A\nB\n")
    edges, regulons = tmp_path / "edges.tsv", tmp_path / "regulons.tsv"
    few = ["--resampling", "none", "--n-null", "10000", "--n-permutations", "19"]
    command = ["compare", str(cells), "--groupby", "state", "--group", "sick", "-r", str(names)]
    assert main([*command, *few, "-o", str(edges), "--regulons", str(regulons)]) == 0
    assert "sick compared with rest: p = 0.05" in capsys.readouterr().out
    table = pd.read_csv(edges, sep="\t")
    assert table.loc[0, ["source", "target", "change"]].tolist() == ["A", "C", "gained"]
    assert "A" in pd.read_csv(regulons, sep="\t")["regulator"].tolist()
    assert main([*command, *few, "-o", str(tmp_path / "out.h5ad")]) == 0
    found = pysces.NetworkComparison.from_anndata(anndata.read_h5ad(tmp_path / "out.h5ad"))
    assert (found.reference, found.group, len(found.edges)) == ("rest", "sick", len(table))
    assert main([*command, *few, "-o", str(edges), "--regulons", "x.pdf"]) == 1
    assert "The format of x.pdf is unknown" in capsys.readouterr().err
