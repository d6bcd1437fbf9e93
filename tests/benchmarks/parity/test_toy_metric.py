"""A gate and a metric are one entry each: a toy of either is seen everywhere, without another line of code."""

import json
from dataclasses import dataclass, replace
from typing import Annotated

import pytest
from pocketrec.android_assets.writing.manifest_parts import parity_summary
from pocketrec.benchmarks.parity.judging.gates import DEFAULT_GATES
from pocketrec.benchmarks.parity.judging.graph_comparisons import COMPARISONS
from pocketrec.benchmarks.parity.rejudge import rejudge
from pocketrec.benchmarks.report.heat_map import cell_detail
from pocketrec.benchmarks.report.stage import write_report
from pocketrec.cli.render.parity import parity_reasons, parity_table
from pocketrec.core.records.agreement import METRICS, Agreement, Metric, metrics_of
from pocketrec.core.records.parity import ParityReport, ParityRow
from pocketrec.core.records.record import describe


@dataclass(frozen=True, kw_only=True)
class ToyAgreement(Agreement):
    toy: Annotated[float | None, Metric("a toy", "", "toy", "lower", 0.0, "toy\ncolumn", in_cell=True, in_bundle=True)]


@pytest.fixture
def toy_metric(monkeypatch):
    """The toy metric, 3.0 for every retriever."""
    monkeypatch.setitem(METRICS, "toy", metrics_of(ToyAgreement)["toy"])
    plain = COMPARISONS["retriever"]

    def compare(outputs, reference):
        return ToyAgreement(**vars(plain.compare(outputs, reference)), toy=3.0)

    monkeypatch.setitem(COMPARISONS, "retriever", replace(plain, compare=compare))


def judged(run, tmp_path, limits):
    """The document, judged under the kit's gates and more limits for one variant."""
    text = DEFAULT_GATES.read_text() + f"\n[retriever.dynamic_int8]\n{limits}\nreason = 'a toy'\n"
    (tmp_path / "gates.toml").write_text(text)
    rejudge(run, gates=tmp_path / "gates.toml")
    return json.loads((run.reports / "parity.json").read_text())


def test_a_gate_on_any_metric_is_a_line_of_toml(stored, tmp_path):
    run = stored("retriever", "dynamic_int8")
    document = judged(run, tmp_path, "rank_biased_overlap = 0.9999999")
    row = document["results"][0]
    assert row["status"] == "fail" and row["tolerance"]["rank_biased_overlap"] == 0.9999999
    assert any("rank_biased_overlap" in line and "below 1" in line for line in parity_reasons(ParityReport.read(run)))
    (shown,) = [
        cells for cells in cell_detail(ParityRow.from_json(row))["measures"] if cells[0] == "rank_biased_overlap"
    ]
    assert shown[2] == "≥ 1" and shown[3].endswith("%")
    write_report(run)
    assert "rank_biased_overlap" in (run.reports / "report.html").read_text()
    assert "rank_biased_overlap" in (run.reports / "junit.xml").read_text()


def test_a_metric_is_one_field(stored, tmp_path, toy_metric):
    run = stored("retriever", "dynamic_int8")
    document = judged(run, tmp_path, "toy = 2.0")
    row = document["results"][0]
    assert row["metrics"]["toy"] == 3.0 and row["reason"] == "toy 3 is above 2"
    assert "toy\ncolumn" in [column.heading for column in parity_table(ParityReport.read(run)).content.columns]
    judged_row = replace(ParityRow.from_json(row), metrics=ToyAgreement.from_json(row["metrics"]))
    assert ["toy", "3.000", "≤ 2", "150%"] in cell_detail(judged_row)["measures"]
    assert parity_summary(judged_row)["toy"] == 3.0
    assert "a toy" in [spec.meaning for spec in describe(ToyAgreement)]
