"""The stage around trainers: a dataset and a preset are one entry each, and what is refused leaves nothing behind."""

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest
from pocketrec.cli.main import main
from pocketrec.core.files.hashing import sha256_file, sha256_tree
from pocketrec.core.files.vocabulary_files import read_vocabulary
from pocketrec.core.records.evaluation import Evaluation
from pocketrec.core.run_dir import Run, open_run
from pocketrec.train.baselines import evaluation
from pocketrec.train.data.datasets import DATASETS
from pocketrec.train.evaluation import doubts
from pocketrec.train.evaluation import stage as evaluation_stage
from pocketrec.train.presets import PRESETS
from pocketrec.train.stage import train

from tests.conftest import raises
from tests.train.data.files.tables import csv_of
from tests.train.toys import EACH, ITEMS, LOADED, TOY_DATASET, TOY_PRESET, TRAINED, USERS


@pytest.fixture
def toys(monkeypatch):
    monkeypatch.setitem(DATASETS, "toys/tiny", TOY_DATASET)
    monkeypatch.setitem(PRESETS, "toy", TOY_PRESET)
    LOADED.clear()
    TRAINED.clear()


def test_a_new_dataset_and_a_new_preset_need_one_entry_each(toys, tmp_path):
    run = train(str(tmp_path / "run"), data="toys/tiny", preset="toy", seed=7, data_dir=str(tmp_path))
    record, folder = run.record, run.trained
    assert [("title", tmp_path)] == LOADED
    assert (record.preset, record.split, record.seed, record.window) == ("toy", "random", 7, EACH)
    assert (record.data.name, record.data.n_users, record.data.n_items) == ("toys/tiny", USERS, ITEMS)
    assert record.data.n_ratings == USERS * EACH and record.data.rating_range == (1, 5)
    assert record.metrics["retrieval"]["ndcg_at_10"] == 0.25 and record.stage_s == {"query": 0.5}
    assert record.graphs == ["query_encoder", "retriever"]
    assert record.baselines is None and record.rows is None and record.warnings == []
    assert record.saved_models == {"query": sha256_tree(folder / "query")}
    assert set(record.files) >= {"candidates.npy", "candidate_ids.txt", "items.json", "users.json", "note.txt"}
    assert all(sha256_file(folder / name) == digest for name, digest in record.files.items())
    names = [f"title{i}" for i in range(ITEMS)]
    assert read_vocabulary(folder / "vocabularies" / "items.txt") == names
    assert read_vocabulary(folder / "candidate_ids.txt") == names
    assert read_vocabulary(folder / "vocabularies" / "genres.txt") == ["even", "odd"]
    assert not (folder / "vocabularies" / "preferences.txt").exists()
    assert json.loads((folder / "items.json").read_text())[1] == {
        "id": "title1",
        "title": "Title title1",
        "genres": ["odd"],
    }
    assert np.load(folder / "candidates.npy").shape == (ITEMS, 4)


def test_the_command_knows_them_too(toys, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("POCKETREC_CACHE", str(tmp_path / "cache"))
    for name in ("a", "b"):
        assert main(["train", "--data", "toys/tiny", "--preset", "toy", "--out", str(tmp_path / name)]) == 0
    out = capsys.readouterr().out
    assert out.count("toys only") == 1, "a licence is shown once"
    assert out.count("trained toy on toys/tiny") == 2 and "recall_at_10 0.5000" in out


def test_items_are_numbered_by_popularity_where_the_preset_says_so(toys, tmp_path, monkeypatch):
    from dataclasses import replace

    monkeypatch.setitem(PRESETS, "toy", replace(TOY_PRESET, by_popularity=True))
    train(tmp_path / "run", data="toys/tiny", preset="toy")
    counts = np.bincount(TRAINED[0][0].item, minlength=ITEMS)
    assert (np.diff(counts) <= 0).all()


def test_options_reach_the_trainer(toys, tmp_path, monkeypatch):
    from dataclasses import replace

    monkeypatch.setitem(PRESETS, "toy", replace(TOY_PRESET, has_train_metrics=True))
    train(tmp_path / "run", data="toys/tiny", preset="toy", split="temporal", seed=3, train_metrics=True)
    options = TRAINED[0][2]
    assert (options.seed, options.split, options.train_metrics) == (3, "temporal", True)


def test_baselines_come_after_the_run_is_complete(toys, tmp_path, monkeypatch):
    """Interrupting them leaves a finished run."""
    seen = []

    def interrupted(run, *, baselines):
        seen.append((open_run(tmp_path / "run").record, baselines))
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluation_stage, "evaluate_run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "run", data="toys/tiny", preset="toy", evaluate_baselines=True)
    assert seen == [(open_run(tmp_path / "run").record, True)]
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"trained"}


def test_baselines_stand_beside_the_model_on_the_same_split(toys, tmp_path, capsys):
    arguments = ["train", "--data", "toys/tiny", "--preset", "toy", "--out", str(tmp_path / "run")]
    assert main([*arguments, "--evaluate-baselines"]) == 0
    run = Run(tmp_path / "run")
    assert [row.model for row in Evaluation.read(run).models] == ["toy", *evaluation.BASELINES]
    assert run.record.baselines is None
    out = capsys.readouterr().out
    assert all(f"│ {model} " in out for model in ("toy", *evaluation.BASELINES))


