"""The sections of a report: data, network, activity, master regulators, parameters."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pysces import pl
from pysces._atomic import atomic_write, check_writable
from pysces._checks import check_column
from pysces._keys import MastersResult, NetworkResult, holds, read
from pysces._record import RunRecord
from pysces._version import __version__
from pysces.errors import InputError, MissingKeyError
from pysces.network import Network, groups_in
from pysces.reports.checks import data_checks
from pysces.reports.page import Markup, element, facts, figure, page, section, table
from pysces.viper.groups.rank_regulators import rank_regulators

if TYPE_CHECKING:
    import os

    from anndata import AnnData
    from matplotlib.axes import Axes

_ROWS = 20
_DOTS_PER_INCH = 144
_N_NULL = 200_000  # enough for a picture


def report(
    adata: AnnData,
    path: str | os.PathLike[str],
    *,
    key: str = "aracne",
    activity_key: str = "viper",
    msviper_key: str = "msviper",
    groupby: str | None = None,
) -> None:
    """Write a page about what was inferred: one HTML file that needs nothing else.

    The page has the data and what to watch in them, statistics and pictures of the network, the
    most important regulators, activities by group, and every parameter. It makes no request to
    the network, follows the reader's light or dark colours, and prints.

    Parameters
    ----------
    adata
        Cells x genes, what `pysces.run_aracne`, `pysces.run_viper` or `pysces.run_msviper` ran
        on; those of them that did have a section.
    path
        The file; an existing one is replaced, whole or not at all.
    key
        Where the network is.
    activity_key
        Where the activities are.
    msviper_key
        Where the master regulators are.
    groupby
        Column of ``adata.obs`` by which activities are shown; by default the one that the runs
        used, if they did.

    Raises
    ------
    InputError
        If the folder of the file isn't there, or ``groupby`` isn't a column; nothing is done then.
    MissingKeyError
        If nothing of that is there.

    Examples
    --------
    >>> import anndata, numpy as np, pandas as pd, pysces
    >>> adata = anndata.AnnData(np.random.default_rng(0).normal(size=(20, 12)))
    >>> adata.var_names = [f"gene{number}" for number in range(12)]
    >>> edges = pd.DataFrame({"source": "gene0", "target": adata.var_names[1:]})
    >>> pysces.run_viper(adata, edges)
    >>> pysces.report(adata, "report.html")  # with matplotlib
    """
    path = check_writable(path)
    if groupby is not None:
        check_column(adata, groupby)
    groupby = groupby or _groups_of_runs(adata, msviper_key, activity_key)
    parts = [
        *_network_section(adata, key),
        *_activity_section(adata, activity_key, groupby),
        *_master_section(adata, msviper_key),
    ]
    if not parts:
        raise MissingKeyError(
            f"Found no network in .uns[{key!r}], no activity in .obsm[{activity_key!r}] and no "
            f"master regulators in .uns[{msviper_key!r}]. Run `pysces.run_aracne(adata)` first."
        )
    title = f"PySCES report: {adata.n_obs:,} samples, {adata.n_vars:,} genes"
    names = (key, activity_key, msviper_key)
    text = page(
        title,
        element("h1", title),
        element("p", f"Written by PySCES {__version__}.", class_="lead"),
        _data_section(adata, key, activity_key),
        *parts,
        _parameter_section(adata, tuple(dict.fromkeys(names))),
    )
    atomic_write(path, text.encode())


def _groups_of_runs(adata: AnnData, *keys: str) -> str | None:
    """The column of cell groups that a run used."""
    for key in keys:
        column = _record(adata, key).options.get("groupby")
        if isinstance(column, str) and column in adata.obs:
            return column
    return None


def _record(adata: AnnData, key: str) -> RunRecord:
    stored = adata.uns.get(key)
    return RunRecord.of_entries(stored if isinstance(stored, Mapping) else {})


def _data_section(adata: AnnData, key: str, activity_key: str) -> Markup:
    lines = [
        element("li", text, class_="good" if good else "bad")
        for good, text in data_checks(adata, key, activity_key)
    ]
    return section("Data", element("ul", *lines, class_="checks"))


def _network_section(adata: AnnData, key: str) -> list[Markup]:
    """A section for the network, or for that of each group."""
    if not holds(NetworkResult, adata, key):
        return []
    groups = groups_in(adata, key)
    if not groups:
        return [_network_of("Network", Network.from_anndata(adata, key))]
    return [
        _network_of(f"Network of {group}", Network.from_anndata(adata, key, group=group))
        for group in groups
    ]


def _network_of(title: str, network: Network) -> Markup:
    found = network.record.facts
    edges = network.to_dataframe()
    sizes = edges.groupby("source", observed=True).size()
    pairs: list[tuple[str, object]] = [
        ("edges", len(network)),
        ("regulators", len(network.regulators)),
        ("targets", len(network.targets)),
        ("targets of a regulator, median", float(sizes.median()) if len(sizes) else 0),
    ]
    if "mor" in edges and len(edges):
        pairs.append(("activating edges", f"{(edges['mor'] >= 0).mean():.0%}"))
    decoys = f"edges of {int(found.get('n_decoys_used', 0)):,} decoys"
    for name, text in (("n_seen", "candidate edges"), ("n_decoy_edges", decoys)):
        if name in found:
            pairs.append((text, int(found[name])))
    parts: list[Markup] = [facts(pairs)]
    if len(network) == 0:
        return section(title, *parts, element("p", "The network has no edges."))
    drawn = "The largest regulons with their strongest targets."
    parts.append(_picture((10, 8), drawn, lambda ax: pl.network_graph(network, ax=ax)))
    parts += _evidence(network)
    parts += [element("h3", "Largest regulons"), _regulon_table(network)]
    return section(title, *parts)


def _evidence(network: Network) -> list[Markup]:
    parts = []
    if "support" in network.columns and network.record.options.get("resampling") is not None:
        caption = "In how many resamples the edges were found."
        draw: Callable[[Axes], object] = lambda ax: pl.support_histogram(network, ax=ax)  # noqa: E731
        parts.append(_picture((6.5, 4), caption, draw))
    options = network.record.options
    if "mi" in network.columns and "n_null" in options:
        coarse = {**options, "n_null": min(_N_NULL, int(options["n_null"]))}
        small = Network(network.to_dataframe(), replace(network.record, options=coarse))
        caption = "Mutual information of the edges, and of independent genes."
        parts.append(_picture((6.5, 4), caption, lambda ax: pl.mi_null(small, ax=ax)))
    return parts


def _regulon_table(network: Network) -> Markup:
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
    return table(("regulator", "targets", "strongest targets (− repressed)"), rows)


def _activity_section(adata: AnnData, key: str, groupby: str | None) -> list[Markup]:
    scores = adata.obsm.get(key)
    if not isinstance(scores, pd.DataFrame) or scores.shape[1] == 0:
        return []
    values = scores.to_numpy(dtype=float)
    share = float(np.nanmean(np.abs(values) > 1.96)) if values.size else 0.0
    parts: list[Markup] = [
        facts(
            [
                ("regulators", scores.shape[1]),
                ("cells", scores.shape[0]),
                ("|NES| above 1.96", f"{share:.0%}"),
            ]
        )
    ]
    groups = adata.obs[groupby].nunique() if groupby is not None and groupby in adata.obs else 0
    if groupby is None or not 2 <= groups <= 60:
        spread = scores.std(axis=0).sort_values(ascending=False, kind="stable").iloc[:_ROWS]
        rows = [(str(n), float(scores[n].mean()), float(sd)) for n, sd in spread.items()]
        note = "Most variable regulators. Pass groupby= for pictures by group."
        columns = ("regulator", "mean NES", "standard deviation")
        parts += [element("p", note, class_="note"), table(columns, rows)]
        return [section("Activity", *parts)]
    height = 2.4 + 0.24 * min(30, scores.shape[1])
    wide = 3.2 + 0.42 * groups
    caption = f"Mean activity by {groupby}, regulators that differ most."
    parts.append(
        _picture(
            (max(5.0, wide), max(4.6, height)),
            caption,
            lambda ax: pl.activity_heatmap(adata, groupby, key=key, ax=ax),
        )
    )
    parts += [
        element("h3", f"Most active regulators of each {groupby}"),
        element(
            "p",
            "Regulators with a mean NES above 0 that is larger than in the other cells, by "
            "decreasing t.",
            class_="note",
        ),
        _ranked(adata, groupby, key),
    ]
    return [section("Activity", *parts)]


def _ranked(adata: AnnData, groupby: str, key: str) -> Markup:
    counts = adata.obs[groupby].dropna().astype(str).value_counts()
    names = sorted(n for n, c in counts.items() if 2 <= c <= counts.sum() - 2)
    rows = []
    for name in names:
        ranked = rank_regulators(adata, groupby, key, group=str(name))
        best = ranked[(ranked["score"] > 0) & (ranked["mean"] > 0)].head(6)
        listed = ", ".join(
            f"{r} ({round(m, 1)})" for r, m in zip(best["regulator"], best["mean"], strict=True)
        )
        rows.append((str(name), int(counts[name]), listed or "none"))
    return table(("group", "cells", "regulators (mean NES)"), rows)


def _master_section(adata: AnnData, key: str) -> list[Markup]:
    if not holds(MastersResult, adata, key):
        return []
    found = read(MastersResult, adata, key)
    results, options = found.results, found.record.options
    title = f"Master regulators of {options.get('group')} against {options.get('reference')}"
    if len(results) == 0:
        return [section(title, element("p", "No regulon was large enough."))]
    parts: list[Markup] = [
        _picture((6.5, 5), "NES and p-value.", lambda ax: pl.volcano(results, ax=ax))
    ]
    caption = "Targets of the first regulators of the table in the signature."
    try:
        parts.append(
            _picture((8, 5.8), caption, lambda ax: pl.msviper_barcode(adata, key=key, ax=ax))
        )
    except (InputError, MissingKeyError) as error:  # the network was replaced or deleted
        note = f"The targets are not drawn, because the network of the run is not there: {error}"
        parts.append(element("p", note, class_="note"))
    shown = ("regulator", "n_targets", "effect", "nes", "pvalue", "qvalue")
    rows = [
        (str(r), int(n), float(effect), float(nes), float(p), float(q))
        for r, n, effect, nes, p, q in results[list(shown)].head(_ROWS).itertuples(index=False)
    ]
    parts.append(
        element(
            "p",
            "Significant regulators first, by the size of their effect, the mean normal score of "
            "their strongest targets; then the others by p-value.",
            class_="note",
        )
    )
    parts.append(table(("regulator", "targets", "effect", "NES", "p", "q"), rows))
    return [section(title, *parts)]


def _parameter_section(adata: AnnData, keys: tuple[str, ...]) -> Markup:
    parts = []
    for key in keys:
        record = _record(adata, key)
        values = {**record.options, **record.facts}
        if values:
            values |= {"engine": record.engine, "version": record.version}
            rows = [(name, _shown(value)) for name, value in sorted(values.items())]
            parts += [element("h3", key), table(("parameter", "value"), rows)]
    return section("Parameters", *parts)


def _shown(value: object) -> str:
    """A parameter on a line or two."""
    if isinstance(value, Mapping):
        text = ", ".join(f"{name}: {_shown(item)}" for name, item in value.items())
    elif isinstance(value, np.ndarray):
        text = ", ".join(str(item) for item in value.ravel()[:30].tolist())
        text += f", … ({value.size} values)" if value.size > 30 else ""
    else:
        text = str(value)
    return text if len(text) <= 400 else text[:400] + "…"


def _picture(size: tuple[float, float], caption: str, draw: Callable[[Axes], object]) -> Markup:
    """A picture as PNG; a figure of its own, so the reader's backend and figures stay."""
    from matplotlib.figure import Figure

    own = Figure(figsize=size, layout="constrained")
    draw(own.add_subplot())
    buffer = io.BytesIO()
    own.savefig(buffer, format="png", dpi=_DOTS_PER_INCH)
    return figure(buffer.getvalue(), caption, width=round(96 * size[0]))
