"""What all latency measurements share: threads, runtimes, processes and samples, with their defaults."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import util

from ...core.errors import InputError, pick
from ...runtimes.adb.phone import Phone
from ...runtimes.runtimes import CURRENT_RUNTIME, PHONE_RUNTIMES, RUNTIMES, chosen_runtimes
from ...runtimes.targets import DEFAULT_TARGETS, TARGETS, TIMED_TARGETS

SAMPLES, PROCESSES, THREADS = 1000, 5, (1, 2)


@dataclass(frozen=True)
class LatencyOptions:
    """What all measurements share.

    Attributes:
        threads: of the runtimes that take a number of threads; by default those of `THREADS` that the machine has, or the phone.
        runtimes: keys of `RUNTIMES`; by default the installed ones that apps ship.
        processes: processes that each case is measured in.
        samples: timed calls per process.
        targets: keys of `TARGETS` to time on, whose times mean something; this machine when empty.
    """

    threads: Iterable[int] = ()
    runtimes: Iterable[str] = ()
    processes: int = PROCESSES
    samples: int = SAMPLES
    targets: Iterable[str] = ()

    def checked(self) -> "Checked":
        """Refuse what cannot be done, before anything slow.

        Raises:
            InputError: a count out of range, an unknown runtime, none that is installed, a target that is never timed, or SciPy
                is missing.
        """
        if util.find_spec("scipy") is None:
            raise InputError(
                "latency",
                expected="SciPy, for the intervals",
                given="none",
                do="run `pip install 'pocketrec[bench]'`",
                code="NOT_INSTALLED",
            )
        for name, value in (("--processes", self.processes), ("--samples", self.samples)):
            if value < 1:
                raise InputError(
                    name, expected="1 or more", given=value, do="choose another", code="VALUE_OUT_OF_RANGE"
                )
        places = list(dict.fromkeys(map(_timed, self.targets))) or list(DEFAULT_TARGETS)
        names = [name for name in chosen_runtimes(self.runtimes, places) if not RUNTIMES[name].missing()]
        if not names:
            raise InputError(
                "--runtime",
                expected=f"one of {', '.join(PHONE_RUNTIMES)} installed",
                given="none",
                do=RUNTIMES[CURRENT_RUNTIME].missing(),
                code="NOT_INSTALLED",
            )
        on_phones_only = all(TARGETS[name].is_phone for name in places)
        threads = _thread_counts(self.threads, None if on_phones_only else len(os.sched_getaffinity(0)))
        return Checked(threads, names, self.processes, self.samples, places)


DEFAULT_OPTIONS = LatencyOptions()


@dataclass(frozen=True)
class Checked:
    """Options that can be measured with; see `LatencyOptions`."""

    threads: list[int]
    runtimes: list[str]
    processes: int
    samples: int
    places: list[str]

    @property
    def on_host(self) -> bool:
        """Whether this machine is among the places."""
        return any(name in DEFAULT_TARGETS for name in self.places)

    def check_phones(self, phones: Iterable[Phone]) -> None:
        """Refuse numbers of threads that a phone has no processors for.

        Raises:
            InputError: there are such.
        """
        for phone in phones:
            _check_threads(self.threads, phone.facts.cpus, phone.facts.model)


def _timed(name: str) -> str:
    if TARGETS[pick("--target", name, TARGETS)].is_timed:
        return name
    raise InputError(
        "--target",
        expected=f"one whose times mean something: {', '.join(TIMED_TARGETS)}",
        given=f"{name}, {TARGETS[name].summary}",
        do="use `pocketrec parity` there",
        code="TARGET_UNTIMED",
    )


def _thread_counts(threads: Iterable[int], most: int | None) -> list[int]:
    """The numbers of threads to measure with; `most` processors are known of, or, before a phone was asked, none."""
    counts = list(dict.fromkeys(threads)) or [count for count in THREADS if most is None or count <= most]
    _check_threads(counts, most, "this machine")
    return counts


def _check_threads(counts: Iterable[int], most: int | None, whose: str) -> None:
    for count in counts:
        if count < 1 or (most is not None and count > most):
            expected = "1 or more" if most is None else f"1 to {most}, the processors of {whose}"
            raise InputError(
                "--threads", expected=expected, given=count, do="choose another", code="VALUE_OUT_OF_RANGE"
            )
