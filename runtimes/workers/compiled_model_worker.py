"""Executes one .tflite file with LiteRT's CompiledModel. The same SPEC and outputs as tflite_worker.py, and besides:

SPEC: accelerator (`gpu`: on the GPU, and on the CPU what it does not take). `meta` says `fully_accelerated`.
"""

import math
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import tflite_worker  # pyright: ignore[reportMissingImports]
from tflite_worker import imported, memory, prepare  # noqa: F401  # pyright: ignore[reportMissingImports]


def refused(what, error):
    """Ends with a reason: of what LiteRT says, the last line that is not just a place in its sources."""
    said = [line.strip("└ ") for line in str(error).splitlines()]
    said = [line for line in said if line and not line.startswith("ERROR: [") and "ERROR: [" not in line]
    return SystemExit(f"{what}: {said[-1]}" if said else what)


class CompiledSession(tflite_worker.Session):
    """A compiled model addressed by names of its first signature; buffers are made anew when a shape changes.

    Values go in and out as bytes: LiteRT's Python buffers name no int64, though the model takes it.
    """

    def __init__(self, spec):
        started = time.perf_counter_ns()
        module = imported(spec)
        self.import_ns = time.perf_counter_ns() - started
        rss = memory("VmRSS")
        started = time.perf_counter_ns()
        self.model = self._compiled(module, spec)
        loaded = time.perf_counter_ns()
        self.key = next(iter(self.model.get_signature_list()))
        self._bind()
        allocated = time.perf_counter_ns()
        self.meta = {"load_ns": loaded - started, "allocate_ns": allocated - loaded, "rss_before_bytes": rss}
        self.is_accelerated = bool(spec.get("accelerator"))
        self.meta["fully_accelerated"] = self.model.is_fully_accelerated()
        self.shapes = {name: tuple(port["shape"]) for name, port in self.inputs.items()}

    def _compiled(self, module, spec):
        kinds = module.HardwareAccelerator
        wanted = kinds.GPU | kinds.CPU if spec.get("accelerator") == "gpu" else kinds.CPU
        cpu = module.CpuOptions(num_threads=spec["threads"])
        options = module.Options(hardware_accelerators=wanted, cpu_options=cpu)
        try:
            return module.CompiledModel.from_file(spec["model"], options=options)
        except RuntimeError as error:
            raise refused("CompiledModel did not compile the file", error) from None

    def _bind(self):
        """Ports as they are shaped now, and a buffer for each."""
        model, key = self.model, self.key
        self.inputs, self.outputs = model.get_input_tensor_details(key), model.get_output_tensor_details(key)
        self.feeding = {name: model.create_input_buffer_by_name(key, name) for name in self.inputs}
        self.filled = {name: model.create_output_buffer_by_name(key, name) for name in self.outputs}
        names = model.get_signature_list()[key]
        self.given = [self.feeding[name] for name in names["inputs"]]
        self.taken = [self.filled[name] for name in names["outputs"]]
        self.layouts = {name: (np.dtype(port["dtype"]), tuple(port["shape"])) for name, port in self.outputs.items()}
        self.n_bytes = {name: dtype.itemsize * math.prod(shape) for name, (dtype, shape) in self.layouts.items()}

    def resize(self, shapes):
        for name, shape in shapes.items():
            try:
                self.model.resize_input_tensor_by_name(self.key, name, [int(n) for n in shape])
            except RuntimeError as error:
                expected = list(self.inputs[name]["shape"])
                raise refused(f"input {name}: expected shape {expected}, got {list(shape)}", error) from None
        self._bind()

    def reserve(self, queries):
        """One call of the largest size: on the GPU, what goes beyond the size of the first call comes out wrong where a part of the
        graph is left to the CPU."""
        if not self.is_accelerated:
            return
        sizes = {name: np.max([query[name].shape for query in queries], axis=0) for name in queries[0]}
        largest = {name: np.zeros(size, queries[0][name].dtype) for name, size in sizes.items()}
        if any(value.shape != self.shapes[name] for name, value in largest.items()):
            self.fit(largest)
            self.call(largest)

    def run(self):
        try:
            self.model.run_by_index(0, self.given, self.taken)
        except RuntimeError as error:
            raise refused("CompiledModel did not run", error) from None

    def call(self, feeds, invoke=None):
        for name, value in feeds.items():
            self.feeding[name].write(np.ascontiguousarray(value).reshape(-1).view(np.uint8))
        (invoke or self.run)()
        found = {}
        for name, (dtype, shape) in self.layouts.items():
            found[name] = self.filled[name].read(self.n_bytes[name], np.uint8).view(dtype).reshape(shape)
        return found


def main(path):
    tflite_worker.main(path, CompiledSession)


if __name__ == "__main__":
    main(sys.argv[1])
