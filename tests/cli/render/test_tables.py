"""Tables in terminals of any width: nothing is cut, the least important columns go first and are named."""

import io
import json

import pytest
from pocketrec.benchmarks.report.columns import Column
from pocketrec.cli.render.catalogues import catalogue_tables
from pocketrec.cli.render.conversion import comparison_reasons, comparison_table, variants_table
from pocketrec.cli.render.inspection import inspection_tables
from pocketrec.cli.render.latency import latency_reasons, latency_table
from pocketrec.cli.render.parity import parity_reasons, parity_table
from pocketrec.cli.render.tables import table
from pocketrec.core.records.agreement import Agreement
from pocketrec.core.records.comparison import ComparedFile, ComparisonRecord, RanOn
from pocketrec.core.records.latency import LatencyReport, LatencyRow
from pocketrec.core.records.parity import ParityReport
from pocketrec.core.run_dir import Run
from pocketrec.runtimes.inspection import inspect_model
from rich.console import Console

COLUMNS = (
    Column("name", "name", is_number=False),
    Column("first", "n", str),
    Column("second", "n", str, drop=1),
    Column("third", "n", str, drop=2),
)
ROWS = [{"name": "a long name with words", "n": 1234567}, {"name": "unbreakable_" * 4, "n": 1}]


def shown(thing, width, **options):
    console = Console(width=width, file=io.StringIO(), highlight=False, markup=False, **options)
    console.print(thing)
    return console.file.getvalue()


def test_with_room_all_columns_are_shown_on_one_line_each():
    text = shown(table(COLUMNS, ROWS, "Title"), 200)
    assert "third" in text and "unbreakable_" * 4 in text and "Not shown" not in text
    assert text.count("1234567") == 3


def test_in_a_narrow_terminal_the_least_important_columns_go_first_and_are_named():
    text = shown(table(COLUMNS, ROWS, "Title"), 48)
    assert "Not shown in 48 columns: third." in text and "second" in text
    text = shown(table(COLUMNS, ROWS, "Title"), 36)
    assert "Not shown in 36 columns: second, third." in " ".join(text.split()) and "first" in text


@pytest.mark.parametrize("width", [30, 40, 60, 80, 120])
def test_no_line_is_wider_than_the_terminal_and_no_character_is_lost(width):
    text = shown(table(COLUMNS, ROWS, "Title"), width)
    assert max(map(len, text.splitlines())) <= width
    joined = "".join(line.split("│")[1].strip() for line in text.splitlines() if line.startswith("│"))
    assert "unbreakable_" * 4 in joined and "1234567" in text


def test_without_colour_the_text_is_the_same(monkeypatch):
    coloured = shown(table(COLUMNS, ROWS, "Title"), 80, force_terminal=True)
    monkeypatch.setenv("NO_COLOR", "1")
    plain = shown(table(COLUMNS, ROWS, "Title"), 80, force_terminal=True)
    assert "\x1b[3" not in plain or "\x1b[38" not in plain
    assert shown(table(COLUMNS, ROWS, "Title"), 80) in coloured or coloured


def test_a_line_is_drawn_where_the_section_changes():
    rows = [{"name": name, "n": 1} for name in "aab"]
    assert shown(table(COLUMNS, rows, "", section="name"), 80).count("├") == 1


@pytest.fixture(scope="module")
def documents(tiny):
    read = lambda part: json.loads((tiny / part).read_text())  # noqa: E731
    return {
        "latency": LatencyReport.from_json(read("reports/latency.json")),
        "parity": ParityReport.read(Run(tiny)),
        "variants": Run(tiny).variants,
        "inspection": inspect_model(tiny / "converted" / "ranker-int16x8.tflite"),
    }


@pytest.mark.parametrize("width", [60, 80, 200])
def test_every_table_of_a_run_fits(documents, width):
    things = [
        latency_table(documents["latency"]),
        parity_table(documents["parity"]),
        variants_table(documents["variants"]),
        *inspection_tables(documents["inspection"]),
    ]
    for thing in things:
        text = shown(thing, width)
        assert max(map(len, text.splitlines())) <= width and "…" not in text


def test_latency_shows_the_usual_rows_and_counts_the_others(documents):
    report = documents["latency"]
    text = shown(latency_table(report), 200)
    assert "ranker dynamic_int8" in text and "no XNNPACK" not in text.split("more rows")[0].replace(
        "without XNNPACK", ""
    )
    assert "more rows in latency.json" in text


def test_parity_counts_what_passed_and_explains_what_did_not(documents):
    report = documents["parity"]
    first, *_ = parity_reasons(report)
    assert first.startswith(f"{sum(row.status == 'pass' for row in report.rows)} of {len(report.rows)} passed")


def test_rows_without_numbers_are_explained_once_per_reason():
    rows = [LatencyRow(subject="tflite", graph=name, runtime="r", status="error", reason="crashed") for name in "ab"]
    rows.append(LatencyRow(subject="server/scann/native", runtime="native", status="skipped", reason="no scann"))
    lines = latency_reasons(LatencyReport(results=rows))
    assert lines == ["error: a on r and 1 more: crashed", "skipped: scann/native on native: no scann"]
    assert "a on r" not in shown(latency_table(LatencyReport(results=rows)), 80)


def test_a_sweep_without_results_is_three_empty_tables():
    assert len(catalogue_tables(LatencyReport(results=[], growth=[], cost_model=[]))) == 3


NO_FILE = RanOn("none", "no file", None)
RIGHT = Agreement(
    max_abs_diff=0.25, quality_metric="rmse", quality_delta=0.0, quality_variant=0.9, quality_reference=0.9
)
COMPARISON = ComparisonRecord(
    schema="",
    kit_version="",
    made_from_sha256="",
    host={},
    n_queries=9,
    results=[
        ComparedFile("g", "other", None, None, None, None, {"one": NO_FILE, "two": NO_FILE}),
        ComparedFile(
            "g",
            "pocketrec",
            "float32",
            size_bytes=1234,
            float_table_bytes=0,
            min_runtime="2.2.0",
            runtimes={"one": RanOn("right", "", RIGHT), "two": RanOn("skipped", "absent", None)},
        ),
    ],
)


def test_other_converters_stand_beside_ours_and_refusals_are_said_once():
    text = shown(comparison_table(COMPARISON), 160)
    assert "pocketrec float32" in text and "1,234" in text and "0.25" in text and "RMSE" in text
    assert comparison_reasons(COMPARISON) == [
        "g by other on one, two none: no file",
        "g by pocketrec float32 on two skipped: absent",
    ]
