import json
import mmap
import os
import shutil
import struct
import subprocess
import zipfile
from itertools import pairwise

import numpy as np
import pytest
from pocketrec.android_assets.format.golden import decode, difference, encode
from pocketrec.android_assets.format.layouts import LAYOUTS
from pocketrec.android_assets.format.signing import read_private_key
from pocketrec.android_assets.reading.verify import verify_bundle
from pocketrec.android_assets.writing import writer as bundle_module
from pocketrec.android_assets.writing.options import BundleOptions
from pocketrec.android_assets.writing.writer import write_bundle
from pocketrec.android_assets.writing.zip_writer import write_zip
from pocketrec.core.documents import PARITY_SCHEMA, read_json, write_json
from pocketrec.core.errors import CheckFailed, InputError
from pocketrec.core.hashing import sha256_file, sha256_tree
from pocketrec.core.run_dir import Run

from tests.android_assets.asking import recommend
from tests.conftest import call, refused


def manifest_of(folder):
    return json.loads((folder / "manifest.json").read_text())


def test_manifest_says_what_is_there(run):
    manifest = manifest_of(run / "bundle")
    assert manifest["schema"] == "pocketrec.bundle/1" and manifest["signature"] == "manifest.sig"
    assert manifest["layout"] == "cascade" and manifest["k"] == 100 and manifest["update"] is None
    assert [(m["graph"], m["recipe"], m["rows"]) for m in manifest["models"]] == [
        ("recommender", "dynamic_int8", {"genres": 20, "items": 1683, "preferences": 50}),
    ]
    assert {(v["name"], v["size"], v["oov_index"]) for v in manifest["vocabularies"]} == {
        ("items", 1682, 1682),
        ("preferences", 49, 49),
        ("genres", 19, 19),
    }
    for entry in manifest["files"]:
        path = run / "bundle" / entry["path"]
        assert (entry["sha256"], entry["bytes"]) == (sha256_file(path), path.stat().st_size)
    assert {row["status"] for row in manifest["parity"]} == {"pass"} and len(manifest["parity"]) == 6


def test_a_bundle_for_an_app_stays_small(run):
    assert sum(path.stat().st_size for path in (run / "bundle").rglob("*") if path.is_file()) <= 450_000


def test_nothing_of_the_history_leaves_with_the_bundle(run):
    assert {p.name for p in (run / "bundle").rglob("*") if p.is_file()} == {
        "manifest.json", "manifest.sig", "golden.json", "items.json", "items.txt", "preferences.txt", "genres.txt",
        "recommender-dynamic_int8.tflite",
    }  # fmt: skip


@pytest.fixture(scope="module")
def layouts(run, tmp_path_factory):
    """A bundle in each layout."""
    folder = tmp_path_factory.mktemp("layouts")
    for layout in LAYOUTS:
        write_bundle(Run(run), folder / layout, BundleOptions(layout=layout))
    return folder


def test_layouts_hold_what_their_table_says_and_verify(layouts):
    for name, layout in LAYOUTS.items():
        manifest = verify_bundle(layouts / name)
        assert tuple(model["graph"] for model in manifest["models"]) == layout.graphs
        assert (manifest["candidates"] is not None) == layout.stores_candidates
        golden = json.loads((layouts / name / "golden.json").read_text())
        assert len(golden["vectors"]) == 2 * len(layout.graphs) and len(golden["queries"]) == 3
        assert [len(row["items"]) for row in golden["queries"]] == [10, 10, 10]


def test_layouts_recommend_the_same_films(layouts, run):
    asked = {"history": ["Speed (1994)=5", "Contact (1997)=4"], "prefer": ["Sci-Fi"], "top": 20}
    server = recommend(run, **asked).items
    for layout in ("cascade", "pair"):
        found = recommend(layouts / layout, **asked).items
        assert len({item.id for item in found} & {item.id for item in server}) >= 19
        stars = {item.id: item.stars for item in server}
        assert all(abs(item.stars - stars[item.id]) < 0.1 for item in found if item.id in stars)
    assert all(item.stars is None for item in recommend(layouts / "split", **asked).items)


