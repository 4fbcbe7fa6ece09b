"""Where results live in an AnnData. Writers and readers share these names."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class NetworkKeys:
    """A network lives in ``adata.uns[key]``."""

    key: str = "aracne"
    network: str = "network"
    """``uns[key]["network"]``: the edges, a DataFrame."""
    params: str = "params"
    """``uns[key]["params"]``: how it was made."""
    groups: str = "groups"
    """``uns[key]["groups"]``: facts about the network of each group, a DataFrame, if grouped."""
    group: str = "group"
    """The column of the edges that says whose they are, if grouped."""


@dataclass(frozen=True)
class ActivityKeys:
    """Protein activity lives in ``adata.obsm`` and ``adata.uns[key]``, all found from the key."""

    key: str = "viper"
    """``obsm[key]``: normalised enrichment scores, a DataFrame cells x regulators."""
    params: str = "params"
    """``uns[key]["params"]``: how it was made."""
    regulators: str = "regulators"
    """``uns[key]["regulators"]``: facts about each regulator, a DataFrame."""

    @property
    def pvalues(self) -> str:
        """``obsm[...]``: p-values, a DataFrame cells x regulators."""
        return f"{self.key}_pvalues"

    @property
    def qvalues(self) -> str:
        """``obsm[...]``: q-values, a DataFrame cells x regulators."""
        return f"{self.key}_qvalues"


@dataclass(frozen=True)
class EmbeddingKeys:
    """An embedding lives in ``adata.varm[key]`` and ``adata.uns[key]``."""

    key: str = "regulon_embedding"
    """``varm[key]``: coordinates, an array genes x components."""
    eigenvalues: str = "eigenvalues"
    """``uns[key]["eigenvalues"]``: one a component."""
    residuals: str = "residuals"
    """``uns[key]["residuals"]``: how far each component is from an eigenvector."""
    regulons: str = "regulons"
    """``uns[key]["regulons"]``: facts about each regulator, a DataFrame."""
    params: str = "params"
    """``uns[key]["params"]``: how it was made."""
