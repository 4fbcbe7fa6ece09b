"""Activities from counts given the depth of each cell: scores of counts or of residuals."""

from __future__ import annotations

import logging
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from pysces import _seeds
from pysces.data._counts import CountModel
from pysces.data._margins import ends_of, mean_scores, score_variance, zero_scores
from pysces.data._sources import Rows
from pysces.dispatch import engines
from pysces.dispatch import operations as ops
from pysces.dispatch.blocks import block_length, blocks
from pysces.dispatch.operations.viper import NOWHERE
from pysces.errors import InputError
from pysces.settings import settings
from pysces.viper._enrichment import EnrichmentOptions, cells_of_block, score_block
from pysces.viper._options import ViperOptions
from pysces.viper._pleiotropy import correct, shared_pairs
from pysces.viper._regulons import Regulons, align
from pysces.viper._score_table import BEND_STEP, depth_places, mean_places, score_table, size_places
from pysces.viper._signatures import LIMIT
from pysces.viper._statistics import two_sided

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    from numpy.typing import NDArray

    from pysces.data._count_data import CountData
    from pysces.data._expression import Expression
    from pysces.network import Network

    Floats = NDArray[np.float64]

log = logging.getLogger("pysces")

_STEP = 0.1  # of log(depth) between nodes of the sums over regulons
_FIXED = 2.0**20
_LEAST_PART = 1e-6  # smallest fraction of the variance that must remain without the shift
_CHUNK = 128  # cells whose scores are finished at a time


