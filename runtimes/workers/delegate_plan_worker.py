"""Which operators of a .tflite file LiteRT's default delegate, XNNPACK, takes. Runs by path, as tflite_worker.py does.

    python -P delegate_plan_worker.py SPEC.json

SPEC: model, module (of the interpreter), outputs (.npz to write). Writes `delegated` bool[n_ops], in the file's order, and
`partitions`. The interpreter keeps replaced nodes in its list and appends a DELEGATE node for every partition, so what lies between
a partition's outputs and its inputs is what was replaced.
"""

import importlib
import json
import sys
from pathlib import Path

import numpy as np


def delegated_nodes(nodes):
    """Indices of nodes inside any delegate's partition."""
    made_by = {int(o): i for i, node in enumerate(nodes) if node["op_name"] != "DELEGATE" for o in node["outputs"]}
    inside = set()
    for delegate in (node for node in nodes if node["op_name"] == "DELEGATE"):
        given, waiting = {int(i) for i in delegate["inputs"]}, [int(o) for o in delegate["outputs"]]
        while waiting:
            tensor = waiting.pop()
            node = made_by.get(tensor)
            if tensor in given or node is None or node in inside:
                continue
            inside.add(node)
            waiting += [int(i) for i in nodes[node]["inputs"]]
    return inside


def main(path):
    spec = json.loads(Path(path).read_text())
    interpreter = importlib.import_module(spec["module"]).Interpreter(model_path=spec["model"], num_threads=1)
    interpreter.allocate_tensors()
    nodes = interpreter._get_ops_details()  # the package shows the plan nowhere else
    partitions = sum(node["op_name"] == "DELEGATE" for node in nodes)
    inside = delegated_nodes(nodes)
    delegated = np.array([i in inside for i in range(len(nodes) - partitions)], bool)
    with Path(spec["outputs"]).open("wb") as stream:
        np.savez(stream, meta=np.array("{}"), delegated=delegated, partitions=np.array(partitions))


if __name__ == "__main__":
    main(sys.argv[1])
