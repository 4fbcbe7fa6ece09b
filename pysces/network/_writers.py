"""Edge tables to files: one row per format, each file written whole or not at all.

A name that a format can't hold is refused: a file never comes back as another network.
"""

from __future__ import annotations

import gzip
import io
import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
import pandas as pd

from pysces.atomic import atomic_write
from pysces.errors import InputError
from pysces.messages import listed
from pysces.network._graphs import package, to_networkx
from pysces.regulon import mode_and_likelihood

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    Names = tuple[re.Pattern[str], str]

logger = logging.getLogger("pysces")

_CONTROL = (
    re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]"),
    "a tab, a line break or another control character",
)
_BLANKS = (re.compile(r"^\s|\s$"), "a blank at its start or end, which readers drop")
_ARROW = (re.compile(">"), "'>', which marks lines that readers skip")
_QUOTES = (re.compile(r"^(['\"]).*\1$"), "quotes around it, which readers drop")
_SIGN = (re.compile(r"(_|\((\+|-|\d+g)\))$"), "an ending that readers take for a sign")


@dataclass(frozen=True)
class Format:
    """How one kind of file is written.

    Attributes
    ----------
    write
        Writes the table to a file; ``None`` for text separated by tabs or commas.
    table
        The table as this format has it, where it isn't the network's own.
    suffixes
        Ends of file names that mean this format.
    needs
        Columns without which it can't be written.
    keeps
        Columns that it holds, whole or in part; ``None`` for all.
    refuses
        Names that it can't hold (a pattern and the fact).
    regulators
        The same for names of regulators alone.
    """

    write: Callable[[pd.DataFrame, IO[bytes]], None] | None = None
    table: Callable[[pd.DataFrame], pd.DataFrame] | None = None
    suffixes: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    keeps: tuple[str, ...] | None = None
    refuses: tuple[Names, ...] = (_CONTROL, _BLANKS)
    regulators: tuple[Names, ...] = ()


def write_network(
    edges: pd.DataFrame, path: str | os.PathLike[str], format: str | None = None
) -> None:
    """Write a table of edges; see `pysces.Network.write`."""
    final = Path(path)
    chosen = _format_of(final) if format is None else format
    if chosen not in WRITERS:
        raise InputError(
            f"Networks can't be written as {chosen!r}. Formats: {listed(WRITERS, 20)}."
        )
    if not final.parent.is_dir():
        raise InputError(f"There is no folder {str(final.parent)!r}. Create it first.")
    _check(edges, chosen)
    table = edges.astype({"source": str, "target": str})
    row = WRITERS[chosen]
    if row.table is not None:
        table = row.table(table)
    by_name = "," if final.name.lower().removesuffix(".gz").endswith(".csv") else "\t"
    separator = {"tsv": "\t", "csv": ","}.get(chosen, by_name)

    def content(file: IO[bytes]) -> None:
        if row.write is None:
            _text(table, file, separator)
        else:
            row.write(table, file)

    def packed(file: IO[bytes]) -> None:
        # No time stamp and no name, so that the same network gives the same bytes
        with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as inner:
            content(inner)  # type: ignore[arg-type]

    atomic_write(
        final, packed if final.suffix.lower() == ".gz" and chosen != "parquet" else content
    )


def format_by_name(path: Path) -> str | None:
    """The format that the name of a file tells; None if it tells none."""
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    if path.name.lower().removesuffix(".gz") == "network.txt":
        return "aracne-ap"
    return _by_suffix().get(suffixes[-1]) if suffixes else None


def _by_suffix() -> dict[str, str]:
    return {suffix: name for name, row in WRITERS.items() for suffix in row.suffixes}


def _format_of(path: Path) -> str:
    format = format_by_name(path)
    if format is None:
        raise InputError(
            f"The name {path.name!r} doesn't say in which format to write the network. "
            f"Pass format=, one of {listed(WRITERS, 20)}, or end the name in one of "
            f"{listed(_by_suffix())}."
        )
    return format


def _check(edges: pd.DataFrame, format: str) -> None:
    """Refuse what the format can't hold; say what it leaves out."""
    row = WRITERS[format]
    if missing := [column for column in row.needs if column not in edges.columns]:
        raise InputError(
            f"The format {format!r} needs the column(s) {listed(missing)}, which the network "
            f"doesn't have. Its columns: {listed(edges.columns)}. Write it as 'tsv' instead."
        )
    refused = [("source", rule) for rule in (*row.refuses, *row.regulators)]
    refused += [("target", rule) for rule in row.refuses]
    for column, (pattern, fact) in refused:
        bad = [name for name in edges[column].cat.categories if pattern.search(name)]
        if bad:
            raise InputError(
                f"The name {bad[0]!r} has {fact}, so that the format {format!r} can't hold it"
                + (f" (nor {len(bad) - 1} more such names)" if len(bad) > 1 else "")
                + ". Rename it, or write the network as 'parquet'."
            )
    left_out = [c for c in edges.columns[2:] if row.keeps is not None and c not in row.keeps]
    if left_out:
        logger.info("The format %r leaves out the columns %s.", format, listed(left_out))


