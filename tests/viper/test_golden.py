"""Every array that R viper, NaRnEA, pyviper and decoupler gave on our simulation, or why not."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import pysces
from pysces.viper._enrichment import EnrichmentOptions, score_block
from pysces.viper._metaviper import combine_narnea, combine_networks
from pysces.viper._pleiotropy import Pleiotropy, penalised_regulons
from pysces.viper._regulons import align
from pysces.viper._statistics import benjamini_hochberg, two_sided

FOLDER = Path(__file__).parents[1] / "golden" / "viper"
FILES = ("r_viper", "r_narnea", "py_pyviper", "py_decoupler")
METHODS = {"none": "none", "scale": "zscore", "mad": "mad", "rank": "rank", "ttest": "ttest"}


@functools.cache
def golden(name: str) -> dict[str, np.ndarray]:
    with np.load(FOLDER / f"{name}.npz") as file:
        return {key: file[key] for key in file.files}


@functools.cache
def table(name: str = "X") -> pd.DataFrame:
    given = golden("inputs")
    return pd.DataFrame(given[name].T, index=given["samples"], columns=given["genes"])


@functools.cache
def network(name: str = "net1") -> pd.DataFrame:
    given = golden("inputs")
    columns = {"source": "source", "target": "target", "mor": "mode", "likelihood": "likelihood"}
    return pd.DataFrame({ours: given[f"{name}_{theirs}"] for ours, theirs in columns.items()})


@functools.cache
def sig(method: str = "zscore", data: str = "X") -> pd.DataFrame:
    return pysces.signature(table(data), method=method)


def viper(data: pd.DataFrame, **options: Any) -> pd.DataFrame:
    """R's viper: the matrix form of aREA, as the union of targets has less than 1,000 genes."""
    return pysces.enrich(data, network(), **{"min_targets": 25, "compat": "r-matrix", **options})


def area(data: pd.DataFrame, **options: Any) -> pd.DataFrame:
    options = {"network": network(), "filter_genes": False, "min_targets": 20, **options}
    return pysces.enrich(data, **options)


def run_viper(networks: Any, **options: Any) -> pd.DataFrame:
    adata = ad.AnnData(table())
    pysces.run_viper(adata, networks, min_targets=25, **options)
    return adata.obsm["viper"]


def without(*regulators: str) -> pd.DataFrame:
    return network()[~network()["source"].isin(regulators)]


# --- what gives each array ------------------------------------------------------------------------

