"""How fast engines are, on what, and against which other programs.

``workloads``, ``workflows`` and ``inputs`` are the one source of sizes and inputs: the command
``pysces benchmark`` and the files for pytest-benchmark in a checkout's ``benchmarks/`` use them.
"""
