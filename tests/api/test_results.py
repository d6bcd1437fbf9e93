"""What the functions return: records, a heat map, bytes, bundles."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from pocketrec.core.documents import RUN_SCHEMA, read_json

import pocketrec as pr
from tests.conftest import raises


def test_open_run_gives_the_record(tiny):
    run = pr.open_run(str(tiny))
    assert isinstance(run, pr.Run) and run.record.to_json() == read_json(tiny / "trained" / "run.json", RUN_SCHEMA)


def test_parity_passes_and_draws_a_heat_map(own_tiny):
    report = pr.parity(own_tiny, rejudge=True)
    assert report.passed and report.failures == [] and all(isinstance(row, pr.ParityRow) for row in report.rows)
    assert report.to_json() == json.loads((own_tiny / "reports" / "parity.json").read_text())
    html = report._repr_html_()
    assert html.startswith("<table") and html.count("✓") == len(report.rows)


def test_a_failed_gate_is_a_failure_not_an_exception(own_tiny, tmp_path):
    gates = tmp_path / "gates.toml"
    gates.write_text('[retriever.default]\nmax_abs_diff = -1.0\nreason = "nothing can pass"\n')
    report = pr.parity(own_tiny, rejudge=True, gates=gates)
    assert not report.passed and "retriever" in {row.graph for row in report.failures}
    assert "✗" in report._repr_html_()


def test_the_heat_map_escapes_what_it_shows():
    from pocketrec.api.heat_map import _cell

    cell = SimpleNamespace(status="fail", heat=100, label='"><script>', mark="✗", share="<b>")
    assert "<script>" not in _cell(cell) and "<b>" not in _cell(cell)


def test_quantize_is_bytes_to_bytes_and_repeatable(tiny):
    model = (tiny / "converted" / "ranker-float32.tflite").read_bytes()
    small = pr.quantize(model, "dynamic_int8")
    assert len(small) < len(model) and pr.quantize(model, "dynamic_int8") == small
    assert pr.inspect(small).size_bytes == len(small)


def test_quantize_takes_calibration(tiny):
    model = (tiny / "converted" / "query_encoder-float32.tflite").read_bytes()
    rng = np.random.default_rng(0)
    ports = pr.inspect(model).signatures[0].inputs
    calibration = {port.name: rng.integers(0, 5, (8, *port.shape)).astype(port.dtype) for port in ports}
    assert len(pr.quantize(model, "static_int8", calibration=calibration)) < len(model)
    with raises("INPUT_MISMATCH"):
        pr.quantize(model, "static_int8", calibration={"nothing": np.zeros((2, 3), np.float32)})


@pytest.mark.parametrize(
    ("model", "recipe", "code"),
    [
        (b"no flatbuffer", "dynamic_int8", "MODEL_INVALID"),
        (b"", "int7", "NAME_UNKNOWN"),
        (b"", "static_int8", "OPTION_MISSING"),
    ],
)
def test_quantize_refuses(model, recipe, code):
    with raises(code):
        pr.quantize(model, recipe)


def test_inspect_takes_a_path_or_bytes(tiny):
    path = tiny / "converted" / "ranker-dynamic_int8.tflite"
    of_path, of_bytes = pr.inspect(path), pr.inspect(path.read_bytes())
    assert replace(of_bytes, file=path.name) == of_path and isinstance(of_path, pr.Inspection)


def test_a_bundle_recommends_from_titles_and_ratings(tiny):
    bundle = pr.open_bundle(tiny / "bundle", keys=[tiny / "key.pub.pem"])
    items = json.loads((tiny / "trained" / "items.json").read_text())
    titles = [items[0]["title"], items[1]["title"]]
    answer = bundle.recommend({titles[0]: 5, titles[1]: None}, prefer=["Western"], top=5)
    assert len(answer.items) == 5 and not {item.title for item in answer.items} & set(titles)
    same = pr.recommend(bundle, history=[f"{titles[0]}=5", titles[1]], prefer=["Western"], top=5)
    assert same == answer
    assert bundle.version == 1 and bundle.size_bytes == sum(
        p.stat().st_size for p in bundle.path.rglob("*") if p.is_file()
    )


def test_bundle_verify_and_update_from_python(tiny, tmp_path):
    base = pr.bundle(tiny, tmp_path / "base", layout="split", zip=tmp_path / "base.zip")
    assert pr.verify(tmp_path / "base.zip").checks == base.verify().checks
    (tmp_path / "new.csv").write_text("id,title,genres\nnew1,Brand New (2026),Western\n")
    update = pr.bundle(tiny, tmp_path / "update", catalogue_only=True, base=base.path, new_items=tmp_path / "new.csv")
    verified = pr.verify(update.path, base=base.path)
    assert verified.version == 2 and verified.checks
    assert pr.update(base.path, update.path).version == 2
    assert update.n_files < base.n_files


def test_verify_raises_what_is_wrong(tiny, tmp_path):
    import shutil

    shutil.copytree(tiny / "bundle", tmp_path / "bundle")
    path = next((tmp_path / "bundle").rglob("*.tflite"))
    path.write_bytes(path.read_bytes()[:-1] + b"\0\0")
    with pytest.raises(pr.CheckFailed) as caught:
        pr.verify(tmp_path / "bundle")
    assert caught.value.code == "FILE_SIZE"


def test_report_and_its_regressions(own_tiny, tiny):
    report = pr.report(own_tiny, baseline=tiny)
    assert {path.name for path in report.files} == {"report.html", "report.md", "junit.xml"}
    assert report.regressions == []


def test_conversion_is_a_sequence_of_variants(own_tiny, tmp_path):
    import shutil

    run = tmp_path / "own"
    run.mkdir()
    shutil.copytree(own_tiny / "trained", run / "trained")
    converted = pr.convert(run, graphs=["query_encoder"], recipes=["float32"])
    [variant] = converted
    assert isinstance(variant, pr.Variant) and converted[0] == variant and len(converted) == 1
    assert (converted.folder / variant.file).stat().st_size == variant.size_bytes


def test_doctor_checks_every_runtime_and_target():
    diagnosis = pr.doctor()
    found = {check.name for check in diagnosis.checks}
    assert {f"runtime: {name}" for name in pr.names("runtimes")} <= found
    assert {f"target: {name}" for name in pr.names("targets")} <= found
    assert all(check.ok or check.add for check in diagnosis.checks)
