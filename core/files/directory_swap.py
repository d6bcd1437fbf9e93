"""Replacing a directory by another so that a reader always finds one of them whole, and reading what may be replaced meanwhile."""

import ctypes
import errno
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ..errors import CheckFailed

T = TypeVar("T")
# How often something is read that is replaced each time.
MOST_ATTEMPTS = 10
# linux/fcntl.h and linux/fs.h.
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
# Name of what was moved aside, within the directory it was moved to.
_ASIDE = "was"


def remove_leftovers(folder: Path) -> None:
    """Remove what a killed process of `atomic_dir` left in `folder`; what it had moved aside and not yet replaced goes back."""
    for path in folder.glob(".*.old-*-*"):
        target = folder / path.name[1:].rsplit(".old-", 1)[0]
        if _is_abandoned(path, ".old-"):
            if not target.exists() and (path / _ASIDE).is_dir():
                (path / _ASIDE).rename(target)
            shutil.rmtree(path, ignore_errors=True)
    for path in folder.glob(".*.partial-*-*"):
        if _is_abandoned(path, ".partial-"):
            shutil.rmtree(path, ignore_errors=True)


def _is_abandoned(path: Path, mark: str) -> bool:
    owner = path.name.rsplit(mark, 1)[1].split("-")[0]
    return owner.isdecimal() and not Path(f"/proc/{owner}").exists()


def swap(new: Path, target: Path) -> None:
    """Give `new` the name of `target`, and remove what had it. On Linux `target` exists at every moment.

    Where the system or the file system cannot exchange two names, the old one is moved aside first. Between those two renames
    there is no `target`; `remove_leftovers` repairs that when a process was killed there.
    """
    try:
        new.rename(target)  # takes the place of nothing, or of an empty directory
        return
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
    if exchange(new, target):
        shutil.rmtree(new, ignore_errors=True)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{target.name}.old-{os.getpid()}-", dir=target.parent))
    target.rename(old / _ASIDE)
    new.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def exchange(a: Path, b: Path) -> bool:
    """Exchange two names at once: renameat2(2) with RENAME_EXCHANGE. False where the system does not offer it.

    Raises:
        OSError: the exchange failed.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "renameat2"):  # glibc since 2.28
        return False
    if libc.renameat2(_AT_FDCWD, os.fsencode(a), _AT_FDCWD, os.fsencode(b), _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
        return False
    raise OSError(code, os.strerror(code), str(b))


def sync_tree(folder: Path) -> None:
    """Wait until every file and directory below `folder` is on disk, itself included."""
    for path in [*sorted(folder.rglob("*")), folder]:
        sync(path)


def sync(path: Path) -> None:
    """Wait until a file, or a directory's own entries, are on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def while_unchanged(path: Path, work: Callable[[], T]) -> T:
    """The result of `work`, which reads a directory or file that another process may replace meanwhile.

    It is then done again, so that a result never mixes two versions.

    Raises:
        CheckFailed: replaced in each of `MOST_ATTEMPTS` attempts (INPUT_CHANGED).
    """
    for _ in range(MOST_ATTEMPTS):
        before = identity(path)
        try:
            found = work()
        except Exception:
            if identity(path) == before:
                raise
            continue
        if identity(path) == before:
            return found
    raise CheckFailed(
        f"{path}: replaced during each of {MOST_ATTEMPTS} attempts to read it; stop whatever replaces it, and try again",
        code="INPUT_CHANGED",
    )


def identity(path: Path) -> tuple[int, ...] | None:
    """What differs once another directory or file has the name: a rename changes ctime, even where an inode is reused."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_ctime_ns
