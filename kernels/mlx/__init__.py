"""The GPU engine: the same functions in MLX, for Metal, CUDA and (to be validated) the CPU."""
