"""Every table of named values is listed, with a summary for each entry."""

import json

import pytest

import pocketrec as pr
from pocketrec.api.tables import TABLES

WITHOUT_SUMMARY = {"indexes"}


@pytest.mark.parametrize("table", TABLES)
def test_every_entry_has_a_summary(table):
    entries = pr.names(table)
    assert entries
    if table not in WITHOUT_SUMMARY:
        assert [name for name, summary in entries.items() if not summary] == []


def test_the_command_lists_them(inside):
    assert json.loads(inside("list", "--json").out) == {table: pr.names(table) for table in TABLES}
    shown = " ".join(inside("list", "recipes").out.split())
    assert all(name in shown and summary in shown for name, summary in pr.names("recipes").items())
    assert all(f"`{table}`" in pr.names.__doc__ for table in TABLES)
