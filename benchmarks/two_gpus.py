"""A network on one and on two NVIDIA GPUs: the same bits, and how much faster.

    python benchmarks/two_gpus.py
    python benchmarks/two_gpus.py --cpu --genes 300 --regulators 20 --samples 100 --resamples 8

Resamples are computed by Dask workers, each of which sees one GPU (``client="gpus"`` uses all).
Each number of workers infers a small network first, so that kernels are compiled. Printed: the
time of each run, whether the networks are bit-identical, and the ratio of the times. ``--cpu``
uses workers without a GPU, to try the script.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from typing import Any

import numpy as np
import pandas as pd
from distributed import Client, LocalCluster

import pysces
from pysces import _seeds
from pysces.dispatch.cluster import gpu_cluster, visible_gpus


def expression(n_samples: int, n_genes: int) -> pd.DataFrame:
    """Counts of genes that follow 30 hidden programmes."""
    rng = _seeds.generator(0, "two gpus")
    programme = rng.integers(0, 30, n_genes)
    activity = rng.normal(size=(n_samples, 30))
    counts = rng.poisson(np.exp(0.7 * activity[:, programme] + rng.normal(0, 0.7, n_genes)))
    return pd.DataFrame(counts.astype(np.float64), columns=[f"gene{i}" for i in range(n_genes)])


def main() -> None:
    """Print times, equality and the ratio."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--genes", type=int, default=20_000)
    parser.add_argument("--regulators", type=int, default=1_800)
    parser.add_argument("--samples", type=int, default=1_000)
    parser.add_argument("--resamples", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--workers", type=int, nargs=2, default=[1, 2])
    parser.add_argument("--cpu", action="store_true", help="workers without a GPU")
    given = parser.parse_args()
    pysces.settings.verbosity = "silent"
    data = expression(given.samples, given.genes)
    regulators = list(data.columns[: given.regulators])
    engine = "numba" if given.cpu else "mlx"

    def infer(client: Any, resamples: int) -> pysces.Network:
        return pysces.infer_network(
            data, regulators, n_resamples=resamples, client=client, engine=engine
        )

    seconds, networks = [], []
    for workers in given.workers:
        if given.cpu:
            cluster = LocalCluster(workers, threads_per_worker=1, dashboard_address=None)
        else:
            cluster = gpu_cluster(visible_gpus()[:workers])
        with cluster, Client(cluster) as client:
            client.wait_for_workers(workers)
            infer(client, 2 * workers)
            times = []
            for _ in range(given.repeats):
                start = time.perf_counter()
                network = infer(client, given.resamples)
                times.append(time.perf_counter() - start)
        seconds.append(statistics.median(times))
        networks.append(network.to_dataframe())
        listed = " ".join(f"{one:.2f}" for one in times)
        print(f"{workers} worker(s): median {seconds[-1]:.2f} s of {listed}; {len(network)} edges")
    same = networks[0].equals(networks[1])
    print(f"bit-identical: {same}; {seconds[0] / seconds[1]:.2f} times as fast")
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
