"""The same units of work on a Dask cluster, gathered in order.

Only the small public futures interface of Dask is used: ``scatter``, ``submit``, ``result``. What
all units share travels to each worker once. A unit depends on its number alone, so a worker that
dies changes nothing but time: its units are computed again elsewhere.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from pysces.dispatch.engines import choose, use_engine
from pysces.errors import InputError, PyscesError
from pysces.settings import settings

if TYPE_CHECKING:
    from distributed import Client

R = TypeVar("R")


@contextlib.contextmanager
def connected(client: Client | str | None) -> Iterator[Client | None]:
    """The cluster to work on: a client as it is, ``"local"`` for one made here, or None."""
    if client is None:
        yield None
        return
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise PyscesError(
            f"client= needs dask.distributed ({error}). Install it with: "
            "pip install 'pysces-grn[dask]'."
        ) from error
    if isinstance(client, Client):
        yield client
        return
    if client != "local":
        raise InputError(f"client= must be a dask.distributed.Client or 'local'. Got {client!r}.")
    try:
        cluster = LocalCluster(dashboard_address=None)
    except RuntimeError as error:
        raise PyscesError(
            f"The workers of client='local' could not start ({error}). In a script, put the calls "
            'under `if __name__ == "__main__":`, since each worker imports the script.'
        ) from error
    with cluster, Client(cluster) as own:
        yield own


def in_order(
    client: Client | None, function: Callable[[int], R], items: Iterable[int]
) -> Iterator[R]:
    """``function(item)`` for each item, in the order of the items.

    Parameters
    ----------
    client
        Cluster; None computes here, one after the other.
    function
        A picklable function; it travels once to each worker.
    items
        What to compute.
    """
    if client is None:
        yield from map(function, items)
        return
    engine, memory, threads = choose().name, settings.memory, settings.threads
    shared = client.scatter(function, broadcast=True)
    # As many units in flight as keep all workers busy, so that results don't pile up here.
    ahead = 2 * max(1, sum(client.nthreads().values()))
    waiting: deque[Any] = deque()
    try:
        for item in items:
            waiting.append(
                client.submit(
                    _on_worker, shared, item, engine, memory, threads, pure=False, retries=3
                )
            )
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        # Nothing is left after the last result; a generator that is dropped early may be closed
        # when the cluster is gone already.
        if waiting and client.status == "running":
            client.cancel(list(waiting))


def _on_worker(
    function: Callable[[int], R], item: int, engine: str, memory: int, threads: int | None
) -> R:
    """One unit, with the engine by name: neither a ContextVar nor settings cross processes."""
    settings.memory = memory
    settings.threads = threads
    with use_engine(engine):
        return function(item)
