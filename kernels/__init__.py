"""Numerical kernels of PySCES: arrays in, arrays out, implemented once per engine.

Imported as ``pysces.kernels``; see README.md in this folder for an overview.
"""

if __name__ == "kernels":
    raise ImportError("this directory is the package `pysces.kernels`; import that instead")
