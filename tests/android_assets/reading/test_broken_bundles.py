"""Every way in which the files of a bundle can be broken is refused with its code, as folder and as zip; nothing is executed.

What manifest.json alone can be wrong about is in manifest_cases.json.
"""

import io
import os
import shutil

import numpy as np
import pytest
from pocketrec.convert.flatbuffer.editor import Editor

from tests.android_assets.breaking import edit, edit_json, manifest_of, rehash, reseal
from tests.android_assets.reading.refusals import (
    RETRIEVER,
    drop_row,
    duplicate_row,
    exchange,
    exchange_models,
    exchange_models_and_rows,
    manifest,
    manifest_text,
    model_bytes,
    open_socket,
    port_of,
    refusal,
    refused_as_folder_and_zip,
    swap_rows,
    symlink,
    symlinked_folder,
    symlinked_manifest,
    vocabulary,
)


def without_stamp(data):
    editor = Editor(data)
    editor.model.metadata = [m for m in editor.model.metadata if m.name != b"pocketrec.vocabularies"]
    return editor.pack()


def folder_in_place_of_a_file(folder):
    (folder / "items.json").unlink()
    (folder / "items.json").mkdir()


def file_in_place_of_a_folder(folder):
    shutil.rmtree(folder / "models")
    (folder / "models").write_text("")


FOLDER_ONLY = {
    "manifest missing": (lambda f: (f / "manifest.json").unlink(), "MANIFEST_MISSING", "manifest.json"),
    "symlinked manifest": (symlinked_manifest, "MANIFEST_MISSING", "manifest.json"),
    "extra file": (lambda f: (f / "models" / "x.tflite").write_text("x"), "FILE_UNDECLARED", "models/x.tflite"),
    "extra folder": (lambda f: (f / "empty").mkdir(), "FILE_UNDECLARED", "empty"),
    "strange name": (lambda f: (f / "a\x1b[2J\n").write_text("x"), "FILE_UNDECLARED", "'a\\x1b[2J\\n'"),
    "symlink": (symlink, "FILE_UNDECLARED", "golden.json"),
    "symlinked folder": (symlinked_folder, "FILE_UNDECLARED", "models"),
    "pipe": (lambda f: os.mkfifo(f / "pipe"), "FILE_UNDECLARED", "pipe"),
    "socket": (open_socket, "FILE_UNDECLARED", "plug"),
    "file where a folder should be": (file_in_place_of_a_folder, "FILE_UNDECLARED", "models"),
    "folder where a file should be": (folder_in_place_of_a_file, "FILE_UNDECLARED", "items.json"),
}


@pytest.mark.parametrize("name", FOLDER_ONLY)
def test_a_broken_folder_is_refused(pair, name):
    damage, code, word = FOLDER_ONLY[name]
    damage(pair)
    assert word in refusal(pair, code)


def cut(path, more=b""):
    def damage(folder):
        data = (folder / path).read_bytes()
        (folder / path).write_bytes(data + more if more else data[:-1])

    return damage


def items_text(text):
    def damage(folder):
        (folder / "items.json").write_text(text)
        rehash(folder, "items.json")

    return damage


