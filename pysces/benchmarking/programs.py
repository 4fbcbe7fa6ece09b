"""Other programs on the same data: how each is called. They run in processes of their own."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from pysces.benchmarking import inputs

# A regression of gradient boosting for every gene, after Moerman et al. 2019 (GRNBoost2).
BOOSTING = {"learning_rate": 0.01, "n_estimators": 5000, "max_features": 0.1, "subsample": 0.9}
BOOSTING_WINDOW = 25  # trees whose mean out-of-bag improvement must be positive


@dataclass(frozen=True)
class Program:
    """A program that does a task.

    Attributes
    ----------
    module, distribution
        What is imported, and what it's called on PyPI; ``None`` for PySCES.
    pip
        What installs it.
    run
        From the data of a size (see the task) to scores.
    """

    name: str
    module: str | None
    distribution: str | None
    pip: str
    run: Callable[[Any], np.ndarray]

    def label(self, version: str) -> str:
        """Its name with a version; of a method, with the package that it's made of."""
        if self.distribution is None:
            return self.name.replace("PySCES", f"PySCES {version}")
        if self.name == self.distribution:
            return f"{self.name} {version}"
        return f"{self.name} ({self.distribution} {version})"

    def version(self) -> str | None:
        """Its version, or None where it isn't installed."""
        if self.distribution is None:
            from pysces._version import __version__

            return __version__
        assert self.module is not None  # as the distribution
        try:
            version = importlib.metadata.version(self.distribution)
        except importlib.metadata.PackageNotFoundError:
            return None
        return version if importlib.util.find_spec(self.module) is not None else None


@dataclass(frozen=True)
class Task:
    """What several programs do, the first being PySCES: data of a size, and the programs.

    ``tolerance`` is the largest difference of scores that are meant to be the same, or ``None``
    where methods differ.
    """

    name: str
    title: str
    unit: str
    tolerance: float | None
    data: Callable[[int], Any]
    size: Callable[[int], str]
    units: Callable[[int], int]
    programs: tuple[Program, ...]


def _engine() -> str:
    """Of PySCES: Numba on the processor, as the others have no GPU."""
    return "numba" if importlib.util.find_spec("numba") is not None else "python"


# --- aREA -----------------------------------------------------------------------------------------


def _cells(rung: int) -> int:
    return 100 * 4**rung


