"""Run resamples in order: in this process or on a cluster, or read from a checkpoint."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pysces.aracne._checkpoint import Checkpoint
from pysces.dispatch.blocks import progress
from pysces.dispatch.cluster import connected, in_order

if TYPE_CHECKING:
    import os

    from pysces.aracne._options import AracneOptions
    from pysces.aracne._resampling import Resampler, ResampleResult


@dataclass(frozen=True)
class Runner:
    """Where resamples are computed and stored.

    Attributes
    ----------
    checkpoint
        Folder of finished resamples, or None.
    client
        Dask client, ``"local"``, or None for this process.
    """

    checkpoint: str | os.PathLike[str] | None = None
    client: Any = None

    def of_group(self, group: str) -> Runner:
        """A runner with its own checkpoint folder, whose name encodes any characters."""
        if self.checkpoint is None:
            return self
        plain = "".join(c if c.isalnum() else "_" for c in group)[:40]
        digest = hashlib.blake2b(group.encode(), digest_size=4).hexdigest()
        return replace(self, checkpoint=Path(self.checkpoint) / f"{plain}-{digest}")

    def results(
        self, resampler: Resampler, options: AracneOptions
    ) -> Generator[ResampleResult, None, None]:
        """Yield resamples in order; those in the checkpoint are not recomputed."""
        wanted = range(options.most_resamples)
        store = None
        if self.checkpoint is not None:
            store = Checkpoint(self.checkpoint, _fingerprint(resampler, options))
        missing = [r for r in wanted if store is None or not store.holds(r, resampler)]
        absent = set(missing)
        batches = resampler.batches(missing)
        with connected(self.client) as client:
            work = resampler if client is None else resampler.portable()
            computed = in_order(client, work, batches, len(batches))
            waiting: Iterator[ResampleResult] = iter(())
            for resample in progress(wanted, "resamples", total=len(wanted), unit="resample"):
                if resample not in absent:
                    assert store is not None
                    yield store.read(resample, resampler)
                    continue
                result = next(waiting, None)
                if result is None:
                    results = next(computed)
                    if store is not None:
                        first = missing.index(resample)
                        for number, done in zip(missing[first:], results, strict=False):
                            store.write(number, done, resampler)
                    waiting = iter(results)
                    result = next(waiting)
                yield result


def _fingerprint(resampler: Resampler, options: AracneOptions) -> dict[str, Any]:
    """Everything that the mutual information of a resample depends on."""
    candidates = resampler.candidates
    names = candidates.expression.genes[candidates.regulators]
    estimator = candidates.estimator.with_samples(resampler.resampling.size())
    return {
        "data": candidates.digest,
        "strata": candidates.strata_digest,
        "regulators": hashlib.blake2b("\0".join(names).encode(), digest_size=16).hexdigest(),
        "n_regulators": candidates.n_regulators,
        "measure": estimator.name,
        "ties": estimator.ties,
        "resampling": options.resampling,
        "resample_pvalue": options.pvalue_of_resample(candidates.n_pairs),
        "thresholds": {str(n): value for n, value in sorted(resampler.thresholds.items())},
        "n_null": options.n_null,
        "seed": options.seed,
    }
