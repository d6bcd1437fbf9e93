"""Ratings that are small enough to compute by hand."""

import numpy as np
from pocketrec.train.data.ratings import Ratings


def made(events, n_users, n_items):
    """Ratings from (user, item, stars), one second apart."""
    user, item, stars = zip(*events, strict=True)
    return Ratings(
        name="made",
        user=np.array(user, np.int32),
        item=np.array(item, np.int32),
        rating=np.array(stars, np.float32),
        timestamp=np.arange(len(events), dtype=np.int64),
        users=[str(u) for u in range(n_users)],
        items=[str(i) for i in range(n_items)],
        titles=[f"film {i}" for i in range(n_items)],
        genres=[[] for _ in range(n_items)],
    )


def two_tastes(n_users=40, n_items=20):
    """Even users give even items 5 stars and odd ones 1, odd users the reverse; two thirds of the cells are known."""
    cells = [(u, i) for u in range(n_users) for i in range(n_items)]
    return made([(u, i, 1 + 4 * ((u + i) % 2 == 0)) for u, i in cells if (u + 2 * i) % 3], n_users, n_items)


def scores_and_stars(fitted, train):
    users, items = (side.ravel() for side in np.indices((len(train.users), len(train.items)), np.int32))
    score = None if fitted.score is None else fitted.score(np.arange(len(train.users)))
    return score, None if fitted.predict is None else fitted.predict(users, items)
