"""What the functions of the API take: paths as strings or path objects, runs as paths or `Run`."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

from ..core.run_dir import Run
from ..core.run_dir import open_run as open_run_at

StrPath: TypeAlias = str | os.PathLike[str]


def path_or_none(path: StrPath | None) -> Path | None:
    return None if path is None else Path(path)


def paths(given: Iterable[StrPath]) -> list[Path]:
    return [Path(path) for path in given]


def as_run(run: StrPath | Run) -> Run:
    """Raises:
    InputError: the path is no finished run.
    """
    return run if isinstance(run, Run) else open_run_at(Path(run))
