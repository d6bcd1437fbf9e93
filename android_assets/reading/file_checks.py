"""Whether a folder holds exactly the files of a manifest, byte for byte."""

import hashlib
import os
import stat
from pathlib import Path

from ...core.errors import CheckFailed
from ..format.manifest import MANIFEST, SIGNATURE, BundledFile, Manifest


def read_plain(path: Path, most: int) -> bytes | None:
    """Bytes of a regular file, at most `most` + 1; None where there is none. Links are not followed, pipes not waited for."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        return None
    with os.fdopen(handle, "rb") as stream:
        return stream.read(most + 1)


def check_files(folder: Path, manifest: Manifest) -> None:
    """Check that a folder holds the files of a manifest and nothing else.

    Raises:
        CheckFailed: it does not (FILE_MISSING, FILE_UNDECLARED, FILE_SIZE, FILE_HASH, IO), with the file's name.
    """
    paths = [row.path for row in manifest.files]
    parents = {path[:at] for path in paths for at, sign in enumerate(path) if sign == "/"}
    outside = {MANIFEST} if manifest.signature is None else {MANIFEST, SIGNATURE}
    _check_tree(folder, "", {*paths, *outside}, parents)
    for row in manifest.files:
        try:
            _check_file(folder, row)
        except FileNotFoundError:
            raise CheckFailed(f"{row.path}: missing", code="FILE_MISSING") from None
        except OSError as error:
            raise CheckFailed(f"{row.path}: cannot be read ({error.strerror})", code="IO") from None


def _check_tree(folder: Path, prefix: str, files: set[str], parents: set[str]) -> None:
    with os.scandir(folder / prefix) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        name = prefix + entry.name
        mode = entry.stat(follow_symlinks=False).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise undeclared(name, "a link or device, not a file")
        if name not in (parents if stat.S_ISDIR(mode) else files):
            raise undeclared(name, "not declared in the manifest")
        if stat.S_ISDIR(mode):
            _check_tree(folder, f"{name}/", files, parents)


def undeclared(name: str, reason: str) -> CheckFailed:
    """The error for what may not be among the files."""
    return CheckFailed(f"{shown(name)}: {reason}", code="FILE_UNDECLARED")


def shown(name: str) -> str:
    """A file's name for a message, its control characters escaped."""
    return name if name.isascii() and name.isprintable() else ascii(name)


def _check_file(folder: Path, row: BundledFile) -> None:
    """Hash a file that was listed before: still a regular one, and no more of it read than declared."""
    handle = os.open(folder / row.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        os.close(handle)
        raise undeclared(row.path, "a link or device, not a file")
    with os.fdopen(handle, "rb") as stream:
        if status.st_size != row.bytes:
            raise CheckFailed(f"{row.path}: {status.st_size} bytes, the manifest says {row.bytes}", code="FILE_SIZE")
        if hashlib.file_digest(stream, "sha256").hexdigest() != row.sha256:
            raise CheckFailed(f"{row.path}: sha256 differs from the manifest's", code="FILE_HASH")
