"""Resamples on disk: interrupted work goes on where it stopped, to the same bit.

A folder holds ``fingerprint.json`` (what the resamples depend on) and one file for each resample,
written whole or not at all. Edges are stored as they are before pruning and testing, so other
values of ``alpha``, ``correction``, ``consensus`` or ``dpi`` reuse them.
"""

from __future__ import annotations

import json
import logging
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pysces.aracne.pairs import Edges
from pysces.aracne.resample import Resampler, ResampleResult
from pysces.atomic import atomic_write
from pysces.errors import InputError

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

log = logging.getLogger("pysces")

FORMAT = 2


class Checkpoint:
    """A folder of finished resamples.

    Parameters
    ----------
    folder
        Made if it isn't there.
    fingerprint
        Everything that the mutual information of a resample depends on.

    Raises
    ------
    InputError
        If the folder holds resamples of other data or parameters; the items are named.
    """

    def __init__(self, folder: str | os.PathLike[str], fingerprint: Mapping[str, Any]) -> None:
        self.folder = Path(folder)
        if self.folder.exists() and not self.folder.is_dir():
            raise InputError(f"checkpoint={str(folder)!r} is a file. Pass the path of a folder.")
        self.folder.mkdir(parents=True, exist_ok=True)
        self._claim({"format": FORMAT, **fingerprint})

    def _claim(self, fingerprint: dict[str, Any]) -> None:
        path = self.folder / "fingerprint.json"
        wanted = json.loads(json.dumps(fingerprint))
        if not path.exists():
            if any(self.folder.iterdir()):
                strangers = ", ".join(sorted(p.name for p in self.folder.iterdir())[:5])
                raise InputError(
                    f"{self.folder} isn't empty and isn't a checkpoint (it holds {strangers}). "
                    "Pass a new or an empty folder."
                )
            atomic_write(path, json.dumps(wanted, indent=1).encode())
            return
        try:
            found = json.loads(path.read_text())
        except ValueError as error:
            raise InputError(
                f"{path} can't be read ({error}). Delete the folder to start anew."
            ) from error
        differing = [
            f"{name} (stored {found.get(name)!r}, now {wanted.get(name)!r})"
            for name in sorted(set(found) | set(wanted))
            if found.get(name) != wanted.get(name)
        ]
        if differing:
            raise InputError(
                f"{self.folder} holds resamples of another run: {'; '.join(differing)}. "
                "Pass another folder, or delete this one."
            )

    def _path(self, resample: int) -> Path:
        return self.folder / f"resample-{resample:05d}.npz"

    def write(self, resample: int, result: ResampleResult, resampler: Resampler) -> None:
        """Store one resample; a reader sees all of it or nothing."""
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
            ),
        )

    def read(self, resample: int, resampler: Resampler) -> ResampleResult | None:
        """A stored resample, pruned as wanted; None if absent, damaged or with too few decoys."""
        path = self._path(resample)
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                edges = Edges(stored["row"], stored["gene"], stored["mi"])
                kept, largest = stored["kept"], int(stored["largest"])
                pruning, n_rows = str(stored["pruning"]), int(stored["n_rows"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            log.warning("%s is damaged (%s) and is computed anew", path, error)
            return None
        if n_rows < resampler.candidates.n_rows:
            return None  # fewer decoys than this run wants
        wanted = edges.row < resampler.candidates.n_rows  # more decoys do no harm
        edges, kept = edges.take(wanted), kept[wanted]
        if pruning == _pruning(resampler):
            return ResampleResult(edges, kept, largest)
        return resampler.pruned(edges, largest)

    def finished(self) -> set[int]:
        """Numbers of the resamples that are there."""
        numbers = (path.stem.rpartition("-")[2] for path in self.folder.glob("resample-*.npz"))
        return {int(number) for number in numbers if number.isdigit()}


def _pruning(resampler: Resampler) -> str:
    return f"{resampler.dpi} {resampler.dpi_tolerance!r}"
