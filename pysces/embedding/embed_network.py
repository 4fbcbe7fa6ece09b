"""Embed the regulators and targets of a network."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pysces._messages import listed
from pysces._parameters import Range, checked
from pysces.dispatch import engines
from pysces.embedding._graph import SignedGraph, signed_graph
from pysces.embedding._spectrum import NOTHING, Spectrum, largest
from pysces.errors import InputError
from pysces.network import Network
from pysces.settings import EngineName

if TYPE_CHECKING:
    from numpy.typing import NDArray

log = logging.getLogger("pysces")

_NOISE = 1e-9  # relative to the farthest node: nodes closer to the origin are set to it


@dataclass(frozen=True)
class Embedding:
    """Coordinates of the nodes, and the spectrum they are computed from.

    Attributes
    ----------
    nodes
        Names, sorted.
    coordinates
        Nodes x components.
    spectrum
        Eigenvalues and residuals.
    engine
        Entries of the run record about the engine.
    """

    nodes: pd.Index
    coordinates: NDArray[np.float64]
    spectrum: Spectrum
    engine: dict[str, str]


@checked(n_components=Range(1, 10_000), regularisation=Range(0, 1e9))
def embed_network(
    network: Network | pd.DataFrame,
    *,
    n_components: int = 16,
    regularisation: float = 1.0,
    seed: int = 0,
    engine: EngineName | None = None,
) -> pd.DataFrame:
    """Embed the regulators and targets of a network in a few dimensions.

    A node is placed at the weighted and signed mean of its neighbours: a regulator is near the
    genes it activates and opposite to those it represses. Regulators with the same effect on the
    same targets have the same direction (cosine near 1); an activator and a repressor of the same
    targets have opposite directions (cosine near -1).

    Parameters
    ----------
    network
        A `Network` or a DataFrame of edges (source, target, and mor, likelihood, weight, ...). The
        weight of an edge is mode of regulation times likelihood, see `Network.mode_and_likelihood`.
    n_components
        Number of dimensions.
    regularisation
        Shrinks nodes with few and weak edges towards the origin: this many times the mean sum of
        weights is added to the sum of each node. 0 for none; small connected components of the
        network then have their own dimensions.
    seed
        Seed of the start vectors of the iteration. The result depends on it only by rounding.
    engine
        ``"mlx"``, ``"numba"`` or ``"python"``; ``None`` for the fastest that is available.

    Returns
    -------
    DataFrame
        Nodes (by name) x components (``"component_1"``, ...), without unit: the mean square of a
        component over the nodes, weighted by their degrees, is the square of its eigenvalue.
        ``.attrs`` has the ``"eigenvalues"`` and the ``"residuals"``. A component without positive
        eigenvalue is 0 everywhere, as are genes of a connected part of the network on which all
        these components vanish.

    Raises
    ------
    InputError
        If a parameter is invalid, or the network has no edge to embed.
    EngineUnavailable
        If an engine is given by name and cannot run on this machine.

    Notes
    -----
    With A the symmetric matrix of the weights (direction is ignored), D the diagonal of the sums
    of ``|A|`` plus the regularisation, and ``P = D^-1/2 A D^-1/2``, ``1 - P`` is the normalised
    signed Laplacian. For the largest eigenvalues l of P with vectors v, the coordinates are
    ``l D^-1/2 v sqrt(sum D)``.

    Eigenvalues and vectors are those of ARPACK (`scipy.sparse.linalg.eigsh`, to a tolerance of
    1e-12), or of a dense solver for up to 300 nodes. Each connected part of the network is solved
    separately, so an eigenvector is 0 outside of one part.

    The sign of a component is a convention (a slightly noisy sum of v is positive). Eigenvalues
    closer than 1e-6 are treated as one multiple eigenvalue, whose basis is fixed by a rule: larger
    parts of the network come first, and distances and cosines do not depend on the basis within a
    part. Without regularisation, the eigenvalue 1 occurs once for each part, so if there are more
    parts than components, the smaller ones get no component. The result does not depend on the
    order of edges or genes; engines agree to 1e-6 of the largest coordinate.

    References
    ----------
    Kunegis et al. 2010, Spectral analysis of signed graphs for clustering, prediction and
    visualization (SIAM Data Mining). Qin and Rohe 2013, Regularized spectral clustering under the
    degree-corrected stochastic blockmodel (NeurIPS): the regularisation. Lehoucq et al. 1998,
    ARPACK users' guide (SIAM): the eigensolver.

    Examples
    --------
    >>> import numpy as np, pandas as pd, pysces
    >>> targets = ["A", "B", "C"]
    >>> edges = pd.DataFrame({"source": ["TF1"] * 3 + ["TF2"] * 3, "target": targets * 2})
    >>> edges["mor"] = [1.0, 1.0, -1.0, -1.0, -1.0, 1.0]
    >>> where = pysces.embed_network(edges, n_components=1)
    >>> bool(np.isclose(where.loc["TF1"].iloc[0], -where.loc["TF2"].iloc[0]))
    True
    """
    found = embed(
        as_network(network),
        n_components=n_components,
        regularisation=regularisation,
        seed=seed,
        engine=engine,
    )
    names = [f"component_{number + 1}" for number in range(n_components)]
    table = pd.DataFrame(found.coordinates, index=found.nodes, columns=names)
    table.attrs["eigenvalues"] = found.spectrum.values.tolist()
    table.attrs["residuals"] = found.spectrum.residuals.tolist()
    return table


def as_network(network: Any) -> Network:
    """Convert a `Network` or a table of edges to a network."""
    if isinstance(network, Network):
        return network
    if isinstance(network, pd.DataFrame):
        return Network.from_dataframe(network)
    raise InputError(f"network must be a Network or a DataFrame of edges. Got {network!r:.80}.")


def embed(
    network: Network,
    *,
    n_components: int,
    regularisation: float,
    seed: int,
    engine: EngineName | None,
) -> Embedding:
    """See :func:`embed_network`."""
    graph = signed_graph(network, float(regularisation))
    with engines.use_engine(engine) as used:
        spectrum = largest(graph, int(n_components), int(seed))
    _say(spectrum)
    return Embedding(graph.nodes, _coordinates(graph, spectrum), spectrum, engines.record(used))


def _coordinates(graph: SignedGraph, spectrum: Spectrum) -> NDArray[np.float64]:
    """``l D^-1/2 v sqrt(sum D)``; 0 where only rounding noise would be left."""
    total, degree = graph.degree.sum(), graph.degree
    scale = np.sqrt(np.divide(total, degree, out=np.zeros_like(degree), where=degree > 0))
    found = scale[:, None] * spectrum.vectors * spectrum.values
    size = np.linalg.norm(found, axis=1, keepdims=True)
    # Nodes without weight, or of a part on which these components vanish, have no direction.
    return np.where(size > _NOISE * size.max(), found, 0.0)


def _say(spectrum: Spectrum) -> None:
    empty = [number + 1 for number, value in enumerate(spectrum.values) if value <= NOTHING]
    if empty:
        log.info(
            "Embedding: the network has no positive eigenvalue for components %s, which are 0.",
            listed(empty),
        )
