"""The ScaNN configuration that its authors recommend; standard library only, so that benchmarks read it without TensorFlow."""

from typing import NotRequired, TypedDict

# Below this many items ScaNN's authors recommend brute force, below the second asymmetric hashing with reordering, above it a
# tree too (google-research/scann, docs/algorithms.md).
BRUTE_FORCE_BELOW, TREE_FROM = 20_000, 100_000


class ScannSettings(TypedDict):
    """ScaNN's configuration: the three of hashing where it hashes, the two of leaves where it has a tree."""

    configuration: str
    dimensions_per_block: NotRequired[int]
    anisotropic_threshold: NotRequired[float]
    num_reordering_candidates: NotRequired[int]
    num_leaves: NotRequired[int]
    num_leaves_to_search: NotRequired[int]


def scann_settings(n_items: int) -> ScannSettings:
    """The recommended configuration for a catalogue of this size."""
    if n_items < BRUTE_FORCE_BELOW:
        return {"configuration": "brute_force"}
    hashed: ScannSettings = {
        "configuration": "ah_reorder",
        "dimensions_per_block": 2,
        "anisotropic_threshold": 0.2,
        "num_reordering_candidates": 200,
    }
    if n_items < TREE_FROM:
        return hashed
    leaves = round(n_items**0.5)
    return {
        "configuration": "tree_ah_reorder",
        "num_leaves": leaves,
        "num_leaves_to_search": max(1, leaves // 10),
        "dimensions_per_block": 2,
        "anisotropic_threshold": 0.2,
        "num_reordering_candidates": 200,
    }
