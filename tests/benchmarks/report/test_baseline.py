import json
from xml.etree import ElementTree

import pytest
from pocketrec.benchmarks.report.baseline import Documents, compare_runs
from pocketrec.benchmarks.report.stage import write_report
from pocketrec.core.records.latency import LatencyReport
from pocketrec.core.records.parity import ParityReport
from pocketrec.core.run_dir import Run

from tests.benchmarks.report.reported import break_cell, change, only_reports, slow_down
from tests.conftest import call, raises, refused


@pytest.fixture
def pair(tiny, tmp_path):
    """The tiny run as it is and as a baseline, as if each had been measured in two processes that agree."""
    folders = only_reports(tiny, tmp_path / "now"), only_reports(tiny, tmp_path / "before")
    for folder in folders:
        change(folder, "reports/latency.json", two_processes)
    return folders


def two_processes(document):
    for row in document["results"]:
        row |= {
            "p50_us_by_process": [row["p50_us"], row["p50_us"] * 1.01],
            "ci95_p50_us": [row["p50_us"] * f for f in (0.99, 1.01)],
        }
    document["conditions"] |= {"noisy": False, "warnings": []}


def _documents(folder):
    run, latency = Run(folder), json.loads((folder / "reports/latency.json").read_text())
    return Documents(folder.name, run.variants, ParityReport.read(run), LatencyReport.from_json(latency))


def _compared(pair):
    return compare_runs(*(_documents(folder) for folder in pair))


def _said(compared):
    return list(compared.warnings)


def test_a_run_is_no_worse_than_its_copy(pair):
    compared = _compared(pair)
    assert compared.rows and not compared.worse and not compared.better and not _said(compared)
    done = call("report", pair[0], "--baseline", pair[1], "--fail-on", "regression")
    assert done.code == 0, done.err
    assert "0 worse, 0 better" in done.out


def test_each_kind_of_regression_is_marked_everywhere_and_ends_with_1(pair):
    def lose(document):
        for row in document["results"]:
            if (row["graph"], row["recipe"]) == ("ranker", "float16"):
                row["metrics"] |= {"quality_loss": 0.5, "quality_loss_ci95": [0.4, 0.6]}

    change(pair[0], "reports/latency.json", lambda document: slow_down(document, 2.0))
    change(pair[0], "converted/variants.json", lambda document: document["variants"][1].update(size_bytes=10**7))
    change(pair[0], "reports/parity.json", break_cell)
    change(pair[0], "reports/parity.json", lose)
    assert {row.kind for row in _compared(pair).worse} == {"latency", "size", "parity", "quality"}
    done = call("report", pair[0], "--baseline", pair[1], "--fail-on", "regression")
    assert "4 regressions" in refused(done, code=1)
    assert done.out.count("worse: ") == 4
    suite = ElementTree.parse(pair[0] / "reports" / "junit.xml").getroot()
    failed = [case.get("classname") for case in suite.iter("testcase") if case.find("failure") is not None]
    assert {f"regression.{kind}" for kind in ("latency", "size", "parity", "quality")} <= set(failed)
    assert int(suite.get("failures")) == len(failed) and int(suite.get("tests")) == len(list(suite.iter("testcase")))
    for file in ("report.html", "report.md"):
        assert "4 worse" in (pair[0] / "reports" / file).read_text()


def test_without_fail_on_regressions_are_only_reported(pair):
    change(pair[0], "reports/latency.json", lambda document: slow_down(document, 2.0))
    _, compared = write_report(Run(pair[0]), baseline=Run(pair[1]))
    assert len(compared.worse) == 1 and any("1 worse" in line for line in compared.lines())


def test_slower_by_less_than_processes_lie_apart_is_no_regression(pair):
    def spread(document):
        row = slow_down(document, 1.3)
        row["p50_us_by_process"] = [row["p50_us"] * share for share in (0.7, 1.0, 1.1)]

    change(pair[0], "reports/latency.json", spread)
    assert not _compared(pair).worse


def test_one_process_says_nothing_about_regressions(pair):
    def single(document):
        row = slow_down(document, 3.0)
        row["p50_us_by_process"] = row["p50_us_by_process"][:1]

    change(pair[0], "reports/latency.json", single)
    assert not _compared(pair).worse


def test_other_hosts_compare_ratios_only(pair):
    def elsewhere(document):
        document["host"]["cpu"] = "another"
        for index in range(len(document["results"])):
            slow_down(document, 3.0, index)
        slow_down(document, 2.0, 0)

    change(pair[0], "reports/latency.json", elsewhere)
    compared = _compared(pair)
    assert "cpu" in _said(compared)[0] and "server/bruteforce/savedmodel" in _said(compared)[0]
    (row,) = compared.worse  # three times slower all over is another machine; twice more is not
    assert "×" in row.after and any(line.startswith("worse: latency") for line in compared.lines())


def test_other_hosts_without_the_reference_are_not_compared(pair):
    def elsewhere(document):
        document["host"]["versions"]["numpy"] = "0"
        document["results"] = [row for row in document["results"] if "bruteforce" not in row["subject"]]
        slow_down(document, 9.0)

    change(pair[0], "reports/latency.json", elsewhere)
    compared = _compared(pair)
    assert "not compared" in _said(compared)[0] and not compared.worse


def test_another_savedmodel_is_said_and_losses_stay_comparable(pair):
    def retrained(document):
        for row in document["results"]:
            if row["metrics"].get("quality_reference"):
                row["metrics"]["quality_reference"] -= 0.1

    change(pair[0], "reports/parity.json", retrained)
    compared = _compared(pair)
    assert "SavedModels differ" in _said(compared)[0] and not compared.worse


def test_noise_on_either_machine_is_said(pair):
    change(pair[1], "reports/latency.json", lambda document: document["conditions"].update(warnings=["busy"]))
    assert any("before was measured on a noisy machine: busy" in text for text in _compared(pair).warnings)


def test_baseline_without_latency_is_said(pair):
    (pair[1] / "reports" / "latency.json").unlink()
    _, compared = write_report(Run(pair[0]), baseline=Run(pair[1]))
    assert any("has no reports/latency.json" in text for text in compared.warnings)


def test_bad_baselines_are_refused_before_anything_is_written(pair, tmp_path):
    now, before = pair
    with raises("OPTION_CONFLICT"):
        write_report(Run(now), baseline=Run(now))
    assert "OPTION_MISSING" in refused(call("report", now, "--fail-on", "regression"))
    change(before, "reports/latency.json", lambda document: document.update(schema="pocketrec.latency/9"))
    with raises("SCHEMA_UNKNOWN"):
        write_report(Run(now), baseline=Run(before))
    (before / "reports" / "parity.json").unlink()
    with raises("INPUT_MISSING"):
        write_report(Run(now), baseline=Run(before))
    assert not list((now / "reports").glob("report.*"))
