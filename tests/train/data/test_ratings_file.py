import gzip
import json
import subprocess
import sys
from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from pocketrec.core.errors import InputError
from pocketrec.train.data import csv_parquet as tables_source
from pocketrec.train.data.ratings import vocabulary_of
from pocketrec.train.data.ratings_file import is_table, parse_columns, read_ratings

ROWS = "u1,a,4,100\nu1,b,3,200\nu2,a,5,300\n"


@pytest.fixture
def written(tmp_path):
    """Write text, bytes or, from a dict of columns, Parquet; returns the path."""

    def write(content, name="ratings.csv"):
        path = tmp_path / name
        if isinstance(content, dict):
            pyarrow.parquet.write_table(pa.table(content), path)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def rows_of(ratings):
    """[(user, item, rating, timestamp)] with ids as text."""
    columns = zip(ratings.user, ratings.item, ratings.rating.tolist(), ratings.timestamp.tolist(), strict=True)
    return [(ratings.users[u], ratings.items[i], r, t) for u, i, r, t in columns]


def csv_of(rows, header="user,item,rating,timestamp"):
    return f"{header}\n{rows}"


# --- reading


def test_csv_becomes_ratings_in_the_order_of_the_file(written):
    ratings, report = read_ratings(written(csv_of(ROWS)))
    assert rows_of(ratings) == [("u1", "a", 4, 100), ("u1", "b", 3, 200), ("u2", "a", 5, 300)]
    assert [ratings.user.dtype, ratings.item.dtype, ratings.rating.dtype] == [np.int32, np.int32, np.float32]
    assert ratings.timestamp.dtype == np.int64
    assert ratings.name == "ratings.csv" and ratings.titles == ["a", "b"] and ratings.genres == [[], []]
    assert ratings.user_preferences == [] and not ratings.is_implicit
    assert (report.rows_read, report.rows_kept, report.rejected, report.duplicates) == (3, 3, {}, 0)
    assert report.has_timestamps and not report.is_implicit


def test_parquet_reads_as_the_same_csv_does(written):
    columns = {"user": ["u1", "u1", "u2"], "item": ["a", "b", "a"], "rating": [4, 3, 5], "timestamp": [100, 200, 300]}
    from_parquet, _ = read_ratings(written(columns, "r.parquet"))
    from_csv, _ = read_ratings(written(csv_of(ROWS)))
    assert from_parquet.sha256() == from_csv.sha256()


@pytest.mark.parametrize(("name", "delimiter"), [("r.tsv", "\t"), ("r.csv", ";"), ("r.csv", "|"), ("r.csv", "\t")])
def test_delimiter_is_taken_from_the_header(written, name, delimiter):
    ratings, _ = read_ratings(written(csv_of(ROWS).replace(",", delimiter), name))
    assert len(ratings) == 3


def test_gzip_and_a_byte_order_mark_and_crlf_are_understood(written):
    text = "\ufeff" + csv_of(ROWS).replace("\n", "\r\n")
    ratings, _ = read_ratings(written(gzip.compress(text.encode(), mtime=0), "R.CSV.GZ"))
    assert len(ratings) == 3 and ratings.users == ["u1", "u2"]


def test_many_batches_read_as_one(written, monkeypatch):
    rows = "".join(f"u{k % 7},i{k % 11},{k % 5},{k}\n" + "broken\n" * (k % 50 == 0) for k in range(300))
    whole, expected = read_ratings(written(csv_of(rows + "u1,i1,bad,5\n")))
    monkeypatch.setattr(tables_source, "_BLOCK_BYTES", 256)
    ratings, report = read_ratings(written(csv_of(rows + "u1,i1,bad,5\n")))
    assert ratings.sha256() == whole.sha256() and report == expected
    assert report.rejected == {"wrong number of columns": 6, "rating is not a number": 1}
    assert report.first_rejected["rating is not a number"] == "row 307: rating=bad"


