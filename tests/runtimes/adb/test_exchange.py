"""The files that the host and the program on a phone write for each other, without a phone."""

import numpy as np
from pocketrec.core.queries.packing import packed, rows_of
from pocketrec.runtimes.adb.exchange import _block, queries_file, read_answers


def test_answers_come_back_with_their_shapes_types_and_measurements():
    first = {"ids": np.arange(6, dtype=np.int32).reshape(2, 3), "title": np.char.encode(np.array(["a", "bé"]), "utf-8")}
    second = {"ids": np.arange(3, dtype=np.int32).reshape(1, 3), "title": np.array([b"", b"c"])}
    blocks = [_block(name, value) for row in (first, second) for name, value in row.items()]
    blocks += [_block("samples_ns", np.array([5, 7])), _block("meta.load_ns", np.int64(12).reshape(()))]
    arrays, meta = read_answers(b"".join(blocks))
    assert meta == {"load_ns": 12} and arrays["samples_ns"].tolist() == [5, 7]
    assert [row.tolist() for row in rows_of(arrays, "ids")] == [[0, 1, 2, 3, 4, 5], [0, 1, 2]]
    assert arrays["title"].tolist() == [[b"a", "bé".encode()], [b"", b"c"]]


def test_a_file_of_queries_counts_queries_and_inputs():
    feeds = packed({"x": [np.zeros(2, np.float32), np.zeros(3, np.float32)], "y": [np.zeros((), bool)] * 2})
    data = queries_file(feeds)
    assert np.frombuffer(data, "<i4", 2).tolist() == [2, 2]
    assert read_answers(data[8:])[0]["x.offsets"].tolist() == [0, 2, 5]
