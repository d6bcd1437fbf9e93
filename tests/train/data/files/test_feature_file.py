"""What files about items and users add."""

from pocketrec.train.data.files.ratings_file import read_ratings

from tests.train.data.files.tables import ROWS, csv_of, refused, rows_of


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
    line = refused("INPUT_MISMATCH", written(csv_of(ROWS)), item_features=items)
    assert "i.csv" in line and "'a'" in line and "'tt1'" in line
    refused("INPUT_MISMATCH", written(csv_of(ROWS)), user_features=written("user,g\n,x\n", "u.csv"))


def test_unusable_rows_of_a_feature_file_are_noted(written):
    items = written('item,k\na,1\n,2\n"b\nc",3\nd\n', "i.csv")
    ratings, report = read_ratings(written(csv_of(ROWS)), item_features=items)
    assert ratings.items == ["a", "b"]
    assert "i.csv: 3 rows without a usable id or with the wrong number of columns left out" in report.notes
