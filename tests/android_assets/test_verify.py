"""Every way in which a bundle can be broken is refused, with the reason named and exit status 1."""

import base64
import json
import os
import shutil

import pytest
from pocketrec.android_assets.verify import verify_bundle
from pocketrec.train.artifacts import sha256_file
from pocketrec.train.errors import CheckFailed

from tests.conftest import refused


def edit(folder, change):
    manifest = json.loads((folder / "manifest.json").read_text())
    change(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def rehash(folder, name):
    """Make the manifest agree with a changed file, as a careless or hostile editor would."""

    def change(manifest):
        entry = next(e for e in manifest["files"] if e["path"] == name)
        entry |= {"sha256": sha256_file(folder / name), "bytes": (folder / name).stat().st_size}

    edit(folder, change)


def flip(path, position=None):
    data = bytearray(path.read_bytes())
    data[len(data) // 2 if position is None else position] ^= 1
    path.write_bytes(data)


def test_untouched_bundle_verifies(run, pocketrec):
    done = pocketrec("verify", run / "bundle")
    assert done.code == 0 and "4 golden vectors replayed" in done.out


@pytest.mark.parametrize(
    "name", ["models/ranker-dynamic_int8.tflite", "vocabularies/items.txt", "items.json", "golden.json"]
)
def test_one_flipped_bit_in_any_file(own_bundle, name):
    flip(own_bundle / name)
    with pytest.raises(CheckFailed, match=f"{name}: sha256 differs"):
        verify_bundle(own_bundle)


def break_truncate(folder):
    path = folder / "models" / "retriever-dynamic_int8.tflite"
    path.write_bytes(path.read_bytes()[:-1])


def break_exchange(folder):
    a, b = folder / "models" / "retriever-dynamic_int8.tflite", folder / "models" / "ranker-dynamic_int8.tflite"
    data = a.read_bytes()
    a.write_bytes(b.read_bytes())
    b.write_bytes(data)
    rehash(folder, "models/retriever-dynamic_int8.tflite")
    rehash(folder, "models/ranker-dynamic_int8.tflite")


def break_vocabulary(folder, change):
    path = folder / "vocabularies" / "items.txt"
    lines = path.read_text().split("\n")
    change(lines)
    path.write_text("\n".join(lines))
    rehash(folder, "vocabularies/items.txt")


def break_symlink(folder):
    path = folder / "golden.json"
    shutil.move(path, folder.parent / "elsewhere.json")
    path.symlink_to(folder.parent / "elsewhere.json")


def rename_in_manifest(folder, name):
    def change(manifest):
        manifest["files"][0]["path"] = name
        manifest["golden"] = name if manifest["files"][0]["role"] == "golden" else manifest["golden"]

    edit(folder, change)


def change_golden(folder):
    path = folder / "golden.json"
    golden = json.loads(path.read_text())
    vector = next(v for v in golden["vectors"] if "ranker" in v["model"])
    tensor = next(iter(vector["outputs"].values()))
    tensor["base64"] = base64.b64encode(b"\0\0\x80\x3f" * tensor["shape"][0]).decode()
    path.write_text(json.dumps(golden))
    rehash(folder, "golden.json")


def drop_golden_of_a_model(folder):
    path = folder / "golden.json"
    golden = json.loads(path.read_text())
    golden["vectors"] = [v for v in golden["vectors"] if "ranker" in v["model"]]
    path.write_text(json.dumps(golden))
    rehash(folder, "golden.json")


BREAKAGES = {
    "truncated file": (break_truncate, "bytes, the manifest says"),
    "missing file": (lambda f: (f / "items.json").unlink(), "items.json: missing"),
    "extra file": (lambda f: (f / "models" / "extra.tflite").write_text("x"), "extra.tflite: not declared"),
    "renamed file": (lambda f: (f / "items.json").rename(f / "things.json"), "things.json: not declared"),
    "models exchanged": (break_exchange, "inputs or outputs differ"),
    "manifest missing": (lambda f: (f / "manifest.json").unlink(), "manifest.json: missing"),
    "manifest not JSON": (lambda f: (f / "manifest.json").write_text("{"), "not JSON"),
    "schema from the future": (
        lambda f: edit(f, lambda m: m.update(schema="pocketrec.bundle/2")),
        "this kit reads pocketrec.bundle/1",
    ),
    "manifest without files": (lambda f: edit(f, lambda m: m.pop("files")), "malformed"),
    "model not among the files": (
        lambda f: edit(f, lambda m: m["models"][0].update(file="models/none.tflite")),
        "not among the files",
    ),
    "absolute path": (lambda f: rename_in_manifest(f, "/etc/passwd"), "not a plain relative path"),
    "path upwards": (lambda f: rename_in_manifest(f, "../golden.json"), "not a plain relative path"),
    "case collision": (
        lambda f: edit(f, lambda m: m["files"].append({**m["files"][0], "path": m["files"][0]["path"].upper()})),
        "case",
    ),
    "symlink": (break_symlink, "golden.json: a link or device"),
    "device file": (lambda f: os.mkfifo(f / "pipe"), "pipe: a link or device"),
    "stray signature": (lambda f: (f / "manifest.sig").write_bytes(bytes(64)), "manifest.sig: not declared"),
    "signature missing": (lambda f: edit(f, lambda m: m.update(signature="manifest.sig")), "manifest.sig is missing"),
    "vocabulary row twice": (
        lambda f: break_vocabulary(f, lambda lines: lines.__setitem__(3, lines[4])),
        "stands there twice",
    ),
    "vocabulary row missing": (
        lambda f: break_vocabulary(f, lambda lines: lines.pop(3)),
        "1681 tokens, the manifest says 1682",
    ),
    "wrong oov index": (
        lambda f: edit(f, lambda m: m["vocabularies"][0].update(oov_index=0)),
        "oov_index 0, expected 1682",
    ),
    "golden answer changed": (change_golden, "differs by more than"),
    "golden of a model dropped": (drop_golden_of_a_model, "models and golden vectors differ"),
}


@pytest.mark.parametrize("name", BREAKAGES)
def test_breakage_is_refused_with_its_reason(own_bundle, name):
    damage, reason = BREAKAGES[name]
    # Parts that are named by another entry move along with it, so that the planted fault is the only one.
    damage(own_bundle)
    with pytest.raises(CheckFailed) as error:
        verify_bundle(own_bundle)
    assert reason in str(error.value) or (
        name in ("absolute path", "path upwards") and "plain relative path" in str(error.value)
    )


def test_a_corrupted_model_is_refused_by_every_command(own_bundle, pocketrec):
    flip(own_bundle / "models" / "retriever-dynamic_int8.tflite")
    assert "sha256 differs" in refused(pocketrec("verify", own_bundle), code=1)
    assert "sha256 differs" in refused(pocketrec("recommend", own_bundle, "--prefer", "Western"), code=1)


def test_a_weight_changed_under_a_fresh_hash_is_caught_by_the_golden_vectors(own_bundle):
    """Hashes that agree are not enough: the file must also answer as it did when it was bundled."""
    import numpy as np
    from pocketrec.convert.operators import GraphEditor

    name = "models/ranker-dynamic_int8.tflite"
    path = own_bundle / name
    editor = GraphEditor(path.read_bytes())
    codes = next(i for i, t in enumerate(editor.graph.tensors) if t.name and t.name.endswith(b"/scales"))
    gathered = next(int(op.outputs[0]) for op in editor.ops if codes in [int(i) for i in op.inputs])
    editor.tensor(gathered).quantization.scale = editor.tensor(gathered).quantization.scale * np.float32(40)
    path.write_bytes(editor.pack())
    rehash(own_bundle, name)
    with pytest.raises(CheckFailed, match="golden vector"):
        verify_bundle(own_bundle)


def test_no_such_directory_is_wrong_usage(pocketrec, tmp_path):
    assert "expected a bundle directory" in refused(pocketrec("verify", tmp_path / "none"))
