"""Write files atomically."""

from __future__ import annotations

import contextlib
import os
import tempfile
import uuid
from pathlib import Path
from typing import IO, TYPE_CHECKING

from pysces.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable


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
    if not os.access(path.parent, os.W_OK):
        raise InputError(f"The folder {str(path.parent)!r} cannot be written to. Write elsewhere.")
    return path


def atomic_create(path: str | os.PathLike[str], content: bytes) -> bool:
    """Write a file unless it exists; if several processes try at once, one succeeds.

    Returns
    -------
    Whether this process wrote it.
    """
    path = Path(path)
    own = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        atomic_write(own, content)
        os.link(own, path)  # fails if the file exists, unlike os.replace
    except FileExistsError:
        return False
    except OSError:  # a file system without links
        with contextlib.suppress(FileExistsError), path.open("xb") as file:
            file.write(content)
            return True
        return False
    finally:
        own.unlink(missing_ok=True)
    return True


def atomic_write(
    path: str | os.PathLike[str], content: bytes | Callable[[IO[bytes]], object]
) -> None:
    """Write a file so that readers see the old or the new content, even after a crash.

    Parameters
    ----------
    path
        The file.
    content
        Its bytes, or a function that writes to an open binary file.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    path = check_writable(path)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            if callable(content):
                content(file)
            else:
                file.write(content)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)  # mkstemp allows only the owner to read
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
