"""Compute units of work on a Dask cluster, and return the results in order.

Only the public futures interface of Dask is used: ``scatter``, ``submit``, ``result``. Data that
all units share is sent to each worker once. A unit depends only on its number: if a worker dies,
its units are recomputed elsewhere with the same results.
"""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from pysces.dispatch.engines import choose, use_engine
from pysces.errors import InputError, PyscesError
from pysces.settings import EngineName, settings

if TYPE_CHECKING:
    from distributed import Client

Result = TypeVar("Result", covariant=True)
Item = TypeVar("Item", contravariant=True)


@contextlib.contextmanager
def connected(client: Client | str | None) -> Iterator[Client | None]:
    """The client to use: a given one, a temporary one for ``"local"`` or ``"gpus"``, or None."""
    if client is None:
        yield None
        return
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise PyscesError(
            f"client= requires dask.distributed ({error}). Install it with: "
            "pip install 'pysces-grn[dask]'."
        ) from error
    if isinstance(client, Client):
        if client.status != "running":
            raise InputError(
                f"The Dask client of client= is {client.status}. Create a new `Client` first."
            )
        with _lost(client):
            yield client
        return
    if not isinstance(client, str) or client not in ("local", "gpus"):
        raise InputError(
            f"client= must be a dask.distributed.Client, 'local' or 'gpus'. Got {client!r}."
        )
    try:
        if client == "gpus":
            cluster = gpu_cluster(visible_gpus())
        else:
            cluster = LocalCluster(dashboard_address=None)
    except RuntimeError as error:
        raise PyscesError(
            f"The workers of client={client!r} could not start ({error}). In a script, put the "
            'calls under `if __name__ == "__main__":`, since each worker imports the script.'
        ) from error
    with cluster, Client(cluster) as own, _lost(own):
        yield own


def visible_gpus() -> list[str]:
    """The NVIDIA GPUs of this machine, as entries of ``CUDA_VISIBLE_DEVICES``.

    Raises
    ------
    InputError
        If there is none.
    """
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None:
        try:
            listed = subprocess.run(
                ["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=True
            ).stdout
        except (OSError, subprocess.CalledProcessError):
            listed = ""
        found = [line for line in listed.splitlines() if line.startswith("GPU ")]
        gpus = [str(number) for number in range(len(found))]
    else:
        gpus = [name.strip() for name in chosen.split(",") if name.strip()]
    if not gpus:
        raise InputError(
            "client='gpus' needs NVIDIA GPUs, and `nvidia-smi --list-gpus` or CUDA_VISIBLE_DEVICES "
            "names none. Use client='local', or no client."
        )
    return gpus


def gpu_cluster(gpus: Sequence[str]) -> Any:
    """A Dask cluster on this machine with one worker for each GPU, which sees no other GPU."""
    from distributed import Nanny, Scheduler, SpecCluster

    worker: dict[str, Any] = {"nthreads": 1, "memory_limit": 0, "dashboard": False}
    return SpecCluster(
        workers={
            # The variable is set before the worker imports MLX
            number: {"cls": Nanny, "options": {**worker, "env": {"CUDA_VISIBLE_DEVICES": gpu}}}
            for number, gpu in enumerate(gpus)
        },
        scheduler={"cls": Scheduler, "options": {"dashboard": False, "host": "127.0.0.1"}},
        silence_logs=logging.WARNING,
    )


@contextlib.contextmanager
def _lost(client: Client) -> Iterator[None]:
    """Errors of Dask itself, or after the client has lost its cluster, as errors of the package."""
    try:
        yield
    except PyscesError:
        raise
    except Exception as error:
        of_dask = type(error).__module__.partition(".")[0] in ("distributed", "dask", "tornado")
        if not of_dask and client.status == "running":
            raise
        reason = " ".join(str(error).split())[:200] or "no reason given"
        raise PyscesError(
            f"The Dask cluster of client= failed ({type(error).__name__}: {reason}; the client is "
            f"{client.status}). Look at the logs of the workers: most often they ran out of "
            "memory. Run again with a new client; with checkpoint=, finished resamples are kept."
        ) from error


class Divisible(Protocol[Item, Result]):
    """Work divided into items, each of which can be divided into parts."""

    def __call__(self, item: Item, /) -> Result:
        """Compute one item."""

    def parts(self, count: int, /) -> list[slice]:
        """The parts of an item, at most `count`."""

    def part(self, item: Item, part: slice, /) -> Any:
        """Compute one part of an item."""

    def join(self, parts: list[Any], /) -> Result:
        """Combine the parts of an item."""


def in_order(
    client: Client | None,
    work: Divisible[Any, Result],
    items: Iterable[Any],
    total: int,
) -> Iterator[Result]:
    """Yield ``work(item)`` for each item, in the order of the items.

    Parameters
    ----------
    client
        Cluster; None computes the items in this process, in order.
    work
        Picklable; it is sent once to each worker. If fewer items are left than there are worker
        threads, items are divided into parts.
    items
        Items to compute; few of them are taken ahead of the results.
    total
        Number of items.
    """
    if client is None:
        yield from map(work, items)
        return
    if not total:
        return
    shared = client.scatter(work, broadcast=True)
    waiting: deque[Any] = deque()
    try:
        for done, item in enumerate(items):
            threads = max(1, sum(client.nthreads().values()))  # workers come and go
            parts = work.parts(-(-threads // (total - done)))
            waiting.append(_submitted(client, shared, item, parts))
            # Keep all workers busy; with more items in flight, results would accumulate.
            if len(waiting) * len(parts) >= 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        # Nothing is left after the last result; a generator that is abandoned may be closed
        # after the cluster has shut down.
        if waiting and client.status == "running":
            client.cancel(list(waiting))


def _submitted(client: Client, shared: Any, item: Any, parts: list[slice]) -> Any:
    """The future of one item, computed as a whole or combined from parts by a worker."""
    here = (choose().name, settings.memory, settings.threads)
    how: dict[str, Any] = {"pure": False, "retries": 3}
    if len(parts) == 1:
        return client.submit(_on_worker, here, "__call__", shared, item, **how)
    done = [client.submit(_on_worker, here, "part", shared, item, part, **how) for part in parts]
    return client.submit(_on_worker, here, "join", shared, done, **how)


def _on_worker(
    here: tuple[EngineName, int, int | None], step: str, work: Divisible[Any, Any], *arguments: Any
) -> Any:
    """Compute one unit; the engine is passed by name, since context variables are not sent."""
    engine, settings.memory, settings.threads = here
    with use_engine(engine):
        return getattr(work, step)(*arguments)
