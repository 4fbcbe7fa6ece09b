"""Parameter names of other packages, and what to write here instead."""

from __future__ import annotations

from collections.abc import Sequence

from pysces._messages import nearest

# Parameters that mean the same, in order of preference.
MEANINGS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("random_state", "random_seed", "rng"): ("seed",),
    ("group_by", "by", "groups_key", "cluster_key", "label_key", "obs_key"): ("groupby",),
    ("cell_type_key", "celltype", "cell_type"): ("groupby",),
    ("groups",): ("group", "groupby"),
    ("batch", "donor", "donor_key", "sample_key", "sample_col"): ("batch_key", "groupby"),
    ("layers", "use_layer", "layer_key"): ("layer",),
    ("net", "interactome", "regulon", "regulons"): ("network", "regulators"),
    ("tf", "tfs", "tf_names", "tf_list", "hubs"): ("regulators", "regulator"),
    ("mat", "data", "exp", "expr", "expression"): ("adata", "expression", "signature"),
    ("tmin", "min_n", "minsize", "min_size"): ("min_targets", "min_samples", "min_cells"),
    ("times", "n_perms", "n_perm", "n_permutations"): ("n_permutations", "n_null"),
    ("n_boot", "n_bootstrap", "n_bootstraps"): ("n_bootstraps", "n_resamples"),
    ("fdr", "qvalue", "pvalue", "pval_cutoff", "p_value"): ("alpha",),
    ("use_highly_variable", "gene_mask"): ("mask_var",),
    ("gene_names", "gene_symbol", "symbols"): ("gene_symbols", "genes"),
    ("key", "uns_key", "obsm_key"): ("key", "key_added"),
    ("key_added", "use_key"): ("key",),
    ("n_neighbors",): ("n_neighbours", "n_cells"),
    ("filename", "file", "out", "fname"): ("path", "output"),
    ("device", "backend", "use_gpu"): ("engine",),
    ("species",): ("organism",),
}
# What to do instead, where no parameter means the same.
_THREADS = "Set `pysces.settings.threads`; otherwise all cores are used."
_VERBOSITY = "Set `pysces.settings.verbosity` to 'silent', 'normal' or 'verbose'."
_ORGANISM = "Pass `pysces.regulators('human')` or `('mouse')` to `pysces.run_aracne`."
_SAVE = "Plots return their Axes, which save themselves: `ax.figure.savefig('plot.png')`."
ADVICE: dict[tuple[str, ...], str] = {
    ("n_jobs", "n_threads", "nthreads", "n_cores", "num_workers", "n_workers"): _THREADS,
    ("verbose", "verbosity", "progress", "progress_bar"): _VERBOSITY,
    ("organism", "species"): _ORGANISM,
    ("use_raw", "raw"): "Pass `adata.raw.to_adata()` for .raw, or a layer with layer=.",
    ("inplace",): "The AnnData that is passed gets the result; copy=True returns a copy.",
    ("save", "show"): _SAVE,
    ("figsize",): "Pass ax= from `plt.subplots(figsize=(8, 6))`.",
}


def no_parameter(function: str, name: str, parameters: Sequence[str]) -> str:
    """Message about an unknown keyword: the parameter that means it, or the most similar one.

    Examples
    --------
    >>> no_parameter("run_aracne", "random_state", ["adata", "seed"])
    "run_aracne() has no parameter 'random_state': use seed=."
    >>> no_parameter("run_aracne", "n_resample", ["adata", "n_resamples"])
    "run_aracne() has no parameter 'n_resample' (did you mean 'n_resamples'?)."
    """
    fact = f"{function}() has no parameter {name!r}"
    meant = [new for names, news in MEANINGS.items() if name in names for new in news]
    if here := [new for new in meant if new in parameters]:
        return f"{fact}: use {here[0]}=."
    if advice := [text for names, text in ADVICE.items() if name in names]:
        return f"{fact}. {advice[0]}"
    if guess := nearest(name, parameters):
        return f"{fact}{guess}."
    return f"{fact}. Its parameters: {', '.join(parameters) or 'none'}."
