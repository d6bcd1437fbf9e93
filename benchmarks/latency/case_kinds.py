"""What kinds of subjects latency.json holds: their names, their colours, and what a row is called."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...runtimes.runtimes import runtime_of
from .cases import is_usual

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Kind:
    """A kind of subject: its name for people, its colour on light and on dark ground."""

    name: str
    light: str
    dark: str


# Told apart with the usual colour blindnesses too; each kind has a shape of its own beside.
KINDS = {
    "litert": Kind("phone, LiteRT", "#1f5fbf", "#6fa8ff"),
    "tflite": Kind("phone, tflite-runtime", "#12877d", "#45c9bb"),
    "web": Kind("web page, LiteRT.js", "#7a5c00", "#e3c04d"),
    "other": Kind("phone, other runtime", "#5f7a0c", "#b4d455"),
    "bruteforce": Kind("server, BruteForce", "#b35309", "#f5a55c"),
    "scann": Kind("server, ScaNN", "#8b36a3", "#d394e6"),
    "native": Kind("server, index only", "#5b6572", "#a3aebb"),
    "served": Kind("served over HTTP", "#a81e56", "#ff86b3"),
}


def kind_of(row: Row) -> str:
    """Key of `KINDS`."""
    if row["subject"] == "tflite":
        return runtime_of(row["runtime"]).kind
    if row.get("covers") == "served":
        return "served"
    parts = row["subject"].split("/")
    return "native" if parts[-1] == "native" else ("bruteforce" if "bruteforce" in parts else "scann")


def name_of(row: Row) -> str:
    """What a row is called: graph and recipe, or the server's index and its configuration."""
    if row["subject"] == "tflite":
        parts = [row["graph"], row["form"] if row.get("form") else row["recipe"]]
    else:
        how = str(row.get("form") or row.get("configuration") or "").partition(",")[0]
        parts = [row["subject"].removeprefix("server/"), f"({how})" if how else ""]
    if row.get("offered_per_s"):
        parts.append(f"at {row['offered_per_s']:g}/s")
    if (row.get("threads") or 1) > 1:
        parts.append(f"{row['threads']} threads")
    elif row.get("delegate") != "none" and not is_usual(row):
        parts.append(f"{row['batch_size']} candidates")
    if row.get("delegate") == "none":
        parts.append("no XNNPACK")
    return " ".join(filter(None, parts))


def own_catalogue(results: list[Row]) -> list[Row]:
    """Rows of the run's own catalogue, one call at a time: no grown catalogue, no stated rate."""
    return [row for row in results if "form" not in row and not row.get("offered_per_s")]


def usual(results: list[Row]) -> list[Row]:
    """Rows of the run's own catalogue as subjects are usually run: one thread, XNNPACK as it comes, the usual candidates."""
    rows = own_catalogue(results)
    return [row for row in rows if is_usual(row)] or rows
