"""The compiled engine: the kernels on all CPU cores, by Numba."""
