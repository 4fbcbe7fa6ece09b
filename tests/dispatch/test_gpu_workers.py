"""`client="gpus"`: one Dask worker per NVIDIA GPU, each of which sees no other."""

from __future__ import annotations

import os
import subprocess
from types import SimpleNamespace
from typing import Any

import pytest

from pysces.dispatch import cluster
from pysces.errors import InputError

LISTED = "GPU 0: NVIDIA H100 (UUID: GPU-1)\n  MIG 1g.10gb Device 0: (UUID: MIG-1)\nGPU 1: NVIDIA\n"


def listing(text: str | None) -> Any:
    """A stand-in for `subprocess.run` of nvidia-smi; None: the program is not installed."""

    def run(command: list[str], **_: Any) -> SimpleNamespace:
        if text is None:
            raise FileNotFoundError(command[0])
        return SimpleNamespace(stdout=text)

    return run


@pytest.mark.parametrize(
    ("chosen", "text", "expected"),
    [(None, LISTED, ["0", "1"]), ("3, GPU-7", LISTED, ["3", "GPU-7"]), ("1", None, ["1"])],
)
def test_gpus_are_those_the_process_may_use(
    chosen: str | None, text: str | None, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if chosen is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    monkeypatch.setattr(subprocess, "run", listing(text))
    assert cluster.visible_gpus() == expected


@pytest.mark.parametrize(("chosen", "text"), [(None, None), (None, ""), ("", LISTED)])
def test_no_gpu_is_an_error(
    chosen: str | None, text: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed", reason="dask.distributed is not installed")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if chosen is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    monkeypatch.setattr(subprocess, "run", listing(text))
    with pytest.raises(InputError, match="needs NVIDIA GPUs"), cluster.connected("gpus"):
        pass


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # distributed's own, when workers come and go
def test_each_worker_sees_its_gpu_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed", reason="dask.distributed is not installed")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,GPU-7")
    with cluster.connected("gpus") as client:
        assert client is not None
        client.wait_for_workers(2, timeout=60)
        seen = client.run(os.getenv, "CUDA_VISIBLE_DEVICES")
        assert sorted(seen.values()) == ["4", "GPU-7"]
        assert set(client.nthreads().values()) == {1}
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "4,GPU-7"
