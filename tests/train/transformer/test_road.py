"""The whole road of `--encoder transformer` on the tiny ratings: trained, converted, and the same on phones' runtimes."""

import json

import pytest
from pocketrec.core.run_dir import Run
from pocketrec.train.transformer.settings import TransformerSettings

from tests.tiny import PACKAGED, write_ratings


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of few passes."""
    import pocketrec.train.pocket.fitted_retrievers as fitted
    from pocketrec.train.stage import train

    folder = tmp_path_factory.mktemp("transformer")
    write_ratings(folder)
    features = {"item_features": folder / "items.csv", "user_features": folder / "users.csv"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitted, "TransformerSettings", lambda: TransformerSettings(epochs=2, finish=1))
        train(folder / "run", data=folder / "ratings.csv", encoder="transformer", **features)
    return folder / "run"


pytestmark = pytest.mark.full


def passed(run, recipes, graphs):
    from pocketrec.benchmarks.parity.stage import check_parity
    from pocketrec.convert.stage import convert_run

    convert_run(Run(run), graphs=graphs, recipes=recipes)
    check_parity(Run(run), runtimes=PACKAGED)
    return json.loads((run / "reports" / "parity.json").read_text())["results"]


def test_it_is_recorded_with_its_curve(trained):
    record = Run(trained).record
    assert record.settings["retrieval"]["encoder"] == "transformer"
    assert len(json.loads((Run(trained).trained / "curves.json").read_text())["retrieval"]) == 3
    assert record.metrics["retrieval"]["recall_at_10"] > 0.1


def test_phones_answer_as_the_server(trained):
    results = passed(trained, ["float32", "dynamic_int8"], ["query_encoder", "retriever"])
    assert results and {row["status"] for row in results} == {"pass"}


def test_every_recipe_of_every_graph_passes(trained):
    results = passed(trained, [], [])
    assert len(results) > 100 and {row["status"] for row in results} == {"pass"}
