"""Plots. Every function accepts ``ax=`` and returns the Axes; matplotlib is imported on use."""

from typing import NoReturn

from pysces._messages import no_attribute
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
from pysces.pl.rank_regulators import rank_regulators
from pysces.pl.rank_regulators_dotplot import rank_regulators_dotplot
from pysces.pl.rank_regulators_heatmap import rank_regulators_heatmap
from pysces.pl.regulon import regulon
from pysces.pl.support_histogram import support_histogram
from pysces.pl.umap import umap
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
    "rank_regulators",
    "rank_regulators_dotplot",
    "rank_regulators_heatmap",
    "regulon",
    "support_histogram",
    "umap",
    "viper_barcode",
    "volcano",
]


def __getattr__(name: str) -> NoReturn:
    raise no_attribute("pysces.pl", name, __all__)


def __dir__() -> list[str]:
    return __all__
