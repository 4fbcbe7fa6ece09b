"""Shared by all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

os.environ.setdefault("PYSCES_ENGINE", "")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Null distributions go to a folder of this run of the tests, shared by its tests.

    Tables of an earlier run would hide a changed simulation. ``PYSCES_TESTS_CACHE_DIR`` names a
    folder that several steps of one check share.
    """
    folder = os.environ.get("PYSCES_TESTS_CACHE_DIR")
    if folder is None:
        base = tmp_path_factory.getbasetemp()
        # Of pytest-xdist each worker has a folder of its own within that of the run
        folder = str((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "cache")
    monkeypatch.setenv("PYSCES_CACHE_DIR", folder)


@pytest.fixture(autouse=True)
def _same_verbosity() -> Iterator[None]:
    """What a test says or silences ends with it."""
    from pysces.settings import settings

    before = settings.verbosity
    yield
    settings.verbosity = before


@pytest.fixture
def fast() -> None:
    """Skips where only the Python engine could do the work, in hours."""
    import pysces

    if pysces.status().chosen == "python":
        pytest.skip("simulates millions of pairs: needs a compiled engine")
