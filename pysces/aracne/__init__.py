"""ARACNe: from expression to a network of regulators and targets.

``estimators`` (tables of the estimators of mutual information), ``null`` (from mutual information
to p-values), ``resampling``, ``consensus``, ``single`` (one matrix) and ``run`` (what users call).
"""
