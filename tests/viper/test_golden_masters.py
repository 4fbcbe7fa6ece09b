"""Nulls, t tests and master regulators as R viper computes them on our simulation, or why not."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import pysces
from pysces.viper._nulls import (
    Resample,
    against_null,
    approximate_cdf,
    null_signature,
)
from pysces.viper._pleiotropy import Pleiotropy, correct
from pysces.viper._regulons import Regulons, align
from pysces.viper._statistics import (
    benjamini_hochberg,
    bootstrapped_group_z,
    group_z,
    permutation_orders,
    permuted_group_z,
    two_sample_t,
    two_sided,
)
from pysces.viper.groups._masters import (
    Masters,
    combine_bootstraps,
    leading_edge,
    master_regulators,
)
from pysces.viper.groups._synergy import (
    Together,
    combinations,
    shadow_pairs,
    synergy_pvalues,
    without_shadows,
)

FOLDER = Path(__file__).parents[1] / "golden" / "viper"


@functools.cache
def load(name: str) -> dict[str, np.ndarray]:
    with np.load(FOLDER / f"{name}.npz") as file:
        return {key: file[key] for key in file.files}


def r(name: str) -> np.ndarray:
    return load("r_viper")[name]


def drawn(name: str) -> np.ndarray:
    """R's indices [draws samples], from 0."""
    return r(name).astype(int).T - 1


@functools.cache
def table(name: str = "X") -> pd.DataFrame:
    given = load("inputs")
    return pd.DataFrame(given[name].T, index=given["samples"], columns=given["genes"])


@functools.cache
def network() -> pysces.Network:
    given = load("inputs")
    return pysces.Network(
        pd.DataFrame(
            {
                "source": given["net1_source"],
                "target": given["net1_target"],
                "mor": given["net1_mode"],
                "likelihood": given["net1_likelihood"],
            }
        )
    )


def groups(name: str = "X") -> tuple[np.ndarray, np.ndarray]:
    inside = load("inputs")["group"] == "A"
    return table(name).to_numpy()[inside], table(name).to_numpy()[~inside]


@functools.cache
def regulons(least: int = 25, **options: Any) -> Regulons:
    return align(network(), table().columns, min_targets=least, **options)


def genes_by_name(signature: np.ndarray, layout: Regulons) -> np.ndarray:
    return np.ascontiguousarray(signature[..., layout.columns])


def in_order(values: np.ndarray, layout: Regulons, name: str) -> np.ndarray:
    """Regulons in the order of R's array."""
    return values[..., layout.names.get_indexer(r(f"{name}__rows").astype(str))]


# --- signatures and their nulls -------------------------------------------------------------------


def vsig(method: Any) -> pd.DataFrame:
    inside = load("inputs")["group"] == "A"
    return pysces.signature(table(), method=method, reference=~inside)[inside]


@functools.cache
def nulls(method: Any) -> np.ndarray:
    """R takes every reference sample three times against draws from the 35 others."""
    reference = groups()[1]
    found = []
    for number, order in enumerate(drawn("vsig_boot_indices")):
        sample = number // 3
        others = np.delete(np.arange(len(reference)), sample)
        found.append(null_signature(reference, Resample(sample, others[order]), method))
    return np.array(found)


def null_es(method: Any, filter_genes: bool = False) -> np.ndarray:
    """R ranks the nulls over all genes, even where it filters those of the signature."""
    shuffled = pd.DataFrame(nulls(method), columns=table().columns)
    found = pysces.enrich(
        shuffled, network(), value="es", min_targets=25, filter_genes=filter_genes,
        compat="r-matrix",
    )  # fmt: skip
    return found.to_numpy()


def vsig_nes(method: Any, filter_genes: bool = True) -> np.ndarray:
    es = pysces.enrich(
        vsig(method), network(), value="es", min_targets=25, filter_genes=filter_genes,
        compat="r-matrix",
    )  # fmt: skip
    return against_null(es.to_numpy(), null_es(method))


def vsig_pleiotropy() -> np.ndarray:
    layout = regulons(25, filter_genes=False)
    values = genes_by_name(vsig("zscore").to_numpy(), layout)
    null = genes_by_name(nulls("zscore"), layout)
    nes = vsig_nes("zscore", filter_genes=False)
    return correct(values, nes, layout, Pleiotropy(), null=null, compat="r")


