"""Rankings of pairs by other methods; scores are kept in a folder, so they are computed once.

    python benchmarks/rivals.py --cache FOLDER --data FOLDER --sizes 100 200

``|Spearman|``, ``|normal scores|`` (correlation of normal scores of ranks), ``GENIE3`` (Huynh-Thu
et al. 2010, PLoS ONE 5:e12776) and ``GRNBoost2`` (Moerman et al. 2019, Bioinformatics 35:2159), the
last two with the ensembles of scikit-learn and the settings of the papers. GENIE3 has 1,000 trees
where a set has at most 150 genes, else ``--trees``. All get log-normalised values where a set is
counts, as their authors do.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from metrics import Ranking
from metrics import figures as figures_of
from scipy import stats
from scipy.special import ndtri
from sets import PUBLISHED, SIMULATED, KnownSet, all_sets

FULL_FOREST = 1000  # trees, as in the paper
TREES = 100  # trees for sets of many genes
JOBS = 1  # processes
FULL_FOREST_GENES = 150

Importance = Callable[[np.ndarray, np.ndarray], np.ndarray]


def spearman(known: KnownSet, trees: int = 0) -> np.ndarray:
    """Absolute correlation of ranks."""
    return _correlation(stats.rankdata(known.data.to_numpy(), axis=0), len(known.truth))


def normal_scores(known: KnownSet, trees: int = 0) -> np.ndarray:
    """Absolute correlation of normal scores, Phi^-1((rank - 1/2) / n)."""
    ranks = stats.rankdata(known.data.to_numpy(), axis=0)
    return _correlation(ndtri((ranks - 0.5) / len(ranks)), len(known.truth))


def _correlation(values: np.ndarray, n_regulators: int) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # a constant gene
        return np.abs(np.nan_to_num(np.corrcoef(values.T)[:n_regulators]))


def genie3(known: KnownSet, trees: int = FULL_FOREST) -> np.ndarray:
    """Random forests: variance that splits on a regulator explain, of genes of unit variance."""
    from sklearn.ensemble import RandomForestRegressor

    def importance(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        forest = RandomForestRegressor(trees, max_features="sqrt", random_state=known.seed)
        forest.fit(x, y)
        of_trees = [
            tree.tree_.compute_feature_importances(normalize=False) for tree in forest.estimators_
        ]
        return np.mean(of_trees, axis=0)

    return for_every_gene(known, importance)


def grnboost2(known: KnownSet, trees: int = 0) -> np.ndarray:
    """Gradient boosting that stops when the mean gain of 25 rounds on held-out samples is negative.

    Importance is summed over trees, not averaged: a gene that is hard to predict stops early.
    """
    from sklearn.ensemble import GradientBoostingRegressor

    def stop(step: int, model: Any, _: Any) -> bool:
        return step >= 24 and float(model.oob_improvement_[step - 24 : step + 1].mean()) < 0

    def importance(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        model = GradientBoostingRegressor(
            learning_rate=0.01, n_estimators=5000, max_features=0.1, subsample=0.9,
            random_state=known.seed,
        )  # fmt: skip
        model.fit(x, y, monitor=stop)
        return model.feature_importances_ * len(model.estimators_)

    return for_every_gene(known, importance)


def for_every_gene(known: KnownSet, importance: Importance) -> np.ndarray:
    """Importance of the other regulators for each gene, [regulators, genes]."""
    values = known.data.to_numpy(float)
    values = (values - values.mean(axis=0)) / np.maximum(values.std(axis=0), 1e-12)
    n_regulators = len(known.truth)
    others = [np.flatnonzero(np.arange(n_regulators) != gene) for gene in range(values.shape[1])]
    found = joblib.Parallel(n_jobs=JOBS)(
        joblib.delayed(importance)(values[:, own], values[:, gene])
        for gene, own in enumerate(others)
    )
    score = np.zeros((n_regulators, values.shape[1]))
    for gene, (own, one) in enumerate(zip(others, found, strict=True)):
        score[own, gene] = one
    return score


QUICK = {"|Spearman|": spearman, "|normal scores|": normal_scores}
SLOW = {"GENIE3": genie3, "GRNBoost2": grnboost2}
RIVALS = {**QUICK, **SLOW}


def trees_for(known: KnownSet, trees: int) -> int:
    """Trees of a forest: all of the paper's for a set of few genes."""
    return FULL_FOREST if known.data.shape[1] <= FULL_FOREST_GENES else trees


def scores_of(
    name: str, known: KnownSet, cache: Path | None, trees: int = TREES, *, compute: bool = True
) -> tuple[np.ndarray, float] | None:
    """Scores [regulators, genes] and seconds of a rival, from the cache if it has them.

    A file of other data is computed again. None if it isn't in the cache and isn't to be computed;
    a quick rival is always computed.
    """
    path = None
    if cache is not None and name in SLOW:
        path = cache / f"{known.label}-{name}.npz"
        kept = _read(path, known)
        if kept is not None:
            return kept
    if not compute and name in SLOW:
        return None
    begin = time.perf_counter()
    score = RIVALS[name](known, trees_for(known, trees))
    seconds = time.perf_counter() - begin
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        with unfinished.open("wb") as file:
            np.savez_compressed(
                file,
                score=score.astype(np.float32),
                seconds=seconds,
                trees=trees_for(known, trees),
                data=digest(known.data),
            )
        unfinished.replace(path)
    return score, seconds


def _read(path: Path, known: KnownSet) -> tuple[np.ndarray, float] | None:
    if not path.exists():
        return None
    try:
        with np.load(path) as kept:
            if str(kept["data"]) == digest(known.data):
                return kept["score"].astype(float), float(kept["seconds"])
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        pass
    return None


def digest(data: pd.DataFrame) -> str:
    """A hash of names and values (12 digits: libraries differ in the last bits)."""
    text = "\n".join([*map(str, data.columns), *(f"{x:.9e}" for x in data.to_numpy().ravel())])
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cache", type=Path, required=True, help="folder of scores")
    parser.add_argument("--data", type=Path, help="folder of published sets")
    parser.add_argument("--sets", nargs="+", default=[*PUBLISHED, *SIMULATED])
    parser.add_argument("--sizes", nargs="+", type=int, default=[100, 200])
    parser.add_argument("--seeds", type=int, default=1, help="simulations of a set")
    parser.add_argument("--methods", nargs="+", choices=list(RIVALS), default=list(RIVALS))
    parser.add_argument("--trees", type=int, default=TREES, help="of GENIE3, for many genes")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    given = parser.parse_args(arguments)
    global JOBS
    JOBS = given.jobs
    for known in all_sets(given.sets, given.sizes, range(given.seeds), given.data):
        for name in given.methods:
            found = scores_of(name, known, given.cache, given.trees)
            assert found is not None
            score, seconds = found
            row = figures_of(known.truth, known.related, Ranking(score))
            print(
                f"{known.label}\t{name}\t{row['aupr']:.3f}\t{row['aupr_directed']:.3f}\t"
                f"{seconds:.1f} s",
                flush=True,
            )


if __name__ == "__main__":
    main(sys.argv[1:])
