"""Activities of one network in all cells, computed in blocks of cells."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pysces.data._sources import PASS_BYTES
from pysces.dispatch.blocks import blocks, progress
from pysces.dispatch.cluster import connected, in_order
from pysces.dispatch.engines import side_by_side, threads
from pysces.viper._cells import by_blocks, by_name, stored_per_cell
from pysces.viper._depth_scores import score_given_depth
from pysces.viper._enrichment import (
    cells_of_block,
    common_rank_deviation,
    score_block,
    takes_sparse,
)
from pysces.viper._metaviper import (
    all_regulators,
    combine_narnea,
    combine_networks,
    own_network,
)
from pysces.viper._nulls import (
    against_null,
    bootstrap_draws,
    bootstrap_plan,
    bootstrapped_area,
    null_signature,
)
from pysces.viper._options import ViperOptions
from pysces.viper._pleiotropy import correct, shared_pairs
from pysces.viper._regulons import Regulons, align
from pysces.viper._signatures import Signature, fit
from pysces.viper._statistics import benjamini_hochberg, two_sided

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pysces.data._count_data import CountData
    from pysces.data._expression import Expression
    from pysces.network import Network

log = logging.getLogger("pysces")

_SENT_BYTES = 8 * 2**20  # of cells sent to a worker at a time
_MOST_REFERENCE = 1000  # cells from which null samples are drawn


_TABLES = {
    "area": ["nes"],
    "narnea": ["nes", "pes", "pvalue"],
    "mean": ["nes"],
    "score": ["nes"],
}


_FEWEST = 64  # cells of a block that a thread scores

# Value for a regulator that is not in the network of a cell; 0 in other tables.
_NOT_IN = {"pvalues": 1.0, "qvalues": 1.0}

Tables = dict[str, "NDArray[np.float64]"]


@dataclass(frozen=True)
class Scorer:
    """Scores of cells by one network; other processes can compute them too.

    Attributes
    ----------
    regulons
        The regulons over the genes that are scored.
    columns
        The genes that are scored, among those of the data.
    step
        Number of cells of a block.
    score
        Returns the scores of a block of cells: one table (cells x regulators) per score (nes,
        pvalue, pes, sd), from the expression of these genes and the positions of the cells.
    in_threads
        Whether it may be called by several threads.
    """

    regulons: Regulons
    columns: NDArray[np.intp]
    step: int
    score: Callable[[Expression, slice], Tables]
    in_threads: bool = False


def scorer(
    source: Expression,
    names: pd.Index,
    network: Network,
    options: ViperOptions,
    *,
    counts: CountData | None,
    reference: NDArray[np.intp] | None,
) -> Scorer:
    """Prepare to score cells by one network, from the reference cells.

    source: cells x genes. names: names of the cells. options: signature and enrichment must be
    resolved (not "auto"). counts: if given, counts are scored given the depth of their cell.
    reference: rows of the cells to compare with.
    """
    if counts is not None:
        given_depth = score_given_depth(counts, names, network, options, reference)
        by_rows = options.enrichment == "score" and counts.expression.is_sparse
        return Scorer(*given_depth, in_threads=by_rows)
    sizes: Any = {"min_targets": options.min_targets, "filter_genes": options.filter_genes}
    regulons = align(network, source.genes, **sizes)
    cells = source.take_genes(regulons.columns)
    if options.n_bootstraps:
        draws = by_name(names)[bootstrap_draws(cells.n_samples, options.n_bootstraps, options.seed)]
        score = bootstrapped_area(cells, regulons, draws)
    else:
        score = _against_reference(cells, names, regulons, options, reference)
    stored = stored_per_cell(cells) if _takes_sparse(options) else None
    step = cells_of_block(cells.n_samples, cells.n_genes, regulons, stored)
    return Scorer(regulons, regulons.columns, step, score, in_threads=stored is not None)


Window = tuple[slice, "Expression"]  # positions of consecutive cells, and these cells


@dataclass(frozen=True)
class WindowScorer:
    """Scores of consecutive cells by several networks.

    Attributes
    ----------
    scorers
        That of each network.
    step
        Number of cells of a block.
    """

    scorers: Sequence[Scorer]
    step: int

    def __call__(self, window: Window, ticks: Iterator[Any] | None = None) -> list[Tables]:
        """Tables of each network; ``ticks`` is advanced after each block of cells."""
        place, cells = window
        own = [cells.take_genes(one.columns) for one in self.scorers]

        def score(part: slice) -> list[Tables]:
            at = slice(place.start + part.start, place.start + part.stop)
            pairs = zip(self.scorers, own, strict=True)
            return [one.score(chosen.take_samples(part), at) for one, chosen in pairs]

        # The workers of a cluster have no ticks, and one thread each.
        several = ticks is not None and all(one.in_threads for one in self.scorers)
        parts = blocks(cells.n_samples, self.step)
        found = []
        for tables in side_by_side(score, parts) if several else map(score, parts):
            found.append(tables)
            if ticks is not None:
                next(ticks, None)
        return [
            {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
            for tables in zip(*found, strict=True)
        ]

    # On a cluster a window is one piece of work.

    def parts(self, count: int) -> list[slice]:
        """A single part."""
        return [slice(None)]

    def part(self, window: Window, part: slice) -> list[Tables]:
        """The whole."""
        return self(window)

    def join(self, parts: list[list[Tables]]) -> list[Tables]:
        """The single part."""
        return parts[0]


def scored(
    source: Expression, scorers: Sequence[Scorer], client: Any = None
) -> Generator[tuple[slice, list[Tables]], None, None]:
    """Score all cells in order: yield positions of cells, and their tables by each network.

    client: as for `connected`. A few windows of cells are in memory at a time.
    """
    n_cells = source.n_samples
    step = min(one.step for one in scorers)
    several = threads() if client is None and all(one.in_threads for one in scorers) else 1
    if several > 1:  # a few blocks for each thread
        step = min(step, max(_FEWEST, -(-n_cells // (4 * several))))
    work = WindowScorer(scorers, step)
    # As many cells as their values or scores fill the memory of a window.
    each = max(source.sample_bytes, 32.0 * sum(len(one.regulons.names) for one in scorers))
    with connected(client) as cluster:
        size = PASS_BYTES if cluster is None else _SENT_BYTES
        length = max(1, round(size / each / step)) * step
        if cluster is None and source.in_memory:  # a window is not read
            length = max(length, 16 * several * step)
        total = -(-n_cells // (step if cluster is None else length))
        ticks = iter(progress(range(total), "activity", total=total, unit="block"))
        with contextlib.closing(source.windows(length)) as windows:
            if cluster is None:
                yield from ((window[0], work(window, ticks)) for window in windows)
            else:
                sent = (
                    (place, cluster.scatter(cells.loaded(), hash=False)) for place, cells in windows
                )
                found = in_order(cluster, work, sent, total)
                for place, tables in zip(blocks(n_cells, length), found, strict=True):
                    next(ticks, None)
                    yield place, tables
        next(ticks, None)  # ends the progress bar


class Join:
    """Combine the scores of cells by several networks, to the tables of the result.

    Attributes
    ----------
    regulators
        Columns of every table.
    """

    def __init__(
        self,
        names: Sequence[pd.Index],
        options: ViperOptions,
        assignment: NDArray[np.intp] | None,
    ) -> None:
        """names: regulators of each network. assignment: network of each cell; None: combine."""
        self._names, self._options, self._assignment = names, options, assignment
        self.regulators = names[0] if len(names) == 1 else all_regulators(names)
        tested = options.n_permutations or options.enrichment in ("narnea", "gsea")
        if len(names) > 1 and assignment is None and tested:
            log.warning(
                "p-values are not available: the null distribution of combined scores of %d "
                "networks is unknown. Pass one network, or groupby= and the network of each group.",
                len(names),
            )

    def __call__(self, scores: tuple[slice, list[Tables]]) -> tuple[slice, Tables]:
        """Tables of some cells by the fields of an `ActivityResult`."""
        place, found = scores
        joined = found[0] if len(found) == 1 else self._joined(place, found)
        if (pvalues := joined.pop("pvalue", None)) is not None:
            joined |= {"pvalues": pvalues, "qvalues": benjamini_hochberg(pvalues)}
        if self._assignment is not None:
            for name, table in joined.items():
                table[np.isnan(table)] = _NOT_IN.get(name, 0.0)
        return place, joined

    def _joined(self, place: slice, found: list[Tables]) -> Tables:
        options = self._options
        tables = {
            name: [
                pd.DataFrame(one[name], columns=names)
                for one, names in zip(found, self._names, strict=True)
            ]
            for name in found[0]
        }
        if self._assignment is not None:
            own = self._assignment[place]
            joined = {name: own_network(parts, own) for name, parts in tables.items()}
        elif options.enrichment == "narnea" and options.weighting == 1.0:
            nes, pes = combine_narnea(tables["nes"], tables["pes"])
            joined = {"nes": nes, "pes": pes}
        else:
            joined = {"nes": combine_networks(tables["nes"], weighting=options.weighting)}
        return {name: table.to_numpy(copy=True) for name, table in joined.items()}


def _against_reference(
    cells: Expression,
    names: pd.Index,
    regulons: Regulons,
    options: ViperOptions,
    reference: NDArray[np.intp] | None,
) -> Callable[[Expression, slice], Tables]:
    """Scores of signatures against the reference cells."""
    method: Any = options.signature
    fitted = fit(cells, method, reference)
    scoring, pleiotropy = options.scoring, options.pleiotropic
    kind = scoring.enrichment
    null, null_scores, max_rank_deviation = None, None, -1
    if options.compat == "r-matrix":
        max_rank_deviation = common_rank_deviation(fitted.of(values) for values in by_blocks(cells))
    if options.n_permutations and kind != "gsea":
        null = _null_signatures(cells, names, options, fitted, reference)
        null_deviation = -1 if options.compat is None else common_rank_deviation([null])
        null_scores = _raw(
            score_block(null, regulons, scoring, max_rank_deviation=null_deviation), kind
        )
    wanted = _TABLES.get(kind)
    if wanted is None:
        wanted = ["nes", "pvalue"] if scoring.n_permutations else ["nes"]
    wanted = list(dict.fromkeys([*wanted, *(["pvalue"] if null is not None else [])]))
    pairs = None
    if pleiotropy is not None:
        pairs = shared_pairs(regulons, pleiotropy.targets)
    zero = fitted.of_zero(cells.n_genes)
    sparse = _takes_sparse(options)

    def score(block: Expression, _: slice) -> Tables:
        values: Any
        if (rows := block.sparse_block()) is None:
            values = fitted.of(block.sample_block(copy=False))
        else:
            values = fitted.of_rows(rows, zero)
            values = values if sparse else values.dense()
        scores = score_block(
            values,
            regulons,
            scoring,
            cell_names=block.samples,
            max_rank_deviation=max_rank_deviation,
        )
        nes = scores["nes"]
        if null_scores is not None:
            nes = against_null(_raw(scores, kind), null_scores)
        if pleiotropy is not None:
            nes = correct(values, nes, regulons, pleiotropy, null=null, pairs=pairs)
        scores["nes"] = nes
        if null is not None:
            scores["pvalue"] = two_sided(nes)
        return {name: scores[name] for name in wanted}

    return score


def _takes_sparse(options: ViperOptions) -> bool:
    """Whether cells of a sparse matrix stay sparse until they are ranked."""
    dense = options.pleiotropic is not None or options.n_bootstraps
    return not dense and takes_sparse(options.scoring)


def _raw(scores: dict[str, Any], kind: str) -> NDArray[np.float64]:
    """The score that is compared with null scores."""
    return scores["es"] if kind == "area" else scores["nes"]


def _null_signatures(
    cells: Expression,
    names: pd.Index,
    options: ViperOptions,
    fitted: Signature,
    reference: NDArray[np.intp] | None,
) -> NDArray[np.float64]:
    """Signatures of reference cells against bootstraps of the others [nulls genes].

    At most 1,000 cells of the reference are used, evenly spaced in the order of their names.
    """
    rows = np.arange(cells.n_samples) if reference is None else reference
    rows = rows[by_name(names[rows])]
    if len(rows) > _MOST_REFERENCE:
        rows = rows[np.linspace(0, len(rows) - 1, _MOST_REFERENCE).astype(np.intp)]
    values = fitted.near_zero(cells.sample_block(rows))
    method: Any = options.signature
    plans = bootstrap_plan(len(rows), options.n_permutations, options.seed)
    shuffled = progress(plans, "null", unit="sample")
    return np.array([null_signature(values, resample, method) for resample in shuffled])
