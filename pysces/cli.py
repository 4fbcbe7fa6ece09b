"""The command line: ``pysces demo``, ``aracne``, ``viper``, ... (also ``python -m pysces``)."""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pysces._atomic import atomic_write, check_writable
from pysces.cli_parser import Command, parser
from pysces.errors import PyscesError, PyscesWarning
from pysces.settings import settings

if TYPE_CHECKING:
    import pandas as pd


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status is 0 if all went well."""
    options = parser(COMMANDS).parse_args(arguments)
    settings.verbosity = "silent" if options.quiet else "verbose" if options.verbose else "normal"
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    warnings.showwarning = _plain_warning  # type: ignore[assignment]
    command: Command = options.command
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
    from pysces.data.read import read_expression, write_h5ad
    from pysces.network.formats import format_by_name

    start = time.perf_counter()
    any_format = options.groupby is None and format_by_name(Path(options.output)) is not None
    _check_output(options, *(() if any_format else (".tsv", ".csv", ".h5ad")))
    adata = read_expression(options.expression, transpose=options.transpose)
    elsewhere = {"command", "expression", "output", "quiet", "regulators", "transpose", "verbose"}
    given: dict[str, Any] = {
        name: value for name, value in vars(options).items() if name not in elsewhere
    }
    for name in ("resampling", "correction", "dpi"):
        given[name] = None if given[name] == "none" else given[name]
    pysces.run_aracne(adata, options.regulators, **given)
    edges = adata.uns["aracne"]["network"]
    if str(options.output).endswith(".h5ad"):
        write_h5ad(adata, options.output)
    elif options.groupby is not None:
        _write_table(edges, options.output, index=False)
    else:
        pysces.Network.from_anndata(adata).write(options.output)
    engine = adata.uns["aracne"]["engine"]["name"]
    groups = "" if options.groupby is None else f", {edges['group'].nunique()} groups,"
    print(
        f"{len(edges)} edges of {edges['source'].nunique()} regulators{groups} in "
        f"{time.perf_counter() - start:.1f} s on engine {engine}, written to {options.output}"
    )
    return 0


def _viper(options: argparse.Namespace) -> int:
    import pysces
    from pysces.data.read import read_expression, write_h5ad

    start = time.perf_counter()
    _check_output(options, ".tsv", ".csv", ".h5ad")
    adata = read_expression(options.expression, transpose=options.transpose)
    pysces.run_viper(
        adata,
        options.network,
        layer=options.layer,
        signature=options.signature,
        enrichment=options.enrichment,
        counts=options.counts,
        size_factors=options.size_factors,
        batch_key=options.batch_key,
        n_draws=options.n_draws,
        min_targets=options.min_targets,
        n_permutations=options.n_permutations,
        pleiotropy=options.pleiotropy,
        seed=options.seed,
        compat=options.compat,
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
    from pysces.data.read import read_expression

    _check_output(options, ".tsv", ".csv")
    adata = read_expression(options.expression)
    pysces.run_msviper(
        adata,
        options.groupby,
        options.group,
        reference=options.reference,
        network=options.network,
        layer=options.layer,
        counts=options.counts,
        size_factors=options.size_factors,
        batch_key=options.batch_key,
        min_targets=options.min_targets,
        n_permutations=options.n_permutations,
        alpha=options.alpha,
        seed=options.seed,
        engine=options.engine,
    )
    results = adata.uns["msviper"]["results"]
    leading = adata.uns["msviper"]["leading_edge"].groupby("regulator")["target"].agg(",".join)
    joined = results["regulator"].map(leading).fillna("")
    _write_table(results.assign(leading_edge=joined), options.output, index=False)
    columns = ["regulator", "n_targets", "effect", "nes", "pvalue", "qvalue"]
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


COMMANDS: dict[str, Command] = {
    "demo": _demo,
    "aracne": _aracne,
    "viper": _viper,
    "msviper": _msviper,
    "status": _status,
    "validate": _validate,
    "benchmark": _benchmark,
    "doctor": _doctor,
    "report": _report,
}
