"""A model says which vocabularies it was made for, and fits no other by accident."""

import hashlib
import json

import pytest
from pocketrec.android_assets.reading.verify import verify_bundle
from pocketrec.convert.flatbuffer.vocabulary_stamp import stamped
from pocketrec.core.run_dir import Run
from pocketrec.runtimes.model_file.reader import read_tflite
from pocketrec.runtimes.model_file.vocabulary_stamp import ENTRY, known_by, read_files, vocabulary_text

from tests.android_assets.breaking import reseal
from tests.conftest import raises

KNOWN = {
    "ranker": ["items", "preferences"],
    "query_encoder": ["items", "preferences"],
    "retriever": ["genres", "items", "preferences"],
    "recommender": ["genres", "items", "preferences"],
}


def test_every_variant_names_its_vocabularies(run):
    folder = run / "trained" / "vocabularies"
    for variant in Run(run).variants:
        stamp = read_tflite(run / "converted" / variant.file).metadata(ENTRY)
        assert stamp is not None
        names = [line.split(" ")[0] for line in stamp.decode().splitlines()]
        assert names == KNOWN[variant.graph] == known_by([p.to_json() for p in (*variant.inputs, *variant.outputs)])
        assert stamp.decode() == vocabulary_text(read_files(folder, names))


def test_user_keyed_models_name_users_and_text_keyed_ones_nothing(tutorial_run):
    stamps = {
        variant.graph: read_tflite(tutorial_run / "converted" / variant.file).metadata(ENTRY)
        for variant in Run(tutorial_run).variants
    }
    assert stamps["ranker_strings"] is None
    assert stamps["ranker"].startswith(b"items ") and b"\nusers 943 " in stamps["ranker"]


def test_the_text_is_what_any_hasher_makes_of_the_first_lines():
    files = {"b": "é\nx\ny\n".encode(), "a": b"1\n"}
    digest = hashlib.sha256("é\nx\n".encode()).hexdigest()
    text = vocabulary_text(files, {"b": 2, "a": 1})
    assert text == f"a 1 {hashlib.sha256(b'1' + bytes([10])).hexdigest()}\nb 2 {digest}\n"
    with pytest.raises(ValueError, match="b has 3 tokens, expected at least 4"):
        vocabulary_text(files, {"b": 4, "a": 1})


def test_a_new_stamp_replaces_the_old_and_nothing_else(run):
    path = run / "converted" / "recommender-dynamic_int8.tflite"
    data = path.read_bytes()
    stamp = read_tflite(path).metadata(ENTRY).decode()
    assert stamped(stamped(data, "other\n"), stamp) == stamped(data, stamp) == data


def test_exchanged_lines_are_refused_though_every_hash_was_made_anew(own_bundle):
    """The manifest agrees with itself; only the model knows better, as the films would be wrong without any error."""
    path = own_bundle / "vocabularies" / "items.txt"
    lines = path.read_text().split("\n")
    lines[1000], lines[1001] = lines[1001], lines[1000]
    path.write_text("\n".join(lines))
    items = json.loads((own_bundle / "items.json").read_text())
    items[1000], items[1001] = items[1001], items[1000]
    (own_bundle / "items.json").write_text(json.dumps(items))
    reseal(own_bundle)
    with raises("MODEL_MISMATCH") as refusal:
        verify_bundle(own_bundle)
    assert "vocabulary of items" in str(refusal.value)
