"""The sample app: it compiles, runs, and as an APK keeps every model of the bundle as it was, stored and aligned."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from pocketrec.android_assets.reading.apk import read_libraries
from pocketrec.android_assets.reading.verify import verify_bundle
from pocketrec.core.files.hashing import sha256_file, sha256_tree

from tests.android_assets.sample.documentation import snippets
from tests.conftest import refused

TOOLS = ("mvn", "keytool", "aapt2", "zipalign", "apksigner", "dexdump", "zip", "unzip")
MISSING = [tool for tool in TOOLS if shutil.which(tool) is None]
pytestmark = [
    pytest.mark.android,
    pytest.mark.full,
    pytest.mark.skipif(
        bool(MISSING),
        reason=f"no {', '.join(MISSING)}; run: apt-get install maven openjdk-17-jdk-headless aapt android-framework-res "
        "zipalign apksigner dexdump zip unzip",
    ),
]

FOLDER = Path(__file__).parents[3] / "android_assets"
SAMPLE = FOLDER / "sample"
PAGE = 16384  # bytes; what build_apk.sh aligns to
STORED = (".tflite", ".npy")
ASSETS = "assets/bundle/"


def litert():
    spec = importlib.util.find_spec("ai_edge_litert")
    assert spec and spec.origin
    return str(Path(spec.origin).with_name("libLiteRt.so"))


def build_apk(bundle, out, **knobs):
    """Run build_apk.sh; intermediate files stay in `work` beside the APK."""
    (out.parent / "work").mkdir(exist_ok=True)
    environment = {**os.environ, "WORK": str(out.parent / "work"), **knobs}
    command = [SAMPLE / "build_apk.sh", bundle, out]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    return out


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """Where the whole app is built. The documentation's Kotlin lies beside R.java: Maven compiles it with the app."""
    folder = tmp_path_factory.mktemp("apk") / "work"
    for number, code in enumerate(snippets()):
        (folder / "r" / f"docs{number}").mkdir(parents=True)
        (folder / "r" / f"docs{number}" / "Docs.kt").write_text(f"package docs{number}\n\n{code}", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def apk(run, work):
    """The whole app, tested first: code, native libraries, resources, and the demo's bundle as assets."""
    return build_apk(run / "bundle", work.with_name("sample.apk"), LITERT=litert())


def data_offset(apk, entry):
    """Where an entry's bytes begin in the file: behind its local header, name and padding (APPNOTE.TXT 4.3.7)."""
    with apk.open("rb") as file:
        file.seek(entry.header_offset + 26)
        name, extra = (int.from_bytes(file.read(2), "little") for _ in range(2))
    return entry.header_offset + 30 + name + extra


def unmappable(apk, alignment):
    """{name: why} of the models and candidates in an APK that cannot be mapped at a multiple of `alignment` bytes."""
    found = {}
    with zipfile.ZipFile(apk) as archive:
        for entry in archive.infolist():
            if entry.filename.endswith(STORED):
                if entry.compress_type != zipfile.ZIP_STORED:
                    found[entry.filename] = "deflated"
                elif data_offset(apk, entry) % alignment:
                    found[entry.filename] = f"at {data_offset(apk, entry)}"
    return found


def verified(apk):
    return subprocess.run(["apksigner", "verify", "--verbose", apk], capture_output=True, text=True, check=False)


def test_every_model_is_stored_where_a_page_begins(run, apk):
    wanted = [row["path"] for row in json.loads((run / "bundle" / "manifest.json").read_text())["files"]]
    with zipfile.ZipFile(apk) as archive:
        inside = {name.removeprefix(ASSETS) for name in archive.namelist() if name.startswith(ASSETS)}
    assert inside - {"manifest.json", "manifest.sig"} == set(wanted)
    assert len([name for name in inside if name.endswith(".tflite")]) >= 1
    assert unmappable(apk, PAGE) == {}


def test_bytes_at_the_stored_offset_are_the_model(run, apk):
    """What a phone maps through an AssetFileDescriptor: start offset and length, without a zip reader."""
    with zipfile.ZipFile(apk) as archive:
        entries = [entry for entry in archive.infolist() if entry.filename.endswith(STORED)]
    raw = apk.read_bytes()
    for entry in entries:
        start = data_offset(apk, entry)
        source = run / "bundle" / entry.filename.removeprefix(ASSETS)
        assert raw[start : start + entry.file_size] == source.read_bytes()


def test_every_hash_is_intact_and_the_assets_verify(apk, tmp_path):
    with zipfile.ZipFile(apk) as archive:
        archive.extractall(tmp_path, [name for name in archive.namelist() if name.startswith(ASSETS)])
    for row in verify_bundle(tmp_path / ASSETS).manifest.files:
        assert sha256_file(tmp_path / ASSETS / row.path) == row.sha256


def test_signature_is_valid_and_whole_file(apk):
    done = verified(apk)
    assert done.returncode == 0, done.stderr
    assert "Verified using v2 scheme (APK Signature Scheme v2): true" in done.stdout


def test_zipalign_agrees(apk):
    assert subprocess.run(["zipalign", "-c", str(PAGE), apk], check=False).returncode == 0


def test_code_and_native_libraries_are_in_it(apk):
    with zipfile.ZipFile(apk) as archive:
        names = archive.namelist()
        dex = archive.read("classes.dex")
    assert dex[:4] == b"dex\n" and b"Lpocketrec/sample/FilmsActivity;" in dex
    abis = {name.split("/")[1] for name in names if name.startswith("lib/")}
    assert abis == {"arm64-v8a", "armeabi-v7a", "x86_64"}


def test_on_pages_of_16_kb_nothing_but_tensorflow_lite_fails(apk, pocketrec):
    """docs/android.md says so. The day its library has larger segments, this fails, and the sample passes `verify --apk`."""
    line = refused(pocketrec("verify", "--apk", apk), 1)
    assert line.endswith("[LIBRARY_UNALIGNED]")
    found = {library.name: library for library in read_libraries(apk)}
    library = "libtensorflowlite_jni.so"
    assert set(found) == {f"lib/{abi}/{library}" for abi in ("arm64-v8a", "armeabi-v7a", "x86_64")}
    assert {name for name, one in found.items() if one.problem} == {
        f"lib/{abi}/{library}" for abi in ("arm64-v8a", "x86_64")
    }
    assert {one.alignment for one in found.values()} == {4096}
    assert all(one.start is not None and one.start % PAGE == 0 for one in found.values())


def test_without_code_the_app_loads_on_every_device(run, tmp_path, pocketrec):
    apk = build_apk(run / "bundle", tmp_path / "plain.apk", CODE="no")
    done = pocketrec("verify", "--apk", apk)
    assert done.code == 0 and "no native library" in done.out


def native_methods(dex):
    """JNI names of the native methods that a classes.dex declares."""
    text = subprocess.run(["dexdump", dex], capture_output=True, text=True, check=True, errors="replace").stdout
    rows = re.findall(r"\(in L([^;]+);\)\n *name +: '([^']+)'\n *type +: .*\n *access +: .*NATIVE", text)
    return {f"Java_{owner.replace('_', '_1').replace('/', '_')}_{name.replace('_', '_1')}" for owner, name in rows}


def test_shrinking_keeps_the_names_by_which_the_native_library_is_called(apk, work):
    wanted = native_methods(work / "add" / "classes.dex")
    assert "Java_org_tensorflow_lite_NativeInterpreterWrapper_createInterpreter" in wanted
    with zipfile.ZipFile(apk) as archive:
        for abi in ("arm64-v8a", "armeabi-v7a", "x86_64"):
            library = archive.read(f"lib/{abi}/libtensorflowlite_jni.so")
            assert [name for name in sorted(wanted) if name.encode() not in library] == []


def test_the_apps_own_tests_ran(apk, work):
    reports = [path.read_text() for path in (work / "target" / "surefire-reports").glob("*.txt")]
    counts = [re.search(r"Tests run: (\d+), Failures: 0, Errors: 0, Skipped: 0", text) for text in reports]
    assert all(counts) and sum(int(count[1]) for count in counts if count) >= 24


def test_every_kotlin_block_of_the_docs_was_compiled(apk, work):
    assert len(snippets()) >= 4
    for number in range(len(snippets())):
        assert list((work / "target" / "classes" / f"docs{number}").glob("*.class"))


def test_one_byte_of_a_model_changed_in_the_apk_is_refused(apk, tmp_path):
    with zipfile.ZipFile(apk) as archive:
        entry = next(entry for entry in archive.infolist() if entry.filename.endswith(".tflite"))
    raw = bytearray(apk.read_bytes())
    raw[data_offset(apk, entry) + entry.file_size // 2] ^= 1
    (tmp_path / "touched.apk").write_bytes(raw)
    assert verified(tmp_path / "touched.apk").returncode != 0


def test_without_no_compress_the_models_are_found_deflated(run, tmp_path):
    apk = build_apk(run / "bundle", tmp_path / "deflated.apk", NO_COMPRESS="", CODE="no")
    reasons = unmappable(apk, PAGE)
    assert reasons and set(reasons.values()) == {"deflated"}


def test_a_model_off_its_page_is_found(apk, tmp_path):
    with zipfile.ZipFile(apk) as archive:
        entry = next(entry for entry in archive.infolist() if entry.filename.endswith(".tflite"))
        data = archive.read(entry)
    with zipfile.ZipFile(tmp_path / "off.apk", "w") as archive:
        archive.writestr("x" * (3 - len(entry.filename) % 2), b"")
        archive.writestr(zipfile.ZipInfo(entry.filename), data)
    assert list(unmappable(tmp_path / "off.apk", 4)) == [entry.filename]


def test_building_leaves_the_source_tree_alone(run, tmp_path):
    before = sha256_tree(SAMPLE)
    build_apk(run / "bundle", tmp_path / "a.apk", CODE="no")
    assert sha256_tree(SAMPLE) == before


def test_a_keystore_can_be_given(run, tmp_path):
    """The certificate in the APK is that of the keystore."""
    store = tmp_path / "own.p12"
    command = ["keytool", "-genkeypair", "-keystore", store, "-storepass", "of-my-own", "-alias", "app"]
    subprocess.run([*command, "-keyalg", "EC", "-dname", "CN=mine"], check=True, capture_output=True)
    apk = build_apk(run / "bundle", tmp_path / "a.apk", CODE="no", KEYSTORE=str(store), KEYPASS="of-my-own")
    done = subprocess.run(["apksigner", "verify", "--print-certs", apk], capture_output=True, text=True, check=True)
    assert "CN=mine" in done.stdout
