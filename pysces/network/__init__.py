"""Gene regulatory networks: the class, its graphs, and the file formats of the field.

``formats`` has one file per format, reader and writer together; ``pysces.read_network`` and
`Network.write` are the ways in and out.
"""

from __future__ import annotations

from pysces.network._modes import mode_of_regulation
from pysces.network._network import Network, groups_in, likelihood

__all__ = ["Network", "groups_in", "likelihood", "mode_of_regulation"]