def test_many_parquet_batches_read_as_one(written, monkeypatch):
    columns = {"user": [k % 7 for k in range(300)], "item": [k % 11 for k in range(300)]}
    path = written(columns, "r.parquet")
    whole, _ = read_ratings(path)
    monkeypatch.setattr(tables_source, "_BATCH_ROWS", 16)
    assert read_ratings(path)[0].sha256() == whole.sha256()


def test_row_numbers_count_the_malformed_rows_above_too(written):
    _, report = read_ratings(written(csv_of("x\nu1,a,4,1\ny,y,y,y,y\nu2,b,?,1\nu2,b,3,1\n")))
    assert report.first_rejected == {"wrong number of columns": "row 1: x", "rating is not a number": "row 4: rating=?"}
    assert report.rows_read == 5


# --- columns


@pytest.mark.parametrize(
    "header",
    ["userId,movieId,rating,timestamp", "User_ID,ASIN,Stars,unixReviewTime", "reviewer-id,product id,Overall,Date"],
)
def test_usual_names_are_recognised(written, header):
    ratings, report = read_ratings(written(csv_of(ROWS, header)))
    assert rows_of(ratings)[0] == ("u1", "a", 4, 100)
    user, item, rating, timestamp = header.split(",")
    assert report.notes[0] == f"columns: user={user}, item={item}, rating={rating}, timestamp={timestamp}"


def test_mapping_names_columns_and_leaves_the_rest_out(written):
    path = written("who,what,rating,extra,label\nu1,a,4,x,A\nu2,b,4,x,B\n")
    ratings, _ = read_ratings(path, columns={"user": "who", "item": "what", "title": "label"})
    assert ratings.is_implicit and ratings.titles == ["A", "B"]


def test_mapping_of_one_required_role_finds_the_other(written):
    ratings, _ = read_ratings(written("who,item\nu1,a\nu2,b\n"), columns={"user": "who"})
    assert ratings.items == ["a", "b"]


def test_column_may_serve_two_roles(written):
    columns = {"user": "u", "item": "name", "title": "name"}
    for path in (written("u,name\n1,A\n2,B\n"), written({"u": [1, 2], "name": ["A", "B"]}, "r.parquet")):
        assert read_ratings(path, columns=columns)[0].titles == ["A", "B"]


def test_missing_column_says_which_there_are(written):
    with pytest.raises(InputError, match=r"expected a user column, got the columns person, item; pass --columns"):
        read_ratings(written("person,item\n1,2\n"))


def test_mapped_column_that_is_not_there_names_the_nearest(written):
    with pytest.raises(
        InputError, match=r"a column 'uids' for the user, got the columns uid, item; did you mean uid\?"
    ):
        read_ratings(written("uid,item\n1,2\n"), columns={"user": "uids"})


def test_two_columns_that_could_be_the_user_are_an_error(written):
    path = written("user_id,uid,item\n1,2,3\n4,5,6\n")
    with pytest.raises(InputError, match=r"one user column, got 2 that could be it: user_id, uid; pass --columns"):
        read_ratings(path)
    assert read_ratings(path, columns={"user": "uid"})[0].users == ["2", "5"]


def test_column_named_twice_is_an_error_only_if_it_is_used(written):
    with pytest.raises(InputError, match="one rating column"):
        read_ratings(written("user,item,rating,rating\n1,2,3,4\n"))
    assert len(read_ratings(written("user,item,x,x\n1,2,3,4\n2,3,4,5\n"))[0]) == 2


def test_table_without_a_header_is_told_to_have_one(written):
    with pytest.raises(InputError, match="give the file a first line that names its columns"):
        read_ratings(written("196\t242\t3\t881250949\n186\t302\t3\t891717742\n", "u.tsv"))


def test_parse_columns_reads_roles():
    assert parse_columns("user=uid, item=iid,title=a=b") == {"user": "uid", "item": "iid", "title": "a=b"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("usr=uid", r"did you mean user\?"),
        ("", "ROLE=COLUMN"),
        ("user=uid,", "ROLE=COLUMN"),
        ("user=", "ROLE=COLUMN"),
        ("user", "ROLE=COLUMN"),
        ("user=a,user=b", "each role once, got user twice"),
    ],
)
def test_parse_columns_refuses(text, said):
    with pytest.raises(InputError, match=said):
        parse_columns(text)


