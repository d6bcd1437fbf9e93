"""Writing files and directories whole, or not at all."""

import contextlib
import io
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from ..errors import InputError
from .directory_swap import remove_leftovers, swap


def require_empty(path: Path, what: str = "--out") -> None:
    """Refuse an output directory that is not empty.

    Raises:
        InputError: `path` is a file, or a directory that is not empty.
    """
    if path.is_file():
        raise InputError(
            what,
            expected="a directory to create",
            given=f"the file {path}",
            do="name another place",
            code="OUTPUT_EXISTS",
        )
    if path.is_dir():
        remove_leftovers(path)
    if path.is_dir() and any(path.iterdir()):
        raise InputError(
            what,
            expected="a new or empty directory",
            given=f"{path}, which is not empty",
            do="remove it or name another",
            code="OUTPUT_EXISTS",
        )


@contextlib.contextmanager
def atomic_dir(target: Path) -> Iterator[Path]:
    """Yield a temporary sibling of `target` that takes its name only when the block succeeds.

    An existing `target` is replaced whole; after an exception it is unchanged, and nothing else is left behind.

    Raises:
        InputError: `target` cannot be written.
    """
    target = target.resolve() if target.is_symlink() else target
    made_parent = not target.parent.exists()
    with _writable(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(target.parent)
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.partial-{os.getpid()}-", dir=target.parent))
        temporary.chmod(0o755)
    try:
        yield temporary
        with _writable(target):
            swap(temporary, target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        if made_parent:
            with contextlib.suppress(OSError):
                target.parent.rmdir()
        raise


@contextlib.contextmanager
def _writable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(
            "output",
            expected="a place that can be written",
            given=f"{path} ({error.strerror})",
            do="name another place",
            code="OUTPUT_UNWRITABLE",
        ) from error


@contextlib.contextmanager
def write_via(path: Path) -> Iterator[IO[bytes]]:
    """Yield a stream to a temporary file in the folder of `path`, renamed into place when the block succeeds.

    Raises:
        InputError: `path` cannot be written.
    """
    with _writable(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "w+b") as stream:
                yield stream
            Path(name).chmod(0o644)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file under a temporary name in its own folder, then rename it into place.

    Raises:
        InputError: `path` cannot be written.
    """
    with write_via(path) as stream:
        stream.write(data)


def write_npz(path: Path, **arrays: np.ndarray) -> None:
    """Write arrays as an uncompressed .npz; the same arrays give the same bytes. Atomic."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    write_bytes(path, buffer.getvalue())
