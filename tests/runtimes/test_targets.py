"""Variants on emulated phone processors, with and without the delegate, and a runtime and a target that are new."""

import dataclasses
import json

import pytest
from pocketrec.benchmarks.parity.stage import check_parity
from pocketrec.core.host import cpu_flags
from pocketrec.core.run_dir import Run
from pocketrec.runtimes import qemu_arm64 as arm64
from pocketrec.runtimes.runtimes import CURRENT_RUNTIME, RUNTIMES, chosen_runtimes, runtime_of
from pocketrec.runtimes.targets import TARGETS

from tests.conftest import raises, refused
from tests.runtimes.android.archives import needs_android
from tests.tiny import PACKAGED
from tests.variants import keep_variants

ARM64 = [name for name, target in TARGETS.items() if target.platform == "arm64"]
WASM = [name for name, target in TARGETS.items() if target.in_browser and not target.accelerator]
(WEBGPU,) = [name for name, target in TARGETS.items() if target.in_browser and target.accelerator]
needs_arm64 = pytest.mark.skipif(bool(arm64.missing()), reason=arm64.missing())
needs_wasm = pytest.mark.skipif(bool(TARGETS[WASM[0]].missing()), reason=TARGETS[WASM[0]].missing())
needs_webgpu = pytest.mark.skipif(bool(TARGETS[WEBGPU].missing()), reason=TARGETS[WEBGPU].missing())


def keep_one(folder):
    """Leave one variant in a run that a test owns."""
    keep_variants(Run(folder), lambda variant: (variant.graph, variant.recipe) == ("ranker", "dynamic_int8"))
    return folder


@pytest.fixture
def few(own_tiny):
    """A run of one variant."""
    return keep_one(own_tiny)


@needs_android
@needs_arm64
@needs_wasm
def test_the_whole_matrix_passes(own_run, pocketrec):
    """Every variant on every runtime and processor; what LiteRT.js cannot be asked is the only thing skipped, and where there is
    AVX-512 an XNNPACK that crashes with it.

    The host's cells are the demo's own, judged again. Android's libraries are asked on one emulated processor; test_variants.py
    has a cell on each. What accelerators make of the files is asked of a part of the queries: below, and in test_swiftshader.py.
    """
    document, optional = own_run / "reports" / "parity.json", [n for n, r in RUNTIMES.items() if r.is_optional]
    places = [name for name, target in TARGETS.items() if not (target.accelerator or target.is_phone)]
    by_hand = [
        row
        for row in json.loads(document.read_text())["results"]
        if row["delegate"] == "xnnpack" and not runtime_of(row["runtime"]).attaches_delegate
    ]
    assert {row["status"] for row in by_hand} == {"skipped" if "avx512f" in cpu_flags() else "pass"}

    packaged = [n for n, r in RUNTIMES.items() if n not in optional and any(map(r.runs_on, places))]
    named = [part for name in packaged for part in ("--runtime", name)]
    required = [part for name in places for part in ("--require", name)]
    done = pocketrec("parity", own_run, "--resume", *named, *required, timeout=3600)
    assert done.code == 0, done.out[-2000:] + done.err
    rows = json.loads(document.read_text())["results"]
    n_variants, n_users = len(Run(own_run).variants), max(row["n_queries"] for row in rows)
    per_variant = sum(len(RUNTIMES[n].delegates(t)) for n in packaged for t in places if RUNTIMES[n].runs_on(t))
    assert {row["target"] for row in rows} == {*places} and len(rows) == n_variants * per_variant
    left_out = [row for row in rows if row["status"] == "skipped"]
    assert {row["graph"] for row in left_out} == {"ranker"} and {row["target"] for row in left_out} == {*WASM}
    assert all("resizes no input" in row["reason"] for row in left_out)
    assert {(row["status"], row["n_queries"]) for row in rows if row not in left_out} == {("pass", n_users)}
    assert (own_run / "reports" / "raw" / f"ranker-int4_rows@{CURRENT_RUNTIME}@arm64-cortex-a53.npz").is_file()

    named = [part for name in optional for part in ("--runtime", name)]
    done = pocketrec("parity", own_run, *named, "--require", "arm64/cortex-a76", timeout=3600)
    assert done.code == 0, done.out[-2000:] + done.err
    rows = json.loads(document.read_text())["results"]
    assert len(rows) == n_variants * len(optional)
    assert {(row["status"], row["n_queries"]) for row in rows} == {("pass", n_users)}


