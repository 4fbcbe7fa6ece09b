"""Damaged files and odd command lines: every failure must be an error of the package.

    python benchmarks/trust/fuzz.py [--minutes 10] [--first 0]

A case is a kind and a seed, so that each can be made again. Cases run in child processes with a
limit of memory (2 GB more than a fresh process maps) and of time (20 s), since libraries may loop
or allocate without end. `stopped` counts cases that the time limit ended, `ended` crashes of the
process, `foreign` the errors of others. Only h5ad and zarr files may stop or end it, by the
libraries that read them.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import gzip
import importlib.util
import io
import json
import os
import random
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

TEXT = {
    "n.tsv": b"source\ttarget\tmi\tmor\nMYC\tMAX\t0.5\t1\nMYC\tNCL\t0.25\t-0.5\n",
    "n.csv": b'"","regulator","target","log.p.values"\n"1","MYC","MAX",-2.5\n"2","A","B",-1\n',
    "n.adj": b"> note\nMYC\tMAX\t0.5\tNCL\t0.25\n",
    "n.gmt": b"MYC(+)\tx\tMAX\tNCL\nMYC(-)\tx\tA\n",
    "n.graphml": b'<graphml><graph edgedefault="directed"><node id="a"/>'
    b'<edge source="a" target="a"/></graph></graphml>',
    "x.tsv": b"gene\ts1\ts2\nNA\t1\t0.1\n007\t-3\tNA\n",
    "r.txt": b"TF\nMYC # why\n",
}
RDS = (  # a regulon as R's saveRDS(compress = FALSE) writes it
    "WAoAAAACAAQCAgACAwAAAAITAAAAAQAAAhMAAAACAAACDgAAAAI/4AAAAAAAAL/wAAAAAAAAAAAEAgAAAAEABAAJ"
    "AAAABW5hbWVzAAAAEAAAAAIABAAJAAAAAUIABAAJAAAAAUMAAAD+AAAADgAAAAI/0AAAAAAAAD/wAAAAAAAAAAAE"
    "AgAAAAEABAAJAAAABW5hbWVzAAAAEAAAAAIABAAJAAAABnRmbW9kZQAEAAkAAAAKbGlrZWxpaG9vZAAAAP4AAAQC"
    "AAAAAQAEAAkAAAAFbmFtZXMAAAAQAAAAAQAEAAkAAAABQQAABAIAAAABAAQACQAAAAVjbGFzcwAAABAAAAABAAQA"
    "CQAAAAdyZWd1bG9uAAAA/g=="
)
KINDS = (*TEXT, "n.tsv.gz", "n.parquet", "n.rds", "x.h5ad", "x.zarr", "checkpoint", "command")
PIECES = (b"\t", b",", b"\n", b'"', b"#", b">", b"\x00", b"\xff", b"\xff\xfe", b"nan", b"1e999")
PIECES += (b"source", b"9" * 30, b"(((", b"[" * 2000, b"\x1f\x8b", b"{", b"}", b"-1", b"/", b"\\")
WORDS = (
    "aracne",
    "viper",
    "msviper",
    "status",
    "report",
    "--help",
    "x.tsv",
    "n.tsv",
    "-r",
    "r.txt",
)
WORDS += ("-o", "out.tsv", "--alpha", "nan", "-1", "--seed", "1e9", "--layer", "X", "--n-null")
WORDS += ("1000", "--resampling", "none", "--engine", "python", "--estimator", "-", "", "\u2028")
LIMIT_S, MEMORY = 20.0, 2 << 30
LIBRARIES = ("x.h5ad", "x.zarr")  # HDF5 may loop, and codecs of zarr end the process


def damaged(content: bytes, rng: random.Random) -> bytes:
    """The content with a few pieces or bits replaced, or cut short."""
    data = bytearray(content)
    for _ in range(rng.choice([0, 1, 1, 2, 4])):
        at = rng.randrange(len(data) + 1)
        if rng.random() < 0.5 and data:
            data[min(at, len(data) - 1)] ^= 1 << rng.randrange(8)
        else:
            piece = rng.choice(PIECES)
            data[at : at + rng.choice([0, 1, len(piece)])] = piece
    if rng.random() < 0.3:
        del data[rng.randrange(len(data) + 1) :]
    return bytes(data)


def prepare(folder: Path) -> None:
    """Write the sound files that are damaged."""
    import anndata
    import numpy as np
    import pandas as pd

    import pysces

    warnings.simplefilter("ignore")
    for name, content in TEXT.items():
        (folder / name).write_bytes(content)
    (folder / "n.tsv.gz").write_bytes(gzip.compress(TEXT["n.tsv"]))
    if importlib.util.find_spec("pyarrow"):
        pysces.read_network(folder / "n.tsv").write(folder / "n.parquet")
    if importlib.util.find_spec("rdata"):
        (folder / "n.rds").write_bytes(base64.b64decode(RDS))
    rng = np.random.default_rng(0)
    names = [f"g{i}" for i in range(20)]
    values = rng.normal(size=(40, 20))
    values[:, 5:] += values[:, [0]]
    cells = anndata.AnnData(
        values, obs=pd.DataFrame(index=[f"c{i}" for i in range(40)]), var=pd.DataFrame(index=names)
    )
    cells.write_h5ad(folder / "x.h5ad")
    cells.write_zarr(folder / "x.zarr")
    run_checkpointed(folder / "checkpoint")


def run_checkpointed(folder: Path) -> str:
    """A small run with a checkpoint; its network as text."""
    import numpy as np

    import pysces

    values = np.random.default_rng(0).normal(size=(40, 20))
    values[:, 5:] += values[:, [0]]
    genes = [f"g{i}" for i in range(20)]
    network = pysces.infer_network(
        values, ["g0", "g1"], genes=genes, n_resamples=4, n_null=1000, n_decoys=50,
        alpha=0.5, checkpoint=folder,
    )  # fmt: skip
    return network.to_dataframe().to_csv()


def attempt(kind: str, seed: int, sound: Path, folder: Path) -> str:
    """Damage and read one file: 'read', 'refused', or the error of somebody else."""
    import pysces
    from pysces.data.regulators import resolve_regulators

    rng = random.Random(f"{kind} {seed}")
    path = folder / kind
    if kind == "command":
        return _command([rng.choice(WORDS) for _ in range(rng.randrange(8))], sound, folder)
    if (sound / kind).is_dir():
        shutil.copytree(sound / kind, path)
        files = sorted(p for p in path.rglob("*") if p.is_file())
        one = rng.choice(files)
        one.write_bytes(damaged(one.read_bytes(), rng))
    else:
        path.write_bytes(damaged((sound / kind).read_bytes(), rng))
    try:
        if kind == "checkpoint":
            if run_checkpointed(path) != (sound / "network.csv").read_text():
                return "foreign: another network"
        elif kind.startswith("x"):
            pysces.read_expression(path)
        elif kind == "r.txt":
            resolve_regulators(path, ["MYC"])
        else:
            pysces.read_network(path)
    except pysces.PyscesError:
        return "refused"
    except BaseException as error:
        return f"foreign: {type(error).__name__}: {error}"[:300]
    return "read"


def _command(arguments: list[str], sound: Path, folder: Path) -> str:
    from pysces.cli import main

    for name in ("x.tsv", "n.tsv", "r.txt"):
        shutil.copy(sound / name, folder)
    os.chdir(folder)
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            status = main(arguments)
    except SystemExit as error:
        status = error.code
    except BaseException as error:
        return f"foreign: {arguments} {type(error).__name__}: {error}"[:300]
    return "read" if status == 0 else "refused"


def worker(sound: Path, scratch: Path) -> None:
    """Answer cases from standard input, one line each."""
    import resource

    os.environ |= {"NUMBA_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    import anndata  # noqa: F401

    import pysces
    import pysces.cli

    warnings.simplefilter("ignore")
    pysces.settings.engine = "python"
    pysces.settings.verbosity = "silent"
    if not (sound / "network.csv").exists():
        (sound / "network.csv").write_text(run_checkpointed(sound / "checkpoint"))
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + MEMORY, mapped + MEMORY))
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    for line in sys.stdin:
        kind, seed = json.loads(line)
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            outcome = attempt(kind, seed, sound, Path(folder))
            os.chdir(scratch)
        print(json.dumps(outcome), file=answers, flush=True)


class Worker:
    """A child process that is started again when a case ends it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.process = folder, None

    def ask(self, kind: str, seed: int) -> str:
        """The outcome of one case."""
        if self.process is None:
            given = [sys.executable, __file__, "--worker", str(self.folder)]
            self.process = subprocess.Popen(
                given, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
            self.process.stdin.write(b'["r.txt", 0]\n')  # imports do not count
            self.process.stdin.flush()
            self.process.stdout.readline()
        self.process.stdin.write(json.dumps([kind, seed]).encode() + b"\n")
        self.process.stdin.flush()
        with selectors.DefaultSelector() as waiting:
            waiting.register(self.process.stdout, selectors.EVENT_READ)
            answer = self.process.stdout.readline() if waiting.select(LIMIT_S) else None
        if answer:
            return json.loads(answer)
        self.close()
        return "stopped" if answer is None else "ended"

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None


def fuzz(seconds: float, first: int = 0) -> dict[str, object]:
    """Cases of all kinds in turn, until the time is over: counts, and those that went wrong."""
    outcomes = {kind: Counter() for kind in KINDS}
    wrong: list[list[object]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "sound").mkdir()
        prepare(folder / "sound")
        child, seed, start = Worker(folder), first, time.monotonic()
        try:
            while time.monotonic() - start < seconds:
                for kind in KINDS:
                    if kind != "command" and not (folder / "sound" / kind).exists():
                        continue
                    outcome = child.ask(kind, seed)
                    outcomes[kind][outcome.partition(":")[0]] += 1
                    fine = outcome in ("read", "refused")
                    if not fine and not (outcome in ("stopped", "ended") and kind in LIBRARIES):
                        wrong.append([kind, seed, outcome])
                seed += 1
        finally:
            child.close()
    return {
        "seconds": round(seconds),
        "seeds": [first, seed],
        "cases": sum(sum(counts.values()) for counts in outcomes.values()),
        "outcomes": {kind: dict(counts) for kind, counts in outcomes.items()},
        "wrong": wrong,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        worker(Path(given.worker) / "sound", Path(given.worker))
        return 0
    from results import save

    found = fuzz(60 * given.minutes, given.first)
    save("fuzz", found)
    print(json.dumps(found, indent=1))
    return len(found["wrong"]) > 0


if __name__ == "__main__":
    raise SystemExit(main())
