"""How well networks are found whose truth is known, ours beside others: AUPR, errors, noise.

    python benchmarks/accuracy.py --quick         under 3 minutes on two cores
    python benchmarks/accuracy.py -o table.tsv    all sets and sizes, about 25 minutes
    python benchmarks/accuracy.py --noise         false edges on pure noise

**What is scored.** Pairs of a regulator and another gene. A pair is true if one of the two
regulates the other directly; regulator -> regulator -> gene makes the outer pair false. Mutual
information and correlation know no direction, so a pair of two regulators is scored once, by the
larger of its two scores.

**How a run that calls edges is ranked.** Its edges first, by support, then by mutual information
over all samples; all other pairs after them, by mutual information over all samples (the same
estimator). So every method ranks every pair, and a method that calls few edges isn't punished in
``aupr`` for where it stops: that is what ``edges``, ``fdr`` and ``recall`` show. The other choice,
that all pairs not called tie at the end, is in ``aupr_called``. Both are the same for all methods.

``fdr``: share of called pairs that are not true; most of them are indirect. ``unrelated``: share of
called pairs without a cause in common, so independent (but for the shared depth of ``counts``):
this is what a q-value bounds. ``precision_top1``: share of true pairs among the best 1 % of pairs.
``noise_edges``: edges called on the same data with every gene permuted over samples by itself (for
one continuous set and the counts: only ranks matter, so other continuous sets give the same).

Rows of the table: one for each set, number of samples, seed and method. The same seed gives the
same table.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from known_networks import SETS, Simulation, simulate
from scipy import stats

import pysces
from pysces import seeds
from pysces.aracne.options import CONSENSUS
from pysces.errors import PyscesWarning

SIZES = (100, 200, 500, 1000)
TREE_SIZES = (200,)  # an ensemble for every gene is slow: smaller sets only
NOISE_SETS = ("linear", "counts")
N_REGULATORS, N_GENES = 50, 500
FAMILIES = ("MI", "Spearman", "run", "gradient")
SCORES = (
    "aupr",
    "aupr_called",
    "auroc",
    "precision_top1",
    "edges",
    "fdr",
    "unrelated",
    "recall",
    "noise_edges",
)


# --- metrics ------------------------------------------------------------------------------------


def pair_mask(n_regulators: int, n_genes: int) -> np.ndarray:
    """Pairs that are scored: no self pairs, two regulators once."""
    return np.arange(n_genes)[None, :] > np.arange(n_regulators)[:, None]


def pairs_of(scores: np.ndarray) -> np.ndarray:
    """Scores of the pairs, [pairs]; of two regulators the larger of both directions."""
    n_regulators, n_genes = scores.shape
    scores = scores.astype(float)
    between = scores[:, :n_regulators]
    scores[:, :n_regulators] = np.maximum(between, between.T)
    return scores[pair_mask(n_regulators, n_genes)]


def average_precision(truth: np.ndarray, score: np.ndarray) -> float:
    """Area under precision and recall as steps: sum of (R_k - R_(k-1)) P_k; ties come together."""
    hits, places = _runs(truth, score)
    precision = np.cumsum(hits) / np.cumsum(places)
    return float((hits * precision).sum() / max(1, truth.sum()))


def auroc(truth: np.ndarray, score: np.ndarray) -> float:
    """P(score of a true pair > that of a false one) + P(equal) / 2 (Mann and Whitney)."""
    positives = int(truth.sum())
    negatives = len(truth) - positives
    if positives == 0 or negatives == 0:
        return float("nan")
    ranks = stats.rankdata(score)[truth].sum()
    return float((ranks - positives * (positives + 1) / 2) / (positives * negatives))


def precision_at(truth: np.ndarray, score: np.ndarray, share: float = 0.01) -> float:
    """Expected share of true pairs among the best pairs, ties in random order."""
    count = max(1, round(share * len(score)))
    hits, places = _runs(truth, score)
    taken = np.clip(count - (np.cumsum(places) - places), 0, places)
    return float((hits * taken / places).sum() / count)


def _runs(truth: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """True pairs and pairs at every distinct score, largest first."""
    _, place, places = np.unique(-score, return_inverse=True, return_counts=True)
    return np.bincount(place, weights=truth, minlength=len(places)), places


@dataclass(frozen=True, eq=False)
class Ranking:
    """Scores of all pairs, [regulators, genes], and the edges called, where a method calls any."""

    score: np.ndarray
    called: np.ndarray | None = None


def scored(simulation: Simulation, ranking: Ranking) -> dict[str, float]:
    """All figures of one method on one simulation."""
    true = pairs_of(simulation.truth) > 0
    related = pairs_of(simulation.related) > 0
    score = pairs_of(ranking.score)
    row = {
        "aupr": average_precision(true, score),
        "aupr_called": np.nan,
        "auroc": auroc(true, score),
        "precision_top1": precision_at(true, score),
        "edges": np.nan,
        "fdr": np.nan,
        "unrelated": np.nan,
        "recall": np.nan,
    }
    if ranking.called is not None:
        called = pairs_of(ranking.called) > 0
        row["aupr_called"] = average_precision(true, np.where(called, score, score.min() - 1))
        row["edges"] = int(called.sum())
        row["fdr"] = float((called & ~true).sum() / max(1, called.sum()))
        row["unrelated"] = float((called & ~related).sum() / max(1, called.sum()))
        row["recall"] = float((called & true).sum() / max(1, true.sum()))
    return row


# --- methods: data, names of regulators, seed -> ranking ----------------------------------------

Method = Callable[[pd.DataFrame, list[str], int], Ranking]


def full_sample(estimator: str) -> Method:
    def rank(data: pd.DataFrame, regulators: list[str], seed: int) -> Ranking:
        return Ranking(_mutual_information(data, regulators, estimator, seed))

    return rank


def whole_run(**options: Any) -> Method:
    """A network of :func:`pysces.infer_network` with these options."""

    def rank(data: pd.DataFrame, regulators: list[str], seed: int) -> Ranking:
        table = network_of(data, regulators, seed=seed, **options)
        mi = _mutual_information(data, regulators, options.get("estimator", "adaptive"), seed)
        return called_first(table, mi, regulators, list(data.columns))

    return rank


def network_of(data: pd.DataFrame, regulators: list[str], **options: Any) -> pd.DataFrame:
    """Edges of a run; that none is significant is a result here, not a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PyscesWarning)
        return pysces.infer_network(data, regulators, **options).to_dataframe()


