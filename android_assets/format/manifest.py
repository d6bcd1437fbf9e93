"""What a manifest may say: every field's type and range, checked before anything uses it. Unknown fields are let pass."""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ...core.errors import CheckFailed
from .layouts import LAYOUTS
from .strict_json import parse_json

BUNDLE_SCHEMA = "pocketrec.bundle/1"
MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
MANIFEST_LIMIT = 16 << 20
SIGNATURE_BYTES = 64
MOST_VERSION = 2**31 - 1
MOST_FILES = 4096
# Most bytes of a file by its role: a flatbuffer ends before 2 GiB, texts are read whole, candidates never are.
ROLES = {
    "model": 2**31 - 1, "vocabulary": 256 << 20, "items": 1 << 30, "candidates": 16 << 30, "golden": 64 << 20,
}  # fmt: skip
VOCABULARIES = ("items", "users", "preferences", "genres")
CANDIDATE_DTYPES = ("int8", "float32")
_PORT_DTYPES = {"int32", "float32", "bool", "int64", "float16", "int16", "int8", "uint8", "string"}
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(?<!\.)")
_MOST_PATH = 200

Check = Callable[[Any], bool]


def read_manifest(data: bytes) -> dict[str, Any]:
    """A manifest from its bytes.

    Raises:
        CheckFailed: not strict JSON, of another schema, or a field that is not as the format says.
    """
    if len(data) > MANIFEST_LIMIT:
        raise CheckFailed(f"{MANIFEST}: larger than {MANIFEST_LIMIT} bytes")
    manifest = parse_json(data, MANIFEST)
    schema = manifest.get("schema") if isinstance(manifest, dict) else None
    if schema != BUNDLE_SCHEMA:
        raise CheckFailed(f"{MANIFEST}: schema {schema!r}, this kit reads {BUNDLE_SCHEMA}")
    _check_fields(manifest, _MANIFEST, "")
    _check_files(manifest)
    _check_models(manifest)
    _check_vocabularies(manifest)
    _check_candidates(manifest)
    _check_rest(manifest)
    return manifest


def _fail(reason: str) -> CheckFailed:
    return CheckFailed(f"{MANIFEST}: {reason}")


def _int(low: int, high: int = 2**63 - 1) -> Check:
    return lambda value: type(value) is int and low <= value <= high


def _text(pattern: str) -> Check:
    compiled = re.compile(pattern)
    return lambda value: isinstance(value, str) and compiled.fullmatch(value) is not None


