"""Hyperparameters of the linear retriever; those that validation chooses have a grid in tuning.py."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LinearSettings:
    """How the linear retriever is fitted.

    Attributes:
        method: `exact` for the closed form over all pairs of items, `wide` for the same over all pairs of users, `svd` for the
            truncated SVD of the interactions.
        ridge: L2 weight, in events.
        recency: the item at place k of a history, the newest first, weighs k ** -recency.
        future: weight of the regression from earlier to later events beside that over all pairs; needs timestamps.
        rank: columns of the item tables, the bias apart.
        window: items of a history that are read, the newest.
        rating_slope: how much less a liked item counts from the highest rating down to the lowest; 0 ignores ratings.
        popularity: weight of popularity in the answer to an empty history; it falls with the length of the history.
        genre_weight: length of a genre as a row of the interactions, in events.
        declared_weight: what a declared token that is no genre counts for, in items of the history.
        content_scale: length of the vectors of items without ratings, beside what the regression on content gives.
    """

    method: str = "exact"
    ridge: float = 300.0
    recency: float = 0.0
    future: float = 0.0
    rank: int = 31
    window: int = 256
    rating_slope: float = 0.0
    popularity: float = 0.03
    genre_weight: float = 15.0
    declared_weight: float = 0.0
    content_scale: float = 1.05
