"""Installing Android's libraries: what is fetched, and what refuses."""

import zipfile

import pytest
from pocketrec.runtimes.android import aar, pack
from pocketrec.runtimes.runtimes import PHONE_RUNTIMES, RUNTIMES, chosen_runtimes

from tests.conftest import raises, refused
from tests.runtimes.android.archives import needs_android

ANDROID = [name for name in RUNTIMES if name.startswith("android-tflite-")]


@pytest.fixture
def nothing(monkeypatch, tmp_path):
    """No pack, and a PATH of stand-ins only."""
    monkeypatch.setenv("POCKETREC_CACHE", str(tmp_path / "cache"))
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


def stand_in(folder, name, script=""):
    """A program that does what a test says."""
    (folder / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / "bin" / name).chmod(0o755)


def with_compilers(folder):
    for name in ("readelf", *(abi.compiler for abi in aar.ABIS)):
        stand_in(folder, name)


def test_there_are_two_versions_and_both_run_on_the_host_on_arm64_and_on_a_phone():
    assert [RUNTIMES[name].version for name in ANDROID] == [*pack.AARS]
    assert all(RUNTIMES[name].platforms == ("host", "arm64", "adb") for name in ANDROID)
    assert not {*ANDROID} & {*PHONE_RUNTIMES}  # the kit's packages bring those


@needs_android
def test_the_pack_holds_a_library_and_its_bionic_for_every_processor():
    for version in pack.AARS:
        for abi in aar.ABIS:
            where = pack.folder() / version / abi.name
            assert {"tflite.so", "libc.so", "libm.so", "libdl.so", "liblog.so"} == {p.name for p in where.iterdir()}


def test_what_is_not_installed_is_left_out_unless_it_is_named(nothing):
    assert not {*ANDROID} & {*chosen_runtimes([], ["host"], RUNTIMES)}
    with raises("NOT_INSTALLED") as caught:
        chosen_runtimes(ANDROID[:1], ["host"])
    assert pack.INSTALL in str(caught.value)


def test_doctor_names_the_command_that_adds_it(pocketrec, tmp_path):
    done = pocketrec("doctor", env={"POCKETREC_CACHE": str(tmp_path)})
    for name in ANDROID:
        assert f"missing runtime: {name}: {pack.INSTALL}" in done.out


@pytest.mark.parametrize("lacking", ["gcc", "aarch64-linux-gnu-gcc", "readelf"])
def test_a_missing_compiler_is_named_with_its_package(nothing, lacking):
    with_compilers(nothing)
    (nothing / "bin" / lacking).unlink()
    with raises("NOT_INSTALLED") as caught:
        pack.install()
    package = {"gcc": "gcc", "readelf": "binutils"}.get(lacking, "gcc-aarch64-linux-gnu")
    assert f"apt-get install {package}" in str(caught.value) and not (nothing / "cache").exists()


OTHER = 'for part in "$@"; do case $part in -DoutputDirectory=*) out=${part#*=};; *:aar) version=${part%:aar};; esac; done\n'
OTHER += '/bin/mkdir -p "$out"; echo other > "$out/tensorflow-lite-${version##*:}.aar"'


@pytest.mark.parametrize(
    ("script", "code", "said"),
    [
        (None, "NOT_INSTALLED", "apt-get install maven"),
        (
            "echo '[ERROR] Could not transfer artifact: Network is unreachable'; exit 1",
            "DOWNLOAD_FAILED",
            "unreachable",
        ),
        (OTHER, "DOWNLOAD_FAILED", "709db81fbfba"),
    ],
)
def test_an_archive_that_is_not_the_pinned_one_is_refused_and_leaves_nothing(nothing, script, code, said):
    with_compilers(nothing)
    if script:
        stand_in(nothing, "mvn", script)
    with raises(code) as caught:
        pack.install()
    assert said in str(caught.value) and not (nothing / "cache").exists()


def test_a_file_that_is_no_archive_is_refused(tmp_path):
    for content in (b"", b"not a zip"):
        (tmp_path / "x.aar").write_bytes(content)
        with raises("INPUT_UNREADABLE"):
            aar.prepare(tmp_path / "x.aar", tmp_path, what="--aar")
    with raises("INPUT_UNREADABLE"):
        aar.prepare(tmp_path / "none.aar", tmp_path, what="--aar")
    with zipfile.ZipFile(tmp_path / "x.aar", "w") as archive:
        archive.writestr("classes.jar", b"")
    with raises("INPUT_INVALID") as caught:
        aar.prepare(tmp_path / "x.aar", tmp_path, what="--aar")
    assert "no library" in str(caught.value)


def test_an_unknown_pack_is_one_line(pocketrec):
    assert "one of arm64, wasm, gpu, android, adb" in refused(pocketrec("doctor", "--install", "ios"))
