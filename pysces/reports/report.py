"""Write a report about a run: an HTML page with checks of the data and the results."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from pysces._atomic import atomic_write, check_writable
from pysces._parameters import checked
from pysces._version import __version__
from pysces.data._labels import labels_of
from pysces.errors import MissingKeyError, PyscesError
from pysces.reports._checks import data_checks
from pysces.reports._content import Content

if TYPE_CHECKING:
    import os

    from anndata import AnnData
    from jinja2 import Template


@checked()
def report(
    adata: AnnData,
    path: str | os.PathLike[str],
    *,
    key: str = "aracne",
    activity_key: str = "viper",
    msviper_key: str = "msviper",
    groupby: str | None = None,
) -> None:
    """Write a report about the results: a single, self-contained HTML file.

    The page has checks of the data, statistics and plots of the network, the most important
    regulators, activities by group, and all parameters. It loads nothing from the internet, follows
    the light or dark theme of the browser, and can be printed.

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
        used, if any.

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
    content = Content.of(adata, key, activity_key, msviper_key, groupby)
    if not (content.networks or content.activity or content.masters):
        raise MissingKeyError(
            f"Did not find a network in .uns[{key!r}], activities in .obsm[{activity_key!r}] or "
            f"master regulators in .uns[{msviper_key!r}]. Run `pysces.run_aracne(adata)` first."
        )
    text = template.render(
        title=f"PySCES report: {adata.n_obs:,} samples, {adata.n_vars:,} genes",
        version=__version__,
        checks=data_checks(adata, key, activity_key),
        **{part.name: getattr(content, part.name) for part in fields(content)},
    )
    atomic_write(path, text.encode())


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
    r"""Format a value for the page: short numbers, control characters (invalid in HTML) replaced.

    >>> _printed(14513), _printed(0.123456), _printed("a\x07b")
    ('14,513', '0.123', 'a�b')
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.3g}"
    if type(value) is not str:  # markup from a macro
        return value
    return "".join(
        c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in value
    )
