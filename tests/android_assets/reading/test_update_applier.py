"""Updates on the side that receives them: refused with a reason, or applied whole."""

import base64
import fcntl
import json
import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest
from pocketrec.android_assets.answering.bundle import Bundle
from pocketrec.android_assets.reading import verify as verify_module
from pocketrec.android_assets.reading.update_applier import apply_update, verify_update
from pocketrec.android_assets.reading.update_compatibility import check_follows
from pocketrec.android_assets.reading.verify import open_bundle, verify_bundle
from pocketrec.android_assets.writing.options import BundleOptions, UpdateOptions
from pocketrec.android_assets.writing.update_writer import write_update
from pocketrec.android_assets.writing.writer import write_bundle
from pocketrec.android_assets.writing.zip_writer import write_zip
from pocketrec.core.directory_swap import swap
from pocketrec.core.errors import CheckFailed, InputError
from pocketrec.core.hashing import sha256_tree
from pocketrec.core.run_dir import Run

from tests.android_assets.asking import recommend
from tests.android_assets.updating import FIRST, edit, read, rehash
from tests.conftest import call, refused


@pytest.fixture
def update(chain, tmp_path):
    """A copy of the update from 1 to 2 that a test may damage."""
    return shutil.copytree(chain.updates[2], tmp_path / "update")


def test_an_update_verifies_with_its_base_and_is_named_without(chain, pocketrec):
    done = pocketrec("verify", chain.updates[2], "--base", chain.bundles[1])
    assert done.code == 0 and "version 2 may follow 1: same encoder, +2 items" in done.out, done.err
    assert "4 golden queries replayed" in done.out and "verified an update" in done.out
    line = refused(pocketrec("verify", chain.updates[2]))
    assert "an update to version 2, made for version 1; pass --base BUNDLE" in line
    with pytest.raises(InputError, match="a whole bundle, got an update"):
        recommend(chain.updates[2], history=["Speed (1994)"])


def test_an_update_may_be_a_zip(chain, tmp_path):
    write_zip(chain.updates[2], tmp_path / "update.zip")
    write_zip(chain.bundles[1], tmp_path / "base.zip")
    assert verify_update(tmp_path / "update.zip", tmp_path / "base.zip").manifest.version == 2
    installed = chain.installed(tmp_path)
    assert apply_update(installed, tmp_path / "update.zip").manifest.version == 2
    assert sha256_tree(installed) == sha256_tree(chain.bundles[2])


def test_an_update_may_skip_versions(chain):
    """All of the catalogue is in it, so that 3 fits 1 as well as 2."""
    assert verify_update(chain.updates[3], chain.bundles[1]).manifest.version == 3


def break_golden(update):
    golden = json.loads((update / "golden.json").read_text())
    tensor = golden["vectors"][0]["outputs"]["query"]
    tensor["base64"] = base64.b64encode(bytes(len(base64.b64decode(tensor["base64"])))).decode()
    (update / "golden.json").write_text(json.dumps(golden))
    rehash(update, "golden.json")