BROKEN = {
    "truncated file": (cut(RETRIEVER), "FILE_SIZE", RETRIEVER),
    "file over its size": (cut(RETRIEVER, b"\0"), "FILE_SIZE", RETRIEVER),
    "missing file": (lambda f: (f / "items.json").unlink(), "FILE_MISSING", "items.json"),
    "renamed file": (lambda f: (f / "items.json").rename(f / "things.json"), "FILE_UNDECLARED", "things.json"),
    "files swapped": (lambda f: exchange(f, "items.json", "golden.json"), "FILE_SIZE", ".json"),
    "models exchanged": (exchange_models, "MODEL_MISMATCH", "inputs or outputs differ"),
    "models exchanged, manifest too": (exchange_models_and_rows, "MODEL_MISMATCH", "inputs"),
    "manifest not JSON": (lambda f: (f / "manifest.json").write_text("{"), "MANIFEST_INVALID", "manifest.json"),
    "manifest huge": (
        lambda f: (f / "manifest.json").write_bytes(b" " * (1 << 24) + b"{}"),
        "FILE_SIZE",
        "manifest.json",
    ),
    "schema from the future": (manifest(schema="pocketrec.bundle/2"), "SCHEMA_UNKNOWN", "pocketrec.bundle/2"),
    "key twice": (manifest_text('"version"', '"version": 1, "version"'), "MANIFEST_INVALID", "'version'"),
    "window changed": (manifest(window=100), "MODEL_MISMATCH", "int32[100]"),
    "k changed": (manifest(k=50), "MODEL_MISMATCH", "int32[50]"),
    "contract changed": (manifest(contract="0" * 64), "CONTRACT_MISMATCH", "contract"),
    "recipe changed": (
        lambda f: edit(f, lambda m: m["models"][0].update(recipe="float32")),
        "CONTRACT_MISMATCH",
        "contract",
    ),
    "runtime changed": (
        lambda f: edit(f, lambda m: m["models"][0].update(min_runtime="1.5.0")),
        "MODEL_MISMATCH",
        "1.5.0",
    ),
    "port's shape changed": (port_of("retriever", "inputs", "seen", shape=[7]), "MODEL_MISMATCH", RETRIEVER),
    "port's dtype changed": (port_of("ranker", "outputs", "rating", dtype="float16"), "MODEL_MISMATCH", "ranker"),
    "rows changed": (lambda f: edit(f, lambda m: m["models"][0]["rows"].update(items=9)), "MODEL_MISMATCH", "rows for"),
    "signature missing": (lambda f: (f / "manifest.sig").unlink(), "SIGNATURE_MISSING", "manifest.sig"),
    "signature cut": (lambda f: (f / "manifest.sig").write_bytes(bytes(63)), "SIGNATURE_INVALID", "manifest.sig"),
    "signature too long": (lambda f: (f / "manifest.sig").write_bytes(bytes(65)), "FILE_SIZE", "manifest.sig"),
    "signature not declared": (manifest(signature=None, key_id=None), "FILE_UNDECLARED", "manifest.sig"),
    "vocabulary row twice": (duplicate_row, "VOCABULARY_INVALID", "duplicate"),
    "vocabulary row added twice": (
        vocabulary(lambda lines: lines.insert(-1, lines[4])),
        "VOCABULARY_INVALID",
        "items.txt",
    ),
    "vocabulary row missing": (vocabulary(lambda lines: lines.pop(3)), "VOCABULARY_INVALID", "items.txt"),
    "vocabulary without its end": (vocabulary(lambda lines: lines.pop()), "VOCABULARY_INVALID", "items.txt"),
    "vocabulary not UTF-8": (
        lambda f: (flip_first(f / "vocabularies/items.txt"), rehash(f, "vocabularies/items.txt")),
        "VOCABULARY_INVALID",
        "UTF-8",
    ),
    "vocabulary rows swapped": (swap_rows, "MODEL_MISMATCH", "vocabulary of items"),
    "vocabulary an item shorter": (drop_row, "MODEL_MISMATCH", "larger vocabulary"),
    "preferences swapped": (
        vocabulary(lambda lines: lines.insert(0, lines.pop(-2)), "vocabularies/preferences.txt"),
        "MODEL_MISMATCH",
        "preferences",
    ),
    "items in another order": (
        lambda f: edit_json(f, "items.json", lambda i: i.reverse()),
        "ITEMS_INVALID",
        "items.json",
    ),
    "items no list": (items_text("{}"), "ITEMS_INVALID", "items.json"),
    "items no JSON": (items_text("["), "ITEMS_INVALID", "items.json"),
    "item without a title": (
        lambda f: edit_json(f, "items.json", lambda i: i[0].pop("title")),
        "ITEMS_INVALID",
        "title",
    ),
    "genres no list": (
        lambda f: edit_json(f, "items.json", lambda i: i[0].update(genres="x")),
        "ITEMS_INVALID",
        "genres",
    ),
    "model no model": (model_bytes(lambda data: b"TFL3" * 99), "MODEL_INVALID", "ranker"),
    "model without vocabularies": (model_bytes(without_stamp), "MODEL_MISMATCH", "ranker"),
}


