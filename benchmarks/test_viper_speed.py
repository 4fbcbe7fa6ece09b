"""How fast aREA is against other programs, on the same data, with one thread each.

``pip install 'pysces-grn[bench]'``, then
``OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 pytest benchmarks/test_viper_speed.py --benchmark-enable``.
Peers that are not installed are skipped. ``test_speed_and_memory`` compares within one run, each
program in a process of its own, and fails below the promise: at least 8 times faster and at most a
quarter of the peak memory beyond the input.
"""

from __future__ import annotations

import numpy as np
import pytest
from speed.inputs import signature_and_network
from speed.peers import ONE_THREAD, TASKS, Worker, first_call, next_call

SMALL = (1_000, 5_000, 200, 100)
LARGE = (10_000, 8_000, 500, 100)
PROGRAMS = {program.name: program for program in TASKS[0].programs}


def installed(name: str) -> bool:
    return PROGRAMS[name].version() is not None


@pytest.mark.parametrize("name", PROGRAMS)
def test_area(benchmark, name: str) -> None:
    if not installed(name):
        pytest.skip(f"{name} is not installed")
    signature, edges = signature_and_network(*SMALL)
    few = (signature.iloc[:20], edges)
    right = PROGRAMS["PySCES"].run(few)
    PROGRAMS[name].run(few)  # compiles
    found = benchmark.pedantic(PROGRAMS[name].run, ((signature, edges),), rounds=3)
    np.testing.assert_allclose(found[:20], right, atol=1e-8)


def measured(name: str, shape: tuple[int, ...]) -> dict[str, float]:
    """Seconds (best of two) and peak bytes beyond the input, in a process of its own."""
    worker = Worker(ONE_THREAD)
    try:
        program, small = PROGRAMS[name], (20, *shape[1:])
        first = worker.call(first_call, program, signature_and_network, shape, small)
        seconds = min(first.seconds, worker.call(next_call, program))
    finally:
        worker.close()
    return {"seconds": seconds, "bytes": first.bytes, "first": first.scores[0, 0]}


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
