"""Exceptions and warnings of PySCES. Every message states the fact, then the remedy."""

from __future__ import annotations


class PyscesError(Exception):
    """Base class of all errors that PySCES raises.

    Examples
    --------
    >>> import pysces
    >>> try:
    ...     pysces.read_network("no.pkl")
    ... except (pysces.PyscesError, FileNotFoundError) as error:
    ...     print(error)
    There is no file 'no.pkl'.
    """


class InputError(PyscesError, ValueError):
    """The data or an argument cannot be used; a ValueError.

    Examples
    --------
    >>> import pysces
    >>> try:
    ...     pysces.regulators("yeast")
    ... except pysces.InputError as error:
    ...     print(str(error)[:45])
    There is no list of regulators of 'yeast', on
    """


class MissingKeyError(PyscesError, KeyError):
    """The result of an earlier step is missing; a KeyError.

    Examples
    --------
    >>> import anndata, numpy as np, pysces
    >>> try:
    ...     pysces.activity(anndata.AnnData(np.ones((2, 2))))
    ... except pysces.MissingKeyError as error:
    ...     print(error)
    Did not find .obsm['viper']. Run `pysces.run_viper(adata)` first.
    """

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""  # KeyError would print the repr


class EngineUnavailable(PyscesError, RuntimeError):
    """An engine that was given by name cannot run on this machine; a RuntimeError.

    Examples
    --------
    >>> import pysces
    >>> try:
    ...     pysces.settings.engine = "mlx"  # an engine given by name has no fallback
    ...     pysces.run_aracne(adata)  # doctest: +SKIP
    ... except pysces.EngineUnavailable as error:
    ...     print(error)
    >>> pysces.settings.engine = None
    """


class PyscesWarning(UserWarning):
    """A problem that the user should know of, although the run continued.

    Examples
    --------
    >>> import warnings, pysces
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", pysces.PyscesWarning)
    """
