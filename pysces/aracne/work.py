"""Resamples in order: computed here or on a cluster, or read from a checkpoint."""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pysces.aracne.checkpoint import Checkpoint
from pysces.dispatch.chunks import progress
from pysces.dispatch.cluster import connected, in_order

if TYPE_CHECKING:
    import os

    from pysces.aracne.options import Options
    from pysces.aracne.resample import Resampler, ResampleResult


@dataclass(frozen=True)
class Work:
    """Where resamples are computed and kept.

    Attributes
    ----------
    checkpoint
        Folder of finished resamples, or None.
    client
        Dask client, ``"local"``, or None for this process.
    """

    checkpoint: str | os.PathLike[str] | None = None
    client: Any = None

    def results(
        self, resampler: Resampler, options: Options
    ) -> Generator[ResampleResult, None, None]:
        """Resamples in order; what the checkpoint holds isn't computed again."""
        wanted = range(options.most_resamples)
        store = None
        if self.checkpoint is not None:
            store = Checkpoint(self.checkpoint, _fingerprint(resampler, options))
        missing = [r for r in wanted if store is None or not store.holds(r, resampler)]
        absent = set(missing)
        with connected(self.client) as client:
            work = resampler if client is None else resampler.portable()
            computed = in_order(client, work, missing)
            for resample in progress(wanted, "resamples", total=len(wanted), unit="resample"):
                if store is None:
                    yield next(computed)
                elif resample in absent:
                    result = next(computed)
                    store.write(resample, result, resampler)
                    yield result
                else:
                    yield store.read(resample, resampler)


def _fingerprint(resampler: Resampler, options: Options) -> dict[str, Any]:
    """Everything that the mutual information of a resample depends on."""
    candidates = resampler.candidates
    names = candidates.expression.genes[candidates.regulators]
    return {
        "data": candidates.expression.data_hash(),
        "regulators": hashlib.blake2b("\0".join(names).encode(), digest_size=16).hexdigest(),
        "n_regulators": candidates.n_regulators,
        "measure": resampler.measure.name,
        "ties": resampler.measure.ties,
        "resampling": options.resampling,
        "resample_pvalue": options.resample_pvalue,
        "n_null": options.n_null,
        "seed": options.seed,
    }
