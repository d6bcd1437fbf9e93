"""MovieLens-100K out of the RecBole wheel, written in GroupLens' own layout so that TFDS' builder can parse it."""

import hashlib
import shutil
import tempfile
import zipfile
from pathlib import Path

from ...core.errors import InputError
from ...core.files.downloads import download_wheels

_WHEEL = "recbole==1.2.1"
_WHEEL_SHA256 = "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407"
_FOLDER = "recbole/dataset_example/ml-100k/ml-100k"

# Column order of u.item in GroupLens' README; TFDS' parser relies on it.
_GENRES = (
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
)


def fetch_ml100k(folder: Path) -> None:
    """Write `folder`/ml-100k/{u.data,u.item,u.user} from the copy inside a package on the Python package index.

    Raises:
        InputError: the package cannot be had, or is not the one whose hash is pinned.
    """
    with tempfile.TemporaryDirectory(prefix="pocketrec-") as scratch:
        wheel = _download(Path(scratch))
        tables = _read_tables(wheel)
    _write_layout(folder / "ml-100k", *tables)


def _download(scratch: Path) -> Path:
    if reason := download_wheels({_WHEEL: _WHEEL_SHA256}, scratch):
        raise InputError(
            "movielens/100k",
            expected="a copy from TFDS, GroupLens or the package index",
            given=f"no network ({reason})",
            do="place GroupLens' ml-100k.zip on this machine and pass --data-dir ml-100k.zip",
            code="DATA_UNAVAILABLE",
        )
    wheels = list(scratch.glob("*.whl"))
    if hashlib.sha256(wheels[0].read_bytes()).hexdigest() != _WHEEL_SHA256:
        raise InputError(
            _WHEEL,
            expected=f"sha256 {_WHEEL_SHA256}",
            given="another file",
            do="pass --data-dir ml-100k.zip",
            code="INPUT_CHANGED",
        )
    return wheels[0]


def _read_tables(wheel: Path) -> list[list[list[str]]]:
    with zipfile.ZipFile(wheel) as archive:
        texts = [archive.read(f"{_FOLDER}.{kind}").decode("utf-8") for kind in ("inter", "item", "user")]
    return [[line.split("\t") for line in text.split("\n")[1:] if line] for text in texts]


def _item_row(item_id: str, name: str, year: str, genres: str) -> str:
    title = "unknown" if name == "unkonwn" else f"{name} ({year})"
    listed = set(genres.split(" "))
    flags = ["1" if genre in listed else "0" for genre in _GENRES]
    return "|".join([item_id, title, "", "", "", *flags])


def _write_layout(target: Path, ratings: list[list[str]], items: list[list[str]], users: list[list[str]]) -> None:
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    files = {
        "u.data": ["\t".join(row) for row in ratings],
        "u.item": [_item_row(*row) for row in items],
        "u.user": ["|".join(row) for row in users],
    }
    for name, lines in files.items():
        (target / name).write_text("\n".join(lines) + "\n", encoding="iso-8859-1")
