"""Interrupt runs and writers at random moments: nothing half-written, and the same result after it.

    python benchmarks/trust/faults.py [--minutes 10] [--first 0] [--short]

Each trial is a kind and a seed. A process is forked that runs or writes; it gets SIGKILL, SIGTERM
or SIGINT at a random moment, or has a small disk, or a twin on the same folder. Then the run is
repeated, and its result must be that of an unbroken one to the last byte. `interrupted` counts the
trials in which the process was not done when it was ended.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

os.environ |= {"NUMBA_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYSCES_CACHE_DIR": ""}

import anndata
import numpy as np
import pandas as pd

import pysces
from pysces import cli
from pysces.data.read import write_h5ad

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
KINDS = ("api", "command", "write", "two at once", "small disk")
REGULATORS = ["g0", "g1"]
OPTIONS = {"n_resamples": 60, "n_null": 1000, "n_decoys": 50, "alpha": 0.5}
COMMAND = "aracne x.tsv -r r.txt -o out.tsv -q --engine python --checkpoint c"
COMMAND += "".join(f" --{name.replace('_', '-')} {value}" for name, value in OPTIONS.items())


def data() -> pd.DataFrame:
    """Samples x genes with a few true edges."""
    values = np.random.default_rng(0).normal(size=(60, 30))
    values[:, 5:] += values[:, [0]]
    names = [f"g{i}" for i in range(30)]
    return pd.DataFrame(values, index=[f"s{i}" for i in range(60)], columns=names)


def forked(work: Callable[[], object]) -> int:
    """The process id of a child that does some work."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            # Jobs that a shell starts in the background ignore interrupts
            signal.signal(signal.SIGINT, signal.default_int_handler)
            devnull = os.open(os.devnull, os.O_WRONLY)
            os.dup2(devnull, 1)
            os.dup2(devnull, 2)
            status = int(work() or 0)
        except SystemExit as error:
            status = int(error.code or 0)
        except BaseException:
            status = 99
        finally:
            os._exit(status)
    return child


def ended(child: int, again: int = 0) -> int:
    """Its exit status; negative: the signal that ended it.

    again: a signal that is sent anew every 5 s, since Python loses an interrupt that arrives in
    a callback of a library (a file of Python that pyarrow writes to).
    """
    start = time.monotonic()
    while True:
        done, status = os.waitpid(child, os.WNOHANG if again else 0)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
        if time.monotonic() - start > 5:
            os.kill(child, again)
            start = time.monotonic()


def by_api() -> int:
    """A run with a checkpoint that writes its network."""
    network = pysces.infer_network(data(), REGULATORS, checkpoint="c", engine="python", **OPTIONS)
    network.write("out.tsv")
    return 0


def by_command() -> int:
    return cli.main(COMMAND.split())


def writers(folder: Path) -> dict[str, Callable[[bool], object]]:
    """Writers of one of two contents to the same file."""
    large = pd.DataFrame({"source": "R", "target": [f"g{i}" for i in range(3000)], "mi": 0.5})
    networks = [pysces.Network.from_dataframe(large[: 3000 - 1000 * one]) for one in (0, 1)]
    cells = [anndata.AnnData(np.full((50, 200), float(one))) for one in (0, 1)]
    found = {
        "n.tsv": lambda one: networks[one].write(folder / "n.tsv"),
        "n.tsv.gz": lambda one: networks[one].write(folder / "n.tsv.gz"),
        "x.h5ad": lambda one: write_h5ad(cells[one], folder / "x.h5ad"),
    }
    if importlib.util.find_spec("pyarrow"):
        found["n.parquet"] = lambda one: networks[one].write(folder / "n.parquet")
    return found


def readable(path: Path) -> bool:
    """Whether a file is one of the two that were written."""
    if path.suffix == ".h5ad":
        values = pysces.read_expression(path).X
        return values.shape == (50, 200) and len(np.unique(values)) == 1
    return len(pysces.read_network(path)) in (2000, 3000)


