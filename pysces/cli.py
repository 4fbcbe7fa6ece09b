"""The command line: ``pysces demo``, ``aracne``, ``viper``, ... (also ``python -m pysces``)."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import importlib
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

from pysces._arguments import Command, Parser, parser_of
from pysces._atomic import atomic_write, check_writable
from pysces._options import Options
from pysces._version import __version__
from pysces.errors import PyscesError, PyscesWarning
from pysces.settings import ENGINES, settings

if TYPE_CHECKING:
    import pandas as pd


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status (0: success)."""
    options = parser().parse_args(arguments)
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

_TEXT_OR_H5AD = ".h5ad, or a table (.tsv, .csv) with genes in rows"


def _loudness(parser: Parser) -> None:
    loudness = parser.add_mutually_exclusive_group()
    loudness.add_argument("-q", "--quiet", action="store_true", help="no progress bars")
    loudness.add_argument("-v", "--verbose", action="store_true", help="print every step")


def _output(parser: Parser, help: str) -> None:
    parser.add_argument(
        "-o", "--output", required=True, metavar="FILE", help=f"{help}; - for standard output (TSV)"
    )


def _engine(parser: Parser) -> None:
    parser.add_argument(
        "--engine",
        choices=ENGINES,
        metavar="|".join(ENGINES),
        help="engine; the fastest that is available if not given",
    )


def _transpose(parser: Parser) -> None:
    parser.add_argument("--transpose", action="store_true", help="tables with samples in rows")


def _network(parser: Parser) -> None:
    parser.add_argument(
        "-n",
        "--network",
        default="aracne",
        help="file of a network, or its key in the .h5ad file",
    )


def _given(options: type[Options], arguments: argparse.Namespace) -> dict[str, Any]:
    """The options of a method and the engine, checked before any file is read."""
    given = {f.name: getattr(arguments, f.name) for f in dataclasses.fields(options)}
    options(**given)
    return {**given, "engine": arguments.engine}


# --- output ---------------------------------------------------------------------------------------


def _check_output(options: argparse.Namespace, *endings: str) -> None:
    """Raise an error, before any work, if the output cannot be written or is an input file."""
    path = options.output
    if path == "-":
        return
    for name in ("expression", "network", "regulators"):
        given = Path(getattr(options, name, None) or "")
        same = given.is_file() and Path(path).exists() and given.samefile(path)
        # Results are added to the cells of an .h5ad file; any other input would be lost.
        adds = name == "expression" and path.endswith(".h5ad") and options.run is not _report
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
    _engine(parser)
    parser.add_options(AracneOptions, only=("n_resamples", "n_null"))


def _demo(options: argparse.Namespace) -> int:
    import matplotlib

    from pysces.demo import demo

    matplotlib.use("Agg")
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
    parser.add_argument("expression", help=_TEXT_OR_H5AD)
    _output(parser, "network (.tsv, .csv, .parquet, ...), or cells with the network (.h5ad)")
    parser.add_argument(
        "-r",
        "--regulators",
        metavar="FILE|KIND",
        help="text file, one name per line, or cofactor, chromatin, signalling or surface; "
        "transcription factors if not given",
    )
    _transpose(parser)
    _engine(parser)
    parser.add_options(AracneOptions)


def _aracne(options: argparse.Namespace) -> int:
    import pysces
    from pysces.aracne._options import AracneOptions
    from pysces.data.read import read_expression, write_h5ad
    from pysces.network.formats import format_by_name

    start = time.perf_counter()
    any_format = options.groupby is None and format_by_name(Path(options.output)) is not None
    _check_output(options, *(() if any_format else (".tsv", ".csv", ".h5ad")))
    given = _given(AracneOptions, options)
    adata = read_expression(options.expression, transpose=options.transpose)
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
    parser.add_argument("expression", help=_TEXT_OR_H5AD)
    _network(parser)
    _output(parser, "cells with the activities (.h5ad), or activities alone (.tsv, .csv)")
    _transpose(parser)
    parser.add_argument(
        "--backed",
        action="store_true",
        help="leave the cells of an .h5ad file on disk, and write the activities alone "
        "(.h5ad, .zarr) block by block: for more cells than fit in memory",
    )
    _engine(parser)
    parser.add_options(ViperOptions)


def _viper(options: argparse.Namespace) -> int:
    import pysces
    from pysces.data.read import read_expression, write_h5ad
    from pysces.viper._options import ViperOptions

    start = time.perf_counter()
    given = _given(ViperOptions, options)
    if options.backed:
        return _viper_on_disk(options, given, start)
    _check_output(options, ".tsv", ".csv", ".h5ad")
    adata = read_expression(options.expression, transpose=options.transpose)
    pysces.run_viper(adata, options.network, **given)
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
    adata = open_h5ad(options.expression, backed="r")
    try:
        pysces.run_viper(adata, options.network, output=options.output, **given)
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
    _engine(parser)
    parser.add_options(MsviperOptions)


def _msviper(options: argparse.Namespace) -> int:
    import pysces
    from pysces.data.read import read_expression
    from pysces.viper._options import MsviperOptions

    _check_output(options, ".tsv", ".csv")
    given = _given(MsviperOptions, options)
    adata = read_expression(options.expression)
    pysces.run_msviper(adata, options.groupby, options.group, network=options.network, **given)
    results = adata.uns["msviper"]["results"]
    leading = adata.uns["msviper"]["leading_edge"].groupby("regulator")["target"].agg(",".join)
    joined = results["regulator"].map(leading).fillna("")
    with _destination(options.output) as path:
        _write_table(results.assign(leading_edge=joined), path, index=False)
    columns = ["regulator", "n_targets", "effect", "nes", "pvalue", "qvalue"]
    first = results[columns].head(10).to_string(index=False, float_format=lambda x: f"{x:.3g}")
    _print_summary(options, first, f"{len(results)} regulators")
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
        "--engines", nargs="+", choices=ENGINES, metavar="ENGINE", help="all if not given"
    )
    parser.add_argument("--kernels", nargs="+", metavar="KERNEL", help="all if not given")
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
    parser.add_argument("--key", default="aracne", help="key of the network")
    parser.add_argument("--activity-key", default="viper", metavar="KEY", help="key of activities")
    parser.add_argument(
        "--msviper-key", default="msviper", metavar="KEY", help="key of master regulators"
    )
    parser.add_argument("--groupby", metavar="COLUMN", help="column of .obs with groups")


def _report(options: argparse.Namespace) -> int:
    import pysces
    from pysces.data.read import open_h5ad

    _check_output(options)
    adata = open_h5ad(options.expression, backed="r")
    try:
        pysces.report(
            adata,
            options.output,
            key=options.key,
            activity_key=options.activity_key,
            msviper_key=options.msviper_key,
            groupby=options.groupby,
        )
    finally:
        adata.file.close()
    print(f"written to {options.output}")
    return 0


COMMANDS = {
    "demo": Command(
        "Infer a network from 700 blood cells; needs no network access.", _demo_arguments, _demo
    ),
    "aracne": Command("Infer a gene regulatory network.", _aracne_arguments, _aracne),
    "viper": Command("Infer the activity of regulators in every cell.", _viper_arguments, _viper),
    "msviper": Command(
        "Find the master regulators between groups of cells.", _msviper_arguments, _msviper
    ),
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
    "report": Command("Write an HTML report about an .h5ad file.", _report_arguments, _report),
}
