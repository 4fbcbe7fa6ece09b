"""How fast aREA is against other programs, on the same data, with one thread each.

``pip install 'pysces-grn[bench]'``, then
``OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 pytest benchmarks/test_viper_speed.py --benchmark-enable``.
Peers that aren't installed are skipped. ``test_speed_and_memory`` compares within one run, each
program in a process of its own, and fails below the promise: at least 8 times faster and at most a
quarter of the peak memory beyond the input.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

SMALL = (1_000, 5_000, 200, 100)
LARGE = (10_000, 8_000, 500, 100)
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)
ONE_THREAD["NUMBA_THREADING_LAYER"] = "workqueue"


def simulated(cells: int, genes: int, regulators: int, targets: int):
    """A signature (cells x genes) and a network of equal regulons."""
    rng = np.random.default_rng(0)
    names = np.array([f"G{k:05d}" for k in range(genes)])
    values = rng.normal(size=(cells, genes))
    signature = pd.DataFrame(values, index=[f"c{k}" for k in range(cells)], columns=names)
    edges = pd.DataFrame(
        {
            "source": np.repeat([f"R{k}" for k in range(regulators)], targets),
            "target": np.concatenate(
                [rng.choice(names, targets, replace=False) for _ in range(regulators)]
            ),
            "weight": rng.uniform(-1, 1, regulators * targets),
        }
    )
    return signature, edges


def ours(signature: pd.DataFrame, edges: pd.DataFrame) -> np.ndarray:
    import pysces

    pysces.settings.threads = 1
    return pysces.enrich(signature, edges, filter_genes=False, engine="numba").to_numpy()


def decoupler(signature: pd.DataFrame, edges: pd.DataFrame) -> np.ndarray:
    import decoupler as dc

    found = dc.mt.viper(signature, edges, pleiotropy=False, tmin=1, verbose=False)[0]
    return found[edges["source"].unique()].to_numpy()


def pyviper(signature: pd.DataFrame, edges: pd.DataFrame) -> np.ndarray:
    import anndata as ad
    import pyviper as pv

    table = edges.rename(columns={"source": "regulator", "weight": "mor"}).assign(likelihood=1.0)
    network = pv.Interactome("network", table[["regulator", "target", "mor", "likelihood"]])
    found = pv.viper(
        gex_data=ad.AnnData(signature), interactome=network, enrichment="area", njobs=1,
        eset_filter=False, min_targets=1, verbose=False, return_as_df=True,
    )  # fmt: skip
    return found[edges["source"].unique()].to_numpy()


PROGRAMS = {"pysces": ours, "decoupler": decoupler, "pyviper": pyviper}


def installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


@pytest.mark.parametrize("name", PROGRAMS)
def test_area(benchmark, name: str) -> None:
    if not installed(name):
        pytest.skip(f"{name} isn't installed")
    signature, edges = simulated(*SMALL)
    right = ours(signature.iloc[:20], edges)
    PROGRAMS[name](signature.iloc[:20], edges)  # compiles
    found = benchmark.pedantic(PROGRAMS[name], (signature, edges), rounds=3)
    np.testing.assert_allclose(found[:20], right, atol=1e-8)


def measured(name: str, shape: tuple[int, ...]) -> dict[str, float]:
    """Seconds (best of two) and peak bytes beyond the input, in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, name, *map(str, shape)],
        capture_output=True, text=True, check=False,
        env=os.environ | ONE_THREAD | {"PYTHONPATH": str(Path(__file__).resolve().parents[1])},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("shape", [SMALL, LARGE], ids=["small", "large"])
def test_speed_and_memory(shape: tuple[int, ...], record_property) -> None:
    peers = [name for name in PROGRAMS if name != "pysces" and installed(name)]
    if not peers:
        pytest.skip("no peer is installed")
    own = measured("pysces", shape)
    for name in peers:
        peer = measured(name, shape)
        record_property(name, {"ours": own, "peer": peer})
        print(f"{name} {shape}: {peer['seconds'] / own['seconds']:.1f} x; ours {own}, peer {peer}")
        assert peer["seconds"] > 8 * own["seconds"]
        assert own["bytes"] < peer["bytes"] / 4
        np.testing.assert_allclose(own["first"], peer["first"], atol=1e-8)


def main(name: str, shape: tuple[int, ...]) -> None:
    import resource
    import time

    signature, edges = simulated(*shape)
    PROGRAMS[name](signature.iloc[:20], edges)  # compiles
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = []
    for _ in range(2):
        begin = time.perf_counter()
        found = PROGRAMS[name](signature, edges)
        seconds.append(time.perf_counter() - begin)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    facts = {"seconds": min(seconds), "bytes": (peak - before) * 1024, "first": found[0, 0]}
    print(json.dumps(facts))


if __name__ == "__main__":
    main(sys.argv[1], tuple(map(int, sys.argv[2:])))
