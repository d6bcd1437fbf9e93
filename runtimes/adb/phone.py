"""A phone that is in use: what was pushed to it, jobs executed on it, and everything removed from it in the end."""

import contextlib
import math
import re
import secrets
import signal
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...core.errors import InputError
from ...core.records.phone import PhoneConditions, PhoneFacts, PhoneState
from ..native_logs import failure
from ..outcome import Outcome
from . import pack
from .client import WHAT, Said, chosen, devices, lost, require_ready, run_adb, start_server
from .device import FACTS, STATE, heat, read_facts, read_state
from .exchange import read_answers
from .staging import PhoneJob, Staged

PLACE = "/data/local/tmp"
_PUSH_S, _PULL_S, _CLEAN_S = 300.0, 300.0, 10.0
# Beyond a job's own time limit, which the program on the phone keeps.
_GRACE_S = 15.0
# What worker.c ends with when its standard input closes: then this shell clears up after it.
_GONE = 79
_ENDED = "pocketrec-ended"
# A shell reports a signal as 128 and its number.
_SIGNALLED = 128


@dataclass
class Phone:
    """A phone, and the folder that is ours on it.

    Attributes:
        serial: its serial number.
        facts: what it is.
        before: the state it was in when it was opened.
        where: our folder on it.
    """

    serial: str
    facts: PhoneFacts
    before: PhoneState
    where: str
    _pushed: set[str] = field(default_factory=set)
    _batches: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def adb(self, *arguments: str, timeout_s: float, holds_stdin: bool = False) -> Said:
        return run_adb("-s", self.serial, *arguments, timeout_s=timeout_s, holds_stdin=holds_stdin)

    def shell(self, command: str, *, timeout_s: float = 30.0) -> str:
        """What a command prints.

        Raises:
            InputError: it fails, or the phone is gone.
        """
        said = self.adb("shell", f"{command}; echo {_ENDED} $?", timeout_s=timeout_s)
        text, code = _ended(said.out)
        if code is None:
            raise lost(self.serial, said)
        if code:
            raise InputError(
                WHAT,
                expected=f"`{command.partition(' ')[0]}` to work",
                given=said.last,
                do="try it by hand",
                code="ADB_FAILED",
            )
        return text

    def run(self, jobs: Sequence[PhoneJob]) -> Iterator[Outcome]:
        """Execute jobs one after another: one push, a shell for each, one pull.

        Raises:
            InputError: the phone is full, or is gone.
        """
        with self._lock, tempfile.TemporaryDirectory(prefix="pocketrec-phone-") as scratch:
            self._batches += 1
            out = f"out-{self._batches}"
            named = self._push(jobs, Path(scratch) / "push", out)
            ended = [
                self._execute(job, names, f"{out}/{n}") for n, (job, names) in enumerate(zip(jobs, named, strict=True))
            ]
            answers = Path(scratch) / "pull"
            answers.mkdir()
            if any(code == 0 for code, _ in ended):
                said = self.adb("pull", f"{self.where}/{out}", str(answers), timeout_s=_PULL_S)
                if said.code != 0:
                    raise lost(self.serial, said)
            self.shell(f"rm -rf {self.where}/{out}")
            for n, ((code, log), job) in enumerate(zip(ended, jobs, strict=True)):
                yield _outcome(answers / out / str(n), code, log, job)

    def _push(self, jobs: Sequence[PhoneJob], staging: Path, out: str) -> list[tuple[str, str, str]]:
        """Push what is not there yet, in one go; returns the names of each job's library, model and inputs."""
        (staging / out).mkdir(parents=True)
        (staging / out / ".keep").touch()
        named, files = [], Staged(staging, self._pushed)
        files.add(pack.worker(), pack.WORKER)
        for job in jobs:
            feeds = files.queries(job.inputs)
            named.append((files.add(job.library), files.add(job.model), feeds))
        self._send(staging)
        self._pushed |= files.names
        return named

    def push_program(self) -> None:
        """Push the program that executes jobs, and nothing else.

        Raises:
            InputError: the phone is full, or is gone.
        """
        with tempfile.TemporaryDirectory(prefix="pocketrec-phone-") as staging:
            files = Staged(Path(staging), self._pushed)
            files.add(pack.worker(), pack.WORKER)
            self._send(Path(staging))
            self._pushed |= files.names

    def _send(self, staging: Path) -> None:
        said = self.adb("push", f"{staging}/.", self.where, timeout_s=_PUSH_S)
        if said.code != 0:
            if "No space left" in said.out + said.err:
                n_bytes = sum(path.stat().st_size for path in staging.rglob("*"))
                raise InputError(
                    WHAT,
                    expected=f"room for {n_bytes / 1e6:.1f} MB in {PLACE}",
                    given="no space left",
                    do="delete something on the phone",
                    code="DEVICE_FULL",
                )
            raise lost(self.serial, said)

    def _execute(self, job: PhoneJob, names: tuple[str, str, str], out: str) -> tuple[int, str]:
        """Exit status of the program on the phone, negative for a signal, and what it wrote to its standard error."""
        library, model, feeds = names
        limit = math.ceil(job.timeout_s)
        arguments = [f"./{library}", model, feeds, out, str(job.threads), str(limit), *map(str, job.timed or ())]
        program = f"./{pack.WORKER} {' '.join(arguments)}"
        # The shell outlives the end of a connection, to clear up; what it started does not.
        command = (
            f"cd {self.where} && trap : HUP && {{ {program}; code=$?; "
            f"if [ $code = {_GONE} ]; then rm -rf {self.where}; fi; echo {_ENDED} $code; }}"
        )
        said = self.adb("shell", command, timeout_s=limit + _GRACE_S, holds_stdin=True)
        code = _ended(said.out)[1]
        if code is None or code == _GONE:
            raise lost(self.serial, said)
        return (_SIGNALLED - code if code > _SIGNALLED else code), said.err

    def state(self) -> PhoneState:
        """Its temperatures and its battery now."""
        return read_state(self.shell(STATE))

    def remove(self) -> None:
        """Remove our folder from it, where it can still be reached."""
        self.adb("shell", f"rm -rf {self.where}", timeout_s=_CLEAN_S)

    def conditions(self) -> PhoneConditions:
        """Its state when it was opened and now."""
        after = self.state()
        return PhoneConditions(self.facts, self.before, after, heat(self.before, after))


