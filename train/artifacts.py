"""Files with schemas: hashing, atomic writing, and the run directory that the stages meet in.

Standard library and NumPy only; every stage, TensorFlow or not, may import this.
"""

import contextlib
import hashlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import IO, Any

import numpy as np

from .errors import InputError
from .replacing import remove_leftovers, swap

RUN_SCHEMA = "pocketrec.run/1"
VARIANTS_SCHEMA = "pocketrec.variants/1"
PARITY_SCHEMA = "pocketrec.parity/1"
LATENCY_SCHEMA = "pocketrec.latency/1"
COMPARISON_SCHEMA = "pocketrec.comparison/1"

_COMMAND_OF_SCHEMA = {
    RUN_SCHEMA: "pocketrec train --out RUN",
    VARIANTS_SCHEMA: "pocketrec convert RUN",
    PARITY_SCHEMA: "pocketrec parity RUN",
    LATENCY_SCHEMA: "pocketrec latency RUN",
    COMPARISON_SCHEMA: "pocketrec convert RUN --compare",
}


def kit_version() -> str:
    """Version of the installed kit, or `0+source` when it runs uninstalled."""
    try:
        return metadata.version("pocketrec")
    except metadata.PackageNotFoundError:
        return "0+source"


def sha256_bytes(data: bytes) -> str:
    """Hex SHA-256 of `data`."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file, read in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def sha256_tree(root: Path) -> str:
    """Hex SHA-256 over the sorted relative paths and contents of every file below `root`."""
    digest = hashlib.sha256()
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        digest.update(f"{path.relative_to(root).as_posix()}\0{sha256_file(path)}\n".encode())
    return digest.hexdigest()


def require_empty(path: Path, what: str = "--out") -> None:
    """Refuse an output directory that already holds something.

    Raises:
        InputError: `path` is a file, or a directory that is not empty.
    """
    if path.is_file():
        raise InputError(what, expected="a directory to create", given=f"the file {path}", do="name another place")
    if path.is_dir():
        remove_leftovers(path)
    if path.is_dir() and any(path.iterdir()):
        raise InputError(
            what,
            expected="a new or empty directory",
            given=f"{path}, which is not empty",
            do="remove it or name another",
        )


@contextlib.contextmanager
def atomic_dir(target: Path) -> Iterator[Path]:
    """Yield a temporary sibling of `target` that takes its name only when the block succeeds.

    An existing `target` is replaced whole; after an exception it is as it was, and nothing else is left.

    Raises:
        InputError: the place cannot be written.
    """
    target = target.resolve() if target.is_symlink() else target
    made_parent = not target.parent.exists()
    with _said_plainly(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(target.parent)
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.partial-{os.getpid()}-", dir=target.parent))
        temporary.chmod(0o755)
    try:
        yield temporary
        with _said_plainly(target):
            swap(temporary, target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        if made_parent:
            with contextlib.suppress(OSError):
                target.parent.rmdir()
        raise


@contextlib.contextmanager
def _said_plainly(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(
            "output",
            expected="a place that can be written",
            given=f"{path} ({error.strerror})",
            do="name another place",
        ) from error


@contextlib.contextmanager
def write_via(path: Path) -> Iterator[IO[bytes]]:
    """Yield a stream to a temporary file in `path`'s folder, renamed into place when the block succeeds.

    Raises:
        InputError: the place cannot be written.
    """
    with _said_plainly(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "w+b") as stream:
                yield stream
            Path(name).chmod(0o644)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file under a temporary name in its own folder, then rename it into place.

    Raises:
        InputError: the place cannot be written.
    """
    with write_via(path) as stream:
        stream.write(data)


def write_json(path: Path, document: dict[str, Any]) -> None:
    """Write `document` as UTF-8 JSON, indented, keys in the order given, NaN refused; atomic."""
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    write_bytes(path, (text + "\n").encode())


def write_npz(path: Path, **arrays: np.ndarray) -> None:
    """Write arrays as an uncompressed .npz; the same arrays give the same bytes. Atomic."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    write_bytes(path, buffer.getvalue())


def read_json(path: Path, schema: str) -> dict[str, Any]:
    """Read a JSON file of exactly `schema`.

    Raises:
        InputError: the file is missing, unreadable, or of another schema or version.
    """
    command = _COMMAND_OF_SCHEMA.get(schema, "the command that writes it")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(str(path), expected=f"a {schema} file", given="no such file", do=f"run `{command}`") from None
    except (ValueError, OSError) as error:
        raise InputError(
            str(path), expected=f"a {schema} file", given=f"unreadable JSON ({error})", do=f"run `{command}` again"
        ) from error
    found = document.get("schema") if isinstance(document, dict) else type(document).__name__
    if found != schema:
        raise InputError(
            str(path),
            expected=f"schema {schema}",
            given=repr(found),
            do=f"run `{command}` with this version of the kit",
        )
    return document


@dataclass(frozen=True)
class Run:
    """A run directory: one trained recommender and all that was made from it."""

    root: Path

    @property
    def trained(self) -> Path:
        return self.root / "trained"

    @property
    def converted(self) -> Path:
        return self.root / "converted"

    @property
    def reports(self) -> Path:
        return self.root / "reports"

    @property
    def run_json(self) -> dict[str, Any]:
        return read_json(self.trained / "run.json", RUN_SCHEMA)

    @property
    def variants_json(self) -> dict[str, Any]:
        return read_json(self.converted / "variants.json", VARIANTS_SCHEMA)

    def saved_model(self, name: str) -> Path:
        """Folder of one of the trained SavedModels."""
        return self.trained / name


def open_run(path: Path) -> Run:
    """Open a finished run.

    Raises:
        InputError: `path` is no run, its training never finished, or it has another schema version.
    """
    run = Run(path)
    if not path.is_dir():
        raise InputError(
            "RUN",
            expected="a run directory",
            given=f"{path} (no such directory)",
            do="run `pocketrec train --out RUN` first",
        )
    if not (run.trained / "run.json").is_file():
        partial = any(path.glob(".trained.partial-*")) or run.trained.is_dir()
        given = f"{path}, whose training did not finish" if partial else f"{path}, which has no trained/run.json"
        raise InputError(
            "RUN", expected="a finished run", given=given, do="run `pocketrec train --out RUN` with a new directory"
        )
    _ = run.run_json
    return run
