"""The wheel, in a clean environment without the train extra: small, and enough to verify and recommend."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(out.glob("*.whl"))


def test_wheel_holds_the_stages_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names}
    assert tops == {"pocketrec", next(name for name in tops if name.endswith(".dist-info"))}
    wanted = (
        "benchmarks/parity/gates.toml",
        "benchmarks/report/templates/report.html.j2",
        "benchmarks/report/templates/report.css",
        "benchmarks/report/templates/report.js",
        "runtimes/litert_js_page/page.html",
        "runtimes/litert_js_page/page.js",
    )
    assert {f"pocketrec/{name}" for name in wanted} <= set(names)
    assert not [name for name in names if name.startswith("pocketrec/tests")]


def test_uv_accepts_the_lock_file_with_its_hashes():
    """`make` prefers uv where there is one; it reads pyproject.toml too and is stricter than pip."""
    command = [Path(sys.executable).with_name("uv"), "pip", "install", "--dry-run", "--python", sys.executable]
    done = subprocess.run(
        [*command, "--require-hashes", "-r", "requirements.lock"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and "Would make no changes" in done.stderr, done.stderr


def test_clean_install_verifies_and_recommends_without_tensorflow(wheel, run, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    pins = re.findall(r"^([a-z0-9][a-z0-9.-]*==\S+)", (ROOT / "requirements.lock").read_text(), re.M)
    (tmp_path / "constraints.txt").write_text("\n".join(pins))
    install = [
        python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "-c",
        tmp_path / "constraints.txt",
        wheel,
    ]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = subprocess.run([python, "-m", "pip", "list"], capture_output=True, text=True, check=True).stdout.lower()
    assert "ai-edge-litert" in found and "tensorflow" not in found and "scipy" not in found
    pocketrec = tmp_path / "venv" / "bin" / "pocketrec"
    for arguments, said in (
        (["verify", run / "bundle"], "golden queries replayed"),
        (["recommend", run / "bundle", "--prefer", "Western"], "For this history"),
    ):
        done = subprocess.run([pocketrec, *arguments], capture_output=True, text=True, cwd=tmp_path, check=False)
        assert done.returncode == 0 and said in done.stdout, done.stderr
    done = subprocess.run([pocketrec, "train", "--out", tmp_path / "x"], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "pip install 'pocketrec[train]'" in done.stderr and done.stderr.count("\n") == 1
