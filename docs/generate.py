"""Write the generated parts of the documentation.

A page marks such a part with two comments, `<!-- generated: NAME ARGUMENT -->` and `<!-- end -->`. What is between them comes
from the code: fields of JSON documents, commands, error codes, tables of named values, the public API, the index of decisions.

Run `python docs/generate.py` (`make docs` does) after changing any of these; a test compares the committed pages with fresh ones.
"""

import importlib
import inspect
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import FunctionType
from typing import Any, TypeAlias

import typer
from pocketrec.core.error_codes import CLIENT_CODES, KIT_CODES
from pocketrec.core.records.record import Record, describe

import pocketrec
from pocketrec.api.tables import TABLES

Command: TypeAlias = Any  # Typer's own copy of Click has no public name

_OPTION = re.compile(r"--[a-z-]+|\b[A-Z_]{3,}\b")

ROOT = Path(__file__).parent.parent
_BLOCK = re.compile(r"(<!-- generated: (\S+) ?(.*?) -->\n).*?(<!-- end -->)", re.S)


def pages() -> list[Path]:
    """Every Markdown file that may hold generated parts."""
    return sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])


def fresh(text: str) -> str:
    """A page with its generated parts made again."""

    def block(found: re.Match[str]) -> str:
        begin, name, argument, end = found.groups()
        return f"{begin}\n{GENERATORS[name](argument).strip()}\n\n{end}"

    return _BLOCK.sub(block, text)


