"""Data rooms: everything that knows AnnData, files or gene names.

``expression`` reads matrices by blocks; ``storage`` holds the keys under which results live in an
AnnData; ``files`` reads and writes networks and expression tables; ``regulators`` knows which genes
can be regulators; ``labels`` which samples belong together.
"""
