"""Regulators that differ between groups of cells."""
