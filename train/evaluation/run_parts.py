"""The ratings that a run was trained on and those it held out, read back from its own files."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from ...core.errors import InputError
from ...core.files.hashing import sha256_file, sha256_tree
from ...core.records.item import Item
from ...core.run_dir import Run
from ..data.ratings import Ratings
from ..run_files import Parts

_FILES = ("history.npz", "heldout.npz", "items.json", "users.json", "candidates.npy")
_MODELS = ("query", "ranking")


@dataclass(frozen=True)
class _User:
    """A line of users.json."""

    id: str
    preferences: list[str]


def read_parts(run: Run) -> Parts:
    """Both parts as `train` split them, rows in the source's order: the source itself need not be there any more.

    Raises:
        InputError: a file of RUN/trained is missing (INPUT_MISSING), or is not the one that run.json names (INPUT_CHANGED).
    """
    record = run.record
    for name in _FILES:
        _check(run.trained / name, record.files.get(name), sha256_file)
    for name in (name for name in _MODELS if name == "query" or name in record.saved_models):
        _check(run.saved_model(name), record.saved_models.get(name), sha256_tree)
    items = msgspec.convert(_json(run.trained / "items.json"), list[Item])
    users = msgspec.convert(_json(run.trained / "users.json"), list[_User])

    def part(name: str) -> Ratings:
        with np.load(run.trained / f"{name}.npz") as archive:
            columns = {key: archive[key] for key in ("user", "item", "rating", "timestamp")}
        return Ratings(
            name=record.data.name,
            **columns,
            users=[user.id for user in users],
            items=[item.id for item in items],
            titles=[item.title for item in items],
            genres=[item.genres for item in items],
            user_preferences=[user.preferences for user in users],
            is_implicit=record.data.is_implicit,
            has_timestamps=record.rows is None or record.rows.has_timestamps,
        )

    return Parts(part("history"), part("heldout"))


def _json(path: Path) -> object:
    return json.loads(path.read_text(encoding="utf-8"))


def _check(path: Path, sha256: str | None, digest: Callable[[Path], str]) -> None:
    if sha256 is None or not path.exists():
        raise InputError(
            str(path),
            expected="a file of RUN/trained that run.json names" if path.exists() else "this file of RUN/trained",
            given="one it does not name" if path.exists() else "no such file",
            do="evaluate a whole run; train again where there is none",
            code="INPUT_MISSING",
        )
    if digest(path) != sha256:
        raise InputError(
            str(path),
            expected=f"sha256 {sha256[:12]}…, as run.json says",
            given="other bytes",
            do="restore it, or train again",
            code="INPUT_CHANGED",
        )
