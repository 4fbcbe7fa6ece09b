"""Rank the regulators of each group by the difference of their activity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from pysces._keys import RankingResult
from pysces._parameters import Range, checked
from pysces._record import RunRecord
from pysces.data import _results
from pysces.data._labels import group_mask, labels_of
from pysces.errors import InputError
from pysces.viper._statistics import benjamini_hochberg
from pysces.viper.activity import activity
from pysces.viper.groups._comparisons import rank_sum_tests, t_tests
from pysces.viper.groups.regulon_specificity import specificity

if TYPE_CHECKING:
    from anndata import AnnData

Method = Literal["t-test", "wilcoxon"]
_TESTS = {"t-test": t_tests, "wilcoxon": rank_sum_tests}


@checked(alpha=Range(0, 1))
def rank_regulators(
    adata: AnnData,
    groupby: str,
    key: str = "viper",
    *,
    groups: str | float | Sequence[str | float] | None = None,
    reference: str | float = "rest",
    method: Method = "t-test",
    alpha: float = 0.05,
    key_added: str = "rank_regulators",
    copy: bool = False,
) -> AnnData | None:
    """Rank the regulators of groups of cells by how their activity differs from other cells.

    As ``scanpy.tl.rank_genes_groups`` for genes. Read the result with :func:`ranking`, plot it with
    `pysces.pl.rank_regulators`, `pysces.pl.rank_regulators_dotplot`,
    `pysces.pl.rank_regulators_heatmap` and `pysces.pl.volcano`.

    Parameters
    ----------
    adata
        Cells x genes, with activities from :func:`run_viper`.
    groupby
        Column of ``adata.obs``.
    key
        Key of the activities.
    groups
        Groups to rank; ``None`` for all.
    reference
        ``"rest"`` to compare each group with all other cells that have a label, or the name of a
        group to compare all others with.
    method
        ``"t-test"`` (Welch's, i.e. with the variance of each group) or ``"wilcoxon"`` (rank-sum
        test: normal approximation with average ranks of ties and their variance).
    alpha
        Largest q-value of a significant regulator; significant regulators are ranked first.
    key_added
        Key of the result in ``adata.uns``.
    copy
        Return a copy of ``adata`` with the result instead of changing it.

    Returns
    -------
    ``None``, or the copy. Sets ``adata.uns[key_added]["ranking"]``, a table with one row per group
    and regulator: group (categorical), regulator, score (t, or z of the rank sum), mean (activity
    in the group), difference (from the mean of the reference), fraction_active (cells of the group
    whose activity is above 0), specificity (:func:`regulon_specificity`), pvalue, qvalue (within
    the group), significant (qvalue <= alpha). Groups are in the order of the categories of the
    column (numbers by size, other labels by name). Within a group, regulators are ordered from the
    most increased to the most decreased one: significantly increased ones by difference, then those
    that are not significant by score, then significantly decreased ones by difference.
    ``adata.uns[key_added]`` also has the arguments (``"params"``) and the version.

    Notes
    -----
    With many cells nearly all regulators are significant. The statistic then reflects how uniform
    an activity is within the group more than how much it differs from the rest; ordered by it,
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
        If the column or a group does not exist, or a group or its reference has fewer than 2 cells.
    MissingKeyError
        If there are no activities under the key.

    References
    ----------
    Welch 1947, Biometrika 34:28; Wilcoxon 1945, Biometrics Bulletin 1:80; Benjamini and Hochberg
    1995, J R Stat Soc B 57:289 (q-values).

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
    >>> pysces.rank_regulators(adata, "cell_type")
    >>> pysces.ranking(adata, n_top=1)[["group", "regulator"]].values.tolist()
    [['NK', 'A'], ['T', 'B']]
    """
    _results.check_target(adata, copy)
    _results.check_free(adata, key_added, RankingResult)
    table = ranked(
        adata, groupby, key, groups=groups, reference=reference, method=method, alpha=alpha
    )
    arguments = {
        "groupby": groupby,
        "key": key,
        "groups": groups,
        "reference": str(reference),
        "method": method,
        "alpha": alpha,
    }
    target = adata.copy() if copy else adata
    record = RunRecord("rank_regulators", arguments)
    _results.write(target, key_added, RankingResult(ranking=table, record=record))
    return target if copy else None


def ranked(
    adata: AnnData,
    groupby: str,
    key: str,
    *,
    groups: str | float | Sequence[str | float] | None = None,
    reference: str | float = "rest",
    method: Method = "t-test",
    alpha: float = 0.05,
) -> pd.DataFrame:
    """The table of `rank_regulators`."""
    scores = activity(adata, key)
    labels = labels_of(adata, groupby)
    names = list(labels.categories)
    if not names:
        raise InputError(f"No cell has a label in .obs[{groupby!r}]. Pass another column.")
    wanted = [name for name in names if name != str(reference)] if groups is None else groups
    wanted = [wanted] if isinstance(wanted, str | float | int) else wanted
    sizes = {str(name): int(group_mask(labels, groupby, name).sum()) for name in wanted}
    if not sizes:
        raise InputError("No group to rank: groups= is empty, or there is only the reference.")
    if str(reference) in sizes:
        raise InputError(f"groups= contains the reference {reference!r}. Leave it out.")
    other, n_other = None, 0
    if reference != "rest":
        n_other = int(group_mask(labels, groupby, reference).sum())
        other = names.index(str(reference))
    # Cells without a label belong to no group and to no rest
    codes = labels.codes
    for name, size in sizes.items():
        if min(size, np.sum(codes >= 0) - size if other is None else n_other) < 2:
            raise InputError(
                f"Group {name!r} or its reference has fewer than 2 cells. Merge it with another."
            )
    values = np.asarray(scores.X)
    places = [names.index(name) for name in sizes]
    found = _TESTS[method](values, codes, places, other)
    specific = specificity(values, codes)
    tables = []
    for row, (name, place) in enumerate(zip(sizes, places, strict=True)):
        table = pd.DataFrame(
            {
                "group": name,
                "regulator": scores.var_names.to_numpy(),
                "score": found.scores[row],
                "mean": found.means[row],
                "difference": found.differences[row],
                "fraction_active": (values[codes == place] > 0).mean(axis=0),
                "specificity": specific[place],
                "pvalue": found.pvalues[row],
                "qvalue": benjamini_hochberg(found.pvalues[row]),
            }
        )
        table["significant"] = table["qvalue"] <= alpha
        effect = table["difference"].where(table["significant"], 0.0).where(table["score"].notna())
        order = np.lexsort((-table["score"], -effect))  # missing ones last
        tables.append(table.iloc[order])
    joined = pd.concat(tables, ignore_index=True)
    return joined.assign(group=pd.Categorical(joined["group"], categories=list(sizes)))
