"""Bundles as they are written: what is in them, the same bytes every time, and what is refused before anything is written."""

import json
import os
import shutil
import signal
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from pocketrec.android_assets.format.layouts import LAYOUTS
from pocketrec.android_assets.reading.verify import verify_bundle
from pocketrec.android_assets.writing import candidate_files
from pocketrec.android_assets.writing.options import BundleOptions
from pocketrec.android_assets.writing.writer import write_bundle
from pocketrec.android_assets.writing.zip_writer import write_zip
from pocketrec.cli.main import main
from pocketrec.convert.flatbuffer.editor import Editor
from pocketrec.core.documents import PARITY_SCHEMA, read_json, write_json
from pocketrec.core.files.hashing import sha256_file, sha256_tree
from pocketrec.core.files.vocabulary_files import read_vocabulary
from pocketrec.core.queries.held_out import HeldOut
from pocketrec.core.run_dir import Run
from pocketrec.runtimes.runtimes import PHONE_RUNTIMES

from tests.android_assets.asking import recommend
from tests.android_assets.breaking import manifest_of
from tests.conftest import raises, refused


def test_manifest_says_what_is_there(tiny):
    manifest = manifest_of(tiny / "bundle")
    sizes = {path.stem: len(read_vocabulary(path)) for path in (tiny / "trained" / "vocabularies").iterdir()}
    assert manifest["schema"] == "pocketrec.bundle/1" and manifest["signature"] == "manifest.sig"
    assert manifest["layout"] == "cascade" and manifest["update"] is None
    rows = {name: sizes[name] + 1 for name in ("genres", "items", "preferences")}
    assert [(m["graph"], m["recipe"], m["rows"]) for m in manifest["models"]] == [("recommender", "dynamic_int8", rows)]
    assert {(v["name"], v["size"], v["oov_index"]) for v in manifest["vocabularies"]} == {
        (name, sizes[name], sizes[name]) for name in rows
    }
    for entry in manifest["files"]:
        path = tiny / "bundle" / entry["path"]
        assert (entry["sha256"], entry["bytes"]) == (sha256_file(path), path.stat().st_size)
    assert {row["status"] for row in manifest["parity"]} == {"pass"}


@pytest.mark.full
def test_a_bundle_for_an_app_stays_small(run):
    assert sum(path.stat().st_size for path in (run / "bundle").rglob("*") if path.is_file()) <= 450_000


def test_nothing_of_the_history_leaves_with_the_bundle(tiny):
    assert {p.name for p in (tiny / "bundle").rglob("*") if p.is_file()} == {
        "manifest.json",
        "manifest.sig",
        "golden.json",
        "items.json",
        "items.txt",
        "preferences.txt",
        "genres.txt",
        "recommender-dynamic_int8.tflite",
    }


def test_layouts_hold_what_their_table_says(signed):
    for name, layout in LAYOUTS.items():
        manifest = manifest_of(signed.folder / name)
        assert tuple(model["graph"] for model in manifest["models"]) == layout.graphs
        assert (manifest["candidates"] is not None) == layout.stores_candidates
        golden = json.loads((signed.folder / name / "golden.json").read_text())
        assert len(golden["vectors"]) == 2 * len(layout.graphs) and len(golden["queries"]) == 3
        assert all(0 < len(row["items"]) <= 10 for row in golden["queries"])
        assert all((row["stars"] is not None) == layout.gives_ratings for row in golden["queries"])


def test_layouts_recommend_the_same_items(signed, tiny):
    request = {"history": ["i0=5", "i7=4"], "prefer": ["Sci-Fi"], "top": 20}
    server = recommend(tiny, **request).items
    for layout in ("cascade", "pair"):
        found = recommend(signed.folder / layout, **request).items
        assert len({item.id for item in found} & {item.id for item in server}) >= 18
        stars = {item.id: item.stars for item in server}
        assert all(abs(item.stars - stars[item.id]) < 0.1 for item in found if item.id in stars)
    assert all(item.stars is None for item in recommend(signed.folder / "split", **request).items)


def test_candidates_apart_find_what_the_retriever_finds(signed):
    """By retrieval score alone, seen items and other genres left out by the client."""
    request = {"history": ["i0=5"], "top": 50}
    for genres in ((), ("Western", "Musical")):
        apart = recommend(signed.folder / "split", **request, genres=genres).items
        within = recommend(signed.folder / "pair", **request, genres=genres).items
        assert len({item.id for item in apart} & {item.id for item in within}) >= 0.9 * len(within)
        assert len(apart) == len(within) and all(a.score >= b.score for a, b in pairwise(apart))
        assert "i0" not in {item.id for item in apart}


