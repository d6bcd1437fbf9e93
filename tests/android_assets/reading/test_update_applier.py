"""Updates on the receiving side: refused with a code, or applied whole."""

import base64
import json
import os
import shutil
from dataclasses import replace
from types import SimpleNamespace

import pytest
from pocketrec.android_assets.format.manifest_rules import read_manifest
from pocketrec.android_assets.reading.update_applier import apply_update, verify_update
from pocketrec.android_assets.reading.update_compatibility import check_follows
from pocketrec.android_assets.reading.verify import open_bundle, verify_bundle
from pocketrec.android_assets.writing.options import BundleOptions, UpdateOptions
from pocketrec.android_assets.writing.update_writer import write_update
from pocketrec.android_assets.writing.writer import write_bundle
from pocketrec.android_assets.writing.zip_writer import write_zip
from pocketrec.core.files.hashing import sha256_tree
from pocketrec.core.run_dir import Run

from tests.android_assets.asking import recommend
from tests.android_assets.updating import FIRST, edit, read, rehash
from tests.conftest import raises, refused


@pytest.fixture
def update(chain, tmp_path):
    """A copy of the update from 1 to 2 that a test may damage."""
    return shutil.copytree(chain.updates[2], tmp_path / "update")


def test_an_update_verifies_with_its_base_and_is_named_without(chain, pocketrec):
    done = verify_update(chain.updates[2], chain.bundles[1])
    assert "version 2 may follow 1" in done.checks[0] and "+2 items" in done.checks[0]
    assert "4 golden queries replayed" in done.checks[-1] and done.manifest.version == 2
    line = refused(pocketrec("verify", chain.updates[2]))
    assert "--base BUNDLE" in line and line.endswith("[UPDATE_INCOMPATIBLE]")
    with raises("UPDATE_INCOMPATIBLE"):
        recommend(chain.updates[2], prefer=["Western"])


def test_an_update_may_be_a_zip(chain, tmp_path):
    write_zip(chain.updates[2], tmp_path / "update.zip")
    write_zip(chain.bundles[1], tmp_path / "base.zip")
    assert verify_update(str(tmp_path / "update.zip"), tmp_path / "base.zip").manifest.version == 2
    installed = chain.installed(tmp_path)
    assert apply_update(installed, tmp_path / "update.zip").manifest.version == 2
    assert sha256_tree(installed) == sha256_tree(chain.bundles[2])


def test_an_update_may_skip_versions(chain):
    """All of the catalogue is in it, so that 3 fits 1 as well as 2."""
    assert verify_update(chain.updates[3], chain.bundles[1]).manifest.version == 3


def break_golden(update):
    golden = json.loads((update / "golden.json").read_text())
    tensor = golden["vectors"][0]["outputs"]["query"]
    tensor["base64"] = base64.b64encode(bytes(len(base64.b64decode(tensor["base64"])))).decode()
    (update / "golden.json").write_text(json.dumps(golden))
    rehash(update, "golden.json")


