"""Running Maven on copies of the client, and on the tools that it fetches."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

TESTS = pytest.mark.skipif(
    shutil.which("mvn") is None or shutil.which("javac") is None,
    reason="no Maven or JDK; run: apt-get install maven default-jdk-headless",
)
CLIENT = Path(__file__).parents[3] / "android_assets" / "client"
# By its full name: a prefix is not looked up in offline mode, and Maven does not say that this is why.
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"
KTLINT = "com.pinterest.ktlint:ktlint-cli:1.7.1:jar:all"


def maven(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run Maven; offline if everything was fetched before."""
    command = ["mvn", "-B", "-q", *map(str, arguments)]
    done = subprocess.run([*command, "-o"], capture_output=True, text=True, timeout=1500, check=False)
    if "offline mode" in done.stdout:
        done = subprocess.run(command, capture_output=True, text=True, timeout=1500, check=False)
    return done


def copied(folder: Path) -> Path:
    """A copy of the client, and of the shared test vectors beside it, in `folder`; returns the client."""
    ignored = shutil.ignore_patterns("target")
    client = shutil.copytree(CLIENT, folder / "client", ignore=ignored)
    (folder / "format").mkdir()
    shutil.copy(CLIENT.parent / "format" / "manifest_cases.json", folder / "format")
    return client


def ktlint(folder: Path, *patterns: str) -> subprocess.CompletedProcess[str]:
    """Run ktlint, which Maven fetches, on the Kotlin files of a folder."""
    jar = _ktlint_jar()
    command = ["java", "-jar", str(jar), "--log-level=error", "--relative", *(patterns or ("**/*.kt", "**/*.kts"))]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=folder)


def _ktlint_jar() -> Path:
    _, name, version, _, classifier = KTLINT.split(":")
    cache = Path(os.environ.get("POCKETREC_TEST_CACHE", CLIENT.parents[1] / "build" / "tests")) / "ktlint"
    jar = cache / f"{name}-{version}-{classifier}.jar"
    if not jar.exists():
        done = maven(f"{COPY}:copy", f"-Dartifact={KTLINT}", f"-DoutputDirectory={cache}")
        assert done.returncode == 0, done.stdout[-3000:]
    return jar
