"""ARACNe: from expression to a network of regulators and targets.

``estimators`` and ``measure`` (mutual information), ``null`` (from it to p-values), ``pairs``
(regulators, decoys and genes by blocks), ``resampling`` and ``resample`` (which samples; their
edges), ``work`` and ``checkpoint`` (where resamples are computed and kept), ``support`` and
``significance`` (which edges are believed), ``infer`` (all of it), ``single`` (one matrix),
``grouped`` and ``run`` (what users call), ``consolidate`` (networks of files).
"""
