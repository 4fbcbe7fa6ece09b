"""Every kernel, declared once; algorithms call these functions."""

from pysces.dispatch.operations.aracne import (
    adaptive_mi,
    average_ranks,
    binned_mi,
    dpi,
    ordinal_ranks,
    rank_products,
    weakest_pairs,
)

__all__ = [
    "adaptive_mi",
    "average_ranks",
    "binned_mi",
    "dpi",
    "ordinal_ranks",
    "rank_products",
    "weakest_pairs",
]
