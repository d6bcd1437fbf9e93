"""What models are chosen by, and the part of the training ratings to choose on."""

from collections.abc import Mapping

from ..data.ratings import Ratings
from ..data.splits import SPLITS
from .tuning import LEAST_HELD_OUT, Validation, make_validation


def worth(quality: Mapping[str, float]) -> float:
    """Recall@10 + NDCG@10 + 0.3 recall@100 of `retrieval_quality`, as the linear encoder's hyperparameters are chosen by."""
    return quality["recall_at_10"] + quality["ndcg_at_10"] + 0.3 * quality["recall_at_100"]


def validation_of(train: Ratings, split: str, seed: int) -> Validation | None:
    """As `make_validation`; None where nothing, or less than `LEAST_HELD_OUT` events, would be held out."""
    held_out = SPLITS[split].held_out(train.user, train.timestamp, seed)
    if not LEAST_HELD_OUT <= held_out.sum() < len(train):
        return None
    return make_validation(train, split, seed)
