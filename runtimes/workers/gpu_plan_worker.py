"""What LiteRT's GPU accelerator takes of a .tflite file: it is compiled, and not run. Runs by path, as tflite_worker.py does.

    python -P gpu_plan_worker.py SPEC.json

SPEC: model, module (of CompiledModel), outputs (.npz to write). What is left to the CPU, and why, goes to stderr in the
accelerator's own words; `meta` says `fully_accelerated`. No signature is read: a file needs none.
"""

import importlib
import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from compiled_model_worker import refused  # pyright: ignore[reportMissingImports]


def main(path):
    spec = json.loads(Path(path).read_text())
    module = importlib.import_module(spec["module"])
    kinds = module.HardwareAccelerator
    options = module.Options(hardware_accelerators=kinds.GPU | kinds.CPU, cpu_options=module.CpuOptions(num_threads=1))
    try:
        model = module.CompiledModel.from_file(spec["model"], options=options)
    except RuntimeError as error:
        raise refused("CompiledModel did not compile the file", error) from None
    meta = {"fully_accelerated": model.is_fully_accelerated()}
    with Path(spec["outputs"]).open("wb") as stream:
        np.savez(stream, meta=np.array(json.dumps(meta)))


if __name__ == "__main__":
    main(sys.argv[1])
