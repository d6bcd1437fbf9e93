"""What the pocket preset is worth on MovieLens-100K: three seeds, three splits, users never trained on, and the classics beside it.

python -m pocketrec.train.quality
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from rich.table import Table

from ..core.metrics import rmse
from ..core.queries.histories import Histories
from .baselines import evaluate_baselines, fit_biases
from .data.item_content import declared_preferences, indicators, item_content, preference_vocabulary
from .data.ratings import SPLITS, Ratings, by_popularity, histories, split_ratings

SEEDS = (42, 43, 44)
NEW_USERS, KNOWN = 0.1, 5


def new_user_split(ratings: Ratings, seed: int) -> tuple[Ratings, Ratings, Ratings]:
    """Ratings of 90% of the users to train on; of the others, 80% to be known of them and 20% to predict."""
    rng = np.random.default_rng([seed, 2])
    new = rng.random(len(ratings.users)) < NEW_USERS
    mine = new[ratings.user]
    known, unknown = split_ratings(ratings.take(np.flatnonzero(mine)), "random", seed)
    return ratings.take(np.flatnonzero(~mine)), known, unknown


def few_of(seen: Histories, n: int, seed: int) -> Histories:
    """Histories of `n` random events each, in their order."""
    rng = np.random.default_rng([seed, 3])
    rows = [
        np.sort(rng.permutation(np.arange(a, b))[:n]) for a, b in zip(seen.offsets[:-1], seen.offsets[1:], strict=True)
    ]
    kept = np.concatenate(rows)
    return Histories(np.cumsum([0, *[len(row) for row in rows]]), seen.item[kept], seen.rating[kept])


def quality_of_new_users(ratings: Ratings, seed: int) -> dict[str, float]:
    """RMSE for users the ranker never met: with their whole history, with 5 ratings, and a folded-in bias with the same 5."""
    from .pocket.ranker import PocketRanking, RankingSettings
    from .pocket.trainer import WINDOW, Models
    from .tf import make_deterministic

    make_deterministic(seed)
    train, known, unknown = new_user_split(ratings, seed)
    vocabulary, settings = preference_vocabulary(train), RankingSettings()
    declared = indicators(declared_preferences(train), vocabulary)
    model = PocketRanking(train, item_content(train), declared, settings, seed)
    from .pocket.fit import carve, fit

    fit(model, *carve(len(train), seed), settings, seed=seed)
    models = Models(train, vocabulary, WINDOW, model.folded(), None)
    seen, biases = histories(known), fit_biases(train)
    few = few_of(seen, KNOWN, seed)
    score = lambda history: models.predict(history, declared.dense(), unknown.user, unknown.item)  # noqa: E731
    fold = np.array([biases.fold_in(few.items_of(u), few.ratings_of(u)) for u in range(len(ratings.users))])
    folded = biases.mean + biases.item[unknown.item] + fold[unknown.user]
    clipped = lambda stars: rmse(np.clip(stars, 1, 5), unknown.rating)  # noqa: E731
    return {
        "new_users": clipped(score(seen)),
        "new_users_5_known": clipped(score(few)),
        "bias_5_known": clipped(folded),
    }


def quality_of_split(ratings: Ratings, split: str, seed: int) -> dict[str, float]:
    """RMSE and retrieval metrics of the pocket preset, and the seconds both models took."""
    from .pocket.trainer import train_pocket
    from .tf import make_deterministic

    make_deterministic(seed)
    result = train_pocket(*by_popularity(*split_ratings(ratings, split, seed)), seed=seed, split=split)
    return {
        **result["metrics"]["ranking"],
        **result["metrics"]["retrieval"],
        "seconds": sum(result["seconds"].values()),
    }


def mean_of(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean of every number over the rows; None where any row has none."""
    keys = [key for key, value in rows[0].items() if not isinstance(value, str)]
    return {
        key: None if any(row.get(key) is None for row in rows) else float(np.mean([row[key] for row in rows]))
        for key in keys
    }


def quality_table(rows: Sequence[Mapping[str, Any]], title: str) -> Table:
    """Quality of several models on one split; a dash where a model offers no such thing."""
    table = Table("model", title=title)
    for heading in ("RMSE", "R@10", "R@100", "NDCG@10", "seconds"):
        table.add_column(heading, justify="right")
    for row in rows:
        values = [row.get(key) for key in ("rmse", "recall_at_10", "recall_at_100", "ndcg_at_10")]
        table.add_row(row["model"], *("–" if v is None else f"{v:.4f}" for v in values), f"{row['seconds']:.1f}")
    return table


def main() -> None:
    """Print the tables."""
    from rich.console import Console

    from .data.movielens import load_movielens

    console = Console(width=110)
    ratings = load_movielens("movielens/100k", item_key="movie_id")
    seeds = f"mean of seeds {', '.join(map(str, SEEDS))}"
    for split in SPLITS:
        rows = {"pocket": [quality_of_split(ratings, split, seed) for seed in SEEDS]}
        for seed in SEEDS:
            for row in evaluate_baselines(*split_ratings(ratings, split, seed)):
                rows.setdefault(row["model"], []).append(row)
        means = [{"model": name, **mean_of(found)} for name, found in rows.items()]
        console.print(quality_table(means, f"{split}, {seeds}"))
    table = Table("users never trained on", "RMSE", title=f"a tenth of the users, {seeds}")
    for name, value in mean_of([quality_of_new_users(ratings, seed) for seed in SEEDS]).items():
        table.add_row(name, f"{value:.4f}")
    console.print(table)


if __name__ == "__main__":
    from ..core.native_log import native_stderr_kept_aside

    with native_stderr_kept_aside():
        main()