class DepthScores:
    """Activities of cells from their counts: sums over zeros by depth, plus nonzero terms.

    With w = mode x likelihood, h1 the score of a count (`CountModel.scores`), v its variance given
    the depth d, and c the shift that all genes of the cell share,

        c = sum_g h1_g / sum_g v_g(d)
        NES = sum_g w_g (h1_g - c v_g(d)) / sqrt(sum w^2 v - (sum w v)^2 / sum v)

    An error of the depth by a factor shifts h1 of every gene in proportion to v, which c removes.
    The sum of a regulon is that of a cell whose counts are all zero, plus the difference that each
    nonzero count makes. The former and the sums of v are tabulated at fixed values of log(depth)
    and interpolated by cubics; the latter comes from one table for all genes (`score_table`). A
    cell's score therefore depends on other cells only through the margins. The NES is within about
    1e-4 of the formula.
    """

    def __init__(self, model: CountModel, regulons: Regulons) -> None:
        """Compute the sums. model: margins of the genes of ``regulons`` (all genes)."""
        self.model = model
        n, genes = len(regulons.names), len(regulons.genes)
        weight = regulons.mode * regulons.likelihood
        largest = np.zeros(n)
        np.maximum.at(largest, regulons.owner, np.abs(weight))
        share = weight / np.where(largest > 0, largest, 1.0)[regulons.owner]
        fixed = np.rint(share * _FIXED)
        by_gene = np.argsort(regulons.targets, kind="stable")
        level = np.where(model.share > 0, mean_places(model.share), NOWHERE)
        self.arguments: Any = {
            "level": level.astype(np.int32),
            "size": size_places(model.size).astype(np.int32),
            "limit": int(LIMIT * _FIXED),
            "indptr": np.searchsorted(regulons.targets[by_gene], np.arange(genes + 1)),
            "regulon": regulons.owner[by_gene].astype(np.int32),
            "weight": fixed[by_gene].astype(np.int32),
            "n_regulons": n,
        }
        # The last sum is that of all genes, for the shift.
        edges = (np.append(fixed / _FIXED, np.ones(genes)),
                 np.append(regulons.targets, np.arange(genes, dtype=np.int32)),
                 np.append(regulons.indptr, regulons.indptr[-1] + genes))  # fmt: skip
        weights = sp.csr_array(edges, shape=(n + 1, genes))
        known = model.depth > 0
        position = np.log(np.where(known, model.depth, model.depth[known].min()))
        self.smooth, self.bends = Between(position / _STEP, 1), Between(position / BEND_STEP, 0)
        tables, bends = [], []
        for share_of_batch in model.share:
            mean = share_of_batch[:, None] * np.exp(_STEP * self.smooth.nodes)
            zero = zero_scores(mean, model.size[:, None])[0]
            variance = score_variance(mean, model.size[:, None])
            sums = [
                weights @ (np.maximum(zero, -LIMIT) - _bend(zero)),
                weights @ variance,
                (weights * weights)[:-1] @ variance,
            ]
            tables.append(np.concatenate(sums).T)
            bent = np.flatnonzero(zero[:, -1] < -LIMIT)
            mean = share_of_batch[bent, None] * np.exp(BEND_STEP * self.bends.nodes)
            bends.append((weights[:, bent] @ _bend(zero_scores(mean, model.size[bent, None])[0])).T)
        self.smooth.table, self.bends.table = np.concatenate(tables), np.concatenate(bends)

    def nes(self, rows: Rows, cells: slice) -> Floats:
        """NES of a block of cells, float64 [cells regulons]; NaN where there is no variance."""
        depth, batch = self.model.depth[cells], self.model.batch[cells]
        count = np.minimum(rows.values, np.iinfo(np.int32).max).astype(np.int32)
        table = score_table(int(count.max(initial=0)))
        large = np.flatnonzero(count >= table.shape[2])
        large = large[rows.genes[large] >= 0]
        cell = np.searchsorted(rows.indptr, large, side="right") - 1
        gene = rows.genes[large]
        direct = self._scores(rows.values[large], gene, depth[cell], batch[cell])
        count[large] = -1 - np.arange(len(large))
        known = depth > 0
        sums, total = ops.depth_sums(
            rows.indptr[:-1],
            rows.indptr[1:],
            depth_places(np.where(known, depth, 1.0)).astype(np.int32),
            batch.astype(np.int32),
            rows.genes,
            count,
            np.rint(direct * _FIXED).astype(np.int64),
            table=table,
            **self.arguments,
        )
        found = np.empty(sums.shape)
        parts = blocks(len(sums), _CHUNK)
        threads = 1 if engines.alone() else settings.threads or os.cpu_count()
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(partial(self._finish, sums, total, cells.start, found), parts))
        found[~known] = np.nan
        return found

    def _finish(
        self,
        sums: NDArray[np.int64],
        total: NDArray[np.int64],
        first: int,
        found: Floats,
        some: slice,
    ) -> None:
        """NES of some of the cells from the first on, from their sums of what counts add."""
        n = sums.shape[1]
        cells = slice(first + some.start, first + some.stop)
        batch = self.model.batch[cells]
        smooth, zeros = self.smooth.at(cells, batch), self.bends.at(cells, batch)
        zeros += smooth[:, : n + 1]
        linear, squared = smooth[:, n + 1 : 2 * n + 2], smooth[:, 2 * n + 2 :]
        with np.errstate(invalid="ignore", divide="ignore"):
            part = linear[:, :-1] / linear[:, -1:]
            shift = total[some, None] / _FIXED + zeros[:, -1:]
            value = sums[some] / _FIXED**2 + zeros[:, :-1] - shift * part
            variance = squared - linear[:, :-1] * part
            usable = (variance > _LEAST_PART * squared) & (squared > 0)
            found[some] = np.where(usable, value / np.sqrt(variance), np.nan)

    def _scores(
        self, count: Floats, gene: NDArray[np.int32], depth: Floats, batch: NDArray[np.int64]
    ) -> Floats:
        """Scores of counts beyond the table."""
        mean = self.model.share[batch, gene] * depth
        known = mean > 0
        score, _ = mean_scores(*ends_of(count[known], mean[known], self.model.size[gene[known]]))
        found = np.zeros(len(count))
        found[known] = np.clip(score, -LIMIT, LIMIT)
        return found


class Between:
    """Sums tabulated at whole numbers, one table per batch, interpolated at a place per cell.

    The nodes are the same for all cells that need them, whichever others there are.
    """

    table: Floats  # [batches x nodes, sums]

    def __init__(self, position: Floats, order: int) -> None:
        """order: 0 for linear interpolation, 1 for the cubic through the four nearest nodes."""
        node = np.floor(position).astype(np.int64)
        self.nodes = np.arange(node.min() - order, node.max() + order + 2)
        self.first, self.part = node - self.nodes[0] - order, position - node
        self.order = order

    def at(self, cells: slice, batch: NDArray[np.int64]) -> Floats:
        """Interpolated sums, float64 [cells sums]."""
        p = self.part[cells]
        weights = [1 - p, p]
        if self.order:
            weights = [
                -p * (p - 1) * (p - 2) / 6,
                (p + 1) * (p - 1) * (p - 2) / 2,
                -(p + 1) * p * (p - 2) / 2,
                (p + 1) * p * (p - 1) / 6,
            ]
        width = len(weights)
        column = (batch * len(self.nodes) + self.first[cells])[:, None] + np.arange(width)
        ends = np.arange(len(p) + 1) * width
        shape = (len(p), len(self.table))
        return sp.csr_array((np.array(weights).T.ravel(), column.ravel(), ends), shape) @ self.table


