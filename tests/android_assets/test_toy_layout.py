"""A layout is one entry in one table: a toy one is written, verified, updated and answers, without another line of code."""

import json

import numpy as np
import pytest
from pocketrec.android_assets.format.answers import by_encoder_and_search, reranked
from pocketrec.android_assets.format.layouts import ENCODER, LAYOUTS, Layout, chosen_layout
from pocketrec.android_assets.format.schema import manifest_schema
from pocketrec.android_assets.reading.update_applier import apply_update
from pocketrec.android_assets.reading.verify import open_bundle, verify_bundle
from pocketrec.android_assets.writing.options import BundleOptions, UpdateOptions
from pocketrec.android_assets.writing.update_writer import write_update
from pocketrec.android_assets.writing.writer import write_bundle
from pocketrec.android_assets.writing.zip_writer import write_zip
from pocketrec.core.run_dir import Run

from tests.android_assets.updating import FIRST
from tests.conftest import raises


def by_search_and_ranker(models, queries):
    """The catalogue is searched, and what was found is ranked: candidates and predicted ratings in one layout."""
    return reranked(models, queries, by_encoder_and_search(models, queries))


@pytest.fixture
def toy(monkeypatch):
    layout = Layout(
        "a query encoder, the catalogue as a file, and a ranker",
        (ENCODER, "ranker"),
        by_search_and_ranker,
        stores_candidates=True,
        gives_ratings=True,
        updatable=True,
    )
    monkeypatch.setitem(LAYOUTS, "toy", layout)


def test_a_layout_is_one_entry(toy, tiny, tmp_path):
    written = write_bundle(Run(tiny), tmp_path / "toy", BundleOptions(layout="toy"))
    assert [model.graph for model in written.manifest.models] == ["query_encoder", "ranker"]
    assert written.manifest.candidates and written.manifest.stars_weight
    assert verify_bundle(tmp_path / "toy").manifest == written.manifest
    write_zip(tmp_path / "toy", tmp_path / "toy.zip")
    with open_bundle(tmp_path / "toy.zip") as bundle:
        answer = bundle.recommend([bundle.items[0].id], genres=["Western"], top=10).items
    assert len(answer) == 10 and all("Western" in item.genres and item.stars is not None for item in answer)
    assert [item.score for item in answer] == sorted((item.score for item in answer), reverse=True)
    golden = json.loads((tmp_path / "toy" / "golden.json").read_text())
    assert {vector["model"] for vector in golden["vectors"]} == {model.file for model in written.manifest.models}
    assert all(row["stars"] for row in golden["queries"])
    assert "toy" in manifest_schema()["$defs"]["Manifest"]["properties"]["layout"]["enum"]


def test_what_its_fields_say_is_checked(toy, tiny, tmp_path):
    write_bundle(Run(tiny), tmp_path / "toy", BundleOptions(layout="toy"))
    manifest = json.loads((tmp_path / "toy" / "manifest.json").read_text())
    for code, change in (
        ("MANIFEST_INVALID", {"candidates": None}),
        ("MANIFEST_INVALID", {"models": manifest["models"][:1]}),
        ("MANIFEST_INVALID", {"layout": "split"}),
    ):
        (tmp_path / "toy" / "manifest.json").write_text(json.dumps(manifest | change))
        with raises(code):
            open_bundle(tmp_path / "toy")


@pytest.mark.full
def test_it_is_updated(toy, tiny, tmp_path):
    """New items are unknown to the ranker, which gives them the rating of the unknown item."""
    write_bundle(Run(tiny), tmp_path / "toy", BundleOptions(layout="toy"))
    (tmp_path / "new.csv").write_text(FIRST)
    options = UpdateOptions(base=tmp_path / "toy", new_items=tmp_path / "new.csv")
    written = write_update(Run(tiny), tmp_path / "u", options)
    assert not [row for row in written.shipped if row.role == "model"]
    apply_update(tmp_path / "toy", tmp_path / "u")
    found = open_bundle(tmp_path / "toy").recommend(prefer=["Western"], genres=["Western"], top=50).items
    assert "N1" in {item.id for item in found} and np.isfinite([item.stars for item in found]).all()


def test_a_layout_needs_its_graphs(toy):
    assert chosen_layout("toy", {"query_encoder", "ranker"}) == "toy"
    assert chosen_layout(None, {"query_encoder"}) == "split"
    with raises("RUN_MISSING") as refusal:
        chosen_layout("toy", {"ranker"})
    assert "query_encoder" in str(refusal.value)
    with raises("NAME_UNKNOWN"):
        chosen_layout("trio", {"ranker"})


def test_without_ratings_no_layout_that_gives_them_is_chosen():
    converted = {"retriever", "ranker", "query_encoder"}
    assert chosen_layout(None, converted) == "pair"
    assert chosen_layout(None, converted, is_implicit=True) == "split"
    with raises("OPTION_CONFLICT"):
        chosen_layout("pair", converted, is_implicit=True)