R_VIPER: dict[str, Any] = {
    "area_R01only_nes": lambda: area(
        sig(), network=network()[network()["source"] == "R01"], min_targets=1
    ),
    "area_lik1_min1_nes": lambda: area(
        sig(), network=network().assign(likelihood=1.0), min_targets=1
    ),
    "area_onecol_auto_min20_es": lambda: area(sig().iloc[:1], value="es"),
    "area_onecol_auto_min20_nes": lambda: area(sig().iloc[:1]),
    "area_nan_auto_min20_es": lambda: area(table("X_nan"), value="es"),
    "area_nan_auto_min20_nes": lambda: area(table("X_nan")),
    "viper_scale_min25_es": lambda: viper(sig(), value="es"),
    "viper_scale_min10_adaptive": lambda: viper(sig(), min_targets=10, adaptive_size=True),
    "viper_scale_min25_nofilter": lambda: viper(sig(), filter_genes=False),
    "viper_ties_scale_min25_nofilter": lambda: viper(sig(data="X_ties"), filter_genes=False),
    "viper_ties_scale_min25": lambda: viper(sig(data="X_ties")),
    "viper_ties_none_min25": lambda: viper(table("X_ties")),
    "viper_nan_scale_min20": lambda: area(sig(data="X_nan"), filter_genes=True),
    "viper_nan_none_min20": lambda: area(table("X_nan"), filter_genes=True),
    "viper_const_scale_min20": lambda: area(sig(data="X_const"), filter_genes=True),
    "viper_const_mad_min20": lambda: area(sig("mad", "X_const"), filter_genes=True),
    "viper_none_min1": lambda: viper(table(), min_targets=1),
    "viper_scale_min1": lambda: viper(sig(), min_targets=1),
    "viper_scale_min25_pleio_adaptive": lambda: run_viper(network(), pleiotropy=True),
    "viper_scale_min25_pleio_top15_t5_p5": lambda: run_viper(
        network(), pleiotropy={"regulators": 15, "targets": 5, "penalty": 5}
    ),
    "viper_scale_min25_pleio_absolute_top20_t3_p20": lambda: run_viper(
        network(), pleiotropy={"regulators": 20, "targets": 3, "method": "absolute"}
    ),
    "shadowreg_adaptive_mode": lambda: penalised("adaptive")["mode"],
    "shadowreg_adaptive_likelihood": lambda: penalised("adaptive")["likelihood"],
    "shadowreg_absolute_mode": lambda: penalised("absolute")["mode"],
    "shadowreg_absolute_likelihood": lambda: penalised("absolute")["likelihood"],
    "meta_net2_scale_min25": lambda: run_viper(network("net2")),
    "meta_scale_min25_mvws_sig": lambda: meta(weighting=(4, 2)),
    "vsim_scaled_sig42_two.sided": lambda: pysces.viper_similarity(viper(sig()), scale=True),
    "vsim_asdist": lambda: 1 - pysces.viper_similarity(viper(sig()), scale=True),
    "vsim_expr_sig42_two.sided": lambda: pysces.viper_similarity(table().abs().iloc[:, :100]),
    "sdist_default": lambda: pysces.signature_similarity(table()),
    "sdist_noscale": lambda: pysces.signature_similarity(sig(), standardise=False),
    "sdist_nn100_ws1": lambda: pysces.signature_similarity(table(), n_top=100, weighting=1),
    "sdist_onetail": lambda: pysces.signature_similarity(table(), tails="one-sided"),
    "sdist_scaled": lambda: pysces.signature_similarity(table(), scale=True),
    "sdist_ws0": lambda: pysces.signature_similarity(table(), weighting=0),
    "sdist_two_ws0": lambda: pysces.signature_similarity(*groups(), weighting=0),
}
for _r, _method in METHODS.items():
    if _r != "none":
        R_VIPER[f"sig_{_r}"] = lambda m=_method: sig(m)
    R_VIPER[f"viper_{_r}_min25"] = lambda m=_method: viper(sig(m))
for _form, _compat in (("loop", None), ("matrix", "r-matrix")):
    for _least in (1, 25):
        for _value in ("es", "nes"):
            _options = {"compat": _compat, "min_targets": _least, "value": _value}
            _name = f"{_form}_min{_least}_{_value}"
            R_VIPER[f"area_scale_{_name}"] = lambda o=_options: area(sig(), **o)
            R_VIPER[f"area_ties_{_name}"] = lambda o=_options: area(table("X_ties"), **o)
for _value in ("es", "nes"):
    R_VIPER[f"area_wmvec_min20_{_value}"] = lambda v=_value: area(
        sig(), value=v, gene_weights=pd.Series(golden("inputs")["wm_vec"], table().columns)
    )
    R_VIPER[f"area_wmmat_min20_{_value}"] = lambda v=_value: area(
        sig(), value=v, gene_weights=table("wm_mat")
    )
for _power in (1, 2, 10):
    R_VIPER[f"meta_scale_min25_mvws{_power}"] = lambda p=_power: meta(weighting=p)
_SIMILARITY: dict[str, dict[str, Any]] = {
    "sig42": {}, "ws1": {"weighting": 1.0}, "nn10": {"n_top": 10}, "nn11": {"n_top": 11},
}  # fmt: skip
for _kind, _given in _SIMILARITY.items():
    for _tails in ("two-sided", "greater", "less"):
        if _kind != "nn11" or _tails == "two-sided":
            R_VIPER[f"vsim_{_kind}_{_tails.replace('-', '.')}"] = lambda g=_given, t=_tails: (
                pysces.viper_similarity(viper(sig()), tails=t, **g)
            )

R_NARNEA = {
    f"matrix_min{least}_{value}": lambda n=least, v=value: area(
        sig(), network=without("R34"), enrichment="narnea", min_targets=n, value=v
    )
    for least in (1, 30)
    for value in ("nes", "pes")
} | {
    "single_nes": lambda: area(
        sig(), network=without("R34"), enrichment="narnea", min_targets=1
    ).iloc[:4]
}

