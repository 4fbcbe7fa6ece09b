"""Select regulators: built-in lists of transcription factors, and lists of the user."""

from __future__ import annotations

import functools
import importlib.resources
import logging
import os
import re
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pysces._messages import listed
from pysces._reading import lines, reading
from pysces.errors import InputError, PyscesWarning

if TYPE_CHECKING:
    from collections.abc import Sequence

logger = logging.getLogger("pysces")

ORGANISMS = ("human", "mouse")
_HEADERS = {
    "symbol",
    "gene",
    "genes",
    "regulator",
    "regulators",
    "tf",
    "name",
    "gene_name",
    "source",
}
_WHAT_TO_PASS = (
    "Pass regulators= with a list of gene names, the path of a text file (one name per line), "
    "'human' or 'mouse', or mark regulators in a boolean column adata.var['regulator']."
)


def regulators(organism: str) -> list[str]:
    """Symbols of the transcription factors of an organism.

    Parameters
    ----------
    organism
        ``"human"`` or ``"mouse"``.

    Returns
    -------
    list of str
        Gene symbols, from a table in the package that cites its sources.

    Raises
    ------
    InputError
        For another organism.

    References
    ----------
    Lambert et al. 2018, Cell 172:650 (families of transcription factors).

    Examples
    --------
    >>> "MYC" in regulators("human"), "Myc" in regulators("mouse")
    (True, True)
    """
    if organism not in ORGANISMS:
        raise InputError(
            f"There is no list of regulators of {organism!r}, only of {listed(ORGANISMS)}. "
            "Pass a list of your own."
        )
    return list(_packaged(organism))


def match_organism(genes: Iterable[str]) -> str:
    """Organism whose transcription factors are most often among the genes.

    Raises
    ------
    InputError
        If no gene is among them.

    Examples
    --------
    >>> match_organism(["Myc", "Actb", "Trp53"])
    'mouse'
    """
    present = set(genes)
    found = {organism: len(present & set(_packaged(organism))) for organism in ORGANISMS}
    best = max(found, key=lambda organism: found[organism])
    if found[best] == 0:
        few = list(present)[:1000]
        ensembl = sum(bool(re.match(r"ENS[A-Z]*G\d", gene)) for gene in few) > len(few) / 2
        hint = "They look like Ensembl identifiers; gene symbols are needed. " if ensembl else ""
        raise InputError(
            f"No gene name is among the transcription factors of {listed(ORGANISMS)}. "
            f"{hint}{_WHAT_TO_PASS}"
        )
    return best


def resolve_regulators(
    regulators: Any, genes: pd.Index | Sequence[str], var: pd.DataFrame | None = None
) -> list[str]:
    """Names of the regulators that are among the genes, in the order of the genes.

    Parameters
    ----------
    regulators
        A list, Index, Series or array of names, the path of a text file with one name per line
        (``#`` starts a comment), ``"human"`` or ``"mouse"``. ``None`` takes the boolean column
        ``var["regulator"]`` if there is one, else the built-in list of the organism whose symbols
        match best.
    genes
        Gene names of the expression matrix.
    var
        ``adata.var``, with gene names as its index.

    Raises
    ------
    InputError
        If no regulator is among the genes, or ``regulators`` cannot be understood.

    Warns
    -----
    PyscesWarning
        If regulators that the user named are not among the genes (how many, and the first).

    Examples
    --------
    >>> resolve_regulators(["MAX", "MYC"], ["ACTB", "MYC", "MAX"])
    ['MYC', 'MAX']
    """
    genes = pd.Index(genes)
    wanted, origin, named_by_user = _wanted(regulators, genes, var)
    if not wanted:
        raise InputError(f"The list of regulators ({origin}) is empty. {_WHAT_TO_PASS}")
    chosen = genes[genes.isin(wanted)].tolist()
    found = set(chosen)
    missing = [name for name in wanted if name not in found]
    masked = [] if var is None else pd.Index(missing).intersection(var.index).tolist()
    if not chosen and len(masked) == len(missing):
        raise InputError(
            f"All {len(wanted)} regulators ({origin}) are excluded by mask_var=: "
            f"{listed(wanted, 5)}. Include regulators in the mask."
        )
    if not chosen:
        raise InputError(
            f"None of {len(wanted)} regulators ({origin}) is among the {len(genes)} genes. "
            f"Regulators: {listed(wanted, 5)}; genes: {listed(genes, 5)}. "
            "Check that both use the same names (symbols or identifiers, organism, case)."
        )
    if missing and named_by_user:
        warnings.warn(
            f"{len(missing)} of {len(wanted)} regulators ({origin}) are not among the genes and "
            f"are left out: {listed(missing)}. Check their names if you expected them"
            + (f"; {len(masked)} are excluded by mask_var=." if masked else "."),
            PyscesWarning,
            stacklevel=3,
        )
    logger.info(
        "%d regulators (%s); %d of the list are not among the genes%s.",
        len(chosen),
        origin,
        len(missing),
        f": {listed(missing)}" if missing else "",
    )
    return chosen


