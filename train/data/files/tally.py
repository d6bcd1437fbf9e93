"""Counting the rows of a file that were read and rejected."""

from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from .columns import shown

if TYPE_CHECKING:
    import pyarrow as pa

MALFORMED = "wrong number of columns"


@dataclass
class Tally:
    """Rows read and rejected so far.

    Attributes:
        start: well-formed rows before the current batch.
        malformed: row numbers that had the wrong number of columns, ascending.
    """

    start: int = 0
    malformed: array = field(default_factory=lambda: array("q"))
    rejected: dict[str, int] = field(default_factory=dict)
    first: dict[str, str] = field(default_factory=dict)

    def reject(self, ok: np.ndarray, bad: np.ndarray, reason: str, name: str, column: "pa.Array") -> None:
        """Clear bool[n] `ok` where `bad`, and count what was ok before; `column`, called `name`, gives the example."""
        bad = ok & bad
        if not bad.any():
            return
        at = int(np.argmax(bad))
        self.rejected[reason] = self.rejected.get(reason, 0) + int(bad.sum())
        self.first.setdefault(reason, f"row {self._row(at)}: {name}={shown(column[at].as_py())}")
        ok &= ~bad

    def reject_malformed(self, row: int, text: str) -> None:
        """Count a row that could not be split into the header's columns."""
        self.malformed.append(row)
        self.rejected[MALFORMED] = len(self.malformed)
        self.first.setdefault(MALFORMED, f"row {row}: {shown(text)}")

    def _row(self, at: int) -> int:
        row = self.start + at + 1
        for malformed in self.malformed:
            if malformed > row:
                break
            row += 1
        return row
