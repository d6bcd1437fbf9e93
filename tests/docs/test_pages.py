"""The documentation: generated parts are fresh, links and paths lead somewhere, pages keep their form."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
_spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
assert _spec and _spec.loader
generate = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(generate)

PAGES = [*generate.pages(), ROOT / "CHANGELOG.md", ROOT / "android_assets" / "README.md"]
RECORDS = sorted((DOCS / "decisions").glob("[0-9]*.md"))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def prose(text: str) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)


@pytest.mark.parametrize("path", generate.pages(), ids=name_of)
def test_generated_parts_are_what_the_code_says_today(path):
    text = path.read_text(encoding="utf-8")
    assert generate.fresh(text) == text, "run `make docs` and commit"


def test_a_stale_page_is_found():
    text = (DOCS / "reference" / "errors.md").read_text(encoding="utf-8")
    assert generate.fresh(text.replace("`INPUT_MISSING`", "`INPUT_GONE`")) == text


def test_every_command_and_public_name_is_in_the_reference():
    import typer
    from pocketrec.cli.main import app

    import pocketrec

    commands = (DOCS / "reference" / "commands.md").read_text(encoding="utf-8")
    for name, command in typer.main.get_command(app).commands.items():
        assert f"\n## {name}\n" in commands
        for option in (option for parameter in command.params for option in parameter.opts if option.startswith("--")):
            assert option in commands, (name, option)
    api = (DOCS / "reference" / "api.md").read_text(encoding="utf-8")
    assert [name for name in pocketrec.__all__ if name != "__version__" and f".{name}\n" not in api] == []


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_links_lead_somewhere(path):
    """mkdocs checks those between pages, with their anchors; here also those of the files outside docs/."""
    for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", prose(path.read_text(encoding="utf-8"))):
        assert link.startswith("https://") or (path.parent / link).exists(), link


FOLDERS = "core|runtimes|train|convert|benchmarks|android_assets|cli|pocketrec|docs|tests"


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_files_that_are_named_exist(path):
    text = prose(path.read_text(encoding="utf-8"))
    for name in re.findall(rf"`((?:{FOLDERS})/[\w./-]*)`", text):
        assert (ROOT / name).exists(), name


def test_readme_is_a_page():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 150 and max(map(len, lines)) <= 120


def test_every_record_has_its_parts_and_number():
    for number, path in enumerate(RECORDS, start=1):
        text = path.read_text(encoding="utf-8")
        assert path.name.startswith(f"{number:04d}-") and text.startswith(f"# {number}. "), path.name
        assert re.search(r"^\*\*Status\*\*: \w.* · \*\*Date\*\*: \d{4}-\d\d-\d\d$", text, re.M), path.name
        assert "\n## Context\n" in text and "\n## Decision\n" in text, path.name


def test_code_refers_to_records_that_exist():
    found = []
    for path in (path for folder in FOLDERS.split("|") for path in (ROOT / folder).rglob("*.py")):
        found += [(path, int(n)) for n in re.findall(r"\bdecision (\d+)\b", path.read_text(encoding="utf-8"))]
    assert found and [(path, n) for path, n in found if not 1 <= n <= len(RECORDS)] == []


def test_no_table_or_prose_line_that_an_editor_must_wrap():
    """Prose of records is wrapped at 120 columns; tables and code are as wide as they are."""
    for path in RECORDS:
        for line in prose(path.read_text(encoding="utf-8")).splitlines():
            assert len(line) <= 120 or line.startswith("|") or "](" in line, (path.name, line)
