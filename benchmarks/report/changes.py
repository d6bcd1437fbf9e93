"""One difference between a run and an earlier one."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

Entry = TypeVar("Entry")
Warn: TypeAlias = Callable[[str], None]


@dataclass(frozen=True)
class Change:
    """Something that both runs have.

    Attributes:
        kind: `parity`, `quality`, `size` or `latency`.
        what: the cell, the variant or the case.
        before, after: both values as text.
        status: `worse`, `better` or `same`.
        why: what the status rests on.
        source: the field of the newer run.
    """

    kind: str
    what: str
    before: str
    after: str
    status: str
    why: str
    source: str


def matched(
    now: Sequence[Entry], before: Sequence[Entry], key: Callable[[Entry], object]
) -> Iterator[tuple[Entry, Entry, int]]:
    """Rows of both that have the same key, each with its place in the newer document."""
    known = {key(row): row for row in reversed(before)}
    yield from ((row, known[key(row)], place) for place, row in enumerate(now) if key(row) in known)