def test_few_held_out_users_come_with_a_warning(toys, tmp_path, monkeypatch, capsys, caplog):
    caplog.set_level("WARNING", "pocketrec")
    monkeypatch.setattr(doubts, "FEW_USERS", USERS + 1)
    run = train(tmp_path / "run", data="toys/tiny", preset="toy")
    assert len(run.record.warnings) == 1 and str(USERS + 1) in run.record.warnings[0]
    assert [record.getMessage() for record in caplog.records] == run.record.warnings


def toy_rows(n=6):
    return "".join(f"u{k % 3},i{k % 4},{k % 5},{k}\n" for k in range(n))


@pytest.mark.parametrize(
    ("options", "code", "named"),
    [
        ({"preset": "pokcet"}, "NAME_UNKNOWN", "did you mean pocket"),
        ({"data": "movielens/100"}, "NAME_UNKNOWN", "movielens/100k"),
        ({"split": "randm"}, "NAME_UNKNOWN", "--split"),
        ({"seed": -1}, "VALUE_OUT_OF_RANGE", "--seed"),
        ({"seed": 2**32}, "VALUE_OUT_OF_RANGE", "4294967296"),
        ({"train_metrics": True, "preset": "toy"}, "OPTION_CONFLICT", "--train-metrics"),
        ({"columns": "user=u"}, "OPTION_CONFLICT", "--columns"),
        ({"item_features": "items.csv"}, "OPTION_CONFLICT", "--item-features"),
        ({"user_features": Path("users.csv")}, "OPTION_CONFLICT", "--user-features"),
        ({"data": "none.csv"}, "INPUT_MISSING", "none.csv"),
        ({"data": "none.csv", "data_dir": "ml-100k"}, "OPTION_CONFLICT", "--data-dir"),
        ({"data": "none.csv", "columns": "usr=u"}, "NAME_UNKNOWN", "did you mean user"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_slow(toys, tmp_path, options, code, named):
    with contextlib.chdir(tmp_path), raises(code) as caught:
        train("run", **{"data": "toys/tiny", **options})
    assert named in str(caught.value)
    assert LOADED == [] and not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("rows", "options", "code"),
    [
        ("a,x,3,1\nb,y,3,2\n", {}, "RATINGS_INVALID"),
        ("a,x,3,1\na,y,4,2\n", {}, "RATINGS_INVALID"),
        ("a,x,3,1\nb,x,4,2\n", {}, "RATINGS_INVALID"),
        ("", {}, "RATINGS_INVALID"),
        ("a,x,3,1\nb,y,4,2\n", {"columns": "user=uid"}, "COLUMNS_INVALID"),
        ("a,x,3,1\nb,y,4,2\n", {"item_features": "other.csv"}, "INPUT_MISMATCH"),
        ("a,x,3,1\nb,y,4,2\n", {"split": "leave-last-out"}, "SPLIT_IMPOSSIBLE"),
        (toy_rows(), {"split": "temporal", "columns": "timestamp="}, "SPLIT_IMPOSSIBLE"),
    ],
)
def test_bad_ratings_are_one_line_and_leave_nothing(tmp_path, rows, options, code):
    (tmp_path / "r.csv").write_text(csv_of(rows))
    (tmp_path / "other.csv").write_text("item,genres\nq,Drama\n")
    with contextlib.chdir(tmp_path), raises(code) as caught:
        train(tmp_path / "run", data=tmp_path / "r.csv", **options)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_directory_that_holds_something_is_refused(toys, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("keep")
    with raises("OUTPUT_EXISTS"):
        train(tmp_path / "run", data="toys/tiny", preset="toy")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["mine.txt"] and LOADED == []


def test_the_report_on_a_file_is_kept_in_the_run(toys, tmp_path, capsys):
    rows = "".join(f"u{k % 40},i{k % 7},{k % 5},{k},x\n" for k in range(400)) + "u1,i1,bad,3,x\n"
    (tmp_path / "r.csv").write_text(csv_of(rows, "user,item,rating,timestamp,extra"))
    assert main(["train", "--data", str(tmp_path / "r.csv"), "--preset", "toy", "--out", str(tmp_path / "run")]) == 0
    report = Run(tmp_path / "run").record.rows
    assert report is not None and report.rows_read == 401 and report.rejected == {"rating is not a number": 1}
    out = capsys.readouterr().out
    assert all(line in out for line in report.lines()) and "columns not used: extra" in out
    assert "warning: " in out, "forty users are few"


@pytest.mark.full
def test_a_handful_of_ratings_comes_with_a_warning(pocketrec, tmp_path):
    rows = ["user,item,rating", "a,x,5", "a,y,1", "b,x,4"]
    (tmp_path / "three.csv").write_text("\n".join(rows) + "\n")
    done = pocketrec("train", "--data", tmp_path / "three.csv", "--out", tmp_path / "run")
    assert done.code == 0, done.err
    warnings = Run(tmp_path / "run").record.warnings
    assert any("cannot be learnt" in text for text in warnings) and "cannot be learnt" in done.out.replace("\n", " ")
