"""`pocketrec evaluate` and `pr.evaluate`."""

import json
import shutil

import pytest
from pocketrec.core.records.evaluation import Evaluation
from pocketrec.core.run_dir import Run

import pocketrec as pr
from tests.conftest import raises, refused


@pytest.fixture(scope="module")
def run(tiny, tmp_path_factory):
    root = tmp_path_factory.mktemp("evaluate") / "run"
    shutil.copytree(tiny / "trained", root / "trained")
    return root


def test_the_command_prints_the_document_or_tables(run, inside):
    done = inside("evaluate", run, "--users", 30, "--json")
    assert done.code == 0 and done.err == ""
    printed = json.loads(done.out)
    assert printed == json.loads((run / "reports" / "evaluation.json").read_text())
    assert Evaluation.from_json(printed).to_json() == printed
    done = inside("evaluate", run, "--users", 30, "--baselines")
    assert done.code == 0 and all(f"│ {name} " in done.out for name in ("pocket", *pr.names("baselines")))
    assert "warning: " in done.out and "last 5 items" in done.out


def test_the_function_returns_it_with_tables_for_notebooks(run):
    found = pr.evaluate(run, users=30)
    assert isinstance(found, pr.Evaluation) and isinstance(found.model("pocket"), pr.EvaluatedModel)
    assert isinstance(found.models[0].rmse, pr.Estimate) and found.to_json() == Evaluation.read(Run(run)).to_json()
    assert "<td>pocket</td>" in found._repr_html_()
    with pytest.raises(KeyError):
        found.model("ease")


@pytest.mark.parametrize(
    ("folder", "code"), [("none", "RUN_MISSING"), ("empty", "RUN_MISSING"), ("torn", "RUN_UNFINISHED")]
)
def test_what_is_no_finished_run_is_refused(tmp_path, inside, folder, code):
    (tmp_path / "empty").mkdir()
    (tmp_path / "torn" / "trained").mkdir(parents=True)
    assert refused(inside("evaluate", tmp_path / folder)).endswith(f"[{code}]")
    with raises(code):
        pr.evaluate(tmp_path / folder)


def test_a_sample_of_nobody_is_refused(run, inside):
    assert refused(inside("evaluate", run, "--users", 0)).endswith("[VALUE_OUT_OF_RANGE]")
