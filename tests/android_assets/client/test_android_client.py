"""The Kotlin client, built and tested by Maven on bundles that the kit wrote, executed by LiteRT and by Android's own library."""

import importlib.util
import json
import os
import platform
import re
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest
from pocketrec.android_assets.format.layouts import LAYOUTS
from pocketrec.android_assets.reading.verify import open_bundle
from pocketrec.runtimes.android import aar, pack

from tests.android_assets.client.maven import CLIENT, TESTS, copied, ktlint, maven
from tests.android_assets.client.wycheproof_verdicts import verdicts
from tests.android_assets.updating import FIRST
from tests.conftest import call
from tests.runtimes.android.archives import needs_android

pytestmark = [pytest.mark.android, pytest.mark.full, TESTS]

# Classes of org.tensorflow.lite and of Android are the app's to bring.
ALLOWED_IN_THE_JAR = re.compile(r"META-INF/.*|pocketrec/client/[\w$]+\.class|pocketrec/(client/)?")


@pytest.fixture(scope="module")
def bundles(run, tutorial_run, tmp_path_factory):
    """A signed bundle of each layout, each also as a zip, and one of models keyed by user: (directories, public key)."""
    folder = tmp_path_factory.mktemp("bundles")
    assert call("keygen", "--out", folder / "key.pem").code == 0
    wanted = [(name, run, name) for name in LAYOUTS] + [("tutorial", tutorial_run, "pair")]
    for name, of, layout in wanted:
        out = ["--out", folder / name, "--zip", folder / f"{name}.zip"]
        done = call("bundle", of, "--layout", layout, "--sign", folder / "key.pem", *out)
        assert done.code == 0, done.err
    return [folder / name for name, _, _ in wanted], folder / "key.pub.pem"


@pytest.fixture(scope="module")
def update(bundles, run):
    """A signed update of the catalogue of the split bundle, with two new items."""
    folder = bundles[1].parent
    (folder / "new.csv").write_text(FIRST)
    base = ["--catalogue-only", "--base", folder / "split", "--new-items", folder / "new.csv"]
    done = call("bundle", run, *base, "--sign", folder / "key.pem", "--out", folder / "update")
    assert done.code == 0, done.err
    return folder / "update"


def write_reasons(folders, path):
    """What Python answers to a history with a dislike, and why, by bundle; those keyed by user have no history."""
    answers = {}
    for folder in folders:
        with open_bundle(folder) as bundle:
            if not bundle.catalogue.window:
                continue
            ids = bundle.catalogue.items
            history = [(ids[3], 5.0), (ids[8], None), (ids[20], 1.0)]
            asked = {"prefer": bundle.catalogue.preferences[-1:], "dislike": [ids[12]], "top": 5}
            answer = bundle.recommend(history, **asked, why=True).to_json()
            answers[folder.name] = {"history": history, **asked, **answer}
    path.write_text(json.dumps(answers))


def android_library() -> Path:
    """Android's library for this machine, of the version that the client is compiled against; '.' where there is none."""
    version = ElementTree.parse(CLIENT / "pom.xml").findtext(".//{*}tflite.version")
    return Path(aar.libraries(pack.folder() / str(version)).get(platform.machine(), ""))


@pytest.fixture(scope="module")
def built(bundles, update, wycheproof, tmp_path_factory):
    """The client after `mvn package`, and Maven's process."""
    folders, key = bundles
    write_reasons(folders, key.with_name("reasons.json"))
    client = copied(tmp_path_factory.mktemp("client"))
    spec = importlib.util.find_spec("ai_edge_litert")
    assert spec and spec.origin
    properties = {
        "pocketrec.bundle": os.pathsep.join(map(str, folders)),
        "pocketrec.key": key,
        "pocketrec.reasons": key.with_name("reasons.json"),
        "pocketrec.update": update,
        "pocketrec.litert": Path(spec.origin).with_name("libLiteRt.so"),
        "pocketrec.android": "" if pack.missing() else android_library().parent,
        "pocketrec.wycheproof": wycheproof,
    }
    done = maven("-f", client / "pom.xml", "package", *(f"-D{name}={value}" for name, value in properties.items()))
    return client, done


def printed(client: Path) -> str:
    return "\n".join(out.text or "" for suite in reports(client) for out in suite.iter("system-out"))


def reports(client: Path) -> list[ElementTree.Element]:
    found = sorted((client / "library" / "target" / "surefire-reports").glob("TEST-*.xml"))
    return [ElementTree.parse(path).getroot() for path in found]


