"""Rank the regulators of each group by the difference of their activity."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pysces._parameters import Range, checked
from pysces.data._labels import group_mask, labels_of
from pysces.errors import InputError
from pysces.viper._statistics import benjamini_hochberg, t_test
from pysces.viper.activity import activity

if TYPE_CHECKING:
    from anndata import AnnData


@checked(alpha=Range(0, 1), n_top=Range(1))
def rank_regulators(
    adata: AnnData,
    groupby: str,
    key: str = "viper",
    *,
    group: str | float | None = None,
    n_top: int | None = None,
    alpha: float = 0.05,
) -> pd.DataFrame:
    """Rank the regulators of every group of cells by how their activity differs from the rest.

    Parameters
    ----------
    adata
        Cells x genes, with activities from :func:`run_viper`.
    groupby
        Column of ``adata.obs``.
    key
        Key of the activities.
    group
        Rank the regulators of this group only.
    n_top
        Number of regulators to return for each group; ``None`` for all. The q-values are those of
        the complete table.
    alpha
        Largest q-value of a significant regulator; significant regulators are ranked first.

    Returns
    -------
    Tidy table, one row per group and regulator: group (categorical), regulator, score (t,
    two-sample with pooled variance), mean (activity in the group), difference (from the rest),
    fraction_active (cells of the group whose activity is above 0), pvalue, qvalue (within the
    group), significant (qvalue <= alpha). Groups are in the order of the categories of the column
    (numbers by size, other labels by name). Within a group, regulators are ordered from the most
    increased to the most decreased one: significantly increased ones by difference, then those that
    are not significant by score, then significantly decreased ones by difference.

    Notes
    -----
    With many cells nearly all regulators are significant. The t statistic then reflects how uniform
    an activity is within the group more than how much it differs from the rest; ordered by t,
    regulators with uniform activity would rank first. The difference is in units of the standard
    deviation of activities under the null hypothesis (1 for an NES). It is larger for regulators
    with more targets if all of these change.

    The ranking is relative: the first regulator of a group is more active there than in the rest,
    but may be inactive in both. Select rows with ``mean > 0`` to obtain regulators that are active
    in the group.

    The p-values assume that cells are independent samples. Cells of one donor are not independent,
    and clusters computed from the same data differ by construction. Use the p-values for ranking
    only, or call :func:`pysces.pseudobulk` first.

    Raises
    ------
    InputError
        If the column does not exist, or a group or its rest has fewer than 2 cells.
    MissingKeyError
        If there are no activities under the key.

    References
    ----------
    Benjamini and Hochberg 1995, J R Stat Soc B 57:289 (q-values).

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
    >>> table = pysces.rank_regulators(adata, "cell_type", n_top=1)
    >>> table[["group", "regulator"]].values.tolist()
    [['NK', 'A'], ['T', 'B']]
    """
    scores = activity(adata, key)
    values = np.asarray(scores.X)
    # Cells without a label belong to no group and to no rest.
    labels = labels_of(adata, groupby)
    labelled = labels.codes >= 0
    names = [str(group)] if group is not None else list(labels.categories)
    if not names:
        raise InputError(f"No cell has a label in .obs[{groupby!r}]. Pass another column.")
    tables = []
    for name in names:
        inside = group_mask(labels, groupby, name)
        outside = ~inside & labelled
        if min(inside.sum(), outside.sum()) < 2:
            raise InputError(
                f"Group {name!r} or its rest has fewer than 2 cells. Merge it with another."
            )
        t, p = t_test(values[inside], values[outside])
        mean = values[inside].mean(axis=0)
        table = pd.DataFrame(
            {
                "group": name,
                "regulator": scores.var_names.to_numpy(),
                "score": t,
                "mean": mean,
                "difference": mean - values[outside].mean(axis=0),
                "fraction_active": (values[inside] > 0).mean(axis=0),
                "pvalue": p,
                "qvalue": benjamini_hochberg(p),
            }
        )
        table["significant"] = table["qvalue"] <= alpha
        effect = table["difference"].where(table["significant"], 0.0).where(table["score"].notna())
        order = np.lexsort((-table["score"], -effect))  # missing ones last
        table = table.iloc[order]
        tables.append(table if n_top is None else table.head(n_top))
    ranked = pd.concat(tables, ignore_index=True)
    return ranked.assign(group=pd.Categorical(ranked["group"], categories=names))
