"""Verifying a bundle without TensorFlow: names, sizes, hashes, signature, vocabularies, ports, golden vectors."""

import contextlib
import json
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from ..train.artifacts import sha256_file
from ..train.errors import CheckFailed, InputError
from ..train.stage import read_vocabulary
from .answering import Loaded
from .bundle import BUNDLE_SCHEMA
from .contract import check_models, contract_sha256, read_items
from .golden import GOLDEN_SCHEMA, replay
from .signing import check_signature

_MANIFEST_LIMIT = 16 << 20
_OUTSIDE_FILES = {"manifest.json", "manifest.sig"}


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
        InputError: no such directory, or an unreadable key.
        CheckFailed: anything that is not as promised, with the reason.
    """
    with opened_bundle(where, keys=keys) as loaded:
        folder, manifest = loaded.folder, loaded.manifest
        signed = f", signed by key {manifest['key_id']}" if keys else ""
        say(f"{len(manifest['files'])} files, sizes and sha256 as the manifest says{signed}")
        say(f"vocabularies, item order, tables and signatures of {len(manifest['models'])} models fit: contract held")
        vectors, queries = replay(loaded, _golden(folder, manifest))
        say(f"{vectors} golden vectors and {queries} golden queries replayed")
        return dict(manifest)


@contextlib.contextmanager
def opened_bundle(where: Path, *, keys: Sequence[Path] = ()) -> Iterator[Loaded]:
    """A bundle that is what its manifest says, ready to answer; nothing has been executed.

    Raises:
        InputError: no such bundle, or an unreadable key.
        CheckFailed: anything that is not as promised.
    """
    yield Loaded(where, open_bundle(where, keys=keys))


def open_bundle(folder: Path, *, keys: Sequence[Path] = ()) -> dict[str, Any]:
    """Read the manifest and check signature, file list, sizes, hashes, vocabularies and contract; nothing is executed.

    Raises:
        InputError: no such directory.
        CheckFailed: anything that is not as promised.
    """
    if not folder.is_dir():
        raise InputError(
            "bundle",
            expected="a bundle directory",
            given=f"{folder} (no such directory)",
            do="run `pocketrec bundle RUN --out DIR`",
        )
    manifest = _read_manifest(folder)
    _check_signed(folder, manifest, keys)
    _check_files(folder, manifest)
    for vocabulary in manifest["vocabularies"]:
        _check_vocabulary(folder, vocabulary)
    check_models(folder, manifest)
    _check_items(folder, manifest)
    if contract_sha256(folder, manifest) != manifest["contract"]:
        raise CheckFailed("contract: vocabularies, items, tables and models are not those that were bundled together")
    return manifest


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / "manifest.json"
    if path.is_symlink() or not path.is_file():
        raise CheckFailed(f"manifest.json: missing from {folder}")
    if path.stat().st_size > _MANIFEST_LIMIT:
        raise CheckFailed(f"manifest.json: larger than {_MANIFEST_LIMIT} bytes")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise CheckFailed(f"manifest.json: not JSON ({error})") from error
    schema = manifest.get("schema") if isinstance(manifest, dict) else None
    if schema != BUNDLE_SCHEMA:
        raise CheckFailed(f"manifest.json: schema {schema!r}, this kit reads {BUNDLE_SCHEMA}")
    try:
        _check_shape(manifest)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckFailed(f"manifest.json: malformed ({type(error).__name__}: {error})") from error
    return manifest


def _check_shape(manifest: dict[str, Any]) -> None:
    fields = {"files": ("path", "role", "sha256", "bytes"), "models": ("graph", "recipe", "file", "inputs", "outputs"),
              "vocabularies": ("name", "file", "size", "oov_index")}  # fmt: skip
    types = {"bytes": int, "size": int, "oov_index": int, "inputs": list, "outputs": list}
    for part, keys in fields.items():
        if not isinstance(manifest[part], list):
            raise TypeError(f"{part} is not a list")
        for row in manifest[part]:
            for key in keys:
                if not isinstance(row[key], types.get(key, str)):
                    raise TypeError(f"{part}.{key} is {row[key]!r}")
    paths = {row["path"] for row in manifest["files"]}
    named = [row["file"] for part in ("models", "vocabularies") for row in manifest[part]] + [
        manifest["golden"],
        manifest["items"],
    ]
    for name in named:
        if name not in paths:
            raise ValueError(f"{name!r} is used but not among the files")
    if manifest["signature"] not in (None, "manifest.sig"):
        raise ValueError(f"signature {manifest['signature']!r}")


def _check_signed(folder: Path, manifest: dict[str, Any], keys: Sequence[Path]) -> None:
    signed = manifest["signature"] is not None
    if signed and not _is_plain_file(folder / "manifest.sig"):
        raise CheckFailed("signature: manifest.sig is missing")
    if not keys:
        return
    if not signed:
        raise CheckFailed("signature: a key was given but the bundle is not signed")
    message, signature = ((folder / name).read_bytes() for name in ("manifest.json", "manifest.sig"))
    check_signature(message, signature, manifest["key_id"], keys)


def _is_plain_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def _check_files(folder: Path, manifest: dict[str, Any]) -> None:
    declared = [row["path"] for row in manifest["files"]]
    if len({path.casefold() for path in declared}) != len(declared):
        raise CheckFailed("manifest.json: two files whose names differ in case only, or twice the same")
    for path in declared:
        _check_name(path)
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            raise CheckFailed(f"{name}: a link or device, not a file")
        if path.is_file() and name not in declared and name not in _OUTSIDE_FILES:
            raise CheckFailed(f"{name}: not declared in the manifest")
    if manifest["signature"] is None and (folder / "manifest.sig").exists():
        raise CheckFailed("manifest.sig: not declared in the manifest")
    for row in manifest["files"]:
        path = folder / row["path"]
        if not _is_plain_file(path):
            raise CheckFailed(f"{row['path']}: missing")
        if path.stat().st_size != row["bytes"]:
            raise CheckFailed(f"{row['path']}: {path.stat().st_size} bytes, the manifest says {row['bytes']}")
        if sha256_file(path) != row["sha256"]:
            raise CheckFailed(f"{row['path']}: sha256 differs from the manifest's")


def _check_name(path: str) -> None:
    parts = PurePosixPath(path).parts
    if (
        not path
        or path.startswith("/")
        or "\\" in path
        or "\0" in path
        or ".." in parts
        or PurePosixPath(path).as_posix() != path
    ):
        raise CheckFailed(f"manifest.json: file path {path!r} is not a plain relative path")
    if path in _OUTSIDE_FILES:
        raise CheckFailed(f"manifest.json: lists {path} among the files")


def _check_vocabulary(folder: Path, vocabulary: dict[str, Any]) -> None:
    try:
        tokens = (folder / vocabulary["file"]).read_bytes().decode().split("\n")
    except UnicodeDecodeError as error:
        raise CheckFailed(f"{vocabulary['file']}: not UTF-8 ({error.reason})") from error
    if tokens.pop() != "" or len(tokens) != vocabulary["size"]:
        raise CheckFailed(f"{vocabulary['file']}: {len(tokens)} tokens, the manifest says {vocabulary['size']}")
    if len(set(tokens)) != len(tokens):
        raise CheckFailed(f"{vocabulary['file']}: a token stands there twice")
    if vocabulary["oov_index"] != vocabulary["size"]:
        raise CheckFailed(f"{vocabulary['file']}: oov_index {vocabulary['oov_index']}, expected {vocabulary['size']}")


def _check_items(folder: Path, manifest: dict[str, Any]) -> None:
    (file,) = [folder / row["file"] for row in manifest["vocabularies"] if row["name"] == "items"]
    if [item["id"] for item in read_items(folder / manifest["items"])] != read_vocabulary(file):
        raise CheckFailed(f"{manifest['items']}: its order is not that of the item vocabulary")


def _golden(folder: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    try:
        document = json.loads((folder / manifest["golden"]).read_text(encoding="utf-8"))
        schema = document["schema"]
        covered = {vector["model"] for vector in document["vectors"]}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckFailed(f"{manifest['golden']}: malformed ({error})") from error
    if schema != GOLDEN_SCHEMA:
        raise CheckFailed(f"{manifest['golden']}: schema {schema!r}, this kit reads {GOLDEN_SCHEMA}")
    if uncovered := {model["file"] for model in manifest["models"]} ^ covered:
        raise CheckFailed(f"{manifest['golden']}: models and golden vectors differ on {', '.join(sorted(uncovered))}")
    return document