def flip_first(path):
    path.write_bytes(b"\xff" + path.read_bytes()[1:])


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_bundle_is_refused_as_folder_and_zip(pair, tmp_path, name):
    damage, code, word = BROKEN[name]
    damage(pair)
    refused_as_folder_and_zip(pair, tmp_path / "b.zip", code, word)


def candidates(change):
    def damage(folder):
        path = folder / "candidates.npy"
        path.write_bytes(change(path.read_bytes()))
        reseal(folder)

    return damage


def declared(**change):
    """Fields of the manifest's candidates, made of the old ones."""
    return lambda folder: edit(
        folder, lambda m: m["candidates"].update({key: make(m["candidates"][key]) for key, make in change.items()})
    )


def npy(array, version=(1, 0)):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version=version, allow_pickle=True)
    return stream.getvalue()


def array_of(data):
    return np.load(io.BytesIO(data))


BROKEN_CANDIDATES = {
    "of a later format": (candidates(lambda d: npy(array_of(d), (2, 0))), "CANDIDATES_INVALID", "format 2.0"),
    "no array": (candidates(lambda d: b"x" * len(d)), "CANDIDATES_INVALID", "candidates.npy"),
    "cut": (candidates(lambda d: d[:-1]), "CANDIDATES_INVALID", "bytes"),
    "with a tail": (candidates(lambda d: d + b"\0"), "CANDIDATES_INVALID", "bytes"),
    "in columns": (candidates(lambda d: npy(np.asfortranarray(array_of(d)))), "CANDIDATES_INVALID", "int8"),
    "that run code": (candidates(lambda d: npy(np.array([[print]], object))), "CANDIDATES_INVALID", "object"),
    "changed": (candidates(lambda d: d[:128] + bytes(len(d) - 128)), "GOLDEN_MISMATCH", "golden query 0"),
    "of other items": (declared(shape=lambda s: [s[0] - 1, s[1]]), "CANDIDATES_INVALID", "candidates.npy"),
    "of other dimensions": (declared(shape=lambda s: [s[0], s[1] - 1]), "MODEL_MISMATCH", "query"),
    "with another scale": (declared(scale=lambda s: 1.5), "CONTRACT_MISMATCH", "contract"),
}


@pytest.mark.parametrize("name", BROKEN_CANDIDATES)
def test_broken_candidates_are_refused_as_folder_and_zip(split, tmp_path, name):
    damage, code, word = BROKEN_CANDIDATES[name]
    damage(split)
    refused_as_folder_and_zip(split, tmp_path / "b.zip", code, word)


SIGNATURES = {
    "signature of zeros": (lambda f: (f / "manifest.sig").write_bytes(bytes(64)), "SIGNATURE_INVALID", "ours.pub.pem"),
    "manifest edited": (manifest_text('"version": 1', '"version": 2'), "SIGNATURE_INVALID", "ours.pub.pem"),
    "a blank more": (manifest_text("{", "{ "), "SIGNATURE_INVALID", "ours.pub.pem"),
    "resealed without the key": (reseal, "SIGNATURE_MISSING", "not signed"),
    "signed by another key": (manifest(key_id="0" * 16), "SIGNATURE_UNTRUSTED", "0000000000000000"),
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_a_wrong_signature_is_refused_as_folder_and_zip(pair, signed, tmp_path, name):
    damage, code, word = SIGNATURES[name]
    damage(pair)
    refused_as_folder_and_zip(pair, tmp_path / "b.zip", code, word, keys=[signed.key])


def test_one_flipped_bit_in_any_file(pair, split):
    from tests.android_assets.breaking import flip

    for folder in (pair, split):
        for name in [row["path"] for row in manifest_of(folder)["files"]]:
            flip(folder / name)
            assert name in refusal(folder, "FILE_HASH")
            flip(folder / name)
