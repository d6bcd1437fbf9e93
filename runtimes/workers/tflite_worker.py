"""Executes one .tflite file in a process of its own. Standard library, NumPy and one interpreter; runs by path.

    python -P tflite_worker.py SPEC.json

SPEC: model, module (of the interpreter), bare (true: import it without the packages around it, unless the model has
Select TF ops, whose kernels they bring), libraries (for a module that opens a shared library: its path by machine), delegate
(false: without XNNPACK), threads, inputs (.npz), outputs (.npz to write), mode `outputs` or `latency`, and for `latency` warmup and
samples. Inputs and outputs are packed as core/queries/packing.py says.
Beside the outputs, `meta` is a JSON text: n_queries, load_ns, allocate_ns, first_call_ns, rss_before_bytes, rss_after_bytes,
peak_rss_bytes, import_ns.
"""

import importlib
import importlib.util
import json
import sys
import time
import types
from pathlib import Path

import numpy as np

sys.path += [str(Path(__file__).parent), str(Path(__file__).parents[2] / "core" / "queries")]
import packing  # pyright: ignore[reportMissingImports]
from process_memory import memory  # pyright: ignore[reportMissingImports]


def load(path):
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def interpreter_module(name, bare):
    """Import a module; where `bare`, without running the `__init__` of the packages it lies in.

    TensorFlow's own takes two seconds and hundreds of megabytes, none of which its interpreter needs.
    """
    packages, folder = name.split(".")[:-1] if bare else [], None
    for depth, part in enumerate(packages, start=1):
        if folder is None:
            found = importlib.util.find_spec(part)
            assert found is not None and found.origin is not None
            folder = Path(found.origin).parent
        else:
            folder = folder / part
        package = types.ModuleType(".".join(packages[:depth]))
        package.__path__ = [str(folder)]
        sys.modules[package.__name__] = package
    return importlib.import_module(name)


def prepare(spec):
    """Import the interpreter, before a fork."""
    imported(spec)


def imported(spec):
    is_bare = spec.get("bare") and b"Flex" not in Path(spec["model"]).read_bytes()
    module = sys.modules.get(spec["module"]) or interpreter_module(spec["module"], is_bare)
    return module.opened(spec["libraries"]) if "libraries" in spec else module


class Session:
    """An interpreter addressed by signature names, resized only when a shape changes; other runtimes' sessions derive from it."""

    def __init__(self, spec):
        started = time.perf_counter_ns()
        module = imported(spec)
        self.import_ns = time.perf_counter_ns() - started
        rss = memory("VmRSS")
        started = time.perf_counter_ns()
        options = {"model_path": spec["model"], "num_threads": spec["threads"]}
        if not spec.get("delegate", True):
            kinds = getattr(module, "OpResolverType", None) or module.experimental.OpResolverType
            options["experimental_op_resolver_type"] = kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        self.interpreter = module.Interpreter(**options)
        loaded = time.perf_counter_ns()
        self.interpreter.allocate_tensors()
        allocated = time.perf_counter_ns()
        self.meta = {"load_ns": loaded - started, "allocate_ns": allocated - loaded, "rss_before_bytes": rss}
        self.inputs, self.outputs = self._ports()
        self.shapes = {name: tuple(port["shape"]) for name, port in self.inputs.items()}

    def _ports(self):
        if self.interpreter.get_signature_list():
            runner = self.interpreter.get_signature_runner(next(iter(self.interpreter.get_signature_list())))
            return runner.get_input_details(), runner.get_output_details()
        by_name = lambda details: {port["name"]: port for port in details}  # noqa: E731
        return by_name(self.interpreter.get_input_details()), by_name(self.interpreter.get_output_details())

    def check(self, feeds):
        if set(feeds) != set(self.inputs):
            raise SystemExit(f"inputs: expected {sorted(self.inputs)}, got {sorted(feeds)}")

    def reserve(self, queries):
        """Prepare for the sizes of all queries, before the first."""

    def fit(self, feeds):
        changed = {name: value.shape for name, value in feeds.items() if value.shape != self.shapes[name]}
        if changed:
            self.resize(changed)
            self.shapes.update(changed)

    def resize(self, shapes):
        for name, shape in shapes.items():
            free = [int(n) for n in self.inputs[name].get("shape_signature", self.inputs[name]["shape"])]
            if len(free) != len(shape) or any(f not in (-1, n) for f, n in zip(free, shape, strict=True)):
                raise SystemExit(f"input {name}: expected shape {free}, got {list(shape)}")
            # Not strict: the runtimes forget that a string input's dimension was free once it has been filled.
            self.interpreter.resize_tensor_input(self.inputs[name]["index"], shape)
        self.interpreter.allocate_tensors()

    def call(self, feeds, invoke=None):
        for name, value in feeds.items():
            self.interpreter.set_tensor(self.inputs[name]["index"], value)
        (invoke or self.interpreter.invoke)()
        return {name: self.interpreter.get_tensor(port["index"]) for name, port in self.outputs.items()}


def prepared(session, feeds):
    """A query's arrays in the dtypes of the model's inputs; only text changes representation."""
    query = {
        name: np.atleast_1d(value) if len(session.inputs[name]["shape"]) else value for name, value in feeds.items()
    }
    for name, value in query.items():
        wanted = np.dtype(session.inputs[name]["dtype"])
        if value.dtype.kind not in "SU" and value.dtype != wanted:
            raise SystemExit(f"input {name}: expected {wanted}, got {value.dtype}")
        if value.dtype.kind in "SU":
            query[name] = value.astype(object)
    return query


def run_outputs(session, queries):
    rows = []
    for query in queries:
        session.fit(query)
        rows.append(session.call(query))
    return packing.packed({name: [row[name] for row in rows] for name in session.outputs}, flat=True)


def nothing():
    """In place of the model."""


def run_latency(session, queries, spec):
    """Time calls and, after each, the same without the model: the cost of measuring and copying."""
    samples, overhead = np.empty(spec["samples"], np.int64), np.empty(spec["samples"], np.int64)
    for i in range(-spec["warmup"], spec["samples"]):
        query = queries[i % len(queries)]
        session.fit(query)
        started = time.perf_counter_ns()
        session.call(query)
        ended = time.perf_counter_ns()
        session.call(query, nothing)
        overhead[max(i, 0)] = time.perf_counter_ns() - ended
        samples[max(i, 0)] = ended - started
    return {**run_outputs(session, queries), "samples_ns": samples, "overhead_ns": overhead}


def main(path, kind=Session):
    spec = json.loads(Path(path).read_text())
    session = kind(spec)
    feeds = load(spec["inputs"])
    session.check(packing.names_of(feeds))
    queries = [prepared(session, query) for query in packing.queries_of(feeds)]
    session.reserve(queries)
    session.fit(queries[0])
    started = time.perf_counter_ns()
    session.call(queries[0])
    session.meta["first_call_ns"] = time.perf_counter_ns() - started
    session.meta["rss_after_bytes"] = memory("VmRSS")
    packed = run_outputs(session, queries) if spec["mode"] == "outputs" else run_latency(session, queries, spec)
    meta = {
        **session.meta,
        "n_queries": len(queries),
        "peak_rss_bytes": memory("VmHWM"),
        "import_ns": session.import_ns,
    }
    with Path(spec["outputs"]).open("wb") as stream:
        np.savez(stream, meta=np.array(json.dumps(meta)), **packed)


if __name__ == "__main__":
    main(sys.argv[1])
