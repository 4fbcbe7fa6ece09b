"""Consolidate the networks of many resamples by the support of their edges."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from pysces._checks import check_integer, check_number, check_one_of
from pysces._messages import listed
from pysces._parameters import Range, check_of, checked
from pysces._reading import lines, reading
from pysces.aracne._consensus import (
    adjusted,
    binomial_log_pvalues,
    poisson_pvalues,
)
from pysces.aracne._options import Correction
from pysces.dispatch.blocks import progress
from pysces.errors import InputError
from pysces.network import Network

if TYPE_CHECKING:
    from numpy.typing import NDArray

log = logging.getLogger("pysces")

Method = Literal["poisson", "binomial"]
RULES = ("fdr", "fwer", "fpr")
_AVERAGED = ("mi", "correlation", "mor", "likelihood", "weight")
_OF_A_CONSENSUS = ("support", "pvalue", "log_pvalue", "qvalue")
_NETWORK_FILES = (".tsv", ".csv", ".txt", ".parquet", ".pq", ".adj")


@checked(alpha=Range(0, 1, open_low=True), rate=Range(0, 1))
def consolidate(
    networks: Any,
    method: Method = "poisson",
    *,
    alpha: float | None = 0.05,
    correction: Correction | None = "bonferroni",
    rate: float | Iterable[float] | None = None,
) -> Network:
    """One network from the networks of many resamples.

    The support k of an edge is the number of networks that have it. Its p-value follows one of two
    rules of earlier programs. Both treat the resamples as independent, although they share the
    data, and return edges on pure noise. For new work use :func:`pysces.run_aracne`, whose default
    compares the support with that of decoy regulators.

    Parameters
    ----------
    networks
        A folder; or a list, another collection or a mapping (its values) of paths,
        :class:`pysces.Network` objects or DataFrames with ``source`` and ``target``. If a folder
        has files named ``bootstrapNetwork_*`` (ARACNe-AP), only those are read, otherwise all
        tables in it, so it should hold nothing else. A consensus among the files would be counted
        as one more network: it is an error if only some files have ``support`` or p-values.
        (Formats without columns, such as ``.adj``, cannot be checked.)
    method
        ``"poisson"`` (ARACNe-AP): ``P(X > k)`` for Poisson counts of mean sum(k) / (T U), with T
        regulators and U targets in the networks. **Strictly** greater, as in ARACNe-AP: the p-value
        is too small by one count, since it should be the probability of *at least* k.
        ``"binomial"`` (ARACNe3): ``P(X >= k)`` for binomial counts of as many trials as there are
        networks, at the false positive rate ``rate``.
    alpha
        Edges with a smaller corrected p-value are kept; ``None`` keeps all edges, as in ARACNe3.
    correction
        Over the T U possible edges: ``"bonferroni"``, ``"fdr_bh"`` or ``None``.
    rate
        Probability that one network has an edge by chance; of one rate per network the mean is
        used. :func:`pysces.aracne.consolidate.false_positive_rate` computes it, and
        :func:`~pysces.aracne.consolidate.rate_of_log` reads it from a log of ARACNe3. Only used
        with ``method="binomial"``.

    Returns
    -------
    Network
        By source, then target: ``support``, ``pvalue``, ``qvalue`` (corrected; what ARACNe-AP
        prints as pvalue), and the means of ``mi``, ``correlation``, ``mor``, ``likelihood`` and
        ``weight``, where all networks have them, over the networks that have the edge. (ARACNe3
        instead recomputes mutual information and correlation from all samples, see
        :func:`pysces.mutual_information`.)

    Raises
    ------
    InputError
        If there are fewer than two networks, none has an edge, a consensus is among the files, or
        an argument cannot be used.

    References
    ----------
    Lachmann et al. 2016 (ARACNe-AP); Griffin et al. 2023 (ARACNe3).

    Examples
    --------
    >>> import pandas as pd, pysces
    >>> first = pd.DataFrame({"source": ["MYC", "MYC"], "target": ["NCL", "MAX"], "mi": [0.5, 0.2]})
    >>> second = pd.DataFrame({"source": ["MYC"], "target": ["NCL"], "mi": [0.7]})
    >>> network = pysces.consolidate([first, second], alpha=None)
    >>> network.to_dataframe()[["target", "mi", "support"]].values.tolist()
    [['MAX', 0.2, 1], ['NCL', 0.6, 2]]
    """
    rates = _checked_rates(method, alpha, rate)
    items = _items(networks)
    tables = [
        _table(item) for item in progress(items, "reading networks", total=None, unit="network")
    ]
    _refuse_a_consensus(items, tables)
    if len(tables) < 2:
        raise InputError(
            f"A consensus needs at least two networks. Got {len(tables)}. "
            "Pass a folder of network files, or a list."
        )
    edges = _support(tables)
    n_regulators, n_targets = edges["source"].nunique(), edges["target"].nunique()
    support = edges["support"].to_numpy()
    if method == "poisson":
        pvalues = poisson_pvalues(support, n_regulators, n_targets)
    else:
        pvalues = np.exp(binomial_log_pvalues(support, len(tables), _mean_rate(rates, len(tables))))
    edges["pvalue"] = np.minimum(1.0, pvalues)
    edges["qvalue"] = adjusted(edges["pvalue"].to_numpy(), n_regulators * n_targets, correction)
    kept = edges if alpha is None else edges[edges["qvalue"] < alpha]
    log.info("%d of %d edges of %d networks are kept.", len(kept), len(edges), len(tables))
    return Network(kept.reset_index(drop=True))


def false_positive_rate(
    n_pairs: int, n_significant: int, n_kept: int, alpha: float, rule: str = "fdr"
) -> float:
    """Probability that a network of one resample has an edge by chance (ARACNe3).

    Parameters
    ----------
    n_pairs
        Number of pairs tested, M.
    n_significant
        Number of significant pairs, E.
    n_kept
        Number of edges after pruning, K (E if nothing was pruned).
    alpha
        Level at which they were significant.
    rule
        What ``alpha`` bounds: ``"fdr"``: ``alpha K / (M - (1 - alpha) E)``; ``"fwer"``:
        ``alpha / M * K / E``; ``"fpr"``: ``alpha K / E``.

    Examples
    --------
    >>> round(false_positive_rate(490, 75, 52, 0.05), 6)
    0.006209
    """
    check_one_of("rule", rule, RULES)
    check_number("alpha", alpha, 0, 1, open_low=True)
    sizes = {"n_pairs": n_pairs, "n_significant": n_significant, "n_kept": n_kept}
    for name, size in sizes.items():
        check_integer(name, size, 0)
    if not 0 <= n_kept <= n_significant <= n_pairs or n_pairs < 1:
        raise InputError(
            "Numbers of edges must not grow from pairs to significant to kept edges. "
            f"Got {n_pairs}, {n_significant}, {n_kept}."
        )
    if n_significant == 0:
        return 0.0
    if rule == "fdr":
        return alpha * n_kept / (n_pairs - (1 - alpha) * n_significant)
    return alpha * n_kept / n_significant / (n_pairs if rule == "fwer" else 1)


def rate_of_log(path: str | os.PathLike[str]) -> float:
    """Compute :func:`false_positive_rate` from the log that ARACNe3 writes for a subnetwork.

    The log gives alpha with six decimals, so a smaller alpha cannot be read from it.
    """
    path = Path(path)
    with reading(path, "read as a log of ARACNe3", "Pass the log of a subnetwork."):
        text = "\n".join(line for _, line in lines(path, quiet=True))
    sizes = [int(size) for size in re.findall(r"Size of subnetwork: (\d+) edges", text)]
    alpha = re.search(r"^Alpha: (\S+)", text, re.MULTILINE)
    rule = re.search(r"Method of first pruning step: (\w+)", text)
    if not 2 <= len(sizes) <= 3 or alpha is None or rule is None:
        raise InputError(
            f"{path.name} is not a log of an ARACNe3 subnetwork. "
            "Compute the rate with false_positive_rate and pass it as rate=."
        )
    return false_positive_rate(
        sizes[0], sizes[1], sizes[-1], float(alpha.group(1)), rule.group(1).lower()
    )


def _checked_rates(method: Method, alpha: Any, rate: Any) -> list[float]:
    """Check all arguments, and return the rates as a list (empty if there are none)."""
    if alpha is not None:
        check_number("alpha", alpha, 0, 1, open_low=True)
    if method == "binomial" and rate is None:
        raise InputError(
            "method='binomial' needs rate=, the probability that a network has an edge by chance. "
            "Compute it with pysces.aracne.consolidate.false_positive_rate, or read it from the "
            "logs of ARACNe3 with rate_of_log."
        )
    if method != "binomial" and rate is not None:
        raise InputError("rate= requires method='binomial'. Leave it out, or choose that method.")
    if rate is None:
        return []
    rate = np.atleast_1d(rate) if isinstance(rate, np.ndarray) else rate
    several = isinstance(rate, Iterable) and not isinstance(rate, str | bytes | Mapping)
    rates = list(rate) if several else [rate]
    for value in rates:
        check_number("rate", value, 0, 1)
    return rates


def _mean_rate(rates: list[float], n_networks: int) -> float:
    """The mean of the rates of all networks."""
    if len(rates) not in (1, n_networks):
        raise InputError(
            f"{len(rates)} rates for {n_networks} networks. Pass one number, or one per network."
        )
    if not any(rates):
        raise InputError(
            "All rates are 0, so no edge can occur by chance. Pass the rates of networks in "
            "which pairs were significant."
        )
    return float(np.mean(rates))


def _items(networks: Any) -> list[Any]:
    """The networks as a list; those of a folder in the order of their names."""
    if isinstance(networks, Mapping):
        return list(networks.values())
    if isinstance(networks, str | os.PathLike):
        check_of("networks", os.PathLike)(networks)
        return _files_of(Path(networks))
    if isinstance(networks, Network | pd.DataFrame) or not np.iterable(networks):
        raise InputError(
            f"Expected a folder or a list of networks, got one {type(networks).__name__}. "
            "Pass a list with one network per resample."
        )
    return list(networks)


def _files_of(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError(
            f"There is no folder {str(folder)!r}. Pass the folder that holds one network file "
            "per resample, or a list of paths."
        )
    files = sorted(file for file in folder.iterdir() if file.is_file())
    bootstraps = [file for file in files if file.name.startswith("bootstrapNetwork_")]
    tables = bootstraps or [
        file
        for file in files
        if Path(file.name.lower().removesuffix(".gz")).suffix in _NETWORK_FILES
        and not file.name.startswith(".")
    ]
    if not tables:
        raise InputError(
            f"The folder {str(folder)!r} holds no network files; it has "
            f"{listed(file.name for file in files)}. Files of networks end in "
            f"{listed(_NETWORK_FILES)}."
        )
    log.info("%s: %d networks, %s.", folder, len(tables), listed(f.name for f in tables))
    return tables


def _table(item: Any) -> pd.DataFrame:
    """The edges of one network, checked."""
    if isinstance(item, str | os.PathLike):
        from pysces.data.read import read_network

        return read_network(item).to_dataframe()
    network = item if isinstance(item, Network) else Network.from_dataframe(item)
    return network.to_dataframe()


def _refuse_a_consensus(items: list[Any], tables: list[pd.DataFrame]) -> None:
    """Raise InputError if only some files have a column of results: one may be a consensus."""
    files = [
        (Path(item).name, table)
        for item, table in zip(items, tables, strict=True)
        if isinstance(item, str | os.PathLike)
    ]
    for column in _OF_A_CONSENSUS:
        having = [name for name, table in files if column in table]
        if having and any(column not in table for _, table in files if len(table)):
            raise InputError(
                f"{len(having)} of {len(files)} files have a column {column!r}, as a consensus of "
                f"networks has: {listed(having)}. The others do not. A consensus would be "
                "counted as one more network. Remove it from the folder or list; if it is a "
                "network like the others, pass all as a list of `pysces.read_network(path)`."
            )


def _support(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """Every edge by names, the number of networks that have it, and means over those.

    Values are added in ascending order, so results do not depend on the order of networks.
    """
    filled = [table for table in tables if len(table)]
    if not filled:
        raise InputError(
            f"None of the {len(tables)} networks has an edge, so there is nothing to consolidate. "
            "Infer them with a larger alpha or more samples."
        )
    averaged = [name for name in _AVERAGED if all(name in table for table in filled)]
    everything = pd.concat([table[["source", "target", *averaged]] for table in filled])
    codes, names = [], []
    for column in ("source", "target"):
        code, labels = pd.factorize(everything[column].astype(str), sort=True)
        codes.append(code.astype(np.int64))
        names.append(np.asarray(labels, dtype=object))
    keys, edge = np.unique(codes[0] * len(names[1]) + codes[1], return_inverse=True)
    support = np.bincount(edge)
    source, target = np.divmod(keys, len(names[1]))
    result = pd.DataFrame({"source": names[0][source], "target": names[1][target]})
    for name in averaged:
        values: NDArray[np.float64] = everything[name].to_numpy(dtype=np.float64)
        order = np.lexsort((values, edge))
        result[name] = np.bincount(edge[order], weights=values[order]) / support
    return result.assign(support=support)