def called_first(
    table: pd.DataFrame, mi: np.ndarray, regulators: list[str], genes: list[str]
) -> Ranking:
    """Called edges by support, then mutual information; then all others by mutual information."""
    support = np.zeros(mi.shape)
    row = pd.Index(regulators).get_indexer(pd.Index(table["source"]))
    support[row, pd.Index(genes).get_indexer(pd.Index(table["target"]))] = table["support"]
    return Ranking(support + mi / (1 + mi.max(initial=0.0)), support > 0)


def _mutual_information(
    data: pd.DataFrame, regulators: list[str], estimator: str, seed: int
) -> np.ndarray:
    mi = pysces.mutual_information(data, regulators, estimator=estimator, seed=seed)
    return np.nan_to_num(mi.to_numpy())


def spearman(data: pd.DataFrame, regulators: list[str], seed: int) -> Ranking:
    ranks = stats.rankdata(data.to_numpy(), axis=0)
    with np.errstate(invalid="ignore"):
        rho = np.corrcoef(ranks.T)[: len(regulators)]
    return Ranking(np.abs(np.nan_to_num(rho)))


def trees(make: Callable[[int], Any]) -> Method:
    """Importance of regulators for each gene, as in GENIE3 (Huynh-Thu et al. 2010)."""

    def rank(data: pd.DataFrame, regulators: list[str], seed: int) -> Ranking:
        values = data.to_numpy()
        values = (values - values.mean(axis=0)) / np.maximum(values.std(axis=0), 1e-12)
        score = np.zeros((len(regulators), values.shape[1]))
        for gene in range(values.shape[1]):
            others = np.flatnonzero(np.arange(len(regulators)) != gene)
            score[others, gene] = make(seed)(values[:, others], values[:, gene])
        return Ranking(score)

    return rank


