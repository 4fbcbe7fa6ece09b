"""ARACNe: infer a network of regulators and targets from expression.

Modules in the order of a run: ``run_aracne`` and ``infer_network`` (public functions),
``_options``, ``_prepared`` (regulators, variable genes, scores), ``_inference`` (all steps of one
network), ``_candidates`` (regulators, decoys and genes), ``_copula`` and ``_estimators`` (mutual
information), ``_null`` (p-values), ``_resampling`` (samples of each resample, and its edges),
``_dpi`` (pruning), ``_runner`` and ``_checkpoint`` (where resamples are computed and stored),
``_consensus`` (which edges are significant), ``_quality`` (facts to judge the network by).
"""
