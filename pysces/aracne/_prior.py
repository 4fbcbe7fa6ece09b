"""Prior knowledge: weights of pairs of regulators and genes, by which edges are ordered and chosen.

The support of an edge is compared with that of others after its p-value is divided by a weight
(Genovese et al. 2006). Weights depend on the prior alone and average 1 over all pairs. Edges of
decoys have the weights of the pairs of the regulators that they copy, so that q-values hold
whatever the prior is; pairs outside it need as much support as without one.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from pysces._messages import listed
from pysces.aracne._resampling import FRACTION
from pysces.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pysces.aracne._candidates import Candidates
    from pysces.network import Network

log = logging.getLogger("pysces")

SHARE = 0.2  # of the chance edges that are expected fall on pairs of the prior


@dataclass(frozen=True, eq=False)
class Prior:
    """Pairs of a prior that are among the candidates.

    Attributes
    ----------
    keys
        Row of the regulator times the number of genes plus the gene, ascending, int64 [pairs].
    values
        Weight of each pair as given, negative for repression, never 0, float64 [pairs].
    candidates
        The regulators, decoys and genes.
    """

    keys: NDArray[np.int64]
    values: NDArray[np.float64]
    candidates: Candidates

    @classmethod
    def of(cls, network: Network, candidates: Candidates) -> Prior:
        """The pairs of a network between regulators and genes of the data.

        Raises
        ------
        InputError
            If there is none.
        """
        edges, genes = network.to_dataframe(), candidates.expression.genes
        row = _places(genes[candidates.regulators], edges["source"])
        gene = _places(genes, edges["target"])
        value = _values(network)
        kept = (row >= 0) & (gene >= 0) & (value != 0)
        kept &= candidates.regulators[np.maximum(row, 0)] != gene
        if not kept.any():
            raise InputError(
                f"None of the {len(edges)} pairs of prior= joins a regulator with another gene of "
                f"the data. Pairs: {_shown(edges)}; regulators: "
                f"{listed(genes[candidates.regulators], 3)}; genes: {listed(genes, 3)}. Use the "
                "same names (symbols, organism) in both."
            )
        log.info("%d of %d pairs of the prior are among the candidates.", kept.sum(), len(edges))
        keys = row[kept] * candidates.n_genes + gene[kept]
        order = np.argsort(keys)
        return cls(keys[order], value[kept][order], candidates)

    @property
    def digest(self) -> str:
        """Hexadecimal digest of the pairs and their weights."""
        return hashlib.blake2b(
            self.keys.tobytes() + self.values.tobytes(), digest_size=8
        ).hexdigest()

    def values_of(self, row: NDArray[np.integer], gene: NDArray[np.integer]) -> NDArray[np.float64]:
        """Weight of pairs as given, 0 for pairs not in the prior; decoys have their regulator's."""
        source = self.candidates.decoy_source[row]
        keys = source * self.candidates.n_genes + gene
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[at] == keys, self.values[at], 0.0)

    def weights_of(self, values: NDArray[np.float64], n_pairs: int) -> NDArray[np.float64]:
        """Weights of p-values, ``1 - SHARE + SHARE n |v| / sum |v|``; their mean over n pairs is 1.

        >>> prior = Prior(np.array([0, 1]), np.array([1.0, -3.0]), None)
        >>> prior.weights_of(np.array([0.0, 1.0, -3.0]), 8).round(3).tolist()
        [0.8, 1.2, 2.0]
        """
        return 1 - SHARE + SHARE * n_pairs * np.abs(values) / np.abs(self.values).sum()

    def decoy_counts(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Number that an edge of a decoy stands for, relative to that of a decoy without a prior.

        Decoys copy some regulators more often than others, so that pairs of the prior may be
        rarer, or more frequent, among them than among the regulators.
        """
        own = self.candidates
        per_regulator = np.bincount(self.keys // own.n_genes, minlength=own.n_regulators)
        pairs = len(self.keys)
        of_decoys = int(per_regulator[own.decoy_source[own.n_regulators :]].sum())
        others = own.n_regulators * (own.n_genes - 1) - pairs
        others_of_decoys = own.n_decoys * (own.n_genes - 1) - of_decoys
        scale = own.n_decoys / own.n_regulators
        return scale * np.where(
            values != 0, pairs / max(of_decoys, 1), others / max(others_of_decoys, 1)
        )

    def facts(self, values: NDArray[np.float64]) -> dict[str, Any]:
        """Facts for the run record, of the weights of all edges that have enough support."""
        own, pairs = self.candidates, len(self.keys)
        inside = int((values != 0).sum())
        others = own.n_regulators * (own.n_genes - 1) - pairs
        rate = (len(values) - inside) / max(1, others)
        return {
            "n_prior_pairs": pairs,
            "n_prior_expected": pairs * rate,
            "prior_digest": self.digest,
            "prior_enrichment": inside / pairs / rate if rate else np.inf,
        }


def log_pvalues(
    support: NDArray[np.integer], n_resamples: int, kind: str, pvalue: float
) -> NDArray[np.float64]:
    """Ln of the p-value of an edge that has a support, by the test within one resample.

    If a statistic of all samples is z, that of a share f of them is sqrt(f) z plus normal noise of
    variance 1 - f (of a bootstrap: z plus noise of variance 1), so that a share of the resamples
    as large as the support exceeds the threshold t for ``z = (t + sqrt(1 - f) u) / sqrt(f)`` with
    u the normal quantile of that share. It depends on no data.

    >>> log_pvalues(np.array([50, 90]), 100, "halves", 0.01).round(1).tolist()
    [-8.2, -13.9]
    """
    share = {"halves": 0.5, "subsample": FRACTION}.get(kind, 1.0)
    noise = 1.0 if kind == "bootstrap" else np.sqrt(1 - share)
    quantile = stats.norm.ppf((np.asarray(support) + 0.5) / (n_resamples + 1))
    threshold = stats.norm.isf(pvalue / 2)
    return np.log(2) + stats.norm.logsf((threshold + noise * quantile) / np.sqrt(share))


def dense_rank(score: NDArray[np.floating]) -> NDArray[np.int64]:
    """Integers in the order of the scores, equal for equal ones."""
    return np.unique(score, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _values(network: Network) -> NDArray[np.float64]:
    """Weight of each pair: ``weight``, else ``likelihood``, else 1, with the sign of the mode."""
    edges = network.to_dataframe()
    if "weight" in edges:
        size = edges["weight"].to_numpy(dtype=np.float64)
    elif "likelihood" in edges:
        size = edges["likelihood"].to_numpy(dtype=np.float64)
    else:
        size = np.ones(len(edges))
    if "mor" in edges and (size >= 0).all():
        size = np.where(edges["mor"] < 0, -size, size)
    return size


def _places(names: Any, column: Any) -> NDArray[np.int64]:
    """Place of each name of a categorical column among others, or -1."""
    found = names.get_indexer(column.cat.categories)
    return np.asarray(found[column.cat.codes], dtype=np.int64)


def _shown(edges: Any) -> str:
    first = edges[["source", "target"]].head(3).itertuples(index=False)
    return listed([f"{source} -> {target}" for source, target in first])
