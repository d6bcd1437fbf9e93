"""Small ratings files, and what is read from them."""

from pathlib import Path

from pocketrec.train.data.files.ratings_file import read_ratings
from pocketrec.train.data.ratings import Ratings

from tests.conftest import raises

ROWS = "u1,a,4,100\nu1,b,3,200\nu2,a,5,300\n"


def csv_of(rows: str, header: str = "user,item,rating,timestamp") -> str:
    return f"{header}\n{rows}"


def rows_of(ratings: Ratings) -> list[tuple[str, str, float, int]]:
    """[(user, item, rating, timestamp)] with ids as text."""
    columns = zip(ratings.user, ratings.item, ratings.rating.tolist(), ratings.timestamp.tolist(), strict=True)
    return [(ratings.users[u], ratings.items[i], r, t) for u, i, r, t in columns]


def refused(code: str, path: Path, **options: object) -> str:
    """Assert that a file is refused with `code` and exit status 2; returns the line."""
    with raises(code) as caught:
        read_ratings(path, **options)
    assert "\n" not in str(caught.value) and caught.value.exit_code == 2
    return str(caught.value)