@pytest.mark.parametrize("method", ["zscore", "ttest", "mean"])
def test_signature_against_a_reference_and_its_bootstrap_null(method: str) -> None:
    close(vsig(method).T.to_numpy(), r(f"vsig_boot_{method}_signature"))
    given = "nullmodel" if method == "zscore" else "null_first20"
    close(nulls(method)[: 108 if method == "zscore" else 20].T, r(f"vsig_boot_{method}_{given}"))
    close(null_es(method).T, r(f"vsig_boot_{method}_null_es"))
    close(vsig_nes(method).T, r(f"vsig_boot_{method}_nes"))


def test_signature_against_a_reference_with_all_genes_and_pleiotropy() -> None:
    close(vsig_nes("zscore", filter_genes=False).T, r("vsig_boot_zscore_nofilter_nes"))
    close(vsig_pleiotropy().T, r("vsig_boot_zscore_pleio_nofilter_nes"))


def test_many_nulls_are_judged_by_their_distribution() -> None:
    null = r("vsig_big_null_es").T
    close(against_null(r("vsig_big_es").T, null, compat="r").T, r("vsig_big_nes"))


@pytest.mark.parametrize(("symmetric", "name"), [(True, "sym"), (False, "asym")])
def test_approximate_distribution(symmetric: bool, name: str) -> None:
    nes, p = approximate_cdf(
        r("vsig_big_null_es")[0], r("aecdf_sym_x"), symmetric=symmetric, compat="r"
    )
    close(nes, r(f"aecdf_{name}_nes"))
    close(p, r(f"aecdf_{name}_p"))


# --- t tests --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("data", "name"), [("X", "two_two.sided"), ("X_nan", "nan")])
def test_two_sample_t(data: str, name: str) -> None:
    t, degrees = two_sample_t(*groups(data), welch=False)
    close(t, r(f"rowttest_{name}_t"))
    close(2 * stats.t.sf(np.abs(t), degrees), r(f"rowttest_{name}_p"))


@pytest.mark.parametrize("welch", [False, True])
def test_constant_genes_have_no_t_of_rounding_errors(welch: bool) -> None:
    x, y = np.full((7, 2), 0.1), np.full((11, 2), 0.1)
    y[:, 1] = 0.3
    assert np.isnan(group_z(x, y, welch=welch)[0])
    orders = permutation_orders(7, 11, range(20), 0)
    assert np.isnan(permuted_group_z(x, y, orders, welch=welch)[:, 0]).all()
    t, _ = two_sample_t(x, y, welch=welch)
    assert t.tolist() == pytest.approx([np.nan, -np.inf], nan_ok=True)


def test_permuted_and_bootstrapped_groups() -> None:
    x, y = groups()
    for name, array in (("repos", "repos_first20"), ("norepos", "norepos")):
        found = permuted_group_z(x, y, drawn(f"ttestnull_{name}_order"))
        close(found.T, r(f"ttestnull_{array}"))
    close(bootstraps().T, r("bootttest"))


def test_groups_against_the_rest() -> None:
    values = table().to_numpy()
    found = [group_z(values[k::4], np.delete(values, np.s_[k::4], axis=0)) for k in range(4)]
    close(np.array(found).T, r("scalegroups"))


# --- master regulators ----------------------------------------------------------------------------


@functools.cache
def z() -> np.ndarray:
    return group_z(*groups())


@functools.cache
def bootstraps() -> np.ndarray:
    return bootstrapped_group_z(*groups(), drawn("bootttest_idxA"), drawn("bootttest_idxB"))


@functools.cache
def masters() -> Masters:
    return master_regulators(genes_by_name(z(), regulons()), regulons())


@functools.cache
def masters_by_null() -> Masters:
    """R's 700 null scores; its permutations weren't kept."""
    order = regulons().names.get_indexer(r("ms_null_es__rows").astype(str))
    null = np.empty((700, len(order)))
    null[:, order] = r("ms_null_es").T
    nes = against_null(masters().es[None], null, always_empirical=True, compat="r")[0]
    return Masters(regulons(), masters().es, nes, masters().effect)


