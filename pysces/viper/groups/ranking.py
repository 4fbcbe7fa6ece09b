"""Read a ranking of regulators from an AnnData: :func:`ranking`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pysces._keys import RankingResult, read
from pysces._messages import listed, nearest
from pysces._parameters import Range, checked
from pysces.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


@checked(n_top=Range(1))
def ranking(
    adata: AnnData,
    group: str | float | None = None,
    key: str = "rank_regulators",
    *,
    n_top: int | None = None,
) -> pd.DataFrame:
    """Read the table of :func:`rank_regulators`, as ``scanpy.get.rank_genes_groups_df``.

    Parameters
    ----------
    adata
        Cells x genes, with a ranking of regulators.
    group
        Read the rows of this group only.
    key
        Key of the ranking (``key_added``).
    n_top
        Number of regulators to read for each group, the most increased ones; ``None`` for all.

    Returns
    -------
    The table of :func:`rank_regulators`, one row per group and regulator; its q-values are those of
    all regulators.

    Raises
    ------
    MissingKeyError
        If there is no ranking under the key.
    InputError
        If the ranking does not have the group.

    Examples
    --------
    >>> import anndata, numpy as np, pandas as pd, pysces
    >>> rng = np.random.default_rng(0)
    >>> adata = anndata.AnnData(rng.normal(size=(20, 40)))
    >>> adata.var_names = [f"gene{i}" for i in range(40)]
    >>> adata.obs["cell_type"] = ["NK"] * 8 + ["T"] * 12
    >>> edges = pd.DataFrame({"source": ["A"] * 12 + ["B"] * 12, "target": adata.var_names[:24]})
    >>> pysces.run_viper(adata, edges)
    >>> pysces.rank_regulators(adata, "cell_type")
    >>> pysces.ranking(adata, "NK").columns[:3].tolist()
    ['group', 'regulator', 'score']
    """
    table = read(RankingResult, adata, key).ranking
    groups = table["group"].astype(str)
    if group is not None:
        if str(group) not in set(groups):
            known = groups.unique()
            raise InputError(
                f"The ranking has no group {group!r}{nearest(group, known)}. "
                f"Groups: {listed(known)}."
            )
        table = table[groups == str(group)]
    if n_top is not None:
        table = table.groupby("group", observed=True).head(n_top)
    return table.reset_index(drop=True)