def table(heads: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A Markdown table; a bar inside a cell is escaped."""
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def _load(name: str) -> object:
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(f"pocketrec.{module}"), attribute)


def record_fields(argument: str, *, inside: bool = True) -> str:
    """`MODULE:CLASS [PREFIX]`: the fields of a JSON document, from its dataclass, and those of the records inside it."""
    name, _, prefix = argument.partition(" ")
    record = _load(name)
    assert isinstance(record, type) and issubclass(record, Record), name
    rows = (
        (f"`{row.name}`", row.type, ", ".join(part for part in (row.meaning, row.unit and f"*{row.unit}*") if part))
        for row in describe(record, prefix, inside=inside)
    )
    return table(("field", "type", "meaning, *unit*"), rows)


def own_fields(argument: str) -> str:
    """`MODULE:CLASS [PREFIX]`: the fields of a record, not of those inside it."""
    return record_fields(argument, inside=False)


def error_codes(argument: str) -> str:
    """`client` or `kit`: codes and their meaning."""
    codes: Mapping[str, str] = {"client": CLIENT_CODES, "kit": KIT_CODES}[argument]
    return table(("code", "meaning"), ((f"`{code}`", meaning) for code, meaning in codes.items()))


def named_values(argument: str) -> str:
    """`MODULE:TABLE FIELD...`: one row per entry of a table of named values, with these fields; `url` is the link of the name."""
    name, *fields = argument.split()
    entries, shown = _entries(name), [field for field in fields if field != "url"]
    return table(
        ("name", *(field.replace("_", " ") for field in shown)),
        (
            (_name(key, entry.url if "url" in fields else ""), *(_cell(getattr(entry, field)) for field in shown))
            for key, entry in entries.items()
        ),
    )


def grouped_values(argument: str) -> str:
    """`MODULE:TABLE FIELD`: a list of the values of a field, each with the names of the entries that have it."""
    name, field = argument.split()
    names: dict[str, list[str]] = {}
    for key, entry in _entries(name).items():
        names.setdefault(str(getattr(entry, field)), []).append(f"`{key}`")
    return "\n".join(f"- {', '.join(keys)}: {value}" for value, keys in names.items())


def _entries(name: str) -> Mapping[str, Any]:
    entries = _load(name)
    assert isinstance(entries, Mapping), name
    return entries


def _name(key: str, url: str) -> str:
    return f"[`{key}`]({url})" if url else f"`{key}`"


def _cell(value: object) -> str:
    if isinstance(value, tuple | list | set | frozenset):
        return ", ".join(f"`{part}`" for part in value) or "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) or "–"


def commands(_: str) -> str:
    """Every command: what `--help` says, as sections and tables."""
    app = typer.main.get_command(importlib.import_module("pocketrec.cli.main").app)
    assert isinstance(app, typer.core.TyperGroup)
    return "\n\n".join(_command(name, command) for name, command in app.commands.items())


def _command(name: str, command: Command) -> str:
    command.fill_help()
    context = command.make_context(f"pocketrec {name}", [], resilient_parsing=True)
    usage = " ".join([f"pocketrec {name}", *command.collect_usage_pieces(context)])
    records = (parameter.get_help_record(context) for parameter in command.params)
    rows = [(f"`{record[0]}`", _meaning(record[1])) for record in records if record]
    options = [table(("argument or option", "meaning"), rows)] if rows else []
    about, *examples = _help(command.help)
    parts = [f"## {name}", about, f"```text\n{usage}\n```", *options, *_help(command.epilog), *examples]
    return "\n\n".join(parts)


def _help(text: str | None) -> list[str]:
    """Paragraphs of a help text; one kept as it is (it begins with a backspace) becomes a block of code."""
    parts = re.split(r"\n\s*\n", inspect.cleandoc(text or ""))
    return [_code(part) if "\b" in part else " ".join(part.split()) for part in parts if part.strip()]


def _code(part: str) -> str:
    """Examples as code, rules as a list."""
    head, _, rest = part.replace("\b", "").strip().partition("\n")
    if head == "Rules:":  # a rule that is too long for a line goes on, further in, on the next
        rules = re.sub(r"\n +", " ", textwrap.dedent(rest)).splitlines()
        return "\n".join(["Rules:\n", *("- " + _OPTION.sub(r"`\g<0>`", rule) for rule in rules)])
    lines = [line.strip() for line in rest.splitlines()]
    return "\n".join(["```sh", re.sub(r"^Examples?: *", "", head), *lines, "```"])


def _meaning(text: str) -> str:
    """Help of an option, with its default or `required` as a sentence instead of in brackets."""
    said, _, extra = text.partition("  [")
    return said + "".join(f" *{part.capitalize()}.*" for part in [extra.rstrip("]")] if part)


def public_api(_: str) -> str:
    """A directive for mkdocstrings per name of `pocketrec.__all__`, where it is defined."""
    values = (inspect.unwrap(getattr(pocketrec, name)) for name in pocketrec.__all__)
    defined = [value for value in values if inspect.isclass(value) or inspect.isfunction(value)]
    functions = [value for value in defined if inspect.isfunction(value)]
    results = [value for value in defined if inspect.isclass(value)]
    parts = [("Functions", functions), ("Results and errors", results)]
    return "\n\n".join(f"## {title}\n\n" + "\n\n".join(map(_directive, values)) for title, values in parts)


def _directive(value: type | FunctionType) -> str:
    return f"::: {value.__module__}.{value.__qualname__}"


def decisions(_: str) -> str:
    """The decision records, newest number last: number, title, status, date."""
    rows = []
    for path in sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md")):
        text = path.read_text(encoding="utf-8")
        title = re.search(r"^# (\d+)\. (.*)$", text, re.M)
        status = re.search(r"^\*\*Status\*\*: (.*?) · \*\*Date\*\*: (.*)$", text, re.M)
        assert title and status, f"{path}: no title or status"
        rows.append((f"[{title[1]}]({path.name})", title[2], status[1], status[2]))
    return table(("no.", "decision", "status", "date"), rows)


def names(argument: str) -> str:
    """`TABLE`: what `pocketrec list TABLE` shows; without an argument every table, as sections."""
    if not argument:
        return "\n\n".join(f"## {name}\n\n{names(name)}" for name in TABLES)
    entries = pocketrec.names(argument)
    return table(("name", "meaning"), ((f"`{name}`", meaning or "–") for name, meaning in entries.items()))


GENERATORS: dict[str, Callable[[str], str]] = {
    "record": record_fields,
    "fields": own_fields,
    "errors": error_codes,
    "table": named_values,
    "groups": grouped_values,
    "commands": commands,
    "api": public_api,
    "decisions": decisions,
    "names": names,
}

if __name__ == "__main__":
    for page in pages():
        old = page.read_text(encoding="utf-8")
        if (new := fresh(old)) != old:
            page.write_text(new, encoding="utf-8")
