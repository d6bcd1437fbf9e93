"""The pocket preset: what it promises of its models, on the demo's run and on small data of one's own."""

import json

import numpy as np
import pytest
from pocketrec.core.errors import CheckFailed
from pocketrec.core.hashing import sha256_file
from pocketrec.core.queries.held_out import HeldOut
from pocketrec.core.run_dir import Run

from tests.conftest import refused


def write_csv(path, rows, header="user,item,rating,timestamp"):
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n", encoding="utf-8")
    return path


def made_up(n_users=60, n_items=40, each=15, seed=0):
    """Two tastes: even users like even items."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(n_users):
        for when, item in enumerate(rng.permutation(n_items)[:each]):
            rows.append((f"u{user}", f"item {item}", 5 - 3 * ((user + item) % 2) - rng.integers(0, 2), 1000 + when))
    return rows


def test_default_models_beat_the_goals(run):
    record = Run(run).record
    assert (record.preset, record.window, record.data.n_items) == ("pocket", 200, 1682)
    ranking, retrieval = record.metrics["ranking"], record.metrics["retrieval"]
    assert ranking["rmse"] <= 0.900
    assert retrieval["recall_at_100"] >= 0.69 and retrieval["recall_at_10"] >= 0.22


def test_saved_models_are_there_and_named(run):
    names = {"ranking", "query", "candidate", "retrieval_bruteforce", "retrieval_scann", "retrieval_scann_tfrs_default"}
    assert set(Run(run).record.saved_models) == names
    for name in names:
        assert (run / "trained" / name / "saved_model.pb").is_file()
    assert Run(run).record.scann["configuration"] == "brute_force"
    curves = json.loads((run / "trained" / "curves.json").read_text())
    assert len(curves["ranking"]) == 7 and "val_rmse" in curves["ranking"][0]


def test_no_user_row_leaves_with_the_models(run):
    """The ranker was trained with a row for every rater; folded, nothing of that size is left."""
    from pocketrec.train.tf import tf

    for name in ("ranking", "query", "candidate"):
        shapes = [
            shape for _, shape in tf.train.list_variables(str(run / "trained" / name / "variables" / "variables"))
        ]
        assert not [shape for shape in shapes if shape and shape[0] == 943]


@pytest.fixture(scope="module")
def served(run):
    from pocketrec.train.export.savedmodels import load_signature

    return {
        name: load_signature(run / "trained" / name, "serving_default")
        for name in ("ranking", "query", "retrieval_bruteforce")
    }


def ask_rating(served, watched, stars, candidates=(b"50",), declared=(b"",)):
    as_objects = lambda values: np.array([list(values)], object)  # noqa: E731
    answer = served["ranking"](
        watched=as_objects(watched),
        stars=np.array([stars], np.float32),
        declared=as_objects(declared),
        candidates=as_objects(candidates),
    )
    return answer["rating"].numpy()[0]


def test_missing_parts_are_legal(served):
    """No history, unrated films, unknown ids and tokens, padding anywhere: all answer, and absent means absent."""
    nothing = ask_rating(served, [b""], [0])
    assert np.isfinite(nothing).all()
    assert np.array_equal(ask_rating(served, [b"", b"no such film"], [5, 4], declared=[b"no such token"]), nothing)
    assert not np.array_equal(ask_rating(served, [b"181"], [0]), nothing)
    assert np.array_equal(ask_rating(served, [b"", b"181"], [0, 5]), ask_rating(served, [b"181", b""], [5, 0]))


def test_stars_move_the_prediction_the_right_way(served):
    """Star Wars (50) after Return of the Jedi (181) liked, and disliked."""
    assert ask_rating(served, [b"181", b"172"], [5, 5])[0] > ask_rating(served, [b"181", b"172"], [1, 1])[0] + 0.5


def test_order_of_the_history_matters_to_the_retriever(served):
    def ask(films):
        return served["query"](watched=np.array([films], object), declared=np.array([[b""]], object))["query"].numpy()

    padding = [b""] * 60
    assert not np.allclose(ask([b"50", *padding, b"1"]), ask([b"1", *padding, b"50"]))


def test_id_keyed_query_is_the_served_one(run, served):
    from pocketrec.core.queries.model_inputs import feed
    from pocketrec.train.export.savedmodels import ask, load_signature

    data = HeldOut(Run(run))
    encoder = load_signature(run / "trained" / "query", "query_encoder")
    for query in data.queries[::100]:
        by_id = encoder(**{name: feed(name, query, data.catalogue) for name in encoder.specs})["query"].numpy()
        np.testing.assert_allclose(ask(served["query"], query, data.catalogue)["query"], by_id, atol=1e-5)


def test_the_test_part_chooses_nothing(tmp_path):
    """Other held-out ratings, same training part: every weight is the same."""
    from dataclasses import replace

    from pocketrec.train.data.ratings import split_ratings
    from pocketrec.train.data.ratings_file import read_ratings
    from pocketrec.train.pocket.trainer import train_pocket
    from pocketrec.train.tf import make_deterministic
    from pocketrec.train.trained_models import TrainingOptions

    ratings, _ = read_ratings(write_csv(tmp_path / "r.csv", made_up()))
    train, test = split_ratings(ratings, "random", 1)
    other = replace(test, rating=test.rating[::-1].copy(), item=test.item[::-1].copy())
    folded = []
    for held_out in (test, other, test):
        make_deterministic(1)
        models = train_pocket(train, held_out, TrainingOptions(seed=1, split="random"))
        exported = (models.exports[name].module for name in ("ranking", "query", "candidate"))
        folded.append(([v.numpy() for module in exported for v in module.variables], models.metrics))
    for weights, _ in folded[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(folded[0][0], weights, strict=True))
    assert folded[0][1] == folded[2][1] != folded[1][1]


def test_same_seed_gives_the_same_weights_and_metrics_another_does_not(pocketrec, tmp_path):
    data = write_csv(tmp_path / "r.csv", made_up())
    records = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        done = pocketrec("train", "--data", data, "--seed", seed, "--out", tmp_path / name)
        assert done.code == 0, done.err
        records.append(json.loads((tmp_path / name / "trained" / "run.json").read_text()))
    assert records[0]["metrics"] == records[1]["metrics"] != records[2]["metrics"]
    models, file = ("ranking", "query", "candidate"), "variables/variables.data-00000-of-00001"
    weights = [
        [sha256_file(tmp_path / name / "trained" / model / file) for model in models] for name in ("a", "b", "c")
    ]
    assert weights[0] == weights[1] != weights[2]


def test_own_ratings_go_the_whole_road(pocketrec, tmp_path):
    """Unicode ids, a cold item that only its features describe, and users' declared preferences."""
    rows = [(user, item.replace("item", "фильм №"), rating, when) for user, item, rating, when in made_up()]
    data = write_csv(tmp_path / "mine.csv", [(*row, row[0]) for row in rows], "who,what,stars,when,extra")
    items = sorted({row[1] for row in rows})
    kinds = [(item, "even" if int(item.split("№")[1]) % 2 == 0 else "odd") for item in items] + [("brand new", "even")]
    write_csv(tmp_path / "items.csv", kinds, "what,genres")
    write_csv(tmp_path / "users.csv", [(f"u{n}", "even" if n % 2 == 0 else "odd") for n in range(60)], "who,club")
    out = tmp_path / "run"
    columns = "user=who,item=what,rating=stars,timestamp=when"
    features = ["--item-features", tmp_path / "items.csv", "--user-features", tmp_path / "users.csv"]
    done = pocketrec("train", "--data", data, "--columns", columns, *features, "--out", out)
    assert done.code == 0, done.err
    assert "900 rows read, 900 kept" in done.out
    for arguments in (["convert", out], ["parity", out], ["bundle", out], ["verify", out / "bundle"]):
        done = pocketrec(*arguments)
        assert done.code == 0, (arguments, done.out, done.err)
    done = pocketrec(
        "recommend", out / "bundle", "--history", "фильм № 2=5", "фильм № 4=5", "--prefer", "even", "--top", 41 - 2
    )
    assert done.code == 0 and "brand new" in done.out
    titles = [line.split("│")[2].strip() for line in done.out.splitlines() if line.startswith("│")]
    assert titles.index("brand new") < 30, "a film without a single rating is recommended from its features"


