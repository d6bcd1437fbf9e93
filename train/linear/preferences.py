"""Rows of declared preferences, which act like items of the history."""

import numpy as np
from scipy import sparse

from ...core.queries.histories import Histories
from ..data.item_content import GENRE, Indicators
from ..data.ratings import Ratings
from .item_weights import Factors
from .settings import LinearSettings

# Ridge of the regression on genres, as a share of the mean diagonal.
RIDGE = 0.01
# A genre is as strong as this many items of its own, at most; the smallest number whose list has the genre in nine of ten places.
STRENGTHS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
LISTED, LEAST_SHARE = 10, 0.9


def ridge(weighted: np.ndarray, marks: np.ndarray, wanted: np.ndarray, weight: float = RIDGE) -> np.ndarray:
    """float64[p, r]: (W'M + c I)^-1 W'T for W, M float64[n, p] and T float64[n, r], c `weight` times the mean diagonal."""
    square = weighted.T @ marks
    if not square.size:
        return np.zeros((0, wanted.shape[1]))
    square[np.diag_indices_from(square)] += weight * max(float(np.trace(square)) / len(square), 1e-9)
    return np.linalg.solve(square, weighted.T @ wanted)


def preference_rows(
    train: Ratings,
    seen: Histories,
    items: np.ndarray,
    share: np.ndarray,
    factors: Factors,
    settings: LinearSettings,
    declared: Indicators,
) -> np.ndarray:
    """Rows that a declared preference adds to a query.

    A genre points at its items, popular ones first. Any other token, which users of the data declared, is the history of what
    its users have more often than others do.

    Args:
        items: float64[n_items, r], the vectors that are searched.
        share: float64[n_items], popularity.

    Returns:
        float64[n_preferences, r].
    """
    found = settings.declared_weight * audience_rows(declared, seen, factors, len(items))
    by_genre = {genre: row for row, genre in enumerate(sorted({name for row in train.genres for name in row}))}
    if not by_genre or not found.size:
        return found
    marks = np.zeros((len(items), len(by_genre)))
    for item, genres in enumerate(train.genres):
        marks[item, [by_genre[genre] for genre in genres]] = 1
    towards, one_item = _towards(marks, items, share), _strength_of_one_item(factors, items, share)
    for row, token in enumerate(declared.tokens):
        genre = by_genre.get(token.removeprefix(GENRE)) if token.startswith(GENRE) else None
        if genre is not None:
            popular = settings.popularity * share
            found[row] = _strong_enough(towards[genre], marks[:, genre] > 0, items, popular, one_item)
    return found


def audience_rows(declared: Indicators, seen: Histories, factors: Factors, n_items: int) -> np.ndarray:
    """float64[n_preferences, r]: each token that users declared, as strong as one item of a history; zeros for genres."""
    share = np.bincount(seen.item, minlength=n_items) / max(1, declared.n_rows)
    one_item = _strength_of_one_item(factors, factors.candidates, share)
    rows = _audiences(declared, seen, n_items) @ factors.history
    return np.array(
        [
            np.zeros_like(row) if token.startswith(GENRE) else _scaled(row, factors.candidates, one_item)
            for token, row in zip(declared.tokens, rows, strict=True)
        ]
    ).reshape(rows.shape)


def _strength_of_one_item(factors: Factors, items: np.ndarray, share: np.ndarray) -> float:
    """The best score that one popular item of a history gives another, at the median."""
    popular = np.argsort(-share, kind="stable")[: max(1, min(200, len(share)))]
    scores = factors.history[popular] @ items.T
    scores[np.arange(len(popular)), popular] = -np.inf
    return float(np.median(scores.max(axis=1))) if scores.shape[1] > 1 else 1.0


def _towards(marks: np.ndarray, items: np.ndarray, share: np.ndarray) -> np.ndarray:
    """float64[n_genres, r]: directions whose scores are nearest to the root of the popularity of each genre's items, and 0."""
    wanted = marks * np.sqrt(share + 1e-3)[:, None]
    with_constant = np.column_stack([items, np.full(len(items), np.abs(items).mean() or 1.0)])
    weighted = with_constant * np.sqrt(share + 0.01)[:, None]
    return ridge(weighted, with_constant, wanted)[: items.shape[1]].T


def _audiences(declared: Indicators, seen: Histories, n_items: int) -> np.ndarray:
    """float64[n_preferences, n_items]: how much likelier than anybody a user with the token is to have each item."""
    n_users = declared.n_rows
    events = sparse.csr_matrix((np.ones(len(seen.item)), (seen.users(), seen.item)), (n_users, n_items))
    marks = sparse.csr_matrix((declared.value, (declared.row, declared.column)), (n_users, len(declared.tokens)))
    users = np.asarray(marks.sum(axis=0)).reshape(-1, 1)
    everybody = np.asarray(events.mean(axis=0))
    # Ten users like everybody are added to each token's, so that few users say little.
    return ((marks.T @ events).toarray() - users * everybody) / (users + 10)


def _scaled(direction: np.ndarray, items: np.ndarray, strength: float) -> np.ndarray:
    best = float(np.abs(items @ direction).max())
    return direction * (strength / best) if best > 0 else direction


def _strong_enough(
    direction: np.ndarray, has_it: np.ndarray, items: np.ndarray, popular: np.ndarray, one_item: float
) -> np.ndarray:
    """The direction at the least of `STRENGTHS` with which the preference alone fills its list."""
    wanted = LEAST_SHARE * min(LISTED, int(has_it.sum()))
    row = direction
    for strength in STRENGTHS:
        row = _scaled(direction, items, strength * one_item)
        if has_it[np.argsort(-(items @ row + popular), kind="stable")[:LISTED]].sum() >= wanted:
            break
    return row
