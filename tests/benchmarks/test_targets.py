"""Variants on emulated phone processors, with and without the delegate."""

import json

import pytest
from pocketrec.benchmarks import arm64
from pocketrec.benchmarks.parity import check_parity
from pocketrec.benchmarks.targets import TARGETS
from pocketrec.train.artifacts import Run, write_json
from pocketrec.train.errors import InputError

from tests.conftest import refused

ARM64 = [name for name in TARGETS if name.startswith("arm64/")]
needs_arm64 = pytest.mark.skipif(bool(arm64.missing()), reason=arm64.missing())


@pytest.fixture
def few(own_run):
    """A run of six variants, so that emulation stays short."""
    document = Run(own_run).variants_json
    document["variants"] = [
        v
        for v in document["variants"]
        if v["graph"] in ("ranker", "recommender") and v["recipe"] in ("dynamic_int8", "static_int8", "int4_rows")
    ]
    write_json(own_run / "converted" / "variants.json", document)
    return own_run


@needs_arm64
def test_variants_pass_on_every_phone_processor_and_both_runtimes(few, pocketrec):
    required = [part for name in ARM64 for part in ("--require", name)]
    done = pocketrec("parity", few, *required, "--json")
    assert done.code == 0, done.out[-2000:] + done.err
    rows = json.loads(done.out)["results"]
    assert {row["target"] for row in rows} == {*ARM64} and len(rows) == 6 * 2 * len(ARM64)
    assert {(row["status"], row["n_queries"]) for row in rows} == {("pass", 941)}
    assert (few / "reports" / "raw" / "ranker-int4_rows@litert-2.3.0@arm64-cortex-a53.npz").is_file()


def test_on_the_host_each_runtime_is_checked_with_and_without_its_delegate(run):
    rows = json.loads((run / "reports" / "parity.json").read_text())["results"]
    kinds = {(row["runtime"], row["delegate"]) for row in rows}
    assert kinds == {(r, d) for r in ("tflite-runtime-2.14.0", "litert-2.3.0") for d in ("xnnpack", "none")}


def test_a_target_that_is_not_there_is_skipped_with_the_command_and_an_error_when_required(few, monkeypatch, tmp_path):
    monkeypatch.setattr(arm64, "folder", lambda: tmp_path / "nothing")
    asked = {"runtimes": ["litert-2.3.0"], "targets": ["arm64/cortex-a76"]}
    rows = check_parity(Run(few), **asked)["results"]
    assert {row["status"] for row in rows} == {"skipped"} and "pocketrec doctor --install arm64" in rows[0]["reason"]
    rows = check_parity(Run(few), **asked, require=["arm64/cortex-a76"])["results"]
    assert {row["status"] for row in rows} == {"error"}


def test_unknown_target_and_pack_are_one_line(few, pocketrec):
    assert "arm64/cortex-a76" in refused(pocketrec("parity", few, "--require", "arm64/cortex-a77"))
    assert "one of arm64" in refused(pocketrec("doctor", "--install", "arm65"))


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