def _or_null(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _list_of(check: Check, most: int) -> Check:
    return lambda value: isinstance(value, list) and len(value) <= most and all(map(check, value))


def is_number(value: Any) -> bool:
    """Whether a value of JSON is a finite number."""
    return type(value) in (int, float) and math.isfinite(value)


def _is_range(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(is_number, value)) and value[0] <= value[1]


def _is_port(port: Any) -> bool:
    return (
        isinstance(port, dict)
        and _NAME(port.get("name"))
        and port.get("dtype") in _PORT_DTYPES
        and _SHAPE(port.get("shape"))
    )


def _is_rows(value: Any) -> bool:
    return isinstance(value, dict) and all(name in VOCABULARIES and _int(1, 2**31 - 1)(n) for name, n in value.items())


def _is_parity(row: Any) -> bool:
    return isinstance(row, dict) and row.get("status") in ("pass", "skipped")


_SHA256, _KEY_ID, _NAME = _text("[0-9a-f]{64}"), _text("[0-9a-f]{16}"), _text("[A-Za-z0-9_]{1,64}")
_SHAPE = _list_of(_int(-1, 2**31 - 1), 8)
_PORTS = _list_of(_is_port, 64)
_IS_TEXT: Check = lambda value: isinstance(value, str)  # noqa: E731
_OBJECTS = _list_of(lambda value: isinstance(value, dict), MOST_FILES)
_MANIFEST: dict[str, tuple[Check, str]] = {
    "kit_version": (_text("[A-Za-z0-9.+_-]{1,64}"), "a version"),
    "name": (_text("[a-z0-9.-]{1,300}"), "lower-case letters, digits, '.' and '-'"),
    "version": (_int(1, MOST_VERSION), f"1 to {MOST_VERSION}"),
    "made_from_sha256": (_SHA256, "a sha256"),
    "layout": (lambda value: isinstance(value, str) and value in LAYOUTS, f"one of {', '.join(LAYOUTS)}"),
    "files": (_OBJECTS, f"a list of at most {MOST_FILES} objects"),
    "models": (_OBJECTS, "a list of objects"),
    "vocabularies": (_OBJECTS, "a list of objects"),
    "items": (_IS_TEXT, "a file"),
    "candidates": (_or_null(lambda value: isinstance(value, dict)), "an object or null"),
    "window": (_or_null(_int(1, 1_000_000)), "null or a positive whole number"),
    "rating_range": (_is_range, "two numbers that rise"),
    "stars_weight": (_or_null(is_number), "a number or null"),
    "k": (_int(1, MOST_VERSION), "a positive whole number"),
    "golden": (_IS_TEXT, "a file"),
    "parity": (_list_of(_is_parity, 100_000), "rows that passed or were skipped"),
    "contract": (_SHA256, "a sha256"),
    "key_id": (_or_null(_KEY_ID), "16 hex digits or null"),
    "signature": (lambda value: value in (None, SIGNATURE), f"{SIGNATURE} or null"),
    "update": (_or_null(lambda value: isinstance(value, dict)), "an object or null"),
}
_FILE: dict[str, tuple[Check, str]] = {
    "path": (_IS_TEXT, "text"),
    "role": (lambda value: isinstance(value, str) and value in ROLES, f"one of {', '.join(ROLES)}"),
    "sha256": (_SHA256, "a sha256"),
    "bytes": (_int(0), "a size"),
}
_MODEL: dict[str, tuple[Check, str]] = {
    "graph": (_NAME, "a graph's name"),
    "recipe": (_NAME, "a recipe's name"),
    "file": (_IS_TEXT, "a file"),
    "inputs": (_PORTS, "a list of name, dtype, shape"),
    "outputs": (_PORTS, "a list of name, dtype, shape"),
    "min_runtime": (_or_null(_text("[A-Za-z0-9.+_-]{1,64}")), "a version or null"),
    "rows": (_is_rows, "rows by vocabulary"),
}
_VOCABULARY: dict[str, tuple[Check, str]] = {
    "name": (lambda value: value in VOCABULARIES, f"one of {', '.join(VOCABULARIES)}"),
    "file": (_IS_TEXT, "a file"),
    "size": (_int(1, 2**31 - 2), "a positive whole number"),
    "oov_index": (_int(0, 2**31 - 1), "a whole number"),
}
_CANDIDATES: dict[str, tuple[Check, str]] = {
    "file": (_IS_TEXT, "a file"),
    "dtype": (lambda value: value in CANDIDATE_DTYPES, f"one of {', '.join(CANDIDATE_DTYPES)}"),
    "shape": (lambda value: _list_of(_int(1, 2**31 - 1), 2)(value) and len(value) == 2, "two positive whole numbers"),
    "scale": (_or_null(lambda value: type(value) is float and value > 0), "a positive number or null"),
}
_UPDATE: dict[str, tuple[Check, str]] = {
    "base_version": (_int(1, MOST_VERSION), f"1 to {MOST_VERSION}"),
    "from_base": (_list_of(_IS_TEXT, MOST_FILES), "a list of files"),
}


def _check_fields(record: Mapping[str, Any], fields: Mapping[str, tuple[Check, str]], where: str) -> None:
    for name, (check, expected) in fields.items():
        if name not in record:
            raise _fail(f"malformed: {where}{name} is missing")
        try:
            holds = check(record[name])
        except TypeError:  # a list where a name should be cannot be looked up
            holds = False
        if not holds:
            raise _fail(f"malformed: {where}{name} is {_shown(record[name])}, expected {expected}")


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except RecursionError:
        text = "something very deep"
    return text if len(text) <= 80 else f"{text[:77]}..."


def check_paths(paths: Iterable[str]) -> None:
    """Check names of files of a bundle: plain relative ones of ASCII letters, digits, '_', '-' and '.', distinct in any case.

    Raises:
        CheckFailed: a name that is not, or two that some file system takes for one.
    """
    kinds: dict[str, tuple[str, bool]] = {}
    for path in paths:
        parts = path.split("/")
        if len(path) > _MOST_PATH or not all(map(_PART.fullmatch, parts)):
            raise _fail(f"file path {_shown(path)} is not a plain relative path")
        if path.casefold() in (MANIFEST, SIGNATURE):
            raise _fail(f"lists {path} among the files")
        for depth in range(1, len(parts) + 1):
            name, is_file = "/".join(parts[:depth]), depth == len(parts)
            known = kinds.setdefault(name.casefold(), (name, is_file))
            if known != (name, is_file):
                raise _fail(f"{known[0]} and {name} differ in case only, or are file and folder")


def _check_files(manifest: Mapping[str, Any]) -> None:
    for row in manifest["files"]:
        _check_fields(row, _FILE, f"{_shown(row.get('path'))} ")
        if row["bytes"] > ROLES[row["role"]]:
            raise _fail(f"{row['path']}: {row['bytes']} bytes, a {row['role']} file has at most {ROLES[row['role']]}")
    paths = [row["path"] for row in manifest["files"]]
    check_paths(paths)
    if repeated := [path for path, times in Counter(paths).items() if times > 1]:
        raise _fail(f"lists {repeated[0]} twice")
    if paths != sorted(paths):
        raise _fail("files are not in the order of their paths")
    used = list(_used(manifest))
    roles = {row["path"]: row["role"] for row in manifest["files"]}
    for name, role in used:
        if not isinstance(name, str) or roles.get(name) != role:
            given = roles.get(name) if isinstance(name, str) else None
            what = f"has the role {given}, expected {role}" if given else "is used but not among the files"
            raise _fail(f"{_shown(name)} {what}")
    uses = Counter(name for name, _ in used)
    for name in roles:
        if (times := uses[name]) != 1:
            raise _fail(f"{name} is {'used more than once' if times else 'not used by anything'}")


def _used(manifest: Mapping[str, Any]) -> Iterable[tuple[Any, str]]:
    for row in manifest["models"]:
        yield row.get("file"), "model"
    for row in manifest["vocabularies"]:
        yield row.get("file"), "vocabulary"
    yield manifest["items"], "items"
    yield manifest["golden"], "golden"
    if manifest["candidates"] is not None:
        yield manifest["candidates"].get("file"), "candidates"


def _check_models(manifest: Mapping[str, Any]) -> None:
    for model in manifest["models"]:
        _check_fields(model, _MODEL, f"model {_shown(model.get('graph'))} ")
        for kind in ("inputs", "outputs"):
            names = [port["name"] for port in model[kind]]
            if len(set(names)) != len(names):
                raise _fail(f"model {model['graph']} names one of its {kind} twice")
    graphs, wanted = [model["graph"] for model in manifest["models"]], LAYOUTS[manifest["layout"]].graphs
    if sorted(graphs) != sorted(wanted):
        raise _fail(f"graphs {', '.join(graphs) or 'none'}, a {manifest['layout']} bundle has {', '.join(wanted)}")


def _check_vocabularies(manifest: Mapping[str, Any]) -> None:
    for row in manifest["vocabularies"]:
        _check_fields(row, _VOCABULARY, f"vocabulary {_shown(row.get('name'))} ")
        if row["oov_index"] != row["size"]:
            raise _fail(f"vocabulary {row['name']}: oov_index {row['oov_index']}, expected {row['size']}")
    names = [row["name"] for row in manifest["vocabularies"]]
    if len(set(names)) != len(names) or "items" not in names:
        raise _fail(f"vocabularies {', '.join(names) or 'none'}: expected items, and each name once")


def _check_candidates(manifest: Mapping[str, Any]) -> None:
    candidates, layout = manifest["candidates"], manifest["layout"]
    if (candidates is not None) != LAYOUTS[layout].has_candidates:
        raise _fail(f"candidates are {'there' if candidates else 'null'} in a {layout} bundle")
    if candidates is None:
        return
    _check_fields(candidates, _CANDIDATES, "candidates ")
    if (candidates["scale"] is None) != (candidates["dtype"] == "float32"):
        raise _fail(f"candidates of {candidates['dtype']} with scale {candidates['scale']}")


def _check_rest(manifest: Mapping[str, Any]) -> None:
    if (manifest["key_id"] is None) != (manifest["signature"] is None):
        raise _fail("key_id and signature: expected both, or neither")
    if (update := manifest["update"]) is None:
        return
    _check_fields(update, _UPDATE, "update ")
    taken, paths = update["from_base"], {row["path"] for row in manifest["files"]}
    if len(set(taken)) != len(taken) or not paths.issuperset(taken):
        raise _fail("update from_base: expected files of this bundle, each once")
