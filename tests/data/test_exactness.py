"""Small cases with exact answers; of each a planted fault once passed all other tests."""

from __future__ import annotations

import csv
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import pysces
from pysces._reading import long_fields
from pysces._record import RunRecord
from pysces.data._depth import count_data
from pysces.data._expression import Expression
from pysces.data._recovery import looks_like_counts, recover_counts


def counted(genes: int = 80) -> ad.AnnData:
    """Counts of 25 cells of unlike depth; each has a count of 1 in the first gene."""
    rng = np.random.default_rng(0)
    mean = rng.gamma(0.5, 2.0, size=genes) * rng.lognormal(0, 0.5, size=(25, 1))
    counts = rng.poisson(mean).astype(float)
    counts[:, 0] = 1.0
    adata = ad.AnnData(counts)
    adata.obs_names = [f"c{i}" for i in range(25)]
    adata.var_names = [f"g{i}" for i in range(genes)]
    return adata


def test_a_record_of_groups_is_read_as_it_was_written() -> None:
    facts = {"a": {"n": 1, "seen": np.array([3, 1])}, "b": {"n": 2, "seen": np.array([5, 0, 2])}}
    options = {"alpha": np.float64(0.5), "seed": np.int64(3)}
    records = {name: RunRecord("run_aracne", options, one) for name, one in facts.items()}
    stored = RunRecord.of_groups(records).entries()
    assert stored["facts"] == {}
    found = RunRecord.of_entries(stored)
    assert [type(value) for value in found.options.values()] == [float, int]
    for name, one in facts.items():
        own = found.of_group(name).facts
        assert own.keys() == one.keys()
        assert own["n"] == one["n"]
        assert own["seen"].tolist() == one["seen"].tolist()


def test_integers_beyond_those_of_float64_are_no_counts() -> None:
    table = pd.DataFrame({"a": [1.0, 2.0], "b": [0.0, 2.0**53 - 1]})
    assert looks_like_counts(Expression.from_matrix(table))
    table.loc[0, "a"] = 2.0**53
    assert not looks_like_counts(Expression.from_matrix(table))


def test_total_counts_below_the_sum_of_the_counts_are_no_depth() -> None:
    adata = counted()
    total = adata.X.sum(axis=1)
    for stated, expected in ((total + 7, total + 7), (total - (np.arange(25) == 3), total)):
        adata.obs["total_counts"] = stated
        np.testing.assert_array_equal(count_data(adata, counts=True).depth, expected)


def test_counts_normalised_by_the_sum_over_few_genes_are_not_recovered() -> None:
    """The depth is unknown, unless there were other genes before."""
    adata = counted()
    adata.X = np.log1p(1e4 * adata.X / adata.X.sum(axis=1, keepdims=True))
    assert count_data(adata) is None
    assert count_data(adata[:, :60].copy()) is not None


def test_a_gene_that_varies_less_than_by_chance_has_no_overdispersion() -> None:
    adata = counted()
    adata.X[:, 1] = 2.0
    adata.X[:, 2] = 0.0
    adata.obs["depth"] = 1000.0
    size = count_data(adata, counts=True, size_factors="depth").fit().size
    assert np.isinf(size[1:3]).all()
    assert np.isfinite(size).any()


def test_a_batch_without_a_label_is_refused() -> None:
    adata = counted()
    adata.obs["batch"] = ["x"] * 24 + [None]
    with pytest.raises(pysces.InputError, match=r"no label \(missing value\) for 1 samples"):
        count_data(adata, counts=True, batch_key="batch")


def test_a_column_of_regulators_has_no_missing_values() -> None:
    adata = counted()
    adata.var["regulator"] = pd.array([True, None] + [False] * 78, dtype="boolean")
    with pytest.raises(pysces.InputError, match="boolean without missing values"):
        pysces.run_aracne(adata)


def test_the_limit_of_the_csv_module_is_restored() -> None:
    before = csv.field_size_limit()
    with long_fields():
        assert csv.field_size_limit() >= pysces.settings.max_line > before
    assert csv.field_size_limit() == before


def test_values_of_which_most_are_multiples_are_no_counts() -> None:
    rng = np.random.default_rng(0)
    counts = rng.poisson(3.0, size=(60, 80)).astype(float)
    genes = [f"g{i}" for i in range(80)]
    whole = Expression.from_matrix(np.log1p(counts * 0.01), genes=genes)
    assert recover_counts(whole) is not None
    off = np.where((counts > 1) & (rng.random(counts.shape) < 0.15), 0.37, 0.0)
    assert 0.05 < np.mean(off[counts > 0] > 0) < 0.2
    mixed = Expression.from_matrix(np.log1p((counts + off) * 0.01), genes=genes)
    assert recover_counts(mixed) is None


@pytest.mark.parametrize("text", ["", "NA", "NaN", "nan", "NULL", "None", "#N/A", "N/A", "<NA>"])
def test_a_missing_value_is_written_in_several_ways(text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.tsv"
    path.write_text(f"gene\ts1\ts2\nMYC\t1\t{text}\nMAX\t3\t4\n", encoding="utf-8")
    np.testing.assert_array_equal(pysces.read_expression(path).X, [[1, 3], [np.nan, 4]])
