"""The distinct genre sets of a catalogue."""

import json

import numpy as np

from ...core.files.vocabulary_files import read_vocabulary
from ...core.run_dir import Run


def genre_sets(run: Run) -> tuple[np.ndarray, np.ndarray] | None:
    """The distinct genre sets, float32[n_sets, n_genres], and each item's set, int32[n_items]; None where items have no genres."""
    path = run.trained / "vocabularies" / "genres.txt"
    if not path.is_file():
        return None
    genres = read_vocabulary(path)
    items = json.loads((run.trained / "items.json").read_text(encoding="utf-8"))
    marks = np.array([np.isin(genres, item["genres"]) for item in items], np.float32)
    sets, set_of = np.unique(marks, axis=0, return_inverse=True)
    return sets, set_of.reshape(-1).astype(np.int32)
