"""manifest.schema.json: the manifest's fields as JSON Schema, generated from the records; `python -m …format.schema` writes it."""

import json
from pathlib import Path

import msgspec

from .layouts import LAYOUTS
from .manifest import Manifest
from .manifest_rules import MOST_BYTES, MOST_DEPTH, MOST_PATH, PART

FILE = Path(__file__).with_name("manifest.schema.json")

# What a schema cannot say.
_RULES = [
    "The text is UTF-8 without repeated keys, NaN, infinity or unpaired surrogates; whole numbers fit int64, numbers have at most "
    f"40 characters, and nothing is nested more than {MOST_DEPTH} levels deep.",
    "`files` is in the order of `path`, each path once; no two paths or folders differ in case only, none is both file and folder, "
    "none is manifest.json or manifest.sig in any case.",
    "Every path is used exactly once, by the part of the manifest that its role names: a model's, vocabulary's or candidates' "
    "`file`, `items` or `golden`.",
    "`bytes` is at most " + ", ".join(f"{most} for {role}" for role, most in MOST_BYTES.items()) + ".",
    "`models` holds exactly the graphs of the layout: "
    + "; ".join(f"{name}: {', '.join(layout.graphs)}" for name, layout in LAYOUTS.items())
    + ". Names of inputs, and of outputs, are distinct.",
    "`window` is null exactly where no model has an input `history`.",
    "`vocabularies` holds each name at most once, and `items`; `oov_index` equals `size`; `k` is at most the size of `items`.",
    "`candidates` is an object exactly in layouts that store candidates: "
    + ", ".join(name for name, layout in LAYOUTS.items() if layout.stores_candidates)
    + ". `scale` is null exactly for float32.",
    "`rating_range` rises. `key_id` is null exactly where `signature` is. `from_base` holds paths of `files`, each once.",
]


def manifest_schema() -> dict[str, object]:
    """The JSON Schema of manifest.json, with the rules between fields in `description`."""
    schema = msgspec.json.schema(
        Manifest, ref_template="#/$defs/{name}", schema_hook=lambda kind: {"description": "any"}
    )
    definitions = schema["$defs"]
    definitions["Manifest"]["properties"]["layout"] = {"enum": list(LAYOUTS)}
    definitions["BundledFile"]["properties"]["path"] = {
        "type": "string",
        "maxLength": MOST_PATH,
        "pattern": rf"^{PART}(?<!\.)(/{PART}(?<!\.))*$(?!\n)",
    }
    definitions["Manifest"]["properties"]["parity"]["items"] = {
        "type": "object",
        "properties": {"status": {"enum": ["pass", "skipped"]}},
        "required": ["status"],
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "manifest.json",
        "description": " ".join(_RULES),
        **schema,
    }


def to_text(schema: dict[str, object]) -> str:
    """As the file has it."""
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(to_text(manifest_schema()), encoding="utf-8")
