"""What `doctor` finds."""

from dataclasses import dataclass
from typing import Annotated

from .record import Doc, Json, Record


@dataclass(frozen=True)
class Check(Record):
    """One thing that this machine has or lacks."""

    name: Annotated[str, Doc("kind and name, such as `runtime: litert-2.3.0`")]
    ok: Annotated[bool, Doc("whether it is there")]
    found: Annotated[str, Doc("what it is, or what is missing or wrong")]
    add: Annotated[str, Doc("the command that adds it; '' where nothing is missing")]


@dataclass(frozen=True)
class Diagnosis(Record):
    """What this machine can run, and what is missing for the rest."""

    schema: Annotated[str, Doc("name and version of the schema")]
    host: Annotated[Json, Doc("see `host`; empty where a phone was examined")]
    checks: list[Check]

    @property
    def ok(self) -> bool:
        """Whether nothing is missing or wrong."""
        return all(check.ok for check in self.checks)
