"""Scatter plot of the scores of two genes in the copula estimator, with the fitted curve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pysces._messages import listed
from pysces._parameters import checked
from pysces.aracne._copula import SPARSE, degree_of, nats_of_pair, ranked_scores
from pysces.aracne._correlation import spearman
from pysces.aracne._options import Degree
from pysces.data._count_data import Counts
from pysces.data._depth import counts_of, known_of, known_of_arrays
from pysces.data._expression import Expression, constant_genes
from pysces.errors import InputError
from pysces.pl._style import FAINT, INK, VERMILION, axes_of, clean, label, pair_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    from pysces.data._count_data import CountData
    from pysces.data._depth import Known

    Floats = NDArray[np.float64]

_STEPS = 200  # points of the curve


@dataclass(frozen=True, eq=False)
class Pair:
    """Scores of two genes and their mutual information.

    Attributes
    ----------
    first, second
        Scores h1 and h2, float64 [genes samples]; the regulator is gene 0.
    degree
        1 or 2.
    nats
        Mutual information.
    given_depth
        Whether these are scores of counts given the depth.
    """

    first: Floats
    second: Floats
    degree: int
    nats: float
    given_depth: bool

    def curve(self) -> tuple[Floats, Floats]:
        """Points of the fitted line or parabola: scores of the regulator and of the target.

        With degree 2, one gene is fitted by ``a h1 + b h2`` of the other one, in the direction that
        explains more variance; h2 is ``z^2 - 1`` of a score z.
        """
        shares = [self._fit(by, 1 - by) for by in ((0, 1) if self.degree == 2 else (0,))]
        by = int(np.argmax([share for share, _ in shares]))
        weights = shares[by][1]
        z = np.linspace(self.first[by].min(), self.first[by].max(), _STEPS)
        fitted = weights[0] + weights[1] * z
        if self.degree == 2:
            fitted = fitted + weights[2] * (z * z - 1)
        return (z, fitted) if by == 0 else (fitted, z)

    def _fit(self, by: int, of: int) -> tuple[float, Floats]:
        """Share of the variance of gene `of` that gene `by` explains, and the weights."""
        terms = [np.ones(self.first.shape[1]), self.first[by]]
        terms += [self.second[by]] * (self.degree == 2)
        design = np.stack(terms, axis=1)
        weights, *_ = np.linalg.lstsq(design, self.first[of], rcond=None)
        left = float(np.var(self.first[of] - design @ weights))
        return 1 - left / max(1e-300, float(np.var(self.first[of]))), weights


@checked()
def edge_copula(
    expression: Any,
    regulator: str,
    target: str,
    *,
    layer: str | None = None,
    counts: Counts = "auto",
    size_factors: str | ArrayLike | None = None,
    batch_key: str | ArrayLike | None = None,
    degree: Degree = "auto",
    ax: Axes | None = None,
) -> Axes:
    """Draw the scores of two genes, with the curve that the copula estimator fits.

    Parameters
    ----------
    expression
        An AnnData, or a DataFrame samples x genes. Pass all genes, since the depth of a sample may
        be computed from them.
    regulator, target
        Names of the genes.
    layer
        Layer of the AnnData.
    counts, size_factors, batch_key, degree
        As in `pysces.run_aracne`.
    ax
        Axes to draw on; new ones by default.

    Returns
    -------
    matplotlib.axes.Axes
        One point per sample: the normal scores of both genes or, for counts, the expected normal
        scores given the depth. The line (or the parabola, with degree 2) is fitted in the direction
        that explains more variance. The title has the mutual information with its R2 (for sparse
        data, the smaller of the plain and the studentised R2), and Spearman's correlation of the
        values.

    Raises
    ------
    InputError
        If a gene does not exist or is constant, if both genes are the same, or if an argument is
        invalid.

    References
    ----------
    Ince et al. 2017, Hum Brain Mapp 38:1541; Lancaster 1957, Biometrika 44:289.

    Examples
    --------
    >>> import numpy as np, pandas as pd, pysces
    >>> data = pd.DataFrame(np.random.default_rng(0).normal(size=(64, 2)), columns=["MYC", "NCL"])
    >>> pysces.pl.edge_copula(data, "MYC", "NCL").get_xlabel()
    'MYC: normal score'
    """
    if hasattr(expression, "raw"):
        known = known_of(expression, size_factors, batch_key, layer)
        data = Expression.from_anndata(expression, layer=layer)
    else:
        if layer is not None:
            raise InputError("layer= is for an AnnData. Pass the values themselves.")
        data = Expression.from_matrix(expression)
        known = known_of_arrays(data.n_samples, size_factors, batch_key)
    places = pair_of(data.genes, regulator, target)
    constant = constant_genes(data)
    if constant[places].any():
        flat = [name for name, at in zip((regulator, target), places, strict=True) if constant[at]]
        raise InputError(f"Constant over the samples: {listed(flat)}. Draw genes that vary.")
    data = data.take_genes(~constant)
    values, found = counts_of(data, counts, known)
    pair = _pair(values, found, known, (regulator, target), degree)
    ax = axes_of(ax, 5.4, 5.0)
    _draw(ax, pair)
    kind = "score given depth" if pair.given_depth else "normal score"
    ax.set_xlabel(f"{label(regulator, 30)}: {kind}")
    ax.set_ylabel(f"{label(target, 30)}: {kind}")
    at = values.genes.get_indexer(pd.Index([regulator, target]))
    rho = float(spearman(values, at[:1], at[1:])[0])
    share = -np.expm1(-2 * pair.nats)
    ax.set_title(f"{pair.nats:.3f} nats, R² {share:.2f}, Spearman {rho:.2f}", fontsize=11)
    return ax


def _pair(
    values: Expression,
    found: CountData | None,
    known: Known,
    names: tuple[str, str],
    degree: Degree,
) -> Pair:
    """Scores of both genes and their mutual information, as in a run with all genes."""
    sparse = (found.expression if found else values).zero_share() > SPARSE
    chosen = degree_of(degree, sparse)
    at = values.genes.get_indexer(pd.Index(list(names)))
    if found is None:
        first, second = ranked_scores(values.gene_block(at), known.batch)
    else:
        both = found.take_genes(at)
        first, second = both.model.scores(both.expression.gene_block(slice(0, 2)), slice(0, 2))
    nats = nats_of_pair(first, second, chosen, sparse)
    return Pair(first, second, chosen, nats, found is not None)


def _draw(ax: Axes, pair: Pair) -> None:
    x, y = pair.first
    size = float(np.clip(6000.0 / max(1, len(x)), 3.0, 14.0))
    ax.axhline(0, color=FAINT, linewidth=0.6, zorder=0)
    ax.axvline(0, color=FAINT, linewidth=0.6, zorder=0)
    ax.scatter(x, y, s=size, c=INK, linewidths=0, alpha=0.45, rasterized=len(x) > 5000)
    limits = ax.get_xlim(), ax.get_ylim()
    ax.plot(*pair.curve(), color=VERMILION, linewidth=2)
    ax.set(xlim=limits[0], ylim=limits[1])  # limits of the points, which the curve may exceed
    clean(ax)
