"""Without Maven the Kotlin tests are skipped, and under CI a skipped test fails the run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.full
ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("suite", "ci", "workers", "code"),
    [
        ("client/test_android_client.py", "", 0, 0),
        ("client/test_android_client.py", "true", 0, 1),
        ("client/test_android_client.py", "true", 2, 1),
        ("sample/test_sample_app.py", "true", 0, 1),
    ],
)
def test_a_missing_maven_fails_the_run_under_ci_only(suite, ci, workers, code):
    environment = {**os.environ, "PATH": str(Path(sys.executable).parent), "CI": ci}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", str(workers)]
    done = subprocess.run(
        [*command, ROOT / "tests" / "android_assets" / suite],
        capture_output=True,
        text=True,
        env=environment,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == code, done.stdout[-3000:]
    assert "no Maven or JDK" in done.stdout or "no mvn" in done.stdout
    assert "passed" not in done.stdout.splitlines()[-1]
