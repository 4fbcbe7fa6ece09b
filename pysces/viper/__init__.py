"""Protein activity (VIPER): signatures, enrichment, nulls, corrections, master regulators."""
