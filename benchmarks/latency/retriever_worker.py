"""Executes one server-side retriever in a process of its own: a SavedModel through TensorFlow, or native ScaNN.

    python -P retriever_worker.py SPEC.json

SPEC: kind `savedmodel`, `scann_native` or `scann_saved`; saved_model, candidates (.npy) or index (a folder that
scann_build_worker.py wrote) with search (arguments of a search); k, inputs (.npz, one row per query), outputs (.npz to write),
warmup, samples. Written beside `samples_ns`: `ids` (item ids or rows) flat with `ids.offsets`, and `meta`, as tflite_worker.py
does.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).parents[2] / "runtimes" / "workers"))
from process_memory import memory  # pyright: ignore[reportMissingImports]


def prepare(spec):
    """Import what a kind needs, before a fork."""
    import scann  # noqa: F401

    if spec["kind"] == "savedmodel":
        import tensorflow  # noqa: F401


def load_saved_model(spec):
    import scann  # noqa: F401  (registers the ops that a ScaNN SavedModel needs)
    import tensorflow as tf

    started, rss = time.perf_counter_ns(), memory("VmRSS")
    loaded = tf.saved_model.load(spec["saved_model"])
    signature = loaded.signatures["serving_default"]
    taken = signature.structured_input_signature[1]

    def call(query, owner=loaded):  # bound, so that the variables outlive this function
        answer = signature(**{name: tf.constant(query[name]) for name in taken})
        return answer["scores"].numpy(), answer["ids"].numpy()

    return call, {"load_ns": time.perf_counter_ns() - started, "rss_before_bytes": rss}


def load_scann_native(spec):
    import scann

    candidates = np.load(spec["candidates"])
    started, rss = time.perf_counter_ns(), memory("VmRSS")
    builder: Any = scann.scann_ops_pybind.builder(candidates, spec["k"], "dot_product")
    searcher = builder.score_brute_force().build()

    def call(query):
        ids, scores = searcher.search(query["query"])
        return scores[None], ids[None]

    return call, {"load_ns": time.perf_counter_ns() - started, "rss_before_bytes": rss}


def load_scann_saved(spec):
    import scann

    started, rss = time.perf_counter_ns(), memory("VmRSS")
    searcher = scann.scann_ops_pybind.load_searcher(spec["index"])

    def call(query):
        ids, scores = searcher.search(query["query"], **spec["search"])
        return np.asarray(scores)[None], np.asarray(ids)[None]

    return call, {"load_ns": time.perf_counter_ns() - started, "rss_before_bytes": rss}


def found_ids(scores, ids):
    """Ids of one answer; ScaNN fills up with NaN scores, or comes back short, when the leaves it searched hold fewer than k."""
    return ids[0][np.isfinite(scores[0])]


LOADERS = {"savedmodel": load_saved_model, "scann_native": load_scann_native, "scann_saved": load_scann_saved}


def main(path):
    spec = json.loads(Path(path).read_text())
    with np.load(spec["inputs"]) as archive:
        arrays = {name: archive[name] for name in archive.files}
    call, meta = LOADERS[spec["kind"]](spec)
    arrays = {name: value.astype(object) if value.dtype.kind == "S" else value for name, value in arrays.items()}
    queries = [{name: value[row] for name, value in arrays.items()} for row in range(len(next(iter(arrays.values()))))]
    started = time.perf_counter_ns()
    call(queries[0])
    meta["first_call_ns"] = time.perf_counter_ns() - started
    meta["rss_after_bytes"] = memory("VmRSS")
    answers = [call(query) for query in queries]
    samples = np.empty(spec["samples"], np.int64)
    for i in range(-spec["warmup"], spec["samples"]):
        query = queries[i % len(queries)]
        started = time.perf_counter_ns()
        call(query)
        samples[max(i, 0)] = time.perf_counter_ns() - started
    meta |= {"n_queries": len(queries), "peak_rss_bytes": memory("VmHWM"), "allocate_ns": 0}
    ids = [found_ids(*answer) for answer in answers]
    offsets = np.cumsum([0, *[len(row) for row in ids]])
    flat = np.concatenate(ids)
    flat = flat.astype("S") if flat.dtype == object else flat
    with Path(spec["outputs"]).open("wb") as stream:
        np.savez(stream, meta=np.array(json.dumps(meta)), samples_ns=samples, ids=flat, **{"ids.offsets": offsets})


if __name__ == "__main__":
    main(sys.argv[1])
