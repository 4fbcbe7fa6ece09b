"""Correct for pleiotropy: regulators that seem active because they share targets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy import special

from pysces._checks import check_integer, check_number, check_one_of
from pysces._messages import listed, nearest
from pysces.dispatch import operations as ops
from pysces.dispatch.blocks import blocks
from pysces.errors import InputError
from pysces.viper._nulls import against_null
from pysces.viper._regulons import Regulons
from pysces.viper._statistics import stacked_tables, tables, two_sided

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEAST_TARGETS = 5  # smallest regulon that is scored again
_MOST_TESTS = 4_000_000  # per call of a kernel


@dataclass(frozen=True)
class Pleiotropy:
    """Which regulators are compared, and how strongly shared targets are penalised.

    Attributes
    ----------
    regulators
        Compare regulators with a p-value below this value; if it is 1 or more, this number of the
        most significant regulators.
    shadow
        Significance level of shared targets. Only used with ``method="absolute"``.
    targets
        Minimum number of targets that a pair shares.
    penalty
        Strength of the penalty.
    method
        ``"adaptive"``: a penalty that grows with the difference of the p-values. ``"absolute"``:
        a constant penalty for a regulator in whose regulon the shared targets are significant,
        while they are not significant in that of the other regulator.
    """

    regulators: float = 0.05
    shadow: float = 0.05
    targets: int = 10
    penalty: float = 20.0
    method: Literal["adaptive", "absolute"] = "adaptive"

    def __post_init__(self) -> None:
        check_one_of("method of pleiotropy", self.method, ("adaptive", "absolute"))
        check_number(
            "regulators of pleiotropy", self.regulators, 0, np.inf, open_low=True, open_high=True
        )
        check_number("shadow of pleiotropy", self.shadow, 0, 1, open_low=True)
        check_integer("targets of pleiotropy", self.targets, 1)
        check_number("penalty of pleiotropy", self.penalty, 1, np.inf, open_high=True)


def pleiotropy_of(value: bool | Mapping[str, Any]) -> Pleiotropy | None:
    """Parse the parameter ``pleiotropy`` of a run: False, True (defaults), or a dict."""
    if isinstance(value, Mapping):
        known = list(Pleiotropy.__dataclass_fields__)
        if unknown := [name for name in value if name not in known]:
            raise InputError(
                f"pleiotropy has no key {listed(unknown)}{nearest(unknown[0], known)}. "
                f"Keys: {listed(known)}."
            )
        return Pleiotropy(**value)
    if not isinstance(value, bool | np.bool_):
        raise InputError(f"pleiotropy must be True, False or a dict. Got {value!r:.80}.")
    return Pleiotropy() if value else None


@dataclass(frozen=True)
class Pairs:
    """Ordered pairs of regulons with enough targets in common.

    ``shared[indptr[p] : indptr[p + 1]]``: positions, within the first regulon, of the targets that
    the second regulon has too. ``reverse[p]``: index of the same pair in reverse order.
    """

    first: NDArray[np.int32]
    second: NDArray[np.int32]
    reverse: NDArray[np.intp]
    indptr: NDArray[np.int64]
    shared: NDArray[np.int32]


def shared_pairs(regulons: Regulons, least: int, among: NDArray[np.bool_] | None = None) -> Pairs:
    """Ordered pairs of regulons (of those marked, or of all) sharing at least `least` targets."""
    n = len(regulons.names)
    marked = np.ones(n, dtype=bool) if among is None else among
    edges = np.flatnonzero(marked[regulons.owner])
    edges = edges[np.argsort(regulons.targets[edges], kind="stable")]
    # Match each edge with all edges that have the same target.
    genes = regulons.targets[edges]
    degree = np.bincount(genes, minlength=len(regulons.genes))
    start = np.cumsum(degree) - degree
    own = np.repeat(edges, degree[genes])
    other = edges[_ranges(start[genes], degree[genes])]
    apart = regulons.owner[own] != regulons.owner[other]
    own, other = own[apart], other[apart]
    code = regulons.owner[own] * n + regulons.owner[other]
    order = np.lexsort((own, code))
    pair, sizes = np.unique(code[order], return_counts=True)
    enough = sizes >= least
    places = (own - regulons.indptr[regulons.owner[own]])[order][np.repeat(enough, sizes)]
    pair, sizes = pair[enough], sizes[enough]
    first, second = pair // n, pair % n
    return Pairs(
        first=first.astype(np.int32),
        second=second.astype(np.int32),
        reverse=np.searchsorted(pair, second * n + first),
        indptr=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        shared=places.astype(np.int32),
    )


@dataclass(frozen=True)
class Penalised:
    """Regulons with penalised likelihoods, which differ between cells.

    Item t is regulon ``regulon[t]`` in cell ``cell[t]``; its edges are those of regulon t of
    ``regulons``.
    """

    cell: NDArray[np.int32]
    regulon: NDArray[np.int32]
    regulons: Regulons


def penalised_regulons(
    values: NDArray[np.float64],
    nes: NDArray[np.float64],
    regulons: Regulons,
    options: Pleiotropy,
    pairs: Pairs | None = None,
) -> Penalised | None:
    """Penalise shared targets: which regulons in which cells, and the remaining likelihoods.

    values: signature [cells genes]. nes: [cells regulons]. pairs: :func:`shared_pairs`, if known.
    """
    chosen = _candidates(nes, options.regulators)
    pairs = shared_pairs(regulons, options.targets) if pairs is None else pairs
    if len(pairs.first) == 0:
        return None
    cell, pair = np.nonzero(chosen[:, pairs.first] & chosen[:, pairs.second])
    if len(cell) == 0:
        return None
    owner = pairs.first[pair]
    direction = np.where(nes[cell, owner] < 0, -1, 1)
    score = ops.shared_target_scores(
        values,
        direction.astype(np.int32),
        cell.astype(np.int32),
        pair.astype(np.int32),
        pairs.first,
        pairs.indptr,
        pairs.shared,
        stacked_tables(int(regulons.sizes.max())),
        **regulons.arrays(),
    )
    # Tests are sorted by cell, then by pair; each pair is tested in both directions.
    code = cell * len(pairs.first) + pair
    mirrored = np.searchsorted(code, cell * len(pairs.first) + pairs.reverse[pair])
    log_p = special.log_ndtr(-score) / np.log(10)
    difference = log_p[mirrored] - log_p
    partners = np.bincount(cell * len(regulons.names) + owner)
    share = partners[cell * len(regulons.names) + owner]
    if options.method == "adaptive":
        hit = difference > 0
        log_factor = np.log1p(np.where(hit, difference, 0.0)) * (options.penalty / share)
    else:
        limit = np.log10(options.shadow)
        hit = (log_p < limit) & (log_p[mirrored] > limit)
        log_factor = np.log(options.penalty) / share
    return _laid_out(cell[hit], pair[hit], log_factor[hit], pairs, regulons)


def _candidates(nes: NDArray[np.float64], regulators: float) -> NDArray[np.bool_]:
    """Regulators to compare in each cell; none if there are fewer than two."""
    p = np.where(np.isnan(nes), 1.0, two_sided(nes))
    if regulators < 1:
        chosen = p < regulators
    else:
        order = np.argsort(p, axis=1, kind="stable")[:, : int(regulators)]
        chosen = np.zeros(p.shape, dtype=bool)
        np.put_along_axis(chosen, order, True, axis=1)
    return np.asarray(chosen & (chosen.sum(axis=1, keepdims=True) > 1))


def _laid_out(
    cell: NDArray[np.intp],
    pair: NDArray[np.intp],
    log_factor: NDArray[np.float64],
    pairs: Pairs,
    regulons: Regulons,
) -> Penalised | None:
    """Edges of the penalised regulons of each cell, with their remaining likelihoods."""
    n = len(regulons.names)
    task_code, task = np.unique(cell * n + pairs.first[pair], return_inverse=True)
    if len(task_code) == 0:
        return None
    own = (task_code % n).astype(np.int32)
    sizes = regulons.sizes[own]
    indptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    edges = _ranges(regulons.indptr[own], sizes)
    # A penalty applies to all shared targets of its pair; penalties of a target multiply.
    width = np.diff(pairs.indptr)[pair]
    places = pairs.shared[_ranges(pairs.indptr[pair], width)]
    at = np.repeat(indptr[task], width) + places
    total = np.bincount(at, weights=np.repeat(log_factor, width), minlength=len(edges))
    laid = replace(
        regulons,
        names=regulons.names[own],
        indptr=indptr,
        targets=regulons.targets[edges],
        mode=regulons.mode[edges],
        likelihood=regulons.likelihood[edges] * np.exp(-total),
        missing=regulons.missing[own],
    )
    return Penalised((task_code // n).astype(np.int32), own, laid)


def _ranges(starts: NDArray[np.integer], sizes: NDArray[np.integer]) -> NDArray[np.int64]:
    """The concatenated ranges start, start + 1, ..., start + size - 1."""
    ends = np.cumsum(sizes)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - (ends - sizes), sizes)


def correct(
    values: NDArray[np.float64],
    nes: NDArray[np.float64],
    regulons: Regulons,
    options: Pleiotropy,
    *,
    null: NDArray[np.float64] | None = None,
    compat: Literal["r"] | None = None,
    pairs: Pairs | None = None,
) -> NDArray[np.float64]:
    """NES corrected for pleiotropy (Alvarez et al. 2016).

    values: signature [cells genes]. nes: [cells regulons]. null: null signatures [nulls genes];
    if given, corrected scores are compared with corrected null scores. compat: passed to
    :func:`pysces.viper._nulls.approximate_cdf`. pairs: :func:`shared_pairs`, if known.
    """
    nothing = np.zeros(nes.shape)
    return corrected_scores(
        values, nothing, nes, regulons, options, null=null, compat=compat, pairs=pairs
    )[1]


def corrected_scores(
    values: NDArray[np.float64],
    es: NDArray[np.float64],
    nes: NDArray[np.float64],
    regulons: Regulons,
    options: Pleiotropy,
    *,
    null: NDArray[np.float64] | None = None,
    compat: Literal["r"] | None = None,
    pairs: Pairs | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Enrichment scores and NES [cells regulons], corrected as in :func:`correct`."""
    es, corrected = es.copy(), nes.copy()
    pairs = shared_pairs(regulons, options.targets) if pairs is None else pairs
    for part in blocks(len(values), max(1, _MOST_TESTS // max(1, len(pairs.first)))):
        found = penalised_regulons(values[part], nes[part], regulons, options, pairs)
        if found is not None:
            scores = _scored_again(values[part], es[part], nes[part], found, null, compat)
            es[part], corrected[part] = scores
    return es, corrected


def _scored_again(
    values: NDArray[np.float64],
    es: NDArray[np.float64],
    nes: NDArray[np.float64],
    found: Penalised,
    null: NDArray[np.float64] | None,
    compat: Literal["r"] | None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    table_start, quantiles = tables(values)
    given: dict[str, Any] = {
        "table_start": table_start,
        "quantiles": quantiles,
        **found.regulons.arrays(),
    }
    es_again, again = ops.paired_area(
        values,
        np.full(len(values), -1, dtype=np.int32),
        cell=found.cell,
        regulon=np.arange(len(found.cell), dtype=np.int32),
        **given,
    )
    if null is not None:
        given["table_start"], given["quantiles"] = tables(null)
        shuffled, _ = ops.area(null, np.full(len(null), -1, dtype=np.int32), **given)
        again = against_null(es_again[None], shuffled, always_empirical=True, compat=compat)[0]
    es, nes = es.copy(), nes.copy()
    large = found.regulons.sizes >= _LEAST_TARGETS
    at = (found.cell[large], found.regulon[large])
    es[at], nes[at] = es_again[large], again[large]
    return es, nes
