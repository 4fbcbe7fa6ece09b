"""Donors as replicates: an edge must be found in several of them."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import pysces

GENES = [f"gene{i}" for i in range(30)]
REGULATORS = GENES[:3]
OPTIONS = {"n_resamples": 10, "n_null": 20_000, "n_decoys": 200, "min_support": 0.5}


def cells(n_donors: int = 4, n: int = 150, seed: int = 0) -> pd.DataFrame:
    """gene10 follows gene0 in all donors, gene11 follows gene1 in the first, gene12 in two."""
    rng = np.random.default_rng(seed)
    donor = np.repeat(np.arange(n_donors), n)
    x = rng.normal(size=(len(donor), len(GENES)))
    x[:, 10] += 1.5 * x[:, 0]
    x[:, 11] += np.where(donor == 0, 6.0, 0.0) * x[:, 1]
    x[:, 12] += np.where(donor <= 1, 3.0, 0.0) * x[:, 2]
    x += 5 * rng.normal(size=(n_donors, len(GENES)))[donor]  # levels of donors
    names = [f"cell{i:03d}" for i in range(len(donor))]
    return pd.DataFrame(x, index=names, columns=GENES).assign(donor=donor)


def network(table: pd.DataFrame, **options: object) -> pd.DataFrame:
    data, donor = table[GENES], table["donor"]
    found = pysces.infer_network(data, REGULATORS, donor_key=donor, **{**OPTIONS, **options})
    return found.to_dataframe().astype({"source": str, "target": str})


def donors_by_hand(table: pd.DataFrame, pair: tuple[str, str], min_donors: int) -> int:
    """Number of donors with a significant normal-score correlation of the common sign."""
    level = 0.05 / (table["donor"].nunique() - min_donors + 1)
    scores = table.groupby("donor")[list(pair)].transform(
        lambda x: stats.norm.ppf((x.rank() - 0.5) / len(x))
    )
    sign = np.sign(scores.corr().iloc[0, 1])
    found = 0
    for _, own in scores.groupby(table["donor"]):
        r, p = stats.pearsonr(*own.to_numpy().T)
        found += bool(p <= level and np.sign(r) == sign)
    return found


@pytest.mark.parametrize("resampling", ["halves", None])
@pytest.mark.parametrize("min_donors", [1, 2, 3])
def test_an_edge_is_found_in_enough_donors(resampling: str | None, min_donors: int) -> None:
    table = cells()
    edges = network(table, min_donors=min_donors, degree=1, resampling=resampling)
    pairs = list(zip(edges["source"], edges["target"], strict=True))
    assert ("gene0", "gene10") in pairs
    assert (("gene2", "gene12") in pairs) == (min_donors <= 2)
    assert (("gene1", "gene11") in pairs) == (min_donors <= 1)
    for pair, count in zip(pairs, edges["donors"], strict=True):
        assert count == donors_by_hand(table, pair, min_donors)
        assert count >= min_donors
    whole = pysces.infer_network(
        table[GENES], REGULATORS, batch_key=table["donor"], **OPTIONS, degree=1
    )
    assert "donors" not in whole.columns
    assert "gene11" in whole.targets_of("gene1")  # as a batch, the first donor is enough


def test_a_donor_of_the_other_sign_does_not_count() -> None:
    table = cells(seed=1)
    own = table["donor"] == 3
    table.loc[own, "gene10"] -= 3 * table.loc[own, "gene0"]
    edges = network(table, degree=1).set_index(["source", "target"])
    assert edges.loc[("gene0", "gene10"), "donors"] == 3


def test_an_edge_of_one_donor_passes_at_the_level_of_the_test() -> None:
    """If one of six donors has the edge, another one shows it in at most 5 % of the data sets."""
    from pysces.aracne._donors import donors_with
    from pysces.aracne._options import AracneOptions
    from pysces.aracne._prepared import PreparedData
    from pysces.data._depth import known_of_arrays
    from pysces.data._expression import Expression

    rng = np.random.default_rng(0)
    donor = np.repeat(np.arange(6), 40)
    x = rng.normal(size=(240, 401))
    x[:40, 1:] += 5 * x[:40, :1]
    names = [f"g{i:03d}" for i in range(401)]
    expression = Expression.from_matrix(x, genes=names)
    options = AracneOptions(degree=1, min_donors=2, donor_key=donor)
    known = known_of_arrays(240, None, None, None, donor)
    candidates = PreparedData.of(expression, ["g000"], None, options, known).candidates
    row, gene = np.zeros(400, np.int32), np.arange(1, 401, dtype=np.int32)
    donors = donors_with(candidates, row, gene, 2)
    assert donors is not None
    assert (donors >= 1).mean() > 0.95  # but for edges whose sign the other donors turn
    # The edges share a regulator; given it, their tests are independent
    assert 2 <= (donors >= 2).sum() <= stats.binom.ppf(0.999, 400, 0.05)


def test_small_donors_do_not_count_and_too_few_are_refused(caplog) -> None:
    table = cells(n_donors=3)
    small = table.iloc[:155]  # five cells of the second donor
    with pytest.raises(pysces.InputError, match=r"1 donors .* min_donors=2.*Lower min_donors="):
        network(small)
    with caplog.at_level("WARNING", logger="pysces"):
        edges = network(small, min_donors=1, degree=1)
    assert "1 donors have fewer than 12 samples" in caplog.text
    assert set(edges["donors"]) == {1}
    with pytest.raises(pysces.InputError, match="donor_key= require estimator='copula'"):
        network(table, estimator="adaptive")


def test_donors_of_anndata_by_group_and_in_files(tmp_path) -> None:
    table = cells(n=200)
    adata = anndata.AnnData(table[GENES])
    adata.obs["donor"] = table["donor"].astype(str)
    adata.obs["kind"] = np.where(np.arange(len(table)) % 2, "T", "B")
    pysces.run_aracne(adata, REGULATORS, donor_key="donor", groupby="kind", degree=1, **OPTIONS)
    record = adata.uns["aracne"]
    assert record["groups"]["n_donors"].tolist() == [4, 4]
    assert record["params"]["donor_key"] == "donor"
    assert record["params"]["min_donors"] == 2
    own = table.iloc[1::2]
    expected = network(own, degree=1)
    found = pysces.Network.from_anndata(adata, group="T")
    assert found.to_dataframe()["donors"].tolist() == expected["donors"].tolist()
    found.write(tmp_path / "network.tsv")
    assert pysces.read_network(tmp_path / "network.tsv").equals(found)
    with pytest.raises(pysces.InputError, match=r"Did not find .obs\['nope'\].*donor_key="):
        pysces.run_aracne(adata, REGULATORS, donor_key="nope", key_added="other")


def test_counts_have_donors_too() -> None:
    rng = np.random.default_rng(0)
    donor = np.repeat(np.arange(4), 150)
    x = rng.normal(size=(600, 30))
    x[:, 10] += 1.5 * x[:, 0]
    x[:, 11] += np.where(donor == 0, 4.0, 0.0) * x[:, 1]
    counts = pd.DataFrame(rng.poisson(np.exp(0.6 * x + 1.0)).astype(float), columns=GENES)
    found = pysces.infer_network(
        counts, REGULATORS, counts=True, size_factors=np.ones(600), donor_key=donor, **OPTIONS
    )
    assert found.record.facts["scores"] == "counts given depth"
    table = found.to_dataframe()
    assert ["gene0", "gene10", 4] in table[["source", "target", "donors"]].values.tolist()
    assert "gene11" not in table["target"].tolist()
