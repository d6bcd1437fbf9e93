"""Sound bundles verify; who may open what, and what is neither bundle nor zip."""

import dataclasses
import json
import os

import msgspec
import pytest
from pocketrec.android_assets.answering import bundle as bundle_module
from pocketrec.android_assets.format.contract import contract_sha256
from pocketrec.android_assets.format.layouts import LAYOUTS
from pocketrec.android_assets.format.manifest import Manifest
from pocketrec.android_assets.reading.verify import open_bundle, verify_bundle
from pocketrec.android_assets.writing.options import BundleOptions
from pocketrec.android_assets.writing.writer import write_bundle
from pocketrec.android_assets.writing.zip_writer import write_zip
from pocketrec.core.run_dir import Run

from tests.android_assets.asking import recommend
from tests.android_assets.breaking import edit, edit_json, flip, manifest_of, reseal
from tests.android_assets.reading.refusals import refusal, swap_rows
from tests.conftest import raises, refused


def test_untouched_bundles_verify_as_folder_and_zip(signed):
    for name, layout in LAYOUTS.items():
        done = verify_bundle(signed.folder / name, keys=[signed.key])
        n = 2 * len(layout.graphs)
        assert done.manifest.layout == name and f"{n} golden vectors and 3 golden queries" in done.checks[-1]
        with open_bundle(signed.folder / f"{name}.zip", keys=[str(signed.key)]) as opened:
            assert opened.manifest == done.manifest and opened.path.suffix == ".zip"


def test_the_command_prints_every_check(signed, pocketrec):
    done = pocketrec("verify", signed.folder / "cascade.zip", "--key", signed.key)
    assert done.code == 0, done.err
    manifest = manifest_of(signed.folder / "cascade")
    assert [line.split()[0] for line in done.out.splitlines()] == [
        str(len(manifest["files"])),
        "vocabularies,",
        "2",
        "verified",
    ]


def test_user_keyed_models_verify(tutorial_run, tmp_path):
    for layout in ("cascade", "pair"):
        write_bundle(Run(tutorial_run), tmp_path / layout, BundleOptions(layout=layout))
        write_zip(tmp_path / layout, tmp_path / f"{layout}.zip")
        assert verify_bundle(tmp_path / layout) == verify_bundle(tmp_path / f"{layout}.zip")


@pytest.mark.full
def test_the_widest_tolerance_of_the_kit_still_passes(run, tmp_path):
    write_bundle(Run(run), tmp_path / "b", BundleOptions(layout="pair", recipe="int4_rows"))
    verify_bundle(tmp_path / "b")


def test_each_model_is_run_in_one_process(signed, monkeypatch):
    started, run_variant = [], bundle_module.run_variant
    monkeypatch.setattr(
        bundle_module, "run_variant", lambda model, *a, **k: started.append(model.name) or run_variant(model, *a, **k)
    )
    for name, layout in LAYOUTS.items():
        verify_bundle(signed.folder / name)
        assert len(started) == len(layout.graphs)
        started.clear()


