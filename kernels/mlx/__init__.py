"""The GPU engine: the kernels in MLX, for Metal, CUDA and (for validation) the CPU."""
