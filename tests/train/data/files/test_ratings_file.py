"""A file becomes ratings and a report."""

import json

import numpy as np
import pyarrow as pa
import pytest
from pocketrec.train.data.files.columns import parse_columns
from pocketrec.train.data.files.ratings_file import read_ratings

from tests.train.data.files.tables import ROWS, csv_of, refused, rows_of


def test_csv_becomes_ratings_in_the_order_of_the_file(written):
    ratings, report = read_ratings(written(csv_of(ROWS)))
    assert rows_of(ratings) == [("u1", "a", 4, 100), ("u1", "b", 3, 200), ("u2", "a", 5, 300)]
    assert [ratings.user.dtype, ratings.item.dtype, ratings.rating.dtype] == [np.int32, np.int32, np.float32]
    assert ratings.timestamp.dtype == np.int64
    assert ratings.name == "ratings.csv" and ratings.titles == ["a", "b"] and ratings.genres == [[], []]
    assert ratings.user_preferences == [] and not ratings.is_implicit
    assert (report.rows_read, report.rows_kept, report.rejected, report.duplicates) == (3, 3, {}, 0)
    assert report.has_timestamps and not report.is_implicit


def test_rating_range_the_wrong_way_round_is_refused(written):
    refused("VALUE_OUT_OF_RANGE", written(csv_of(ROWS)), rating_range=(5, 1))


@pytest.mark.parametrize("rows", ["u1,a,1,1\nu2,b,1,1\n", "u1,a,5,1\nu1,a,1,2\nu2,b,1,1\n"])
def test_ratings_all_equal_are_refused_and_as_positives_accepted(written, rows):
    path = written(csv_of(rows))
    line = refused("RATINGS_INVALID", path)
    assert "1 in each of 2 rows" in line and "--columns rating= " in line
    ratings, _ = read_ratings(path, columns=parse_columns("rating="))
    assert ratings.is_implicit


def test_without_a_rating_column_every_row_is_a_positive(written):
    ratings, report = read_ratings(written("user,item,timestamp\n1,2,3\n2,3,4\n"))
    assert ratings.is_implicit and report.is_implicit and ratings.rating.tolist() == [1, 1]
    assert "no rating column: every row is a positive" in report.notes


def test_rows_earlier_than_one_above_of_their_user_are_counted(written):
    rows = "u1,a,1,10\nu2,a,2,5\nu1,b,3,30\nu1,c,4,20\nu1,d,4,25\nu2,b,5,5\nu1,e,1,30\n"
    ratings, report = read_ratings(written(csv_of(rows)))
    assert report.out_of_order == 2
    assert ratings.timestamp.tolist() == [10, 5, 30, 20, 25, 5, 30]


def test_out_of_order_is_counted_over_spans_beyond_32_bits(written):
    rows = "".join(f"u{k},a,{k},253402214400\nu{k},b,1,-1000000000\n" for k in range(9))
    assert read_ratings(written(csv_of(rows)))[1].out_of_order == 9


def test_last_of_a_users_ratings_of_an_item_wins_by_timestamp(written):
    ratings, report = read_ratings(written(csv_of("u1,a,1,50\nu1,a,5,90\nu2,b,2,1\nu1,a,3,70\n")))
    assert rows_of(ratings) == [("u1", "a", 5, 90), ("u2", "b", 2, 1)]
    assert report.duplicates == 2 and report.rows_kept == 2 and report.rows_read == 4


@pytest.mark.parametrize("header", ["user,item,rating,timestamp", "user,item,rating,ignored"])
def test_last_row_wins_when_times_are_equal_or_absent(written, header):
    ratings, report = read_ratings(written(csv_of("u1,a,1,7\nu2,b,2,7\nu1,a,5,7\n", header)))
    assert [row[:3] for row in rows_of(ratings)] == [("u2", "b", 2), ("u1", "a", 5)] and report.duplicates == 1


def test_users_with_one_event_are_counted_after_duplicates_went(written):
    _, report = read_ratings(written(csv_of("u1,a,1,7\nu1,a,2,8\nu2,b,2,7\nu2,a,5,7\n")))
    assert report.single_event_users == 1


def test_parquet_without_rows_is_refused(written):
    none = pa.array([], pa.int64())
    refused("RATINGS_INVALID", written({"user": none, "item": none}, "r.parquet"))


def test_table_none_of_whose_rows_can_be_kept_says_why(written):
    line = refused("RATINGS_INVALID", written(csv_of("u1,a,x,1\nu1,b,y,1\nu1,c\n")))
    assert "2 rejected: rating is not a number (row 1: rating=x)" in line
    assert "1 rejected: wrong number of columns (row 3: u1,c)" in line


def test_one_item_or_one_user_is_refused(written):
    assert "'a'" in refused("RATINGS_INVALID", written("user,item\n1,a\n2,a\n"))
    assert "'1'" in refused("RATINGS_INVALID", written("user,item\n1,a\n1,b\n"))
    line = refused("RATINGS_INVALID", written("user,item\n1,a\n1,b\n,c\n"))
    assert "'1'" in line and "row 3: user=" in line, "rejected rows may be why"


def test_report_speaks_in_lines_and_in_json(written):
    rows = "u1,a,1,50\nu1,a,5,40\nu2,b,x,1\nu2,b,2,1\nu2,b,y,1\n"
    _, report = read_ratings(written(csv_of(rows)))
    assert report.lines() == [
        "5 rows read, 2 kept",
        "2 rejected: rating is not a number (row 3: rating=x)",
        "1 duplicates: a user's last rating of an item is kept",
        "1 rows are older than a row of the same user above them: sorted by timestamp",
        "2 users have a single event: nothing of theirs can be held out",
        "columns: user=user, item=item, rating=rating, timestamp=timestamp",
    ]
    document = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert document["rejected"] == {"rating is not a number": 2} and document["out_of_order"] == 1