def test_candidates_are_exact_in_float32_and_a_quarter_of_it_in_int8(tiny, signed, tmp_path):
    exact = np.load(tiny / "trained" / "candidates.npy")
    write_bundle(Run(tiny), tmp_path / "b", BundleOptions(layout="split", recipe="float32"))
    assert np.array_equal(np.load(tmp_path / "b" / "candidates.npy"), exact)
    manifest = manifest_of(signed.folder / "split")
    rows, scale = np.load(signed.folder / "split" / "candidates.npy"), manifest["candidates"]["scale"]
    assert rows.dtype == np.int8 and manifest["candidates"]["shape"] == list(exact.shape)
    assert np.abs(rows * scale - exact).max() <= scale / 2 * 1.001
    judged = [row for row in manifest["parity"] if "+" in row["graph"]]
    n = len(HeldOut(Run(tiny)).queries)
    assert {row["runtime"] for row in judged} == set(PHONE_RUNTIMES)
    assert all(row["status"] == "pass" and row["n_queries"] == n and row["top_k_overlap"] > 0.98 for row in judged)


def test_candidates_that_miss_a_retrievers_gate_are_not_bundled(tiny, tmp_path, monkeypatch):
    coarse = lambda vectors, recipe: (np.rint(vectors).astype(np.int8), 1.0)  # noqa: E731
    monkeypatch.setattr(candidate_files, "stored_rows", coarse)
    with raises("GATE_FAILED"):
        write_bundle(Run(tiny), tmp_path / "b", BundleOptions(layout="split"))
    assert not (tmp_path / "b").exists()


def test_made_twice_it_has_the_same_bytes(tiny, tmp_path, pocketrec):
    key = tiny / "key.pem"
    write_bundle(Run(tiny), tmp_path / "a", BundleOptions(sign_key=key))
    write_zip(tmp_path / "a", tmp_path / "a.zip")
    # Other times, another order on disk.
    shutil.copytree(tiny, tmp_path / "elsewhere" / "run", copy_function=shutil.copyfile)
    environment = {"TZ": "Asia/Tokyo", "LC_ALL": "C", "PYTHONHASHSEED": "7", "HOME": str(tmp_path)}
    made = [
        "bundle",
        tmp_path / "elsewhere" / "run",
        "--out",
        tmp_path / "b",
        "--zip",
        tmp_path / "b.zip",
        "--sign",
        key,
    ]
    old = os.umask(0o077)
    try:
        done = pocketrec(*made, env=environment)
    finally:
        os.umask(old)
    assert done.code == 0, done.err
    assert sha256_tree(tmp_path / "a") == sha256_tree(tmp_path / "b") == sha256_tree(tiny / "bundle")
    assert sha256_file(tmp_path / "a.zip") == sha256_file(tmp_path / "b.zip")
    modes = {p.relative_to(tmp_path / "b"): p.stat().st_mode for p in (tmp_path / "b").rglob("*")}
    assert modes == {p.relative_to(tmp_path / "a"): p.stat().st_mode for p in (tmp_path / "a").rglob("*")}


def planted(own_tiny, change, **where):
    """Change rows of parity.json, as a variant that failed there would have."""
    parity = read_json(own_tiny / "reports" / "parity.json", PARITY_SCHEMA)
    for row in parity["results"]:
        if all(row[key] == value for key, value in where.items()):
            row |= change
    write_json(own_tiny / "reports" / "parity.json", parity)


def test_auto_takes_the_smallest_that_passed_and_says_why_not_a_smaller(own_tiny, tmp_path):
    sizes = {v.recipe: v.size_bytes for v in Run(own_tiny).variants if v.graph == "ranker"}
    smallest, second = sorted(sizes, key=lambda recipe: (sizes[recipe], recipe))[:2]
    planted(own_tiny, {"status": "fail", "reason": "planted"}, graph="ranker", recipe=smallest, runtime="litert-2.3.0")
    written = write_bundle(Run(own_tiny), tmp_path / "b", BundleOptions(auto=True, layout="pair"))
    assert written.manifest.model("ranker").recipe == second
    (refused_one,) = [row for row in written.passed_over if row.graph == "ranker"]
    assert (refused_one.recipe, refused_one.size_bytes) == (smallest, sizes[smallest])
    assert refused_one.reason.startswith("fail on litert-2.3.0, host: planted")


