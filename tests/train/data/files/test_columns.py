"""Which column is what."""

import pytest
from pocketrec.train.data.files.columns import is_table, parse_columns
from pocketrec.train.data.files.ratings_file import read_ratings

from tests.conftest import raises
from tests.train.data.files.tables import ROWS, csv_of, refused, rows_of


@pytest.mark.parametrize(
    "header",
    ["userId,movieId,rating,timestamp", "User_ID,ASIN,Stars,unixReviewTime", "reviewer-id,product id,Overall,Date"],
)
def test_usual_names_are_recognised(written, header):
    ratings, report = read_ratings(written(csv_of(ROWS, header)))
    assert rows_of(ratings)[0] == ("u1", "a", 4, 100)
    user, item, rating, timestamp = header.split(",")
    assert report.notes[0] == f"columns: user={user}, item={item}, rating={rating}, timestamp={timestamp}"


def test_naming_some_columns_leaves_the_detection_of_the_others_on(written):
    path = written("who,what,rating,extra,label\nu1,a,4,x,A\nu2,b,3,x,B\n")
    ratings, report = read_ratings(path, columns={"user": "who", "item": "what", "title": "label"})
    assert not ratings.is_implicit and ratings.rating.tolist() == [4, 3] and ratings.titles == ["A", "B"]
    assert report.notes[:2] == ["columns: user=who, item=what, rating=rating, title=label", "columns not used: extra"]


def test_a_role_may_be_given_no_column(written):
    path = written(csv_of(ROWS))
    ratings, report = read_ratings(path, columns={"rating": "", "timestamp": ""})
    assert ratings.is_implicit and not ratings.has_timestamps
    assert "columns not used: rating, timestamp" in report.notes


def test_a_column_that_is_mapped_is_not_detected_for_another_role(written):
    path = written("user,item,rating,score\nu1,a,4,1\nu2,b,3,2\n")
    refused("COLUMNS_INVALID", path)
    ratings, _ = read_ratings(path, columns={"title": "score"})
    assert ratings.rating.tolist() == [4, 3] and ratings.titles == ["1", "2"]


def test_mapping_of_one_required_role_finds_the_other(written):
    ratings, _ = read_ratings(written("who,item\nu1,a\nu2,b\n"), columns={"user": "who"})
    assert ratings.items == ["a", "b"]


def test_column_may_serve_two_roles(written):
    columns = {"user": "u", "item": "name", "title": "name"}
    for path in (written("u,name\n1,A\n2,B\n"), written({"u": [1, 2], "name": ["A", "B"]}, "r.parquet")):
        assert read_ratings(path, columns=columns)[0].titles == ["A", "B"]


def test_missing_column_says_which_there_are(written):
    line = refused("COLUMNS_INVALID", written("person,item\n1,2\n"))
    assert "person, item" in line and "user=COLUMN" in line


def test_mapped_column_that_is_not_there_names_the_nearest(written):
    line = refused("COLUMNS_INVALID", written("uid,item\n1,2\n"), columns={"user": "uids"})
    assert "'uids'" in line and "did you mean uid?" in line


def test_two_columns_that_could_be_the_user_are_an_error(written):
    path = written("user_id,uid,item\n1,2,3\n4,5,6\n")
    assert "user_id, uid" in refused("COLUMNS_INVALID", path)
    assert read_ratings(path, columns={"user": "uid"})[0].users == ["2", "5"]


def test_column_named_twice_is_an_error_only_if_it_is_used(written):
    assert "rating, rating" in refused("COLUMNS_INVALID", written("user,item,rating,rating\n1,2,3,4\n"))
    assert len(read_ratings(written("user,item,x,x\n1,2,3,4\n2,3,4,5\n"))[0]) == 2


def test_table_without_a_header_is_told_to_have_one(written):
    rows = "196\t242\t3\t881250949\n186\t302\t3\t891717742\n"
    assert "first line" in refused("COLUMNS_INVALID", written(rows, "u.tsv"))


def test_parse_columns_reads_roles():
    assert parse_columns("user=uid, item=iid,title=a=b") == {"user": "uid", "item": "iid", "title": "a=b"}
    assert parse_columns("user=uid,rating=") == {"user": "uid", "rating": ""}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("usr=uid", "NAME_UNKNOWN"),
        ("", "COLUMNS_INVALID"),
        ("user=uid,", "COLUMNS_INVALID"),
        ("user=", "COLUMNS_INVALID"),
        ("item=", "COLUMNS_INVALID"),
        ("=uid", "COLUMNS_INVALID"),
        ("user", "COLUMNS_INVALID"),
        ("user=a,user=b", "COLUMNS_INVALID"),
    ],
)
def test_parse_columns_refuses(text, code):
    with raises(code):
        parse_columns(text)


def test_unknown_role_in_a_mapping_is_refused(written):
    assert "did you mean rating?" in refused("NAME_UNKNOWN", written(csv_of(ROWS)), columns={"ratings": "rating"})


@pytest.mark.parametrize("name", ["a.csv", "b.TSV", "c.csv.gz", "dir/d.Parquet"])
def test_is_table_knows_a_file(name):
    assert is_table(name)


@pytest.mark.parametrize("name", ["movielens/100k", "csv", "a.csv.zip", "ratings.dat"])
def test_is_table_knows_what_is_none(name):
    assert not is_table(name)
