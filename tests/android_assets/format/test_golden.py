"""Golden tensors as text, and their comparison."""

import json

import numpy as np
from pocketrec.android_assets.format.golden import decode, difference, encode

from tests.conftest import raises


def test_golden_tensors_survive_json_in_every_dtype():
    for array in (
        np.array([1.5, -np.inf], np.float32),
        np.array([[1], [2]], np.int32),
        np.array([True, False]),
        np.array([b"\xc3\xa9", b"x"]),
    ):
        again = decode(json.loads(json.dumps(encode(array))))
        assert again.shape == array.shape and np.array_equal(again, array)
    for tensor in (
        {"dtype": "float32", "shape": [3], "base64": "AAAA"},
        {},
        {"dtype": "object", "shape": [], "base64": ""},
    ):
        with raises("GOLDEN_INVALID"):
            decode(tensor)


def test_golden_difference_knows_ties_from_faults():
    ids, scores = np.arange(10, dtype=np.int32), np.linspace(2, 1, 10).astype(np.float32)
    swapped = {"ids": ids[[1, 0, *range(2, 10)]], "scores": scores + 1e-4}
    assert difference({"ids": ids, "scores": scores}, swapped, 1e-3) == ""
    assert "differs by more than" in difference({"scores": scores}, {"scores": scores + 1}, 1e-3)
    assert "shares 50% of its ids" in difference({"ids": ids}, {"ids": ids + 5}, 1e-3)
    assert "differs by more than" in difference({"scores": scores}, {"scores": scores * np.float32("nan")}, 1e-3)
    assert "instead of" in difference({"ids": ids}, {"ids": ids[:5]}, 1e-3)
    assert "instead of" in difference({"ids": ids}, {"items": ids}, 1e-3)
