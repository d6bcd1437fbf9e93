"""Tables are lists of columns: an entry is seen on the page, in Markdown and in the terminal."""

import dataclasses
import io
import typing
from dataclasses import dataclass

import pytest
from pocketrec.benchmarks.report import columns as columns_module
from pocketrec.benchmarks.report import stage, tables
from pocketrec.benchmarks.report.columns import HTML, MARKDOWN, TERMINAL, Column, field_of, grid
from pocketrec.core.records.agreement import Agreement
from pocketrec.core.records.latency import CaseKey, LatencyReport, LatencyRow
from pocketrec.core.records.parity import ParityRow
from pocketrec.core.records.record import describe
from pocketrec.core.records.sweep import CostModel, GrowthRow
from pocketrec.core.records.variants import Variant
from pocketrec.core.run_dir import Run

from tests.benchmarks.report.reported import only_reports

TABLES = {
    "LATENCY_COLUMNS": LatencyRow,
    "SERVER_COLUMNS": LatencyRow,
    "GROWTH_COLUMNS": GrowthRow,
    "COST_COLUMNS": CostModel,
    "VARIANT_COLUMNS": Variant,
    "PARITY_COLUMNS": ParityRow,
}


@pytest.mark.parametrize("name", TABLES)
def test_every_column_shows_a_field_of_its_record(name):
    record = TABLES[name]
    for column in getattr(tables, name):
        owner, field = record, column.field
        if field.startswith("metrics."):
            owner, field = Agreement, field.removeprefix("metrics.")
        assert not field or field in {item.name for item in dataclasses.fields(owner)}, column
        assert not column.tone or column.tone in {item.name for item in dataclasses.fields(record)}


def test_a_column_more_is_seen_on_the_page_in_markdown_and_in_the_terminal(tiny, tmp_path, monkeypatch):
    from pocketrec.cli.render import latency as rendering
    from rich.console import Console

    toy = Column("toy", "n_samples", lambda n: f"{n} toys")
    monkeypatch.setattr(stage, "LATENCY_COLUMNS", (*tables.LATENCY_COLUMNS, toy))
    monkeypatch.setattr(rendering, "LATENCY_COLUMNS", (*tables.LATENCY_COLUMNS, toy))
    folder = only_reports(tiny, tmp_path / "run")
    stage.write_report(Run(folder))
    page, markdown = ((folder / "reports" / name).read_text() for name in ("report.html", "report.md"))
    assert '<th class="n">toy</th>' in page and '<td class="n">50 toys</td>' in page
    assert "| toy |" in markdown and "| 50 toys |" in markdown
    console = Console(width=400, record=True, file=io.StringIO())
    console.print(rendering.latency_table(stage.read_latency(folder / "reports" / "latency.json")))
    text = console.export_text()
    assert " toy " in text and " 50 toys " in text


def test_a_descriptive_field_more_tells_rows_apart_without_being_listed_anywhere():
    """Rows of two runs are matched by the fields of CaseKey, whatever these are."""
    row = LatencyRow(subject="tflite", runtime="r")
    names = [item.name for item in dataclasses.fields(CaseKey)]
    for name in names:
        kind = typing.get_type_hints(CaseKey)[name]
        other = 7 if int in (kind, *typing.get_args(kind)) else "other"
        assert dataclasses.replace(row, **{name: other}).key != row.key, name
    assert dataclasses.replace(row, p50_us=1.0, size_bytes=3, reason="x").key == row.key
    assert dataclasses.replace(row, delegate="xnnpack").key == row.key, "as older files have it"


@dataclass(frozen=True)
class Deep:
    inner: dict[str, object]


def test_fields_lie_deep_and_may_be_absent():
    row = Deep({"a": {"b": 1}})
    assert field_of(row, "inner.a.b") == 1 and field_of(row, "") is row
    assert field_of(row, "inner.none.b") is None
    with pytest.raises(AttributeError):
        field_of(row, "outer")


def test_a_grid_keeps_what_its_surface_shows_with_sources_and_sections():
    both, page = Column("a", "a", str), Column("b", "b", str, shown=frozenset({HTML}), tone="b")
    rows = [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
    found = grid((both, page), rows, HTML, sources=["first", "second"], section="b")
    assert [[cell.text for cell in row] for row in found.rows] == [["1", "x"], ["2", "y"]]
    assert [row[1].tone for row in found.rows] == ["x", "y"] and found.sections == ["x", "y"]
    for surface in (MARKDOWN, TERMINAL):
        assert [column.heading for column in grid((both, page), rows, surface).columns] == ["a"]


def test_everything_a_report_of_latency_holds_is_described():
    found = {field.name: field for field in describe(LatencyReport)}
    assert "results[].p50_us" in found and found["results[].p50_us"].unit == "µs"
    undescribed = [name for name, field in found.items() if not field.meaning]
    assert undescribed == []
    assert {HTML, MARKDOWN, TERMINAL} == columns_module.EVERYWHERE
