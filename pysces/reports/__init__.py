"""Write an HTML report about a run: ``pysces.report``."""

from pysces.reports.report import report

__all__ = ["report"]
