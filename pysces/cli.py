# PYTHON_ARGCOMPLETE_OK
"""The command line: ``pysces demo``, ``aracne``, ``viper``, ... (also ``python -m pysces``)."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import importlib
import inspect
import json
import logging
import os
import signal
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from pysces._arguments import Command, Parser, has_form, parser_of
from pysces._atomic import atomic_write, check_writable
from pysces._options import Options
from pysces._parameters import hints_of
from pysces._version import __version__
from pysces.errors import PyscesError, PyscesWarning
from pysces.settings import ENGINES, settings

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

    from pysces.network import Network


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status (0: success)."""
    every = parser()
    if "_ARGCOMPLETE" in os.environ:  # the shell asks what may come next
        every.complete(os.environ.get("COMP_LINE", "").split()[1:])
        importlib.import_module("argcomplete").autocomplete(every)
    options = every.parse_args(arguments)
    translated: Callable[[str], str] = options.parser.translated
    settings.verbosity = "silent" if options.quiet else "verbose" if options.verbose else "normal"
    handler = logging.StreamHandler()
    handler.setFormatter(_Translated(translated))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)

    def show(
        message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: object
    ) -> None:
        """Print warnings of this package without the line of code, others as Python does."""
        if issubclass(category, PyscesWarning):
            print(f"warning: {translated(str(message))}", file=sys.stderr)
        else:
            sys.stderr.write(warnings.formatwarning(message, category, filename, lineno))

    warnings.showwarning = show  # type: ignore[assignment]
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminated)
    try:
        status: int = options.run(options)
        sys.stdout.flush()
        return status
    except (PyscesError, FileNotFoundError, IsADirectoryError, PermissionError) as error:
        print(f"pysces: {translated(str(error))}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader of the standard output (e.g. `head`) has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        words = error.strerror or error
        print(f"pysces: {error.filename or 'a file'} cannot be used: {words}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("pysces: interrupted", file=sys.stderr)
        return 130


def _terminated(number: int, frame: object) -> NoReturn:
    """End by an exception, so that temporary files are removed."""
    raise SystemExit(128 + number)


def parser() -> Parser:
    """The parser of all commands."""
    whole = parser_of(
        COMMANDS,
        prog="pysces",
        description="Gene regulatory networks (ARACNe) and protein activity (VIPER).",
    )
    whole.add_argument("--version", action="version", version=f"pysces {__version__}")
    return whole


class _Translated(logging.Formatter):
    """Log formatter that writes options of the command line instead of parameters."""

    def __init__(self, translated: Callable[[str], str]) -> None:
        super().__init__("%(message)s")
        self.translated = translated

    def format(self, record: logging.LogRecord) -> str:
        return self.translated(super().format(record))


# --- arguments of several commands ----------------------------------------------------------------

_CELLS = (
    ".h5ad, .zarr, .h5mu, .loom, 10x .h5, a folder with matrix.mtx, or a table (.tsv, .csv) with "
    "genes in rows"
)


def _loudness(parser: Parser) -> None:
    loudness = parser.add_mutually_exclusive_group()
    loudness.add_argument("-q", "--quiet", action="store_true", help="no progress bars")
    loudness.add_argument("-v", "--verbose", action="store_true", help="print every step")


def _output(parser: Parser, help: str) -> None:
    parser.add_argument(
        "-o", "--output", required=True, metavar="FILE", help=f"{help}; - for standard output (TSV)"
    )


def _cells(parser: Parser) -> None:
    """The file of cells, and how it is read."""
    parser.add_argument("expression", help=_CELLS)
    parser.add_argument("--transpose", action="store_true", help="tables with samples in rows")
    parser.add_argument(
        "--modality", help="modality of an .h5mu file (default: rna, or the only one)"
    )


def _read(options: argparse.Namespace) -> AnnData:
    from pysces.data.read import read_expression

    return read_expression(
        options.expression, transpose=options.transpose, modality=options.modality
    )


def _regulators(parser: Parser) -> None:
    parser.add_argument(
        "-r",
        "--regulators",
        metavar="FILE|KIND",
        help="text file, one name per line, or cofactor, chromatin, signalling or surface "
        "(default: transcription factors of the organism)",
    )


def _network(parser: Parser) -> None:
    parser.add_argument(
        "-n",
        "--network",
        default="aracne",
        help="file of a network (a table or .h5ad), or its key in the .h5ad file of the cells",
    )


def _network_of(given: str, group: str | None = None) -> str | Network:
    """A network in an .h5ad file of its own; otherwise what was given, a file or a key."""
    import pysces
    from pysces.data.read import open_h5ad

    if not given.endswith(".h5ad"):
        return given
    adata = open_h5ad(given, backed="r")
    try:
        return pysces.Network.from_anndata(adata, group=group)
    finally:
        adata.file.close()


def _given(options: type[Options], arguments: argparse.Namespace) -> dict[str, Any]:
    """The options of a method and the engine, checked before any file is read."""
    given = {f.name: getattr(arguments, f.name) for f in dataclasses.fields(options)}
    options(**given)
    return {**given, "engine": arguments.engine}


def _arguments_of(function: Callable[..., Any], options: argparse.Namespace) -> dict[str, Any]:
    """The arguments of a call that were given on the command line."""
    names = inspect.signature(function).parameters
    return {name: value for name, value in vars(options).items() if name in names}


# --- output ---------------------------------------------------------------------------------------


def _check_output(options: argparse.Namespace, *endings: str, table: bool = True) -> None:
    """Raise an error, before any work, if the output cannot be written or is an input file."""
    path = options.output
    if path == "-" and not table:
        raise PyscesError(
            "The standard output is for tables only. Pass the name of a file: --output "
            f"result{endings[0]}."
        )
    if path == "-":
        return
    for name in ("expression", "input", "network", "regulators"):
        value = getattr(options, name, None)
        given = Path(value if isinstance(value, str) else "")
        same = given.is_file() and Path(path).exists() and given.samefile(path)
        # Results are added to the cells of an .h5ad file; any other input would be lost.
        adds = name == "expression" and path.endswith(".h5ad") and options.run in (_aracne, _viper)
        if same and not adds:
            raise PyscesError(
                f"{path} is an input and would be overwritten. Pass a different --output."
            )
    if endings and not str(path).endswith(endings):
        raise PyscesError(
            f"The format of {path} is unknown. Use a name that ends in {' or '.join(endings)}."
        )
    check_writable(path)


@contextlib.contextmanager
def _destination(path: str) -> Iterator[str]:
    """The path to write to; for ``-``, a temporary table that is copied to the standard output."""
    if path != "-":
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder, "table.tsv")
        yield str(table)
        sys.stdout.write(table.read_text(encoding="utf-8"))


def _write_table(table: pd.DataFrame, path: str, *, index: bool) -> None:
    """Write a table as .tsv or .csv; on failure no partial file is left."""
    separator = "\t" if path.endswith(".tsv") else ","
    atomic_write(path, table.to_csv(sep=separator, index=index).encode())


def _print_summary(options: argparse.Namespace, *lines: str) -> None:
    """Print a summary, to the standard error if the table goes to the standard output."""
    *before, last = lines
    where = "the standard output" if options.output == "-" else options.output
    text = "\n".join([*before, f"{last}, written to {where}"])
    print(text, file=sys.stderr if options.output == "-" else sys.stdout)


# --- commands -------------------------------------------------------------------------------------


def _demo_arguments(parser: Parser) -> None:
    from pysces.aracne._options import AracneOptions

    _loudness(parser)
    parser.add_argument(
        "-o", "--output", default="pysces-demo", metavar="FOLDER", help="folder of the results"
    )
    parser.add_engine()
    parser.add_options(AracneOptions, only=("n_resamples", "n_null"))
    parser.set_defaults(n_resamples=20, n_null=100_000)  # seconds


def _demo(options: argparse.Namespace) -> int:
    os.environ.setdefault("MPLBACKEND", "Agg")
    from pysces.demo import demo

    demo(
        Path(options.output),
        options.engine,
        n_resamples=options.n_resamples,
        n_null=options.n_null,
    )
    return 0


def _aracne_arguments(parser: Parser) -> None:
    from pysces.aracne._options import AracneOptions

    _loudness(parser)
    _cells(parser)
    _output(parser, "network (.tsv, .csv, .parquet, ...), or cells with the network (.h5ad)")
    _regulators(parser)
    parser.add_engine()
    parser.add_options(AracneOptions)


def _aracne(options: argparse.Namespace) -> int:
    import pysces
    from pysces.aracne._options import AracneOptions
    from pysces.data.read import write_h5ad
    from pysces.network._graphs import package
    from pysces.network.formats import format_by_name

    start = time.perf_counter()
    format = format_by_name(Path(options.output)) if options.groupby is None else None
    _check_output(options, *(() if format else (".tsv", ".csv", ".h5ad")))
    if format == "parquet":  # before the work
        package("pyarrow", "Writing parquet")
    given = _given(AracneOptions, options)
    adata = _read(options)
    pysces.run_aracne(adata, options.regulators, **given)
    edges = adata.uns["aracne"]["network"]
    with _destination(options.output) as path:
        if path.endswith(".h5ad"):
            write_h5ad(adata, path)
        elif options.groupby is not None:
            _write_table(edges, path, index=False)
        else:
            pysces.Network.from_anndata(adata).write(path)
    engine = adata.uns["aracne"]["engine"]["name"]
    groups = "" if options.groupby is None else f", {edges['group'].nunique()} groups,"
    _print_summary(
        options,
        f"{len(edges)} edges of {edges['source'].nunique()} regulators{groups} in "
        f"{time.perf_counter() - start:.1f} s on engine {engine}",
    )
    return 0


def _viper_arguments(parser: Parser) -> None:
    from pysces.viper._options import ViperOptions

    _loudness(parser)
    _cells(parser)
    _network(parser)
    _output(parser, "cells with the activities (.h5ad), or activities alone (.tsv, .csv)")
    parser.add_argument(
        "--backed",
        action="store_true",
        help="leave the cells of an .h5ad file on disk, and write the activities alone "
        "(.h5ad, .zarr) block by block: for more cells than fit in memory",
    )
    parser.add_engine()
    parser.add_options(ViperOptions)


def _viper(options: argparse.Namespace) -> int:
    import pysces
    from pysces.data.read import write_h5ad
    from pysces.viper._options import ViperOptions

    start = time.perf_counter()
    given = _given(ViperOptions, options)
    if options.backed:
        return _viper_on_disk(options, given, start)
    _check_output(options, ".tsv", ".csv", ".h5ad")
    adata = _read(options)
    pysces.run_viper(adata, _network_of(options.network), **given)
    activities = adata.obsm["viper"]
    with _destination(options.output) as path:
        if path.endswith(".h5ad"):
            write_h5ad(adata, path)
        else:
            _write_table(activities, path, index=True)
    _print_summary(
        options,
        f"activity of {activities.shape[1]} regulators in {len(activities)} cells in "
        f"{time.perf_counter() - start:.1f} s",
    )
    return 0


def _viper_on_disk(options: argparse.Namespace, given: dict[str, Any], start: float) -> int:
    import pysces
    from pysces.data.read import open_h5ad

    if options.transpose or not options.expression.endswith(".h5ad"):
        raise PyscesError("--backed requires an .h5ad file of cells, without --transpose.")
    _check_output(options, ".h5ad", ".zarr", table=False)
    network = _network_of(options.network)
    adata = open_h5ad(options.expression, backed="r")
    try:
        pysces.run_viper(adata, network, output=options.output, **given)
    finally:
        adata.file.close()
    seconds = time.perf_counter() - start
    _print_summary(options, f"activities of {adata.n_obs} cells in {seconds:.1f} s")
    return 0


def _msviper_arguments(parser: Parser) -> None:
    from pysces.viper._options import MsviperOptions

    _loudness(parser)
    parser.add_argument("expression", help=".h5ad with the groups in .obs")
    _network(parser)
    parser.add_argument("--groupby", required=True, metavar="COLUMN", help="column of .obs")
    parser.add_argument("--group", required=True, help="group whose master regulators are searched")
    _output(parser, "table of regulators (.tsv, .csv)")
    parser.add_engine()
    parser.add_options(MsviperOptions)


def _msviper(options: argparse.Namespace) -> int:
    import pysces
    from pysces.data.read import read_expression
    from pysces.viper._options import MsviperOptions

    _check_output(options, ".tsv", ".csv")
    given = _given(MsviperOptions, options)
    adata = read_expression(options.expression)
    network = _network_of(options.network, options.network_group)
    if network is not options.network:
        given["network_group"] = None
    pysces.run_msviper(adata, options.groupby, options.group, network=network, **given)
    results = adata.uns["msviper"]["results"]
    leading = adata.uns["msviper"]["leading_edge"].groupby("regulator")["target"].agg(",".join)
    joined = results["regulator"].map(leading).fillna("")
    with _destination(options.output) as path:
        _write_table(results.assign(leading_edge=joined), path, index=False)
    columns = ["regulator", "n_targets", "effect", "nes", "pvalue", "qvalue"]
    first = results[columns].head(10).to_string(index=False, float_format=lambda x: f"{x:.3g}")
    _print_summary(options, first, f"{len(results)} regulators")
    return 0


def _rank_arguments(parser: Parser) -> None:
    import pysces

    _loudness(parser)
    parser.add_argument("expression", help=".h5ad with activities, as `pysces viper` writes it")
    _output(parser, "table of regulators (.tsv, .csv), or cells with the ranking (.h5ad)")
    parser.add_parameters(pysces.rank_regulators, skip=("adata", "key_added", "copy"))


def _rank(options: argparse.Namespace) -> int:
    import pysces
    from pysces.data.read import open_h5ad, write_h5ad

    _check_output(options, ".tsv", ".csv", ".h5ad")
    adata = open_h5ad(options.expression)
    pysces.rank_regulators(adata, **_arguments_of(pysces.rank_regulators, options))
    table = pysces.ranking(adata)
    with _destination(options.output) as path:
        if path.endswith(".h5ad"):
            write_h5ad(adata, path)
        else:
            _write_table(table, path, index=False)
    lines = []
    for group, own in table.groupby("group", observed=True):
        first = ", ".join(own["regulator"].head(5))
        lines.append(f"{group}: {first}")
    _print_summary(options, *lines, f"{len(table)} rows of {len(lines)} groups")
    return 0


def _metacells_arguments(parser: Parser) -> None:
    import pysces

    _pools_arguments(parser, pysces.metacells)


def _pseudobulk_arguments(parser: Parser) -> None:
    import pysces

    _pools_arguments(parser, pysces.pseudobulk)


def _pools_arguments(parser: Parser, function: Callable[..., Any]) -> None:
    _loudness(parser)
    _cells(parser)
    _output(parser, "pools with their counts (.h5ad), or a table with genes in rows (.tsv, .csv)")
    parser.add_engine()
    parser.add_parameters(function, skip=("adata", "engine"))


def _pools(options: argparse.Namespace) -> int:
    """Run the function of the name of the command: metacells or pseudobulk."""
    import pysces
    from pysces.data.read import write_h5ad

    _check_output(options, ".tsv", ".csv", ".h5ad")
    command = options.parser.prog.rpartition(" ")[2]
    function = getattr(pysces, command)
    adata = _read(options)
    pools = function(adata, **_arguments_of(function, options))
    with _destination(options.output) as path:
        if path.endswith(".h5ad"):
            write_h5ad(pools, path)
        else:
            _write_table(pools.to_df().T, path, index=True)
    _print_summary(
        options, f"{pools.n_obs} pools ({command}) of {int(pools.obs['n_cells'].sum())} cells"
    )
    return 0


def _compare_arguments(parser: Parser) -> None:
    from pysces.aracne._options import ComparisonOptions

    _loudness(parser)
    _cells(parser)
    parser.add_argument("--groupby", required=True, metavar="COLUMN", help="column of .obs")
    parser.add_argument("--group", help="group to compare; the second of two if not given")
    _output(parser, "table of edges (.tsv, .csv), or cells with the comparison (.h5ad)")
    parser.add_argument("--regulons", metavar="FILE", help="table of regulons (.tsv, .csv)")
    _regulators(parser)
    parser.add_engine()
    parser.add_options(ComparisonOptions)


def _compare(options: argparse.Namespace) -> int:
    import pysces
    from pysces.aracne._options import ComparisonOptions
    from pysces.data.read import write_h5ad

    start = time.perf_counter()
    _check_output(options, ".tsv", ".csv", ".h5ad")
    if options.regulons is not None:
        of_regulons = argparse.Namespace(**{**vars(options), "output": options.regulons})
        _check_output(of_regulons, ".tsv", ".csv")
    given = _given(ComparisonOptions, options)
    adata = _read(options)
    pysces.compare_networks(
        adata, options.groupby, options.group, regulators=options.regulators, **given
    )
    found = pysces.NetworkComparison.from_anndata(adata)
    with _destination(options.output) as path:
        if path.endswith(".h5ad"):
            write_h5ad(adata, path)
        else:
            _write_table(found.edges, path, index=False)
    if options.regulons is not None:
        _write_table(found.regulons, options.regulons, index=False)
    counts = found.edges["change"].value_counts()
    changes = ", ".join(f"{count} {name}" for name, count in counts.items())
    _print_summary(
        options,
        f"{found.group} compared with {found.reference}: p = {found.record.facts['pvalue']:.2g}",
        f"{len(found.edges)} edges: {changes}; {int(found.edges['significant'].sum())} differ "
        f"significantly; in {time.perf_counter() - start:.1f} s",
    )
    return 0


# What a plot is drawn from, by the first parameter of its function.
_DRAWN_FROM = {
    "adata": ".h5ad with the results",
    "expression": _CELLS,
    "network": "file of a network, or .h5ad with one",
    "table": "table (.tsv, .csv), as `pysces rank` and `pysces msviper` write it",
}


def _plot_arguments(parser: Parser) -> None:
    parser.add_commands(
        {
            name: Command(text, functools.partial(_one_plot_arguments, function), _plot)
            for name, (text, function) in _plots().items()
        }
    )


def _plots() -> dict[str, tuple[str, Callable[..., Any]]]:
    """Description and function of the plots that files and options can describe."""
    from pysces import pl

    found = {}
    for name in pl.__all__:
        function = getattr(pl, name)
        first, *others = inspect.signature(function).parameters.values()
        needed = [one.name for one in others if one.default is one.empty]
        hints = hints_of(function)
        plain = all(has_form(hints.get(one)) for one in needed if one != "options")
        if first.name in _DRAWN_FROM and plain:
            found[name] = (inspect.getdoc(function) or "").partition("\n")[0], function
    return found


def _one_plot_arguments(function: Callable[..., Any], parser: Parser) -> None:
    first = next(iter(inspect.signature(function).parameters))
    _loudness(parser)
    parser.add_argument("input", help=_DRAWN_FROM[first])
    parser.add_argument(
        "-o", "--output", required=True, metavar="FILE", help="plot (.png, .pdf, .svg)"
    )
    parser.add_argument("--resolution", type=int, default=150, metavar="N", help="dots per inch")
    parser.add_parameters(function, skip=(first, "ax"))


def _plot(options: argparse.Namespace) -> int:
    import pysces
    from pysces._reading import reading
    from pysces.data.read import read_expression
    from pysces.pl._style import axes_of

    _check_output(options, ".png", ".pdf", ".svg", table=False)
    function = _plots()[options.parser.prog.rpartition(" ")[2]][1]
    first, path = next(iter(inspect.signature(function).parameters)), options.input
    if first == "table":
        with reading(Path(path), "read as a table", "Pass the output of `pysces rank`."):
            data: Any = _table(path)
    elif first == "network":
        data = read_expression(path) if path.endswith(".h5ad") else pysces.read_network(path)
    else:
        data = read_expression(path)
    axes_of(None, 1, 1).figure.clear()  # an error if matplotlib is not installed
    ax = function(data, **_arguments_of(function, options))
    ending = Path(options.output).suffix[1:]
    atomic_write(
        options.output,
        lambda file: ax.figure.savefig(
            file, format=ending, dpi=options.resolution, bbox_inches="tight"
        ),
    )
    print(f"written to {options.output}")
    return 0


def _json_argument(parser: Parser) -> None:
    _loudness(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def _status(options: argparse.Namespace) -> int:
    import pysces

    status = pysces.status()
    print(json.dumps(status.to_dict(), indent=2) if options.json else status)
    return 0


def _warmup(options: argparse.Namespace) -> int:
    import pysces

    compiled = pysces.warmup()
    print(f"{compiled} kernels compiled" if compiled else "all kernels were compiled already")
    return 0


def _validate_arguments(parser: Parser) -> None:
    _loudness(parser)
    parser.add_argument(
        "--engines", nargs="+", metavar="ENGINE", help=f"of {', '.join(ENGINES)} (default: all)"
    )
    parser.add_argument("--kernels", nargs="+", metavar="KERNEL", help="kernels (default: all)")
    parser.add_argument("--quick", action="store_true", help="three small cases of each kernel")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _validate(options: argparse.Namespace) -> int:
    import pysces

    report = pysces.validate(options.engines, options.kernels, quick=options.quick)
    print(json.dumps(report.to_dict(), indent=2) if options.json else report)
    return 0 if report else 1


def _benchmark_arguments(parser: Parser) -> None:
    # All options are parsed by benchmarks/speed, so none is defined here.
    parser.add_argument(
        "arguments", nargs="*", default=[], help="`pysces benchmark --help` lists them"
    )


def _benchmark(options: argparse.Namespace) -> int:
    """Pass the arguments to ``benchmarks/`` of a checkout, which is not part of the wheel."""
    for root in (Path(__file__).resolve().parents[1], Path.cwd()):
        folder = root / "benchmarks"
        if (folder / "speed" / "__main__.py").is_file():
            sys.path.insert(0, str(folder))
            return importlib.import_module("speed.__main__").main(options.arguments)
    raise PyscesError(
        "Did not find benchmarks/, which is not part of the installed package. "
        f"Run this in a clone or an unpacked sdist of pysces-grn {__version__}."
    )


def _doctor(options: argparse.Namespace) -> int:
    from dataclasses import asdict

    from pysces.doctor import checks

    found = []
    for check in checks():
        found.append(check)
        if not options.json:
            print(check, flush=True)
    faults = sum(check.state == "fault" for check in found)
    if options.json:
        print(
            json.dumps({"ok": not faults, "checks": [asdict(check) for check in found]}, indent=2)
        )
    else:
        print(f"{faults} fault{'s' * (faults != 1)}" if faults else "no faults")
    return 1 if faults else 0


def _report_arguments(parser: Parser) -> None:
    _loudness(parser)
    parser.add_argument("expression", help=".h5ad with a network, activities or master regulators")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="page (.html)")
    parser.add_parameters(importlib.import_module("pysces").report, skip=("adata", "path"))


def _report(options: argparse.Namespace) -> int:
    import pysces
    from pysces.data.read import open_h5ad

    _check_output(options, ".html", ".htm", table=False)
    adata = open_h5ad(options.expression, backed="r")
    try:
        given = {"source": options.expression, **_arguments_of(pysces.report, options)}
        pysces.report(adata, options.output, **given)
    finally:
        adata.file.close()
    print(f"written to {options.output}")
    return 0


def _table(path: str) -> pd.DataFrame:
    import pandas as pd

    return pd.read_csv(path, sep="," if path.endswith(".csv") else "\t")


COMMANDS = {
    "demo": Command(
        "Infer a network from 700 blood cells; needs no network access.", _demo_arguments, _demo
    ),
    "aracne": Command("Infer a gene regulatory network.", _aracne_arguments, _aracne),
    "compare": Command(
        "Compare the networks of two groups of cells.", _compare_arguments, _compare
    ),
    "viper": Command("Infer the activity of regulators in every cell.", _viper_arguments, _viper),
    "msviper": Command(
        "Find the master regulators between groups of cells.", _msviper_arguments, _msviper
    ),
    "rank": Command("Rank the regulators of each group of cells.", _rank_arguments, _rank),
    "metacells": Command("Pool neighbouring cells.", _metacells_arguments, _pools),
    "pseudobulk": Command("Pool the cells of each group.", _pseudobulk_arguments, _pools),
    "plot": Command("Draw a result as a file.", _plot_arguments, _plot),
    "report": Command("Write an HTML report about an .h5ad file.", _report_arguments, _report),
    "status": Command("List the engines, and why some are not available.", _json_argument, _status),
    "warmup": Command("Compile the kernels, which else happens at first use.", _loudness, _warmup),
    "validate": Command("Check that all available engines agree.", _validate_arguments, _validate),
    "benchmark": Command(
        "Time every engine on every kernel and workflow (in a clone or sdist).",
        _benchmark_arguments,
        _benchmark,
        {"usage": "pysces benchmark [OPTION ...]", "prefix_chars": "\0", "add_help": False},
    ),
    "doctor": Command("Check the installation and print remedies.", _json_argument, _doctor),
}
