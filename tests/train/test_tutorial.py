"""What the tutorial promises, on the models that the demo trained."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from pocketrec.core.files.hashing import sha256_file, sha256_tree
from pocketrec.core.files.vocabulary_files import read_vocabulary
from pocketrec.core.run_dir import Run

TITLES = ["M*A*S*H (1970)", "Dances with Wolves (1990)", "Speed (1994)"]


@pytest.fixture(scope="module")
def loaded(tutorial_run):
    """The SavedModels, loaded as the tutorial loads them."""
    import scann  # noqa: F401
    from pocketrec.train.tf import tf

    load = lambda name: tf.saved_model.load(str(Run(tutorial_run).saved_model(name)))  # noqa: E731
    names = ("ranking", "query", "candidate", "retrieval_bruteforce", "retrieval_scann", "retrieval_scann_tfrs_default")
    return SimpleNamespace(tf=tf, **{name: load(name) for name in names})


def test_quality_is_the_tutorials(tutorial_run):
    record = Run(tutorial_run).record
    data, metrics = record.data, record.metrics
    assert (data.name, data.n_ratings, data.n_users, data.n_items) == ("movielens/100k", 100000, 943, 1664)
    assert 0.23 <= metrics["tutorial"]["top_100_categorical_accuracy"] <= 0.25
    assert 1.09 <= metrics["ranking"]["rmse"] <= 1.12
    assert 0.44 <= metrics["retrieval"]["recall_at_100"] <= 0.50


def test_run_json_hashes_are_those_of_the_files(tutorial_run):
    record = Run(tutorial_run).record
    for name, digest in record.saved_models.items():
        assert sha256_tree(tutorial_run / "trained" / name) == digest
    for name, digest in record.files.items():
        assert sha256_file(tutorial_run / "trained" / name) == digest


def test_split_is_80_000_and_20_000(tutorial_run):
    with (
        np.load(tutorial_run / "trained" / "history.npz") as history,
        np.load(tutorial_run / "trained" / "heldout.npz") as heldout,
    ):
        assert len(history["user"]) == 80_000 and len(heldout["user"]) == 20_000


def test_loaded_ranking_model_rates_the_three_titles_for_user_42(loaded):
    rating = loaded.ranking({"user_id": np.array(["42"] * 3), "movie_title": np.array(TITLES)}).numpy()
    assert rating.shape == (3, 1) and np.all((rating > 1) & (rating < 5))
    signature = loaded.ranking.signatures["serving_default"]
    again = signature(user_id=loaded.tf.constant(["42"] * 3), movie_title=loaded.tf.constant(TITLES))["rating"].numpy()
    assert np.array_equal(rating, again)


def test_loaded_index_recommends_what_the_towers_score(loaded, tutorial_run):
    scores, titles = loaded.retrieval_bruteforce(loaded.tf.constant(["42"]))
    vocabulary = read_vocabulary(tutorial_run / "trained" / "vocabularies" / "items.txt")
    query = loaded.query.signatures["serving_default"](user_id=loaded.tf.constant(["42"]))["query"].numpy()
    exact = np.load(tutorial_run / "trained" / "candidates.npy") @ query[0]
    best = np.argsort(-exact, kind="stable")[:100]
    assert [title.decode() for title in titles.numpy()[0]] == [vocabulary[i] for i in best]
    np.testing.assert_allclose(scores.numpy()[0], exact[best], rtol=1e-5)


def test_scann_as_advised_for_so_few_items_is_exact_and_as_tfrs_has_it_is_not(loaded):
    exact = loaded.retrieval_bruteforce(loaded.tf.constant(["42"]))[1].numpy()[0].tolist()
    assert loaded.retrieval_scann(loaded.tf.constant(["42"]))[1].numpy()[0].tolist() == exact
    default = loaded.retrieval_scann_tfrs_default(loaded.tf.constant(["42"]))[1].numpy()[0]
    assert 0.3 < len(set(default.tolist()) & set(exact)) / len(exact) < 1


def test_candidates_are_the_candidate_towers_rows_in_vocabulary_order(loaded, tutorial_run):
    vocabulary = read_vocabulary(tutorial_run / "trained" / "vocabularies" / "items.txt")
    assert read_vocabulary(tutorial_run / "trained" / "candidate_ids.txt") == vocabulary
    rows = loaded.candidate.signatures["serving_default"](movie_title=loaded.tf.constant(vocabulary))[
        "candidate"
    ].numpy()
    assert np.array_equal(rows, np.load(tutorial_run / "trained" / "candidates.npy"))


def test_id_keyed_ranker_answers_like_the_string_keyed_one_and_unknown_is_the_last_id(loaded, tutorial_run):
    users = read_vocabulary(tutorial_run / "trained" / "vocabularies" / "users.txt")
    items = read_vocabulary(tutorial_run / "trained" / "vocabularies" / "items.txt")
    tf, signatures = loaded.tf, loaded.ranking.signatures
    ids = tf.constant([items.index(title) for title in TITLES] + [len(items)], tf.int32)
    by_id = signatures["ranker"](user=tf.constant([users.index("42")], tf.int32), items=ids)["rating"].numpy()
    titles = tf.constant([*TITLES, "no such film"])
    by_name = signatures["serving_default"](user_id=tf.constant(["42"] * 4), movie_title=titles)["rating"].numpy()
    np.testing.assert_allclose(by_id, by_name[:, 0], atol=1e-5)


def test_items_stand_in_vocabulary_order(tutorial_run):
    items = json.loads((tutorial_run / "trained" / "items.json").read_text())
    assert [item["id"] for item in items] == read_vocabulary(tutorial_run / "trained" / "vocabularies" / "items.txt")
    speed = next(item for item in items if item["title"] == "Speed (1994)")
    assert speed["genres"] == ["Action", "Romance", "Thriller"]


def test_training_metrics_can_be_switched_on():
    from pocketrec.train.tutorial import RetrievalModel, tf

    features = {"user_id": tf.constant(["1"]), "movie_title": tf.constant(["a"])}
    counts = []
    for wanted in (False, True):
        model = RetrievalModel(["1"], ["a"], train_metrics=wanted)
        metric = model.task._factorized_metrics[0]
        metric.update_state = lambda *args, wanted=wanted, **kwargs: counts.append(wanted) or tf.no_op()
        model.compute_loss(features, training=True)
    assert counts == [True]


def test_it_is_evaluated_through_its_user_ids(tutorial_run, tmp_path):
    """Nobody can be known by their last items, nor by what they declared."""
    import shutil

    from pocketrec.train.evaluation.stage import evaluate_run

    shutil.copytree(tutorial_run / "trained", tmp_path / "run" / "trained")
    found, metrics = evaluate_run(Run(tmp_path / "run")).models[0], Run(tutorial_run).record.metrics
    for name, value in metrics["retrieval"].items():
        assert getattr(found.retrieval, name).value == pytest.approx(value, abs=1e-4), name
    assert found.rmse.value == pytest.approx(metrics["ranking"]["rmse"], abs=0.01), "clipped here"
    assert found.last_5 is None and found.preferences_only is None and found.rated is None and found.liked is not None
    assert found.by_history["5-19"] is not None and found.coverage_at_10 > 0
