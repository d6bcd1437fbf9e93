"""An app's own AAR as a runtime of one call."""

import json

import pytest
from pocketrec.core.files.hashing import sha256_file
from pocketrec.core.run_dir import Run
from pocketrec.runtimes.own_aar import aar_runtime
from pocketrec.runtimes.runtimes import CURRENT_RUNTIME, RUNTIMES

from tests.conftest import raises, refused
from tests.runtimes.android.archives import archive_of, compiled, needs_android, needs_gcc, real_archive
from tests.variants import keep_variants

ENTRY = "void TfLiteInterpreterCreate(void) {}\n"


@pytest.fixture
def few(own_tiny):
    """A run of one variant."""
    keep_variants(Run(own_tiny), lambda variant: (variant.graph, variant.recipe) == ("query_encoder", "float32"))
    return own_tiny


def rows_of(done):
    return json.loads(done.out)["results"]


@needs_android
@needs_gcc
def test_it_joins_the_runtimes_under_the_name_of_its_file_and_hash(few, pocketrec, tmp_path):
    own = real_archive(tmp_path / "my lite.aar", "2.16.1", "x86_64")
    done = pocketrec("parity", few, "--runtime", CURRENT_RUNTIME, "--aar", own, "--json")
    assert done.code == 0, done.err
    (row,) = (row for row in rows_of(done) if row["runtime"] != CURRENT_RUNTIME)
    name = f"my_lite-{sha256_file(own)[:8]}"
    assert (row["runtime"], row["target"], row["delegate"], row["status"]) == (name, "host", "none", "pass")
    assert (few / "reports" / "raw" / f"query_encoder-float32@{name}@none.npz").is_file()
    assert pocketrec("report", few).code == 0 and pocketrec("parity", few, "--rejudge").code == 0


@needs_android
@needs_gcc
def test_it_leaves_the_table_with_the_call(tmp_path):
    own = real_archive(tmp_path / "x.aar", "2.14.0", "x86_64")
    known = dict(RUNTIMES)
    with aar_runtime(own) as (name,):
        assert not RUNTIMES[name].missing() and RUNTIMES[name].on_host and name not in known
    assert known == RUNTIMES
    with aar_runtime(None) as names:
        assert names == []


@needs_gcc
@pytest.mark.parametrize(
    ("libraries", "said"),
    [
        ({"armeabi-v7a/libtensorflowlite_jni.so": b""}, "with armeabi-v7a"),
        ({"arm64-v8a/libtensorflowlite_jni.so": b""}, "with arm64-v8a"),
        ({}, "with no library"),
    ],
)
def test_an_aar_without_a_library_for_the_processor_is_refused(few, pocketrec, tmp_path, libraries, said):
    line = refused(pocketrec("parity", few, "--aar", archive_of(tmp_path / "x.aar", libraries)))
    assert said in line and line.endswith("[INPUT_INVALID]")


@needs_gcc
def test_an_aar_without_tflite_is_refused(tmp_path):
    other = compiled("void other(void) {}", tmp_path / "c")
    own = archive_of(tmp_path / "x.aar", {"x86_64/libother.so": other, "x86_64/libtext.so": b"no ELF"})
    with raises("INPUT_INVALID"), aar_runtime(own):
        pass
    with raises("INPUT_INVALID") as caught, aar_runtime(archive_of(own, {"x86_64/libother.so": other})):
        pass
    assert "libother.so (x86_64) without it" in str(caught.value)


@needs_gcc
def test_data_of_bionic_that_the_kit_lacks_is_named(tmp_path):
    source = ENTRY + "extern int bionic_table[]; int first(void) { return bionic_table[0]; }"
    own = archive_of(tmp_path / "x.aar", {"x86_64/libx.so": compiled(source, tmp_path / "c")})
    with raises("INPUT_INVALID") as caught, aar_runtime(own):
        pass
    assert "it wants bionic_table of bionic" in str(caught.value)


@needs_gcc
@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("__attribute__((constructor)) static void boom(void) { __builtin_trap(); }", "signal 4"),
        ("__attribute__((constructor)) static void boom(void) { *(volatile int *)8 = 1; }", "signal 11"),
        (
            "void bionic_only(void);\n__attribute__((constructor)) static void boom(void) { bionic_only(); }",
            "bionic_only",
        ),
        ("", "TfLiteModelCreateFromFile"),
    ],
)
def test_a_library_that_crashes_or_is_too_old_is_a_row(few, pocketrec, tmp_path, body, said):
    own = archive_of(tmp_path / "x.aar", {"x86_64/libx.so": compiled(body + "\n" + ENTRY, tmp_path / "c")})
    done = pocketrec("parity", few, "--runtime", CURRENT_RUNTIME, "--aar", own, "--json")
    assert done.code == 1, done.err
    found = {row["runtime"]: row for row in rows_of(done)}
    assert found.pop(CURRENT_RUNTIME)["status"] == "pass"
    (row,) = found.values()
    assert row["status"] == "error" and said in row["reason"]


def test_an_aar_and_judging_again_exclude_each_other(few, pocketrec, tmp_path):
    assert refused(pocketrec("parity", few, "--rejudge", "--aar", tmp_path / "x.aar")).endswith("[OPTION_CONFLICT]")


def test_a_missing_compiler_is_named(few, monkeypatch, tmp_path):
    own = archive_of(tmp_path / "x.aar", {"x86_64/libx.so": b""})
    monkeypatch.setenv("PATH", str(tmp_path))
    with raises("NOT_INSTALLED"), aar_runtime(own):
        pass
