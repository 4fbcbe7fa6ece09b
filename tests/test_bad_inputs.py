"""Public functions answer bad arguments with an error of the package, or with a right result.

Every parameter of every public function is given every odd value, the others being valid.
"""

from __future__ import annotations

import contextlib
import datetime
import decimal
import importlib
import inspect
import pickle
import signal
import types
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import pysces
from pysces.settings import Settings

LIMIT = 20  # seconds of a call
SAMPLE = 800  # cases of the short run
GENES = [f"g{number:02d}" for number in range(24)]
REGULATORS = GENES[:4]

# --- what is called -------------------------------------------------------------------------------


def _settings(name: str) -> Callable[[Any], None]:
    """A function that sets one attribute of the settings."""
    return lambda value: setattr(pysces.settings, name, value)


def _engine(engine: str | None, **options: Any) -> None:
    with pysces.use_engine(engine, **options):
        pass


def public_functions() -> dict[str, Callable[..., Any]]:
    """All public functions, the methods of Network and the attributes of the settings, by name."""
    found: dict[str, Callable[..., Any]] = {}
    for module, prefix in ((pysces, ""), (pysces.pl, "pl.")):
        for name in module.__all__:
            if inspect.isfunction(function := getattr(module, name)):
                found[prefix + name] = function
    for name, method in inspect.getmembers(pysces.Network, callable):
        if not name.startswith("_"):
            found[f"Network.{name}"] = method
    found["Network"] = pysces.Network
    return found


def functions() -> dict[str, Callable[..., Any]]:
    """What the cases call."""
    found = public_functions() | {"use_engine": _engine}
    names = [name for name, one in vars(Settings).items() if isinstance(one, property)]
    return found | {f"settings.{name}": _settings(name) for name in names}


