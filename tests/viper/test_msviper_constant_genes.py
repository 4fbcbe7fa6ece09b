"""Genes without a value between two groups take no part in shadow and synergy."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import pysces
from pysces.network import Network
from pysces.viper._regulons import align
from pysces.viper.groups._masters import Masters, master_regulators
from pysces.viper.groups._synergy import combinations, shadow_pairs, synergy_pvalues

GENES = [f"gene{i:03d}" for i in range(400)]
CONSTANT = [f"silent{i:02d}" for i in range(10)]


def _masters(parts: dict[str, list[str]], silent: bool) -> tuple[np.ndarray, Masters]:
    """Genes 0 to 29 are up; with `silent`, A and B have targets without a value besides."""
    rng = np.random.default_rng(0)
    signature = rng.normal(size=len(GENES))
    signature[:30] += 3.0
    edges = pd.DataFrame([(s, g) for s, own in parts.items() for g in own])
    edges.columns = ["source", "target"]
    edges["mor"], edges["likelihood"] = 1.0, rng.uniform(0.8, 1.0, len(edges))
    genes = GENES
    if silent:
        more = pd.DataFrame({"source": ["A", "B"] * 10, "target": np.repeat(CONSTANT, 2)})
        edges = pd.concat([edges, more.assign(mor=1.0, likelihood=1.0)], ignore_index=True)
        genes, signature = GENES + CONSTANT, np.append(signature, np.full(10, np.nan))
    regulons = align(Network(edges), pd.Index(genes), filter_genes=False)
    return signature, master_regulators(signature, regulons)


def test_shadow_without_constant_genes() -> None:
    parts = {"A": GENES[:30], "B": GENES[15:60], "C": GENES[100:140]}
    plain, known = (
        shadow_pairs(*_masters(parts, silent), regulators=2) for silent in (False, True)
    )
    assert plain[["regulator", "shadowed"]].to_numpy().tolist() == [["A", "B"]]
    pd.testing.assert_frame_equal(known, plain)


def test_synergy_without_constant_genes() -> None:
    parts = {"A": GENES[:30] + GENES[100:130], "B": GENES[:30] + GENES[200:230]}
    found = []
    for silent in (False, True):
        signature, masters = _masters(parts, silent)
        together = combinations(signature, masters, regulators=2)
        found.append((together.nes, synergy_pvalues(signature, masters, together)))
    assert found[0][1].tolist() == [pytest.approx(1 / 1001)]
    np.testing.assert_allclose(found[1], found[0])


def test_groups_in_which_a_target_is_constant() -> None:
    rng = np.random.default_rng(0)
    adata = ad.AnnData(rng.normal(size=(20, 60)))
    adata.var_names = GENES[:60]
    adata.X[:, 0] = 0.0
    adata.obs["side"] = ["a", "b"] * 10
    edges = pd.DataFrame({"source": np.repeat(["A", "B"], 30), "target": GENES[:30] * 2})
    pysces.run_msviper(adata, "side", "a", network=edges, n_permutations=50, shadow=2, synergy=2)
    assert {"shadow", "synergy"} <= set(adata.uns["msviper"])
