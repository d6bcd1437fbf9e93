"""Error codes: every refusal names one of the table."""

import ast
from pathlib import Path

import pytest
from pocketrec.core.error_codes import CLIENT_CODES, ERROR_CODES, KIT_CODES
from pocketrec.core.errors import CheckFailed, InputError

ROOT = Path(__file__).parent.parent.parent
STAGES = ("core", "runtimes", "train", "convert", "benchmarks", "android_assets", "cli", "pocketrec")


def sources() -> list[Path]:
    return [path for stage in STAGES for path in (ROOT / stage).rglob("*.py") if path.name != "error_codes.py"]


def test_every_error_is_raised_with_a_code():
    without = []
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
                continue
            if node.func.id in ("InputError", "CheckFailed") and "code" not in {key.arg for key in node.keywords}:
                without.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert without == []


def test_an_error_without_a_code_or_with_an_unknown_one_is_none():
    with pytest.raises(TypeError):
        InputError("x", expected="1", given=2, do="choose")
    with pytest.raises(AssertionError):
        CheckFailed("x", code="NO_SUCH_CODE")


def test_codes_of_the_kit_and_the_client_are_apart():
    assert not set(CLIENT_CODES) & set(KIT_CODES) and set(ERROR_CODES) == set(CLIENT_CODES) | set(KIT_CODES)
