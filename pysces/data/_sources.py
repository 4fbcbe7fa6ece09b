"""Block readers: one class per storage of an expression matrix.

Every matrix is [samples genes]. ``read`` returns one block as float64 and loads nothing more (a
sparse matrix in memory may be converted once, to the orientation in which blocks are cheap).
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeVar

import numpy as np
import scipy.sparse as sp

from pysces.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from numpy.typing import NDArray

    Positions = slice | NDArray[np.intp]
    Order = Literal["C", "F"]

T = TypeVar("T")

PASS_BYTES = 64 * 2**20
"""Bytes read at a time by passes over the whole matrix."""

MOST_SAMPLES = 1 << 18
"""Samples of a window: the kernels of exact sums take no more."""

EXACT = 2.0**53
"""Larger integers are not all numbers of float64."""

LARGEST = 1e100
"""Largest magnitude of a value that is accepted: squares and their sums are numbers then."""

ALL = slice(None)
_CHECKED = 1 << 16  # values checked at a time: they stay in the cache


class Rows(NamedTuple):
    """Samples of a sparse matrix in compressed form; other values are 0.

    Attributes
    ----------
    indptr
        Start of each sample in the other two, int64 [samples + 1].
    genes
        Position of the gene of each stored value, int32. Ascending within a sample, not repeated;
        -1 for genes that are not chosen.
    values
        Stored values (0 is possible), float64.
    """

    indptr: NDArray[np.int64]
    genes: NDArray[np.int32]
    values: NDArray[np.float64]

    @classmethod
    def of(cls, matrix: Any, samples: Positions = ALL) -> Rows:
        """Rows of a canonical CSR matrix; a slice is not copied unless its type differs."""
        if not isinstance(samples, slice):
            matrix, samples = matrix[samples], ALL
        first, stop, _ = samples.indices(matrix.shape[0])
        bounds = matrix.indptr[first : stop + 1].astype(np.int64)
        stored = slice(int(bounds[0]), int(bounds[-1]))
        return cls(
            bounds - bounds[0],
            matrix.indices[stored].astype(np.int32, copy=False),
            matrix.data[stored].astype(np.float64, copy=False),
        )

    def chosen(self) -> Rows:
        """The same without genes that are not chosen."""
        return self.some(self.genes >= 0)

    def some(self, wanted: NDArray[np.bool_]) -> Rows:
        """Some of the stored values."""
        if wanted.all():
            return self
        kept = np.concatenate([[0], np.cumsum(wanted)])
        return Rows(kept[self.indptr], self.genes[wanted], self.values[wanted])

    def samples(self) -> NDArray[np.intp]:
        """Position of the sample of each stored value."""
        return np.repeat(np.arange(len(self.indptr) - 1), np.diff(self.indptr))

    def matrix(self, n_genes: int) -> sp.csr_array:
        """The samples as a matrix, without genes that are not chosen."""
        indptr, genes, values = self.chosen()
        matrix = sp.csr_array((values, genes, indptr), shape=(len(indptr) - 1, n_genes))
        matrix.sort_indices()
        return matrix


class Source(Protocol):
    """Interface between an Expression and its storage."""

    shape: tuple[int, int]
    dtype: np.dtype[Any]
    by_samples: bool
    """Whether a block of samples is cheaper to read than a block of genes."""
    in_memory: bool
    """Whether values are in memory, so that reading them ahead of their use gains nothing."""

    def read(self, samples: Positions, genes: Positions, order: Order) -> NDArray[np.float64]:
        """Block [samples genes] in C or Fortran order, not to be written to.

        It owns its memory, unless it is a part of an array in memory as it is.
        """
        ...

    def read_rows(self, samples: Positions) -> Rows | None:
        """Stored values of some samples, over all genes; None unless samples are stored sparse.

        Cheap for a slice. Not to be written to.
        """
        ...

    def read_columns(self, genes: Positions) -> Rows | None:
        """Stored values of some genes, over all samples (whose positions are called genes there).

        None unless the matrix is sparse. Not to be written to.
        """
        ...

    def is_ordinary(self) -> bool | None:
        """Whether :func:`is_ordinary` holds for all values; None where only reading would tell."""
        ...

    def sample_bytes(self) -> float:
        """Mean size of a sample that has been read: its stored values if it is stored sparse."""
        ...


def make_source(matrix: Any) -> Source:
    """Reader of a matrix; InputError if its type or its values cannot be used."""
    source = _reader(matrix)
    if len(source.shape) != 2:
        raise InputError(
            f"The expression matrix has {len(source.shape)} dimension(s). "
            "Pass a matrix of samples x genes."
        )
    if source.dtype.kind not in "biuf":
        raise InputError(
            f"The expression matrix holds values of type {source.dtype}, not numbers. "
            "Convert it first, for example with `.astype(float)`."
        )
    return source


def _reader(matrix: Any) -> Source:
    if isinstance(matrix, list | tuple):
        try:
            matrix = np.asarray(matrix)
        except ValueError as error:  # lists of unequal lengths
            raise InputError(f"The expression is no matrix ({error}).") from error
    if isinstance(matrix, np.ma.MaskedArray):
        matrix = np.ma.filled(matrix.astype(np.float64), np.nan)
    if isinstance(matrix, np.ndarray):
        return DenseSource(np.asarray(matrix))
    if sp.issparse(matrix):
        return SparseSource(matrix)
    library = type(matrix).__module__.partition(".")[0]
    if library == "dask":
        return DaskSource(matrix)
    if library == "anndata" and hasattr(matrix, "format"):
        return DiskSparseSource(matrix)
    if library in ("h5py", "zarr") and hasattr(matrix, "dtype"):
        return DiskDenseSource(matrix)
    raise InputError(
        f"An expression matrix cannot be read from {type(matrix).__module__}."
        f"{type(matrix).__qualname__}. Pass a DataFrame, a NumPy array, a SciPy sparse matrix "
        "or a Dask array; for an AnnData, use `pysces.run_aracne` or `pysces.run_viper`."
    )


class DenseSource:
    """A NumPy array in memory."""

    by_samples = True
    in_memory = True

    def __init__(self, array: NDArray[Any]) -> None:
        self.array = array
        self.shape, self.dtype = array.shape, array.dtype

    def read(self, samples: Positions, genes: Positions, order: Order) -> NDArray[np.float64]:
        chosen = _pick(self.array, samples, genes)
        return np.asarray(chosen, dtype=np.float64, order=order)

    def read_rows(self, samples: Positions) -> None:
        return None

    def read_columns(self, genes: Positions) -> None:
        return None

    def is_ordinary(self) -> bool:
        step = max(1, _CHECKED // max(1, self.shape[1]))
        return all(
            is_ordinary(self.array[start : start + step]) for start in range(0, self.shape[0], step)
        )

    def sample_bytes(self) -> float:
        return 8.0 * self.shape[1]


class SparseSource:
    """A SciPy sparse matrix or array in memory."""

    in_memory = True

    def __init__(self, matrix: Any) -> None:
        self._by: dict[str, Any] = {}
        kept = matrix if matrix.format in ("csr", "csc") else matrix.tocsr()
        self._by[kept.format] = kept
        self.by_samples = kept.format == "csr"
        self.shape, self.dtype = kept.shape, kept.dtype

    def _oriented(self, wanted: str) -> Any:
        if wanted not in self._by:
            other = next(iter(self._by.values()))
            self._by[wanted] = other.asformat(wanted)
        return self._by[wanted]

    def read(self, samples: Positions, genes: Positions, order: Order) -> NDArray[np.float64]:
        whole_samples, whole_genes = (_is_all(samples), _is_all(genes))
        if whole_samples and whole_genes:
            chosen = next(iter(self._by.values()))
        elif whole_samples or (order == "F" and not whole_genes):
            chosen = self._oriented("csc")[:, genes]
            chosen = chosen if whole_samples else chosen[samples]
        else:
            chosen = self._oriented("csr")[samples]
            chosen = chosen if whole_genes else chosen[:, genes]
        return np.asarray(chosen.astype(np.float64).toarray(order=order))

    def _canonical(self, wanted: str) -> Any:
        whole = self._oriented(wanted)
        if not whole.has_canonical_format:
            whole = self._by[wanted] = whole.copy()
            whole.sum_duplicates()
        return whole

    def read_rows(self, samples: Positions) -> Rows | None:
        return Rows.of(self._canonical("csr"), samples) if self.by_samples else None

    def read_columns(self, genes: Positions) -> Rows:
        return Rows.of(self._canonical("csc")[:, genes].T)

    def is_ordinary(self) -> bool:
        values = next(iter(self._by.values())).data
        return all(
            is_ordinary(values[start : start + _CHECKED])
            for start in range(0, values.size, _CHECKED)
        )

    def sample_bytes(self) -> float:
        return _sparse_bytes(next(iter(self._by.values())).nnz, self.shape)


class DaskSource:
    """A Dask array, dense or with sparse chunks; only the chunks of a block are computed."""

    by_samples = True
    in_memory = False

    def __init__(self, array: Any) -> None:
        self._array = array
        self.shape, self.dtype = array.shape, np.dtype(array.dtype)
        if len(self.shape) == 2 and np.isnan(self.shape).any():
            raise InputError(
                "The shape of the Dask array is unknown. Call `.compute_chunk_sizes()` on it first."
            )

    def read(self, samples: Positions, genes: Positions, order: Order) -> NDArray[np.float64]:
        array = self._array
        array = array if _is_all(samples) else array[samples]
        array = array if _is_all(genes) else array[:, genes]
        block = array.compute()
        block = block.toarray() if hasattr(block, "toarray") else block
        return np.array(block, dtype=np.float64, order=order)

    def read_rows(self, samples: Positions) -> None:
        return None

    def read_columns(self, genes: Positions) -> None:
        return None

    def is_ordinary(self) -> None:
        return None

    def sample_bytes(self) -> float:
        return 8.0 * self.shape[1]


class DiskDenseSource:
    """A dense array on disk (h5py or zarr), read by contiguous rectangles."""

    by_samples = True
    in_memory = False

    def __init__(self, array: Any) -> None:
        self._array = array
        self.shape, self.dtype = tuple(array.shape), np.dtype(array.dtype)

    def read(self, samples: Positions, genes: Positions, order: Order) -> NDArray[np.float64]:
        rows, columns = (_positions(samples, self.shape[0]), _positions(genes, self.shape[1]))
        block = np.empty((rows.size, columns.size), dtype=np.float64, order=order)
        if not block.size:
            return block
        left, right = int(columns.min()), int(columns.max()) + 1
        height = rows_per_pass(right - left, self.dtype.itemsize)
        for where in _runs(rows, height):
            top, bottom = int(rows[where].min()), int(rows[where].max()) + 1
            rectangle = np.asarray(self._array[top:bottom, left:right])
            block[where] = rectangle[np.ix_(rows[where] - top, columns - left)]
        return block

    def read_rows(self, samples: Positions) -> None:
        return None

    def read_columns(self, genes: Positions) -> None:
        return None

    def is_ordinary(self) -> None:
        return None

    def sample_bytes(self) -> float:
        return 8.0 * self.shape[1]


class DiskSparseSource:
    """A sparse matrix on disk (h5ad or zarr), read by runs of its compressed axis."""

    in_memory = False

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset
        self.shape, self.dtype = tuple(dataset.shape), np.dtype(dataset.dtype)
        self.by_samples = dataset.format == "csr"

    def read(self, samples: Positions, genes: Positions, order: Order) -> NDArray[np.float64]:
        rows, columns = (_positions(samples, self.shape[0]), _positions(genes, self.shape[1]))
        block = np.empty((rows.size, columns.size), dtype=np.float64, order=order)
        # Filled through its transpose if genes are the compressed axis
        filled = block if self.by_samples else block.T
        major, minor = (rows, columns) if self.by_samples else (columns, rows)
        for where in _runs(major, self._run_length()):
            first, stop = int(major[where].min()), int(major[where].max()) + 1
            part = self._dataset[first:stop] if self.by_samples else self._dataset[:, first:stop].T
            part = part.tocsr()[major[where] - first]
            filled[where] = part[:, minor].astype(np.float64).toarray()
        return block

    def read_rows(self, samples: Positions) -> Rows | None:
        if not self.by_samples:
            return None
        if isinstance(samples, slice):
            part = self._dataset[samples]
        else:
            runs = _runs(samples, self._run_length())
            rows = np.empty(samples.size, dtype=np.intp)
            rows[np.concatenate(runs or [rows])] = np.arange(samples.size)
            first = [int(samples[where].min()) for where in runs]
            read = [
                self._dataset[start : int(samples[where].max()) + 1].tocsr()[samples[where] - start]
                for start, where in zip(first, runs, strict=True)
            ]
            part = sp.vstack(read, format="csr")[rows] if read else sp.csr_array((0, self.shape[1]))
        part.sum_duplicates()
        return Rows.of(part)

    def read_columns(self, genes: Positions) -> Rows:
        if not self.by_samples:
            part = self._dataset[:, genes].T.tocsr()
        else:
            step = self._run_length()
            runs = range(0, self.shape[0], step)
            read = [self._dataset[start : start + step].tocsr()[:, genes] for start in runs]
            part = sp.vstack(read or [sp.csr_array((0, self.shape[1]))[:, genes]]).tocsc().T
        part.sum_duplicates()
        return Rows.of(part)

    def _run_length(self) -> int:
        """Number of compressed rows that take about PASS_BYTES on average."""
        n_major = self.shape[0] if self.by_samples else self.shape[1]
        n_stored = int(self._dataset.group["indptr"][-1])
        bytes_each = (self.dtype.itemsize + 4) * max(1, n_stored) / max(1, n_major)
        return max(1, int(PASS_BYTES / max(1.0, bytes_each)))

    def is_ordinary(self) -> None:
        return None

    def sample_bytes(self) -> float:
        return _sparse_bytes(int(self._dataset.group["indptr"][-1]), self.shape)


def _sparse_bytes(n_stored: int, shape: tuple[int, int]) -> float:
    """Mean size of a sample in `Rows`."""
    return 12.0 * n_stored / max(1, shape[0])


def read_ahead(read: Callable[[slice], T], parts: Iterable[slice]) -> Generator[T, None, None]:
    """Yield ``read(part)`` for each part; while one is in use, a thread reads the next one.

    An error of a read is raised when its part is due. The thread has ended when the iteration has,
    also if it is abandoned.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="pysces-read") as reader:
        waiting: Future[T] | None = None
        for part in parts:
            done, waiting = waiting, reader.submit(read, part)
            if done is not None:
                yield done.result()
        if waiting is not None:
            yield waiting.result()


