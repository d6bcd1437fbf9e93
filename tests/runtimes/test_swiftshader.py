"""LiteRT's GPU accelerator on a Vulkan driver in software: what it answers, leaves on the CPU, and dies of."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from pocketrec.benchmarks.parity.blaming.stage import blame_run
from pocketrec.benchmarks.parity.judging import judge
from pocketrec.benchmarks.parity.rejudge import rejudge
from pocketrec.benchmarks.parity.stage import check_parity
from pocketrec.benchmarks.report.heat_map import cell_detail
from pocketrec.convert.graph_conversion import float32_of
from pocketrec.convert.graphs import Options
from pocketrec.convert.quantize.preparation import prepare
from pocketrec.core.files.hashing import sha256_bytes
from pocketrec.core.queries.model_inputs import FEEDS
from pocketrec.core.records.variants import Port
from pocketrec.core.run_dir import Run
from pocketrec.runtimes import swiftshader
from pocketrec.runtimes.gpu_traps import gpu_traps
from pocketrec.runtimes.launch import run_variant
from pocketrec.runtimes.model_file.reader import read_tflite
from pocketrec.runtimes.runtimes import CURRENT_RUNTIME, RUNTIMES, chosen_runtimes
from pocketrec.runtimes.targets import TARGETS

from tests.conftest import raises, refused
from tests.convert.models import converted
from tests.runtimes.gpu_graphs import table_of
from tests.variants import change_variants, keep_variants

(GPU,) = [name for name, target in TARGETS.items() if target.platform == "gpu"]
(RUNTIME,) = [name for name, runtime in RUNTIMES.items() if runtime.runs_on(GPU)]
WHERE = {"runtime": RUNTIME, "target": GPU}
needs_gpu = pytest.mark.skipif(bool(swiftshader.missing()), reason=swiftshader.missing())


def keep(folder, graph, *recipes):
    """Leave some variants of one graph in a run that a test owns."""
    keep_variants(Run(folder), lambda variant: variant.graph == graph and variant.recipe in recipes)
    return Run(folder)


@needs_gpu
def test_what_the_accelerator_computes_rightly_is_right(tmp_path):
    """Two outputs, a gather and a dense layer in whole groups of four columns; every operator on the accelerator."""
    from pocketrec.train.tf import tf

    rng = np.random.default_rng(0)
    table, weights = (rng.normal(size=shape).astype(np.float32) for shape in ((20, 8), (8, 12)))

    def model(ids):
        rows = tf.gather(tf.constant(table), ids)
        return {"rows": rows, "dense": tf.matmul(rows, tf.constant(weights))}

    path = tmp_path / "x.tflite"
    path.write_bytes(converted(model, tf.TensorSpec([4], tf.int32, "ids")))
    ids = np.array([[0, 19, 3, 3], [7, 1, 2, 5]], np.int32)
    outcome = run_variant(path, {"ids": ids}, **WHERE)
    assert outcome, outcome.reason
    assert outcome.meta["fully_accelerated"] and "Selected adapter: SwiftShader" in outcome.log
    assert np.array_equal(outcome.arrays["rows"], table[ids])
    assert np.abs(outcome.arrays["dense"] - table[ids] @ weights).max() < 1e-4


def operator(name):
    """A graph of one operator with constants, and the shape of its input; docs/gpu.md names those that come out wrong."""
    from pocketrec.train.tf import tf

    rng = np.random.default_rng(0)
    weights, row, rows = (tf.constant(rng.normal(size=shape), tf.float32) for shape in ((8, 4), (8,), (8, 4)))
    column = rows[:, :1]
    return {
        "dense layer of [n]": (lambda x: tf.reshape(tf.matmul(tf.reshape(x, [1, -1]), weights), [-1]), [8]),
        "dense layer of [1, n]": (lambda x: tf.matmul(x, weights), [1, 8]),
        "[n] times a constant [n]": (lambda x: x * row, [8]),
        "[1, n] times a constant [1, n]": (lambda x: x * row[None], [1, 8]),
        "[n, m] times a constant [n, 1]": (lambda x: x * column, [8, 4]),
        "[n, m] plus a constant [n, 1]": (lambda x: x + column, [8, 4]),
        "[n, m] times a constant [n, m]": (lambda x: x * rows, [8, 4]),
        "[n, m] times a constant [m]": (lambda x: x * rows[0], [8, 4]),
        "[1, n, m] times a constant [1, n, m]": (lambda x: x * rows[None], [1, 8, 4]),
    }[name]


@pytest.mark.full
@needs_gpu
@pytest.mark.parametrize(
    ("name", "is_right"),
    [
        ("dense layer of [n]", False),
        ("dense layer of [1, n]", True),
        ("[n] times a constant [n]", False),
        ("[1, n] times a constant [1, n]", True),
        ("[n, m] times a constant [n, 1]", False),
        ("[n, m] plus a constant [n, 1]", False),
        ("[n, m] times a constant [n, m]", False),
        ("[n, m] times a constant [m]", True),
        ("[1, n, m] times a constant [1, n, m]", True),
    ],
)
def test_which_operators_come_out_wrong_there(tmp_path, name, is_right):
    """The table of docs/gpu.md. One that is right now was mended in LiteRT, or SwiftShader: say so there."""
    from pocketrec.train.tf import tf

    function, shape = operator(name)
    path = tmp_path / "x.tflite"
    path.write_bytes(converted(lambda x: {"y": function(x)}, tf.TensorSpec(shape, tf.float32, "x")))
    given = {"x": np.random.default_rng(1).normal(size=[2, *shape]).astype(np.float32)}
    expected, found = run_variant(path, given, runtime=CURRENT_RUNTIME), run_variant(path, given, **WHERE)
    assert found and found.meta["fully_accelerated"], found.reason
    worst = np.abs(expected.arrays["y"] - found.arrays["y"]).max()
    assert worst < 1e-5 if is_right else worst > 0.5
    assert bool(gpu_traps(read_tflite(path))) == (not is_right)


@needs_gpu
def test_a_row_says_what_was_left_on_the_cpu_and_is_judged_again_as_it_was(own_tiny):
    """A sample of the held-out users is asked; judging the stored outputs again finds the same queries."""
    run = keep(own_tiny, "retriever", "float32")
    (row,) = check_parity(run, targets=[GPU]).results
    assert (row.runtime, row.target) == (RUNTIME, GPU) and row.status in ("pass", "fail"), row.reason
    assert row.n_queries == TARGETS[GPU].most_asked and row.edges
    assert row.acceleration is not None and row.acceleration.operators and row.acceleration.left
    assert any(reason.startswith("CAST: Expected 1 runtime input") for reason in row.acceleration.reasons)
    assert cell_detail(row)["accelerated"] == row.acceleration.summary != ""
    (again,) = rejudge(run).results
    assert again == row


@needs_gpu
def test_a_file_that_ends_the_process_is_refused_by_name(own_tiny, monkeypatch):
    """Without its name in the table it is a row. When that passes, LiteRT has learnt to read int16."""
    run = keep(own_tiny, "query_encoder", "dynamic_int8")
    (variant,) = run.variants
    data = table_of("int16")
    (run.converted / variant.file).write_bytes(data)
    change_variants(
        run, lambda known: [replace(known[0], sha256=sha256_bytes(data), inputs=[Port("ids", [4], "int32")])]
    )
    monkeypatch.setitem(FEEDS, "ids", lambda query, names: np.zeros(4, np.int32))
    (row,) = check_parity(run, require=[GPU]).results
    assert row.status == "skipped" and "gpu-unreadable-table" in row.reason and row.acceleration is None
    monkeypatch.setattr(judge, "gpu_refusal", lambda file: "")
    (row,) = check_parity(run, targets=[GPU]).results
    assert row.status == "error" and row.reason.startswith("signal 6: ") and row.acceleration is not None


@needs_gpu
def test_a_compilation_that_takes_too_long_is_a_row(own_tiny):
    """A retriever's takes seconds: the time limit ends the process in it, or before it."""
    run = keep(own_tiny, "retriever", "float32")
    (row,) = check_parity(run, targets=[GPU], timeout_s=0.4).results
    assert (row.status, row.reason) == ("error", "no answer within 0.4 s") and row.acceleration is not None