def flip(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def change(**fields):
    return lambda u: edit(u, lambda m: m.update(fields))


def from_base(path):
    return lambda u: edit(u, lambda m: m["update"]["from_base"].append(path))


BREAKAGES = {
    "another bundle": (change(name="another"), "UPDATE_INCOMPATIBLE", "another"),
    "same version": (change(version=1), "UPDATE_NOT_NEWER", "version 1"),
    "flipped bit": (lambda u: flip(u / "candidates.npy"), "FILE_HASH", "candidates.npy"),
    "contract": (lambda u: (flip(u / "candidates.npy"), rehash(u, "candidates.npy")), "CONTRACT_MISMATCH", "contract"),
    "file missing": (lambda u: (u / "items.json").unlink(), "FILE_MISSING", "items.json"),
    "file too many": (lambda u: (u / "extra").write_text("x"), "FILE_UNDECLARED", "extra"),
    "link": (lambda u: (u / "link").symlink_to("/etc/passwd"), "FILE_UNDECLARED", "link"),
    "device": (lambda u: os.mkfifo(u / "pipe"), "FILE_UNDECLARED", "pipe"),
    "no JSON": (lambda u: (u / "manifest.json").write_text("{"), "MANIFEST_INVALID", "manifest.json"),
    "no files": (lambda u: edit(u, lambda m: m.pop("files")), "MANIFEST_INVALID", "files"),
    "huge": (lambda u: (u / "manifest.json").write_text(" " * (17 << 20)), "FILE_SIZE", "manifest.json"),
    "no list": (lambda u: edit(u, lambda m: m["update"].update(from_base="all")), "MANIFEST_INVALID", "from_base"),
    "no base version": (
        lambda u: edit(u, lambda m: m["update"].pop("base_version")),
        "MANIFEST_INVALID",
        "base_version",
    ),
    "a path outside": (from_base("../../etc/passwd"), "MANIFEST_INVALID", "from_base"),
    "another file of the base": (from_base("candidates.npy"), "UPDATE_INCOMPATIBLE", "candidates.npy"),
    "golden answer": (break_golden, "UPDATE_UNFAITHFUL", "golden vector 0"),
}


@pytest.mark.parametrize("name", BREAKAGES)
def test_what_is_wrong_with_an_update_is_named_and_changes_nothing(chain, update, tmp_path, name):
    damage, code, word = BREAKAGES[name]
    damage(update)
    installed = chain.installed(tmp_path)
    for attempt in (verify_update, lambda update, base: apply_update(base, update)):
        with raises(code) as refusal:
            attempt(update, installed)
        assert word in str(refusal.value)
    assert sha256_tree(installed) == sha256_tree(chain.bundles[1])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["installed", "update"]


def test_another_encoder_needs_a_full_bundle(chain, tiny, update, tmp_path):
    other = tmp_path / "float32"
    write_bundle(Run(tiny), other, BundleOptions(layout="split", recipe="float32", version=2))
    with raises("UPDATE_INCOMPATIBLE") as refusal:
        verify_update(update, other, allow_downgrade=True)
    assert "query_encoder-dynamic_int8.tflite" in str(refusal.value)
    edit(other, lambda m: m.update(update={"base_version": 1, "from_base": []}))
    with raises("UPDATE_INCOMPATIBLE") as refusal:
        verify_update(other, chain.bundles[1])
    assert "encoder" in str(refusal.value)


def test_a_catalogue_inside_a_model_has_no_updates(chain, tiny, update, tmp_path):
    with raises("UPDATE_INCOMPATIBLE") as refusal:
        verify_update(update, tiny / "bundle")
    assert "cascade" in str(refusal.value)
    shutil.copytree(tiny / "bundle", tmp_path / "cascade")
    edit(tmp_path / "cascade", lambda m: m.update(version=2, update={"base_version": 1, "from_base": []}))
    with raises("UPDATE_INCOMPATIBLE") as refusal:
        verify_update(tmp_path / "cascade", chain.bundles[1])
    assert "cascade" in str(refusal.value)


def test_ids_keep_their_meaning(chain, tiny, tmp_path):
    """Two updates of version 1 that bring different items: one does not go on from the other."""
    (tmp_path / "new.csv").write_text(FIRST.replace("N1", "X1"))
    options = UpdateOptions(base=chain.bundles[1], new_items=tmp_path / "new.csv", version=9)
    write_update(Run(tiny), tmp_path / "fork", options)
    assert verify_update(tmp_path / "fork", chain.bundles[1]).manifest.version == 9
    with raises("UPDATE_INCOMPATIBLE") as refusal:
        verify_update(tmp_path / "fork", chain.bundles[2])
    assert "items" in str(refusal.value)


def test_dimension_and_vocabularies_are_the_bases(chain):
    base, new = (open_bundle(chain.bundles[version]) for version in (1, 2))
    check_follows(base, new)
    manifest = new.manifest
    n, d = manifest.candidates.shape
    other = [replace(row, sha256="0" * 64) if row.path == "vocabularies/genres.txt" else row for row in manifest.files]
    changed = {
        f"have {d // 2} elements": replace(manifest, candidates=replace(manifest.candidates, shape=[n, d // 2])),
        "vocabulary of genres is": replace(manifest, files=other),
        "vocabulary of genres is not": replace(
            manifest, vocabularies=[row for row in manifest.vocabularies if row.name != "genres"]
        ),
    }
    for word, of in changed.items():
        with raises("UPDATE_INCOMPATIBLE") as refusal:
            check_follows(base, SimpleNamespace(manifest=of, catalogue=new.catalogue))
        assert word in str(refusal.value)


def test_a_downgrade_is_refused_unless_asked_for(chain, tmp_path, pocketrec):
    installed = chain.installed(tmp_path, 3)
    line = refused(pocketrec("update", installed, chain.updates[2]), code=1)
    assert "--allow-downgrade" in line and line.endswith("[UPDATE_NOT_NEWER]")
    with raises("UPDATE_NOT_NEWER"):
        verify_update(chain.updates[2], installed)
    assert "-1 items" in verify_update(chain.updates[2], installed, allow_downgrade=True).checks[0]
    apply_update(installed, chain.updates[2], allow_downgrade=True)
    assert sha256_tree(installed) == sha256_tree(chain.bundles[2])


def test_applied_it_is_the_whole_next_bundle(chain, tmp_path, pocketrec):
    installed = chain.installed(tmp_path)
    done = pocketrec("update", installed, chain.updates[2])
    name = read(installed)["name"]
    assert done.code == 0 and f"is {name} version 2" in done.out, done.err
    assert verify_bundle(installed).manifest.update.base_version == 1
    assert [path.name for path in tmp_path.iterdir()] == ["installed"]
    modes = {path.stat().st_mode & 0o777 for path in installed.rglob("*") if path.is_file()}
    assert modes == {0o644} and installed.stat().st_mode & 0o777 == 0o755
    with raises("UPDATE_NOT_NEWER"):
        apply_update(installed, chain.updates[2])


def test_new_items_are_recommended_and_left_out_once_seen(chain):
    new = "The Silver Frontier (1998)"
    with raises("ITEM_UNKNOWN"):
        recommend(chain.bundles[1], history=[new])
    some = [
        item["id"] for item in json.loads((chain.bundles[1] / "items.json").read_text()) if "Western" in item["genres"]
    ]
    asked = {"history": [f"{token}=5" for token in some[:2]], "genres": ["Western"], "top": 40}
    before, after = (recommend(chain.bundles[version], **asked).items for version in (1, 2))
    kept = [item.id for item in after if item.id != "N1"]
    assert kept == [item.id for item in before][: len(kept)]
    assert [(item.title, item.genres) for item in after if item.id == "N1"] == [(new, ["Western", "Drama"])]
    asked["history"].append(f"{new}=4")
    assert "N1" not in {item.id for item in recommend(chain.bundles[2], **asked).items}


@pytest.mark.parametrize(
    ("call", "code", "word"),
    [
        (lambda p: apply_update("/none", p["update"]), "INPUT_MISSING", "/none"),
        (lambda p: apply_update(p["file"], p["update"]), "INPUT_UNREADABLE", "file"),
        (lambda p: apply_update(p["base"], "/none"), "INPUT_MISSING", "/none"),
        (lambda p: apply_update(p["base"], p["empty"]), "MANIFEST_MISSING", "empty"),
        (lambda p: apply_update(p["base"], p["base"]), "UPDATE_INCOMPATIBLE", "a whole bundle"),
        (lambda p: verify_update(p["base"], p["base"]), "UPDATE_INCOMPATIBLE", "without --base"),
        (lambda p: verify_update(p["update"], "/none"), "INPUT_MISSING", "/none"),
        (lambda p: apply_update(p["signed"], p["update"], keys=["/none.pem"]), "KEY_INVALID", "/none.pem"),
    ],
)
def test_bad_arguments_are_one_line(chain, signed, tmp_path, call, code, word):
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    places = {name: tmp_path / name for name in ("file", "empty")}
    places |= {"base": chain.installed(tmp_path), "update": chain.updates[2]}
    places["signed"] = shutil.copytree(signed.folder / "split", tmp_path / "signed")
    with raises(code) as refusal:
        call(places)
    assert word in str(refusal.value) and refusal.value.exit_code == 2


def test_a_downgrade_is_for_updates_only(chain, pocketrec):
    assert "[OPTION_MISSING]" in refused(pocketrec("verify", chain.bundles[1], "--allow-downgrade"))


def test_keys_are_asked_of_base_and_update(chain, signed, tiny, update, tmp_path):
    base, new = shutil.copytree(signed.folder / "split", tmp_path / "base"), tmp_path / "new.csv"
    new.write_text(FIRST)
    for name, key in (("ours", signed.private), ("theirs", signed.private_other)):
        write_update(Run(tiny), tmp_path / name, UpdateOptions(base=base, new_items=new, sign_key=key))
    ours, theirs = [signed.key], [signed.key, signed.other]
    assert verify_update(tmp_path / "ours", base, keys=ours).manifest.version == 2
    assert verify_update(tmp_path / "theirs", base, keys=theirs).manifest.version == 2, "keys may change hands"
    for shipped, of, code in (
        (tmp_path / "theirs", base, "SIGNATURE_UNTRUSTED"),
        (update, base, "SIGNATURE_MISSING"),
        (tmp_path / "ours", chain.bundles[1], "SIGNATURE_MISSING"),
    ):
        with raises(code):
            verify_update(shipped, of, keys=ours)
    edit(tmp_path / "ours", lambda manifest: manifest.update(version=3))
    with raises("SIGNATURE_INVALID"):
        apply_update(base, tmp_path / "ours", keys=ours)
    assert read_manifest((base / "manifest.json").read_bytes()).version == 1
