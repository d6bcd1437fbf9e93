"""Vectors of items without ratings, from their content."""

import numpy as np

from ..data.item_content import Indicators
from .preferences import ridge

# The regression of vectors on content: an item counts for its popularity to this power; ridge as a share of the mean diagonal.
# Chosen with a tenth of MovieLens' items hidden from training: the hidden ones that users liked are in the first 100 three times
# as often as chance has them; see the decision record on content.
CONTENT_POWER, CONTENT_RIDGE = 0.25, 1.0


def rows_by_content(candidates: np.ndarray, share: np.ndarray, content: Indicators) -> np.ndarray:
    """float64[n_content, r]: ridge regression of the items' vectors on their content, each item by its popularity."""
    marks = content.dense().astype(np.float64)
    weighted = marks * (share**CONTENT_POWER)[:, None]
    return ridge(weighted, marks, candidates, CONTENT_RIDGE)


def filled(candidates: np.ndarray, share: np.ndarray, content: Indicators, by_content: np.ndarray) -> np.ndarray:
    """float64[n_items, r]: the candidates' vectors, and for items that nobody has the sum of the rows of their content."""
    sums = np.zeros((content.n_rows, by_content.shape[1]))
    np.add.at(sums, content.row, content.value[:, None] * by_content[content.column])
    return np.where((share > 0)[:, None], candidates, sums)


def filled_share(share: np.ndarray) -> np.ndarray:
    """float64[n_items]: popularity, with that of an ordinary item for items that nobody has."""
    return np.where(share > 0, share, ordinary_share(share))


def ordinary_share(share: np.ndarray) -> float:
    """Popularity of the middle one of the items that anybody has."""
    return float(np.median(share[share > 0]))
