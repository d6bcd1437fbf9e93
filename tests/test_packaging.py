"""The wheel: whole, typed, and small: without extras it verifies, recommends, updates and inspects on every Python it names."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
STAGES = ("core", "runtimes", "train", "convert", "benchmarks", "android_assets", "cli")
UV = str(Path(sys.executable).with_name("uv"))


def call(*command: object, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, **options)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from a copy: setuptools writes into the folder that it builds."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in (*STAGES, "pocketrec"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "client", "sample"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    done = call(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, source)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(out.glob("*.whl"))


def test_wheel_holds_every_module_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names}
    assert tops == {"pocketrec", next(name for name in tops if name.endswith(".dist-info"))}
    modules = [
        *(ROOT / "pocketrec").rglob("*.py"),
        *(path for stage in STAGES for path in (ROOT / stage).rglob("*.py")),
    ]
    relative = {path.relative_to(ROOT).as_posix() for path in modules if not {"client", "sample"} & set(path.parts)}
    wanted = {name if name.startswith("pocketrec/") else f"pocketrec/{name}" for name in relative}
    assert {name for name in names if name.endswith(".py")} == wanted
    for package, patterns in PROJECT["tool"]["setuptools"]["package-data"].items():
        folder = package.replace(".", "/")
        for pattern in patterns:
            suffix = Path(pattern).suffix
            assert [n for n in names if n.startswith(f"{folder}/") and (n.endswith(suffix) or not suffix)], (
                package,
                pattern,
            )


CONSUMER = """
import pocketrec.train.stage
import pocketrec as pr

run: pr.Run = pr.train("run", data="movielens/100k", seed=3)
variant: pr.Variant = pr.convert(run, recipes=["dynamic_int8"])[0]
report = pr.parity(run)
failed: list[pr.ParityRow] = report.failures
small: bytes = pr.quantize(b"", "dynamic_int8")
bundle: pr.Bundle = pr.bundle(run, "bundle", layout="pair")
titles: list[str] = [item.title for item in bundle.recommend({"Speed (1994)": 5}, top=5).items]
"""


@pytest.mark.full
def test_type_checkers_see_the_functions(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    assert (tmp_path / "site" / "pocketrec" / "py.typed").is_file()
    (tmp_path / "pyrightconfig.json").write_text(
        '{"extraPaths": ["site"], "include": ["*.py"], "pythonVersion": "3.11"}'
    )
    (tmp_path / "right.py").write_text(CONSUMER)
    (tmp_path / "wrong.py").write_text('import pocketrec as pr\n\npr.train("run", seed="three")\npr.convert().passed\n')
    checker = Path(sys.executable).with_name("basedpyright")
    done = call(checker, "--level", "error", "--pythonpath", sys.executable, cwd=tmp_path)
    assert "right.py" not in done.stdout, done.stdout
    assert "reportArgumentType" in done.stdout and "reportAttributeAccessIssue" in done.stdout, done.stdout


@pytest.mark.full
def test_uv_accepts_the_lock_file_with_its_hashes():
    """`make` prefers uv where there is one; it reads pyproject.toml too and is stricter than pip."""
    command = [UV, "pip", "install", "--dry-run", "--python", sys.executable]
    done = call(*command, "--require-hashes", "-r", "requirements.lock", cwd=ROOT)
    assert done.returncode == 0 and "Would make no changes" in done.stderr, done.stderr


def interpreter(version: str) -> str | None:
    """An interpreter of this version: this one, one on the PATH, or one of pyenv's; None where there is none."""
    candidates = [sys.executable, shutil.which(f"python{version}")]
    if pyenv := shutil.which("pyenv"):
        versions = Path(call(pyenv, "root").stdout.strip()) / "versions"
        candidates += sorted(map(str, versions.glob(f"{version}.*/bin/python{version}")))
    for candidate in filter(None, candidates):
        done = call(candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
        if done.returncode == 0 and done.stdout.strip() == version:
            return candidate
    return None


# A test that is skipped fails under CI, so versions that are not on the machine are not collected; 3.11 must be.
VERSIONS = [
    found[1] for item in PROJECT["project"]["classifiers"] if (found := re.search(r"Python :: (3\.\d+)$", item))
]
HERE = {version: path for version in VERSIONS if (path := interpreter(version))}
CASES = [(version, ">=2") for version in HERE] + [("3.11", "<2")]


def test_the_oldest_python_is_tried():
    assert VERSIONS[0] in HERE and PROJECT["project"]["requires-python"].startswith(f">={VERSIONS[0]}")


@pytest.mark.full
@pytest.mark.parametrize(("version", "numpy"), CASES)
def test_the_small_install_reads_bundles_and_files(version, numpy, wheel, tiny, tmp_path):
    venv = tmp_path / "venv"
    assert call(UV, "venv", "--quiet", "--python", HERE[version], venv).returncode == 0
    python, pocketrec = venv / "bin" / "python", venv / "bin" / "pocketrec"
    done = call(UV, "pip", "install", "--quiet", "--python", python, wheel, f"numpy{numpy}")
    assert done.returncode == 0, done.stderr
    found = call(UV, "pip", "list", "--python", python).stdout.lower()
    assert "ai-edge-litert" in found and not [
        name for name in ("tensorflow", "scipy", "scann", "jinja2") if name in found
    ]
    base, update = _bundle_and_update(tiny, tmp_path)
    runs = [
        (["verify", tiny / "bundle", "--key", tiny / "key.pub.pem"], 0, "golden queries replayed"),
        (["recommend", tiny / "bundle", "--prefer", "Western"], 0, "For this history"),
        (["inspect", tiny / "converted" / "retriever-dynamic_int8.tflite"], 0, "serving_default"),
        (["verify", update, "--base", base], 0, "to version 2"),
        (["update", base, update], 0, "version 2"),
        (["list"], 0, "dynamic_int8"),
        (["doctor"], 0, "litert"),
        (["--version"], 0, "pocketrec "),
        (["train", "--out", tmp_path / "x"], 2, "[NOT_INSTALLED]"),
        (["evaluate", tiny], 2, "[NOT_INSTALLED]"),
    ]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    for arguments, code, said in runs:
        done = call(pocketrec, *arguments, cwd=tmp_path, env=environment)
        assert done.returncode == code and said in done.stdout + done.stderr, (arguments, done.stdout, done.stderr)
        assert done.stderr.count("\n") == (code != 0)
    api = f"import pocketrec as pr; print(pr.open_bundle({str(base)!r}).recommend(prefer=['Western'], top=3).items[0].title)"
    assert call(python, "-c", api, cwd=tmp_path, env=environment).returncode == 0


def _bundle_and_update(run: Path, folder: Path) -> tuple[Path, Path]:
    import pocketrec as pr

    (folder / "new.csv").write_text("id,title,genres\nnew1,Brand New (2026),Western\n")
    base = pr.bundle(run, folder / "base", layout="split")
    update = pr.bundle(run, folder / "update", catalogue_only=True, base=base.path, new_items=folder / "new.csv")
    return base.path, update.path
