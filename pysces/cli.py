"""The command line: ``pysces demo``, ``aracne``, ``viper``, ... (also ``python -m pysces``)."""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pysces import __version__
from pysces.atomic import atomic_write, check_writable
from pysces.errors import PyscesError, PyscesWarning
from pysces.settings import ENGINES, settings

if TYPE_CHECKING:
    import pandas as pd

_N_NULL: Any = {"type": int, "default": 10_000_000, "metavar": "N", "help": "simulated null pairs"}


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
    demo.add_argument("--n-null", **_N_NULL)

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
    aracne.add_argument(
        "--n-resamples", type=_number_or_auto, default=100, metavar="N", help="or auto"
    )
    aracne.add_argument("--consensus", default="decoy", choices=["decoy", "poisson", "binomial"])
    aracne.add_argument("--groupby", help="column of .obs: one network for each group")
    aracne.add_argument("--min-samples", type=int, default=50, metavar="N", help="of a group")
    aracne.add_argument("--ties", default="random", choices=["random", "together"])
    aracne.add_argument("--checkpoint", metavar="FOLDER", help="go on where a run was interrupted")
    aracne.add_argument("--alpha", type=float, default=0.05)
    aracne.add_argument("--correction", default="fdr_bh", choices=["fdr_bh", "bonferroni", "none"])
    aracne.add_argument("--dpi", default="dpi", choices=["dpi", "maxent", "none"])
    aracne.add_argument("--dpi-tolerance", type=float, default=0.0, metavar="E")
    aracne.add_argument("--n-null", **_N_NULL)
    aracne.add_argument("--seed", type=int, default=0)
    _engine(aracne)

    viper = command("viper", _viper, "Infer the activity of regulators in every cell.")
    viper.add_argument("expression", help=".h5ad, or .tsv / .csv with genes in rows")
    _network(viper)
    viper.add_argument(
        "-o", "--output", required=True, help="result: .h5ad, or activities: .tsv, .csv"
    )
    viper.add_argument("--layer", help="layer of the .h5ad file")
    viper.add_argument("--transpose", action="store_true", help="text with samples in rows")
    viper.add_argument(
        "--signature",
        default="zscore",
        choices=["zscore", "mad", "rank", "ttest", "mean", "none"],
    )
    viper.add_argument("--enrichment", default="area", choices=["area", "narnea", "gsea", "mean"])
    viper.add_argument("--min-targets", type=int, default=10, metavar="N")
    viper.add_argument("--n-permutations", type=int, default=0, metavar="N")
    viper.add_argument("--pleiotropy", action="store_true")
    viper.add_argument("--seed", type=int, default=0)
    _engine(viper)

    masters = command("msviper", _msviper, "Find the master regulators between groups of cells.")
    masters.add_argument("expression", help=".h5ad with the groups in .obs")
    _network(masters)
    masters.add_argument("--groupby", required=True, help="column of .obs")
    masters.add_argument("--group", required=True, help="the group asked about")
    masters.add_argument("--reference", default="rest", help="another group (default: all others)")
    masters.add_argument("-o", "--output", required=True, help="table: .tsv, .csv")
    masters.add_argument("--layer", help="layer of the .h5ad file")
    masters.add_argument("--min-targets", type=int, default=10, metavar="N")
    masters.add_argument("--n-permutations", type=int, default=1000, metavar="N")
    masters.add_argument("--seed", type=int, default=0)
    _engine(masters)

    status = command("status", _status, "Which engines are here, and why others aren't.")
    status.add_argument("--json", action="store_true")

    validate = command("validate", _validate, "Check that all engines here give the same answers.")
    validate.add_argument("--engines", nargs="+", choices=ENGINES, metavar="ENGINE")
    validate.add_argument("--kernels", nargs="+", metavar="KERNEL")
    validate.add_argument("--quick", action="store_true", help="three small cases of each kernel")
    validate.add_argument("--json", action="store_true")

    bench = command("benchmark", _benchmark, "Time every engine on every kernel and workflow.")
    bench.add_argument("--kernels", nargs="*", metavar="NAME", help="these kernels (default: all)")
    bench.add_argument("--workflows", nargs="*", metavar="NAME", help="these workflows")
    bench.add_argument("--engines", nargs="+", choices=ENGINES, metavar="ENGINE")
    amount = bench.add_mutually_exclusive_group()
    amount.add_argument("--sizes", choices=["small", "medium", "large"], help="3, 4 or 6 sizes")
    amount.add_argument("--seconds", type=float, metavar="S", help="as much as fits (default: 100)")
    bench.add_argument("--threads", type=int, metavar="N", help="of Numba (default: all)")
    bench.add_argument("--peers", action="store_true", help="other programs of PyPI side by side")
    bench.add_argument("-o", "--output", default="pysces-benchmark", metavar="FOLDER")
    bench.add_argument("--json", action="store_true", help="print JSON instead of tables")

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


def _number_or_auto(text: str) -> int | str:
    return text if text == "auto" else int(text)


def _engine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--engine", choices=ENGINES, help="default: the best one here")


def _network(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-n",
        "--network",
        default="aracne",
        help="file of a network, or its key in the .h5ad file (default: %(default)s)",
    )


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


