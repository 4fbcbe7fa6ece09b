"""Dispatch of kernels to engines: declarations, choice of the engine, validation.

``operations`` declares every kernel once (with ``registry``); ``contracts`` defines what a
declaration contains; ``cases`` are inputs on which the engines must agree, and ``validation`` runs
them; ``engines`` chooses and calls an engine, ``status`` reports all engines; ``blocks`` divides
work into blocks that fit into memory; ``cluster`` distributes it to Dask workers.
"""
