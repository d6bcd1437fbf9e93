"""Variants on emulated phone processors, with and without the delegate."""

import json

import pytest
from pocketrec.benchmarks.parity.stage import check_parity
from pocketrec.core.documents import write_json
from pocketrec.core.errors import InputError
from pocketrec.core.run_dir import Run
from pocketrec.runtimes import qemu_arm64 as arm64
from pocketrec.runtimes.runtimes import RUNTIMES
from pocketrec.runtimes.targets import TARGETS

from tests.conftest import refused

ARM64 = [name for name in TARGETS if name.startswith("arm64/")]
needs_arm64 = pytest.mark.skipif(bool(arm64.missing()), reason=arm64.missing())
needs_wasm = pytest.mark.skipif(bool(TARGETS["wasm/chromium"].missing()), reason=TARGETS["wasm/chromium"].missing())


@pytest.fixture
def few(own_run):
    """A run of one variant."""
    document = Run(own_run).variants_json
    document["variants"] = [v for v in document["variants"] if (v["graph"], v["recipe"]) == ("ranker", "dynamic_int8")]
    write_json(own_run / "converted" / "variants.json", document)
    return own_run


@needs_arm64
@needs_wasm
def test_the_whole_matrix_passes(own_run, pocketrec):
    """Every variant on every runtime and processor; what LiteRT.js cannot be asked is the only thing skipped."""
    required = [part for name in TARGETS for part in ("--require", name)]
    done = pocketrec("parity", own_run, *required, timeout=1500)
    assert done.code == 0, done.out[-2000:] + done.err
    rows = json.loads((own_run / "reports" / "parity.json").read_text())["results"]
    assert {row["target"] for row in rows} == {*TARGETS} and len(rows) == 24 * (3 * 2 + 2 * len(ARM64) + 1)
    left_out = [row for row in rows if row["status"] == "skipped"]
    assert {(row["graph"], row["runtime"]) for row in left_out} == {("ranker", "litertjs-2.5.3")} and len(left_out) == 6
    assert all("resizes no input" in row["reason"] for row in left_out)
    assert {(row["status"], row["n_queries"]) for row in rows if row not in left_out} == {("pass", 941)}
    assert f"{len(rows) - 6} of {len(rows)} passed: 24 variants, 4 runtimes, 5 processors" in done.out
    assert (own_run / "reports" / "raw" / "ranker-int4_rows@litert-2.3.0@arm64-cortex-a53.npz").is_file()


def test_on_the_host_each_runtime_is_checked_with_and_without_its_delegate(run):
    rows = json.loads((run / "reports" / "parity.json").read_text())["results"]
    kinds = {(row["runtime"], row["delegate"]) for row in rows}
    assert kinds == {(r, d) for r, known in RUNTIMES.items() if known.on_host for d in ("xnnpack", "none")}


def test_a_target_that_is_not_there_is_skipped_with_the_command_and_an_error_when_required(few, monkeypatch, tmp_path):
    monkeypatch.setattr(arm64, "folder", lambda: tmp_path / "nothing")
    asked = {"runtimes": ["litert-2.3.0"], "targets": ["arm64/cortex-a76"]}
    rows = check_parity(Run(few), **asked).to_json()["results"]
    assert {row["status"] for row in rows} == {"skipped"} and "pocketrec doctor --install arm64" in rows[0]["reason"]
    rows = check_parity(Run(few), **asked, require=["arm64/cortex-a76"]).to_json()["results"]
    assert {row["status"] for row in rows} == {"error"}


def test_unknown_target_and_pack_are_one_line(few, pocketrec):
    assert "arm64/cortex-a76" in refused(pocketrec("parity", few, "--require", "arm64/cortex-a77"))
    assert "one of arm64, wasm" in refused(pocketrec("doctor", "--install", "arm65"))


def test_installing_without_debians_tools_is_one_line_and_leaves_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr(arm64, "folder", lambda: tmp_path / "arm64")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="expected Debian's apt-get and dpkg-deb, got no apt-get, dpkg-deb"):
        arm64.install()
    assert not (tmp_path / "arm64").exists()


def test_a_package_that_cannot_be_fetched_is_one_line_and_leaves_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr(arm64, "folder", lambda: tmp_path / "arm64")
    monkeypatch.setattr(arm64, "_PYTHON", ("no-such-package-anywhere",))
    with pytest.raises(InputError, match=r"expected `apt-get -qq download` to succeed"):
        arm64.install()
    assert list(tmp_path.iterdir()) == []
