"""The numerics of PySCES: arrays in, arrays out, once for each engine.

Imported as ``pysces.kernels``; see README.md in this folder for the map.
"""

if __name__ == "kernels":
    raise ImportError("this directory is the package `pysces.kernels`; import that instead")
