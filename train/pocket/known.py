"""What both pocket models are trained on."""

from dataclasses import dataclass

from ...core.queries.histories import Histories
from ..data.item_content import (
    Indicators,
    declared_preferences,
    favourite_genres,
    indicators,
    item_content,
    preference_vocabulary,
)
from ..data.ratings import Ratings, histories


@dataclass(frozen=True)
class Known:
    """The training part, and what can be derived from it.

    Attributes:
        vocabulary: declared preferences, the columns of `declared` and `interests`.
        content: of items.
        declared: preferences that users of the data declared.
        interests: the same and each user's favourite genres, which stand in for declared ones.
    """

    train: Ratings
    seen: Histories
    vocabulary: list[str]
    content: Indicators
    declared: Indicators
    interests: Indicators


def known_of(train: Ratings) -> Known:
    """Derive it from the training part."""
    vocabulary, seen = preference_vocabulary(train), histories(train)
    declared, favourites = declared_preferences(train), favourite_genres(train, seen)
    interests = [a + b for a, b in zip(declared, favourites, strict=True)]
    return Known(
        train,
        seen,
        vocabulary,
        item_content(train),
        indicators(declared, vocabulary),
        indicators(interests, vocabulary),
    )
