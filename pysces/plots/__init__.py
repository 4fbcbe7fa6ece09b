"""Plots: every function takes ``ax=`` and returns the Axes (matplotlib, imported on use)."""

from pysces.plots.activities import activity_dotplot, activity_heatmap, activity_violin
from pysces.plots.barcodes import barcode, msviper_barcode, viper_barcode
from pysces.plots.edge_copula import edge_copula
from pysces.plots.embedding import embedding
from pysces.plots.engines import benchmark_scaling, engine_agreement
from pysces.plots.evidence import mi_null, support_histogram
from pysces.plots.networks import network_graph
from pysces.plots.partition import edge_partition
from pysces.plots.pruning import dpi_comparison
from pysces.plots.volcano import volcano

__all__ = [
    "activity_dotplot",
    "activity_heatmap",
    "activity_violin",
    "barcode",
    "benchmark_scaling",
    "dpi_comparison",
    "edge_copula",
    "edge_partition",
    "embedding",
    "engine_agreement",
    "mi_null",
    "msviper_barcode",
    "network_graph",
    "support_histogram",
    "viper_barcode",
    "volcano",
]