def expression() -> ad.AnnData:
    """Cells of two kinds, whose genes depend on four regulators, and all results."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(40, 24))
    values[:, 4:] += 2 * values[:, np.arange(4, 24) % 4]
    values[:20, :2] += 1.5
    adata = ad.AnnData(
        pd.DataFrame(values, index=[f"c{number}" for number in range(40)], columns=GENES)
    )
    adata.obs["kind"] = pd.Categorical(["a"] * 20 + ["b"] * 20)
    adata.obs["batch"] = ["x", "y"] * 20
    adata.obs["depth"] = np.linspace(900.0, 1100.0, 40)
    adata.obs["lists"] = pd.Series([[1], [2]] * 20, index=adata.obs_names, dtype=object)
    adata.var["used"] = True
    adata.var["symbol"] = [name.upper() for name in GENES]
    adata.layers["counts"] = rng.poisson(3.0, values.shape).astype(float)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pysces.run_aracne(adata, REGULATORS, resampling=None, n_null=1000, alpha=0.5)
        pysces.run_viper(adata, min_targets=1)
        pysces.run_msviper(adata, "kind", "a", min_targets=1, n_permutations=0)
        pysces.compute_signature(adata)
        pysces.embed_regulators(adata, n_components=2)
        pysces.rank_regulators(adata, "kind")
    adata.obsm["X_umap"] = values[:, :2].copy()
    return adata


def valid_arguments(adata: ad.AnnData, folder: Path) -> dict[str, dict[str, Any]]:
    """Arguments of a call that succeeds, for each function."""
    network = pysces.Network.from_anndata(adata)
    edges = network.to_dataframe()
    table = adata.to_df()
    activities = adata.obsm["viper"]
    network.write(folder / "network.tsv")
    table.T.to_csv(folder / "table.csv")
    mi = pysces.mutual_information(table, REGULATORS)
    small: dict[str, Any] = {"n_resamples": 2, "n_null": 1000, "n_decoys": 2}
    of_regulator = {"regulator": "g00", "target": "g04"}
    by_kind = {"adata": adata, "groupby": "kind"}
    report = pysces.validate(["python"], ["rank_products"], quick=True)
    scaling = pd.DataFrame({"n_cells": [1, 2], "seconds": [1.0, 2.0], "program": ["a", "a"]})
    settings = pysces.settings
    found: dict[str, dict[str, Any]] = {
        "activity": {"adata": adata},
        "compare_networks": {
            **by_kind,
            "regulators": REGULATORS,
            "resampling": None,
            "n_permutations": 1,
            "n_null": 1000,
            "alpha": 0.5,
        },
        "compute_signature": {"adata": adata},
        "consolidate": {"networks": [network, edges]},
        "embed_network": {"network": network, "n_components": 2},
        "embed_regulators": {"adata": adata, "n_components": 2},
        "enrich": {"signature": table, "network": network, "min_targets": 1},
        "infer_network": {"expression": table, "regulators": REGULATORS, **small},
        "metacells": {"adata": adata, "n_cells": 4, "n_pcs": 3, "n_top_genes": 10},
        "mutual_information": {"expression": table, "regulators": REGULATORS},
        "prune_dpi": {"mi": mi},
        "pseudobulk": by_kind,
        "rank_regulators": by_kind,
        "ranking": {"adata": adata},
        "read_expression": {"path": folder / "table.csv"},
        "read_network": {"path": folder / "network.tsv"},
        "regulator_neighbours": {"adata": adata, "regulator": "g00", "n_neighbours": 2},
        "regulators": {"organism": "mouse"},
        "regulon_specificity": by_kind,
        "report": {"adata": adata, "path": folder / "report.html"},
        "run_aracne": {"adata": adata, "regulators": REGULATORS, **small},
        "run_msviper": {**by_kind, "group": "a", "min_targets": 1, "n_permutations": 30},
        "run_viper": {"adata": adata, "min_targets": 1},
        "signature": {"expression": table},
        "signature_similarity": {"first": table},
        "status": {},
        "to_mudata": {"adata": adata},
        "use_engine": {"engine": "python"},
        "validate": {"engines": ["python"], "kernels": ["rank_products"], "quick": True},
        "viper_similarity": {"activity": activities},
        "warmup": {},
        "pl.activity_dotplot": by_kind,
        "pl.activity_heatmap": by_kind,
        "pl.activity_violin": {**by_kind, "regulator": "g00"},
        "pl.barcode": {"signature": table.iloc[0], "network": network},
        "pl.benchmark_scaling": {"table": scaling},
        "pl.dpi_comparison": {"before": mi, "after": pysces.prune_dpi(mi)},
        "pl.edge_copula": {"expression": table, **of_regulator},
        "pl.edge_partition": {"expression": table, **of_regulator},
        "pl.embedding": {"adata": adata},
        "pl.engine_agreement": {"report": report},
        "pl.mi_null": {"network": adata, "mi": mi},
        "pl.msviper_barcode": {"adata": adata},
        "pl.network_comparison": {"comparison": network.compare(network)},
        "pl.network_graph": {"network": adata, "n_targets": 3},
        "pl.rank_regulators": {"adata": adata},
        "pl.rank_regulators_dotplot": {"adata": adata},
        "pl.rank_regulators_heatmap": {"adata": adata},
        "pl.regulon": {**by_kind, "regulator": "g00"},
        "pl.umap": {"adata": adata, "color": "g00"},
        "pl.support_histogram": {"network": network.with_modes().to_dataframe()},
        "pl.viper_barcode": {"adata": adata, "cell": "c0"},
        "pl.volcano": {"table": adata.uns["msviper"]["results"]},
        "Network": {"edges": edges},
        "Network.from_dataframe": {"edges": edges},
        "Network.from_anndata": {"adata": adata},
        "Network.from_networkx": {"graph": network.to_networkx()},
        "Network.from_igraph": {"graph": None},
        "Network.write": {"self": network, "path": folder / "written.tsv"},
        "Network.compare": {"self": network, "other": network},
        "Network.equals": {"self": network, "other": network},
        "Network.targets_of": {"self": network, "regulator": "g00"},
        "Network.regulon": {"self": network, "regulator": "g00"},
    }
    for name in functions():
        if name.startswith("settings."):
            found[name] = {"value": getattr(settings, name.removeprefix("settings."))}
        elif name.startswith("Network."):
            found.setdefault(name, {"self": network})
    found["pl.support_histogram"]["network"] = edges.assign(support=1)
    return found


# --- odd values -----------------------------------------------------------------------------------


def _names() -> Iterator[str]:
    yield from ("g00", "nope")


class _LikeAnnData:
    """What a MuData has in common with an AnnData."""

    obs = var = pd.DataFrame(index=["a"])
    uns = obsm = types.MappingProxyType({})
    obs_names = var_names = pd.Index(["a"])
    n_obs = n_vars = 1
    isbacked = is_view = False


# Values that are right for no parameter: they are always refused.
NEVER: dict[str, Callable[[], Any]] = {
    "object": object,
    "complex": lambda: 1j,
    "function": lambda: len,
    "type": lambda: dict,
    "bytes": lambda: b"g00",
    "date": lambda: datetime.datetime(2020, 1, 1),
    "ellipsis": lambda: ...,
    "NA": lambda: pd.NA,
    "NaT": lambda: pd.NaT,
    "error": lambda: ValueError("nope"),
    "like AnnData": _LikeAnnData,
    "decimal": lambda: decimal.Decimal("NaN"),
    "range of objects": lambda: [object()],
}
ODD: dict[str, Callable[[], Any]] = NEVER | {
    "None": lambda: None,
    "NaN": lambda: np.nan,
    "infinity": lambda: np.inf,
    "True": lambda: True,
    "-1": lambda: -1,
    "0": lambda: 0,
    "0.5": lambda: 0.5,
    "10^30": lambda: 10**30,
    "2^63": lambda: np.uint64(2**63),
    "empty text": str,
    "text": lambda: "nope",
    "text of a number": lambda: "5",
    "NUL": lambda: "a\0b",
    "surrogate": lambda: "a\ud800",
    "long text": lambda: "x" * 5000,
    "NumPy text": lambda: np.str_("nope"),
    "column": lambda: "kind",
    "column of lists": lambda: "lists",
    "path": lambda: Path("no") / "such.tsv",
    "folder": lambda: Path(),
    "dict": dict,
    "dict of lists": lambda: {"g00": [1, 2]},
    "list": list,
    "list of None": lambda: ["g00", None],
    "list of lists": lambda: [["g00"], ["g01"]],
    "ragged list": lambda: [[1], [2, 3]],
    "list of numbers": lambda: [1, 2],
    "equal names": lambda: ["g00", "g00"],
    "equal columns": lambda: ("kind", "kind"),
    "slice": lambda: slice(0, 8),
    "tuple": tuple,
    "pair of NaN": lambda: (np.nan, np.nan),
    "pair of huge": lambda: (1, 10**30),
    "set": lambda: {"g00", "nope"},
    "iterator": _names,
    "Index": lambda: pd.Index(GENES[:3]),
    "array": lambda: np.array([1, 2]),
    "empty array": lambda: np.array([]),
    "array of no axis": lambda: np.array(5),
    "array of two axes": lambda: np.zeros((2, 2)),
    "array of NaN": lambda: np.full(40, np.nan),
    "array of mask": lambda: np.zeros(40, dtype=bool),
    "array of complex": lambda: np.ones(40, dtype=complex),
    "array of dates": lambda: np.array(["2020-01-01"] * 40, dtype="datetime64[D]"),
    "array of objects": lambda: np.array([object()] * 40),
    "array of records": lambda: np.zeros(2, dtype=[("a", int), ("b", float)]),
    "masked array": lambda: np.ma.masked_array([1.0, 2.0], [True, False]),
    "sparse": lambda: sp.csr_matrix(np.eye(3)),
    "Series": lambda: pd.Series([1.0, 2.0], index=["g00", "g01"]),
    "Series of text": lambda: pd.Series(["a", "b"]),
    "Series of dates": lambda: pd.Series(pd.to_datetime(["2020-01-01"] * 2), index=GENES[:2]),
    "Series with NA": lambda: pd.Series([1, pd.NA], index=GENES[:2], dtype="Int64"),
    "DataFrame": lambda: pd.DataFrame({"a": [1.0, 2.0]}),
    "empty DataFrame": pd.DataFrame,
    "DataFrame of lists": lambda: pd.DataFrame({"source": [[1]], "target": [[2]]}),
    "DataFrame of complex": lambda: pd.DataFrame({"g00": [1j, 2], "g01": [1.0, 2.0]}),
    "DataFrame of dates": lambda: pd.DataFrame({"g00": pd.to_datetime(["2020-01-01"] * 3)}),
    "DataFrame of equal names": lambda: pd.DataFrame(np.eye(2), columns=["g00", "g00"]),
    "DataFrame of levels": lambda: pd.DataFrame(
        np.eye(2), columns=pd.MultiIndex.from_tuples([("a", "b"), ("a", "c")])
    ),
    "empty AnnData": lambda: ad.AnnData(np.zeros((0, 0))),
    "AnnData without matrix": lambda: ad.AnnData(obs=pd.DataFrame(index=["a", "b"])),
    "AnnData of complex": lambda: ad.AnnData(np.ones((3, 2), dtype=complex)),
    "one cell": lambda: ad.AnnData(np.ones((1, 3))),
    "Network": lambda: pysces.Network(pd.DataFrame({"source": ["x"], "target": ["y"]})),
}

# --- the cases ------------------------------------------------------------------------------------

ACCEPTED = (pysces.PyscesError, FileNotFoundError, IsADirectoryError, PermissionError)
# Objects that other packages define, and are handed on to them.
FOREIGN = {"client", "ax", "graph", "record", "work", "options"}


def all_cases() -> list[tuple[str, str, str]]:
    """Each function, parameter and odd value."""
    found = []
    for name, function in functions().items():
        for parameter, one in inspect.signature(function).parameters.items():
            if parameter != "self" and one.kind is not one.VAR_KEYWORD:
                found += [(name, parameter, odd) for odd in ODD]
    return found


class TimeLimitError(BaseException):
    """A call took too long."""


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Stop what takes longer, where the system can."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def stop(*_: Any) -> None:
        raise TimeLimitError

    former = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)


def state(adata: ad.AnnData) -> bytes:
    """All that an AnnData holds."""
    slots = ("obsm", "varm", "obsp", "varp", "layers")
    return pickle.dumps(
        [adata.X, adata.obs, adata.var, dict(adata.uns)]
        + [dict(getattr(adata, slot)) for slot in slots]
    )


class World:
    """The data that all cases share, created once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.adata = expression()
        self.arguments = pickle.dumps((self.adata, valid_arguments(self.adata, folder)))
        self.functions = functions()
        self.settings = dict(vars(pysces.settings))
        self.close = importlib.import_module("matplotlib.pyplot").close

    def outcome(self, name: str, parameter: str, odd: str) -> str | None:
        """What is wrong with the answer to one case; None if nothing is."""
        adata, valid = pickle.loads(self.arguments)
        before, files = state(adata), sorted(self.folder.rglob("*"))
        given = valid[name] | {parameter: ODD[odd]()}
        positional = [given.pop("self")] if "self" in given else []
        try:
            with time_limit(LIMIT):
                self.functions[name](*positional, **given)
        except ACCEPTED:
            if state(adata) != before:
                return "the AnnData changed although there was an error"
            if sorted(self.folder.rglob("*")) != files:
                return "a file was left although there was an error"
        except TimeLimitError:
            return f"took more than {LIMIT} seconds"
        except Exception as error:
            return f"{type(error).__name__}: {error!s:.120}"
        else:
            if odd in NEVER and parameter not in FOREIGN:
                return "was accepted"
        finally:
            vars(pysces.settings).update(self.settings)
            self.close("all")
        return None


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    pytest.importorskip("matplotlib").use("Agg")
    former = dict(vars(pysces.settings))
    folder = tmp_path_factory.mktemp("bad_inputs")
    with contextlib.chdir(folder):
        pysces.settings.engine = "python"
        yield World(folder)
    vars(pysces.settings).update(former)


