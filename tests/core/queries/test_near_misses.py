import pytest
from pocketrec.core.queries.item_names import ItemNames
from pocketrec.core.queries.near_misses import nearest_titles, suggest_item

TITLES = [
    "Star Wars (1977)",
    "Star Trek: First Contact (1996)",
    "Starship Troopers (1997)",
    "Lion King, The (1994)",
    "Good, The Bad and The Ugly, The (1966)",
    "Misérables, Les (1995)",
    "Seven (Se7en) (1995)",
    "Sabrina (1954)",
    "Sabrina (1995)",
    "Return of the Jedi (1983)",
    "Monty Python and the Holy Grail (1974)",
    "E.T. the Extra-Terrestrial (1982)",
    "Schindler's List (1993)",
]


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("Star Wars", "Star Wars (1977)"),
        ("star wars 1977", "Star Wars (1977)"),
        ("Star Wras (1977)", "Star Wars (1977)"),
        ("The Lion King", "Lion King, The (1994)"),
        ("the lion king (1994)", "Lion King, The (1994)"),
        ("The Good, the Bad and the Ugly", "Good, The Bad and The Ugly, The (1966)"),
        ("Les Miserables", "Misérables, Les (1995)"),
        ("se7en", "Seven (Se7en) (1995)"),
        ("Sabrina (1995)", "Sabrina (1995)"),
        ("Sabrina 1954", "Sabrina (1954)"),
        ("return of jedi", "Return of the Jedi (1983)"),
        ("holy grail", "Monty Python and the Holy Grail (1974)"),
        ("ET the extra terrestrial", "E.T. the Extra-Terrestrial (1982)"),
        ("schindlers list", "Schindler's List (1993)"),
    ],
)
def test_the_title_that_was_meant_comes_first(name, title):
    found = nearest_titles(name, TITLES)
    assert found[0] == title and len(found) <= 3


def test_what_resembles_nothing_is_offered_nothing():
    assert nearest_titles("Blade Runner", TITLES) == [] and nearest_titles("?!", TITLES) == []


def test_an_id_is_offered_ids():
    names = ItemNames(["tt0076759", "tt0111161"], ["Star Wars (1977)", "Shawshank Redemption, The (1994)"])
    assert "'tt0076759'" in suggest_item("tt0076758", "id", names)
    assert "'Star Wars (1977)'" in suggest_item("Star Wars", "either", names)
    assert suggest_item("zzz", "title", names) == "nothing resembles it"