def test_implicit_data_has_no_stars_but_recommends(pocketrec, tmp_path):
    rows = [(user, item, when) for user, item, rating, when in made_up() if rating > 3]
    data, out = write_csv(tmp_path / "clicks.csv", rows, "user,item,timestamp"), tmp_path / "run"
    assert pocketrec("train", "--data", data, "--out", out).code == 0
    record = json.loads((out / "trained" / "run.json").read_text())
    assert record["data"]["is_implicit"] and record["metrics"]["ranking"]["rmse"] is None
    assert pocketrec("convert", out).code == 0
    pocketrec("parity", out)
    results = json.loads((out / "reports" / "parity.json").read_text())["results"]
    # 45 people with three items each: four bits may turn a pair or two, and the gate then says so.
    assert {row["status"] for row in results if row["recipe"] != "int4_rows"} == {"pass"}
    for arguments in (
        ["bundle", out],
        ["recommend", out / "bundle", "--history", "item 2", "item 4"],
    ):
        done = pocketrec(*arguments)
        assert done.code == 0, (arguments, done.out, done.err)


@pytest.mark.parametrize(
    ("rows", "extra", "said"),
    [
        ([("a", "x", 3, 1), ("b", "y", 3, 2)], [], "ratings that differ"),
        ([("a", "x", 3, 1), ("a", "y", 4, 2)], [], "two users"),
        ([("a", "x", 3, 1), ("b", "x", 4, 2)], [], "item"),
        ([], [], ""),
        ([("a", "x", 3, 1), ("b", "y", 4, 2)], ["--columns", "user=uid"], "uid"),
        ([("a", "x", 3, 1), ("b", "y", 4, 2)], ["--columns", "usr=user"], "did you mean user"),
        ([("a", "x", 3, 1), ("b", "y", 4, 2)], ["--item-features", "{tmp}/other.csv"], "ids"),
    ],
)
def test_bad_ratings_are_one_line_and_leave_nothing(pocketrec, tmp_path, rows, extra, said):
    data = write_csv(tmp_path / "r.csv", rows)
    write_csv(tmp_path / "other.csv", [("q", "Drama")], "item,genres")
    arguments = [str(argument).format(tmp=tmp_path) for argument in extra]
    assert said in refused(pocketrec("train", "--data", data, "--out", tmp_path / "run", *arguments))
    assert not (tmp_path / "run").exists()


