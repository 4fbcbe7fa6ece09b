"""Gene regulatory networks: the class, its graphs, and the file formats of the field.

``formats`` has one module per file format, with reader and writer; use ``pysces.read_network`` and
`Network.write`.
"""

from __future__ import annotations

from pysces.network._columns import groups_of
from pysces.network._comparison import NetworkComparison, compare_regulons, ordered
from pysces.network._modes import mode_of_regulation
from pysces.network._network import Network, groups_in, likelihood

__all__ = [
    "Network",
    "NetworkComparison",
    "compare_regulons",
    "groups_in",
    "groups_of",
    "likelihood",
    "mode_of_regulation",
    "ordered",
]
