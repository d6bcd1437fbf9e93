"""The ratings of the tiny run."""

from pathlib import Path

from pocketrec.train.data.files.ratings_file import read_ratings
from pocketrec.train.data.ratings import Ratings

from tests.tiny import write_ratings


def tiny_ratings(folder: Path) -> Ratings:
    write_ratings(folder)
    features = {"item_features": folder / "items.csv", "user_features": folder / "users.csv"}
    return read_ratings(folder / "ratings.csv", **features)[0]
