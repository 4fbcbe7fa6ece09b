"""PySCES: gene regulatory networks (ARACNe) and protein activity (VIPER) from single-cell data.

>>> import pysces
>>> import scanpy as sc  # doctest: +SKIP
>>> adata = sc.datasets.pbmc68k_reduced()  # doctest: +SKIP
>>> pysces.run_aracne(adata)  # doctest: +SKIP
>>> pysces.run_viper(adata)  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pysces._version import __version__

_source = Path(__file__).resolve().parent
if (_source / "PyscesModel.py").exists():
    raise ImportError(
        f"two projects are installed in the same folder {_source}: `pysces` (a simulator of "
        "cellular systems) and `pysces-grn` (this one). "
        "Keep one: pip uninstall -y pysces pysces-grn, then pip install pysces-grn."
    )
if not (_source / "kernels").is_dir():  # a checkout: kernels/ is next to pysces/
    __path__.append(str(_source.parent))

from pysces._messages import no_attribute  # noqa: E402 - __path__ first
from pysces.settings import settings  # noqa: E402

if TYPE_CHECKING:
    from pysces import pl as pl
    from pysces.aracne.compare_networks import compare_networks as compare_networks
    from pysces.aracne.consolidate import consolidate as consolidate
    from pysces.aracne.infer_network import infer_network as infer_network
    from pysces.aracne.mutual_information import mutual_information as mutual_information
    from pysces.aracne.prune_dpi import prune_dpi as prune_dpi
    from pysces.aracne.run_aracne import run_aracne as run_aracne
    from pysces.data.read import read_expression as read_expression
    from pysces.data.read import read_network as read_network
    from pysces.data.regulators import regulators as regulators
    from pysces.dispatch.engines import use_engine as use_engine
    from pysces.dispatch.status import status as status
    from pysces.dispatch.validation import validate as validate
    from pysces.dispatch.warmup import warmup as warmup
    from pysces.embedding.embed_network import embed_network as embed_network
    from pysces.embedding.embed_regulators import embed_regulators as embed_regulators
    from pysces.embedding.regulator_neighbours import regulator_neighbours as regulator_neighbours
    from pysces.network import Network as Network
    from pysces.network import NetworkComparison as NetworkComparison
    from pysces.reports.report import report as report
    from pysces.viper.activity import activity as activity
    from pysces.viper.compute_signature import compute_signature as compute_signature
    from pysces.viper.enrich import enrich as enrich
    from pysces.viper.groups.rank_regulators import rank_regulators as rank_regulators
    from pysces.viper.groups.ranking import ranking as ranking
    from pysces.viper.groups.regulon_specificity import regulon_specificity as regulon_specificity
    from pysces.viper.groups.run_msviper import run_msviper as run_msviper
    from pysces.viper.run_viper import run_viper as run_viper
    from pysces.viper.signature import signature as signature
    from pysces.viper.signature_similarity import signature_similarity as signature_similarity
    from pysces.viper.to_mudata import to_mudata as to_mudata
    from pysces.viper.viper_similarity import viper_similarity as viper_similarity

# Module of each public name: imported at first use, so that `import pysces` is fast.
_PUBLIC = {
    "EngineUnavailable": "pysces.errors",
    "InputError": "pysces.errors",
    "MissingKeyError": "pysces.errors",
    "Network": "pysces.network",
    "NetworkComparison": "pysces.network",
    "PyscesError": "pysces.errors",
    "PyscesWarning": "pysces.errors",
    "activity": "pysces.viper.activity",
    "compare_networks": "pysces.aracne.compare_networks",
    "compute_signature": "pysces.viper.compute_signature",
    "consolidate": "pysces.aracne.consolidate",
    "embed_network": "pysces.embedding.embed_network",
    "embed_regulators": "pysces.embedding.embed_regulators",
    "enrich": "pysces.viper.enrich",
    "infer_network": "pysces.aracne.infer_network",
    "metacells": "pysces.samples.metacells",
    "mutual_information": "pysces.aracne.mutual_information",
    "prune_dpi": "pysces.aracne.prune_dpi",
    "pseudobulk": "pysces.samples.pseudobulk",
    "rank_regulators": "pysces.viper.groups.rank_regulators",
    "ranking": "pysces.viper.groups.ranking",
    "read_expression": "pysces.data.read",
    "read_network": "pysces.data.read",
    "regulator_neighbours": "pysces.embedding.regulator_neighbours",
    "regulators": "pysces.data.regulators",
    "regulon_specificity": "pysces.viper.groups.regulon_specificity",
    "report": "pysces.reports.report",
    "run_aracne": "pysces.aracne.run_aracne",
    "run_msviper": "pysces.viper.groups.run_msviper",
    "run_viper": "pysces.viper.run_viper",
    "signature": "pysces.viper.signature",
    "signature_similarity": "pysces.viper.signature_similarity",
    "status": "pysces.dispatch.status",
    "to_mudata": "pysces.viper.to_mudata",
    "use_engine": "pysces.dispatch.engines",
    "validate": "pysces.dispatch.validation",
    "viper_similarity": "pysces.viper.viper_similarity",
    "warmup": "pysces.dispatch.warmup",
}

# Former names, which warn.
_RENAMED = {"signature_distance": "signature_similarity"}

__all__ = ["__version__", "pl", "settings", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        value = getattr(importlib.import_module(_PUBLIC[name]), name)
        globals()[name] = value
        return value
    if name in _RENAMED:
        warnings.warn(
            f"pysces.{name} is now pysces.{_RENAMED[name]}; the former name will be removed.",
            DeprecationWarning,
            stacklevel=2,
        )
        return __getattr__(_RENAMED[name])
    if name == "pl":
        return importlib.import_module("pysces.pl")
    if name in ("pp", "tl", "get"):
        raise AttributeError(
            f"pysces has no module {name!r}: its functions are in pysces itself, such as "
            "pysces.run_aracne, and its plots in pysces.pl."
        )
    raise no_attribute("pysces", name, __all__)


def __dir__() -> list[str]:
    return sorted(__all__)
