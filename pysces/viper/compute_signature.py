"""Compute signatures of cells and write them to a layer: :func:`compute_signature`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pysces._checks import check_column
from pysces._keys import SignatureResult
from pysces._options import recorded
from pysces._parameters import checked
from pysces._record import RunRecord
from pysces.data import _results
from pysces.dispatch import engines
from pysces.settings import EngineName
from pysces.viper._inputs import chosen_signature, reference_of, source_of
from pysces.viper._signatures import Choice, count_signature, fit

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import ArrayLike

    from pysces.data._count_data import Counts


@checked()
def compute_signature(
    adata: AnnData,
    *,
    method: Choice = "auto",
    layer: str | None = None,
    reference: ArrayLike | str | None = None,
    groupby: str | None = None,
    counts: Counts = "auto",
    size_factors: str | ArrayLike | None = None,
    batch_key: str | None = None,
    draw: int | None = None,
    seed: int = 0,
    engine: EngineName | None = None,
    key_added: str = "signature",
    copy: bool = False,
) -> AnnData | None:
    """Write the gene signature of every cell to a layer.

    Parameters
    ----------
    adata
        Cells x genes.
    method, reference, groupby, counts, size_factors, batch_key
        As in :func:`run_viper`; ``method`` is its parameter ``signature``.
    layer
        Layer to use instead of ``adata.X``.
    draw
        Only used with counts. Index of the draw (0, 1, ...) of randomised quantile residuals to
        write. ``None`` writes the scores given depth.
    seed
        Seed of the draws.
    engine
        ``"mlx"``, ``"numba"`` or ``"python"``; ``None`` for the fastest available one.
    key_added
        Name of the layer (float64, dense) that is written, and key of the parameters in ``uns``.
    copy
        Return a copy of ``adata`` with the result instead of changing it.

    Returns
    -------
    ``None``, or the copy.

    Raises
    ------
    InputError
        If data or arguments are invalid; ``adata`` is then unchanged.

    References
    ----------
    Alvarez et al. 2016, Nature Genetics 48:838 (signatures of VIPER).

    Examples
    --------
    >>> import anndata, numpy as np, pandas as pd, pysces
    >>> rng = np.random.default_rng(0)
    >>> adata = anndata.AnnData(rng.normal(size=(20, 40)))
    >>> adata.var_names = [f"gene{i}" for i in range(40)]
    >>> adata.obs["condition"] = ["control"] * 10 + ["treated"] * 10
    >>> pysces.compute_signature(adata, reference="control", groupby="condition")
    >>> adata.layers["signature"].shape
    (20, 40)
    """
    _results.check_target(adata, copy)
    _results.check_free(adata, key_added, SignatureResult)
    if groupby is not None:
        check_column(adata, groupby)
    chosen, data = chosen_signature(
        adata,
        method,
        layer=layer,
        counts=counts,
        size_factors=size_factors,
        batch_key=batch_key,
        argument="method",
    )
    rows = reference_of(adata, reference, groupby)
    with engines.use_engine(engine) as used:
        if data is not None:
            values = count_signature(data, rows, adata.obs_names, draw, seed)
        else:
            cells = source_of(adata, layer)
            values = fit(cells, chosen, rows).of(cells.sample_block())
        computed_by = engines.record(used)
    arguments = {
        "method": method,
        "layer": layer,
        "reference": recorded(reference),
        "groupby": groupby,
        "counts": counts,
        "size_factors": recorded(size_factors),
        "batch_key": batch_key,
        "draw": draw,
        "seed": seed,
    }
    facts = {
        "method": chosen if data is None else "counts",
        "counts": None if data is None else data.facts,
    }
    record = RunRecord("compute_signature", arguments, facts, computed_by)
    target = adata.copy() if copy else adata
    _results.write(target, key_added, SignatureResult(values=values, record=record))
    return target if copy else None
