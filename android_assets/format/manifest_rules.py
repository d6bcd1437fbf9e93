"""Reading a manifest: its types and ranges, and the rules between its fields."""

import re
from collections import Counter
from collections.abc import Iterable

import msgspec

from ...core.errors import CheckFailed
from .layouts import LAYOUTS
from .manifest import BUNDLE_SCHEMA, MANIFEST, MANIFEST_LIMIT, SIGNATURE, Manifest
from .strict_json import parse_json

# Most bytes of a file by its role. The client maps a file as one buffer, which ends before 2 GiB; texts are read whole.
MOST_BYTES = {
    "model": 2**31 - 1,
    "vocabulary": 256 << 20,
    "items": 1 << 30,
    "candidates": 2**31 - 1,
    "golden": 64 << 20,
}
MOST_PATH = 200
MOST_DEPTH = 32
PART = "[A-Za-z0-9_][A-Za-z0-9_.-]*"
_PART = re.compile(rf"{PART}(?<!\.)")


def read_manifest(data: bytes) -> Manifest:
    """A manifest from its bytes.

    Raises:
        CheckFailed: too large (FILE_SIZE), of another schema (SCHEMA_UNKNOWN), not strict JSON or breaking a rule
            (MANIFEST_INVALID).
    """
    if len(data) > MANIFEST_LIMIT:
        raise CheckFailed(f"{MANIFEST}: larger than {MANIFEST_LIMIT} bytes", code="FILE_SIZE")
    document = parse_json(data, MANIFEST, "MANIFEST_INVALID")
    if not isinstance(document, dict) or not isinstance(schema := document.get("schema"), str):
        raise _fail("expected an object with a schema")
    if schema != BUNDLE_SCHEMA:
        raise CheckFailed(f"{MANIFEST}: schema {schema!r}, this kit reads {BUNDLE_SCHEMA}", code="SCHEMA_UNKNOWN")
    _check_depth(document)
    try:
        manifest = msgspec.convert(document, Manifest)
    except msgspec.ValidationError as error:
        raise _fail(_explained(document, str(error))) from None
    if manifest.layout not in LAYOUTS:
        raise _fail(f"layout: expected one of {', '.join(LAYOUTS)}, got {_shown(manifest.layout)}")
    _check_files(manifest)
    _check_models(manifest)
    _check_vocabularies(manifest)
    _check_candidates(manifest)
    _check_rest(manifest)
    return manifest


def check_paths(paths: Iterable[str], code: str = "MANIFEST_INVALID") -> None:
    """Check names of files of a bundle: plain relative ones of ASCII letters, digits, '_', '-' and '.', distinct in any case.

    Raises:
        CheckFailed: a name that is not, or two that some file systems do not tell apart.
    """
    kinds: dict[str, tuple[str, bool]] = {}
    for path in paths:
        parts = path.split("/")
        if len(path) > MOST_PATH or not all(map(_PART.fullmatch, parts)):
            raise _fail(f"file path {_shown(path)} is not a plain relative path", code)
        if path.casefold() in (MANIFEST, SIGNATURE):
            raise _fail(f"lists {path} among the files", code)
        for depth in range(1, len(parts) + 1):
            name, is_file = "/".join(parts[:depth]), depth == len(parts)
            known = kinds.setdefault(name.casefold(), (name, is_file))
            if known != (name, is_file):
                raise _fail(f"{known[0]} and {name} differ in case only, or are file and folder", code)


def _fail(reason: str, code: str = "MANIFEST_INVALID") -> CheckFailed:
    return CheckFailed(f"{MANIFEST}: {reason}", code=code)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _check_depth(document: object) -> None:
    level: list[object] = [document]
    for _ in range(MOST_DEPTH):
        level = [part for value in level for part in _parts(value)]
        if not level:
            return
    raise _fail(f"nested more than {MOST_DEPTH} levels deep")


def _parts(value: object) -> Iterable[object]:
    """What is directly inside an object or list."""
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _explained(document: object, error: str) -> str:
    """msgspec's "Expected `int` <= 5 - at `$.a[0].b`" with the field first, and the value."""
    what, _, where = error.partition(" - at `$")
    path = where.strip("`.")
    value = document
    for name, index in re.findall(r"\.([a-z0-9_]+)|\[(\d+)\]", where):
        try:
            value = value[name or int(index)]  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            return f"{path}: {what[:1].lower()}{what[1:]}"
    given = "" if ", got" in what or "missing" in what else f", got {_shown(value)}"
    return f"{path or 'manifest'}: {what[:1].lower()}{what[1:]}{given}"


