"""Networks in the files of other programs: one parser per format, file to table of edges.

Parsers return what the file says, bad rows included; `pysces.data.files` drops those and says so.
"""

from __future__ import annotations

import ast
import csv
import gzip
import logging
import re
import sys
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np
import pandas as pd

from pysces.errors import InputError
from pysces.messages import listed
from pysces.network._graphs import networkx_edges, package

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

logger = logging.getLogger("pysces")

_ARACNE3 = {
    "regulator.values": "source",
    "target.values": "target",
    "mi.values": "mi",
    "scc.values": "correlation",
    "count.values": "support",
}
MISSING = frozenset(["", "NA", "NaN", "nan", "NULL", "None", "#N/A", "N/A", "<NA>"])


def open_text(path: Path) -> TextIO:
    """A text file, packed (.gz) or not."""
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return open(path, encoding="utf-8-sig", newline="")


def first_lines(path: Path, most: int = 50) -> list[str]:
    """The first lines that aren't empty or comments (#)."""
    lines: list[str] = []
    with open_text(path) as file:
        for line in file:
            text = line.rstrip("\r\n")
            if text.strip() and not text.startswith("#"):
                lines.append(text)
            if len(lines) == most:
                break
    return lines


def split_fields(line: str) -> list[str]:
    """Fields of a line that is separated by tabs, else commas, else blanks, without quotes."""
    separator = _separator(line)
    fields = line.split() if separator == r"\s+" else line.split(separator)
    return [_unquoted(field.strip()) for field in fields]


def _unquoted(field: str) -> str:
    """A field without the quotes around it; a prime at the end of a name stays."""
    quoted = len(field) >= 2 and field[0] in "\"'" and field[0] == field[-1]
    return field[1:-1] if quoted else field


def is_number(text: str) -> bool:
    """Whether text is a number or a missing one."""
    try:
        float(text)
    except ValueError:
        return text in MISSING
    return True


def _separator(line: str) -> str:
    return "\t" if "\t" in line else "," if "," in line else r"\s+"


def parse_table(path: Path) -> pd.DataFrame:
    """A table with a header: tidy, decoupler, pyviper, ARACNe-AP, ARACNe3, GRNBoost."""
    lines = first_lines(path, 1)
    if not lines:
        raise InputError(f"{path.name} is empty. A table of edges starts with a header.")
    table = _read_csv(path, _separator(lines[0]), header=0)
    lower = {column: str(column).lower() for column in table.columns}
    table = table.rename(
        columns={c: _ARACNE3[name] for c, name in lower.items() if name in _ARACNE3}
    )
    logarithm = next((c for c, name in lower.items() if name == "log.p.values"), None)
    if logarithm is not None:
        table["pvalue"] = np.exp(pd.to_numeric(table[logarithm], errors="coerce"))
        table = table.drop(columns=logarithm)
    return table


def parse_three_columns(path: Path) -> pd.DataFrame:
    """Regulator, target and mutual information, without a header."""
    lines = first_lines(path, 1)
    table = _read_csv(path, _separator(lines[0]) if lines else "\t", header=None)
    if table.shape[1] != 3:
        raise InputError(
            f"{path.name} has {table.shape[1]} columns; the format '3col' has regulator, target "
            "and mutual information. Pass another format=."
        )
    return table.set_axis(["source", "target", "mi"], axis=1)


def _read_csv(path: Path, separator: str, header: int | None) -> pd.DataFrame:
    with open_text(path) as file:
        n_comments = 0
        for line in file:
            if not line.startswith("#"):
                break
            n_comments += 1
    # Names are text even where they look like a number or like "NA"
    try:
        return pd.read_csv(
            path,
            sep=separator,
            header=header,
            skiprows=n_comments,
            dtype=str,
            keep_default_na=False,
            encoding="utf-8-sig",
            engine="python" if separator == r"\s+" else "c",
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path.name} can't be read as a table: {error}. Is it a text file with the same "
            "number of fields in every line?"
        ) from error


