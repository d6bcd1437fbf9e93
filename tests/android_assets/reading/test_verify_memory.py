"""A bundle may be larger than memory: candidates are hashed, checked and searched in parts."""

import json
import subprocess
import sys

import msgspec
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from pocketrec.android_assets.answering.bundle import Bundle
from pocketrec.android_assets.format.manifest import Manifest
from pocketrec.android_assets.writing.golden_vectors import make_golden
from pocketrec.convert.flatbuffer.editor import Editor
from pocketrec.core.queries.query import Query
from pocketrec.runtimes.model_file.reader import read_tflite

from tests.android_assets.breaking import manifest_of, reseal
from tests.conftest import call

MODEL = "models/query_encoder-dynamic_int8.tflite"


@pytest.fixture
def split(run, tmp_path):
    """Of the demo: the fewer items, the longer a vector must be for a file as large, and golden.json holds whole vectors."""
    done = call("bundle", run, "--layout", "split", "--out", tmp_path / "split")
    assert done.code == 0, done.err
    return tmp_path / "split"


def repeat_query(path, times):
    """Let an encoder give its query vector `times` times in a row: an encoder of large dimension that costs nothing to make."""
    editor = Editor(path.read_bytes())
    model, graph = editor.model, editor.graph
    old = int(model.signatureDefs[0].outputs[0].tensorIndex)
    buffer, code, op = schema.BufferT(), schema.OperatorCodeT(), schema.OperatorT()
    buffer.data = np.frombuffer(np.array([1, times], np.int32).tobytes(), np.uint8)
    model.buffers.append(buffer)
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.TILE
    code.version = 1
    model.operatorCodes.append(code)
    multiples, wide = schema.TensorT(), schema.TensorT()
    multiples.name, multiples.type, multiples.shape, multiples.buffer = (
        b"multiples",
        schema.TensorType.INT32,
        [2],
        len(model.buffers) - 1,
    )
    wide.name, wide.type, wide.buffer = b"wide", schema.TensorType.FLOAT32, 0
    wide.shape = [1, int(graph.tensors[old].shape[1]) * times]
    graph.tensors += [multiples, wide]
    op.opcodeIndex, op.inputs, op.outputs = (
        len(model.operatorCodes) - 1,
        [old, len(graph.tensors) - 2],
        [len(graph.tensors) - 1],
    )
    graph.operators.append(op)
    graph.outputs = op.outputs
    model.signatureDefs[0].outputs[0].tensorIndex = op.outputs[0]
    path.write_bytes(editor.pack())


def grow(folder, times):
    """The same bundle with an encoder and candidates of `times` times the dimension, and golden answers of its own."""
    rows = np.load(folder / "candidates.npy")
    repeat_query(folder / MODEL, times)
    grown = np.lib.format.open_memmap(
        folder / "candidates.npy", "w+", rows.dtype, (len(rows), rows.shape[1] * times), version=(1, 0)
    )
    for start in range(0, len(rows), 100):
        grown[start : start + 100] = np.tile(rows[start : start + 100], times)
    grown.flush()
    manifest = manifest_of(folder)
    manifest["candidates"] |= {"shape": list(grown.shape), "scale": manifest["candidates"]["scale"] / times}
    file = read_tflite(folder / MODEL)
    manifest["models"][0] |= {"outputs": file.ports()[1], "min_runtime": file.min_runtime}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    bundle, nothing = Bundle(folder, msgspec.convert(manifest, Manifest)), np.empty(0, np.int32)
    queries = [
        Query(-1, nothing, nothing, np.arange(5), np.ones(5, np.float32), [], genres) for genres in ([], ["Western"])
    ]
    golden = make_golden(bundle, queries, queries[:1], {"query_encoder": 1e-2}, 1e-2, 10)
    (folder / "golden.json").write_text(golden.to_text())
    reseal(folder)


def peak_kib(folder):
    """Largest resident sets (KiB, mapped pages and all) of a process that verifies a bundle, and of the worker it starts.

    Its own by VmHWM, which starts anew at exec as getrusage's peak does not; the worker's by getrusage, which is never too small.
    """
    program = (
        "import json, resource, sys\nfrom pathlib import Path\nfrom pocketrec.android_assets.reading.verify import verify_bundle\n"
        f"verify_bundle(Path({str(folder)!r}))\n"
        "status = Path('/proc/self/status').read_text().split()\n"
        "print(json.dumps([int(status[status.index('VmHWM:') + 1]), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.full
def test_a_candidates_file_of_200_mb_adds_less_than_50_mb(split):
    """In the process that verifies, mapped pages counted (VmHWM), and in its worker, which never sees the file."""
    small = peak_kib(split)
    rows = np.load(split / "candidates.npy", mmap_mode="r")
    grow(split, 200_000_000 // rows.size + 1)
    assert (split / "candidates.npy").stat().st_size > 200e6
    large = peak_kib(split)
    assert large[0] - small[0] < 50e6 / 1024
    assert large[1] - small[1] < 50e6 / 1024