def flip(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


BREAKAGES = {
    "another bundle": (lambda u: edit(u, lambda m: m.update(name="another")), "it is for another, the base is movielens"),
    "same version": (lambda u: edit(u, lambda m: m.update(version=1)), "version 1 is installed already; versions must rise"),
    "flipped bit": (lambda u: flip(u / "candidates.npy"), "candidates.npy: sha256 differs"),
    "contract": (lambda u: (flip(u / "candidates.npy"), rehash(u, "candidates.npy")), "contract"),
    "file missing": (lambda u: (u / "items.json").unlink(), "items.json: missing"),
    "file too many": (lambda u: (u / "extra").write_text("x"), "extra: not declared"),
    "link": (lambda u: (u / "link").symlink_to("/etc/passwd"), "link: a link or device"),
    "device": (lambda u: os.mkfifo(u / "pipe"), "pipe: a link or device"),
    "no JSON": (lambda u: (u / "manifest.json").write_text("{"), "manifest.json: "),
    "no files": (lambda u: edit(u, lambda m: m.pop("files")), "manifest.json: malformed"),
    "huge": (lambda u: (u / "manifest.json").write_text(" " * (17 << 20)), "manifest.json: larger than"),
    "no list": (lambda u: edit(u, lambda m: m["update"].update(from_base="all")), "malformed: update from_base"),
    "no base version": (lambda u: edit(u, lambda m: m["update"].update(base_version="1")), "malformed: update base_version"),
    "a path outside": (
        lambda u: edit(u, lambda m: m["update"]["from_base"].append("../../etc/passwd")),
        "update from_base: expected files of this bundle",
    ),
    "another file of the base": (
        lambda u: edit(u, lambda m: m["update"]["from_base"].append("candidates.npy")),
        "it is for another base: it takes candidates.npy from the base, which has another",
    ),
    "golden answer": (break_golden, "golden vector 0"),
}  # fmt: skip


@pytest.mark.parametrize("name", BREAKAGES)
def test_what_is_wrong_with_an_update_is_named_and_changes_nothing(chain, update, tmp_path, name):
    damage, said = BREAKAGES[name]
    damage(update)
    installed = chain.installed(tmp_path)
    for attempt in (verify_update, lambda update, base: apply_update(base, update)):
        with pytest.raises(CheckFailed) as caught:
            attempt(update, installed)
        assert said in str(caught.value)
    assert sha256_tree(installed) == sha256_tree(chain.bundles[1])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["installed", "update"]


def test_another_encoder_needs_a_full_bundle(chain, run, update, tmp_path):
    other = tmp_path / "float32"
    write_bundle(Run(run), other, BundleOptions(layout="split", recipe="float32", version=2))
    with pytest.raises(CheckFailed, match=r"its query encoder is not the base's: .* which lacks it"):
        verify_update(update, other, allow_downgrade=True)
    edit(other, lambda m: m.update(update={"base_version": 1, "from_base": []}))
    with pytest.raises(CheckFailed, match="its query encoder is not the base's, so vectors would not match"):
        verify_update(other, chain.bundles[1])


def test_a_catalogue_inside_a_model_has_no_updates(chain, run, update, tmp_path):
    with pytest.raises(CheckFailed, match="the base has the layout cascade"):
        verify_update(update, run / "bundle")
    shutil.copytree(run / "bundle", tmp_path / "cascade")
    edit(tmp_path / "cascade", lambda m: m.update(version=2, update={"base_version": 1, "from_base": []}))
    with pytest.raises(CheckFailed, match="the update has the layout cascade"):
        verify_update(tmp_path / "cascade", chain.bundles[1])


def test_ids_keep_their_meaning(chain, run, tmp_path):
    """Two updates of version 1 that bring different items: one does not go on from the other."""
    (tmp_path / "new.csv").write_text(FIRST.replace("N1", "X1"))
    write_update(
        Run(run), tmp_path / "fork", UpdateOptions(base=chain.bundles[1], new_items=tmp_path / "new.csv", version=9)
    )
    assert verify_update(tmp_path / "fork", chain.bundles[1]).manifest.version == 9
    with pytest.raises(CheckFailed, match="the older vocabulary of items does not begin the newer one"):
        verify_update(tmp_path / "fork", chain.bundles[2])


def as_if(loaded, change):
    """A bundle whose manifest says something else; its files are what they are."""
    manifest = json.loads(json.dumps(loaded.manifest))
    change(manifest)
    return SimpleNamespace(manifest=manifest, catalogue=loaded.catalogue)


def other_genres(manifest):
    next(row for row in manifest["files"] if row["path"] == "vocabularies/genres.txt")["sha256"] = "0" * 64


def test_dimension_and_vocabularies_are_the_bases(chain):
    base, new = (Bundle(chain.bundles[version], read(chain.bundles[version])) for version in (1, 2))
    check_follows(base, new)
    with pytest.raises(CheckFailed, match="its vectors have 32 elements, the base's 64"):
        check_follows(base, as_if(new, lambda m: m["candidates"].update(shape=[1684, 32])))
    with pytest.raises(CheckFailed, match="its vocabulary of genres is not the base's"):
        check_follows(base, as_if(new, other_genres))
    fewer = as_if(new, lambda m: m.update(vocabularies=[v for v in m["vocabularies"] if v["name"] != "genres"]))
    with pytest.raises(CheckFailed, match="its vocabulary of genres is not the base's"):
        check_follows(base, fewer)


def test_a_downgrade_is_refused_unless_asked_for(chain, tmp_path, pocketrec):
    installed = chain.installed(tmp_path, 3)
    line = refused(pocketrec("update", installed, chain.updates[2]), code=1)
    assert "version 2 is below the installed 3; pass --allow-downgrade" in line
    assert "below the installed" in refused(pocketrec("verify", chain.updates[2], "--base", installed), code=1)
    done = pocketrec("verify", chain.updates[2], "--base", installed, "--allow-downgrade")
    assert done.code == 0 and "-1 items" in done.out, done.err
    done = pocketrec("update", installed, chain.updates[2], "--allow-downgrade")
    assert done.code == 0 and sha256_tree(installed) == sha256_tree(chain.bundles[2]), done.err


def test_applied_it_is_the_whole_next_bundle(chain, tmp_path, pocketrec):
    installed = chain.installed(tmp_path)
    done = pocketrec("update", installed, chain.updates[2])
    assert done.code == 0 and "is movielens-100k-pocket version 2" in done.out, done.err
    assert verify_bundle(installed).manifest.update.base_version == 1
    assert [path.name for path in tmp_path.iterdir()] == ["installed"]
    modes = {path.stat().st_mode & 0o777 for path in installed.rglob("*") if path.is_file()}
    assert modes == {0o644} and installed.stat().st_mode & 0o777 == 0o755
    line = refused(pocketrec("update", installed, chain.updates[2]), code=1)
    assert "version 2 is installed already; versions must rise" in line


def test_new_films_are_recommended_and_left_out_once_seen(chain):
    new = "The Silver Frontier (1998)"
    with pytest.raises(InputError, match="a title of the catalogue"):
        recommend(chain.bundles[1], history=[new])
    asked = {"history": ["Unforgiven (1992)=5", "Dances with Wolves (1990)=5"], "genres": ["Western"], "top": 30}
    before, after = (recommend(chain.bundles[version], **asked).items for version in (1, 2))
    assert [item.id for item in after if item.id != "N1"] == [item.id for item in before]
    assert [(item.title, item.genres) for item in after if item.id == "N1"] == [(new, ["Western", "Drama"])]
    asked["history"].append(f"{new}=4")
    seen = recommend(chain.bundles[2], **asked).items
    assert "N1" not in {item.id for item in seen} and len(seen) == len(before)
    scores = {item.id: item.score for item in before}
    assert all(abs(item.score - scores[item.id]) < 0.02 for item in seen), "to the encoder it only takes up a place"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["update", "/none", "{update}"], "BUNDLE: expected a bundle directory, got /none (no such"),
        (["update", "{file}", "{update}"], "file, a file; name one, or unpack it first"),
        (["update", "{base}", "/none"], "got /none (no such"),
        (["update", "{base}", "{empty}"], "which has no manifest.json"),
        (["update", "{base}", "{base}"], "UPDATE: expected an update, got a whole bundle"),
        (["verify", "{base}", "--base", "{base}"], "a whole bundle; verify it without --base"),
        (["verify", "{update}", "--base", "/none"], "/none (no such"),
        (["verify", "{base}", "--allow-downgrade"], "expected --base BUNDLE beside it"),
        (["update", "{base}", "{update}", "--key", "/none.pem"], "a PEM key file"),
    ],
)
def test_bad_arguments_are_one_line(chain, pocketrec, tmp_path, arguments, said):
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    base, signed = chain.installed(tmp_path), arguments[-1] == "/none.pem"
    if signed:
        edit(base, lambda manifest: manifest.update(signature="manifest.sig", key_id="0" * 16))
        (base / "manifest.sig").write_bytes(bytes(64))
    places = {"base": base, "update": chain.updates[2], "file": tmp_path / "file", "empty": tmp_path / "empty"}
    assert said in refused(pocketrec(*[argument.format(**places) for argument in arguments]))


