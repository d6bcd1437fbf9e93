"""How ScaNN's authors advise to set an index up; standard library only, so that measuring needs no TensorFlow to know it."""

from typing import Any

# Under this many items ScaNN's authors advise brute force, under the second asymmetric hashing with reordering, above it a tree too
# (google-research/scann, docs/algorithms.md).
BRUTE_FORCE_BELOW, TREE_FROM = 20_000, 100_000


def scann_settings(n_items: int) -> dict[str, Any]:
    """How ScaNN's authors advise to set it up for a catalogue of this size."""
    if n_items < BRUTE_FORCE_BELOW:
        return {"configuration": "brute_force"}
    hashing = {"dimensions_per_block": 2, "anisotropic_threshold": 0.2, "num_reordering_candidates": 200}
    if n_items < TREE_FROM:
        return {"configuration": "ah_reorder", **hashing}
    leaves = round(n_items**0.5)
    return {
        "configuration": "tree_ah_reorder",
        "num_leaves": leaves,
        "num_leaves_to_search": max(1, leaves // 10),
        **hashing,
    }