# pyviper drops regulons without a measured target before it filters genes.
PYVIPER: dict[str, Any] = {
    "pyviper_area_min25_nes": lambda: py(sig()),
    "pyviper_area_scale_min25_nes": lambda: py(sig()),
    "pyviper_area_mad_min25_nes": lambda: py(sig("mad")),
    "pyviper_area_ttest_min25_nes": lambda: py(sig("ttest")),
    "pyviper_area_rank_min25_nes": lambda: py(sig("rank")),
    "pyviper_area_min1_nes": lambda: py(sig(), min_targets=1),
    "pyviper_area_min25_nofilter_nes": lambda: py(sig(), filter_genes=False),
    "pyviper_area_ties_min25_nes": lambda: py(table("X_ties")),
    "pyviper_area_ties_min25_batch7_nes": lambda: py(table("X_ties")),
    "pyviper_narnea_min30_nes": lambda: py_narnea(30, "nes"),
    "pyviper_narnea_min1_nes": lambda: py_narnea(1, "nes"),
}
for _power in (1, 2, 10):
    PYVIPER[f"pyviper_meta_min25_mvws{_power}_nes"] = lambda p=_power: combine_networks(
        [py(sig()), pysces.enrich(sig(), network("net2"), min_targets=25)], weighting=p
    )

DECOUPLER: dict[str, Any] = {
    "dc_viper_nopleio_tmin25_score": lambda: dc(),
    "dc_viper_nopleio_tmin25_padj": lambda: padj(dc()),
    "dc_viper_nopleio_tmin1_score": lambda: dc(least=1),
    "dc_viper_nopleio_tmin1_padj": lambda: padj(dc(least=1)),
    "dc_viper_ties_nopleio_tmin25_score": lambda: dc(table("X_ties"), compat="r-matrix"),
    "dc_viper_ties_nopleio_tmin25_padj": lambda: padj(dc(table("X_ties"), compat="r-matrix")),
    "dc_viper_pleio_tmin25_score": lambda: dc_corrected(11, 20),
    "dc_viper_pleio_tmin25_padj": lambda: padj(dc_corrected(11, 20)),
    "dc_viper_pleio_n5_pen5_tmin25_score": lambda: dc_corrected(6, 5),
    "dc_viper_pleio_n5_pen5_tmin25_padj": lambda: padj(dc_corrected(6, 5)),
    "dc_gsea_es_tmin5_score": lambda: gsea(0),
    "gseapy_ES": lambda: gsea(0).iloc[:6],
    "dc_gsea_nes_times200_seed42_tmin5_score": lambda: gsea(200),
}
CHECKS = {
    "r_viper": R_VIPER,
    "r_narnea": R_NARNEA,
    "py_pyviper": PYVIPER,
    "py_decoupler": DECOUPLER,
}

