"""How fast engines are, on what, and beside which other programs: ``pysces benchmark``.

`workloads`, `series` and `inputs` are the one source of sizes and inputs, also of the files for
pytest-benchmark in ``benchmarks/``.
"""