def test_signature_of_two_groups() -> None:
    close(z(), r("ms_signature_z"))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("ms_nonull", {}),
        ("ms_nonull_nofilter", {"filter_genes": False}),
        ("ms_nonull_adaptive8", {"least": 8, "size": "sum"}),
    ],
)
def test_analytic_master_regulators(name: str, options: dict[str, Any]) -> None:
    layout = regulons(**options)
    found = master_regulators(genes_by_name(z(), layout), layout)
    close(in_order(found.nes, layout, f"{name}_nes"), r(f"{name}_nes"))
    close(in_order(found.pvalues, layout, f"{name}_nes"), r(f"{name}_p"))
    if name == "ms_nonull":
        close(in_order(layout.sizes, layout, f"{name}_nes"), r(f"{name}_size"))
        names = layout.names[np.argsort(found.pvalues, kind="stable")]
        assert set(names[:10]) <= set(r("ms_nonull_nes__rows").astype(str))


def test_master_regulators_against_a_null() -> None:
    found = masters_by_null()
    close(in_order(found.es[None], regulons(), "ms_null_es").T, r("ms_es"))
    close(in_order(found.nes, regulons(), "ms_null_nes"), r("ms_null_nes"))
    close(in_order(found.pvalues, regulons(), "ms_null_nes"), r("ms_null_p"))
    close(in_order(regulons().sizes, regulons(), "ms_null_nes"), r("ms_null_size"))


def test_summary_has_rates_of_false_discoveries() -> None:
    known = r("ms_summary_nes")
    known = known[~np.isnan(known)]  # R was asked for more rows than there are
    found = masters().to_dataframe().set_index("regulator")
    rows = r("ms_summary_reg").astype(str)[: len(known)]
    assert np.abs(found.loc[rows, "nes"] - known).max() <= 0.005 + 1e-9  # R prints 2 decimals
    np.testing.assert_allclose(found.loc[rows, "qvalue"], r("ms_summary_fdr")[: len(known)], 6e-3)
    np.testing.assert_allclose(found.loc[rows, "pvalue"], r("ms_summary_p")[: len(known)], 6e-3)


def test_bootstrapped_signatures() -> None:
    layout = regulons()
    found = master_regulators(genes_by_name(bootstraps(), layout), layout)
    assert found.bootstraps is not None
    assert found.standard_error is not None
    name = "ms_boot_nes"
    close(in_order(found.bootstraps, layout, "ms_boot_nesbt").T, r("ms_boot_nesbt"))
    close(in_order(found.nes, layout, name), r("ms_boot_nes"))
    close(in_order(found.pvalues, layout, name), r("ms_boot_p"))
    close(in_order(found.standard_error, layout, name), r("ms_boot_se"))
    close(in_order(layout.sizes, layout, name), r("ms_boot_size"))
    for how in ("mean", "median"):
        nes = in_order(combine_bootstraps(found.bootstraps, how), layout, name)  # type: ignore[arg-type]
        close(nes, r(f"ms_boot_{how}_nes"))
        close(two_sided(nes), r(f"ms_boot_{how}_p"))
    # The density of R is binned; its peak lies within a step of the grid of ours.
    mode = in_order(combine_bootstraps(found.bootstraps, "mode"), layout, name)
    assert np.abs(mode - r("ms_boot_mode_nes")).max() < 0.01
    assert np.abs(two_sided(mode) - r("ms_boot_mode_p")).max() < 0.01


def test_pleiotropy_of_master_regulators() -> None:
    values = genes_by_name(z(), regulons())[None]
    nes = correct(values, masters().nes[None], regulons(), Pleiotropy())[0]
    close(in_order(nes, regulons(), "ms_pleio_nes"), r("ms_pleio_nes"))
    close(two_sided(in_order(nes, regulons(), "ms_pleio_nes")), r("ms_pleio_p"))
    close(in_order(regulons().sizes, regulons(), "ms_pleio_nes"), r("ms_pleio_size"))


def test_leading_edges() -> None:
    values = genes_by_name(z(), regulons())
    right: dict[str, set[str]] = {}
    for source, target in zip(r("ms_ledge_source"), r("ms_ledge_target"), strict=True):
        right.setdefault(str(source), set()).add(str(target))
    ends = []
    for name in r("ms_null_nes__rows").astype(str):
        edges = regulons().edges(regulons().names.tolist().index(name))
        found = leading_edge(values, regulons().targets[edges], regulons().mode[edges])
        assert set(regulons().genes[found.targets]) == right.get(name, set())
        ends.append((found.highest, found.lowest))
    close(np.array(ends)[:, 0], r("ms_ledge_maxes"))
    close(np.array(ends)[:, 1], r("ms_ledge_mines"))