def test_unknown_role_in_a_mapping_is_refused(written):
    with pytest.raises(InputError, match=r"did you mean rating\?"):
        read_ratings(written(csv_of(ROWS)), columns={"ratings": "rating"})


@pytest.mark.parametrize("name", ["a.csv", "b.TSV", "c.csv.gz", "dir/d.Parquet"])
def test_is_table_knows_a_file(name):
    assert is_table(name)


@pytest.mark.parametrize("name", ["movielens/100k", "csv", "a.csv.zip", "ratings.dat"])
def test_is_table_knows_what_is_none(name):
    assert not is_table(name)


# --- ids


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


# --- ratings


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


def test_rating_range_the_wrong_way_round_is_refused(written):
    with pytest.raises(InputError, match="LOW below HIGH"):
        read_ratings(written(csv_of(ROWS)), rating_range=(5, 1))


@pytest.mark.parametrize("rows", ["u1,a,1,1\nu2,b,1,1\n", "u1,a,5,1\nu1,a,1,2\nu2,b,1,1\n"])
def test_ratings_all_equal_are_refused_and_as_positives_accepted(written, rows):
    path = written(csv_of(rows))
    with pytest.raises(InputError, match=r"expected ratings that differ, got 1 in each of 2 rows; leave .* --columns"):
        read_ratings(path)
    ratings, _ = read_ratings(path, columns=parse_columns("user=user,item=item"))
    assert ratings.is_implicit


def test_without_a_rating_column_every_row_is_a_positive(written):
    ratings, report = read_ratings(written("user,item,timestamp\n1,2,3\n2,3,4\n"))
    assert ratings.is_implicit and report.is_implicit and ratings.rating.tolist() == [1, 1]
    assert "no rating column: every row is a positive" in report.notes


# --- timestamps


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


def test_rows_earlier_than_one_above_of_their_user_are_counted(written):
    rows = "u1,a,1,10\nu2,a,2,5\nu1,b,3,30\nu1,c,4,20\nu1,d,4,25\nu2,b,5,5\nu1,e,1,30\n"
    ratings, report = read_ratings(written(csv_of(rows)))
    assert report.out_of_order == 2
    assert ratings.timestamp.tolist() == [10, 5, 30, 20, 25, 5, 30]


def test_out_of_order_is_counted_over_spans_beyond_32_bits(written):
    rows = "".join(f"u{k},a,{k},253402214400\nu{k},b,1,-1000000000\n" for k in range(9))
    assert read_ratings(written(csv_of(rows)))[1].out_of_order == 9


# --- duplicates


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


# --- what cannot be used at all


def refused(path, **options):
    with pytest.raises(InputError) as caught:
        read_ratings(path, **options)
    assert "\n" not in str(caught.value) and caught.value.exit_code == 2
    return str(caught.value)


def test_file_that_is_not_there_is_refused(tmp_path):
    assert "no such file" in refused(tmp_path / "none.csv")
    (tmp_path / "folder.csv").mkdir()
    assert "a directory" in refused(tmp_path / "folder.csv")


@pytest.mark.parametrize("name", ["e.csv", "e.parquet"])
def test_empty_file_is_refused(written, name):
    assert "an empty file" in refused(written("", name))
    assert "an empty file" in refused(written(gzip.compress(b"", mtime=0), "e.csv.gz"))


@pytest.mark.parametrize("text", ["user,item", "user,item\n", "user,item\r\n"])
def test_header_without_rows_is_refused(written, text):
    assert "got a header and no rows" in refused(written(text))


def test_parquet_without_rows_is_refused(written):
    assert "no row that can be kept" in refused(
        written({"user": pa.array([], pa.int64()), "item": pa.array([], pa.int64())}, "r.parquet")
    )


def test_table_none_of_whose_rows_can_be_kept_says_why(written):
    line = refused(written(csv_of("u1,a,x,1\nu1,b,y,1\nu1,c\n")))
    assert "2 rejected: rating is not a number (row 1: rating=x)" in line
    assert "1 rejected: wrong number of columns (row 3: u1,c)" in line


