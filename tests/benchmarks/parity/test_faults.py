"""Planted faults: each is caught, and by the measure named. A fault that no measure catches asks for another measure."""

import re
import shutil
from pathlib import Path

import pytest
from pocketrec.benchmarks.parity.judging.gates import DEFAULT_GATES
from pocketrec.benchmarks.parity.stage import check_parity
from pocketrec.convert.stage import convert_run
from pocketrec.core.records.agreement import METRICS
from pocketrec.core.records.parity import ParityRow
from pocketrec.core.run_dir import Run
from pocketrec.runtimes.runtimes import CURRENT_RUNTIME

from tests.benchmarks.parity.faults import FAULTS, Fault, K, Planted
from tests.variants import change_variants, keep_variants

ROOT = Path(__file__).parents[3]
# The kit's gates, with room for the quality that lists of ten lose by chance among a few hundred users.
ROOMY = re.sub(r"^quality_loss = .*$", "quality_loss = 0.02", DEFAULT_GATES.read_text(encoding="utf-8"), flags=re.M)


def rows_of(folder: Path, fault: Fault, monkeypatch: pytest.MonkeyPatch, *, plant: bool = True) -> list[ParityRow]:
    """Parity of the one variant after the fault was planted."""
    run = Run(folder)
    keep_variants(run, lambda variant: (variant.graph, variant.recipe) == (fault.graph, fault.recipe))
    if plant:
        fault.plant(Planted(run, monkeypatch))
    runtimes = list(filter(None, dict.fromkeys([fault.runtime, fault.harmless_on])))
    gates = folder / "gates.toml"
    gates.write_text(ROOMY)
    return list(check_parity(run, runtimes=runtimes, gates=gates, refresh_reference=plant and fault.refresh).rows)


def catches(row: ParityRow, measure: str) -> bool:
    """Whether a metric misses its gate, or an edge case fails."""
    if measure not in METRICS:
        return bool(row.edges[measure].reason)
    value = row.metrics.value(measure)
    assert value is not None
    return not METRICS[measure].keeps(value, row.limits.get(measure, 0.0))


@pytest.fixture(scope="module")
def short_lists(tiny, tmp_path_factory):
    """What parity reads of the tiny run, whose retrievers return ten items: a hundred would be nearly the whole catalogue."""
    folder = tmp_path_factory.mktemp("faults") / "run"
    for part in ("trained", "converted"):
        shutil.copytree(tiny / part, folder / part)
    (folder / "reports").mkdir()
    shutil.copy(tiny / "reports" / "reference.npz", folder / "reports")
    others = [variant for variant in Run(folder).variants if variant.graph != "retriever"]
    convert_run(Run(folder), graphs=["retriever"], recipes=["float32", "dynamic_int8"], k=K)
    for variant in others:
        shutil.copy(tiny / "converted" / variant.file, folder / "converted")
    change_variants(Run(folder), lambda made: [*made, *others])
    return folder


@pytest.fixture
def own_folder(short_lists, tmp_path):
    """A copy that a fault may damage."""
    return shutil.copytree(short_lists, tmp_path / "run")


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.name}, {fault.recipe}")
def test_each_fault_is_caught_by_its_measure(own_folder, monkeypatch, fault):
    rows = rows_of(own_folder, fault, monkeypatch)
    for row in rows:
        if row.runtime == fault.harmless_on:
            assert row.status == "pass", row.reason
            continue
        assert row.status == "fail", row.reason
        for measure in fault.caught_by:
            assert catches(row, measure), row.reason


def test_what_only_edge_cases_catch_no_metric_does(own_folder, monkeypatch):
    fault = next(fault for fault in FAULTS if not set(fault.caught_by) & set(METRICS))
    for row in rows_of(own_folder, fault, monkeypatch):
        assert {name for name, found in row.edges.items() if found.reason} == set(fault.caught_by)
        assert not any(catches(row, name) for name in row.limits)


def test_nothing_planted_passes(own_folder, monkeypatch):
    fault = next(fault for fault in FAULTS if fault.runtime == CURRENT_RUNTIME and fault.recipe == "dynamic_int8")
    rows = rows_of(own_folder, fault, monkeypatch, plant=False)
    assert {row.status for row in rows} == {"pass"}, [row.reason for row in rows]


def documented() -> dict[str, set[str]]:
    """The table of planted faults in the documentation: fault to the names in code type beside it."""
    pages = [page.read_text(encoding="utf-8") for page in (ROOT / "docs").rglob("*.md")]
    (page,) = [page for page in pages if "| fault | caught by |" in page]
    lines = page.partition("| fault | caught by |\n|---|---|\n")[2].partition("\n\n")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {name: set(re.findall(r"`([^`]+)`", cell)) for name, cell in rows}


def test_the_documentation_has_the_same_table():
    planted: dict[str, set[str]] = {}
    for fault in FAULTS:
        planted.setdefault(fault.name, set()).update(fault.caught_by)
    assert documented() == planted