def is_ordinary(values: NDArray[Any]) -> bool:
    """Whether all values are numbers of at most :data:`LARGEST` in magnitude."""
    # A missing value is the lowest and the highest, and compares as False.
    return not values.size or -LARGEST <= float(values.min()) <= float(values.max()) <= LARGEST


def rows_per_pass(n_columns: int, itemsize: int = 8) -> int:
    """Number of rows of this many values that take PASS_BYTES (at least one)."""
    return max(1, PASS_BYTES // max(1, n_columns * itemsize))


def as_positions(index: Any, length: int, what: str) -> Positions:
    """Slice, mask or integers as a slice (if contiguous) or non-negative integers."""
    if isinstance(index, slice) and index == ALL:
        return ALL
    if isinstance(index, slice) and index.step in (None, 1):
        start, stop, _ = index.indices(length)
        if start < stop:
            return ALL if (start, stop) == (0, length) else slice(start, stop)
    chosen = index if isinstance(index, slice) else np.asarray(index)
    if not isinstance(chosen, slice):
        if chosen.size == 0:
            chosen = chosen.astype(np.intp)
        if chosen.ndim != 1 or chosen.dtype.kind not in "biu":
            raise InputError(
                f"{what} must be selected by a slice, a boolean mask or integer positions. "
                f"Got {type(index).__name__} of type {chosen.dtype}."
            )
    try:
        positions = np.arange(length)[chosen]
    except IndexError as error:
        raise InputError(
            f"{what} cannot be selected: {error}. There are {length} {what.lower()}."
        ) from None
    return compress(positions, length)


def compress(positions: NDArray[np.intp], length: int) -> Positions:
    """Integers as a slice if they are contiguous and ascending."""
    n = positions.size
    if n and positions[-1] - positions[0] == n - 1 and (n == 1 or (np.diff(positions) == 1).all()):
        start, stop = int(positions[0]), int(positions[-1]) + 1
        return ALL if (start, stop) == (0, length) else slice(start, stop)
    return positions


def compose(outer: Positions, inner: Positions, length: int) -> Positions:
    """Positions in the source of ``inner``, which are relative to ``outer``."""
    if _is_all(outer):
        return inner
    if _is_all(inner):
        return outer
    if isinstance(outer, slice) and isinstance(inner, slice):  # of step 1, within the outer one
        return slice(outer.start + inner.start, outer.start + inner.stop)
    return compress(_positions(outer, length)[inner], length)


def _is_all(positions: Positions) -> bool:
    return isinstance(positions, slice) and positions == ALL


def _positions(positions: Positions, length: int) -> NDArray[np.intp]:
    return np.arange(length)[positions] if isinstance(positions, slice) else positions


def _pick(array: NDArray[Any], samples: Positions, genes: Positions) -> NDArray[Any]:
    if isinstance(samples, slice) and not isinstance(genes, slice):
        return np.take(array[samples], genes, axis=1)
    if isinstance(samples, slice) or isinstance(genes, slice):
        return array[samples, genes]
    return array[np.ix_(samples, genes)]


def _runs(positions: NDArray[np.intp], length: int) -> list[NDArray[np.intp]]:
    """Indices into positions, sorted by position, in groups that span at most `length`."""
    if not positions.size:
        return []
    order = np.argsort(positions, kind="stable")
    ascending = positions[order]
    starts = [0]
    while (ascending[-1] - ascending[starts[-1]]) >= length:
        starts.append(int(np.searchsorted(ascending, ascending[starts[-1]] + length)))
    return np.split(order, starts[1:])