# Arrays that belong to test_viper_golden_masters.py, and those that nobody needs to reproduce.
MASTERS = ("vsig_", "aecdf_", "rowttest_", "ttestnull_", "bootttest", "ms_", "scalegroups")
LEFT_OUT = {
    "a2r_": "modes of regulation: tests/network/test_network.py, from regulon.npz",
    "mix_": "modes of regulation: tests/network/test_network.py, from regulon.npz",
    "tfscore_": "modes of regulation: tests/network/test_network.py, from regulon.npz",
    "prune_": "pruning: tests/network/test_network.py, from regulon.npz",
    "area_min0_": "R gives NaN everywhere: one unknown target poisons all scores; ours are numbers",
    "viper_boot_": "R misaligns the genes of its bootstraps; ours are aligned (test_viper_quirks)",
    "sdist_two_scaled": "R scales a matrix that isn't square by max |x|; ours by the diagonals",
    "sdist_two": "R recycles the weights of the second table down the wrong side; ours doesn't",
    "distmode": "mode of a density: a helper of R's that PySCES has no use for",
    "filtercv": "filter of probes by variation: not part of PySCES",
    "frcv_": "filter of probes by variation: not part of PySCES",
    "frvarna_": "row variance: a helper of R's",
    "integrate_sig": "joins signatures of several data sets: not part of PySCES",
    "rpt_": "residuals of activity on own expression: not part of PySCES",
    "punif_probe": "probe of R's runif, no result",
    "shadowreg_sample_1based": "an input of the arrays shadowreg_*",
    "error_messages": "words of R's errors",
    "single_pes": "PES of one regulon alone takes other best ranks than the matrix form",
    "single_ledge_": "leading edge of NaRnEA: not part of PySCES",
    "pyviper_area_ties_ordinal_": "ordinal ranks make ties depend on the order of genes",
    "pyviper_area_pleio_": "pyviper ranks other genes in its pleiotropy step than before it",
    "pyviper_meta_min25_mvwsauto_": "always network 1, by a slice error below 50 regulators",
    "pyviper_meta_min25_manual_": "rows in the order of networks instead of cells",
    "pyviper_narnea_min30_pes": "pyviper ranks tied likelihoods densely; PES differs by up to 0.03",
    "pyviper_narnea_min1_pes": "pyviper ranks tied likelihoods densely; PES differs by up to 0.03",
    "pyviper_narnea_meta_min30_": "votes go by the PES above",
    "errors": "words of errors",
    "dc_gsea_nes_times200_seed0_": "with seed 0 nothing is shuffled: every NES is 1 or -1",
    "dc_gsea_nes_times200_seed42_tmin5_padj": "decoupler's p can be 0; ours has a pseudo-count",
    "dc_gsea_es_tmin5_padj": "without permutations the p-values are the scores themselves",
    "dc_gsea_ties_": "tied genes in the order of an unstable sort of shuffled genes",
    "dc_extract_var_order": "the shuffled genes of decoupler",
    "gseapy_NES": "permutations of gseapy's own",
}
TOLERANCE = {
    "viper_ties_scale": 5e-2,  # ties within an ulp
    "sig_ttest": 1e-9,  # signatures have 36 bits, so that such ties are ties
    "sdist_noscale": 1e-9,
    "pyviper_narnea": 1e-6,  # pyviper's quantiles have 7 digits
}
SINGLE_PRECISION = 1e-7  # decoupler keeps adjusted p-values in float32
# One permuted running sum has equal extremes on both sides; rounding decides for decoupler, the
# negative one for us.
DIFFERENT = {"dc_gsea_nes_times200_seed42_tmin5_score": 1}
# pyviper takes sign(0) = 0, so that a regulon without modes scores 0; ours follows R (+1).
NO_MODES = {"py_pyviper": ("R34",)}


def meta(weighting: Any) -> pd.DataFrame:
    joined = run_viper([network(), network("net2")], weighting=weighting)
    if isinstance(weighting, tuple):
        return joined
    return joined.mask(joined == 0)  # R: 0/0 where both networks score exactly 0


def groups() -> tuple[pd.DataFrame, pd.DataFrame]:
    inside = golden("inputs")["group"] == "A"
    return table()[inside], table()[~inside]


def penalised(method: str) -> Any:
    """Penalised regulons of the sample that R's are of, in R's order of edges."""
    row = int(golden("r_viper")["shadowreg_sample_1based"][int(method == "absolute")]) - 1
    regulons = align(pysces.Network(network()), table().columns, min_targets=25)
    values = np.ascontiguousarray(sig().to_numpy()[[row]][:, regulons.columns])
    found = penalised_regulons(
        values,
        viper(sig()).to_numpy()[[row]],
        regulons,
        Pleiotropy(method=method),  # type: ignore[arg-type]
    )
    assert found is not None
    names = zip(
        found.regulons.names[found.regulons.owner],
        found.regulons.genes[found.regulons.targets],
        strict=True,
    )
    at = {name: number for number, name in enumerate(names)}
    given = golden("r_viper")
    order = [
        at[source, target]
        for source, target in zip(
            given[f"shadowreg_{method}_source"], given[f"shadowreg_{method}_target"], strict=True
        )
    ]
    assert len(order) == len(at)
    return pd.DataFrame(
        {"mode": found.regulons.mode[order], "likelihood": found.regulons.likelihood[order]}
    )


def py(data: pd.DataFrame, **options: Any) -> pd.DataFrame:
    return pysces.enrich(
        data, without("R35"), **{"min_targets": 25, "compat": "r-matrix", **options}
    )


