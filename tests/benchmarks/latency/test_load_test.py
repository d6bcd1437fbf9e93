"""A real served run, measured small; the figures are those of the raw samples."""

import numpy as np
import pytest
from pocketrec.benchmarks.latency.cases import latency_queries
from pocketrec.benchmarks.latency.load_test import measure_served
from pocketrec.benchmarks.latency.open_loop_load import Sent
from pocketrec.benchmarks.latency.server_process import processors
from pocketrec.benchmarks.latency.stage import measure_run
from pocketrec.benchmarks.latency.statistics import summarize
from pocketrec.benchmarks.parity.reference import load_reference
from pocketrec.benchmarks.report.terminal import latency_table
from pocketrec.core.errors import InputError
from pocketrec.core.metrics import top_k
from pocketrec.core.queries.held_out import HeldOut
from pocketrec.core.run_dir import Run

from tests.benchmarks.latency.test_stage import FIELDS
from tests.conftest import refused


@pytest.fixture(scope="module")
def asked(run):
    return latency_queries(HeldOut(Run(run)))


@pytest.fixture(scope="module")
def measured(run, asked, tmp_path_factory):
    """Rates that one processor cannot answer; (rows, folder of the samples)."""
    data, folder = HeldOut(Run(run)), tmp_path_factory.mktemp("served")
    (folder / "samples").mkdir()
    (folder / "samples" / "server-scann-http-9000.npz").touch()  # of an earlier measurement
    exact = top_k(load_reference(Run(run), data, say=lambda text: None)["scores"][asked.rows], 100)
    rows = measure_served(
        Run(run), asked, 100, exact=exact, seconds_per_rate=0.5, rates=[6000, 7000, 8000], rtt_ms=40, closed_samples=100,
        p99_limit_ms=1e6, folder=folder,
    )  # fmt: skip
    return rows, folder


def test_rates_rise_until_one_is_not_held(measured):
    rows, _ = measured
    assert [row["offered_per_s"] for row in rows] == [None, 6000, 7000], "8,000 is not tried after two broke"
    assert [row["n_samples"] for row in rows] == [100, 3000, 3500]
    assert rows[0]["breaks"] is None and rows[0]["errors"] == 0
    assert all(row["breaks"] in ("rate", "errors") and row["achieved_per_s"] < 5700 for row in rows[1:])


def test_rows_are_those_of_latency_json(measured):
    rows, _ = measured
    for row in rows:
        assert set(row) >= FIELDS and row["subject"] == "server/scann/http" and row["covers"] == "served"
        assert row["recall_at_k"] == 1.0 and row["is_exact"] and row["configuration"] == "brute_force"
        assert row["peak_rss_bytes"] >= row["rss_before_bytes"] > 100e6 and row["load_ms"] > 0
        assert (row["server_cpu"], row["client_cpu"]) == processors()
    assert rows[0]["send_lag_p50_us"] is None and rows[2]["send_lag_p50_us"] >= 0
    assert [row["arrivals"] for row in rows] == ["closed", "poisson", "poisson"]
    assert rows[0]["http_only_p50_us"] < rows[0]["p50_us"], "an answer costs more than saying that one is there"
    labels = list(latency_table({"results": rows}).columns[0].cells)
    assert labels == ["server/scann/http", "server/scann/http 6000/s, not held", "server/scann/http 7000/s, not held"]


def test_figures_are_those_of_the_raw_samples_from_the_intended_sending(measured):
    rows, folder = measured
    for row in rows:
        with np.load(folder / row["samples_file"]) as archive:
            raw = {name: archive[name] for name in archive.files}
        sent = Sent(*(raw[name] for name in ("intended_ns", "sent_ns", "done_ns", "status")))
        assert np.array_equal(raw["samples_ns"], (raw["done_ns"] - raw["intended_ns"])[None])
        assert row["p50_us"] == summarize(raw["samples_ns"])["p50_us"] and row["errors"] == sent.errors
        assert (raw["sent_ns"] >= raw["intended_ns"]).all()
        assert row["achieved_per_s"] == sent.achieved_per_s(0.5 if row["offered_per_s"] else 0.0)


def test_raw_samples_are_those_of_this_measurement_only(measured):
    rows, folder = measured
    assert sorted(folder.rglob("*.npz")) == sorted(folder / row["samples_file"] for row in rows)


def test_a_networks_round_trip_is_never_in_a_percentile(measured):
    rows, folder = measured
    for row in rows:
        assert row["rtt_ms"] == 40 and row["p50_plus_rtt_us"] == row["p50_us"] + 40_000
        with np.load(folder / row["samples_file"]) as archive:
            assert row["p50_us"] == summarize(archive["samples_ns"])["p50_us"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rates": [0]}, "rates above 0"),
        ({"seconds_per_rate": 0}, "seconds_per_rate"),
        ({"arrivals": "bursts"}, "one of poisson, constant"),
        ({"p99_limit_ms": 0}, "p99_limit_ms"),
        ({"closed_samples": 0}, "closed_samples"),
        ({"rtt_ms": -1.0}, "--rtt-ms"),
        ({"rtt_ms": float("nan")}, "--rtt-ms"),
    ],
)
def test_bad_numbers_are_refused_before_a_server_is_started(run, asked, options, said):
    with pytest.raises(InputError, match=said):
        measure_served(Run(run), asked, 100, **options)


def test_options_without_a_served_run_are_one_line(run, pocketrec, tmp_path):
    assert "--rtt-ms: expected --served beside it" in refused(pocketrec("latency", run, "--rtt-ms", 50))
    assert "--rtt-ms: expected 0 or more" in refused(pocketrec("latency", run, "--served", "--rtt-ms", -1))
    assert "expected a RUN with --served" in refused(
        pocketrec("latency", "--tflite", tmp_path / "x.tflite", "--served")
    )


def test_latency_of_a_run_holds_the_served_rows_when_asked_to(own_run, monkeypatch):
    """How the stage hands over; what is handed over to is measured above."""
    from pocketrec.benchmarks.latency import stage as latency

    given = {}
    monkeypatch.setattr(latency, "_interleave", lambda subjects, *rest: {subject.label: [] for subject in subjects})
    monkeypatch.setattr(latency, "_result", lambda *rest: {"subject": "other"})
    monkeypatch.setattr(
        latency, "measure_served", lambda *rest, **named: given.update(named, k=rest[2]) or [{"subject": "http"}]
    )
    document = measure_run(Run(own_run), served=True, rtt_ms=5.0)
    assert [row["subject"] for row in document["results"]].count("http") == 1
    assert given["rtt_ms"] == 5.0 and given["k"] == 100 and given["folder"] == own_run / "reports"
    assert given["exact"].shape == (len(latency_queries(HeldOut(Run(own_run))).queries), 100)
    given.clear()
    measure_run(Run(own_run))
    assert not given, "only when asked to"
