"""Verifying a bundle without TensorFlow: names, sizes, hashes, signature, vocabularies, ports, golden vectors."""

import contextlib
import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...core.directory_swap import while_unchanged
from ...core.errors import CheckFailed
from ..answering.bundle_inference import Loaded
from ..format.consistency import check_fit
from ..format.contract import check_models, contract_sha256
from ..format.manifest import MANIFEST, MANIFEST_LIMIT, SIGNATURE, SIGNATURE_BYTES, read_manifest
from ..format.signing import check_signature
from .golden_checks import read_golden
from .golden_replay import replay
from .unpack import read_plain, unpacked
from .update_compatibility import require_whole


def verify_bundle(
    where: Path, *, keys: Sequence[Path] = (), say: Callable[[str], None] = lambda text: None
) -> dict[str, Any]:
    """Check everything a bundle promises, then replay its golden vectors on an installed runtime.

    Args:
        where: a bundle's directory or zip.
        keys: Ed25519 public keys (PEM); with any, a bundle signed by none of them is refused.
        say: called with a line on each check that held.

    Returns:
        The manifest.

    Raises:
        InputError: no such bundle, or an unreadable key.
        CheckFailed: anything that is not as promised, with the reason.
    """
    return while_unchanged(where, lambda: _verified(where, keys, say))


def _verified(where: Path, keys: Sequence[Path], say: Callable[[str], None]) -> dict[str, Any]:
    with opened_bundle(where, keys=keys) as loaded:
        return proven(loaded, keys, say)


def proven(loaded: Loaded, keys: Sequence[Path], say: Callable[[str], None]) -> dict[str, Any]:
    """The manifest of a bundle that `open_bundle` passed with these keys, after its golden vectors were replayed.

    Raises:
        CheckFailed: a model does not run, or answers otherwise.
    """
    manifest = loaded.manifest
    signed = f", signed by key {manifest['key_id']}" if keys else ""
    say(f"{len(manifest['files'])} files, sizes and sha256 as the manifest says{signed}")
    say(f"vocabularies, item order, tables and signatures of {len(manifest['models'])} models fit: contract held")
    vectors, queries = replay(loaded, read_golden(loaded))
    say(f"{vectors} golden vectors and {queries} golden queries replayed")
    return dict(manifest)


@contextlib.contextmanager
def opened_bundle(where: Path, *, keys: Sequence[Path] = ()) -> Iterator[Loaded]:
    """A bundle that is what its manifest says, ready to answer while the block lasts; nothing has been executed.

    Raises:
        InputError: no such bundle, or an unreadable key.
        CheckFailed: anything that is not as promised.
    """
    with unpacked(where, lambda message, signature: trusted(message, signature, keys)) as folder:
        yield Loaded(folder, open_bundle(folder, keys=keys))


def open_bundle(folder: Path, *, keys: Sequence[Path] = ()) -> dict[str, Any]:
    """Read the manifest and check signature, file list, sizes, hashes, vocabularies and contract; nothing is executed.

    Raises:
        InputError: an unreadable key.
        CheckFailed: anything that is not as promised.
    """
    return while_unchanged(folder, lambda: _opened(folder, keys))


def _opened(folder: Path, keys: Sequence[Path]) -> dict[str, Any]:
    message = read_plain(folder / MANIFEST, MANIFEST_LIMIT)
    if message is None:
        raise CheckFailed(f"{MANIFEST}: missing from {folder}")
    manifest = trusted(message, read_plain(folder / SIGNATURE, SIGNATURE_BYTES), keys)
    require_whole(folder, manifest)
    check_files(folder, manifest)
    check_models(folder, manifest)
    check_fit(folder, manifest)
    hashed = {row["path"]: row["sha256"] for row in manifest["files"]}
    if contract_sha256(folder, manifest, hashed) != manifest["contract"]:
        raise CheckFailed("contract: vocabularies, items, tables and models are not those that were bundled together")
    return manifest


def trusted(message: bytes, signature: bytes | None, keys: Sequence[Path]) -> dict[str, Any]:
    """The manifest of these bytes, if one of the keys signed it; with no keys, any well-formed one.

    Raises:
        InputError: an unreadable key.
        CheckFailed: malformed, not signed though keys are given, signed by none of them, or changed afterwards.
    """
    manifest = read_manifest(message)
    if manifest["signature"] is not None:
        if signature is None:
            raise CheckFailed(f"signature: {SIGNATURE} is missing")
        if len(signature) != SIGNATURE_BYTES:
            raise CheckFailed(f"signature: {SIGNATURE} does not have {SIGNATURE_BYTES} bytes")
    if not keys:
        return manifest
    if manifest["signature"] is None or signature is None:
        raise CheckFailed("signature: a key was given but the bundle is not signed")
    check_signature(message, signature, manifest["key_id"], keys)
    return manifest


def check_files(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Check that a folder holds the files of a manifest, byte for byte, and nothing else.

    Raises:
        CheckFailed: it does not, with the file's name.
    """
    paths = [row["path"] for row in manifest["files"]]
    parents = {path[:at] for path in paths for at, sign in enumerate(path) if sign == "/"}
    outside = {MANIFEST} if manifest["signature"] is None else {MANIFEST, SIGNATURE}
    _check_tree(folder, "", {*paths, *outside}, parents)
    for row in manifest["files"]:
        try:
            _check_file(folder, row)
        except FileNotFoundError:
            raise CheckFailed(f"{row['path']}: missing") from None
        except OSError as error:
            raise CheckFailed(f"{row['path']}: cannot be read ({error.strerror})") from None


def _check_tree(folder: Path, prefix: str, files: set[str], parents: set[str]) -> None:
    with os.scandir(folder / prefix) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        name = prefix + entry.name
        mode = entry.stat(follow_symlinks=False).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise CheckFailed(f"{_printable(name)}: a link or device, not a file")
        if name not in (parents if stat.S_ISDIR(mode) else files):
            raise CheckFailed(f"{_printable(name)}: not declared in the manifest")
        if stat.S_ISDIR(mode):
            _check_tree(folder, f"{name}/", files, parents)


def _printable(name: str) -> str:
    return name if name.isascii() and name.isprintable() else ascii(name)


def _check_file(folder: Path, row: Mapping[str, Any]) -> None:
    """Hash a file that was looked at already: still a regular one, and no more of it read than declared."""
    handle = os.open(folder / row["path"], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        os.close(handle)
        raise CheckFailed(f"{row['path']}: a link or device, not a file")
    with os.fdopen(handle, "rb") as stream:
        if status.st_size != row["bytes"]:
            raise CheckFailed(f"{row['path']}: {status.st_size} bytes, the manifest says {row['bytes']}")
        if hashlib.file_digest(stream, "sha256").hexdigest() != row["sha256"]:
            raise CheckFailed(f"{row['path']}: sha256 differs from the manifest's")
