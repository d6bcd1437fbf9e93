"""The reproductions, for whoever mends the accelerator: each is still wrong, and what stands beside it is right.

The day LiteRT mends one, its test fails; then the kit's trap and cure for it can go (docs/gpu.md).
"""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from pocketrec.runtimes import swiftshader

FILE = Path(__file__).parents[2] / "tools" / "gpu_reproductions.py"


def loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gpu_reproductions", FILE)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


TOOL = loaded()


@pytest.mark.full
@pytest.mark.skipif(bool(swiftshader.missing()), reason=swiftshader.missing())
@pytest.mark.parametrize("name", list(TOOL.CASES))
def test_what_was_wrong_is_wrong_still_and_the_rest_right(name, monkeypatch):
    for key, value in swiftshader.environment().items():
        monkeypatch.setenv(key, value)
    case = TOOL.CASES[name]
    data = TOOL.converted(case)
    assert TOOL.execute(case, data, on="cpu").right
    gpu = TOOL.execute(case, data, on="gpu")
    assert gpu.right is case.right, (gpu.end, gpu.off)


def test_a_wrong_value_a_missing_answer_and_a_nan_are_not_right():
    assert TOOL.Outcome([], "", 1e-6).right
    for off in (0.01, np.inf, np.nan):
        assert not TOOL.Outcome([], "", off).right


def test_an_unknown_model_is_refused():
    done = subprocess.run([sys.executable, FILE, "CONV_2D"], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "no such model: CONV_2D" in done.stderr
