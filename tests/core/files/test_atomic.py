import json
import os
import subprocess
import sys

import numpy as np
import pytest
from pocketrec.core.documents import read_json, write_json
from pocketrec.core.errors import InputError
from pocketrec.core.files.atomic import atomic_dir, require_empty, write_npz
from pocketrec.core.files.hashing import sha256_tree
from pocketrec.core.run_dir import open_run


def test_a_failed_block_leaves_the_old_directory_and_no_trace(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").write_text("kept")
    with pytest.raises(RuntimeError), atomic_dir(tmp_path / "out") as folder:
        (folder / "new").write_text("half")
        raise RuntimeError
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out" / "old").read_text() == "kept"


def test_a_failed_block_removes_the_parent_it_made_but_no_other(tmp_path):
    for parent in (tmp_path, tmp_path / "new"):
        with pytest.raises(RuntimeError), atomic_dir(parent / "out"):
            raise RuntimeError
    assert tmp_path.exists() and not (tmp_path / "new").exists()


def test_a_finished_block_replaces_the_directory_whole(tmp_path):
    for text in ("first", "second"):
        with atomic_dir(tmp_path / "out") as folder:
            (folder / text).write_text(text)
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["second"]
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_leftovers_of_a_killed_process_are_removed_by_the_next(tmp_path):
    program = (
        "import os, signal, sys; from pathlib import Path; from pocketrec.core.files.atomic import atomic_dir\n"
        f"with atomic_dir(Path({str(tmp_path / 'out')!r})) as f: (f / 'half').write_text(''); os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9
    assert len(list(tmp_path.glob(".out.partial-*"))) == 1 and not (tmp_path / "out").exists()
    require_empty(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_a_living_process_are_kept(tmp_path):
    (tmp_path / f".out.partial-{os.getpid()}-x").mkdir()
    with pytest.raises(InputError, match="not empty"):
        require_empty(tmp_path)


def test_unwritable_place_is_one_line(tmp_path):
    (tmp_path / "plain").write_text("")
    with pytest.raises(InputError, match="a place that can be written"), atomic_dir(tmp_path / "plain" / "out"):
        pytest.fail("the block must not run")
    with pytest.raises(InputError, match="a place that can be written"):
        write_json(tmp_path / "plain" / "x.json", {})


def test_nan_is_never_written_as_json(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "x.json", {"value": float("nan")})


def test_read_json_names_the_command_that_makes_the_file(tmp_path):
    with pytest.raises(InputError, match="pocketrec parity RUN"):
        read_json(tmp_path / "parity.json", "pocketrec.parity/1")
    (tmp_path / "parity.json").write_text(json.dumps({"schema": "pocketrec.parity/9"}))
    with pytest.raises(InputError, match=r"expected schema pocketrec\.parity/1, got 'pocketrec\.parity/9'"):
        read_json(tmp_path / "parity.json", "pocketrec.parity/1")


def test_npz_bytes_depend_on_content_only(tmp_path):
    for name in ("a", "b"):
        write_npz(tmp_path / name, x=np.arange(3))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_tree_hash_sees_names_and_contents(tmp_path):
    (tmp_path / "x").write_text("1")
    before = sha256_tree(tmp_path)
    (tmp_path / "x").rename(tmp_path / "y")
    assert sha256_tree(tmp_path) != before


def test_a_run_whose_training_was_killed_is_named_so(tmp_path):
    (tmp_path / ".trained.partial-1-abc").mkdir()
    with pytest.raises(InputError, match="did not finish"):
        open_run(tmp_path)