def parse_labelled_matrix(path: Path, separator: str) -> pd.DataFrame:
    """Numbers, with the names of rows (first column) and of columns (first line)."""
    try:
        with open_text(path) as file:
            header = next(csv.reader([file.readline()], delimiter=separator), [])
            # Columns are named afterwards: pandas would quietly rename those that repeat
            body = pd.read_csv(  # type: ignore[call-overload]
                file,
                sep=separator,
                header=None,
                dtype={0: str},
                keep_default_na=False,
                na_values={number: list(MISSING) for number in range(1, len(header) + 1)},
                float_precision="round_trip",
            )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InputError(f"{path.name} can't be read as a table of numbers: {error}.") from error
    header = header if len(header) == body.shape[1] - 1 else header[1:]  # R names no corner
    if len(header) != body.shape[1] - 1 or not header:
        raise InputError(
            f"{path.name} names {len(header)} columns in its first line and has "
            f"{body.shape[1] - 1} columns of numbers below. Is it separated by "
            f"{'commas' if separator == ',' else 'tabs'}?"
        )
    table = body.set_index(0).set_axis(header, axis=1).rename_axis(None)
    numeric = [pd.api.types.is_numeric_dtype(dtype) for dtype in table.dtypes]
    if not all(numeric):
        text = table.columns[[not is_numeric for is_numeric in numeric]]
        raise InputError(
            f"{path.name} has text in {len(text)} of {table.shape[1]} columns: {listed(text)}. "
            "Besides the first column there may be numbers only."
        )
    return table


