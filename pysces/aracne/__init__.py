"""ARACNe: from expression to a network of regulators and targets.

The path of a run: ``run_aracne`` or ``infer_network`` (what users call), ``_options``,
``_prepared`` (regulators, genes that vary, scores), ``_inference`` (the whole of it),
``_candidates`` (regulators, decoys and genes), ``_copula`` or ``_estimators`` (mutual information),
``_null`` (from it to p-values), ``_resampling`` (which samples a resample has, and its edges),
``_dpi``, ``_runner`` and ``_checkpoint`` (where resamples are computed and kept), ``_consensus``
(which edges are called), ``_quality`` (facts to judge the network by).
"""
