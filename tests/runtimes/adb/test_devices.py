"""Which phone is meant, and what refuses one: adb's own client against phones that this test answers for."""

import subprocess

import pytest
from pocketrec.runtimes.adb import pack
from pocketrec.runtimes.adb.phone import opened
from pocketrec.runtimes.targets import TARGETS

from tests.conftest import raises, refused


def open_one(serial=""):
    with opened({"adb": serial}) as (phone,):
        return phone


def test_without_adb_or_its_pack_the_command_that_adds_it_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("POCKETREC_CACHE", str(tmp_path))
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with raises("NOT_INSTALLED") as caught:
        open_one()
    assert "apt-get install adb" in str(caught.value)
    with raises("NOT_INSTALLED") as caught:
        pack.install()
    assert "apt-get install adb gcc-aarch64-linux-gnu" in str(caught.value)
    (tmp_path / "bin" / "adb").write_text("")
    (tmp_path / "bin" / "adb").chmod(0o755)
    with raises("NOT_INSTALLED") as caught:
        open_one()
    assert pack.INSTALL in str(caught.value) and pack.INSTALL in TARGETS["adb"].missing()


def test_a_compiler_that_fails_is_named_and_leaves_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("POCKETREC_CACHE", str(tmp_path / "cache"))
    for name, script in (("adb", ""), (pack.COMPILER, "echo no such option >&2; exit 1")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with raises("NOT_INSTALLED") as caught:
        pack.install()
    assert "no such option" in str(caught.value) and not [*tmp_path.glob("cache/*")]


def test_a_server_that_does_not_start_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(pack, "missing", lambda: "")
    (tmp_path / "adb").write_text("#!/bin/sh\necho 'adb: error: cannot bind' >&2; exit 1\n")
    (tmp_path / "adb").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with raises("ADB_FAILED") as caught:
        open_one()
    assert "got cannot bind;" in str(caught.value)


@pytest.fixture(autouse=True)
def _adb(request):
    if "plug_in" in request.fixturenames and pack.missing():
        pytest.skip(pack.missing())


def test_no_phone_is_refused(plug_in):
    with raises("DEVICE_MISSING"):
        open_one()


def test_of_two_phones_one_must_be_named(plug_in):
    one, other = plug_in(), plug_in()
    other.say("ro.product.model", "Other")
    with raises("DEVICE_AMBIGUOUS") as caught:
        open_one()
    assert all(phone.serial in str(caught.value) for phone in (one, other)) and "name one: adb/" in str(caught.value)
    assert open_one(other.serial).facts.model == "Pocket Other"


def test_an_unknown_serial_number_is_refused_with_those_that_are_there(plug_in):
    phone = plug_in()
    with raises("DEVICE_MISSING") as caught:
        open_one("R58M123")
    assert f"expected one of {phone.serial}, got R58M123" in str(caught.value)


@pytest.mark.parametrize(("state", "code"), [("unauthorized", "DEVICE_UNAUTHORIZED"), ("offline", "DEVICE_OFFLINE")])
def test_a_phone_that_is_not_ready_is_refused(plug_in, state, code):
    plug_in(state=state)
    with raises(code):
        open_one()


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("no permissions (user in plugdev group; are your udev rules wrong?); see [http://…]", "DEVICE_UNAUTHORIZED"),
        ("authorizing", "DEVICE_UNAUTHORIZED"),
        ("recovery", "DEVICE_OFFLINE"),
        ("sideload", "DEVICE_OFFLINE"),
    ],
)
def test_states_that_only_a_cable_brings_are_refused_too(state, code):
    from pocketrec.runtimes.adb.client import require_ready

    with raises(code):
        require_ready("R58M123", state)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ro.product.cpu.abilist", "armeabi-v7a,armeabi", "Pocket Fake A76 with armeabi-v7a,armeabi"),
        ("ro.product.cpu.abilist", "x86_64", "with x86_64"),
        ("ro.product.cpu.abilist", "", "with no list of ABIs"),
        ("ro.build.version.sdk", "23", "API level 23"),
    ],
)
def test_a_phone_that_cannot_execute_the_program_is_refused_and_nothing_is_pushed(plug_in, name, value, said):
    phone = plug_in()
    phone.say(name, value)
    with raises("DEVICE_UNSUPPORTED") as caught:
        open_one()
    assert said in str(caught.value) and phone.files() == []


def test_what_a_phone_is_and_how_it_is_doing_is_read(plug_in):
    phone = plug_in()
    with opened({"adb": ""}) as (found,):
        assert len(phone.files()) == 1
        facts, state = found.facts, found.state()
    assert (facts.target, facts.model, facts.chip, facts.android, facts.sdk, facts.abi) == (
        "adb",
        "Pocket Fake A76",
        "Nobody QEMU",
        "14",
        34,
        "arm64-v8a",
    )
    assert facts.cpus >= 1 and facts.allowed_cpus
    assert state.thermal_status == 0 and state.celsius == {"VIRTUAL-SKIN": 30.0, "CPU0": 40.5}
    assert (state.battery_percent, state.battery_celsius, state.is_powered) == (85, 31.0, True)
    assert phone.files() == [] and phone.running() == []


def test_a_phone_that_is_opened_twice_is_one_phone(plug_in):
    phone = plug_in()
    with opened({"adb": ""}) as (outer,):
        with opened({"adb": ""}) as (inner,):
            assert inner is outer
        assert len(phone.files()) == 1
    assert phone.files() == []


def test_a_target_is_a_phone_of_that_serial_number_without_being_listed():
    assert "adb/R58M" in TARGETS and "adb/R58M" not in [*TARGETS] and "adb/" not in TARGETS and "host/x" not in TARGETS
    assert TARGETS["adb/R58M"].serial == "R58M" and TARGETS["adb"].serial == ""
    assert TARGETS["adb/R58M"].is_phone and TARGETS["adb/R58M"].is_timed
    with pytest.raises(KeyError):
        TARGETS["usb/R58M"]


def test_the_command_says_it_in_one_line(plug_in, inside, tiny):
    line = refused(inside("parity", tiny, "--target", "adb"))
    assert line.endswith("[DEVICE_MISSING]")
    assert refused(inside("parity", tiny, "--target", "adbb")).endswith("[NAME_UNKNOWN]")


def test_the_server_of_the_user_is_left_alone(plug_in, adb_server):
    plug_in()
    said = subprocess.run(["adb", "devices"], capture_output=True, text=True, check=True).stdout
    assert len(said.strip().splitlines()) == 2
    assert adb_server["ANDROID_ADB_SERVER_PORT"] != "5037"
