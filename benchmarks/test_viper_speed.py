"""How fast aREA is against other programs, on the same data, with one thread each.

``pip install 'pysces-grn[bench]'``, then
``OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 pytest benchmarks/test_viper_speed.py --benchmark-enable``.
Peers that aren't installed are skipped. ``test_speed_and_memory`` compares within one run, each
program in a process of its own, and fails below the promise: at least 8 times faster and at most a
quarter of the peak memory beyond the input.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pysces.benchmarking.inputs import signature_and_network
from pysces.benchmarking.measure import process_peak_bytes
from pysces.benchmarking.peers import ONE_THREAD
from pysces.benchmarking.programs import TASKS

SMALL = (1_000, 5_000, 200, 100)
LARGE = (10_000, 8_000, 500, 100)
PROGRAMS = {program.name: program for program in TASKS[0].programs}


def installed(name: str) -> bool:
    return PROGRAMS[name].version() is not None


def simulated(shape: tuple[int, ...]):
    """A signature (cells x genes) and a network of equal regulons."""
    return signature_and_network(*shape)


@pytest.mark.parametrize("name", PROGRAMS)
def test_area(benchmark, name: str) -> None:
    if not installed(name):
        pytest.skip(f"{name} isn't installed")
    signature, edges = simulated(SMALL)
    few = (signature.iloc[:20], edges)
    right = PROGRAMS["PySCES"].run(few)
    PROGRAMS[name].run(few)  # compiles
    found = benchmark.pedantic(PROGRAMS[name].run, ((signature, edges),), rounds=3)
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
    peers = [name for name in PROGRAMS if name != "PySCES" and installed(name)]
    if not peers:
        pytest.skip("no peer is installed")
    own = measured("PySCES", shape)
    for name in peers:
        peer = measured(name, shape)
        record_property(name, {"ours": own, "peer": peer})
        print(f"{name} {shape}: {peer['seconds'] / own['seconds']:.1f} x; ours {own}, peer {peer}")
        assert peer["seconds"] > 8 * own["seconds"]
        assert own["bytes"] < peer["bytes"] / 4
        np.testing.assert_allclose(own["first"], peer["first"], atol=1e-8)


def main(name: str, shape: tuple[int, ...]) -> None:
    import time

    signature, edges = simulated(shape)
    PROGRAMS[name].run((signature.iloc[:20], edges))  # compiles
    seconds, first = [], []

    def timed() -> None:
        begin = time.perf_counter()
        found = PROGRAMS[name].run((signature, edges))
        seconds.append(time.perf_counter() - begin)
        first.append(found[0, 0])

    peak = process_peak_bytes(timed)
    timed()
    facts = {"seconds": min(seconds), "bytes": peak, "first": first[0]}
    print(json.dumps(facts))


if __name__ == "__main__":
    main(sys.argv[1], tuple(map(int, sys.argv[2:])))