def test_auto_counts_only_what_passed_wherever_it_must(own_tiny, tmp_path, pocketrec):
    """A cell that was skipped, or that parity never had, is no pass."""
    sizes = {v.recipe: v.size_bytes for v in Run(own_tiny).variants if v.graph == "recommender"}
    smallest = min(sizes, key=lambda recipe: (sizes[recipe], recipe))
    skipped = {"status": "skipped", "reason": "no such tool"}
    planted(own_tiny, skipped, graph="recommender", recipe=smallest, runtime="tflite-runtime-2.14.0")
    done = pocketrec("bundle", own_tiny, "--auto", "--out", tmp_path / "a")
    assert "not passed on tflite-runtime-2.14.0, host (skipped: no such tool)" in " ".join(done.out.split())
    written = write_bundle(Run(own_tiny), tmp_path / "b", BundleOptions(auto=True, runtimes=["litert-2.3.0"]))
    assert [model.recipe for model in written.manifest.models] == [smallest]
    with raises("GATE_FAILED") as refusal:
        write_bundle(Run(own_tiny), tmp_path / "c", BundleOptions(targets=["arm64/cortex-a53"]))
    assert "arm64/cortex-a53 (parity never ran it there)" in str(refusal.value) and not (tmp_path / "c").exists()


def test_models_that_do_not_name_their_vocabularies_are_converted_again(own_tiny, tmp_path):
    """As files of an older kit were."""
    variants = json.loads((own_tiny / "converted" / "variants.json").read_text())
    row = next(v for v in variants["variants"] if (v["graph"], v["recipe"]) == ("recommender", "dynamic_int8"))
    path = own_tiny / "converted" / row["file"]
    editor = Editor(path.read_bytes())
    editor.model.metadata = [m for m in editor.model.metadata if m.name != b"pocketrec.vocabularies"]
    path.write_bytes(editor.pack())
    row["sha256"] = sha256_file(path)
    (own_tiny / "converted" / "variants.json").write_text(json.dumps(variants))
    digest = sha256_file(own_tiny / "converted" / "variants.json")
    parity = read_json(own_tiny / "reports" / "parity.json", PARITY_SCHEMA)
    write_json(own_tiny / "reports" / "parity.json", {**parity, "made_from_sha256": digest})
    with raises("MODEL_MISMATCH") as refusal:
        write_bundle(Run(own_tiny), tmp_path / "b")
    assert "pocketrec convert RUN" in str(refusal.value) and not (tmp_path / "b").exists()


def test_parity_of_other_variants_is_not_accepted(own_tiny, tmp_path):
    with (own_tiny / "converted" / "variants.json").open("a") as stream:
        stream.write("\n")
    with raises("INPUT_CHANGED"):
        write_bundle(Run(own_tiny), tmp_path / "b")
    (own_tiny / "reports" / "parity.json").unlink()
    with raises("INPUT_MISSING"):
        write_bundle(Run(own_tiny), tmp_path / "b")
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--recipe", "dynamic_int"], "NAME_UNKNOWN"),
        (["--recipe", "float32", "--auto"], "OPTION_CONFLICT"),
        (["--version", "0"], "VALUE_OUT_OF_RANGE"),
        (["--version", "2147483648"], "VALUE_OUT_OF_RANGE"),
        (["--layout", "cascad"], "NAME_UNKNOWN"),
        (["--runtime", "litert"], "NAME_UNKNOWN"),
        (["--runtime", "tf-2.18.1", "--target", "wasm/chromium"], "OPTION_CONFLICT"),
        (["--sign", "/nonexistent.pem"], "KEY_INVALID"),
    ],
)
def test_bad_arguments_are_one_line_and_write_nothing(tiny, tmp_path, capsys, arguments, code):
    assert main(["bundle", str(tiny), "--out", str(tmp_path / "b"), *arguments]) == 2
    assert capsys.readouterr().err.strip().endswith(f"[{code}]")
    assert not (tmp_path / "b").exists() and not list(tmp_path.glob(".b*"))


def test_output_that_is_not_empty_is_kept(tiny, tmp_path):
    (tmp_path / "mine").write_text("precious")
    with raises("OUTPUT_EXISTS"):
        write_bundle(Run(tiny), tmp_path)
    assert (tmp_path / "mine").read_text() == "precious"


def test_no_write_permission_is_one_line(tiny, pocketrec):
    assert "[OUTPUT_UNWRITABLE]" in refused(pocketrec("bundle", tiny, "--out", "/proc/pocketrec/bundle"))


@pytest.mark.full
def test_killed_while_writing_nothing_stands_under_the_name(tiny, tmp_path):
    program = (
        "import os, signal; from pathlib import Path; from pocketrec.android_assets.writing import writer as bundle\n"
        "from pocketrec.core.run_dir import Run\n"
        "bundle.add_golden = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"bundle.write_bundle(Run(Path({str(tiny)!r})), Path({str(tmp_path / 'b')!r}))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -signal.SIGKILL
    assert not (tmp_path / "b").exists()


def test_bundles_of_the_tiny_run_verify(tiny):
    assert verify_bundle(tiny / "bundle", keys=[tiny / "key.pub.pem"]).manifest.name.startswith("ratings")
