"""Spectral embedding of the regulators and targets of a signed network."""
