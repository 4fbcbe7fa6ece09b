"""Select regulators: built-in lists of transcription factors and others, and lists of the user."""

from __future__ import annotations

import functools
import importlib.resources
import logging
import os
import re
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd

from pysces._messages import listed, outside
from pysces._parameters import check_of, checked
from pysces._reading import lines, reading
from pysces.errors import InputError, PyscesWarning

if TYPE_CHECKING:
    from collections.abc import Sequence

logger = logging.getLogger("pysces")

Organism = Literal["human", "mouse"]
Kind = Literal["tf", "cofactor", "chromatin", "signalling", "surface"]
ORGANISMS: tuple[str, ...] = get_args(Organism)
KINDS: tuple[str, ...] = get_args(Kind)
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
_N_GENES = 20_000  # that code for proteins
_FEW = 1 / 8  # of the usual share of regulators among the genes
_VERSION = re.compile(r"(ENS[A-Z]*G\d+)\.\d+", re.IGNORECASE)
_WORDS = {
    "tf": "transcription factors",
    "cofactor": "co-factors",
    "chromatin": "chromatin regulators",
    "signalling": "signalling proteins",
    "surface": "surface proteins",
}
_WHAT_TO_PASS = (
    "Pass regulators= with a list of gene names, the path of a text file (one name per line), "
    "'human', 'mouse' or a kind ('cofactor'), or mark regulators in a boolean column "
    "adata.var['regulator']."
)


@checked()
def regulators(organism: str, kind: Kind = "tf") -> list[str]:
    """Symbols of the transcription factors of an organism, or of other regulators.

    Parameters
    ----------
    organism
        ``"human"`` or ``"mouse"``.
    kind
        ``"tf"``: transcription factors. ``"cofactor"``: co-activators, co-repressors, mediator,
        inhibitors such as ID1, general initiation factors. ``"chromatin"``: remodelers, writers,
        erasers and readers of histone marks and DNA methylation. ``"signalling"``: receptors and
        their ligands, kinases, phosphatases, small GTPases and their regulators, adaptors.
        ``"surface"``: proteins of the plasma membrane. The first four share no gene; surface
        proteins are often signalling proteins too.

    Returns
    -------
    list of str
        Gene symbols, from tables in the package with the family of each gene. Transcription
        factors were compiled by families of their DNA-binding domains; the other kinds are genes
        with reviewed annotations of Gene Ontology by 2022, and their mouse orthologs. Neither is
        complete: pass a list of your own where a certain gene matters.

    Raises
    ------
    InputError
        For another organism or kind.

    References
    ----------
    Lambert et al. 2018, Cell 172:650 (families of transcription factors); Gene Ontology Consortium
    2021, Nucleic Acids Res 49:D325 (annotations, CC BY 4.0).

    Examples
    --------
    >>> "MYC" in regulators("human"), "Myc" in regulators("mouse")
    (True, True)
    >>> "EZH2" in regulators("human", "chromatin"), "ID1" in regulators("human", "cofactor")
    (True, True)
    """
    if organism not in ORGANISMS:
        raise InputError(
            f"There is no list of regulators of {organism!r}, only of {listed(ORGANISMS)}. "
            "Pass a list of your own."
        )
    return list(_packaged(organism, kind))


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


def built_in_list(
    regulators: Any,
    genes: Iterable[str],
    var: pd.DataFrame | None,
    organism: str | None = None,
    samples: Iterable[str] = (),
) -> tuple[str, str] | None:
    """Organism and kind of the built-in list that is used; None for regulators of the user.

    Raises
    ------
    InputError
        If an organism is given for regulators of the user, or another one than in `regulators`.
    """
    by_name = isinstance(regulators, str) and regulators in (*ORGANISMS, *KINDS)
    marked = var is not None and "regulator" in var.columns
    if not by_name and (regulators is not None or marked):
        if organism is not None:
            raise InputError(
                f"organism={organism!r} requires a built-in list, but regulators are "
                + ("given." if regulators is not None else "marked in adata.var['regulator'].")
                + f" Leave it out, or pass regulators= as one of {listed(KINDS)}."
            )
        return None
    if regulators in ORGANISMS:
        if organism not in (None, regulators):
            raise InputError(
                f"regulators={regulators!r} and organism={organism!r} contradict each other. "
                "Leave out one of them."
            )
        return regulators, "tf"
    return organism or match_organism(genes, samples), "tf" if regulators is None else regulators


