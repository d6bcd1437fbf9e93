"""Jobs on a phone: the real program for phones, on an emulated processor, over adb's own protocol."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from pocketrec.runtimes.adb import phone as phones
from pocketrec.runtimes.adb.phone import opened, run_on_phone

from tests.conftest import raises
from tests.runtimes.adb.conftest import needs_adb, needs_emulation
from tests.runtimes.adb.libraries import CRASHES, HANGS, LACKS, job

pytestmark = [needs_adb, needs_emulation]


def outcomes(*jobs):
    return [*run_on_phone(jobs, "adb", "")]


def test_a_library_that_hangs_crashes_or_does_not_load_is_an_outcome_and_not_the_end(plug_in, emulator, tmp_path):
    phone = plug_in(emulator=emulator)
    hangs = job(tmp_path / "hangs", HANGS, timeout_s=2.0)
    crashes, lacks = job(tmp_path / "crashes", CRASHES), job(tmp_path / "lacks", LACKS)
    no_tflite = job(tmp_path / "no", "int nothing;")
    found = [outcome.reason for outcome in outcomes(hangs, crashes, lacks, no_tflite)]
    assert found[0] == "no answer within 2 s"
    assert found[1].startswith("signal 11")
    assert "nowhere" in found[2] and found[2].startswith("exit status")
    assert "TfLiteModelCreateFromFile" in found[3]
    assert phone.files() == [] and phone.running() == []
    pushes = [command for command in phone.commands if "pocketrec-worker" in command]
    assert len(pushes) == 4


def test_what_is_there_already_is_not_pushed_again(plug_in, emulator, tmp_path):
    phone = plug_in(emulator=emulator)
    crashes = job(tmp_path / "x", CRASHES)
    with opened({"adb": ""}) as (used,):
        received = []
        receive = phone.receive
        phone.receive = lambda path, data, mode: received.append(path.name) or receive(path, data, mode)
        [*used.run([crashes, crashes])]
        first = list(received)
        [*used.run([replace(crashes)])]
    assert len([name for name in first if name != ".keep"]) == 4 and received[len(first) :] == [".keep"]


def test_a_full_phone_is_one_line_and_keeps_nothing(plug_in, tmp_path):
    phone = plug_in(room_bytes=20_000)
    with raises("DEVICE_FULL") as caught:
        outcomes(job(tmp_path / "x", HANGS))
    assert "expected room for 0.1 MB" in str(caught.value) and phone.files() == []


@pytest.mark.parametrize("when", ["getprop", "thermalservice", "pocketrec-worker"])
def test_a_phone_that_goes_in_the_middle_is_one_line_and_nothing_runs_on_it(plug_in, emulator, tmp_path, when):
    phone = plug_in(emulator=emulator, drops_at=when)
    with raises("DEVICE_LOST"):
        outcomes(job(tmp_path / "x", HANGS))
    # Nobody can reach it any more: the program ends by itself, and its shell removes what was pushed.
    wait_for(lambda: not phone.running())
    if when == "pocketrec-worker":
        wait_for(lambda: phone.files() == [])


def wait_for(what, limit_s=30.0):
    deadline = time.monotonic() + limit_s
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


PROGRAM = """
import sys
sys.path[:0] = [{root!r}]
from pathlib import Path
from tests.runtimes.adb.libraries import HANGS, job
from pocketrec.cli.console import exit_status
from pocketrec.runtimes.launch import side_by_side
from pocketrec.runtimes.adb.phone import run_on_phone, opened
work = job(Path({folder!r}), HANGS)
def command():
    with opened({{"adb": ""}}), side_by_side() as pool:
        [*pool.map(lambda job: [*run_on_phone([job] * 3, "adb", "")], [work])]
sys.exit(exit_status(command))
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_an_interrupted_command_leaves_nothing_running(plug_in, emulator, tmp_path, interruptible, number, code):
    from tests.tiny import ROOT

    phone = plug_in(emulator=emulator)
    program = PROGRAM.format(root=str(ROOT), folder=str(tmp_path / "x"))
    process = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True, env={**os.environ})
    wait_for(lambda: any(".pocketrec-worker.elf" in text for text in phone.running()))
    process.send_signal(number)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == code, said
    if number == signal.SIGINT:
        assert said == "error: interrupted [INTERRUPTED]\n"
    wait_for(lambda: not phone.running() and phone.files() == [])
    assert sum("pocketrec-worker" in command for command in phone.commands) == 1


def test_the_time_limit_of_a_job_is_the_phones_own(plug_in, emulator, tmp_path, monkeypatch):
    """Where the program on the phone kept no limit, the connection would be given up."""
    monkeypatch.setattr(phones, "_GRACE_S", -3.0)
    plug_in(emulator=emulator)
    with raises("DEVICE_LOST"):
        outcomes(job(tmp_path / "x", HANGS, timeout_s=4.0))
