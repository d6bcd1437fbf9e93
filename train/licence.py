"""MovieLens' terms, shown to each user once."""

from .artifacts import write_bytes
from .movielens import LICENCE_NOTE, cache_dir


def note_once() -> str:
    """The licence note the first time it is asked for on this machine, '' afterwards."""
    shown = cache_dir() / "movielens-licence-shown"
    if shown.exists():
        return ""
    write_bytes(shown, (LICENCE_NOTE + "\n").encode())
    return LICENCE_NOTE
