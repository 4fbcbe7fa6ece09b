"""Names of the columns of networks in other programs."""

from __future__ import annotations

import logging
import warnings

import numpy as np
import pandas as pd

from pysces._messages import listed, outside
from pysces._reading import numbers_of
from pysces.errors import InputError, MissingKeyError, PyscesWarning
from pysces.network._edges import COLUMNS, RANGES
from pysces.network._signs import flags_of, signs_of

logger = logging.getLogger("pysces")

GROUP = "group"
"""Column with the group, in a table of the networks of several groups."""

# Names in lower case, the preferred one first. Sources: pyviper, SCENIC,
# GENIE3 (regulatoryGene, targetGene), SJARACNe (spearman, pearson), pyscenic add_cor (rho),
# SCENIC+ (rho_TF2G), Pando (estimate, corr, padj), CellOracle (coef_mean), decoupler 1 (geneset)
_ENDS = {
    "source": (("regulator", "tf"), ("regulatorygene",), ("geneset",)),
    "target": (("targetgene",), ("genesymbol",)),
}
_NUMBERS = {
    "correlation": ("scc", "spearman", "rho", "rho_tf2g", "corr", "cor", "pearson"),
    "weight": ("importance", "importance_tf2g", "estimate", "coef_mean"),
    "pvalue": ("p_value", "p-value", "p.value", "pval"),
    "qvalue": ("q_value", "q-value", "padj"),
}
# Columns that give the sign of an edge if no other column does
_MODES = ("mode", "sign", "regulation", "effect", "tfmode", "moa", "interaction", "direction")
_STIMULATION = (
    ("is_stimulation", "is_inhibition"),
    ("consensus_stimulation", "consensus_inhibition"),
)


def known_columns(edges: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Rename known columns to those of a network; return them and the columns left out.

    An alias (``regulator``, ``TF``) is used only if the name itself is absent, and if its numbers
    are valid for the column. Columns that give the sign of an edge in words or by flags, as in
    OmniPath, become ``mor`` if no other column gives it.
    """
    lower = {column: str(column).strip().lower() for column in edges.columns}
    present = set(lower.values())
    once = edges.loc[:, ~edges.columns.duplicated()]
    names = {c: name for c, name in lower.items() if name in ("source", "target", *COLUMNS)}
    for name, aliases in end_names(present).items():
        names |= {c: name for c, alias in lower.items() if alias in aliases}
    by_name = {alias: column for column, alias in reversed(lower.items())}
    for name, aliases in _NUMBERS.items():
        found = (by_name[alias] for alias in aliases if alias in by_name)
        if name not in present and (
            column := next((c for c in found if _can_be(once[c], name)), None)
        ):
            names[column] = name
    known = edges[list(names)].rename(columns=names)
    used = set(names)
    if not _tells_signs(known) and (modes := _modes(once, by_name)) is not None:
        known["mor"] = modes[0]
        used |= modes[1]
    left_out = [str(column) for column in edges.columns if column not in used]
    return known, left_out


def rows_of_group(edges: pd.DataFrame, group: str | None, where: str) -> pd.DataFrame:
    """The rows of one group of a table of several networks, without its column ``group``.

    Raises
    ------
    InputError
        If there are several groups and none is given.
    MissingKeyError
        If there is no such group.
    """
    column = next((c for c in edges.columns if str(c).strip().lower() == GROUP), None)
    if column is None:
        if group is not None:
            raise MissingKeyError(
                f"{where} holds one network, not networks of groups. Leave out group=, or run "
                "`pysces.run_aracne(adata, groupby=...)`."
            )
        return edges
    labels, groups = edges[column].astype(str), groups_of(edges)
    if group is None and len(groups) > 1:
        raise InputError(
            f"{where} holds the networks of {len(groups)} groups: {listed(groups)}. Choose one "
            "with group=."
        )
    if group is not None and group not in groups:
        raise MissingKeyError(
            f"Did not find a network of group {group!r} in {where}. Groups: {listed(groups)}."
        )
    own = edges if group is None else edges[labels == group]
    return own.drop(columns=column)


def groups_of(edges: pd.DataFrame) -> list[str]:
    """Groups of a table of several networks, named by its column ``group``; none without it."""
    column = next((c for c in edges.columns if str(c).strip().lower() == GROUP), None)
    if column is None:
        return []
    if hasattr(edges[column], "cat"):  # including groups without edges
        return edges[column].cat.categories.astype(str).tolist()
    return edges[column].dropna().astype(str).unique().tolist()


def end_names(present: set[str]) -> dict[str, tuple[str, ...]]:
    """The aliases of source and target to use if these names themselves are absent."""
    found = {
        name: next((rank for rank in ranks if present.intersection(rank)), ())
        for name, ranks in _ENDS.items()
        if name not in present
    }
    return {name: aliases for name, aliases in found.items() if aliases}


def named_columns(edges: pd.DataFrame, what: str) -> pd.DataFrame:
    """Apply `known_columns`; log the columns left out, and warn if they may give signs."""
    known, left_out = known_columns(edges)
    if left_out:
        logger.info("%s: left out the columns %s.", what, listed(left_out))
    if not _tells_signs(known):
        once = edges.loc[:, ~edges.columns.duplicated()]
        signed = [
            str(column)
            for column in once.columns
            if str(column) in left_out and (numbers_of(once[column]) < 0).any()
        ]
        if signed:
            warnings.warn(
                f"{what}: left out the columns {listed(signed)} with negative numbers, and no "
                "other column gives the sign of edges: all count as activating. If one of them "
                "does, rename it to 'mor' (between -1 and 1), 'correlation' or 'weight'.",
                PyscesWarning,
                stacklevel=outside(),
            )
    return known


def _can_be(column: pd.Series, name: str) -> bool:
    """Whether the numbers of a column are valid for its name."""
    numbers = numbers_of(column)
    low, high = RANGES.get(name, (-np.inf, np.inf))
    inside = ((numbers >= low) & (numbers <= high)) | numbers.isna()
    # An edge without a p-value is kept, but one of unknown sign cannot be used
    missing = numbers.isna().any() if name in ("pvalue", "qvalue") else numbers.isna().all()
    return bool(inside.all() and not (missing and len(numbers)))


def _tells_signs(known: pd.DataFrame) -> bool:
    """Whether modes of regulation can be derived from these columns."""
    if {"mor", "correlation"} & set(known.columns):
        return True
    return "weight" in known.columns and bool((numbers_of(known["weight"]) < 0).any())


def _modes(edges: pd.DataFrame, by_name: dict[str, str]) -> tuple[pd.Series, set[str]] | None:
    """Modes of regulation, and the columns that they were derived from."""
    for names in _STIMULATION:
        columns = [by_name[name] for name in names if name in by_name]
        flags = [flags_of(edges[column]) for column in columns]
        if len(flags) == 2 and flags[0] is not None and flags[1] is not None:
            return flags[0] - flags[1], set(columns)
    for name in _MODES:
        if name in by_name and (signs := signs_of(edges[by_name[name]])) is not None:
            return signs, {by_name[name]}
    return None
