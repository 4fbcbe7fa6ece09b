"""Samples from cells, before anything is inferred from them.

``metacells`` and ``pseudobulk`` (what users call), ``neighbours`` (which cells are alike) and
``pools`` (sums and means over pools of cells).
"""