def _text(table: pd.DataFrame, file: IO[bytes], separator: str) -> None:
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    table.to_csv(text, sep=separator, index=False, lineterminator="\n")
    text.detach()  # flushes, and leaves the file open


def _write_parquet(table: pd.DataFrame, file: IO[bytes]) -> None:
    package("pyarrow", "Writing parquet")  # asked for here, so that the message can help
    table.astype({"source": "category", "target": "category"}).to_parquet(file, index=False)


def _aracne_ap_table(table: pd.DataFrame) -> pd.DataFrame:
    names = {"source": "Regulator", "target": "Target", "mi": "MI", "pvalue": "pvalue"}
    return table[list(names)].rename(columns=names)


def _aracne3_table(table: pd.DataFrame) -> pd.DataFrame:
    # The smallest p-value that float64 holds stands for 0, whose logarithm isn't a number
    logarithm = np.log(np.maximum(table["pvalue"], np.nextafter(0, 1)))
    columns = {
        "source": "regulator.values",
        "target": "target.values",
        "mi": "mi.values",
        "correlation": "scc.values",
        "support": "count.values",
        "log_pvalue": "log.p.values",
    }
    return table.assign(log_pvalue=logarithm)[list(columns)].rename(columns=columns)


def _modes(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    columns = {name: table[name].to_numpy(dtype=np.float64) for name in table.columns[2:]}
    return mode_and_likelihood(columns, pd.factorize(table["source"])[0])


def decoupler_table(table: pd.DataFrame) -> pd.DataFrame:
    """Source, target, weight: the network's own, else mode times likelihood; none of 0."""
    if "weight" in table.columns:
        weight = table["weight"].to_numpy(dtype=np.float64)
    else:
        mode, likelihood = _modes(table)
        weight = mode * likelihood
    net = table[["source", "target"]].assign(weight=weight)
    return net[weight != 0].reset_index(drop=True)


def _pyviper_table(table: pd.DataFrame) -> pd.DataFrame:
    mode, likelihood = _modes(table)
    ends = table[["source", "target"]].rename(columns={"source": "regulator"})
    return ends.assign(mor=mode, likelihood=likelihood)


def _write_adj(table: pd.DataFrame, file: IO[bytes]) -> None:
    for source, edges in table.groupby("source", sort=False):
        pairs = zip(edges["target"], edges["mi"].tolist(), strict=True)
        fields = [str(source), *(f"{target}\t{mi!r}" for target, mi in pairs)]
        file.write(("\t".join(fields) + "\n").encode())


def _write_gmt(table: pd.DataFrame, file: IO[bytes]) -> None:
    """Gene sets; those of one sign where the network has modes, marked (+) and (-) as SCENIC."""
    groups = table["source"]
    if "mor" in table.columns:
        groups = groups + np.where(table["mor"] < 0, "(-)", "(+)")
    for name, targets in table["target"].groupby(groups, sort=False):
        file.write(("\t".join([str(name), "pysces", *targets]) + "\n").encode())


def _write_sif(table: pd.DataFrame, file: IO[bytes]) -> None:
    """Lines of regulator, interaction and target; the interaction tells the sign of the mode."""
    sign = np.sign(table["mor"]) if "mor" in table.columns else np.zeros(len(table))
    words = np.select([sign > 0, sign < 0], ["activates", "represses"], "regulates")
    for source, word, target in zip(table["source"], words, table["target"], strict=True):
        file.write(f"{source}\t{word}\t{target}\n".encode())


def _write_graphml(table: pd.DataFrame, file: IO[bytes]) -> None:
    graph = to_networkx(table)
    for name in graph.nodes:  # igraph reads names from here, Cytoscape and networkx from the id
        graph.nodes[name]["name"] = name
    package("networkx", "Writing GraphML").write_graphml_xml(graph, file)


WRITERS = {
    "tsv": Format(suffixes=(".tsv",)),
    "csv": Format(suffixes=(".csv",)),
    "parquet": Format(_write_parquet, suffixes=(".parquet", ".pq"), refuses=()),
    "graphml": Format(_write_graphml, suffixes=(".graphml",), refuses=(_CONTROL,)),
    "adj": Format(
        _write_adj,
        suffixes=(".adj",),
        needs=("mi",),
        keeps=("mi",),
        refuses=(_CONTROL, _BLANKS, _ARROW, _QUOTES),
    ),
    "gmt": Format(_write_gmt, suffixes=(".gmt",), keeps=("mor",), regulators=(_SIGN,)),
    "sif": Format(_write_sif, suffixes=(".sif",), keeps=("mor",)),
    "aracne-ap": Format(table=_aracne_ap_table, needs=("mi", "pvalue"), keeps=("mi", "pvalue")),
    "aracne3": Format(
        table=_aracne3_table,
        needs=("mi", "correlation", "support", "pvalue"),
        keeps=("mi", "correlation", "support", "pvalue"),
    ),
    "decoupler": Format(table=decoupler_table, keeps=("mor", "likelihood", "weight")),
    "pyviper": Format(table=_pyviper_table, keeps=("mor", "likelihood", "weight")),
}
"""Every format that networks are written in, by name."""