def test_keys_are_asked_of_base_and_update(chain, run, update, tmp_path):
    for name in ("ours", "theirs"):
        assert call("keygen", "--out", tmp_path / f"{name}.pem").code == 0
    ours, theirs = tmp_path / "ours.pub.pem", tmp_path / "theirs.pub.pem"
    base, new = tmp_path / "base", tmp_path / "new.csv"
    write_bundle(Run(run), base, BundleOptions(layout="split", sign_key=tmp_path / "ours.pem"))
    new.write_text(FIRST)
    for name in ("ours", "theirs"):
        write_update(
            Run(run), tmp_path / name, UpdateOptions(base=base, new_items=new, sign_key=tmp_path / f"{name}.pem")
        )
    assert verify_update(tmp_path / "ours", base, keys=[ours]).manifest.version == 2
    assert verify_update(tmp_path / "theirs", base, keys=[ours, theirs]).manifest.version == 2, "keys may change hands"
    with pytest.raises(CheckFailed, match="signature: signed by key"):
        verify_update(tmp_path / "theirs", base, keys=[ours])
    with pytest.raises(CheckFailed, match="not signed"):
        verify_update(update, base, keys=[ours])
    with pytest.raises(CheckFailed, match="not signed"):
        verify_update(tmp_path / "ours", chain.bundles[1], keys=[ours])
    edit(tmp_path / "ours", lambda manifest: manifest.update(version=3))
    with pytest.raises(CheckFailed, match=r"was not signed by ours\.pub\.pem, or was changed"):
        apply_update(base, tmp_path / "ours", keys=[ours])
    assert open_bundle(base, keys=[ours]).manifest.version == 1


