"""Regulon specificity score: how much the activity of a regulator is confined to a group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import special

from pysces._parameters import checked
from pysces.data._labels import labels_of
from pysces.errors import InputError
from pysces.viper.activity import activity

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray


@checked()
def regulon_specificity(adata: AnnData, groupby: str, key: str = "viper") -> pd.DataFrame:
    """Regulon specificity score (RSS) of every regulator in every group of cells.

    The positive activities of a regulator, divided by their sum, are a distribution over cells. It
    is compared with the distribution that is uniform in the group and 0 elsewhere:
    ``RSS = 1 - sqrt(JSD)``, where JSD is the Jensen-Shannon divergence with logarithms to base 2.
    It is 1 for a regulator that is equally active in all cells of the group and in no other cell,
    and 0 for one that is active in no cell of the group.

    Parameters
    ----------
    adata
        Data with activities from :func:`run_viper`.
    groupby
        Column of ``adata.obs``; cells without a label are ignored.
    key
        Key of the activities.

    Returns
    -------
    DataFrame of scores in [0, 1], regulators x groups; NaN for regulators with no positive
    activity. Groups are in the order of the categories of the column.

    Raises
    ------
    InputError
        If the column does not exist or has no labels.
    MissingKeyError
        If there are no activities under the key.

    Notes
    -----
    Negative activities count as 0, so a regulator that is specifically *inactive* in a group has no
    high score; :func:`rank_regulators` finds it. Scores depend on the size of the group: compare
    regulators within a group rather than groups with each other.

    References
    ----------
    Suo et al. 2018, Cell Reports 25:1436; Lin 1991, IEEE Trans Inf Theory 37:145 (Jensen-Shannon
    divergence).

    Examples
    --------
    >>> import anndata, numpy as np, pandas as pd, pysces
    >>> rng = np.random.default_rng(0)
    >>> adata = anndata.AnnData(rng.normal(size=(20, 40)))
    >>> adata.var_names = [f"gene{i}" for i in range(40)]
    >>> adata.obs["cell_type"] = ["NK"] * 8 + ["T"] * 12
    >>> adata.X[:8, :12] += 2  # targets of A
    >>> edges = pd.DataFrame({"source": ["A"] * 12 + ["B"] * 12, "target": adata.var_names[:24]})
    >>> pysces.run_viper(adata, edges)
    >>> pysces.regulon_specificity(adata, "cell_type")["NK"].idxmax()
    'A'
    """
    scores = activity(adata, key)
    labels = labels_of(adata, groupby)
    if not len(labels.categories):
        raise InputError(f"No cell has a label in .obs[{groupby!r}]. Pass another column.")
    found = specificity(np.asarray(scores.X), labels.codes)
    return pd.DataFrame(found.T, index=scores.var_names, columns=list(labels.categories))


def specificity(values: NDArray[np.float64], codes: NDArray[Any]) -> NDArray[np.float64]:
    """Regulon specificity scores [groups regulators] of activities, cells x regulators.

    codes: group of each cell, -1 for none.
    """
    weights = np.where(values[codes >= 0] > 0, values[codes >= 0], 0.0)
    codes = codes[codes >= 0]
    with np.errstate(invalid="ignore"):
        shares = weights / weights.sum(axis=0)
    found = []
    for code in range(codes.max() + 1):
        own = shares[codes == code]
        uniform = np.full_like(own, 1 / len(own))
        middle = (own + uniform) / 2
        # Each cell outside contributes its share: its term is p log2(p / (p / 2))
        inside = special.rel_entr(own, middle) + special.rel_entr(uniform, middle)
        outside = 1 - own.sum(axis=0)
        divergence = (inside.sum(axis=0) / np.log(2) + outside) / 2
        found.append(1 - np.sqrt(np.clip(divergence, 0.0, 1.0)))
    return np.array(found)
