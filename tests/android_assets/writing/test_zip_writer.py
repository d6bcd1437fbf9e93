"""Zips as they are written: models that can be mapped, fixed times, nothing overwritten."""

import mmap
import struct
import zipfile

from pocketrec.android_assets.format.layouts import LAYOUTS
from pocketrec.android_assets.writing.writer import write_bundle
from pocketrec.android_assets.writing.zip_writer import require_no_file, write_zip
from pocketrec.core.run_dir import Run

from tests.conftest import raises


def test_models_in_a_zip_can_be_mapped_where_they_lie(signed):
    for name, layout in LAYOUTS.items():
        path = signed.folder / f"{name}.zip"
        with zipfile.ZipFile(path) as archive, path.open("rb") as stream:
            assert archive.testzip() is None and archive.namelist()[0] == "manifest.json"
            mapped = [info for info in archive.infolist() if info.filename.endswith((".tflite", ".npy"))]
            assert len(mapped) == len(layout.graphs) + layout.stores_candidates
            for info in mapped:
                start = data_offset(stream, info)
                assert info.compress_type == zipfile.ZIP_STORED and start % 16_384 == 0
                with mmap.mmap(stream.fileno(), info.file_size, offset=start, prot=mmap.PROT_READ) as part:
                    assert part[:] == (signed.folder / name / info.filename).read_bytes()


def data_offset(stream, info):
    """Where an entry's bytes start, by its local header (APPNOTE 4.3.7)."""
    stream.seek(info.header_offset + 26)
    name, extra = struct.unpack("<HH", stream.read(4))
    return info.header_offset + 30 + name + extra


def test_source_date_epoch_is_the_time_of_everything(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    write_bundle(Run(tiny), tmp_path / "b")
    write_zip(tmp_path / "b", tmp_path / "b.zip")
    assert {path.stat().st_mtime for path in (tmp_path / "b").rglob("*")} == {1_700_000_000}
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        assert {info.date_time for info in archive.infolist()} == {(2023, 11, 14, 22, 13, 20)}
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with raises("INPUT_INVALID"):
        write_bundle(Run(tiny), tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_a_zip_is_not_written_over_anything(tmp_path):
    (tmp_path / "b.zip").write_text("precious")
    with raises("OUTPUT_EXISTS"):
        require_no_file(tmp_path / "b.zip")
    require_no_file(tmp_path / "c.zip")