def resolve_regulators(
    regulators: Any,
    genes: pd.Index | Sequence[str],
    var: pd.DataFrame | None = None,
    samples: Iterable[str] = (),
    organism: str | None = None,
) -> list[str]:
    """Names of the regulators that are among the genes, in the order of the genes.

    Parameters
    ----------
    regulators
        A list, Index, Series or array of names, the path of a text file with one name per line, or
        with all names in one line (``#`` starts a comment), ``"human"`` or ``"mouse"``, or a kind
        of the built-in lists. ``None`` takes the boolean column ``var["regulator"]`` if there is
        one, else the built-in transcription factors.
    genes
        Gene names of the expression matrix.
    var
        ``adata.var``, with gene names as its index.
    samples
        Names of the samples, to recognise transposed data.
    organism
        Organism of a built-in list; None for the one whose symbols match best.

    Raises
    ------
    InputError
        If no regulator is among the genes, or ``regulators`` cannot be understood.

    Warns
    -----
    PyscesWarning
        If regulators that the user named are not among the genes (how many, and the first), or
        differ from them in blanks, case or the version of an identifier; if genes look like those
        of another organism, or very few of them are in the built-in list.

    Examples
    --------
    >>> resolve_regulators(["MAX", "MYC"], ["ACTB", "MYC", "MAX"])
    ['MYC', 'MAX']
    """
    genes = pd.Index(genes)
    built_in = built_in_list(regulators, genes, var, organism, samples)
    wanted, origin, named_by_user = _wanted(regulators, genes, var, built_in)
    if not wanted:
        raise InputError(f"The list of regulators ({origin}) is empty. {_WHAT_TO_PASS}")
    found = set(genes[genes.isin(wanted)])
    organism, kind = built_in or (None, "tf")
    usual = len(wanted) / _N_GENES
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
    if organism is not None and (other is not None or len(chosen) < _FEW * usual * len(genes)):
        warnings.warn(
            f"Only {len(chosen)} of {len(genes)} genes ({len(chosen) / len(genes):.1%}) are in the "
            f"built-in list of {_WORDS[kind]} of {organism}, where about "
            f"{100 * usual:.0f} % are usual. "
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
    regulators: Any,
    genes: pd.Index,
    var: pd.DataFrame | None,
    built_in: tuple[str, str] | None,
) -> tuple[list[str], str, bool]:
    """Unique names in their order, their source, and whether the user named them."""
    if regulators is None and var is not None and "regulator" in var.columns:
        marked = _marked(var["regulator"])
        # Genes that a mask or a filter excludes are not missing: they were not requested
        return [name for name in var.index[marked] if name in genes], "adata.var", False
    if built_in is not None:
        organism, kind = built_in
        of_kind = "" if kind == "tf" else f"{_WORDS[kind]} of "
        return list(_packaged(organism, kind)), f"built-in list of {of_kind}{organism}", False
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
def _packaged(organism: str, kind: str = "tf") -> tuple[str, ...]:
    name = f"{'' if kind == 'tf' else 'other_'}regulators_{organism}.tsv"
    text = (importlib.resources.files("pysces.data") / name).read_text(encoding="utf-8")
    if kind != "tf":
        text = "\n".join(line for line in text.splitlines() if f"\t{kind}\t" in line)
    return tuple(_first_fields(text))


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