def _aracne(options: argparse.Namespace) -> int:
    import pysces
    from pysces.data.files import read_expression, write_h5ad

    start = time.perf_counter()
    _check_output(options, *([".tsv", ".csv", ".h5ad"] if options.groupby else []))
    adata = read_expression(options.expression, transpose=options.transpose)
    pysces.run_aracne(
        adata,
        options.regulators,
        layer=options.layer,
        estimator=options.estimator,
        n_bins=options.n_bins,
        ties=options.ties,
        groupby=options.groupby,
        min_samples=options.min_samples,
        consensus=options.consensus,
        checkpoint=options.checkpoint,
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
    edges = adata.uns["aracne"]["network"]
    if str(options.output).endswith(".h5ad"):
        write_h5ad(adata, options.output)
    elif options.groupby is not None:
        _write_table(edges, options.output, index=False)
    else:
        pysces.Network.from_anndata(adata).write(options.output)
    engine = adata.uns["aracne"]["params"]["engine"]["name"]
    groups = "" if options.groupby is None else f", {edges['group'].nunique()} groups,"
    print(
        f"{len(edges)} edges of {edges['source'].nunique()} regulators{groups} in "
        f"{time.perf_counter() - start:.1f} s on engine {engine}, written to {options.output}"
    )
    return 0


def _viper(options: argparse.Namespace) -> int:
    import pysces
    from pysces.data.files import read_expression, write_h5ad

    start = time.perf_counter()
    _check_output(options, ".tsv", ".csv", ".h5ad")
    adata = read_expression(options.expression, transpose=options.transpose)
    pysces.run_viper(
        adata,
        options.network,
        layer=options.layer,
        signature=options.signature,
        enrichment=options.enrichment,
        min_targets=options.min_targets,
        n_permutations=options.n_permutations,
        pleiotropy=options.pleiotropy,
        seed=options.seed,
        engine=options.engine,
    )
    activities = adata.obsm["viper"]
    if str(options.output).endswith(".h5ad"):
        write_h5ad(adata, options.output)
    else:
        _write_table(activities, options.output, index=True)
    print(
        f"activity of {activities.shape[1]} regulators in {len(activities)} cells in "
        f"{time.perf_counter() - start:.1f} s, written to {options.output}"
    )
    return 0


def _msviper(options: argparse.Namespace) -> int:
    import pysces
    from pysces.data.files import read_expression

    _check_output(options, ".tsv", ".csv")
    adata = read_expression(options.expression)
    pysces.run_msviper(
        adata,
        options.groupby,
        options.group,
        reference=options.reference,
        network=options.network,
        layer=options.layer,
        min_targets=options.min_targets,
        n_permutations=options.n_permutations,
        seed=options.seed,
        engine=options.engine,
    )
    results = adata.uns["msviper"]["results"]
    leading = adata.uns["msviper"]["leading_edge"].groupby("regulator")["target"].agg(",".join)
    joined = results["regulator"].map(leading).fillna("")
    _write_table(results.assign(leading_edge=joined), options.output, index=False)
    columns = ["regulator", "n_targets", "nes", "pvalue", "qvalue"]
    print(results[columns].head(10).to_string(index=False, float_format=lambda x: f"{x:.3g}"))
    print(f"{len(results)} regulators, written to {options.output}")
    return 0


def _check_output(options: argparse.Namespace, *endings: str) -> None:
    """Refuse a file that couldn't be written in the end, or an input, before the work is done."""
    path = options.output
    for name in ("expression", "network", "regulators"):
        given = Path(getattr(options, name, None) or "")
        same = given.is_file() and Path(path).exists() and given.samefile(path)
        # To cells in an .h5ad file results are added; any other input would be lost.
        adds = name == "expression" and path.endswith(".h5ad") and options.command is not _report
        if same and not adds:
            raise PyscesError(f"{path} is an input and would be lost. Pass another --output.")
    if endings and not str(path).endswith(endings):
        raise PyscesError(f"Can't tell the format of {path}. End it in {' or '.join(endings)}.")
    check_writable(path)


def _write_table(table: pd.DataFrame, path: str, *, index: bool) -> None:
    """A table as .tsv or .csv, whole or not at all."""
    separator = "\t" if str(path).endswith(".tsv") else ","
    atomic_write(path, table.to_csv(sep=separator, index=index).encode())


def _status(options: argparse.Namespace) -> int:
    import pysces

    status = pysces.status()
    print(json.dumps(status.to_dict(), indent=2) if options.json else status)
    return 0


def _validate(options: argparse.Namespace) -> int:
    import pysces

    report = pysces.validate(options.engines, options.kernels, quick=options.quick)
    print(json.dumps(report.to_dict(), indent=2) if options.json else report)
    return 0 if report else 1


def _benchmark(options: argparse.Namespace) -> int:
    import pysces

    report = pysces.benchmark(
        options.kernels,
        options.engines,
        workflows=options.workflows,
        sizes=options.sizes,
        seconds=options.seconds,
        threads=options.threads,
        peers=options.peers,
        show=None if options.json else _print_at_once,
    )
    written = report.write(options.output)
    if options.json:
        print(json.dumps(report.to_dict(), indent=2))
    else:
        print(report.footer(written))
    return 0 if report else 1


def _print_at_once(part: object) -> None:
    print(part, flush=True)


def _doctor(options: argparse.Namespace) -> int:
    from pysces.doctor import diagnose

    diagnosis = diagnose()
    encoding = getattr(sys.stdout, "encoding", None)
    print(json.dumps(diagnosis.to_dict(), indent=2) if options.json else diagnosis.text(encoding))
    return 0 if diagnosis else 1


def _report(options: argparse.Namespace) -> int:
    import pysces
    from pysces.data.files import open_h5ad

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
