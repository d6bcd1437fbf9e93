"""The run directory, through which the stages exchange their results."""

from dataclasses import dataclass
from pathlib import Path

from .documents import HISTORY_WEIGHTS_SCHEMA, RUN_SCHEMA, VARIANTS_SCHEMA, read_json
from .errors import InputError
from .files.hashing import sha256_file
from .records.history_weights import HistoryWeights
from .records.run import RunRecord
from .records.variants import Variant, VariantsRecord

# In RUN/trained, where the query model takes ratings.
HISTORY_WEIGHTS = "history_weights.json"


@dataclass(frozen=True)
class Run:
    """A run directory: one trained recommender and all that was made from it."""

    root: Path

    @property
    def trained(self) -> Path:
        return self.root / "trained"

    @property
    def converted(self) -> Path:
        return self.root / "converted"

    @property
    def reports(self) -> Path:
        return self.root / "reports"

    @property
    def record(self) -> RunRecord:
        """trained/run.json, read anew and checked.

        Raises:
            InputError: it is missing, of another schema, or lacks a field.
        """
        path = self.trained / "run.json"
        return RunRecord.from_json(read_json(path, RUN_SCHEMA), str(path))

    @property
    def variants_record(self) -> VariantsRecord:
        """converted/variants.json, read anew and checked.

        Raises:
            InputError: nothing was converted yet, or the file is of another schema or lacks a field.
        """
        path = self.converted / "variants.json"
        return VariantsRecord.from_json(read_json(path, VARIANTS_SCHEMA), str(path))

    @property
    def variants(self) -> list[Variant]:
        """The files of RUN/converted; see `variants_record`."""
        return self.variants_record.variants

    @property
    def history_weights(self) -> HistoryWeights | None:
        """How the query model weighs a history; None where it takes no ratings, or an older kit trained it.

        Raises:
            InputError: the file is unreadable, or lacks a field.
        """
        path = self.trained / HISTORY_WEIGHTS
        if not path.is_file():
            return None
        return HistoryWeights.from_json(read_json(path, HISTORY_WEIGHTS_SCHEMA), str(path))

    def saved_model(self, name: str) -> Path:
        """Folder of one of the trained SavedModels."""
        return self.trained / name


def open_run(path: Path) -> Run:
    """Open a finished run.

    Raises:
        InputError: `path` is no run, its training did not finish, or it has another schema version.
    """
    run = Run(path)
    if not path.is_dir():
        raise InputError(
            "RUN",
            expected="a run directory",
            given=f"{path} (no such directory)",
            do="run `pocketrec train --out RUN` first",
            code="RUN_MISSING",
        )
    if not (run.trained / "run.json").is_file():
        partial = any(path.glob(".trained.partial-*")) or run.trained.is_dir()
        given = f"{path}, whose training did not finish" if partial else f"{path}, which has no trained/run.json"
        raise InputError(
            "RUN",
            expected="a finished run",
            given=given,
            do="run `pocketrec train --out RUN` with a new directory",
            code="RUN_UNFINISHED" if partial else "RUN_MISSING",
        )
    _ = run.record
    return run


def check_unchanged(run: Run, variant: Variant) -> Path:
    """The variant's file, if it is still the one that was converted.

    Raises:
        InputError: it is missing or has other bytes.
    """
    path = run.converted / variant.file
    if not path.is_file() or sha256_file(path) != variant.sha256:
        given = "no such file" if not path.is_file() else "other bytes"
        raise InputError(
            str(path),
            expected=f"sha256 {variant.sha256[:12]}…",
            given=given,
            do="run `pocketrec convert RUN` again",
            code="INPUT_CHANGED",
        )
    return path