def boosted(seed: int) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Gradient boosting as GRNBoost2 has it (Moerman et al. 2019): stops when held-out loss does.

    Importance is summed over trees, not averaged: a gene that is hard to predict stops early.
    """
    from sklearn.ensemble import GradientBoostingRegressor

    def stop(step: int, model: Any, _: Any) -> bool:
        return step >= 25 and float(model.oob_improvement_[step - 24 : step + 1].mean()) < 0

    def importance(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        model = GradientBoostingRegressor(
            learning_rate=0.01, n_estimators=5000, max_features=0.1, subsample=0.9,
            random_state=seed,
        )  # fmt: skip
        model.fit(x, y, monitor=stop)
        return model.feature_importances_ * len(model.estimators_)

    return importance


# Pairs of the null distribution of bootstraps, which is slow to simulate: p = 1e-3 needs no more.
BOOTSTRAP: dict[str, Any] = {"resampling": "bootstrap", "n_null": 1_000_000}


def methods(n_samples: int, seed: int) -> dict[str, Method]:
    """All methods for a size. Tree ensembles are slow: smaller sizes, the first seed."""
    found: dict[str, Method] = {
        "MI: adaptive": full_sample("adaptive"),
        "MI: adaptive-dyadic": full_sample("adaptive-dyadic"),
        "MI: binned": full_sample("binned"),
        "Spearman, absolute": spearman,
        "run: decoy (default)": whole_run(),
        "run: decoy, p < 0.01": whole_run(resample_pvalue=1e-2),
        "run: decoy, bootstrap, p < 0.01": whole_run(resample_pvalue=1e-2, **BOOTSTRAP),
        "run: poisson, bootstrap": whole_run(consensus="poisson", **BOOTSTRAP),
        "run: no resampling, BH": whole_run(resampling=None),
    }
    if "binomial" in CONSENSUS:
        found["run: binomial"] = whole_run(consensus="binomial")
    if n_samples in TREE_SIZES and seed == 0:
        found["gradient boosting"] = trees(boosted)
    return found


# --- the scoreboard -----------------------------------------------------------------------------


def scoreboard(
    sets: tuple[str, ...] = SETS,
    sizes: tuple[int, ...] = SIZES,
    n_seeds: int = 1,
    *,
    n_regulators: int = N_REGULATORS,
    n_genes: int = N_GENES,
    families: tuple[str, ...] = FAMILIES,
) -> Iterator[dict[str, Any]]:
    """Rows of the table, one for each set, size, seed and method."""
    for seed in range(n_seeds):
        for size in sizes:
            for kind in sets:
                simulation = simulate(kind, size, n_regulators, n_genes, seed)
                noise = simulation.noise(seed) if kind in NOISE_SETS else None
                for name, method in methods(size, seed).items():
                    if not name.startswith(families):
                        continue
                    yield {
                        "set": kind,
                        "samples": size,
                        "seed": seed,
                        "method": name,
                        **evaluated(simulation, noise, method, seed),
                    }


def evaluated(
    simulation: Simulation, noise: pd.DataFrame | None, method: Method, seed: int
) -> dict[str, float]:
    """Figures of a method on a simulation and, where it calls edges, on noise."""
    row = scored(simulation, method(simulation.data, simulation.regulators, seed))
    row["noise_edges"] = np.nan
    if noise is not None and not np.isnan(row["edges"]):
        on_noise = method(noise, simulation.regulators, seed)
        assert on_noise.called is not None
        row["noise_edges"] = int((pairs_of(on_noise.called) > 0).sum())
    return row


def averaged(table: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds, in the order of the table."""
    return table.groupby(["set", "samples", "method"], sort=False)[list(SCORES)].mean()


