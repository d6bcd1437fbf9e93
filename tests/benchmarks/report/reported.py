"""A run with nothing but what `report` reads, and changes to it that tests plant."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pocketrec.core.records.variants import Variant


def only_reports(run: Path, folder: Path) -> Path:
    """A copy of `run` that holds run.json, variants.json, parity.json, latency.json and the samples."""
    for part in ("trained/run.json", "converted/variants.json", "reports/parity.json", "reports/latency.json"):
        (folder / part).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(run / part, folder / part)
    shutil.copytree(run / "reports" / "samples", folder / "reports" / "samples")
    return folder


def change(run: Path, part: str, how: Callable[[dict[str, Any]], None]) -> None:
    """Change a JSON file of a run in place."""
    document = json.loads((run / part).read_text())
    how(document)
    (run / part).write_text(json.dumps(document))


def break_cell(document: dict[str, Any], graph: str = "retriever", recipe: str = "int4_rows") -> None:
    """Let the first cell of a variant miss a gate, with a first difference whose titles need escaping."""
    row = next(row for row in document["results"] if (row["graph"], row["recipe"]) == (graph, recipe))
    row |= {"status": "fail", "reason": "top_k_overlap 0.4 is below 0.9"}
    row["metrics"]["top_k_overlap"] = 0.4
    titles = ["<b>Speed</b> & co (1994)", "Contact (1997)"]
    row["first_difference"] = {
        "user": "42",
        "reference": [{"title": title, "score": 2.5} for title in titles],
        "variant": [{"title": title, "score": None} for title in reversed(titles)],
    }


def slow_down(document: dict[str, Any], times: float, index: int = 0) -> dict[str, Any]:
    """Make one row of latency.json slower in every field that is compared; returns it."""
    row = document["results"][index]
    row["p50_us"] *= times
    row["ci95_p50_us"] = [value * times for value in row["ci95_p50_us"]]
    row["p50_us_by_process"] = [value * times for value in row["p50_us_by_process"]]
    return row


def variant(graph: str, recipe: str, size_bytes: int) -> Variant:
    """A made-up variant of a size."""
    return Variant(
        graph=graph,
        recipe=recipe,
        form=None,
        settings=None,
        file=f"{graph}-{recipe}.tflite",
        size_bytes=size_bytes,
        sha256="",
        source_sha256="",
        inputs=[],
        outputs=[],
        ops=[],
        min_runtime=None,
        runs_on=[],
        refusals=[],
        table_bytes={},
        traps=[],
    )
