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


# In files of other encoders, of random splits and of the tutorial; the second table is of the demo's.
ELSEWHERE = {"CALL_ONCE", "HASHTABLE", "HASHTABLE_FIND", "HASHTABLE_IMPORT", "MAXIMUM", "MEAN", "NOT_EQUAL", "SOFTMAX"}


def operators_of(folder: Path) -> dict[tuple[str, str], set[str]]:
    run = Run(folder)
    return {
        (variant.graph, variant.recipe): {op["name"] for op in read_tflite(run.converted / variant.file).op_counts()}
        for variant in run.variants
    }


def test_the_tables_have_every_operator_of_the_tiny_runs_files(tiny):
    found = operators_of(tiny)
    assert set().union(*found.values()) <= set(LISTED)
    assert {name: unlisted(operators - ELSEWHERE) for name, operators in found.items()} == FILES


@pytest.mark.full
def test_the_tables_are_those_of_the_demos_files(run):
    found = operators_of(run)
    assert set().union(*found.values()) == set(LISTED) - ELSEWHERE
    assert {name: unlisted(operators) for name, operators in found.items()} == FILES


@pytest.mark.full
def test_the_tables_have_every_operator_of_the_tutorials_files(tutorial_run):
    assert set().union(*operators_of(tutorial_run).values()) <= set(LISTED)


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
