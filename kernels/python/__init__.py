"""The reference engine: NumPy, written to be read. The other engines must give what it gives."""
