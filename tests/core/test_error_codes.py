"""Error codes: every refusal names one of the table."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pocketrec.core.error_codes import CLIENT_CODES, ERROR_CODES, KIT_CODES
from pocketrec.core.errors import CheckFailed, InputError

ROOT = Path(__file__).parent.parent.parent
STAGES = ("core", "runtimes", "train", "convert", "benchmarks", "android_assets", "cli", "pocketrec")


def sources() -> list[Path]:
    return [path for stage in STAGES for path in (ROOT / stage).rglob("*.py") if path.name != "error_codes.py"]


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Each place that makes one of the kit's errors."""
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("InputError", "CheckFailed"):
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def is_code(value: ast.expr) -> bool:
    """Whether an expression is a key of the table as it stands there, one of two, or a code that is passed on."""
    if isinstance(value, ast.IfExp):
        return is_code(value.body) and is_code(value.orelse)
    if isinstance(value, ast.Constant):
        return value.value in ERROR_CODES
    return ast.unparse(value) in ("code", "error.code")


def test_every_error_is_raised_with_a_code_of_the_table():
    without = [
        where
        for where, call in calls()
        if not any(keyword.arg == "code" and is_code(keyword.value) for keyword in call.keywords)
    ]
    assert without == []


def test_every_code_is_used():
    used = set()
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                used |= set(re.findall(r"\[([A-Z_]+)\]$", node.value)) | {node.value}
    for path in (ROOT / "android_assets" / "client" / "src" / "main").rglob("*.kt"):
        used |= set(re.findall(r"ErrorCode\.([A-Z_]+)", path.read_text(encoding="utf-8")))
    assert set(ERROR_CODES) - used == set()


def test_the_reference_lists_every_code():
    page = (ROOT / "docs" / "reference" / "errors.md").read_text(encoding="utf-8")
    assert [code for code, meaning in ERROR_CODES.items() if f"`{code}` | {meaning}" not in page] == []


def test_an_error_without_a_code_or_with_an_unknown_one_is_none():
    with pytest.raises(TypeError):
        InputError("x", expected="1", given=2, do="choose")
    with pytest.raises(AssertionError):
        CheckFailed("x", code="NO_SUCH_CODE")


def test_codes_of_the_kit_and_the_client_are_apart():
    assert not set(CLIENT_CODES) & set(KIT_CODES) and set(ERROR_CODES) == set(CLIENT_CODES) | set(KIT_CODES)
