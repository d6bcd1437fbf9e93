"""A graph's outputs against the reference of one user over four items."""

import numpy as np
import pytest
from pocketrec.benchmarks.parity.judging.graph_comparisons import compare_retrieval, invalid_outputs

from tests.benchmarks.parity.planted import REFERENCE, retrieved


def test_retriever_that_agrees_is_perfect():
    found = compare_retrieval(retrieved([1, 2], [4.0, 3.0]), REFERENCE)
    assert (found.max_abs_diff, found.top_k_overlap, found.top1_agreement, found.seen_returned) == (0.0, 1.0, 1.0, 0)
    assert (found.quality_reference, found.quality_variant, found.quality_delta) == (1.0, 1.0, 0.0)


def test_retriever_that_loses_the_item_chosen_later_loses_quality():
    found = compare_retrieval(retrieved([1, 3], [4.0, 1.5]), REFERENCE)
    assert (found.max_abs_diff, found.top_k_overlap) == (0.5, 0.5)
    assert (found.quality_delta, found.quality_loss) == (-1.0, 1.0)


def test_retriever_that_ignores_the_mask_is_caught():
    assert compare_retrieval(retrieved([0, 1], [9.0, 4.0]), REFERENCE).seen_returned == 1


@pytest.mark.parametrize(
    ("outputs", "reason"),
    [
        (retrieved([1, 4], [1.0, 1.0]), "outside 0..3"),
        (retrieved([1, -1], [1.0, 1.0]), "outside 0..3"),
        (retrieved([1, 2], [1.0, np.nan]), "holds NaN (1 of 2)"),
        ({"ids": np.zeros((1, 2), np.int32)}, "missing: scores"),
    ],
)
def test_outputs_that_cannot_be_compared_are_named(outputs, reason):
    assert reason in invalid_outputs("retriever", outputs, REFERENCE)


def test_ranker_with_too_few_scores_is_named():
    assert "2 values for 1 pairs" in invalid_outputs("ranker", {"rating": np.zeros((1, 2), np.float32)}, REFERENCE)