def test_candidates_apart_find_what_the_retriever_finds(layouts, run):
    """By retrieval score alone, seen films and other genres left out by the client."""
    asked = {"history": ["Casablanca (1942)=5"], "top": 100}
    for genre in ((), ("Western", "Film-Noir")):
        apart = recommend(layouts / "split", **asked, genres=genre).items
        within = recommend(layouts / "pair", **asked, genres=genre).items
        assert len({item.id for item in apart} & {item.id for item in within}) >= 0.95 * len(within)
        assert len(apart) == len(within) and all(a.score >= b.score for a, b in pairwise(apart))
        assert "Casablanca (1942)" not in {item.title for item in apart}


def test_candidates_are_exact_in_float32_and_a_quarter_of_it_in_int8(run, layouts, tmp_path):
    exact = np.load(run / "trained" / "candidates.npy")
    write_bundle(Run(run), tmp_path / "b", BundleOptions(layout="split", recipe="float32"))
    assert np.array_equal(np.load(tmp_path / "b" / "candidates.npy"), exact)
    declared = manifest_of(layouts / "split")["candidates"]
    rows = np.load(layouts / "split" / "candidates.npy")
    assert rows.dtype == np.int8 and declared["shape"] == list(exact.shape)
    assert np.abs(rows * declared["scale"] - exact).max() <= declared["scale"] / 2 * 1.001
    (judged, _) = [row for row in manifest_of(layouts / "split")["parity"] if "+" in row["graph"]]
    assert judged["status"] == "pass" and judged["n_queries"] == 941 and judged["top_k_overlap"] > 0.98


def test_candidates_that_miss_a_retrievers_gate_are_not_bundled(run, tmp_path, monkeypatch):
    monkeypatch.setattr(bundle_module, "stored_rows", lambda vectors, recipe: (np.rint(vectors).astype(np.int8), 1.0))
    with pytest.raises(CheckFailed, match=r"split layout may not be bundled: .*top_k_overlap"):
        write_bundle(Run(run), tmp_path / "b", BundleOptions(layout="split"))
    assert not (tmp_path / "b").exists()