def parse_adj(path: Path) -> pd.DataFrame:
    """ARACNe .adj: a regulator, then targets and mutual information in turn; ">" starts a note."""
    source: list[str] = []
    target: list[str] = []
    mi: list[str] = []
    with open_text(path) as file:
        for number, line in enumerate(file, 1):
            if ">" in line or not line.strip():
                continue
            regulator, *pairs = split_fields(line.rstrip("\r\n\t "))
            if len(pairs) % 2:
                raise InputError(
                    f"{path.name}, line {number}: {regulator!r} is followed by {len(pairs)} "
                    "fields, not by pairs of a target and a number. Is it an .adj file?"
                )
            source += [regulator] * (len(pairs) // 2)
            target += pairs[::2]
            mi += pairs[1::2]
    return pd.DataFrame({"source": source, "target": target, "mi": mi})


def parse_gmt(path: Path) -> pd.DataFrame:
    """Gene sets, one per line: name, description, genes; SCENIC's (+) and (-) give the mode."""
    source: list[str] = []
    target: list[str] = []
    mor: list[int] = []
    any_sign = False
    with open_text(path) as file:
        for line in file:
            fields = line.rstrip("\r\n").split("\t")
            genes = [gene.strip() for gene in fields[2:] if gene.strip()]
            if not line.strip():
                continue
            if not genes:
                logger.warning("%s: the gene set %r has no genes.", path.name, fields[0])
            name, sign = _name_and_sign(fields[0].strip())
            any_sign |= sign != 0
            source += [name] * len(genes)
            target += genes
            mor += [sign or 1] * len(genes)
    table = pd.DataFrame({"source": source, "target": target})
    return table.assign(mor=mor) if any_sign else table


def _name_and_sign(name: str) -> tuple[str, int]:
    """Regulator and sign of a SCENIC regulon: STAT1(+), STAT1_(-), STAT1 (123g), STAT1."""
    match = re.fullmatch(r"(.+?)[_ ]?\((\+|-|\d+g)\)", name)
    if match is None:
        return name, 0
    return match[1], {"+": 1, "-": -1}.get(match[2], 0)


def parse_scenic(path: Path) -> pd.DataFrame:
    """Regulons of ``pyscenic ctx``: a row per motif; the largest weight of each target counts."""
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # a regulon of thousands is one field
    weights: dict[tuple[str, str, int], float] = {}
    with open_text(path) as file:
        rows = csv.reader(file)
        columns = next((row for row in rows if "TargetGenes" in row), None)
        if columns is None:
            raise InputError(f"{path.name} has no column 'TargetGenes'. Is it from `pyscenic ctx`?")
        genes_at = columns.index("TargetGenes")
        context_at = columns.index("Context") if "Context" in columns else None
        for row in rows:
            if len(row) <= genes_at or not row[genes_at]:
                continue  # the third line of the header
            repressed = context_at is not None and "repressing" in row[context_at]
            for gene, weight in _pairs(row[genes_at], path):
                edge = row[0], gene, -1 if repressed else 1
                weights[edge] = max(weight, weights.get(edge, weight))
    edges = pd.DataFrame(list(weights), columns=["source", "target", "mor"])
    return edges.assign(weight=list(weights.values()))


def _pairs(text: str, path: Path) -> list[tuple[str, float]]:
    try:
        # numpy 2 writes np.float64(0.5) for 0.5
        plain = re.sub(r"np\.float(?:32|64)\(([^)]*)\)", r"\1", text)
        return [(str(gene), float(weight)) for gene, weight in ast.literal_eval(plain)]
    except (ValueError, SyntaxError, TypeError) as error:
        raise InputError(
            f"{path.name} has a field in 'TargetGenes' that isn't a list of (gene, weight): "
            f"{text[:60]!r}. Write the regulons again with `pyscenic ctx`, or as GMT."
        ) from error


_SIGNS = {
    **dict.fromkeys(("activates", "activation", "activating", "induces", "+"), 1),
    **dict.fromkeys(("represses", "repression", "repressing", "inhibits", "inhibition", "-"), -1),
}


def parse_sif(path: Path) -> pd.DataFrame:
    """Cytoscape's simple format: a regulator, the kind of interaction, then its targets.

    Fields are separated by tabs if there is any tab in the file, else by blanks. Where a kind
    tells a sign (activates, represses), signs become modes; other kinds have the mode 0 then.
    """
    with open_text(path) as file:
        lines = [line.rstrip("\r\n") for line in file]
    separator = "\t" if any("\t" in line for line in lines) else None
    rows = [line.split(separator) for line in lines if line.strip()]
    if alone := [row[0] for row in rows if len(row) < 3]:
        logger.warning("%s: left out nodes without an edge: %s.", path.name, listed(alone))
    edges = [(row[0], row[1], target) for row in rows for target in row[2:]]
    table = pd.DataFrame(edges, columns=["source", "kind", "target"])
    mode = table["kind"].str.strip().str.lower().map(_SIGNS)
    table = table.drop(columns="kind")
    return table.assign(mor=mode.fillna(0).astype(np.int64)) if mode.notna().any() else table


def parse_graphml(path: Path) -> pd.DataFrame:
    """A directed graph as networkx, igraph and Cytoscape write it."""
    library = package("networkx", "Reading GraphML")
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else open(path, "rb") as file:
            graph = library.read_graphml(file)
    except (library.NetworkXError, SyntaxError) as error:  # a ParseError is a SyntaxError
        raise InputError(
            f"{path.name} can't be read as GraphML: {error}. Write it again, or as SIF."
        ) from error
    return networkx_edges(graph)


def parse_parquet(path: Path) -> pd.DataFrame:
    """A table in parquet."""
    package("pyarrow", "Reading parquet")
    return pd.read_parquet(path)


def parse_rds(path: Path) -> pd.DataFrame:
    """A regulon object of R's viper, saved with ``saveRDS``."""
    rdata = package("rdata", "Reading R (.rds)")
    classes = {**rdata.conversion.DEFAULT_CLASS_MAP, "regulon": lambda content, _: content}
    regulons = rdata.read_rds(path, constructor_dict=classes)
    if not isinstance(regulons, dict) or not all(
        isinstance(regulon, dict) and "tfmode" in regulon for regulon in regulons.values()
    ):
        raise InputError(
            f"{path.name} isn't a regulon of R's viper (a named list of lists with tfmode and "
            "likelihood). Save the regulon itself with `saveRDS(regulon, file)`."
        )
    parts = [_r_regulon(name, regulon, path) for name, regulon in regulons.items()]
    empty = pd.DataFrame({"source": [], "target": [], "mor": [], "likelihood": []})
    return pd.concat(parts, ignore_index=True) if parts else empty


def _r_regulon(name: str, regulon: dict[str, Any], path: Path) -> pd.DataFrame:
    mode = regulon["tfmode"]
    if not hasattr(mode, "coords"):
        if np.size(mode):
            raise InputError(f"{path.name}: the tfmode of {name!r} doesn't name its targets.")
        return pd.DataFrame({"source": [], "target": [], "mor": [], "likelihood": []})
    likelihood = np.asarray(regulon.get("likelihood", np.ones(np.size(mode))), dtype=np.float64)
    targets = np.asarray(mode.coords[mode.dims[0]]).astype(str)
    return pd.DataFrame(
        {
            "source": str(name),
            "target": targets.astype(object),
            "mor": np.asarray(mode, dtype=np.float64).ravel(),
            "likelihood": likelihood.ravel(),
        }
    )


PARSERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    "table": parse_table,
    "3col": parse_three_columns,
    "adj": parse_adj,
    "gmt": parse_gmt,
    "sif": parse_sif,
    "graphml": parse_graphml,
    "scenic": parse_scenic,
    "parquet": parse_parquet,
    "rds": parse_rds,
}
