"""docs/accelerators.md: its tables name every operator of the kit's files, follow from each other, and its arithmetic is right."""

import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import pytest
from pocketrec.core.run_dir import Run
from pocketrec.runtimes.model_file.reader import read_tflite

PAGE = (Path(__file__).parents[2] / "docs" / "accelerators.md").read_text(encoding="utf-8")


def table(title: str) -> list[list[str]]:
    """Rows of the table whose first column has a title."""
    lines = PAGE[PAGE.index(f"| {title} |") :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


VENDORS = ("Qualcomm", "MediaTek", "Google Tensor", "Samsung", "Intel")
LISTED = {operator: dict(zip(VENDORS, cells, strict=True)) for operator, *cells in table("operator")}
FILES = {
    (head.split(" `")[0].replace(" ", "_"), recipe): dict(zip(VENDORS, cells, strict=True))
    for head, *cells in table("file")
    for recipe in re.findall(r"`(\w+)`", head)
}


def unlisted(operators: set[str]) -> Mapping[str, str]:
    """What a row of the second table says of a file with these operators."""
    missing = {
        vendor: sorted(name for name in operators if LISTED[name][vendor] not in ("listed", "not refused"))
        for vendor in VENDORS
    }
    return {vendor: ", ".join(names) or "none" for vendor, names in missing.items()}


def check(folder: Path) -> None:
    run, seen = Run(folder), set()
    assert {(variant.graph, variant.recipe) for variant in run.variants} == set(FILES)
    for variant in run.variants:
        operators = {op["name"] for op in read_tflite(run.converted / variant.file).op_counts}
        assert operators <= set(LISTED), (variant.file, operators - set(LISTED))
        assert FILES[variant.graph, variant.recipe] == unlisted(operators), variant.file
        seen |= operators
    assert seen == set(LISTED), set(LISTED) - seen


def test_the_tables_are_those_of_the_tiny_runs_files(tiny):
    check(tiny)


@pytest.mark.full
def test_the_tables_are_those_of_the_demos_files(run):
    check(run)


def test_an_operator_that_a_list_lacks_shows():
    assert unlisted({"ADD", "TOPK_V2"})["Samsung"] == "TOPK_V2"
    assert unlisted({"ADD"}) == dict.fromkeys(VENDORS, "none")


PER_ITEM_NS = 52 / 24.6 + 1.07
PARTITIONS = [(10_000, 24), (100_000, 44), (1_000_000, 156)]  # items, µs: docs/latency.md


def level_with_partitions(call_us: float) -> float | None:
    for (n, us), (more, slower) in pairwise(PARTITIONS):
        if us <= call_us <= slower:
            return n + (call_us - us) / (slower - us) * (more - n)
    return None


def number(text: str) -> float:
    return float(text.replace(",", ""))


def test_the_computed_sizes_follow_from_the_formula():
    rows = table("D, published")
    assert len(rows) == 4
    for call, one, two, parted in rows:
        call_us = number(call.split(" ")[0])
        for text, slower in ((one, 1), (two, 2)):
            assert number(text) == pytest.approx((call_us / slower - 22.5) / PER_ITEM_NS * 1000, abs=50)
        level = level_with_partitions(call_us)
        assert parted == "over a million" if level is None else number(parted) == pytest.approx(level, abs=500)


def test_the_sizes_for_a_gpu_that_reads_at_its_bandwidth():
    read = 32 / 33.4
    for size, per_item in ((46_000, read), (131_000, read + 4 / 10.7 + 1.07)):
        assert f"- {size:,} items" in PAGE
        assert size == pytest.approx((125 - 22.5) / (PER_ITEM_NS - per_item) * 1000, abs=500)
    assert 1_000_000 * read / 1000 == pytest.approx(958, abs=1)