@needs_gpu
def test_a_driver_that_went_away_is_a_row_with_the_reason(own_tiny, monkeypatch, tmp_path):
    shutil.copytree(swiftshader.folder(), tmp_path / "gpu")
    (tmp_path / "gpu" / "libvk_swiftshader.so").unlink()
    monkeypatch.setattr(swiftshader, "folder", lambda: tmp_path / "gpu")
    (row,) = check_parity(keep(own_tiny, "ranker", "float32"), targets=[GPU]).results
    assert row.status == "error" and "No adapters found" in row.reason


def test_without_a_driver_cells_are_skipped_with_the_command_and_errors_when_required(own_tiny, monkeypatch, tmp_path):
    monkeypatch.setattr(swiftshader, "folder", lambda: tmp_path / "nothing")
    run = keep(own_tiny, "ranker", "float32")
    (row,) = check_parity(run, targets=[GPU]).results
    assert row.status == "skipped" and "pocketrec doctor --install gpu" in row.reason and row.acceleration is None
    (row,) = check_parity(run, require=[GPU]).results
    assert row.status == "error"


def test_it_runs_only_when_asked_for(tiny):
    rows = json.loads((tiny / "reports" / "parity.json").read_text())["results"]
    assert RUNTIME in chosen_runtimes([], ["host"], RUNTIMES) and GPU not in {row["target"] for row in rows}


