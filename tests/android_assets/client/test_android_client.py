"""The Kotlin client, built and tested by Maven on bundles that the kit wrote, executed by the LiteRT that is installed here."""

import importlib.util
import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest
from pocketrec.android_assets.format.layouts import LAYOUTS

from tests.android_assets.updating import FIRST
from tests.conftest import call

pytestmark = [
    pytest.mark.android,
    pytest.mark.skipif(
        shutil.which("mvn") is None or shutil.which("javac") is None,
        reason="no Maven or JDK; run: apt-get install maven default-jdk-headless",
    ),
]

CLIENT = Path(__file__).parents[3] / "android_assets" / "client"
# Classes of org.tensorflow.lite and of Android are the app's to bring.
ALLOWED_IN_THE_JAR = re.compile(r"META-INF/.*|pocketrec/client/[\w$]+\.class|pocketrec/(client/)?")


def maven(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Maven in a copy of the client; offline where everything was fetched before."""
    command = ["mvn", "-B", "-q", "-f", str(folder / "pom.xml"), *arguments]
    done = subprocess.run([*command, "-o"], capture_output=True, text=True, timeout=590, check=False)
    if "offline mode" in done.stdout:
        done = subprocess.run(command, capture_output=True, text=True, timeout=590, check=False)
    return done


def copied(folder: Path) -> Path:
    return shutil.copytree(CLIENT, folder, ignore=shutil.ignore_patterns("target"))


@pytest.fixture(scope="module")
def bundles(run, tutorial_run, tmp_path_factory):
    """A signed bundle of each layout, each also as a zip, and one of models keyed by user: (directories, public key)."""
    folder = tmp_path_factory.mktemp("bundles")
    assert call("keygen", "--out", folder / "key.pem").code == 0
    wanted = [(name, run, name) for name in LAYOUTS] + [("tutorial", tutorial_run, "pair")]
    for name, of, layout in wanted:
        options = [
            "--layout",
            layout,
            "--sign",
            folder / "key.pem",
            "--out",
            folder / name,
            "--zip",
            folder / f"{name}.zip",
        ]
        done = call("bundle", of, *options)
        assert done.code == 0, done.err
    return [folder / name for name, _, _ in wanted], folder / "key.pub.pem"


@pytest.fixture(scope="module")
def update(bundles, run):
    """A signed update of the split bundle's catalogue, with two new films."""
    folder = bundles[1].parent
    (folder / "new.csv").write_text(FIRST)
    base = ["--catalogue-only", "--base", folder / "split", "--new-items", folder / "new.csv"]
    done = call("bundle", run, *base, "--sign", folder / "key.pem", "--out", folder / "update")
    assert done.code == 0, done.err
    return folder / "update"


@pytest.fixture(scope="module")
def built(bundles, update, tmp_path_factory):
    """The client after `mvn package`, and what Maven said."""
    folders, key = bundles
    client = copied(tmp_path_factory.mktemp("client") / "client")
    spec = importlib.util.find_spec("ai_edge_litert")
    assert spec and spec.origin
    properties = {
        "pocketrec.bundle": os.pathsep.join(map(str, folders)),
        "pocketrec.key": key,
        "pocketrec.update": update,
        "pocketrec.litert": Path(spec.origin).with_name("libLiteRt.so"),
    }
    done = maven(client, "package", *(f"-D{name}={value}" for name, value in properties.items()))
    return client, done


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


def test_golden_vectors_of_every_layout_were_replayed_in_kotlin(built, bundles):
    client, _ = built
    said = "\n".join(out.text or "" for suite in reports(client) for out in suite.iter("system-out"))
    for folder in bundles[0]:
        found = re.search(rf"{folder.name}: (\d+) golden vectors, (\d+) golden queries", said)
        assert found and int(found[1]) > 0 and int(found[2]) > 0, folder.name


def test_the_jar_holds_the_client_and_nothing_else(built):
    client, _ = built
    (jar,) = (client / "library" / "target").glob("client-*.jar")
    with zipfile.ZipFile(jar) as archive:
        names = archive.namelist()
    assert "pocketrec/client/RecommenderBundle.class" in names
    assert [name for name in names if not ALLOWED_IN_THE_JAR.fullmatch(name)] == []
    assert jar.stat().st_size < 250_000


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (
            "internal fun trip(): Any = javax.naming.InitialContext()",
            "Undefined reference: javax.naming.InitialContext",
        ),
        ("internal fun trip(s: java.io.InputStream): ByteArray = s.readAllBytes()", "readAllBytes"),
        ("fun trip(): Int = 1", "explicit"),
        ("internal fun trip(s: String): Int = s!!.length", "-Werror specified"),
    ],
)
def test_what_is_not_on_android_8_or_not_explicit_does_not_build(tmp_path, code, said):
    client = copied(tmp_path / "client")
    trip = client / "src" / "main" / "kotlin" / "pocketrec" / "client" / "Trip.kt"
    trip.write_text(f"package pocketrec.client\n\n{code}\n")
    done = maven(client, "process-classes")
    assert done.returncode != 0 and said in done.stdout, done.stdout[-3000:]
