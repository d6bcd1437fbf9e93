"""What content says about an item, without TensorFlow."""

import json
import shutil
import subprocess
import sys

import numpy as np
from pocketrec.core.files.hashing import sha256_file
from pocketrec.core.queries.held_out import HeldOut
from pocketrec.core.run_dir import Run
from pocketrec.train.pocket.content_vectors import CONTENT_FILE, ContentTable, read_content

from tests.conftest import raises


def test_items_without_ratings_have_the_vectors_that_training_gave_them(run):
    items = json.loads((run / "trained" / "items.json").read_text())
    vectors = read_content(Run(run)).vectors([i["title"] for i in items], [i["genres"] for i in items])
    exact, unrated = np.load(run / "trained" / "candidates.npy"), HeldOut(Run(run)).popularity == 0
    assert 0 < unrated.sum() < 100 and vectors.dtype == np.float32 and vectors.shape == exact.shape
    np.testing.assert_allclose(vectors[unrated], exact[unrated], atol=1e-6)
    assert np.abs(vectors[~unrated] - exact[~unrated]).max() > 0.1, "ratings say more than content"


def test_the_table_is_one_of_the_runs_files(tiny):
    run = Run(tiny)
    assert run.record.files[CONTENT_FILE] == sha256_file(run.trained / CONTENT_FILE)
    assert read_content(run).genres


def test_a_vector_is_the_sum_of_known_tokens_by_the_root_of_their_number(tmp_path):
    table = ContentTable(["genre:Drama", "genre:War", "word:old"], np.array([[1, 2], [3, 4], [5, 6]], np.float32), -0.5)
    table.write(tmp_path / CONTENT_FILE)
    titles, genres = ["The Old One", "Neu (1999)", ""], [["War", "Drama", "Opera"], [], ["War"]]
    expected = [[9 / 3**0.5, 12 / 3**0.5, -0.5], [0, 0, -0.5], [3, 4, -0.5]]
    np.testing.assert_allclose(table.vectors(titles, genres), expected, rtol=1e-6)
    assert table.genres == ["Drama", "War"]


def test_a_run_that_learnt_nothing_from_content_is_refused_by_its_preset(tiny, tmp_path):
    (tmp_path / "trained").mkdir()
    shutil.copy(tiny / "trained" / "run.json", tmp_path / "trained")
    with raises("CATALOGUE_INVALID") as caught:
        read_content(Run(tmp_path))
    assert "preset pocket" in str(caught.value) and CONTENT_FILE in str(caught.value)


def test_vectors_need_no_tensorflow(tiny):
    program = (
        "import sys; from pathlib import Path; from pocketrec.core.run_dir import Run\n"
        "from pocketrec.train.pocket.content_vectors import read_content\n"
        f"read_content(Run(Path({str(tiny)!r}))).vectors(['x'], [['Drama']])\n"
        "assert 'tensorflow' not in sys.modules and 'pyarrow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