def test_columns_go_with_a_file_only(pocketrec, tmp_path):
    assert "a file of ratings" in refused(pocketrec("train", "--columns", "user=u", "--out", tmp_path / "run"))


def test_training_that_diverges_stops_at_once_and_says_so(tmp_path, monkeypatch):
    from dataclasses import replace

    from pocketrec.train import stage
    from pocketrec.train.pocket import trainer as pocket
    from pocketrec.train.pocket.ranker import RankingSettings

    data = write_csv(tmp_path / "r.csv", made_up())
    monkeypatch.setattr(pocket, "RankingSettings", lambda: replace(RankingSettings(), rate=1e30))
    with pytest.raises(CheckFailed, match="the loss became"):
        stage.train(tmp_path / "run", data=str(data))
    assert not (tmp_path / "run").exists()


def test_baselines_stand_beside_the_model_on_the_same_split(pocketrec, tmp_path):
    data = write_csv(tmp_path / "r.csv", made_up())
    done = pocketrec("train", "--data", data, "--out", tmp_path / "run", "--evaluate-baselines")
    assert done.code == 0, done.err
    for model in ("pocket", "popularity", "bias", "item_knn", "ease", "matrix_factorisation"):
        assert f"│ {model} " in done.out


def test_scann_is_set_up_as_advised_for_the_size():
    from pocketrec.train.export.scann_settings import scann_settings

    assert scann_settings(1_682) == {"configuration": "brute_force"}
    assert scann_settings(20_000)["configuration"] == "ah_reorder" and "num_leaves" not in scann_settings(20_000)
    assert (
        scann_settings(1_000_000)["num_leaves"] == 1000
        and scann_settings(1_000_000)["configuration"] == "tree_ah_reorder"
    )