def noise_table(n_seeds: int, n_samples: int = 200, n_regulators: int = 100, n_genes: int = 400,
                **options: Any) -> pd.DataFrame:  # fmt: skip
    """Runs on independent normal values: share of runs with any edge, and false edges a run."""
    rules: dict[str, dict[str, Any]] = {
        "decoy (default)": {},
        "poisson, bootstrap": {"consensus": "poisson", **BOOTSTRAP},
    }
    if "binomial" in CONSENSUS:
        rules["binomial, subsample"] = {"consensus": "binomial"}
    names = [f"g{i}" for i in range(n_genes)]
    rows = []
    for rule, chosen in rules.items():
        edges = np.zeros(n_seeds)
        for seed in range(n_seeds):
            rng = seeds.generator(seed, "accuracy", "pure noise")
            data = pd.DataFrame(rng.normal(size=(n_samples, n_genes)), columns=names)
            edges[seed] = len(
                network_of(data, names[:n_regulators], seed=seed, **{**chosen, **options})
            )
            _say(f"noise, {rule}, seed {seed}: {edges[seed]:.0f} edges")
        share = float((edges > 0).mean())
        rows.append(
            {
                "rule": rule,
                "runs": n_seeds,
                "runs_with_edges": share,
                "standard_error": float(np.sqrt(share * (1 - share) / n_seeds)),
                "mean_edges": float(edges.mean()),
                "largest": int(edges.max()),
            }
        )
    return pd.DataFrame(rows)


def _say(text: str) -> None:
    print(f"[{time.process_time():.0f} s] {text}", file=sys.stderr, flush=True)


def main(arguments: list[str] | None = None) -> pd.DataFrame:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="200 samples, few genes, no trees")
    parser.add_argument("--noise", action="store_true", help="only runs on pure noise")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--sizes", nargs="+", type=int, default=list(SIZES), help="samples")
    parser.add_argument("--seeds", type=int, help="simulations of a set (1), noise runs (50)")
    parser.add_argument("--methods", nargs="+", choices=FAMILIES, help="families of methods")
    parser.add_argument("--genes", type=int, default=N_GENES)
    parser.add_argument("--regulators", type=int, default=N_REGULATORS)
    parser.add_argument("-o", "--output", help="the table, tab-separated, one row per seed")
    given = parser.parse_args(arguments)
    pysces.settings.verbosity = "silent"
    if given.noise:
        table = noise_table(given.seeds or (10 if given.quick else 50))
        print(table.to_string(index=False, float_format="%.4g"))
    else:
        families = given.methods or (FAMILIES[:-1] if given.quick else FAMILIES)
        rows = []
        for row in scoreboard(
            tuple(given.sets),
            (200,) if given.quick else tuple(given.sizes),
            given.seeds or 1,
            n_regulators=20 if given.quick else given.regulators,
            n_genes=200 if given.quick else given.genes,
            families=tuple(families),
        ):
            _say("{set}, {samples} samples, seed {seed}, {method}: AUPR {aupr:.3f}".format(**row))
            rows.append(row)
            if given.output:  # a run that is interrupted leaves what it has
                _write(pd.DataFrame(rows), given.output)
        table = pd.DataFrame(rows)
        print(averaged(table).to_string(float_format="%.3f", na_rep="-"))
    if given.output:
        _write(table, given.output)
    return table


def _write(table: pd.DataFrame, path: str) -> None:
    table.to_csv(path, sep="\t", index=False, float_format="%.6g")


if __name__ == "__main__":
    main()