@pytest.mark.parametrize("name", ["manifest.json", "manifest.sig"])
def test_one_flipped_bit_in_manifest_or_signature(pair, signed, name):
    size = (pair / name).stat().st_size
    for position in range(0, size, max(1, size // 40)):
        flip(pair / name, position)
        with pytest.raises(bundle_module.CheckFailed):
            open_bundle(pair, keys=[signed.key])
        flip(pair / name, position)
    open_bundle(pair, keys=[signed.key])


def test_another_key_is_refused_and_an_unsigned_bundle_with_it(pair, signed, pocketrec):
    assert "theirs.pub.pem" in refusal(pair, "SIGNATURE_UNTRUSTED", keys=[signed.other])
    open_bundle(pair, keys=[signed.other, signed.key])
    reseal(pair)
    open_bundle(pair)
    assert "[SIGNATURE_MISSING]" in refused(pocketrec("verify", pair, "--key", signed.key), code=1)


@pytest.mark.parametrize("kind", ["missing", "private", "text"])
def test_a_key_that_is_none_is_refused(pair, signed, tmp_path, kind):
    key = {"missing": tmp_path / "none.pem", "private": signed.private, "text": tmp_path / "text.pem"}[kind]
    (tmp_path / "text.pem").write_text("hello")
    with raises("KEY_INVALID") as refusal:
        open_bundle(pair, keys=[key])
    assert key.name in str(refusal.value)


def test_recommend_refuses_what_verify_refuses(pair):
    """All but the golden vectors, which only `verify` replays."""
    swap_rows(pair)
    with raises("MODEL_MISMATCH"):
        recommend(pair, prefer=["Western"])


def test_a_model_that_answers_with_no_item_is_refused(signed, monkeypatch):
    run_variant = bundle_module.run_variant

    def wild(*arguments, **options):
        outcome = run_variant(*arguments, **options)
        return dataclasses.replace(outcome, arrays={**outcome.arrays, "ids": outcome.arrays["ids"] + 10_000})

    monkeypatch.setattr(bundle_module, "run_variant", wild)
    with raises("MODEL_MISMATCH"):
        recommend(signed.folder / "cascade", prefer=["Western"])


def test_fields_that_are_not_known_are_let_pass(pair):
    """The format grows by adding; a golden vector or a model may say more too."""
    edit(pair, lambda m: (m.update(mood="good"), m["models"][0].update(colour="red"), m["files"][0].update(note="x")))
    edit_json(pair, "golden.json", lambda g: (g.update(mood="good"), g["queries"][0].update(note="x")))
    verify_bundle(pair)


def test_an_update_is_not_a_whole_bundle(pair):
    edit(pair, lambda m: m.update(update={"base_version": 1, "from_base": ["items.json"]}))
    open_bundle(pair)
    (pair / "items.json").unlink()
    with raises("UPDATE_INCOMPATIBLE"):
        open_bundle(pair)


def test_the_contract_binds_every_part(pair):
    """Each fact of the contract changes its hash."""
    before = manifest_of(pair)

    def hashed(change=lambda manifest: None):
        after = json.loads(json.dumps(before))
        change(after)
        return contract_sha256(pair, msgspec.convert(after, Manifest))

    facts = [
        lambda m: m["vocabularies"][0].update(size=1),
        lambda m: m["vocabularies"][0].update(oov_index=1),
        lambda m: m["models"][0]["rows"].update(items=7),
        lambda m: m["models"][0]["inputs"].reverse(),
        lambda m: m["models"][0]["outputs"][0].update(dtype="bool"),
        lambda m: m["models"][0].update(recipe="x"),
        lambda m: m["models"][0].update(file=m["models"][1]["file"]),
        lambda m: m["vocabularies"][0].update(file=m["vocabularies"][1]["file"]),
        lambda m: m.update(candidates={"file": m["items"], "dtype": "int8", "shape": [1, 2], "scale": 0.5}),
    ]
    assert hashed() == before["contract"]
    assert len({before["contract"], *map(hashed, facts)}) == len(facts) + 1


@pytest.mark.parametrize("kind", ["nothing", "a text", "an empty file", "a pipe", "a device"])
def test_what_is_neither_folder_nor_zip_is_wrong_usage(tmp_path, kind):
    path = tmp_path / "x"
    if kind == "a text":
        path.write_text("hello")
    elif kind == "an empty file":
        path.touch()
    elif kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a device":
        path = "/dev/null"
    with raises("INPUT_MISSING" if kind == "nothing" else "INPUT_UNREADABLE") as refusal:
        verify_bundle(path)
    assert refusal.value.exit_code == 2


def test_an_empty_folder_has_no_manifest(tmp_path):
    refusal(tmp_path, "MANIFEST_MISSING")
