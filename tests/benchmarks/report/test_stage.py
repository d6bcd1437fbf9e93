import dataclasses
import json
from html.parser import HTMLParser
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
from pocketrec.benchmarks.parity.judging.verdicts import allowance_used, choices, verdict, worst_measure
from pocketrec.benchmarks.report.charts.distributions import letter_values
from pocketrec.benchmarks.report.charts.table import CHARTS
from pocketrec.benchmarks.report.junit import junit
from pocketrec.benchmarks.report.presentation import duration, percent, significant
from pocketrec.benchmarks.report.stage import write_report
from pocketrec.core.records.agreement import Agreement
from pocketrec.core.records.parity import ParityRow
from pocketrec.core.run_dir import Run

from tests.benchmarks.report.reported import break_cell, change, only_reports, variant
from tests.conftest import call, raises


class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.links, self.cells, self.drawings = [], [], 0

    def handle_starttag(self, tag, attrs):
        self.links += [value for name, value in attrs if name in ("src", "href", "xlink:href")]
        self.drawings += tag == "svg"

    def handle_data(self, data):
        self.cells.append(data.strip())


@pytest.fixture(scope="module")
def reported(tiny, tmp_path_factory):
    """The tiny run, reported by this code."""
    folder = only_reports(tiny, tmp_path_factory.mktemp("reported") / "run")
    done = call("report", folder)
    assert done.code == 0, done.err
    return folder


def test_html_needs_no_network_and_holds_the_numbers_of_the_json(reported):
    text = (reported / "reports" / "report.html").read_text()
    page = Page()
    page.feed(text)
    assert [link for link in page.links if not link.startswith("#")] == ["data:,"]
    for row in json.loads((reported / "reports" / "latency.json").read_text())["results"]:
        assert duration(row["p50_us"]) in page.cells
    assert len(text) < 3e6


def test_every_chart_is_drawn_for_both_widths_with_its_data_beside(reported):
    text = (reported / "reports" / "report.html").read_text()
    page = Page()
    page.feed(text)
    assert page.drawings == 2 * text.count("<figure")
    assert text.count("<figure") == text.count("Data of this chart") == text.count("<figcaption") == 4


def test_what_was_not_measured_is_named_with_its_command(tiny, tmp_path):
    folder = only_reports(tiny, tmp_path / "run")
    (folder / "reports" / "latency.json").unlink()
    write_report(Run(folder))
    for file in ("report.html", "report.md"):
        text = (folder / "reports" / file).read_text()
        assert all(chart.command in text for chart in CHARTS if "latency" in chart.command)


def test_markdown_has_a_row_for_every_result(reported):
    text = (reported / "reports" / "report.md").read_text()
    results = json.loads((reported / "reports" / "parity.json").read_text())["results"]
    assert text.count("| pass |") == sum(row["status"] == "pass" for row in results)
    latency = json.loads((reported / "reports" / "latency.json").read_text())["results"]
    assert all(f"| {duration(row['p50_us'])} |" in text for row in latency)


def test_failing_cell_shows_both_lists_and_no_markup_of_theirs(tiny, tmp_path):
    folder = only_reports(tiny, tmp_path / "run")
    change(folder, "reports/parity.json", break_cell)
    write_report(Run(folder))
    text = (folder / "reports" / "report.html").read_text()
    assert "First to differ: user 42" in text and "&lt;b&gt;Speed&lt;/b&gt; &amp; co (1994)" in text
    assert "<b>Speed" not in text
    page = Page()
    page.feed(text)
    assert "dynamic_int8" in text[text.index("<h3>retriever</h3>") :][:200]  # the next smallest ships instead
    assert "top_k_overlap 0.4 is below 0.9" in (folder / "reports" / "report.md").read_text()


def test_a_latency_json_of_an_earlier_version_is_shown(tiny, tmp_path):
    """It lacks what was added since: all but what has been there from the start."""
    folder = only_reports(tiny, tmp_path / "run")
    kept = {
        "subject",
        "graph",
        "recipe",
        "runtime",
        "target",
        "threads",
        "batch_size",
        "n_items",
        "k",
        "is_exact",
        "recall_at_k",
        "n_samples",
        "n_processes",
        "p50_us",
        "p90_us",
        "p99_us",
        "ci95_p50_us",
        "load_ms",
        "first_call_ms",
        "peak_rss_bytes",
        "size_bytes",
        "samples_file",
    }

    def strip(document):
        document["results"] = [{name: row[name] for name in kept} for row in document["results"]]
        for name in ("conditions", "growth", "cost_model"):
            del document[name]

    change(folder, "reports/latency.json", strip)
    write_report(Run(folder))
    text = (folder / "reports" / "report.html").read_text()
    assert "no separate figure" in text and ">allocate<" not in text


def test_what_could_not_be_measured_is_a_row_with_its_reason(tiny, tmp_path):
    folder = only_reports(tiny, tmp_path / "run")

    def fail(document):
        row = document["results"][0]
        row |= {
            name: None
            for name in row
            if name.startswith(("p50", "p90", "p99", "ci95", "load", "first", "peak", "samples_file"))
        }
        row |= {"p50_us_by_process": [], "n_samples": 0, "n_processes": 0, "status": "error", "reason": "it <crashed>"}

    change(folder, "reports/latency.json", fail)
    write_report(Run(folder))
    text = (folder / "reports" / "report.html").read_text()
    assert '<td class="error">error</td>' in text and "it &lt;crashed&gt;" in text


