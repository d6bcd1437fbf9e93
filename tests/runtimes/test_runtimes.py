"""The table of runtimes: what its fields say, and that readers go by them."""

import pytest
from pocketrec.benchmarks.latency.case_kinds import KINDS, kind_of_runtime
from pocketrec.core.host import describe_host
from pocketrec.runtimes.runtimes import (
    CURRENT_RUNTIME,
    PHONE_RUNTIMES,
    RUNTIMES,
    any_phone_runtime,
    runtime_of,
    runtime_packages,
)
from pocketrec.runtimes.targets import TARGETS, TIMED_TARGETS, short_label


@pytest.mark.parametrize("name", RUNTIMES)
def test_every_runtime_tells_what_readers_ask_for(name):
    runtime = RUNTIMES[name]
    assert runtime.summary and runtime.short_label and runtime.version
    assert runtime.kind in KINDS and set(runtime.platforms) <= {target.platform for target in TARGETS.values()}


def test_one_phone_runtime_is_the_current_one():
    assert [name for name in PHONE_RUNTIMES if RUNTIMES[name].is_current] == [CURRENT_RUNTIME]
    assert any_phone_runtime() == CURRENT_RUNTIME


def test_the_browsers_runtime_is_not_shown_as_a_phones():
    kinds = {name: kind_of_runtime(name) for name in RUNTIMES}
    browser = next(name for name, runtime in RUNTIMES.items() if runtime.platforms == ("wasm",))
    assert kinds[browser] not in {kinds[name] for name in PHONE_RUNTIMES}
    assert KINDS[kinds[browser]].name.startswith("web")


def test_a_runtime_of_another_version_of_the_kit_keeps_its_name():
    assert runtime_of("ancient-0.1").label == "ancient-0.1" and runtime_of("ancient-0.1").kind in KINDS
    assert short_label("adb/1234") == "adb/1234"


def test_the_package_of_a_new_runtime_is_recorded_with_the_host(monkeypatch):
    assert "pytest" not in describe_host(runtime_packages())["versions"]
    toy = type(RUNTIMES[CURRENT_RUNTIME])(
        family="Toy", version="1", short_label="toy", kind="other", summary="a toy", package="pytest"
    )
    monkeypatch.setitem(RUNTIMES, "toy-1", toy)
    assert describe_host(runtime_packages())["versions"]["pytest"] == pytest.__version__


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_tells_what_readers_ask_for(name):
    target = TARGETS[name]
    assert target.summary and target.short_label and (target.is_timed == (name in TIMED_TARGETS))
