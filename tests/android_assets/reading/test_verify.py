"""Every way in which a bundle can be broken is refused, with the reason named and exit status 1; mostly as folder and as zip."""

import base64
import json
import os
import shutil
import socket
import struct

import numpy as np
import pytest
from pocketrec.android_assets.answering import bundle_inference as answering
from pocketrec.android_assets.format.contract import contract_sha256
from pocketrec.android_assets.reading.verify import verify_bundle
from pocketrec.android_assets.recommend import recommend
from pocketrec.android_assets.writing.writer import Wish, write_bundle
from pocketrec.android_assets.writing.zip_writer import write_zip
from pocketrec.core.errors import CheckFailed, InputError
from pocketrec.core.run_dir import Run

from tests.android_assets.breaking import edit, edit_json, flip, manifest_of, rehash, reseal
from tests.conftest import refused

RETRIEVER, RANKER = "models/retriever-dynamic_int8.tflite", "models/ranker-dynamic_int8.tflite"


def reason_of(where, **options):
    with pytest.raises(CheckFailed) as error:
        verify_bundle(where, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_untouched_bundles_verify_as_folder_and_zip(signed, pocketrec):
    for layout, vectors in (("cascade", 2), ("pair", 4), ("split", 2)):
        for where in (signed.folder / layout, signed.folder / f"{layout}.zip"):
            done = pocketrec("verify", where, "--key", signed.key)
            assert done.code == 0 and f"{vectors} golden vectors and 3 golden queries replayed" in done.out, done.err


def test_user_keyed_models_verify(tutorial_run, tmp_path):
    for layout in ("cascade", "pair"):
        write_bundle(Run(tutorial_run), tmp_path / layout, Wish(layout=layout))
        write_zip(tmp_path / layout, tmp_path / f"{layout}.zip")
        assert verify_bundle(tmp_path / layout) == verify_bundle(tmp_path / f"{layout}.zip")


def test_the_widest_tolerance_of_the_kit_still_passes(run, tmp_path):
    write_bundle(Run(run), tmp_path / "b", Wish(layout="pair", recipe="int4_rows"))
    verify_bundle(tmp_path / "b")


def test_each_model_is_run_in_one_process(signed, monkeypatch):
    started, run_variant = [], answering.run_variant
    monkeypatch.setattr(
        answering, "run_variant", lambda model, *a, **k: started.append(model.name) or run_variant(model, *a, **k)
    )
    for layout, models in (("cascade", 1), ("pair", 2), ("split", 1)):
        verify_bundle(signed.folder / layout)
        assert len(started) == models
        started.clear()


def test_one_flipped_bit_in_any_file(pair, split):
    for folder in (pair, split):
        for name in [row["path"] for row in manifest_of(folder)["files"]]:
            flip(folder / name)
            assert f"{name}: sha256 differs from the manifest's" in reason_of(folder)
            flip(folder / name)
    verify_bundle(pair), verify_bundle(split)


def test_one_flipped_bit_in_manifest_or_signature(pair, signed):
    for name in ("manifest.json", "manifest.sig"):
        for position in range(0, (pair / name).stat().st_size, 61):
            flip(pair / name, position)
            reason_of(pair, keys=[signed.key])
            flip(pair / name, position)
    verify_bundle(pair, keys=[signed.key])


def exchange(folder, *names):
    a, b = (folder / name for name in names)
    data = a.read_bytes()
    a.write_bytes(b.read_bytes())
    b.write_bytes(data)


def exchange_models(folder):
    exchange(folder, RETRIEVER, RANKER)
    rehash(folder, RETRIEVER, RANKER)


def exchange_models_and_rows(folder):
    """With all that can be made to agree by somebody without a key: ports and rows as the files say, contract anew."""
    exchange(folder, RETRIEVER, RANKER)

    def change(manifest):
        first, second = manifest["models"]
        for key in ("inputs", "outputs", "rows", "min_runtime"):
            first[key], second[key] = second[key], first[key]

    edit(folder, change)
    reseal(folder)


def vocabulary(change, name="vocabularies/items.txt"):
    """A change of a vocabulary's lines, its hash made to agree."""

    def damage(folder):
        lines = (folder / name).read_text().split("\n")
        change(lines)
        (folder / name).write_text("\n".join(lines))
        rehash(folder, name)

    return damage


def swap_rows(folder):
    """Two films change places everywhere: a bundle that agrees with itself, but not with the tables inside its models."""

    def change(lines):
        lines[3], lines[4] = lines[4], lines[3]

    vocabulary(change)(folder)
    edit_json(folder, "items.json", change)
    reseal(folder)


def drop_row(folder):
    """A film less everywhere."""
    vocabulary(lambda lines: lines.pop(-2))(folder)
    edit_json(folder, "items.json", lambda items: items.pop())
    edit(folder, lambda m: next(v for v in m["vocabularies"] if v["name"] == "items").update(size=1681, oov_index=1681))
    reseal(folder)


def symlink(folder):
    shutil.move(folder / "golden.json", folder.parent / "elsewhere.json")
    (folder / "golden.json").symlink_to(folder.parent / "elsewhere.json")


def symlinked_folder(folder):
    shutil.move(folder / "models", folder.parent / "models")
    (folder / "models").symlink_to(folder.parent / "models")


def open_socket(folder):
    with socket.socket(socket.AF_UNIX) as here:
        place = os.open(folder, os.O_RDONLY)
        here.bind(f"/proc/self/fd/{place}/plug")
        os.close(place)


def renamed(name, role="golden"):
    """A file that is called so wherever the manifest names it."""

    def damage(folder):
        def change(manifest):
            row = next(row for row in manifest["files"] if row["role"] == role)
            manifest[role], row["path"] = name, name
            manifest["files"].sort(key=lambda row: row["path"])

        edit(folder, change)

    return damage


def twin(name):
    """One file more, called so."""

    def damage(folder):
        def change(manifest):
            manifest["files"].append({**manifest["files"][0], "path": name})
            manifest["files"].sort(key=lambda row: row["path"])

        edit(folder, change)

    return damage


def manifest(**fields):
    return lambda folder: edit(folder, lambda m: m.update(fields))


def manifest_text(old, new):
    def damage(folder):
        path = folder / "manifest.json"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    return damage


def golden(change):
    return lambda folder: edit_json(folder, "golden.json", change)


def constant_answers(document):
    vector = next(v for v in document["vectors"] if v["model"] == RANKER)
    tensor = vector["outputs"]["rating"]
    tensor["base64"] = base64.b64encode(b"\0\0\x80\x3f" * tensor["shape"][0]).decode()


def not_a_number(document):
    tensor = document["vectors"][0]["outputs"]["scores"]
    tensor["base64"] = base64.b64encode(struct.pack("<f", float("nan")) * tensor["shape"][0]).decode()


def each_tolerance(value, part="vectors"):
    return lambda document: [row.update(tolerance=value) for row in document[part]]


def model_bytes(change, name=RANKER):
    """A model file changed, everything but its behaviour made to agree."""

    def damage(folder):
        (folder / name).write_bytes(change((folder / name).read_bytes()))
        reseal(folder)

    return damage


def without_stamp(data):
    from pocketrec.convert.flatbuffer.editor import Editor

    editor = Editor(data)
    editor.model.metadata = [m for m in editor.model.metadata if m.name != b"pocketrec.vocabularies"]
    return editor.pack()


def louder(data):
    """A scale of a table is forty times as large."""
    from pocketrec.convert.flatbuffer.operators import GraphEditor

    editor = GraphEditor(data)
    codes = next(i for i, t in enumerate(editor.graph.tensors) if t.name and t.name.endswith(b"/scales"))
    gathered = next(int(op.outputs[0]) for op in editor.ops if codes in [int(i) for i in op.inputs])
    editor.tensor(gathered).quantization.scale = editor.tensor(gathered).quantization.scale * np.float32(40)
    return editor.pack()


def port_of(model, side, name, **change):
    def damage(folder):
        def change_port(m):
            (found,) = [p for row in m["models"] if row["graph"] == model for p in row[side] if p["name"] == name]
            found.update(change)

        edit(folder, change_port)

    return damage


FOLDER_ONLY = {
    "manifest missing": (lambda f: (f / "manifest.json").unlink(), "manifest.json: missing from"),
    "extra file": (lambda f: (f / "models" / "extra.tflite").write_text("x"), "models/extra.tflite: not declared"),
    "extra folder": (lambda f: (f / "empty").mkdir(), "empty: not declared"),
    "strange name": (lambda f: (f / "a\x1b[2J\n").write_text("x"), "'a\\x1b[2J\\n': not declared"),
    "symlink": (symlink, "golden.json: a link or device"),
    "symlinked folder": (symlinked_folder, "models: a link or device"),
    "symlinked manifest": (lambda f: (f.joinpath("manifest.json").rename(f.parent / "m"),
                                      (f / "manifest.json").symlink_to(f.parent / "m")), "manifest.json: missing"),
    "pipe": (lambda f: os.mkfifo(f / "pipe"), "pipe: a link or device"),
    "socket": (open_socket, "plug: a link or device"),
    "file where a folder should be": (
        lambda f: (shutil.rmtree(f / "models"), (f / "models").write_text("")),
        "models: not declared",
    ),
    "folder where a file should be": (
        lambda f: ((f / "items.json").unlink(), (f / "items.json").mkdir()),
        "items.json: not declared",
    ),
}  # fmt: skip

BREAKAGES = {
    "truncated file": (lambda f: (f / RETRIEVER).write_bytes((f / RETRIEVER).read_bytes()[:-1]), f"{RETRIEVER}: "),
    "file over its size": (
        lambda f: (f / RETRIEVER).write_bytes((f / RETRIEVER).read_bytes() + b"\0"),
        "bytes, the manifest says",
    ),
    "missing file": (lambda f: (f / "items.json").unlink(), "items.json: missing"),
    "renamed file": (lambda f: (f / "items.json").rename(f / "things.json"), "things.json: not declared"),
    "files swapped": (lambda f: exchange(f, "items.json", "golden.json"), "bytes, the manifest says"),
    "models exchanged": (exchange_models, "inputs or outputs differ"),
    "models exchanged, manifest too": (exchange_models_and_rows, "are not a"),
    "manifest not JSON": (lambda f: (f / "manifest.json").write_text("{"), "manifest.json: not JSON"),
    "manifest not UTF-8": (lambda f: (f / "manifest.json").write_bytes(b'{"schema": "\xff"}'), "manifest.json: not UTF-8"),
    "manifest a list": (lambda f: (f / "manifest.json").write_text("[]"), "schema None, this kit reads"),
    "manifest deep": (lambda f: (f / "manifest.json").write_text("[" * 100_000), "manifest.json: not JSON"),
    "manifest huge": (lambda f: (f / "manifest.json").write_bytes(b" " * (1 << 24) + b"{}"), "manifest.json: larger than"),
    "key twice": (manifest_text('"version"', '"version": 1, "version"'), "'version' stands there twice"),
    "no number": (manifest_text('"version": 1', '"version": NaN'), "NaN is no number"),
    "infinite number": (manifest_text('"version": 1', '"version": 1e999'), "out of range"),
    "half a character": (manifest_text('"kit_version": "', '"kit_version": "\\ud800'), "half a character"),
    "schema from the future": (
        manifest(schema="pocketrec.bundle/2"),
        "schema 'pocketrec.bundle/2', this kit reads pocketrec.bundle/1",
    ),
    "schema of another kind": (manifest(schema=["pocketrec.bundle/1"]), "this kit reads pocketrec.bundle/1"),
    "manifest without files": (lambda f: edit(f, lambda m: m.pop("files")), "malformed: files is missing"),
    "version a text": (manifest(version="1"), "version is '1', expected 1 to 2147483647"),
    "version true": (manifest(version=True), "version is True"),
    "version too high": (manifest(version=2**31), "version is 2147483648"),
    "name with an escape": (manifest(name="\x1b[2J"), "malformed: name is"),
    "unknown layout": (manifest(layout="trio"), "layout is 'trio', expected one of cascade, pair, split"),
    "other layout": (manifest(layout="cascade"), "graphs retriever, ranker, a cascade bundle has recommender"),
    "window changed": (manifest(window=100), "history is int32[200], this bundle needs int32[100]"),
    "window dropped": (manifest(window=None), "this bundle needs int32[None]"),
    "rating range turned": (manifest(rating_range=[5, 1]), "rating_range is [5, 1]"),
    "weight a text": (manifest(stars_weight="0.5"), "stars_weight is '0.5'"),
    "k beyond the catalogue": (manifest(k=1683), "k is 1683, there are 1682 items"),
    "k changed": (manifest(k=50), "ids is int32[100], this bundle needs int32[50]"),
    "a gate missed": (lambda f: edit(f, lambda m: m["parity"][0].update(status="fail")), "rows that passed"),
    "contract changed": (manifest(contract="0" * 64), "contract: vocabularies, items, tables and models are not those"),
    "recipe changed": (lambda f: edit(f, lambda m: m["models"][0].update(recipe="float32")), "contract: "),
    "runtime changed": (lambda f: edit(f, lambda m: m["models"][0].update(min_runtime="1.5.0")), "needs runtime"),
    "port's shape changed": (port_of("retriever", "inputs", "seen", shape=[1681]), "inputs or outputs differ"),
    "port's dtype changed": (port_of("ranker", "outputs", "rating", dtype="float16"), "inputs or outputs differ"),
    "port twice": (lambda f: edit(f, lambda m: m["models"][0]["inputs"].append(m["models"][0]["inputs"][0])), "inputs twice"),
    "rows changed": (lambda f: edit(f, lambda m: m["models"][0]["rows"].update(items=1682)), "its tables have rows for"),
    "update malformed": (manifest(update={"base_version": 1, "from_base": ["none"]}), "update from_base"),
    "candidates in a pair": (manifest(candidates={}), "None is used but not among the files"),
    "key without signature": (manifest(signature=None), "key_id and signature: expected both, or neither"),
    "model not among the files": (
        lambda f: edit(f, lambda m: m["models"][0].update(file="models/none.tflite")),
        "'models/none.tflite' is used but not among the files",
    ),
    "role changed": (lambda f: edit(f, lambda m: m["files"][0].update(role="items")), "has the role items, expected golden"),
    "role unknown": (lambda f: edit(f, lambda m: m["files"][0].update(role="code")), "role is 'code'"),
    "stray file declared": (twin("stray.bin"), "stray.bin is not used by anything"),
    "size negative": (lambda f: edit(f, lambda m: m["files"][0].update(bytes=-1)), "bytes is -1"),
    "size beyond its role": (lambda f: edit(f, lambda m: m["files"][0].update(bytes=1 << 40)), "a golden file has at most"),
    "path no text": (lambda f: edit(f, lambda m: m["files"][0].update(path=["x"])), "path is ['x'], expected text"),
    "files out of order": (lambda f: edit(f, lambda m: m["files"].reverse()), "not in the order of their paths"),
    "file declared twice": (twin("golden.json"), "lists golden.json twice"),
    "absolute path": (renamed("/etc/passwd"), "'/etc/passwd' is not a plain relative path"),
    "path upwards": (renamed("../golden.json"), "'../golden.json' is not a plain relative path"),
    "path upwards within": (renamed("models/../golden.json"), "not a plain relative path"),
    "path with a backslash": (renamed("..\\golden.json"), "not a plain relative path"),
    "path with a drive": (renamed("C:golden.json"), "not a plain relative path"),
    "path with a zero": (renamed("golden.json\0"), "not a plain relative path"),
    "path with a dot": (renamed("./golden.json"), "not a plain relative path"),
    "path with an end of dots": (renamed("golden.json."), "not a plain relative path"),
    "path with an empty part": (renamed("models//golden.json"), "not a plain relative path"),
    "path with an accent": (renamed("gölden.json"), "not a plain relative path"),
    "path too long": (renamed("a" * 201), "not a plain relative path"),
    "manifest among the files": (renamed("Manifest.json"), "lists Manifest.json among the files"),
    "case collision": (twin("GOLDEN.json"), "differ in case only"),
    "case collision of folders": (twin("Models/x.tflite"), "differ in case only"),
    "file and folder": (twin("golden.json/x"), "or are file and folder"),
    "signature missing": (lambda f: (f / "manifest.sig").unlink(), "signature: manifest.sig is missing"),
    "signature cut": (lambda f: (f / "manifest.sig").write_bytes(bytes(63)), "does not have 64 bytes"),
    "signature not declared": (manifest(signature=None, key_id=None), "manifest.sig: not declared"),
    "vocabulary row twice": (vocabulary(lambda lines: lines.__setitem__(3, lines[4])), "another vocabulary of items"),
    "vocabulary row added twice": (
        vocabulary(lambda lines: lines.insert(-1, lines[4])),
        "1683 tokens, the manifest says 1682",
    ),
    "vocabulary row missing": (vocabulary(lambda lines: lines.pop(3)), "1681"),
    "vocabulary without its end": (vocabulary(lambda lines: lines.pop()), "items"),
    "vocabulary rows swapped": (swap_rows, "made for another vocabulary of items"),
    "vocabulary a film shorter": (drop_row, "made for a larger vocabulary"),
    "preferences swapped": (vocabulary(lambda lines: lines.reverse(), "vocabularies/preferences.txt"), "preferences"),
    "oov index changed": (
        lambda f: edit(f, lambda m: m["vocabularies"][0].update(oov_index=0)),
        "oov_index 0, expected 1682",
    ),
    "vocabulary dropped": (lambda f: edit(f, lambda m: m["vocabularies"].pop()), "vocabularies/genres.txt is not used"),
    "items in another order": (
        lambda f: edit_json(f, "items.json", lambda i: i.reverse()),
        "items.json: its order is not that",
    ),
    "items no list": (
        lambda f: ((f / "items.json").write_text("{}"), rehash(f, "items.json")),
        "items.json: expected a list",
    ),
    "item without a title": (
        lambda f: edit_json(f, "items.json", lambda i: i[0].pop("title")),
        "items.json: expected a list",
    ),
    "model no model": (model_bytes(lambda data: b"TFL3" * 99), "expected a .tflite file"),
    "model without vocabularies": (model_bytes(without_stamp), "does not say which vocabularies it was made for"),
    "model that answers otherwise": (model_bytes(louder), "golden vector"),
    "golden schema from the future": (
        golden(lambda g: g.update(schema="pocketrec.golden/2")),
        "this kit reads pocketrec.golden/1",
    ),
    "golden no object": (
        lambda f: ((f / "golden.json").write_text("[]"), rehash(f, "golden.json")),
        "golden.json: schema None",
    ),
    "golden answer changed": (golden(constant_answers), "differs by more than"),
    "golden of a model dropped": (
        golden(lambda g: [g["vectors"].pop(0) for _ in range(2)]),
        "models and golden vectors differ",
    ),
    "golden vectors dropped": (golden(lambda g: g.update(vectors=[])), "expected 1 to 1000 vectors"),
    "golden queries dropped": (golden(lambda g: g.update(queries=[])), "expected 1 to 1000 queries"),
    "golden queries without answers": (
        golden(lambda g: [q.update(items=[], scores=[], stars=[]) for q in g["queries"]]),
        "no answers",
    ),
    "golden tolerance endless": (golden(each_tolerance(1e9)), "a wider one could not fail"),
    "golden tolerance of queries endless": (golden(each_tolerance(1e9, "queries")), "a wider one could not fail"),
    "golden tolerance a text": (golden(each_tolerance("0.1")), "tolerance '0.1'"),
    "golden tolerance negative": (golden(each_tolerance(-1)), "tolerance -1"),
    "golden answer no number": (golden(not_a_number), "scores is not finite"),
    "golden input dropped": (golden(lambda g: g["vectors"][0]["inputs"].pop("seen")), "inputs are not the model's"),
    "golden input of another shape": (
        golden(lambda g: g["vectors"][0]["inputs"]["seen"].update(shape=[2, 841])),
        "input seen is bool[2, 841]",
    ),
    "golden tensor malformed": (
        golden(lambda g: g["vectors"][0]["inputs"]["seen"].update(shape=[-1, 3])),
        "a malformed tensor",
    ),
    "golden item unknown": (golden(lambda g: g["queries"][0]["items"].__setitem__(0, "none")), "'none' is in no vocabulary"),
    "golden history unknown": (golden(lambda g: g["queries"][0].update(history=[["none", 5]])), "'none' is in no vocabulary"),
    "golden stars out of range": (
        golden(lambda g: g["queries"][0].update(history=[["1", 6]])),
        "6 stars, expected null or 1 to 5",
    ),
    "golden list changed": (
        golden(lambda g: g["queries"][0]["items"].__setitem__(slice(0, 2), ["1500", "1501"])),
        "golden query 0: shares 8",
    ),
    "golden top endless": (golden(lambda g: g["queries"][0].update(top=10**9)), "top 1000000000"),
    "golden stars dropped": (golden(lambda g: g["queries"][0].update(stars=None)), "stars are missing"),
}  # fmt: skip


@pytest.mark.parametrize("name", FOLDER_ONLY)
def test_a_broken_folder_is_refused_with_its_reason(pair, name):
    damage, reason = FOLDER_ONLY[name]
    damage(pair)
    assert reason in reason_of(pair)


def refused_as_folder_and_zip(folder, packed, reason):
    assert reason in reason_of(folder)
    write_zip(folder, packed)
    assert reason in reason_of(packed)


@pytest.mark.parametrize("name", BREAKAGES)
def test_a_broken_bundle_is_refused_with_its_reason_as_folder_and_zip(pair, tmp_path, name):
    damage, reason = BREAKAGES[name]
    damage(pair)
    refused_as_folder_and_zip(pair, tmp_path / "b.zip", reason)


def candidates(change, *, seal=True):
    def damage(folder):
        path = folder / "candidates.npy"
        path.write_bytes(change(path.read_bytes()))
        if seal:
            reseal(folder)

    return damage


def declared(**fields):
    return lambda folder: edit(folder, lambda m: m["candidates"].update(fields))


def npy(array, version=(1, 0)):
    import io

    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version=version, allow_pickle=True)
    return stream.getvalue()


