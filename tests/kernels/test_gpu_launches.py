"""The launches of the hand-written GPU kernels, with bodies that g++ compiled in place of a GPU."""

from __future__ import annotations

import ctypes
import functools
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pysces.dispatch import operations as ops
from pysces.dispatch.contracts import EXACT
from pysces.dispatch.engines import probe

mx = pytest.importorskip("mlx.core", reason="the launches are in the MLX engine")

HEADER = """
#define POPC(v) __builtin_popcount(v)
#define CTZ(v) __builtin_ctz(v)
#define GX gx
#define GY gy
#define LONG long long
#define ADD(a, b) ((a) + (b))
#define SUB(a, b) ((a) - (b))
#define MUL(a, b) ((a) * (b))
#define FLOOR(v) __builtin_floorf(v)
#define RINT(v) __builtin_rintf(v)
"""
TYPES = {
    "int8": "signed char", "int32": "int", "uint32": "unsigned", "int64": "long long",
    "float32": "float",
}  # fmt: skip
KERNELS = (
    "adaptive_mi", "adaptive_edges", "copula_edges", "copula_pairs", "dpi", "prune_edges",
    "depth_sums", "area", "sparse_area",
)  # fmt: skip


class Emulated:
    """A kernel as `mx.fast.cuda_kernel` returns it; runs the grid a thread at a time."""

    def __init__(self, name: str, inputs: list[str], body: str, folder: Path) -> None:
        self.name, self.inputs, self.body, self.folder = name, inputs, body, folder

    def __call__(
        self,
        *,
        inputs: list[Any],
        output_shapes: list[tuple[int, ...]],
        output_dtypes: list[Any],
        grid: tuple[int, int, int],
        threadgroup: tuple[int, int, int],
        init_value: float | None = None,
    ) -> list[Any]:
        given = [np.ascontiguousarray(value) for value in inputs]
        assert len(given) == len(self.inputs)
        assert all(value.size >= 8 for value in given), "Metal treats short inputs as another kind"
        kind = str(output_dtypes[0]).rpartition(".")[2]
        out = np.full(output_shapes[0], 77 if init_value is None else init_value, dtype=kind)
        arguments = [
            f"const {TYPES[a.dtype.name]}* {n}" for a, n in zip(given, self.inputs, strict=True)
        ]
        run = self._compiled(", ".join([*arguments, f"{TYPES[kind]}* out"]))
        pointers = [value.ctypes.data_as(ctypes.c_void_p) for value in (*given, out)]
        # CUDA starts whole groups of threads, so some are past the grid.
        wide = -(-grid[0] // threadgroup[0]) * threadgroup[0]
        run(*pointers, ctypes.c_int(wide), ctypes.c_int(grid[1]))
        return [mx.array(out)]

    @functools.cache  # noqa: B019
    def _compiled(self, arguments: str) -> Any:
        number = len(list(self.folder.iterdir()))
        source, library = self.folder / f"{number}.cpp", self.folder / f"{number}.so"
        names = ", ".join(part.split()[-1].lstrip("*") for part in arguments.split(", "))
        source.write_text(
            f"{HEADER}static void thread({arguments}, unsigned gx, unsigned gy) {{{self.body}}}\n"
            f'extern "C" void run({arguments}, int wide, int high) {{'
            "for (int v = 0; v < high; ++v) for (int u = 0; u < wide; ++u)"
            f"thread({names}, u, v);}}"
        )
        flags = ["-O1", "-shared", "-fPIC", "-ffp-contract=off"]
        subprocess.run(["g++", *flags, str(source), "-o", str(library)], check=True)
        return ctypes.CDLL(str(library)).run


@pytest.fixture(scope="module")
def gpu(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The launches with emulated kernels, for the tests of this file."""
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    if isinstance(probe("mlx"), str):
        pytest.skip("MLX does not work here")
    from pysces.kernels.mlx import _gpu

    folder = tmp_path_factory.mktemp("kernels")

    @functools.cache
    def emulated(name: str) -> Emulated:
        return Emulated(name, *_gpu.KERNELS[name], folder)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_gpu, "_kernel", emulated)
        patch.setattr(_gpu, "usable", lambda operation: True)
        yield _gpu


def test_the_trials_are_passed(gpu: Any) -> None:
    for operation in gpu._TRIALS:
        assert gpu._failure(operation, "emulated") == ""


@pytest.mark.parametrize(
    ("operation", "wrong"),
    [
        ("adaptive_mi", "pysces_adaptive_mi"),
        ("adaptive_mi", "pysces_pack"),
        ("adaptive_edges", "pysces_at_least"),
        ("dpi", "pysces_max_min"),
        ("copula_edges", "pysces_copula_screen"),
        ("copula_pairs", "pysces_pair_sums"),
        ("prune_edges", "pysces_prune"),
        ("depth_sums", "pysces_excess"),
        ("depth_sums", "pysces_weighted"),
        ("area", "pysces_stored_ranks"),
        ("area", "pysces_area"),
        ("sparse_area", "pysces_stored"),
        ("sparse_area", "pysces_ranks"),
    ],
)
def test_a_trial_finds_a_wrong_kernel(
    gpu: Any, operation: str, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = gpu._kernel

    def kernel(name: str) -> Any:
        found = right(name)
        if name != wrong:
            return found
        return lambda **given: [out[::-1] for out in found(**given)]

    monkeypatch.setattr(gpu, "_kernel", kernel)
    monkeypatch.setattr(gpu, "_tried", {})
    assert operation in gpu._failure(operation, "emulated")


@pytest.mark.parametrize("name", KERNELS)
def test_launches_agree_with_the_reference(gpu: Any, name: str) -> None:
    contract = getattr(ops, name).contract
    mlx, python = probe("mlx"), probe("python")
    tried = 0
    for case in contract.cases():
        arguments = contract.bind(case.arguments)
        if sum(np.size(value) for value in arguments.values()) > 1e5:
            continue
        right = python.compute(contract, arguments)  # type: ignore[union-attr]
        found = mlx.compute(contract, arguments)  # type: ignore[union-attr]
        pairs = zip(right, found, strict=True) if isinstance(right, tuple) else [(right, found)]
        for one, two in pairs:
            if contract.agreement == EXACT:
                np.testing.assert_array_equal(two, one, err_msg=case.name)
            else:
                np.testing.assert_allclose(two, one, rtol=1e-8, atol=1e-9, err_msg=case.name)
        tried += 1
    assert tried > 3


def test_rooms_that_are_too_small_are_extended(gpu: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from pysces.kernels.mlx import copula, mi

    monkeypatch.setattr(copula, "_ROOM", 1)
    monkeypatch.setattr(mi, "_ROOM", 1)
    for name in ("copula_edges", "adaptive_edges"):
        test_launches_agree_with_the_reference(gpu, name)