def test_one_update_at_a_time(chain, tmp_path):
    installed = chain.installed(tmp_path)
    handle = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(InputError, match="one update at a time"):
        apply_update(installed, chain.updates[2])
    os.close(handle)
    assert apply_update(installed, chain.updates[2]).manifest.version == 2


def test_a_linked_bundle_is_updated_where_it_lies(chain, tmp_path):
    installed, link = chain.installed(tmp_path), tmp_path / "elsewhere" / "link"
    link.parent.mkdir()
    link.symlink_to(installed)
    assert apply_update(link, chain.updates[2]).manifest.version == 2
    assert link.is_symlink() and read(installed)["version"] == 2


KILLED = {
    "nothing done": ("kill(applying, 'merge', 1)", 1),
    "half of it merged": ("kill(applying, '_copy', 4)", 1),
    "before it was verified": ("kill(applying, 'proven', 1)", 1),
    "half of it on disk": ("kill(replacing, 'sync', 4)", 1),
    "before the exchange": ("kill(replacing, 'exchange', 1)", 1),
    "after the exchange": ("kill(replacing.shutil, 'rmtree', 1, only='.partial-')", 2),
    "half of the old one removed": ("after_exchange(os, 'unlink', 3)", 2),
    "all but the parent on disk": ("kill(applying, 'sync', 1)", 2),
}
_CHILD = """
import os, signal
from pathlib import Path
from pocketrec.android_assets import applying
from pocketrec.train import replacing

def kill(module, name, nth, only=""):
    real, left = getattr(module, name), [nth]
    def counted(*arguments, **options):
        left[0] -= only in str(arguments[0])
        if left[0] <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **options)
    setattr(module, name, counted)

def after_exchange(module, name, nth):
    real = replacing.exchange
    def exchanged(a, b):
        done = real(a, b)
        kill(module, name, nth)
        return done
    replacing.exchange = exchanged
"""


