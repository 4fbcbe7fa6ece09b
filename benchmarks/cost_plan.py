"""Wall time of 100 resamples by samples and workers, from constants measured on one core.

    python benchmarks/cost_plan.py

Workers have two cores and scale perfectly. With more workers than resamples a resample's genes are
shared out; each part then ranks its own genes and all regulators and decoys.
"""

from __future__ import annotations

from pysces.aracne._options import AracneOptions
from pysces.aracne._resampling import Resampling

# Seconds, of one core of a small virtual machine
ADAPTIVE_PAIR = 85e-9  # at 640 samples; grows in proportion
BINNED_PAIR_AND_SAMPLE = 0.39e-9  # ten bins
VALUE = {"adaptive": 30e-9, "binned": 40e-9}  # ranks, or bins
CORES = 2

SIZES = ((20_000, 1_800), (2_000, 200))
SAMPLES = (1_000, 10_000, 100_000, 1_000_000)
WORKERS = (1, 10, 100, 1_000)


def seconds(samples: int, genes: int, regulators: int, workers: int, resamples: int = 100) -> float:
    """Wall time of a run."""
    estimator = "adaptive" if samples <= 1_000 else "binned"
    n = Resampling("subsample", samples, 0).size()
    rows = regulators + AracneOptions().decoys(regulators)
    pair = ADAPTIVE_PAIR * n / 640 if estimator == "adaptive" else BINNED_PAIR_AND_SAMPLE * n
    parts = max(1, workers // resamples)
    part = rows * genes / parts * pair + (rows + genes / parts) * n * VALUE[estimator]
    return part * -(-resamples * parts // workers) / CORES


def readable(time: float) -> str:
    """One number with its unit."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if time >= 1.5 * size:
            return f"{time / size:.1f} {unit}" if time < 10 * size else f"{time / size:.0f} {unit}"
    return f"{time:.1f} s" if time < 10 else f"{time:.0f} s"


def main() -> None:
    """Print the table of docs/scaling.md."""
    print("| samples | genes x regulators | " + " | ".join(f"{w:,}" for w in WORKERS) + " |")
    for samples in SAMPLES:
        for genes, regulators in SIZES:
            times = (readable(seconds(samples, genes, regulators, w)) for w in WORKERS)
            print(f"| {samples:,} | {genes:,} x {regulators:,} | " + " | ".join(times) + " |")


if __name__ == "__main__":
    main()
