"""The datasets that have names. Nothing heavy is imported here: the command reads names and summaries for its help."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from .items_by import ItemsBy

if TYPE_CHECKING:
    from .ratings import Ratings


class Loader(Protocol):
    """Loads the ratings of a dataset.

    Args of a call:
        items_by: `id`, or `title` where items that share a title are one item.
        data_dir: where to look first.
    """

    def __call__(self, *, items_by: ItemsBy, data_dir: Path | None) -> "Ratings": ...


@dataclass(frozen=True)
class Licence:
    """The terms of some datasets.

    Attributes:
        name: file-name part by which the kit remembers that they were shown on this machine.
        notice: what is shown, one line.
    """

    name: str
    notice: str


@dataclass(frozen=True)
class Dataset:
    """A dataset that `--data` knows by name.

    Attributes:
        summary: one line for people.
        url: its home page.
        licence: the terms it is published under.
        load: imports what it needs when it is called.
    """

    summary: str
    url: str
    licence: Licence
    load: Loader


MOVIELENS_LICENCE = Licence(
    "movielens",
    "MovieLens is GroupLens Research's (University of Minnesota): research use, cite Harper & Konstan 2015 "
    "(doi:10.1145/2827872), no redistribution and no commercial use without their permission.",
)


def _movielens(size: str, summary: str) -> Dataset:
    def load(*, items_by: ItemsBy, data_dir: Path | None) -> "Ratings":
        from .movielens import load_movielens

        return load_movielens(size, items_by=items_by, data_dir=data_dir)

    folder = size if size.startswith("latest") else size.upper()
    return Dataset(summary, f"https://grouplens.org/datasets/movielens/{folder}/".lower(), MOVIELENS_LICENCE, load)


DATASETS = {
    "movielens/100k": _movielens("100k", "100,000 ratings of 1,682 films by 943 users, 1998"),
    "movielens/1m": _movielens("1m", "1 million ratings of 3,900 films by 6,040 users, 2003"),
    "movielens/20m": _movielens("20m", "20 million ratings of 27,000 films by 138,000 users, 2016"),
    "movielens/25m": _movielens("25m", "25 million ratings of 62,000 films by 162,000 users, 2019"),
    "movielens/latest-small": _movielens("latest-small", "100,000 ratings of 9,000 films by 600 users, 2018"),
}
DEFAULT_DATASET = "movielens/100k"


def licence_notice_once(name: str) -> str:
    """The licence notice of a dataset the first time it is asked for on this machine; '' afterwards and for files."""
    from ...core.files.atomic import write_bytes
    from ...core.files.downloads import cache_dir

    if name not in DATASETS:
        return ""
    licence = DATASETS[name].licence
    shown = cache_dir() / f"{licence.name}-licence-shown"
    if shown.exists():
        return ""
    write_bytes(shown, (licence.notice + "\n").encode())
    return licence.notice
