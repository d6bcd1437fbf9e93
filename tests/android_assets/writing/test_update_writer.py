"""Updates as they are written: what is in them, and what is refused before anything is written."""

import json
import shutil

import numpy as np
import pytest
from pocketrec.android_assets.format.manifest import CandidatesFile
from pocketrec.android_assets.reading.verify import verify_bundle
from pocketrec.android_assets.writing import candidate_files
from pocketrec.android_assets.writing.options import BundleOptions, UpdateOptions
from pocketrec.android_assets.writing.update_writer import write_update
from pocketrec.android_assets.writing.writer import write_bundle
from pocketrec.cli.main import main
from pocketrec.core.files.hashing import sha256_file, sha256_tree
from pocketrec.core.queries.held_out import HeldOut
from pocketrec.core.run_dir import Run
from pocketrec.runtimes.runtimes import PHONE_RUNTIMES

from tests.android_assets.updating import FIRST, edit, read
from tests.conftest import raises


def names_in(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def size_of(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def write(run, out, base, text="", **options):
    """An update with a file of items."""
    new = None
    if text:
        new = out.with_suffix(".csv")
        new.write_text(text)
    return write_update(Run(run), out, UpdateOptions(base=base, new_items=new, **options))


def test_an_update_ships_the_catalogue_and_no_model(chain):
    assert names_in(chain.updates[2]) == {
        "manifest.json",
        "candidates.npy",
        "golden.json",
        "items.json",
        "vocabularies/items.txt",
    }
    manifest = read(chain.updates[2])
    assert manifest["version"] == 2 and manifest["update"] == {
        "base_version": 1,
        "from_base": [
            "models/query_encoder-dynamic_int8.tflite",
            "vocabularies/genres.txt",
            "vocabularies/preferences.txt",
        ],
    }
    model = chain.bundles[1] / "models" / "query_encoder-dynamic_int8.tflite"
    assert size_of(chain.updates[2]) < size_of(chain.bundles[1]) - 0.8 * model.stat().st_size


def test_the_manifest_is_that_of_the_whole_next_bundle(chain):
    manifest, base = read(chain.updates[2]), read(chain.bundles[1])
    assert {row["path"] for row in manifest["files"]} == {row["path"] for row in base["files"]}
    assert manifest["contract"] != base["contract"] and manifest["models"] == base["models"]
    items = next(row for row in manifest["vocabularies"] if row["name"] == "items")
    (old,) = [row["size"] for row in base["vocabularies"] if row["name"] == "items"]
    assert items["size"] == items["oov_index"] == manifest["candidates"]["shape"][0] == old + 2


def test_new_items_stand_behind_the_old_ones_with_their_own_vectors(chain, tiny):
    old, new = (np.load(chain.bundles[version] / "candidates.npy") for version in (1, 2))
    assert np.array_equal(new[: len(old)], old) and new.dtype == np.int8, "the scale did not have to rise"
    lines = [(chain.bundles[version] / "vocabularies" / "items.txt").read_text() for version in (1, 2, 3)]
    assert lines[1] == lines[0] + "N1\nN2\n" and lines[2] == lines[1] + "N3\n"
    items = json.loads((chain.bundles[2] / "items.json").read_text())
    assert items[-2] == {"id": "N1", "title": "The Silver Frontier (1998)", "genres": ["Western", "Drama"]}
    assert items[:-2] == json.loads((tiny / "trained" / "items.json").read_text())
    assert (new[-2:, :-1] != 0).any(axis=1).all() and not np.array_equal(new[-2], new[-1])


def test_an_update_of_an_update_keeps_what_that_brought(chain):
    two, three = (np.load(chain.bundles[version] / "candidates.npy") for version in (2, 3))
    assert np.array_equal(three[:-1], two)
    assert [row["id"] for row in json.loads((chain.bundles[3] / "items.json").read_text())][-3:] == ["N1", "N2", "N3"]


def test_lists_over_the_new_catalogue_passed_the_retrievers_gate(chain, tiny):
    rows = [row for row in read(chain.updates[2])["parity"] if row["graph"] == "query_encoder+candidates"]
    assert {row["runtime"] for row in rows} == set(PHONE_RUNTIMES)
    n = len(HeldOut(Run(tiny)).queries)
    assert all(row["status"] == "pass" and row["n_queries"] == n and row["top_k_overlap"] > 0.98 for row in rows)
    assert {row["graph"] for row in read(chain.updates[2])["parity"]} == {"query_encoder+candidates", "query_encoder"}


def test_lists_that_miss_it_are_not_shipped(chain, tiny, tmp_path, monkeypatch):
    coarse = lambda vectors, recipe: (np.rint(vectors).astype(np.int8), 1.0)  # noqa: E731
    monkeypatch.setattr(candidate_files, "stored_rows", coarse)
    with raises("GATE_FAILED"):
        write(tiny, tmp_path / "u", chain.bundles[1], FIRST)
    assert not (tmp_path / "u").exists()


def test_a_golden_history_holds_a_new_item(chain):
    golden = json.loads((chain.updates[2] / "golden.json").read_text())
    assert [row for row in golden["queries"] if "N1" in dict(row["history"]) and "N1" not in row["items"]]
    assert len(golden["vectors"]) == 2 and len(golden["queries"]) == 4


def test_the_same_update_has_the_same_bytes(chain, tiny, tmp_path, monkeypatch):
    write(tiny, tmp_path / "u", chain.bundles[1], FIRST)
    assert sha256_tree(tmp_path / "u") == sha256_tree(chain.updates[2])
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    write(tiny, tmp_path / "dated", chain.bundles[1], FIRST)
    assert {path.stat().st_mtime for path in (tmp_path / "dated").rglob("*.*")} == {1_700_000_000}


def changed(own_tiny, rows=None, vectors=None):
    """Give a run another catalogue, as whoever embeds items elsewhere does."""
    if rows is not None:
        items = json.loads((own_tiny / "trained" / "items.json").read_text())
        rows(items)
        (own_tiny / "trained" / "items.json").write_text(json.dumps(items))
    if vectors is not None:
        path = own_tiny / "trained" / "candidates.npy"
        np.save(path, vectors(np.load(path)))


def test_a_run_may_bring_items_and_vectors_of_its_own(chain, own_tiny, tmp_path):
    """One is twice as long as any: the one scale of all rises, and old rows are rounded anew from float32."""
    exact = np.load(own_tiny / "trained" / "candidates.npy")
    changed(
        own_tiny,
        lambda items: items.append({"id": "own", "title": "Their Own", "genres": ["Drama"]}),
        lambda rows: np.concatenate([rows, 2 * rows[np.abs(rows).max(axis=1).argmax()][None]]),
    )
    manifest = write(own_tiny, tmp_path / "u", chain.bundles[1]).manifest
    rows, scale = np.load(tmp_path / "u" / "candidates.npy"), manifest.candidates.scale
    assert scale == pytest.approx(2 * read(chain.bundles[1])["candidates"]["scale"])
    assert np.abs(rows[:-1] * scale - exact).max() <= scale / 2 * 1.001 and np.abs(rows[-1]).max() == 127
    assert {row["status"] for row in manifest.parity} == {"pass"}


def test_other_titles_alone_are_an_update_without_vectors(chain, own_tiny, tmp_path):
    changed(own_tiny, lambda items: items[0].update(title="Another Title"))
    write(own_tiny, tmp_path / "u", chain.bundles[1])
    assert names_in(tmp_path / "u") == {"manifest.json", "items.json"}


def test_an_update_from_a_run_that_lacks_items_of_the_base_keeps_them(chain, own_tiny, tmp_path):
    """By content, as they came: the base is version 3, the run has never heard of N1 to N3."""
    changed(own_tiny, lambda items: items[0].update(title="Another Title"))
    manifest = write(own_tiny, tmp_path / "u", chain.bundles[3]).manifest
    assert manifest.version == 4 and "candidates.npy" in manifest.from_base


def test_nothing_new_is_no_update(chain, tiny, tmp_path):
    for base in (chain.bundles[1], chain.bundles[2]):
        with raises("CATALOGUE_INVALID"):
            write(tiny, tmp_path / "u", base)
    assert not (tmp_path / "u").exists()


def broken(own_tiny, name):
    trained = own_tiny / "trained"
    if name == "encoder":
        variants = json.loads((own_tiny / "converted" / "variants.json").read_text())
        for row in variants["variants"]:
            row["sha256"] = "0" * 64 if row["graph"] == "query_encoder" else row["sha256"]
        (own_tiny / "converted" / "variants.json").write_text(json.dumps(variants))
    elif name == "file":
        path = own_tiny / "converted" / "query_encoder-dynamic_int8.tflite"
        path.write_bytes(path.read_bytes() + b"\0")
    elif name == "vocabulary":
        (trained / "vocabularies" / "genres.txt").open("a").write("Opera\n")
    elif name == "order":
        changed(own_tiny, lambda items: items.insert(0, items.pop(1)))
    elif name == "fewer vectors":
        changed(own_tiny, None, lambda rows: rows[:-1])
    elif name == "dimension":
        changed(own_tiny, None, lambda rows: rows[:, :-1])
    elif name == "not finite":
        changed(own_tiny, None, lambda rows: np.where(rows == rows.max(), np.nan, rows).astype(np.float32))
    else:
        (trained / "content.npz").unlink()


@pytest.mark.parametrize(
    ("name", "code", "word"),
    [
        ("encoder", "UPDATE_INCOMPATIBLE", "query_encoder dynamic_int8"),
        ("file", "INPUT_CHANGED", "query_encoder-dynamic_int8.tflite"),
        ("vocabulary", "UPDATE_INCOMPATIBLE", "genres"),
        ("order", "CATALOGUE_INVALID", "at place 0"),
        ("fewer vectors", "CATALOGUE_INVALID", "float32["),
        ("dimension", "CATALOGUE_INVALID", "float32["),
        ("not finite", "CATALOGUE_INVALID", "NaN"),
        ("content", "CATALOGUE_INVALID", "content.npz"),
    ],
)
def test_a_run_that_does_not_fit_the_base_is_refused(chain, own_tiny, tmp_path, name, code, word):
    broken(own_tiny, name)
    with raises(code) as refusal:
        write(own_tiny, tmp_path / "u", chain.bundles[1], FIRST)
    assert word in str(refusal.value) and not (tmp_path / "u").exists()


@pytest.mark.parametrize(
    ("text", "code", "word"),
    [
        ("movie_id,title,genres\ni1,Star Wars,Sci-Fi\n", "CATALOGUE_INVALID", "'i1'"),
        (
            "movie_id,title,genres\nN9,X,Sci-Fy|Opera\n",
            "GENRE_UNKNOWN",
            "'Sci-Fy' of item 'N9' and 1 more; did you mean 'Sci-Fi'",
        ),
        ("movie_id,title,genres\n,X,Sci-Fi\n", "CATALOGUE_INVALID", "none"),
        ("movie_id,title,genres\n", "RATINGS_INVALID", "a header and no rows"),
    ],
)
def test_new_items_that_cannot_be_are_refused(chain, tiny, tmp_path, text, code, word):
    with raises(code) as refusal:
        write(tiny, tmp_path / "u", chain.bundles[1], text)
    assert word in str(refusal.value) and not (tmp_path / "u").exists()


def test_what_is_odd_about_new_items_is_noted(chain, tiny, tmp_path):
    """Columns that were no genres in training, a title that is taken, an item that nothing is known of, one named twice."""
    taken = json.loads((tiny / "trained" / "items.json").read_text())[5]["title"]
    rows = [f"N1,{taken},Drama,long text", "N2,Zzyzx,,b", "N2,Qqqq,,c", "N3,,Western,d"]
    notes = "\n".join(
        write(tiny, tmp_path / "u", chain.bundles[1], "\n".join(["movie_id,title,genres,plot", *rows])).notes
    )
    assert "column plot" in notes and "1 new items share the title" in notes and repr(taken) in notes
    assert "1 new items have no genre, year or title word" in notes
    items = json.loads((tmp_path / "u" / "items.json").read_text())[-3:]
    assert [(item["id"], item["title"]) for item in items] == [("N1", taken), ("N2", "Qqqq"), ("N3", "N3")]


def test_a_base_whose_catalogue_is_inside_a_model_has_no_updates(tiny, tmp_path):
    with raises("UPDATE_INCOMPATIBLE") as refusal:
        write(tiny, tmp_path / "u", tiny / "bundle", FIRST)
    assert "cascade" in str(refusal.value)


def test_a_damaged_base_is_refused(chain, tiny, tmp_path):
    base = chain.installed(tmp_path)
    (base / "items.json").write_text("[]")
    with raises("FILE_SIZE"):
        write(tiny, tmp_path / "u", base, FIRST)


@pytest.mark.parametrize(
    ("version", "code"), [(0, "VALUE_OUT_OF_RANGE"), (1, "UPDATE_NOT_NEWER"), (2**31, "VALUE_OUT_OF_RANGE")]
)
def test_versions_must_rise(chain, tiny, tmp_path, version, code):
    with raises(code):
        write(tiny, tmp_path / "u", chain.bundles[1], FIRST, version=version)


def test_a_base_of_the_last_version_is_the_last(chain, tiny, tmp_path):
    base = chain.installed(tmp_path)
    edit(base, lambda manifest: manifest.update(version=2**31 - 1))
    with raises("VALUE_OUT_OF_RANGE"):
        write(tiny, tmp_path / "u", base, FIRST)


@pytest.mark.full
def test_updates_are_signed_and_so_must_bases_be(signed, tiny, tmp_path, pocketrec):
    (tmp_path / "new.csv").write_text(FIRST)
    made = ["bundle", tiny, "--catalogue-only", "--base", signed.folder / "split", "--new-items", tmp_path / "new.csv"]
    done = pocketrec(
        *made,
        "--key",
        signed.key,
        "--sign",
        signed.private,
        "--version",
        7,
        "--out",
        tmp_path / "u",
        "--zip",
        tmp_path / "u.zip",
    )
    assert done.code == 0 and "wrote an update from version 1 to 7" in done.out, done.err
    assert f"signed by key {read(tmp_path / 'u')['key_id']}" in done.out and (tmp_path / "u.zip").is_file()
    assert (tmp_path / "u" / "manifest.sig").stat().st_size == 64
    with raises("SIGNATURE_UNTRUSTED"):
        write(tiny, tmp_path / "v", signed.folder / "split", FIRST, keys=[signed.other])
    assert not (tmp_path / "v").exists()


def test_float32_rows_stay_float32(tiny, tmp_path):
    write_bundle(Run(tiny), tmp_path / "base", BundleOptions(layout="split", recipe="float32"))
    stored = write(tiny, tmp_path / "u", tmp_path / "base", FIRST).manifest.candidates
    exact = np.load(tiny / "trained" / "candidates.npy")
    assert stored == CandidatesFile("candidates.npy", "float32", [len(exact) + 2, exact.shape[1]], None)
    assert np.array_equal(np.load(tmp_path / "u" / "candidates.npy")[:-2], exact)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--catalogue-only"], "OPTION_MISSING"),
        (["--base", "{base}"], "OPTION_MISSING"),
        (["--new-items", "x.csv"], "OPTION_MISSING"),
        (["--key", "x.pem"], "OPTION_MISSING"),
        (["--catalogue-only", "--base", "{base}", "--recipe", "float32"], "OPTION_CONFLICT"),
        (["--catalogue-only", "--base", "{base}", "--auto"], "OPTION_CONFLICT"),
        (["--catalogue-only", "--base", "{base}", "--layout", "split"], "OPTION_CONFLICT"),
        (["--catalogue-only", "--base", "{base}", "--target", "host"], "OPTION_CONFLICT"),
        (["--catalogue-only", "--base", "{base}", "--new-items", "/none.csv"], "INPUT_MISSING"),
        (["--catalogue-only", "--base", "/none"], "INPUT_MISSING"),
        (["--catalogue-only", "--base", "{base}", "--sign", "/none.pem"], "KEY_INVALID"),
        (["--catalogue-only", "--base", "{base}", "--runtime", "litert"], "NAME_UNKNOWN"),
    ],
)
def test_bad_arguments_are_one_line_and_write_nothing(chain, tiny, tmp_path, capsys, arguments, code):
    filled = [argument.format(base=chain.bundles[1]) for argument in arguments]
    assert main(["bundle", str(tiny), "--out", str(tmp_path / "u"), *filled]) == 2
    assert capsys.readouterr().err.strip().endswith(f"[{code}]")
    assert not (tmp_path / "u").exists()


def test_output_that_is_not_empty_is_kept(chain, tiny, tmp_path):
    (tmp_path / "u").mkdir()
    (tmp_path / "u" / "mine").write_text("precious")
    with raises("OUTPUT_EXISTS"):
        write(tiny, tmp_path / "u", chain.bundles[1], FIRST)
    assert (tmp_path / "u" / "mine").read_text() == "precious"


def test_both_make_the_bundle_that_the_manifest_names(chain, tmp_path):
    """By hand: the union of both folders."""
    shutil.copytree(chain.bundles[1], tmp_path / "whole")
    shutil.copytree(chain.updates[2], tmp_path / "whole", dirs_exist_ok=True)
    assert verify_bundle(tmp_path / "whole").manifest.version == 2
    assert sha256_tree(tmp_path / "whole") == sha256_tree(chain.bundles[2])
    assert sha256_file(tmp_path / "whole" / "manifest.json") == sha256_file(chain.updates[2] / "manifest.json")
