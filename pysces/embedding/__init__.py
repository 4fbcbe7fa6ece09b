"""Regulators and targets as points: a spectral embedding of the signed network."""
