"""Whether a bundle's files fit each other: vocabularies, items, ports, tables, candidates. Their bytes are checked before."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...core.errors import CheckFailed
from .candidates import read_rows
from .contract import read_items
from .layouts import LAYOUTS

_WHO = frozenset({"history", "preferences", "user"})
# A free dimension: as many as are asked about.
_ANY = -1


@dataclass(frozen=True)
class _Ports:
    """Inputs a graph must have and may have, and the outputs it has."""

    needed: frozenset[str]
    allowed: frozenset[str]
    outputs: frozenset[str]


_GRAPHS = {
    "recommender": _Ports(frozenset({"seen"}), frozenset({"stars", "genres"}), frozenset({"ids", "rating", "scores"})),
    "retriever": _Ports(frozenset({"seen"}), frozenset({"genres"}), frozenset({"ids", "scores"})),
    "ranker": _Ports(frozenset({"items"}), frozenset({"stars"}), frozenset({"rating"})),
    "query_encoder": _Ports(frozenset(), frozenset(), frozenset({"query"})),
}


def check_fit(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Check what can be told without running a model.

    Raises:
        CheckFailed: anything does not fit, with the reason.
    """
    for vocabulary in manifest["vocabularies"]:
        tokens = _tokens(folder, vocabulary)
        if vocabulary["name"] == "items":
            _check_items(folder / manifest["items"], manifest["items"], tokens)
    sizes = {row["name"]: row["size"] for row in manifest["vocabularies"]}
    if manifest["k"] > sizes["items"]:
        raise CheckFailed(f"manifest.json: k is {manifest['k']}, there are {sizes['items']} items")
    for model in manifest["models"]:
        try:
            _check_ports(model, manifest, sizes)
        except CheckFailed as error:
            raise CheckFailed(f"{model['file']}: {error}") from None
    if (manifest["window"] is None) != (not any(_names(model, "inputs") & {"history"} for model in manifest["models"])):
        raise CheckFailed(f"manifest.json: window is {manifest['window']}, which its models' inputs contradict")
    if (candidates := manifest["candidates"]) is not None:
        if candidates["shape"][0] != sizes["items"]:
            raise CheckFailed(f"{candidates['file']}: {candidates['shape'][0]} rows for {sizes['items']} items")
        read_rows(folder / candidates["file"], candidates)


def _tokens(folder: Path, vocabulary: Mapping[str, Any]) -> list[str]:
    name = vocabulary["file"]
    try:
        tokens = (folder / name).read_bytes().decode().split("\n")
    except UnicodeDecodeError as error:
        raise CheckFailed(f"{name}: not UTF-8 ({error.reason})") from None
    if tokens.pop() != "":
        raise CheckFailed(f"{name}: its last line has no end")
    if len(tokens) != vocabulary["size"]:
        raise CheckFailed(f"{name}: {len(tokens)} tokens, the manifest says {vocabulary['size']}")
    if len(set(tokens)) != len(tokens):
        raise CheckFailed(f"{name}: a token stands there twice")
    return tokens


def _check_items(path: Path, name: str, tokens: list[str]) -> None:
    if [item["id"] for item in read_items(path)] != tokens:
        raise CheckFailed(f"{name}: its order is not that of the item vocabulary")


def _names(model: Mapping[str, Any], kind: str) -> set[str]:
    return {port["name"] for port in model[kind]}


def _check_ports(model: Mapping[str, Any], manifest: Mapping[str, Any], sizes: Mapping[str, int]) -> None:
    wanted, inputs, outputs = _GRAPHS[model["graph"]], _names(model, "inputs"), _names(model, "outputs")
    if not wanted.needed <= inputs <= wanted.needed | wanted.allowed | _WHO or not inputs & _WHO:
        raise CheckFailed(f"inputs {', '.join(sorted(inputs))} are not a {model['graph']}'s")
    if outputs != wanted.outputs:
        raise CheckFailed(f"outputs {', '.join(sorted(outputs))} are not a {model['graph']}'s")
    may_lack = LAYOUTS[manifest["layout"]].has_candidates
    for name, rows in model["rows"].items():
        size = sizes.get(name, 0)
        if rows != size + 1 and not (may_lack and name == "items" and 2 <= rows <= size):
            raise CheckFailed(
                f"its tables have {rows} rows for {name}, {size} tokens and the unknown one make {size + 1}"
            )
    known = _known_ports(model, manifest, sizes)
    for port in (*model["inputs"], *model["outputs"]):
        if (port["dtype"], port["shape"]) != known[port["name"]]:
            dtype, shape = known[port["name"]]
            raise CheckFailed(f"{port['name']} is {port['dtype']}{port['shape']}, this bundle needs {dtype}{shape}")


def _known_ports(
    model: Mapping[str, Any], manifest: Mapping[str, Any], sizes: Mapping[str, int]
) -> dict[str, tuple[str, list[int | None]]]:
    """dtype and shape of each port a bundle's models may have."""
    candidates, k = manifest["candidates"] or {"shape": [None, None]}, manifest["k"]
    return {
        "history": ("int32", [manifest["window"]]),
        "stars": ("float32", [manifest["window"]]),
        "seen": ("bool", [sizes["items"]]),
        "preferences": ("float32", [sizes.get("preferences")]),
        "genres": ("float32", [sizes.get("genres")]),
        "user": ("int32", [1]),
        "items": ("int32", [_ANY]),
        "ids": ("int32", [k]),
        "scores": ("float32", [k]),
        "rating": ("float32", [_ANY if model["graph"] == "ranker" else k]),
        "query": ("float32", [1, candidates["shape"][1]]),
    }