def test_it_is_never_timed(tiny, pocketrec):
    line = refused(pocketrec("latency", tiny, "--target", GPU))
    assert line.endswith("[TARGET_UNTIMED]") and "expected one whose times mean something: host" in line


def test_doctor_lists_it_with_the_command_that_adds_it(pocketrec, tmp_path):
    done = pocketrec("doctor", env={"POCKETREC_CACHE": str(tmp_path)})
    assert f"missing target: {GPU}: pocketrec doctor --install gpu" in done.out


def test_installing_copies_the_driver_once(monkeypatch, tmp_path):
    for name in ("vk_swiftshader_icd.json", "libvk_swiftshader.so", "libvulkan.so.1"):
        (tmp_path / "chromium").mkdir(exist_ok=True)
        (tmp_path / "chromium" / name).write_text(name)
    monkeypatch.setattr(swiftshader, "SOURCES", (tmp_path / "none", tmp_path / "chromium"))
    monkeypatch.setattr(swiftshader, "folder", lambda: tmp_path / "gpu")
    assert swiftshader.install() == swiftshader.install() == tmp_path / "gpu" and not swiftshader.missing()
    assert (tmp_path / "gpu" / "libvulkan.so.1").read_text() == "libvulkan.so.1"
    assert (tmp_path / "gpu" / "runtime").stat().st_mode & 0o777 == 0o700


def test_installing_without_chromium_is_refused_and_leaves_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr(swiftshader, "SOURCES", (tmp_path / "none",))
    monkeypatch.setattr(swiftshader, "folder", lambda: tmp_path / "gpu")
    with raises("NOT_INSTALLED") as caught:
        swiftshader.install()
    assert "apt-get install chromium" in str(caught.value) and not (tmp_path / "gpu").exists()


@needs_gpu
def test_every_variant_of_the_demo_passes_there(own_run):
    run = Run(own_run)
    report = check_parity(run, require=[GPU], timeout_s=300)
    assert len(report.results) == len(run.variants)
    for row in report.results:
        assert row.status == "pass", (row.graph, row.recipe, row.reason)
        assert row.acceleration is not None and (row.acceleration.left == 0 or row.acceleration.reasons), row.recipe


@pytest.mark.full
@needs_gpu
def test_a_dense_layer_of_one_axis_is_blamed_for_a_wrong_retriever(own_run):
    """The float32 file as it would be without batch axes: the converter's own."""
    run = keep(own_run, "retriever", "float32")
    (variant,) = run.variants
    data = prepare(float32_of(run, "retriever", Options(k=100)))
    (run.converted / variant.file).write_bytes(data)
    change_variants(run, lambda known: [replace(known[0], sha256=sha256_bytes(data))])
    assert not check_parity(run, targets=[GPU], timeout_s=300).passed
    (row,) = blame_run(run, timeout_s=300).results
    found, n_preferences = row.blame, len((run.trained / "vocabularies" / "preferences.txt").read_text().splitlines())
    assert found is not None and (found.operator, found.alone) == ("FULLY_CONNECTED", "wrong"), found
    assert found.inputs[0].shape == [n_preferences] and not found.inputs[0].is_constant
    assert found.reference.startswith(f"the same file on {CURRENT_RUNTIME}")
    assert found.file is not None and [t.trap for t in gpu_traps(read_tflite(run.reports / found.file))] == [
        "gpu-one-axis-dense"
    ]