def test_every_kotlin_test_passes_and_none_is_skipped(built):
    client, done = built
    assert done.returncode == 0, done.stdout[-10_000:]
    suites = reports(client)
    assert {suite.get("name", "").rpartition(".")[2] for suite in suites} == {
        path.stem for path in (CLIENT / "src" / "test" / "kotlin").rglob("*Test.kt")
    }
    for suite in suites:
        assert int(suite.get("tests", 0)) > 0
        assert [suite.get(kind) for kind in ("failures", "errors", "skipped")] == ["0", "0", "0"], suite.get("name")


@pytest.mark.parametrize("runtime", ["LiteRT", pytest.param("TfLiteRuntime", marks=needs_android)])
def test_golden_vectors_of_every_layout_were_replayed_in_kotlin(built, bundles, runtime):
    output = printed(built[0])
    for folder in bundles[0]:
        found = re.search(rf"{runtime}, {folder.name}: (\d+) golden vectors, (\d+) golden queries", output)
        assert found and int(found[1]) > 0 and int(found[2]) > 0, folder.name


def test_golden_vectors_were_replayed_through_the_class_for_compiled_model(built, bundles):
    """By declarations of LiteRT's Kotlin API over its C library; the layout pair needs a call that the API lacks."""
    output = printed(built[0])
    replayed = {name for name in LAYOUTS if re.search(rf"LiteRtRuntime, {name}: [1-9]\d* golden vectors", output)}
    assert replayed == set(LAYOUTS) - {"pair"}


@needs_android
def test_the_library_that_was_executed_is_the_one_that_apps_depend_on(built):
    """Byte for byte that of the archive whose Java classes the client is compiled against."""
    with zipfile.ZipFile(built[0] / "tflite" / "target" / "tensorflow-lite.aar") as archive:
        (abi,) = (abi for abi in aar.ABIS if abi.machine == platform.machine())
        assert archive.read(f"jni/{abi.name}/libtensorflowlite_jni.so") == android_library().read_bytes()


def test_the_jar_holds_the_client_and_nothing_else(built):
    client, _ = built
    (jar,) = (client / "library" / "target").glob("client-*.jar")
    with zipfile.ZipFile(jar) as archive:
        names = archive.namelist()
    assert "pocketrec/client/RecommenderBundle.class" in names
    assert [name for name in names if not ALLOWED_IN_THE_JAR.fullmatch(name)] == []
    assert jar.stat().st_size < 250_000


def test_both_verifiers_judge_every_wycheproof_vector_alike(built, wycheproof, tmp_path):
    found = re.search(r"wycheproof: (\d+) vectors, accepted (\[.*\])", printed(built[0]))
    assert found
    ours = verdicts(wycheproof, tmp_path)
    assert int(found[1]) == len(ours) > 200
    assert json.loads(found[2]) == [vector.number for vector in ours if vector.is_accepted]


@pytest.mark.parametrize(
    ("lines", "messages"),
    [
        (
            ["internal fun context(): Any = javax.naming.InitialContext()"],
            ["Undefined reference: javax.naming.InitialContext"],
        ),
        (["internal fun all(s: java.io.InputStream): ByteArray = s.readAllBytes()"], ["readAllBytes"]),
        (["fun public(): Int = 1"], ["explicit"]),
        (["internal fun sure(s: String): Int = s!!.length"], ["-Werror specified"]),
    ],
    ids=["no part of Android", "newer than Android 8", "not explicit", "a warning"],
)
def test_what_android_8_lacks_and_what_the_compiler_warns_of_does_not_build(tmp_path, lines, messages):
    client = copied(tmp_path)
    trip = client / "src" / "main" / "kotlin" / "pocketrec" / "client" / "Trip.kt"
    trip.write_text("\n".join(["package pocketrec.client", "", *lines, ""]))
    done = maven("-f", client / "pom.xml", "process-classes")
    assert done.returncode != 0
    for message in messages:
        assert message in done.stdout, done.stdout[-3000:]


def test_ktlint_finds_nothing_in_the_client_and_the_sample():
    done = ktlint(CLIENT.parent, "client/src/**/*.kt", "sample/**/*.kt", "sample/**/*.kts")
    assert done.returncode == 0, done.stdout[-5000:]


def test_ktlint_finds_a_line_that_is_not_formatted(tmp_path):
    (tmp_path / "Trip.kt").write_text("package trip\n\nfun trip( a:Int ):Int=a\n")
    done = ktlint(tmp_path)
    assert done.returncode != 0 and "Trip.kt:3" in done.stdout
