"""The `adb` program, a device at a time: what it says becomes a value, and what is wrong with a device one line."""

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ...core.errors import InputError
from .. import processes

_SHORT_S = 30.0
# What devices are not ready by, in the words of `adb devices`: the code, and what to do.
_STATES = {
    "unauthorized": ("DEVICE_UNAUTHORIZED", "unlock the phone and allow USB debugging from this computer"),
    "authorizing": ("DEVICE_UNAUTHORIZED", "unlock the phone and allow USB debugging from this computer"),
    "no permissions": (
        "DEVICE_UNAUTHORIZED",
        "let this user open USB devices: `apt-get install android-sdk-platform-tools-common`",
    ),
    "offline": ("DEVICE_OFFLINE", "plug it in again, or run `adb reconnect offline`"),
    "connecting": ("DEVICE_OFFLINE", "plug it in again, or run `adb reconnect offline`"),
}
_NOT_STARTED = ("DEVICE_OFFLINE", "start Android on it, with USB debugging switched on")
WHAT = "adb"


@dataclass(frozen=True)
class Said:
    """What a command of adb's came to.

    Attributes:
        code: exit status, negative for a signal; None when it took too long.
        out, err: what it wrote.
    """

    code: int | None
    out: str
    err: str

    @property
    def last(self) -> str:
        """Its last line, without adb's name before it."""
        lines = [line.strip() for line in (self.out + "\n" + self.err).splitlines() if line.strip()]
        text = lines[-1] if lines else ("no answer" if self.code is None else f"exit status {self.code}")
        return re.sub(r"^(adb: )?(error: )?", "", text)[:200]


def run_adb(*arguments: str, timeout_s: float = _SHORT_S, holds_stdin: bool = False) -> Said:
    """Run adb; however this process ends, it ends too."""
    with tempfile.TemporaryDirectory(prefix="pocketrec-adb-") as scratch:
        out, err = Path(scratch) / "out", Path(scratch) / "err"
        command = ["adb", *arguments]
        code = processes.run(command, stdout=out, stderr=err, timeout_s=timeout_s, holds_stdin=holds_stdin)
        return Said(code, out.read_text("utf-8", "replace"), err.read_text("utf-8", "replace"))


def start_server() -> None:
    """Start adb's server, where none runs.

    Raises:
        InputError: it does not start.
    """
    said = run_adb("start-server")
    if said.code != 0:
        raise InputError(
            WHAT, expected="adb's server to start", given=said.last, do="run `adb start-server`", code="ADB_FAILED"
        )


def devices() -> dict[str, str]:
    """Serial number to state of the devices that adb's server knows.

    Raises:
        InputError: adb fails.
    """
    said = run_adb("devices")
    if said.code != 0:
        raise InputError(WHAT, expected="a list of devices", given=said.last, do="run `adb devices`", code="ADB_FAILED")
    rows = (line.split("\t", 1) for line in said.out.splitlines() if "\t" in line)
    return {serial.strip(): state.strip() for serial, state in rows}


def chosen(serial: str, known: dict[str, str]) -> str:
    """The serial number of the device that is meant; '' means the only one.

    Raises:
        InputError: no device, several, or not that one.
    """
    named = ", ".join(known) or "none"
    if not known:
        raise InputError(
            WHAT,
            expected="a phone plugged in, with USB debugging switched on",
            given="none",
            do="plug one in and look at `adb devices`",
            code="DEVICE_MISSING",
        )
    if serial and serial not in known:
        raise InputError(
            WHAT, expected=f"one of {named}", given=serial, do="look at `adb devices`", code="DEVICE_MISSING"
        )
    if not serial and len(known) > 1:
        raise InputError(
            WHAT,
            expected="one phone, or its serial number",
            given=named,
            do=f"name one: adb/{next(iter(known))}",
            code="DEVICE_AMBIGUOUS",
        )
    return serial or next(iter(known))


def require_ready(serial: str, state: str) -> None:
    """Refuse a device that no command can be run on.

    Raises:
        InputError: it is not in the state `device`.
    """
    if state == "device":
        return
    code, do = next((told for start, told in _STATES.items() if state.startswith(start)), _NOT_STARTED)
    raise InputError(WHAT, expected=f"{serial} to be ready", given=state.partition(";")[0], do=do, code=code)


def lost(serial: str, said: Said) -> InputError:
    """What a connection that ended in the middle is told by."""
    return InputError(
        WHAT,
        expected=f"{serial} to stay connected",
        given=said.last,
        do="plug it in again and repeat the command; nothing was written",
        code="DEVICE_LOST",
    )
