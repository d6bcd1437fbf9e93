"""Opening and verifying bundles without TensorFlow: names, sizes, hashes, signature, vocabularies, ports, golden vectors."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...core.errors import CheckFailed, InputError
from ...core.files.directory_swap import while_unchanged
from ..answering.bundle import Bundle
from ..format.consistency import check_consistency
from ..format.contract import contract_sha256
from ..format.manifest import MANIFEST, MANIFEST_LIMIT, SIGNATURE, SIGNATURE_BYTES, Manifest
from ..format.manifest_rules import read_manifest
from ..format.signing import check_signature
from .file_checks import check_files, read_plain
from .golden_checks import read_golden
from .golden_replay import replay
from .unpack import unpack_bundle

StrPath = str | os.PathLike[str]


@dataclass(frozen=True)
class Verification:
    """What was verified.

    Attributes:
        manifest: of the bundle, or of the update.
        checks: one line for each group of checks that passed.
    """

    manifest: Manifest
    checks: list[str]


def verify_bundle(path: StrPath, *, keys: Sequence[StrPath] = ()) -> Verification:
    """Check everything a bundle promises, then replay its golden vectors on an installed runtime.

    Args:
        path: a bundle's directory or zip.
        keys: trusted Ed25519 public keys (PEM); with any, a bundle signed by none of them is refused.

    Raises:
        InputError: no such bundle, or an unreadable key.
        CheckFailed: anything that is not as promised, with the reason.
    """

    def verified() -> Verification:
        with open_bundle(path, keys=keys) as bundle:
            return replayed(bundle, keys)

    return while_unchanged(Path(path), verified)


def replayed(bundle: Bundle, keys: Sequence[StrPath]) -> Verification:
    """The verification of a bundle that was opened with these keys, after its golden vectors and queries were replayed.

    Raises:
        CheckFailed: a model does not run (RUNTIME_FAILED), or answers otherwise (GOLDEN_MISMATCH).
    """
    manifest = bundle.manifest
    signed = f", signed by key {manifest.key_id}" if keys else ""
    vectors, queries = replay(bundle, read_golden(bundle))
    return Verification(
        manifest,
        [
            f"{len(manifest.files)} files: sizes and sha256 as the manifest says{signed}",
            f"vocabularies, item order, tables and signatures of {len(manifest.models)} models fit: contract held",
            f"{vectors} golden vectors and {queries} golden queries replayed",
        ],
    )


def open_bundle(path: StrPath, *, keys: Sequence[StrPath] = ()) -> Bundle:
    """Open a bundle: check signature, file list, sizes, hashes, vocabularies and contract. No model is executed.

    Args:
        path: a bundle's directory or zip.
        keys: trusted Ed25519 public keys (PEM); with any, a bundle signed by none of them is refused.

    Returns:
        A bundle that is what its manifest says; close it, or use it in a `with`, where it was opened from a zip.

    Raises:
        InputError: no such bundle, or an unreadable key.
        CheckFailed: anything that is not as promised.
    """
    return while_unchanged(Path(path), lambda: _opened(Path(path), keys))


def _opened(path: Path, keys: Sequence[StrPath]) -> Bundle:
    if path.is_dir():
        return Bundle(path, open_folder(path, keys))
    unpacked = unpack_bundle(path, lambda message, signature: trusted(message, signature, keys))
    try:
        folder = Path(unpacked.name)
        return Bundle(folder, open_folder(folder, keys), path=path, unpacked=unpacked)
    except BaseException:
        unpacked.cleanup()
        raise


def open_folder(folder: Path, keys: Sequence[StrPath]) -> Manifest:
    """The manifest of a folder that was checked as `open_bundle` checks it."""
    message = read_plain(folder / MANIFEST, MANIFEST_LIMIT)
    if message is None:
        raise CheckFailed(f"{MANIFEST}: missing from {folder}", code="MANIFEST_MISSING")
    manifest = trusted(message, read_plain(folder / SIGNATURE, SIGNATURE_BYTES), keys)
    _require_whole(folder, manifest)
    check_files(folder, manifest)
    check_consistency(folder, manifest)
    if contract_sha256(folder, manifest, manifest.digests) != manifest.contract:
        raise CheckFailed(
            "contract: vocabularies, items, tables and models are not those that were bundled together",
            code="CONTRACT_MISMATCH",
        )
    return manifest


def _require_whole(folder: Path, manifest: Manifest) -> None:
    """Refuse an update where a bundle is needed: what it leaves to its base is not in `folder`."""
    if manifest.update is not None and any(not (folder / path).is_file() for path in manifest.from_base):
        raise InputError(
            "bundle",
            expected="a whole bundle",
            given=f"an update to version {manifest.version}, made for version {manifest.update.base_version}",
            do="pass --base BUNDLE to verify it, or apply it with `pocketrec update BUNDLE UPDATE`",
            code="UPDATE_INCOMPATIBLE",
        )


def trusted(message: bytes, signature: bytes | None, keys: Sequence[StrPath]) -> Manifest:
    """The manifest of these bytes, if one of the keys signed it; without keys, any well-formed one.

    Raises:
        InputError: an unreadable key.
        CheckFailed: malformed, not signed though keys are given, signed by none of them, or changed afterwards.
    """
    manifest = read_manifest(message)
    if manifest.signature is not None:
        if signature is None:
            raise CheckFailed(f"signature: {SIGNATURE} is missing", code="SIGNATURE_MISSING")
        if len(signature) != SIGNATURE_BYTES:
            code = "FILE_SIZE" if len(signature) > SIGNATURE_BYTES else "SIGNATURE_INVALID"
            raise CheckFailed(f"signature: {SIGNATURE} does not have {SIGNATURE_BYTES} bytes", code=code)
    if not keys:
        return manifest
    if manifest.signature is None or signature is None:
        raise CheckFailed("signature: a key was given but the bundle is not signed", code="SIGNATURE_MISSING")
    check_signature(message, signature, manifest.key_id, [Path(key) for key in keys])
    return manifest