def test_conditions_and_delegates_are_shown(tiny, tmp_path):
    folder = only_reports(tiny, tmp_path / "run")

    def add(document):
        document["conditions"] = {
            "affinity": [0, 1],
            "load_average": [3.0, 2.0, 1.0],
            "governor": None,
            "noisy": True,
            "warnings": ["busy machine"],
        }
        for row in document["results"]:
            row |= {"delegate": None, "allocate_ms": row["load_ms"] / 4, "ci95_p99_us": None, "spread": 0.01}
        document["results"][0]["delegate"] = "none"

    change(folder, "reports/latency.json", add)
    write_report(Run(folder))
    text = (folder / "reports" / "report.html").read_text()
    assert "busy machine" in text and ">allocate<" in text and "no XNNPACK" in text


@pytest.mark.parametrize("damage", ["truncated", "other"])
def test_samples_that_cannot_be_read_are_refused_and_nothing_is_written(tiny, tmp_path, damage):
    folder = only_reports(tiny, tmp_path / "run")
    path = next((folder / "reports" / "samples").glob("*.npz"))
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-200])
    else:
        np.savez(path, something=np.zeros(3))
    with raises("INPUT_UNREADABLE") as caught:
        write_report(Run(folder))
    assert path.name in str(caught.value)
    assert not list((folder / "reports").glob("report.*")) and not (folder / "reports" / "junit.xml").exists()


def test_samples_that_were_not_copied_along_are_said_to_be_missing(tiny, tmp_path):
    folder = only_reports(tiny, tmp_path / "run")
    next((folder / "reports" / "samples").glob("retriever-float32@*-t1.npz")).unlink()
    write_report(Run(folder))
    assert "1 cases left out" in (folder / "reports" / "report.html").read_text()


def test_json_of_another_schema_is_refused(tiny, tmp_path):
    folder = only_reports(tiny, tmp_path / "run")
    change(folder, "reports/latency.json", lambda document: document.update(schema="pocketrec.latency/9"))
    with raises("SCHEMA_UNKNOWN") as caught:
        write_report(Run(folder))
    assert "pocketrec.latency/9" in str(caught.value)


def test_report_without_parity_says_which_command_makes_it(tiny, tmp_path):
    folder = only_reports(tiny, tmp_path / "run")
    (folder / "reports" / "parity.json").unlink()
    with raises("INPUT_MISSING") as caught:
        write_report(Run(folder))
    assert "pocketrec parity RUN" in str(caught.value)


def test_junit_counts_failures_errors_and_skips():
    rows = _rows(*(("float32", status) for status in ("pass", "fail", "error", "skipped")), reason="why <&>")
    suite = ElementTree.fromstring(junit(rows))
    assert {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "4",
        "failures": "1",
        "errors": "1",
        "skipped": "1",
    }
    assert suite.find("testcase/failure").get("message") == "why <&>"


def _rows(*cells, reason="no"):
    common = {"graph": "g", "runtime": "r", "target": "host", "n_queries": 1, "tolerance": {"reason": "x"}}
    return [ParityRow(**common, recipe=recipe, status=status, reason=reason) for recipe, status in cells]


def test_verdict_never_names_a_variant_that_failed_anywhere():
    variants = [variant("g", "small", 1), variant("g", "big", 2)]
    results = _rows(("small", "pass"), ("small", "fail"), ("big", "pass"))
    assert "g: big, 2 bytes" in verdict(variants, results)
    assert "g: none may ship" in verdict(variants[:1], results)


def test_choice_says_why_each_smaller_variant_was_refused():
    variants = [variant("g", name, size) for size, name in enumerate(("a", "b", "c", "d"), 1)]
    (choice,) = choices(variants, _rows(("a", "error"), ("b", "skipped"), ("c", "pass"), ("d", "fail")))
    assert choice.best is not None and choice.best.recipe == "c"
    assert [(r.recipe, r.reason) for r in choice.refused] == [
        ("a", "r, host: no"),
        ("b", "it was compared nowhere"),
    ]


def test_allowance_used_is_a_share_of_the_gate():
    limits = {"max_abs_diff": 0.2, "top_k_overlap": 0.9, "quality_loss": 0.01, "kendall_tau": 0.9}
    (row,) = _rows(("a", "pass"))
    row = dataclasses.replace(
        row,
        metrics=Agreement(max_abs_diff=0.05, top_k_overlap=0.96, quality_loss=-0.1),
        tolerance={**limits, "reason": "x"},
    )
    assert allowance_used(row) == pytest.approx({"max_abs_diff": 0.25, "top_k_overlap": 0.4, "quality_loss": 0.0})
    assert worst_measure(row)[0] == "top_k_overlap"


def test_letter_values_are_nested_and_leave_calls_outside():
    ordered = np.arange(1, 1001, dtype=float)
    letters = letter_values(ordered)
    assert letters[-1] == pytest.approx((0.5, 250.75, 750.25))
    assert all(wide[1] < narrow[1] and wide[2] > narrow[2] for wide, narrow in pairwise(letters))
    assert (ordered < letters[0][1]).sum() >= 5


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0, "0"), (999.6, "1,000"), (0.9996, "1.00"), (4183.0, "4,180"), (12, "12.0"), (7.5e-7, "7.5e-07")],
)
def test_numbers_have_three_significant_digits(value, text):
    assert significant(value) == text


def test_units_fit_the_number():
    assert [duration(value) for value in (12.34, 1234.0, 2.5e6)] == ["12.3 µs", "1.23 ms", "2.50 s"]
    assert [percent(share) for share in (0, 0.001, 0.5)] == ["0%", "<1%", "50%"]
