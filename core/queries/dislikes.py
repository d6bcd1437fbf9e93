"""Dislikes that are given apart from the history, as items of the history.

The newest items used keep the places they have without any dislike, so that these cost them no recency: dislikes stand right
before them, where the window still reads them. Of more dislikes than half of the window the newest are read.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .query import Query

# What a dislike is rated where no rating can say it: any negative number is a dislike.
UNRATED_DISLIKE = -1.0


def dislike_rating(rating_range: Sequence[float]) -> float:
    """What a dislike is rated: the lowest rating; `UNRATED_DISLIKE` without ratings, and where the lowest is 0, "not rated"."""
    low, high = (float(value) for value in rating_range)
    return low if low < high and low != 0 else UNRATED_DISLIKE


@dataclass(frozen=True)
class Disliked:
    """What a dislike means for a catalogue.

    Attributes:
        rating: what a disliked item is rated; None where the query model takes no ratings, so that an item of the history can
            only count for what is alike.
        window: places of a history; 0 for models without one.
    """

    rating: float | None
    window: int

    def applied(self, query: Query, items: Sequence[int], also: Sequence[int]) -> tuple[Query, list[str]]:
        """The query with dislikes, and notes.

        Args:
            items: disliked, oldest first, each once.
            also: items that share a title with one of them.
        """
        if not items:
            return query, []
        refused = np.array([*items, *also], np.int32)
        kept = ~np.isin(query.seen, refused)
        notes = []
        if not kept.all():
            notes.append(f"disliked and in the history: {int((~kept).sum())}; the dislike counts")
        seen, stars = query.seen[kept], query.stars[kept]
        excluded = np.union1d(query.excluded, refused).astype(np.int32)
        if self.rating is None or not self.window:
            notes.append(
                "the models cannot learn from a dislike; it is left out of the answer, and changes nothing else"
            )
            return replace(query, seen=seen, stars=stars, excluded=excluded), notes
        before = max(0, len(seen) - (self.window - min(len(items), self.window // 2)))
        ratings = np.full(len(items), self.rating, np.float32)
        return replace(
            query,
            seen=np.insert(seen, before, np.array(items, np.int32)),
            stars=np.insert(stars.astype(np.float32), before, ratings),
            excluded=np.setdiff1d(excluded, items).astype(np.int32),
        ), notes
