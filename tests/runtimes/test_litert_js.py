"""Variants in headless Chromium with LiteRT.js."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from pocketrec.benchmarks.parity.judging.gates import read_gates
from pocketrec.benchmarks.parity.stage import check_parity
from pocketrec.core.files.hashing import sha256_file
from pocketrec.core.queries.held_out import HeldOut
from pocketrec.core.run_dir import Run
from pocketrec.runtimes import litert_js as browser
from pocketrec.runtimes.launch import run_variant
from pocketrec.runtimes.runtimes import CURRENT_RUNTIME, RUNTIMES, chosen_runtimes

from tests.conftest import raises
from tests.convert.models import assert_twice, twice_each_dtype
from tests.variants import change_variants, keep_variants

_RUNTIME = next(name for name, runtime in RUNTIMES.items() if runtime.platforms == ("wasm",))
WASM = {"runtime": _RUNTIME, "target": "wasm/chromium"}
RECIPES = ("float32", "dynamic_int8", "int4_rows")
_MISSING = browser.missing_browser() or browser.missing_packages()
needs_wasm = pytest.mark.skipif(bool(_MISSING), reason=_MISSING)


@pytest.fixture
def one(own_tiny):
    """A run of one variant."""
    keep_variants(Run(own_tiny), lambda variant: (variant.graph, variant.recipe) == ("query_encoder", "float32"))
    return own_tiny


@needs_wasm
def test_variants_pass_in_the_browser_and_say_what_the_host_says(own_run, pocketrec):
    keep_variants(Run(own_run), lambda variant: variant.recipe in RECIPES)
    done = pocketrec("parity", own_run, "--require", "wasm/chromium", "--json")
    assert done.code == 0, done.out[-2000:] + done.err
    rows = json.loads(done.out)["results"]
    assert {(row["runtime"], row["target"], row["delegate"]) for row in rows} == {(*WASM.values(), "xnnpack")}
    rankers = [row for row in rows if row["graph"] == "ranker"]
    assert len(rankers) == 3 and {(row["status"], row["n_queries"]) for row in rankers} == {("skipped", 0)}
    assert {row["reason"] for row in rankers} == {
        "LiteRT.js resizes no input: items has a free dimension and would be taken as 1"
    }
    others = [row for row in rows if row not in rankers]
    assert len(others) == 9 and {(row["status"], row["n_queries"]) for row in others} == {("pass", 941)}
    raw = own_run / "reports" / "raw"
    for graph, name in (("query_encoder", "query"), ("retriever", "scores")):
        for recipe in RECIPES:
            found = np.load(raw / f"{graph}-{recipe}@{_RUNTIME}@wasm-chromium.npz")[name]
            host = np.load(raw / f"{graph}-{recipe}@{CURRENT_RUNTIME}.npz")[name]
            # An activation half-way between two int8 codes may round the other way: 1 of 949 queries, by .007 and .057.
            far = np.abs(found - host).reshape(len(host), -1).max(axis=1)
            assert (far > 1e-3).sum() <= 3 and far.max() < 0.1


@needs_wasm
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_ranker_asked_for_one_candidate_a_call_keeps_its_gate(run, recipe):
    data = HeldOut(Run(run))
    feeds = data.feeds(["history", "items", "preferences", "stars"])
    lengths = np.diff(feeds.pop("items.offsets"))
    single = {name: np.repeat(value, lengths, axis=0) for name, value in feeds.items() if name != "items"}
    outcome = run_variant(
        run / "converted" / f"ranker-{recipe}.tflite", {**single, "items": feeds["items"][:, None]}, **WASM
    )
    assert not outcome.reason
    with np.load(run / "reports" / "reference.npz") as reference:
        expected = np.concatenate([reference["rating"], reference["edge.rating"]])
    worst = np.abs(outcome.arrays["rating"][:, 0] - expected).max()
    assert worst <= read_gates(None).find("ranker", recipe).limits["max_abs_diff"]


@needs_wasm
def test_litertjs_itself_refuses_what_the_matrix_skips(tutorial_run):
    """When this fails, LiteRT.js has learnt something: take it out of `BrowserRuntime.refuses`."""
    ranker = tutorial_run / "converted" / "ranker-float32.tflite"
    feeds = {"user": np.zeros((2, 1), np.int32), "items": np.zeros((2, 7), np.int32)}
    assert "Int32[7] does not match expected ranked tensor type Int32[1]" in run_variant(ranker, feeds, **WASM).reason
    strings = tutorial_run / "converted" / "ranker_strings-float32.tflite"
    feeds = {name: np.zeros((1, 1), np.uint8) for name in ("user_id", "movie_title")}
    assert "expected string, got uint8" in run_variant(strings, feeds, **WASM).reason


@needs_wasm
@pytest.mark.parametrize(
    ("feeds", "said"),
    [
        ({"user": np.zeros((1, 1), np.int32)}, "inputs: expected items,user, got user"),
        ({"user": np.zeros((1, 1), np.int64), "items": np.zeros((1, 1), np.int32)}, "user: expected int32, got int64"),
        ({"user": np.array([[b"1"]]), "items": np.zeros((1, 1), np.int32)}, "LiteRT.js has no string tensors"),
    ],
)
def test_feeds_that_do_not_fit_are_a_reason(tutorial_run, feeds, said):
    outcome = run_variant(tutorial_run / "converted" / "ranker-float32.tflite", feeds, **WASM)
    assert outcome.reason.startswith("exit status 1: ") and said in outcome.reason


@needs_wasm
def test_every_value_comes_back_exactly(tmp_path):
    model, given = twice_each_dtype()
    (tmp_path / "x.tflite").write_bytes(model)
    found = run_variant(tmp_path / "x.tflite", given, **WASM)
    assert not found.reason
    assert_twice(found.arrays, given)


@pytest.mark.full
@needs_wasm
def test_a_damaged_model_is_an_error_row_with_what_litertjs_said(one):
    path = one / "converted" / Run(one).variants[0].file
    path.write_bytes(path.read_bytes()[:64] + bytes(4032) + path.read_bytes()[4096:])
    change_variants(Run(one), lambda known: [replace(known[0], sha256=sha256_file(path))])
    (row,) = check_parity(Run(one), targets=["wasm/chromium"]).to_json()["results"]
    assert row["status"] == "error" and "Failed to load model from buffer" in row["reason"]


def test_text_is_skipped_even_where_the_browser_is_required(tutorial_run, tmp_path):
    shutil.copytree(tutorial_run, tmp_path / "run")
    run = Run(tmp_path / "run")
    keep_variants(run, lambda variant: variant.graph == "ranker_strings")
    rows = check_parity(run, require=["wasm/chromium"]).to_json()["results"]
    assert len(rows) == 6 and {row["status"] for row in rows} == {"skipped"}
    assert "LiteRT.js has no string tensors (input " in rows[0]["reason"]


@pytest.mark.parametrize(
    ("lacking", "command"), [("packages", "pocketrec doctor --install wasm"), ("browser", "apt-get install chromium")]
)
def test_what_is_missing_is_skipped_with_the_command_and_an_error_when_required(
    one, monkeypatch, tmp_path, lacking, command
):
    if lacking == "packages":
        monkeypatch.setenv("POCKETREC_CACHE", str(tmp_path / "nothing"))
    else:
        monkeypatch.setattr(browser, "missing_packages", lambda: "")
        monkeypatch.setattr(browser, "BROWSERS", ("no-such-browser",))
    (row,) = check_parity(Run(one), targets=["wasm/chromium"]).to_json()["results"]
    assert row["status"] == "skipped" and command in row["reason"]
    (row,) = check_parity(Run(one), require=["wasm/chromium"]).to_json()["results"]
    assert row["status"] == "error" and command in row["reason"]


def test_doctor_lists_the_target_with_the_command_that_adds_it(pocketrec, tmp_path):
    done = pocketrec("doctor", env={"POCKETREC_CACHE": str(tmp_path)})
    assert "missing runtime: litertjs-2.5.3: pocketrec doctor --install wasm" in done.out
    assert "missing target: wasm/chromium: " in done.out


@pytest.mark.parametrize(
    ("names", "places"),
    [
        ([_RUNTIME], ["host"]),
        ([CURRENT_RUNTIME], ["wasm/chromium"]),
        ([CURRENT_RUNTIME], ["host", "wasm/chromium"]),
    ],
)
def test_runtimes_and_targets_that_do_not_meet_are_refused(names, places):
    with raises("OPTION_CONFLICT") as caught:
        chosen_runtimes(names, places)
    assert names[0] in str(caught.value) and places[-1] in str(caught.value)


def stand_in(folder, script):
    """An `npm` that does what a test says."""
    folder.mkdir()
    (folder / "npm").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "npm").chmod(0o755)
    return folder


@pytest.mark.parametrize(
    ("script", "code", "said"),
    [
        (None, "NOT_INSTALLED", "apt-get install npm"),
        ("echo 'npm error code ENETUNREACH' >&2; exit 1", "DOWNLOAD_FAILED", "ENETUNREACH"),
        ("echo other > litertjs-core-2.5.3.tgz", "DOWNLOAD_FAILED", "sha512-PlGmbMOq9Wit…"),
    ],
)
def test_a_package_that_is_not_the_pinned_one_is_refused_and_leaves_nothing(monkeypatch, tmp_path, script, code, said):
    monkeypatch.setattr(browser, "folder", lambda: tmp_path / "cache" / "wasm")
    monkeypatch.setenv("PATH", str(stand_in(tmp_path / "bin", script) if script else tmp_path))
    with raises(code) as caught:
        browser.install()
    assert said in str(caught.value) and not (tmp_path / "cache").exists()
