import json

import pytest
from pocketrec.convert.converter import convert_saved_model
from pocketrec.convert.inspection import inspect_file
from pocketrec.train.artifacts import Run

from tests.conftest import refused


@pytest.fixture
def file(tutorial_run):
    return tutorial_run / "converted" / "ranker-dynamic_int8.tflite"


def test_inspect_shows_signature_ops_with_versions_and_tables(file, pocketrec):
    done = pocketrec("inspect", file, "--json")
    found = json.loads(done.out)
    assert found["schema"] == "pocketrec.inspect/1" and found["size_bytes"] == file.stat().st_size
    assert [port["name"] for port in found["signatures"][0]["inputs"]] == ["items", "user"]
    assert {"name": "GATHER", "version": 2, "count": 2} in found["ops"]
    tables = {tuple(table["shape"]): table for table in found["tables"]}
    assert tables[1665, 32]["dtype"] == "int8" and tables[1665, 32]["bytes"] == 1665 * 32
    assert tables[944, 32]["bytes"] == 944 * 32
    assert "GATHER" in pocketrec("inspect", file).out


def test_the_tutorials_plain_conversion_shows_its_traps(tutorial_run, tmp_path):
    """The Keras model as it stands, converted with the same options: what our cured signature avoids."""
    data = convert_saved_model(
        Run(tutorial_run).saved_model("ranking"), signature="serving_default", recipe="dynamic_int8"
    )
    (tmp_path / "plain.tflite").write_bytes(data)
    traps = [trap["trap"] for trap in inspect_file(tmp_path / "plain.tflite")["traps"]]
    assert traps.count("whole-table-dequantize") == 2 and "string-table" in traps


def test_fail_on_trap_exits_1_only_when_there_is_one(run, pocketrec):
    assert pocketrec("inspect", run / "converted" / "ranker-dynamic_int8.tflite", "--fail-on", "trap").code == 0
    assert pocketrec("inspect", run / "converted" / "ranker-float16.tflite", "--fail-on", "trap").code == 1


def test_files_that_are_no_model_are_one_line(file, pocketrec, tmp_path):
    data = file.read_bytes()
    cases = {"empty": b"", "text": b"hello world, not a model", "cut": data[: len(data) // 3], "head": data[:40]}
    for name, content in cases.items():
        path = tmp_path / f"{name}.tflite"
        path.write_bytes(content)
        assert "expected a .tflite file" in refused(pocketrec("inspect", path)), name
    assert "No such file" in refused(pocketrec("inspect", tmp_path / "none.tflite"))


def test_a_file_of_2_gb_is_refused_unread(pocketrec, tmp_path):
    with (tmp_path / "huge.tflite").open("wb") as stream:
        stream.truncate(2**31)
    assert "2147483648" in refused(pocketrec("inspect", tmp_path / "huge.tflite"))


def test_any_cut_or_flipped_byte_is_refused_or_read_but_never_crashes(file, tmp_path):
    """Structure only: what a byte means is the hash's to guard."""
    from pocketrec.convert.tflite_file import read_tflite
    from pocketrec.train.errors import InputError

    data = file.read_bytes()
    for position in range(0, len(data), len(data) // 150):
        for content in (data[:position], data[:position] + bytes([data[position] ^ 0xFF]) + data[position + 1 :]):
            (tmp_path / "x.tflite").write_bytes(content)
            try:
                read_tflite(tmp_path / "x.tflite")
            except InputError:
                continue
