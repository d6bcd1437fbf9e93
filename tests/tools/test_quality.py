"""What `make quality` counts as behind, and what it measures of large data."""

import importlib.util
import sys
from pathlib import Path

import pytest
from pocketrec.core.records.run import BaselineRow

from tests.train.baselines.made_ratings import two_tastes

TOOL = Path(__file__).parents[2] / "tools" / "quality.py"


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("quality_tool", TOOL)
    assert spec is not None and spec.loader is not None
    sys.modules["quality_tool"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows(rmse, *recalls):
    return [
        BaselineRow("pocket", rmse, *recalls, 1.0),
        BaselineRow("bias", 0.9, None, None, None, 1.0),
        BaselineRow("ease", None, 0.2, 0.5, 0.3, 1.0),
        BaselineRow("popularity", None, 0.1, 0.6, 0.1, 1.0),
    ]


def test_each_measure_is_compared_with_the_baseline_that_is_best_in_it(tool):
    found = tool.Measured("toy", "random", (42,), rows(0.9, 0.199, 0.61, 0.2))
    assert [(best, model) for _, _, best, model in found.compared()] == [
        (0.9, "bias"),
        (0.2, "ease"),
        (0.6, "popularity"),
        (0.3, "ease"),
    ]
    assert found.behind() == ["ndcg_at_10 0.2000, ease 0.3000"]


def test_a_worse_rmse_and_less_than_99_percent_are_behind(tool):
    found = tool.Measured("toy", "random", (42,), rows(0.901, 0.197, 0.595, 0.298))
    assert [text.split()[0] for text in found.behind()] == ["rmse", "recall_at_10"]
    assert not tool.Measured("toy", "random", (42,), rows(None, 0.2, 0.6, 0.3)).behind()


def test_large_data_takes_one_seed_and_some_users(tool, monkeypatch):
    ratings = two_tastes()
    assert tool.seeds_of("toy", ratings, "random") == (42, 43, 44)
    assert tool.seeds_of("toy", ratings, "temporal") == (42,)
    whole = tool.parts_of(ratings, "random", 42)
    monkeypatch.setattr(tool, "LARGE", 1)
    monkeypatch.setattr(tool, "MOST_TEST_USERS", 3)
    assert tool.seeds_of("toy", ratings, "random") == (42,)
    train, test = tool.parts_of(ratings, "random", 42)
    assert len(train) == len(whole[0]) and len(set(test.user.tolist())) == 3 < len(set(whole[1].user.tolist()))
