"""Pictures: every function takes ``ax=`` and returns the Axes (matplotlib, imported on use)."""

from pysces.plots.networks import network_graph

__all__ = ["network_graph"]
