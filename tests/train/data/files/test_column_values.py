"""Ids, numbers and times of any notation."""

from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pytest
from pocketrec.train.data.files.ratings_file import read_ratings
from pocketrec.train.data.ratings import vocabulary_of


def test_ids_are_any_text_stripped_and_otherwise_exact(written):
    ratings, _ = read_ratings(written('user,item\n Zoë ,"a,b"\n007,日本 語\n7,nan\n'))
    assert ratings.users == ["007", "7", "Zoë"] and ratings.items == ["a,b", "nan", "日本 語"]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([7.0, 10.0]),
        pa.array([7, 10], pa.uint64()),
        pa.array(["7", "10"]).dictionary_encode(),
        pa.array([b"7", b"10"]),
        pa.array(["7", "10"], pa.large_string()),
    ],
)
def test_parquet_ids_of_any_type_are_their_decimal_text(written, column):
    ratings, _ = read_ratings(written({"user": column, "item": pa.array([1, 2])}, "r.parquet"))
    assert ratings.users == ["7", "10"]


def test_large_integer_ids_keep_every_digit(written):
    big = [2**63 - 1, 2**63 - 2]
    ratings, _ = read_ratings(written({"user": big, "item": big}, "r.parquet"))
    assert ratings.users == sorted(map(str, big))


def test_csv_column_of_whole_floats_is_integers(written):
    ratings, _ = read_ratings(written("user,item\n7.0,1.0\n10,1.5\n7,1.5\n"))
    assert ratings.users == ["7", "10"] and ratings.items == ["1.0", "1.5"]
    assert len(ratings) == 3


def test_float_ids_that_are_not_whole_stay(written):
    column = pa.array([7.5, 8.0, None, float("nan")])
    ratings, report = read_ratings(written({"user": column, "item": [1, 2, 3, 4]}, "r.parquet"))
    assert ratings.users == ["8", "7.5"] and report.rejected == {"user is empty": 2}


def test_vocabulary_is_ordered_as_vocabulary_of_does(written):
    ids = ["b", "10", "9", "a", "07", "7", "é", "-1", "٣"]
    ratings, _ = read_ratings(written("user,item\n" + "".join(f"{each},{each}\n" for each in ids)))
    assert ratings.items == ratings.users == vocabulary_of(np.array(ids))[0]


def seconds_of(written, *values):
    """Timestamps as read, and the report."""
    column = values[0] if isinstance(values[0], pa.Array) else None
    if column is not None:
        n = list(range(len(column)))
        path = written({"user": n, "item": n, "timestamp": column}, "t.parquet")
    else:
        path = written("user,item,timestamp\n" + "".join(f'{k},{k},"{value}"\n' for k, value in enumerate(values)))
    ratings, report = read_ratings(path)
    return ratings.timestamp.tolist(), report


@pytest.mark.parametrize(
    ("value", "unit"),
    [
        ("1600000000", None),
        ("1600000000.9", None),
        ("1.6e9", None),
        ("1600000000123", "milliseconds"),
        ("1600000000123456", "microseconds"),
        ("1600000000123456789", "nanoseconds"),
    ],
)
def test_numeric_timestamps_are_scaled_by_their_size_and_it_is_noted(written, value, unit):
    seconds, report = seconds_of(written, value, value)
    assert seconds == [1_600_000_000] * 2
    noted = [note for note in report.notes if "taken as" in note]
    assert noted == ([f"some timestamps were taken as {unit}, by their size"] if unit else [])


@pytest.mark.parametrize(
    "value",
    [
        "2020-09-13T12:26:40",
        "2020-09-13 12:26:40.75",
        "2020-09-13T12:26:40Z",
        "2020-09-13T14:26:40+02:00",
        " 2020-09-13 12:26:40 UTC",
    ],
)
def test_iso_8601_is_understood_and_utc_unless_it_says_otherwise(written, value):
    assert seconds_of(written, value, "7")[0] == [1_600_000_000, 7]


def test_iso_dates_are_midnight_and_may_lie_before_1970(written):
    assert seconds_of(written, "2020-01-01", "1969-12-31")[0] == [1_577_836_800, -86_400]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([datetime(2020, 9, 13, 12, 26, 40)] * 2, pa.timestamp("ns")),
        pa.array([datetime(2020, 9, 13, 12, 26, 40, 5, UTC)] * 2, pa.timestamp("us", tz="Europe/Berlin")),
        pa.array([1_600_000_000_000] * 2),
        pa.array([1_600_000_000.5] * 2),
        pa.array([1_600_000_000_123_456_789] * 2),
        pa.array(["2020-09-13T12:26:40"] * 2),
    ],
)
def test_parquet_times_are_understood(written, column):
    assert seconds_of(written, column)[0] == [1_600_000_000] * 2


def test_parquet_dates_are_midnight_even_in_the_far_future(written):
    far = date(9999, 12, 31)
    assert seconds_of(written, pa.array([date(2020, 1, 1), far]))[0] == [1_577_836_800, 253_402_214_400]
