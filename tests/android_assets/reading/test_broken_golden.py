"""golden.json that asserts nothing, cannot be read, or is not met is refused."""

import base64
import struct

import numpy as np
import pytest
from ai_edge_litert.schema_py_generated import TensorType
from pocketrec.convert.flatbuffer.editor import Editor

from tests.android_assets.breaking import rehash
from tests.android_assets.reading.refusals import RANKER, golden, model_bytes, refused_as_folder_and_zip


def constant_answers(document):
    vector = next(v for v in document["vectors"] if v["model"] == RANKER)
    tensor = vector["outputs"]["rating"]
    tensor["base64"] = base64.b64encode(b"\0\0\x80\x3f" * tensor["shape"][0]).decode()


def not_a_number(document):
    tensor = document["vectors"][0]["outputs"]["scores"]
    tensor["base64"] = base64.b64encode(struct.pack("<f", float("nan")) * tensor["shape"][0]).decode()


def each(part, **fields):
    return golden(lambda document: [row.update(fields) for row in document[part]])


def first(part, **fields):
    return golden(lambda document: document[part][0].update(fields))


def input_of(**fields):
    return golden(lambda document: document["vectors"][0]["inputs"]["seen"].update(fields))


def louder(data):
    """Every float constant is forty times as large."""
    editor = Editor(data)
    for tensor in editor.graph.tensors:
        stored = editor.model.buffers[tensor.buffer]
        if tensor.type == TensorType.FLOAT32 and stored.data is not None and len(stored.data):
            values = np.frombuffer(bytes(stored.data), np.float32) * np.float32(40)
            stored.data = np.frombuffer(values.tobytes(), np.uint8)
    return editor.pack()


def text(content):
    def damage(folder):
        (folder / "golden.json").write_text(content)
        rehash(folder, "golden.json")

    return damage


def last_items(document):
    """The two best of a list replaced by others of the catalogue."""
    query = document["queries"][0]
    others = [token for row in document["queries"][1:] for token in row["items"] if token not in query["items"]]
    query["items"][:2] = list(dict.fromkeys(others))[:2]


BROKEN = {
    "schema from the future": (golden(lambda g: g.update(schema="pocketrec.golden/2")), "GOLDEN_INVALID", "golden/2"),
    "no object": (text("[]"), "GOLDEN_INVALID", "golden.json"),
    "no JSON": (text("{"), "GOLDEN_INVALID", "golden.json"),
    "answer changed": (golden(constant_answers), "GOLDEN_MISMATCH", "rating"),
    "model that answers otherwise": (model_bytes(louder), "GOLDEN_MISMATCH", "golden vector"),
    "of a model dropped": (golden(lambda g: [g["vectors"].pop(0) for _ in range(2)]), "GOLDEN_INVALID", "retriever"),
    "vectors dropped": (golden(lambda g: g.update(vectors=[])), "GOLDEN_INVALID", "vectors"),
    "queries dropped": (golden(lambda g: g.update(queries=[])), "GOLDEN_INVALID", "queries"),
    "a thousand queries and one": (
        golden(lambda g: g.update(queries=g["queries"][:1] * 1001)),
        "GOLDEN_INVALID",
        "queries",
    ),
    "vector without tolerance": (golden(lambda g: g["vectors"][0].pop("tolerance")), "GOLDEN_INVALID", "tolerance"),
    "queries without answers": (each("queries", items=[], scores=[], stars=[]), "GOLDEN_INVALID", "no answers"),
    "tolerance endless": (each("vectors", tolerance=1e9), "GOLDEN_INVALID", "tolerance"),
    "tolerance of queries endless": (each("queries", tolerance=1e9), "GOLDEN_INVALID", "tolerance"),
    "tolerance a text": (each("vectors", tolerance="0.1"), "GOLDEN_INVALID", "tolerance"),
    "tolerance true": (each("vectors", tolerance=True), "GOLDEN_INVALID", "tolerance"),
    "tolerance negative": (each("vectors", tolerance=-1), "GOLDEN_INVALID", "tolerance"),
    "answer no number": (golden(not_a_number), "GOLDEN_INVALID", "not finite"),
    "input dropped": (golden(lambda g: g["vectors"][0]["inputs"].pop("seen")), "GOLDEN_INVALID", "inputs"),
    "input of another shape": (input_of(shape=[2, 60]), "GOLDEN_INVALID", "seen"),
    "input of another dtype": (input_of(dtype="int8"), "GOLDEN_INVALID", "seen"),
    "tensor malformed": (input_of(shape=[-1, 7]), "GOLDEN_INVALID", "malformed tensor"),
    "tensor without dtype": (input_of(dtype=None), "GOLDEN_INVALID", "malformed tensor"),
    "tensor no base64": (input_of(base64="ä"), "GOLDEN_INVALID", "malformed tensor"),
    "item unknown": (golden(lambda g: g["queries"][0]["items"].__setitem__(0, "none")), "GOLDEN_INVALID", "'none'"),
    "item twice": (golden(lambda g: g["queries"][0].update(items=["i1", "i1"])), "GOLDEN_INVALID", "twice"),
    "history unknown": (first("queries", history=[["none", 5]]), "GOLDEN_INVALID", "'none'"),
    "history of names": (first("queries", history=["i1"]), "GOLDEN_INVALID", "history"),
    "preference unknown": (first("queries", preferences=["none"]), "GOLDEN_INVALID", "'none'"),
    "genre unknown": (first("queries", genres=["none"]), "GOLDEN_INVALID", "'none'"),
    "user unknown": (first("queries", user="none"), "GOLDEN_INVALID", "'none'"),
    "rating out of range": (first("queries", history=[["i1", 6]]), "GOLDEN_INVALID", "6"),
    "list changed": (golden(last_items), "GOLDEN_MISMATCH", "golden query 0"),
    "top endless": (first("queries", top=10**9), "GOLDEN_INVALID", "1000000000"),
    "top 0": (first("queries", top=0), "GOLDEN_INVALID", "top"),
    "more items than asked for": (first("queries", top=1), "GOLDEN_INVALID", "top 1"),
    "ratings dropped": (first("queries", stars=None), "GOLDEN_INVALID", "stars"),
    "a score too few": (golden(lambda g: g["queries"][0]["scores"].pop()), "GOLDEN_INVALID", "scores"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_golden_vectors_are_refused(pair, tmp_path, name):
    damage, code, word = BROKEN[name]
    damage(pair)
    refused_as_folder_and_zip(pair, tmp_path / "b.zip", code, word)


def test_ratings_are_not_expected_where_no_model_predicts_them(split, tmp_path):
    first("queries", stars=[])(split)
    refused_as_folder_and_zip(split, tmp_path / "b.zip", "GOLDEN_INVALID", "stars")
