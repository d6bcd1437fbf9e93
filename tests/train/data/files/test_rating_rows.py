"""Which rows are kept, and why others are not."""

import pyarrow as pa
import pytest
from pocketrec.train.data.files import csv_parquet
from pocketrec.train.data.files.ratings_file import read_ratings

from tests.train.data.files.tables import ROWS, csv_of


@pytest.mark.parametrize(
    ("bad", "reason", "example"),
    [
        (",a", "user is empty", "row 3: user="),
        ("  ,a", "user is empty", "row 3: user=  "),
        ("u,", "item is empty", "row 3: item="),
        ('"u\nv",a', "user has a line break or control character", "row 3: user='u\\nv'"),
        ("u,a\x07b", "item has a line break or control character", "row 3: item='a\\x07b'"),
        ("u,a\u2028b", "item has a line break or control character", "row 3: item='a\\u2028b'"),
    ],
)
def test_ids_that_no_vocabulary_file_can_hold_are_rejected(written, bad, reason, example):
    ratings, report = read_ratings(written(f"user,item\n1,2\n2,3\n{bad}\n"))
    assert report.rejected == {reason: 1} and report.first_rejected == {reason: example}
    assert ratings.users == ["1", "2"] and ratings.items == ["2", "3"]
    assert report.rows_read == 3 and report.rows_kept == 2


def test_id_only_in_rejected_rows_is_in_no_vocabulary(written):
    ratings, _ = read_ratings(written(csv_of(ROWS + "u9,z,?,1\n")))
    assert ratings.users == ["u1", "u2"] and ratings.items == ["a", "b"]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("", "rating is empty"),
        (" ", "rating is empty"),
        ("abc", "rating is not a number"),
        ("1_0", "rating is not a number"),
        ("nan", "rating is NaN"),
        ("NaN", "rating is NaN"),
        ("inf", "rating is infinite"),
        ("-Infinity", "rating is infinite"),
        ("1e39", "rating is infinite"),
    ],
)
def test_unusable_ratings_are_rejected_by_reason(written, bad, reason):
    ratings, report = read_ratings(written(csv_of(f"{ROWS}u3,c,{bad},5\n")))
    assert report.rejected == {reason: 1} and report.first_rejected == {reason: f"row 4: rating={bad}"}
    assert len(ratings) == 3


def test_parquet_null_and_nan_ratings_are_told_apart(written):
    columns = {"user": [1, 2, 3, 4], "item": [1, 2, 3, 4], "rating": pa.array([1.0, 2.5, None, float("nan")])}
    ratings, report = read_ratings(written(columns, "r.parquet"))
    assert report.rejected == {"rating is empty": 1, "rating is NaN": 1} and ratings.rating.tolist() == [1, 2.5]


def test_ratings_outside_the_range_are_rejected_and_its_ends_are_not(written):
    path = written(csv_of("1,a,0.5,1\n1,b,5,1\n2,c,5.1,1\n2,d,0.4,1\n2,e,x,1\n2,f, 3 ,1\n"))
    ratings, report = read_ratings(path, rating_range=(0.5, 5))
    assert report.rejected == {"rating is not a number": 1, "rating is outside 0.5 to 5": 2}
    assert ratings.rating.tolist() == [0.5, 5, 3]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("", "timestamp is empty"),
        ("yesterday", "timestamp is neither seconds nor an ISO 8601 date"),
        ("nan", "timestamp is neither seconds nor an ISO 8601 date"),
        ("inf", "timestamp is neither seconds nor an ISO 8601 date"),
        ("1e30", "timestamp is neither seconds nor an ISO 8601 date"),
    ],
)
def test_unusable_timestamps_are_rejected_by_reason(written, bad, reason):
    ratings, report = read_ratings(written(csv_of(f"{ROWS}u3,c,2,{bad}\n")))
    assert report.rejected == {reason: 1} and report.first_rejected == {reason: f"row 4: timestamp={bad}"}
    assert len(ratings) == 3


def test_without_timestamps_the_row_order_stands_for_time(written):
    ratings, report = read_ratings(written("user,item,rating\n1,a,1\n1,,2\n2,b,3\n1,b,4\n"))
    assert ratings.timestamp.tolist() == [0, 2, 3]
    assert not report.has_timestamps and report.out_of_order == 0
    assert "no timestamp column: the order of the rows stands for time" in report.notes


def test_genres_of_the_ratings_file_are_those_of_its_items(written):
    """A file such as MovieLens' own join of ratings and films; the first row of an item that has genres counts."""
    rows = 'u1,a,1,Drama|War\nu2,a,2,Comedy\nu1,b,3,\nu2,b,4,"Musical, Sci-Fi"\n'
    path = written("user,item,rating,genres\n" + rows)
    ratings, report = read_ratings(path)
    assert ratings.genres == [["Drama", "War"], ["Musical", "Sci-Fi"]]
    assert report.notes[0].endswith("genres=genres")
    items = written("item,genres,brand\na,War|Epic,x\nb,,y\n", "i.csv")
    both, _ = read_ratings(path, item_features=items)
    assert both.genres == [["War", "Epic", "brand=x", "Drama"], ["brand=y", "Musical", "Sci-Fi"]]
    assert read_ratings(path, columns={"genres": ""})[0].genres == [[], []]


def test_columns_that_are_not_used_are_noted(written):
    names = [f"extra{k}" for k in range(12)]
    _, report = read_ratings(written(f"user,item,{','.join(names)}\n" + "1,2" + ",x" * 12 + "\n3,4" + ",x" * 12 + "\n"))
    assert report.notes[1] == f"columns not used: {', '.join(names[:10])}, …"


def test_titles_come_from_the_first_row_that_has_one(written, monkeypatch):
    monkeypatch.setattr(csv_parquet, "_BLOCK_BYTES", 32)
    rows = 'u1,10,1,\nu1,9,2,Heat\nu2,10,3,"Toy\n Story"\nu2,9,4,Other\nu2,8,5,\n'
    ratings, _ = read_ratings(written("user,item,rating,title\n" + rows))
    assert dict(zip(ratings.items, ratings.titles, strict=True)) == {"8": "8", "9": "Heat", "10": "Toy Story"}


def test_row_numbers_count_the_malformed_rows_above_too(written):
    _, report = read_ratings(written(csv_of("x\nu1,a,4,1\ny,y,y,y,y\nu2,b,?,1\nu2,b,3,1\n")))
    assert report.first_rejected == {"wrong number of columns": "row 1: x", "rating is not a number": "row 4: rating=?"}
    assert report.rows_read == 5


def test_every_row_is_kept_rejected_or_a_duplicate(written):
    rows = "".join(f"u{k % 5},i{k % 7},{'?' if k % 11 == 0 else k % 4},{k}\n" for k in range(200)) + "short\n"
    _, report = read_ratings(written(csv_of(rows)))
    assert report.rows_read == 201 == report.rows_kept + report.duplicates + sum(report.rejected.values())
