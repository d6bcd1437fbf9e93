"""The test vectors that Python and the Kotlin client share."""

import json

from pocketrec.core.files.vocabulary_files import read_vocabulary

from tests.android_assets.client.client_vectors import FILE, ITEMS, UNKNOWN, make, to_text


def test_the_shared_file_is_what_python_makes_today(tmp_path):
    assert FILE.read_text(encoding="ascii") == to_text(make(tmp_path))


def test_a_vocabulary_is_split_at_line_feeds_only(tmp_path):
    make(tmp_path)
    assert read_vocabulary(tmp_path / "items.txt") == [item for item, _ in ITEMS]


def test_every_id_means_itself_and_unknown_names_mean_nothing():
    vectors = json.loads(FILE.read_text())
    assert [row["id"] for row in vectors["ids"]] == [*range(len(ITEMS)), *[-1] * len(UNKNOWN)]


def test_titles_are_compared_by_code_point_and_the_first_of_two_is_meant():
    vectors = json.loads(FILE.read_text())
    first_of = {title: number for number, (_, title) in reversed(list(enumerate(ITEMS)))}
    assert {row["title"]: row["id"] for row in vectors["titles"]} == first_of | dict.fromkeys(UNKNOWN, -1)
    assert len({first_of[title] for _, title in ITEMS[:5]}) == 5
