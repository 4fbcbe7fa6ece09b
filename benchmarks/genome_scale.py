"""A network of a whole genome: time, memory, and what a checkpoint saves.

    python benchmarks/genome_scale.py [--resamples 100]

20,000 genes, 1,800 regulators, 200 samples; 8,000 genes follow 40 hidden programmes. Printed: time
and peak memory of a run with the defaults, then of the same run with another alpha and without
pruning, which reuse the mutual information of the checkpoint.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
import warnings
from typing import Any

import numpy as np

import pysces
from pysces import seeds

N_SAMPLES, N_GENES, N_REGULATORS = 200, 20_000, 1_800
N_PROGRAMMES, N_FOLLOWERS = 40, 8_000


def expression() -> np.ndarray:
    """Samples x genes, float32."""
    rng = seeds.generator(0, "genome scale")
    values = rng.normal(size=(N_SAMPLES, N_GENES)).astype(np.float32)
    programmes = rng.normal(size=(N_SAMPLES, N_PROGRAMMES)).astype(np.float32)
    values[:, :N_FOLLOWERS] += 0.7 * programmes[:, rng.integers(0, N_PROGRAMMES, N_FOLLOWERS)]
    return values


def main() -> None:
    """Print times and memory."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--resamples", type=int, default=100)
    given = parser.parse_args()
    pysces.settings.verbosity = "silent"
    values = expression()
    genes = [f"gene{i}" for i in range(N_GENES)]
    regulators = genes[:: N_GENES // N_REGULATORS][:N_REGULATORS]

    def run(title: str, **options: Any) -> None:
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", pysces.PyscesWarning)
            network = pysces.infer_network(
                values, regulators, genes=genes, n_resamples=given.resamples, **options
            )
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        seconds = time.perf_counter() - start
        print(f"{title}: {seconds:.1f} s, {len(network)} edges, peak {peak:.0f} MB", flush=True)

    run("defaults")
    with tempfile.TemporaryDirectory() as folder:
        run("with a checkpoint", checkpoint=folder)
        run("another alpha, from the checkpoint", checkpoint=folder, alpha=0.01)
        run("no pruning, from the checkpoint", checkpoint=folder, dpi=False)


if __name__ == "__main__":
    main()
