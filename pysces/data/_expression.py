"""Expression matrices: checked once, read by blocks, never copied as a whole."""

from __future__ import annotations

import hashlib
import warnings
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from pysces._messages import listed, outside
from pysces.data._inputs import (
    check_names,
    frame_values,
    gene_mask,
    gene_names,
    matrix_of,
    name_order,
)
from pysces.data._sources import (
    ALL,
    EXACT,
    LARGEST,
    MOST_SAMPLES,
    PASS_BYTES,
    as_positions,
    compose,
    is_ordinary,
    make_source,
    read_ahead,
    rows_per_pass,
)
from pysces.errors import InputError, PyscesWarning

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from anndata import AnnData
    from numpy.typing import ArrayLike, NDArray

    from pysces.data._sources import Positions, Rows, Source

_SAMPLES = 1 << 12  # samples of a sparse matrix read at a time by passes over all values


class Expression:
    """A checked view of an expression matrix, read by blocks of genes or of samples.

    Create one with `Expression.from_anndata` or `Expression.from_matrix`. Values of a matrix in
    memory are checked immediately; those on disk or of a Dask array when they are read.

    Attributes
    ----------
    genes
        Gene names, unique, ``pd.Index`` of str.
    samples
        Sample (cell) names, ``pd.Index`` of str.

    Examples
    --------
    >>> import numpy as np
    >>> expression = Expression.from_matrix(np.array([[1, 0], [2, 5]]), genes=["MYC", "MAX"])
    >>> expression.gene_block([1])
    array([[0., 5.]])
    """

    def __init__(
        self,
        source: Source,
        genes: pd.Index,
        samples: pd.Index,
        *,
        gene_positions: Positions = ALL,
        sample_positions: Positions = ALL,
        allow_missing: bool = False,
        allow_infinite: bool = False,
    ) -> None:
        self._source = source
        self.genes = genes
        self.samples = samples
        self._genes_at = gene_positions
        self._samples_at = sample_positions
        self._allow_missing, self._allow_infinite = allow_missing, allow_infinite
        self._values_checked = source.dtype.kind in "biu"

    @classmethod
    def from_anndata(
        cls,
        adata: AnnData,
        *,
        layer: str | None = None,
        mask_var: str | ArrayLike | None = None,
        gene_symbols: str | None = None,
        allow_missing: bool = False,
        allow_infinite: bool = False,
        least_samples: int = 2,
    ) -> Expression:
        """Expression matrix of an AnnData: in memory, backed, lazy, or a view of one.

        Parameters
        ----------
        adata
            Annotated matrix, samples (cells) x genes.
        layer
            Name of the layer to read; ``None`` reads ``adata.X``.
        mask_var
            Genes to use: a boolean mask [genes], or the name of a boolean column of ``adata.var``.
        gene_symbols
            Column of ``adata.var`` with the names of genes; ``None`` takes ``adata.var_names``.
        allow_missing
            Accept NaN (a signature may lack values; expression may not).
        allow_infinite
            Accept infinite values (of a signature), and check values as they are read.
        least_samples
            Fewest samples that will do; 0 accepts a matrix without genes too.

        Raises
        ------
        InputError
            If the layer or the mask is unknown, names repeat, or values cannot be used.
        """
        if not all(hasattr(adata, name) for name in ("var_names", "obs_names", "layers", "raw")):
            raise InputError(
                f"Expected an AnnData, got {type(adata).__name__}. "
                "For arrays and DataFrames use `pysces.infer_network` or `Expression.from_matrix`."
            )
        layers = [name for name in adata.layers if name is not None]  # None is X
        if layer is not None and layer not in layers:
            raise InputError(
                f"Did not find .layers[{layer!r}]. Available layers: {listed(layers)}. "
                "Pass one of them, or layer=None to read .X."
            )
        matrix, samples_at, genes_at = matrix_of(adata, layer)
        if matrix is None:
            raise InputError(
                "adata.X is empty (None). Pass layer= with the name of a layer to read. "
                f"Available layers: {listed(layers)}."
            )
        return cls._checked(
            make_source(matrix),
            gene_names(adata, gene_symbols),
            adata.obs_names,
            gene_positions=genes_at,
            sample_positions=samples_at,
            mask=None if mask_var is None else gene_mask(adata, mask_var),
            allow_missing=allow_missing,
            allow_infinite=allow_infinite,
            least_samples=least_samples,
        )

    @classmethod
    def from_matrix(
        cls,
        data: Any,
        genes: Sequence[str] | pd.Index | None = None,
        samples: Sequence[str] | pd.Index | None = None,
        *,
        allow_missing: bool = False,
        allow_infinite: bool = False,
        least_samples: int = 2,
    ) -> Expression:
        """Expression matrix of a table or an array, samples x genes.

        Parameters
        ----------
        data
            DataFrame (its columns name the genes), NumPy array, SciPy sparse matrix or array,
            Dask array, or a dataset on disk; samples x genes.
        genes
            Gene names; needed unless ``data`` is a DataFrame.
        samples
            Sample names; ``0``, ``1``, ... by default.
        allow_missing, allow_infinite, least_samples
            As in :meth:`from_anndata`.

        Raises
        ------
        InputError
            If names are missing, repeat or do not fit the shape, or values cannot be used.
        """
        if isinstance(data, pd.DataFrame):
            genes = data.columns if genes is None else genes
            samples = data.index if samples is None else samples
            data = frame_values(data)
        source = make_source(data)
        if genes is None:
            raise InputError(
                f"A matrix of type {type(data).__name__} has no gene names. "
                "Pass genes= with one name per column."
            )
        for names, axis, what in ((genes, 1, "genes"), (samples, 0, "samples")):
            if names is not None and len(names) != source.shape[axis]:
                raise InputError(
                    f"{len(names)} names of {what} for a matrix of {source.shape[0]} samples x "
                    f"{source.shape[1]} genes. Pass one name each"
                    + (", or transpose the matrix." if len(names) in source.shape else ".")
                )
        names = pd.RangeIndex(source.shape[0]) if samples is None else pd.Index(samples)
        return cls._checked(
            source,
            pd.Index(genes),
            names.to_flat_index(),
            allow_missing=allow_missing,
            allow_infinite=allow_infinite,
            least_samples=least_samples,
        )

    @classmethod
    def _checked(
        cls,
        source: Source,
        genes: pd.Index,
        samples: pd.Index,
        *,
        mask: NDArray[np.bool_] | None = None,
        gene_positions: Positions = ALL,
        sample_positions: Positions = ALL,
        allow_missing: bool,
        allow_infinite: bool,
        least_samples: int,
    ) -> Expression:
        expression = cls(
            source,
            genes.astype(str),
            samples.astype(str),
            gene_positions=gene_positions,
            sample_positions=sample_positions,
            allow_missing=allow_missing,
            allow_infinite=allow_infinite,
        )
        if mask is not None:
            expression = expression.take_genes(mask)
        check_names(expression.genes, expression.n_samples, least_samples)
        expression._check_values_in_memory()
        expression._warn_inexact()
        return expression

    @property
    def n_genes(self) -> int:
        """Number of genes."""
        return len(self.genes)

    @property
    def n_samples(self) -> int:
        """Number of samples (cells)."""
        return len(self.samples)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of samples and of genes."""
        return self.n_samples, self.n_genes

    def gene_block(self, genes: slice | ArrayLike = ALL) -> NDArray[np.float64]:
        """Values of some genes (slice, positions or mask) over all samples.

        Returns float64 [genes samples], C-contiguous, that shares no memory with the data.
        """
        chosen = as_positions(genes, self.n_genes, "Genes")
        return self._owned(self._read(ALL, chosen, "F").T)

    def sample_block(
        self, samples: slice | ArrayLike = ALL, *, copy: bool = True
    ) -> NDArray[np.float64]:
        """Values of some samples (slice, positions or mask) over all genes.

        Returns float64 [samples genes], C-contiguous, that shares no memory with the data; with
        ``copy=False`` it may be a part of them, not to be written to.
        """
        chosen = as_positions(samples, self.n_samples, "Samples")
        block = self._read(chosen, ALL, "C")
        return self._owned(block) if copy else block

    def sparse_block(self, samples: slice | ArrayLike = ALL) -> Rows | None:
        """Stored values of some samples of a sparse matrix; None for any other matrix.

        Cheap for a slice of a CSR matrix in memory: its arrays are shared, not to be written to.
        """
        rows = self._rows_unchecked(as_positions(samples, self.n_samples, "Samples"))
        if rows is not None and not self._values_checked:
            self._refuse_unusable(rows.values[rows.genes >= 0])
        return rows

    def _rows_unchecked(self, samples: Positions) -> Rows | None:
        rows = self._source.read_rows(compose(self._samples_at, samples, self._source.shape[0]))
        if rows is None or self._gene_place is None:
            return rows
        return rows._replace(genes=self._gene_place[rows.genes])

    def sparse_genes(self, genes: slice | ArrayLike = ALL) -> Rows | None:
        """Stored values of some genes, in the form of `Rows` with samples in the place of genes.

        A sparse matrix in memory that is stored by samples is converted once; None for a dense one.
        """
        chosen = as_positions(genes, self.n_genes, "Genes")
        columns = self._source.read_columns(compose(self._genes_at, chosen, self._source.shape[1]))
        if columns is None:
            return None
        if not (isinstance(self._samples_at, slice) and self._samples_at == ALL):
            place = np.full(self._source.shape[0], -1, dtype=np.int32)
            place[self._samples_at] = np.arange(self.n_samples)
            columns = columns._replace(genes=place[columns.genes])
        if not self._values_checked:
            self._refuse_unusable(columns.values[columns.genes >= 0])
        return columns

    @property
    def in_memory(self) -> bool:
        """Whether reading the values again costs little."""
        return self._source.in_memory

    @property
    def sample_bytes(self) -> float:
        """Mean size of a sample in memory: its stored values if samples are stored sparse."""
        return self._source.sample_bytes()

    def windows(self, length: int | None = None) -> Generator[tuple[slice, Expression], None, None]:
        """Yield consecutive samples as expression matrices, with their positions.

        By default a window has as many samples as passes over the whole matrix read at a time.
        Samples that are not in memory are read one window ahead of its use, by a thread that ends
        with the iteration; an error of a read is raised by the iteration.
        """
        if length is None:
            length = max(1, min(int(PASS_BYTES / max(1.0, self.sample_bytes)), MOST_SAMPLES))
        starts = range(0, self.n_samples, length)
        parts = (slice(start, min(start + length, self.n_samples)) for start in starts)
        if self.in_memory:
            return ((part, self.take_samples(part)) for part in parts)
        return read_ahead(lambda part: (part, self.take_samples(part).loaded()), parts)

    @property
    def is_sparse(self) -> bool:
        """Whether :meth:`sparse_block` returns the samples."""
        return self.sparse_block(slice(0, 1)) is not None

    def loaded(self) -> Expression:
        """The same with all values in memory and nothing else, for other threads and processes."""
        rows = self.sparse_block()
        matrix = self._read(ALL, ALL, "C") if rows is None else rows.matrix(self.n_genes)
        found = Expression(make_source(matrix), self.genes, self.samples)
        found._values_checked = True
        return found

    @cached_property
    def _gene_place(self) -> NDArray[np.int32] | None:
        """Position here of each gene of the source, -1 for others; None if they are the same."""
        n_genes = self._source.shape[1]
        if isinstance(self._genes_at, slice) and self._genes_at == ALL:
            return None
        place = np.full(n_genes, -1, dtype=np.int32)
        place[self._genes_at] = np.arange(self.n_genes)
        return place

    def _owned(self, block: NDArray[np.float64]) -> NDArray[np.float64]:
        """The block, copied if it is a part of the data."""
        data = getattr(self._source, "array", None)
        return block if data is None or not np.may_share_memory(block, data) else block.copy()

    def take_genes(self, genes: slice | ArrayLike) -> Expression:
        """The same data restricted to some genes (slice, positions or mask), not copied."""
        return self._restricted(ALL, as_positions(genes, self.n_genes, "Genes"))

    def take_samples(self, samples: slice | ArrayLike) -> Expression:
        """The same data restricted to some samples (slice, positions or mask), not copied."""
        return self._restricted(as_positions(samples, self.n_samples, "Samples"), ALL)

    def _restricted(self, samples: Positions, genes: Positions) -> Expression:
        taken = Expression(
            self._source,
            self.genes[genes],
            self.samples[samples],
            gene_positions=compose(self._genes_at, genes, self._source.shape[1]),
            sample_positions=compose(self._samples_at, samples, self._source.shape[0]),
            allow_missing=self._allow_missing,
            allow_infinite=self._allow_infinite,
        )
        taken._values_checked = self._values_checked
        return taken

    def names_only(self) -> Expression:
        """The same genes and samples without their values, for other processes."""
        empty = sp.csr_array(self.shape)
        return type(self)(make_source(empty), self.genes, self.samples)

    def zero_share(self) -> float:
        """Share of values that are 0."""
        zeros = sum(int(np.count_nonzero(block == 0)) for _, _, block in self._cheap_blocks())
        return zeros / max(1, self.n_genes * self.n_samples)

    def by_name(self) -> Expression:
        """The same data with the samples in the order of their names.

        Integers as names (the default of AnnData and arrays) are sorted numerically. Results
        computed from it do not depend on the order of the samples in the data.

        Raises
        ------
        InputError
            If sample names repeat.
        """
        if not self.samples.is_unique:
            repeated = self.samples[self.samples.duplicated()].unique()
            raise InputError(
                f"Sample names repeat: {listed(repeated)}. Make them unique first, with "
                "`adata.obs_names_make_unique()`."
            )
        order = name_order(self.samples)
        return self if (np.diff(order) == 1).all() else self.take_samples(order)

    def data_hash(self) -> str:
        """Hexadecimal BLAKE2b of values and names.

        Values are hashed as float64, sample by sample, so the hash does not depend on how the
        matrix is stored (dense, sparse, backed, number type) nor on the size of blocks.
        """
        digest = hashlib.blake2b(digest_size=16)
        for names in (self.genes, self.samples):
            digest.update("\0".join([str(len(names)), *names]).encode())
        step = rows_per_pass(self.n_genes)
        for start in range(0, self.n_samples, step):
            block = self.sample_block(slice(start, start + step))
            block += 0.0  # -0.0 equals 0.0 and must have the same hash
            block[np.isnan(block)] = np.nan
            digest.update(block.data)
        return digest.hexdigest()

    def __repr__(self) -> str:
        return f"Expression of {self.n_genes} genes in {self.n_samples} samples"

    def _read(self, samples: Positions, genes: Positions, order: Any) -> NDArray[np.float64]:
        block = self._read_unchecked(samples, genes, order)
        if not self._values_checked:
            self._refuse_unusable(block)
        return block

    def _read_unchecked(self, samples: Positions, genes: Positions, order: Any) -> Any:
        n_samples, n_genes = self._source.shape
        return self._source.read(
            compose(self._samples_at, samples, n_samples),
            compose(self._genes_at, genes, n_genes),
            order,
        )

    def _check_values_in_memory(self) -> None:
        if self._values_checked or self._allow_infinite:  # signatures: as they are read
            return
        ordinary = self._source.is_ordinary()
        if ordinary is False:
            # Bad values may lie outside the chosen genes and samples
            for _, _, block in self._cheap_blocks():
                self._refuse_unusable(block)
        self._values_checked = ordinary is not None

    def _warn_inexact(self) -> None:
        """Warn of integers in memory that float64 cannot hold, so that different ones get equal."""
        sparse = getattr(self._source, "_by", None)
        values = getattr(self._source, "array", None)
        values = next(iter(sparse.values())).data if sparse else values
        if values is None or values.dtype not in (np.int64, np.uint64) or not values.size:
            return
        if max(int(values.max()), -int(values.min())) > EXACT:
            warnings.warn(
                "Integers beyond 2^53 lose their last digits, since values are computed as "
                "float64. Divide the data by a constant if the digits matter.",
                PyscesWarning,
                stacklevel=outside(),
            )

    def _refuse_unusable(self, block: NDArray[np.float64]) -> None:
        if not is_ordinary(block) and any(bad.any() for bad in self._unusable(block).values()):
            raise InputError(self._describe_unusable())

    def _unusable(self, block: NDArray[np.float64]) -> dict[str, NDArray[np.bool_]]:
        """Masks of the values that cannot be used, by what is wrong with them."""
        infinite = np.isinf(block)
        return {
            "missing (NaN)": np.isnan(block) & (not self._allow_missing),
            "infinite": infinite & (not self._allow_infinite),
            f"too large (beyond {LARGEST:.0e})": ~infinite & (np.abs(block) > LARGEST),
        }

    def _describe_unusable(self) -> str:
        """Which values of the whole matrix cannot be used, and what to do about them."""
        total: dict[str, int] = {}
        affected = np.zeros(self.n_genes, dtype=bool)
        first = None
        for samples, genes, block in self._cheap_blocks():
            found = self._unusable(block)
            for kind, bad in found.items():
                total[kind] = total.get(kind, 0) + int(bad.sum())
            bad = np.logical_or.reduce(list(found.values()))
            affected[genes] |= bad.any(axis=0)
            if first is None and bad.any():
                row, column = np.argwhere(bad)[0]
                first = self.samples[samples][row], self.genes[genes][column]
        kinds = [f"{number} {kind}" for kind, number in total.items() if number]
        where = f" First: sample {first[0]!r}, gene {first[1]!r}." if first else ""
        fill, rescale = (
            any(total[kind] for kind in total if kind.startswith("too large") == large)
            for large in (False, True)
        )
        remedies = ["remove those genes (mask_var=) or fill the values first"] * fill
        remedies += ["divide the data by a constant"] * rescale
        return (
            f"The expression matrix has {' and '.join(kinds)} values in {affected.sum()} of "
            f"{self.n_genes} genes: {listed(self.genes[affected])}.{where} "
            f"{', and '.join(remedies).capitalize()}."
        )

    def _cheap_blocks(self) -> Iterator[tuple[slice, slice, NDArray[np.float64]]]:
        """Yield all values unchecked, as (samples, genes, block [samples genes])."""
        by_samples = self._source.by_samples
        length, width = self.shape if by_samples else self.shape[::-1]
        step = rows_per_pass(width)
        for start in range(0, length, step):
            part = slice(start, min(start + step, length))
            samples, genes = (part, ALL) if by_samples else (ALL, part)
            yield samples, genes, self._read_unchecked(samples, genes, "C" if by_samples else "F")

    def _stored_blocks(self) -> Iterator[tuple[slice, Rows | NDArray[np.float64]]]:
        """Yield all values unchecked, as (samples, stored values or block [samples genes])."""
        for start in range(0, self.n_samples, _SAMPLES):
            samples = slice(start, min(start + _SAMPLES, self.n_samples))
            rows = self._rows_unchecked(samples)
            if rows is None:
                yield from ((samples, block) for samples, _, block in self._cheap_blocks())
                return
            if self._gene_place is not None:
                rows = rows._replace(values=np.where(rows.genes >= 0, rows.values, 0.0))
            yield samples, rows


def nonzero_samples(expression: Expression) -> NDArray[np.int64]:
    """Number of samples in which each gene is not 0, int64 [genes]."""
    found = np.zeros(expression.n_genes, dtype=np.int64)
    for _, genes, block in expression._cheap_blocks():
        found[genes] += np.count_nonzero(block, axis=0)
    return found


def constant_genes(expression: Expression) -> NDArray[np.bool_]:
    """Genes whose values are all equal, as a mask [genes]; missing values do not count.

    Examples
    --------
    >>> import numpy as np
    >>> values = np.array([[1.0, 0.0], [1.0, 5.0]])
    >>> constant_genes(Expression.from_matrix(values, genes=["ACTB", "MYC"]))
    array([ True, False])
    """
    lowest = np.full(expression.n_genes, np.inf)
    highest = np.full(expression.n_genes, -np.inf)
    for _, genes, block in expression._cheap_blocks():
        if not expression._values_checked:
            expression._refuse_unusable(block)
        lowest[genes] = np.fmin(lowest[genes], np.fmin.reduce(block, axis=0, initial=np.inf))
        highest[genes] = np.fmax(highest[genes], np.fmax.reduce(block, axis=0, initial=-np.inf))
    return lowest >= highest
