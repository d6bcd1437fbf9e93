"""The datasets that have names, and their terms. No TensorFlow here: names are checked before it loads."""

from ...core.atomic import write_bytes
from ...core.downloads import cache_dir

DATASETS = {f"movielens/{size}": size for size in ("100k", "1m", "20m", "25m", "latest-small")}


MOVIELENS_NOTE = (
    "MovieLens is GroupLens Research's (University of Minnesota): research use, cite Harper & Konstan 2015 "
    "(doi:10.1145/2827872), no redistribution and no commercial use without their permission."
)


def movielens_note_once() -> str:
    """MovieLens' terms the first time they are asked for on this machine, '' afterwards."""
    shown = cache_dir() / "movielens-licence-shown"
    if shown.exists():
        return ""
    write_bytes(shown, (MOVIELENS_NOTE + "\n").encode())
    return MOVIELENS_NOTE
