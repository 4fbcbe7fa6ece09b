"""A network of a whole genome: time, memory, and what a checkpoint saves.

    python benchmarks/genome_scale.py [--resamples 100] [--samples 200 1000]
        [--estimators copula adaptive] [--engines numba mlx] [--repeats 5] [--no-checkpoint]

20,000 genes, 1,800 regulators; 8,000 genes follow 40 hidden programmes. Printed, for each number of
samples, estimator and engine: the median time of a run, with the null distribution at hand, the
time of the first run, the number of edges, a digest of the network (alike on every engine) and the
peak memory of the process. Then the time of a run with a checkpoint, and of the same run with
another alpha and without pruning, which reuse its mutual information.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import statistics
import tempfile
import time
import warnings
from typing import Any

import numpy as np

import pysces
from pysces import _seeds

N_GENES, N_REGULATORS = 20_000, 1_800
N_PROGRAMMES, N_FOLLOWERS = 40, 8_000


def expression(n_samples: int) -> np.ndarray:
    """Samples x genes, float32."""
    rng = _seeds.generator(0, "genome scale")
    values = rng.normal(size=(n_samples, N_GENES)).astype(np.float32)
    programmes = rng.normal(size=(n_samples, N_PROGRAMMES)).astype(np.float32)
    values[:, :N_FOLLOWERS] += 0.7 * programmes[:, rng.integers(0, N_PROGRAMMES, N_FOLLOWERS)]
    return values


def main() -> None:
    """Print times and memory."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--resamples", type=int, default=100)
    parser.add_argument("--samples", type=int, nargs="+", default=[200])
    parser.add_argument("--estimators", nargs="+", default=["copula"])
    parser.add_argument("--engines", nargs="+", default=[None])
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--no-checkpoint", action="store_true")
    given = parser.parse_args()
    pysces.settings.verbosity = "silent"
    genes = [f"gene{i}" for i in range(N_GENES)]
    regulators = genes[:: N_GENES // N_REGULATORS][:N_REGULATORS]

    def run(values: np.ndarray, **options: Any) -> tuple[float, pysces.Network]:
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", pysces.PyscesWarning)
            network = pysces.infer_network(
                values, regulators, genes=genes, n_resamples=given.resamples, **options
            )
        return time.perf_counter() - start, network

    for n_samples in given.samples:
        values = expression(n_samples)
        for estimator in given.estimators:
            for engine in given.engines:
                how = {"estimator": estimator, "engine": engine}
                first, network = run(values, **how)
                times = [run(values, **how)[0] for _ in range(given.repeats)]
                table = network.to_dataframe().to_csv(index=False)
                digest = hashlib.blake2b(table.encode(), digest_size=4).hexdigest()
                peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
                used = network.record.engine
                print(
                    f"{n_samples} samples, {estimator}, {used['name']} ({used['device']}): "
                    f"median {statistics.median(times):.2f} s "
                    f"of {len(times)} (least {min(times):.2f}, first {first:.1f}), "
                    f"{len(network)} edges, digest {digest}, peak {peak:.0f} MB",
                    flush=True,
                )
        if not given.no_checkpoint:
            with tempfile.TemporaryDirectory() as folder:
                for title, options in (
                    ("with a checkpoint", {}),
                    ("another alpha, from the checkpoint", {"alpha": 0.01}),
                    ("no pruning, from the checkpoint", {"dpi": False}),
                ):
                    seconds, network = run(values, checkpoint=folder, **options)
                    print(f"{title}: {seconds:.1f} s, {len(network)} edges", flush=True)


if __name__ == "__main__":
    main()
