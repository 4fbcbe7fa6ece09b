"""Content of a report: tables for the script of the page, plots, and how they were computed."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pysces import pl
from pysces._keys import MastersResult, NetworkResult, holds, read
from pysces.data._labels import labels_of
from pysces.errors import InputError, MissingKeyError
from pysces.network import Network, groups_in
from pysces.pl._style import DOWN, FAINT, INK, PALE, UP
from pysces.viper.groups.rank_regulators import ranked

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

_MOST_GROUPS = 60  # of cells, to which activities are compared
_MOST_DRAWN = 12  # networks with plots of their own
_N_NULL = 200_000  # enough for a plot
_N_STRONGEST = 6
_DIGITS = 4
ALL_CELLS = "all cells"

# Colours of plots: what each becomes on a dark page
_ON_DARK = {
    INK: "#e6e9ed",
    FAINT: "#8b949e",
    PALE: "#3d444d",
    "#cccccc": "#4a525b",
    "#bbbbbb": "#6a737d",
    "#999999": "#8b949e",
    "#000000": "#e6e9ed",
    "stroke: #ffffff": "stroke: #14171a",  # outlines; text on dark cells stays white
    UP: "#f4735f",
    DOWN: "#6fb1f2",
    "#0072b2": "#56b4e9",
}

# Titles and explanations of the columns of tables
_EDGE_COLUMNS = {
    "support": ("support", "Number of resamples in which the edge was found."),
    "mi": ("MI", "Mutual information of regulator and target, in nats."),
    "correlation": ("correlation", "Spearman correlation of regulator and target."),
    "mor": ("mode", "Mode of regulation: 1 activates, −1 represses, near 0 is not known."),
    "likelihood": ("likelihood", "Confidence of the edge, relative to the regulator's best one."),
    "weight": ("weight", "Weight of the edge."),
    "donors": ("donors", "Number of donors whose own samples show the edge."),
    "prior": ("prior", "Weight of the pair in the prior, 0 if it is not in it."),
    "qvalue": ("q", "False discovery rate at which the edge is called."),
    "pvalue": ("p", "p-value of the edge."),
    "rank": ("rank", "Order of the edges: 1 is the most certain one."),
}
_MASTER_COLUMNS = {
    "n_targets": ("targets", "Number of targets that were measured."),
    "effect": ("effect", "Mean normal score of the strongest targets."),
    "nes": ("NES", "Normalised enrichment score: positive if more active in the group."),
    "pvalue": ("p", "p-value of the NES."),
    "qvalue": ("q", "False discovery rate among all regulators."),
}

Column = dict[str, Any]
"""A column: title, kind ("gene", "label", "text", "number", "share", "box"), help, values."""


@dataclass(frozen=True)
class Figure:
    """A plot as SVG (base64), at most `width` pixels wide on the page."""

    caption: str
    svg: str
    width: int


@dataclass(frozen=True)
class Content:
    """Networks by group ("" without groups), tables by name, and plots by section."""

    networks: Mapping[str, Network]
    tables: Mapping[str, Sequence[Column]]
    figures: Mapping[str, Sequence[Figure]]
    groupby: str | None = None
    masters: str | None = None
    """Title of the section of master regulators."""
    note: str = ""

    @classmethod
    def of(
        cls, adata: AnnData, key: str, activity_key: str, msviper_key: str, groupby: str | None
    ) -> Content:
        """Content for the results under these keys."""
        groups = (groups_in(adata, key) or [""]) if holds(NetworkResult, adata, key) else []
        networks = {
            group: Network.from_anndata(adata, key, group=group or None) for group in groups
        }
        labels = _groups_of_cells(adata, groupby)
        groupby = None if labels is None else groupby
        ranked = _activities(adata, activity_key, labels, groupby)
        tables: dict[str, Sequence[Column]] = {}
        figures: dict[str, Sequence[Figure]] = {}
        masters, note = None, ""
        if networks:
            tables["regulators"] = _regulator_columns(networks, ranked)
            tables["edges"] = _edge_columns(networks)
            figures["networks"] = _evidence(networks)
        if len(ranked):
            tables["activities"] = _activity_columns(ranked, groupby)
            incomplete = ranked["mean"].isna().groupby(ranked["regulator"]).any()
            if groupby is not None and not incomplete.all():
                figures["activities"] = [_heatmap(adata, activity_key, groupby)]
        if holds(MastersResult, adata, msviper_key):
            found = read(MastersResult, adata, msviper_key)
            options = found.record.options
            masters = (
                f"Master regulators of {options.get('group')} against {options.get('reference')}"
            )
            tables["masters"] = _master_columns(found.results)
            if len(found.results):
                figures["masters"], note = _masters(adata, msviper_key, found.results)
        return cls(networks, tables, figures, groupby, masters, note)

    @property
    def edges(self) -> int:
        """Number of edges of all networks."""
        return sum(map(len, self.networks.values()))

    @property
    def facts(self) -> list[tuple[str, int]]:
        """Sizes of the results."""
        found = []
        if "regulators" in self.tables:
            regulators = len(self.tables["regulators"][0]["codes"])
            found += [("edges", self.edges), ("regulators with edges", regulators)]
        if "activities" in self.tables:
            active = len(self.tables["activities"][0]["labels"])
            found.append(("regulators with activities", active))
        return found


# --- columns ------------------------------------------------------------------------------------


def rounded(values: Any) -> list[float | int | None]:
    """Numbers with four significant digits; whole numbers as they are, None where not finite.

    >>> rounded([0.123456, 12.0, float("nan"), 1.23456e-9])
    [0.1235, 12, None, 1.235e-09]
    """
    numbers = np.asarray(values, dtype=float)
    whole = (numbers == np.round(numbers)) & (np.abs(numbers) < 2**53)
    return [
        int(value) if is_whole else float(f"{value:.{_DIGITS}g}") if np.isfinite(value) else None
        for value, is_whole in zip(numbers.tolist(), whole.tolist(), strict=True)
    ]


def printable(text: str) -> str:
    r"""Text with control characters and the like (invalid in HTML) replaced.

    >>> printable("a\x07b")
    'a�b'
    """
    return "".join(
        c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text
    )


def _numbers(title: str, values: Any, help: str = "", *, kind: str = "number") -> Column:
    return {"title": title, "kind": kind, "help": help, "values": rounded(values)}


def _names(title: str, values: Any, help: str = "", *, kind: str = "label") -> Column:
    coded = pd.Categorical(values)
    labels = [printable(str(label)) for label in coded.categories]
    return {
        "title": title, "kind": kind, "help": help,
        "labels": labels, "codes": np.asarray(coded.codes).tolist(),
    }  # fmt: skip


def _numbers_of(table: pd.DataFrame, titles: Mapping[str, tuple[str, str]]) -> list[Column]:
    return [
        _numbers(title, table[name], help, kind="share" if title.startswith("share") else "number")
        for name, (title, help) in titles.items()
        if name in table
    ]


def _edge_columns(networks: Mapping[str, Network]) -> list[Column]:
    """All edges; with a column of the group, if there are several networks."""
    tables = [network.to_dataframe().assign(group=group) for group, network in networks.items()]
    edges = pd.concat([t.astype({"source": str, "target": str}) for t in tables], ignore_index=True)
    columns = [
        _names("regulator", edges["source"], kind="gene"),
        _names("target", edges["target"], kind="gene"),
    ]
    if len(networks) > 1 or "" not in networks:
        groups = pd.Categorical(edges["group"], categories=list(networks))
        columns.append(_names("group", groups, "The network that has the edge."))
    modes = [_mode(network) for network in networks.values()]
    if all(mode is not None for mode in modes):
        sign = np.where(np.concatenate(modes) < 0, "−", "+")  # type: ignore[arg-type]
        help = "+ activates: the target is higher where the regulator is higher; − represses."
        columns.append(_names("sign", pd.Categorical(sign, categories=["+", "−"]), help))
    return columns + _numbers_of(edges, _EDGE_COLUMNS)


def _master_columns(results: pd.DataFrame) -> list[Column]:
    regulators = _names("regulator", results["regulator"], kind="gene")
    return [regulators, *_numbers_of(results, _MASTER_COLUMNS)]


def _mode(network: Network) -> NDArray[np.float64] | None:
    """Mode of regulation of each edge; None if no column gives it."""
    known = {"mor", "correlation", "weight"} & set(network.columns)
    return network.mode_and_likelihood()[0] if known else None


def _regulator_columns(networks: Mapping[str, Network], ranked: pd.DataFrame) -> list[Column]:
    """A row for each regulator: its targets in each network, and where it is most active."""
    parts = {group: _regulons(network) for group, network in networks.items()}
    table = pd.concat(parts, axis=1)
    single = len(parts) == 1 and "" in parts
    total = np.sum([table[group, "size"].fillna(0) for group in parts], axis=0)
    table = table.iloc[np.argsort(-total, kind="stable")]
    columns = [_names("regulator", pd.Categorical(table.index, list(table.index)), kind="gene")]
    for group in parts:
        title = "targets" if single else f"targets in {group}"
        columns.append(_numbers(title, table[group, "size"].fillna(0), "Number of targets."))
    if single:
        own = table[next(iter(parts))]
        help = "Share of the targets that the regulator activates."
        if "activated" in own:
            columns.append(_numbers("activated", own["activated"], help, kind="share"))
        for name in ("support", "mi"):
            if name in own:
                title = _EDGE_COLUMNS[name][0]
                help = f"Median of the targets. {_EDGE_COLUMNS[name][1]}"
                columns.append(_numbers(f"{title}, median", own[name], help))
        strongest = own["strongest"]
    else:
        shared = np.sum([table[group, "size"].fillna(0) > 0 for group in parts], axis=0)
        columns.append(_numbers("groups", shared, "Number of networks in which it has targets."))
        strongest = pd.Series("", index=table.index)
    if "group" in ranked and ranked["group"].nunique() > 1:
        best = ranked.sort_values("mean", ascending=False, kind="stable")
        best = best.drop_duplicates("regulator").set_index("regulator").reindex(table.index)
        help = "Group of cells with the largest mean activity."
        columns.append(_names("most active in", best["group"].astype(object), help))
        columns.append(_numbers("mean NES there", best["mean"], "Mean activity in that group."))
    if single:
        help = "Targets with the largest mutual information (else likelihood); − is repressed."
        columns.append(_names("strongest targets", strongest, help, kind="text"))
    return columns


def _regulons(network: Network) -> pd.DataFrame:
    """Facts about each regulator of a network, by its name."""
    mode = _mode(network)
    edges = network.to_dataframe().astype({"source": str, "target": str})
    edges["strength"] = edges["mi"] if "mi" in edges else network.mode_and_likelihood()[1]
    edges["sign"] = "" if mode is None else np.where(mode < 0, "−", "+")
    by_regulator = edges.groupby("source", sort=False)
    found = pd.DataFrame({"size": by_regulator.size()})
    if mode is not None:
        found["activated"] = (edges["sign"] == "+").groupby(edges["source"], sort=False).mean()
    for name in ("support", "mi"):
        if name in edges:
            found[name] = by_regulator[name].median()
    best = edges.sort_values("strength", ascending=False, kind="stable")
    best = best.groupby("source", sort=False).head(_N_STRONGEST)
    found["strongest"] = (best["sign"] + best["target"]).groupby(best["source"]).agg(", ".join)
    return found


# --- activities ---------------------------------------------------------------------------------


def _groups_of_cells(adata: AnnData, groupby: str | None) -> pd.Categorical | None:
    """The group of each cell; None without a column, or with too many or too few groups."""
    if groupby is None or groupby not in adata.obs:
        return None
    labels = pd.Categorical(labels_of(adata, groupby)).remove_unused_categories()
    return labels if 2 <= len(labels.categories) <= _MOST_GROUPS else None


def _activities(
    adata: AnnData, key: str, labels: pd.Categorical | None, groupby: str | None
) -> pd.DataFrame:
    """Mean, quartiles and difference of each regulator in each group of cells; may be empty."""
    scores = adata.obsm.get(key)
    if not isinstance(scores, pd.DataFrame) or scores.shape[1] == 0:
        return pd.DataFrame()
    values = scores.to_numpy(dtype=float)
    if labels is None:
        table = _spread(values, scores.columns, ALL_CELLS)
        table["active"] = (np.abs(values) > 1.96).mean(axis=0)
        return table.sort_values("sd", ascending=False, kind="stable", ignore_index=True)
    tables = []
    for code, name in enumerate(map(str, labels.categories)):
        inside = labels.codes == code
        table = _spread(values[inside], scores.columns, name)
        rest = int((labels.codes >= 0).sum()) - int(inside.sum())
        if min(inside.sum(), rest) >= 2:
            tests = ranked(adata, str(groupby), key, groups=name)
            wanted = ["regulator", "difference", "fraction_active", "pvalue", "qvalue"]
            tests = tests[wanted].astype({"regulator": str})
            table = tests.merge(table, on="regulator", sort=False)  # the most increased ones first
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _spread(values: NDArray[np.float64], regulators: pd.Index, group: str) -> pd.DataFrame:
    scores = pd.DataFrame(values, columns=regulators.astype(str))
    low, middle, high = scores.quantile([0.25, 0.5, 0.75]).to_numpy()
    return pd.DataFrame(
        {
            "regulator": scores.columns, "group": group, "cells": len(scores),
            "mean": scores.mean().to_numpy(), "sd": scores.std().to_numpy(),
            "low": low, "median": middle, "high": high,
        }
    )  # fmt: skip


def _activity_columns(ranked: pd.DataFrame, groupby: str | None) -> list[Column]:
    columns = [_names("regulator", ranked["regulator"], kind="gene")]
    if groupby is not None:
        groups = pd.Categorical(ranked["group"], pd.unique(ranked["group"]))
        columns.append(_names("group", groups, f"Group of cells: {groupby}."))
        columns.append(_numbers("cells", ranked["cells"], "Number of cells of the group."))
    box = [rounded(ranked[name]) for name in ("low", "median", "high", "mean")]
    columns += [
        _numbers("mean NES", ranked["mean"], "Mean normalised enrichment score of the cells."),
        {
            "title": "distribution", "kind": "box", "values": box,
            "help": "Box from first to third quartile, line at the median, dot at the mean.",
        },
    ]  # fmt: skip
    titles = {
        "difference": ("difference", "Mean NES of the group less that of the other cells."),
        "fraction_active": ("share above 0", "Share of the cells with an activity above 0."),
        "active": ("share active", "Share of the cells with |NES| above 1.96."),
        "qvalue": (
            "q",
            "False discovery rate of the difference. It takes cells as independent, which cells of "
            "one donor are not: for ordering only.",
        ),
    }
    if groupby is None:
        help = "Standard deviation of the NES."
        columns.append(_numbers("standard deviation", ranked["sd"], help))
    return columns + _numbers_of(ranked, titles)


# --- plots --------------------------------------------------------------------------------------


def _heatmap(adata: AnnData, key: str, groupby: str) -> Figure:
    groups = adata.obs[groupby].nunique()
    height = 2.4 + 0.24 * min(30, adata.obsm[key].shape[1])
    return _figure(
        (max(5.0, 3.2 + 0.42 * groups), max(4.6, height)),
        f"Mean activity by {groupby} of the regulators that differ most.",
        lambda ax: pl.activity_heatmap(adata, groupby, key=key, ax=ax),
    )


def _evidence(networks: Mapping[str, Network]) -> list[Figure]:
    """Plots of the first networks, each kind of all networks side by side."""
    drawn = {group: network for group, network in networks.items() if len(network)}
    return [
        figure
        for kind in (_support, _null)
        for group, network in list(drawn.items())[:_MOST_DRAWN]
        for figure in kind(network, f"{group}: " if group else "")
    ]


def _support(network: Network, whose: str) -> Iterator[Figure]:
    if "support" in network.columns and network.record.options.get("resampling") is not None:
        caption = f"{whose}Number of resamples in which the edges were found."
        yield _figure((6.5, 4), caption, lambda ax: pl.support_histogram(network, ax=ax))


def _null(network: Network, whose: str) -> Iterator[Figure]:
    options = network.record.options
    if "mi" in network.columns and "n_null" in options:
        coarse = {**options, "n_null": min(_N_NULL, int(options["n_null"]))}
        small = Network(network.to_dataframe(), replace(network.record, options=coarse))
        caption = f"{whose}Mutual information of the edges, and of independent genes."
        yield _figure((6.5, 4), caption, lambda ax: pl.mi_null(small, ax=ax))


def _masters(adata: AnnData, key: str, results: pd.DataFrame) -> tuple[list[Figure], str]:
    """Plots, and a note if one is missing."""
    figures = [_figure((6.5, 5), "NES and p-value.", lambda ax: pl.volcano(results, ax=ax))]
    caption = "Positions in the signature of the targets of the first regulators."
    try:
        figures.append(
            _figure((8, 5.8), caption, lambda ax: pl.msviper_barcode(adata, key=key, ax=ax))
        )
    except (InputError, MissingKeyError) as error:  # the network was replaced or deleted
        return figures, (
            f"The targets are not drawn, because the network of the run is missing: {error}"
        )
    return figures, ""


def _figure(size: tuple[float, float], caption: str, draw: Callable[[Axes], object]) -> Figure:
    """A plot of a given size (inches), made without pyplot, so the user's figures do not change."""
    import matplotlib
    from matplotlib.figure import Figure as Drawing

    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "pysces"}):
        own = Drawing(figsize=size, layout="constrained")
        draw(own.add_subplot())
        own.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    svg = _themed(buffer.getvalue())
    return Figure(caption, base64.b64encode(svg.encode()).decode(), round(96 * size[0]))


def _themed(svg: str) -> str:
    """An SVG whose colours follow the light or dark theme of the reader."""
    light, dark = [], []
    for place, (color, on_dark) in enumerate(_ON_DARK.items()):
        svg = svg.replace(color, f"{color[:-7]}var(--c{place})")
        light.append(f"--c{place}:{color[-7:]}")
        dark.append(f"--c{place}:{on_dark[-7:]}")
    ink = list(_ON_DARK).index(INK)
    style = (
        f"<style>:root{{{';'.join(light)};fill:var(--c{ink})}}"
        f"@media (prefers-color-scheme:dark){{:root{{{';'.join(dark)}}}}}</style>"
    )
    head, end, rest = svg.partition("<defs>")
    return f"{head}{style}{end}{rest}"