@needs_webgpu
def test_the_matrix_passes_on_webgpu(own_run):
    """Every graph in three recipes; LiteRT.js resizes no input there either."""
    run = Run(own_run)
    keep_variants(run, lambda variant: variant.recipe in ("float32", "float16", "dynamic_int8"))
    rows = check_parity(run, require=[WEBGPU], timeout_s=300).results
    left_out = [row for row in rows if row.graph == "ranker"]
    assert len(rows) == 12 and {row.status for row in left_out} == {"skipped"}
    assert all("resizes no input" in row.reason for row in left_out)
    for row in (row for row in rows if row not in left_out):
        assert (row.status, row.n_queries) == ("pass", TARGETS[WEBGPU].most_asked), (row.graph, row.recipe, row.reason)
        assert row.acceleration is not None and (row.acceleration.left == 0 or row.acceleration.reasons), row.recipe


@needs_arm64
@pytest.mark.parametrize("target", ARM64)
def test_a_variant_passes_on_an_emulated_phone(few, target):
    (row,) = check_parity(Run(few), runtimes=[CURRENT_RUNTIME], targets=[target]).results
    assert row.status == "pass" and row.target == target and row.n_queries > 100, row.reason


def test_on_the_host_each_runtime_is_checked_with_and_without_its_delegate_where_it_lets_one_choose(few):
    rows = check_parity(Run(few), runtimes=PACKAGED).results
    kinds = {(row.runtime, row.delegate) for row in rows if row.target == "host"}
    assert kinds == {(name, "xnnpack") for name in PACKAGED} | {
        (name, "none") for name in PACKAGED if RUNTIMES[name].chooses_delegate
    }
    assert {row.status for row in rows} == {"pass"}


def test_a_new_runtime_and_a_new_target_are_one_entry_each(few, monkeypatch):
    """Seen from parity's row to the report's headings, without another change."""
    from pocketrec.benchmarks.latency.case_kinds import kind_of_runtime
    from pocketrec.benchmarks.report.heat_map import matrix

    toy = dataclasses.replace(
        RUNTIMES[CURRENT_RUNTIME], family="Toy", short_label="toy", kind="other", platforms=("board",)
    )
    monkeypatch.setitem(RUNTIMES, "toy-1", toy)
    board = dataclasses.replace(TARGETS["host"], summary="a toy", platform="board", short_label="board")
    monkeypatch.setitem(TARGETS, "board/1", board)
    assert chosen_runtimes(["toy-1"], ["board/1"]) == ["toy-1"]
    with raises("OPTION_CONFLICT"):
        chosen_runtimes(["toy-1"], ["host"])
    (row,) = check_parity(Run(few), runtimes=["toy-1"], targets=["board/1"]).results
    assert (row.runtime, row.target, row.status) == ("toy-1", "board/1", "pass"), row.reason
    found = matrix([row])
    assert [group[0] for group in found.groups] == [toy.label] and found.columns[0].short == "board"
    assert kind_of_runtime("toy-1") == "other"


def test_a_target_that_is_not_there_is_skipped_with_the_command_and_an_error_when_required(few, monkeypatch, tmp_path):
    monkeypatch.setattr(arm64, "folder", lambda: tmp_path / "nothing")
    asked = {"runtimes": [CURRENT_RUNTIME], "targets": ["arm64/cortex-a76"]}
    rows = check_parity(Run(few), **asked).results
    assert {row.status for row in rows} == {"skipped"} and "pocketrec doctor --install arm64" in rows[0].reason
    rows = check_parity(Run(few), **asked, require=["arm64/cortex-a76"]).results
    assert {row.status for row in rows} == {"error"}


def test_unknown_target_and_pack_are_one_line(few, pocketrec):
    assert "arm64/cortex-a76" in refused(pocketrec("parity", few, "--require", "arm64/cortex-a77"))
    assert "one of arm64, wasm, gpu, android, adb" in refused(pocketrec("doctor", "--install", "arm65"))


def test_installing_without_debians_tools_is_refused_and_leaves_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr(arm64, "folder", lambda: tmp_path / "arm64")
    monkeypatch.setenv("PATH", str(tmp_path))
    with raises("NOT_INSTALLED") as caught:
        arm64.install()
    assert "no apt-get, dpkg-deb" in str(caught.value) and not (tmp_path / "arm64").exists()


@pytest.mark.full
def test_a_package_that_cannot_be_fetched_is_refused_and_leaves_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr(arm64, "folder", lambda: tmp_path / "arm64")
    monkeypatch.setattr(arm64, "_PYTHON", ("no-such-package-anywhere",))
    with raises("DOWNLOAD_FAILED") as caught:
        arm64.install()
    assert "apt-get -qq download" in str(caught.value) and list(tmp_path.iterdir()) == []
