"""Activities from counts given the depth of each cell: scores of counts or of residuals."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from pysces import _seeds
from pysces.data._counts import CountModel
from pysces.data._margins import ends_of, mean_scores, score_variance, zero_scores
from pysces.dispatch import operations as ops
from pysces.errors import InputError
from pysces.viper._enrichment import EnrichmentOptions, cells_of_block, score_block
from pysces.viper._options import ViperOptions
from pysces.viper._pleiotropy import correct, shared_pairs
from pysces.viper._regulons import Regulons, align
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

_STEP = 0.02  # step of log(depth) between nodes of the tables
_COARSE = 4  # steps between nodes of the variance table; the variance is smooth
_FIXED = 2.0**20
_LEAST_PART = 1e-6  # smallest fraction of the variance that must remain without the shift


class DepthScores:
    """Activities of cells from their counts: tables over depth for zeros, plus nonzero terms.

    With w = mode x likelihood, h1 the score of a count (`CountModel.scores`), v its variance given
    the depth d, and c the shift that all genes of the cell share,

        c = sum_g h1_g / sum_g v_g(d)
        NES = sum_g w_g (h1_g - c v_g(d)) / sqrt(sum w^2 v - (sum w v)^2 / sum v)

    An error of the depth by a factor shifts h1 of every gene in proportion to v, which c removes.
    The sum of a regulon is that of a cell whose counts are all zero (from a table), plus the
    difference that each nonzero count makes. The grid of the tables is fixed in the logarithm of
    the depth, so that a cell's score depends on other cells only through the margins.
    """

    def __init__(self, model: CountModel, regulons: Regulons) -> None:
        """Compute the tables. model: margins of the genes of ``regulons`` (all genes)."""
        self.model = model
        n, genes = len(regulons.names), len(regulons.genes)
        weight = regulons.mode * regulons.likelihood
        largest = np.zeros(n)
        np.maximum.at(largest, regulons.owner, np.abs(weight))
        share = weight / np.where(largest > 0, largest, 1.0)[regulons.owner]
        # An additional regulon of all genes gives the sums of the shift.
        self.weight = np.rint(np.append(share, np.ones(genes)) * _FIXED).astype(np.int64)
        self.targets = np.append(regulons.targets, np.arange(genes, dtype=np.int32))
        self.indptr = np.append(regulons.indptr, regulons.indptr[-1] + genes)
        edges = (self.weight / _FIXED, self.targets, self.indptr)
        weights = sp.csr_array(edges, shape=(n + 1, genes))
        position = np.log(model.depth[model.depth > 0]) / _STEP
        low = int(np.floor(position.min() / _COARSE)) * _COARSE
        high = (int(np.floor(position.max() / _COARSE)) + 1) * _COARSE
        self.first = low
        fine = np.exp(_STEP * np.arange(low, high + 1))
        zeros, linear, squared = [], [], []
        for share_of_batch in model.share:
            mean = share_of_batch[:, None] * fine
            zeros.append(weights @ self._zero(mean, model.size[:, None]))
            variance = score_variance(mean[:, ::_COARSE], model.size[:, None])
            linear.append(weights @ variance)
            squared.append((weights * weights)[:-1] @ variance)
        self.zeros, self.linear, self.squared = map(np.array, (zeros, linear, squared))

    @staticmethod
    def _zero(mean: Floats, size: Floats) -> Floats:
        """Score of the count 0; 0 where the expected count is 0."""
        return np.where(mean > 0, np.clip(zero_scores(mean, size)[0], -LIMIT, LIMIT), 0.0)

    def nes(self, counts: Floats, cells: slice) -> Floats:
        """NES of a block of cells, float64 [cells regulons]; NaN where there is no variance.

        counts: [cells genes].
        """
        depth, batch = self.model.depth[cells], self.model.batch[cells]
        known = depth > 0
        position = np.log(np.where(known, depth, np.exp(_STEP * self.first))) / _STEP
        node = np.floor(position).astype(np.int64)
        cell, gene = np.nonzero(counts)
        value = self._excess(
            counts[cell, gene], gene, depth[cell], batch[cell], node[cell], (position - node)[cell]
        )
        sums = ops.target_sums(
            cell.astype(np.int32),
            gene.astype(np.int32),
            np.rint(value * _FIXED).astype(np.int64),
            len(counts),
            counts.shape[1],
            self.indptr,
            self.targets,
            self.weight,
        )
        place = position - self.first
        total = sums / _FIXED**2 + _between(self.zeros, batch, place)
        linear = _between(self.linear, batch, place / _COARSE)
        squared = _between(self.squared, batch, place / _COARSE)
        with np.errstate(invalid="ignore", divide="ignore"):
            part = linear[:, :-1] / linear[:, -1:]
            total = total[:, :-1] - total[:, -1:] * part
            variance = squared - linear[:, :-1] * part
        usable = (variance > _LEAST_PART * squared) & (squared > 0) & known[:, None]
        return np.where(usable, total, np.nan) / np.sqrt(np.where(usable, variance, 1.0))

    def _excess(
        self,
        count: Floats,
        gene: NDArray[np.intp],
        depth: Floats,
        batch: NDArray[np.int64],
        node: NDArray[np.int64],
        part: Floats,
    ) -> Floats:
        """Score of each nonzero count minus the interpolated score of a zero."""
        share, size = self.model.share[batch, gene], self.model.size[gene]
        score, _ = mean_scores(*ends_of(count, share * depth, size))
        zero = (1 - part) * self._zero(share * np.exp(_STEP * node), size)
        zero += part * self._zero(share * np.exp(_STEP * (node + 1)), size)
        return np.where(share > 0, np.clip(score, -LIMIT, LIMIT) - zero, 0.0)


def _between(tables: Floats, batch: NDArray[np.int64], position: Floats) -> Floats:
    """Tables [batches regulons nodes], interpolated at each cell's position [cells regulons]."""
    node = np.clip(np.floor(position).astype(np.int64), 0, tables.shape[2] - 2)
    part = (position - node)[:, None]
    return tables[batch, :, node] * (1 - part) + tables[batch, :, node + 1] * part


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
    step = cells_of_block(len(names), len(columns), regulons)
    if scored:
        scores = DepthScores(model, regulons)

        def nes(block: Expression, part: slice) -> dict[str, Floats]:
            return {"nes": scores.nes(block.sample_block(), part)}

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
