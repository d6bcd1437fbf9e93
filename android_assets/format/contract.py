"""The vocabulary contract: one hash over everything that must fit together for an id to mean the same item everywhere.

Vocabulary files and their rule for unknown tokens, the order of the items, the rows of tables that ids are looked up in, the
candidates, and each model's bytes and signature. Readers recompute the text from the files. README.md has the format; the app's
client makes the same one.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from ...core.errors import CheckFailed, InputError
from ...core.files.hashing import sha256_bytes, sha256_file
from ...core.records.item import Item
from ...runtimes.model_file.reader import TfliteFile, read_tflite
from ...runtimes.model_file.vocabulary_stamp import ENTRY, known_by, vocabulary_text
from .manifest import BundledModel, Manifest
from .strict_json import parse_json

_HEAD = "pocketrec.contract/1"
_ROWS, _SHA256 = re.compile(r"[0-9]{1,10}").fullmatch, re.compile(r"[0-9a-f]{64}").fullmatch


def contract_sha256(folder: Path, manifest: Manifest, known: Mapping[str, str] | None = None) -> str:
    """Hex SHA-256 of the contract's text; see `contract_text`."""
    return sha256_bytes(contract_text(folder, manifest, known).encode())


def contract_text(folder: Path, manifest: Manifest, known: Mapping[str, str] | None = None) -> str:
    """The contract of a bundle's files as they are now, one fact per line.

    Args:
        known: SHA-256 by path of files that were just hashed, so that none is read twice.

    Raises:
        CheckFailed: a file or an entry of items.json is malformed.
    """
    known_digest = (known or {}).get
    digest = lambda path: known_digest(path) or sha256_file(folder / path)  # noqa: E731
    lines = [_HEAD]
    for row in sorted(manifest.vocabularies, key=lambda row: row.name):
        lines.append(f"vocabulary {row.name} {digest(row.file)} {row.size} {row.oov_index}")
    ids = "".join(f"{item.id}\n" for item in read_items(folder / manifest.items))
    lines.append(f"items {sha256_bytes(ids.encode())}")
    if (stored := manifest.candidates) is not None:
        scale = "-" if stored.scale is None else repr(stored.scale)
        lines.append(f"candidates {digest(stored.file)} {stored.dtype} {_dims(stored.shape)} {scale}")
    for model in sorted(manifest.models, key=lambda model: model.graph):
        lines.append(f"model {model.graph} {model.recipe} {digest(model.file)}")
        lines += [f"input {port.name} {port.dtype} {_dims(port.shape)}" for port in model.inputs]
        lines += [f"output {port.name} {port.dtype} {_dims(port.shape)}" for port in model.outputs]
        lines += [f"rows {name} {rows}" for name, rows in sorted(model.rows.items())]
    return "\n".join(lines) + "\n"


def _dims(shape: list[int]) -> str:
    return "x".join(map(str, shape))


def read_items(path: Path) -> list[Item]:
    """Items in id order.

    Raises:
        CheckFailed: not a list of items with id, title and genres.
    """
    try:
        return msgspec.convert(parse_json(path.read_bytes(), path.name, "ITEMS_INVALID"), list[Item])
    except msgspec.ValidationError as error:
        reason = f"{path.name}: expected a list of items with id, title and genres ({error})"
        raise CheckFailed(reason, code="ITEMS_INVALID") from None


def model_rows(file: TfliteFile) -> dict[str, int]:
    """Rows of the tables that a model looks ids up in, by vocabulary: the tokens it was trained with, and one for unknown ones.

    Raises:
        CheckFailed: the file does not say which vocabularies it was made for.
    """
    rows = {}
    for line in _stamp(file).splitlines():
        name, n, _ = line.split(" ")
        rows[name] = int(n) + 1
    return rows


def _stamp(file: TfliteFile) -> str:
    inputs, outputs = file.ports()
    needed, text = known_by([*inputs, *outputs]), ""
    try:
        text = (file.metadata(ENTRY) or b"").decode("ascii")
        known = [line.split(" ") for line in text.splitlines()]
        is_well_formed = [name for name, n, digest in known if _ROWS(n) and _SHA256(digest)] == needed
    except (ValueError, IndexError, TypeError):
        is_well_formed = False
    if not is_well_formed:
        raise _mismatch(f"the model does not say which vocabularies it was made for (metadata {ENTRY})")
    return text


def check_models(folder: Path, manifest: Manifest) -> None:
    """Check that each model's own ports, rows and vocabularies are those of the bundle that holds it.

    Raises:
        CheckFailed: a model does not parse (MODEL_INVALID), or has other ports or was made for other vocabularies (MODEL_MISMATCH).
    """
    files = {row.name: (folder / row.file).read_bytes() for row in manifest.vocabularies}
    for model in manifest.models:
        try:
            file = read_tflite(folder / model.file)
        except InputError as error:
            raise CheckFailed(str(error), code="MODEL_INVALID") from error
        try:
            _check_model(file, model, files)
        except CheckFailed as error:
            raise CheckFailed(f"{model.file}: {error}", code=error.code) from error


def _check_model(file: TfliteFile, model: BundledModel, files: Mapping[str, bytes]) -> None:
    inputs, outputs = file.ports()
    if inputs != [port.to_json() for port in model.inputs] or outputs != [port.to_json() for port in model.outputs]:
        raise _mismatch("inputs or outputs differ from the manifest's")
    if file.min_runtime != model.min_runtime:
        raise _mismatch(f"it needs runtime {file.min_runtime}, the manifest says {model.min_runtime}")
    text, rows = _stamp(file), model_rows(file)
    if rows != model.rows:
        raise _mismatch(f"its tables have rows for {rows}, the manifest says {model.rows}")
    if missing := sorted(set(rows) - set(files)):
        raise _mismatch(f"the bundle lacks the vocabularies {', '.join(missing)}")
    known = {name: files[name] for name in rows}
    try:
        found = vocabulary_text(known, {name: n - 1 for name, n in rows.items()})
    except ValueError as error:
        raise _mismatch(f"made for a larger vocabulary: {error}") from error
    if found != text:
        theirs, ours = text.splitlines(), found.splitlines()
        other = ", ".join(a.split(" ")[0] for a, b in zip(theirs, ours, strict=True) if a != b)
        raise _mismatch(f"it was made for another vocabulary of {other}: the same ids would mean something else")


def _mismatch(reason: str) -> CheckFailed:
    return CheckFailed(reason, code="MODEL_MISMATCH")