def _bend(zero: Floats) -> Floats:
    """How far a zero beyond the limit is below it after a smooth bend."""
    x = np.clip((-LIMIT - zero) / LIMIT, 0, 1)
    return LIMIT * (x - x**3 + x**4 / 2)


def _rows(block: Expression) -> Rows:
    """Nonzero counts of cells, whatever the storage."""
    rows = block.sparse_block()
    return Rows.of(sp.csr_array(block.sample_block(copy=False))) if rows is None else rows


def score_given_depth(
    data: CountData,
    names: pd.Index,
    network: Network,
    options: ViperOptions,
    reference: NDArray[np.intp] | None,
) -> tuple[Regulons, NDArray[np.intp], int, Callable[[Expression, slice], dict[str, Floats]]]:
    """Prepare scores of counts: the fields of a `Scorer`, over the genes that have counts.

    names: names of the cells. reference: cells from which the genes' shares of the depth are
    estimated.
    """
    # The shift that all genes share is subtracted from "score", which therefore uses all genes.
    scored = options.enrichment == "score"
    sizes: Any = {
        "min_targets": options.min_targets,
        "filter_genes": options.filter_genes and not scored,
    }
    regulons = align(network, data.expression.genes, **sizes)
    model = data.fit(regulons.columns, reference).at(data.depth, data.batch, limit=LIMIT)
    columns = regulons.columns
    varying = np.asarray((model.share > 0).any(axis=0))
    if not varying.all():
        log.info("%d genes have no counts in the reference; ignoring them.", (~varying).sum())
        columns, model = columns[varying], model.take(varying)
        regulons = align(network, data.expression.genes[columns], **sizes)
    if empty := int((data.depth == 0).sum()):
        log.warning("%d of %d cells are empty; their activity is NaN.", empty, len(names))
    step = (cells_of_score if scored else cells_of_block)(len(names), len(columns), regulons)
    if scored:
        scores = DepthScores(model, regulons)

        def nes(block: Expression, part: slice) -> dict[str, Floats]:
            return {"nes": scores.nes(_rows(block), part)}

        return regulons, columns, step, nes
    if not names.is_unique:
        raise InputError(
            "Cell names are not unique, but residuals are drawn by name. "
            "Make them unique with `adata.obs_names_make_unique()`."
        )
    seed, pleiotropy, scoring = options.seed, options.pleiotropic, options.scoring
    draws = [_seeds.keys(seed, regulons.genes, "residual", draw) for draw in range(options.n_draws)]
    pairs = None if pleiotropy is None else shared_pairs(regulons, pleiotropy.targets)

    def score(block: Expression, part: slice) -> dict[str, Floats]:
        counts = block.sample_block().T
        own = model.at(model.depth[part], model.batch[part])
        cells = _seeds.keys(seed, block.samples)
        drawn = []
        for genes in draws:
            values = np.ascontiguousarray(own.residuals(counts, slice(None), genes, cells).T)
            scores_of_draw = score_block(values, regulons, scoring, cell_names=block.samples)
            if pleiotropy is not None:
                nes_of_draw = scores_of_draw["nes"]
                scores_of_draw["nes"] = correct(
                    values, nes_of_draw, regulons, pleiotropy, pairs=pairs
                )
            drawn.append(scores_of_draw)
        joined = _mean_of_draws(drawn, scoring)
        for table in joined.values():
            table[own.depth == 0] = np.nan
        return joined

    return regulons, columns, step, score


def cells_of_score(n_cells: int, genes: int, regulons: Regulons) -> int:
    """Number of cells per block of scores, whose counts may be dense."""
    most = 4096 if engines.choose().gpu else 512
    return min(most, block_length(8.0 * (3 * genes + 3 * len(regulons.names)), n_cells))


def _mean_of_draws(drawn: list[dict[str, Any]], options: EnrichmentOptions) -> dict[str, Floats]:
    """Mean of each score over the draws, and the standard deviation of the NES."""
    nes = np.array([scores["nes"] for scores in drawn])
    joined = {"nes": nes.mean(axis=0)}
    if len(drawn) > 1:
        joined["sd"] = nes.std(axis=0, ddof=1)
    if options.enrichment == "narnea":
        joined["pes"] = np.mean([scores["pes"] for scores in drawn], axis=0)
        joined["pvalue"] = two_sided(joined["nes"])
    if options.enrichment == "gsea" and options.n_permutations:
        joined["pvalue"] = np.mean([scores["pvalue"] for scores in drawn], axis=0)
    return joined
