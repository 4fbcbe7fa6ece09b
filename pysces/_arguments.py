"""Arguments of the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Any

from pysces import __version__
from pysces.settings import ENGINES

Command = Callable[[argparse.Namespace], int]

_N_NULL: Any = {"type": int, "default": 10_000_000, "metavar": "N", "help": "simulated null pairs"}


def parser(functions: Mapping[str, Command]) -> argparse.ArgumentParser:
    """The arguments of all commands; ``command`` of the result is the function of the one given."""
    whole = argparse.ArgumentParser(
        prog="pysces",
        description="Gene regulatory networks (ARACNe) and protein activity (VIPER).",
    )
    whole.add_argument("--version", action="version", version=f"pysces {__version__}")
    commands = whole.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(command=functions[name])
        loudness = sub.add_mutually_exclusive_group()
        loudness.add_argument("-q", "--quiet", action="store_true", help="no progress bars")
        loudness.add_argument("-v", "--verbose", action="store_true", help="say every step")
        return sub

    demo = command("demo", "Infer a network from 700 blood cells; needs no network access.")
    demo.add_argument("-o", "--output", default="pysces-demo", help="folder (default: %(default)s)")
    _engine(demo)
    demo.add_argument("--n-resamples", type=int, default=100, metavar="N")
    demo.add_argument("--n-null", **_N_NULL)

    aracne = command("aracne", "Infer a gene regulatory network.")
    aracne.add_argument("expression", help=".h5ad, or .tsv / .csv with genes in rows")
    aracne.add_argument(
        "-o", "--output", required=True, help="network: .tsv, .csv, .parquet, .h5ad"
    )
    aracne.add_argument("-r", "--regulators", help="text file, one name a line")
    aracne.add_argument("--layer", help="layer of the .h5ad file")
    aracne.add_argument("--mask-var", metavar="COLUMN", help="boolean column of .var: genes to use")
    aracne.add_argument("--transpose", action="store_true", help="text with samples in rows")
    aracne.add_argument(
        "--counts",
        type=_switch,
        default="auto",
        metavar="auto|true|false",
        help="whether values are counts (default: recognised, also behind normalised values)",
    )
    aracne.add_argument(
        "--size-factors", metavar="COLUMN", help="column of .obs: total counts of each sample"
    )
    aracne.add_argument(
        "--batch-key", metavar="COLUMN", help="column of .obs: batch or donor of each sample"
    )
    aracne.add_argument(
        "--min-cells", type=int, default=10, metavar="N", help="samples with counts of a gene"
    )
    aracne.add_argument(
        "--estimator",
        default="copula",
        choices=["copula", "adaptive", "adaptive-dyadic", "binned"],
    )
    aracne.add_argument("--degree", type=_number_or_auto, default="auto", metavar="auto|1|2")
    aracne.add_argument("--n-bins", type=int, default=10, metavar="N")
    aracne.add_argument(
        "--resampling", default="halves", choices=["halves", "subsample", "bootstrap", "none"]
    )
    aracne.add_argument(
        "--n-resamples", type=_number_or_auto, default=100, metavar="N", help="or auto"
    )
    aracne.add_argument("--consensus", default="decoy", choices=["decoy", "poisson", "binomial"])
    aracne.add_argument(
        "--min-support", type=float, default=0.5, metavar="S", help="share of the resamples"
    )
    aracne.add_argument(
        "--resample-pvalue", type=_fraction_or_auto, default="auto", metavar="P", help="or auto"
    )
    aracne.add_argument("--n-decoys", type=int, metavar="N", help="default: as many as regulators")
    aracne.add_argument("--groupby", help="column of .obs: one network for each group")
    aracne.add_argument("--min-samples", type=int, default=50, metavar="N", help="of a group")
    aracne.add_argument("--ties", default="random", choices=["random", "together"])
    aracne.add_argument("--miller-madow", action="store_true", help="correct the bias of bins")
    aracne.add_argument("--client", choices=["local"], help="Dask workers on this machine")
    aracne.add_argument("--checkpoint", metavar="FOLDER", help="go on where a run was interrupted")
    aracne.add_argument("--alpha", type=float, default=0.05)
    aracne.add_argument("--correction", default="fdr_bh", choices=["fdr_bh", "bonferroni", "none"])
    aracne.add_argument("--dpi", default="dpi", choices=["dpi", "maxent", "none"])
    aracne.add_argument("--dpi-tolerance", type=float, default=0.0, metavar="E")
    aracne.add_argument("--n-null", **_N_NULL)
    aracne.add_argument("--seed", type=int, default=0)
    _engine(aracne)

    viper = command("viper", "Infer the activity of regulators in every cell.")
    viper.add_argument("expression", help=".h5ad, or .tsv / .csv with genes in rows")
    _network(viper)
    viper.add_argument(
        "-o", "--output", required=True, help="result: .h5ad, or activities: .tsv, .csv"
    )
    viper.add_argument("--layer", help="layer of the .h5ad file")
    viper.add_argument("--transpose", action="store_true", help="text with samples in rows")
    viper.add_argument(
        "--signature",
        default="auto",
        choices=["auto", "counts", "zscore", "mad", "rank", "ttest", "mean", "none"],
    )
    viper.add_argument(
        "--enrichment",
        default="auto",
        choices=["auto", "score", "area", "narnea", "gsea", "mean"],
    )
    _counts(viper)
    viper.add_argument("--n-draws", type=int, default=8, metavar="N", help="of residuals of counts")
    viper.add_argument("--min-targets", type=int, default=10, metavar="N")
    viper.add_argument("--n-permutations", type=int, default=0, metavar="N")
    viper.add_argument("--pleiotropy", action="store_true")
    viper.add_argument("--seed", type=int, default=0)
    viper.add_argument("--compat", choices=["r-matrix"], help="aREA as R's viper on a matrix")
    _engine(viper)

    masters = command("msviper", "Find the master regulators between groups of cells.")
    masters.add_argument("expression", help=".h5ad with the groups in .obs")
    _network(masters)
    masters.add_argument("--groupby", required=True, help="column of .obs")
    masters.add_argument("--group", required=True, help="the group asked about")
    masters.add_argument("--reference", default="rest", help="another group (default: all others)")
    masters.add_argument("-o", "--output", required=True, help="table: .tsv, .csv")
    masters.add_argument("--layer", help="layer of the .h5ad file")
    _counts(masters)
    masters.add_argument("--min-targets", type=int, default=10, metavar="N")
    masters.add_argument("--n-permutations", type=int, default=1000, metavar="N")
    masters.add_argument(
        "--alpha", type=float, default=0.05, help="q-value of regulators listed first, by effect"
    )
    masters.add_argument("--seed", type=int, default=0)
    _engine(masters)

    status = command("status", "Which engines are here, and why others aren't.")
    status.add_argument("--json", action="store_true")

    validate = command("validate", "Check that all engines here give the same answers.")
    validate.add_argument("--engines", nargs="+", choices=ENGINES, metavar="ENGINE")
    validate.add_argument("--kernels", nargs="+", metavar="KERNEL")
    validate.add_argument("--quick", action="store_true", help="three small cases of each kernel")
    validate.add_argument("--json", action="store_true")

    # Its options are those of benchmarks/speed: nothing is an option here.
    bench = commands.add_parser(
        "benchmark",
        usage="pysces benchmark [OPTION ...]",
        help="Time every engine on every kernel and workflow (in a clone or sdist).",
        prefix_chars="\0",
        add_help=False,
    )
    bench.add_argument("arguments", nargs="*", help="`pysces benchmark --help` lists them")
    bench.set_defaults(command=functions["benchmark"], quiet=False, verbose=False)

    doctor = command("doctor", "Check the installation, line by line, with remedies.")
    doctor.add_argument("--json", action="store_true")

    report = command("report", "Write a page (HTML) about what an .h5ad file holds.")
    report.add_argument("expression", help=".h5ad with a network, activities, ...")
    report.add_argument("-o", "--output", required=True, help="the page, .html")
    report.add_argument("--key", default="aracne", help="of the network (default: %(default)s)")
    report.add_argument("--activity-key", default="viper", metavar="KEY")
    report.add_argument("--msviper-key", default="msviper", metavar="KEY")
    report.add_argument("--groupby", metavar="COLUMN", help="column of .obs to show activities by")
    return whole


def _fraction_or_auto(text: str) -> float | str:
    return text if text == "auto" else float(text)


def _switch(text: str) -> bool | str:
    """auto, true or false; anything else is refused where it is used."""
    return {"true": True, "false": False}.get(text.lower(), text)


def _number_or_auto(text: str) -> int | str:
    return text if text == "auto" else int(text)


def _engine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--engine", choices=ENGINES, help="default: the best one here")


def _counts(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--counts",
        default="auto",
        type=_switch_or_auto,
        metavar="{auto,yes,no}",
        help="whether the data are counts, or normalised ones (default: %(default)s)",
    )
    parser.add_argument("--size-factors", metavar="COLUMN", help="of .obs: the depth of each cell")
    parser.add_argument("--batch-key", metavar="COLUMN", help="of .obs: genes have a level in each")


def _switch_or_auto(text: str) -> bool | str:
    if text not in ("auto", "yes", "no"):
        raise argparse.ArgumentTypeError(f"must be auto, yes or no, not {text!r}")
    return text if text == "auto" else text == "yes"


def _network(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-n",
        "--network",
        default="aracne",
        help="file of a network, or its key in the .h5ad file (default: %(default)s)",
    )
