"""Kernels of VIPER: signatures, normal scores, aREA, NaRnEA, running sum, pleiotropy, means."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from pysces.dispatch.cases import viper as cases
from pysces.dispatch.contracts import EXACT, Close, Spec
from pysces.dispatch.registry import kernel
from pysces.kernels._constants import NOWHERE as NOWHERE
from pysces.kernels._constants import SMALL as SMALL

Order = Annotated[NDArray[np.float64], Spec("order", "cells genes")]
Values = Annotated[NDArray[np.float64], Spec("float64", "cells genes")]
PerGene = Annotated[NDArray[np.float64], Spec("float64", "genes")]
WholePerGene = Annotated[NDArray[np.int64], Spec("int64", "genes")]
ExponentPerGene = Annotated[NDArray[np.int32], Spec("int32", "genes")]
Scores = Annotated[NDArray[np.float64], Spec("float64", "cells regulons")]
CountedScores = Annotated[NDArray[np.int64], Spec("int64", "cells regulons")]
PerCell = Annotated[NDArray[np.int32], Spec("int32", "cells")]
TableStarts = Annotated[NDArray[np.int64], Spec("int64", "cells")]
Quantiles = Annotated[NDArray[np.float64], Spec("float64", "entries", table=True)]
Ends = Annotated[NDArray[np.int64], Spec("int64", "ends", table=True)]
Targets = Annotated[NDArray[np.int32], Spec("int32", "edges")]
RowEnds = Annotated[NDArray[np.int64], Spec("int64", "cells")]
Stored = Annotated[NDArray[np.int32], Spec("int32", "stored")]
StoredNumbers = Annotated[NDArray[np.float64], Spec("float64", "stored")]
StoredValues = Annotated[NDArray[np.float64], Spec("order", "stored")]
Depths = Annotated[NDArray[np.float64], Spec("float64", "cells")]
PerEdge = Annotated[NDArray[np.float64], Spec("float64", "edges")]


# --- signatures -----------------------------------------------------------------------------------

_TRANSFER = "sending the stored values to a GPU takes longer than the kernel on the CPU"


@kernel(file="signatures", block_axis="cells", reduce="sum", agreement=EXACT, cases=cases.gene_sums)
def gene_sums(
    values: Order, exponent: ExponentPerGene
) -> tuple[WholePerGene, WholePerGene, WholePerGene, WholePerGene, WholePerGene]:
    """Integer sums of a gene over the cells, independent of the order and blocks of cells.

    A value becomes ``f = trunc(x 2^(44 - exponent)) = 2^22 high + low``. Returns the number of
    values, ``sum f``, ``sum high^2``, ``sum high low`` and ``sum low^2``, which give
    ``sum f^2`` exactly. At most 2^18 cells a call. ``exponent``: smallest e >= -1021 with
    ``|x| < 2^e`` for every value of the gene.
    """
    raise NotImplementedError


@kernel(
    file="signatures",
    block_axis="cells",
    reduce="sum",
    agreement=EXACT,
    cases=cases.sparse_gene_sums,
    unsupported={"mlx": _TRANSFER},
)
def sparse_gene_sums(
    start: RowEnds, stop: RowEnds, gene: Stored, value: StoredValues, exponent: ExponentPerGene
) -> tuple[WholePerGene, WholePerGene, WholePerGene, WholePerGene, WholePerGene]:
    """:func:`gene_sums` of sparse cells, whose other values are 0 and count as values.

    A cell stores the values ``start ... stop - 1``, each gene at most once; genes below 0 are
    skipped.
    """
    raise NotImplementedError


@kernel(
    file="signatures",
    block_axis="cells",
    reduce="max",
    agreement=EXACT,
    cases=cases.sparse_gene_range,
    unsupported={"mlx": _TRANSFER},
)
def sparse_gene_range(
    start: RowEnds, stop: RowEnds, gene: Stored, value: StoredNumbers, n_genes: int
) -> tuple[PerGene, PerGene]:
    """Largest -x and largest x of each gene of sparse cells, whose other values are 0.

    Cells as in :func:`sparse_gene_sums`. NaN is ignored; ``-inf`` for a gene without values.
    """
    raise NotImplementedError


@kernel(
    file="signatures",
    block_axis="cells",
    reduce="largest",
    agreement=EXACT,
    cases=cases.largest_counts,
    unsupported={"mlx": _TRANSFER},
)
def largest_counts(
    start: RowEnds,
    stop: RowEnds,
    gene: Stored,
    count: StoredNumbers,
    depth: Depths,
    n_genes: int,
    number: int,
) -> Annotated[NDArray[np.float64], Spec("float64", "genes number")]:
    """Largest counts per depth of each gene of sparse cells, ascending, from 0.

    Cells as in :func:`sparse_gene_sums`; a depth of 0 counts as 1.
    """
    raise NotImplementedError


@kernel(
    file="signatures",
    block_axis="cells",
    reduce="sum",
    agreement=EXACT,
    cases=cases.count_sums,
    unsupported={"mlx": _TRANSFER},
)
def count_sums(
    start: RowEnds,
    stop: RowEnds,
    gene: Stored,
    count: StoredNumbers,
    depth: Depths,
    bin: PerCell,
    n_bins: int,
    bound: PerGene,
) -> tuple[
    Annotated[NDArray[np.int64], Spec("int64", "bins genes")],
    Annotated[NDArray[np.int64], Spec("int64", "counts genes")],
    Annotated[NDArray[np.int64], Spec("int64", "kinds")],
]:
    """Sums of counts by bin of the cells, and numbers of the counts 0 ... SMALL - 1 of each gene.

    Counts are reduced to ``max(floor(bound depth), 1)`` first. The third result is the number of
    values that are no counts, and that of counts above 0 in cells of depth 0.
    """
    raise NotImplementedError


@kernel(file="signatures", block_axis="genes", agreement=Close(), cases=cases.gene_medians)
def gene_medians(values: Values) -> tuple[PerGene, PerGene]:
    """Median m of each gene over the cells, and median of ``|x - m|``; NaN without values."""
    raise NotImplementedError


@kernel(file="signatures", block_axis="cells", agreement=Close(), cases=cases.standardise)
def standardise(values: Values, centre: PerGene, scale: PerGene, bits: int) -> Values:
    """``(x - centre) / scale`` with this many significant bits (53: all).

    Genes with proportional profiles have equal z-scores except for rounding noise; with fewer bits
    they are tied on every engine, as they should be.
    """
    raise NotImplementedError


@kernel(
    file="signatures",
    block_axis="stored",
    agreement=Close(),
    cases=cases.sparse_standardise,
    unsupported={"mlx": _TRANSFER},
)
def sparse_standardise(
    gene: Stored, value: StoredNumbers, centre: PerGene, scale: PerGene, bits: int
) -> StoredNumbers:
    """:func:`standardise` for values of given genes; 0 where the gene is below 0."""
    raise NotImplementedError


@kernel(file="signatures", block_axis="cells", agreement=Close(), cases=cases.leave_one_out_t)
def leave_one_out_t(
    values: Values, count: PerGene, mean: PerGene, spread: PerGene, bits: int
) -> Values:
    """One-sample t of the differences between a value and each of the gene's other values.

    With n values of mean m and ``spread`` Q = sum (x - m)^2, and d = x - m:
    ``t = d n/(n-1) / sqrt((Q - d^2 n/(n-1)) / (n-2) / (n-1))``. A remaining sum of squares
    of at most 2^-26 Q counts as 0: the other values are all equal.
    """
    raise NotImplementedError


# --- enrichment -----------------------------------------------------------------------------------


@kernel(file="enrichment", block_axis="cells", agreement=Close(), cases=cases.normal_scores)
def normal_scores(
    ranks: Annotated[NDArray[np.int32], Spec("int32", "cells genes")],
    table_start: TableStarts,
    quantiles: Quantiles,
) -> Values:
    """Normal quantiles of ranks: ``quantiles[table_start[cell] + rank]``; 0 if missing.

    ``ranks`` are twice the average ranks. A cell with n values uses the table
    ``Phi^-1(i / (2 (n + 1)))``, i = 0 ... 2 (n + 1).
    """
    raise NotImplementedError


@kernel(file="enrichment", block_axis="cells", agreement=Close(), cases=cases.area)
def area(
    signature: Order,
    max_rank_deviation: PerCell,
    table_start: TableStarts,
    quantiles: Quantiles,
    indptr: Ends,
    targets: Targets,
    mode: PerEdge,
    likelihood: PerEdge,
) -> tuple[Scores, Scores]:
    """Analytic rank-based enrichment analysis (Alvarez et al. 2016): enrichment score and NES.

    With r twice the average rank of a gene among the cell's n genes, ``t2 = Phi^-1(r/(2(n+1)))``,
    v = |r - (n+1)| and ``t1 = Phi^-1((2v + (n+1) - max v)/(2(n+1)))``: both from one table. With
    weights a = l / sum l over the regulon's targets that have a value,

        D = sum a m t2,  U = sum a (1 - |m|) t1,  ES = sign(D) (|D| + max(U, 0))
        NES = ES sqrt(sum l^2) / max l

    The sign is +1 where D is not below -2^-40, so that rounding noise does not decide it.
    ``max_rank_deviation`` replaces max v, unless it is -1 (the cell's own). NaN where
    no target has a value.
    """
    raise NotImplementedError


@kernel(file="enrichment", block_axis="cells", agreement=Close(), cases=cases.sparse_area)
def sparse_area(
    zero: Annotated[NDArray[np.float64], Spec("order", "genes")],
    start: RowEnds,
    stop: RowEnds,
    gene: Stored,
    value: StoredValues,
    max_rank_deviation: PerCell,
    table_start: TableStarts,
    quantiles: Quantiles,
    indptr: Ends,
    targets: Targets,
    mode: PerEdge,
    likelihood: PerEdge,
) -> tuple[Scores, Scores]:
    """:func:`area` of sparse signatures: ``zero`` where a cell stores no value of its own.

    Stored values are given as in :func:`sparse_gene_sums`.
    """
    raise NotImplementedError


@kernel(file="enrichment", block_axis="cells", agreement=Close(), cases=cases.weighted_area)
def weighted_area(
    signature: Order,
    weights: Values,
    weighted_norm: bool,
    max_rank_deviation: PerCell,
    table_start: TableStarts,
    quantiles: Quantiles,
    indptr: Ends,
    targets: Targets,
    mode: PerEdge,
    likelihood: PerEdge,
) -> tuple[Scores, Scores]:
    """:func:`area` with a weight w for every gene of every cell: l becomes l w.

    ``weighted_norm``: also in the factor ``sqrt(sum l^2) / max l``, not only in the sums.
    """
    raise NotImplementedError


@kernel(file="enrichment", block_axis="tasks", agreement=Close(), cases=cases.paired_area)
def paired_area(
    signature: Order,
    max_rank_deviation: PerCell,
    table_start: TableStarts,
    quantiles: Quantiles,
    cell: Annotated[NDArray[np.int32], Spec("int32", "tasks")],
    regulon: Annotated[NDArray[np.int32], Spec("int32", "tasks")],
    indptr: Ends,
    targets: Targets,
    mode: PerEdge,
    likelihood: PerEdge,
) -> tuple[
    Annotated[NDArray[np.float64], Spec("float64", "tasks")],
    Annotated[NDArray[np.float64], Spec("float64", "tasks")],
]:
    """:func:`area` of given pairs of a cell and a regulon, for regulons that differ by cell."""
    raise NotImplementedError


@kernel(file="enrichment", block_axis="cells", agreement=Close(), cases=cases.weighted_mean)
def weighted_mean(signature: Values, indptr: Ends, targets: Targets, weights: PerEdge) -> Scores:
    """``sum w x / sum |w|`` over the targets that have a value."""
    raise NotImplementedError


@kernel(file="enrichment", block_axis="cells", agreement=EXACT, cases=cases.depth_sums)
def depth_sums(
    start: TableStarts,
    stop: TableStarts,
    depth: PerCell,
    batch: PerCell,
    gene: Annotated[NDArray[np.int32], Spec("int32", "entries")],
    count: Annotated[NDArray[np.int32], Spec("int32", "entries")],
    direct: Annotated[NDArray[np.int64], Spec("int64", "large")],
    level: Annotated[NDArray[np.int32], Spec("int32", "batches genes")],
    size: Annotated[NDArray[np.int32], Spec("int32", "genes")],
    table: Annotated[NDArray[np.int32], Spec("int32", "sizes pieces counts terms", table=True)],
    limit: int,
    indptr: Annotated[NDArray[np.int64], Spec("int64", "gene_ends", table=True)],
    regulon: Annotated[NDArray[np.int32], Spec("int32", "edges")],
    weight: Annotated[NDArray[np.int32], Spec("int32", "edges")],
    n_regulons: int,
) -> tuple[CountedScores, TableStarts]:
    """``sum weight excess`` over a regulon's targets, and ``sum excess`` of each cell.

    The excess of a count is its score minus that of a zero. A cell has the entries ``start`` to
    ``stop`` (gene -1, count 0: none). Values are polynomials of 16 terms, of the table's piece at
    the place p = depth + level (limited to the table) and s = size: p >> 20 and s >> 20 number the
    piece, ``t`` and ``u`` are the other 20 bits minus 2^19. With ``a >> b`` rounding down,

        c_i = (((c_i3 u >> 20) + c_i2) u >> 20 ...) + c_i0
        value(p) = ((((c_3 t >> 20) + c_2) t >> 20 ...) + c_0 + 2) >> 2
        score = clip(value(p), -limit, limit), or direct[-count - 1] of a negative count

    or, where c_33 is odd, the value is the excess itself.

    The score of a zero is its value z(p), clipped with a linear interpolation in the depth, so that
    the sum over all genes can be interpolated as well. With r the last 15 bits of the depth,

        x = clip(((-limit - z) << 20) // limit, 0, 2^20),  bend(z) = limit (x - x^3 + x^4 / 2)
        between = bend(z(p - r)) (2^15 - r) + bend(z(p - r + 2^15)) r >> 15
        zero = max(z(p), -limit) - bend(z(p)) + between

    or z(p) itself unless it is below 2^19 - limit. The excess is 0 where the level is -2^31. Gene
    i has the edges ``indptr[i] ... indptr[i + 1] - 1``. Integer sums are exact in any order:
    ``|weight| < 2^21`` and ``|excess| < 2^25`` allow 2^17 targets.
    """
    raise NotImplementedError


@kernel(file="narnea", block_axis="cells", agreement=Close(), cases=cases.narnea)
def narnea(
    magnitude: Order,
    sign: Annotated[NDArray[np.int32], Spec("int32", "cells genes")],
    indptr: Ends,
    targets: Targets,
    mode: PerEdge,
    likelihood: PerEdge,
    by_likelihood: Annotated[NDArray[np.int32], Spec("int32", "edges")],
) -> tuple[Scores, Scores, Scores, Scores, Scores, Scores]:
    """NaRnEA (Griffin et al. 2023): standardised sums of ranks, and the largest possible ones.

    With R the rank of the magnitude, S the sign, a = l m, b = l (1 - |m|), means over the cell's
    n genes ``E1 = (n+1)/2, E2 = (2n^2+3n+1)/6, M1 = mean(R S), M2 = mean(R^2 S)``:

        D = (sum a R S - M1 sum a) / sqrt(sum a^2 (E2 - M1^2))
        U = (sum b R - E1 sum b) / sqrt(sum b^2 (E2 - E1^2))
        C = sum(a b) (M2 - M1 E1) / (the product of both square roots)

    Returns D, U, C, then D of a regulon whose targets have the magnitudes n, n-1, ... in the order
    ``by_likelihood`` (positions within the regulon) and the signs of their modes, the same with all
    signs reversed, and U of it.
    """
    raise NotImplementedError


@kernel(file="gsea", block_axis="cells", agreement=Close(), cases=cases.running_sum)
def running_sum(signature: Order, weight: Values, indptr: Ends, targets: Targets) -> Scores:
    """Weighted Kolmogorov-Smirnov running sum (Subramanian et al. 2005).

    In order of decreasing signature, a target adds its weight / sum of the targets' weights, and
    any other gene subtracts 1 / (genes - targets). The score is the largest excursion from 0; the
    negative one if both are equal (to 2^-40). Tied genes form one step. The score is 1 if every
    gene is a target, since nothing is subtracted, and 0 if all weights of the targets are 0.
    """
    raise NotImplementedError


@kernel(file="gsea", block_axis="cells", agreement=Close(), cases=cases.permuted_running_sum)
def permuted_running_sum(
    signature: Order,
    weight: Values,
    permutations: Annotated[NDArray[np.int32], Spec("int32", "permutations genes")],
    indptr: Ends,
    targets: Targets,
) -> tuple[Scores, Scores, CountedScores, CountedScores]:
    """:func:`running_sum` and its null distribution under permutations of the targets.

    Permutation p moves the targets to the positions j of the decreasing signature for which
    ``permutations[p, j]`` is the position of a target. Returns the score, the mean of the permuted
    scores of the same sign (0 counts as positive), their number, and how many of them are at least
    as extreme. Tied genes are in the order of the columns.
    """
    raise NotImplementedError


# --- corrections and means ------------------------------------------------------------------------


@kernel(file="pleiotropy", block_axis="tests", agreement=Close(), cases=cases.shared_target_scores)
def shared_target_scores(
    signature: Order,
    direction: Annotated[NDArray[np.int32], Spec("int32", "tests")],
    cell: Annotated[NDArray[np.int32], Spec("int32", "tests")],
    pair: Annotated[NDArray[np.int32], Spec("int32", "tests")],
    regulator: Annotated[NDArray[np.int32], Spec("int32", "pairs")],
    shared_indptr: Annotated[NDArray[np.int64], Spec("int64", "pair_ends", table=True)],
    shared: Annotated[NDArray[np.int32], Spec("int32", "shared")],
    quantiles: Quantiles,
    indptr: Ends,
    targets: Targets,
    mode: PerEdge,
    likelihood: PerEdge,
) -> Annotated[NDArray[np.float64], Spec("float64", "tests")]:
    """Score the targets that a regulator shares with another (Alvarez et al. 2016).

    A test is a cell and a pair (regulator A, other). Among the n targets of A alone, the genes of
    the cell are ranked and scored as in :func:`area`, t2 times ``direction``; the result is the
    NES of the pair's ``shared`` targets (positions within A's targets). ``quantiles`` holds the
    tables of n = 0, 1, 2, ... concatenated: that of n starts at n (n + 2).
    """
    raise NotImplementedError


@kernel(file="segments", block_axis="genes", agreement=Close(), cases=cases.segment_means)
def segment_means(
    values: Values,
    segment: Annotated[NDArray[np.int32], Spec("int32", "cells")],
    n_segments: int,
) -> Annotated[NDArray[np.float64], Spec("float64", "segments genes")]:
    """Mean of each gene over the cells of each segment (pseudobulk); NaN for empty segments."""
    raise NotImplementedError
