import re

import pytest
from pocketrec.android_assets.recommend import parse_history, recommend
from pocketrec.train.errors import InputError

from tests.conftest import refused


def titles(done):
    return re.findall(r"│ \d+ +│ (.+?) +│", done.out)


def test_phone_and_server_recommend_the_same_films(run):
    """The server leaves out what the user rated; among the rest the order is the phone's."""
    phone = recommend(run / "bundle", user="42", top=100)
    server = recommend(run, user="42", top=20)
    assert [item.title for item in phone if item.title in {s.title for s in server}][:10] == [
        item.title for item in server[:10]
    ]
    assert all(1 < item.stars < 5 for item in phone)


def test_command_prints_titles(run, pocketrec):
    done = pocketrec("recommend", run / "bundle", "--user", 42, "--top", 5)
    assert done.code == 0 and len(titles(done)) == 5
    assert titles(done) == [item.title for item in recommend(run / "bundle", user="42", top=5)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--user", "4242"], "did you mean 424"),
        (["--user", "bob"], "users look like 1, 2, 3"),
        (["--user", "42", "--top", "101"], "1 to 100"),
        (["--user", "42", "--top", "0"], "1 to 100"),
        (["--history", "Sped (1994)"], "did you mean 'Speed (1994)'"),
        (["--history", "Speed (1994)=5"], "pass --user ID"),
        (["--history", "Speed (1994)=five"], "TITLE=STARS with a number"),
        (["--history", "Speed (1994)", "--user", "42"], "got both"),
        ([], "got neither"),
    ],
)
def test_bad_queries_are_one_line(run, pocketrec, arguments, said):
    assert said in refused(pocketrec("recommend", run / "bundle", *arguments))


def test_top_beyond_the_catalogue_is_refused_for_a_run_too(run, pocketrec):
    assert "1 to 1664" in refused(pocketrec("recommend", run, "--user", 42, "--top", 1665))


def test_what_is_neither_run_nor_bundle_is_said(pocketrec, tmp_path):
    assert "a finished run" in refused(pocketrec("recommend", tmp_path, "--user", 42))


def test_history_entries_may_hold_equals_signs_and_stars():
    catalogue = ["E=mc2", "Speed (1994)", "A"]
    assert parse_history(["E=mc2", "E=mc2=4", "Speed (1994)=3.5"], catalogue) == [(0, None), (0, 4.0), (1, 3.5)]
    with pytest.raises(InputError, match="a title of the catalogue"):
        parse_history(["Nothing like it=3"], catalogue)
