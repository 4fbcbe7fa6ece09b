"""Plots. Every function accepts ``ax=`` and returns the Axes; matplotlib is imported on use."""

from pysces.pl.activity_dotplot import activity_dotplot
from pysces.pl.activity_heatmap import activity_heatmap
from pysces.pl.activity_violin import activity_violin
from pysces.pl.barcode import barcode
from pysces.pl.dpi_comparison import dpi_comparison
from pysces.pl.edge_copula import edge_copula
from pysces.pl.edge_partition import edge_partition
from pysces.pl.embedding import embedding
from pysces.pl.engine_agreement import benchmark_scaling, engine_agreement
from pysces.pl.mi_null import mi_null
from pysces.pl.msviper_barcode import msviper_barcode
from pysces.pl.network_comparison import network_comparison
from pysces.pl.network_graph import network_graph
from pysces.pl.support_histogram import support_histogram
from pysces.pl.viper_barcode import viper_barcode
from pysces.pl.volcano import volcano

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
    "network_comparison",
    "network_graph",
    "support_histogram",
    "viper_barcode",
    "volcano",
]
