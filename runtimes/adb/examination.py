"""`pocketrec doctor --device`: a phone step by step, from the cable to a right answer, so that one knows what fails."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...core.errors import InputError
from ...core.records.doctor import Check, Diagnosis
from ..android import aar
from ..android import pack as android
from ..model_file.smallest import N, squares, squaring_model
from ..outcome import Outcome
from . import pack
from .client import WHAT, chosen, devices, require_ready, run_adb, start_server
from .phone import PLACE, Phone, examined
from .staging import PhoneJob

SCHEMA = "pocketrec.device/1"
# What worker.c says of a file without a model, and so only after it has loaded the library.
_NO_MODEL = "the library reads no model in this file"
_USAGE = 64
# The library, the program, a catalogue of models and their answers.
_ROOM_MB = 64
_LIMIT_S = 60.0


class _NotRight(Exception):
    """A step that works otherwise than it should; the text says how."""


@dataclass
class _Examination:
    """What the steps so far found, for those that follow.

    Attributes:
        serial: as it was given; after the step `device` the phone's.
        scratch: a folder on this machine.
    """

    serial: str
    scratch: Path
    states: Mapping[str, str] = field(default_factory=dict)
    phone: Phone | None = None

    @property
    def known(self) -> Phone:
        assert self.phone is not None  # the step `processor and Android` comes before those that use it
        return self.phone

    def adb(self) -> str:
        if reason := pack.missing_adb():
            raise _NotRight(reason)
        return run_adb("version").out.partition("\n")[0]

    def program(self) -> str:
        if reason := pack.missing():
            raise _NotRight(reason)
        return f"{pack.WORKER}, {pack.worker().stat().st_size / 1e3:.0f} kB"

    def library(self) -> str:
        if reason := android.missing():
            raise _NotRight(reason)
        return f"{android.PACKAGE} {', '.join(android.AARS)}"

    def server(self) -> str:
        start_server()
        return "runs"

    def device(self) -> str:
        self.states = devices()
        self.serial = chosen(self.serial, self.states)
        return self.serial

    def authorization(self) -> str:
        require_ready(self.serial, self.states[self.serial])
        return "this computer may debug it"

    def processor(self) -> str:
        self.phone = examined(self.serial, WHAT)
        facts = self.phone.facts
        return f"{facts.model}, {facts.abi}, {facts.cpus} processors, Android {facts.android} (API level {facts.sdk})"

    def room(self) -> str:
        fields = self.known.shell(f"df -k {PLACE}").strip().splitlines()[-1].split()
        free_mb = next((int(n) / 1e3 for n in fields[3:4] if n.isdigit()), None)
        if free_mb is None:
            raise _NotRight(f"df says {' '.join(fields)}")
        if free_mb < _ROOM_MB:
            raise _NotRight(
                f"{free_mb:.0f} MB free in {PLACE}, {_ROOM_MB} MB are needed; delete something on the phone"
            )
        return f"{free_mb:,.0f} MB free in {PLACE}"

    def push(self) -> str:
        self.known.shell(f"mkdir -p {self.known.where}")
        self.known.push_program()
        return f"{pack.WORKER} in {self.known.where}"

    def execution(self) -> str:
        said = self.known.adb("shell", f"cd {self.known.where} && ./{pack.WORKER}; echo $?", timeout_s=_LIMIT_S)
        if said.out.strip() != str(_USAGE):
            raise _NotRight(f"{pack.WORKER} does not start: {said.last}")
        return f"{pack.WORKER} starts"

    def loading(self) -> str:
        found = {version: self._outcome(version, b"no model").reason for version in android.AARS}
        for version, reason in found.items():
            if _NO_MODEL not in reason:
                raise _NotRight(f"TFLite {version}: {reason}")
        return f"TFLite {' and '.join(found)}"

    def answer(self) -> str:
        for version in android.AARS:
            outcome = self._outcome(version, squaring_model())
            if not outcome:
                raise _NotRight(f"TFLite {version}: {outcome.reason}")
            answers = outcome.arrays["y"][0]
            if not np.array_equal(answers, squares(_NUMBERS)):
                raise _NotRight(f"TFLite {version} squares {_NUMBERS.tolist()} to {answers.tolist()}")
        return f"a model's answer is right to the bit, with TFLite {' and '.join(android.AARS)}"

    def _outcome(self, version: str, model: bytes) -> Outcome:
        path = self.scratch / "model.tflite"
        path.write_bytes(model)
        library = Path(aar.libraries(android.folder() / version)["aarch64"])
        job = PhoneJob(path, library, {"x": _NUMBERS[None]}, threads=1, timeout_s=_LIMIT_S)
        (outcome,) = self.known.run([job])
        return outcome

    def heat(self) -> str:
        state = self.known.state()
        if state.thermal_status is None and not state.celsius:
            raise _NotRight("no temperature can be read: latency will not say whether the phone got hot")
        rated = "" if state.thermal_status is None else f"rated {state.thermal_status}, "
        charge = "unknown" if state.battery_percent is None else f"{state.battery_percent}%"
        warmest = f"at most {max(state.celsius.values()):.0f} °C, " if state.celsius else ""
        return f"{rated}{warmest}battery {charge}"

    def cleaning(self) -> str:
        self.known.shell(f"rm -rf {self.known.where}")
        if self.known.shell(f"ls {PLACE}").find(self.known.where.rpartition("/")[2]) >= 0:
            raise _NotRight(f"{self.known.where} is still there")
        return "nothing is left on it"


_NUMBERS = np.array([0.1, -1.5, 3.0, 1e-3], np.float32)[:N]
# In order. What fails ends the examination, except where the rest can do without it.
_STEPS: dict[str, Callable[[_Examination], str]] = {
    "adb": _Examination.adb,
    "program": _Examination.program,
    "library": _Examination.library,
    "server": _Examination.server,
    "device": _Examination.device,
    "authorization": _Examination.authorization,
    "processor and Android": _Examination.processor,
    "room": _Examination.room,
    "push": _Examination.push,
    "execution": _Examination.execution,
    "library loads": _Examination.loading,
    "answer": _Examination.answer,
    "heat": _Examination.heat,
    "cleaning up": _Examination.cleaning,
}
_CAN_DO_WITHOUT = frozenset({"heat"})


def examine_device(serial: str = "") -> Diagnosis:
    """Try everything that `parity` and `latency --target adb` need of a phone, one step after another.

    Args:
        serial: its serial number; '' for the only one plugged in.

    Returns:
        One check for each step up to the first that fails; a phone that is right passes all of them.
    """
    checks: list[Check] = []
    with tempfile.TemporaryDirectory(prefix="pocketrec-device-") as scratch:
        examination = _Examination(serial, Path(scratch))
        try:
            for name, step in _STEPS.items():
                checks.append(_check(name, step, examination))
                if not checks[-1].ok and name not in _CAN_DO_WITHOUT:
                    break
        finally:
            if examination.phone and not (checks and checks[-1].name == "device: cleaning up" and checks[-1].ok):
                examination.phone.remove()
    return Diagnosis(SCHEMA, {}, checks)


def _check(name: str, step: Callable[[_Examination], str], examination: _Examination) -> Check:
    try:
        return Check(f"device: {name}", True, step(examination), "")
    except InputError as error:
        return Check(f"device: {name}", False, f"{error} [{error.code}]", "")
    except _NotRight as found:
        said, _, command = str(found).partition("; ")
        return Check(f"device: {name}", False, said, command)