def _check_files(manifest: Manifest) -> None:
    for row in manifest.files:
        if row.bytes > MOST_BYTES[row.role]:
            raise _fail(f"{row.path}: {row.bytes} bytes, a {row.role} file has at most {MOST_BYTES[row.role]}")
    paths = [row.path for row in manifest.files]
    check_paths(paths)
    if repeated := [path for path, times in Counter(paths).items() if times > 1]:
        raise _fail(f"lists {repeated[0]} twice")
    if paths != sorted(paths):
        raise _fail("files are not in the order of their paths")
    used = list(_used(manifest))
    roles = {row.path: row.role for row in manifest.files}
    for name, role in used:
        if roles.get(name) != role:
            given = roles.get(name)
            what = f"has the role {given}, expected {role}" if given else "is used but not among the files"
            raise _fail(f"{_shown(name)} {what}")
    uses = Counter(name for name, _ in used)
    for name in roles:
        if (times := uses[name]) != 1:
            raise _fail(f"{name} is {'used more than once' if times else 'not used by anything'}")


def _used(manifest: Manifest) -> Iterable[tuple[str, str]]:
    """Path and role of each file that another part of the manifest names."""
    yield from ((row.file, "model") for row in manifest.models)
    yield from ((row.file, "vocabulary") for row in manifest.vocabularies)
    yield manifest.items, "items"
    yield manifest.golden, "golden"
    if manifest.candidates is not None:
        yield manifest.candidates.file, "candidates"


def _check_models(manifest: Manifest) -> None:
    for model in manifest.models:
        for what, ports in (("inputs", model.inputs), ("outputs", model.outputs)):
            if len({port.name for port in ports}) != len(ports):
                raise _fail(f"model {model.graph} names one of its {what} twice")
    graphs, wanted = [model.graph for model in manifest.models], LAYOUTS[manifest.layout].graphs
    if sorted(graphs) != sorted(wanted):
        raise _fail(f"graphs {', '.join(graphs) or 'none'}, a {manifest.layout} bundle has {', '.join(wanted)}")
    reads_history = any(port.name == "history" for model in manifest.models for port in model.inputs)
    if (manifest.window is None) == reads_history:
        raise _fail(f"window is {manifest.window}, which contradicts the inputs of its models")


def _check_vocabularies(manifest: Manifest) -> None:
    for row in manifest.vocabularies:
        if row.oov_index != row.size:
            raise _fail(f"vocabulary {row.name}: oov_index {row.oov_index}, expected {row.size}")
    names = [row.name for row in manifest.vocabularies]
    if len(set(names)) != len(names) or "items" not in names:
        raise _fail(f"vocabularies {', '.join(names) or 'none'}: expected items, and each name once")
    if manifest.k > manifest.sizes["items"]:
        raise _fail(f"k is {manifest.k}, there are {manifest.sizes['items']} items")


def _check_candidates(manifest: Manifest) -> None:
    candidates, layout = manifest.candidates, manifest.layout
    if (candidates is not None) != LAYOUTS[layout].stores_candidates:
        raise _fail(f"candidates are {'present' if candidates else 'null'} in a {layout} bundle")
    if candidates is None:
        return
    if (candidates.scale is None) != (candidates.dtype == "float32"):
        raise _fail(f"candidates of {candidates.dtype} with scale {candidates.scale}")


def _check_rest(manifest: Manifest) -> None:
    low, high = manifest.rating_range
    if low > high:
        raise _fail(f"rating_range: expected two rising numbers, got {low:g} and {high:g}")
    if not all(row.get("status") in ("pass", "skipped") for row in manifest.parity):
        raise _fail("parity: expected rows with the status pass or skipped")
    if (manifest.key_id is None) != (manifest.signature is None):
        raise _fail("key_id and signature: expected both, or neither")
    taken = manifest.from_base
    if len(set(taken)) != len(taken) or not manifest.digests.keys() >= set(taken):
        raise _fail("update.from_base: expected files of this bundle, each once")
