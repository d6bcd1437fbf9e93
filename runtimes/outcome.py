"""What came of a worker."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Outcome:
    """What a worker returned; true when it succeeded.

    Attributes:
        reason: why it failed, with the last lines of its stderr; '' on success.
        arrays: the arrays it wrote.
        meta: its measurements of loading and memory.
        log: what it wrote to stderr.
    """

    reason: str
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)
    log: str = ""

    def __bool__(self) -> bool:
        return not self.reason
