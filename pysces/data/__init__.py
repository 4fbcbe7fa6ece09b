"""Input and output: AnnData, files and gene names.

``_expression`` and ``_sources`` read matrices by blocks; ``_counts``, ``_depth`` and ``_recovery``
handle counts; ``_results`` stores results in an AnnData; ``read`` reads networks and expression
tables; ``regulators`` selects the genes that can be regulators; ``_labels`` groups samples.
"""
