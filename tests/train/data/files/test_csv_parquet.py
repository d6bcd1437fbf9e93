"""Files of every kind read the same, and what cannot be read is refused."""

import gzip
import subprocess
import sys

import pyarrow as pa
import pytest
from pocketrec.train.data.files import csv_parquet
from pocketrec.train.data.files.ratings_file import read_ratings

from tests.train.data.files.tables import ROWS, csv_of, refused


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
    monkeypatch.setattr(csv_parquet, "_BLOCK_BYTES", 256)
    ratings, report = read_ratings(written(csv_of(rows + "u1,i1,bad,5\n")))
    assert ratings.sha256() == whole.sha256() and report == expected
    assert report.rejected == {"wrong number of columns": 6, "rating is not a number": 1}
    assert report.first_rejected["rating is not a number"] == "row 307: rating=bad"


def test_many_parquet_batches_read_as_one(written, monkeypatch):
    columns = {"user": [k % 7 for k in range(300)], "item": [k % 11 for k in range(300)]}
    path = written(columns, "r.parquet")
    whole, _ = read_ratings(path)
    monkeypatch.setattr(csv_parquet, "_BATCH_ROWS", 16)
    assert read_ratings(path)[0].sha256() == whole.sha256()


def test_file_that_is_not_there_is_refused(tmp_path):
    assert "none.csv" in refused("INPUT_MISSING", tmp_path / "none.csv")
    (tmp_path / "folder.csv").mkdir()
    assert "folder.csv" in refused("INPUT_MISSING", tmp_path / "folder.csv")


@pytest.mark.parametrize("name", ["e.csv", "e.parquet"])
def test_empty_file_is_refused(written, name):
    refused("INPUT_UNREADABLE", written("", name))
    refused("INPUT_UNREADABLE", written(gzip.compress(b"", mtime=0), "e.csv.gz"))


@pytest.mark.parametrize("text", ["user,item", "user,item\n", "user,item\r\n"])
def test_header_without_rows_is_refused(written, text):
    refused("RATINGS_INVALID", written(text))


def test_quote_that_is_never_closed_is_refused(written, monkeypatch):
    monkeypatch.setattr(csv_parquet, "_BLOCK_BYTES", 64)
    assert "quote" in refused("INPUT_UNREADABLE", written('user,item\n1,"a\n' + "2,b\n" * 99))


def test_bytes_that_are_not_utf8_are_refused(written):
    assert "UTF-8" in refused("INPUT_UNREADABLE", written("user,item\n1,é\n2,b\n".encode("latin-1")))
    assert "UTF-8" in refused("INPUT_UNREADABLE", written("user,item,é\n1,a,x\n2,b,x\n".encode("latin-1")))
    column = pa.array([b"\xe9", b"b"])
    assert "UTF-8" in refused("INPUT_UNREADABLE", written({"user": [1, 2], "item": column}, "r.parquet"))


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
    assert "r." in refused("INPUT_UNREADABLE", written(content, name))


def test_parquet_column_of_no_use_as_an_id_is_refused(written):
    refused("INPUT_UNREADABLE", written({"user": [{"a": 1}, {"a": 2}], "item": [1, 2]}, "r.parquet"))


def test_missing_pyarrow_is_one_line_and_only_where_a_table_is_read():
    program = """
import sys
sys.modules["pyarrow"] = None
import pocketrec.train.data.files.columns, pocketrec.train.stage
from pocketrec.core.errors import InputError
try:
    import pocketrec.train.data.files.ratings_file
except InputError as error:
    assert error.code == "NOT_INSTALLED" and "pip install" in str(error), error
else:
    raise AssertionError("pyarrow was not needed")
"""
    subprocess.run([sys.executable, "-c", program], check=True)
