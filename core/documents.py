"""JSON documents with a schema: their names, how they are read and written."""

import json
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from .errors import InputError
from .files.atomic import write_bytes
from .host import describe_host

RUN_SCHEMA = "pocketrec.run/1"
VARIANTS_SCHEMA = "pocketrec.variants/1"
PARITY_SCHEMA = "pocketrec.parity/1"
LATENCY_SCHEMA = "pocketrec.latency/1"
COMPARISON_SCHEMA = "pocketrec.comparison/1"
EVALUATION_SCHEMA = "pocketrec.evaluation/1"
HISTORY_WEIGHTS_SCHEMA = "pocketrec.history_weights/1"
_COMMAND_OF_SCHEMA = {
    RUN_SCHEMA: "pocketrec train --out RUN",
    HISTORY_WEIGHTS_SCHEMA: "pocketrec train --out RUN",
    VARIANTS_SCHEMA: "pocketrec convert RUN",
    PARITY_SCHEMA: "pocketrec parity RUN",
    LATENCY_SCHEMA: "pocketrec latency RUN",
    COMPARISON_SCHEMA: "pocketrec convert RUN --compare",
    EVALUATION_SCHEMA: "pocketrec evaluate RUN",
}


def kit_version() -> str:
    """Version of the installed kit, or `0+source` when it runs uninstalled."""
    try:
        return metadata.version("pocketrec")
    except metadata.PackageNotFoundError:
        return "0+source"


def document_head(schema: str, made_from_sha256: str, runtime_packages: Iterable[str]) -> dict[str, Any]:
    """The fields that every document a stage writes begins with: schema, kit version, the source's SHA-256, and the host.

    Args:
        made_from_sha256: hex SHA-256 of what the document was made from.
        runtime_packages: `runtimes.runtime_packages()`; see `describe_host`.
    """
    return {
        "schema": schema,
        "kit_version": kit_version(),
        "made_from_sha256": made_from_sha256,
        "host": describe_host(runtime_packages),
    }


def write_json(path: Path, document: Mapping[str, object]) -> None:
    """Write `document` as UTF-8 JSON, indented, keys in the order given, NaN refused; atomic."""
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    write_bytes(path, (text + "\n").encode())


def read_json(path: Path, schema: str) -> dict[str, Any]:
    """Read a JSON file of exactly `schema`.

    Raises:
        InputError: the file is missing, unreadable, or of another schema or version.
    """
    command = _COMMAND_OF_SCHEMA.get(schema, "the command that writes it")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            str(path), expected=f"a {schema} file", given="no such file", do=f"run `{command}`", code="INPUT_MISSING"
        ) from None
    except (ValueError, OSError) as error:
        raise InputError(
            str(path),
            expected=f"a {schema} file",
            given=f"unreadable JSON ({error})",
            do=f"run `{command}` again",
            code="INPUT_UNREADABLE",
        ) from error
    found = document.get("schema") if isinstance(document, dict) else type(document).__name__
    if found != schema:
        raise InputError(
            str(path),
            expected=f"schema {schema}",
            given=repr(found),
            do=f"run `{command}` with this version of the kit",
            code="SCHEMA_UNKNOWN",
        )
    return document
