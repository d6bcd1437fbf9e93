"""`pocketrec doctor --device`: every step, and what it says where one fails."""

import json

import numpy as np
import pytest
from pocketrec.runtimes.adb import examination, pack
from pocketrec.runtimes.adb.examination import examine_device
from pocketrec.runtimes.model_file.smallest import squares, squaring_model
from pocketrec.runtimes.probing import execute

from tests.conftest import refused
from tests.runtimes.adb.conftest import needs_adb, needs_emulation
from tests.runtimes.android.archives import needs_android

STEPS = [*examination._STEPS]


def steps_of(found):
    """Names of the steps that were tried, the last check, and whether all before it are right."""
    return (
        [check.name.removeprefix("device: ") for check in found.checks],
        found.checks[-1],
        all(c.ok for c in found.checks[:-1]),
    )


@pytest.mark.parametrize("has_signature", [True, False])
def test_the_smallest_model_squares_on_a_packaged_runtime_too(has_signature):
    x = np.array([[0.1, -1.5, 3.0, 1e-3]], np.float32)
    np.testing.assert_array_equal(execute(squaring_model(has_signature=has_signature), {"x": x})["y"], squares(x))


@needs_adb
@needs_emulation
def test_a_right_phone_passes_every_step_and_keeps_nothing(plug_in, emulator, inside):
    phone = plug_in(emulator=emulator)
    done = inside("doctor", "--device")
    lines = done.out.splitlines()
    assert done.code == 0 and len(lines) == len(STEPS) and all(line.startswith("ok ") for line in lines), done.out
    assert "Pocket Fake A76, arm64-v8a" in done.out and "right to the bit" in done.out
    assert phone.files() == [] and phone.running() == []
    done = inside("doctor", "--device", phone.serial, "--json")
    assert done.code == 0 and json.loads(done.out)["schema"] == "pocketrec.device/1"


def test_without_adb_the_first_step_says_how_to_get_it(monkeypatch, tmp_path, inside):
    monkeypatch.setenv("PATH", str(tmp_path))
    done = inside("doctor", "--device")
    assert done.code == 1 and done.out == "failed adb: adb is needed; apt-get install adb\n"


@needs_adb
def test_without_the_packs_the_step_names_the_command(monkeypatch, tmp_path):
    monkeypatch.setenv("POCKETREC_CACHE", str(tmp_path))
    _, last, _ = steps_of(examine_device())
    assert (last.name, last.ok, last.add) == ("device: program", False, pack.INSTALL)
    pack.folder().mkdir(parents=True)
    pack.worker().write_bytes(b"")
    _, last, _ = steps_of(examine_device())
    assert (last.name, last.ok, last.add) == ("device: library", False, "pocketrec doctor --install android")


@needs_adb
@needs_android
def test_a_phone_that_is_not_there_or_not_ready_fails_its_step(plug_in, inside):
    names, last, before = steps_of(examine_device())
    assert names == STEPS[:5] and before and last.found.endswith("[DEVICE_MISSING]")
    phone = plug_in(state="unauthorized")
    names, last, before = steps_of(examine_device(phone.serial))
    assert names == STEPS[:6] and before and last.found.endswith("[DEVICE_UNAUTHORIZED]")
    done = inside("doctor", "--device", "--json")
    assert done.code == 1 and not json.loads(done.out)["checks"][-1]["ok"]


@needs_adb
@needs_android
def test_each_step_of_a_phone_can_fail(plug_in, monkeypatch):
    phone = plug_in(room_bytes=1000)
    phone.say("ro.product.cpu.abilist", "armeabi-v7a")
    assert steps_of(examine_device())[0][-1] == "processor and Android"
    phone.say("ro.product.cpu.abilist", "arm64-v8a")
    phone.program("df", "echo 'Filesystem 1K-blocks Used Available'; echo '/dev/x 100000 90000 10000 90% /data'")
    names, last, _ = steps_of(examine_device())
    assert names[-1] == "room" and "10 MB free" in last.found
    phone.program("df", "echo; echo nothing of the kind")
    assert "df says" in steps_of(examine_device())[1].found
    (phone.root / "system" / "bin" / "df").unlink()
    names, last, _ = steps_of(examine_device())
    assert names[-1] == "push" and last.found.endswith("[DEVICE_FULL]")
    # Nothing here executes the program.
    phone.room_bytes, phone.emulator = None, ("false",)
    names, last, _ = steps_of(examine_device())
    assert names[-1] == "execution" and "does not start" in last.found
    assert phone.files() == []


@needs_adb
@needs_emulation
def test_a_library_that_does_not_load_and_a_wrong_answer_fail_their_steps(plug_in, emulator, monkeypatch):
    phone = plug_in(emulator=emulator)
    monkeypatch.setattr(examination, "squares", lambda x: x + 1)
    names, last, before = steps_of(examine_device())
    assert names[-1] == "answer" and before and "squares [" in last.found and phone.files() == []
    monkeypatch.setattr(examination, "squaring_model", lambda: b"no model")
    assert "reads no model" in steps_of(examine_device())[1].found
    monkeypatch.setattr(examination.aar, "libraries", lambda folder: {"aarch64": __file__})
    names, last, _ = steps_of(examine_device())
    assert names[-1] == "library loads" and phone.files() == []


@needs_adb
@needs_emulation
def test_a_phone_whose_heat_cannot_be_read_is_examined_to_the_end(plug_in, emulator):
    phone = plug_in(emulator=emulator)
    for name in ("thermalservice", "battery"):
        (phone.root / "dumpsys" / name).unlink()
    found = examine_device()
    failed = [check.name for check in found.checks if not check.ok]
    assert failed == ["device: heat"] and steps_of(found)[0] == STEPS and not found.ok


def test_a_serial_number_goes_with_device_only(inside):
    assert refused(inside("doctor", "R58M")).endswith("[OPTION_MISSING]")
    assert refused(inside("doctor", "--device", "--install", "adb")).endswith("[OPTION_CONFLICT]")
