"""Dot plot of the first regulators of each group of a ranking."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pysces._parameters import Range, checked
from pysces.pl._activities import first_ranked
from pysces.pl._style import label
from pysces.pl.activity_dotplot import draw_dots

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from matplotlib.axes import Axes


@checked(n_regulators=Range(1))
def rank_regulators_dotplot(
    adata: AnnData,
    groups: str | Sequence[str] | None = None,
    *,
    n_regulators: int = 3,
    active: float = 1.96,
    key: str = "rank_regulators",
    ax: Axes | None = None,
) -> Axes:
    """Draw the first regulators of each group of a ranking as dots, in all groups.

    Parameters
    ----------
    adata
        Data with a ranking from `pysces.rank_regulators`.
    groups
        Groups whose first regulators are drawn, in this order; by default all of the ranking.
    n_regulators
        Number of regulators for each group, of those that are increased. One that is among the
        first of several groups is drawn once, in the group where it is increased most.
    active
        A regulator is active or repressed in a cell if its ``|NES|`` is above this value.
    key
        Key of the ranking.
    ax
        Axes to draw on; new ones by default.

    Returns
    -------
    matplotlib.axes.Axes
        Groups x regulators, as `pysces.pl.activity_dotplot`; brackets show the group in which
        regulators are among the first.

    Raises
    ------
    MissingKeyError
        If there is no ranking, or if the activities that were ranked were deleted.
    InputError
        If the ranking does not have a group, or no regulator is increased.
    PyscesError
        If matplotlib is not installed.

    Examples
    --------
    >>> import anndata, numpy as np, pandas as pd, pysces
    >>> adata = anndata.AnnData(np.random.default_rng(0).normal(size=(20, 12)))
    >>> adata.var_names = [f"gene{number}" for number in range(12)]
    >>> adata.obs["arm"] = ["treated", "control"] * 10
    >>> edges = pd.DataFrame({"source": "gene0", "target": adata.var_names[1:]})
    >>> pysces.run_viper(adata, edges)
    >>> pysces.rank_regulators(adata, "arm")
    >>> ax = pysces.pl.rank_regulators_dotplot(adata)
    >>> [text.get_text() for text in ax.get_yticklabels()]
    ['control', 'treated']
    """
    found = first_ranked(adata, key, groups, n_regulators)
    labels = found.scores.obs[found.groupby].astype(str).to_numpy()
    values = found.scores.to_df()
    means = values.groupby(labels).mean().loc[found.groups]
    share = (values.abs() > active).groupby(labels).mean().loc[found.groups]
    brackets = {group: len(own) for group, own in found.regulators.items() if own}
    title = f"First regulators of each group ({label(found.groupby, 24)})"
    return draw_dots(means, share, active, title, ax, brackets)
