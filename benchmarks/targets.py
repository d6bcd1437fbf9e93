"""The processors a variant can be executed on."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """A processor, real or emulated; `timed` says whether its time means anything."""

    summary: str
    timed: bool


TARGETS = {"host": Target("this machine's own processor", timed=True)}
