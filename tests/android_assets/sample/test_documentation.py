"""What the documentation says about bundles and Android is complete; it needs no tools to check."""

import json

from pocketrec.core.error_codes import CLIENT_CODES

from tests.android_assets.sample.documentation import ROOT, snippets, table_fields


def test_the_first_recommendation_takes_ten_lines():
    assert len(snippets()[0].splitlines()) == 10


def test_every_field_of_a_manifest_is_explained(tiny):
    manifest = json.loads((tiny / "bundle" / "manifest.json").read_text())
    used = set(manifest) | {
        key for part in ("files", "models", "vocabularies") for row in manifest[part] for key in row
    }
    assert used - table_fields("manifest.json") == set()


def test_every_error_code_is_explained():
    assert set(CLIENT_CODES) == table_fields("When a bundle is rejected")


def test_gradle_keeps_the_same_endings_stored():
    gradle = (ROOT / "android_assets" / "sample" / "app" / "build.gradle.kts").read_text()
    assert 'noCompress += listOf("tflite", "npy")' in gradle
