"""How fast one thread reads memory, in a process of its own: NumPy's vectorised maximum over a buffer, as often as asked.

    python -P bandwidth_worker.py SPEC.json

SPEC: bytes, repeats, inputs (unused), outputs (.npz to write: `samples_ns` int64[repeats], and `meta`). A maximum writes nothing,
so its time is the reading's; the buffer is as large as what it is compared with, and so in the same cache.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np


def main(path):
    spec = json.loads(Path(path).read_text())
    buffer = np.random.default_rng(0).random(max(1, spec["bytes"] // 4), np.float32)
    buffer.max()
    samples = np.empty(spec["repeats"], np.int64)
    for i in range(spec["repeats"]):
        started = time.perf_counter_ns()
        buffer.max()
        samples[i] = time.perf_counter_ns() - started
    with Path(spec["outputs"]).open("wb") as stream:
        np.savez(stream, meta=np.array(json.dumps({"bytes": buffer.nbytes})), samples_ns=samples)


if __name__ == "__main__":
    main(sys.argv[1])
