"""The compiled engine: the same functions as `python`, on all CPU cores through Numba."""
