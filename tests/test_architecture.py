"""Which stage may import which, and what must not drag TensorFlow in."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_stages_import_one_way():
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 and "1 kept, 0 broken" in done.stdout, done.stdout


def test_the_import_rule_can_trip(tmp_path):
    """The same contract over a planted upward import is broken."""
    for name in ("low", "high"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("")
    (tmp_path / "low" / "__init__.py").write_text("import high\n")
    contract = "[importlinter:contract:1]\nname = x\ntype = layers\nlayers =\n    high\n    low\n"
    (tmp_path / "setup.cfg").write_text(f"[importlinter]\nroot_packages =\n    low\n    high\n{contract}")
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports_command as c; c()",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and "0 kept, 1 broken" in done.stdout


TENSORFLOW_FREE = sorted(
    f"pocketrec.{path.parent.name}.{path.stem}"
    for folder in ("android_assets", "benchmarks", "convert")
    for path in (ROOT / folder).glob("*.py")
    if path.stem not in ("__init__", "server_worker", "converter")
)


@pytest.mark.parametrize("extra", ["", "pocketrec.cli.main"])
def test_everything_but_training_and_the_converter_imports_without_tensorflow(extra):
    free = (
        "artifacts",
        "baselines",
        "content",
        "content_table",
        "data",
        "datasets",
        "metrics",
        "replacing",
        "stage",
        "tables_report",
    )
    modules = [*TENSORFLOW_FREE, *(f"pocketrec.train.{name}" for name in free)]
    program = f"import importlib, sys\nfor name in {modules + [extra] * bool(extra)!r}: importlib.import_module(name)\n"
    program += "assert 'tensorflow' not in sys.modules and 'scann' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "arguments",
    [["verify", "{bundle}"], ["recommend", "{bundle}", "--prefer", "Western"], ["bundle", "{run}", "--out", "{tmp}/b"]],
)
def test_verify_recommend_and_bundle_run_without_tensorflow(run, tmp_path, arguments):
    filled = [a.format(bundle=run / "bundle", run=run, tmp=tmp_path) for a in arguments]
    program = (
        "import sys\nclass Refuse:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name.split('.')[0] in ('tensorflow', 'scann', 'tf_keras'): raise AssertionError('imported ' + name)\n"
        "sys.meta_path.insert(0, Refuse())\n"
        f"from pocketrec.cli import main as pocketrec_cli; sys.argv = ['pocketrec', *{filled!r}]; sys.exit(pocketrec_cli.main())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
