"""One page about a run, to keep or to send: ``pysces.report``."""

from pysces.reports.report import report

__all__ = ["report"]