def test_one_item_or_one_user_is_refused(written):
    assert "expected two items or more, got only 'a'" in refused(written("user,item\n1,a\n2,a\n"))
    assert "expected two users or more, got only '1'" in refused(written("user,item\n1,a\n1,b\n"))
    line = refused(written("user,item\n1,a\n1,b\n,c\n"))
    assert "got only '1' (1 rejected: user is empty (row 3: user=))" in line


def test_quote_that_is_never_closed_is_refused(written, monkeypatch):
    monkeypatch.setattr(tables_source, "_BLOCK_BYTES", 64)
    assert "quote that is never closed" in refused(written('user,item\n1,"a\n' + "2,b\n" * 99))


def test_bytes_that_are_not_utf8_are_refused(written):
    assert "expected UTF-8 text" in refused(written("user,item\n1,é\n2,b\n".encode("latin-1")))
    assert "expected UTF-8 text" in refused(written("user,item,é\n1,a,x\n2,b,x\n".encode("latin-1")))
    column = pa.array([b"\xe9", b"b"])
    assert "expected UTF-8 text" in refused(written({"user": [1, 2], "item": column}, "r.parquet"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("r.parquet", b"user,item\n1,2\n"),
        ("r.csv.gz", b"user,item\n1,2\n"),
        ("r.csv.gz", gzip.compress(b"user,item\n" + bytes(range(48, 90)) * 9, mtime=0)[:-30]),
        ("r.csv", b"PK\3\4rest of a spreadsheet"),
        ("r.csv", "user,item\n1,2\n".encode("utf-16")),
        ("r.xlsx", b"whatever"),
    ],
)
def test_file_that_is_not_what_its_name_says_is_refused(written, name, content):
    assert "r." in refused(written(content, name))


def test_parquet_column_of_no_use_as_an_id_is_refused(written):
    assert "readable" in refused(written({"user": [{"a": 1}, {"a": 2}], "item": [1, 2]}, "r.parquet"))


# --- titles and features


def test_titles_come_from_the_first_row_that_has_one(written, monkeypatch):
    monkeypatch.setattr(tables_source, "_BLOCK_BYTES", 32)
    rows = 'u1,10,1,\nu1,9,2,Heat\nu2,10,3,"Toy\n Story"\nu2,9,4,Other\nu2,8,5,\n'
    ratings, _ = read_ratings(written("user,item,rating,title\n" + rows))
    assert dict(zip(ratings.items, ratings.titles, strict=True)) == {"8": "8", "9": "Heat", "10": "Toy Story"}


def test_item_file_gives_titles_years_and_genres(written):
    items = written('item,title,genres,year\na,Heat,Crime|Drama,1995\nb,Big (1988),"Comedy, Fantasy",1988.0\n', "i.csv")
    ratings, _ = read_ratings(written(csv_of(ROWS)), item_features=items)
    assert ratings.titles == ["Heat (1995)", "Big (1988)"]
    assert ratings.genres == [["Crime", "Drama"], ["Comedy", "Fantasy"]]


def test_other_categorical_columns_of_the_item_file_become_tags(written):
    items = written(
        {"brand": ["Acme", None], "genres": [["x", "y"], []], "price": [3, 4], "item": ["a", "b"]}, "i.parquet"
    )
    ratings, _ = read_ratings(written(csv_of(ROWS)), item_features=items)
    assert ratings.genres == [["x", "y", "brand=Acme", "price=3"], ["price=4"]] and ratings.titles == ["a", "b"]


def test_columns_of_many_values_are_no_categories_and_it_is_noted(written):
    rows = "".join(f"{k},plot number {k},{k % 3}\n" for k in range(101))
    ratings, report = read_ratings(
        written("user,item\n1,1\n2,2\n"), item_features=written(f"item,plot,kind\n{rows}", "i.csv")
    )
    assert ratings.genres[:2] == [["kind=0"], ["kind=1"]]
    assert "i.csv: column plot is not categorical (101 values); left out" in report.notes