def py_narnea(least: int, value: Any) -> pd.DataFrame:
    return pysces.enrich(
        sig(), without("R34", "R35"), enrichment="narnea", value=value, min_targets=least,
        filter_genes=least < 0,
    )  # fmt: skip


def dc_network() -> pd.DataFrame:
    return without("R34").rename(columns={"mor": "weight"}).drop(columns="likelihood")


def dc(data: pd.DataFrame | None = None, least: int = 25, **options: Any) -> pd.DataFrame:
    data = sig() if data is None else data
    return area(data, network=dc_network(), min_targets=least, **options)


def dc_corrected(targets: int, penalty: float) -> pd.DataFrame:
    options = {"targets": targets, "penalty": penalty}  # decoupler wants more than n targets
    return run_viper(dc_network(), filter_genes=False, pleiotropy=options)


def padj(scores: pd.DataFrame) -> pd.DataFrame:
    q = benjamini_hochberg(two_sided(scores.to_numpy()))
    return pd.DataFrame(q, index=scores.index, columns=scores.columns)


@functools.cache
def gsea(times: int) -> pd.DataFrame:
    regulons = align(
        pysces.Network(dc_network()), table().columns, min_targets=5, filter_genes=False
    )
    shuffled = np.tile(np.arange(800, dtype=np.int32), (times, 1))
    stream = np.random.default_rng(42)
    for row in shuffled:
        stream.shuffle(row)
    options = EnrichmentOptions("gsea", times, permutations=shuffled)
    values = np.ascontiguousarray(sig().to_numpy()[:, regulons.columns])
    nes = score_block(values, regulons, options)["nes"]
    return pd.DataFrame(nes, index=sig().index, columns=regulons.names)


# --- the tests ------------------------------------------------------------------------------------

ALL = [(file, name) for file in FILES for name in CHECKS[file]]


@pytest.mark.parametrize(("file", "name"), ALL, ids=[name for _, name in ALL])
def test_golden_array(file: str, name: str) -> None:
    right = golden(file)[name]
    found = CHECKS[file][name]()
    if isinstance(found, pd.DataFrame):
        rows = golden(file).get(f"{name}__rows")
        if rows is not None and not name.startswith(("vsim", "sdist")):
            kept = [row for row in rows if row not in NO_MODES.get(file, ())]
            assert set(map(str, found.columns)) - set(NO_MODES.get(file, ())) == set(kept)
            right = right[np.isin(rows, kept)]
            found = found[kept]
        found = found.to_numpy() if name.startswith("sdist") else found.T.to_numpy()
    tolerance = next((t for key, t in TOLERANCE.items() if name.startswith(key)), 1e-10)
    tolerance = SINGLE_PRECISION if name.endswith("padj") else tolerance
    found = np.asarray(found)
    if name in DIFFERENT:
        assert np.count_nonzero(np.abs(found - right) > tolerance) == DIFFERENT[name]
        return
    np.testing.assert_allclose(found, right, rtol=1e-12, atol=tolerance)


@pytest.mark.parametrize("file", FILES)
def test_every_array_is_checked_or_has_a_reason(file: str) -> None:
    names = {n for n in golden(file) if not n.endswith(("__rows", "__cols", "_source", "_target"))}
    rest = {n for n in names - set(CHECKS[file]) if not n.startswith(MASTERS)}
    assert [n for n in rest if not n.startswith(tuple(LEFT_OUT))] == []
    assert set(CHECKS[file]) <= names


def test_joining_narnea_scores_of_two_networks_by_votes() -> None:
    """One regulator per network and vote: the formula by hand."""
    nes = [pd.DataFrame({"a": [2.0], "b": [1.0]}), pd.DataFrame({"a": [1.0], "c": [3.0]})]
    pes = [pd.DataFrame({"a": [0.5], "b": [0.2]}), pd.DataFrame({"a": [0.4], "c": [0.6]})]
    joined, sizes = combine_narnea(nes, pes)  # a votes for the first network, so its share is 1
    assert joined.loc[0].tolist() == [2.0, 1.0, 0.0]
    assert sizes.loc[0].tolist() == [0.5, 0.2, 0.0]
