"""Simulated expression of networks whose truth is known, for ``accuracy.py``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pysces import _seeds

SETS = ("linear", "sigmoid", "nonmonotone", "mixed", "correlated", "counts")


@dataclass(frozen=True, eq=False)
class Simulation:
    """Expression of a known network.

    Attributes
    ----------
    data
        Samples x genes; the first genes are the regulators.
    truth
        Whether the regulator regulates the gene directly, bool [regulators, genes].
    related
        Whether they share a cause (or one causes the other, however indirectly), bool [regulators,
        genes]; all other pairs are independent.
    counts
        The counts that ``data`` are normalised from, where there are any.
    """

    data: pd.DataFrame
    truth: np.ndarray
    related: np.ndarray
    counts: pd.DataFrame | None = None

    @property
    def regulators(self) -> list[str]:
        return list(self.data.columns[: len(self.truth)])

    def noise(self, seed: int) -> pd.DataFrame:
        """The same values, every gene permuted over the samples by itself: all is independent."""
        rng = _seeds.generator(seed, "accuracy", "noise", *self.data.shape)
        values = rng.permuted(self.data.to_numpy(), axis=0)
        return pd.DataFrame(values, columns=self.data.columns)


def parents(n_regulators: int, n_genes: int, seed: int) -> list[list[int]]:
    """Direct regulators of every gene, regulators first.

    Two fifths of the regulators have none, the others one or two earlier ones (cascades). Of the
    other genes a tenth have none, the rest one to three; one in five of those with several gets a
    regulator together with that regulator's own (feed-forward loops, where the data processing
    inequality may err).
    """
    rng = _seeds.generator(seed, "accuracy", "network", n_regulators, n_genes)
    found: list[list[int]] = []
    for gene in range(n_genes):
        if gene < n_regulators:
            roots = max(1, 2 * n_regulators // 5)
            count = 0 if gene < roots else int(rng.integers(1, 3))
            available = gene
        else:
            count = 0 if rng.random() < 0.1 else int(rng.integers(1, 4))
            available = n_regulators
        own = [int(i) for i in rng.choice(available, size=min(count, available), replace=False)]
        if gene >= n_regulators and len(own) > 1 and rng.random() < 0.2:
            above = [i for i in found[own[0]] if i not in own]
            own = own[: len(own) - bool(above)] + above[:1]
        found.append(own)
    return found


def truth_of(found: list[list[int]], n_regulators: int) -> np.ndarray:
    """Direct regulation as bool [regulators, genes]."""
    truth = np.zeros((n_regulators, len(found)), dtype=bool)
    for gene, own in enumerate(found):
        truth[own, gene] = True
    return truth


def related_of(found: list[list[int]], causes: np.ndarray) -> np.ndarray:
    """Pairs that share a cause, bool [regulators, genes].

    ``causes`` numbers the source of the noise of each regulator; equal numbers are a shared source.
    """
    n_regulators = len(causes)
    traced = np.zeros((len(found), n_regulators + causes.max() + 1), dtype=bool)
    for gene, own in enumerate(found):
        traced[gene] = traced[own].any(axis=0)
        if gene < n_regulators:
            traced[gene, [gene, n_regulators + causes[gene]]] = True
    return (traced[:n_regulators].astype(int) @ traced.T.astype(int)) > 0


def response(kind: str, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """How a gene follows one standardised regulator.

    ``"sigmoid"``: 1 / (1 + exp(-k (x - t))); ``"nonmonotone"``: (x - t)^2, abs(x - t) or
    exp(-(x - t)^2); ``"mixed"``: one of the two; else x itself.
    """
    if kind == "mixed":
        kind = ("sigmoid", "nonmonotone")[rng.integers(2)]
    if kind == "sigmoid":
        steepness, middle = rng.uniform(2, 6), rng.normal(0, 0.5)
        return 1 / (1 + np.exp(-steepness * (x - middle)))
    if kind == "nonmonotone":
        centred = x - rng.uniform(-0.3, 0.3)
        shape = rng.integers(3)
        return (centred**2, np.abs(centred), np.exp(-(centred**2)))[shape]
    return x


def simulate(
    kind: str,
    n_samples: int,
    n_regulators: int = 50,
    n_genes: int = 500,
    seed: int = 0,
) -> Simulation:
    """A network and its expression.

    A gene is ``sqrt(r) signal + sqrt(1 - r) noise``: the signal is a weighted sum of the responses
    to its regulators (weights 0.5 ... 1.5, either sign), standardised; r is uniform in 0.3 ... 0.8
    (0.5 ... 0.8 between regulators). The network is the same for every set and number of samples.

    ``"correlated"``: linear, and the noise of each five regulators shares 60 % of its variance.
    ``"counts"``: linear on the log scale, then Poisson counts of cells of different depth with
    20 % of values lost, normalised by depth, log(1 + x): about half zeros.
    """
    found = parents(n_regulators, n_genes, seed)
    # Weights and shapes don't depend on the number of samples; values do.
    shapes = _seeds.generator(seed, "accuracy", "shapes", kind, n_regulators, n_genes)
    rng = _seeds.generator(seed, "accuracy", "values", kind, n_samples, n_regulators, n_genes)
    noise = rng.normal(size=(n_samples, n_genes))
    group = np.arange(n_regulators)
    if kind == "correlated":
        group %= max(1, n_regulators // 5)
        shared = rng.normal(size=(n_samples, group.max() + 1))[:, group]
        noise[:, :n_regulators] = np.sqrt(0.6) * shared + np.sqrt(0.4) * noise[:, :n_regulators]
    values = noise.copy()
    for gene, own in enumerate(found):
        share = shapes.uniform(0.5 if gene < n_regulators else 0.3, 0.8)
        weights = shapes.uniform(0.5, 1.5, size=len(own)) * shapes.choice([-1, 1], size=len(own))
        if own:
            signal = sum(
                weight * _standardised(response(kind, _standardised(values[:, i]), shapes))
                for weight, i in zip(weights, own, strict=True)
            )
            values[:, gene] = np.sqrt(share) * _standardised(signal)
            values[:, gene] += np.sqrt(1 - share) * noise[:, gene]
    names = [f"TF{i}" for i in range(n_regulators)]
    names += [f"G{i}" for i in range(n_genes - n_regulators)]
    counts = None
    if kind == "counts":
        counts = pd.DataFrame(_counted(values, rng, shapes), columns=names)
        data = log_normalised(counts)
    else:
        data = pd.DataFrame(values, columns=names)
    return Simulation(data, truth_of(found, n_regulators), related_of(found, group), counts)


def log_normalised(counts: pd.DataFrame) -> pd.DataFrame:
    """Counts divided by the depth of their sample, times the median depth, log(1 + x)."""
    total = counts.sum(axis=1)
    return np.log1p(counts.div(total.clip(lower=1), axis=0) * float(total.median()))


def _standardised(x: np.ndarray) -> np.ndarray:
    return (x - x.mean()) / max(float(x.std()), 1e-12)


def _counted(
    values: np.ndarray, rng: np.random.Generator, shapes: np.random.Generator
) -> np.ndarray:
    """Counts of cells of different depth, a fifth of the values lost."""
    level = shapes.normal(0.3, 1.0, size=values.shape[1])
    depth = rng.lognormal(0.0, 0.4, size=(len(values), 1))
    return rng.poisson(depth * np.exp(level + 0.8 * values)) * (rng.random(values.shape) > 0.2)