def _enrichment_data(rung: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    return inputs.signature_and_network(_cells(rung), 2000, 100, 50)


def enrich(data: tuple[pd.DataFrame, pd.DataFrame]) -> np.ndarray:
    """Scores of PySCES [cells regulators]."""
    from pysces.viper.enrich import enrich as function

    return function(*data, filter_genes=False, engine=_engine()).to_numpy()


def decoupler_viper(data: tuple[pd.DataFrame, pd.DataFrame]) -> np.ndarray:
    """Scores of decoupler [cells regulators]."""
    import decoupler as dc

    signature, edges = data
    found = dc.mt.viper(signature, edges, pleiotropy=False, tmin=1, verbose=False)[0]
    return found[edges["source"].unique()].to_numpy()


def pyviper_viper(data: tuple[pd.DataFrame, pd.DataFrame]) -> np.ndarray:
    """Scores of viper-in-python [cells regulators]."""
    import anndata as ad
    import pyviper as pv

    signature, edges = data
    table = edges.rename(columns={"source": "regulator", "weight": "mor"}).assign(likelihood=1.0)
    network = pv.Interactome("network", table[["regulator", "target", "mor", "likelihood"]])
    found = pv.viper(
        gex_data=ad.AnnData(signature), interactome=network, enrichment="area", njobs=1,
        eset_filter=False, min_targets=1, verbose=False, return_as_df=True,
    )  # fmt: skip
    return found[edges["source"].unique()].to_numpy()


# --- networks -------------------------------------------------------------------------------------

Expression = tuple[pd.DataFrame, list[str], pd.DataFrame]


def _genes(rung: int) -> int:
    return 40 * 2**rung


def _network_data(rung: int) -> Expression:
    return inputs.expression(200, _genes(rung), _genes(rung) // 5)


def mutual_information(data: Expression) -> np.ndarray:
    """PySCES: mutual information of all pairs [regulators genes]."""
    from pysces.aracne.mutual_information import mutual_information as function

    table, regulators, _ = data
    found = function(table, regulators, engine=_engine())
    return found.loc[regulators, table.columns].fillna(0.0).to_numpy()


def network(data: Expression) -> np.ndarray:
    """PySCES: mutual information of the edges that are found, 0 for others [regulators genes]."""
    from pysces.aracne.infer_network import infer_network

    table, regulators, _ = data
    edges = infer_network(table, regulators, n_null=100_000, engine=_engine()).to_dataframe()
    scores = pd.DataFrame(0.0, index=regulators, columns=table.columns)
    rows = scores.index.get_indexer(pd.Index(edges["source"].astype(str)))
    columns = scores.columns.get_indexer(pd.Index(edges["target"].astype(str)))
    found = scores.to_numpy(copy=True)
    found[rows, columns] = edges["mi"]
    return found


def boosting(data: Expression) -> np.ndarray:
    """Gradient boosting of scikit-learn: importance of regulators for genes [regulators genes]."""
    from sklearn.ensemble import GradientBoostingRegressor

    table, regulators, _ = data
    values, found = table.to_numpy(), np.zeros((len(regulators), table.shape[1]))

    def stops(trees: int, model: Any, _: Any) -> bool:
        recent = model.oob_improvement_[max(0, trees - BOOSTING_WINDOW + 1) : trees + 1]
        return len(recent) == BOOSTING_WINDOW and float(np.mean(recent)) < 0

    for gene, name in enumerate(table.columns):
        others = [k for k, regulator in enumerate(regulators) if regulator != name]
        model = GradientBoostingRegressor(**BOOSTING, random_state=0)
        model.fit(values[:, others], values[:, gene], monitor=stops)
        found[others, gene] = model.feature_importances_ * len(model.estimators_)
    return found


PYSCES = partial(Program, module=None, distribution=None, pip="")
TASKS = (
    Task(
        name="enrichment",
        title="aREA (normalised enrichment scores) of 100 regulons of 50 targets",
        unit="cells",
        tolerance=1e-6,
        data=_enrichment_data,
        size=lambda rung: f"{_cells(rung):,} cells x 2,000 genes",
        units=_cells,
        programs=(
            PYSCES(name="PySCES", run=enrich),
            Program("decoupler", "decoupler", "decoupler", "'decoupler>=2.0'", decoupler_viper),
            Program(
                "viper-in-python", "pyviper", "viper-in-python",
                "torch==2.13.0 'viper-in-python>=2.1'", pyviper_viper,
            ),
        ),
    ),
    Task(
        name="network",
        title="networks of 200 samples, a fifth of the genes regulators",
        unit="pairs",
        tolerance=None,
        data=_network_data,
        size=lambda rung: f"{_genes(rung) // 5:,} regulators x {_genes(rung):,} genes",
        units=lambda rung: _genes(rung) ** 2 // 5,
        programs=(
            PYSCES(name="PySCES, all pairs", run=mutual_information),
            PYSCES(name="PySCES, network", run=network),
            Program(
                "GRNBoost2-style", "sklearn", "scikit-learn", "'scikit-learn>=1.5'", boosting
            ),
        ),
    ),
)  # fmt: skip


def tell(data: Any, scores: np.ndarray) -> float | None:
    """Share of the planted edges among as many of the highest scores, or None for no network."""
    if len(data) != 3:
        return None
    table, regulators, planted = data
    rows = pd.Index(regulators).get_indexer(pd.Index(planted["source"]))
    columns = table.columns.get_indexer(pd.Index(planted["target"]))
    # Pairs of regulators are left out: none of them is planted.
    targets = scores[:, len(regulators) :].copy()
    truth = np.zeros(targets.shape, dtype=bool)
    truth[rows, columns - len(regulators)] = True
    best = np.argsort(-targets, axis=None, kind="stable")[: int(truth.sum())]
    return float((truth.ravel()[best] & (targets.ravel()[best] > 0)).mean())


def correlation(ours: np.ndarray, theirs: np.ndarray, ranks: bool) -> float:
    """Pearson's correlation of all scores, or Spearman's."""
    left, right = (pd.Series(scores.ravel()) for scores in (ours, theirs))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a constant
        return float(left.corr(right, method="spearman" if ranks else "pearson"))