# --- the tests ------------------------------------------------------------------------------------


def test_every_public_function_checks_its_arguments() -> None:
    for name, function in public_functions().items():
        own = inspect.getattr_static(function, "__init__") if name == "Network" else function
        found = [own, getattr(own, "__wrapped__", own), getattr(own, "__func__", own)]
        assert any(hasattr(one, "__checks__") for one in found), name


def test_every_function_has_valid_arguments(world: World) -> None:
    """Otherwise the cases would test the valid arguments only."""
    assert set(pickle.loads(world.arguments)[1]) == set(world.functions)
    for name in world.functions:
        given = pickle.loads(world.arguments)[1][name]
        if given.get("graph", "") is None:
            continue
        positional = [given.pop("self")] if "self" in given else []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            world.functions[name](*positional, **given)


@pytest.mark.parametrize("part", [*range(8), pytest.param("all", marks=pytest.mark.slow)])
def test_bad_arguments_have_the_errors_of_the_package(world: World, part: Any) -> None:
    """A sample of the cases, with a fixed seed; all of them if slow tests are run."""
    cases = all_cases()
    if part != "all":
        chosen = np.random.default_rng(part).choice(len(cases), SAMPLE // 8, replace=False)
        cases = [cases[number] for number in chosen]
    wrong = []
    for case in cases:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if problem := world.outcome(*case):
                wrong.append(f"{', '.join(case)}: {problem}")
    print(f"{len(cases)} cases, {len(wrong)} wrong answers")
    assert not wrong, f"{len(wrong)} of {len(cases)} cases:\n" + "\n".join(wrong[:40])