@pytest.mark.parametrize("name", KILLED)
def test_killed_anywhere_one_version_opens_and_the_next_call_cleans_up(chain, tmp_path, name):
    where, version = KILLED[name]
    installed = chain.installed(tmp_path)
    program = f"{_CHILD}\n{where}\napplying.apply_update(Path({str(installed)!r}), Path({str(chain.updates[2])!r}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == -9, done.stderr
    assert verify_bundle(installed).manifest.version == version
    assert sha256_tree(installed) == sha256_tree(chain.bundles[version])
    if version == 1:
        assert apply_update(installed, chain.updates[2]).manifest.version == 2
    else:
        with pytest.raises(CheckFailed, match="installed already"):
            apply_update(installed, chain.updates[2])
    assert [path.name for path in tmp_path.iterdir()] == ["installed"]
    assert sha256_tree(installed) == sha256_tree(chain.bundles[2])


_READER = """
import sys
from pathlib import Path
from tests.android_assets.asking import recommend
from pocketrec.android_assets.reading.verify import open_bundle

where, stop = Path(sys.argv[1]), Path(sys.argv[2])
print("ready", flush=True)
while not stop.exists():
    print(open_bundle(where).manifest.version, flush=True)
    recommend(where, history=["Speed (1994)=5"])
"""


def test_who_reads_meanwhile_always_finds_a_whole_version(chain, tmp_path):
    """A process that opens the bundle and asks it, over and over, while it goes from 1 to 3 and back and forth."""
    installed, stop = chain.installed(tmp_path), tmp_path / "stop"
    reader = subprocess.Popen(
        [sys.executable, "-c", _READER, str(installed), str(stop)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )  # fmt: skip
    assert reader.stdout and reader.stdout.readline() == "ready\n" and reader.stdout.readline() == "1\n"
    for version in (2, 3, 2, 3, 2, 3):
        assert apply_update(installed, chain.updates[version], allow_downgrade=True).manifest.version == version
    assert reader.stdout.readline() in ("1\n", "2\n", "3\n")
    stop.touch()
    rest, complaints = reader.communicate()
    assert reader.returncode == 0, complaints
    assert set(rest.split()) <= {"1", "2", "3"}


def once(monkeypatch, target, name, first):
    """Do something else at the first call, before the real thing."""
    real, calls = getattr(target, name), []

    def called(*arguments, **options):
        calls.append(name)
        if len(calls) == 1:
            first()
        return real(*arguments, **options)

    monkeypatch.setattr(target, name, called)
    return calls


def test_a_bundle_that_was_replaced_while_it_was_opened_is_opened_again(chain, tmp_path, monkeypatch):
    installed = chain.installed(tmp_path)
    replace = lambda: swap(shutil.copytree(chain.bundles[3], tmp_path / "new"), installed)  # noqa: E731
    calls = once(monkeypatch, verify_module, "contract_sha256", replace)
    assert open_bundle(installed).manifest.version == 3 and len(calls) == 2


def test_an_answer_from_parts_of_two_versions_is_asked_again(chain, tmp_path, monkeypatch):
    """Its items were read from one, its vectors from the other."""
    installed = chain.installed(tmp_path)
    replace = lambda: swap(shutil.copytree(chain.bundles[3], tmp_path / "new"), installed)  # noqa: E731
    calls = once(monkeypatch, Bundle, "answers", replace)
    asked = {"history": ["Speed (1994)=5"], "genres": ["Film-Noir"], "top": 20}
    assert "N2" in {item.id for item in recommend(installed, **asked).items} and len(calls) == 2
