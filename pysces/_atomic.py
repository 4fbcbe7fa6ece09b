"""Write files atomically, with errors of the package if the system refuses."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
import uuid
from pathlib import Path
from typing import IO, TYPE_CHECKING

from pysces.errors import InputError, PyscesError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_DAY = 86_400.0


def check_writable(path: str | os.PathLike[str]) -> Path:
    """Check that a file can be written to a path, before its content is computed.

    Raises
    ------
    InputError
        If its folder does not exist or is not writable, or the path is a folder itself.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{str(path)!r} is a folder. Give the name of a file in it.")
    if not path.parent.is_dir():
        raise InputError(
            f"There is no folder {str(path.parent)!r}. Create it first, or write elsewhere."
        )
    if _is_device(path):
        return path
    folder = Path(os.path.realpath(path)).parent
    if not os.access(folder, os.W_OK):
        raise InputError(f"The folder {str(folder)!r} cannot be written to. Write elsewhere.")
    return path


@contextlib.contextmanager
def storing(path: str | os.PathLike[str]) -> Iterator[None]:
    """Context for writers: errors of the operating system become errors of the package."""
    try:
        yield
    except BrokenPipeError:  # the reader of a pipe has ended, which is no failure
        raise
    except (OSError, RuntimeError) as error:  # h5py raises RuntimeError, too
        code, text = getattr(error, "errno", None), str(error)
        words = getattr(error, "strerror", None) or " ".join(text.split())[:200]
        if code in _FULL or any(os.strerror(full) in text for full in _FULL):
            raise PyscesError(
                f"{os.fspath(path)} cannot be written, since the disk or the quota is full "
                f"({words}). Free some space, or write elsewhere. An earlier file is unchanged."
            ) from error
        if isinstance(error, RuntimeError):
            raise
        raise InputError(
            f"{os.fspath(path)} cannot be written ({words}). Check the permissions of the folder, "
            "or write elsewhere. An earlier file is unchanged."
        ) from error


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A new file beside a path, for libraries that write to a path.

    It replaces the path at the end of the ``with`` block, and is removed after an error.
    """
    path = check_writable(path)
    with storing(path):
        if _is_device(path):
            yield path
            return
        final = Path(os.path.realpath(path))
        with _temporary(final, locked=False) as file:
            file.close()
            yield Path(file.name)
            with open(file.name, "rb+") as written:
                os.fsync(written.fileno())
            os.replace(file.name, final)


def atomic_write(
    path: str | os.PathLike[str], content: bytes | Callable[[IO[bytes]], object]
) -> None:
    """Write a file so that readers see the old or the new content, even after a crash.

    An existing file keeps its permissions, and a link its place. Temporary files of the same path
    that processes left when they were killed are removed.

    Parameters
    ----------
    path
        The file, or a device or pipe, such as ``/dev/stdout``.
    content
        Its bytes, or a function that writes to an open binary file.

    Raises
    ------
    InputError
        If the file cannot be written.
    PyscesError
        If the disk is full.
    """
    path = check_writable(path)
    write = content if callable(content) else lambda file: file.write(content)
    with storing(path):
        if _is_device(path):
            with path.open("wb") as device:
                write(device)
            return
        final = Path(os.path.realpath(path))
        remove_abandoned(final.parent, _prefix(final))
        with _temporary(final) as file:
            write(file)
            _sync(file)
            if fcntl is None:
                file.close()  # Windows cannot rename open files
            os.replace(file.name, final)


def atomic_create(path: str | os.PathLike[str], content: bytes) -> bool:
    """Write a file unless it exists; if several processes try at once, one succeeds.

    Returns
    -------
    Whether this process wrote it.
    """
    path = Path(path)
    with storing(path), _temporary(path) as file:
        file.write(content)
        _sync(file)
        try:
            os.link(file.name, path)  # fails if the file exists, unlike os.replace
        except FileExistsError:
            return False
        except OSError:  # a file system without links
            with contextlib.suppress(FileExistsError), path.open("xb") as direct:
                direct.write(content)
                return True
            return False
    return True


def remove_abandoned(folder: Path, *prefixes: str) -> None:
    """Remove temporary files of processes that were killed while they wrote.

    A process locks its temporary file, and the lock ends with the process. Files that cannot be
    locked (on some network file systems, and those that libraries write) are removed after a day.
    """
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(prefixes) and entry.name.endswith((".tmp", ".part")):
                with contextlib.suppress(OSError):
                    if _is_abandoned(Path(entry.path)):
                        os.unlink(entry.path)


def _is_abandoned(path: Path) -> bool:
    if path.suffix == ".tmp" and fcntl is not None:
        with path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                return False
            except OSError:
                pass  # a file system without locks
    return time.time() - path.stat().st_mtime > _DAY


def _is_device(path: Path) -> bool:
    """Whether a path is a device or a pipe, which is written to and never replaced."""
    return path.exists() and not path.is_file()


def _prefix(path: Path) -> str:
    return f".{path.name[:50]}."  # names of files have at most 255 bytes


@contextlib.contextmanager
def _temporary(path: Path, *, locked: bool = True) -> Iterator[IO[bytes]]:
    """A new file beside a path, with its permissions; removed at the end unless it was renamed."""
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else None
    private = 0o666 if mode is None else 0o600
    while True:
        name = path.with_name(f"{_prefix(path)}{uuid.uuid4().hex}.{'tmp' if locked else 'part'}")
        file = open(name, "xb", opener=lambda n, flags: os.open(n, flags, private))  # noqa: SIM115
        try:
            if locked and fcntl is not None:
                with contextlib.suppress(OSError):  # a file system without locks
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if not name.exists():  # another process removed it before it was locked
                    file.close()
                    continue
            if mode is not None:
                os.chmod(name, mode)
            yield file
        finally:
            with contextlib.suppress(OSError):
                file.close()  # flushes, so it may fail on a full disk a second time
            with contextlib.suppress(OSError):
                os.unlink(name)
        return


def _sync(file: IO[bytes]) -> None:
    """Ensure that the content is on the disk before the name of the file is."""
    file.flush()
    os.fsync(file.fileno())
