"""Who may import whom, and what must not drag TensorFlow in: the contracts of pyproject.toml hold, and trip."""

import pkgutil
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CONTRACTS = {
    contract["id"]: contract
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
}
SMALL = CONTRACTS["small-install"]
# An import that breaks each contract: the file it is planted in, and the import.
BREACHES = {
    "stages": ("core/errors.py", "from ..train import presets"),
    "small-install": ("runtimes/launch.py", "import tensorflow"),
    "train-rooms": ("train/data/ratings.py", "from .. import stage"),
    "convert-rooms": ("convert/quantize/recipes.py", "from .. import stage"),
    "benchmark-rooms": ("benchmarks/parity/judging/gates.py", "from ...report import stage"),
    "bundle-rooms": ("android_assets/format/signing.py", "from ..reading import verify"),
    "core-rooms": ("core/errors.py", "from .records import record"),
}


def lint_imports(tree: Path, *options: str) -> str:
    """What import-linter says about a tree as `make tree` makes it."""
    program = "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports_command as c; c()"
    command = [
        sys.executable,
        "-c",
        program,
        "--no-logo",
        "--no-cache",
        "--config",
        str(ROOT / "pyproject.toml"),
        *options,
    ]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False).stdout


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """The package as it is installed, in a place of its own."""
    place = tmp_path_factory.mktemp("tree")
    ignored = shutil.ignore_patterns("__pycache__", "client", "sample")
    shutil.copytree(ROOT / "pocketrec", place / "pocketrec", ignore=ignored)
    for stage in ("core", "runtimes", "train", "convert", "benchmarks", "android_assets", "cli"):
        shutil.copytree(ROOT / stage, place / "pocketrec" / stage, ignore=ignored)
    return place


def test_every_contract_is_kept(tree):
    said = lint_imports(tree)
    assert f"{len(CONTRACTS)} kept, 0 broken" in said, said


def test_every_contract_has_a_breach():
    assert set(BREACHES) == set(CONTRACTS)


@pytest.mark.full
@pytest.mark.parametrize("contract", BREACHES)
def test_a_planted_import_breaks_its_contract(contract, tree):
    name, line = BREACHES[contract]
    path = tree / "pocketrec" / name
    before = path.read_text()
    path.write_text(f"{before}\n{line}\n")
    try:
        said = lint_imports(tree, "--contract", contract)
    finally:
        path.write_text(before)
    assert "0 kept, 1 broken" in said, said


def modules_of(package: str) -> list[str]:
    """Every module of a package that can be imported by itself; programs that a worker runs have names of their own."""
    import importlib

    found = importlib.import_module(package)
    names = [package] if not hasattr(found, "__path__") else []
    for module in pkgutil.walk_packages(getattr(found, "__path__", []), f"{package}."):
        if ".workers." not in module.name:
            names.append(module.name)
    return names


def test_what_reads_a_bundle_imports_nothing_that_makes_one():
    """The contract again, on what is really imported."""
    names = [name for package in SMALL["source_modules"] for name in modules_of(package)]
    assert len(names) > 40
    program = f"""
import importlib, sys
for name in {names!r}: importlib.import_module(name)
forbidden = {SMALL["forbidden_modules"]!r}
# `import pocketrec` itself imports the packages of train and convert, which are empty, to make them callable.
loaded = [m for m in sys.modules for f in forbidden if m.startswith(f + ".") or (m == f and "." not in f)]
assert loaded == [], loaded
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["verify", "{run}/bundle"],
        ["recommend", "{run}/bundle", "--prefer", "Western"],
        ["bundle", "{run}", "--out", "{tmp}/b"],
        ["inspect", "{run}/converted/retriever-dynamic_int8.tflite"],
        ["list"],
    ],
)
def test_these_commands_run_without_tensorflow(tiny, tmp_path, arguments):
    filled = [argument.format(run=tiny, tmp=tmp_path) for argument in arguments]
    program = (
        "import sys\nclass Refuse:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name.split('.')[0] in ('tensorflow', 'scann', 'tf_keras'): raise AssertionError('imported ' + name)\n"
        "sys.meta_path.insert(0, Refuse())\n"
        f"from pocketrec.cli.main import main; sys.exit(main({filled!r}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