class Trials:
    """Trials in a folder; `unbroken` is the network of a run that nothing disturbs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.longest: dict[str, float] = {}
        self.unbroken: dict[str, bytes] = {}
        for kind, work in (("api", by_api), ("command", by_command)):
            self._fresh()
            start = time.monotonic()
            assert ended(forked(work)) == 0, f"{kind} does not run"
            if kind == "api":  # the first run also simulated a null distribution
                self._fresh()
                start = time.monotonic()
                assert ended(forked(work)) == 0
            self.longest[kind] = time.monotonic() - start
            self.unbroken[kind] = (folder / "out.tsv").read_bytes()

    def _fresh(self) -> None:
        os.chdir("/")
        shutil.rmtree(self.folder)
        self.folder.mkdir()
        os.chdir(self.folder)
        data().T.to_csv("x.tsv", sep="\t")
        Path("r.txt").write_text("\n".join(REGULATORS))

    def _left(self) -> list[str]:
        return sorted(p.name for p in self.folder.rglob("*") if p.suffix in (".tmp", ".part"))

    def run(self, kind: str, seed: int) -> tuple[bool, str]:
        """Whether the process was interrupted, and what went wrong ('' for nothing)."""
        rng = random.Random(f"{kind} {seed}")
        self._fresh()
        if kind in ("api", "command"):
            return self._killed(kind, by_api if kind == "api" else by_command, rng)
        return {"write": self._write, "two at once": self._two, "small disk": self._disk}[kind](rng)

    def _killed(self, kind: str, work: Callable[[], int], rng: random.Random) -> tuple[bool, str]:
        number = rng.choice(SIGNALS)
        child = forked(work)
        time.sleep(rng.uniform(0, self.longest[kind]))
        os.kill(child, number)
        status = ended(child)
        interrupted = status != 0
        out = self.folder / "out.tsv"
        if out.exists() and out.read_bytes() != self.unbroken[kind]:
            return interrupted, f"{number.name}: half a network was written"
        if number != signal.SIGKILL and kind == "command" and self._left():
            return interrupted, f"{number.name}: temporary files are left: {self._left()}"
        if ended(forked(work)) != 0 or out.read_bytes() != self.unbroken[kind]:
            return interrupted, f"{number.name}: the network of the resumed run differs"
        return interrupted, f"left: {self._left()}" if self._left() else ""

    def _write(self, rng: random.Random) -> tuple[bool, str]:
        name, writer = rng.choice(sorted(writers(self.folder).items()))

        def forever() -> int:
            while True:
                writer(False)
                writer(True)

        writer(False)
        child = forked(forever)
        time.sleep(rng.uniform(0, 0.3))
        number = rng.choice(SIGNALS)
        os.kill(child, number)
        interrupted = ended(child, number) != 0
        return interrupted, "" if readable(self.folder / name) else f"{name} is broken"

    def _two(self, rng: random.Random) -> tuple[bool, str]:
        def second() -> int:
            time.sleep(rng.uniform(0, self.longest["command"] / 2))
            return cli.main(COMMAND.replace("out.tsv", "second.tsv").split())

        statuses = [ended(child) for child in (forked(by_command), forked(second))]
        found = [(self.folder / name).read_bytes() for name in ("out.tsv", "second.tsv")]
        same = found == [self.unbroken["command"]] * 2
        return True, "" if statuses == [0, 0] and same else f"two jobs: {statuses}, {same}"

    def _disk(self, rng: random.Random) -> tuple[bool, str]:
        limit = rng.choice([0, 100, 1000, 3000, 10_000])

        def limited() -> int:
            import resource

            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            return by_command()

        status = ended(forked(limited))
        if status not in (0, 1):
            return True, f"disk of {limit} bytes: status {status}"
        if status == 1 and (self.folder / "out.tsv").exists():
            return True, f"disk of {limit} bytes: half a network was written"
        if ended(forked(by_command)) != 0:
            return True, f"disk of {limit} bytes: the next run fails"
        same = (self.folder / "out.tsv").read_bytes() == self.unbroken["command"]
        return status == 1, "" if same else f"disk of {limit} bytes: another network"


def kill_workers(seconds: float, first: int) -> dict[str, object]:
    """Kill a Dask worker at random moments of runs on a cluster of two."""
    from distributed import Client, LocalCluster

    os.chdir("/")
    trials = left = 0
    wrong: list[list[object]] = []
    options = {**OPTIONS, "n_resamples": 200}
    wanted = pysces.infer_network(data(), REGULATORS, **options).to_dataframe()
    start = time.monotonic()
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        while time.monotonic() - start < seconds:
            import threading

            rng = random.Random(f"worker {first + trials}")
            client.wait_for_workers(2)
            victim = rng.choice(sorted(client.run(os.getpid).values()))
            killed: list[bool] = []
            timer = threading.Timer(
                rng.uniform(0, 2), lambda v=victim, k=killed: (os.kill(v, 9), k.append(True))
            )
            timer.start()
            found = pysces.infer_network(data(), REGULATORS, client=client, **options)
            left += bool(killed)
            timer.cancel()
            timer.join()
            trials += 1
            if not found.to_dataframe().equals(wanted):
                wrong.append(["worker", first + trials - 1, "the network differs"])
    return {"trials": trials, "interrupted": left, "wrong": wrong}


def faults(seconds: float, first: int = 0, kinds: tuple[str, ...] = KINDS) -> dict[str, object]:
    """Trials of all kinds in turn, until the time is over and each was tried once."""
    found = {kind: {"trials": 0, "interrupted": 0} for kind in kinds}
    wrong: list[list[object]] = []
    seed, start = first, time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        pysces.settings.cache_dir = Path(name) / "cache"
        (Path(name) / "trial").mkdir()
        trials = Trials(Path(name) / "trial")
        while seed == first or time.monotonic() - start < seconds:
            for kind in kinds:
                interrupted, what = trials.run(kind, seed)
                found[kind]["trials"] += 1
                found[kind]["interrupted"] += interrupted
                if what:
                    wrong.append([kind, seed, what])
            seed += 1
        os.chdir("/")
    return {"seconds": round(time.monotonic() - start), "kinds": found, "wrong": wrong}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--short", action="store_true", help="some seconds, nothing is stored")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    pysces.settings.verbosity = "silent"
    pysces.settings.engine = "python"
    found = faults(10.0 if given.short else 48 * given.minutes, given.first)
    if not given.short:
        from results import save

        workers = kill_workers(12 * given.minutes, given.first)
        found["kinds"]["Dask worker"] = workers
        found["wrong"] += workers.pop("wrong")
        found["seconds"] = round(60 * given.minutes)
        save("faults", found)
    print(json.dumps(found))
    return len(found["wrong"]) > 0


if __name__ == "__main__":
    sys.exit(main())
