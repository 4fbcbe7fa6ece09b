"""What each declared kernel is timed on: the function of the kernel's name makes the input.

Sizes are numbered 0, 1, 2, ... (``rung``); each is about four times the work of the one before
(eight times for the data processing inequality). A test compares the names here with the
declarations, so that no kernel is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pysces.aracne._partition import c_log_c, partition
from pysces.viper._statistics import stacked_tables, tables
from speed import inputs

SAMPLES = 200
GENES = 1000
REGULONS = 50
TARGETS = 50


@dataclass(frozen=True)
class Workload:
    """Arguments of a kernel, and how many units of work they are."""

    arguments: dict[str, Any]
    units: int
    unit: str


# --- ARACNe ---------------------------------------------------------------------------------------


def ordinal_ranks(rung: int) -> Workload:
    """Genes with many ties over 200 samples."""
    rng, rows = inputs.stream("ordinal_ranks", rung), 64 * 4**rung
    values = inputs.counts(rng, rows, SAMPLES)
    keys = rng.integers(0, 2**64, size=rows, dtype=np.uint64)
    return Workload({"values": values, "keys": keys, "descending": True}, rows, "genes")


def average_ranks(rung: int) -> Workload:
    """Cells with many ties over 1,000 genes."""
    rows = 8 * 4**rung
    values = inputs.counts(inputs.stream("average_ranks", rung), rows, GENES)
    return Workload({"values": values}, rows, "cells")


def adaptive_mi(rung: int) -> Workload:
    """Regulators with genes, mixtures of common causes, over 200 samples."""
    rng, regulators, genes = inputs.stream("adaptive_mi", rung), 4 * 2**rung, 64 * 2**rung
    x = inputs.dependent_ranks(rng, regulators, SAMPLES)
    y = inputs.dependent_ranks(rng, genes, SAMPLES)
    table = partition("adaptive", SAMPLES).tables
    return Workload({"regulators": x, "genes": y, **table}, regulators * genes, "pairs")


def adaptive_edges(rung: int) -> Workload:
    """Half of 400 samples of the same genes; one pair in a thousand or so is an edge."""
    rng, regulators, genes = inputs.stream("adaptive_edges", rung), 4 * 2**rung, 64 * 2**rung
    table = partition("adaptive", SAMPLES)
    arguments = {
        "rows": inputs.dependent_ranks(rng, regulators, 2 * SAMPLES),
        "genes": inputs.dependent_ranks(rng, genes, 2 * SAMPLES),
        "own": np.full(regulators, -1),
        "chosen": np.arange(0, 2 * SAMPLES, 2, dtype=np.int32)[None],
        "row_keys": np.arange(regulators, dtype=np.uint64)[None],
        "gene_keys": np.arange(genes, dtype=np.uint64)[None],
        "thresholds": np.array([round(0.3 * SAMPLES * 2.0**40)]),
        "n_regulators": regulators,
        "descending": True,
    }
    return Workload({**arguments, **table.tables}, regulators * genes, "pairs")


def adaptive_leaves(rung: int) -> Workload:
    """Pairs of genes, mixtures of common causes, over 200 samples."""
    rng, pairs = inputs.stream("adaptive_leaves", rung), 16 * 4**rung
    first, second = (inputs.dependent_ranks(rng, pairs, SAMPLES) for _ in range(2))
    table = partition("adaptive", SAMPLES)
    arguments = {"first": first, "second": second, "split": table.split}
    return Workload({**arguments, "min_count": table.min_count}, pairs, "pairs")


def binned_mi(rung: int) -> Workload:
    """Ten bins over 2,000 cells, with the correction."""
    rng, regulators, genes = inputs.stream("binned_mi", rung), 4 * 2**rung, 32 * 2**rung
    x, y = (rng.integers(0, 10, size=(rows, 2000)).astype(np.uint8) for rows in (regulators, genes))
    arguments = {"regulators": x, "genes": y, "n_bins": 10}
    arguments |= {"n_log_n": c_log_c(2000), "half_cell": 1 << 39}
    return Workload(arguments, regulators * genes, "pairs")


def copula_mi(rung: int) -> Workload:
    """Regulators with genes of which half share a cause, degree 2, over 200 samples."""
    rng, regulators, genes = inputs.stream("copula_mi", rung), 16 * 2**rung, 64 * 2**rung
    x = inputs.whole_scores(rng, regulators, SAMPLES)
    y = inputs.whole_scores(rng, genes, SAMPLES)
    return Workload({"regulators": x, "genes": y, "degree": 2}, regulators * genes, "pairs")


def copula_pairs(rung: int) -> Workload:
    """Pairs drawn from 50 regulators and 1,000 genes, degree 2, over 200 samples."""
    rng, pairs = inputs.stream("copula_pairs", rung), 256 * 4**rung
    x = inputs.whole_scores(rng, REGULONS, SAMPLES)
    y = inputs.whole_scores(rng, GENES, SAMPLES)
    row = rng.integers(0, REGULONS, size=pairs).astype(np.int32)
    gene = rng.integers(0, GENES, size=pairs).astype(np.int32)
    return Workload({"rows": x, "genes": y, "row": row, "gene": gene, "degree": 2}, pairs, "pairs")


def copula_edges(rung: int) -> Workload:
    """Ten halves of 200 samples, degree 2; about a tenth of the pairs are edges."""
    rng, regulators, genes = inputs.stream("copula_edges", rung), 16 * 2**rung, 64 * 2**rung
    first = np.array([rng.permutation(SAMPLES) < SAMPLES // 2 for _ in range(5)])
    weights = np.stack([first, ~first], axis=1).reshape(10, SAMPLES).astype(np.uint8)
    arguments = {
        "rows": inputs.whole_scores(rng, regulators, SAMPLES),
        "genes": inputs.whole_scores(rng, genes, SAMPLES),
        "own": np.arange(regulators),
        "weights": weights,
        "usable_rows": np.ones((10, regulators), dtype=bool),
        "usable_genes": np.ones((10, genes), dtype=bool),
        "thresholds": np.full(10, int(0.05 * 2**40)),
        "degree": 2,
    }
    return Workload(arguments, 10 * regulators * genes, "pairs")


def prune_edges(rung: int) -> Workload:
    """The network of the data processing inequality as a list of its edges."""
    regulators, genes = 16 * 2**rung, 128 * 2**rung
    network, _ = inputs.edges(inputs.stream("dpi", rung), regulators, genes, 0.1)
    row, gene = np.nonzero(network)
    partner = np.full(genes, -1, dtype=np.int32)
    partner[:regulators] = np.arange(regulators)
    arguments = {
        "row": row.astype(np.int32),
        "gene": gene.astype(np.int32),
        "mi": network[row, gene],
        "partner": partner,
        "asked": np.arange(len(row)),
        "n_regulators": regulators,
    }
    return Workload({**arguments, "kept_fraction": 1 << 30}, regulators**2 * genes, "triangles")


def dpi(rung: int) -> Workload:
    """A network that has a tenth of all edges."""
    regulators, genes = 16 * 2**rung, 128 * 2**rung
    network, between = inputs.edges(inputs.stream("dpi", rung), regulators, genes, 0.1)
    arguments = {"edges": network, "between": between, "network": network}
    return Workload({**arguments, "kept_fraction": 1 << 30}, regulators**2 * genes, "triangles")


def weakest_pairs(rung: int) -> Workload:
    """The same network."""
    regulators, genes = 16 * 2**rung, 128 * 2**rung
    network, between = inputs.edges(inputs.stream("dpi", rung), regulators, genes, 0.1)
    arguments = {"between": between, "network": network}
    return Workload(arguments, regulators**2 * genes, "triangles")


def rank_products(rung: int) -> Workload:
    """Pairs drawn from 1,000 genes over 200 samples."""
    rng, pairs = inputs.stream("rank_products", rung), 256 * 4**rung
    ranks = 2 * inputs.independent_ranks(rng, GENES, SAMPLES)
    first, second = rng.integers(0, GENES, size=(2, pairs))
    return Workload({"ranks": ranks, "first": first, "second": second}, pairs, "pairs")


# --- signatures -----------------------------------------------------------------------------------


def _cells(name: str, rung: int, first: int = 16) -> tuple[np.random.Generator, np.ndarray]:
    rng = inputs.stream(name, rung)
    return rng, inputs.counts(rng, first * 4**rung, GENES)


def gene_sums(rung: int) -> Workload:
    """Cells x 1,000 genes."""
    _, values = _cells("gene_sums", rung)
    exponent = np.frexp(values.max(axis=0))[1].astype(np.int32)
    return Workload({"values": values, "exponent": exponent}, len(values), "cells")


def sparse_gene_sums(rung: int) -> Workload:
    """Cells x 1,000 genes, a tenth of the values filled."""
    rng, values = _cells("sparse_gene_sums", rung)
    exponent = np.frexp(values.max(axis=0))[1].astype(np.int32)
    return Workload({**_sparse(rng, values), "exponent": exponent}, len(values), "cells")


def sparse_gene_range(rung: int) -> Workload:
    """Cells x 1,000 genes, a tenth of the values filled."""
    rng, values = _cells("sparse_gene_range", rung)
    return Workload({**_sparse(rng, values), "n_genes": GENES}, len(values), "cells")


def largest_counts(rung: int) -> Workload:
    """Cells x 1,000 genes, a tenth of the counts above 0; the largest 11 of each gene."""
    stored, depth = _counted("largest_counts", rung)
    given = {**stored, "depth": depth, "n_genes": GENES, "number": 11}
    return Workload(given, len(depth), "cells")


def count_sums(rung: int) -> Workload:
    """Cells x 1,000 genes, a tenth of the counts above 0, in 40 bins."""
    stored, depth = _counted("count_sums", rung)
    bins = (np.arange(len(depth)) % 40).astype(np.int32)
    given = {**stored, "depth": depth, "bin": bins, "n_bins": 40, "bound": np.full(GENES, 0.02)}
    return Workload(given, len(depth), "cells")


def _counted(name: str, rung: int) -> tuple[dict[str, Any], np.ndarray]:
    rng, values = _cells(name, rung)
    stored = _sparse(rng, values)
    stored["count"] = np.floor(1 + 3 * np.abs(stored.pop("value")))
    return stored, rng.uniform(500, 2000, size=len(values))


def sparse_standardise(rung: int) -> Workload:
    """Cells x 1,000 genes, a tenth of the values filled, to 36 bits."""
    rng, values = _cells("sparse_standardise", rung)
    stored = _sparse(rng, values)
    arguments = {name: stored[name] for name in ("gene", "value")}
    scales = {"centre": values.mean(axis=0), "scale": values.std(axis=0)}
    return Workload({**arguments, **scales, "bits": 36}, len(values), "cells")


def _sparse(rng: np.random.Generator, values: np.ndarray) -> dict[str, Any]:
    """A tenth of the values, as the kernels take sparse cells."""
    cell, gene = np.nonzero(rng.random(values.shape) < 0.1)
    ends = np.searchsorted(cell, np.arange(len(values) + 1)).astype(np.int64)
    return {
        "start": ends[:-1],
        "stop": ends[1:],
        "gene": gene.astype(np.int32),
        "value": values[cell, gene],
    }


def gene_medians(rung: int) -> Workload:
    """Cells x 1,000 genes."""
    _, values = _cells("gene_medians", rung)
    return Workload({"values": values}, len(values), "cells")


def standardise(rung: int) -> Workload:
    """Cells x 1,000 genes, to 36 bits."""
    _, values = _cells("standardise", rung)
    arguments = {"values": values, "centre": values.mean(axis=0), "scale": values.std(axis=0)}
    return Workload({**arguments, "bits": 36}, len(values), "cells")


def leave_one_out_t(rung: int) -> Workload:
    """Cells x 1,000 genes, to 36 bits."""
    _, values = _cells("leave_one_out_t", rung)
    mean = values.mean(axis=0)
    arguments = {
        "values": values,
        "count": np.full(GENES, float(len(values))),
        "mean": mean,
        "spread": ((values - mean) ** 2).sum(axis=0),
        "bits": 36,
    }
    return Workload(arguments, len(values), "cells")


def segment_means(rung: int) -> Workload:
    """Cells x 1,000 genes in twenty groups."""
    rng, values = _cells("segment_means", rung)
    segment = rng.integers(0, 20, size=len(values)).astype(np.int32)
    arguments = {"values": values, "segment": segment, "n_segments": 20}
    return Workload(arguments, len(values), "cells")


# --- enrichment -----------------------------------------------------------------------------------


def _enrichment(
    name: str, rung: int, first: int = 4
) -> tuple[np.random.Generator, np.ndarray, dict[str, Any]]:
    """Cells x 1,000 genes of a signature without ties, with 50 regulons of 50 targets."""
    rng = inputs.stream(name, rung)
    values = rng.normal(size=(first * 4**rung, GENES))
    return rng, values, inputs.regulons(rng, GENES, REGULONS, TARGETS)


def _ranked(values: np.ndarray) -> dict[str, Any]:
    table_start, quantiles = tables(values)
    max_rank_deviation = np.full(len(values), -1, dtype=np.int32)
    return {
        "signature": values,
        "max_rank_deviation": max_rank_deviation,
        "table_start": table_start,
        "quantiles": quantiles,
    }


def normal_scores(rung: int) -> Workload:
    """Ranks of cells x 1,000 genes."""
    rng = inputs.stream("normal_scores", rung)
    ranks = 2 * inputs.independent_ranks(rng, 16 * 4**rung, GENES)
    table_start, quantiles = tables(ranks.astype(np.float64))
    arguments = {"ranks": ranks, "table_start": table_start, "quantiles": quantiles}
    return Workload(arguments, len(ranks), "cells")


def area(rung: int) -> Workload:
    """50 regulons of 50 targets among 1,000 genes."""
    _, values, sets = _enrichment("area", rung)
    return Workload({**_ranked(values), **sets}, len(values), "cells")


def sparse_area(rung: int) -> Workload:
    """50 regulons of 50 targets among 1,000 genes, a tenth of the values filled."""
    rng, values, sets = _enrichment("sparse_area", rung, first=16)
    given = _ranked(values)
    del given["signature"]
    zero = {"zero": rng.normal(size=GENES)}
    return Workload({**zero, **_sparse(rng, values), **given, **sets}, len(values), "cells")


def weighted_area(rung: int) -> Workload:
    """The same with a weight for every gene of every cell."""
    rng, values, sets = _enrichment("weighted_area", rung)
    weights = {"weights": rng.uniform(size=values.shape), "weighted_norm": True}
    return Workload({**_ranked(values), **weights, **sets}, len(values), "cells")


def paired_area(rung: int) -> Workload:
    """Three regulons for each cell."""
    rng, values, sets = _enrichment("paired_area", rung)
    tasks = 3 * len(values)
    pairs = {
        "cell": np.repeat(np.arange(len(values), dtype=np.int32), 3),
        "regulon": rng.integers(0, REGULONS, size=tasks).astype(np.int32),
    }
    return Workload({**_ranked(values), **pairs, **sets}, tasks, "scores")


def weighted_mean(rung: int) -> Workload:
    """50 regulons of 50 targets among 1,000 genes."""
    _, values, sets = _enrichment("weighted_mean", rung, first=16)
    weights = sets.pop("mode") * sets.pop("likelihood")
    return Workload({"signature": values, **sets, "weights": weights}, len(values), "cells")


def depth_sums(rung: int) -> Workload:
    """50 regulons of 50 targets among 1,000 genes, a tenth of the values filled."""
    rng, values, sets = _enrichment("depth_sums", rung, first=16)
    cell, gene = np.nonzero(rng.random(values.shape) < 0.1)
    cells, genes = values.shape
    ends = np.searchsorted(cell, np.arange(cells + 1))
    order = np.argsort(sets["targets"], kind="stable")
    owner = np.repeat(np.arange(REGULONS), TARGETS)
    weight = np.rint(sets["mode"] * sets["likelihood"] * 2.0**20)
    arguments = {
        "start": ends[:-1],
        "stop": ends[1:],
        "depth": rng.integers(0, 2**21, cells).astype(np.int32),
        "batch": np.zeros(cells, np.int32),
        "gene": gene.astype(np.int32),
        "count": rng.geometric(0.7, len(gene)).clip(1, 4).astype(np.int32),
        "direct": np.zeros(0, np.int64),
        "level": rng.integers(0, 60 * 2**20, (1, genes)).astype(np.int32),
        "size": rng.integers(0, 25 * 2**20, genes).astype(np.int32),
        "table": rng.integers(-(2**20), 2**20, (25, 62, 5, 16)).astype(np.int32) | 1,
        "limit": 6 << 20,
        "indptr": np.searchsorted(sets["targets"][order], np.arange(genes + 1)),
        "regulon": owner[order].astype(np.int32),
        "weight": weight[order].astype(np.int32),
        "n_regulons": REGULONS,
    }
    return Workload(arguments, cells, "cells")


def narnea(rung: int) -> Workload:
    """50 regulons of 50 targets among 1,000 genes."""
    _, values, sets = _enrichment("narnea", rung)
    order = np.argsort(-sets["likelihood"].reshape(REGULONS, TARGETS), axis=1, kind="stable")
    arguments = {
        "magnitude": np.abs(values),
        "sign": np.where(values < 0, -1, 1).astype(np.int32),
        **sets,
        "by_likelihood": order.ravel().astype(np.int32),
    }
    return Workload(arguments, len(values), "cells")


def _sets(sets: dict[str, Any]) -> dict[str, Any]:
    return {"indptr": sets["indptr"], "targets": sets["targets"]}


def running_sum(rung: int) -> Workload:
    """50 sets of 50 targets among 1,000 genes."""
    _, values, sets = _enrichment("running_sum", rung)
    arguments = {"signature": values, "weight": np.abs(values), **_sets(sets)}
    return Workload(arguments, len(values), "cells")


def permuted_running_sum(rung: int) -> Workload:
    """The same with 20 permutations."""
    rng, values, sets = _enrichment("permuted_running_sum", rung, first=1)
    permutations = np.array([rng.permutation(GENES) for _ in range(20)], dtype=np.int32)
    arguments = {"signature": values, "weight": np.abs(values), "permutations": permutations}
    return Workload({**arguments, **_sets(sets)}, len(values), "cells")


def shared_target_scores(rung: int) -> Workload:
    """Every regulon shares half of its targets with another one, in every cell."""
    rng, values, sets = _enrichment("shared_target_scores", rung, first=1)
    half = TARGETS // 2
    places = [np.sort(rng.choice(TARGETS, half, replace=False)) for _ in range(REGULONS)]
    tests = len(values) * REGULONS
    arguments = {
        "signature": values,
        "direction": rng.choice(np.array([-1, 1], dtype=np.int32), size=tests),
        "cell": np.repeat(np.arange(len(values), dtype=np.int32), REGULONS),
        "pair": np.tile(np.arange(REGULONS, dtype=np.int32), len(values)),
        "regulator": np.arange(REGULONS, dtype=np.int32),
        "shared_indptr": np.arange(0, (REGULONS + 1) * half, half, dtype=np.int64),
        "shared": np.concatenate(places).astype(np.int32),
        "quantiles": stacked_tables(TARGETS),
        **sets,
    }
    return Workload(arguments, tests, "tests")


# --- graphs ---------------------------------------------------------------------------------------


def propagate(rung: int) -> Workload:
    """30 components over a graph of ten edges a node, eight steps of a Chebyshev polynomial."""
    rng, nodes = inputs.stream("propagate", rung), 64 * 4**rung
    arguments = {
        "indptr": np.arange(0, 10 * nodes + 1, 10, dtype=np.int64),
        "indices": rng.integers(0, nodes, size=10 * nodes).astype(np.int32),
        "weights": rng.uniform(-0.1, 0.1, size=10 * nodes),
        "values": rng.normal(size=(nodes, 30)),
        "recurrence": np.array([[1.0, 0.0, 0.0], *[[2.0, 0.0, -1.0]] * 7]),
    }
    return Workload(arguments, 8 * 10 * nodes, "edges")


def workloads() -> dict[str, Callable[[int], Workload]]:
    """Every workload by the name of its kernel.

    Examples
    --------
    >>> workloads()["adaptive_mi"](0).unit
    'pairs'
    """
    return {
        name: made
        for name, made in globals().items()
        if getattr(made, "__module__", None) == __name__
        and getattr(made, "__annotations__", {}).get("return") == "Workload"
        and not name.startswith("_")
    }
