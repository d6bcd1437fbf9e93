"""Packing queries: what a worker reads, and back."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pocketrec.core.queries import packing
from pocketrec.core.queries.packing import names_of, packed, part, queries_of, rows_of, taken

RAGGED = {"a": [np.array([1, 2, 3]), np.array([], int), np.array([4])], "b": [np.array([n]) for n in range(3)]}


def test_equal_rows_are_stacked_and_others_lie_flat_with_their_bounds():
    arrays = packed(RAGGED)
    assert arrays["b"].shape == (3, 1) and "b.offsets" not in arrays
    assert arrays["a"].tolist() == [1, 2, 3, 4] and arrays["a.offsets"].tolist() == [0, 3, 3, 4]
    assert names_of(arrays) == ["a", "b"]


def test_unpacking_gives_the_queries_back():
    arrays = packed(RAGGED)
    for name, rows in RAGGED.items():
        assert [row.tolist() for row in rows_of(arrays, name)] == [row.tolist() for row in rows]
    assert [query["a"].tolist() for query in queries_of(arrays)] == [[1, 2, 3], [], [4]]


@pytest.mark.parametrize(("start", "stop"), [(0, 1), (1, 3), (1, None), (0, None), (2, 2)])
def test_a_part_is_the_packing_of_those_queries(start, stop):
    found = part(packed(RAGGED), start, stop)
    for name, rows in RAGGED.items():
        assert [row.tolist() for row in rows_of(found, name)] == [row.tolist() for row in rows[start:stop]]


@pytest.mark.parametrize("rows", [[0], [2, 0], [1, 1, 2], np.array([0, 1, 2])])
def test_queries_taken_by_their_rows_keep_that_order(rows):
    found = taken(packed(RAGGED), rows)
    for name, packed_rows in RAGGED.items():
        assert [row.tolist() for row in rows_of(found, name)] == [packed_rows[row].tolist() for row in rows]


def test_outputs_of_different_shapes_can_be_flattened():
    arrays = packed({"y": [np.zeros((2, 3)), np.ones((1, 3))]}, flat=True)
    assert arrays["y"].shape == (9,) and arrays["y.offsets"].tolist() == [0, 6, 9]


def test_workers_can_import_it_by_its_folder_alone():
    folder = Path(packing.__file__).parent
    program = f"import sys; sys.path = [{str(folder)!r}, *sys.path]; import packing; print(packing.names_of({{}}))"
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