def test_items_without_ratings_are_in_the_catalogue(written):
    items = written("movieId,title\nb,B\nc,C\na,A\n10,Ten\n", "i.csv")
    ratings, report = read_ratings(written(csv_of(ROWS)), item_features=items)
    assert ratings.items == ["10", "a", "b", "c"] and ratings.titles == ["Ten", "A", "B", "C"]
    assert rows_of(ratings)[1] == ("u1", "b", 3, 200)
    assert "i.csv: 2 items have no ratings; they are in the catalogue" in report.notes


def test_ratings_title_stands_in_where_the_item_file_has_none(written):
    path = written("user,item,title\n1,a,from ratings\n2,b,B\n3,c,\n")
    ratings, report = read_ratings(path, item_features=written("item,title\na,\nb,from items\n", "i.csv"))
    assert ratings.titles == ["from ratings", "from items", "c"]
    assert "i.csv: 1 of 3 items in the ratings are not in it" in report.notes


def test_user_file_gives_preferences(written):
    users = written("id,gender,age\nu2,F,25.0\nu1,,31\nu7,M,4\n", "u.csv")
    ratings, report = read_ratings(written(csv_of(ROWS)), user_features=users)
    assert ratings.users == ["u1", "u2"] and ratings.user_preferences == [["age:31"], ["gender:F", "age:25"]]
    assert "u.csv: 1 users have no ratings; they are left out" in report.notes


def test_user_not_in_the_user_file_has_no_preferences(written):
    ratings, report = read_ratings(written(csv_of(ROWS)), user_features=written("user,g\nu2,F\n", "u.csv"))
    assert ratings.user_preferences == [[], ["g:F"]]
    assert "u.csv: 1 of 2 users in the ratings are not in it" in report.notes


def test_id_column_of_a_feature_file_may_have_the_ratings_own_name(written):
    path = written("who,what\n1,a\n2,b\n")
    items = written("sku,what,colour\nx,a,red\ny,b,blue\n", "i.csv")
    ratings, _ = read_ratings(path, columns={"user": "who", "item": "what"}, item_features=items)
    assert ratings.items == ["a", "b"] and ratings.genres == [["sku=x", "colour=red"], ["sku=y", "colour=blue"]]


def test_feature_file_of_ids_alone_adds_to_the_catalogue(written):
    ratings, _ = read_ratings(written(csv_of(ROWS)), item_features=written("item\na\nz\n", "i.csv"))
    assert ratings.items == ["a", "b", "z"] and ratings.genres == [[], [], []]


def test_feature_file_of_other_ids_is_refused(written):
    items = written("item,title\ntt1,A\n", "i.csv")
    line = refused(written(csv_of(ROWS)), item_features=items)
    assert "expected item ids of the ratings, such as 'a', got ids such as 'tt1' in column 'item'" in line
    assert "none is usable" in refused(written(csv_of(ROWS)), user_features=written("user,g\n,x\n", "u.csv"))


def test_unusable_rows_of_a_feature_file_are_noted(written):
    items = written('item,k\na,1\n,2\n"b\nc",3\nd\n', "i.csv")
    ratings, report = read_ratings(written(csv_of(ROWS)), item_features=items)
    assert ratings.items == ["a", "b"]
    assert "i.csv: 3 rows without a usable id or with the wrong number of columns left out" in report.notes


# --- the report


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


def test_every_row_is_kept_rejected_or_a_duplicate(written):
    rows = "".join(f"u{k % 5},i{k % 7},{'?' if k % 11 == 0 else k % 4},{k}\n" for k in range(200)) + "short\n"
    _, report = read_ratings(written(csv_of(rows)))
    assert report.rows_read == 201 == report.rows_kept + report.duplicates + sum(report.rejected.values())


def test_missing_pyarrow_is_said_plainly_and_only_where_a_table_is_read():
    code = "import sys; sys.modules['pyarrow'] = None; import pocketrec.train.data.columns, pocketrec.train.data.ratings_file"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    last = done.stderr.strip().splitlines()[-1]
    assert "csv_parquet.py" in done.stderr and "InputError: pyarrow: expected" in last and "pip install" in last
