"""Manifests: the corpus that the Kotlin client's tests read too, and the JSON Schema."""

import json

import pytest
from pocketrec.android_assets.format import manifest_rules, schema
from pocketrec.android_assets.format.contract import contract_text
from pocketrec.android_assets.format.manifest import MANIFEST_LIMIT, Manifest
from pocketrec.android_assets.format.manifest_rules import read_manifest
from pocketrec.core.errors import CheckFailed
from pocketrec.core.records.record import describe

from tests.conftest import raises

CORPUS = json.loads((schema.FILE.with_name("manifest_cases.json")).read_text())
TEXTS = {name: "\n".join(lines) + "\n" for name, lines in CORPUS["manifests"].items()}


@pytest.mark.parametrize("name", TEXTS)
def test_sound_manifests_are_read_and_written_back_as_they_are(name):
    document = json.loads(TEXTS[name])
    assert read_manifest(TEXTS[name].encode()).to_json() == document
    assert set(document) == set(Manifest.__dataclass_fields__)


@pytest.mark.parametrize("case", CORPUS["cases"], ids=lambda case: case["name"])
def test_cases_of_the_shared_corpus(case):
    text = TEXTS[case["manifest"]]
    assert text.count(case["old"]) == 1
    data = text.replace(case["old"], case["new"]).encode()
    if case["code"] is None:
        read_manifest(data)
        return
    with raises(case["code"]) as refusal:
        read_manifest(data)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("row", CORPUS["scales"], ids=lambda row: row["written"])
def test_a_scale_has_one_text_in_the_contract(row, tmp_path):
    """Numbers of equal value are equal, however a manifest writes them."""
    (tmp_path / "items.json").write_text("[]")
    manifest = read_manifest(TEXTS["split"].replace('"scale": 0.25', f'"scale": {row["written"]}').encode())
    text = contract_text(tmp_path, manifest, manifest.digests)
    assert next(line for line in text.splitlines() if line.startswith("candidates ")).split(" ")[-1] == row["contract"]


def test_names_of_cases_are_distinct():
    names = [case["name"] for case in CORPUS["cases"]]
    assert len(set(names)) == len(names)


def test_the_schema_is_what_the_records_say():
    assert schema.FILE.read_text(encoding="utf-8") == schema.to_text(schema.manifest_schema())


def test_every_field_is_described():
    assert [
        row.name for row in describe(Manifest) if not row.meaning and "[]." not in row.name and "." not in row.name
    ] == []


def test_a_manifest_is_not_read_beyond_its_limit():
    with raises("FILE_SIZE"):
        read_manifest(b" " * (MANIFEST_LIMIT + 1))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('"version": 0', "version: expected `int` >= 1, got 0"),
        ('"version": "1"', "version: expected `int`, got `str`"),
        ('"colour": 1', "object missing required field `version`"),
    ],
)
def test_the_field_and_its_value_are_named(text, said):
    with raises("MANIFEST_INVALID") as refusal:
        read_manifest(TEXTS["cascade"].replace('"version": 7', text).encode())
    assert said in str(refusal.value)


def test_documents_that_are_no_objects_are_refused():
    for data in (b"[]", b"null", b'"text"', b"", b"\xff", b"[" * 100_000):
        with raises("MANIFEST_INVALID"):
            read_manifest(data)


def test_paths_of_a_zip_are_checked_by_the_same_rule():
    manifest_rules.check_paths(["a/b.txt", "c"])
    with pytest.raises(CheckFailed) as refusal:
        manifest_rules.check_paths(["a/../b"], "FILE_UNDECLARED")
    assert refusal.value.code == "FILE_UNDECLARED"
