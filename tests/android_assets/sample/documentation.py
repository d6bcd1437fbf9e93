"""The pages about bundles and Android, and the Kotlin in them."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGES = "".join(
    (ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("android.md", "bundle.md", "updates.md")
)


def snippets() -> list[str]:
    """Every block of Kotlin, in the order of the pages."""
    return re.findall(r"```kotlin\n(.*?)```", PAGES, re.S)


def table_fields(heading: str) -> set[str]:
    """Names in the first cells of the tables under a heading, without what they lie in (`files[].path` as `path`)."""
    part = PAGES.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    cells = [line.split("|")[1] for line in part.splitlines() if line.startswith("| `")]
    return {name.rpartition(".")[2] for cell in cells for name in re.findall(r"`([^`]+)`", cell)}
