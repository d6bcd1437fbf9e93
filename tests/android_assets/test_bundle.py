import json
import os
import subprocess

import pytest
from pocketrec.android_assets.bundle import write_bundle
from pocketrec.android_assets.golden import decode, difference, encode
from pocketrec.train.artifacts import PARITY_SCHEMA, Run, read_json, sha256_file, sha256_tree, write_json
from pocketrec.train.errors import CheckFailed

from tests.conftest import refused


def manifest_of(folder):
    return json.loads((folder / "manifest.json").read_text())


def test_manifest_says_what_is_there(run):
    manifest = manifest_of(run / "bundle")
    assert manifest["schema"] == "pocketrec.bundle/1" and manifest["signature"] is None
    assert [(m["graph"], m["recipe"]) for m in manifest["models"]] == [
        ("ranker", "dynamic_int8"),
        ("retriever", "dynamic_int8"),
    ]
    assert {(v["name"], v["size"], v["oov_index"]) for v in manifest["vocabularies"]} == {
        ("items", 1682, 1682),
        ("preferences", 49, 49),
        ("genres", 19, 19),
    }
    for entry in manifest["files"]:
        path = run / "bundle" / entry["path"]
        assert (entry["sha256"], entry["bytes"]) == (sha256_file(path), path.stat().st_size)
    assert {row["status"] for row in manifest["parity"]} == {"pass"} and len(manifest["parity"]) == 12


def test_nothing_of_the_history_leaves_with_the_bundle(run):
    assert {p.name for p in (run / "bundle").rglob("*") if p.is_file()} == {
        "manifest.json", "golden.json", "items.json", "items.txt", "preferences.txt", "genres.txt",
        "ranker-dynamic_int8.tflite", "retriever-dynamic_int8.tflite",
    }  # fmt: skip


def test_made_twice_it_has_the_same_bytes(run, tmp_path, pocketrec):
    write_bundle(Run(run), tmp_path / "a")
    old = os.umask(0o077)
    try:
        done = pocketrec("bundle", run, "--out", tmp_path / "b", env={"TZ": "Asia/Tokyo", "LC_ALL": "C"})
    finally:
        os.umask(old)
    assert done.code == 0, done.err
    assert sha256_tree(tmp_path / "a") == sha256_tree(tmp_path / "b") == sha256_tree(run / "bundle")
    modes = {p.relative_to(tmp_path / "b"): p.stat().st_mode for p in (tmp_path / "b").rglob("*")}
    assert modes == {p.relative_to(tmp_path / "a"): p.stat().st_mode for p in (tmp_path / "a").rglob("*")}


def test_auto_takes_the_smallest_that_passed_and_says_why_not_a_smaller(own_run, tmp_path, pocketrec):
    parity = read_json(own_run / "reports" / "parity.json", PARITY_SCHEMA)
    for row in parity["results"]:
        if (row["graph"], row["recipe"], row["runtime"]) == ("ranker", "int4_rows", "litert-2.3.0"):
            row |= {"status": "fail", "reason": "planted"}
    write_json(own_run / "reports" / "parity.json", parity)
    done = pocketrec("bundle", own_run, "--auto", "--out", tmp_path / "bundle")
    assert done.code == 0 and "passed over ranker int4_rows: fail on litert-2.3.0: planted" in done.out
    chosen = {(m["graph"], m["recipe"]) for m in manifest_of(tmp_path / "bundle")["models"]}
    assert chosen == {("ranker", "dynamic_int8"), ("retriever", "int4_rows")}


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
    from cryptography.hazmat.primitives import serialization as s
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    folder = tmp_path_factory.mktemp("keys")
    for name in ("ours", "theirs"):
        key = Ed25519PrivateKey.generate()
        private = key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption())
        (folder / f"{name}.pem").write_bytes(private)
        public = key.public_key().public_bytes(s.Encoding.PEM, s.PublicFormat.SubjectPublicKeyInfo)
        (folder / f"{name}.pub.pem").write_bytes(public)
    return folder


def test_signed_bundle_verifies_with_its_key_only(run, pocketrec, tmp_path, keys):
    assert pocketrec("bundle", run, "--out", tmp_path / "b", "--sign", keys / "ours.pem").code == 0
    assert pocketrec("verify", tmp_path / "b", "--key", keys / "ours.pub.pem").code == 0
    assert pocketrec("verify", tmp_path / "b").code == 0
    assert "was not signed by theirs.pub.pem" in refused(
        pocketrec("verify", tmp_path / "b", "--key", keys / "theirs.pub.pem"), code=1
    )
    assert "a PEM key file" in refused(pocketrec("verify", tmp_path / "b", "--key", keys / "none.pem"))
    assert "not signed" in refused(pocketrec("verify", run / "bundle", "--key", keys / "ours.pub.pem"), code=1)


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
    import numpy as np

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
    import numpy as np

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
        "import os, signal; from pathlib import Path; from pocketrec.android_assets import bundle\n"
        "from pocketrec.train.artifacts import Run\n"
        "bundle.make_vectors = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"bundle.write_bundle(Run(Path({str(run)!r})), Path({str(tmp_path / 'b')!r}))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -signal.SIGKILL
    assert not (tmp_path / "b").exists()
