"""Between the algorithms and the engines: what a kernel promises, and who computes it.

``operations`` declares every kernel once (with ``registry``); ``contracts`` says what a declaration
holds; ``cases`` are inputs on which the engines must agree, which ``validation`` runs; ``engines``
chooses and calls an engine, ``status`` reports them; ``blocks`` divides work into blocks that fit
the memory; ``cluster`` sends it to workers of Dask.
"""
