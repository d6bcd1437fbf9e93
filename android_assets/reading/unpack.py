"""Unpacking a bundle's zip: it is checked entry by entry while it is unpacked."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO

from ...core.errors import CheckFailed, InputError
from ..format.manifest import MANIFEST, MANIFEST_LIMIT, MOST_FILES, SIGNATURE, SIGNATURE_BYTES, BundledFile
from ..format.manifest_rules import check_paths, read_manifest
from ..format.zip_alignment import ALIGNMENT
from .zip_reader import STORED, Entry, blocks, is_zip, read_entries

# Called with the bytes of the manifest and of the signature (None where there is none) before anything else is unpacked.
Trust = Callable[[bytes, bytes | None], object]
_MAPPED = ("model", "candidates")


def unpack_bundle(path: Path, trust: Trust = lambda message, signature: None) -> "tempfile.TemporaryDirectory[str]":
    """A temporary folder with the files of a bundle's zip; whoever receives it removes it.

    Args:
        trust: may refuse a zip by its manifest and signature, before anything else is unpacked.

    Raises:
        InputError: not a zip, or no room to unpack it.
        CheckFailed: a zip that is not as `pocketrec bundle --zip` writes it, or holds anything its manifest does not declare.
    """
    with _opened(path) as stream:
        try:
            folder = tempfile.TemporaryDirectory(prefix="pocketrec-")
            try:
                _unpack(stream, Path(folder.name), trust)
            except BaseException:
                folder.cleanup()
                raise
        except OSError as error:
            raise InputError(
                "bundle",
                expected="room to unpack it",
                given=error.strerror or error,
                do="set TMPDIR to another place",
                code="IO",
            ) from error
    return folder


@contextlib.contextmanager
def unpacked(path: Path, trust: Trust = lambda message, signature: None) -> Iterator[Path]:
    """A folder with a bundle's files, for as long as the block lasts: `path` itself, or what it unpacks to; see `unpack_bundle`."""
    if path.is_dir():
        yield path
        return
    with unpack_bundle(path, trust) as folder:
        yield Path(folder)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    given, code = "neither", "INPUT_UNREADABLE"
    try:
        found = path.open("rb") if path.is_file() else None
    except OSError as error:
        given, code, found = error.strerror or "unreadable", "IO", None
    else:
        if not found and not path.exists():
            given, code = "no such file or directory", "INPUT_MISSING"
    if found:
        with found:
            if is_zip(found) or path.suffix == ".zip":
                yield found
                return
    raise InputError(
        "bundle",
        expected="a bundle's directory or zip",
        given=f"{path} ({given})",
        do="run `pocketrec bundle RUN --out DIR`",
        code=code,
    )


def _unpack(stream: IO[bytes], folder: Path, trust: Trust) -> None:
    entries = {entry.name: entry for entry in read_entries(stream, MOST_FILES + 2)}
    check_paths((name for name in entries if name not in (MANIFEST, SIGNATURE)), "FILE_UNDECLARED")
    message, signature = _small(stream, entries, MANIFEST, MANIFEST_LIMIT), None
    if message is None:
        raise CheckFailed(f"{MANIFEST}: missing from the zip", code="MANIFEST_MISSING")
    manifest = read_manifest(message)
    if SIGNATURE in entries:
        if manifest.signature is None:
            raise CheckFailed(f"{SIGNATURE}: not declared in the manifest", code="FILE_UNDECLARED")
        signature = _small(stream, entries, SIGNATURE, SIGNATURE_BYTES)
        (folder / SIGNATURE).write_bytes(signature or b"")
    trust(message, signature)
    declared = {row.path: row for row in manifest.files}
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
        raise CheckFailed(f"{name}: larger than {limit} bytes", code="FILE_SIZE")
    return b"".join(blocks(stream, entry))


def _check_entry(entry: Entry, declared: BundledFile | None) -> None:
    if declared is None:
        raise CheckFailed(f"{entry.name}: not declared in the manifest", code="FILE_UNDECLARED")
    if entry.size != declared.bytes:
        raise CheckFailed(f"{entry.name}: {entry.size} bytes, the manifest says {declared.bytes}", code="FILE_SIZE")
    if declared.role in _MAPPED and (entry.method != STORED or entry.start % ALIGNMENT):
        how = (
            "compressed" if entry.method != STORED else f"at byte {entry.start}, which is not a multiple of {ALIGNMENT}"
        )
        raise CheckFailed(
            f"{entry.name}: {how}, so that an app could not map it; pack the bundle with `pocketrec bundle --zip`",
            code="ZIP_INVALID",
        )
