"""Declarations of all kernels; algorithms call these functions."""

from pysces.dispatch.contracts import Kernel
from pysces.dispatch.operations.aracne import (
    adaptive_edges,
    adaptive_leaves,
    adaptive_mi,
    average_ranks,
    binned_mi,
    copula_edges,
    copula_mi,
    copula_pairs,
    dpi,
    ordinal_ranks,
    prune_edges,
    rank_products,
    weakest_pairs,
)
from pysces.dispatch.operations.graph import propagate
from pysces.dispatch.operations.viper import (
    area,
    count_sums,
    depth_sums,
    gene_medians,
    gene_sums,
    largest_counts,
    leave_one_out_t,
    narnea,
    normal_scores,
    paired_area,
    permuted_running_sum,
    running_sum,
    segment_means,
    shared_target_scores,
    sparse_area,
    sparse_gene_range,
    sparse_gene_sums,
    sparse_standardise,
    standardise,
    weighted_area,
    weighted_mean,
)
from pysces.dispatch.registry import DECLARED


def declared() -> dict[str, Kernel]:
    """Every declared kernel by name."""
    return dict(sorted(DECLARED.items()))


__all__ = [
    "adaptive_edges",
    "adaptive_leaves",
    "adaptive_mi",
    "area",
    "average_ranks",
    "binned_mi",
    "copula_edges",
    "copula_mi",
    "copula_pairs",
    "count_sums",
    "declared",
    "depth_sums",
    "dpi",
    "gene_medians",
    "gene_sums",
    "largest_counts",
    "leave_one_out_t",
    "narnea",
    "normal_scores",
    "ordinal_ranks",
    "paired_area",
    "permuted_running_sum",
    "propagate",
    "prune_edges",
    "rank_products",
    "running_sum",
    "segment_means",
    "shared_target_scores",
    "sparse_area",
    "sparse_gene_range",
    "sparse_gene_sums",
    "sparse_standardise",
    "standardise",
    "weakest_pairs",
    "weighted_area",
    "weighted_mean",
]
