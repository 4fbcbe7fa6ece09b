"""Kernels of ARACNe: ranks, mutual information, data processing inequality, correlation."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from pysces.dispatch.cases import aracne as cases
from pysces.dispatch.cases import copula
from pysces.dispatch.contracts import EXACT, Spec
from pysces.dispatch.registry import kernel
from pysces.kernels._constants import FRACTION_BITS as FRACTION_BITS


@kernel(file="ranks", block_axis="genes", agreement=EXACT, cases=cases.ordinal_ranks)
def ordinal_ranks(
    values: Annotated[NDArray[np.float64], Spec("order", "genes samples")],
    keys: Annotated[NDArray[np.uint64], Spec("uint64", "genes")],
    descending: bool,
) -> Annotated[NDArray[np.int32], Spec("int32", "genes samples")]:
    """Ranks 1 ... samples of each gene over the samples; 1 is the largest if ``descending``.

    Ties are ordered by ``hash64(keys[gene], position)``: at random, independently between genes,
    and identically on every engine.
    """
    raise NotImplementedError


@kernel(file="ranks", block_axis="rows", agreement=EXACT, cases=cases.average_ranks)
def average_ranks(
    values: Annotated[NDArray[np.float64], Spec("order", "rows columns")],
) -> Annotated[NDArray[np.int32], Spec("int32", "rows columns")]:
    """Twice the average rank of each value in its row (2 for the smallest); 0 for missing values.

    Average ranks of ties are multiples of one half, so twice the rank is an integer.
    """
    raise NotImplementedError


@kernel(file="mi", block_axis="regulators", agreement=EXACT, cases=cases.adaptive_mi)
def adaptive_mi(
    regulators: Annotated[NDArray[np.int32], Spec("int32", "regulators samples")],
    genes: Annotated[NDArray[np.int32], Spec("int32", "genes samples")],
    split: Annotated[NDArray[np.int32], Spec("int32", "nodes", table=True)],
    log_width: Annotated[NDArray[np.int64], Spec("int64", "cells", table=True)],
    n_log_n: Annotated[NDArray[np.int64], Spec("int64", "counts", table=True)],
    min_count: int,
) -> Annotated[NDArray[np.int64], Spec("int64", "regulators genes")]:
    """Mutual information by adaptive partitioning, times the samples, in fixed point.

    Both marginals (ranks 1 ... n) are cut by one binary tree: heap node 1 is the root, a rank
    goes to child ``2 node + 1`` if it is above ``split[node]``, else to ``2 node``. A joint cell of
    c points is split if it is the root, or if ``c >= min_count`` and its quarters q are not even:
    chi-square ``4 sum(q^2) / c - c > 7.815``, in integers
    ``4 sum(q^2) - c^2 > floor(1563 c / 200)``. With w the widths of a leaf,

        n MI = n ln n + sum over leaves of c (ln c - ln w_x - ln w_y)

    Tables are int64 fixed point, so sums are exact in any order (Darbellay and Vajda 1999;
    Lachmann et al. 2016).
    """
    raise NotImplementedError


_ONE_PAIR = "it is used for single pairs in plots and takes milliseconds"


@kernel(file="mi", block_axis="resamples", agreement=EXACT, cases=cases.adaptive_edges)
def adaptive_edges(
    rows: Annotated[NDArray[np.int32], Spec("int32", "rows samples")],
    genes: Annotated[NDArray[np.int32], Spec("int32", "genes samples")],
    own: Annotated[NDArray[np.int64], Spec("int64", "rows")],
    chosen: Annotated[NDArray[np.int32], Spec("int32", "resamples chosen")],
    row_keys: Annotated[NDArray[np.uint64], Spec("uint64", "resamples rows")],
    gene_keys: Annotated[NDArray[np.uint64], Spec("uint64", "resamples genes")],
    thresholds: Annotated[NDArray[np.int64], Spec("int64", "resamples")],
    n_regulators: int,
    descending: bool,
    split: Annotated[NDArray[np.int32], Spec("int32", "nodes", table=True)],
    log_width: Annotated[NDArray[np.int64], Spec("int64", "cells", table=True)],
    n_log_n: Annotated[NDArray[np.int64], Spec("int64", "counts", table=True)],
    min_count: int,
) -> tuple[
    Annotated[NDArray[np.int64], Spec("int64", "resamples")],
    Annotated[NDArray[np.int32], Spec("int32", "found")],
    Annotated[NDArray[np.int32], Spec("int32", "found")],
    Annotated[NDArray[np.int64], Spec("int64", "found")],
    Annotated[NDArray[np.int64], Spec("int64", "resamples genes")],
]:
    """Pairs of a batch of resamples whose mutual information reaches the resample's threshold.

    ``rows`` and ``genes`` are integers in the order of the values, over all samples. The samples
    ``chosen`` by a resample are ranked as by `ordinal_ranks`, with the keys of the resample; the
    mutual information of the ranks is that of `adaptive_mi`. The pair of a row with its gene
    ``own`` (-1: none) is excluded. The first ``n_regulators`` rows are regulators.

    Returns the number of edges of each resample; for all edges by resample, row and gene, the row,
    the gene and the mutual information; and the largest mutual information of each gene with a
    regulator.
    """
    raise NotImplementedError


@kernel(
    file="mi",
    block_axis="pairs",
    agreement=EXACT,
    cases=cases.adaptive_leaves,
    unsupported={"numba": _ONE_PAIR, "mlx": _ONE_PAIR},
)
def adaptive_leaves(
    first: Annotated[NDArray[np.int32], Spec("int32", "pairs samples")],
    second: Annotated[NDArray[np.int32], Spec("int32", "pairs samples")],
    split: Annotated[NDArray[np.int32], Spec("int32", "nodes", table=True)],
    min_count: int,
) -> tuple[
    Annotated[NDArray[np.int64], Spec("int64", "pairs")],
    Annotated[NDArray[np.int32], Spec("int32", "found")],
    Annotated[NDArray[np.int32], Spec("int32", "found")],
    Annotated[NDArray[np.int64], Spec("int64", "found")],
]:
    """Leaves of the adaptive partition of given pairs: the cells whose terms `adaptive_mi` adds up.

    Returns the number of leaves of each pair and, for all leaves, the nodes of the first and of the
    second gene in the heap of ``split`` and the number of points c. With w the log-widths of the
    nodes, ``n MI = n ln n + sum c (ln c - w[x node] - w[y node])``. The leaves of a pair tile the
    plane of its ranks.
    """
    raise NotImplementedError


@kernel(file="mi", block_axis="regulators", agreement=EXACT, cases=cases.binned_mi)
def binned_mi(
    regulators: Annotated[NDArray[np.uint8], Spec("uint8", "regulators samples")],
    genes: Annotated[NDArray[np.uint8], Spec("uint8", "genes samples")],
    n_bins: int,
    n_log_n: Annotated[NDArray[np.int64], Spec("int64", "counts", table=True)],
    half_cell: int,
) -> Annotated[NDArray[np.int64], Spec("int64", "regulators genes")]:
    """Mutual information of bins 0 ... n_bins - 1, times the samples, in fixed point.

        n MI = n ln n + sum c ln c (joint) - sum c ln c (x) - sum c ln c (y)
               + half_cell (K_x + K_y - K_xy - 1)

    The last term is the correction of Miller and Madow (1955), with K the numbers of occupied
    cells; ``half_cell`` is one half in fixed point, or 0 for no correction.
    """
    raise NotImplementedError


@kernel(file="copula", block_axis="regulators", agreement=EXACT, cases=copula.copula_mi)
def copula_mi(
    regulators: Annotated[
        NDArray[np.int8], Spec("int8", "regulators terms samples", fixed="terms")
    ],
    genes: Annotated[NDArray[np.int8], Spec("int8", "genes terms samples", fixed="terms")],
    degree: int,
) -> Annotated[NDArray[np.int64], Spec("int64", "regulators genes")]:
    """Mutual information of a Gaussian copula with a parabola, in nats with 40 fractional bits.

    The terms of a gene are its integer scores h1, for ``degree`` 2 also h2, and for the studentised
    form also their squares, ``round(h^2 / 127)``. With a, b, c the correlations of (h1, h1),
    (h2, h1), (h1, h2),

        R^2 = max(a^2 + b^2, a^2 + c^2),   MI = -1/2 ln(1 - R^2)

    and with squares the smaller of this R^2 and of that in which each squared covariance is
    divided by the mean of ``h_x^2 h_y^2`` (Ince et al. 2017; DiCiccio and Romano 2017). All sums
    are exact integers.
    """
    raise NotImplementedError


@kernel(file="copula", block_axis="resamples", agreement=EXACT, cases=copula.copula_edges)
def copula_edges(
    rows: Annotated[NDArray[np.int8], Spec("int8", "rows terms samples", fixed="terms")],
    genes: Annotated[NDArray[np.int8], Spec("int8", "genes terms samples", fixed="terms")],
    own: Annotated[NDArray[np.int64], Spec("int64", "rows")],
    weights: Annotated[NDArray[np.uint8], Spec("uint8", "resamples samples")],
    usable_rows: Annotated[NDArray[np.bool_], Spec("bool", "resamples rows")],
    usable_genes: Annotated[NDArray[np.bool_], Spec("bool", "resamples genes")],
    thresholds: Annotated[NDArray[np.int64], Spec("int64", "resamples")],
    degree: int,
) -> tuple[
    Annotated[NDArray[np.int64], Spec("int64", "resamples")],
    Annotated[NDArray[np.int32], Spec("int32", "found")],
    Annotated[NDArray[np.int32], Spec("int32", "found")],
    Annotated[NDArray[np.int64], Spec("int64", "found")],
]:
    """Pairs of a batch of resamples whose mutual information reaches the resample's threshold.

    Scores and mutual information as in `copula_mi`, over the samples of each resample with their
    weights (multiplicities). Pairs with a row or gene that is not usable are excluded, as is the
    pair of a row with its gene ``own`` (-1: none). If the weights of a resample and the previous
    one add up to one for every sample (complementary halves), an engine may compute its sums by
    subtraction.

    Returns the number of edges of each resample and, for all edges by resample, row and gene, the
    row, the gene and the mutual information.
    """
    raise NotImplementedError


@kernel(file="copula", block_axis="pairs", agreement=EXACT, cases=copula.copula_pairs)
def copula_pairs(
    rows: Annotated[NDArray[np.int8], Spec("int8", "rows terms samples", fixed="terms")],
    genes: Annotated[NDArray[np.int8], Spec("int8", "genes terms samples", fixed="terms")],
    row: Annotated[NDArray[np.int32], Spec("int32", "pairs")],
    gene: Annotated[NDArray[np.int32], Spec("int32", "pairs")],
    degree: int,
) -> Annotated[NDArray[np.int64], Spec("int64", "pairs")]:
    """Mutual information of given pairs, as in `copula_mi`."""
    raise NotImplementedError


@kernel(file="dpi", block_axis="asked", agreement=EXACT, cases=copula.prune_edges)
def prune_edges(
    row: Annotated[NDArray[np.int32], Spec("int32", "edges")],
    gene: Annotated[NDArray[np.int32], Spec("int32", "edges")],
    mi: Annotated[NDArray[np.int64], Spec("int64", "edges")],
    partner: Annotated[NDArray[np.int32], Spec("int32", "genes")],
    asked: Annotated[NDArray[np.int64], Spec("int64", "asked")],
    n_regulators: int,
    kept_fraction: int,
) -> Annotated[NDArray[np.bool_], Spec("bool", "asked")]:
    """Edges of a list that the data processing inequality keeps, by the rule of `dpi`.

    The first ``n_regulators`` rows are regulators; others (decoys) do not explain edges.
    ``partner`` is the row of a gene that is a regulator, else -1. ``asked`` are the positions of
    the edges to decide. The list is the whole network, each pair at most once, with positive mutual
    information.
    """
    raise NotImplementedError


@kernel(file="dpi", block_axis="genes", agreement=EXACT, cases=cases.dpi)
def dpi(
    edges: Annotated[NDArray[np.int64], Spec("int64", "rows genes")],
    between: Annotated[NDArray[np.int64], Spec("int64", "rows regulators")],
    network: Annotated[NDArray[np.int64], Spec("int64", "regulators genes")],
    kept_fraction: int,
) -> Annotated[NDArray[np.bool_], Spec("bool", "rows genes")]:
    """Edges that the data processing inequality keeps (Margolin et al. 2006).

    Edge (i, g) is removed if ``MI(i,g) < k max_j min(MI(i,j), MI(j,g))``: a max-min product,
    compared exactly in integers. ``k = kept_fraction / 2^30``, where ``kept_fraction`` is
    ``floor((1 - tolerance) 2^30)``: rounded down, so that all edges that the tolerance keeps are
    kept. 0 is an absent edge. ``between`` has MI(row, j), ``network`` has MI(j, gene).
    """
    raise NotImplementedError


@kernel(file="dpi", block_axis="genes", agreement=EXACT, cases=cases.weakest_pairs, reduce="any")
def weakest_pairs(
    between: Annotated[NDArray[np.int64], Spec("int64", "regulators regulators")],
    network: Annotated[NDArray[np.int64], Spec("int64", "regulators genes")],
) -> Annotated[NDArray[np.bool_], Spec("bool", "regulators regulators")]:
    """Pairs of regulators that MaxEnt removes in addition: the weakest edges of some triangle.

    Pair (i, j) is removed if some gene t is a target of both and neither ``MI(i,t)`` nor
    ``MI(j,t)`` is strictly the smallest of the triangle (Griffin et al. 2023).
    """
    raise NotImplementedError


@kernel(file="correlation", block_axis="pairs", agreement=EXACT, cases=cases.rank_products)
def rank_products(
    ranks: Annotated[NDArray[np.int32], Spec("int32", "genes samples")],
    first: Annotated[NDArray[np.int64], Spec("int64", "pairs")],
    second: Annotated[NDArray[np.int64], Spec("int64", "pairs")],
) -> Annotated[NDArray[np.int64], Spec("int64", "pairs")]:
    """Sums over samples of the products of centred doubled ranks, for given pairs of genes.

    With r twice the average rank, ``sum (r_x - (n+1)) (r_y - (n+1))``: the numerator of Spearman's
    correlation; with x = y its squared denominator. Exact.
    """
    raise NotImplementedError
