"""Networks of very many cells: time and memory of the binned estimator on sparse counts.

    python benchmarks/many_cells.py [--cells 50_000] [--resamples 3]

Counts of cells whose genes follow 30 hidden programmes, about two thirds of them zero. Printed:
time of the null distribution (kept on disk afterwards), of a resample, and the peak of memory
beside the data.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
import scipy.sparse as sp

import pysces
from pysces import _seeds
from pysces.aracne._estimators import rank_estimator
from pysces.aracne._null import null_of
from pysces.aracne._resampling import Resampling

N_PROGRAMMES = 30
OPTIONS = {"estimator": "binned", "ties": "together", "miller_madow": True}


def counts(n_cells: int, n_genes: int) -> sp.csr_matrix:
    """Sparse counts, cells x genes."""
    rng = _seeds.generator(0, "many cells", n_cells)
    programme = rng.integers(0, N_PROGRAMMES, n_genes)
    level = rng.normal(-1.0, 0.7, size=n_genes)
    parts = []
    for start in range(0, n_cells, 10_000):
        activity = rng.normal(size=(min(10_000, n_cells - start), N_PROGRAMMES))
        drawn = rng.poisson(np.exp(0.5 * activity[:, programme] + level))
        parts.append(sp.csr_matrix(drawn.astype(np.float32)))
    return sp.csr_matrix(sp.vstack(parts))


def peak() -> float:
    """Largest resident memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print times and memory."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cells", type=int, default=50_000)
    parser.add_argument("--genes", type=int, default=2_000)
    parser.add_argument("--regulators", type=int, default=200)
    parser.add_argument("--resamples", type=int, default=3)
    given = parser.parse_args()
    pysces.settings.verbosity = "silent"
    data = counts(given.cells, given.genes)
    before = peak()
    print(f"{given.cells:,} cells, {1 - data.nnz / np.prod(data.shape):.0%} zeros, {before:.0f} MB")

    size = Resampling("subsample", given.cells, 0).size()
    start = time.perf_counter()
    for n in (size, given.cells):
        null_of(rank_estimator("binned", n, 10, "together", True))
    print(f"null distributions: {time.perf_counter() - start:.1f} s")

    genes = [f"gene{i}" for i in range(given.genes)]
    seconds = []
    for resamples in (1, 1 + given.resamples):
        start = time.perf_counter()
        network = pysces.infer_network(
            data, genes[: given.regulators], genes=genes, n_resamples=resamples, **OPTIONS
        )
        seconds.append(time.perf_counter() - start)
        print(f"{resamples} resamples: {seconds[-1]:.1f} s, {len(network)} edges")
    each = (seconds[1] - seconds[0]) / given.resamples
    print(f"a resample: {each:.1f} s; 100 of them: {(seconds[0] + 99 * each) / 60:.1f} min")
    print(f"peak of memory beside the data: {peak() - before:.0f} MB")


if __name__ == "__main__":
    main()
