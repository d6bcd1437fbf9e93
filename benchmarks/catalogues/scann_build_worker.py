"""Builds native ScaNN over a catalogue, tunes it and saves it, in a process of its own.

    python -P scann_build_worker.py SPEC.json

SPEC: items (.npy, float32[n, d]), settings (of train/export/scann_settings.py), k, recall to reach, folder for the index,
inputs (.npz: `query` float32[m, d] and `exact` int64[m, k]), outputs (.npz to write). The `meta` written holds `search`
(arguments of a search), `recall` on those queries, `size_bytes` of the index, `build_s`, `tune_s`, `peak_rss_bytes`.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).parents[2] / "runtimes" / "workers"))
sys.path.append(str(Path(__file__).parents[2] / "core"))
from metrics import hits_in_lists  # pyright: ignore[reportMissingImports]
from process_memory import memory  # pyright: ignore[reportMissingImports]

# Shares of the leaves, and multiples of k to reorder, that are tried.
LEAVES = (0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.065, 0.08, 0.1, 0.125, 0.16, 0.2, 0.3, 0.5, 1.0)
REORDERED = (1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 30, 40, 50, 75, 100, 200, 500)
# Scoring a point exactly costs about as much as hashing so many (measured here at a million items, d = 32: 40 ns and 1.8 ns).
EXACT_COST = 20
TRAINING_SAMPLE = 250_000


def build(items, settings, k):
    import scann

    builder: Any = scann.scann_ops_pybind.builder(items, k, "dot_product")
    if "num_leaves" in settings:
        sample = min(TRAINING_SAMPLE, len(items))
        builder = builder.tree(settings["num_leaves"], settings["num_leaves_to_search"], training_sample_size=sample)
    hashing = {"anisotropic_quantization_threshold": settings["anisotropic_threshold"]}
    builder = builder.score_ah(settings["dimensions_per_block"], **hashing)
    return builder.reorder(settings["num_reordering_candidates"]).build()


def candidates(settings, n_items, k):
    """Arguments of a search, the cheapest first."""
    leaves = settings.get("num_leaves")
    found = {}
    for share in LEAVES if leaves else (1.0,):
        for multiple in REORDERED:
            search = {"pre_reorder_num_neighbors": min(n_items, int(multiple * k))}
            if leaves:
                search["leaves_to_search"] = max(1, round(share * leaves))
            found[tuple(search.items())] = share * n_items + EXACT_COST * search["pre_reorder_num_neighbors"]
    return [dict(search) for search, _ in sorted(found.items(), key=lambda pair: pair[1])]


def recall_of(searcher, queries, exact, search):
    found = []
    for query in queries:
        ids, scores = searcher.search(query, **search)
        found.append(ids[np.isfinite(scores)])
    return int(hits_in_lists(found, exact).sum()) / exact.size


def tune(searcher, queries, exact, tried, wanted):
    """The cheapest search that reaches the recall, or the best there is."""
    best, best_recall = None, -1.0
    for search in tried:
        recall = recall_of(searcher, queries, exact, search)
        if recall > best_recall:
            best, best_recall = search, recall
        if recall >= wanted:
            break
    return best, best_recall


def main(path):
    spec = json.loads(Path(path).read_text())
    with np.load(spec["inputs"]) as archive:
        queries, exact = archive["query"], archive["exact"]
    items, folder, started = np.load(spec["items"]), Path(spec["folder"]), time.perf_counter()
    searcher = build(items, spec["settings"], spec["k"])
    built = time.perf_counter()
    tried = candidates(spec["settings"], len(items), spec["k"])
    search, recall = tune(searcher, queries, exact, tried, spec["recall"])
    tuned = time.perf_counter()
    folder.mkdir()
    searcher.serialize(str(folder))
    meta = {
        "search": search,
        "recall": recall,
        "size_bytes": sum(file.stat().st_size for file in folder.iterdir()),
        "build_s": built - started,
        "tune_s": tuned - built,
        "peak_rss_bytes": memory("VmHWM"),
    }
    with Path(spec["outputs"]).open("wb") as stream:
        np.savez(stream, meta=np.array(json.dumps(meta)))


if __name__ == "__main__":
    main(sys.argv[1])
