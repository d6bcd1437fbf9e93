"""A bundle as a folder, from wherever it lies: a zip is checked entry by entry while it is unpacked, and leaves nothing behind."""

import contextlib
import os
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from ...core.errors import CheckFailed, InputError
from ..format.manifest import (
    MANIFEST,
    MANIFEST_LIMIT,
    MOST_FILES,
    SIGNATURE,
    SIGNATURE_BYTES,
    check_paths,
    read_manifest,
)
from ..format.zip_alignment import ALIGNMENT
from .zip_reader import STORED, Entry, blocks, is_zip, read_entries

# What is called with a manifest's bytes and the signature's (None where there is none) before anything else is unpacked.
Trust = Callable[[bytes, bytes | None], object]
_MAPPED = ("model", "candidates")


@contextlib.contextmanager
def unpacked(where: Path, trust: Trust = lambda message, signature: None) -> Iterator[Path]:
    """A folder with a bundle's files, for as long as the block lasts.

    Args:
        where: a folder, which is itself yielded, or a zip.
        trust: may refuse a zip by its manifest and signature, before anything else is unpacked.

    Raises:
        InputError: neither of them, or no room to unpack it.
        CheckFailed: a zip that is not as `pocketrec bundle --zip` writes it, or holds anything its manifest does not say.
    """
    if where.is_dir():
        yield where
        return
    with contextlib.ExitStack() as stack:
        stream = stack.enter_context(_opened(where))
        try:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pocketrec-"))) / "bundle"
            folder.mkdir()
            _unpack(stream, folder, trust)
        except OSError as error:
            raise InputError(
                "bundle", expected="room to unpack it", given=error.strerror or error, do="set TMPDIR to another place"
            ) from error
        yield folder


@contextlib.contextmanager
def _opened(where: Path) -> Iterator[IO[bytes]]:
    try:
        found = where.open("rb") if where.is_file() else None
    except OSError as error:
        given, found = error.strerror, None
    else:
        given = "neither" if found or where.exists() else "no such file or directory"
    if found:
        with found:
            if is_zip(found) or where.suffix == ".zip":
                yield found
                return
    raise InputError(
        "bundle",
        expected="a bundle's directory or zip",
        given=f"{where} ({given})",
        do="run `pocketrec bundle RUN --out DIR`",
    )


def read_plain(path: Path, most: int) -> bytes | None:
    """Bytes of a regular file, `most` and one at most; None where there is none. Links are not followed, pipes not waited for."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        return None
    with os.fdopen(handle, "rb") as stream:
        return stream.read(most + 1)


def _unpack(stream: IO[bytes], folder: Path, trust: Trust) -> None:
    entries = {entry.name: entry for entry in read_entries(stream, MOST_FILES + 2)}
    check_paths(name for name in entries if name not in (MANIFEST, SIGNATURE))
    message, signature = _small(stream, entries, MANIFEST, MANIFEST_LIMIT), None
    if message is None:
        raise CheckFailed(f"{MANIFEST}: missing from the zip")
    manifest = read_manifest(message)
    if SIGNATURE in entries:
        if manifest["signature"] is None:
            raise CheckFailed(f"{SIGNATURE}: not declared in the manifest")
        signature = _small(stream, entries, SIGNATURE, SIGNATURE_BYTES)
        (folder / SIGNATURE).write_bytes(signature or b"")
    trust(message, signature)
    declared = {row["path"]: row for row in manifest["files"]}
    rest = [entry for name, entry in entries.items() if name not in (MANIFEST, SIGNATURE)]
    for entry in rest:
        _check_entry(entry, declared.get(entry.name))
    for entry in rest:
        target = folder / entry.name
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as out:
            for block in blocks(stream, entry):
                out.write(block)
    (folder / MANIFEST).write_bytes(message)


def _small(stream: IO[bytes], entries: Mapping[str, Entry], name: str, limit: int) -> bytes | None:
    entry = entries.get(name)
    if entry is None:
        return None
    if entry.size > limit:
        raise CheckFailed(f"{name}: larger than {limit} bytes")
    return b"".join(blocks(stream, entry))


def _check_entry(entry: Entry, declared: Mapping[str, Any] | None) -> None:
    if declared is None:
        raise CheckFailed(f"{entry.name}: not declared in the manifest")
    if entry.size != declared["bytes"]:
        raise CheckFailed(f"{entry.name}: {entry.size} bytes, the manifest says {declared['bytes']}")
    if declared["role"] in _MAPPED and (entry.method != STORED or entry.start % ALIGNMENT):
        how = "compressed" if entry.method != STORED else f"at byte {entry.start}, no multiple of {ALIGNMENT}"
        raise CheckFailed(
            f"{entry.name}: {how}, so that an app could not map it; pack the bundle with `pocketrec bundle --zip`"
        )
