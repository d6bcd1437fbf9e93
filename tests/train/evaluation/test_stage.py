"""Evaluation of finished runs: recomputed by other means, and refused where the run is not what it was."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from pocketrec.core.documents import EVALUATION_SCHEMA, read_json
from pocketrec.core.files.hashing import sha256_file, sha256_tree
from pocketrec.core.queries.held_out import HeldOut
from pocketrec.core.records.evaluation import Evaluation
from pocketrec.core.run_dir import Run
from pocketrec.train.baselines.evaluation import BASELINES, evaluate_baselines
from pocketrec.train.data.datasets import DATASETS
from pocketrec.train.evaluation import stage
from pocketrec.train.evaluation.run_parts import read_parts
from pocketrec.train.evaluation.stage import evaluate_run
from pocketrec.train.presets import PRESETS
from pocketrec.train.stage import train
from sklearn.metrics import ndcg_score

from tests.conftest import raises
from tests.train.toys import TOY_DATASET, TOY_PRESET, USERS


@pytest.fixture(scope="module")
def run(tiny, tmp_path_factory):
    """Only what `train` wrote of the tiny run."""
    root = tmp_path_factory.mktemp("evaluation") / "run"
    shutil.copytree(tiny / "trained", root / "trained")
    return Run(root)


@pytest.fixture(scope="module")
def document(run):
    before = sha256_tree(run.trained)
    made = evaluate_run(run, baselines=True)
    assert sha256_tree(run.trained) == before, "the models stay as they are"
    return made


@pytest.fixture
def own(run, tmp_path):
    """A copy that a test may damage."""
    shutil.copytree(run.trained, tmp_path / "run" / "trained")
    return Run(tmp_path / "run")


@pytest.fixture
def toy(monkeypatch, tmp_path):
    monkeypatch.setitem(DATASETS, "toys/tiny", TOY_DATASET)
    monkeypatch.setitem(PRESETS, "toy", TOY_PRESET)
    return lambda **options: train(tmp_path / "toy", **{"data": "toys/tiny", "preset": "toy", **options})


def test_the_document_is_written_as_it_is_returned(run, document):
    written = read_json(run.reports / "evaluation.json", EVALUATION_SCHEMA)
    assert written == document.to_json() and Evaluation.read(run) == document
    assert document.made_from_sha256 == sha256_file(run.trained / "run.json") and document.host["cpus"]
    record, how = run.record, document.protocol
    assert (how.split, how.seed, how.items) == (record.split, record.seed, record.data.n_items)
    assert how.train_events + how.test_events == record.data.n_ratings
    assert how.users == how.held_out_users and how.users_seed is None and document.warnings == []


def test_it_agrees_with_run_json(run, document):
    own, metrics = document.models[0], run.record.metrics
    assert own.rmse.value == pytest.approx(metrics["ranking"]["rmse"], abs=1e-6)
    for name in ("retrieval", "rated", "liked", "liked_rated"):
        expected = metrics["retrieval" if name == "retrieval" else f"retrieval_{name}"]
        for figure, value in expected.items():
            assert getattr(getattr(own, name), figure).value == pytest.approx(value, abs=1e-6), (name, figure)


def asked_one_by_one(run, data, user):
    """The query vector and the predicted ratings of one user, without any batch."""
    from pocketrec.train.export.savedmodels import load_signature

    query, ranking = (load_signature(run.saved_model(name), "serving_default") for name in ("query", "ranking"))
    tokens = np.array([*[item.encode() for item in data.items], b""], object)
    seen, stars = data.history.items_of(user), data.history.ratings_of(user)
    history = {
        "watched": tokens[seen][None],
        "declared": np.array([[p.encode() for p in data.preferences[user]]], object),
    }
    rated = history | {"stars": stars[None], "candidates": tokens[data.truth.items_of(user)][None]}
    vector = query(**history, stars=np.zeros_like(stars)[None])["query"].numpy()[0]
    return vector, ranking(**rated)["rating"].numpy()[0]


@pytest.mark.full
def test_recomputed_by_loops_and_scikit_learn(run, document):
    data, lists, recall, ndcg = HeldOut(run), {}, [], []
    candidates = np.load(run.trained / "candidates.npy")
    users = [user for user in range(len(data.users)) if len(data.truth.items_of(user))]
    chosen = users[:12]
    for user in chosen:
        vector, _ = asked_one_by_one(run, data, user)
        scores = candidates @ vector
        left = [item for item in range(len(scores)) if item not in set(data.history.items_of(user))]
        lists[user] = sorted(left, key=lambda item: (-scores[item], item))
        wanted = set(data.truth.items_of(user).tolist())
        recall.append(len(wanted & set(lists[user][:10])) / len(wanted))
        ndcg.append(ndcg_score([[item in wanted for item in left]], [scores[left]], k=10))
    held = stage.Held(*(getattr(read_parts(run), part) for part in ("train", "test")), np.array(chosen))
    found = stage.measure(stage.RunContestant(run), held).fields
    assert found["retrieval"].recall_at_10.value == pytest.approx(np.mean(recall))
    assert found["retrieval"].ndcg_at_10.value == pytest.approx(np.mean(ndcg), rel=1e-9)
    shown = [item for user in chosen for item in lists[user][:10]]
    assert found["coverage_at_10"] == len(set(shown)) / len(candidates)
    owners = {
        item: len({u for u, i in zip(held.train.user, held.train.item, strict=True) if i == item})
        for item in set(shown)
    }
    n_users = len(set(held.train.user.tolist()))
    assert found["novelty_at_10"].value == pytest.approx(np.mean([-np.log2(owners[item] / n_users) for item in shown]))


def test_rmse_asked_one_by_one(run):
    data, parts = HeldOut(run), read_parts(run)
    chosen = np.unique(parts.test.user)[:5].astype(np.int64)
    errors = []
    for user in chosen:
        _, ratings = asked_one_by_one(run, data, user)
        errors += list(np.clip(ratings, *run.record.data.rating_range) - data.truth.ratings_of(user))
    found = stage.measure(stage.RunContestant(run), stage.Held(parts.train, parts.test, chosen)).fields["rmse"]
    assert found.value == pytest.approx(np.sqrt(np.mean(np.square(errors))), abs=1e-5)


def test_what_the_model_is_told_matters(document):
    own = document.models[0]
    assert own.retrieval.ndcg_at_10.value > own.last_5.ndcg_at_10.value > own.preferences_only.ndcg_at_10.value
    assert own.preferences_only.ndcg_at_10.users == own.retrieval.ndcg_at_10.users, "everybody declared a gender"


def test_baselines_are_those_of_the_same_split(run, document):
    parts = read_parts(run)
    rows = {row.model: row for row in evaluate_baselines(parts.train, parts.test, names=["popularity", "bias", "ease"])}
    assert [model.model for model in document.models] == ["pocket", *BASELINES]
    for name, row in rows.items():
        found = document.model(name)
        assert found.is_baseline and found.source == BASELINES[name].source and found.skipped is None
        assert (found.rmse and found.rmse.value) == pytest.approx(row.rmse)
        assert (found.retrieval and found.retrieval.ndcg_at_10.value) == pytest.approx(row.ndcg_at_10)
        assert found.last_5 is None and found.preferences_only is None and found.rated is None
        if found.retrieval is not None:
            ours = document.models[0].retrieval.ndcg_at_10.value
            assert found.difference.ndcg_at_10.value == pytest.approx(found.retrieval.ndcg_at_10.value - ours)
            assert found.difference.ndcg_at_10.users == found.retrieval.ndcg_at_10.users


def test_the_best_of_every_figure_is_named_ours_or_not(document):
    for figure, names in document.best.items():
        values = {row.model: row.figures()[figure] for row in document.models if figure in row.figures()}
        worth = {"rmse": lambda v: -v, "popularity_lift_at_10": lambda v: -abs(v)}.get(figure, lambda v: v)
        assert names == [model for model, value in values.items() if worth(value) == max(map(worth, values.values()))]
        assert len(set(values.values())) > 1, "where all are the same nobody is the best"
    assert {"rmse", "retrieval.ndcg_at_10", "by_popularity.least.recall_at_100", "coverage_at_10"} <= set(document.best)
    assert {name for names in document.best.values() for name in names} > {"pocket"}
    assert not any(figure.startswith(("rated", "last_5")) for figure in document.best), "only ours has them"


def test_a_sample_of_users_is_the_same_every_time_and_said(own):
    first, again = (evaluate_run(own, users=40) for _ in range(2))
    assert replace(first.models[0], evaluate_s=0.0) == replace(again.models[0], evaluate_s=0.0)
    assert first.protocol.users == 40 < first.protocol.held_out_users and first.protocol.users_seed == 0
    assert first.models[0].retrieval.recall_at_10.users == 40 and first.best == {}
    assert len(first.warnings) == 1, "forty users are few"


def test_interrupting_the_baselines_keeps_what_was_measured(own, monkeypatch):
    def interrupted(train_part):
        raise KeyboardInterrupt

    monkeypatch.setitem(BASELINES, "ease", replace(BASELINES["ease"], fit=interrupted))
    with pytest.raises(KeyboardInterrupt):
        evaluate_run(own, baselines=True, users=20)
    kept = Evaluation.read(own)
    assert [row.model for row in kept.models] == ["pocket", "popularity", "bias", "item_knn"] and kept.best


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (lambda folder: (folder / "history.npz").unlink(), "INPUT_MISSING"),
        (lambda folder: (folder / "heldout.npz").write_bytes((folder / "history.npz").read_bytes()), "INPUT_CHANGED"),
        (lambda folder: np.save(folder / "candidates.npy", np.load(folder / "candidates.npy")[::-1]), "INPUT_CHANGED"),
        (lambda folder: (folder / "query" / "saved_model.pb").write_bytes(b""), "INPUT_CHANGED"),
        (lambda folder: shutil.rmtree(folder / "ranking"), "INPUT_MISSING"),
        (lambda folder: forget(folder, "history.npz"), "INPUT_MISSING"),
    ],
)
def test_a_run_that_is_not_what_it_was_is_refused(own, damage, code):
    damage(own.trained)
    with raises(code) as caught:
        evaluate_run(own)
    assert str(own.trained) in str(caught.value) and not own.reports.exists()


def forget(folder, name):
    record = json.loads((folder / "run.json").read_text())
    del record["files"][name]
    (folder / "run.json").write_text(json.dumps(record))


@pytest.mark.parametrize("users", [0, -1])
def test_no_users_are_refused_before_anything_slow(own, users):
    with raises("VALUE_OUT_OF_RANGE"):
        evaluate_run(own, users=users)


def test_the_parts_are_those_that_were_trained_on(run, tiny):
    parts = read_parts(run)
    data = HeldOut(run)
    assert parts.train.items == data.items and parts.train.users == data.users == parts.test.users
    assert parts.train.user_preferences == data.preferences and parts.train.has_timestamps
    assert len(parts.train) == len(data.history.item) and len(parts.test) == len(data.truth.item)


def test_a_preset_without_a_ranker_and_with_one_query_at_a_time(toy):
    document = evaluate_run(toy())
    own = document.models[0]
    assert own.model == "toy" and own.rmse is None and own.rated is None
    assert own.retrieval.recall_at_100.users == document.protocol.users <= USERS


def csv(tmp_path, rows, head="user,item,rating,timestamp"):
    path = tmp_path / "r.csv"
    path.write_text(f"{head}\n{rows}")
    return path


def test_three_ratings_teach_nothing_and_are_said_to(toy, tmp_path):
    run = toy(data=csv(tmp_path, "a,x,3,1\nb,y,4,2\na,y,5,3\n"))
    assert any("cannot be learnt" in text for text in run.record.warnings)
    document = evaluate_run(run, baselines=True)
    assert document.warnings == run.record.warnings and len(document.warnings) == 2
    assert document.models[0].retrieval.recall_at_10.ci95 is None, "one user"
    json.dumps(document.to_json(), allow_nan=False)


def test_one_event_a_user(toy, tmp_path):
    run = toy(data=csv(tmp_path, "".join(f"u{k},i{k % 3},{1 + k % 5},{k}\n" for k in range(20))))
    document = evaluate_run(run, baselines=True)
    assert document.models[0].by_history["0-4"].recall_at_10.users == document.protocol.users == 4
    assert document.models[0].by_history["100+"] is None and document.models[0].popularity_lift_at_10 is None
    assert any("0 users have two or more" in text for text in document.warnings)


def test_implicit_data_has_no_rmse_and_no_likes(toy, tmp_path):
    rows = "".join(f"u{k % 12},i{k % 7},{k}\n" for k in range(84))
    document = evaluate_run(toy(data=csv(tmp_path, rows, "user,item,timestamp")), baselines=True)
    for row in document.models:
        assert row.rmse is None and row.liked is None and row.rated is None
    assert document.model("bias").skipped and "bias" not in {name for names in document.best.values() for name in names}


def test_item_item_models_are_skipped_where_memory_does_not_allow_them(toy, monkeypatch):
    monkeypatch.setattr("pocketrec.train.baselines.interactions.free_memory", lambda: 1000)
    document = evaluate_run(toy(), baselines=True)
    skipped = {row.model: row.skipped for row in document.models if row.skipped}
    assert set(skipped) == {"ease", "item_knn"} and all("free memory" in reason for reason in skipped.values())
    assert all(document.model(name).retrieval is None for name in skipped)