def test_shadows() -> None:
    """R's p-values are smoothed and drawn; the pair found is the same."""
    values = genes_by_name(z(), regulons())
    pairs = shadow_pairs(values, masters_by_null(), regulators=12, shadow=0.05)
    found = (pairs["regulator"] + "->" + pairs["shadowed"]).str.replace(" ", "").tolist()
    assert found == [str(pair).replace(" ", "") for pair in r("ms_shadow_pairs")]
    left = without_shadows(regulons(), pairs)
    right = list(zip(r("ms_shadow_regulon_source"), r("ms_shadow_regulon_target"), strict=True))
    names = zip(left.names[left.owner], left.genes[left.targets], strict=True)
    at = {name: number for number, name in enumerate(names)}
    order = [at[pair] for pair in right]
    assert len(at) == len(right)
    close(left.mode[order], r("ms_shadow_regulon_mode"))
    close(left.likelihood[order], r("ms_shadow_regulon_likelihood"))
    close(in_order(left.sizes, left, "ms_shadow_nes"), r("ms_shadow_size"))


def members(together: Together) -> list[tuple[str, ...]]:
    return [tuple(sorted(regulons().names[list(group)])) for group in together.members]


def test_combinations_and_synergy() -> None:
    values = genes_by_name(z(), regulons())
    found = combinations(values, masters(), regulators=8, min_targets=10, keep_all=True)
    rows = [str(row) for row in r("ms_comb_nes__rows")]
    pairs = [tuple(sorted(row.split("--"))) for row in rows if "--" in row]
    assert sorted(members(found)) == sorted(pairs)
    order = [members(found).index(pair) for pair in pairs]
    close(found.nes[order], r("ms_comb_nes")[-len(pairs) :])
    close(found.pvalues[order], r("ms_comb_p")[-len(pairs) :])
    close(found.regulons.sizes[order], r("ms_comb_size")[-len(pairs) :])
    close(masters().nes[regulons().names.get_indexer(rows[: -len(pairs)])], r("ms_comb_nes")[:-6])
    own = found.regulons
    labels = np.array(["--".join(pair) for pair in members(found)])[own.owner]
    at = {
        key: number for number, key in enumerate(zip(labels, own.genes[own.targets], strict=True))
    }
    right = [
        at["--".join(sorted(str(source).split("--"))), str(target)]
        for source, target in zip(
            r("ms_comb_regulon_source"), r("ms_comb_regulon_target"), strict=True
        )
    ]
    close(own.mode[right], r("ms_comb_regulon_mode"))
    close(own.likelihood[right], r("ms_comb_regulon_likelihood"))
    # Only those more significant than their members are kept otherwise: none of R's six are lost.
    p = synergy_pvalues(values, masters(), found, n_permutations=4000)
    assert np.abs(p[order] - r("ms_synergy_p")).max() < 0.05


CHECKED = (
    "vsig_boot_", "vsig_big_", "aecdf_", "rowttest_", "ttestnull_", "bootttest",
    "scalegroups", "ms_",
)  # fmt: skip
LEFT_OUT = {
    "vsig_perm_": "null of a reference split in two: PySCES resamples the reference instead",
    "ms_shadow_nes": "from 700 null signatures of the changed regulons, which weren't kept",
    "ms_shadow_p": "from 700 null signatures of the changed regulons, which weren't kept",
}


def test_every_array_is_checked_or_has_a_reason() -> None:
    prefixes = ("vsig_", "aecdf_", "rowttest_", "ttestnull_", "bootttest", "ms_", "scalegroups")
    mine = {n for n in load("r_viper") if n.startswith(prefixes)}
    text = Path(__file__).read_text()
    for name in {n for n in mine if not n.endswith(("__rows", "__cols"))}:
        if name.startswith(tuple(LEFT_OUT)):
            continue
        assert name.startswith(CHECKED)
        stem = name.split("_")[0] if name in ("bootttest", "scalegroups") else name.split("_")[1]
        assert stem in text


def test_benjamini_hochberg_leaves_missing_values_out() -> None:
    q = benjamini_hochberg(np.array([0.01, np.nan, 0.02]))
    np.testing.assert_allclose(q, [0.02, np.nan, 0.02])


def close(found: np.ndarray, right: np.ndarray) -> None:
    np.testing.assert_allclose(np.asarray(found, dtype=float), right, rtol=1e-12, atol=1e-10)
