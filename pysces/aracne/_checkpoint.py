"""Resamples on disk: an interrupted run resumes, with bit-identical results.

A folder holds ``fingerprint.json`` (what the resamples depend on) and one file per resample,
written atomically, with the digest of the fingerprint; what it holds is checked when it is read.
Edges are stored before pruning and testing,
so runs with other values of ``alpha``, ``correction``, ``consensus`` or ``dpi`` reuse them.
"""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pysces._atomic import atomic_create, atomic_write, remove_abandoned
from pysces.aracne._candidates import Edges
from pysces.aracne._null import UNREACHABLE
from pysces.aracne._resampling import Resampler, ResampleResult
from pysces.errors import InputError, PyscesError

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from numpy.typing import NDArray

log = logging.getLogger("pysces")

FORMAT = 3


class _Stored(NamedTuple):
    """The content of a resample file."""

    edges: Edges
    kept: NDArray[np.bool_]
    largest: int
    n_rows: int
    pruning: str


class Checkpoint:
    """A folder of finished resamples.

    Parameters
    ----------
    folder
        Created if it does not exist.
    fingerprint
        Everything that the mutual information of a resample depends on.

    Raises
    ------
    InputError
        If the folder cannot be used, or holds resamples of other data or parameters; the message
        names the items that differ.
    """

    def __init__(self, folder: str | os.PathLike[str], fingerprint: Mapping[str, Any]) -> None:
        self.folder = Path(folder)
        if self.folder.exists() and not self.folder.is_dir():
            raise InputError(f"checkpoint={str(folder)!r} is a file. Pass the path of a folder.")
        text = json.dumps({"format": FORMAT, **fingerprint}, indent=1)
        self._run = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._claim(text)
        except OSError as error:
            raise InputError(
                f"checkpoint={str(folder)!r} cannot be used ({error}). Pass the path of a folder "
                "that can be written to."
            ) from error

    def _claim(self, text: str) -> None:
        """Write the fingerprint to an empty folder, or check that the stored one is the same."""
        path = self.folder / "fingerprint.json"
        if not path.exists():
            names = sorted(p.name for p in self.folder.iterdir() if p.suffix != ".tmp")
            if names:
                raise InputError(
                    f"{self.folder} is not empty and is not a checkpoint (it holds "
                    f"{', '.join(names[:5])}). Pass a new or an empty folder."
                )
            atomic_create(path, text.encode())  # unless another process was faster
        try:
            found, wanted = json.loads(path.read_text()), json.loads(text)
            names = sorted(set(found) | set(wanted))
            differing = [name for name in names if found.get(name) != wanted.get(name)]
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise InputError(
                f"{path} cannot be read ({error}). Delete the folder to start again."
            ) from error
        if differing:
            items = (f"{n} (stored {found.get(n)!r}, now {wanted.get(n)!r})" for n in differing)
            raise InputError(
                f"{self.folder} holds resamples of another run: {'; '.join(items)}. "
                "Pass another folder, or delete this one."
            )
        remove_abandoned(self.folder, ".fingerprint.json.", ".resample-")

    def _path(self, resample: int) -> Path:
        return self.folder / f"resample-{resample:05d}.npz"

    def write(self, resample: int, result: ResampleResult, resampler: Resampler) -> None:
        """Store one resample atomically."""
        atomic_write(
            self._path(resample),
            lambda file: np.savez(
                file,
                row=result.edges.row,
                gene=result.edges.gene,
                mi=result.edges.mi,
                kept=result.kept,
                largest=np.int64(result.largest),
                n_rows=np.int64(resampler.candidates.n_rows),
                pruning=np.array(_pruning(resampler)),
                run=np.array(self._run),
                resample=np.int64(resample),
            ),
        )

    def holds(self, resample: int, resampler: Resampler) -> bool:
        """Whether a resample is stored, readable, of this run and has enough decoys."""
        stored = self._load(resample, resampler)
        return stored is not None and stored.n_rows >= resampler.candidates.n_rows

    def read(self, resample: int, resampler: Resampler) -> ResampleResult:
        """Read a stored resample, with the pruning of `resampler`."""
        stored = self._load(resample, resampler)
        if stored is None:
            raise PyscesError(
                f"{self._path(resample)} was changed while it was in use. Run again, and let "
                "nothing else write to that folder."
            )
        wanted = stored.edges.row < resampler.candidates.n_rows  # the file may have more decoys
        edges = stored.edges.take(wanted)
        if stored.pruning == _pruning(resampler):
            return ResampleResult(edges, stored.kept[wanted], stored.largest)
        return resampler.pruned(edges, stored.largest)

    def _load(self, resample: int, resampler: Resampler) -> _Stored | None:
        """The content of a file; None if it is missing, corrupt or of another run."""
        path = self._path(resample)
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                if (str(stored["run"]), int(stored["resample"])) != (self._run, resample):
                    log.warning("%s belongs to another run; recomputing", path)
                    return None
                found = _Stored(
                    Edges(stored["row"], stored["gene"], stored["mi"]),
                    stored["kept"],
                    int(stored["largest"]),
                    int(stored["n_rows"]),
                    str(stored["pruning"]),
                )
            _check(found, resampler, resample)
            return found
        except FileNotFoundError:
            return None
        except Exception as error:  # NumPy raises various exceptions for corrupt files
            log.warning("%s is corrupt (%s); recomputing", path, error)
            return None


def _check(stored: _Stored, resampler: Resampler, resample: int) -> None:
    """Raise ValueError unless these can be the edges of a resample."""
    candidates, edges = resampler.candidates, stored.edges
    row, gene, mi = edges.row, edges.gene, edges.mi
    arrays: list[tuple[str, NDArray[Any], str]] = [
        ("row", row, "int32"),
        ("gene", gene, "int32"),
        ("mi", mi, "int64"),
        ("kept", stored.kept, "bool"),
    ]
    for name, array, dtype in arrays:
        if array.dtype != dtype or array.shape != (len(mi),):
            raise ValueError(f"{name} has shape {array.shape} of type {array.dtype}")
    threshold = max(1, resampler.thresholds[resampler.resampling.size(resample)])
    ranges: list[tuple[str, NDArray[Any], int, int]] = [
        ("row", row, 0, stored.n_rows - 1),
        ("gene", gene, 0, candidates.n_genes - 1),
        ("mi", mi, threshold, UNREACHABLE),
        ("largest", np.append(mi[row < candidates.n_regulators], 0), 0, stored.largest),
    ]
    for name, array, low, high in ranges:
        if len(array) and (array.min() < low or array.max() > high):
            raise ValueError(f"{name} is not in [{low}, {high}]")
    pairs = row.astype(np.int64) * candidates.n_genes + gene
    if len(np.unique(pairs)) < len(pairs):
        raise ValueError("pairs occur more than once")


def _pruning(resampler: Resampler) -> str:
    return f"{resampler.dpi} {resampler.dpi_tolerance!r}"