def transposed(data):
    import io

    return npy(np.asfortranarray(np.load(io.BytesIO(data))))


SPLIT_BREAKAGES = {
    "candidates of a later format": (candidates(lambda d: npy(np.ones((1682, 64), np.int8), (2, 0))), "not a NumPy array"),
    "candidates no array": (candidates(lambda d: b"x" * len(d)), "candidates.npy: not a NumPy array"),
    "candidates cut": (candidates(lambda d: d[:-1]), "its rows end at"),
    "candidates with a tail": (candidates(lambda d: d + b"\0"), "its rows end at"),
    "candidates in columns": (candidates(transposed), "the manifest says int8"),
    "candidates that run code": (candidates(lambda d: npy(np.array([[print]], object))), "the manifest says int8"),
    "candidates changed": (candidates(lambda d: d[:128] + bytes(len(d) - 128)), "golden query 0"),
    "candidates of other items": (declared(shape=[1681, 64]), "1681 rows for 1682 items"),
    "candidates of other dimensions": (
        declared(shape=[1682, 31]),
        "query is float32[1, 64], this bundle needs float32[1, 31]",
    ),
    "candidates null": (manifest(candidates=None), "candidates.npy is not used by anything"),
    "candidates of doubles": (declared(dtype="float64"), "candidates dtype is 'float64'"),
    "candidates without scale": (declared(scale=None), "candidates of int8 with scale None"),
    "candidates with another scale": (declared(scale=1.5), "contract: "),
    "candidates with scale 0": (declared(scale=0.0), "candidates scale is 0.0"),
    "stars expected": (golden(lambda g: g["queries"][0].update(stars=[])), "stars are not expected"),
}  # fmt: skip


