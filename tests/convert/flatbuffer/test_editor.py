"""Packing a model: aligned, without duplicates, and the same again."""

import numpy as np
from pocketrec.convert.flatbuffer.editor import Editor


def test_packed_files_are_aligned_and_hold_each_constant_once(tiny):
    """The schema asks for buffers at multiples of 16; runtimes map the file and read them in place."""
    for path in sorted((tiny / "converted").glob("*.tflite")):
        data = path.read_bytes()
        contents = [
            np.asarray(b.data, np.uint8).tobytes() for b in Editor(data).model.buffers[1:] if b.data is not None
        ]
        large = [content for content in contents if len(content) >= 1024]
        assert len(set(contents)) == len(contents), path.name
        assert large and all(data.index(content) % 16 == 0 for content in large), path.name


def test_packing_again_changes_nothing(tiny):
    data = (tiny / "converted" / "recommender-dynamic_int8.tflite").read_bytes()
    assert Editor(data).pack() == data
