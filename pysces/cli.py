"""The command line: ``pysces demo | aracne | status | validate`` (also ``python -m pysces``)."""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from pysces import __version__
from pysces.errors import PyscesError, PyscesWarning
from pysces.settings import ENGINES, settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status is 0 if all went well."""
    options = _parser().parse_args(arguments)
    settings.verbosity = "silent" if options.quiet else "verbose" if options.verbose else "normal"
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    warnings.showwarning = _plain_warning  # type: ignore[assignment]
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except (PyscesError, FileNotFoundError, IsADirectoryError, PermissionError) as error:
        print(f"pysces: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("pysces: interrupted", file=sys.stderr)
        return 130


def _plain_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: object
) -> None:
    """Our own warnings without the line of code; others as Python prints them."""
    if issubclass(category, PyscesWarning):
        print(f"warning: {message}", file=sys.stderr)
    else:
        sys.stderr.write(warnings.formatwarning(message, category, filename, lineno))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pysces",
        description="Gene regulatory networks (ARACNe) and protein activity (VIPER).",
    )
    parser.add_argument("--version", action="version", version=f"pysces {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(
        name: str, function: Callable[[argparse.Namespace], int], text: str
    ) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(command=function)
        loudness = sub.add_mutually_exclusive_group()
        loudness.add_argument("-q", "--quiet", action="store_true", help="no progress bars")
        loudness.add_argument("-v", "--verbose", action="store_true", help="say every step")
        return sub

    demo = command("demo", _demo, "Infer a network from 700 blood cells; needs no network access.")
    demo.add_argument("-o", "--output", default="pysces-demo", help="folder (default: %(default)s)")
    _engine(demo)
    demo.add_argument("--n-resamples", type=int, default=100, metavar="N")
    demo.add_argument(
        "--n-null", type=int, default=10_000_000, metavar="N", help="simulated null pairs"
    )

    aracne = command("aracne", _aracne, "Infer a gene regulatory network.")
    aracne.add_argument("expression", help=".h5ad, or .tsv / .csv with genes in rows")
    aracne.add_argument(
        "-o", "--output", required=True, help="network: .tsv, .csv, .parquet, .h5ad"
    )
    aracne.add_argument("-r", "--regulators", help="text file, one name a line")
    aracne.add_argument("--layer", help="layer of the .h5ad file")
    aracne.add_argument("--transpose", action="store_true", help="text with samples in rows")
    aracne.add_argument(
        "--estimator", default="adaptive", choices=["adaptive", "adaptive-dyadic", "binned"]
    )
    aracne.add_argument("--n-bins", type=int, default=10, metavar="N")
    aracne.add_argument(
        "--resampling", default="subsample", choices=["subsample", "bootstrap", "none"]
    )
    aracne.add_argument("--n-resamples", type=int, default=100, metavar="N")
    aracne.add_argument("--alpha", type=float, default=0.05)
    aracne.add_argument("--correction", default="fdr_bh", choices=["fdr_bh", "bonferroni", "none"])
    aracne.add_argument("--dpi", default="dpi", choices=["dpi", "maxent", "none"])
    aracne.add_argument("--dpi-tolerance", type=float, default=0.0, metavar="E")
    aracne.add_argument(
        "--n-null", type=int, default=10_000_000, metavar="N", help="simulated null pairs"
    )
    aracne.add_argument("--seed", type=int, default=0)
    _engine(aracne)

    status = command("status", _status, "Which engines are here, and why others aren't.")
    status.add_argument("--json", action="store_true")

    validate = command("validate", _validate, "Check that all engines here give the same answers.")
    validate.add_argument("--engines", nargs="+", choices=ENGINES, metavar="ENGINE")
    validate.add_argument("--kernels", nargs="+", metavar="KERNEL")
    validate.add_argument("--json", action="store_true")

    doctor = command("doctor", _doctor, "Check the installation, line by line, with remedies.")
    doctor.add_argument("--json", action="store_true")

    report = command("report", _report, "Write a page (HTML) about what an .h5ad file holds.")
    report.add_argument("expression", help=".h5ad with a network, activities, ...")
    report.add_argument("-o", "--output", required=True, help="the page, .html")
    report.add_argument("--key", default="aracne", help="of the network (default: %(default)s)")
    report.add_argument("--activity-key", default="viper", metavar="KEY")
    report.add_argument("--msviper-key", default="msviper", metavar="KEY")
    report.add_argument("--groupby", metavar="COLUMN", help="column of .obs to show activities by")
    return parser


def _engine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--engine", choices=ENGINES, help="default: the best one here")


def _demo(options: argparse.Namespace) -> int:
    from pysces.demo import demo

    demo(
        Path(options.output),
        options.engine,
        n_resamples=options.n_resamples,
        n_null=options.n_null,
    )
    return 0


def _aracne(options: argparse.Namespace) -> int:
    import pysces
    from pysces.data import storage
    from pysces.data.files import read_expression, write_h5ad

    start = time.perf_counter()
    adata = read_expression(options.expression, transpose=options.transpose)
    pysces.run_aracne(
        adata,
        options.regulators,
        layer=options.layer,
        estimator=options.estimator,
        n_bins=options.n_bins,
        resampling=None if options.resampling == "none" else options.resampling,
        n_resamples=options.n_resamples,
        alpha=options.alpha,
        correction=None if options.correction == "none" else options.correction,
        dpi=False if options.dpi == "none" else options.dpi,
        dpi_tolerance=options.dpi_tolerance,
        seed=options.seed,
        engine=options.engine,
        n_null=options.n_null,
    )
    network = storage.read_network_of(adata, "aracne")
    if str(options.output).endswith(".h5ad"):
        write_h5ad(adata, options.output)
    else:
        network.write(options.output)
    engine = adata.uns["aracne"]["params"]["engine"]["name"]
    print(
        f"{len(network)} edges of {len(network.regulators)} regulators in "
        f"{time.perf_counter() - start:.1f} s on engine {engine}, written to {options.output}"
    )
    return 0


def _status(options: argparse.Namespace) -> int:
    import pysces

    status = pysces.status()
    print(json.dumps(status.to_dict(), indent=2) if options.json else status)
    return 0


def _validate(options: argparse.Namespace) -> int:
    import pysces

    report = pysces.validate(options.engines, options.kernels)
    print(json.dumps(report.to_dict(), indent=2) if options.json else report)
    return 0 if report else 1


def _doctor(options: argparse.Namespace) -> int:
    from pysces.doctor import diagnose

    diagnosis = diagnose()
    encoding = getattr(sys.stdout, "encoding", None)
    print(json.dumps(diagnosis.to_dict(), indent=2) if options.json else diagnosis.text(encoding))
    return 0 if diagnosis else 1


def _report(options: argparse.Namespace) -> int:
    import anndata

    import pysces

    adata = anndata.read_h5ad(options.expression, backed="r")
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
