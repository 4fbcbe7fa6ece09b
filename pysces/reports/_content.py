"""Content of a report: the values and plots for the template."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pysces import pl
from pysces._keys import MastersResult, NetworkResult, holds, read
from pysces._record import RunRecord
from pysces.errors import InputError, MissingKeyError
from pysces.network import Network, groups_in
from pysces.viper.groups.rank_regulators import ranked

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.axes import Axes

Rows = Sequence[Sequence[object]]

_ROWS = 20
_DOTS_PER_INCH = 144
_N_NULL = 200_000  # enough for a plot


@dataclass(frozen=True)
class Figure:
    """A plot as PNG (base64), at most `width` pixels wide on the page."""

    caption: str
    png: str
    width: int


@dataclass(frozen=True)
class NetworkPart:
    """Section about one network; without regulons if the network has no edges."""

    title: str
    facts: Rows
    figures: Sequence[Figure] = ()
    regulons: Rows = ()


@dataclass(frozen=True)
class ActivityPart:
    """Section about activities, by group or (without `groupby`) of all cells."""

    facts: Rows
    rows: Rows
    groupby: str | None = None
    figures: Sequence[Figure] = ()


@dataclass(frozen=True)
class MastersPart:
    """Section about master regulators."""

    title: str
    rows: Rows
    figures: Sequence[Figure] = ()
    note: str = ""


@dataclass(frozen=True)
class Content:
    """All sections of a report except the checks of the data."""

    networks: Sequence[NetworkPart]
    activity: ActivityPart | None
    masters: MastersPart | None
    runs: Sequence[tuple[str, Rows]] = field(default=())
    """Key, names and values of the parameters of each run."""

    @classmethod
    def of(
        cls, adata: AnnData, key: str, activity_key: str, msviper_key: str, groupby: str | None
    ) -> Content:
        """Content for the results under these keys."""
        groupby = groupby or _groups_of_runs(adata, msviper_key, activity_key)
        return cls(
            networks=_networks(adata, key),
            activity=_activity(adata, activity_key, groupby),
            masters=_masters(adata, msviper_key),
            runs=_runs(adata, dict.fromkeys((key, activity_key, msviper_key))),
        )


def _groups_of_runs(adata: AnnData, *keys: str) -> str | None:
    """The column of groups of cells that a run used."""
    for key in keys:
        column = _record(adata, key).options.get("groupby")
        if isinstance(column, str) and column in adata.obs:
            return column
    return None


def _record(adata: AnnData, key: str) -> RunRecord:
    stored = adata.uns.get(key)
    return RunRecord.of_entries(stored if isinstance(stored, Mapping) else {})


def _networks(adata: AnnData, key: str) -> list[NetworkPart]:
    """Section for the network, or for the network of each group."""
    if not holds(NetworkResult, adata, key):
        return []
    groups = groups_in(adata, key)
    if not groups:
        return [_network("Network", Network.from_anndata(adata, key))]
    return [
        _network(f"Network of {group}", Network.from_anndata(adata, key, group=group))
        for group in groups
    ]


def _network(title: str, network: Network) -> NetworkPart:
    found = network.record.facts
    edges = network.to_dataframe()
    sizes = edges.groupby("source", observed=True).size()
    facts: list[tuple[str, object]] = [
        ("edges", len(network)),
        ("regulators", len(network.regulators)),
        ("targets", len(network.targets)),
        ("targets of a regulator, median", float(sizes.median()) if len(sizes) else 0),
    ]
    if "mor" in edges and len(edges):
        facts.append(("activating edges", f"{(edges['mor'] >= 0).mean():.0%}"))
    decoys = f"edges of {int(found.get('n_decoys_used', 0)):,} decoys"
    for name, text in (("n_seen", "candidate edges"), ("n_decoy_edges", decoys)):
        if name in found:
            facts.append((text, int(found[name])))
    if len(network) == 0:
        return NetworkPart(title, facts)
    return NetworkPart(title, facts, _evidence(network), _regulons(network))


def _evidence(network: Network) -> list[Figure]:
    figures = [
        _figure(
            (10, 8),
            "Largest regulons with their strongest targets.",
            lambda ax: pl.network_graph(network, ax=ax),
        )
    ]
    options = network.record.options
    if "support" in network.columns and options.get("resampling") is not None:
        caption = "Number of resamples in which the edges were found."
        figures.append(_figure((6.5, 4), caption, lambda ax: pl.support_histogram(network, ax=ax)))
    if "mi" in network.columns and "n_null" in options:
        coarse = {**options, "n_null": min(_N_NULL, int(options["n_null"]))}
        small = Network(network.to_dataframe(), replace(network.record, options=coarse))
        caption = "Mutual information of the edges, and of independent genes."
        figures.append(_figure((6.5, 4), caption, lambda ax: pl.mi_null(small, ax=ax)))
    return figures


def _regulons(network: Network) -> list[tuple[str, int, str]]:
    """Largest regulons: regulator, number of targets, strongest targets with their signs."""
    edges = network.to_dataframe()
    mode, strength = network.mode_and_likelihood()
    edges = edges.assign(mode=mode, strength=edges.get("mi", strength))
    sizes = edges.groupby("source", observed=True).size()
    sizes = sizes.sort_values(ascending=False, kind="stable").iloc[:_ROWS]
    rows = []
    for name, size in sizes.items():
        own = edges[edges["source"] == name].nlargest(8, "strength")
        signs = ("−" if m < 0 else "+" for m in own["mode"])
        targets = ", ".join(
            f"{sign}{target}" for sign, target in zip(signs, own["target"], strict=True)
        )
        rows.append((str(name), int(size), targets))
    return rows


def _activity(adata: AnnData, key: str, groupby: str | None) -> ActivityPart | None:
    scores = adata.obsm.get(key)
    if not isinstance(scores, pd.DataFrame) or scores.shape[1] == 0:
        return None
    values = scores.to_numpy(dtype=float)
    share = float(np.nanmean(np.abs(values) > 1.96)) if values.size else 0.0
    facts = [
        ("regulators", scores.shape[1]),
        ("cells", scores.shape[0]),
        ("|NES| above 1.96", f"{share:.0%}"),
    ]
    groups = adata.obs[groupby].nunique() if groupby is not None and groupby in adata.obs else 0
    if groupby is None or not 2 <= groups <= 60:
        spread = scores.std(axis=0).sort_values(ascending=False, kind="stable").iloc[:_ROWS]
        return ActivityPart(
            facts, [(str(n), float(scores[n].mean()), float(sd)) for n, sd in spread.items()]
        )
    height = 2.4 + 0.24 * min(30, scores.shape[1])
    figure = _figure(
        (max(5.0, 3.2 + 0.42 * groups), max(4.6, height)),
        f"Mean activity by {groupby} of the regulators that differ most.",
        lambda ax: pl.activity_heatmap(adata, groupby, key=key, ax=ax),
    )
    return ActivityPart(facts, _ranked(adata, groupby, key), groupby, [figure])


def _ranked(adata: AnnData, groupby: str, key: str) -> list[tuple[str, int, str]]:
    """Most active regulators: group, number of cells, regulators with their mean NES."""
    counts = adata.obs[groupby].dropna().astype(str).value_counts()
    names = sorted(n for n, c in counts.items() if 2 <= c <= counts.sum() - 2)
    rows = []
    for name in names:
        table = ranked(adata, groupby, key, groups=name)
        best = table[(table["score"] > 0) & (table["mean"] > 0)].head(6)
        listed = ", ".join(
            f"{r} ({round(m, 1)})" for r, m in zip(best["regulator"], best["mean"], strict=True)
        )
        rows.append((str(name), int(counts[name]), listed or "none"))
    return rows


def _masters(adata: AnnData, key: str) -> MastersPart | None:
    if not holds(MastersResult, adata, key):
        return None
    found = read(MastersResult, adata, key)
    results, options = found.results, found.record.options
    title = f"Master regulators of {options.get('group')} against {options.get('reference')}"
    if len(results) == 0:
        return MastersPart(title, [])
    figures = [_figure((6.5, 5), "NES and p-value.", lambda ax: pl.volcano(results, ax=ax))]
    caption, note = "Positions in the signature of the targets of the first regulators.", ""
    try:
        figures.append(
            _figure((8, 5.8), caption, lambda ax: pl.msviper_barcode(adata, key=key, ax=ax))
        )
    except (InputError, MissingKeyError) as error:  # the network was replaced or deleted
        note = f"The targets are not drawn, because the network of the run is missing: {error}"
    shown = ["regulator", "n_targets", "effect", "nes", "pvalue", "qvalue"]
    rows = [
        (str(r), int(n), float(effect), float(nes), float(p), float(q))
        for r, n, effect, nes, p, q in results[shown].head(_ROWS).itertuples(index=False)
    ]
    return MastersPart(title, rows, figures, note)


def _runs(adata: AnnData, keys: Mapping[str, Any]) -> list[tuple[str, Rows]]:
    runs: list[tuple[str, Rows]] = []
    for key in keys:
        record = _record(adata, key)
        values = {**record.options, **record.facts}
        if values:
            values |= {"engine": record.engine, "version": record.version}
            runs.append((key, [(name, _shown(value)) for name, value in sorted(values.items())]))
    return runs


def _shown(value: object) -> str:
    """The value of a parameter as a short text."""
    if isinstance(value, Mapping):
        text = ", ".join(f"{name}: {_shown(item)}" for name, item in sorted(value.items()))
    elif isinstance(value, np.ndarray):
        text = ", ".join(str(item) for item in value.ravel()[:30].tolist())
        text += f", … ({value.size} values)" if value.size > 30 else ""
    else:
        text = str(value)
    return text if len(text) <= 400 else text[:400] + "…"


def _figure(size: tuple[float, float], caption: str, draw: Callable[[Axes], object]) -> Figure:
    """A plot of a given size (inches), made without pyplot, so the user's figures do not change."""
    from matplotlib.figure import Figure as Drawing

    own = Drawing(figsize=size, layout="constrained")
    draw(own.add_subplot())
    buffer = io.BytesIO()
    own.savefig(buffer, format="png", dpi=_DOTS_PER_INCH)
    return Figure(caption, base64.b64encode(buffer.getvalue()).decode(), round(96 * size[0]))
