"""`benchmarks/guard.py` reports a workflow that does more work, and no other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"

# In another process, since the guard restricts its own to one thread.
SCRIPT = """
import json
import guard

def call():
    return sum(i * i for i in range(400_000))

found = guard.measured({"same": call, "again": call, "more": guard.planted(call)})
usual = {"same": found["same"], "again": found["same"], "more": found["same"]}
found["more"] /= 2
print(json.dumps(sorted(guard.slower(found, usual, guard.LIMIT))))
before = json.loads(guard.BASELINES.read_text())
assert set(before["calibration"]) == set(guard.WORKFLOWS), "run the guard with --update"
assert set(before["python"]) == {name for name, one in guard.WORKFLOWS.items() if one.python}
"""


@pytest.mark.skipif(not BENCHMARKS.is_dir(), reason="benchmarks/ is not part of the wheel")
def test_a_planted_loss_is_reported_and_nothing_else() -> None:
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, capture_output=True, text=True, cwd=BENCHMARKS)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == '["more"]'
