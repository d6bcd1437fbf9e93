import json
from html.parser import HTMLParser
from xml.etree import ElementTree

from pocketrec.benchmarks.report import junit, verdict
from pocketrec.convert.recipes import RECIPES

from tests.conftest import refused


class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.links, self.cells = [], []

    def handle_starttag(self, tag, attrs):
        self.links += [value for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data):
        self.cells.append(data.strip())


def test_html_needs_no_network_and_holds_the_numbers_of_the_json(run):
    page = Page()
    page.feed((run / "reports" / "report.html").read_text())
    assert page.links == []
    for row in json.loads((run / "reports" / "latency.json").read_text())["results"]:
        assert f"{row['p50_us']:.4g}" in page.cells


def test_markdown_has_a_row_for_every_result(run):
    text = (run / "reports" / "report.md").read_text()
    assert text.count("| pass |") == 4 * len(RECIPES) * 3 * 2


def test_junit_counts_failures_errors_and_skips():
    row = {"graph": "ranker", "recipe": "float32", "runtime": "r", "target": "host", "reason": "why <&>"}
    parity = {"results": [{**row, "status": status} for status in ("pass", "fail", "error", "skipped")]}
    suite = ElementTree.fromstring(junit(parity))
    assert {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "4",
        "failures": "1",
        "errors": "1",
        "skipped": "1",
    }
    assert suite.find("testcase/failure").get("message") == "why <&>"


def test_verdict_never_names_a_variant_that_failed_anywhere():
    variants = [{"graph": "g", "recipe": "small", "size_bytes": 1}, {"graph": "g", "recipe": "big", "size_bytes": 2}]
    rows = [("small", "pass"), ("small", "fail"), ("big", "pass")]
    parity = {"results": [{"graph": "g", "recipe": recipe, "status": status} for recipe, status in rows]}
    assert "g: big, 2 bytes" in verdict(variants, parity)
    assert "g: none may ship" in verdict(variants[:1], parity)


def test_report_without_parity_says_which_command_makes_it(own_run, pocketrec):
    (own_run / "reports" / "parity.json").unlink()
    assert "pocketrec parity RUN" in refused(pocketrec("report", own_run))
