"""Tables that the pages don't write down but ask the package for, at every build.

``engine-table`` and ``kernel-reference`` read the declarations of the kernels; ``array-table``
tries the public functions on every kind of array; ``validation-report`` compares the engines;
``command-line`` prints the help of every command. Use them inside an ``eval-rst`` block.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from docstrings import plain_text
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

Rows = Iterable[Sequence[str]]

# Quick ones: all kernels on all engines take minutes, which the test suite spends.
FEW_KERNELS = (
    "average_ranks",
    "gene_sums",
    "rank_products",
    "running_sum",
    "segment_means",
    "shared_target_scores",
    "standardise",
    "weakest_pairs",
    "weighted_mean",
)


def list_table(header: Sequence[str], rows: Rows, look: str = "plain") -> str:
    """A reStructuredText list-table; ``look`` is a class of the style sheet."""
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: auto", f"   :class: {look}", ""]
    for row in (header, *rows):
        for place, cell in enumerate(row):
            lines.append(f"   {'*' if place == 0 else ' '} - {cell}")
    return "\n".join(lines)


class Generated(SphinxDirective):
    """A directive whose text is made by a function and read as reStructuredText."""

    make: Callable[[], str]

    def run(self) -> list[nodes.Node]:
        """The nodes of the text."""
        text = type(self).make()
        source = StringList(text.splitlines(), source=f"<{self.name}>")
        parent = nodes.section()
        parent.document = self.state.document
        self.state.nested_parse(source, self.content_offset, parent, match_titles=True)
        return parent.children


# --- kernels ------------------------------------------------------------------------------------


def engine_table() -> str:
    """Kernels x engines: who computes what, how closely they must agree, on how many cases."""
    from pysces.dispatch.contracts import declared
    from pysces.settings import ENGINES

    engines = tuple(reversed(ENGINES))
    rows = [
        (
            f"``{kernel.name}``",
            *(kernel.unsupported.get(engine, "yes") for engine in engines),
            "the bit" if kernel.agreement.exact else f"{kernel.agreement.rtol:g}",
            kernel.block_axis,
            str(len(kernel.cases())),
        )
        for kernel in declared().values()
    ]
    header = ("kernel", *engines, "agree to", "cut along", "cases")
    return list_table(header, rows)


def kernel_reference() -> str:
    """Every kernel with its words, its arguments and its results."""
    from pysces.dispatch.contracts import Spec, declared

    parts = []
    for kernel in declared().values():
        rows = [
            (f"``{name}``", spec.dtype, f"[{spec.axes}]" + (" (table)" if spec.table else ""))
            if isinstance(spec, Spec)
            else (f"``{name}``", getattr(spec, "__name__", str(spec)), "")
            for name, spec in kernel.parameters.items()
        ]
        rows += [("*returns*", spec.dtype, f"[{spec.axes}]") for spec in kernel.results]
        parts += [
            f".. rubric:: {kernel.name}",
            "",
            "\n".join(plain_text(kernel.doc.splitlines())),
            "",
            list_table(("argument", "type", "axes"), rows),
            "",
        ]
    return "\n".join(parts)


# --- arrays -------------------------------------------------------------------------------------


def _tiny() -> Any:
    import anndata
    import numpy as np

    rng = np.random.default_rng(0)
    values = rng.poisson(1.0, size=(40, 12)).astype(np.float64)
    values[:, 4] += values[:, 0]
    adata = anndata.AnnData(values)
    adata.var_names = [f"gene{number}" for number in range(12)]
    adata.obs["group"] = ["a", "b"] * 20
    return adata


def _kinds(folder: Path) -> Iterator[tuple[str, Any]]:
    """The same cells x genes in every way of keeping them."""
    import anndata
    import dask.array
    import scipy.sparse as sp

    adata = _tiny()
    dense = adata.X

    def holding(matrix: Any) -> Any:
        return anndata.AnnData(matrix, obs=adata.obs.copy(), var=adata.var.copy())

    yield "AnnData, NumPy array", holding(dense.copy())
    yield "AnnData, float32", holding(dense.astype("float32"))
    yield "AnnData, CSR", holding(sp.csr_matrix(dense))
    yield "AnnData, CSC", holding(sp.csc_matrix(dense))
    yield "AnnData, sparse array", holding(sp.csr_array(dense))
    yield "AnnData, Dask array", holding(dask.array.from_array(dense, chunks=(10, 12)))
    yield "AnnData, a view", holding(dense.copy())[:]
    for name, matrix in (("dense", dense), ("sparse", sp.csr_matrix(dense))):
        path = folder / f"{name}.h5ad"
        holding(matrix).write_h5ad(path)
        yield f"AnnData, backed ({name})", anndata.read_h5ad(path, backed="r")
    yield "DataFrame", adata.to_df()
    yield "NumPy array", dense
    yield "SciPy sparse", sp.csr_matrix(dense)
    yield "Dask array", dask.array.from_array(dense, chunks=(10, 12))


def _calls() -> dict[str, Callable[[Any], Any]]:
    import pandas as pd

    import pysces

    names = [f"gene{number}" for number in range(12)]
    edges = pd.DataFrame({"source": "gene0", "target": names[1:]})
    fast = {"resampling": None, "n_null": 1000, "alpha": 1.0, "correction": None}

    def with_names(data: Any) -> dict[str, Any]:
        return {} if hasattr(data, "columns") or hasattr(data, "var_names") else {"genes": names}

    def of_network(data: Any) -> Any:
        pysces.run_aracne(data, names[:2], **fast)
        return data.uns["aracne"]["network"]["mi"].to_numpy()

    def of_activity(data: Any) -> Any:
        pysces.run_viper(data, edges)
        return data.obsm["viper"].to_numpy()

    def of_masters(data: Any) -> Any:
        pysces.run_msviper(data, "group", "a", network=edges, n_permutations=0)
        return data.uns["msviper"]["results"]["nes"].to_numpy()

    return {
        "run_aracne": of_network,
        "infer_network": lambda data: (
            pysces.infer_network(data, names[:2], **with_names(data), **fast)
            .to_dataframe()["mi"]
            .to_numpy()
        ),
        "mutual_information": lambda data: pysces.mutual_information(
            data, names[:2], **with_names(data)
        ).to_numpy(),
        "run_viper": of_activity,
        "run_msviper": of_masters,
        "signature": lambda data: pysces.signature(data).to_numpy(),
        "pseudobulk": lambda data: pysces.pseudobulk(data, "group").layers["counts"],
    }


def array_support() -> dict[str, dict[str, str]]:
    """By kind of array and function: ``yes`` (the numbers of a dense array), or ``-`` (refused)."""
    import numpy as np

    import pysces
    from pysces.errors import PyscesError

    found: dict[str, dict[str, str]] = {}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kept, pysces.settings.cache_dir = pysces.settings.cache_dir, None
        expected = {name: call(_tiny()) for name, call in _calls().items() if name not in _TABLES}
        expected |= {name: _calls()[name](_tiny().to_df()) for name in _TABLES}
        for kind, data in _kinds(Path(folder)):
            found[kind] = {}
            for name, call in _calls().items():
                try:
                    answer, right = call(data), expected[name]
                except (PyscesError, AttributeError, TypeError):
                    found[kind][name] = "–"
                else:
                    same = np.shape(answer) == np.shape(right)
                    same = same and np.allclose(answer, right, equal_nan=True)
                    found[kind][name] = "yes" if same else "**other numbers**"
            if hasattr(data, "file") and getattr(data, "isbacked", False):
                data.file.close()
        pysces.settings.cache_dir = kept
    return found


_TABLES = ("infer_network",)


def array_table() -> str:
    """Kinds of array x public functions, tried."""
    support = array_support()
    functions = list(next(iter(support.values())))
    if any("other" in cell for row in support.values() for cell in row.values()):
        raise RuntimeError(f"an array gives other numbers than a dense one: {support}")
    rows = [(kind, *row.values()) for kind, row in support.items()]
    return list_table(("kind of array", *(f"``{name}``" for name in functions)), rows, "upright")


# --- engines ------------------------------------------------------------------------------------


def validation_report() -> str:
    """What ``pysces.validate()`` prints: a few kernels, or all if ``PYSCES_DOCS_VALIDATE=all``."""
    import pysces

    everything = os.environ.get("PYSCES_DOCS_VALIDATE") == "all"
    here = [row.engine for row in pysces.status().engines if row.available]
    report = pysces.validate(engines=here[::-1], kernels=None if everything else FEW_KERNELS)
    if not report:
        raise RuntimeError(f"the engines don't agree:\n{report}")
    lines = [*str(pysces.status()).splitlines(), "", *str(report).splitlines()]
    return "\n".join([".. code-block:: text", "", *(f"   {line}" for line in lines)])


# --- command line -------------------------------------------------------------------------------


def command_line() -> str:
    """The help of every command."""
    from pysces.cli import COMMANDS
    from pysces.cli_parser import parser

    os.environ["COLUMNS"] = "88"
    commands = next(
        a for a in parser(COMMANDS)._actions if isinstance(a, argparse._SubParsersAction)
    )
    parts = []
    for name, sub in commands.choices.items():
        text = sub.format_help().splitlines()
        parts += [f".. rubric:: pysces {name}", "", ".. code-block:: text", ""]
        parts += [*(f"   {line}" for line in text), ""]
    return "\n".join(parts)


def setup(app: Any) -> dict[str, bool]:
    """Register the directives."""
    for make in (engine_table, kernel_reference, array_table, validation_report, command_line):
        name = make.__name__.replace("_", "-")
        app.add_directive(name, type(make.__name__, (Generated,), {"make": staticmethod(make)}))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
