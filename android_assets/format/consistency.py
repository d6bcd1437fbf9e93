"""Whether a bundle's files fit together: vocabularies, items, ports, embedding rows, candidates. Their bytes are checked before."""

from dataclasses import dataclass
from pathlib import Path

from ...core.errors import CheckFailed
from .candidates import read_rows
from .contract import check_models, read_items
from .layouts import LAYOUTS
from .manifest import BundledModel, BundlePort, Manifest, VocabularyFile

_USER_INPUTS = frozenset({"history", "preferences", "user"})
# A dimension of any size, and one that no port has: of what this bundle lacks.
_FREE, _NEVER = -1, -2


@dataclass(frozen=True)
class _Ports:
    """Inputs a graph must have and may have, and the outputs it has."""

    needed: frozenset[str]
    allowed: frozenset[str]
    outputs: frozenset[str]


_GRAPHS = {
    "recommender": _Ports(frozenset({"seen"}), frozenset({"stars", "genres"}), frozenset({"ids", "rating", "scores"})),
    "retriever": _Ports(frozenset({"seen"}), frozenset({"stars", "genres"}), frozenset({"ids", "scores"})),
    "ranker": _Ports(frozenset({"items"}), frozenset({"stars"}), frozenset({"rating"})),
    "query_encoder": _Ports(frozenset(), frozenset({"stars"}), frozenset({"query"})),
}


def check_consistency(folder: Path, manifest: Manifest) -> None:
    """Check everything that can be checked without running a model; in the client's order, so that both refuse with the same code.

    Raises:
        CheckFailed: something does not fit (VOCABULARY_INVALID, ITEMS_INVALID, MODEL_INVALID, MODEL_MISMATCH, CANDIDATES_INVALID).
    """
    tokens = {row.name: _tokens(folder, row) for row in manifest.vocabularies}
    if [item.id for item in read_items(folder / manifest.items)] != tokens["items"]:
        raise CheckFailed(f"{manifest.items}: its order is not that of the item vocabulary", code="ITEMS_INVALID")
    check_models(folder, manifest)
    for model in manifest.models:
        _check_ports(model, manifest)
    if (candidates := manifest.candidates) is not None:
        read_rows(folder / candidates.file, candidates)
        if candidates.shape[0] != len(tokens["items"]):
            reason = f"{candidates.file}: {candidates.shape[0]} rows for {len(tokens['items'])} items"
            raise CheckFailed(reason, code="CANDIDATES_INVALID")


def _tokens(folder: Path, vocabulary: VocabularyFile) -> list[str]:
    name = vocabulary.file
    try:
        tokens = (folder / name).read_bytes().decode().split("\n")
    except UnicodeDecodeError as error:
        raise _invalid(f"{name}: not UTF-8 ({error.reason})") from None
    if tokens.pop() != "":
        raise _invalid(f"{name}: missing trailing newline")
    if len(tokens) != vocabulary.size:
        raise _invalid(f"{name}: {len(tokens)} tokens, the manifest says {vocabulary.size}")
    if len(set(tokens)) != len(tokens):
        raise _invalid(f"{name}: duplicate token")
    return tokens


def _invalid(reason: str) -> CheckFailed:
    return CheckFailed(reason, code="VOCABULARY_INVALID")


def _check_ports(model: BundledModel, manifest: Manifest) -> None:
    """Refuse a model whose ports are not its graph's, or not of the bundle's window, k and vocabularies."""
    wanted, sizes = _GRAPHS[model.graph], manifest.sizes
    inputs, outputs = ({port.name for port in ports} for ports in (model.inputs, model.outputs))
    if not wanted.needed <= inputs <= wanted.needed | wanted.allowed | _USER_INPUTS or not inputs & _USER_INPUTS:
        raise _mismatch(model, f"inputs {', '.join(sorted(inputs))} are not those of a {model.graph}")
    if outputs != wanted.outputs:
        raise _mismatch(model, f"outputs {', '.join(sorted(outputs))} are not those of a {model.graph}")
    may_lack_items = LAYOUTS[manifest.layout].updatable
    for name, rows in model.rows.items():
        size = sizes.get(name, 0)
        if rows != size + 1 and not (may_lack_items and name == "items" and 2 <= rows <= size):
            what = f"its tables have {rows} rows for {name}, expected {size + 1}: {size} tokens and the unknown one"
            raise _mismatch(model, what)
    known = _known_ports(model, manifest)
    for port in (*model.inputs, *model.outputs):
        if port != (expected := known[port.name]):
            what = f"{port.name} is {port.dtype}{port.shape}, this bundle needs {expected.dtype}{expected.shape}"
            raise _mismatch(model, what)


def _mismatch(model: BundledModel, reason: str) -> CheckFailed:
    return CheckFailed(f"{model.file}: {reason}", code="MODEL_MISMATCH")


def _known_ports(model: BundledModel, manifest: Manifest) -> dict[str, BundlePort]:
    """Each port a bundle's models may have."""
    sizes, k = manifest.sizes, [manifest.k]
    window = [_NEVER if manifest.window is None else manifest.window]
    dimension = _NEVER if manifest.candidates is None else manifest.candidates.shape[1]
    return {
        "history": BundlePort("history", window, "int32"),
        "stars": BundlePort("stars", window, "float32"),
        "seen": BundlePort("seen", [sizes["items"]], "bool"),
        "preferences": BundlePort("preferences", [sizes.get("preferences", _NEVER)], "float32"),
        "genres": BundlePort("genres", [sizes.get("genres", _NEVER)], "float32"),
        "user": BundlePort("user", [1], "int32"),
        "items": BundlePort("items", [_FREE], "int32"),
        "ids": BundlePort("ids", k, "int32"),
        "scores": BundlePort("scores", k, "float32"),
        "rating": BundlePort("rating", [_FREE] if model.graph == "ranker" else k, "float32"),
        "query": BundlePort("query", [1, dimension], "float32"),
    }
