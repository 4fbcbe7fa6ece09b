"""Write a report about a run: an HTML page with checks of the data and the results."""

from __future__ import annotations

import base64
import hashlib
import json
from importlib import resources
from typing import TYPE_CHECKING, Any

from pysces._atomic import atomic_write, check_writable
from pysces._parameters import checked
from pysces.data._labels import labels_of
from pysces.errors import MissingKeyError, PyscesError
from pysces.reports._checks import data_checks
from pysces.reports._content import Content, printable
from pysces.reports._provenance import code, origin, parameters, records
from pysces.reports._quality import quality

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

    from anndata import AnnData
    from jinja2 import Template

    from pysces._record import RunRecord


@checked()
def report(
    adata: AnnData,
    path: str | os.PathLike[str],
    *,
    key: str = "aracne",
    activity_key: str = "viper",
    msviper_key: str = "msviper",
    groupby: str | None = None,
    source: str | None = None,
) -> None:
    """Write a report about the results: a single, self-contained HTML file.

    The page has the quality of the networks in words, checks of the data, and tables of
    regulators, edges, activities and master regulators that can be searched, sorted, filtered and
    downloaded. A regulator or gene opens with its targets, activity by group, and its neighbours as
    a network that can be moved and zoomed. Networks of several groups are shown side by side. The
    page says when, from which file, with which versions and engines it was made, and has the code
    that computes the results again. It requests nothing from the internet, follows the light or
    dark theme of the browser, works with keyboard and on phones, and can be printed.

    Parameters
    ----------
    adata
        Cells x genes, with results of `pysces.run_aracne`, `pysces.run_viper` or
        `pysces.run_msviper`. The report has a section for each of these results that exists.
    path
        File to write. An existing file is replaced only after the report is complete.
    key
        Key of the network.
    activity_key
        Key of the activities.
    msviper_key
        Key of the master regulators.
    groupby
        Column of ``adata.obs`` by which activities are shown; by default the one that the runs
        used, if any. Columns of more than 60 groups are not used.
    source
        Name of the file of the data, to show on the page; by default that of a backed ``adata``.

    Notes
    -----
    Numbers have four significant digits. The date is that of the environment variable
    ``SOURCE_DATE_EPOCH`` (seconds since 1970) if it is set, so that a page can be reproduced.

    Raises
    ------
    InputError
        If the folder of the file does not exist or ``groupby`` is not a column; no file is written
        then.
    MissingKeyError
        If there are no results.
    PyscesError
        If jinja2 or matplotlib is not installed.

    Examples
    --------
    >>> import anndata, numpy as np, pandas as pd, pysces
    >>> adata = anndata.AnnData(np.random.default_rng(0).normal(size=(20, 12)))
    >>> adata.var_names = [f"gene{number}" for number in range(12)]
    >>> edges = pd.DataFrame({"source": "gene0", "target": adata.var_names[1:]})
    >>> pysces.run_viper(adata, edges)
    >>> pysces.report(adata, "report.html")  # with matplotlib and jinja2
    """
    path = check_writable(path)
    if groupby is not None:
        labels_of(adata, groupby)
    template = _template()
    if source is None and adata.isbacked:
        source = str(adata.filename)
    runs = records(adata, (key, activity_key, msviper_key))
    used = groupby or _groups_of_runs(adata, runs, (msviper_key, activity_key))
    content = Content.of(adata, key, activity_key, msviper_key, used)
    if not content.tables:
        raise MissingKeyError(
            f"Did not find a network in .uns[{key!r}], activities in .obsm[{activity_key!r}] or "
            f"master regulators in .uns[{msviper_key!r}]. Run `pysces.run_aracne(adata)` first."
        )
    arguments = {
        "key": key, "activity_key": activity_key, "msviper_key": msviper_key, "groupby": groupby
    }  # fmt: skip
    text = _page(
        template,
        title=f"PySCES report: {adata.n_obs:,} samples, {adata.n_vars:,} genes",
        content=content,
        checks=data_checks(adata, key, activity_key),
        measures=quality(list(content.networks.values())),
        origin=origin(adata, source, runs),
        code=code(source, runs, arguments),
        parameters=parameters(runs),
    )
    atomic_write(path, text.encode())


def _groups_of_runs(
    adata: AnnData, runs: Mapping[str, RunRecord], keys: Iterable[str]
) -> str | None:
    """The column of groups of cells that a run used."""
    for key in keys:
        column = runs[key].options.get("groupby") if key in runs else None
        if isinstance(column, str) and column in adata.obs:
            return column
    return None


def _page(template: Template, *, content: Content, **values: Any) -> str:
    """The page with its data, script and style; their hashes are all that the policy allows."""
    from markupsafe import Markup

    parts = {
        name: resources.files("pysces.reports").joinpath(file).read_text("utf-8")
        for name, file in (("script", "report.js"), ("style", "report.css"))
    }
    data = json.dumps(
        {name: getattr(content, name) for name in ("tables", "groupby", "masters")},
        separators=(",", ":"),
    )
    return template.render(
        content=content,
        sections=_sections(content, bool(values["measures"])),
        hashes={name: _hash(part) for name, part in parts.items()},
        # Nothing in the data can end the element that holds them
        data=Markup(data.replace("<", r"\u003c")),
        **{name: Markup(part) for name, part in parts.items()},
        **values,
    )


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _sections(content: Content, has_quality: bool) -> list[str]:
    shown = {
        "Summary": True,
        "Quality": has_quality,
        "Data": True,
        "Regulators": content.networks,
        "Edges": content.networks,
        "Activities": "activities" in content.tables,
        "Masters": content.masters,
        "Code": True,
    }
    return [name for name, there in shown.items() if there]


def _template() -> Template:
    """The template of the page, which escapes all values."""
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError as error:
        raise PyscesError(
            f"The report needs the package jinja2 ({error}). "
            "Install it with: pip install 'pysces-grn[report]'."
        ) from error
    environment = Environment(
        loader=PackageLoader("pysces.reports", "."),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printed,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("report.html")


def _printed(value: Any) -> Any:
    """Format a value for the page: short numbers, and text that is valid in HTML.

    >>> _printed(14513), _printed(0.123456)
    ('14,513', '0.123')
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.3g}"
    return printable(value) if type(value) is str else value  # or markup from a macro