def _ended(text: str) -> tuple[str, int | None]:
    """What a shell printed before its last line, and the status there; None where the connection ended before it."""
    found = re.search(rf"^{_ENDED} (\d+)\s*\Z", text, re.MULTILINE)
    return (text[: found.start()], int(found[1])) if found else (text, None)


def _outcome(answers: Path, code: int, log: str, job: PhoneJob) -> Outcome:
    if code == -signal.SIGALRM:
        return Outcome(f"no answer within {job.timeout_s:g} s", log=log)
    if code or not answers.is_file():
        return Outcome(failure(code, log), log=log)
    return Outcome("", *read_answers(answers.read_bytes()), log)


_OPEN: dict[str, Phone] = {}


@contextlib.contextmanager
def opened(phones: Mapping[str, str]) -> Iterator[list[Phone]]:
    """Phones that are ready while the block runs; afterwards nothing of the kit is left on them.

    Args:
        phones: target to serial number; '' means the only phone there is. One that is open already stays open.

    Raises:
        InputError: adb or the program for phones is missing, no such phone, or one that is not ready or not supported.
    """
    with contextlib.ExitStack() as stack:
        for target, serial in phones.items():
            if target not in _OPEN:
                stack.enter_context(_opened(target, serial))
        yield [_OPEN[target] for target in phones]


@contextlib.contextmanager
def _opened(target: str, serial: str) -> Iterator[None]:
    _require_pack()
    start_server()
    known = devices()
    serial = chosen(serial, known)
    require_ready(serial, known[serial])
    phone = examined(serial, target)
    try:
        phone.shell(f"mkdir -p {phone.where}")
        phone.before = phone.state()
        _OPEN[target] = phone
        yield
    finally:
        _OPEN.pop(target, None)
        phone.remove()


def _require_pack() -> None:
    if reason := pack.missing():
        found, _, command = reason.partition("; ")
        raise InputError(
            WHAT, expected="adb and the program for phones", given=found, do=f"run `{command}`", code="NOT_INSTALLED"
        )


def examined(serial: str, target: str) -> Phone:
    """A phone that says what it is.

    Raises:
        InputError: it is gone, or one that no variant can be executed on.
    """
    phone = Phone(
        serial,
        PhoneFacts(target, "", "", "", 0, "", 0, "", ""),
        PhoneState(),
        f"{PLACE}/pocketrec-{secrets.token_hex(4)}",
    )
    phone.facts = read_facts(phone.shell(FACTS), target)
    return phone


def run_on_phone(jobs: Sequence[PhoneJob], target: str, serial: str) -> Iterator[Outcome]:
    """Execute jobs on a phone, which is opened for them where it is not open.

    Raises:
        InputError: as `opened` and `Phone.run`.
    """
    with opened({target: serial}) as (phone,):
        yield from phone.run(jobs)


def open_phones(targets: Iterable[str]) -> list[Phone]:
    """Those of the targets' phones that are open."""
    return [_OPEN[target] for target in targets if target in _OPEN]
