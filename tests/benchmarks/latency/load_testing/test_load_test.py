"""A real served run, measured small; the figures are those of the raw samples."""

from dataclasses import replace

import numpy as np
import pytest
from pocketrec.benchmarks.latency import stage
from pocketrec.benchmarks.latency.latency_queries import latency_queries
from pocketrec.benchmarks.latency.load_testing.load_test import Load, measure_served
from pocketrec.benchmarks.latency.load_testing.server_process import processors
from pocketrec.benchmarks.parity.reference import load_reference
from pocketrec.core.metrics import top_k
from pocketrec.core.queries.held_out import HeldOut
from pocketrec.core.records.latency import LatencyRow
from pocketrec.core.run_dir import Run

from tests.conftest import raises, refused

OVERLOAD = Load(rates=(6000, 7000, 8000), seconds_per_rate=0.5, rtt_ms=40, p99_limit_ms=1e6, closed_samples=100)


@pytest.fixture(scope="module")
def queries(tiny):
    return latency_queries(HeldOut(Run(tiny)))


@pytest.fixture(scope="module")
def measured(run, tmp_path_factory):
    """Rates that one processor cannot answer; (rows, folder of the samples)."""
    data, folder = HeldOut(Run(run)), tmp_path_factory.mktemp("served")
    (folder / "samples").mkdir()
    (folder / "samples" / "server-scann-http-9000.npz").touch()  # of an earlier measurement
    queries = latency_queries(data)
    exact = top_k(load_reference(Run(run), data)["scores"][queries.rows], 100)
    return measure_served(Run(run), queries, 100, OVERLOAD, exact=exact, folder=folder), folder


def test_rates_rise_until_one_is_not_held(measured):
    rows, _ = measured
    assert [row.offered_per_s for row in rows] == [None, 6000, 7000], "8,000 is not tried after two broke"
    assert [row.n_samples for row in rows] == [100, 3000, 3500]
    assert rows[0].breaks is None and rows[0].errors == 0
    assert all(row.breaks in ("rate", "errors") and row.achieved_per_s < 5700 for row in rows[1:])


def test_rows_say_what_was_served(measured):
    rows, _ = measured
    for row in rows:
        assert row.subject == "server/scann/http" and row.covers == "served"
        assert row.recall_at_k == 1.0 and row.is_exact and row.configuration == "brute_force"
        assert row.peak_rss_bytes >= row.rss_before_bytes > 100e6 and row.load_ms > 0
        assert (row.server_cpu, row.client_cpu) == processors()
    assert rows[0].send_lag_p50_us is None and rows[2].send_lag_p50_us >= 0
    assert [row.arrivals for row in rows] == ["closed", "poisson", "poisson"]
    assert rows[0].http_only_p50_us < rows[0].p50_us, "an answer costs more than saying that one is there"


def test_figures_are_those_of_the_raw_samples_from_the_scheduled_send_time(measured):
    rows, folder = measured
    for row in rows:
        with np.load(folder / row.samples_file) as archive:
            raw = {name: archive[name] for name in archive.files}
        waited = np.sort(raw["done_ns"] - raw["intended_ns"])
        assert np.array_equal(np.sort(raw["samples_ns"][0]), waited)
        assert row.p50_us == waited[int(np.ceil(0.5 * len(waited))) - 1] / 1e3
        assert row.errors == sum(status != 200 for status in raw["status"].tolist())
        assert (raw["sent_ns"] >= raw["intended_ns"]).all()
        took = max(0.5 if row.offered_per_s else 0.0, raw["done_ns"].max() / 1e9)
        assert row.achieved_per_s == pytest.approx((len(waited) - row.errors) / took)
        assert row.rtt_ms == 40 and row.p50_plus_rtt_us == row.p50_us + 40_000


def test_raw_samples_are_those_of_this_measurement_only(measured):
    rows, folder = measured
    assert sorted(folder.rglob("*.npz")) == sorted(folder / row.samples_file for row in rows)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"rates": (0,)}, "rates"),
        ({"seconds_per_rate": 0}, "seconds_per_rate"),
        ({"arrivals": "bursts"}, "arrivals"),
        ({"p99_limit_ms": 0}, "p99_limit_ms"),
        ({"closed_samples": 0}, "closed_samples"),
        ({"rtt_ms": -1.0}, "--rtt-ms"),
        ({"rtt_ms": float("nan")}, "--rtt-ms"),
    ],
)
def test_bad_numbers_are_refused_before_a_server_is_started(tiny, queries, change, named):
    with raises("VALUE_OUT_OF_RANGE") as caught:
        measure_served(Run(tiny), queries, 100, replace(Load(), **change))
    assert str(caught.value).startswith(named)


def test_without_the_client_library_it_says_what_to_install(monkeypatch):
    from pocketrec.benchmarks.latency.load_testing import load_test

    monkeypatch.setattr(load_test.util, "find_spec", lambda name: None)
    with raises("NOT_INSTALLED"):
        Load().check()


def test_a_server_that_does_not_start_is_an_error(tiny, queries, tmp_path):
    with raises("SERVER_FAILED"):
        measure_served(Run(tmp_path), queries, 10, Load())


def test_options_without_a_served_run_are_one_line(tiny, pocketrec, tmp_path):
    assert "OPTION_MISSING" in refused(pocketrec("latency", tiny, "--rtt-ms", 50))
    assert "OPTION_MISSING" in refused(pocketrec("latency", "--tflite", tmp_path / "x.tflite", "--served"))
    assert "VALUE_OUT_OF_RANGE" in refused(pocketrec("latency", tiny, "--served", "--rtt-ms", -1))


def test_latency_of_a_run_holds_the_served_rows_when_asked_to(own_tiny, monkeypatch):
    """How the stage hands over; what is handed over to is measured above."""
    given = []
    row = LatencyRow(subject="other", runtime="r")
    monkeypatch.setattr(stage, "_rows", lambda *rest: ([row], []))

    def served(run, queries, k, load, *, exact, folder):
        given.append((k, load.rtt_ms, folder, exact.shape == (len(queries.queries), k)))
        return [replace(row, subject="http")]

    monkeypatch.setattr(stage, "measure_served", served)
    report = stage.measure_run(Run(own_tiny), served=True, rtt_ms=5.0)
    k = stage.results_per_call(Run(own_tiny).variants, 0)
    assert [row.subject for row in report.rows] == ["other", "http"]
    assert given == [(k, 5.0, own_tiny / "reports", True)]
    stage.measure_run(Run(own_tiny))
    assert len(given) == 1, "only when asked to"
