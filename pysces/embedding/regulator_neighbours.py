"""Read an embedding from an AnnData, and find the neighbours of a regulator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from pysces._keys import EmbeddingResult, read
from pysces._messages import listed
from pysces._parameters import Range, checked
from pysces.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

_DIGITS = 12  # of a cosine; further digits are rounding noise and must not decide the order


@dataclass(frozen=True)
class Stored:
    """An embedding read from an AnnData.

    Attributes
    ----------
    coordinates
        Genes of the network x components; the index has their names.
    regulators
        Facts about the regulators, by name.
    eigenvalues
        Eigenvalues of the components.
    """

    coordinates: pd.DataFrame
    regulators: pd.DataFrame
    eigenvalues: NDArray[np.float64]


def stored(adata: AnnData, key: str = "regulon_embedding") -> Stored:
    """Read the embedding under a key; MissingKeyError if there is none."""
    found = read(EmbeddingResult, adata, key)
    values = np.asarray(found.coordinates, dtype=np.float64)
    names = [f"component_{number + 1}" for number in range(values.shape[1])]
    there = ~np.isnan(values).any(axis=1)
    table = pd.DataFrame(values[there], index=adata.var_names.astype(str)[there], columns=names)
    facts = found.regulons
    # Genes may have been removed from the AnnData since.
    return Stored(table, facts[facts.index.isin(table.index)], np.asarray(found.eigenvalues))


@checked(n_neighbours=Range(1))
def regulator_neighbours(
    adata: AnnData,
    regulator: str,
    *,
    n_neighbours: int = 10,
    direction: Literal["same", "opposite"] = "same",
    key: str = "regulon_embedding",
) -> pd.DataFrame:
    """Find the regulators with the most similar, or the most opposite, effect.

    Parameters
    ----------
    adata
        The data that :func:`pysces.embed_regulators` was applied to.
    regulator
        Name of a regulator, or of any other gene of the network.
    n_neighbours
        Number of neighbours, if there are enough.
    direction
        ``"same"``: largest cosines first, the regulators with the most similar effect;
        ``"opposite"``: smallest cosines first, those that activate what the other represses.
    key
        Key of the embedding.

    Returns
    -------
    DataFrame
        One row per regulator, the nearest first (equal cosines by name): ``regulator``, ``cosine``
        (of the angle between both at the origin, -1 to 1, rounded to 12 digits; 0 for a regulator
        at the origin), ``n_targets``, ``n_targets_positive``.

    Raises
    ------
    MissingKeyError
        If there is no embedding under the key.
    InputError
        If the gene is not in the network, or a parameter is invalid.

    Examples
    --------
    >>> import anndata, numpy as np, pandas as pd, pysces
    >>> adata = anndata.AnnData(np.ones((2, 5)))
    >>> adata.var_names = ["TF1", "TF2", "TF3", "A", "B"]
    >>> edges = pd.DataFrame({"source": ["TF1", "TF2", "TF3"] * 2, "target": ["A"] * 3 + ["B"] * 3})
    >>> edges["mor"] = [1.0, 0.9, -1.0, 0.5, 0.6, -0.5]
    >>> pysces.embed_regulators(adata, network=edges, n_components=2)
    >>> near = pysces.regulator_neighbours(adata, "TF1")
    >>> near["regulator"].tolist(), near["cosine"].round(1).tolist()
    (['TF2', 'TF3'], [1.0, -1.0])
    """
    found = stored(adata, key)
    if regulator not in found.coordinates.index:
        raise InputError(
            f"{regulator!r} is not in the embedding under {key!r}. "
            f"Regulators: {listed(found.regulators.index)}."
        )
    others = found.regulators.drop(index=regulator, errors="ignore")
    cosine = _cosines(
        found.coordinates.loc[regulator].to_numpy(), found.coordinates.loc[others.index].to_numpy()
    )
    ranked = cosine if direction == "opposite" else -cosine
    order = np.lexsort((others.index.to_numpy().astype(str), ranked))[:n_neighbours]
    table = others.iloc[order].rename_axis("regulator").reset_index()
    table.insert(1, "cosine", cosine[order])
    return table


def _cosines(one: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cosine between a vector and others [others components]; 0 for zero vectors."""
    sizes = np.linalg.norm(others, axis=1) * np.linalg.norm(one)
    cosine = np.divide(others @ one, sizes, out=np.zeros(len(others)), where=sizes > 0)
    return np.round(np.clip(cosine, -1.0, 1.0), _DIGITS) + 0.0
