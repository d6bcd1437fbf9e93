import pytest
from pocketrec.benchmarks.latency.case_kinds import KINDS, is_usual, kind_of, name_of
from pocketrec.core.records.latency import LatencyRow
from pocketrec.runtimes.runtimes import PHONE_RUNTIMES, RUNTIMES


def tflite(runtime="litert-2.3.0", **more):
    return LatencyRow(
        **{
            "subject": "tflite",
            "graph": "ranker",
            "recipe": "float32",
            "runtime": runtime,
            "threads": 1,
            "delegate": "xnnpack",
            "batch_size": 100,
            **more,
        }
    )


def server(subject, **more):
    return LatencyRow(subject=subject, runtime="native", batch_size=1, **more)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_every_runtime_is_of_a_kind_that_charts_know(runtime):
    assert kind_of(tflite(runtime)) == RUNTIMES[runtime].kind in KINDS


def test_only_what_phones_run_is_called_a_phone():
    phones = {KINDS[kind_of(tflite(name))].name.startswith("phone") for name in PHONE_RUNTIMES}
    others = {KINDS[kind_of(tflite(name))].name for name in RUNTIMES if name not in PHONE_RUNTIMES}
    assert phones == {True} and not any("LiteRT" in name and "phone" in name for name in others)


def test_a_runtime_of_another_version_of_the_kit_keeps_its_row():
    assert kind_of(tflite("litert-9.9.9")) == "other"


def test_servers_are_told_apart_by_what_they_cover():
    assert kind_of(server("server/bruteforce/savedmodel")) == "bruteforce"
    assert kind_of(server("server/scann/savedmodel")) == "scann"
    assert kind_of(server("server/scann/native", covers="index")) == "native"
    assert kind_of(server("server/scann/http", covers="served")) == "served"


@pytest.mark.parametrize(
    ("row", "name", "usual"),
    [
        (tflite(), "ranker float32", True),
        (tflite(threads=2), "ranker float32 2 threads", False),
        (tflite(batch_size=1), "ranker float32 1 candidate", False),
        (tflite(delegate="none"), "ranker float32 no XNNPACK", False),
        (tflite(form="two_stage"), "ranker two_stage", True),
        (tflite(batch_size=None, recipe=None), "ranker", True),
        (server("server/scann/native", configuration="brute_force, as advised"), "scann/native (brute_force)", True),
        (server("server/scann/http", offered_per_s=200.0), "scann/http at 200/s", True),
    ],
)
def test_names_say_what_is_not_usual(row, name, usual):
    assert name_of(row) == name and is_usual(row) == usual
