"""Shared by all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

# One cache for a run of the tests, never the user's own.
os.environ.setdefault("PYSCES_ENGINE", "")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Null distributions go to a folder of the test run, shared by its tests."""
    if "PYSCES_CACHE_DIR" not in os.environ:
        folder = tmp_path_factory.getbasetemp().parent / "pysces-cache"
        monkeypatch.setenv("PYSCES_CACHE_DIR", str(folder))


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
