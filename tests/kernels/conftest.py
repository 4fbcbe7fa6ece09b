"""The ARACNe kernels called directly, and data to call them on."""

from __future__ import annotations

import importlib

import numpy as np
import pytest


class Engine:
    """Kernels of one engine that take and give NumPy arrays."""

    def __init__(self, name):
        self.name = name
        if name == "mlx":
            self.mx = pytest.importorskip("mlx.core", reason="MLX is not installed")

    def __call__(self, kernel, *arguments):
        file, function = kernel.split(".")
        run = getattr(importlib.import_module(f"pysces.kernels.{self.name}.{file}"), function)
        if self.name != "mlx":
            return run(*arguments)
        return np.array(run(*(self._to_mlx(a) for a in arguments)))

    def _to_mlx(self, value):
        if not isinstance(value, np.ndarray):
            return value
        if value.dtype == np.float64:
            from pysces.dispatch.engines import order_keys

            value = order_keys(value)
        return self.mx.array(value)


@pytest.fixture(params=["python", "numba", "mlx"])
def engine(request):
    return Engine(request.param)


@pytest.fixture(scope="session")
def engine_of():
    """An engine by name."""
    return Engine


def _ranks_of(values, descending=False):
    order = np.argsort(-values if descending else values, axis=1)
    return (np.argsort(order, axis=1) + 1).astype(np.int32)


def _dependent(rng, rows, n):
    """Ranks of genes that follow one cause with little or much noise, up, down or folded."""
    cause = rng.normal(size=n)
    noise = rng.normal(size=(rows, n)) * rng.choice([0.01, 0.3, 1.0, 5.0], size=(rows, 1))
    signal = np.array([cause, -cause, cause**2])[np.arange(rows) % 3]
    return _ranks_of(signal + noise)


def _awkward(rng, n):
    values = rng.normal(size=(6, n))
    values[1] = rng.poisson(0.3, n)
    values[2] = 1 + rng.integers(0, 4, n) * 2.0**-52  # neighbours in float64
    values[3] = 0
    values[4, ::3] = np.nan
    values[5, ::2] = -values[5, ::2].round(1) + 0.0
    return values + 0.0


@pytest.fixture(scope="session")
def ranks_of():
    return _ranks_of


@pytest.fixture(scope="session")
def dependent():
    return _dependent


@pytest.fixture(scope="session")
def awkward():
    return _awkward