def test_made_twice_it_has_the_same_bytes(run, tmp_path, pocketrec):
    key = run / "demo-key.pem"
    write_bundle(Run(run), tmp_path / "a", BundleOptions(sign_key=key))
    write_zip(tmp_path / "a", tmp_path / "a.zip")
    shutil.copytree(
        run, tmp_path / "elsewhere" / "run", copy_function=shutil.copyfile
    )  # other times, another order on disk
    environment = {"TZ": "Asia/Tokyo", "LC_ALL": "C", "PYTHONHASHSEED": "7", "HOME": str(tmp_path)}
    arguments = [
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
        done = pocketrec(*arguments, env=environment)
    finally:
        os.umask(old)
    assert done.code == 0, done.err
    assert sha256_tree(tmp_path / "a") == sha256_tree(tmp_path / "b") == sha256_tree(run / "bundle")
    assert sha256_file(tmp_path / "a.zip") == sha256_file(tmp_path / "b.zip")
    modes = {p.relative_to(tmp_path / "b"): p.stat().st_mode for p in (tmp_path / "b").rglob("*")}
    assert modes == {p.relative_to(tmp_path / "a"): p.stat().st_mode for p in (tmp_path / "a").rglob("*")}


def test_source_date_epoch_is_the_time_of_everything(run, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    write_bundle(Run(run), tmp_path / "b")
    write_zip(tmp_path / "b", tmp_path / "b.zip")
    assert {path.stat().st_mtime for path in (tmp_path / "b").rglob("*")} == {1_700_000_000}
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        assert {info.date_time for info in archive.infolist()} == {(2023, 11, 14, 22, 13, 20)}
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(InputError, match="seconds since 1970"):
        write_bundle(Run(run), tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_models_in_a_zip_can_be_mapped_where_they_lie(layouts, tmp_path):
    for layout in LAYOUTS:
        write_zip(layouts / layout, tmp_path / f"{layout}.zip")
        with zipfile.ZipFile(tmp_path / f"{layout}.zip") as archive, (tmp_path / f"{layout}.zip").open("rb") as stream:
            assert archive.testzip() is None and archive.namelist()[0] == "manifest.json"
            mapped = [info for info in archive.infolist() if info.filename.endswith((".tflite", ".npy"))]
            assert len(mapped) == len(LAYOUTS[layout].graphs) + LAYOUTS[layout].stores_candidates
            for info in mapped:
                start = data_offset(stream, info)
                assert info.compress_type == zipfile.ZIP_STORED and start % 16_384 == 0
                with mmap.mmap(stream.fileno(), info.file_size, offset=start, prot=mmap.PROT_READ) as part:
                    assert part[:] == (layouts / layout / info.filename).read_bytes()


def data_offset(stream, info):
    """Where an entry's bytes start, by its local header (APPNOTE 4.3.7)."""
    stream.seek(info.header_offset + 26)
    name, extra = struct.unpack("<HH", stream.read(4))
    return info.header_offset + 30 + name + extra


def test_a_zip_is_not_written_over_anything(run, pocketrec, tmp_path):
    (tmp_path / "b.zip").write_text("precious")
    line = refused(pocketrec("bundle", run, "--out", tmp_path / "b", "--zip", tmp_path / "b.zip"))
    assert "b.zip, which exists" in line and not (tmp_path / "b").exists()
    assert (tmp_path / "b.zip").read_text() == "precious"


def planted(own_run, change, **where):
    """Change rows of parity.json, as a variant that failed there would have."""
    parity = read_json(own_run / "reports" / "parity.json", PARITY_SCHEMA)
    for row in parity["results"]:
        if all(row[key] == value for key, value in where.items()):
            row |= change
    write_json(own_run / "reports" / "parity.json", parity)


def test_auto_takes_the_smallest_that_passed_and_says_why_not_a_smaller(own_run, tmp_path, pocketrec):
    fault = {"status": "fail", "reason": "planted"}
    planted(own_run, fault, graph="ranker", recipe="int4_rows", runtime="litert-2.3.0")
    done = pocketrec("bundle", own_run, "--auto", "--layout", "pair", "--out", tmp_path / "bundle")
    said = " ".join(done.out.split())
    assert done.code == 0 and "passed over ranker int4_rows, 79," in said
    assert "bytes: fail on litert-2.3.0, host: planted" in said
    chosen = {(m["graph"], m["recipe"]) for m in manifest_of(tmp_path / "bundle")["models"]}
    assert chosen == {("ranker", "dynamic_int8"), ("retriever", "int4_rows")}


def test_auto_counts_only_what_passed_wherever_it_must(own_run, tmp_path, pocketrec):
    """A cell that was skipped, or that parity never had, is no pass."""
    skipped = {"status": "skipped", "reason": "no such tool"}
    planted(own_run, skipped, graph="recommender", recipe="int4_rows", runtime="tflite-runtime-2.14.0")
    done = pocketrec("bundle", own_run, "--auto", "--out", tmp_path / "a")
    said = " ".join(done.out.split())
    assert "not passed on tflite-runtime-2.14.0, host (skipped: no such tool)" in said
    done = pocketrec("bundle", own_run, "--auto", "--runtime", "litert-2.3.0", "--out", tmp_path / "b")
    assert done.code == 0 and [m["recipe"] for m in manifest_of(tmp_path / "b")["models"]] == ["int4_rows"]
    line = refused(pocketrec("bundle", own_run, "--target", "arm64/cortex-a53", "--out", tmp_path / "c"), code=1)
    assert "not passed on tflite-runtime-2.14.0, arm64/cortex-a53 (parity never ran it there)" in line
    assert not (tmp_path / "c").exists()


def test_models_that_do_not_name_their_vocabularies_are_converted_again(own_run, tmp_path):
    """As files of an older kit were."""
    from pocketrec.convert.flatbuffer.editor import Editor

    variants = json.loads((own_run / "converted" / "variants.json").read_text())
    row = next(v for v in variants["variants"] if (v["graph"], v["recipe"]) == ("recommender", "dynamic_int8"))
    path = own_run / "converted" / row["file"]
    editor = Editor(path.read_bytes())
    editor.model.metadata = [m for m in editor.model.metadata if m.name != b"pocketrec.vocabularies"]
    path.write_bytes(editor.pack())
    row["sha256"] = sha256_file(path)
    (own_run / "converted" / "variants.json").write_text(json.dumps(variants))
    digest = sha256_file(own_run / "converted" / "variants.json")
    parity = read_json(own_run / "reports" / "parity.json", PARITY_SCHEMA)
    write_json(own_run / "reports" / "parity.json", {**parity, "made_from_sha256": digest})
    with pytest.raises(InputError, match="run `pocketrec convert RUN`"):
        write_bundle(Run(own_run), tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_parity_of_other_variants_is_not_accepted(own_run, pocketrec, tmp_path):
    done = pocketrec("convert", own_run, "--graph", "ranker", "--recipe", "float32")
    assert done.code == 0
    assert "one of others" in refused(pocketrec("bundle", own_run, "--out", tmp_path / "b"))
    (own_run / "reports" / "parity.json").unlink()
    assert "pocketrec parity RUN" in refused(pocketrec("bundle", own_run, "--out", tmp_path / "b"))
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--recipe", "dynamic_int"], "did you mean dynamic_int8?"),
        (["--recipe", "float32", "--auto"], "either --recipe or --auto"),
        (["--version", "0"], "1 or more"),
        (["--version", "2147483648"], "up to 2147483647"),
        (["--layout", "cascad"], "did you mean cascade?"),
        (["--runtime", "litert"], "did you mean litert"),
        (["--runtime", "tf-2.18.1", "--target", "wasm/chromium"], "one that meets"),
        (["--sign", "/nonexistent.pem"], "a PEM key file"),
    ],
)
def test_bad_arguments_are_one_line_and_write_nothing(run, pocketrec, tmp_path, arguments, said):
    assert said in refused(pocketrec("bundle", run, "--out", tmp_path / "b", *arguments))
    assert not (tmp_path / "b").exists() and not list(tmp_path.glob(".b*"))


def test_output_that_is_not_empty_is_kept(run, pocketrec, tmp_path):
    (tmp_path / "mine").write_text("precious")
    assert "not empty" in refused(pocketrec("bundle", run, "--out", tmp_path))
    assert (tmp_path / "mine").read_text() == "precious"


def test_no_write_permission_is_one_line(run, pocketrec):
    assert "a place that can be written" in refused(pocketrec("bundle", run, "--out", "/proc/pocketrec/bundle"))


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    for name in ("ours", "theirs"):
        done = call("keygen", "--out", folder / f"{name}.pem")
        assert done.code == 0 and f"{name}.pub.pem" in done.out, done.err
    return folder


def test_a_new_key_is_private_and_never_replaces_one(keys):
    assert (keys / "ours.pem").stat().st_mode & 0o777 == 0o600
    before = (keys / "ours.pem").read_bytes()
    assert "ours.pem, which exists" in refused(call("keygen", "--out", keys / "ours.pem"))
    assert "a place that can be written" in refused(call("keygen", "--out", "/proc/pocketrec/key.pem"))
    assert (keys / "ours.pem").read_bytes() == before


def test_keys_are_those_that_openssl_reads(keys):
    asked = ["openssl", "pkey", "-in", str(keys / "ours.pem"), "-pubout"]
    assert subprocess.run(asked, capture_output=True, check=True).stdout == (keys / "ours.pub.pem").read_bytes()


def test_signed_bundle_verifies_with_its_key_only(run, pocketrec, tmp_path, keys):
    assert pocketrec("bundle", run, "--out", tmp_path / "b", "--sign", keys / "ours.pem").code == 0
    ours, theirs = keys / "ours.pub.pem", keys / "theirs.pub.pem"
    assert pocketrec("verify", tmp_path / "b", "--key", ours).code == 0
    assert pocketrec("verify", tmp_path / "b").code == 0
    name = manifest_of(tmp_path / "b")["key_id"]
    line = refused(pocketrec("verify", tmp_path / "b", "--key", theirs), code=1)
    assert f"signed by key {name}, trusted are theirs.pub.pem" in line
    assert "a PEM key file" in refused(pocketrec("verify", tmp_path / "b", "--key", keys / "none.pem"))
    line = refused(pocketrec("recommend", tmp_path / "b", "--prefer", "Western", "--key", theirs), code=1)
    assert f"signed by key {name}" in line
    write_bundle(Run(run), tmp_path / "unsigned")
    assert "not signed" in refused(pocketrec("verify", tmp_path / "unsigned", "--key", ours), code=1)


def test_keys_are_rotated_by_trusting_both_for_a_while(run, tmp_path, keys):
    both = [keys / "ours.pub.pem", keys / "theirs.pub.pem"]
    for version, name in enumerate(("ours", "theirs"), start=1):
        wish = BundleOptions(sign_key=keys / f"{name}.pem", version=version)
        write_bundle(Run(run), tmp_path / name, wish)
        assert verify_bundle(tmp_path / name, keys=both).manifest.version == version
    with pytest.raises(CheckFailed, match="signed by key"):
        verify_bundle(tmp_path / "ours", keys=both[1:])


def test_another_keys_signature_under_our_id_is_refused(run, tmp_path, keys):
    write_bundle(Run(run), tmp_path / "b", BundleOptions(sign_key=keys / "ours.pem"))
    forged = read_private_key(keys / "theirs.pem").sign((tmp_path / "b" / "manifest.json").read_bytes())
    (tmp_path / "b" / "manifest.sig").write_bytes(forged)
    with pytest.raises(CheckFailed, match=r"was not signed by ours\.pub\.pem"):
        verify_bundle(tmp_path / "b", keys=[keys / "ours.pub.pem"])


def test_manifest_edited_after_signing_is_refused(run, pocketrec, tmp_path, keys):
    pocketrec("bundle", run, "--out", tmp_path / "b", "--sign", keys / "ours.pem")
    path = tmp_path / "b" / "manifest.json"
    path.write_text(path.read_text().replace('"version": 1', '"version": 2'))
    assert "changed afterwards" in refused(pocketrec("verify", tmp_path / "b", "--key", keys / "ours.pub.pem"), code=1)


def test_signature_is_the_standard_one(run, pocketrec, tmp_path, keys):
    """Another implementation accepts it: Ed25519 over the manifest's bytes."""
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    pocketrec("bundle", run, "--out", tmp_path / "b", "--sign", keys / "ours.pem")
    signature = (tmp_path / "b" / "manifest.sig").read_bytes()
    assert len(signature) == 64
    load_pem_public_key((keys / "ours.pub.pem").read_bytes()).verify(
        signature, (tmp_path / "b" / "manifest.json").read_bytes()
    )


def test_golden_tensors_survive_json_in_every_dtype():
    for array in (
        np.array([1.5, -np.inf], np.float32),
        np.array([[1], [2]], np.int32),
        np.array([True, False]),
        np.array([b"\xc3\xa9", b"x"]),
    ):
        again = decode(json.loads(json.dumps(encode(array))))
        assert again.shape == array.shape and np.array_equal(again, array)
    with pytest.raises(CheckFailed, match="malformed tensor"):
        decode({"dtype": "float32", "shape": [3], "base64": "AAAA"})


def test_golden_difference_knows_ties_from_faults():
    ids, scores = np.arange(10, dtype=np.int32), np.linspace(2, 1, 10).astype(np.float32)
    assert (
        difference({"ids": ids, "scores": scores}, {"ids": ids[[1, 0, *range(2, 10)]], "scores": scores + 1e-4}, 1e-3)
        == ""
    )
    assert "differs by more than" in difference({"scores": scores}, {"scores": scores + 1}, 1e-3)
    assert "shares 50% of its ids" in difference({"ids": ids}, {"ids": ids + 5}, 1e-3)
    assert "differs by more than" in difference({"scores": scores}, {"scores": scores * np.float32("nan")}, 1e-3)
    assert "instead of" in difference({"ids": ids}, {"ids": ids[:5]}, 1e-3)


def test_killed_while_writing_nothing_stands_under_the_name(run, tmp_path):
    import signal
    import sys

    program = (
        "import os, signal; from pathlib import Path; from pocketrec.android_assets.writing import writer as bundle\n"
        "from pocketrec.core.run_dir import Run\n"
        "bundle.make_golden = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"bundle.write_bundle(Run(Path({str(run)!r})), Path({str(tmp_path / 'b')!r}))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -signal.SIGKILL
    assert not (tmp_path / "b").exists()