@pytest.mark.parametrize("name", SPLIT_BREAKAGES)
def test_broken_candidates_are_refused_with_their_reason_as_folder_and_zip(split, tmp_path, name):
    damage, reason = SPLIT_BREAKAGES[name]
    damage(split)
    refused_as_folder_and_zip(split, tmp_path / "b.zip", reason)


SIGNATURES = {
    "signature of zeros": (lambda f: (f / "manifest.sig").write_bytes(bytes(64)), "was not signed by ours.pub.pem"),
    "manifest edited": (manifest_text('"version": 1', '"version": 2'), "or was changed afterwards"),
    "a blank more": (manifest_text("{", "{ "), "or was changed afterwards"),
    "resealed without the key": (reseal, "a key was given but the bundle is not signed"),
    "signed by somebody else": (manifest(key_id="0" * 16), "signed by key 0000000000000000, trusted are ours.pub.pem"),
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_a_wrong_signature_is_refused_as_folder_and_zip(pair, signed, tmp_path, name):
    damage, reason = SIGNATURES[name]
    damage(pair)
    assert reason in reason_of(pair, keys=[signed.key])
    write_zip(pair, tmp_path / "b.zip")
    assert reason in reason_of(tmp_path / "b.zip", keys=[signed.key])


def test_another_key_is_refused_and_an_unsigned_bundle_with_it(pair, signed, pocketrec):
    assert "trusted are theirs.pub.pem" in reason_of(pair, keys=[signed.other])
    verify_bundle(pair, keys=[signed.other, signed.key])
    reseal(pair)
    verify_bundle(pair)
    assert "not signed" in refused(pocketrec("verify", pair, "--key", signed.key), code=1)


def test_recommend_refuses_what_verify_refuses(pair, pocketrec):
    """All but the golden vectors, which only `verify` replays."""
    swap_rows(pair)
    line = refused(pocketrec("recommend", pair, "--prefer", "Western"), code=1)
    assert "made for another vocabulary of items" in line


def test_a_model_that_answers_with_no_item_is_said(signed, monkeypatch):
    import dataclasses

    run_variant = answering.run_variant

    def wild(*arguments, **options):
        outcome = run_variant(*arguments, **options)
        return dataclasses.replace(outcome, arrays={**outcome.arrays, "ids": outcome.arrays["ids"] + 10_000})

    monkeypatch.setattr(answering, "run_variant", wild)
    with pytest.raises(CheckFailed, match="answers with ids that are no items"):
        recommend(signed.folder / "cascade", prefer=["Western"])


def test_fields_that_are_not_known_are_let_pass(pair):
    """The format grows by adding; a golden vector or a model may say more too."""
    edit(pair, lambda m: (m.update(mood="good"), m["models"][0].update(colour="red"), m["files"][0].update(note="x")))
    edit_json(pair, "golden.json", lambda g: (g.update(mood="good"), g["queries"][0].update(note="x")))
    verify_bundle(pair)


def test_an_update_says_what_it_lacks(pair):
    edit(pair, lambda m: m.update(update={"base_version": 1, "from_base": ["items.json"]}))
    verify_bundle(pair)
    (pair / "items.json").unlink()
    with pytest.raises(InputError, match="expected a whole bundle, got an update to version 1"):
        verify_bundle(pair)


def test_the_contract_binds_every_part(pair):
    """Each fact of the contract changes its hash."""
    before = manifest_of(pair)
    assert contract_sha256(pair, before) == before["contract"]

    def changed(change):
        after = json.loads(json.dumps(before))
        change(after)
        return contract_sha256(pair, after)

    facts = [
        lambda m: m["vocabularies"][0].update(size=1),
        lambda m: m["vocabularies"][0].update(oov_index=1),
        lambda m: m["models"][0]["rows"].update(items=7),
        lambda m: m["models"][0]["inputs"].reverse(),
        lambda m: m["models"][0]["outputs"][0].update(dtype="x"),
        lambda m: m["models"][0].update(recipe="x"),
        lambda m: m["models"][0].update(file=m["models"][1]["file"]),
        lambda m: m["vocabularies"][0].update(file=m["vocabularies"][1]["file"]),
        lambda m: m.update(candidates={"file": m["items"], "dtype": "int8", "shape": [1, 2], "scale": 0.5}),
    ]
    assert len({before["contract"], *map(changed, facts)}) == len(facts) + 1


@pytest.mark.parametrize("kind", ["nothing", "a text", "an empty file", "a pipe", "a device"])
def test_what_is_neither_folder_nor_zip_is_wrong_usage(pocketrec, tmp_path, kind):
    path = tmp_path / "x"
    if kind == "a text":
        path.write_text("hello")
    elif kind == "an empty file":
        path.touch()
    elif kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a device":
        path = "/dev/null"
    assert "expected a bundle's directory or zip" in refused(pocketrec("verify", path))


def test_an_empty_folder_has_no_manifest(tmp_path):
    assert "manifest.json: missing" in reason_of(tmp_path)
