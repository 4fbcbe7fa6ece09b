"""GraphML: a directed graph, as used by networkx, igraph and Cytoscape."""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING

import pandas as pd

from pysces._reading import whole
from pysces.errors import InputError
from pysces.network._graphs import networkx_edges, package, to_networkx
from pysces.network.formats._format import CONTROL, Format

if TYPE_CHECKING:
    from pathlib import Path


def read(path: Path) -> pd.DataFrame:
    """All attributes of the edges."""
    library = package("networkx", "Reading GraphML")
    content = whole(path)
    if b"<!ENTITY" in content:
        raise InputError(
            f"{path.name} cannot be read as GraphML: it declares entities, with which a small file "
            "can exhaust the memory. Write it without entities, or as SIF."
        )
    try:
        graph = library.read_graphml(io.BytesIO(content))
    except Exception as error:  # networkx raises various exceptions for corrupt files
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"{path.name} cannot be read as GraphML: {reason or type(error).__name__}. Write it "
            "again, or as SIF."
        ) from error
    return networkx_edges(graph)


def _write(table: pd.DataFrame, file: IO[bytes]) -> None:
    graph = to_networkx(table)
    for name in graph.nodes:  # igraph reads names from here, Cytoscape and networkx from the id
        graph.nodes[name]["name"] = name
    package("networkx", "Writing GraphML").write_graphml_xml(graph, file)


FORMAT = Format(
    read=read,
    write=_write,
    suffixes=(".graphml",),
    refuses=(CONTROL,),
    regulators=(),
    exact_names=True,
)
