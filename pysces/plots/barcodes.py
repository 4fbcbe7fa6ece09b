"""Where the targets of regulators lie in a signature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pysces.errors import InputError, MissingKeyError
from pysces.keys import NetworkKeys
from pysces.messages import listed
from pysces.plots._labels import fit
from pysces.plots._style import (
    DIVERGING,
    DOWN,
    FAINT,
    INK,
    PALE,
    UP,
    axes_of,
    label,
    names_of,
    network_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from matplotlib.axes import Axes

    from pysces.network import Network


def barcode(
    signature: pd.Series[float],
    network: Network,
    regulators: str | Sequence[str] | None = None,
    *,
    scores: pd.Series[float] | None = None,
    n_regulators: int = 10,
    ax: Axes | None = None,
) -> Axes:
    """Draw where the targets of regulators lie in a signature, one row a regulator.

    Parameters
    ----------
    signature
        Value of each gene; NaN is left out.
    network
        Whose regulons to draw.
    regulators
        Which, from top to bottom; by default those of the largest scores (or most targets).
    scores
        NES of each regulator, written at the right.
    n_regulators
        How many, where they aren't named.
    ax
        Axes to draw on; new ones by default.

    Returns
    -------
    matplotlib.axes.Axes
        Genes from the most decreased (left) to the most increased (right); targets that the
        regulator activates are red ticks above the line, those that it represses blue ones below.

    Raises
    ------
    InputError
        If genes of the signature repeat, or a regulator isn't in the network.

    Examples
    --------
    >>> import pandas as pd, pysces
    >>> signature = pd.Series({"MAX": 2.0, "NCL": 1.5, "CDKN1A": -3.0})
    >>> edges = pd.DataFrame({"source": "MYC", "target": signature.index, "mor": [1, 1, -1]})
    >>> ax = pysces.pl.barcode(signature, pysces.Network(edges), ["MYC"])
    >>> ax.get_xlabel()
    '3 genes by their signature'
    """
    from matplotlib.transforms import ScaledTranslation

    values = signature.dropna().sort_values(kind="stable")
    if not values.index.is_unique:
        raise InputError("The genes of the signature repeat. Make their names unique.")
    names = _regulators(network, regulators, scores, n_regulators)
    ax = axes_of(ax, 8, 1.4 + 0.42 * len(names))
    # One axis for all: ranks run from 0 to 1, and the scores stand beyond.
    place = pd.Series((np.arange(len(values)) + 0.5) / max(1, len(values)), index=values.index)
    _profile(ax, values.to_numpy(), place.to_numpy())
    table = network.to_dataframe()
    table["mode"] = network.mode_and_likelihood()[0]
    table["place"] = place.reindex(table["target"].astype(str)).to_numpy()
    for row, name in enumerate(names, start=1):
        edges = table[(table["source"] == name) & table["place"].notna()]
        _ticks(ax, row, edges.loc[edges["mode"] >= 0, "place"].to_numpy(), UP, -0.4)
        _ticks(ax, row, edges.loc[edges["mode"] < 0, "place"].to_numpy(), DOWN, 0.4)
        ax.plot([0, 1], [row, row], color=FAINT, linewidth=0.6, zorder=1)
    if scores is not None:
        _scores(ax, scores.reindex(names).to_numpy(dtype=float))
    ax.set_yticks(range(1, len(names) + 1), [label(name) for name in names])
    ax.tick_params(axis="y", length=0)
    ax.set_xticks([0, 1], [f"down\n{values.min():.1f}", f"up\n{values.max():.1f}"])
    ax.set_xlim(-0.01, 1.0 if scores is None else 1.13)
    ax.set_ylim(len(names) + 0.6, -1.0)
    ax.set_xlabel(f"{len(values)} genes by their signature", va="top")
    # Between the two ends, where it needs no line of its own
    below = ScaledTranslation(0, -7 / 72, ax.figure.dpi_scale_trans)
    ax.xaxis.set_label_coords(0.5, 0.0, ax.get_xaxis_transform() + below)
    ax.spines[:].set_visible(False)
    fit(ax)
    return ax


def msviper_barcode(
    adata: AnnData,
    regulators: str | Sequence[str] | None = None,
    *,
    key: str = "msviper",
    network: Network | str | None = None,
    n_regulators: int = 10,
    ax: Axes | None = None,
) -> Axes:
    """Draw the master regulators of a difference between groups in its signature.

    Parameters
    ----------
    adata
        What `pysces.run_msviper` ran on.
    regulators
        Which, from top to bottom; by default the first ones of the results.
    key
        Its ``key_added``.
    network
        The network that it used, or its key; ``None`` takes the key from the record of the run.
    n_regulators, ax
        As in `pysces.pl.barcode`.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    MissingKeyError
        If there are no master regulators under the key, or their network is gone.
    InputError
        If a regulator isn't in the network.

    Examples
    --------
    >>> import anndata, numpy as np, pandas as pd, pysces
    >>> adata = anndata.AnnData(np.random.default_rng(0).normal(size=(20, 12)))
    >>> adata.var_names = [f"gene{number}" for number in range(12)]
    >>> adata.obs["arm"] = ["treated", "control"] * 10
    >>> edges = pd.DataFrame({"source": "gene0", "target": adata.var_names[1:]})
    >>> pysces.run_msviper(adata, "arm", "treated", network=edges, n_permutations=0)
    >>> pysces.pl.msviper_barcode(adata, network=pysces.Network(edges)).get_title()
    'treated against rest'
    """
    record = adata.uns.get(key, {})
    if "results" not in record or "signature" not in record:
        raise MissingKeyError(
            f"Did not find the results of master regulators in .uns[{key!r}]. "
            "Run `pysces.run_msviper(adata, groupby, group)` first."
        )
    params = record["params"]
    signature = record["signature"].set_index("gene")["z"]
    scores = record["results"].set_index("regulator")["nes"]
    scores.index = scores.index.astype(str)
    used = params.get("network", NetworkKeys.key) if network is None else network
    network = network_of(adata if isinstance(used, str) else used, str(used))
    if regulators is None:  # the results are ordered by significance
        order = scores.iloc[:n_regulators].sort_values(ascending=False)
        regulators = order.index.tolist()
    ax = barcode(signature, network, regulators, scores=scores, ax=ax)
    title = f"{label(params['group'], 30)} against {label(params['reference'], 30)}"
    ax.set_title(title, fontsize=11)
    return ax


def viper_barcode(
    adata: AnnData,
    cell: str,
    regulators: str | Sequence[str] | None = None,
    *,
    key: str = "viper",
    layer: str = "signature",
    network: Network | str | None = None,
    n_regulators: int = 10,
    ax: Axes | None = None,
) -> Axes:
    """Draw the regulators of one cell in the cell's signature.

    Parameters
    ----------
    adata
        What `pysces.run_viper` and `pysces.compute_signature` ran on.
    cell
        Name of the cell.
    regulators
        Which, from top to bottom; by default those of the largest activities of either sign.
    key
        Where the activities are.
    layer
        Where the signature is.
    network
        The network used, or its key; ``None`` takes the key from the record of the run.
    n_regulators, ax
        As in `pysces.pl.barcode`.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    MissingKeyError
        If the activities, the signature or the network isn't there.
    InputError
        If the cell, or a regulator named, isn't there.

    Examples
    --------
    >>> import anndata, numpy as np, pandas as pd, pysces
    >>> adata = anndata.AnnData(np.random.default_rng(0).normal(size=(20, 12)))
    >>> adata.var_names = [f"gene{number}" for number in range(12)]
    >>> edges = pd.DataFrame({"source": "gene0", "target": adata.var_names[1:]})
    >>> pysces.run_viper(adata, edges)
    >>> pysces.compute_signature(adata)
    >>> pysces.pl.viper_barcode(adata, "7", network=pysces.Network(edges)).get_title()
    'cell 7'
    """
    for slot, name, remedy in (
        ("layers", layer, f"pysces.compute_signature(adata, key_added={layer!r})"),
        ("obsm", key, f"pysces.run_viper(adata, key_added={key!r})"),
    ):
        if name not in getattr(adata, slot):
            raise MissingKeyError(f"Did not find .{slot}[{name!r}]. Run `{remedy}` first.")
    if cell not in adata.obs_names:
        raise InputError(f"{cell!r} isn't a cell. Cells: {listed(adata.obs_names, most=3)}.")
    row = adata.obs_names.get_loc(cell)
    values = adata.layers[layer][[row]]
    values = values.toarray() if hasattr(values, "toarray") else np.asarray(values)
    signature = pd.Series(values.ravel(), index=adata.var_names.astype(str))
    scores = adata.obsm[key].iloc[row]
    params: dict[str, Any] = adata.uns.get(key, {}).get("params", {})
    used = params.get("network", NetworkKeys.key) if network is None else network
    network = network_of(used if not isinstance(used, str) else adata, str(used))
    ax = barcode(signature, network, regulators, scores=scores, n_regulators=n_regulators, ax=ax)
    ax.set_title(f"cell {label(cell, 40)}", fontsize=11)
    return ax


def _regulators(
    network: Network,
    regulators: str | Sequence[str] | None,
    scores: pd.Series[float] | None,
    n_regulators: int,
) -> list[str]:
    """Rows of the picture: as asked for, else by score, the most active on top."""
    known = set(network.regulators)
    if regulators is not None:
        regulators = names_of(regulators)
        if absent := [name for name in regulators if name not in known]:
            raise InputError(
                f"Not regulators of this network: {listed(absent)}. "
                f"Regulators: {listed(network.regulators)}."
            )
        return regulators
    if scores is None:
        sizes = network.to_dataframe().groupby("source", observed=True).size()
        return sizes.sort_values(ascending=False, kind="stable").index[:n_regulators].tolist()
    found = scores[[name in known for name in scores.index]].dropna()
    largest = found.abs().sort_values(ascending=False, kind="stable").index[:n_regulators]
    return found[largest].sort_values(ascending=False, kind="stable").index.tolist()


def _profile(ax: Axes, values: np.ndarray, place: np.ndarray) -> None:
    """The signature itself, above the rows."""
    largest = np.abs(values).max(initial=0.0) or 1.0
    thin = np.unique(
        np.linspace(0, max(0, len(values) - 1), min(2000, len(values))).astype(np.int64)
    )
    height = -0.35 - 0.5 * values[thin] / largest
    for color, chosen in ((DOWN, values[thin] < 0), (UP, values[thin] > 0)):
        ax.fill_between(place[thin], -0.35, height, where=chosen, color=color, alpha=0.5, lw=0)
    ax.plot([0, 1], [-0.35, -0.35], color=FAINT, linewidth=0.6)


def _ticks(ax: Axes, row: int, places: np.ndarray, color: str, height: float) -> None:
    # Many targets overlap: fainter ticks keep dense stretches apart from sparse ones.
    alpha = float(np.clip(6.0 / np.sqrt(max(1, len(places))), 0.3, 0.9))
    width = float(np.clip(20.0 / np.sqrt(max(1, len(places))), 0.5, 1.4))
    ax.vlines(places, row, row + height, color=color, linewidth=width, alpha=alpha, zorder=2)


def _scores(ax: Axes, scores: np.ndarray) -> None:
    """NES as coloured cells beyond the ranks."""
    from matplotlib import colormaps
    from matplotlib.patches import Rectangle

    largest = max(2.0, float(np.nanmax(np.abs(scores), initial=0.0)))
    for row, score in enumerate(scores, start=1):
        known = np.isfinite(score)
        color = colormaps[DIVERGING](0.5 + 0.5 * score / largest) if known else PALE
        ax.add_patch(Rectangle((1.025, row - 0.42), 0.1, 0.84, color=color, linewidth=0))
        dark = known and abs(score) > 0.6 * largest
        ax.text(
            1.075,
            row,
            f"{score:.1f}" if known else "–",
            ha="center",
            va="center",
            fontsize=8,
            color="white" if dark else INK,
        )
    ax.text(1.075, 0.2, "NES", ha="center", va="center", fontsize=8)
