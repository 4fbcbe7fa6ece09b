"""A regulon object of R's viper, saved with ``saveRDS``."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pysces._reading import whole
from pysces.errors import InputError
from pysces.network._graphs import package
from pysces.network.formats._format import Format

if TYPE_CHECKING:
    from pathlib import Path


def read(path: Path) -> pd.DataFrame:
    """Columns source, target, mor and likelihood."""
    rdata = package("rdata", "Reading R (.rds)")
    classes = {**rdata.conversion.DEFAULT_CLASS_MAP, "regulon": lambda content, _: content}
    regulons = rdata.read_rds(io.BytesIO(whole(path)), constructor_dict=classes)
    if not isinstance(regulons, dict) or not all(
        isinstance(regulon, dict) and "tfmode" in regulon for regulon in regulons.values()
    ):
        raise InputError(
            f"{path.name} is not a regulon of R's viper (a named list of lists with tfmode and "
            "likelihood). Save the regulon itself with `saveRDS(regulon, file)`."
        )
    parts = [_regulon(name, regulon, path) for name, regulon in regulons.items()]
    empty = pd.DataFrame({"source": [], "target": [], "mor": [], "likelihood": []})
    return pd.concat(parts, ignore_index=True) if parts else empty


def _regulon(name: str, regulon: dict[str, Any], path: Path) -> pd.DataFrame:
    mode = regulon["tfmode"]
    if not hasattr(mode, "coords"):
        if np.size(mode):
            raise InputError(f"{path.name}: the tfmode of {name!r} does not name its targets.")
        return pd.DataFrame({"source": [], "target": [], "mor": [], "likelihood": []})
    likelihood = np.asarray(regulon.get("likelihood", np.ones(np.size(mode))), dtype=np.float64)
    if likelihood.size != np.size(mode):
        raise InputError(
            f"{path.name}: {name!r} has {np.size(mode)} modes and {likelihood.size} likelihoods. "
            "Save a regulon in which each target has both."
        )
    targets = np.asarray(mode.coords[mode.dims[0]]).astype(str)
    return pd.DataFrame(
        {
            "source": str(name),
            "target": targets.astype(object),
            "mor": np.asarray(mode, dtype=np.float64).ravel(),
            "likelihood": likelihood.ravel(),
        }
    )


FORMAT = Format(read=read, exact_names=True)
