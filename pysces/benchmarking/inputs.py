"""Simulated data of any size: ranks, signatures, regulons, networks, expression."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pysces import _seeds

if TYPE_CHECKING:
    from numpy.typing import NDArray


def stream(*parts: object) -> np.random.Generator:
    """Random numbers that are the same on every machine and in every order of calls."""
    return _seeds.generator(0, "benchmark", *parts)


def independent_ranks(rng: np.random.Generator, rows: int, samples: int) -> NDArray[np.int32]:
    """Ranks 1 ... samples of genes that have nothing to do with each other [rows samples]."""
    return rng.permuted(np.tile(np.arange(1, samples + 1, dtype=np.int32), (rows, 1)), axis=1)


def dependent_ranks(rng: np.random.Generator, rows: int, samples: int) -> NDArray[np.int32]:
    """Ranks 1 ... samples of genes that are mixtures of ten causes [rows samples]."""
    weights = rng.normal(size=(rows, 10)) * (rng.random((rows, 10)) < 0.3)
    values = weights @ rng.normal(size=(10, samples)) + 0.5 * rng.normal(size=(rows, samples))
    return (values.argsort(1).argsort(1) + 1).astype(np.int32)


def whole_scores(rng: np.random.Generator, rows: int, samples: int) -> NDArray[np.int8]:
    """Whole scores of 8 bits of degree 2, rows x 2 x samples; half of the rows share a cause."""
    z = rng.normal(size=(rows, samples))
    z[: rows // 2] += rng.normal(size=samples)
    terms = [np.clip(np.rint(30 * h), -127, 127) for h in (z, z * z - 1)]
    return np.stack(terms, axis=1).astype(np.int8)


def counts(rng: np.random.Generator, rows: int, columns: int) -> NDArray[np.float64]:
    """Logarithms of counts, half of them 0: the ties of single cells [rows columns]."""
    return np.log1p(rng.poisson(0.7, size=(rows, columns)).astype(np.float64))


def regulons(
    rng: np.random.Generator, genes: int, number: int, targets: int
) -> dict[str, NDArray[Any]]:
    """Regulons of equal size as the kernels of enrichment take them."""
    drawn = [np.sort(rng.choice(genes, targets, replace=False)) for _ in range(number)]
    return {
        "indptr": np.arange(0, (number + 1) * targets, targets, dtype=np.int64),
        "targets": np.concatenate(drawn).astype(np.int32),
        "mode": rng.uniform(-1, 1, size=number * targets),
        "likelihood": rng.uniform(0.05, 1, size=number * targets),
    }


def edges(
    rng: np.random.Generator, regulators: int, genes: int, density: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Mutual information of a sparse network in fixed point, 0 for no edge.

    Returns it of regulators with genes (the first of which are the regulators), and of regulators
    with each other: symmetric, with an empty diagonal.
    """
    network = rng.integers(1, 2**48, size=(regulators, genes))
    network *= rng.random(network.shape) < density
    between = np.triu(network[:, :regulators], 1)
    network[:, :regulators] = between + between.T
    return network, np.ascontiguousarray(network[:, :regulators])


def expression(
    samples: int, genes: int, regulators: int
) -> tuple[pd.DataFrame, list[str], pd.DataFrame]:
    """Expression with a planted network: samples x genes, the regulators, and the true edges.

    Each gene that is no regulator follows one to three regulators, up or down, and noise.
    """
    rng = stream("expression", samples, genes, regulators)
    names = [f"G{k:05d}" for k in range(genes)]
    values = rng.normal(size=(samples, genes))
    planted = []
    for gene in range(regulators, genes):
        parents = rng.choice(regulators, int(rng.integers(1, 4)), replace=False)
        for parent in parents:
            values[:, gene] += rng.choice([-1.0, 1.0]) * values[:, parent]
            planted.append((names[parent], names[gene]))
    table = pd.DataFrame(values, index=[f"S{k}" for k in range(samples)], columns=names)
    return table, names[:regulators], pd.DataFrame(planted, columns=["source", "target"])


def signature_and_network(
    cells: int, genes: int, regulators: int, targets: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A signature (cells x genes) and the edges (source, target, weight) of equal regulons."""
    rng = stream("signature", cells, genes, regulators, targets)
    names = np.array([f"G{k:05d}" for k in range(genes)])
    values = rng.normal(size=(cells, genes))
    table = pd.DataFrame(values, index=[f"C{k}" for k in range(cells)], columns=names)
    drawn = [rng.choice(names, targets, replace=False) for _ in range(regulators)]
    network = pd.DataFrame(
        {
            "source": np.repeat([f"R{k}" for k in range(regulators)], targets),
            "target": np.concatenate(drawn),
            "weight": rng.uniform(-1, 1, regulators * targets),
        }
    )
    return table, network
