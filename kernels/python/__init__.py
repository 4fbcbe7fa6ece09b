"""The reference engine: readable NumPy code that defines the results of all engines."""
