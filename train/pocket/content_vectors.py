"""Vectors of items without ratings, computed from their content by the trained table; no TensorFlow."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ...core.errors import InputError
from ...core.files.atomic import write_npz
from ...core.run_dir import Run
from ..data.item_content import GENRE, indicators, item_tokens

CONTENT_FILE = "content.npz"


@dataclass(frozen=True)
class ContentTable:
    """What a retriever learnt about content.

    Attributes:
        tokens: genres, five-year periods and title words, sorted.
        table: float32[n_tokens, d - 1], one row per token; an item's vector is the sum of its tokens' rows, divided by the
            square root of their number.
        bias: last element of the vector of an item without ratings.
    """

    tokens: list[str]
    table: np.ndarray
    bias: float

    def write(self, path: Path) -> None:
        """Write it as `tokens` (UTF-8 bytes[n_tokens]), `table` and `bias` float32[]."""
        encoded = np.array([token.encode() for token in self.tokens], "S")
        write_npz(path, tokens=encoded, table=self.table, bias=np.array(self.bias, np.float32))

    @cached_property
    def genres(self) -> list[str]:
        """Genres among the tokens."""
        return [token.removeprefix(GENRE) for token in self.tokens if token.startswith(GENRE)]

    def vectors(self, titles: Sequence[str], genres: Sequence[Sequence[str]]) -> np.ndarray:
        """float32[n, d]: candidate vectors of items without ratings (see retriever.py); unknown tokens are ignored."""
        marks = indicators(item_tokens(titles, genres), self.tokens, unit_length=True)
        found = np.zeros((len(titles), self.table.shape[1] + 1), np.float32)
        np.add.at(found[:, :-1], marks.row, marks.value[:, None] * self.table[marks.column])
        found[:, -1] = self.bias
        return found


def read_content(run: Run) -> ContentTable:
    """The table of a run.

    Raises:
        InputError: the run has none, by its preset or because an older kit trained it.
    """
    path = run.trained / CONTENT_FILE
    if not path.is_file():
        raise InputError(
            "--new-items",
            expected=f"a run that learnt from content (trained/{CONTENT_FILE})",
            given=f"none in {run.root}, trained by the preset {run.record.preset}",
            do="train with this version of the kit and --preset pocket, or add the items and their vectors to the run",
            code="CATALOGUE_INVALID",
        )
    with np.load(path) as archive:
        tokens, table, bias = (archive[name] for name in ("tokens", "table", "bias"))
    return ContentTable([token.decode() for token in tokens.tolist()], table, float(bias))
