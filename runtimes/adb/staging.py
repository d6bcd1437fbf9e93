"""What a phone executes, and the files that it needs for it."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...core.files.hashing import sha256_bytes, sha256_file
from .exchange import queries_file


@dataclass(frozen=True)
class PhoneJob:
    """A .tflite file to execute on a phone.

    Attributes:
        model: the file.
        library: TFLite's library of Android for its processor.
        inputs: packed queries.
        threads: of the interpreter.
        timeout_s: time limit in seconds.
        timed: warm-up and timed calls; None where only answers are wanted.
    """

    model: Path
    library: Path
    inputs: Mapping[str, np.ndarray]
    threads: int
    timeout_s: float
    timed: tuple[int, int] | None = None


@dataclass
class Staged:
    """Files on their way to a phone, under names made of what they hold; what is there already is left out.

    Attributes:
        folder: where they are gathered.
        there: names on the phone.
        names: those that were added.
    """

    folder: Path
    there: set[str]
    names: set[str] = field(default_factory=set)
    _known: dict[int, str] = field(default_factory=dict)

    def add(self, path: Path, name: str = "") -> str:
        name = name or f"{sha256_file(path)[:16]}{path.suffix}"
        if name not in self.there | self.names:
            shutil.copy(path, self.folder / name)
            self.names.add(name)
        return name

    def queries(self, inputs: Mapping[str, np.ndarray]) -> str:
        if id(inputs) not in self._known:
            data = queries_file(inputs)
            name = self._known[id(inputs)] = f"{sha256_bytes(data)[:16]}.in"
            if name not in self.there | self.names:
                (self.folder / name).write_bytes(data)
                self.names.add(name)
        return self._known[id(inputs)]