def _wanted(
    regulators: Any, genes: pd.Index, var: pd.DataFrame | None
) -> tuple[list[str], str, bool]:
    """Unique names in their order, their source, and whether the user named them."""
    if regulators is None and var is not None and "regulator" in var.columns:
        marked = _marked(var["regulator"])
        # Genes that a mask or a filter excludes are not missing: they were not requested
        return [name for name in var.index[marked] if name in genes], "adata.var", False
    if regulators is None:
        organism = match_organism(genes)
        return list(_packaged(organism)), f"built-in list of {organism}", False
    if isinstance(regulators, str) and regulators in ORGANISMS:
        return list(_packaged(regulators)), f"built-in list of {regulators}", False
    if isinstance(regulators, str | os.PathLike):
        return _from_file(Path(regulators)), f"file {Path(regulators).name}", True
    if not isinstance(regulators, Iterable) or isinstance(regulators, pd.DataFrame | dict | bytes):
        raise InputError(f"Regulators cannot be a {type(regulators).__name__}. {_WHAT_TO_PASS}")
    names = list(regulators)
    if wrong := [name for name in names if not isinstance(name, str)]:
        raise InputError(
            f"Regulators must be gene names. Got {listed(wrong, 3)} of type "
            f"{type(wrong[0]).__name__}. {_WHAT_TO_PASS}"
        )
    return list(dict.fromkeys(names)), "as passed", True


def _marked(column: pd.Series) -> np.ndarray[Any, np.dtype[np.bool_]]:
    if not pd.api.types.is_bool_dtype(column.dtype) or column.isna().any():
        raise InputError(
            f"The column adata.var['regulator'] must be boolean without missing values; it is "
            f"{column.dtype}. Convert it, or pass regulators=."
        )
    return column.to_numpy(dtype=bool)


def _from_file(path: Path) -> list[str]:
    if not path.is_file():
        raise InputError(f"There is no file {str(path)!r} with regulators. {_WHAT_TO_PASS}")
    remedy = "Save it as text in UTF-8, one name per line."
    with reading(path, "read as a list of regulators", remedy):
        return _first_fields("\n".join(text for _, text in lines(path)))


@functools.cache
def _packaged(organism: str) -> tuple[str, ...]:
    table = importlib.resources.files("pysces.data") / f"regulators_{organism}.tsv"
    return tuple(_first_fields(table.read_text(encoding="utf-8")))


def _first_fields(text: str) -> list[str]:
    """Unique first fields of the lines, without comments (#) and without a header."""
    lines = [line.split("#")[0].strip() for line in text.splitlines()]
    names = [re.split(r"[\t,;]", line)[0].strip().strip("\"'") for line in lines if line]
    if names and names[0].lower() in _HEADERS:
        names = names[1:]
    return list(dict.fromkeys(name for name in names if name))
