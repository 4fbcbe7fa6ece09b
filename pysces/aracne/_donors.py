"""Donors as replicates: the number of donors whose own samples show an edge."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pysces.aracne._candidates import Candidates, ScoredCandidates
from pysces.aracne._null import null_of
from pysces.dispatch import operations as ops
from pysces.dispatch.blocks import block_length, blocks
from pysces.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

log = logging.getLogger("pysces")

FEWEST_SAMPLES = 12  # of a half or of a donor: in fewer no dependence means anything
LEVEL = 0.05
_N_NULL = 100_000  # enough for p-values of about 0.001 to 0.05


def usable_donors(donor: NDArray[np.int64]) -> NDArray[np.int64]:
    """Donors with enough samples."""
    return np.flatnonzero(np.bincount(donor) >= FEWEST_SAMPLES)


def pvalue_of_donor(n_donors: int, min_donors: int) -> float:
    """Largest p-value of an edge in one of the donors that show it.

    The Bonferroni form of the test that fewer than `min_donors` donors have the edge (Benjamini and
    Heller 2008): if at most ``min_donors - 1`` have it, one of the other ``n_donors - min_donors +
    1`` donors must show it by chance.
    """
    return LEVEL / (n_donors - min_donors + 1)


def facts_of_donors(donor: NDArray[np.int64], min_donors: int) -> dict[str, Any]:
    """What the run record says of the donors.

    Raises
    ------
    InputError
        If there are fewer usable donors than an edge must have.
    """
    n_usable = len(usable_donors(donor))
    if n_usable < min_donors:
        raise InputError(
            f"{n_usable} donors of donor_key= have at least {FEWEST_SAMPLES} samples, but an edge "
            f"must be found in min_donors={min_donors} donors. Lower min_donors=, or leave out "
            "donor_key=."
        )
    n_small = len(np.unique(donor)) - n_usable
    if n_small:
        log.warning(
            "%d donors have fewer than %d samples and do not count as donors of an edge.",
            n_small,
            FEWEST_SAMPLES,
        )
    return {
        "n_donors": n_usable,
        "donor_pvalue_used": pvalue_of_donor(n_usable, min_donors),
    }


def donors_with(
    candidates: Candidates, row: NDArray[np.int32], gene: NDArray[np.int32], min_donors: int
) -> NDArray[np.int64] | None:
    """Number of donors whose samples show each edge, int64 [edges]; None without donors.

    A donor shows an edge if the p-value of its mutual information over the samples of the donor is
    at most that of `pvalue_of_donor`, and if, for scores of degree 1, its correlation has the sign
    of that over all samples.
    """
    donor = getattr(candidates, "donor", None)
    if donor is None:
        return None
    assert isinstance(candidates, ScoredCandidates)
    scores, rows = candidates.scores, candidates.rows
    chosen = usable_donors(donor)
    weights = np.stack([(donor == number).astype(np.uint8) for number in chosen])
    usable_rows, usable_genes = candidates.usable_rows(weights), scores.usable(weights)
    whole = _signs(rows, scores.values, row, gene)
    found = np.zeros(len(row), dtype=np.int64)
    for k, number in enumerate(chosen):
        own = np.flatnonzero(donor == number)
        own_rows = np.ascontiguousarray(rows[:, :, own])
        own_genes = np.ascontiguousarray(scores.values[:, :, own])
        mi = ops.copula_pairs(own_rows, own_genes, row, gene, scores.degree)
        estimator = replace(candidates.estimator, n=len(own), total=len(own))
        null = null_of(estimator, "permutation", _N_NULL)
        shown = null.pvalues(mi) <= pvalue_of_donor(len(chosen), min_donors)
        shown &= usable_rows[k, row] & usable_genes[k, gene]
        if scores.degree == 1:
            shown &= _signs(own_rows, own_genes, row, gene) == whole
        found += shown
    return found


def _signs(
    rows: NDArray[np.int8], genes: NDArray[np.int8], row: NDArray[np.int32], gene: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Sign of the covariance of the first scores, pair by pair."""
    n = rows.shape[2]
    found = np.empty(len(row))
    for some in blocks(len(row), block_length(24 * n, len(row))):
        x, y = rows[row[some], 0].astype(np.int64), genes[gene[some], 0].astype(np.int64)
        found[some] = n * (x * y).sum(axis=1) - x.sum(axis=1) * y.sum(axis=1)
    return np.sign(found)
