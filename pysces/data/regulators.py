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

from pysces._messages import listed, outside
from pysces._parameters import check_of, checked
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
# Share of regulators among all genes; in the genome of human and mouse it is about 7 %.
_FEW = 0.01
_VERSION = re.compile(r"(ENS[A-Z]*G\d+)\.\d+", re.IGNORECASE)
_WHAT_TO_PASS = (
    "Pass regulators= with a list of gene names, the path of a text file (one name per line), "
    "'human' or 'mouse', or mark regulators in a boolean column adata.var['regulator']."
)


@checked()
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


def match_organism(genes: Iterable[str], samples: Iterable[str] = ()) -> str:
    """Organism whose transcription factors are most often among the genes.

    If none is, names are compared without blanks and case. The samples are only used to recognise
    transposed data.

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
    if not any(found.values()):
        plain = {_plain_name(gene) for gene in present}
        found = {o: len(plain & set(map(_plain_name, _packaged(o)))) for o in ORGANISMS}
    best = max(found, key=lambda organism: found[organism])
    if found[best] == 0:
        few = list(present)[:1000]
        ensembl = sum(bool(re.match(r"ENS[A-Z]*G\d", gene)) for gene in few) > len(few) / 2
        hint = (
            "They look like Ensembl identifiers; gene symbols are needed. If a column of .var has "
            "them, pass its name as gene_symbols=. "
            if ensembl
            else _transposed({name for o in ORGANISMS for name in _packaged(o)}, samples)
        )
        raise InputError(
            f"No gene name is among the transcription factors of {listed(ORGANISMS)}. "
            f"{hint}{_WHAT_TO_PASS}"
        )
    return best


def _plain_name(name: str) -> str:
    """A name without blanks around it, case, and the version of an Ensembl identifier.

    >>> _plain_name(" Myc "), _plain_name("ENSG00000136997.21")
    ('myc', 'ensg00000136997')
    """
    name = name.strip()
    found = _VERSION.fullmatch(name)
    return (found[1] if found else name).casefold()


def similar_names(names: Iterable[str], genes: Iterable[str]) -> dict[str, str]:
    """The gene of each name that differs only in blanks, case or the version of an identifier.

    Names of which several genes differ only so are left out.
    """
    plain = pd.Series(list(genes), dtype=object)
    plain.index = pd.Index([_plain_name(gene) for gene in plain], dtype=object)
    plain = plain[~plain.index.duplicated(keep=False)]
    wanted = ((name, _plain_name(name)) for name in names)
    return {name: plain[key] for name, key in wanted if key in plain.index}


def organism_of(regulators: Any, genes: Iterable[str], var: pd.DataFrame | None) -> str | None:
    """The organism whose built-in list is used; None for regulators of the user."""
    if isinstance(regulators, str) and regulators in ORGANISMS:
        return regulators
    if regulators is None and not (var is not None and "regulator" in var.columns):
        return match_organism(genes)
    return None


def resolve_regulators(
    regulators: Any,
    genes: pd.Index | Sequence[str],
    var: pd.DataFrame | None = None,
    samples: Iterable[str] = (),
) -> list[str]:
    """Names of the regulators that are among the genes, in the order of the genes.

    Parameters
    ----------
    regulators
        A list, Index, Series or array of names, the path of a text file with one name per line, or
        with all names in one line (``#`` starts a comment), ``"human"`` or ``"mouse"``. ``None``
        takes the boolean column ``var["regulator"]`` if there is one, else the built-in list of the
        organism whose symbols match best.
    genes
        Gene names of the expression matrix.
    var
        ``adata.var``, with gene names as its index.
    samples
        Names of the samples, to recognise transposed data.

    Raises
    ------
    InputError
        If no regulator is among the genes, or ``regulators`` cannot be understood.

    Warns
    -----
    PyscesWarning
        If regulators that the user named are not among the genes (how many, and the first), or
        differ from them in blanks, case or the version of an identifier; if genes look like those
        of another organism, or under 1 % of them are in the built-in list.

    Examples
    --------
    >>> resolve_regulators(["MAX", "MYC"], ["ACTB", "MYC", "MAX"])
    ['MYC', 'MAX']
    """
    genes = pd.Index(genes)
    wanted, origin, named_by_user = _wanted(regulators, genes, var, samples)
    if not wanted:
        raise InputError(f"The list of regulators ({origin}) is empty. {_WHAT_TO_PASS}")
    found = set(genes[genes.isin(wanted)])
    organism = organism_of(regulators, genes, var)
    other = _better_organism(organism, genes)
    looks = "" if other is None else f"The names look like those of {other}. "
    if other is None:
        renamed = similar_names([name for name in wanted if name not in found], genes)
        renamed = {name: gene for name, gene in renamed.items() if gene not in found}
    else:
        renamed = {}
    found |= set(renamed.values())
    chosen = genes[genes.isin(found)].tolist()
    missing = [name for name in wanted if name not in found and name not in renamed]
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
            f"{looks}{_transposed(wanted, samples)}"
            "Check that both use the same names (symbols or identifiers, organism); if names of "
            "the other kind are in a column of .var, pass it as gene_symbols=."
        )
    if renamed:
        warnings.warn(
            f"{len(renamed)} of {len(wanted)} regulators ({origin}) were found among the genes "
            "by names that differ in blanks, case or the version of an identifier: "
            f"{listed([f'{name} -> {gene}' for name, gene in renamed.items()], 3)}. "
            "Check that they are meant.",
            PyscesWarning,
            stacklevel=outside(),
        )
    if missing and named_by_user:
        warnings.warn(
            f"{len(missing)} of {len(wanted)} regulators ({origin}) are not among the genes and "
            f"are left out: {listed(missing)}. Check their names if you expected them"
            + (f"; {len(masked)} are excluded by mask_var=." if masked else "."),
            PyscesWarning,
            stacklevel=outside(),
        )
    if organism is not None and (other is not None or len(chosen) < _FEW * len(genes)):
        warnings.warn(
            f"Only {len(chosen)} of {len(genes)} genes ({len(chosen) / len(genes):.1%}) are in the "
            f"built-in list of transcription factors of {organism}, where about 7 % are usual. "
            f"{looks}{_transposed(wanted, samples)}If the data are of another organism or have "
            "other names than symbols, pass regulators=, or the column of .var with symbols as "
            "gene_symbols=.",
            PyscesWarning,
            stacklevel=outside(),
        )
    logger.info(
        "%d regulators (%s); %d of the list are not among the genes%s.",
        len(chosen),
        origin,
        len(missing),
        f": {listed(missing)}" if missing else "",
    )
    return chosen


def _better_organism(organism: str | None, genes: pd.Index) -> str | None:
    """Another organism whose symbols are more often among the genes, if there is one."""
    if organism is None:
        return None
    found = {name: int(genes.isin(_packaged(name)).sum()) for name in ORGANISMS}
    best = max(found, key=lambda name: found[name])
    return best if found[best] > found[organism] else None


def _transposed(wanted: Iterable[str], samples: Iterable[str]) -> str:
    """A hint if regulators are among the samples."""
    there = set(map(str, samples)) & set(wanted)
    if not there:
        return ""
    return (
        f"{len(there)} regulators are among the samples ({listed(sorted(there), 3)}): is the "
        "matrix transposed? Pass `adata.T`, samples in rows and genes in columns. "
    )


def _wanted(
    regulators: Any, genes: pd.Index, var: pd.DataFrame | None, samples: Iterable[str]
) -> tuple[list[str], str, bool]:
    """Unique names in their order, their source, and whether the user named them."""
    if regulators is None and var is not None and "regulator" in var.columns:
        marked = _marked(var["regulator"])
        # Genes that a mask or a filter excludes are not missing: they were not requested
        return [name for name in var.index[marked] if name in genes], "adata.var", False
    if regulators is None:
        organism = match_organism(genes, samples)
        return list(_packaged(organism)), f"built-in list of {organism}", False
    if isinstance(regulators, str) and regulators in ORGANISMS:
        return list(_packaged(regulators)), f"built-in list of {regulators}", False
    if isinstance(regulators, str | os.PathLike):
        check_of("regulators", os.PathLike)(regulators)
        return _from_file(Path(regulators)), f"file {Path(regulators).name}", True
    if not isinstance(regulators, Iterable) or isinstance(regulators, pd.DataFrame | dict | bytes):
        raise InputError(f"Regulators cannot be a {type(regulators).__name__}. {_WHAT_TO_PASS}")
    names = [*np.atleast_1d(regulators)] if isinstance(regulators, np.ndarray) else [*regulators]
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
    lines = [line for line in lines if line]
    if len(lines) == 1:  # all names in one line
        names = re.split(r"[\t,;]+" if re.search(r"[\t,;]", lines[0]) else r"\s+", lines[0])
    else:
        names = [re.split(r"[\t,;]", line)[0] for line in lines]
    names = [name.strip().strip("\"'").strip() for name in names]
    if names and names[0].lower() in _HEADERS:
        names = names[1:]
    return list(dict.fromkeys(name for name in names if name))
